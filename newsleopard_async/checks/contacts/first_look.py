"""A CSV of contacts, judged before it is uploaded; no message shows a contact.

The platform wants ``EMAIL,NAME`` first, in this very form (T31), no header twice (T32), UTF-8
without byte order mark (T36), and line feeds between rows (T34). It accepts the upload of
anything else, and only minutes later says that the import has failed.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from typing import Final

import attrs

from newsleopard_async.errors import Problem
from newsleopard_async.models.mailing import MAX_BODY_BYTES
from newsleopard_async.models.rules import problems_of_encoding, wrong_type

__all__ = ["count_rows", "problems_of_csv_text", "problems_of_header"]

FIELD: Final = "contacts"
TEXT_FIELD: Final = "csv_text"
FIRST: Final = ("EMAIL", "NAME")

_UTF8_MARK: Final = b"\xef\xbb\xbf"
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_OTHER_SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "bars", "，": "full-width commas"}


def problems_of_header(first_line: bytes | str) -> tuple[Problem, ...]:
    """Return what is wrong with the first line of a CSV.

    Args:
        first_line: With or without the end of the line; bytes as they stand in the file.
    """
    if isinstance(first_line, bytes):
        if first_line.startswith(_UTF16_MARKS) or b"\0" in first_line:
            return (_problem("encoding", "is UTF-16; save it as UTF-8 without byte order mark"),)
        if first_line.startswith(_UTF8_MARK):
            return (_byte_order_mark(),)
        try:
            first_line = first_line.decode()
        except UnicodeDecodeError:
            return (_problem("encoding", "is not UTF-8 (perhaps Big5); save it as UTF-8"),)
    return tuple(_problems_of_header_text(first_line))


def problems_of_csv_text(csv_text: object) -> tuple[Problem, ...]:
    """Return what keeps a CSV text from being imported as text."""
    if not isinstance(csv_text, str):
        return (wrong_type(TEXT_FIELD, csv_text, 'CSV as text, "EMAIL,NAME\\n…"'),)
    header, _, rows = csv_text.partition("\n")
    found = (*problems_of_header(header), *_problems_of_rows(csv_text, rows))
    return tuple(attrs.evolve(problem, field=TEXT_FIELD) for problem in found)


def count_rows(text: str, limit: int) -> int:
    """Count the rows after the header, line breaks inside quotes aside.

    Args:
        limit: Counting stops at one more than this, so that a large text costs no more.
    Returns: The number of rows that are not blank, at most ``limit + 1``; that too for a
        text that is no CSV, which a file import then reports.
    """
    count = -1
    try:
        for row in csv.reader(io.StringIO(text, newline="")):
            count += bool(row)
            if count > limit:
                break
    except csv.Error:
        return limit + 1
    return max(count, 0)


def _problem(rule: str, message: str) -> Problem:
    return Problem(FIELD, rule, message)


def _byte_order_mark() -> Problem:
    return _problem(
        "byte_order_mark",
        'begins with a byte order mark, which would spoil the header EMAIL; save it as "UTF-8", '
        'not "UTF-8 with BOM" (Excel\'s "CSV UTF-8" writes one)',
    )


def _problems_of_header_text(line: str) -> Iterator[Problem]:
    line = line.removesuffix("\n").removesuffix("\r")
    if not line.strip():
        yield _problem("required", "is empty, or begins with an empty line; begin with EMAIL,NAME")
    elif line.startswith("\ufeff"):
        yield _byte_order_mark()
    elif "\r" in line or "\\n" in line:
        yield _problem(
            "line_breaks", "does not end its header with a line feed; write one, no \\r or \\\\n"
        )
    elif line != ",".join(FIRST) and not line.startswith(",".join((*FIRST, ""))):
        yield _problem_of_beginning(line)
    else:
        yield from _problems_of_names(line)


def _problem_of_beginning(line: str) -> Problem:
    """Say why a line does not begin with the two columns; it may be a contact, so it is hidden."""
    for separator, name in _OTHER_SEPARATORS.items():
        if separator in line and "," not in line:
            return _problem("separator", f"separates columns by {name}; use commas")
    columns = [column.strip(' \t"') for column in line.split(",")]
    upper = [column.upper() for column in columns]
    if tuple(columns[:2]) == FIRST:
        return _problem(
            "bare", "has quotes or spaces around EMAIL or NAME; write the two bare: EMAIL,NAME"
        )
    if tuple(upper[:2]) == FIRST:
        return _problem("upper_case", "does not write EMAIL,NAME in upper case; do so")
    if set(FIRST) <= set(upper):
        return _problem("order", "has EMAIL and NAME elsewhere; make them the first two columns")
    missing = " and ".join(name for name in FIRST if name not in upper)
    return _problem("required", f"has no column {missing} in its first line; begin with EMAIL,NAME")


def _problems_of_names(line: str) -> Iterator[Problem]:
    try:
        names = next(csv.reader([line], strict=True))
    except csv.Error:
        yield _problem("quotes", "has a quote in its header that is never closed; close it")
        return
    folded = Counter(name.strip().casefold() for name in names)
    if "" in folded:
        yield _problem("column_name", "has a column without a name; name it or remove it")
    twice = sorted(name for name, times in folded.items() if name and times > 1)
    if twice:
        yield _problem(
            "duplicate",
            f"has columns of the same name but for case and spaces: {', '.join(twice)}; rename "
            "all but one",
        )


def _problems_of_rows(csv_text: str, rows: str) -> Iterator[Problem]:
    if not rows.strip():
        yield _problem("required", "has no row after its header; give at least one contact")
    if "\r" in csv_text:
        yield _problem("line_breaks", "has carriage returns; end each row with a line feed only")
    encoding = list(problems_of_encoding(FIELD, csv_text))
    yield from encoding
    if not encoding and _body_bytes(csv_text) > MAX_BODY_BYTES:
        yield _problem(
            "too_large", f"makes a request over {MAX_BODY_BYTES:,} bytes; use a file import"
        )


def _body_bytes(csv_text: str) -> int:
    return len(json.dumps({"contacts": csv_text}, ensure_ascii=False).encode())
