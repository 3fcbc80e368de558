"""A campaign is polled until it is sent, or known not to be."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from newsleopard_async import (
    APIError,
    AuthenticationError,
    CampaignFailed,
    CampaignSn,
    CampaignState,
    CampaignStatus,
    DeadlineExceeded,
    Mailing,
    OutcomeUnknown,
    Polling,
    RetryPolicy,
    SendAt,
    UnexpectedResponse,
    from_plain,
    workflows,
)
from newsleopard_async.workflows import Checkpoint, SendOutcome
from newsleopard_async.workflows.advice import advice_for_campaign
from tests.clients import Bench, Reply, Script, connected, csv_of, refused, scripted
from tests.constants import CAMPAIGN, START, SUBJECT_TEST

pytestmark = pytest.mark.anyio

SN = CampaignSn("c1")
UNKNOWN = Reply({"code": 40007, "message": "無效的SN"}, 400)
NOT_THERE = Reply(b"", 404)
MINUTE = timedelta(minutes=1)


def state(word: str, **fields: Any) -> Reply:
    """Answer with a state of the campaign."""
    return Reply({"sn": SN, "name": "週年慶", "status": word, **fields})


def at(when: datetime) -> str:
    """Write a time in the platform's format."""
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"


def elapsed(script: Script) -> timedelta:
    """Return how much time has passed."""
    return script.clock.now() - START


async def test_campaign_is_polled_until_it_is_sent() -> None:
    """States that are not final are polled, including unknown ones."""
    replies = [state(word) for word in ("PREPARE", "TESTING", "SENDING", "RESTING", "SENT")]
    async with scripted(*replies, profile="vendor-2026") as script:
        status = await workflows.wait_for_campaign(script.nl, SN)

    assert (status.sn, status.state, status.name) == (SN, CampaignState.COMPLETE, "週年慶")


async def test_scheduled_campaign_is_polled_once_before_its_time() -> None:
    """It is polled again at its time, even if the time moves; the deadline counts from then."""
    first, moved = START + timedelta(hours=30), START + timedelta(hours=50)
    early = state("PREPARE", sendTimeType="SCHEDULED", scheduledDate=at(first))
    later = state("PREPARE", sendTimeType="SCHEDULED", scheduledDate=at(moved))
    told: list[tuple[str, timedelta]] = []
    async with scripted(
        early, later, state("PREPARE_TO_SENT", scheduledDate=at(moved)), state("COMPLETE"),
        profile="vendor-2026",
    ) as script:  # fmt: skip
        status = await workflows.wait_for_campaign(
            script.nl,
            SN,
            polling=Polling(deadline_s=60),
            progress=lambda event: told.append((event.state, elapsed(script))),
        )

    assert status.state.is_success
    times = dict.fromkeys(when // timedelta(hours=1) for _, when in told)
    states = [state for state, _ in told]
    assert states == ["started", *["waiting"] * (len(told) - 2), "finished"]
    assert len(script.wire.sent) == 4
    assert list(times) == list(range(51))
    assert timedelta(hours=50) < told[-1][1] < timedelta(hours=50) + MINUTE


async def test_time_that_always_moves_is_not_polled_without_end() -> None:
    """A platform that names a later time in every answer does not disable the deadline."""

    def later(number: int) -> Reply:
        return state("PREPARE", scheduledDate=at(START + (number + 1) * timedelta(hours=2)))

    async with scripted(*map(later, range(13)), profile="vendor-2026") as script:
        with pytest.raises(DeadlineExceeded, match="PREPARE"):
            await workflows.wait_for_campaign(
                script.nl, SN, polling=Polling(first_s=9, deadline_s=9, jitter=0)
            )


async def test_time_that_stands_for_none_is_not_slept_through() -> None:
    """A run must not wait until the end of the calendar."""
    never = state("PREPARE_TO_SENT", scheduledDate="9999-12-31T23:59:59Z")
    async with scripted(*[never] * 3, profile="vendor-2026") as script:
        with pytest.raises(DeadlineExceeded):
            await workflows.wait_for_campaign(
                script.nl, SN, polling=Polling(first_s=9, deadline_s=9, jitter=0)
            )

        assert elapsed(script) == timedelta(seconds=9)


async def test_immediate_campaign_with_a_time_is_polled() -> None:
    """The time of an immediate campaign, or of a campaign that has begun, is not waited for."""
    day = at(START + timedelta(days=1))
    replies = (
        state("PREPARE", sendTimeType="NOW", scheduledDate=day),
        state("SENDING", sendTimeType="SCHEDULED", scheduledDate=day),
        state("COMPLETE"),
    )
    async with scripted(*replies, profile="vendor-2026") as script:
        await workflows.wait_for_campaign(script.nl, SN)

        assert elapsed(script) < MINUTE


FAILURES = sorted(
    word
    for word in CampaignState.known
    if CampaignState(word).is_final and word != CampaignState.COMPLETE
)


@pytest.mark.parametrize("word", FAILURES)
async def test_campaign_that_is_not_sent_is_an_error(word: str) -> None:
    """The error has the status and the advice, and the state is not read again."""
    async with scripted(state(word), profile="vendor-2026") as script:
        with pytest.raises(CampaignFailed) as caught:
            await workflows.wait_for_campaign(script.nl, SN)

    assert caught.value.status.state == word
    assert f"campaign c1 ended as {word}: " in str(caught.value)
    assert "活動列表" in str(caught.value)


async def test_campaign_that_is_sent_at_the_deadline_is_not_a_failure() -> None:
    """The error has the last state, and names it."""
    polling = Polling(first_s=30, jitter=0, factor=1, deadline_s=60)
    replies = [state(word) for word in ("PREPARE", "PREPARE", "SENDING", "SENDING")]
    async with scripted(*replies, profile="vendor-2026") as script:
        with pytest.raises(DeadlineExceeded, match="SENDING") as caught:
            await workflows.wait_for_campaign(script.nl, SN, polling=polling)

    assert isinstance(caught.value.last, CampaignStatus)
    assert caught.value.last.state == CampaignState.SENDING


async def test_campaign_can_be_unknown_for_a_while() -> None:
    """Soon after the submit, a refusal means that the platform does not know it yet."""
    async with scripted(UNKNOWN, UNKNOWN, state("COMPLETE"), profile="vendor-2026") as script:
        status = await workflows.wait_for_campaign(script.nl, SN)

    assert status.state.is_success


async def test_campaign_that_stays_unknown_is_an_error() -> None:
    """After `Polling.grace_s` the refusal is raised; before it, the deadline is."""
    polling = Polling(first_s=30, jitter=0, factor=1, grace_s=20)
    async with scripted(UNKNOWN, UNKNOWN, UNKNOWN, profile="vendor-2026") as script:
        with pytest.raises(APIError) as caught:
            await workflows.wait_for_campaign(script.nl, SN, polling=polling)
    async with scripted(UNKNOWN, UNKNOWN, UNKNOWN, profile="vendor-2026") as script:
        with pytest.raises(DeadlineExceeded, match="never read"):
            await workflows.wait_for_campaign(
                script.nl, SN, polling=Polling(first_s=9, deadline_s=9, jitter=0)
            )

    assert caught.value.code == 40007


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        ([Reply({"sn": "other", "status": "COMPLETE"})], UnexpectedResponse),
        ([Reply({"message": "Forbidden"}, 403)] * 2, AuthenticationError),
    ],
)
async def test_answer_that_decides_nothing_is_raised(replies: list[Reply], error: Any) -> None:
    """The state of another campaign and a refused key do not decide anything."""
    async with scripted(*replies, profile="vendor-2026") as script:
        with pytest.raises(error):
            await workflows.wait_for_campaign(script.nl, SN)


