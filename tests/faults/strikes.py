"""The ways in which a request can fail, and a transport that strikes at some requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs
import httpx

from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.platform.gateway import operation_of
from tests.faults.world import (
    World,
)

__all__ = [
    "FAULTS",
    "Fault",
    "Gone",
    "Strike",
    "Wire",
]


@attrs.frozen
class Fault:
    """One way in which a request can fail.

    Attributes:
        name: For ids.
        inject: Tells the emulator which operation; it happens once.
        gone: Whether the process ends at the request: ``before`` or ``after`` it takes effect.
        lasts: Whether it happens again at each repetition in that life.
    """

    name: str
    inject: Callable[[Emulator, str], None] | None = attrs.field(repr=False, default=None)
    gone: str = ""
    lasts: bool = False


def _failing(status: int, *, processed: bool) -> Callable[[Emulator, str], None]:
    return lambda emulator, operation: emulator.fail(operation, status=status, processed=processed)


def _silent(*, processed: bool) -> Callable[[Emulator, str], None]:
    return lambda emulator, operation: emulator.hang(operation, processed=processed)


_WAYS: Final[Mapping[str, Callable[[Emulator, str], None]]] = {
    "not-sent": Emulator.not_sent,
    "dropped": Emulator.drop_request,
    "reply-lost": Emulator.lose_reply_to,
    "500": _failing(500, processed=False),
    "500-processed": _failing(500, processed=True),
    "503": _failing(503, processed=False),
    "503-processed": _failing(503, processed=True),
    "429": Emulator.throttle,
    "cut-body": Emulator.cut_body,
    "garbage": Emulator.garbage,
    "silence": _silent(processed=False),
    "silence-processed": _silent(processed=True),
}
FAULTS: Final = (
    *(Fault(name, inject) for name, inject in _WAYS.items()),
    *(
        Fault(f"{name}-lasting", inject, lasts=True)
        for name, inject in _WAYS.items()
        if not name.endswith("-processed")
    ),
    Fault("gone-before", gone="before"),
    Fault("gone-after", gone="after"),
)


class Gone(BaseException):
    """The process is no more; nothing may catch it."""


@attrs.frozen
class Strike:
    """A fault and the request that it happens to, counted from 0."""

    at: int
    fault: Fault


class Wire(httpx.AsyncBaseTransport):
    """Passes requests on to the emulator, and strikes at some.

    Attributes:
        seen: The operations, in order.
        left_behind: The checkpoint as it was when the process went.
    """

    def __init__(self, at: World, strikes: Sequence[Strike] = ()) -> None:
        self.seen: list[str] = []
        self.left_behind: bytes | None = None
        self._world = at
        self._inner = at.emulator.transport()
        self._strikes = {strike.at: strike.fault for strike in strikes}
        self._lasting: dict[str, Fault] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on."""
        operation = operation_of(request.method, request.url.path)
        fault = self._strikes.get(len(self.seen)) or self._lasting.get(operation)
        self.seen.append(operation)
        if fault is None:
            return await self._inner.handle_async_request(request)
        if fault.gone:
            return await self._go(request, fault)
        if fault.lasts:
            self._lasting[operation] = fault
        assert fault.inject is not None
        fault.inject(self._world.emulator, operation)
        return await self._inner.handle_async_request(request)

    async def _go(self, request: httpx.Request, fault: Fault) -> httpx.Response:
        if fault.gone == "after":
            await self._inner.handle_async_request(request)
        path = self._world.checkpoint
        self.left_behind = path.read_bytes() if path.exists() else b""
        raise Gone
