"""Helpers for tests of the whole client: an emulator or a script behind checked requests."""

from __future__ import annotations

import functools
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import anyio.lowlevel
import attrs
import httpx
import pytest

from newsleopard_async import (
    CampaignSn,
    InvalidRequest,
    ListSn,
    NewsLeopard,
    NewsLeopardError,
    RateLimits,
    RetryPolicy,
    with_lists,
)
from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.emulator import BASE_URL
from newsleopard_async.stores import Store
from newsleopard_async.testing import ManualClock
from newsleopard_async.workflows import Checkpoint
from tests.constants import CAMPAIGN, KEY
from tests.requests_schema import NO_SUCH_OPERATION, Profile, RequestMismatch, RequestSchema

__all__ = [
    "Bench",
    "CheckedTransport",
    "Reply",
    "Script",
    "SentRequest",
    "checkpoint_of",
    "connected",
    "csv_of",
    "files_in",
    "refused",
    "scripted",
]


def checkpoint_of(error: NewsLeopardError) -> Checkpoint:
    """Return the checkpoint that an error of a pipeline has."""
    assert error.checkpoint is not None
    return error.checkpoint


def files_in(folder: Path) -> list[str]:
    """Return the sorted names in a folder."""
    return sorted(each.name for each in folder.iterdir())


def csv_of(rows: int) -> str:
    """Write contacts as CSV."""
    lines = (f"user{number}@example.com,會員{number}\n" for number in range(rows))
    return "EMAIL,NAME\n" + "".join(lines)


@attrs.frozen(kw_only=True)
class SentRequest:
    """A request to the API, as it was sent.

    Attributes:
        operation: Its name in openapi.yaml; empty for one that openapi.yaml does not allow.
        query: Pairs, decoded.
        headers: With lower-case names, in order, repetitions kept.
    """

    operation: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@functools.cache
def _schema(profile: Profile) -> RequestSchema:
    return RequestSchema(profile)


@functools.lru_cache(1024)
def _operation(
    profile: Profile, method: str, url: str, headers: tuple[tuple[str, str], ...], body: bytes
) -> str:
    """Return the operation of a request, if it is allowed; cached, as requests repeat."""
    return _schema(profile).check(method, url, headers, body)


