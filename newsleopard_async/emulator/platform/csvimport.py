"""An import judged row by row: what becomes a contact, what is rejected and why (T30 to T47)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import attrs

from newsleopard_async.emulator.platform.addressbook import Contact, folded
from newsleopard_async.emulator.platform.blobs import Blob, BlobWriter
from newsleopard_async.emulator.platform.csvfile import MalformedCsv, read_rows, write_row
from newsleopard_async.emulator.switches import Switches

__all__ = ["RESERVED_COLUMNS", "Judgement", "is_email", "judge"]

REASON_COLUMN: Final = "REASON"
UNDECIDED: Final = "undecided"
"""The type of a column that has had no value yet."""

_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_DATE: Final = re.compile(
    r"\d{4}([-/])(0?[1-9]|1[0-2])\1(0?[1-9]|[12]\d|3[01])"
    r"([ T]([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)
_EMAIL: Final = re.compile(
    r"[^\s@,;:<>()\[\]\\\"\x00-\x1f\x7f]{1,64}@(?=.{3,253}$)"
    r"([^\W_]([\w-]{0,61}[^\W_])?\.)+[^\W_]([\w-]{0,61}[^\W_])"
)
_CHECKS: Final[Mapping[str, tuple[str, Callable[[str], object]]]] = {
    "number": ("NOT_A_NUMBER", _NUMBER.fullmatch),
    "date": ("NOT_A_DATE", _DATE.fullmatch),
}

RESERVED_COLUMNS: Final = frozenset(
    {
        "name",
        "email",
        "gender",
        "phone",
        "country_code",
        "country",
        "city",
        "address",
        "register_date",
        "birthday",
        "line_uid",
        "facebook_id",
        "shopline_id",
        "cyberbiz_id",
        "waca_id",
        "easystore_id",
        "qdm_id",
        "line_display_name",
        "user",
        "reporttype",
        "oncemode",
        "campaign",
        "app_host",
        "subject",
        "campaignname",
        "mail_hash",
        "schedule_date",
        "link_url",
        "link_text",
        "s__id",
        "s:wh",
        "nl_is_recipient_unique",
        "nl_estimate_point",
        "nl_subscribe_form_sn",
        "unsubscribe",
        "unsubscribe_en",
        "unsubscribe_ja",
    }
)
"""Column names that the vendor's notes of 2026 reserve (T41)."""


def is_email(text: str) -> bool:
    """Tell whether a text has the form of an address."""
    return _EMAIL.fullmatch(text) is not None


@attrs.frozen(kw_only=True)
class Judgement:
    """What an import comes to.

    Attributes:
        status: One of the five tokens.
        rows: Rows in the file, without the header.
        contacts: What is to be stored, the last row of each address.
        duplicates: Rows that a later row of the same address replaced (T47).
        rejected: Rows that were no good.
        rejected_file: Those rows with a column that says why; None where there are none.
        new_columns: Types of the custom variables seen for the first time.
    """

    status: str
    rows: int = 0
    contacts: Mapping[str, Contact] = attrs.field(factory=dict, repr=False)
    duplicates: int = 0
    rejected: int = 0
    rejected_file: Blob | None = None
    new_columns: Mapping[str, str] = attrs.field(factory=dict)


def judge(blob: Blob, *, columns: Mapping[str, str], switches: Switches) -> Judgement:
    """Read a file against the columns that the account knows already."""
    try:
        header = next(_rows(blob, switches), [])
        status = _judge_header(header, switches)
        if status is not None:
            return Judgement(status=status)
        return _judge_rows(blob, header=header, columns=columns, switches=switches)
    except MalformedCsv:
        return Judgement(status="ERROR")


def _rows(blob: Blob, switches: Switches) -> Iterator[list[str]]:
    lines = blob.read_lines()
    first = next(lines, b"")
    if not switches.bom_spoils_header:
        first = first.removeprefix(b"\xef\xbb\xbf")
    return read_rows(itertools.chain([first], lines))


