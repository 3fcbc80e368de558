"""The outermost layer of the emulator: log, faults, key, rate limits (T01, T15)."""

from __future__ import annotations

import time
from typing import Final, Protocol

import attrs
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from newsleopard_async.emulator.http.messages import JSON_TYPE, Reply, empty_reply, json_reply
from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.platform.clock import Clock
from newsleopard_async.emulator.platform.faults import GARBAGE, Fault
from newsleopard_async.emulator.platform.gateway import RequestRecord, operation_of
from newsleopard_async.emulator.platform.storage import STORAGE_PREFIX

__all__ = ["LINK", "BareLink", "Dropped", "Edge", "Link", "send_reply"]

LINK: Final = "newsleopard_async.emulator.link"
"""The name of the link that a transport or server adds to the scope's extensions."""


class Dropped(Exception):
    """The connection is closed; nothing more can be sent over it."""


class Link(Protocol):
    """The methods that a fault needs of a connection."""

    async def wait(self, seconds: float) -> None:
        """Delay the answer."""
        ...

    async def drop(self, *, abruptly: bool) -> None:
        """Close the connection before or during an answer; send nothing after it."""
        ...


class BareLink:
    """The link for a server without links: it can wait, and fail."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def wait(self, seconds: float) -> None:
        """Delay the answer."""
        await self._clock.sleep(seconds)

    async def drop(self, *, abruptly: bool) -> None:
        """Raise `Dropped`, which most servers turn into a 500."""
        raise Dropped("abruptly" if abruptly else "after the request")


MAX_BODY_BYTES: Final = 64_000_000
"""Chosen: far above the largest text import, 10 MB (T28), and it fits into memory."""

CUT_SURPLUS_BYTES: Final = 16
"""Chosen: a length to announce for an answer without content, so that it can be cut."""


@attrs.define(kw_only=True)
class _IncomingRequest:
    """A request in the edge, with its connection and its record."""

    scope: Scope
    receive: Receive
    send: Send
    link: Link
    record: RequestRecord


class Edge:
    """ASGI middleware: the outermost layer of the emulator."""

    def __init__(self, app: ASGIApp, account: Account) -> None:
        self._app = app
        self._account = account

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or apply its fault."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        account = self._account
        operation = operation_of(scope["method"], scope["path"])
        link = scope.get("extensions", {}).get(LINK) or BareLink(account.clock)
        if account.next_fault(operation, only={"not_sent"}):
            await link.drop(abruptly=True)
            return
        record = self._open_record(scope, operation)
        incoming = _IncomingRequest(
            scope=scope, receive=receive, send=send, link=link, record=record
        )
        incoming.send = _stamping(send, record)
        begin_s = time.perf_counter()
        try:
            await self._handle(incoming)
        finally:
            record.duration_ms = 1_000 * (time.perf_counter() - begin_s)
            account.listeners.tell(record)

    async def _handle(self, incoming: _IncomingRequest) -> None:
        """Answer a request that has arrived, unless a fault drops it unread."""
        if self._account.next_fault(incoming.record.operation, only={"drop_request"}):
            incoming.record.fault = "drop_request"
            await incoming.link.drop(abruptly=True)
            return
        await self._pass_gateway(incoming)

    def _open_record(self, scope: Scope, operation: str) -> RequestRecord:
        headers = dict(Headers(scope=scope).items())
        query = scope["query_string"].decode("latin-1")
        record = RequestRecord(
            operation=operation,
            method=scope["method"],
            path=scope["path"],
            query="" if _is_storage(scope) else query,
            at=self._account.clock.now(),
            at_s=self._account.clock.monotonic(),
            headers={
                name: "…" if name == "x-api-key" else value for name, value in headers.items()
            },
        )
        self._account.log.add(record)
        return record

    async def _pass_gateway(self, incoming: _IncomingRequest) -> None:
        """Check key and limits of an API request; storage has neither."""
        if not _is_storage(incoming.scope):
            refused = self._refuse(incoming.scope)
            body = await _read_body(incoming)
            if body is None:
                return
            incoming.record.keep(body)
            incoming.receive = _replaying(body)
            if refused is None and len(body) > MAX_BODY_BYTES:
                refused = empty_reply(413)
            if refused is not None:
                await send_reply(refused, incoming.send)
                return
        await self._answer(incoming)

    def _refuse(self, scope: Scope) -> Reply | None:
        """Return the gateway's refusal: 403 for the key, 429 for the rate."""
        account = self._account
        key = Headers(scope=scope).get("x-api-key", "")
        if not key.strip() or (account.api_keys is not None and key not in account.api_keys):
            return json_reply({"message": "Forbidden"}, status=403)
        with account.lock:
            text = account.limiter.refuse(key, account.clock.monotonic())
        if text is None:
            return None
        return json_reply({"message": text}, status=account.board.on.limit_status)

    async def _answer(self, incoming: _IncomingRequest) -> None:
        fault = self._account.next_fault(incoming.record.operation)
        if fault is None:
            await self._app(incoming.scope, incoming.receive, incoming.send)
            return
        incoming.record.fault = fault.kind
        captured = _CapturedReply()
        if fault.processed:
            await self._app(incoming.scope, incoming.receive, captured.take)
        await _apply_fault(incoming, fault, captured)


