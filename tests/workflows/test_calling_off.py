"""Calling off: pause first, delete if necessary; a failed attempt changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import attrs
import httpx
import pytest

from newsleopard_async import (
    APIError,
    AuthenticationError,
    CampaignSn,
    CampaignStatus,
    ConnectionFailed,
    DeadlineExceeded,
    InUse,
    ListSn,
    NewsLeopard,
    NewsLeopardError,
    NotOffered,
    OutcomeUnknown,
    Polling,
    RateLimits,
    RetryPolicy,
    ServerError,
    UnexpectedResponse,
    with_lists,
    workflows,
)
from newsleopard_async.stores.one_file import OneFile
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.limits.queue import goes_first
from newsleopard_async.workflows import CalledOff, Checkpoint, Event
from newsleopard_async.workflows.fingerprint import Fingerprint
from newsleopard_async.workflows.run_record import StepRecord
from tests.clients import Reply, checkpoint_of, connected, csv_of, refused, scripted
from tests.constants import CAMPAIGN, KEY, LIST_NAME, START
from tests.faults.world import SEND_KEY, RunStore

SN: Final = CampaignSn("402810c26cb86ad7016cb8b2414a0003")
OTHER: Final = CampaignSn("402810c26cb86ad7016cb8b2414a0004")
ONCE: Final = RetryPolicy(max_attempts=1)


def state(word: str, sn: str = SN) -> Reply:
    """Answer with the state of a campaign."""
    return Reply({"sn": sn, "status": word})


def deleted(**lists: list[str]) -> Reply:
    """Answer a deletion."""
    return Reply({"success": [], "sendingCampaign": [], "badCampaigns": [], **lists})


PAUSED: Final = Reply(status=204)
UNKNOWN: Final = Reply({"code": "40007", "message": "無效的 SN"}, status=400)
NOT_NOW: Final = Reply({"code": "40015", "message": "錯誤的傳送資訊"}, status=400)
ABSENT: Final = Reply(status=404)
NO_SUCH: Final = Reply(status=405)
LOST: Final = httpx.ReadError("the reply was lost")
BAD_KEY: Final = Reply({"message": "Forbidden"}, status=403)
FAILED: Final = Reply(status=503)
GONE: Final = deleted(success=[SN])
FOREIGN: Final = Reply("<h1>blocked</h1>", status=403)

ENDS: Final[dict[str, tuple[Sequence[Reply | Exception], str, str | None, str | None]]] = {
    "scheduled": (
        [state("PREPARE_TO_SENT"), PAUSED, state("STOP")],
        "paused",
        "PREPARE_TO_SENT",
        "STOP",
    ),
    "being sent": ([state("SENDING"), PAUSED, state("STOP")], "paused", "SENDING", "STOP"),
    "stops slowly": (
        [state("SENDING"), PAUSED, state("SENDING"), state("STOP")],
        "paused",
        "SENDING",
        "STOP",
    ),
    "of a new state": ([state("RETRYING"), PAUSED, state("STOP")], "paused", "RETRYING", "STOP"),
    "stopped before": ([state("STOP")], "already stopped", "STOP", "STOP"),
    "sent before": ([state("SENT")], "too late", "COMPLETE", "COMPLETE"),
    "failed before": ([state("OVER_LIMIT")], "too late", "OVER_LIMIT", "OVER_LIMIT"),
    "sent meanwhile": (
        [state("SENDING"), PAUSED, state("COMPLETE")],
        "too late",
        "SENDING",
        "COMPLETE",
    ),
    "sent in the meantime, and refused": (
        [state("SENDING"), NOT_NOW, state("COMPLETE")],
        "too late",
        "SENDING",
        "COMPLETE",
    ),
    "paused by an attempt with a lost reply": (
        [state("SENDING"), LOST, NOT_NOW, state("STOP")],
        "paused",
        "SENDING",
        "STOP",
    ),
    "first read fails": ([FAILED, PAUSED, state("STOP")], "paused", None, "STOP"),
    "last read fails": (
        [state("SENDING"), PAUSED, FAILED, state("STOP")],
        "paused",
        "SENDING",
        "STOP",
    ),
    "a read after the pause fails, and it is too late": (
        [state("SENDING"), PAUSED, FAILED, state("COMPLETE")],
        "too late",
        "SENDING",
        "COMPLETE",
    ),
    "all reads after the pause fail": (
        [state("SENDING"), PAUSED, *[FAILED] * 18],
        "paused",
        "SENDING",
        None,
    ),
    "key is refused after the pause": (
        [state("SENDING"), PAUSED, BAD_KEY],
        "paused",
        "SENDING",
        None,
    ),
    "pause is answered by another server": (
        [state("SENDING"), FOREIGN, state("SENDING"), GONE, UNKNOWN],
        "deleted",
        "SENDING",
        None,
    ),
    "unknown at first": ([UNKNOWN, PAUSED, state("STOP")], "paused", None, "STOP"),
    "first read returns another campaign": (
        [state("COMPLETE", OTHER), PAUSED, state("STOP")],
        "paused",
        None,
        "STOP",
    ),
    "state is not offered": ([NO_SUCH, PAUSED], "paused", None, None),
    "state is possibly not offered": ([ABSENT, PAUSED, ABSENT], "paused", None, None),
    "deleted": ([state("DRAFT"), NOT_NOW, state("DRAFT"), GONE, UNKNOWN], "deleted", "DRAFT", None),
    "deleted and still shown": (
        [state("DRAFT"), NOT_NOW, state("DRAFT"), GONE, state("STOP")],
        "deleted",
        "DRAFT",
        "STOP",
    ),
    "deleted unseen": ([ABSENT, NOT_NOW, GONE, ABSENT], "deleted", None, None),
    "deleted by an attempt with a lost reply": (
        [state("DRAFT"), NOT_NOW, state("DRAFT"), LOST, deleted(badCampaigns=[SN]), UNKNOWN],
        "deleted",
        "DRAFT",
        None,
    ),
    "stopped during the deletion": (
        [state("DRAFT"), NOT_NOW, state("DRAFT"), deleted(badCampaigns=[SN]), state("STOP")],
        "paused",
        "DRAFT",
        "STOP",
    ),
}


@pytest.mark.anyio
@pytest.mark.parametrize("case", ENDS)
async def test_campaign_is_paused_or_deleted(case: str) -> None:
    """Pause first; delete if it cannot be paused; a failed read prevents nothing."""
    replies, how, before, after = ENDS[case]
    retry = ONCE if FAILED in replies else None

    async with scripted(*replies, profile="vendor-2026", retry=retry) as script:
        outcome = await workflows.call_off(script.nl, SN)

    found = [each and str(each.state) for each in (outcome.before, outcome.after)]
    assert (outcome.campaign_sn, outcome.how, *found) == (SN, how, before, after)


FAILURES: Final[dict[str, tuple[Sequence[Reply | Exception], type[NewsLeopardError], str]]] = {
    "pausing is not offered": ([state("SENDING"), NO_SUCH], NotOffered, "活動列表"),
    "nothing is offered": ([ABSENT, ABSENT, ABSENT], NotOffered, "活動列表"),
    "key is refused": ([BAD_KEY, BAD_KEY], AuthenticationError, r"\S"),
    "unknown": ([UNKNOWN, UNKNOWN, deleted(badCampaigns=[SN])], APIError, "check the code"),
    "still being sent": (
        [
            state("SENDING"),
            NOT_NOW,
            state("SENDING"),
            deleted(sendingCampaign=[SN]),
            state("SENDING"),
        ],
        APIError,
        "it is being sent.*活動列表",
    ),
    "refused after a loss": (
        [state("SENDING"), LOST, NOT_NOW, state("SENDING"), deleted(), state("SENDING")],
        OutcomeUnknown,
        "state",
    ),
    "all is answered by another server": (
        [state("SENDING"), FOREIGN, state("SENDING"), FOREIGN, state("SENDING")],
        UnexpectedResponse,
        "firewalls",
    ),
    "pause is lost": ([state("SENDING"), LOST, state("SENDING")], ConnectionFailed, r"\S"),
    "pause fails": ([state("SENDING"), FAILED, FAILED], ServerError, r"\S"),
    "deletion is lost": ([ABSENT, NOT_NOW, LOST], ConnectionFailed, r"\S"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("case", FAILURES)
async def test_campaign_that_cannot_be_stopped_is_reported(case: str) -> None:
    """Every error names the way out, and that the campaign is possibly still sending."""
    replies, error, says = FAILURES[case]
    retry = None if case == "refused after a loss" else ONCE

    async with scripted(*replies, profile="vendor-2026", retry=retry) as script:
        with pytest.raises(error, match=says):
            await workflows.call_off(script.nl, SN)


@pytest.mark.anyio
async def test_campaign_that_is_sent_after_the_pause_reaches_the_deadline() -> None:
    """An accepted pause is not mistaken for a stop."""
    polling = Polling(first_s=1, max_s=1, jitter=0, deadline_s=2)
    replies = [state("SENDING"), PAUSED, *[state("SENDING")] * 3]

    async with scripted(*replies, profile="vendor-2026") as script:
        with pytest.raises(DeadlineExceeded, match="SENDING after 2 s") as caught:
            await workflows.call_off(script.nl, SN, polling=polling)

    assert isinstance(caught.value.last, CampaignStatus)


@pytest.mark.anyio
async def test_read_that_hangs_does_not_delay_the_pause() -> None:
    """The first read has ten seconds; then the campaign is paused without it."""
    clock = ManualClock()
    paused_at: list[float] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "PATCH":
            paused_at.append(clock.monotonic())
            return httpx.Response(204)
        await clock.sleep(0 if paused_at else 25)
        return httpx.Response(200, json={"sn": SN, "status": "STOP"})

    began = clock.monotonic()
    async with NewsLeopard(KEY, http_transport=httpx.MockTransport(answer), clock=clock) as nl:
        outcome = await workflows.call_off(nl, SN)

    assert outcome.how == "paused"
    assert [each - began for each in paused_at] == [10]


def record(result: object = None) -> StepRecord:
    """Build the record of a finished step; without a result, of a step in doubt."""
    return StepRecord(state="intent" if result is None else "done", at=START, result=result)


def kept(
    *,
    pipeline: str = "send_campaign",
    store: Any = None,
    send_key: str | None = None,
    **records: StepRecord,
) -> Checkpoint:
    """Build a checkpoint of a run."""
    return Checkpoint(
        pipeline=pipeline,
        input_hash="x",
        token="aabbccdd",
        records=records,
        store=store,
        send_key=send_key,
    )


FINISHED: Final = Reply(
    [{"sn": SN, "name": "週年慶 [nl-aabbccdd]", "sentBeginDate": "2026-01-05T02:00:00Z"}]
)
NONE_FINISHED: Final = Reply([])


@pytest.mark.anyio
async def test_submitted_campaign_is_stopped_while_its_run_continues(tmp_path: Path) -> None:
    """A run that waits until its campaign is sent keeps the checkpoint, and is called off."""
    path = tmp_path / "run.json"
    own = kept(submit=record(SN), store=OneFile(path))

    async with (
        own.in_use(),
        scripted(state("SENDING"), PAUSED, state("STOP"), profile="vendor-2026") as script,
    ):
        await own.abandon()
        before = path.read_bytes()
        outcome = await workflows.call_off(script.nl, checkpoint=path)
        await own.put("submit", record(SN))

    assert (outcome.campaign_sn, outcome.how) == (SN, "paused")
    assert before == path.read_bytes()


@pytest.mark.anyio
@pytest.mark.parametrize("records", [{}, {"create_list": record("list")}])
async def test_what_was_not_submitted_never_will_be(records: Any, tmp_path: Path) -> None:
    """The checkpoint is abandoned, and a repeated call returns the same."""
    path = tmp_path / "run.json"
    given = kept(store=OneFile(path), **records)
    async with given.in_use():
        await given.put("create_list", record("list"))

    async with scripted() as script:
        for _ in range(2):
            assert await workflows.call_off(script.nl, checkpoint=path) == CalledOff(
                how="never submitted"
            )
        async with refused(script.wire, ("checkpoint", "abandoned")):
            await workflows.send_campaign(
                script.nl, with_lists(CAMPAIGN, [ListSn("a")]), checkpoint=path
            )


@pytest.mark.anyio
async def test_mark_that_cannot_be_stored_does_not_count() -> None:
    """The outcome "never submitted" is returned only if it is certain."""
    store = RunStore(fail_when=lambda data: data["abandoned"])
    store.put(kept(send_key=SEND_KEY).to_dict())
    given = await Checkpoint.load(store, SEND_KEY)

    async with scripted() as script:
        with pytest.raises(RuntimeError, match="away"):
            await workflows.call_off(script.nl, checkpoint=given)

    assert not given.abandoned


@pytest.mark.anyio
async def test_run_that_has_not_submitted_is_to_be_stopped_first() -> None:
    """The run that holds the checkpoint can submit at any moment, so nothing is certain."""
    own = kept()

    async with own.in_use(), scripted() as script:
        with pytest.raises(InUse, match="stop that run") as caught:
            await workflows.call_off(script.nl, checkpoint=own)

    assert checkpoint_of(caught.value) is own
    assert not own.abandoned


@pytest.mark.anyio
async def test_submit_of_a_running_run_is_waited_for() -> None:
    """A reply that arrives in time decides; without one, the caller must stop the run."""
    own = kept(submit=record())
    events: list[Event] = []

    def answer(event: Event) -> None:
        events.append(event)
        if event.step == "submit":
            own.know("submit", record(SN))

    async with own.in_use(), scripted(state("STOP"), profile="vendor-2026") as script:
        outcome = await workflows.call_off(script.nl, checkpoint=own, progress=answer)
        own.know("submit", record())
        with pytest.raises(InUse, match="stop that run"):
            await workflows.call_off(script.nl, checkpoint=own)

    assert (outcome.campaign_sn, outcome.how) == (SN, "already stopped")
    assert [each.state for each in events if each.step == "submit"] == ["waiting"]


@pytest.mark.anyio
@pytest.mark.parametrize("finished", [FINISHED, NONE_FINISHED, FAILED])
async def test_submit_in_doubt_is_looked_up(finished: Reply) -> None:
    """It is found by its marker, or a person must check; it is never reported as stopped."""
    given = kept(submit=record())

    async with scripted(
        finished,
        *[state("COMPLETE")] * (finished is FINISHED),
        profile="vendor-2026",
        retry=ONCE,
    ) as script:
        if finished is FINISHED:
            outcome = await workflows.call_off(script.nl, checkpoint=given)
            assert (outcome.campaign_sn, outcome.how) == (SN, "too late")
            assert given.records["submit"].result == SN
            return
        with pytest.raises(OutcomeUnknown, match=r"\[nl-aabbccdd\].*活動列表") as caught:
            await workflows.call_off(script.nl, checkpoint=given)

    assert caught.value.look_again_at == START + timedelta(seconds=30)
    assert ("ServerError" in str(caught.value)) == (finished is FAILED)
    await checkpoint_of(caught.value).resolve("abandon")


@pytest.mark.anyio
@pytest.mark.parametrize("marker", ["a mark of mine", None])
async def test_marker_that_is_not_in_the_name_is_not_searched_for(marker: str | None) -> None:
    """The error must not name a marker that is in no campaign's name."""
    given = kept(submit=record())
    given.input_parts = dict(Fingerprint.of(marker=marker).parts)

    async with scripted() as script:
        with pytest.raises(OutcomeUnknown, match="Search for the campaign's name") as caught:
            await workflows.call_off(script.nl, checkpoint=given)

    assert "[nl-" not in str(caught.value)


