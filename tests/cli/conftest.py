"""What holds for all tests of the command line."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

_HANDLERS: dict[str, Any] = {
    "SIGINT": signal.default_int_handler,
    "SIGTERM": signal.SIG_DFL,
    "SIGHUP": signal.SIG_DFL,
}


@pytest.fixture(autouse=True)
def _signals_end_a_command() -> Iterator[None]:
    """Let signals end a command; a shell or nohup hands ignored ones to its programs."""
    before = {
        number: signal.signal(number, handler)
        for name, handler in _HANDLERS.items()
        if (number := getattr(signal, name, None)) is not None
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
