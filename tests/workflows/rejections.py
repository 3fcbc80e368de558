"""Helpers for the tests of rejected rows: an import with some rejected rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from newsleopard_async import ImportResult, NewsLeopard
from newsleopard_async.models.reports import RejectedRow
from newsleopard_async.workflows import ImportReport, rejected_rows
from tests.clients import Bench, connected

__all__ = ["CSV", "TRUTH", "facts", "imported", "rejecting", "rows_of", "served"]

CSV = (
    "EMAIL,NAME,POINTS\n"
    "a@example.com,甲,1\n"
    "absent,乙,2\n"
    '"b@example.com","丙, 丁",3\n'
    ",戊,4\n"
    "c@example.com\n"
    "absent,己,5\n"
    "d@example.com,庚,6,7\n"
)
TRUTH = [
    (3, "absent", "INVALID_EMAIL"),
    (5, "", "EMPTY_EMAIL"),
    (6, "c@example.com", "WRONG_COLUMN_COUNT"),
    (7, "absent", "INVALID_EMAIL"),
    (8, "d@example.com", "WRONG_COLUMN_COUNT"),
]
"""The rows that the platform rejects: the line, the address and the reason."""


async def imported(bench: Bench, content: str = CSV) -> ImportReport:
    """Import contacts like a script without this library: without a check."""
    list_sn = await bench.nl.contacts.create_list("會員")
    ticket = await bench.nl.contacts.start_file_import(list_sn)
    await bench.nl.contacts.upload(ticket, content.encode())
    await bench.clock.sleep(60)
    result = await bench.nl.contacts.get_import(ticket.import_sn)
    return ImportReport(list_sn=list_sn, import_sn=ticket.import_sn, result=result)


@asynccontextmanager
async def rejecting(
    content: str = CSV,
) -> AsyncIterator[tuple[Bench, ImportReport]]:
    """Import contacts with some rejected rows."""
    async with connected() as bench:
        yield bench, await imported(bench, content)


async def rows_of(
    nl: NewsLeopard, report: ImportReport | ImportResult, contacts: Any = CSV, **options: Any
) -> list[RejectedRow]:
    """Go through all rejected rows."""
    return [row async for row in rejected_rows(nl, report, contacts=contacts, **options)]


def facts(rows: list[RejectedRow]) -> list[tuple[int | None, str, str | None]]:
    """Return the fields of each row."""
    return [(row.line, row.email, row.reason) for row in rows]


async def served(
    file: str | bytes, contacts: object = None, *, sent: str = CSV, **options: Any
) -> list[RejectedRow]:
    """Read a file of rejected rows in a possible format of the platform, for these contacts."""
    content = file if isinstance(file, bytes) else file.encode()
    async with rejecting(sent) as (bench, report):
        bench.emulator.fail("download", status=200, body=content)
        return await rows_of(bench.nl, report, contacts, **options)
