"""Views of campaigns: a row of the table, and the whole campaign with its timeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

import attrs

from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.platform.mailings import Campaign
from newsleopard_async.emulator.platform.waves import EVENT_TYPES
from newsleopard_async.emulator.sandbox.mails import look_view
from newsleopard_async.emulator.sandbox.views import CampaignRow, CampaignView, Moment

__all__ = ["campaign_view", "campaigns"]

KINDS: Final[Mapping[int | None, str]] = {
    None: "regular",
    1: "subject",
    2: "sender",
    3: "content",
}
"""The kind of a campaign, by the number of ``testingOn``."""


def campaigns(account: Account, now: datetime) -> tuple[CampaignRow, ...]:
    """Show the campaigns, the newest first."""
    with account.lock:
        return tuple(_row(each, now) for each in reversed(account.campaigns.all.values()))


def campaign_view(account: Account, campaign_sn: str, now: datetime) -> CampaignView:
    """Show one campaign, even if it is deleted.

    Raises:
        LookupError: the account has no campaign with this code.
    """
    with account.lock:
        found = account.campaigns.all.get(campaign_sn)
        if found is None:
            raise LookupError(f"campaign {campaign_sn!r} does not exist; check the code")
        body = found.body
        letters = "AB" if len(body.variants) > 1 else [""]
        unfilled = found.unknown_placeholders
        return CampaignView(
            **attrs.asdict(_row(found, now), recurse=False),
            timeline=tuple(sorted(_moments(account, found, now), key=lambda each: each.at)),
            selected=body.selected,
            excluded=body.excluded,
            is_once=found.is_once,
            charged=found.charged,
            unfilled=unfilled,
            looks=tuple(
                look_view(look, letter=letter, is_sent=found.winner == letter, unfilled=unfilled)
                for letter, look in zip(letters, body.variants, strict=True)
            ),
            counts_by_variant={
                letter: _counts(found, now, variant=place) for place, letter in enumerate(letters)
            },
        )


def _row(campaign: Campaign, now: datetime) -> CampaignRow:
    return CampaignRow(
        sn=campaign.sn,
        name=campaign.name,
        kind=KINDS[campaign.body.testing_on],
        state=campaign.state(now),
        accepted=campaign.accepted,
        begins=campaign.sent_begin or campaign.begins,
        ended=campaign.ended(now),
        recipients=max(campaign.charged, campaign.mails),
        counts=_counts(campaign, now),
        winner=campaign.winner,
        is_deleted=campaign.deleted is not None,
    )


def _counts(campaign: Campaign, now: datetime, *, variant: int | None = None) -> dict[str, int]:
    return {kind: campaign.count(kind, now, variant=variant) for kind in EVENT_TYPES}


def _moments(account: Account, campaign: Campaign, now: datetime) -> Iterator[Moment]:
    """Yield the past and planned events of a campaign."""
    yield _moment("accepted", campaign.accepted, now)
    if not campaign.is_stopped or campaign.waves:
        yield _moment("begin", campaign.sent_begin or campaign.begins, now)
    decided = next((wave.begin for wave in campaign.waves if wave.part == "WINNING"), None)
    if decided is not None:  # even if the test was deleted after the decision
        yield _moment("decision", decided, now)
    elif campaign.body.testing_on is not None and campaign.waves and not campaign.is_stopped:
        yield _moment("decision", campaign.due, now)
    if campaign.failed == "STOP":
        yield _moment("stop", campaign.changed, now)
    elif campaign.sent_end is not None:
        yield _moment("end", campaign.sent_end, now)
    for export in account.reports.exports.get(campaign.sn, ()):
        yield _moment("export", export.at, now)
    if campaign.deleted is not None:
        yield _moment("delete", campaign.deleted, now)


def _moment(what: str, at: datetime, now: datetime) -> Moment:
    return Moment(what=what, at=at, is_past=at <= now)
