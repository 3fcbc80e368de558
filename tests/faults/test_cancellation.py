"""Each pipeline is cancelled at each of its awaits, in every way that there is.

Nothing may be left behind, and the checkpoint must tell the truth.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import anyio
import httpx
import pytest

from newsleopard_async import NewsLeopard, with_lists, workflows
from newsleopard_async.stores.one_file import OneFile
from newsleopard_async.transport.limits.queue import RequestQueue
from newsleopard_async.workflows import Event
from tests.cancellation import (
    Trigger,
    Way,
    at_some_or_all_awaits,
    cancelled_by,
    each_point,
    in_every_way,
    open_files,
)
from tests.constants import CAMPAIGN, LIST_NAME
from tests.faults.later import LATER_BY_NAME
from tests.faults.pipelines import BY_NAME, Pipeline
from tests.faults.stories import check, go_on, log_of
from tests.faults.world import FEW, World, csv_of, world


def send_and_report(nl: NewsLeopard, at: World) -> Any:
    """Send, with a callback that waits."""

    async def progress(event: Event) -> None:
        await nl.clock.sleep(0)

    return workflows.send_campaign(
        nl,
        CAMPAIGN,
        contacts=csv_of(FEW),
        list_name=LIST_NAME,
        checkpoint=at.checkpoint,
        progress=progress,
    )


PIPELINES = (
    *(BY_NAME[name] for name in ("import-file", "send-text", "ab-sender", "quiet-export")),
    *(LATER_BY_NAME[name] for name in ("call-off", "once-and-wait", "trigger")),
    Pipeline("send-and-report", send_and_report, FEW, recipients=FEW),
)
each_pipeline = pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda each: each.name)


def check_nothing_is_held(nl: NewsLeopard) -> None:
    """No connection, no place in the line, no request under way."""
    assert all(gate.borrowed_tokens == 0 for gate in nl._api.pools._gates.values())
    queue: RequestQueue = nl._api.limiter.queue
    assert not queue._demands
    assert not queue.state._log._open
    assert queue.state.day._pending == 0


def go_on_and_check(at: World, pipeline: Pipeline) -> None:
    """Run a cancelled pipeline to its end, and check that all is done, once."""
    submitted = at.emulator.submitted
    story = go_on(at, pipeline)
    check(at, story, log_of(pipeline).result)
    # A submit runs to its answer, so that nothing about it is ever unknown.
    assert pipeline.rows or story.endings == ["done"]
    assert submitted <= at.emulator.submitted


def check_left_over(at: World, log: str) -> None:
    """No temporary file, no part of a download, and no campaign without a record."""
    assert list((at.folder / "temporary").iterdir()) == []
    if at.downloads.exists():
        assert not [each for each in at.downloads.iterdir() if each.suffix == ".part"]
    made = at.emulator.campaigns[at.submitted_before :]
    # One that waits for its upload sends nothing.
    sent = [each for each in made if each.uploads or not each.is_once]
    assert len(sent) <= 1
    assert all(campaign.sn in log for campaign in sent)


@pytest.mark.timeout(240)
@each_pipeline
@at_some_or_all_awaits
def test_cancelled_anywhere_leaves_nothing_and_can_go_on(
    pipeline: Pipeline, way: Way, most: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    """No task, file, connection, place or half a download; and then all is done, once."""

    def cancel_and_go_on(trigger: Trigger) -> None:
        caplog.clear()
        with world() as at:
            pipeline.prepare(at)
            at.emulator.latency_s = 0.02
            (at.folder / "temporary").mkdir()

            async def main() -> Any:
                async with at.client() as nl:
                    result = await cancelled_by(trigger, way, pipeline.run(nl, at))
                    check_nothing_is_held(nl)
                    with OneFile(at.checkpoint).locked(""):
                        return result

            with mock.patch.object(tempfile, "tempdir", str(at.folder / "temporary")):
                result = anyio.run(main, backend=way.backend)
            check_left_over(at, caplog.text if result is None else f"{result}{caplog.text}")
            go_on_and_check(at, pipeline)

    assert each_point(cancel_and_go_on, most) > 4
    gc.collect()


class Striking(httpx.AsyncBaseTransport):
    """Cancels while a request is on its way, before or after it takes effect."""

    def __init__(self, at: World, trigger: Trigger) -> None:
        self._inner = at.emulator.transport()
        self._trigger = trigger

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on."""
        self._trigger.touch()
        response = await self._inner.handle_async_request(request)
        self._trigger.touch()
        return response


@pytest.mark.matrix
@each_pipeline
@in_every_way
def test_cancelled_during_any_request_can_go_on(pipeline: Pipeline, way: Way) -> None:
    """This is also true during a submit in a separate task, before and after the answer."""

    def cancel_and_go_on(trigger: Trigger) -> None:
        with world() as at:
            pipeline.prepare(at)

            async def main() -> None:
                async with at.client(Striking(at, trigger)) as nl:
                    await way.run(pipeline.run(nl, at), trigger)
                    check_nothing_is_held(nl)

            anyio.run(main, backend=way.backend)
            go_on_and_check(at, pipeline)

    assert each_point(cancel_and_go_on) > 1


# In flight


@in_every_way
@pytest.mark.parametrize(
    ("fault", "said"),
    [("delay", "was accepted"), ("hang", "failed: ")],
    ids=["answered", "lost"],
)
@pytest.mark.parametrize(
    "struck",
    [(BY_NAME["send-to-list"], "submit_campaign"), (LATER_BY_NAME["once"], "upload_once")],
    ids=["submit", "upload"],
)
def test_submit_cancelled_in_flight_runs_to_its_answer(
    way: Way,
    struck: tuple[Pipeline, str],
    fault: str,
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Who gives up waiting does not undo the submit; the log has its code, or that it is lost."""
    pipeline, operation = struck
    caplog.set_level(logging.WARNING, "newsleopard_async")
    with world() as at:
        pipeline.prepare(at)
        getattr(at.emulator, fault)(operation, seconds=20)

        async def main() -> None:
            async with at.client() as nl:
                with at.clock.deadline(10) as scope:
                    await pipeline.run(nl, at)
                assert scope.cancelled_caught
                assert at.clock.monotonic() >= 20

        anyio.run(main, backend=way.backend)
        assert all(each.sn in caplog.text for each in at.emulator.campaigns) or fault == "hang"
        assert said in caplog.text
        check(at, go_on(at, pipeline), log_of(pipeline).result)
        assert at.emulator.count(operation) == 1


@pytest.mark.asyncio
async def test_submit_timed_out_by_its_caller_is_made_once() -> None:
    """`asyncio.timeout` and a cancelled task do not interrupt it either, without a workflow."""
    with world() as at:
        account = at.emulator._account
        at.sn = account.codes.sn()
        made = account.book.create_list(at.sn, "會員", at.clock.now())
        async with at.client() as nl:
            await nl.contacts.import_text("EMAIL,NAME\na@contacts.example,A\n", at.sn)
            await at.clock.sleep(60)
            at.emulator.delay("submit_campaign", seconds=20)
            task = asyncio.ensure_future(nl.campaigns.submit(with_lists(CAMPAIGN, [at.sn])))
            await at.clock.sleep(5)
            for _ in range(3):
                task.cancel()
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError):
                await task
        assert at.emulator.submitted == 1
        assert made.members


@pytest.mark.skipif(sys.platform == "win32", reason="there is no /proc")
def test_open_files_are_seen(tmp_path: Path) -> None:
    """The check above would notice a file."""
    before = open_files()
    with (tmp_path / "x").open("w"):
        if Path("/proc/self/fd").is_dir():
            assert open_files() != before
