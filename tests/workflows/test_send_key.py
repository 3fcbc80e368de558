"""A send key names a campaign for all its runs, in any process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from newsleopard_async import (
    CampaignSn,
    ConnectionFailed,
    InvalidRequest,
    NewsLeopard,
    OutcomeUnknown,
    workflows,
)
from newsleopard_async.clock import SystemClock
from newsleopard_async.rehearsal import rehearse
from newsleopard_async.stores import FileStore
from newsleopard_async.workflows import Checkpoint
from newsleopard_async.workflows.run_record import StepRecord, read_run_record
from newsleopard_async.workflows.send_key import marker_of, next_token, sought_marker_of, token_of
from tests.clients import Bench, checkpoint_of, connected, csv_of, refused
from tests.constants import CAMPAIGN, KEY, START
from tests.faults.world import SEND_KEY, RunStore

pytestmark = pytest.mark.anyio

NEW: dict[str, Any] = {"contacts": csv_of(3), "list_name": "會員", "send_key": SEND_KEY}
TOKEN = token_of(SEND_KEY)


async def send(bench: Bench, **options: Any) -> Any:
    """Send the campaign under the key."""
    given = {**NEW, **options}
    return await workflows.send_campaign(bench.nl, given.pop("campaign", CAMPAIGN), **given)


async def send_once(bench: Bench, **options: Any) -> Any:
    """Send it to contacts without a list."""
    return await workflows.send_once(bench.nl, CAMPAIGN, csv_of(3), send_key=SEND_KEY, **options)


async def test_same_key_gives_the_same_outcome_from_any_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default the runs are in a folder of this user, and a repeated call sends no request."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    async with connected() as bench:
        first = await send(bench)
        count = len(bench.emulator.requests)
        transport = bench.emulator.transport()
        async with NewsLeopard(KEY, http_transport=transport, clock=bench.clock) as other:
            second = await workflows.send_campaign(other, CAMPAIGN, **NEW)
        kept = await Checkpoint.load(FileStore(), SEND_KEY)

    assert second == first
    assert len(bench.emulator.requests) == count
    assert (kept.send_key, kept.records["submit"].result) == (SEND_KEY, first.campaign_sn)
    assert bench.emulator.campaigns[0].name == f"{CAMPAIGN.name} [nl-{TOKEN}]"


REFUSED: dict[str, tuple[str, Any, str]] = {
    "nothing": ("required", "", "is empty"),
    "blanks": ("characters", " a", "white space"),
    "line": ("characters", "a\nb", "invisible"),
    "mark": ("characters", "a\u200b", "invisible"),
    "half a character": ("characters", "a\ud800", "invisible"),
    "accent apart": ("characters", "cafe\u0301", "NFC"),
    "ideograph for compatibility": ("characters", "音\uf914會", "NFC"),
    "long": ("length", "a" * 201, "at most 200"),
    "type": ("type", 5, "must be a text"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_key_that_could_be_taken_for_another_is_refused(case: str) -> None:
    """Two texts that look the same must not be two campaigns."""
    rule, key, said = REFUSED[case]
    async with connected(store=RunStore()) as bench:
        with pytest.raises(InvalidRequest, match=said) as caught:
            await send(bench, send_key=key)

    [problem] = caught.value.problems
    assert (problem.field, problem.rule) == ("send_key", rule)
    assert not bench.emulator.requests


async def test_key_and_checkpoint_are_one_too_many(tmp_path: Path) -> None:
    """The run would be stored in two places."""
    async with connected(store=RunStore()) as bench, refused(bench.wire, ("send_key", "choice")):
        await send(bench, checkpoint=tmp_path / "kept.json")


async def test_store_is_not_a_checkpoint() -> None:
    """Over a store without keys and revisions two runs send two campaigns."""

    class Plain:
        async def load(self) -> None: ...
        async def save(self, data: object) -> None: ...

    given: Any
    for given in (Plain(), RunStore()):
        async with connected() as bench:
            with pytest.raises(InvalidRequest, match=r"NewsLeopard\(store=…\).*send_key"):
                await send(bench, send_key=None, checkpoint=given)
    with pytest.raises(InvalidRequest, match="compare"):
        await Checkpoint.load(given.__class__, SEND_KEY)
    with pytest.raises(InvalidRequest, match="no checkpoint exists under 'other' in this store"):
        await Checkpoint.load(RunStore(), "other")


async def test_other_input_pipeline_or_account_is_refused_by_name() -> None:
    """A key belongs to one campaign; the error names the differences."""
    store = RunStore()
    async with connected(store=store) as bench:
        await send(bench)
        count = len(bench.emulator.requests)
        for options, said in (
            ({"campaign": attrs.evolve(CAMPAIGN, subject="另一個")}, "campaign.subject differs"),
            ({"contacts": csv_of(4)}, "contacts differs"),
        ):
            with pytest.raises(InvalidRequest, match=said) as caught:
                await send(bench, **options)
            assert caught.value.problems[0].field == "send_key"
        with pytest.raises(InvalidRequest, match="belongs to send_campaign"):
            await send_once(bench)
        other = attrs.evolve(Checkpoint.read(store.data)._stored(), account="0" * 32)
        store.put(other.to_dict())
        for again in (send(bench), workflows.call_off(bench.nl, send_key=SEND_KEY)):
            with pytest.raises(InvalidRequest, match="another API key or base URL"):
                await again

        assert len(bench.emulator.requests) == count


async def test_key_without_a_submit_can_start_a_new_run() -> None:
    """After the import the contacts are fixed, and nothing was sent."""
    async with connected(store=RunStore()) as bench:
        bench.emulator.not_sent("submit_campaign", times=9)
        with pytest.raises(ConnectionFailed):
            await send(bench)

        with pytest.raises(InvalidRequest, match="another send key to start"):
            await send(bench, contacts=csv_of(4))


async def test_error_of_a_run_resolves_in_the_same_store() -> None:
    """The checkpoint of an error has its store and its key."""
    store = RunStore()
    async with connected(store=store) as bench:
        bench.emulator.not_sent("submit_campaign", times=9)
        with pytest.raises(ConnectionFailed) as caught:
            await send(bench)
        bench.emulator.clear_faults()
        outcome = await send(bench, send_key=None, checkpoint=checkpoint_of(caught.value))

        assert await send(bench) == outcome
    assert bench.emulator.submitted == 1


class ShownByName(str):
    """A text that is displayed as another text, for example a member of an enum."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        """Show a name."""
        return f"Key.ONE{spec}"


def test_token_of_a_key_is_what_it_ever_was() -> None:
    """Marks in the platform's list outlive a version of this library."""
    assert TOKEN == "54d768b3dfcd"
    assert token_of(ShownByName(SEND_KEY)) == TOKEN
    tokens = [TOKEN, next_token(TOKEN), next_token(next_token(TOKEN))]
    assert tokens == [TOKEN, f"{TOKEN}-2", f"{TOKEN}-3"]
    assert {sought_marker_of(each) for each in tokens} == {f"[nl-{TOKEN}"}
    assert all(marker_of(each).startswith(f"[nl-{TOKEN}") for each in tokens)
    assert sought_marker_of("aabbccdd") == marker_of("aabbccdd") == "[nl-aabbccdd]"


