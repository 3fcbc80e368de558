"""A command that waits says why."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from rich.console import Console

from newsleopard_async import NewsLeopard
from newsleopard_async.cli.display.waiting_notices import announce_waits
from newsleopard_async.cli.display.warnings_display import showing_warnings
from newsleopard_async.cli.session import Session
from newsleopard_async.emulator import Emulator
from newsleopard_async.log import NAME
from newsleopard_async.testing import ManualClock


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    logger = logging.getLogger(NAME)
    level, handlers = logger.level, list(logger.handlers)
    yield
    logger.setLevel(level)
    logger.handlers[:] = handlers


@pytest.mark.asyncio
@pytest.mark.parametrize("only_warnings", [False, True])
async def test_refusal_by_the_rate_limit_is_announced_once(
    only_warnings: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person sees one line for all refusals of a burst; a program sees none."""
    clock = ManualClock()
    emulator = Emulator(api_keys=["k"], clock=clock)
    emulator.throttle(times=4)
    console = Console(stderr=True)
    for each in (Console(stderr=True), console, console):
        announce_waits(each, only_warnings=only_warnings)

    async with NewsLeopard("k", http_transport=emulator.transport(), clock=clock) as nl:
        await nl.contacts.list_lists()

    lines = capsys.readouterr().err.splitlines()
    assert len([each for each in lines if "rate limit refuses" in each]) == (not only_warnings)


@pytest.mark.parametrize(
    ("level", "delay_s", "expected"),
    [
        (logging.WARNING, None, "mail \\x1b[2J"),
        (logging.INFO, 5.0, "mail \\x1b[2J"),
        (logging.INFO, 0.5, ""),
        (logging.INFO, None, ""),
    ],
)
def test_warnings_and_long_waits_are_printed_safely(
    level: int, delay_s: float | None, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything else is for a log."""
    announce_waits(Console(stderr=True))
    more = {} if delay_s is None else {"nl_delay_s": delay_s}

    for _ in range(2 if level == logging.WARNING else 1):
        logging.getLogger(NAME).log(level, "mail %s", "\x1b[2J", extra=more)

    assert capsys.readouterr().err.strip() == expected


def test_command_that_shows_warnings_prints_them_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The handler of its clients leaves them to it, in any order."""
    session = Session()
    announce_waits(session.errors)

    with showing_warnings(session):
        logging.getLogger(NAME).warning("inside")
    logging.getLogger(NAME).warning("after")

    assert capsys.readouterr().err.splitlines() == ["inside", "after"]


def test_log_of_the_user_replaces_the_notices(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With NEWSLEOPARD_LOG, the library itself writes the lines."""
    monkeypatch.setenv("NEWSLEOPARD_LOG", "warning")

    announce_waits(Console(stderr=True))
    logging.getLogger(NAME).warning("once")

    assert capsys.readouterr().err.count("once") == 0
