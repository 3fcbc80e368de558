"""The number of bytes moved: a listener receives it, and neither delays nor breaks a transfer."""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import httpx
import pytest

from newsleopard_async.errors import StorageError
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.answer_body import PIECE_BYTES
from newsleopard_async.transport.body import BytesBody
from newsleopard_async.transport.pace import listener
from tests.transport.file_storage import URL, get, make_storage
from tests.transport.scripted import Handler, Pieces, Scripted, answer

pytestmark = [pytest.mark.anyio, pytest.mark.quick]

PIECE = b"x" * PIECE_BYTES
PACKED = gzip.compress(PIECE * 3)


async def _nothing() -> None:
    pass


@attrs.define
class Heard:
    """Notes how much has moved; the hook is awaited each time."""

    heard: list[tuple[int, int | None]] = attrs.field(factory=list)
    hook: Callable[[], Awaitable[None]] = _nothing

    def answered(self, operation: str, request_id: str | None) -> None:
        """Not looked at here."""

    async def moved(self, moved_bytes: int, total_bytes: int | None) -> None:
        """Note it."""
        self.heard.append((moved_bytes, total_bytes))
        await self.hook()


@contextmanager
def hearing(heard: Heard) -> Iterator[Heard]:
    """Set the listener for the requests inside."""
    token = listener.set(heard)
    try:
        yield heard
    finally:
        listener.reset(token)


class Slow(httpx.AsyncBaseTransport):
    """Takes a second for each piece of an upload, and ends as the script says."""

    def __init__(self, clock: ManualClock, *steps: Handler | Exception, piece_s: float) -> None:
        self._clock = clock
        self._steps = list(steps)
        self._piece_s = piece_s

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Read the body, a piece at a time."""
        assert isinstance(request.stream, httpx.AsyncByteStream)
        async for _ in request.stream:
            await self._clock.sleep(self._piece_s)
        step = self._steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return await step(request)


@pytest.mark.parametrize("once", [False, True])
async def test_upload_tells_of_its_bytes(once: bool) -> None:
    """The first piece, then at most twice a second, and the end."""
    clock = ManualClock()
    storage = make_storage(Slow(clock, answer(200), piece_s=0.2), clock=clock)

    with hearing(Heard()) as heard:
        await (storage.put_once if once else storage.put)(URL, BytesBody(PIECE * 6))

    total = 6 * PIECE_BYTES
    assert heard.heard == [(n * PIECE_BYTES, total) for n in (1, 4, 6)]


async def test_further_attempt_begins_from_0() -> None:
    """What the first one has moved is sent again."""
    clock = ManualClock()
    transport = Slow(clock, httpx.ReadTimeout("x"), answer(200), piece_s=1)
    with hearing(Heard()) as heard:
        await make_storage(transport, clock=clock).put(URL, BytesBody(PIECE * 2))

    assert [moved // PIECE_BYTES for moved, _ in heard.heard] == [1, 2, 1, 2]


@pytest.mark.parametrize(
    ("body", "headers", "total"),
    [
        (PIECE * 3, {"content-length": str(3 * PIECE_BYTES)}, 3 * PIECE_BYTES),
        (PIECE * 3, {}, None),
        (PACKED, {"content-encoding": "gzip", "content-length": str(len(PACKED))}, None),
    ],
    ids=["known", "unknown", "compressed"],
)
async def test_download_tells_of_its_bytes(
    body: bytes, headers: dict[str, str], total: int | None, tmp_path: Path
) -> None:
    """Of how many, if the head says it; of what is compressed it cannot."""
    storage = make_storage(Scripted(answer(200, body, headers)))

    with hearing(Heard()) as heard:
        await get(storage, URL, tmp_path / "report.csv")

    assert heard.heard[-1] == (3 * PIECE_BYTES, total)


async def test_refused_transfer_has_moved_nothing(tmp_path: Path) -> None:
    """The storage's excuse is not the file."""
    with hearing(Heard()) as heard, pytest.raises(StorageError):
        await get(make_storage(Scripted(answer(404, b"no"))), URL, tmp_path / "report.csv")

    assert heard.heard == []


@pytest.mark.parametrize("slow", [False, True])
async def test_listener_neither_breaks_nor_ends_a_transfer(slow: bool, tmp_path: Path) -> None:
    """What it raises stays here, and its time is not the storage's."""
    clock = ManualClock()

    async def hook() -> None:
        if not slow:
            raise RuntimeError("not heard")
        await clock.sleep(500)

    async def pieces(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-length": "3"}, stream=Pieces(b"a", b"b", b"c"))

    storage = make_storage(Scripted(answer(200), pieces), clock=clock, attempts=1)
    with hearing(Heard(hook=hook)) as heard:
        await storage.put(URL, BytesBody(PIECE * 2))
        await storage.get(URL, tmp_path / "report.csv")

    assert (tmp_path / "report.csv").read_bytes() == b"abc"
    assert heard.heard[-1] == (3, 3)


async def test_last_word_of_a_listener_is_not_the_storages_time(tmp_path: Path) -> None:
    """Also after the last byte has come."""
    clock = ManualClock()

    async def pieces(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-length": "2"}, stream=Pieces(b"a", b"b"))

    async def hook() -> None:
        await clock.sleep(500 if heard.heard[-1][0] == 2 else 0)

    storage = make_storage(Scripted(pieces), clock=clock, attempts=1)
    with hearing(Heard(hook=hook)) as heard:
        await storage.get(URL, tmp_path / "report.csv")

    assert heard.heard == [(1, 2), (2, 2)]
    assert clock.monotonic() == 500
