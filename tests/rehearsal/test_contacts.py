"""Contacts of any kind are rehearsed, and the rows that would be refused are shown."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.clients import csv_of, files_in
from tests.constants import CAMPAIGN
from tests.contacts.books import book
from tests.rehearsal.rehearsing import rehearsed

pytestmark = pytest.mark.anyio


HEADER = "EMAIL,NAME,CITY\n"
BAD_ROWS = HEADER + "a@example.com,甲,台北\nnowhere,乙,台南\nb@example.com,丙\nc@example.com,丁,\n"

UNUSABLE = [
    "",
    "EMAIL,NAME\n",
    b"PK\x03\x04 no text",
    "a@example.com,甲\nb@example.com,乙\n",
]


async def test_rejected_rows_are_shown_with_lines_and_reasons() -> None:
    """Rows that the platform would reject are counted by reason, and named by line."""
    shown = await rehearsed(CAMPAIGN, BAD_ROWS)

    assert (shown.recipients, shown.rejected) == (2, 2)
    assert shown.rejected_for == {"INVALID_EMAIL": 1, "WRONG_COLUMN_COUNT": 1}
    assert [(row.line, row.reason) for row in shown.rejected_rows] == [
        (3, "INVALID_EMAIL"),
        (4, "WRONG_COLUMN_COUNT"),
    ]
    assert not shown.ok
    assert shown.contacts.bad_rows == 2
    assert shown.problem is not None
    assert "2 of 4 rows would be refused (assumed)" in shown.problem


async def test_options_of_contacts_hold() -> None:
    """Columns are renamed, listed addresses are left out, and large contacts go in parts."""
    text = BAD_ROWS.replace("EMAIL,NAME", "信箱,姓名")

    shown = await rehearsed(
        CAMPAIGN,
        text,
        columns={"信箱": "EMAIL", "姓名": "NAME"},
        skip=["b@example.com"],
        part_bytes=60,
        max_rejected=None,
    )

    assert shown.ok
    assert shown.contacts.skipped == 1
    assert (shown.recipients, shown.rejected) == (2, 1)
    assert [row.line for row in shown.rejected_rows] == [3]
    assert shown.requests["upload"] > 1


@pytest.mark.parametrize("max_rejected", [2, 0.5, None])
async def test_rejected_rows_that_are_allowed_keep_nothing(max_rejected: float | None) -> None:
    """If the caller accepts rejected rows, the rehearsal is ok, as the send would be."""
    shown = await rehearsed(CAMPAIGN, BAD_ROWS, max_rejected=max_rejected)

    assert (shown.ok, shown.problem, shown.rejected) == (True, None, 2)


async def test_lines_are_those_of_the_input() -> None:
    """A row is named by its line in the caller's contacts, not in the CSV that is sent."""
    text = "EMAIL,NAME\na@example.com,甲\na@example.com,甲\nnowhere,無\n"

    shown = await rehearsed(CAMPAIGN, text, fix="drop-duplicates", max_rejected=None)

    assert [row.line for row in shown.rejected_rows] == [4]


async def test_only_so_many_rejected_rows_are_listed() -> None:
    """Thousands of bad rows are counted, and twenty are shown."""
    shown = await rehearsed(CAMPAIGN, csv_of(2) + "nowhere,無\n" * 30, max_rejected=None)

    assert shown.rejected == 30
    assert shown.rejected_for == {"INVALID_EMAIL": 30}
    assert [row.line for row in shown.rejected_rows] == list(range(4, 24))


async def test_rejection_of_every_row_is_explained() -> None:
    """If no recipient is left, the rejected rows explain it."""
    shown = await rehearsed(CAMPAIGN, "EMAIL,NAME\nnowhere,無\n")

    assert shown.problem is not None
    assert "40013" in shown.problem
    assert (shown.recipients, shown.rejected, len(shown.rejected_rows)) == (0, 1, 1)
    assert shown.goes_out_at is None