@pytest.mark.anyio
async def test_store_that_fails_does_not_keep_a_campaign_going() -> None:
    """A campaign that is found is called off, even if the store fails."""
    held = kept(submit=record(), send_key=SEND_KEY)
    held.input_parts = dict(Fingerprint.of(marker=True).parts)
    store = RunStore(fail_when=lambda _: True)
    store.put(held.to_dict())

    replies = [FINISHED, state("SENDING"), PAUSED, state("STOP"), FINISHED]
    async with scripted(*replies) as script:
        outcome = await workflows.call_off(
            script.nl, checkpoint=await Checkpoint.load(store, SEND_KEY)
        )

    assert outcome.how == "paused"


@pytest.mark.anyio
@pytest.mark.parametrize("is_uploaded", [False, True])
async def test_campaign_of_once_is_stopped_whether_or_not_it_was_uploaded(
    is_uploaded: bool,
) -> None:
    """A campaign without its upload is also stopped, and its run is abandoned."""
    uploaded: Any = {"upload_once": record()} if is_uploaded else {}
    given = kept(pipeline="send_once", submit_once=record(SN), **uploaded)

    async with scripted(state("PREPARE"), PAUSED, state("STOP"), profile="vendor-2026") as script:
        outcome = await workflows.call_off(script.nl, checkpoint=given)

    assert (outcome.campaign_sn, outcome.how) == (SN, "paused")
    assert given.abandoned is not is_uploaded