def _judge_header(header: list[str], switches: Switches) -> str | None:
    """Return the state in which the import ends, or None where the header is good."""
    names = [folded(name) for name in header]
    exact = [name.strip() for name in header[:2]]
    found = exact if switches.strict else [name.upper() for name in exact]
    if found != ["EMAIL", "NAME"]:
        return "MISSING_REQUIRED_DATA"
    if len(set(names)) < len(names):
        return "DUPLICATE_HEADER"
    if not all(names) or not _are_allowed(names[2:], switches):
        return "ERROR"
    return None


def _are_allowed(names: list[str], switches: Switches) -> bool:
    if switches.reserved_columns_are_errors and RESERVED_COLUMNS.intersection(names):
        return False
    defined = switches.predefined_columns
    return defined is None or {folded(name) for name in defined}.issuperset(names)


def _infer_types(
    blob: Blob, *, header: list[str], columns: Mapping[str, str], switches: Switches
) -> dict[str, str]:
    """Read the type of each new column off all of its values (T39)."""
    names = [folded(name) for name in header]
    fitting = {
        index: set(_CHECKS)
        for index, name in enumerate(names)
        if index > 1 and columns.get(name, UNDECIDED) == UNDECIDED
    }
    seen: set[int] = set()
    if fitting:
        for row in itertools.islice(_rows(blob, switches), 1, None):
            for index, types in fitting.items():
                value = row[index].strip() if len(row) == len(names) else ""
                if value:
                    seen.add(index)
                    types.difference_update([t for t in types if not _CHECKS[t][1](value)])
    return {
        names[index]: min(types, default="string") if index in seen else UNDECIDED
        for index, types in fitting.items()
    }


def _judge_rows(
    blob: Blob, *, header: list[str], columns: Mapping[str, str], switches: Switches
) -> Judgement:
    new_columns = _infer_types(blob, header=header, columns=columns, switches=switches)
    names = [folded(name) for name in header]
    reason_of = _row_check(names, {**columns, **new_columns})
    contacts: dict[str, Contact] = {}
    errors = BlobWriter()
    rows = duplicates = rejected = 0
    for row in itertools.islice(_rows(blob, switches), 1, None):
        rows += 1
        reason = reason_of(row)
        if reason is not None:
            rejected += 1
            errors.write(write_row([*row, reason]).encode())
            continue
        email = folded(row[0])
        # The last row wins, and comes where it stands.
        duplicates += contacts.pop(email, None) is not None
        contacts[email] = Contact(email, row[1], dict(zip(names[2:], row[2:], strict=True)))
    return Judgement(
        status="COMPLETE",
        rows=rows,
        contacts=contacts,
        duplicates=duplicates,
        rejected=rejected,
        rejected_file=_error_file(header, errors) if rejected else None,
        new_columns=new_columns,
    )


def _error_file(header: list[str], errors: BlobWriter) -> Blob:
    file = BlobWriter()
    file.write(write_row([*header, REASON_COLUMN]).encode())
    for chunk in errors.close().read_chunks():
        file.write(chunk)
    return file.close()


def _row_check(names: list[str], columns: Mapping[str, str]) -> Callable[[list[str]], str | None]:
    typed = [
        (index, name, *_CHECKS[columns[name]])
        for index, name in enumerate(names)
        if index > 1 and columns.get(name) in _CHECKS
    ]

    def reason_of(row: list[str]) -> str | None:
        if len(row) != len(names):
            return "WRONG_COLUMN_COUNT"
        email = row[0].strip()
        if not email:
            return "EMPTY_EMAIL"
        if not is_email(email):
            return "INVALID_EMAIL"
        for index, name, reason, fits in typed:
            value = row[index].strip()
            if value and not fits(value):
                return f"{reason}:{name}"
        return None

    return reason_of
