"""Any worker resumes the runs of other workers, and decides about them."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from newsleopard_async import (
    CampaignSn,
    InvalidRequest,
    OutcomeUnknown,
    RateLimits,
    workflows,
)
from newsleopard_async.stores import FileStore, Store
from newsleopard_async.workflows import (
    Event,
    ResumedRun,
    RunState,
    SendOutcome,
    resolve,
    resume_due,
    runs,
)
from tests.clients import connected, csv_of
from tests.constants import CAMPAIGN
from tests.stores.memory import MemoryStore
from tests.workflows.workers import given, hold, interrupt, send, worker

pytestmark = pytest.mark.anyio

VENDOR: Final[dict[str, Any]] = {"profile": "vendor-2026", "limits": RateLimits.vendor_2026()}
SCRIPT: Final = "402810c26cb86ad7016cb8b2414a0003"


@pytest.fixture(params=["memory", "files"])
def store(request: Any, tmp_path: Path) -> Store:
    """Return a store with locks, and a store without."""
    return MemoryStore() if request.param == "memory" else FileStore(tmp_path)


async def test_run_that_was_interrupted_is_resumed(store: Store) -> None:
    """Finished steps are not repeated, and a second call finds no due run."""
    async with connected() as bench:
        await interrupt(bench, store)
        async with worker(bench, store) as nl:
            [left] = await runs(store, now=bench.clock.now())
            [resumed] = await resume_due(nl, store, {"k": given()})
            again = await resume_due(nl, store, {"k": given()})
        [after] = await runs(store, now=bench.clock.now())

        [campaign] = bench.emulator.campaigns
        assert bench.emulator.count("create_list") == bench.emulator.count("import_text") == 1
    assert (left.state, left.step) == ("interrupted", "import_text")
    assert resumed == ResumedRun(run=left, outcome=resumed.outcome)
    assert isinstance(resumed.outcome, SendOutcome)
    assert resumed.outcome.campaign_sn == campaign.sn == after.campaign_sn
    assert (again, after.state) == ((), "done")


async def test_submit_in_doubt_is_looked_up_when_it_is_time(store: Store) -> None:
    """Not before, and it is not sent again."""
    async with connected() as bench:
        bench.emulator.switch(send_base_s=3600)
        await hold(bench, store)
        [held] = await runs(store, now=bench.clock.now())
        assert held.look_again_at is not None
        async with worker(bench, store) as nl:
            early = await resume_due(nl, store, {"k": given()})
            [late] = await resume_due(nl, store, {"k": given()}, now=held.look_again_at)
            await bench.clock.sleep(86_400)
            [found] = await resume_due(nl, store, {"k": given()})

        assert len(bench.emulator.campaigns) == 1
        assert bench.emulator.count("submit_campaign") == 1
    assert (held.state, held.step, held.error) == ("held", "submit", "OutcomeUnknown")
    assert early == ()
    assert isinstance(late.error, OutcomeUnknown)
    assert found.outcome is not None


async def test_run_that_fails_does_not_stop_the_others(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Its error is returned and logged, without any contact."""
    keys = ["a", "b", "c", "d"]
    async with connected() as bench:
        for key in keys:
            await interrupt(bench, store, key)

        async def input_of(run: RunState) -> dict[str, Any] | None:
            match run.send_key:
                case "a":
                    raise LookupError("user0@example.com")
                case "b":
                    return given("b", rows=4)  # not what it was begun with
                case "c":
                    return None
                case _:
                    return given("d")

        async with worker(bench, store) as nl:
            with caplog.at_level(logging.INFO, "newsleopard_async"):
                resumed = await resume_due(nl, store, input_of)
        states = await runs(store, now=bench.clock.now())

        assert len(bench.emulator.campaigns) == 1
    ended = [(each.run.send_key, type(each.error), each.outcome is None) for each in resumed]
    assert ended == [
        ("a", LookupError, True),
        ("b", InvalidRequest, True),
        ("d", type(None), False),
    ]
    assert [run.state for run in states] == ["interrupted", "interrupted", "interrupted", "done"]
    assert "the run 'a' ended with LookupError" in caplog.text
    assert "the run 'b' ended with InvalidRequest: send_key: was made for other" in caplog.text
    assert "user0@" not in caplog.text


