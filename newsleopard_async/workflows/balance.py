"""Whether the balance covers a mailing, asked just before the submit.

It is advice: others may send at the same time, and how many a campaign goes to is known only
between bounds, since one person may be on several lists. The submit itself decides (40012, T135).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal

import attrs

from newsleopard_async.errors import InsufficientBalance, Problem
from newsleopard_async.log import Log
from newsleopard_async.models import ContactList, Mailing
from newsleopard_async.workflows.campaign_steps import count_subscribers, get_balance
from newsleopard_async.workflows.runner import Runner

__all__ = [
    "IfTooLow",
    "Need",
    "check_balance",
    "check_balance_once",
    "need_of",
    "problems_of_balance",
]

IfTooLow = Literal["warn", "refuse"]

_OK: Final = 200

_log: Final = Log()


@attrs.frozen(kw_only=True)
class Need:
    """How many mails a campaign needs.

    Attributes:
        least: So many at least.
        most: So many at most; None if a list is not known.
    """

    least: int = 0
    most: int | None = None


def problems_of_balance(balance: object) -> Iterator[Problem]:
    """Yield a problem unless it says what to do about a balance that is too low."""
    if balance not in ("warn", "refuse", None):
        yield Problem("balance", "choice", "must be 'warn', 'refuse', or None to ask for none")


def need_of(campaign: Mailing, lists: Iterable[ContactList]) -> Need:
    """Bound what a campaign needs by the subscribers of its lists.

    It goes at least to its largest list without all who are excluded, and at most to all of its
    lists.
    """
    counts = {each.sn: each.subscribed_count for each in lists}
    wanted = [counts.get(sn) for sn in campaign.lists]
    excluded = [counts.get(sn) for sn in campaign.exclude_lists]
    known = [count for count in wanted if count is not None]
    # Of an excluded list that is not known, anybody may be a member.
    spared = max(known, default=0) if None in excluded else sum(filter(None, excluded))
    return Need(
        least=max(0, max(known, default=0) - spared),
        most=sum(known) if len(known) == len(wanted) else None,
    )


async def check_balance(
    run: Runner, campaign: Mailing, if_too_low: IfTooLow, *, most: int | None
) -> None:
    """Compare the balance with what a campaign needs; what is not known stops nothing.

    Args:
        run: Carries it.
        campaign: What is to be submitted, with its lists.
        if_too_low: What to do if it is certain that the balance does not cover it.
        most: How many it goes to at most, if that is known without a look at the lists.

    Raises:
        InsufficientBalance: it does not cover the mailing, and that refuses; nothing was sent.
    """
    balance = await run.step(get_balance, None, keep=False)
    if balance is None or balance.mails is None or (most is not None and most <= balance.mails):
        return
    lists = await run.step(
        count_subscribers, (*campaign.lists, *campaign.exclude_lists), keep=False
    )
    need = need_of(campaign, lists)
    if need.least <= balance.mails:
        return
    most_text = "" if need.most is None else f", and at most {need.most:,}"
    sentence = (
        f"the balance is {balance.mails:,} mails, and the campaign needs at least "
        f"{need.least:,}{most_text}"
    )
    _tell(run, sentence, if_too_low, recipients=need.least, remaining=balance.mails)


async def check_balance_once(run: Runner, addresses: int, if_too_low: IfTooLow) -> None:
    """Compare the balance with the addresses that are to be uploaded for a campaign.

    Raises:
        InsufficientBalance: it does not cover them, and that refuses; nothing was sent.
    """
    balance = await run.step(get_balance, None, keep=False)
    if balance is None or balance.mails is None or addresses <= balance.mails:
        return
    sentence = (
        f"the balance is {balance.mails:,} mails, and {addresses:,} addresses are to be sent to"
    )
    _tell(run, sentence, if_too_low, recipients=addresses, remaining=balance.mails)


def _tell(
    run: Runner, sentence: str, if_too_low: IfTooLow, *, recipients: int, remaining: int
) -> None:
    if if_too_low == "warn":
        _log.warning("%s; the platform decides (40012)", sentence)
        return
    raise InsufficientBalance(
        f"{sentence}; nothing was sent. Top up (儲值), then run it again with the same checkpoint",
        status=_OK,
        recipients=recipients,
        remaining=remaining,
    ).with_request_id(run.request_id(get_balance))
