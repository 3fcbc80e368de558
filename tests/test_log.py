"""A program's own log that fails breaks nothing that is logged."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from newsleopard_async.log import Log
from tests.observers import RecordingObserver
from tests.transport.scripted import SUBMIT, Scripted, answer, make_api


class Broken(logging.Handler):
    """Fails at every record, and does not see to it itself."""

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
    """Build records by what fails."""
    logging.setLogRecordFactory(fail)


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """Give the library's logger at DEBUG, and put everything back."""
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
    """The caller gets the code, the checkpoint notes it, and stderr says what failed."""
    break_it(logger)
    transport, observer = Scripted(answer(200, b'{"sn": "c0de"}')), RecordingObserver()

    assert await make_api(transport).call(SUBMIT, observer=observer) == "c0de"

    assert observer.told == ["on_sending", "on_accepted c0de"]
    assert "the log is down" in capsys.readouterr().err


@pytest.mark.parametrize("quiet", ["raiseExceptions", "stderr", "closed"])
def test_log_that_fails_may_be_silent(
    quiet: str, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the program does not want to hear of it, or nothing can be written."""
    logger.addHandler(Broken())
    with monkeypatch.context() as patch:
        if quiet == "raiseExceptions":
            patch.setattr(logging, "raiseExceptions", False)
        elif quiet == "stderr":
            patch.setattr(sys, "stderr", None)
        else:
            patch.setattr(sys, "stderr", object())

        Log().warning("said")


def test_record_names_the_line_that_logs(caplog: pytest.LogCaptureFixture) -> None:
    """And the error that is being handled."""
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
