"""A command that waits says why."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
from rich.console import Console

from newsleopard_async import NewsLeopard
from newsleopard_async.cli.display.log_notices import restored_log, show_log
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
@pytest.mark.parametrize("as_json", [False, True])
async def test_refusal_by_the_rate_limit_is_announced_once(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person sees one line for all refusals of a burst; a program sees none."""
    clock = ManualClock()
    emulator = Emulator(api_keys=["k"], clock=clock)
    emulator.throttle(times=4)
    for _ in range(2):
        show_log(Console(stderr=True), as_json=as_json)

    async with NewsLeopard("k", http_transport=emulator.transport(), clock=clock) as nl:
        await nl.contacts.list_lists()

    lines = capsys.readouterr().err.splitlines()
    assert len([each for each in lines if "rate limit refuses" in each]) == (not as_json)


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
    show_log(Console(stderr=True))
    more = {} if delay_s is None else {"nl_delay_s": delay_s}

    for _ in range(2 if level == logging.WARNING else 1):
        logging.getLogger(NAME).log(level, "mail %s", "\x1b[2J", extra=more)

    assert capsys.readouterr().err.strip() == expected


def test_finding_that_the_command_has_shown_is_not_shown_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The library logs findings too; a command can show them after its first client."""
    known: set[str] = set()
    show_log(Console(stderr=True), known=known)

    known.add("2 rows repeat an address")
    for text in ("contacts: 2 rows repeat an address", "another"):
        logging.getLogger(NAME).warning(text)

    assert capsys.readouterr().err.splitlines() == ["another"]


def test_warning_for_a_program_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    """It has the options of the command line, as all messages have."""
    show_log(Console(stderr=True), as_json=True)

    logging.getLogger(NAME).warning("2 rows repeat an address; pass fix='drop-duplicates'")

    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line) == {
        "warning": "2 rows repeat an address; pass --fix drop-duplicates",
    }


class _BrokenConsole(Console):
    def print(self, *_: object, **__: object) -> None:
        raise OSError


def test_warning_that_cannot_be_written_breaks_nothing() -> None:
    """The line that logs is in the middle of a send."""
    show_log(_BrokenConsole(stderr=True))

    logging.getLogger(NAME).warning("a warning")


def test_end_of_a_command_restores_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    """Another command, or code of the same process, has its own level and handlers."""
    logger = logging.getLogger(NAME)
    before = logger.level, list(logger.handlers)

    with restored_log():
        show_log(Console(stderr=True))
        show_log(Console(stderr=True))
        logger.warning("inside")

    assert (logger.level, logger.handlers) == before
    assert capsys.readouterr().err == "inside\n"


def test_log_of_the_user_replaces_the_notices(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With NEWSLEOPARD_LOG, the library itself writes the lines."""
    monkeypatch.setenv("NEWSLEOPARD_LOG", "warning")

    show_log(Console(stderr=True))
    logging.getLogger(NAME).warning("once")

    assert capsys.readouterr().err.count("once") == 0
