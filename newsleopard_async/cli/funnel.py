"""What became of a campaign's mails, counted from its report files."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import attrs

__all__ = ["Funnel", "Stage", "addresses_in", "read_funnel"]


@attrs.frozen
class Stage:
    """One line of the funnel.

    Attributes:
        title: What happened to the mails.
        chinese: The platform's word for it.
        count: To how many recipients, each counted once.
        base: Of how many the rate is a share.
        of: What those are called.
    """

    title: str
    chinese: str
    count: int
    base: int
    of: str

    @property
    def rate_percent(self) -> float | None:
        """The share of the base, or None where that is empty."""
        return 100 * self.count / self.base if self.base else None


@attrs.frozen(kw_only=True)
class Funnel:
    """How many recipients came how far."""

    recipients: int
    delivered: int
    opened: int
    clicked: int
    bounced: int
    unsubscribed: int
    complained: int

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The lines in their order, each with what its rate is a share of."""
        sent, got = (self.recipients, "recipients"), (self.delivered, "delivered")
        return (
            Stage("Recipients", "收件人", self.recipients, *sent),
            Stage("Delivered", "到達", self.delivered, *sent),
            Stage("Opened", "開信", self.opened, *got),
            Stage("Clicked", "點擊", self.clicked, *got),
            Stage("Bounced", "退信", self.bounced, *sent),
            Stage("Unsubscribed", "取消訂閱", self.unsubscribed, *got),
            Stage("Complained", "抱怨", self.complained, *got),
        )


def read_funnel(files: Mapping[str, Path], *, recipients: int) -> Funnel:
    """Count the recipients in each report file; a type without a file counts as nobody.

    Args:
        files: Report files by type (``delivery``, ``open``, …).
    """
    counts = {kind: len(addresses_in(path)) for kind, path in files.items()}
    return Funnel(
        recipients=recipients,
        delivered=counts.get("delivery", 0),
        opened=counts.get("open", 0),
        clicked=counts.get("click", 0),
        bounced=counts.get("bounce", 0),
        unsubscribed=counts.get("unsubscribe", 0),
        complained=counts.get("complain", 0),
    )


def addresses_in(path: Path) -> dict[str, None]:
    """Return the addresses in a report file, once each, in the order of the file.

    The columns of report files are not documented (T119), so the address is looked for by
    its name first, and then by its shape.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        header = [name.strip().upper() for name in next(rows, [])]
        column = header.index("EMAIL") if "EMAIL" in header else None
        found: dict[str, None] = {}
        for row in rows:
            address = _address(row, column)
            if address:
                found[address.lower()] = None
        return found


def _address(row: list[str], column: int | None) -> str | None:
    if column is None:
        return next((cell.strip() for cell in row if "@" in cell), None)
    return row[column].strip() if column < len(row) else None
