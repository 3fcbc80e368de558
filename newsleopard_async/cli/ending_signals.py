"""SIGTERM and SIGHUP end a command as Ctrl-C does: it says what was done, and how to continue.

Without it, a command that the system or a closed terminal ends would leave no word in the log, and
contacts from a pipe on the disk.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from types import FrameType
from typing import Final

import attrs
from rich.console import Console

from newsleopard_async.cli.display.terminal import safe_text
from newsleopard_async.cli.translation import translated as _

__all__ = ["EndingSignal", "ending_signals", "noticing_interrupts"]

_NAMES: Final = ("SIGTERM", "SIGHUP")
"""The signals; Windows has no SIGHUP."""
_PATIENCE_S: Final = 1.5
"""Chosen: a person who has pressed Ctrl-C presses it again after two or three seconds."""


@attrs.define
class EndingSignal:
    """The signal that has ended a command.

    Attributes:
        received: The first one; None for Ctrl-C.
    """

    received: signal.Signals | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Interrupt the command, once: a closed terminal sends its signal more than once.

        The second Ctrl-C ends also a request that must have its answer.

        Raises:
            KeyboardInterrupt: nothing else handles Ctrl-C.
        """
        if self.received is not None:
            return
        self.received = signal.Signals(number)
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):
            # A shell hands an ignored Ctrl-C to the commands in its background.
            raise KeyboardInterrupt
        handler(signal.SIGINT, frame)


@contextmanager
def ending_signals() -> Iterator[EndingSignal]:
    """Handle the signals while the context is open, unless the caller ignores or handles them."""
    ending = EndingSignal()
    handled = []
    if threading.current_thread() is threading.main_thread():
        numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
        handled = [each for each in numbers if signal.getsignal(each) is signal.SIG_DFL]
    for each in handled:
        signal.signal(each, ending)
    try:
        yield ending
    finally:
        for each in handled:
            signal.signal(each, signal.SIG_DFL)


@contextmanager
def noticing_interrupts(console: Console) -> Iterator[None]:
    """Say why a command does not end soon after Ctrl-C.

    A submit that was sent is waited for, and a second Ctrl-C would leave its outcome unknown.

    Args:
        console: The standard error.
    """
    before = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    if not (is_main and callable(before)):
        yield
        return
    text = _(
        "Waiting for the answer to a request that was sent, so that its outcome is known. A second "
        "Ctrl-C does not wait."
    )
    timer = Timer(_PATIENCE_S, console.print, (safe_text(text, "yellow"),))
    timer.daemon = True

    def interrupt(number: int, frame: FrameType | None) -> None:
        if not timer.is_alive() and not timer.finished.is_set():
            timer.start()
        before(number, frame)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)
