"""Ctrl-C at a chosen request of a command that runs in process."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest

from newsleopard_async.cli import ending_signals
from newsleopard_async.emulator.platform.gateway import operation_of
from tests.cli.offices import Office

__all__ = ["interrupt_at", "notice_at_once"]


class _InterruptingTransport(httpx.AsyncBaseTransport):
    """Sends the requests on, and this process a SIGINT before or after one of them."""

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        operation: str,
        *,
        after: bool,
        number: signal.Signals,
    ) -> None:
        self._inner = inner
        self._number = number
        self._operation: str | None = operation
        self._after = after

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        is_it = operation_of(request.method, request.url.path) == self._operation
        if is_it:
            self._operation = None
        if is_it and not self._after:
            signal.raise_signal(self._number)
        response = await self._inner.handle_async_request(request)
        if is_it and self._after:
            signal.raise_signal(self._number)
        return response


def interrupt_at(
    office: Office,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    *,
    after: bool = False,
    number: signal.Signals = signal.SIGINT,
) -> None:
    """Let the next such request of a command interrupt it, as Ctrl-C on a terminal does.

    Args:
        office: The account.
        monkeypatch: Undoes it.
        operation: The name of the request in the emulator's log.
        after: Whether the platform has answered it.
        number: The signal.
    """
    inner = office.emulator.transport()
    transport = _InterruptingTransport(inner, operation, after=after, number=number)
    monkeypatch.setattr(office.emulator, "transport", lambda: transport)


class _PastTimer:
    """A timer whose time has come."""

    def __init__(self, _seconds: float, call: Callable[..., None], arguments: Any) -> None:
        self.finished = threading.Event()
        self._say = partial(call, *arguments)

    def is_alive(self) -> bool:
        """Return whether it still has to act."""
        return False

    def start(self) -> None:
        """Act."""
        self.finished.set()
        self._say()

    def cancel(self) -> None:
        """Do nothing: it has acted, or was not started."""


def notice_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a command say at once after Ctrl-C that it waits for an answer."""
    monkeypatch.setattr(ending_signals, "Timer", _PastTimer)