@pytest.mark.parametrize("missing", [NOT_THERE, Reply(b"", 405)])
async def test_without_states_the_finished_campaigns_are_searched(
    missing: Reply,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The state is read once; one line gives the reason; a listed campaign was sent."""
    caplog.set_level("INFO")
    sent = {"sn": SN, "name": "週年慶", "sentBeginDate": at(START), "sentEndDate": at(START)}
    others = Reply([{"sn": "c2", "name": "別的", "sentBeginDate": at(START)}])
    async with scripted(missing, others, Reply([sent]), profile="vendor-2026") as script:
        status = await workflows.wait_for_campaign(script.nl, SN)

        assert len(script.wire.sent) == 3
    assert status.state.is_success
    assert (status.sn, status.name, status.sent_end) == (SN, "週年慶", START)
    assert len([each for each in caplog.messages if "state cannot be read" in each]) == 1


async def test_without_states_a_deadline_says_that_a_failure_is_not_seen() -> None:
    """A missing state must not look like a campaign that is still sending."""
    async with scripted(NOT_THERE, Reply([]), Reply([]), profile="vendor-2026") as script:
        with pytest.raises(DeadlineExceeded, match="not among the finished") as caught:
            await workflows.wait_for_campaign(
                script.nl, SN, polling=Polling(first_s=9, deadline_s=9, jitter=0)
            )

    assert "without a balance" in str(caught.value)
    assert caught.value.last is None


async def test_end_that_was_read_is_not_read_again() -> None:
    """A run that resumes a finished checkpoint returns the same."""
    async with scripted(Reply({"sn": "other", "status": "STOP"}), profile="vendor-2026") as script:
        with pytest.raises(UnexpectedResponse) as caught:
            await workflows.wait_for_campaign(script.nl, SN)
    checkpoint = caught.value.checkpoint
    async with scripted(state("COMPLETE"), profile="vendor-2026") as script:
        first = await workflows.wait_for_campaign(script.nl, SN, checkpoint=checkpoint)
        again = await workflows.wait_for_campaign(script.nl, SN, checkpoint=checkpoint)

    assert isinstance(checkpoint, Checkpoint)
    assert again == first


async def test_bad_argument_is_refused() -> None:
    """An invalid code or polling sends nothing."""
    async with scripted() as script:
        async with refused(script.wire, ("campaign_sn", "required")):
            await workflows.wait_for_campaign(script.nl, CampaignSn(""))
        async with refused(script.wire, ("polling", "type")):
            await workflows.wait_for_campaign(script.nl, SN, polling=5)  # type: ignore[arg-type]  # wrong on purpose


def test_every_failure_has_its_advice() -> None:
    """Every unsuccessful final state has advice."""
    advice = {advice_for_campaign(CampaignState(word)) for word in FAILURES}

    assert len(advice) == len(FAILURES) == 5


async def send(bench: Bench, campaign: Mailing = CAMPAIGN, **options: Any) -> SendOutcome:
    """Send to a new list, and wait until it is sent."""
    return await workflows.send_campaign(
        bench.nl, campaign, contacts=csv_of(50), list_name="會員", wait="sent", **options
    )


PROFILES = ("documented", "vendor-2026")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("campaign", [CAMPAIGN, SUBJECT_TEST], ids=["campaign", "test"])
async def test_send_waits_until_it_is_sent(campaign: Mailing, profile: str) -> None:
    """It waits for the schedule and the wait of an A/B test, beyond the deadline of the polling."""
    later = attrs.evolve(campaign, schedule=SendAt(START + timedelta(days=2)))
    async with connected(profile=profile) as bench:
        polling = Polling(first_s=60, max_s=600, deadline_s=600)
        outcome = await send(bench, later, polling=polling)

        assert len(bench.emulator.outbox) == 50
        took = bench.clock.now() - START
    assert outcome.status is not None
    assert outcome.status.state.is_success
    assert timedelta(days=2) < took < timedelta(days=2, hours=5)
    assert from_plain(SendOutcome, outcome.to_dict()) == outcome


async def test_contacts_are_off_the_disk_while_a_campaign_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait can take days, and needs no contacts."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    seen: list[list[str]] = []
    async with connected(profile="vendor-2026") as bench:
        await send(
            bench,
            progress=lambda event: (
                seen.append([each.name for each in tmp_path.iterdir()])
                if event.step in ("submit", "get_status")
                else None
            ),
        )

    assert seen[0]
    assert seen[-1] == []


async def test_resumed_send_continues_to_wait_and_never_submits_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A run that ended in the wait has the campaign in its checkpoint and in the log."""
    async with connected(profile="vendor-2026") as bench:
        bench.emulator.script_campaign("SENDING")
        with pytest.raises(DeadlineExceeded) as late:
            await send(bench, polling=Polling(deadline_s=60))
        checkpoint = late.value.checkpoint
        accepted = await workflows.send_campaign(
            bench.nl, CAMPAIGN, contacts=csv_of(50), list_name="會員", checkpoint=checkpoint
        )
        with pytest.raises(DeadlineExceeded):
            await send(bench, checkpoint=checkpoint, polling=Polling(deadline_s=60))

        assert bench.emulator.submitted == 1
    assert accepted.status is None
    assert f"campaign {accepted.campaign_sn} was accepted" in caplog.text


async def test_end_that_was_long_ago_is_found() -> None:
    """A lost reply can be searched for days after the campaign was sent, and its end too."""
    async with connected(retry=RetryPolicy(max_attempts=1)) as bench:
        bench.emulator.lose_reply_to("submit_campaign")
        with pytest.raises(OutcomeUnknown) as unknown:
            await send(bench, polling=Polling(deadline_s=60))
        await bench.clock.sleep(5 * 86_400)
        outcome = await send(bench, checkpoint=unknown.value.checkpoint)

    assert outcome.status is not None
    assert outcome.status.state.is_success


async def test_send_that_the_platform_refuses_later_is_an_error() -> None:
    """The status gives the reason; without the wait there is no status."""
    async with connected(profile="vendor-2026") as bench:
        bench.emulator.script_campaign("UNAUTHENTICATED_SENDER")
        with pytest.raises(CampaignFailed, match="寄件人驗證") as caught:
            await send(bench)

        assert caught.value.status.sn == bench.emulator.campaigns[0].sn
        assert not bench.emulator.outbox


async def test_unknown_wait_is_refused() -> None:
    """Only two words are known."""
    async with scripted() as script, refused(script.wire, ("wait", "choice")):
        await workflows.send_campaign(script.nl, CAMPAIGN, wait="read")  # type: ignore[arg-type]  # wrong on purpose