async def test_run_that_another_worker_has_finished_meanwhile_gives_its_outcome(
    store: Store,
) -> None:
    """Two workers that check at the same time send one campaign."""
    async with connected() as bench, worker(bench, store) as nl, worker(bench, store) as other:
        await interrupt(bench, store)
        first: list[ResumedRun] = []

        async def late(run: RunState) -> dict[str, Any]:
            first.extend(await resume_due(other, store, {"k": given()}))
            return given()

        [second] = await resume_due(nl, store, late)

        assert len(bench.emulator.campaigns) == 1
    assert second.outcome == first[0].outcome is not None


async def test_run_that_another_worker_has_is_left_to_it(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Another process took it between the check and the call."""
    async with connected() as bench, worker(bench, store) as nl:
        await interrupt(bench, store)

        async def late(run: RunState) -> dict[str, Any]:
            tasks.start_soon(partial(send, bench, store, progress=wait))
            await began.wait()
            return given()

        async def wait(event: Event) -> None:
            if event.step == "get_import":
                began.set()
                await over.wait()

        began, over = anyio.Event(), anyio.Event()
        async with anyio.create_task_group() as tasks:
            with caplog.at_level(logging.INFO, "newsleopard_async"):
                resumed = await resume_due(nl, store, late)
            running = await runs(store, now=bench.clock.now())
            over.set()

        assert len(bench.emulator.campaigns) == 1
    assert resumed == ()
    assert [run.state for run in running] == ["running"]
    assert "is left to another process" in caplog.text


async def test_run_of_another_account_is_left_alone(store: Store) -> None:
    """Programs of one user can share a store, each with its own key."""
    async with connected() as bench:
        await interrupt(bench, store)
        async with worker(bench, store, "another-key") as nl:
            assert await resume_due(nl, store, {"k": given()}) == ()
        assert [run.state async for run in runs(store)] == ["interrupted"]


async def test_run_that_cannot_be_read_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """It must not look as if no run was due."""
    store = MemoryStore()
    async with connected() as bench, worker(bench, store) as nl:
        await store.save("k", {"version": 99}, None)
        assert await resume_due(nl, store, {"k": given()}) == ()

    assert "the run 'k' cannot be resumed: checkpoint: has version 99" in caplog.text


async def test_runs_are_in_the_store_that_is_named(store: Store) -> None:
    """A client with another store resumes the runs of this store."""
    async with connected() as bench:
        await interrupt(bench, store)
        other = MemoryStore()
        async with worker(bench, other) as nl:
            [resumed] = await resume_due(nl, store, {"k": given()})

    assert resumed.error is None
    assert other.kept == {}


async def test_cancelled_worker_stops_and_keeps_the_truth(store: Store) -> None:
    """A submit that is being sent runs to its answer; the runs after it are left for later."""
    async with connected() as bench, worker(bench, store) as nl:
        for key in ("a", "b"):
            await interrupt(bench, store, key)
        with anyio.CancelScope() as scope:

            def input_of(run: RunState) -> dict[str, Any]:
                def stop(event: Event) -> None:
                    if event.step == "submit":
                        scope.cancel()

                return given(run.send_key) | {"progress": stop}

            await resume_due(nl, store, input_of)

        assert scope.cancelled_caught
        states = {run.send_key: run async for run in runs(store, now=bench.clock.now())}
        assert len(bench.emulator.campaigns) == int(states["a"].campaign_sn is not None)
        resumed = await resume_due(nl, store, {"a": given("a"), "b": given("b")})

        assert [each.error for each in resumed] == [None, None]
        assert len(bench.emulator.campaigns) == 2
    assert states["b"].state == "interrupted"


@pytest.mark.parametrize("pipeline", ["send_once", "trigger_automation"])
async def test_each_pipeline_with_a_send_key_is_resumed(pipeline: str) -> None:
    """The pipeline is the one that the record names."""
    store = MemoryStore()
    work: Any = {
        "send_once": partial(workflows.send_once, campaign=CAMPAIGN, contacts=csv_of(3)),
        "trigger_automation": partial(
            workflows.trigger_automation, workflow=SCRIPT, contacts=csv_of(3)
        ),
    }[pipeline]
    async with connected(**VENDOR) as bench, worker(bench, store) as nl:
        with anyio.CancelScope() as scope:

            def stop(event: Event) -> None:
                if event.step in ("submit_once", "send_event"):
                    scope.cancel()

            await work(nl, send_key="k", progress=stop)
        assert scope.cancelled_caught
        [left] = await runs(store, now=bench.clock.now())
        [resumed] = await resume_due(nl, store, {"k": work.keywords})

    assert left.pipeline == pipeline
    assert resumed.error is None


async def test_person_decides_from_any_worker(store: Store) -> None:
    """A sent campaign is not sent again; an unsent one is sent by the next resume."""
    async with connected() as bench, worker(bench, store) as nl:
        bench.emulator.switch(send_base_s=86_400)
        for key in ("sent", "lost", "left"):
            await hold(bench, store, key)
        sent_sn = CampaignSn(bench.emulator.campaigns[0].sn)

        await resolve(store, "sent", "sent", sent_sn)
        await resolve(store, "lost", "resubmit")
        await resolve(store, "left", "abandon")
        states = {run.send_key: run async for run in runs(store, now=bench.clock.now())}
        resumed = await resume_due(nl, store, lambda run: given(run.send_key))

        assert len(bench.emulator.campaigns) == 4
    assert {key: run.state for key, run in states.items()} == {
        "left": "abandoned",
        "lost": "interrupted",
        "sent": "interrupted",
    }
    assert [(each.run.send_key, each.error) for each in resumed] == [("lost", None), ("sent", None)]
    assert isinstance(resumed[1].outcome, SendOutcome)
    assert resumed[1].outcome.campaign_sn == sent_sn


async def test_decision_about_nothing_is_refused(store: Store) -> None:
    """The run does not exist, there is nothing to decide, or the decision is not valid."""
    async with connected() as bench:
        await send(bench, store)
    wrong: Any = "send"

    with pytest.raises(InvalidRequest, match="no checkpoint"):
        await resolve(store, "other", "abandon")
    with pytest.raises(InvalidRequest, match="no submit"):
        await resolve(store, "k", "resubmit")
    with pytest.raises(InvalidRequest, match="must be resubmit"):
        await resolve(store, "k", wrong)
    with pytest.raises(InvalidRequest, match="store"):
        await resolve(wrong, "k", "abandon")


@pytest.mark.parametrize("inputs", [None, ["k"], CAMPAIGN])
async def test_what_are_no_inputs_is_refused(inputs: Any) -> None:
    """Before anything is read."""
    async with connected() as bench:
        with pytest.raises(InvalidRequest, match="inputs"):
            await resume_due(bench.nl, MemoryStore(), inputs)


async def test_error_that_is_returned_holds_no_contact() -> None:
    """Its frames are printed by reporters of errors."""
    store = MemoryStore()
    async with connected() as bench, worker(bench, store) as nl:
        await interrupt(bench, store)
        [resumed] = await resume_due(nl, store, {"k": given(rows=4)})

    assert resumed.error is not None
    frame = resumed.error.__traceback__
    while frame is not None:
        if "newsleopard_async" in frame.tb_frame.f_code.co_filename:
            assert "user3@" not in repr(frame.tb_frame.f_locals)
        frame = frame.tb_next
