"""A file storage to test against: its URLs, and ways to reach it."""

from __future__ import annotations

from pathlib import Path

import httpx

from newsleopard_async.models.options import RetryPolicy, Timeouts
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.body import BytesBody
from newsleopard_async.transport.pools import Pools
from newsleopard_async.transport.storage import Storage
from tests.constants import START

__all__ = ["CSV", "SIGNED", "TARGETS", "URL", "get", "make_storage", "put"]

CSV = "EMAIL,NAME\nann@example.com,安\n".encode()
SIGNED = "X-Amz-Signature=s3cr3t"
URL = f"https://s3.example.com/bucket/key?{SIGNED}"
TARGETS = [
    "/bucket/key?X-Amz-Signature=abc",
    "/bucket/../key?Signature=a%2Fb%3D",
    "/bucket/./a/%2e%2e/key",
    "/bucket/a%2Fb/%7Ekey?x=%20&y=+&z",
    "//bucket//key?",
    "/bucket/a;b,c:d@e!$&'()*+=~-_.",
    "/bucket/%E9%9B%BB%E5%AD%90%e8%b1%b9?b=2&a=1&a=",
    '/bucket/"<>^`{|}\\?"<>^`{|}\\',
    "/",
]
"""The parts that a signature can cover; a client that normalises any of them breaks it."""


def make_storage(
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    clock: ManualClock | None = None,
    attempts: int = 5,
    base_url: str = "http://127.0.0.1:8000",
) -> Storage:
    """Build the part under test."""
    return Storage(
        pools=Pools(transport),
        clock=clock or ManualClock(START),
        retry=RetryPolicy(max_attempts=attempts),
        timeouts=Timeouts(),
        base_url=base_url,
    )


async def put(storage: Storage, url: str, content: bytes = CSV) -> None:
    """Upload bytes, and close the connections."""
    try:
        await storage.put(url, BytesBody(content))
    finally:
        await storage.pools.aclose()


async def get(storage: Storage, url: str, path: Path) -> int:
    """Download, and close the connections."""
    try:
        return await storage.get(url, path)
    finally:
        await storage.pools.aclose()
