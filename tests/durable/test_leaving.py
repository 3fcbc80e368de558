"""A worker leaves in order, after a signal, an error or a cancellation."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any, cast

import anyio
import attrs
import httpx
import pytest
from anyio.from_thread import BlockingPortal
from dbos import DBOS, DBOSConfig
from dbos import error as engine_errors

from newsleopard_async import ConfigurationError, NewsLeopard
from newsleopard_async.durable import SendSpec
from newsleopard_async.durable.engine import EndNotRecorded, SendAttempt, _is_relevant
from newsleopard_async.durable.worker import Worker
from newsleopard_async.models import ListSn
from tests.constants import CAMPAIGN, KEY
from tests.durable.desk import opened


class _Silent(httpx.AsyncBaseTransport):
    """A platform that never answers."""

    def __init__(self) -> None:
        self.asked = anyio.Event()

    async def handle_async_request(self, _: httpx.Request) -> httpx.Response:
        """Take a request."""
        self.asked.set()
        await anyio.sleep_forever()
        raise AssertionError


@pytest.mark.slow
@pytest.mark.asyncio
async def test_worker_that_is_cancelled_gives_its_attempts_back(sqlite_url: str) -> None:
    """The engine stops first, so that the same worker does not take the attempts again."""
    platform = _Silent()
    spec = SendSpec(attrs.evolve(CAMPAIGN, lists=(ListSn("5f53d07eff19c195062524fa4697bde9"),)))
    async with opened(
        sqlite_url, clients=lambda _: NewsLeopard(KEY, http_transport=platform)
    ) as durable:
        await durable.start_send(spec, send_key="k")
        with anyio.CancelScope() as scope:
            async with durable.worker() as worker:
                await platform.asked.wait()
                scope.cancel()
                await anyio.sleep_forever()
        status = await durable.status("k")

        assert (worker.running, worker.ended, worker.given_back) == (0, 0, 1)
        assert (status.state, status.attempt) == ("queued", 1)
        assert await durable._engine.expected([SendAttempt("k", 1)])
        assert await durable._engine.running() == []


@pytest.mark.asyncio
async def test_foreign_engine_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    """DBOS returns the instance of the process; the worker neither uses nor ends it."""
    theirs: DBOSConfig = {
        "name": "their-app",
        "system_database_url": f"sqlite:///{tmp_path}/theirs.db",
        "executor_id": "theirs",
        "log_level": "WARNING",
    }
    made = DBOS(config=theirs)
    try:
        async with opened(sqlite_url, clients=lambda _: NewsLeopard(KEY)) as durable:
            with pytest.raises(ConfigurationError, match="separate process"):
                async with durable.worker():
                    pass
        assert DBOS(config=theirs) is made
    finally:
        DBOS.destroy()


class _Portal:
    """Carries an attempt at once."""

    def call(self, *_: object) -> str:
        """Return the state."""
        return "done"


def test_engine_notes_no_attempt_while_the_database_is_away() -> None:
    """It would try to without an end, in a thread that keeps the process of a worker that left."""
    nothing: Any = None
    worker = Worker("w", nothing, nothing, nothing, nothing, is_alone=True)
    portal = cast("BlockingPortal", _Portal())
    worker._beat_s = time.monotonic()
    assert worker._run_from_thread(portal, "k", 0) == "done"

    worker._beat_s -= 60.0

    with pytest.raises(EndNotRecorded):
        worker._run_from_thread(portal, "k", 0)


@pytest.mark.parametrize(
    ("error", "is_shown"),
    [
        (engine_errors.DBOSAwaitedWorkflowCancelledError("k/0"), False),
        (engine_errors.DBOSWorkflowCancelledError("k/0"), False),
        (ValueError("else"), True),
        (None, True),
    ],
)
def test_end_of_a_cancelled_attempt_is_no_error(
    error: BaseException | None, *, is_shown: bool
) -> None:
    """The engine would print a traceback for each send that was cancelled or taken over."""
    raised = None if error is None else (type(error), error, None)
    record = logging.LogRecord("dbos", logging.ERROR, "", 1, "Exception", (), raised)

    assert _is_relevant(record) == is_shown
