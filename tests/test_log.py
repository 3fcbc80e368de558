"""A variable enables the log, and a failing log of the program does not stop a call."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from newsleopard_async import NewsLeopard
from newsleopard_async.errors import ConfigurationError
from newsleopard_async.log import Log
from tests.constants import KEY
from tests.observers import RecordingObserver
from tests.transport.scripted import SUBMIT, Scripted, answer, make_api


class Broken(logging.Handler):
    """Fails at every record, and does not handle the error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Fail."""
        raise RuntimeError("the log is down")


def fail(*_: Any, **__: Any) -> Any:
    """Fail, as a filter or a factory of records."""
    raise RuntimeError("the log is down")


def with_handler(logger: logging.Logger) -> None:
    """Add a handler that fails."""
    logger.addHandler(Broken())


def with_filter(logger: logging.Logger) -> None:
    """Add a filter that fails."""
    logger.addFilter(fail)


def with_factory(_: logging.Logger) -> None:
    """Use a factory of records that fails."""
    logging.setLogRecordFactory(fail)


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """Yield the library's logger at DEBUG, and restore everything."""
    logger, factory = logging.getLogger("newsleopard_async"), logging.getLogRecordFactory()
    before = (logger.level, list(logger.handlers), list(logger.filters))
    logger.setLevel(logging.DEBUG)
    yield logger
    logging.setLogRecordFactory(factory)
    logger.setLevel(before[0])
    logger.handlers[:], logger.filters[:] = before[1:]


@pytest.mark.anyio
@pytest.mark.parametrize("break_it", [with_handler, with_filter, with_factory])
async def test_log_that_fails_hides_no_campaign_that_was_accepted(
    break_it: Callable[[logging.Logger], None],
    logger: logging.Logger,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The caller gets the code, the checkpoint stores it, and stderr shows the error."""
    break_it(logger)
    transport, observer = Scripted(answer(200, b'{"sn": "c0de"}')), RecordingObserver()

    assert await make_api(transport).call(SUBMIT, observer=observer) == "c0de"

    assert observer.told == ["on_sending", "on_accepted c0de"]
    assert "the log is down" in capsys.readouterr().err


@pytest.mark.parametrize("quiet", ["raiseExceptions", "stderr", "closed"])
def test_log_that_fails_may_be_silent(
    quiet: str,
    logger: logging.Logger,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """This is true if the program suppresses such errors, or stderr cannot be written."""
    logger.addHandler(Broken())
    with monkeypatch.context() as patch:
        if quiet == "raiseExceptions":
            patch.setattr(logging, "raiseExceptions", False)
        elif quiet == "stderr":
            patch.setattr(sys, "stderr", None)
        else:
            patch.setattr(sys, "stderr", object())

        Log().warning("said")

    assert capsys.readouterr().err == ""


def test_record_names_the_line_that_logs(caplog: pytest.LogCaptureFixture) -> None:
    """The error that is being handled is also cleared."""
    try:
        int("it")
    except ValueError:
        Log().exception("said")

    [record] = caplog.records
    assert (record.name, record.funcName) == (
        "newsleopard_async",
        "test_record_names_the_line_that_logs",
    )
    assert "ValueError: invalid" in caplog.text


@pytest.fixture
def alone() -> Iterator[logging.Logger]:
    """Yield the library's logger with only its own handlers, and restore it."""
    logger = logging.getLogger("newsleopard_async")
    before = (logger.level, list(logger.handlers), logger.propagate)
    logger.propagate = False
    yield logger
    logger.setLevel(before[0])
    logger.handlers[:], logger.propagate = before[1:]


def make_first_client(logger: logging.Logger) -> None:
    """Create a client, which reads the environment, in a program without log handlers."""
    logger.handlers.clear()  # pytest adds its own at the beginning of a test
    NewsLeopard(KEY)


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("debug", ["DEBUG", "INFO", "WARNING", "ERROR"]),
        (" Info ", ["INFO", "WARNING", "ERROR"]),
        ("WARNING", ["WARNING", "ERROR"]),
        ("error", ["ERROR"]),
    ],
)
def test_variable_switches_the_log_on(
    word: str,
    shown: list[str],
    alone: logging.Logger,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Lines of this level or higher go to stderr, once for any number of clients."""
    monkeypatch.setenv("NEWSLEOPARD_LOG", word)
    make_first_client(alone)
    NewsLeopard(KEY)

    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        alone.log(level, "said")
    out, err = capsys.readouterr()

    assert out == ""
    assert [line.split(" ", 2)[2] for line in err.splitlines()] == [
        f"{level} newsleopard_async: said" for level in shown
    ]


def test_log_stays_as_it_is_without_the_variable(
    alone: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty variable counts as missing."""
    before = (alone.level, list(alone.handlers))
    for value in ("", "  "):
        monkeypatch.setenv("NEWSLEOPARD_LOG", value)
        NewsLeopard(KEY)

    assert (alone.level, alone.handlers) == before


def test_program_that_sets_up_its_log_later_sees_no_line_twice(
    alone: logging.Logger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines with a handler of the program are not written again; other lines are still written."""
    monkeypatch.setenv("NEWSLEOPARD_LOG", "debug")
    make_first_client(alone)
    own = logging.StreamHandler(io.StringIO())
    own.setLevel(logging.INFO)

    alone.addHandler(logging.NullHandler())
    alone.info("before")
    alone.addHandler(own)
    alone.info("after")
    alone.debug("below its level")

    err = capsys.readouterr().err
    assert ("before" in err, "after" in err, "below its level" in err) == (True, False, True)
    assert own.stream.getvalue() == "after\n"


def test_log_is_on_again_after_a_set_up_that_disables_it(
    alone: logging.Logger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The standard library does this with every logger that the configuration does not name."""
    monkeypatch.setenv("NEWSLEOPARD_LOG", "debug")
    monkeypatch.setattr(alone, "disabled", True)
    make_first_client(alone)

    alone.info("said")

    assert "said" in capsys.readouterr().err


def test_log_that_cannot_be_written_breaks_nothing(
    alone: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program without a console has no stderr."""
    monkeypatch.setenv("NEWSLEOPARD_LOG", "debug")
    make_first_client(alone)
    monkeypatch.setattr(sys, "stderr", None)

    alone.info("said")


def test_unknown_word_is_refused(alone: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message contains the variable and the allowed words, but not its value."""
    monkeypatch.setenv("NEWSLEOPARD_LOG", KEY)

    with pytest.raises(ConfigurationError) as caught:
        make_first_client(alone)

    assert str(caught.value) == "NEWSLEOPARD_LOG must be one of debug, info, warning, error"
    assert alone.handlers == []


def test_log_of_a_program_that_sets_up_none() -> None:
    """The root logger has no handler there; one call is one line."""
    code = """
import anyio, httpx
from newsleopard_async import NewsLeopard
async def main():
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=[]))
    async with NewsLeopard("key", http_transport=transport) as nl:
        await nl.contacts.list_lists()
anyio.run(main)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NEWSLEOPARD_LOG": "debug"},
    )

    [line] = ran.stderr.splitlines()
    assert "DEBUG newsleopard_async: list_lists (GET /v1/contacts/lists): HTTP 200 in " in line