async def test_mark_has_a_number_after_a_decision_and_every_number_is_found() -> None:
    """The first campaign can still appear."""
    store = RunStore()
    async with connected(store=store) as bench:
        bench.emulator.drop_request("submit_campaign")
        with pytest.raises(OutcomeUnknown, match="same send key") as caught:
            await send(bench)
        await checkpoint_of(caught.value).resolve("resubmit")
        assert "ended" not in store.data
        await send(bench)
        assert bench.emulator.campaigns[0].name.endswith(f"[nl-{TOKEN}-2]")

        await bench.clock.sleep(3_600)
        store.kept.clear()
        again = await send(bench)

    assert again.campaign_sn == bench.emulator.campaigns[0].sn
    assert bench.emulator.submitted == 1


# Campaigns that were sent by a run without a record

PIPELINES: dict[str, Callable[..., Any]] = {"campaign": send, "once": send_once}


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("wait", ["accepted", "sent"])
async def test_run_without_a_record_finds_the_sent_campaign(
    pipeline: str, wait: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is imported or sent; the log says so, and the key is stored."""
    store, run, events = RunStore(), PIPELINES[pipeline], list[workflows.Event]()
    async with connected(store=store, profile="vendor-2026") as bench:
        first = await run(bench, wait=wait)
        await bench.clock.sleep(3_600)
        store.kept.clear()
        before = len(bench.emulator.requests)
        again = await run(bench, wait=wait, progress=events.append)
        asked = [each.operation for each in bench.emulator.requests[before:]]
        before = len(bench.emulator.requests)
        third = await run(bench, wait="accepted")
        assert len(bench.emulator.requests) == before
        called_off = await workflows.call_off(bench.nl, send_key=SEND_KEY)

    assert again.campaign_sn == third.campaign_sn == first.campaign_sn == called_off.campaign_sn
    assert asked[0] == "list_campaigns"
    assert set(asked) <= {"list_campaigns", "get_metrics"}
    assert (again.status is None) == (wait == "accepted")
    assert bench.emulator.submitted == 1
    assert f"{first.campaign_sn} (" in caplog.text
    assert "nothing is sent now" in caplog.text
    assert [each.step for each in events][-1] in ("find_earlier", "get_metrics")


@pytest.mark.parametrize(
    ("options", "age_days", "looks", "is_found"),
    [
        ({}, 27, 1, True),
        ({}, 40, 1, False),
        ({"marker": "mine"}, 1, 1, True),
        ({"marker": None}, 1, 0, False),
    ],
    ids=["in time", "long ago", "own mark", "no mark"],
)
async def test_reads_before_the_first_write(
    options: dict[str, Any], age_days: int, looks: int, *, is_found: bool
) -> None:
    """One request covers 28 days; a campaign without a marker needs none."""
    store = RunStore()
    async with connected(store=store) as bench:
        await send(bench, **options)
        await bench.clock.sleep(age_days * 86_400)
        store.kept.clear()
        before = bench.emulator.count("list_campaigns")
        await send(bench, if_list_exists="reuse", **options)

    assert bench.emulator.count("list_campaigns") - before == looks
    assert bench.emulator.submitted == (1 if is_found else 2)


async def test_search_that_fails_prevents_the_send() -> None:
    """It possibly exists; the same call searches again, and only then sends."""
    async with connected(store=RunStore()) as bench:
        bench.emulator.not_sent("list_campaigns", times=9)
        with pytest.raises(ConnectionFailed):
            await send(bench)
        assert not bench.emulator.lists
        bench.emulator.clear_faults()

        await send(bench)

    assert bench.emulator.submitted == 1


async def test_other_marker_is_searched_for_again() -> None:
    """A campaign that was not found by one marker can exist under another."""
    store = RunStore()
    async with connected(store=store) as bench:
        await send(bench, marker="mine")
        store.kept.clear()
        bench.emulator.not_sent("submit_campaign", times=9)
        with pytest.raises(ConnectionFailed):
            await send(bench, if_list_exists="reuse")
        bench.emulator.clear_faults()

        await send(bench, if_list_exists="reuse", marker="mine")

    assert bench.emulator.submitted == 1


# Calling off, events, rehearsals


async def test_key_is_called_off_from_another_process() -> None:
    """Before its submit it never will be sent; afterwards it is stopped."""
    store = RunStore()
    async with connected(store=store, profile="vendor-2026") as bench:
        bench.emulator.not_sent("submit_campaign", times=9)
        with pytest.raises(ConnectionFailed):
            await send(bench)
        bench.emulator.clear_faults()

        outcome = await workflows.call_off(bench.nl, send_key=SEND_KEY)
        with pytest.raises(InvalidRequest, match="abandoned") as caught:
            await send(bench)

    assert outcome.how == "never submitted"
    assert caught.value.problems[0].field == "send_key"
    assert bench.emulator.submitted == 0


async def test_events_of_a_key_are_sent_once() -> None:
    """A batch that was sent is not sent again."""
    async with connected(store=RunStore(), profile="vendor-2026") as bench:
        given: Any = {"contacts": csv_of(150), "send_key": SEND_KEY}
        first = await workflows.trigger_automation(bench.nl, "w1", **given)
        again = await workflows.trigger_automation(bench.nl, "w1", **given)

    assert again.accepted == first.accepted
    assert bench.emulator.count("send_event") == 2


async def test_rehearsal_touches_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs the real pipeline, and leaves nothing in the store of real runs."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")

    shown = await rehearse(CAMPAIGN, csv_of(3))

    assert shown.ok
    assert not any(tmp_path.iterdir())


# A decision


@pytest.mark.parametrize(
    ("age_s", "result", "is_refused"),
    [(0, None, True), (64, None, True), (66, None, False), (0, "answered", False)],
)
async def test_resubmit_waits_until_nothing_can_be_on_its_way(
    age_s: float, result: str | None, *, is_refused: bool
) -> None:
    """A stopped process that wakes up after the decision must not send a second campaign."""
    at = SystemClock().now() - timedelta(seconds=age_s)
    held = StepRecord(state="intent", at=at, result=result)
    given = Checkpoint(pipeline="send_campaign", input_hash="x", records={"submit": held})

    if is_refused:
        with pytest.raises(InvalidRequest, match="decide after") as caught:
            await given.resolve("resubmit")
        assert caught.value.problems[0].rule == "too-early"
        await given.resolve("sent", CampaignSn("C1"))
    else:
        await given.resolve("resubmit")
        assert not given.records


# Outcomes that the run that had begun a step has found out in the meantime


@attrs.define
class Reporting(RunStore):
    """A store in which an earlier run reports the outcome of its step after another took over.

    Attributes:
        step: Its step.
        found: The reported record; None if nothing was sent.
    """

    step: str = ""
    found: StepRecord | None = None

    async def load(self, key: str) -> Any:
        """Return the record, with the report after the first save."""
        if self.saves and self.step:
            stored = read_run_record(self.data)
            records = {step: each for step, each in stored.records.items() if step != self.step}
            if self.found is not None:
                records[self.step] = self.found
            self.put(attrs.evolve(stored, records=records).to_dict(), key)
            self.step = ""
        return await super().load(key)


HELD = StepRecord(state="intent", at=START, writer="earlier")
DONE = StepRecord(state="done", at=START, result=None)


@pytest.mark.parametrize("found", [DONE, None], ids=["sent", "not sent"])
async def test_upload_that_was_reported_is_not_held(found: StepRecord | None) -> None:
    """A sent campaign is the outcome; an unsent one is created again."""
    store = Reporting()
    async with connected(store=store, profile="vendor-2026") as bench:
        bench.emulator.drop_request("upload_once")
        with pytest.raises(OutcomeUnknown):
            await send_once(bench)
        stored = read_run_record(store.data)
        store.put(attrs.evolve(stored, records={**stored.records, "upload_once": HELD}).to_dict())
        store.step, store.found, store.saves = "upload_once", found, 0

        outcome = await send_once(bench)

    code = stored.records["submit_once"].result
    assert (outcome.campaign_sn == code) == (found is not None)


async def test_event_that_was_reported_is_not_held() -> None:
    """The run continues with the next batch."""
    store = Reporting()
    async with connected(store=store, profile="vendor-2026") as bench:
        given: Any = {"contacts": csv_of(150), "send_key": SEND_KEY}
        bench.emulator.lose_reply_to("send_event")
        with pytest.raises(OutcomeUnknown):
            await workflows.trigger_automation(bench.nl, "w1", **given)
        store.step, store.saves = "send_event", 0
        store.found = attrs.evolve(DONE, result={"accepted": 100, "refused": 0})
        stored = read_run_record(store.data)
        store.put(attrs.evolve(stored, records={"send_event": HELD}).to_dict())

        outcome = await workflows.trigger_automation(bench.nl, "w1", **given)

    assert outcome.accepted == 150
    assert bench.emulator.count("send_event") == 2


@pytest.mark.parametrize("found", [DONE, None], ids=["done", "taken back"])
async def test_what_a_run_has_found_itself_yields_to_a_result_alone(
    found: StepRecord | None,
) -> None:
    """The answer of the platform counts, even if the store fails."""
    store, mine = Reporting(), attrs.evolve(DONE, result="C1")
    given = Checkpoint(pipeline="send_campaign", input_hash="x", send_key=SEND_KEY)
    store.put(attrs.evolve(given._stored(), records={"submit": HELD}).to_dict())
    kept = await Checkpoint.load(store, SEND_KEY)

    async with kept.in_use():
        await kept.put("create_list", DONE)
        store.step, store.found = "submit", found
        await store.load(SEND_KEY)
        store.fail_when = lambda _: store.saves > 2
        kept.know("get_status", DONE)
        with pytest.raises(RuntimeError, match="away"):
            await kept.put("submit", mine)

    assert kept.records["submit"] == (HELD if found is None else found)
