"""Rejected rows are read even without the contacts, but errors of their own file are raised."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from newsleopard_async import InvalidRequest
from tests.workflows.rejections import CSV, TRUTH, facts, rejecting, rows_of, served

pytestmark = pytest.mark.anyio

Build = Callable[[Path], Any]


def gone(folder: Path) -> Path:
    """Return the path of a missing file."""
    return folder / "gone.csv"


def binary(folder: Path) -> Path:
    """Write a file without contacts."""
    path = folder / "members.csv"
    path.write_bytes(b"PK\x03\x04" + bytes(range(256)) * 9)
    return path


OTHERS: dict[str, Build] = {
    "a deleted file": gone,
    "a folder": lambda folder: folder,
    "a file that became binary": binary,
    "other contacts": lambda folder: "EMAIL,NAME\nother@example.com,他\n",
    "nothing": lambda folder: b"",
    "records of a wrong type": lambda folder: ["EMAIL,NAME\n", 5],
    "what is gone through once": lambda folder: iter([{"EMAIL": "absent", "NAME": "乙"}]),
}


@pytest.mark.parametrize("contacts", OTHERS)
async def test_contacts_that_cannot_be_read_again_are_no_error(
    contacts: str, tmp_path: Path
) -> None:
    """The rows come without their lines."""
    async with rejecting() as (bench, report):
        rows = await rows_of(bench.nl, report, OTHERS[contacts](tmp_path))

    assert facts(rows) == [(None, email, reason) for _, email, reason in TRUTH]


class Raising(dict[str, str]):
    """A record that is detached from its database by the time it is read again."""

    def __init__(self, error: Exception) -> None:
        super().__init__(EMAIL="absent", NAME="乙", POINTS="2")
        self.error = error

    def __getitem__(self, key: str) -> str:
        """Raise, as it showed the contact."""
        raise self.error


class Pathless(os.PathLike[str]):
    """A path on a volume that was removed."""

    def __fspath__(self) -> str:
        """Raise."""
        raise LookupError("absent 乙")


GOOD = {"EMAIL": "a@example.com", "NAME": "甲", "POINTS": "1"}
RAISING: dict[str, Any] = {
    "the first record": [Raising(RuntimeError("absent 乙"))],
    "a later record": [GOOD, {**GOOD, "EMAIL": "absent"}, Raising(AttributeError("absent 乙"))],
    "a record's end": [GOOD, {**GOOD, "EMAIL": "absent"}, Raising(StopIteration("absent 乙"))],
    "a path": Pathless(),
}


@pytest.mark.parametrize("contacts", RAISING)
async def test_error_of_the_contacts_costs_no_row(
    contacts: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The rows have no lines, and the log says so without a contact."""
    caplog.set_level(logging.INFO)
    async with rejecting() as (bench, report):
        rows = await rows_of(bench.nl, report, RAISING[contacts])

    assert facts(rows) == [(None, email, reason) for _, email, reason in TRUTH]
    assert "cannot be read again" in caplog.text
    assert not any(each in caplog.text for each in ("absent", "乙"))


async def test_contacts_that_cannot_be_read_again_are_not_taken_for_empty() -> None:
    """The reason is then read as without any contacts."""
    (row,) = await served("REASON,E-mail,姓名\nbad,x,X\n", Pathless())

    assert (row.email, row.reason) == ("x", "bad")


async def test_unreadable_file_is_an_error_before_the_contacts_are_read() -> None:
    """An error of the platform's file is never hidden, even during the search for its lines."""
    with pytest.raises(InvalidRequest) as caught:
        await served(b"PK\x03\x04" + bytes(range(256)) * 9, CSV)

    assert [each.rule for each in caught.value.problems] == ["not-text"]
