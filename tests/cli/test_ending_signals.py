"""A signal of the system interrupts a command once."""

from __future__ import annotations

import signal
import sys

import pytest

from newsleopard_async.cli.ending_signals import ending_signals


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGHUP")
def test_second_signal_of_the_system_does_not_interrupt_again() -> None:
    """A closed terminal sends more than one, and a second Ctrl-C leaves an outcome unknown."""
    with ending_signals() as ending:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGTERM)

    assert ending.received is signal.SIGHUP
