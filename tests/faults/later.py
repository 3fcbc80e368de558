"""The pipelines of the later endpoints, as a user would call them, and what must be so after them.

The platform is that of the vendor's notes. Some run once more on the platform of the published
documentation, which has no such endpoint.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import anyio
import attrs

from newsleopard_async import CampaignSn, Mailing, NewsLeopard, workflows
from tests.constants import CAMPAIGN, SUBJECT_TEST
from tests.faults.pipelines import BY_NAME, SCHEDULED, Pipeline
from tests.faults.world import FEW, MANY, World, addresses, csv_of

__all__ = [
    "CALL_OFF",
    "FROM_REPORTS",
    "LATER",
    "LATER_BY_NAME",
    "TO_CALL_OFF",
    "submit_slowly",
    "told",
]


def on_the_notes(pipeline: Pipeline) -> Pipeline:
    """Let a pipeline run on the platform of the vendor's notes."""
    prepare = pipeline.prepare

    def prepare_there(at: World) -> None:
        at.follow_the_notes()
        prepare(at)

    return attrs.evolve(pipeline, prepare=prepare_there)


# Watching


def submit_to_list(at: World, rows: int = FEW) -> None:
    """Let there be a campaign that was just submitted."""
    at.add_list(rows)
    ready = attrs.evolve(CAMPAIGN, lists=(at.sn,))

    async def send() -> str:
        async with at.client() as nl:
            return await nl.campaigns.submit(ready)

    at.sn = anyio.run(send)
    at.submitted_before = 1


def judge_complete(at: World, story: Any) -> None:
    """The requested campaign is sent, and the platform reports it."""
    assert story.result.sn == at.sn
    [campaign] = at.emulator.campaigns
    assert campaign.state(at.clock.now()) == str(story.result.state) == "COMPLETE"


def waiting(nl: NewsLeopard, at: World) -> Any:
    """Wait for a campaign."""
    return workflows.wait_for_campaign(nl, at.sn, checkpoint=at.checkpoint)


_WAIT: Final = Pipeline("wait", waiting, prepare=submit_to_list, judge=judge_complete)


def sending(**options: Any) -> Callable[[NewsLeopard, World], Any]:
    """Send a campaign to a list."""

    def run(nl: NewsLeopard, at: World) -> Any:
        ready = attrs.evolve(CAMPAIGN, lists=(at.sn,))
        return workflows.send_campaign(nl, ready, checkpoint=at.checkpoint, **options)

    return run


def judge_sent(at: World, story: Any) -> None:
    """The result has the end that was waited for."""
    assert story.result.status.sn == story.result.campaign_sn
    assert story.result.status.state == "COMPLETE"


_HOLD: Final = timedelta(minutes=10)


def judge_held(at: World, story: Any) -> None:
    """Whenever it was submitted, there was time to take it back."""
    [campaign] = at.emulator.campaigns
    assert campaign.begins - campaign.accepted > _HOLD * 0.7


_SENT: Final = Pipeline(
    "send-and-wait", sending(wait="sent"), recipients=FEW, prepare=World.add_list, judge=judge_sent
)
_HELD: Final = Pipeline(
    "send-held", sending(hold=_HOLD), recipients=FEW, prepare=World.add_list, judge=judge_held
)

# Calling off


def submit_slowly(at: World) -> None:
    """Let there be a campaign that is in the middle of being sent."""
    at.emulator.switch(mails_per_s=1e-4)
    submit_to_list(at, MANY)
    at.clock.advance(MANY * 500)


def send_slowly(at: World) -> None:
    """Let there be a campaign that a run with a checkpoint has submitted, and that is sent."""
    at.emulator.switch(mails_per_s=1e-4)
    at.add_list(MANY)

    async def send() -> str:
        async with at.client() as nl:
            outcome = await sending()(nl, at)
            return str(outcome.campaign_sn)

    at.sn = anyio.run(send)
    at.submitted_before = 1
    at.clock.advance(MANY * 500)


def judge_stopped(at: World, story: Any) -> None:
    """Some mails are out, and no more will be."""
    out = len(at.emulator.outbox)
    at.clock.advance(2 * 86_400)
    assert 0 < out == len(at.emulator.outbox) < MANY
    assert story.result.campaign_sn == at.sn
    [campaign] = at.emulator.campaigns
    assert campaign.state(at.clock.now()) == "STOP"


async def leave_it(at: World, checkpoint: workflows.Checkpoint) -> None:
    """Decide nothing: a caller calls the campaign off again."""


def calling_off(nl: NewsLeopard, at: World) -> Any:
    """Call a campaign off by its code."""
    return workflows.call_off(nl, at.sn)


def calling_off_run(nl: NewsLeopard, at: World) -> Any:
    """Call off what a run has submitted."""
    return workflows.call_off(nl, checkpoint=at.checkpoint)


def _stopping(name: str, run: Callable[[NewsLeopard, World], Any], prepare: Any) -> Pipeline:
    return Pipeline(
        name, run, prepare=prepare, judge=judge_stopped, decide=leave_it, is_alike=False
    )


async def give_up_or_find(at: World, checkpoint: workflows.Checkpoint) -> None:
    """Search for the marker among all campaigns, and do nothing if it is missing."""
    there = [CampaignSn(each.sn) for each in at.emulator.campaigns if checkpoint.token in each.name]
    await checkpoint.resolve(*(("sent", there[0]) if there else ("abandon",)))


CALL_OFF: Final = attrs.evolve(
    _stopping("call-off-failed", calling_off_run, lambda _: None), decide=give_up_or_find
)
"""Calls off what a run has left behind."""


def send_slowly_from_now_on(at: World) -> None:
    """Let a campaign be in the middle of being sent for days."""
    at.emulator.switch(mails_per_s=1e-5)