async def test_repeated_address_gets_one_mail() -> None:
    """Rows of one address make one mail, of the last one, and are counted."""
    text = "EMAIL,NAME\na@example.com,甲\nb@example.com,乙\nA@example.com ,丙\n"

    shown = await rehearsed(CAMPAIGN, text)

    assert (shown.recipients, shown.duplicates) == (2, 1)
    assert {mail.name for mail in shown.mails} == {"乙", "丙"}


@pytest.mark.parametrize("contacts", UNUSABLE)
async def test_rows_of_unusable_contacts_are_not_counted(contacts: str | bytes) -> None:
    """The rows of an unreadable file cannot be counted; one error is enough."""
    shown = await rehearsed(CAMPAIGN, contacts)

    assert len(shown.contacts.errors) == 1
    assert shown.campaign.errors == ()
    assert "no-recipients" not in str(shown)


@pytest.mark.parametrize("contacts", UNUSABLE)
async def test_unusable_contacts_are_reported_and_nothing_runs(contacts: str | bytes) -> None:
    """A file without contacts is a finding, and the pipeline does not run."""
    shown = await rehearsed(CAMPAIGN, contacts)

    assert (shown.ok, shown.contacts.ok) == (False, False)
    assert shown.problem == "the contacts cannot be used; nothing was tried"
    assert (shown.requests, shown.mails, shown.recipients) == ({}, (), 0)


def _mappings() -> Iterator[Mapping[str, Any]]:
    yield from ({"email": f"u{number}@example.com", "name": "王"} for number in range(4))


async def _async_mappings() -> AsyncIterator[Mapping[str, Any]]:
    for each in _mappings():
        yield each


def _rows() -> list[list[Any]]:
    return [["EMAIL", "NAME"], *([row["email"], row["name"]] for row in _mappings())]


class OnceOnly:
    """A source that can be read only once."""

    def __init__(self) -> None:
        self.times = 0

    async def csv_pieces(self) -> AsyncIterator[bytes]:
        """Give four contacts, once."""
        self.times += 1
        assert self.times == 1
        yield b"EMAIL,NAME\n"
        for number in range(4):
            yield f"u{number}@example.com,王\n".encode()


@pytest.mark.parametrize(
    "make",
    [
        _mappings,
        _async_mappings,
        OnceOnly,
        lambda: list(_mappings()),
        lambda: csv_of(4).encode(),
        lambda: book(_rows()),
        lambda: io.BytesIO(book(_rows())),
    ],
)
async def test_contacts_can_have_any_form(make: Callable[[], Any]) -> None:
    """Contacts that can be read only once are read once."""
    shown = await rehearsed(CAMPAIGN, make())

    assert (shown.ok, shown.recipients, len(shown.mails)) == (True, 4, 3)


async def test_contacts_can_be_an_open_file(tmp_path: Path) -> None:
    """An open file is read from its current position."""
    path = tmp_path / "members.csv"
    path.write_text(csv_of(4), encoding="utf-8")

    with path.open("rb") as file:
        shown = await rehearsed(CAMPAIGN, file)

    assert (shown.ok, shown.recipients) == (True, 4)


async def test_encoding_is_the_callers_word() -> None:
    """Big5 that the caller names is read as Big5."""
    shown = await rehearsed(CAMPAIGN, csv_of(2).encode("big5"), encoding="big5")

    assert shown.ok
    assert shown.mails[0].name == "會員0"


async def test_fixes_hold_and_write_nothing_beside_the_input(tmp_path: Path) -> None:
    """Dropped and left-out rows are counted; their file is not written."""
    path = tmp_path / "members.csv"
    path.write_text(BAD_ROWS + "a@example.com,甲,台北\n", encoding="utf-8")

    shown = await rehearsed(CAMPAIGN, path, fix=["drop-duplicates", "leave-out-bad-rows"])

    assert (shown.ok, shown.recipients, shown.rejected, shown.duplicates) == (True, 2, 0, 0)
    assert (shown.contacts.dropped, shown.contacts.left_out) == (1, 2)
    assert shown.contacts.left_out_to is None
    assert files_in(tmp_path) == ["members.csv"]
    assert "/" not in str([each.message for each in shown.contacts])
