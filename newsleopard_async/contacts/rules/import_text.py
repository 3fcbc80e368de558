"""CSV as text, for an import of exactly this text: nothing is put right, each problem is reported.

The platform expects ``EMAIL,NAME`` first, in exactly this form (T31), no header twice (T32), UTF-8
without byte order mark (T36), and line feeds between rows (T34). It accepts other text, and only
minutes later reports that the import has failed. The rules have the same ids as in the check of
contacts, and no message shows a contact.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import Final

from newsleopard_async.contacts.csv.separators import choose_separator
from newsleopard_async.contacts.rules.header import Header, read_header
from newsleopard_async.errors import Problem
from newsleopard_async.models.campaign import MAX_BODY_BYTES
from newsleopard_async.models.validation import problems_of_encoding, wrong_type

__all__ = ["problems_of_csv_text"]

_FIELD: Final = "csv_text"


def problems_of_csv_text(csv_text: object) -> tuple[Problem, ...]:
    """Return the problems because of which a CSV cannot be imported as text."""
    if not isinstance(csv_text, str):
        return (wrong_type(_FIELD, csv_text, 'CSV as text, "EMAIL,NAME\\n…"'),)
    if not csv_text.strip():
        return (_problem("empty-file", "is empty; begin with a line EMAIL,NAME"),)
    header, _, rows = csv_text.partition("\n")
    return (*_problems_of_header(header), *_problems_of_rows(csv_text, rows))


def _problem(rule: str, message: str) -> Problem:
    return Problem(_FIELD, rule, message)


def _problems_of_header(line: str) -> Iterator[Problem]:
    line = line.removesuffix("\r")
    if not line.strip():
        yield _problem("header-order", "begins with an empty line; begin with EMAIL,NAME")
    elif line.startswith("\ufeff"):
        yield _problem(
            "byte-order-mark",
            "begins with a byte order mark, which would become a part of the header EMAIL; decode "
            "the file as utf-8-sig",
        )
    elif "\r" in line or "\\n" in line:
        yield _problem(
            "line-break",
            "does not end its header with a line feed; end it with one, not with \\r or \\\\n",
        )
    else:
        findings = _read_header(line).findings
        yield from (_problem(each.rule, each.message) for each in findings if each.level == "error")


def _read_header(line: str) -> Header:
    separator = choose_separator(line)
    try:
        row, is_broken = next(csv.reader([line], delimiter=separator, strict=True)), False
    except csv.Error:
        row, is_broken = [], True
    return read_header(
        row, line=1, text=line, separator=separator, is_broken=is_broken, goes_as_it_is=True
    )


def _problems_of_rows(csv_text: str, rows: str) -> Iterator[Problem]:
    if not rows.strip():
        yield _problem("no-rows", "has no row after its header; add at least one contact")
    if "\r" in csv_text:
        yield _problem("line-break", "has carriage returns; end each row with a line feed only")
    encoding = list(problems_of_encoding(_FIELD, csv_text))
    yield from encoding
    if not encoding and _body_bytes(csv_text) > MAX_BODY_BYTES:
        yield _problem(
            "too-large-for-text",
            f"makes a request over {MAX_BODY_BYTES:,} bytes; use a file import",
        )


def _body_bytes(csv_text: str) -> int:
    return len(json.dumps({"contacts": csv_text}, ensure_ascii=False).encode())