@pytest.mark.anyio
async def test_campaign_of_once_that_may_have_been_made_is_never_uploaded() -> None:
    """Nothing is sent without an upload, and the abandoned run cannot upload."""
    given = kept(pipeline="send_once", submit_once=record())

    async with scripted() as script:
        outcome = await workflows.call_off(script.nl, checkpoint=given)

    assert outcome == CalledOff(how="never submitted")
    assert given.abandoned


@pytest.mark.anyio
async def test_campaign_that_a_run_of_once_makes_meanwhile_is_stopped_too() -> None:
    """Before its upload, a run can prepare another campaign."""
    own = kept(pipeline="send_once", submit_once=record(SN))

    def begin_anew(event: Event) -> None:
        if (event.step, event.state) == ("pause_campaign", "finished"):
            own.know("submit_once", record(OTHER))

    replies = [state("PREPARE"), PAUSED, state("STOP"), state("STOP", OTHER)]
    async with own.in_use(), scripted(*replies, profile="vendor-2026") as script:
        outcome = await workflows.call_off(script.nl, checkpoint=own, progress=begin_anew)

    assert (outcome.campaign_sn, outcome.how) == (OTHER, "already stopped")


@attrs.define
class Changing(RunStore):
    """A store that another run writes to: each load returns the next record."""

    states: list[Any] = attrs.field(factory=list)

    async def load(self, key: str) -> Any:
        """Return the current record."""
        if self.states:
            self.put(self.states.pop(0), key)
        return await super().load(key)


