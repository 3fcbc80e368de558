"""How often something was found, and the first lines that it is in."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

import attrs

from newsleopard_async.models.findings import MOST_PLACES, Finding, Level

__all__ = ["Tally"]

_MOST_SHOWN: Final = 5


@attrs.define
class Tally:
    """Counts everything, and keeps the first places; fed in the order of the lines.

    Attributes:
        count: How often it was found.
        places: The first lines, at most twenty.
    """

    count: int = 0
    places: list[int] = attrs.field(factory=list)

    def add(self, count: int, lines: Iterable[int]) -> None:
        """Count so many more, of which the lines are read no further than is needed."""
        self.count += count
        self.places.extend(islice(lines, MOST_PLACES - len(self.places)))

    @property
    def where(self) -> str:
        """The lines for a message: the first five, and how many more."""
        shown = ", ".join(map(str, self.places[:_MOST_SHOWN]))
        more = self.count - _MOST_SHOWN
        rest = f" and {more:,} more" if more > 0 else ""
        return f"{'line' if self.count == 1 else 'lines'} {shown}{rest}"

    def finding(
        self, level: Level, rule: str, message: str, *, column: str | None = None
    ) -> Finding:
        """Make a finding of it."""
        return Finding(
            level=level,
            rule=rule,
            message=message,
            line=self.places[0],
            column=column,
            count=self.count,
            places=tuple(self.places),
        )