class CheckedTransport(httpx.AsyncBaseTransport):
    """Passes all requests on, and records each API request that openapi.yaml does not allow.

    A mismatch is stored for `check`, because an exception here would be a lost reply for the
    client.
    """

    def __init__(
        self, inner: httpx.AsyncBaseTransport, *, host: str, profile: Profile = "documented"
    ) -> None:
        self._profile = profile
        self.sent: list[SentRequest] = []
        self.all_requests = 0
        self._inner = inner
        self._host = host
        self._mismatches: list[RequestMismatch] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Record a request and pass it on."""
        self.all_requests += 1
        if request.url.host == self._host:
            await self._note(request)
        return await self._inner.handle_async_request(request)

    async def _note(self, request: httpx.Request) -> None:
        url, body = str(request.url), await request.aread()
        headers = tuple(request.headers.multi_items())
        operation = ""
        try:
            operation = self._check(request.method, url, headers, body)
        except RequestMismatch as mismatch:
            self._mismatches.append(mismatch)
        parts = urlsplit(url)
        self.sent.append(
            SentRequest(
                operation=operation,
                method=request.method,
                path=parts.path,
                query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
                headers=headers,
                body=body,
            )
        )

    def _check(
        self, method: str, url: str, headers: tuple[tuple[str, str], ...], body: bytes
    ) -> str:
        try:
            return _operation(self._profile, method, url, headers, body)
        except RequestMismatch as mismatch:
            if mismatch.problems != NO_SUCH_OPERATION:
                raise
        # The client may try a later endpoint on any platform (T18).
        return _operation("vendor-2026", method, url, headers, body)

    def count(self, operation: str) -> int:
        """Count the requests of an operation of openapi.yaml."""
        return sum(request.operation == operation for request in self.sent)

    def check(self) -> None:
        """Fail if openapi.yaml did not allow a request."""
        if self._mismatches:
            raise self._mismatches[0]


@attrs.frozen(kw_only=True)
class Bench:
    """A client, its emulator, and the clock of both."""

    nl: NewsLeopard
    emulator: Emulator
    clock: ManualClock
    wire: CheckedTransport

    def unchecked(self, limits: RateLimits | None = None) -> NewsLeopard:
        """Create another client, which may send requests that openapi.yaml does not allow."""
        return NewsLeopard(
            KEY,
            http_transport=self.emulator.transport(),
            clock=self.clock,
            rate_limits=limits,
        )

    async def make_list(self, rows: int = 3, name: str = "會員") -> ListSn:
        """Create a list with members."""
        sn = await self.nl.contacts.create_list(name)
        if rows:
            await self.nl.contacts.import_text(csv_of(rows), sn)
            await self.clock.sleep(60)
        return sn

    async def send(
        self, *, rows: int = 50, name: str = "會員", then_s: float = 86_400
    ) -> CampaignSn:
        """Send a campaign to a new list, and advance the clock by a day."""
        ready = with_lists(CAMPAIGN, [await self.make_list(rows, name)])
        sn = await self.nl.campaigns.submit(ready)
        await self.clock.sleep(then_s)
        return sn


@asynccontextmanager
async def connected(
    *,
    clock: ManualClock | None = None,
    retry: RetryPolicy | None = None,
    limits: RateLimits | None = None,
    store: Store | None = None,
    **options: Any,
) -> AsyncIterator[Bench]:
    """Connect a client to an emulator, and check its requests at the end.

    Args:
        clock: Time of both; a new one by default.
        retry: The client's.
        limits: The client's.
        store: The client's.
        options: The emulator's.
    """
    clock = clock or ManualClock()
    emulator = Emulator(api_keys=(KEY,), clock=clock, **options)
    host = urlsplit(emulator.base_url).hostname or ""
    profile = options.get("profile", "documented")
    wire = CheckedTransport(emulator.transport(), host=host, profile=profile)
    async with NewsLeopard(
        KEY, http_transport=wire, clock=clock, retry=retry, rate_limits=limits, store=store
    ) as nl:
        yield Bench(nl=nl, emulator=emulator, clock=clock, wire=wire)
    wire.check()
    assert emulator.leaked_keys == ()


@attrs.frozen
class Reply:
    """An answer of a script; bytes are sent unchanged, any other value as JSON."""

    content: Any = b""
    status: int = 200
    headers: dict[str, str] = attrs.field(factory=dict)

    def response(self) -> httpx.Response:
        """Build the answer."""
        raw = isinstance(self.content, bytes)
        body = self.content if raw else json.dumps(self.content, ensure_ascii=False).encode()
        return httpx.Response(self.status, headers=self.headers, content=body)


class _ScriptedTransport(httpx.AsyncBaseTransport):
    """Answers from a list, and records requests after its end."""

    def __init__(self, replies: Sequence[Reply | Exception]) -> None:
        self.left = list(replies)
        self.unanswered = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the next answer, after the whole request has arrived."""
        await request.aread()
        await anyio.lowlevel.checkpoint()
        if not self.left:
            self.unanswered += 1
            raise httpx.ConnectError("the script has ended")
        reply = self.left.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply.response()


@attrs.frozen(kw_only=True)
class Script:
    """A client whose server answers from a script."""

    nl: NewsLeopard
    clock: ManualClock
    wire: CheckedTransport


@asynccontextmanager
async def scripted(
    *replies: Reply | Exception,
    retry: RetryPolicy | None = None,
    profile: Profile = "documented",
) -> AsyncIterator[Script]:
    """Connect a client to a server with these answers, all of which must be requested."""
    clock = ManualClock()
    server = _ScriptedTransport(replies)
    host = urlsplit(BASE_URL).hostname or ""
    wire = CheckedTransport(server, host=host, profile=profile)
    async with NewsLeopard(KEY, http_transport=wire, clock=clock, retry=retry) as nl:
        yield Script(nl=nl, clock=clock, wire=wire)
    wire.check()
    assert (len(server.left), server.unanswered) == (0, 0)


@asynccontextmanager
async def refused(wire: CheckedTransport, *expected: tuple[str, str]) -> AsyncIterator[None]:
    """Expect ``InvalidRequest`` with these fields and rules, and that nothing is sent."""
    before = wire.all_requests
    with pytest.raises(InvalidRequest) as caught:
        yield
    assert [(each.field, each.rule) for each in caught.value.problems] == list(expected)
    assert all(each.message for each in caught.value.problems)
    assert wire.all_requests == before