@pytest.mark.anyio
async def test_what_was_submitted_while_the_lock_was_waited_for_is_stopped() -> None:
    """The checkpoint is read again under its lock, because it can have changed."""
    before = kept(send_key=SEND_KEY).to_dict()
    submitted = kept(submit=record(SN), send_key=SEND_KEY).to_dict()
    store = Changing(states=[before, before, submitted])
    given = await Checkpoint.load(store, SEND_KEY)

    async with scripted(state("STOP"), profile="vendor-2026") as script:
        outcome = await workflows.call_off(script.nl, checkpoint=given)

    assert outcome.how == "already stopped"


@pytest.mark.anyio
async def test_what_cannot_be_called_off_is_refused_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    """Exactly one of a code and a checkpoint of a pipeline that submits is allowed."""
    own = kept()
    async with scripted() as script:
        for wrong, problem in (
            ({}, ("campaign_sn", "choice")),
            ({"campaign_sn": SN, "checkpoint": own}, ("campaign_sn", "choice")),
            ({"campaign_sn": CampaignSn("a/b")}, ("campaign_sn", "code")),
            ({"campaign_sn": SN, "polling": 5}, ("polling", "type")),
            ({"checkpoint": tmp_path / "none.json"}, ("checkpoint", "missing")),
            ({"checkpoint": kept(pipeline="export_report")}, ("checkpoint", "pipeline")),
        ):
            options: Any = wrong
            async with refused(script.wire, problem):
                await workflows.call_off(script.nl, **options)


