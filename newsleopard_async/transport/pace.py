"""Whether an attempt keeps its pace, and how far it is.

A transfer of any size ends if too little of it moves. A listener learns how much has moved.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncGenerator
from typing import Final

import anyio.lowlevel
import attrs

from newsleopard_async.clock import Clock
from newsleopard_async.transport.body import Body
from newsleopard_async.transport.listener import Listener, listener

__all__ = ["Meter", "Pace", "Windows", "metered"]

_LEAST_BYTES_PER_S: Final = 2_048
"""Chosen: what a piece of an upload in the time that one may take by default comes to."""

_TOLD_EVERY_S: Final = 0.5
"""Chosen: a bar that moves twice a second looks alive, and costs nothing."""


@attrs.frozen(kw_only=True)
class Windows:
    """How long each part of an attempt may be without progress, in seconds.

    Attributes:
        begin_s: From its beginning until the head of the request is sent.
        write_s: For enough of the request's body to leave.
        read_s: For the whole head of the answer to come once the request has left, and for
            enough of its body.
    """

    begin_s: float = math.inf
    write_s: float = math.inf
    read_s: float = math.inf

    @property
    def shortest_s(self) -> float:
        """The shortest of them."""
        return min(self.begin_s, self.write_s, self.read_s)


class Pace:
    """How far an attempt is, and until when it must have got further.

    What this side takes to read or write a file does not count.

    Attributes:
        window_s: How long the present part may be without progress.
    """

    def __init__(self, clock: Clock, windows: Windows) -> None:
        self._clock = clock
        self._windows = windows
        self._paused_s: float | None
        self._begin(windows.begin_s)

    def sending(self) -> None:
        """The head of the request was sent, and its body comes next."""
        self._begin(self._windows.write_s)

    def receiving(self) -> None:
        """The request has left, or the head of the answer has come."""
        self._begin(self._windows.read_s)

    def moved(self, size_bytes: int) -> None:
        """So many bytes came or went."""
        self._moved_bytes += size_bytes
        if self._moved_bytes >= _LEAST_BYTES_PER_S * self.window_s:
            self._begin(self.window_s)

    def pause(self) -> None:
        """It is this side's turn."""
        self._paused_s = self._clock.monotonic()

    def go_on(self) -> None:
        """It is the other side's turn again."""
        if self._paused_s is not None:
            self._due_s += self._clock.monotonic() - self._paused_s
            self._paused_s = None

    async def watch(self, scope: anyio.CancelScope) -> None:
        """Cancel a scope once too little has moved for too long."""
        while (left_s := self._left_s()) > 0:
            # A later part may have a shorter window than this one has left.
            with self._clock.deadline(min(left_s, self._windows.shortest_s)):
                await anyio.sleep_forever()
        scope.cancel()

    def _begin(self, window_s: float) -> None:
        self.window_s = window_s
        self._moved_bytes = 0
        self._paused_s = None
        self._due_s = self._clock.monotonic() + window_s

    def _left_s(self) -> float:
        if self._paused_s is not None:
            return self._windows.shortest_s
        return self._due_s - self._clock.monotonic()


@attrs.define
class Meter:
    """Reports to a listener, if there is one, how much of one attempt's file has moved.

    It reports the first piece, then twice a second, and the end. An error of the listener goes no
    further, and the time that it takes counts as this side's: as if a piece were read or written.
    """

    clock: Clock
    total_bytes: int | None
    heard: Listener | None = attrs.field(factory=listener.get)
    _moved_bytes: int = 0
    _told_bytes: int = 0
    _told_at: float = -math.inf

    async def moved(self, size_bytes: int) -> None:
        """Note that some more bytes have come or gone."""
        self._moved_bytes += size_bytes
        if self.heard is not None and self.clock.monotonic() - self._told_at >= _TOLD_EVERY_S:
            await self._tell(self.heard)

    async def end(self) -> None:
        """Note that all have."""
        if self.heard is not None and self._told_bytes < self._moved_bytes:
            await self._tell(self.heard)

    async def _tell(self, heard: Listener) -> None:
        self._told_bytes = self._moved_bytes
        with contextlib.suppress(Exception):
            await heard.moved(self._moved_bytes, self.total_bytes)
        self._told_at = self.clock.monotonic()


@attrs.frozen
class _MeteredBody:
    """A body whose pieces are counted: when the next is asked for, the one before is sent."""

    _body: Body
    _clock: Clock
    _heard: Listener

    @property
    def size_bytes(self) -> int:
        """How many bytes a reading gives."""
        return self._body.size_bytes

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Read from the start, and count from 0."""
        meter = Meter(self._clock, self.size_bytes, self._heard)
        async with contextlib.aclosing(self._body.pieces()) as pieces:
            async for piece in pieces:
                yield piece
                await meter.moved(len(piece))
        await meter.end()


def metered(body: Body, clock: Clock) -> Body:
    """Return a body that reports to the listener of this task how far it is, if there is one."""
    heard = listener.get()
    return body if heard is None else _MeteredBody(body, clock, heard)
