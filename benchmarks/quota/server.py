"""A server that counts: it records when each request arrives, and answers after a set time.

It is one process with one loop. On Linux the kernel stamps arrivals, so a delay of the server on a
busy machine does not change them. The network's jitter is simulated here: a random time up to the
jitter is added to the stamp. For the client this is a slow network, because its last byte left
before; and the bound is exact, unlike the bound of a sleep.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import heapq
import itertools
import json
import random
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator
from typing import Final

import attrs

from benchmarks.quota.figures import Arrival

__all__ = ["WARM_UP", "Counting", "counting", "end_with_parent"]

SO_TIMESTAMPNS: Final = 35
"""Linux: stamp arrivals. Python has no name for this option."""

WARM_UP: Final = "/warm-up"
"""The prefix of the path of a request that is not counted, and answered immediately."""

POLL: Final = b'{"status": "PROCESSING"}'
LISTS: Final = b'{"Lists": []}'
REFUSAL: Final = b'{"message": "Limit Exceeded"}'
"""The one of the two texts that can mean both limits."""


def end_with_parent() -> None:
    """Kill this process when its parent ends in any way; only on Linux."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


@attrs.define
class _Connection:
    socket: socket.socket
    unread: bytes = b""


@attrs.define
class _Server:
    """Attributes:
    jitter_s: The longest time that is added to an arrival.
    serving_s: The time from the arrival to the answer.
    refuse: How many of the first requests are refused.
    """

    jitter_s: float
    serving_s: float
    refuse: int
    arrivals: list[Arrival] = attrs.field(factory=list)
    _due: list[tuple[float, int, _Connection, bytes]] = attrs.field(factory=list)
    _order: itertools.count[int] = attrs.field(factory=itertools.count)
    _selector: selectors.BaseSelector = attrs.field(factory=selectors.DefaultSelector)

    def serve(self) -> None:
        """Serve until the standard input is closed."""
        listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        if sys.platform == "linux":
            listening.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        print(listening.getsockname()[1], flush=True)
        self._selector.register(listening, selectors.EVENT_READ)
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            wait_s = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            for key, _ in self._selector.select(wait_s):
                if key.fileobj is sys.stdin:
                    return
                if key.fileobj is listening:
                    connection = _Connection(listening.accept()[0])
                    self._selector.register(connection.socket, selectors.EVENT_READ, connection)
                else:
                    self._read(key.data)
            self._answer()

    def _read(self, connection: _Connection) -> None:
        try:
            received, stamps, _, _ = connection.socket.recvmsg(1 << 16, 256)
        except OSError:
            received, stamps = b"", []
        at = _stamped(stamps)
        connection.unread += received
        head, end, rest = connection.unread.partition(b"\r\n\r\n")
        if not received:
            self._selector.unregister(connection.socket)
            connection.socket.close()
        elif end:
            # All requests here have no body, and come one after the other.
            connection.unread = rest
            self._arrived(connection, at, head.split()[1].decode())

    def _arrived(self, connection: _Connection, at: float, path: str) -> None:
        status, due = 200, at
        if not path.startswith(WARM_UP):
            at += random.uniform(0, self.jitter_s)
            status, due = 429 if len(self.arrivals) < self.refuse else 200, at + self.serving_s
            self.arrivals.append(Arrival(at, path, status))
        body = REFUSAL if status == 429 else POLL if "/imports/result/" in path else LISTS
        head = (
            f"HTTP/1.1 {status} .\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        )
        answer = head.encode() + b"\r\n\r\n" + body
        heapq.heappush(self._due, (due, next(self._order), connection, answer))

    def _answer(self) -> None:
        while self._due and self._due[0][0] <= time.monotonic():
            _, _, connection, answer = heapq.heappop(self._due)
            with contextlib.suppress(OSError):  # its client was possibly killed
                connection.socket.sendall(answer)


def _stamped(stamps: list[tuple[int, int, bytes]]) -> float:
    """Return the kernel's stamp on the monotonic clock; without a stamp, the current time."""
    now = time.monotonic()
    for _, kind, value in stamps:
        if kind == SO_TIMESTAMPNS:
            seconds, nanos = map(int, struct.unpack("qq", value))
            return now - (time.time_ns() - seconds * 10**9 - nanos) / 1e9
    return now


@attrs.define
class Counting:
    """A running counting server."""

    _process: asyncio.subprocess.Process
    port: int

    async def arrivals(self) -> list[Arrival]:
        """End the server; return its arrivals, in order."""
        found, _ = await self._process.communicate(b"")  # this closes its input
        return sorted((Arrival(*each) for each in json.loads(found)), key=lambda each: each.at)


@contextlib.asynccontextmanager
async def counting(
    *, jitter_s: float = 0.0, serving_s: float = 0.0, refuse: int = 0
) -> AsyncIterator[Counting]:
    """Run a counting server in a separate process."""
    options = (f"--jitter={jitter_s}", f"--serving={serving_s}", f"--refuse={refuse}")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.quota.server", *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 26,
        preexec_fn=end_with_parent,
    )
    assert process.stdout is not None
    try:
        yield Counting(process, int(await process.stdout.readline()))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def main() -> None:
    """Serve; when the standard input ends, print the arrivals."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--jitter", type=float)
    parser.add_argument("--serving", type=float)
    parser.add_argument("--refuse", type=int)
    given = parser.parse_args()
    server = _Server(given.jitter, given.serving, given.refuse)
    server.serve()
    print(json.dumps([attrs.astuple(each) for each in server.arrivals]))


if __name__ == "__main__":
    main()