@pytest.mark.anyio
async def test_send_that_is_held_back_can_be_taken_back(tmp_path: Path) -> None:
    """With a hold, every send can be undone by its checkpoint."""
    path = tmp_path / "run.json"
    limits = RateLimits.vendor_2026()
    async with connected(profile="vendor-2026", limits=limits) as bench:
        await workflows.send_campaign(
            bench.nl,
            CAMPAIGN,
            contacts=csv_of(5),
            list_name=LIST_NAME,
            hold=timedelta(minutes=10),
            checkpoint=path,
        )
        outcome = await workflows.call_off(bench.nl, checkpoint=path)
        await bench.clock.sleep(86_400)

    assert outcome.how == "paused"
    assert (len(bench.emulator.outbox), bench.emulator.balance) == (0, 1_000_000)


@pytest.mark.anyio
async def test_everything_goes_before_other_requests() -> None:
    """It does not wait behind a hundred polls, and later requests have no priority."""
    first: list[bool] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        first.append(goes_first.get())
        if request.method == "PATCH":
            return httpx.Response(204)
        return httpx.Response(200, json={"sn": SN, "status": "STOP" if first[1:] else "SENDING"})

    transport = httpx.MockTransport(answer)
    async with NewsLeopard(KEY, http_transport=transport, clock=ManualClock()) as nl:
        await workflows.call_off(nl, SN)

    assert first == [True, True, True]
    assert not goes_first.get()


