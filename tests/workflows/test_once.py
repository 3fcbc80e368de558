"""A campaign goes once to contacts that were uploaded for it, or not at all."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import attrs
import httpx
import pytest

from newsleopard_async import (
    CampaignFailed,
    CampaignSn,
    InsufficientBalance,
    InvalidRequest,
    ListSn,
    Mailing,
    NotOffered,
    OutcomeUnknown,
    RateLimits,
    RetryPolicy,
    SendAt,
    ServerError,
    StorageError,
    with_lists,
    workflows,
)
from newsleopard_async.workflows import Checkpoint, Event, OnceOutcome
from tests.clients import Bench, Reply, Script, checkpoint_of, connected, csv_of, scripted
from tests.constants import CAMPAIGN, MAILINGS, START

pytestmark = pytest.mark.anyio

SN: Final = CampaignSn("402810c26cb86ad7016cb8b2414a0003")
NEW: Final = CampaignSn("402810c26cb86ad7016cb8b2414a0004")
VENDOR: Final[dict[str, Any]] = {"profile": "vendor-2026", "limits": RateLimits.vendor_2026()}
ALONE: Final = RetryPolicy(max_attempts=1)


@pytest.mark.parametrize("mailing", MAILINGS, ids=lambda each: each.plain_kind)
async def test_contacts_are_sent_to_and_kept_nowhere(mailing: Mailing) -> None:
    """One call leads from a file to mails, without a list."""
    async with connected(**VENDOR) as bench:
        outcome = await workflows.send_once(bench.nl, mailing, csv_of(8))
        await bench.clock.sleep(86_400)

    [campaign] = bench.emulator.campaigns
    assert outcome == OnceOutcome(campaign_sn=CampaignSn(campaign.sn), addresses=8)
    assert len({mail.to for mail in bench.emulator.outbox}) == len(bench.emulator.outbox) == 8
    assert (bench.emulator.mailings, bench.emulator.lists) == (1, ())


async def test_schedule_is_kept() -> None:
    """The contacts that are uploaded before the schedule are sent at that time."""
    later = attrs.evolve(CAMPAIGN, schedule=SendAt(START + timedelta(hours=3)))

    async with connected(**VENDOR) as bench:
        await workflows.send_once(bench.nl, later, csv_of(8))
        await bench.clock.sleep(10_000)
        early = len(bench.emulator.outbox)
        await bench.clock.sleep(10_000)

    assert (early, len(bench.emulator.outbox)) == (0, 8)


async def test_url_is_in_no_checkpoint_and_in_no_event(tmp_path: Path) -> None:
    """The record contains no URL to upload to; and a complete run is not repeated."""
    path = tmp_path / "run.json"
    events: list[Event] = []

    async with connected(**VENDOR) as bench:
        first = await workflows.send_once(
            bench.nl, CAMPAIGN, csv_of(8), checkpoint=path, progress=events.append
        )
        count = len(bench.emulator.requests)
        second = await workflows.send_once(bench.nl, CAMPAIGN, csv_of(8), checkpoint=path)

    assert first == second
    assert len(bench.emulator.requests) == count
    said = path.read_text() + json.dumps([each.to_dict() for each in events])
    assert "http" not in said
    assert "contacts.example" not in said
    assert [(each.step, each.result) for each in events if each.state == "finished"][2:] == [
        ("submit_once", first.campaign_sn),
        ("upload_once", None),
    ]


async def send(bench: Bench, checkpoint: Any = None, **options: Any) -> OnceOutcome:
    """Send once, with a client that repeats nothing."""
    return await workflows.send_once(
        bench.nl, CAMPAIGN, csv_of(8), checkpoint=checkpoint, **options
    )


async def test_upload_whose_reply_is_lost_is_looked_up() -> None:
    """The code is known before, and the state shows that it was sent."""
    async with connected(**VENDOR, retry=ALONE) as bench:
        bench.emulator.lose_reply_to("upload_once")
        outcome = await send(bench)
        await bench.clock.sleep(86_400)

    assert outcome.campaign_sn == bench.emulator.campaigns[0].sn
    assert bench.emulator.mailings == 1


async def test_cancelled_upload_names_its_campaign(caplog: pytest.LogCaptureFixture) -> None:
    """It runs until its answer, and the log has the code for the caller who cancelled it."""
    async with connected(**VENDOR) as bench:
        bench.emulator.delay("upload_once", seconds=20)
        with bench.clock.deadline(10) as scope:
            await workflows.send_once(bench.nl, CAMPAIGN, csv_of(8))

    [campaign] = bench.emulator.campaigns
    assert scope.cancelled_caught
    assert f"cancelled while {campaign.sn} was sent" in caplog.text


async def test_upload_that_is_not_seen_is_held_and_never_repeated() -> None:
    """It is polled for a minute, and again by a later run; a person can decide."""
    async with connected(**VENDOR, retry=ALONE) as bench:
        bench.emulator.drop_request("upload_once")
        with pytest.raises(OutcomeUnknown, match=r"its state is PREPARE.*resolve") as caught:
            await send(bench)
        held = checkpoint_of(caught.value)
        assert bench.clock.now() - START >= timedelta(seconds=60)
        assert caught.value.look_again_at == bench.clock.now() + timedelta(seconds=60)
        await bench.clock.sleep(3_600)
        with pytest.raises(OutcomeUnknown) as again:
            await send(bench, held)
        assert again.value.look_again_at is not None
        assert again.value.look_again_at - bench.clock.now() > timedelta(hours=1)
        assert bench.emulator.count("upload_once") == 1

        await held.resolve("resubmit")
        outcome = await send(bench, held)
        await bench.clock.sleep(86_400)

    first, second = bench.emulator.campaigns
    assert (first.deleted is not None, outcome.campaign_sn) == (True, second.sn)
    assert bench.emulator.mailings == 1


async def test_upload_that_a_person_has_seen_is_done() -> None:
    """No request is sent after that."""
    async with connected(**VENDOR, retry=ALONE) as bench:
        bench.emulator.drop_request("upload_once")
        with pytest.raises(OutcomeUnknown) as caught:
            await send(bench)
        held = checkpoint_of(caught.value)
        await held.resolve("sent")
        count = len(bench.emulator.requests)
        outcome = await send(bench, held)

    assert outcome.campaign_sn == bench.emulator.campaigns[0].sn
    assert len(bench.emulator.requests) == count


@pytest.mark.parametrize("is_made", [True, False])
async def test_preparation_whose_reply_is_lost_is_for_a_person_to_decide(is_made: bool) -> None:
    """The prepared campaign is then deleted and created again; one mailing is sent."""
    async with connected(**VENDOR, retry=ALONE) as bench:
        lose = bench.emulator.lose_reply_to if is_made else bench.emulator.drop_request
        lose("submit_once")
        held = None
        for _ in range(2):
            with pytest.raises(OutcomeUnknown, match="should send nothing") as caught:
                await send(bench, held)
            held = checkpoint_of(caught.value)
        assert held is not None
        made = [CampaignSn(each.sn) for each in bench.emulator.campaigns]
        await (held.resolve("sent", made[0]) if is_made else held.resolve("resubmit"))
        await send(bench, held)
        await bench.clock.sleep(86_400)

    assert len(made) == is_made
    assert [each.deleted is not None for each in bench.emulator.campaigns] == [
        *[True] * is_made,
        False,
    ]
    assert bench.emulator.mailings == 1


async def test_refused_upload_is_repeated_by_the_next_run() -> None:
    """The URL is lost with the process: the campaign is deleted, and another one is created."""
    async with connected(**VENDOR, retry=ALONE) as bench:
        bench.emulator.fail("upload_once", 403, body=b"<Error><Code>AccessDenied</Code></Error>")
        with pytest.raises(StorageError) as caught:
            await send(bench)
        outcome = await send(bench, checkpoint_of(caught.value))
        await bench.clock.sleep(86_400)

    first, second = bench.emulator.campaigns
    assert (first.deleted is not None, outcome.campaign_sn) == (True, second.sn)
    assert bench.emulator.mailings == 1


EXPIRED: Final = Reply(
    b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>", status=403
)


def ticket(sn: str = SN) -> Reply:
    """Answer a preparation."""
    return Reply({"sn": sn, "url": "https://s3.amazonaws.com/once.csv?X-Amz-Signature=1"})


def state(word: str, sn: str = SN) -> Reply:
    """Answer with the state of a campaign."""
    return Reply({"sn": sn, "status": word})


def deleted(**lists: list[str]) -> Reply:
    """Answer a deletion."""
    return Reply({"success": [], "sendingCampaign": [], "badCampaigns": [], **lists})


GONE: Final = deleted(success=[SN])
STAYS: Final = deleted(badCampaigns=[SN])
UNKNOWN: Final = Reply({"code": "40007", "message": "無效的 SN"}, status=400)
LOST: Final = httpx.ReadError("the reply was lost")
FAILED: Final = Reply(status=503)
ANEW: Final = (ticket(NEW), Reply())


async def left_behind() -> Checkpoint:
    """End with a refused upload: a campaign exists, and its URL is lost."""
    refusal = Reply(b"<Error><Code>AccessDenied</Code></Error>", status=403)
    async with scripted(ticket(), refusal, profile="vendor-2026") as script:
        with pytest.raises(StorageError) as caught:
            await workflows.send_once(script.nl, CAMPAIGN, csv_of(8), balance=None)
    return checkpoint_of(caught.value)


async def run_again(script: Script, left: Checkpoint) -> OnceOutcome:
    """Send once again, with what an earlier run left."""
    return await workflows.send_once(script.nl, CAMPAIGN, csv_of(8), balance=None, checkpoint=left)


MADE_ANEW: Final[dict[str, Sequence[Reply | Exception]]] = {
    "not sent": [state("PREPARE"), GONE],
    "of an unknown state": [state("QUEUED"), GONE],
    "failed": [state("EMPTY_RECIPIENT"), GONE],
    "state is not known": [UNKNOWN, GONE],
    "state is not offered": [Reply(status=405), GONE],
    "state cannot be read": [FAILED, GONE],
    "deleted by a lost attempt": [state("PREPARE"), LOST, STAYS, UNKNOWN],
}


@pytest.mark.parametrize("case", MADE_ANEW)
async def test_campaign_without_its_upload_is_created_again(case: str) -> None:
    """It is created again only after it was deleted, or is known to be deleted."""
    left, seen = await left_behind(), MADE_ANEW[case]
    retry = ALONE if FAILED in seen else None

    async with scripted(*seen, *ANEW, profile="vendor-2026", retry=retry) as script:
        outcome = await run_again(script, left)

    assert outcome.campaign_sn == NEW
    assert set(left.records) == {"submit_once", "upload_once"}


NOT_MADE_ANEW: Final[dict[str, tuple[Sequence[Reply | Exception], Any, str]]] = {
    "stopped": ([state("STOP")], CampaignFailed, "was stopped before"),
    "not deleted": ([state("PREPARE"), STAYS], OutcomeUnknown, "cannot be deleted.*活動列表"),
    "not deleted after a loss": (
        [state("PREPARE"), LOST, STAYS, state("PREPARE")],
        OutcomeUnknown,
        "cannot be deleted",
    ),
    "deletion is not offered": ([state("PREPARE"), Reply(status=405)], NotOffered, "活動列表"),
}


@pytest.mark.parametrize("case", NOT_MADE_ANEW)
async def test_campaign_that_cannot_be_deleted_is_not_created_again(case: str) -> None:
    """Two campaigns for the same contacts could become two mailings."""
    left = await left_behind()
    replies, error, says = NOT_MADE_ANEW[case]

    async with scripted(*replies, profile="vendor-2026") as script:
        with pytest.raises(error, match=says):
            await run_again(script, left)

    assert left.records["submit_once"].result == SN


async def test_campaign_that_is_sent_without_our_upload_is_not_created_again() -> None:
    """A campaign that is being sent is not deleted, even without an upload of this run."""
    left = await left_behind()

    async with scripted(state("SENDING"), profile="vendor-2026") as script:
        for _ in range(2):
            outcome = await run_again(script, left)
            assert outcome.campaign_sn == SN


async def test_deletion_of_an_earlier_run_counts() -> None:
    """A run that ended between a deletion and its record finds the campaign deleted."""
    left = await left_behind()

    async with scripted(state("PREPARE"), FAILED, profile="vendor-2026", retry=ALONE) as script:
        with pytest.raises(ServerError):
            await run_again(script, left)
    assert left.records["delete_campaigns"].state == "intent"
    async with scripted(UNKNOWN, STAYS, UNKNOWN, *ANEW, profile="vendor-2026") as script:
        outcome = await run_again(script, left)

    assert outcome.campaign_sn == NEW


async def test_deletion_without_its_campaign_is_of_the_past() -> None:
    """The old deletion says nothing about the next campaign."""
    left = await left_behind()
    left.know("delete_campaigns", attrs.evolve(left.records["submit_once"], state="intent"))
    left.know("submit_once", None)

    async with scripted(ticket(), Reply(), profile="vendor-2026") as script:
        await run_again(script, left)

    assert set(left.records) == {"submit_once", "upload_once"}


FINISHED: Final = Reply([{"sn": SN, "name": "x", "sentBeginDate": "2026-01-05T02:00:00Z"}])
SEEN: Final[dict[str, tuple[Sequence[Reply], str]]] = {
    "being sent": ([state("SENDING")], ""),
    "stopped": ([state("STOP")], ""),
    "finished": ([Reply(status=405), FINISHED], ""),
    "nowhere": ([UNKNOWN, Reply([])], "the platform does not know it, and it is not among"),
    "unreadable": ([FAILED, FAILED], r"\(ServerError\), and .* could not be read"),
}


@pytest.mark.parametrize("case", SEEN)
async def test_upload_that_possibly_arrived_is_looked_up(case: str) -> None:
    """By its state, or among the finished campaigns; and nothing is uploaded again."""
    replies, says = SEEN[case]
    left = await left_behind()
    left.know("upload_once", attrs.evolve(left.records["submit_once"], state="intent"))
    later = attrs.evolve(left.records["upload_once"], at=START - timedelta(hours=1), result=None)
    left.know("upload_once", later)

    async with scripted(*replies, profile="vendor-2026", retry=ALONE) as script:
        if not says:
            outcome = await run_again(script, left)
            assert outcome.campaign_sn == SN
            return
        with pytest.raises(OutcomeUnknown, match=says):
            await run_again(script, left)


async def test_url_that_expires_is_replaced_in_the_same_run() -> None:
    """Three campaigns are made at most, and each is deleted before the next."""
    replies = [ticket(), EXPIRED, state("PREPARE"), GONE, *ANEW]
    async with scripted(*replies, profile="vendor-2026") as script:
        outcome = await workflows.send_once(script.nl, CAMPAIGN, csv_of(8), balance=None)
    assert outcome.campaign_sn == NEW

    again = [state("PREPARE"), GONE, ticket(), EXPIRED]
    replies = [ticket(), EXPIRED, *again, *again]
    async with scripted(*replies, profile="vendor-2026") as script:
        with pytest.raises(StorageError, match="403"):
            await workflows.send_once(script.nl, CAMPAIGN, csv_of(8), balance=None)


async def test_end_is_waited_for_and_recipients_are_compared(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Missing recipients are logged: no file of rejected rows exists."""
    async with connected(**VENDOR) as bench:
        outcome = await send(bench, wait="sent")
        bad = csv_of(8) + "absent,誰\n"
        with caplog.at_level(logging.WARNING, "newsleopard_async"):
            fewer = await workflows.send_once(bench.nl, CAMPAIGN, bad, max_rejected=1, wait="sent")

    assert outcome.status is not None
    assert (outcome.status.state, outcome.recipients) == ("COMPLETE", 8)
    assert (fewer.addresses, fewer.recipients) == (8, 8)


