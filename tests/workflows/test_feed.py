"""The events of a run in a loop, and the outcome of the run."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from newsleopard_async import (
    CampaignSn,
    InvalidRequest,
    OutcomeUnknown,
    rehearsal,
    workflows,
)
from newsleopard_async.workflows import Event, EventFeed
from newsleopard_async.workflows.progress import EventState
from tests.clients import Bench, connected, csv_of
from tests.constants import CAMPAIGN
from tests.transport.scripted import errors_in

pytestmark = pytest.mark.anyio

NEW: dict[str, Any] = {"contacts": csv_of(3), "list_name": "會員"}


def event(number: int, state: EventState = "finished", part: int | None = None) -> Event:
    """Build an event that differs from others by its time."""
    return Event(
        pipeline="import_contacts", step="get_import", state=state, elapsed_s=number, part=part
    )


async def times_of(feed: AsyncIterator[Event]) -> list[float]:
    """Go through a feed to its end."""
    return [each.elapsed_s async for each in feed]


@pytest.mark.parametrize("is_late", [True, False])
async def test_feed_gives_all_events_and_ends_with_the_run(is_late: bool) -> None:
    """Every loop gets every event, even a loop that begins at the end."""
    feed, told = EventFeed(), list[list[str]]()

    async def listen() -> None:
        told.append([f"{each.step} {each.state}" async for each in feed])

    async with connected() as bench, anyio.create_task_group() as tasks:
        if not is_late:
            tasks.start_soon(listen)
            tasks.start_soon(listen)
            await anyio.lowlevel.checkpoint()
        outcome = await workflows.send_campaign(bench.nl, CAMPAIGN, progress=feed, **NEW)
        if is_late:
            await listen()
            await listen()

    assert told[0] == told[1]
    assert (told[0][0], told[0][-1]) == ("check_contacts started", "submit finished")
    assert (feed.is_over, feed.outcome, feed.error) == (True, outcome, None)


async def test_feed_ends_with_the_error_of_the_run() -> None:
    """Of the arguments, of a step, of a call that Python refuses, and with a cancellation."""
    async with connected(profile="vendor-2026") as bench:
        bench.emulator.lose_reply_to("submit_campaign")
        feeds = [EventFeed() for _ in range(4)]
        with pytest.raises(OutcomeUnknown) as lost:
            await workflows.send_campaign(bench.nl, CAMPAIGN, progress=feeds[0], **NEW)
        with pytest.raises(InvalidRequest):
            await workflows.call_off(bench.nl, progress=feeds[1])
        with pytest.raises(TypeError):
            await workflows.call_off(bench.nl, wrong=1, progress=feeds[2])  # type: ignore[call-arg]  # that is the test
        with anyio.CancelScope() as scope:
            scope.cancel()
            await workflows.wait_for_campaign(bench.nl, CampaignSn("c"), progress=feeds[3])
        states = [[each.state async for each in feed] for feed in feeds]

    assert feeds[0].error is lost.value
    assert states[0][-1] == "finished"
    assert states[1:3] == [[], []]
    assert all(feed.is_over and feed.error is not None for feed in feeds)
    assert not isinstance(feeds[3].error, Exception)


async def test_feed_serves_one_run() -> None:
    """A second run would mix its events with the first run's."""
    feed = EventFeed()
    async with connected() as bench:
        await workflows.import_contacts(bench.nl, csv_of(1), list_name="a", progress=feed)
        with pytest.raises(InvalidRequest) as caught:
            await workflows.import_contacts(bench.nl, csv_of(1), list_name="b", progress=feed)

    assert caught.value.problems[0].rule == "used"


async def test_feed_ends_with_the_outer_pipeline(tmp_path: Path) -> None:
    """The feed ends with the outer pipeline, not with an inner one."""
    async with connected() as bench:
        test, figures, rehearsed = EventFeed(), EventFeed(), EventFeed()
        await workflows.send_test(bench.nl, CAMPAIGN, to=["me@example.com"], progress=test)
        sns = [await bench.send(name=name) for name in ("a", "b")]
        await workflows.summarize(bench.nl, sns, progress=figures)
        await rehearsal.rehearse(CAMPAIGN, csv_of(2), progress=rehearsed)
        downloads = [each async for each in figures if each.step == "download_files"]
        exports = [each async for each in rehearsed if each.pipeline == "export_report"]

    assert len({each.elapsed_s for each in downloads}) > 1
    assert [each.state for each in downloads].count("finished") == 2
    assert exports[-1].step == "download_files"
    assert len(figures.outcome) == 2
    assert test.outcome.campaign_sn