TO_CALL_OFF: Final = (
    on_the_notes(_HELD),
    on_the_notes(attrs.evolve(BY_NAME["send-text"], prepare=send_slowly_from_now_on)),
)
"""Runs that fail, and are called off."""

# Sending once


def uploads(at: World) -> int:
    """Count the uploads that the platform took, each of which sends a campaign."""
    return sum(each.uploads for each in at.emulator.campaigns)


def judge_once(at: World, story: Any) -> None:
    """A campaign without an upload is deleted; the one with an upload is sent once."""
    *orphans, campaign = at.emulator.campaigns
    assert all(each.deleted for each in orphans)
    assert campaign.deleted is None
    assert at.emulator.mailings == 1


async def decide_once(at: World, checkpoint: workflows.Checkpoint) -> None:
    """Look for the campaign, and whether it has recipients."""
    there = [CampaignSn(each.sn) for each in at.emulator.campaigns if checkpoint.token in each.name]
    if "upload_once" in checkpoint.records:
        await checkpoint.resolve("sent" if uploads(at) else "resubmit")
    elif there:
        await checkpoint.resolve("sent", there[-1])
    else:
        await checkpoint.resolve("resubmit")


def _once(name: str, mailing: Mailing, *, judge: Any = judge_once, **options: Any) -> Pipeline:
    def run(nl: NewsLeopard, at: World) -> Any:
        return workflows.send_once(nl, mailing, csv_of(FEW), checkpoint=at.checkpoint, **options)

    return Pipeline(name, run, recipients=FEW, count=uploads, judge=judge, decide=decide_once)


def judge_once_and_sent(at: World, story: Any) -> None:
    """Everybody got the one mail of the campaign that was waited for."""
    judge_sent(at, story)
    judge_once(at, story)
    # What cannot be counted does not hide that it is sent.
    assert story.result.recipients in {FEW, None}


# A test mail to oneself


def testing(nl: NewsLeopard, at: World) -> Any:
    """Send a test to a few addresses."""
    return workflows.send_test(nl, CAMPAIGN, to=addresses(FEW), checkpoint=at.checkpoint)


def judge_test(at: World, story: Any) -> None:
    """It is in one list of its own."""
    [made] = at.emulator.lists
    assert sorted(made.members) == addresses(FEW)
    assert made.sn == story.result.import_report.list_sn


_TEST: Final = Pipeline("send-test", testing, recipients=FEW, judge=judge_test)

# Automation


def told(at: World) -> Counter[str]:
    """Count how often the script was told of each address."""
    events = at.emulator.automation_events
    return Counter(each.address for event in events for each in event.recipients)


def judge_told(at: World, story: Any) -> None:
    """The script was told of everybody; of what a person decided the counts are not known."""
    assert told(at).keys() == set(addresses(MANY))
    assert story.result.accepted + story.result.unknown == MANY
    assert not story.result.unknown or story.held


async def decide_told(at: World, checkpoint: workflows.Checkpoint) -> None:
    """Check which batch is in doubt, and whether the script was notified."""
    first = 0 if not checkpoint.records["send_event"].is_done else 100
    is_there = addresses(MANY)[first] in told(at)
    await checkpoint.resolve("sent" if is_there else "resubmit")


def triggering(nl: NewsLeopard, at: World) -> Any:
    """Trigger a script for contacts in two batches."""
    return workflows.trigger_automation(nl, "script", csv_of(MANY), checkpoint=at.checkpoint)


_TRIGGER: Final = Pipeline(
    "trigger",
    triggering,
    count=lambda at: max(told(at).values(), default=0),
    judge=judge_told,
    decide=decide_told,
    is_alike=False,
)

# Numbers


def summarizing(nl: NewsLeopard, at: World) -> Any:
    """Return the outcome of a campaign as numbers."""
    return workflows.summarize(nl, [at.sn], checkpoint=at.checkpoint)


def judge_numbers(at: World, story: Any) -> None:
    """The numbers are those of the platform, or not known; they are never made up."""
    [summary] = story.result
    [campaign] = at.emulator.campaigns
    assert summary.campaign_sn == campaign.sn
    if summary.recipients is not None:
        now = at.clock.now()
        assert (summary.recipients, summary.opened) == (campaign.mails, campaign.count("open", now))


_SUMMARY: Final = Pipeline(
    "summarize", summarizing, prepare=World.add_quiet_campaign, judge=judge_numbers
)

FROM_REPORTS: Final = attrs.evolve(_SUMMARY, name="summary-unoffered", is_alike=False)
"""A summary on a platform without metrics, for a few faults: its export is in the matrix."""

LATER: Final = (
    _TEST,
    on_the_notes(_TRIGGER),
    on_the_notes(_SUMMARY),
    on_the_notes(_once("once", CAMPAIGN)),
    on_the_notes(
        attrs.evolve(
            _once("once-and-wait", CAMPAIGN, judge=judge_once_and_sent, wait="sent", balance=None),
            is_alike=False,
        )
    ),
    on_the_notes(_once("once-later", SCHEDULED)),
    on_the_notes(_once("once-ab", SUBJECT_TEST)),
    on_the_notes(_WAIT),
    on_the_notes(_SENT),
    on_the_notes(_HELD),
    on_the_notes(_stopping("call-off", calling_off, submit_slowly)),
    on_the_notes(_stopping("call-off-run", calling_off_run, send_slowly)),
    # Where there are no later endpoints
    attrs.evolve(_WAIT, name="wait-unoffered"),
    attrs.evolve(_SENT, name="send-unoffered"),
)
"""All of them."""

LATER_BY_NAME: Final = {each.name: each for each in LATER}
