"""Reactions to a mail that a test sets, instead of the events that were drawn for it.

Reports, metrics, the rates of lists, and the exclusions follow. A report file that is ready does
not change.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final, Literal, get_args

from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.platform.addressbook import folded
from newsleopard_async.emulator.platform.mailings import Campaign, PastWaves
from newsleopard_async.emulator.platform.unsent import as_text
from newsleopard_async.emulator.platform.waves import (
    EXCLUDING_TYPES,
    Wave,
    reading_of,
    types_changed_by,
)

__all__ = ["ACTIONS", "Action", "react"]

Action = Literal["open", "click", "bounce", "unsubscribe", "complain"]
ACTIONS: Final[tuple[str, ...]] = get_args(Action)
"""The reactions; the receiving server bounces a mail, and the reader does the others."""


def react(
    account: Account, email: str, action: Action, now: datetime, *, campaign_sn: str | None
) -> None:
    """Set the reaction to the latest mail that was sent to an address.

    Raises:
        ValueError: the action is unknown.
        LookupError: no mail was sent, or it bounced, so no reader has it.
    """
    if action not in ACTIONS:
        raise ValueError(f"action: must be one of {', '.join(ACTIONS)}, not {action!r}")
    address = folded(email)
    campaign, number, index = _latest(account, address, now, campaign_sn)
    wave = campaign.waves[number]
    done = reading_of(wave, index, now)
    if "bounce" in done and action != "bounce":
        raise LookupError(
            f"the mail to {address} of campaign {campaign.sn} bounced at "
            f"{as_text(done['bounce'])}, so it has no reader; set bounce_share=0 before it is sent"
        )
    if action not in done:
        if account.reports.exports.get(campaign.sn):
            past = PastWaves(
                until=now, changed=types_changed_by(action), waves=tuple(campaign.waves)
            )
            campaign.past.append(past)
        campaign.waves[number] = wave.reacted(index, action, now)
    if action in EXCLUDING_TYPES:
        account.book.exclude(address, now)


def _latest(
    account: Account, address: str, now: datetime, campaign_sn: str | None
) -> tuple[Campaign, int, int]:
    """Return the latest mail that was sent to an address: campaign, wave, index in the wave."""
    campaigns = account.campaigns.all
    if campaign_sn is not None and campaign_sn not in campaigns:
        raise LookupError(
            f"campaign_sn: no campaign {campaign_sn!r} was accepted; see emulator.campaigns"
        )
    chosen = campaigns.values() if campaign_sn is None else [campaigns[campaign_sn]]
    mails = [
        (campaign, number, index)
        for campaign in chosen
        for number, wave in enumerate(campaign.waves)
        for index in _places(wave, account.book.number(address))
    ]
    sent = [mail for mail in mails if mail[2] < mail[0].waves[mail[1]].sent(now)]
    if not sent:
        of = "" if campaign_sn is None else f" of campaign {campaign_sn}"
        raise LookupError(f"no mail{of} was sent to {address}{_why(mails, now)}")
    # If two were sent at the same instant, the mail of the later campaign counts.
    return max(
        enumerate(sent),
        key=lambda each: (each[1][0].waves[each[1][1]].sent_at(each[1][2]), each[0]),
    )[1]


def _places(wave: Wave, number: int | None) -> Iterator[int]:
    """Yield the index of a contact among the recipients, if it is one of them."""
    if number is not None and number in wave.recipients.numbers:
        yield wave.recipients.numbers.index(number)


def _why(mails: list[tuple[Campaign, int, int]], now: datetime) -> str:
    """Return why a mail was not sent, or where the sent mails are."""
    for campaign, number, index in mails:
        wave = campaign.waves[number]
        if index < wave.events.mails:
            due = as_text(wave.sent_at(index))
            return f": it is due at {due}, and the clock is at {as_text(now)}; advance the clock"
        return f": campaign {campaign.sn} was paused before"
    return "; emulator.outbox has the mails that were sent"
