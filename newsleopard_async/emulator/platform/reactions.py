"""What a test lets a reader do with a mail, in the place of what was drawn for him.

Everything that counts events follows: reports, metrics, the rates of lists, and who is excluded.
A report file that is ready is history, and stays.
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
"""What can become of a mail; ``bounce`` is what its server does, the others are its reader's."""


def react(
    account: Account, email: str, action: Action, now: datetime, *, campaign_sn: str | None
) -> None:
    """Let something become of the latest mail to an address.

    Raises:
        ValueError: there is no such action.
        LookupError: there is no such mail, or it bounced, so that nobody has it.
    """
    if action not in ACTIONS:
        raise ValueError(f"action: {action!r} is none of {', '.join(ACTIONS)}")
    address = folded(email)
    campaign, number, index = _latest(account, address, now, campaign_sn)
    wave = campaign.waves[number]
    done = reading_of(wave, index, now)
    if "bounce" in done and action != "bounce":
        raise LookupError(
            f"the mail to {address} of campaign {campaign.sn} bounced at "
            f"{as_text(done['bounce'])}, so that nobody can read it; set bounce_share=0 before it "
            "is sent"
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
    """Find the latest mail to an address that has gone out: campaign, wave, place in the wave."""
    campaigns = account.campaigns.all
    if campaign_sn is not None and campaign_sn not in campaigns:
        raise LookupError(f"campaign_sn: no campaign {campaign_sn!r} was accepted")
    chosen = campaigns.values() if campaign_sn is None else [campaigns[campaign_sn]]
    mails = [
        (campaign, number, index)
        for campaign in chosen
        for number, wave in enumerate(campaign.waves)
        for index in _places(wave, account.book.number(address))
    ]
    gone = [mail for mail in mails if mail[2] < mail[0].waves[mail[1]].sent(now)]
    if not gone:
        of = "" if campaign_sn is None else f" of campaign {campaign_sn}"
        raise LookupError(f"no mail{of} has gone out to {address}{_why(mails, now)}")
    # Of two that went out at the same instant the one of the later campaign is the latest.
    return max(
        enumerate(gone),
        key=lambda each: (each[1][0].waves[each[1][1]].sent_at(each[1][2]), each[0]),
    )[1]


def _places(wave: Wave, number: int | None) -> Iterator[int]:
    """Yield the place of a contact among the recipients, if he is one."""
    if number is not None and number in wave.recipients.numbers:
        yield wave.recipients.numbers.index(number)


def _why(mails: list[tuple[Campaign, int, int]], now: datetime) -> str:
    """Say why a mail has not gone out."""
    for campaign, number, index in mails:
        wave = campaign.waves[number]
        if index < wave.events.mails:
            due = as_text(wave.sent_at(index))
            return f": it is due at {due}, and the clock stands at {as_text(now)}"
        return f": campaign {campaign.sn} was paused before"
    return "; emulator.outbox has the mails that have"
