"""One account of the platform: its parts, and the changes that happen when the clock moves."""

from __future__ import annotations

import threading
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, Final

import httpx

from newsleopard_async.emulator.platform.addressbook import AddressBook
from newsleopard_async.emulator.platform.automation import Automation
from newsleopard_async.emulator.platform.campaigns import Campaigns
from newsleopard_async.emulator.platform.clock import Clock
from newsleopard_async.emulator.platform.faults import Fault, FaultKind, Faults
from newsleopard_async.emulator.platform.gateway import Listeners, RateLimiter, RequestLog
from newsleopard_async.emulator.platform.imports import Imports
from newsleopard_async.emulator.platform.notation import Codes
from newsleopard_async.emulator.platform.once import Once
from newsleopard_async.emulator.platform.removal import Removals
from newsleopard_async.emulator.platform.reports import Reports
from newsleopard_async.emulator.platform.storage import Storage
from newsleopard_async.emulator.platform.templates import Templates
from newsleopard_async.emulator.platform.timeline import ChangeCounter, Timeline
from newsleopard_async.emulator.platform.webhooks import Webhooks
from newsleopard_async.emulator.switches import Profile, SwitchBoard, Switches

__all__ = ["Account"]


PARTS: Final = (
    "log",
    "faults",
    "limiter",
    "codes",
    "timeline",
    "book",
    "webhooks",
    "storage",
    "imports",
    "campaigns",
    "once",
    "removals",
    "templates",
    "automation",
    "reports",
)
"""The attributes of an account that are its state."""


class Account:
    """One account of the platform.

    Hold ``lock`` while you read or change it, because a server can run in another thread.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        board: SwitchBoard,
        api_keys: tuple[str, ...] | None,
        seed: int,
        balance: int,
        base_url: str,
        storage_url: str,
        latency_s: float,
        webhook_transport: httpx.AsyncBaseTransport | None,
        webhook_hosts: frozenset[str] = frozenset(),
    ) -> None:
        self.lock: threading.RLock = threading.RLock()
        self.clock = clock
        self.board = board
        self.api_keys = api_keys
        self.base_url = base_url
        self.latency_s = latency_s
        self.listeners: Listeners = Listeners()
        self._changes = ChangeCounter()
        self._switches = board.on
        self._seed = seed
        self._balance = balance
        self._webhooks = partial(
            Webhooks,
            board,
            webhook_transport,
            changes=self._changes,
            held=self.lock,
            hosts=webhook_hosts,
        )
        self._begin(storage_url)

    def _begin(self, storage_url: str) -> None:
        """Create all parts."""
        board, seed = self.board, self._seed
        self.log: RequestLog = RequestLog(seed)
        self.faults: Faults = Faults(self._changes)
        self.limiter: RateLimiter = RateLimiter(board)
        self.codes: Codes = Codes(seed, board)
        self.timeline: Timeline = Timeline(self._changes)
        self.book: AddressBook = AddressBook()
        self.webhooks: Webhooks = self._webhooks()
        self.storage: Storage = Storage(self.codes, base_url=storage_url)
        self.imports: Imports = Imports(
            book=self.book,
            storage=self.storage,
            timeline=self.timeline,
            webhooks=self.webhooks,
            codes=self.codes,
            board=board,
        )
        self.campaigns: Campaigns = Campaigns(
            book=self.book,
            timeline=self.timeline,
            codes=self.codes,
            board=board,
            seed=seed,
            balance=self._balance,
        )
        self.once: Once = Once(
            book=self.book,
            campaigns=self.campaigns,
            storage=self.storage,
            timeline=self.timeline,
            board=board,
        )
        self.removals: Removals = Removals(book=self.book, timeline=self.timeline, board=board)
        self.templates: Templates = Templates(codes=self.codes, board=board)
        self.automation: Automation = Automation(board)
        self.reports: Reports = Reports(storage=self.storage, webhooks=self.webhooks, board=board)

    def reset(self) -> None:
        """Reset the account to its initial state; its clock, URLs and listeners stay."""
        with self.changing():
            self._begin(self.storage.base_url)
            self.board.on = self._switches

    @property
    def parts(self) -> dict[str, Any]:
        """The account's state, except the switches."""
        return {name: getattr(self, name) for name in PARTS}

    def replace(self, parts: Mapping[str, Any], switches: Switches, profile: Profile) -> None:
        """Replace the state by another one.

        Attributes that belong to the process, such as locks and URLs, are kept.
        """
        with self.changing():
            for name, part in parts.items():
                before = getattr(self, name)
                for field in getattr(type(part), "OF_PROCESS", ()):
                    setattr(part, field, getattr(before, field))
                setattr(self, name, part)
            self.board.on, self.board.profile = switches, profile

    @property
    def changes(self) -> int:
        """How often requests, tests or time have changed the state; it never decreases.

        Requests that only read do not count; they only change the log.
        """
        return self._changes.count

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Lock the account for a change, and count the change at the end."""
        with self.lock:
            yield
            self._changes.add()

    def next_fault(
        self, operation: str, *, only: Collection[FaultKind] | None = None
    ) -> Fault | None:
        """Take the fault of a request, as ``Faults.take`` does."""
        with self.lock:
            return self.faults.take(operation, only=only)

    def catch_up(self) -> datetime:
        """Apply all changes that are due, and return the present, which never goes back."""
        if self.imports.has_unchecked or self.once.has_unread:
            # The client disconnected before its upload was checked.
            for _ in self._checking():
                pass
        return self.timeline.catch_up(self.clock.now())

    def catching_up(self) -> Generator[None, None, None]:
        """Do the same in slices, unless another request does it."""
        is_done = False
        while not is_done:
            timeline = self.timeline
            for _ in self._catching_up():
                yield
                if self.timeline is not timeline:
                    break  # a restore or a reset replaced the state
            else:
                is_done = True

    def _catching_up(self) -> Iterator[None]:
        yield from self._checking()
        yield from self.timeline.catching_up(self.clock.now)

    def _checking(self) -> Iterator[None]:
        yield from self.imports.checking(self.clock.now)
        yield from self.once.reading(self.clock.now)

    def present(self) -> datetime:
        """Catch up and return the present, which waits while a request catches up in slices."""
        return self.timeline.present(self.clock.now())