async def test_slow_loop_misses_waits_alone() -> None:
    """It gets the latest event of a wait, and all other events in order."""
    feed = EventFeed()
    with feed.serving():
        feed(event(1, "started"))
        loop = aiter(feed)
        first = await anext(loop)
        for number in range(2, 8):
            feed(event(number, "waiting"))
        feed(event(8, "waiting", part=2))
        feed(event(9))

    assert (first.elapsed_s, await times_of(loop)) == (1, [7, 8, 9])


async def test_feed_keeps_the_last_thousand() -> None:
    """A run of many parts must not fill the memory if no loop reads the feed."""
    feed = EventFeed()
    with feed.serving():
        for number in range(1_500):
            feed(event(number))

    assert await times_of(aiter(feed)) == list(range(500, 1_500))


async def test_loop_that_is_left_harms_nothing() -> None:
    """A loop that ends at an event or during a wait disturbs neither the run nor other loops."""
    feed = EventFeed()
    async with connected() as bench, anyio.create_task_group() as tasks:

        async def leave_early() -> None:
            async for _ in feed:
                break

        async def leave_waiting() -> None:
            with anyio.move_on_after(0):
                async for _ in feed:
                    pass

        for each in (leave_waiting, leave_early, leave_waiting):
            tasks.start_soon(each)
        await anyio.lowlevel.checkpoint()
        await workflows.import_contacts(bench.nl, csv_of(1), list_name="a", progress=feed)

    assert feed.outcome is not None


async def test_block_runs_a_pipeline_and_gives_its_events() -> None:
    """Events and outcome belong to the pipeline; a callback is also called."""
    called: list[Event] = []
    async with connected() as bench:
        async with workflows.events(
            workflows.send_campaign, bench.nl, CAMPAIGN, progress=called.append, **NEW
        ) as run:
            told = [each async for each in run]
        again = [each async for each in run]
        outcome = run.outcome

    assert [each.state for each in told if each.step == "submit"] == ["started", "finished"]
    assert [each for each in called if each.state != "waiting"] == [
        each for each in told if each.state != "waiting"
    ]
    assert [each for each in again if each.state != "waiting"] == [
        each for each in told if each.state != "waiting"
    ]
    assert json.dumps([each.to_dict() for each in told])
    assert outcome.campaign_sn == bench.emulator.campaigns[0].sn


async def test_async_callback_of_a_block_is_awaited() -> None:
    """The callback is awaited, as by any pipeline."""
    states: list[str] = []
    async with connected() as bench:

        async def note(event: Event) -> None:
            await bench.clock.sleep(1)
            states.append(event.state)

        async with workflows.events(workflows.check_contacts, csv_of(1), progress=note) as run:
            assert [each.state async for each in run][-1] == states[-1] == "finished"


async def test_block_that_is_left_early_cancels_its_pipeline(tmp_path: Path) -> None:
    """The finished steps are in the checkpoint, and the next run resumes there."""
    kept = tmp_path / "kept.json"
    async with connected() as bench:
        async with workflows.events(
            workflows.send_campaign, bench.nl, CAMPAIGN, checkpoint=kept, **NEW
        ) as run:
            async for each in run:
                if (each.step, each.state) == ("import_text", "finished"):
                    break
        submitted = bench.emulator.submitted
        with pytest.raises(RuntimeError, match="was stopped"):
            _ = run.outcome
        await workflows.send_campaign(bench.nl, CAMPAIGN, checkpoint=kept, **NEW)

    assert submitted == 0
    assert len(bench.emulator.imports) == 1
    assert bench.emulator.submitted == 1


async def test_error_of_the_pipeline_leaves_the_block_as_itself() -> None:
    """The error is not an exception group, and has its checkpoint."""
    async with connected() as bench:
        bench.emulator.lose_reply_to("submit_campaign")
        with pytest.raises(OutcomeUnknown) as caught:
            async with workflows.events(workflows.send_campaign, bench.nl, CAMPAIGN, **NEW) as run:
                told = [each.state async for each in run]

    assert caught.value.checkpoint is not None
    assert "failed" in told


