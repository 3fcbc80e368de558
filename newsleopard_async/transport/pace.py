"""Whether enough bytes of an attempt move, and the listener that receives the progress.

A transfer of any size ends if too few of its bytes move.

The step of a pipeline calls an endpoint, which returns a model. The id of the request and the
progress of an upload are not part of the model, so a listener receives them. A context variable
passes the listener through the endpoint, and into the task in which a request runs to its answer.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncGenerator
from contextvars import ContextVar
from typing import Final, Protocol

import anyio.lowlevel
import attrs

from newsleopard_async.clock import Clock
from newsleopard_async.transport.body import Body

__all__ = ["Listener", "Meter", "Pace", "Windows", "listener", "metered"]

_LEAST_BYTES_PER_S: Final = 2_048
"""Chosen: the least speed at which one piece of an upload is sent in the default write timeout."""

_REPORT_EVERY_S: Final = 0.5
"""Chosen: a progress bar that moves twice per second does not seem to hang, and costs little."""


@attrs.frozen(kw_only=True)
class Windows:
    """How long each part of an attempt can be without progress, in seconds.

    Attributes:
        begin_s: From the beginning until the head of the request is sent.
        write_s: Until enough of the request's body has left.
        read_s: From the departure of the request until the whole head of the answer has come, and
            for enough of its body.
    """

    begin_s: float = math.inf
    write_s: float = math.inf
    read_s: float = math.inf

    @property
    def shortest_s(self) -> float:
        """The shortest of them."""
        return min(self.begin_s, self.write_s, self.read_s)


class Pace:
    """How many bytes of an attempt have moved, and the deadline for more.

    The time that this side takes to read or write a file does not count.

    Attributes:
        window_s: How long the present part can be without progress.
    """

    def __init__(self, clock: Clock, windows: Windows) -> None:
        self._clock = clock
        self._windows = windows
        self._paused_s: float | None
        self._begin(windows.begin_s)

    def sending(self) -> None:
        """The head of the request was sent, and its body follows."""
        self._begin(self._windows.write_s)

    def receiving(self) -> None:
        """The request has left, or the head of the answer has come."""
        self._begin(self._windows.read_s)

    def moved(self, size_bytes: int) -> None:
        """Some bytes were sent or received."""
        self._moved_bytes += size_bytes
        if self._moved_bytes >= _LEAST_BYTES_PER_S * self.window_s:
            self._begin(self.window_s)

    def pause(self) -> None:
        """This side reads or writes a file: stop the time."""
        self._paused_s = self._clock.monotonic()

    def go_on(self) -> None:
        """The other side sends or receives again: resume the time."""
        if self._paused_s is not None:
            self._due_s += self._clock.monotonic() - self._paused_s
            self._paused_s = None

    async def watch(self, scope: anyio.CancelScope) -> None:
        """Cancel a scope if too few bytes have moved for too long."""
        while (left_s := self._left_s()) > 0:
            # A later part can have a shorter window than the rest of this one.
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


class Listener(Protocol):
    """Receives the ids and the progress of the requests of one step."""

    def answered(self, operation: str, request_id: str | None) -> None:
        """The API or the storage has answered an attempt at a call, possibly with a refusal."""
        ...

    async def moved(self, moved_bytes: int, total_bytes: int | None) -> None:
        """Part of an upload or a download has moved in this attempt.

        Args:
            moved_bytes: The number of bytes so far.
            total_bytes: The size of the file, if it is known.
        """
        ...


listener: Final[ContextVar[Listener | None]] = ContextVar(
    "newsleopard_async_listener", default=None
)
"""The listener of the present step."""


@attrs.define
class Meter:
    """Reports to a listener, if there is one, how many bytes of an attempt's file have moved.

    It reports the first piece, then twice per second, and the end. An error of the listener is
    ignored. Its time counts as time of this side, like reading or writing a piece.
    """

    clock: Clock
    total_bytes: int | None
    heard: Listener | None = attrs.field(factory=listener.get)
    _moved_bytes: int = 0
    _reported_bytes: int = 0
    _reported_at: float = -math.inf

    async def moved(self, size_bytes: int) -> None:
        """Record that some more bytes have moved."""
        self._moved_bytes += size_bytes
        if self.heard is not None and self.clock.monotonic() - self._reported_at >= _REPORT_EVERY_S:
            await self._report(self.heard)

    async def end(self) -> None:
        """Record that all bytes have moved."""
        if self.heard is not None and self._reported_bytes < self._moved_bytes:
            await self._report(self.heard)

    async def _report(self, heard: Listener) -> None:
        self._reported_bytes = self._moved_bytes
        with contextlib.suppress(Exception):
            await heard.moved(self._moved_bytes, self.total_bytes)
        self._reported_at = self.clock.monotonic()


@attrs.frozen
class _MeteredBody:
    """A body that counts its pieces: a piece is sent when the next one is requested."""

    _body: Body
    _clock: Clock
    _heard: Listener

    @property
    def size_bytes(self) -> int:
        """The number of bytes of one reading."""
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
    """Return a body that reports its progress to the listener of this task, if there is one."""
    heard = listener.get()
    return body if heard is None else _MeteredBody(body, clock, heard)