@attrs.define
class _CapturedReply:
    """An answer that was not sent yet."""

    messages: list[Message] = attrs.field(factory=list)

    async def take(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)


async def _apply_fault(incoming: _IncomingRequest, fault: Fault, captured: _CapturedReply) -> None:
    """Apply a fault to an answer."""
    if fault.seconds:
        await incoming.link.wait(fault.seconds)
    if fault.kind in {"lose_reply", "hang"}:
        await incoming.link.drop(abruptly=False)
    elif fault.kind in {"answer", "throttle"}:
        reply = Reply(status=fault.status, body=fault.body, headers=fault.headers)
        await send_reply(reply, incoming.send)
    elif fault.kind == "garbage":
        await send_reply(Reply(status=200, body=GARBAGE), incoming.send)
    elif fault.kind == "cut_body":
        await _send_half(captured, incoming)
    else:
        for message in captured.messages:
            await incoming.send(message)


async def _send_half(captured: _CapturedReply, incoming: _IncomingRequest) -> None:
    """Announce the whole answer, send half of it, and drop the connection."""
    body = captured.body
    announced = len(body) or CUT_SURPLUS_BYTES
    start = dict(captured.messages[0])
    start["headers"] = [
        (name, value) for name, value in start["headers"] if name != b"content-length"
    ] + [(b"content-length", str(announced).encode())]
    await incoming.send(start)
    await incoming.send(
        {"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True}
    )
    await incoming.link.drop(abruptly=False)


async def send_reply(reply: Reply, send: Send) -> None:
    """Send an answer over ASGI."""
    headers = {
        "content-type": JSON_TYPE,
        "content-length": str(len(reply.body)),
        **reply.headers,
    }
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    await send({"type": "http.response.body", "body": reply.body, "more_body": False})


def _is_storage(scope: Scope) -> bool:
    return str(scope["path"]).startswith(STORAGE_PREFIX)


def _stamping(send: Send, record: RequestRecord) -> Send:
    """Add the request id to an answer, as Amazon's gateway and storage do; record the status."""
    name = b"x-amz-request-id" if record.path.startswith(STORAGE_PREFIX) else b"x-amzn-requestid"

    async def stamping(message: Message) -> None:
        if message["type"] == "http.response.start":
            record.status = message["status"]
            stamp = (name, record.request_id.encode())
            message = {**message, "headers": [*message.get("headers", ()), stamp]}
        await send(message)

    return stamping


async def _read_body(incoming: _IncomingRequest) -> bytes | None:
    """Return a body, or None if the client disconnects; drop the bytes above the limit."""
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await incoming.receive()
        if message["type"] != "http.request":
            return None
        piece = message.get("body", b"")
        if size <= MAX_BODY_BYTES:
            pieces.append(piece)
            size += len(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)


def _replaying(body: bytes) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive
