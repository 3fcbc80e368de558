"""Whether an attempt gets on: a transfer of any size ends if too little of it moves."""

from __future__ import annotations

import math
from typing import Final

import anyio.lowlevel
import attrs

from newsleopard_async.clock import Clock

__all__ = ["Progress", "Windows"]

_LEAST_BYTES_PER_S: Final = 2_048
"""Chosen: what a piece of an upload in the time that one may take by default comes to."""


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


class Progress:
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