@pytest.mark.asyncio
@pytest.mark.slow
async def test_send_of_20000_is_stopped_in_the_middle() -> None:
    """The summary contains the sent mails, the unsent mails and the refund."""
    limits = RateLimits.vendor_2026()
    async with connected(profile="vendor-2026", limits=limits) as bench:
        bench.emulator.switch(mails_per_s=100.0)
        before = bench.emulator.balance
        sent = await workflows.send_campaign(
            bench.nl, CAMPAIGN, contacts=csv_of(20_000), list_name=LIST_NAME
        )
        await bench.clock.sleep(100)
        outcome = await workflows.call_off(bench.nl, sent.campaign_sn)
        out = len(bench.emulator.outbox)
        again = await workflows.call_off(bench.nl, sent.campaign_sn)
        await bench.clock.sleep(86_400)
        [summary] = await workflows.summarize(bench.nl, [sent.campaign_sn])
        balance = await bench.nl.account.get_balance()

    assert (outcome.how, again.how) == ("paused", "already stopped")
    assert outcome.before is not None
    assert outcome.before.state == "SENDING"
    assert 0 < out == len(bench.emulator.outbox) < 20_000
    assert summary.recipients == 20_000
    assert summary.delivered is not None
    assert summary.bounced is not None
    assert summary.delivered + summary.bounced == out
    assert balance.mails == before - out
