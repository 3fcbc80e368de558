"""The findings and reports of the checks that run before anything is sent."""

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
"""An error prevents a send or loses contacts; a warning is a possible fault; a note explains how
the input was understood or corrected."""

Scope = Literal["whole", "rows"]
"""What a finding applies to: the whole input, or single rows of contacts."""

MOST_PLACES: Final = 20
"""Lines that a finding lists. Chosen: enough to see a pattern, and short in JSON."""

_SHOWN_PLACES: Final = 3
"""Lines that a message shows. Chosen: enough to find the fault; `Finding.places` has more."""

_NAMES_LINES: Final = re.compile(r"\blines? \d")


@attrs.frozen(kw_only=True)
class Finding(Plain):
    """A fault or note that a check found; for contacts, one for each rule and column.

    Attributes:
        level: ``error``, ``warning`` or ``note``.
        rule: The rule's name, stable enough for a program (``invalid-email``).
        message: The fault and the way out, in one sentence without contact data.
        field: The argument or field: ``contacts``, ``subject``, ``html_a``.
        line: The first line with the fault, counted as in an editor, from 1; None if the finding
            has no line.
        column: The column of the contacts; None if the finding has no single column.
        count: How often the fault was found.
        places: The first twenty lines with the fault.
        scope: ``rows`` if the finding applies to single rows of contacts: an error then costs only
            these rows. ``whole`` if it applies to the whole input: an error then makes the input
            unusable, even if one line causes it, such as a quote that is never closed.
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
        """The lines and column in words, such as ``lines 7, 9, … of EMAIL``; empty without both."""
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
        """The message, followed by the lines unless the message contains them."""
        lines = self._lines()
        if not lines or _NAMES_LINES.search(self.message):
            return self.message
        return f"{self.message} ({lines})"

    def as_problem(self) -> Problem:
        """Return the finding as a problem of an ``InvalidRequest``."""
        return Problem(self.field, self.rule, self.told)

    def __str__(self) -> str:
        return f"{self.level}: {self.field}: {self.rule}: {self.told}"


@attrs.frozen(kw_only=True)
class CheckReport(Tabular):
    """The result of a check; iterating over it yields its findings.

    Attributes:
        findings: All findings, errors first.
    """

    plain_derived: ClassVar[tuple[str, ...]] = ("ok",)

    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no error was found."""
        return not self.errors

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that prevent the send."""
        return tuple(each for each in self.findings if each.level == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings with the level ``warning``."""
        return tuple(each for each in self.findings if each.level == "warning")

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings)) or "nothing was found"


@attrs.frozen(kw_only=True)
class ContactsReport(CheckReport):
    """The result of a check of contacts.

    Attributes:
        rows: Number of data rows in the input, without blank rows; 0 if it cannot be read.
        unique: Number of different addresses, trimmed and without case, except skipped addresses.
        columns: Names of the columns, in the order in which they are sent.
        encoding: The encoding of the input, by its name in Python; None without an encoding.
        bad_rows: Number of rows with an error, which the platform would reject.
        dropped: Number of rows that ``fix`` dropped because another row has the address.
        left_out: Number of bad rows that ``fix`` left out.
        left_out_to: The file with the rows that were left out.
        skipped: Number of rows with an address in ``skip``.
        trimmed: Number of cells without their surrounding blanks, invisible characters and
            apostrophe: addresses always, other cells if ``fix`` contains ``trim``.
        size_bytes: Size of the CSV that is sent.
        requests: Estimated number of requests for the import and a campaign.
        unescaped: Notes about columns with ``<`` or ``&`` in their values. They matter only if the
            HTML of a mail uses the column; `send_campaign` then logs them.
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
        """Number of rows that are sent."""
        return self.rows - self.dropped - self.left_out - self.skipped

    @property
    def fatal_errors(self) -> tuple[Finding, ...]:
        """The errors that make all contacts unusable, without errors of single rows."""
        return tuple(each for each in self.errors if each.scope == "whole")

    def __str__(self) -> str:
        columns = ", ".join(map(shown, self.columns)) or "unknown"
        counts = f"rows: {self.rows:,}; different addresses: {self.unique:,}; columns: {columns}"
        return f"{counts}\n{super().__str__()}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 row``, ``2,000 rows``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def either(number: int, one: str, many: str) -> str:
    """Return the form that agrees with a number: ``begins`` with 1, ``begin`` with 2."""
    return one if number == 1 else many


_MOST_LISTED: Final = 5
"""Names in a message. Chosen: five names fit on one line."""


def listed(names: Sequence[str]) -> str:
    """Return the first five names, separated by commas, and the number of the rest."""
    more = len(names) - _MOST_LISTED
    rest = [f"{more:,} more"] if more > 0 else []
    return ", ".join([*names[:_MOST_LISTED], *rest])


Fix = Literal["trim", "fill-rows", "drop-duplicates", "drop-later-duplicates", "leave-out-bad-rows"]
"""The corrections of contacts that the caller can choose."""


@attrs.frozen
class RuleInfo:
    """One rule of a check.

    Attributes:
        name: The id of the rule, as in `Finding.rule`.
        level: The level, as in `Finding.level`; several levels if it depends on the input.
        says: A clause about the fault.
    """

    name: str
    level: str
    says: str


def rules_table(rules: Iterable[RuleInfo]) -> str:
    """Return the table of rules that the documentation prints."""
    rows = [f"| `{rule.name}` | {rule.level} | {rule.says} |" for rule in rules]
    return "\n".join(["| rule | level | what it finds |", "|---|---|---|", *rows])
