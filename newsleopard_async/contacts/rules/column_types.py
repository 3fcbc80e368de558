"""``mixed-type`` and ``leading-zero``: values that do not fit the inferred type of their column.

The platform infers the type of a custom column from the data of its first import, and rejects
rows with other values (T39). Its method is not documented. Assumed here: from the first value, or
from the majority of the values.

A spreadsheet that reads phone numbers as numbers drops their first zero. The remaining digits are
recognised by Taiwan's numbering plan: eight or nine digits that begin with the area code of a
landline, or nine digits that begin with 9, of a mobile phone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import compress
from typing import Final, Literal

from newsleopard_async.contacts.csv.batch import all_cells
from newsleopard_async.contacts.rules.cells import NUMBER, Cells, LineTally
from newsleopard_async.models.findings import Finding, counted, either

__all__ = ["ColumnType"]

Kind = Literal["", "number", "date", "text"]
"""The type of a value; a blank value has the type ``""``."""

_WORDS: Final[Mapping[Kind, tuple[str, str, str]]] = {
    "number": ("is not a number", "are not numbers", "a column of numbers"),
    "date": ("is not a date", "are not dates", "a column of dates"),
    "text": ("is not a text", "are not texts", "a column of texts"),
}
"""What messages say of one value of another type, of several, and of the column."""

_LEAP_YEAR: Final = r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DATE: Final = re.compile(
    r"[0-9]{4}(?P<dash>[-/])(?:"
    # Only days that the month has: how the platform reads 30 February is unknown.
    r"(?:0?[13578]|1[02])(?P=dash)(?:0?[1-9]|[12][0-9]|3[01])"
    r"|(?:0?[469]|11)(?P=dash)(?:0?[1-9]|[12][0-9]|30)"
    r"|0?2(?P=dash)(?:0?[1-9]|1[0-9]|2[0-8])"
    rf"|(?<={_LEAP_YEAR}[-/])0?2(?P=dash)29)"
    r"(?:[ T](?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?"
    r"(?:Z| ?[+-][0-9]{2}:?[0-9]{2})?)?"
)
_DATE_FORM: Final = re.compile(rb"\n0000(?P<dash>[-/])00(?P=dash)00")
_DAYS: Final = frozenset(
    tuple(f"{month:02}{day:02}".encode())
    for month, days in enumerate((31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), start=1)
    for day in range(1, days + 1)
)
"""Month and day of each date that exists in every year, as digits."""
_DIGITS: Final = b"0123456789"
_AS_ZEROS: Final = bytes.maketrans(_DIGITS, b"0" * 10)
# In UTF-8, a blank outside of ASCII begins with one of the last four bytes; few letters do.
_BLANK_BYTES: Final = b"\t\v\f\r\x1c\x1d\x1e\x1f \xc2\xe1\xe2\xe3"
# Only blanks of the same line, and possessive, so that many blank cells are matched only once.
_BLANKS: Final = r"[^\S\n]*+"
_BLANK_HINT: Final = re.compile(rf"\n{_BLANKS}(?:\n|\Z)")
# Matches more than numbers and dates, so that no digit is matched twice; 0912-345-678 is neither.
_NUMBER_OR_DATE_HINT: Final = re.compile(
    rf"\n{_BLANKS}[+-]?+[0-9]++"
    rf"(?:[-/][0-9]{{1,2}}+[-/]|(?:,[0-9]{{3}})*+(?:\.[0-9]++)?+{_BLANKS}(?:\n|\Z))"
)
_NUMBERS: Final = all_cells(NUMBER.pattern)
_DATES: Final = all_cells(_DATE.pattern)
_LEADING_ZERO: Final = re.compile(r"[+-]?0[0-9]+(?:\.[0-9]+)?")
_LEADING_ZERO_HINT: Final = re.compile(rf"\n{_BLANKS}[+-]?0[0-9]")
_LOST_ZERO: Final = re.compile(
    # Mobile phones (09), and the area codes 02, 04 and 049. A float ends in .0.
    r"(?:9[0-9]{8}|2[2-8][0-9]{7}|4[2-9][0-9]{7})(?:\.0)?"
)
_LOST_ZERO_OF_ANY: Final = re.compile(
    # Area codes with shorter numbers: 03, 037, 04 (Changhua), 05, 06, 07, 08, 082, 0826, 089, 0836.
    rf"{_LOST_ZERO.pattern}"
    r"|(?:(?:3[2-9]|4[78]|5[2-8]|6[2-9]|7[2-9]|8[2789])[0-9]{6}|836[0-9]{5})(?:\.0)?"
)
# Numbers in Taipei without the area code; mobile numbers in Hong Kong and Singapore.
_LOCAL_NUMBER: Final = re.compile(r"[129][0-9]{7}(?:\.0)?")
_PHONE: Final = re.compile(
    r"phone|mobile"
    r"|(?<![a-z])(?:tel|cell|fax|sms|whats ?app|contact[ _-]?(?:no|num|number))(?![a-z])"
    r"|[電电][話话]|手[機机]|行動|門號|[市室]話|宅電|傳真|[聯連][絡繫](?:方式|號碼)"
)
# A word for a phone, and soon after it one for another attribute than its number.
_OF_PHONE: Final = re.compile(
    r"(?:phone|mobile|tel|cell|fax|sms|電話|手機|行動|門號)(?:.{0,4}?|[a-z_]{0,9}[ _-])"
    r"(?:(?<![a-z])(?:ids?|points?|counts?|bill|model|versions?|minutes?|seconds?)(?![a-z])|編號|序號|型號|點數|次數|時數|紅利|費)"
)
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


class ColumnType:
    """Infers the type of a custom column: numbers, dates or text."""

    def __init__(self, column: str) -> None:
        self._column = column
        self._is_phone = _is_phone(column)
        self._first: Kind = ""
        self._counts: Counter[Kind] = Counter()
        self._others: dict[Kind, LineTally] = {"number": LineTally(), "date": LineTally()}
        self._zeros = LineTally()
        self._lost_of_nine = LineTally()
        self._lost_of_any = LineTally()
        self._has_local_numbers = False

    def check(self, cells: Cells) -> None:
        """Check the next values."""
        cells = cells.filled()
        kind = _kind_of_all(cells)
        if kind is None:
            kinds = [_kind(cell.strip()) for cell in cells.cells]
            counts = Counter(kinds)
        else:
            kinds = [kind] * len(cells.column)
            counts = Counter({kind: len(kinds)})
        self._first = self._first or next(filter(None, kinds), "")
        self._counts += counts
        for expected, tally in self._others.items():
            others = len(kinds) - counts[""] - counts[expected]
            if others:
                is_other = (kind not in {"", expected} for kind in kinds)
                tally.add(others, compress(cells.lines, is_other))
        if counts["number"]:
            self._check_zeros(cells)

    def _check_zeros(self, cells: Cells) -> None:
        if _LEADING_ZERO_HINT.search(cells.joined):
            self._zeros.add(*_matching(_LEADING_ZERO, cells))
        if self._is_phone:
            self._lost_of_nine.add(*_matching(_LOST_ZERO, cells))
            self._lost_of_any.add(*_matching(_LOST_ZERO_OF_ANY, cells))
            local, _ = _matching(_LOCAL_NUMBER, cells)
            self._has_local_numbers = self._has_local_numbers or local > 0

    @property
    def _lost(self) -> LineTally:
        """The phone numbers that lost their zero.

        If the column has numbers without an area code, eight digits can be a whole number.
        """
        return self._lost_of_nine if self._has_local_numbers else self._lost_of_any

    def _inferred(self) -> Kind:
        values = sum(count for kind, count in self._counts.items() if kind)
        for kind in self._others:
            if self._counts[kind] * 2 > values:
                return kind
        return self._first

    def findings(self) -> Iterator[Finding]:
        """Yield the findings about the inferred type."""
        inferred = self._inferred()
        others = self._others.get(inferred)
        if others is not None and others.count:
            yield self._finding_of_others(inferred, others)
        if inferred == "number" and self._zeros.count:
            yield self._finding_of_zeros()
        elif self._lost.count:
            yield self._finding_of_lost_zeros()

    def _finding_of_others(self, inferred: Kind, others: LineTally) -> Finding:
        one, several, column = _WORDS[inferred]
        are_none = one if others.count == 1 else several
        rows = either(others.count, "this row", "these rows")
        them = either(others.count, "it", "them")
        return others.finding(
            "warning",
            "mixed-type",
            f"has {counted(others.count, 'value')} in {self._column} ({others.where}) that "
            f"{are_none}, unlike the first value or most values of the column; a first import "
            f"probably makes it {column} and rejects {rows}; correct {them}, or leave {them} empty",
            column=self._column,
        )

    def _finding_of_zeros(self) -> Finding:
        lost = (
            f"; {counted(self._lost.count, 'value')} ({self._lost.where}) without a zero possibly "
            "lost it already"
            if self._lost.count
            else ""
        )
        begin = either(self._zeros.count, "begins", "begin")
        them = either(self._zeros.count, "it as text", "them as text")
        return self._zeros.finding(
            "warning",
            "leading-zero",
            f"has {counted(self._zeros.count, 'value')} in {self._column} ({self._zeros.where}) "
            f"that {begin} with a zero, which a column of numbers probably loses; if the zero "
            f"matters, write {them}, as in 0912-345-678{lost}",
            column=self._column,
        )

    def _finding_of_lost_zeros(self) -> Finding:
        check = either(self._lost.count, "looks like a phone number", "look like phone numbers")
        return self._lost.finding(
            "warning",
            "leading-zero",
            f"has {counted(self._lost.count, 'value')} in {self._column} ({self._lost.where}) "
            f"that {check} without its first zero, which a spreadsheet or a data frame dropped; "
            "make it a column of text there, and export it again",
            column=self._column,
        )


def _is_phone(column: str) -> bool:
    name = _CAMEL.sub(" ", column).lower()
    return _PHONE.search(name) is not None and _OF_PHONE.search(name) is None


def _matching(pattern: re.Pattern[str], cells: Cells) -> tuple[int, list[int]]:
    """Return the number of cells that match without surrounding blanks, and their lines."""
    matches = map(pattern.fullmatch, map(str.strip, cells.cells))
    lines = list(compress(cells.lines, matches))
    return len(lines), lines


def _kind_of_all(cells: Cells) -> Kind | None:
    """Return the type of all values, or None if each value must be checked.

    The check of the bytes comes first, because it takes a tenth of the time of the patterns. It
    makes the whole check a fifth faster.
    """
    if cells.column.has_breaks:
        return None
    utf8 = cells.joined.encode()
    others = utf8.translate(None, _DIGITS)
    if others == b"\n" * len(cells.column):
        return "number"
    if len(others) == len(utf8) == len(utf8.translate(None, _BLANK_BYTES)):
        return "text"
    form = _only_form(utf8, len(cells.column))
    if form is not None and _DATE_FORM.fullmatch(form) and _are_days(utf8):
        return "date"
    # The hints treat all digits the same.
    joined = cells.joined if form is None else form.decode()
    if not (_NUMBER_OR_DATE_HINT.search(joined) or _BLANK_HINT.search(joined)):
        return "text"
    if cells.column.are_all(_NUMBERS):
        return "number"
    return "date" if cells.column.are_all(_DATES) else None


def _only_form(utf8: bytes, count: int) -> bytes | None:
    """Return the form of all values, with each digit as 0; None if they have several forms."""
    forms = utf8.translate(_AS_ZEROS)
    form = forms[: len(forms) // count]
    return form if form * count == forms else None


def _are_days(utf8: bytes) -> bool:
    """Return whether each date, in the form ``2024-02-28``, exists in every year."""
    return _DAYS.issuperset(zip(*(utf8[at::11] for at in (6, 7, 9, 10)), strict=True))


def _kind(value: str) -> Kind:
    if not value:
        return ""
    if NUMBER.fullmatch(value):
        return "number"
    return "date" if _DATE.fullmatch(value) else "text"
