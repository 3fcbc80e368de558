"""What a crash of the client leaves as it is: the emulator, the clock, the files."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import anyio
import anyio.lowlevel
import attrs
import httpx

from newsleopard_async import (
    NewsLeopard,
)
from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.switches import PROFILES, Switches
from newsleopard_async.stores import Store
from newsleopard_async.testing import ManualClock
from tests.constants import CAMPAIGN, KEY
from tests.stores.memory import MemoryStore

__all__ = [
    "FEW",
    "MANY",
    "SEND_KEY",
    "RunStore",
    "World",
    "addresses",
    "csv_of",
    "unflushed",
    "world",
]

SEND_KEY = "anniversary-2027"

FEW, MANY = 5, 120
"""Contacts that go as text, and as a file."""


def addresses(rows: int) -> list[str]:
    """Return the addresses of `csv_of`."""
    return [f"user{number}@contacts.example" for number in range(rows)]


def csv_of(rows: int) -> str:
    """Write contacts as CSV."""
    lines = (f"{email},會員{number}\n" for number, email in enumerate(addresses(rows)))
    return "EMAIL,NAME\n" + "".join(lines)


@attrs.define
class World:
    """What a crash of the client leaves as it is.

    Attributes:
        folder: Holds the checkpoint and the downloads.
        sn: Code of the list or the campaign that was there before.
        submitted_before: How many campaigns were there before.
    """

    folder: Path
    clock: ManualClock = attrs.field(factory=ManualClock)
    emulator: Emulator = attrs.field(init=False)
    sn: Any = ""
    submitted_before: int = 0

    def __attrs_post_init__(self) -> None:
        self.emulator = Emulator(api_keys=(KEY,), clock=self.clock)

    def follow_the_notes(self) -> None:
        """Use the platform of the vendor's notes without a throttle."""
        noted = {
            name: getattr(PROFILES["vendor-2026"], name) for name in attrs.fields_dict(Switches)
        }
        self.emulator.switch(**noted | {"requests_per_s": None})

    @property
    def checkpoint(self) -> Path:
        """Where the checkpoint is."""
        return self.folder / "checkpoint.json"

    @property
    def downloads(self) -> Path:
        """Where report files go."""
        return self.folder / "reports"

    def leave(self, content: bytes) -> None:
        """Take back what a dead process could not have written to its checkpoint."""
        self.checkpoint.unlink(missing_ok=True)
        if content:
            self.checkpoint.write_bytes(content)

    def add_list(self, rows: int = FEW) -> None:
        """Let there be a list with members."""
        account, now = self.emulator._account, self.clock.now()
        self.sn = account.codes.sn()
        account.book.create_list(self.sn, "老會員", now)

        async def fill() -> None:
            async with self.client() as nl:
                await nl.contacts.import_text(csv_of(rows), self.sn)

        anyio.run(fill)
        self.clock.advance(60)

    def add_quiet_campaign(self) -> None:
        """Let there be a campaign that was sent a day ago, and only opened."""
        quiet = dict.fromkeys(("click", "bounce", "unsubscribe", "complain"), 0.0)
        self.emulator.switch(**{f"{kind}_share": share for kind, share in quiet.items()})
        self._add_campaign(FEW)

    def add_campaign(self) -> None:
        """Let there be a campaign that was sent a day ago, to readers who did all they can."""
        self.emulator.switch(bounce_share=0.05, unsubscribe_share=0.05, complain_share=0.05)
        self._add_campaign(MANY)

    def _add_campaign(self, rows: int) -> None:
        self.add_list(rows)
        ready = attrs.evolve(CAMPAIGN, lists=(self.sn,))

        async def send() -> str:
            async with self.client() as nl:
                return await nl.campaigns.submit(ready)

        self.sn = anyio.run(send)
        self.submitted_before = 1
        self.clock.advance(86_400)

    def client(
        self, transport: httpx.AsyncBaseTransport | None = None, store: Store | None = None
    ) -> NewsLeopard:
        """Make a client, which knows nothing of any before it."""
        return NewsLeopard(
            KEY,
            http_transport=transport or self.emulator.transport(),
            clock=self.clock,
            store=store,
        )


@contextlib.contextmanager
def world() -> Iterator[World]:
    """Make a world in a folder of its own, and take the folder away."""
    with tempfile.TemporaryDirectory() as folder, unflushed():
        yield World(Path(folder))


@contextlib.contextmanager
def unflushed() -> Iterator[None]:
    """Flush nothing to the disk: no power fails here, and thousands of times take minutes."""
    with mock.patch.object(os, "fsync"):
        yield


@attrs.define
class RunStore(MemoryStore):
    """A store of runs, in memory, and able to fail.

    Attributes:
        saves: How often it was asked to save.
        fail_when: Says whether to fail, by what is to be saved.
        hang: Whether it hangs there instead of raising.
    """

    saves: int = 0
    fail_when: Callable[[Mapping[str, Any]], bool] = lambda _: False
    hang: bool = False

    @property
    def data(self) -> dict[str, Any]:
        """The one record."""
        [(text, _)] = self.kept.values()
        data: dict[str, Any] = json.loads(text)
        return data

    def put(self, data: Mapping[str, Any], key: str = SEND_KEY) -> None:
        """Store a record, and replace any other."""
        self.kept[key] = json.dumps(data), "by hand"

    async def save(self, key: str, data: Mapping[str, Any], revision: str | None) -> str:
        """Keep the data, or fail."""
        self.saves += 1
        if self.fail_when(data):
            if self.hang:
                await _hang()
            raise RuntimeError("the database is away")
        return await super().save(key, data, revision)


async def _hang() -> None:
    """Never answer; and clean up when cancelled, as a driver of a database does.

    The await there also wakes the tracing of coverage, which CPython 3.11 loses where an
    exception is thrown into a chain of coroutines.
    """
    try:
        await anyio.sleep_forever()
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()
