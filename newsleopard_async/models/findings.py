"""What a check finds, before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Final, Literal

import attrs

from newsleopard_async.disclosure import shown
from newsleopard_async.errors import Problem
from newsleopard_async.plain import Plain, Tabular

__all__ = [
    "MOST_PLACES",
    "CheckReport",
    "ContactsReport",
    "Finding",
    "Fix",
    "Level",
    "RuleInfo",
    "Scope",
    "counted",
    "either",
    "listed",
    "rules_table",
]

Level = Literal["error", "warning", "note"]
"""An error keeps something from being sent, or loses contacts; a warning is worth a look;
a note says what was understood, or made good on the way."""

Scope = Literal["whole", "rows"]
"""What a finding is about: what was checked as a whole, or single rows of contacts."""

MOST_PLACES: Final = 20
"""How many places a finding names."""

_SHOWN_PLACES: Final = 3
_NAMES_LINES: Final = re.compile(r"\blines? \d")


@attrs.frozen(kw_only=True)
class Finding(Plain):
    """One thing that a check found; of contacts, one for each rule and column.

    Attributes:
        level: ``error``, ``warning`` or ``note``.
        rule: The rule's name, stable enough for a program (``invalid-email``).
        message: What it is and the way out, in a sentence; it shows no contact.
        field: Where, as the caller wrote it: ``contacts``, ``subject``, ``html_a``.
        line: The first line that it is in, counted as an editor counts, from 1; None where no
            line is meant.
        column: The column of the contacts that it is in; None where no single one is.
        count: How often it was found.
        places: The first twenty lines that it is in.
        scope: ``rows`` if it is about single rows of contacts: an error of rows costs these rows
            and no others. ``whole`` if it is about all that was checked: an error of the whole
            makes it unusable, even if a single line causes it, such as a quote that is never
            closed.
    """

    level: Level
    rule: str
    message: str = attrs.field(converter=shown)
    field: str = "contacts"
    line: int | None = None
    column: str | None = None
    count: int = 1
    places: tuple[int, ...] = ()
    scope: Scope = "whole"

    @property
    def where(self) -> str:
        """The place in words, such as ``lines 7, 9, … of EMAIL``; empty where there is none."""
        return " of ".join(filter(None, (self._lines(), self.column)))

    def _lines(self) -> str:
        if self.line is None:
            return ""
        places = self.places or (self.line,)
        shown = [f"{line:,}" for line in places[:_SHOWN_PLACES]]
        more = ["…"] if len(places) > len(shown) else []
        return f"{'line' if len(places) == 1 else 'lines'} {', '.join(shown + more)}"

    @property
    def told(self) -> str:
        """The message, and the lines where it does not name them itself."""
        lines = self._lines()
        if not lines or _NAMES_LINES.search(self.message):
            return self.message
        return f"{self.message} ({lines})"

    def as_problem(self) -> Problem:
        """Return it as a problem of an ``InvalidRequest``."""
        return Problem(self.field, self.rule, self.told)

    def __str__(self) -> str:
        return f"{self.level}: {self.field}: {self.rule}: {self.told}"


@attrs.frozen(kw_only=True)
class CheckReport(Tabular):
    """What a check found; an iterable of its findings.

    Attributes:
        findings: Everything, the errors first.
    """

    plain_derived: ClassVar[tuple[str, ...]] = ("ok",)

    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no error was found."""
        return not self.errors

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What keeps it from being sent."""
        return tuple(each for each in self.findings if each.level == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What is worth a look."""
        return tuple(each for each in self.findings if each.level == "warning")

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings)) or "nothing was found"


@attrs.frozen(kw_only=True)
class ContactsReport(CheckReport):
    """What a check of contacts found.

    Attributes:
        rows: Rows of data as they came in, blank ones aside; 0 where nothing could be read.
        unique: Different addresses among them, trimmed and without regard to case, but for those
            that are skipped.
        columns: The columns' names, in the order in which they go out.
        encoding: The encoding that was taken, by Python's name for it; None where there is
            none, or none was found.
        bad_rows: Rows with an error, which the platform would not take.
        dropped: Rows that ``fix`` dropped, since another one has the address.
        left_out: Bad rows that ``fix`` left out.
        left_out_to: The file that they are in.
        skipped: Rows whose address is in the list of ``skip``.
        trimmed: Cells without the blanks, the invisible characters and the apostrophe that were
            around them: addresses always, others if ``fix`` says so.
        size_bytes: Size of the CSV that goes out.
        requests: Requests that importing these contacts and sending to them is likely to take.
        unescaped: Notes about columns with values that have ``<`` or ``&``. They matter only in
            a mail whose HTML has the column; `send_campaign` then logs them.
    """

    rows: int = 0
    unique: int = 0
    columns: tuple[str, ...] = ()
    encoding: str | None = None
    bad_rows: int = 0
    dropped: int = 0
    left_out: int = 0
    left_out_to: Path | None = None
    skipped: int = 0
    trimmed: int = 0
    size_bytes: int = 0
    requests: int = 0
    unescaped: tuple[Finding, ...] = ()

    @property
    def going(self) -> int:
        """Rows that go out."""
        return self.rows - self.dropped - self.left_out - self.skipped

    @property
    def fatal_errors(self) -> tuple[Finding, ...]:
        """The errors that make the contacts unusable as a whole; those of single rows aside."""
        return tuple(each for each in self.errors if each.scope == "whole")

    def __str__(self) -> str:
        columns = ", ".join(map(shown, self.columns)) or "unknown"
        counts = f"rows: {self.rows:,}; different addresses: {self.unique:,}; columns: {columns}"
        return f"{counts}\n{super().__str__()}"


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: ``1 row``, ``2,000 rows``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def either(number: int, one: str, many: str) -> str:
    """Choose what agrees with a number: ``begins`` with 1, ``begin`` with 2."""
    return one if number == 1 else many


_MOST_LISTED: Final = 5


def listed(names: Sequence[str]) -> str:
    """Write names one after the other: the first five, and how many more."""
    more = len(names) - _MOST_LISTED
    rest = [f"{more:,} more"] if more > 0 else []
    return ", ".join([*names[:_MOST_LISTED], *rest])


Fix = Literal["trim", "fill-rows", "drop-duplicates", "drop-later-duplicates", "leave-out-bad-rows"]
"""What may be put right on the way out."""


@attrs.frozen
class RuleInfo:
    """One rule of a check.

    Attributes:
        name: As it stands in `Finding.rule`.
        level: As it stands in `Finding.level`; where it depends, all of them.
        says: What it finds, in a clause.
    """

    name: str
    level: str
    says: str


def rules_table(rules: Iterable[RuleInfo]) -> str:
    """Write rules as the table that the documentation prints."""
    rows = [f"| `{rule.name}` | {rule.level} | {rule.says} |" for rule in rules]
    return "\n".join(["| rule | level | what it finds |", "|---|---|---|", *rows])