@pytest.mark.parametrize(
    ("metrics", "recipients"),
    [
        (Reply([{"campaignSn": SN, "recipientCnt": 5}]), 5),
        (Reply([{"campaignSn": SN, "reportType": "TEST_A", "recipientCnt": 5}]), None),
        (Reply(status=405), None),
    ],
)
async def test_missing_recipients_are_logged(
    metrics: Reply, recipients: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    """An error of the comparison does not hide that the campaign was sent."""
    replies = [ticket(), Reply(), state("COMPLETE"), metrics]
    async with scripted(*replies, profile="vendor-2026") as script:
        with caplog.at_level(logging.WARNING, "newsleopard_async"):
            outcome = await workflows.send_once(
                script.nl, CAMPAIGN, csv_of(8), balance=None, wait="sent"
            )

    assert outcome.recipients == recipients
    assert ("5 recipients, and 8 addresses" in caplog.text) == (recipients is not None)


@pytest.mark.parametrize("balance", [7, 8])
@pytest.mark.parametrize("choice", ["warn", "refuse", None])
async def test_balance_that_does_not_cover_the_addresses_is_reported(
    balance: int, choice: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It warns, or refuses before anything is prepared; the platform decides."""
    text = "the balance is 7 mails, and 8 addresses"
    answers = [Reply({"email": balance}), *ANEW]
    if choice is None:
        answers = [*ANEW]
    elif choice == "refuse" and balance == 7:
        answers = answers[:1]

    async with scripted(*answers, profile="vendor-2026") as script:
        with caplog.at_level(logging.WARNING, "newsleopard_async"):
            sending = workflows.send_once(script.nl, CAMPAIGN, csv_of(8), balance=choice)
            if answers[1:]:
                await sending
            else:
                with pytest.raises(InsufficientBalance, match=text):
                    await sending

    assert (text in caplog.text) == ((balance, choice) == (7, "warn"))


async def test_account_without_it_sends_to_no_list_instead() -> None:
    """Contacts that must not be in a list are never imported as a fallback."""
    async with connected() as bench:
        with pytest.raises(NotOffered):
            await workflows.send_once(bench.unchecked(), CAMPAIGN, csv_of(8))

    assert bench.emulator.contacts == {}
    assert bench.emulator.submitted == 0


async def test_what_cannot_be_sent_once_is_refused_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    """All problems are raised together."""
    past = attrs.evolve(CAMPAIGN, schedule=SendAt(START - timedelta(hours=1)))
    listed: Any = with_lists(past, [ListSn("a")])
    large = "EMAIL,NAME\n" + "".join(
        f"user{number}@example.com,{'名' * 300}\n" for number in range(12_000)
    )
    path = tmp_path / "run.json"

    async with scripted() as script:
        send_once: Any = workflows.send_once
        for given, options, problems in (
            ((listed, csv_of(3) + "absent,誰\n"), {}, {"lists", "contacts", "schedule.when"}),
            ((CAMPAIGN, large), {}, {"contacts"}),
            ((CAMPAIGN, "EMAIL\n"), {"checkpoint": path}, {"contacts"}),
            (("campaign", csv_of(3)), {"check": 1, "strict": 1}, {"campaign", "check", "strict"}),
            ((CAMPAIGN, csv_of(3)), {"wait": "done", "max_rejected": -1}, {"wait", "max_rejected"}),
            ((CAMPAIGN, csv_of(3)), {"polling": 5}, {"polling"}),
            ((CAMPAIGN, csv_of(3)), {"balance": 5}, {"balance"}),
        ):
            with pytest.raises(InvalidRequest) as caught:
                await send_once(script.nl, *given, **options)
            assert problems <= {each.field for each in caught.value.problems}
    assert not path.exists()
