"""The client under test, and what it uploads and downloads."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import anyio
import anyio.lowlevel
import httpx

from newsleopard_async import Clock, NewsLeopard, ReportLink, RetryPolicy, UploadTicket
from newsleopard_async.models import ImportSn, ReportType

__all__ = ["API_KEY", "ForwardClock", "Readdressed", "a_client", "a_link", "a_ticket", "names_in"]

API_KEY: Final = "api-key-that-storage-must-never-see"


class ForwardClock:
    """A clock with real deadlines whose sleeps end immediately.

    The servers here run in threads, which `ManualClock` does not see at work.
    """

    def __init__(self) -> None:
        self._slept_s = 0.0

    def now(self) -> datetime:
        """Return the wall clock's time, later by what was slept."""
        return datetime.now(UTC) + timedelta(seconds=self._slept_s)

    def monotonic(self) -> float:
        """Return seconds, more by what was slept."""
        return time.monotonic() + self._slept_s

    async def sleep(self, seconds: float) -> None:
        """Move on."""
        self._slept_s += seconds
        await anyio.lowlevel.checkpoint()

    def deadline(self, seconds: float) -> AbstractContextManager[anyio.CancelScope, bool]:
        """Cancel after so many real seconds."""
        return anyio.move_on_after(seconds)


def a_client(
    *,
    clock: Clock | None = None,
    max_attempts: int = 5,
    http_transport: httpx.AsyncBaseTransport | None = None,
) -> NewsLeopard:
    """Make a client that never waits for real."""
    return NewsLeopard(
        API_KEY,
        base_url="http://127.0.0.1:1",  # the storage is here, too
        clock=clock or ForwardClock(),
        retry=RetryPolicy(max_attempts=max_attempts),
        http_transport=http_transport,
    )


def a_ticket(url: str) -> UploadTicket:
    """Make a ticket for a URL."""
    return UploadTicket(import_sn=ImportSn("import-1"), url=url)


def a_link(url: str) -> ReportLink:
    """Make a report link for a URL."""
    return ReportLink(type=ReportType("open"), url=url)


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder, including hidden files."""
    return sorted(path.name for path in folder.iterdir())


class Readdressed(httpx.AsyncBaseTransport):
    """Brings requests for any host to a port of this machine, otherwise unchanged.

    It stands in for the name service and TLS, which a loopback has not.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the very headers, target and body to the port."""
        moved = httpx.Request(
            request.method,
            f"http://127.0.0.1:{self._port}/",
            headers=request.headers.raw,
            stream=request.stream,
            extensions={**request.extensions, "target": request.url.raw_path},
        )
        return await self._inner.handle_async_request(moved)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()
