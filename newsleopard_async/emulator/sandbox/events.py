"""Server-sent events, which notify a page of each change.

A change that only the time causes, such as a sent mail, raises no signal. So each listener compares
the state twice per second. The listeners share the comparison: twenty cost as much as one.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import anyio
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from newsleopard_async.emulator.emulator import Emulator, account_of
from newsleopard_async.emulator.platform.waves import EVENT_TYPES
from newsleopard_async.emulator.sandbox import queries
from newsleopard_async.emulator.sandbox.slices import catch_up

__all__ = ["ChangeNotifier", "TooManyListeners", "event_stream"]

PAUSE_S: Final = 0.2
"""Chosen: at most five events per second; a user does not notice a delay of 0.2 s."""

POLL_S: Final = 0.5
"""Chosen: a change that only the time causes appears after at most 0.5 s."""

COMMENT_S: Final = 15.0
"""Chosen: proxies close a connection without traffic, most of them after 30 s or more."""

MOST_LISTENERS: Final = 64
"""Chosen: 64 open pages, more than a team needs. The limit bounds the open connections."""

RETRY_MS: Final = 1_000
"""Chosen: a browser connects again after 1 s, for example after a restart of the emulator."""

MOST_RECENT: Final = 200
"""Chosen: the last 200 requests are compared. The limits of a client allow far fewer requests
without an answer at the same time."""


class TooManyListeners(Exception):
    """The limit of listeners is reached."""


class ChangeNotifier:
    """Counts the changes of an emulator, and the listeners that are notified of them.

    Args:
        emulator: The emulator to observe.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._account = account_of(emulator)
        self.listeners: int = 0
        self._now: datetime | None = None
        self._caught_up_at = self._compared_at = float("-inf")
        self._last: object = None
        self._counter = 0

    @contextmanager
    def listener(self) -> Iterator[None]:
        """Count a listener for as long as the context lasts."""
        self.listeners += 1
        try:
            yield
        finally:
            self.listeners -= 1

    async def counter(self) -> int:
        """Return the number of changes. All changes between two comparisons count as one."""
        begin = time.monotonic()
        if begin - self._caught_up_at >= POLL_S:
            self._caught_up_at = begin
            self._now = await catch_up(self._account)
        if self._now is not None and begin - self._compared_at >= PAUSE_S / 2:
            self._compared_at = begin
            found = self._fingerprint(self._now)
            if found != self._last:
                self._last, self._counter = found, self._counter + 1
        return self._counter

    def _fingerprint(self, now: datetime) -> object:
        """Return a value that differs if any visible state has changed.

        ``account.changes`` does not count sent mails, actions of readers, and requests that only
        read or that ended, so the value contains their numbers.
        """
        account = self._account
        with account.lock:
            clock = queries.clock_view(account)
            return (
                account.changes,
                account.log.total,
                [(each.status, each.duration_ms) for each in account.log.last()[-MOST_RECENT:]],
                (clock.is_held, clock.speed, clock.now if clock.is_held else None),
                [
                    campaign.count(kind, now)
                    for campaign in account.campaigns.all.values()
                    for kind in EVENT_TYPES
                ],
            )


def event_stream(notifier: ChangeNotifier) -> Response:
    """Return an answer that continues until the listener or the server ends it.

    Raises:
        TooManyListeners: the limit of listeners is reached.
    """
    if notifier.listeners >= MOST_LISTENERS:
        raise TooManyListeners(
            f"All {MOST_LISTENERS} connections for events are in use; close a page of the emulator."
        )
    return _EventStream(notifier)


class _EventStream(StreamingResponse):
    """Counts its listener from the first byte to the end of the answer."""

    def __init__(self, notifier: ChangeNotifier) -> None:
        super().__init__(_events(notifier), media_type="text/event-stream")
        self._notifier = notifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._notifier.listener():
            await super().__call__(scope, receive, send)


async def _events(notifier: ChangeNotifier) -> AsyncIterator[str]:
    yield f"retry: {RETRY_MS}\n\n"
    last, sent_at = None, time.monotonic()
    while True:
        counter = await notifier.counter()
        if counter != last:
            last, sent_at = counter, time.monotonic()
            yield f'event: change\ndata: {{"counter": {counter}}}\n\n'
        elif time.monotonic() - sent_at >= COMMENT_S:
            sent_at = time.monotonic()
            yield ": nothing new\n\n"
        await anyio.sleep(PAUSE_S)
