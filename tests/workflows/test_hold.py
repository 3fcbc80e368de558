"""A campaign is held after its submit, so it can still be called off."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import attrs
import pytest

from newsleopard_async import InvalidRequest, Mailing, OutcomeUnknown, SendAt, workflows
from newsleopard_async.workflows import SendOutcome
from tests.clients import Bench, connected, csv_of, refused, scripted
from tests.constants import CAMPAIGN, START, SUBJECT_TEST

pytestmark = pytest.mark.anyio

HOLD = timedelta(minutes=10)
DAY = timedelta(days=1)


async def send(bench: Bench, campaign: Mailing = CAMPAIGN, **options: Any) -> SendOutcome:
    """Send to a new list."""
    options.setdefault("hold", HOLD)
    return await workflows.send_campaign(
        bench.nl, campaign, contacts=csv_of(50), list_name="會員", **options
    )


@pytest.mark.parametrize("mailing", [CAMPAIGN, SUBJECT_TEST], ids=["campaign", "test"])
async def test_campaign_goes_out_after_the_hold(mailing: Mailing) -> None:
    """It counts from the submit, after the import, for a campaign and for an A/B test."""
    async with connected() as bench:
        await send(bench, mailing)
        await bench.clock.sleep(HOLD.total_seconds() - 5)
        before = len(bench.emulator.outbox)
        await bench.clock.sleep(60)

        assert before == 0
        assert len(bench.emulator.outbox) > 0


async def test_lost_reply_is_looked_up_after_the_hold(caplog: pytest.LogCaptureFixture) -> None:
    """A resumed run keeps the submitted time, and sends nothing."""
    caplog.set_level(logging.INFO, "newsleopard_async")
    async with connected() as bench:
        bench.emulator.lose_reply_to("submit_campaign")
        with pytest.raises(OutcomeUnknown) as lost:
            await send(bench)
        due = bench.emulator.campaigns[0].due
        await bench.clock.sleep(300)
        with pytest.raises(OutcomeUnknown) as still:
            await send(bench, checkpoint=lost.value.checkpoint)
        await bench.clock.sleep(3_600)
        outcome = await send(bench, checkpoint=lost.value.checkpoint)

        assert bench.emulator.submitted == 1
        assert outcome.campaign_sn == bench.emulator.campaigns[0].sn
    [held] = [each for each in caplog.messages if "is held until" in each]
    assert f"until {due:%Y-%m-%d %H:%M:%S} UTC;" in held
    for error in (lost.value, still.value):
        assert error.look_again_at is not None
        assert timedelta(0) <= error.look_again_at - due <= timedelta(minutes=1)


async def test_hold_begins_again_if_nothing_was_submitted() -> None:
    """A run that failed before the submit and resumes a day later holds from that time."""
    async with connected() as bench:
        bench.emulator.fail("submit_campaign", 400, body=b'{"code":40011,"message":"no"}')
        with pytest.raises(Exception, match="40011") as refusal:
            await send(bench)
        await bench.clock.sleep(86_400)
        await send(bench, checkpoint=refusal.value.checkpoint)  # type: ignore[attr-defined]  # ours

        [campaign] = bench.emulator.campaigns
        assert campaign.due > START + DAY


async def test_hold_may_change_until_the_submit() -> None:
    """After the submit the hold must not change, because the campaign has its time."""
    async with connected() as bench:
        bench.emulator.fail("submit_campaign", 400, body=b'{"code":40011,"message":"no"}')
        with pytest.raises(Exception, match="40011") as refusal:
            await send(bench, hold=None)
        checkpoint = refusal.value.checkpoint  # type: ignore[attr-defined]  # an error of ours
        await send(bench, checkpoint=checkpoint)
        with pytest.raises(InvalidRequest, match="hold differs"):
            await send(bench, checkpoint=checkpoint, hold=2 * HOLD)
        with pytest.raises(InvalidRequest, match="hold differs"):
            await send(bench, checkpoint=checkpoint, hold=None)

        assert bench.emulator.submitted == 1


@pytest.mark.parametrize(("minutes", "warnings"), [(9, 1), (10, 0)])
async def test_short_hold_is_a_warning(
    minutes: int, warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The platform possibly refuses a time that is near (T75)."""
    async with connected() as bench:
        await send(bench, hold=timedelta(minutes=minutes))

    assert len([each for each in caplog.messages if "short-lead" in each]) == warnings


@pytest.mark.parametrize(
    ("hold", "campaign", "problem"),
    [
        (10, CAMPAIGN, ("hold", "type")),
        (timedelta(0), CAMPAIGN, ("hold", "range")),
        (-HOLD, CAMPAIGN, ("hold", "range")),
        (8 * DAY, CAMPAIGN, ("hold", "range")),
        (HOLD, attrs.evolve(CAMPAIGN, schedule=SendAt(START + DAY)), ("hold", "schedule")),
    ],
)
async def test_bad_hold_is_refused(hold: Any, campaign: Mailing, problem: tuple[str, str]) -> None:
    """Nothing is sent, or imported."""
    async with scripted() as script, refused(script.wire, problem):
        await workflows.send_campaign(script.nl, campaign, hold=hold)
