"""Slow sources are passed on, and sources that are not read to their end are closed."""

from __future__ import annotations

import math
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from newsleopard_async import InvalidRequest
from newsleopard_async.contacts import records as records_module
from newsleopard_async.contacts import spool as spooling
from newsleopard_async.contacts.records import RecordsSource
from tests.contacts.examples import ROWS, Pieces, clean_contacts, read

pytestmark = pytest.mark.anyio

BAD = (*ROWS, "nowhere", *ROWS)
LINES = (b"EMAIL,NAME\n", b"ming@example.com,A\n", b"mei@example.com,B\n")


async def test_slow_iterable_yields_available_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch also ends after a time, with at least one record; the next continues."""
    monkeypatch.setattr(records_module, "_BATCH_S", 0)

    pieces = [piece async for piece in RecordsSource(iter([*ROWS, *ROWS])).csv_pieces()]

    assert [piece.count(b"\n") for piece in pieces] == [2, 1, 1, 1]


@pytest.mark.parametrize(
    ("gather_s", "told_of"), [(0, [len(b"".join(LINES[:2])), len(b"".join(LINES))]), (math.inf, [])]
)
async def test_progress_of_a_slow_source_is_reported(
    gather_s: float, told_of: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small pieces are not gathered for long; the end of a fast source is not reported."""
    monkeypatch.setattr(spooling, "_GATHER_S", gather_s)
    told: list[int] = []

    async def on_piece(*, size_bytes: int, rows: int) -> None:
        told.append(size_bytes)

    async with clean_contacts(Pieces(LINES), on_progress=on_piece) as clean:
        assert clean.rows == 2

    assert told == told_of


class Generators:
    """Generators of records that record the thread in which they were closed."""

    def __init__(self) -> None:
        self.closed_in: list[int] = []

    def now(self, rows: Any) -> Iterator[Any]:
        """Give records."""
        try:
            yield from rows
        finally:
            self.closed_in.append(threading.get_ident())

    async def later(self, rows: Any) -> AsyncIterator[Any]:
        """Give records, each after an await, as before the end."""
        try:
            for row in rows:
                await anyio.lowlevel.checkpoint()
                yield row
        finally:
            self.closed_in.append(threading.get_ident())


@pytest.mark.parametrize("kind", ["now", "later"])
async def test_generator_is_closed_when_a_record_is_refused(kind: str) -> None:
    """They are closed immediately, and a blocking generator in a thread."""
    generators = Generators()
    records = getattr(generators, kind)(BAD)

    with pytest.raises(InvalidRequest, match="record 3"):
        await read(records)

    [closed_in] = generators.closed_in
    assert (closed_in == threading.get_ident()) is (kind == "later")


@pytest.mark.parametrize("kind", ["now", "later"])
async def test_generator_is_closed_when_reading_is_cancelled(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancellation does not leave it open either."""
    monkeypatch.setattr(records_module, "_BATCH_S", 0)
    generators = Generators()
    records = getattr(generators, kind)(ROWS * 3)

    with anyio.CancelScope() as scope:
        async for _ in RecordsSource(records).csv_pieces():
            scope.cancel()

    assert len(generators.closed_in) == 1


async def test_iterator_that_cannot_be_closed_is_read() -> None:
    """An async iterator need not be a generator."""

    class Rows:
        def __init__(self) -> None:
            self.left = list(ROWS)

        def __aiter__(self) -> Rows:
            return self

        async def __anext__(self) -> Any:
            if not self.left:
                raise StopAsyncIteration
            return self.left.pop(0)

    assert (await read(Rows())).count(b"\n") == 3
