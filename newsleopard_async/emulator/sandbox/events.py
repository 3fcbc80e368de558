"""Server-sent events: that something has changed, for a page that shows it.

What happens by time alone causes no event. So each listener looks at the present twice a second.
The look is shared: twenty listeners cost as much as one.
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

__all__ = ["ChangeNotifier", "TooManyListeners", "event_stream"]

PAUSE_S: Final = 0.2
"""Chosen: at most five events a second, which an eye takes for at once."""

POLL_S: Final = 0.5
"""Chosen: how soon something that becomes due by time alone is noticed."""

COMMENT_S: Final = 15.0
"""Chosen: proxies close a connection on which nothing is sent, most of them after 30 s or more."""

MOST_LISTENERS: Final = 64
"""Chosen: far more pages than a team has open."""

RETRY_MS: Final = 1_000
"""Chosen: how soon a browser connects again, after a restart for instance."""


MOST_RECENT: Final = 200
"""Chosen: requests that may be under way at once, far more than a client's limits allow."""


class TooManyListeners(Exception):
    """No further listener is possible now."""


class ChangeNotifier:
    """Who listens, and what they hear: a number that grows with each change.

    Args:
        emulator: What is listened to.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._account = account_of(emulator)
        self.listeners: int = 0
        self._now: datetime | None = None
        self._caught_up_at = self._compared_at = float("-inf")
        self._seen: object = None
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
        """Return how many changes were noticed; those between two looks are one."""
        begin = time.monotonic()
        if begin - self._caught_up_at >= POLL_S:
            self._caught_up_at = begin
            self._now = await queries.catch_up(self._account)
        if self._now is not None and begin - self._compared_at >= PAUSE_S / 2:
            self._compared_at = begin
            seen = self._fingerprint(self._now)
            if seen != self._seen:
                self._seen, self._counter = seen, self._counter + 1
        return self._counter

    def _fingerprint(self, now: datetime) -> object:
        """Return something that differs once anything that is shown has changed.

        Mails go out, and readers read them, by time alone; requests only read, or end.
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
    """Return an answer that goes on until the listener, or the server, ends it.

    Raises:
        TooManyListeners: there are as many as may be.
    """
    if notifier.listeners >= MOST_LISTENERS:
        raise TooManyListeners(f"{MOST_LISTENERS} listen already; close a page of this emulator.")
    return _EventStream(notifier)


class _EventStream(StreamingResponse):
    """Counts its listener, whenever and however it ends."""

    def __init__(self, notifier: ChangeNotifier) -> None:
        super().__init__(_events(notifier), media_type="text/event-stream")
        self._notifier = notifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._notifier.listener():
            await super().__call__(scope, receive, send)


async def _events(notifier: ChangeNotifier) -> AsyncIterator[str]:
    yield f"retry: {RETRY_MS}\n\n"
    last, said_at = None, time.monotonic()
    while True:
        counter = await notifier.counter()
        if counter != last:
            last, said_at = counter, time.monotonic()
            yield f'event: change\ndata: {{"counter": {counter}}}\n\n'
        elif time.monotonic() - said_at >= COMMENT_S:
            said_at = time.monotonic()
            yield ": nothing new\n\n"
        await anyio.sleep(PAUSE_S)