async def test_error_of_the_block_cancels_the_pipeline_and_is_raised() -> None:
    """The block's own error is raised, independent of the pipeline."""
    async with connected() as bench:
        with pytest.raises(KeyError, match="page"):  # noqa: PT012 - the block is what is tested
            async with workflows.events(workflows.send_campaign, bench.nl, CAMPAIGN, **NEW) as run:
                async for _ in run:
                    raise KeyError("page")

    assert bench.emulator.submitted == 0


async def test_cancellation_from_outside_ends_block_and_pipeline() -> None:
    """For example a closed page: both end, and the cancellation continues."""
    async with connected() as bench:
        with anyio.CancelScope() as scope:
            async with workflows.events(workflows.send_campaign, bench.nl, CAMPAIGN, **NEW) as run:
                async for each in run:
                    if each.step == "import_text":
                        scope.cancel()
                        await anyio.lowlevel.checkpoint()

    assert scope.cancelled_caught
    assert bench.emulator.submitted == 0


async def _loop_over(given: Any) -> None:
    async for _ in given:
        pass


async def test_run_without_a_block_is_refused() -> None:
    """Nothing would end it; the error shows the two lines."""
    async with connected() as bench:
        run = workflows.events(workflows.send_campaign, bench.nl, CAMPAIGN, **NEW)
        with pytest.raises(TypeError, match=r"async with workflows\.events\(…\) as run:\n"):
            await _loop_over(run)


async def test_callback_of_a_block_is_checked() -> None:
    """A progress that cannot be called, or a feed, which would never end, is refused."""
    bad: Any = 5
    for progress in (bad, EventFeed()):
        with pytest.raises(InvalidRequest, match="progress"):
            workflows.events(workflows.check_contacts, csv_of(1), progress=progress)


async def test_pipeline_of_a_block_is_not_called_before() -> None:
    """The pipeline is passed uncalled, followed by its arguments."""
    called: Any = workflows.check_contacts(csv_of(1))
    with pytest.raises(InvalidRequest, match="pipeline: must be a pipeline, with its arguments"):
        workflows.events(called)
    await called


async def test_block_that_does_not_listen_stops_the_pipeline() -> None:
    """The outcome exists only after the loop over the events."""
    async with connected() as bench:
        run = workflows.events(workflows.send_campaign, bench.nl, CAMPAIGN, **NEW)
        async with run:
            pass

    assert bench.emulator.submitted == 0


async def test_loop_that_is_left_while_it_waits_leaves_nothing_behind() -> None:
    """A page that sends a comment each few seconds waits for an event many times."""
    feed = EventFeed()
    with feed.serving():
        loop = aiter(feed)
        for _ in range(100):
            with anyio.move_on_after(0):
                await anext(loop)

    assert [each for each in vars(feed).values() if isinstance(each, list)] == [[]]


async def test_run_has_one_block() -> None:
    """A second one would give the outcome of the first, and run nothing."""
    run = workflows.events(workflows.check_contacts, csv_of(1))
    async with run:
        await _loop_over(run)
        with pytest.raises(TypeError, match="call it again"):
            await run.__aenter__()

    assert run.outcome.ok


@pytest.mark.quick
async def test_end_of_the_program_leaves_the_block_as_itself() -> None:
    """Immediately, even if the block waits."""

    def end(_: Event) -> None:
        raise SystemExit("it")

    async def run() -> None:
        async with workflows.events(workflows.check_contacts, csv_of(1), progress=end):
            await anyio.sleep_forever()

    with pytest.raises(SystemExit, match="it"):
        await run()


async def test_error_of_the_pipeline_that_the_block_hides_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The hidden error can mean that a campaign is in doubt."""

    async def run(bench: Bench) -> None:
        async with workflows.events(workflows.send_campaign, bench.nl, CAMPAIGN, **NEW) as run:
            await _loop_over(run)
            raise KeyError("page")

    async with connected() as bench:
        bench.emulator.lose_reply_to("submit_campaign")
        with pytest.raises(KeyError, match="page"):
            await run(bench)

    assert "its pipeline failed: It is unknown whether" in errors_in(caplog)[-1]
