"""``newsleopard status``: shows a campaign and its run, at once or when the campaign is sent."""

from __future__ import annotations

from typing import Any, Final

import attrs

from newsleopard_async import CampaignSn, InUse, InvalidRequest, NewsLeopard, Polling, workflows
from newsleopard_async.cli.display.terminal import write_json
from newsleopard_async.cli.results.known_campaign import (
    KnownCampaign,
    campaign_table,
    read_campaign,
    run_table,
)
from newsleopard_async.cli.runs.campaign_target import CampaignTarget, TargetKind, opened_target
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.models import CampaignStatus

__all__ = ["StatusInput", "show_status", "wait_until_sent"]

_UNTIL_SENT: Final = Polling(deadline_s=604_800.0)
"""Chosen: a week after its time, longer than any sending and any usual wait of an A/B test."""


@attrs.frozen
class StatusInput:
    """What ``newsleopard status`` was given.

    Attributes:
        target: The text of the user.
        kind: What the text is; None to find out.
        url: The URL of the store; None for the profile's.
        wait: Whether to wait until the campaign is sent.
    """

    target: str
    kind: TargetKind | None = None
    url: str | None = None
    wait: bool = False


async def show_status(session: Session, given: StatusInput) -> None:
    """Print the state of a run, then of its campaign.

    The state of the run is printed even if the platform cannot be reached.

    Raises: as `opened_target`, `read_campaign` and `wait_for_campaign`.
        InUse: the run has not submitted a campaign that could be waited for.
        InvalidRequest: as above, and no process runs it.
    """
    async with opened_target(session, given.target, given.kind, given.url) as target:
        if target.run is not None and not session.as_json:
            session.console.print(run_table(target.run, session.commands(given.target, given.url)))
        view: KnownCampaign | None = None
        try:
            if target.campaign_sn is not None:
                async with session.client() as nl:
                    if given.wait:
                        await wait_until_sent(session, nl, target.campaign_sn)
                    view = await read_campaign(nl, target.campaign_sn)
            elif given.wait:
                raise _not_submitted(target)
        finally:
            if session.as_json:
                write_json(_as_data(target, view))
        if view is not None and not session.as_json:
            if target.run is not None:
                session.console.print()
            session.console.print(campaign_table(view))


async def wait_until_sent(
    session: Session, nl: NewsLeopard, campaign_sn: CampaignSn
) -> CampaignStatus:
    """Wait until a campaign is sent, and return its status.

    Raises: as `workflows.wait_for_campaign`.
    """
    with session.pipeline_display() as progress:
        return await workflows.wait_for_campaign(
            nl, campaign_sn, polling=_UNTIL_SENT, progress=progress
        )


def _not_submitted(target: CampaignTarget) -> InUse | InvalidRequest:
    assert target.run is not None
    if target.run.state in ("running", "queued", "scheduled", "waiting"):
        return InUse(_("the run has not submitted its campaign yet"))
    message = _("the run is {state}, and has submitted no campaign that could be waited for")
    return InvalidRequest.of("TARGET", "state", message.format(state=_(target.run.state)))


def _as_data(target: CampaignTarget, view: KnownCampaign | None) -> dict[str, Any]:
    status = None if view is None else view.status
    total = None if view is None else view.total
    return {
        "target": target.kind,
        "campaign_sn": target.campaign_sn,
        "run": None if target.run is None else target.run.to_dict(),
        "campaign": None if status is None else status.to_dict(),
        "metrics": None if total is None else total.to_dict(),
    }
