"""Compare the balance with the size of a mailing, just before the submit.

The result is advice. Other programs can send at the same time, and only bounds of the number of
recipients are known, because one contact can be on several lists. The submit decides (40012, T135).
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
"""The HTTP status of the answer that contained the balance."""

_log: Final = Log()


@attrs.frozen(kw_only=True)
class Need:
    """The number of mails that a campaign needs.

    Attributes:
        least: The smallest possible number.
        most: The largest possible number; None if a list is unknown.
    """

    least: int = 0
    most: int | None = None


def problems_of_balance(balance: object) -> Iterator[Problem]:
    """Yield a problem if the value is not a choice for a balance that is too low."""
    if balance not in ("warn", "refuse", None):
        yield Problem("balance", "choice", "must be 'warn' or 'refuse', or None to skip the check")


def need_of(campaign: Mailing, lists: Iterable[ContactList]) -> Need:
    """Return bounds for the size of a campaign, from the subscribers of its lists.

    The least is its largest list without all excluded subscribers. The most is the sum of its
    lists.
    """
    counts = {each.sn: each.subscribed_count for each in lists}
    wanted = [counts.get(sn) for sn in campaign.lists]
    excluded = [counts.get(sn) for sn in campaign.exclude_lists]
    known = [count for count in wanted if count is not None]
    # Any contact could be a member of an excluded list whose size is unknown.
    spared = max(known, default=0) if None in excluded else sum(filter(None, excluded))
    return Need(
        least=max(0, max(known, default=0) - spared),
        most=sum(known) if len(known) == len(wanted) else None,
    )


async def check_balance(
    run: Runner, campaign: Mailing, if_too_low: IfTooLow, *, most: int | None
) -> None:
    """Compare the balance with the size of a campaign; an unknown balance stops nothing.

    Args:
        run: The runner of the pipeline.
        campaign: The campaign that is about to be submitted, with its lists.
        if_too_low: What to do if it is certain that the balance does not cover the campaign.
        most: The largest possible number of recipients, if it is known without the lists.

    Raises:
        InsufficientBalance: the balance does not cover it and the caller chose "refuse"; nothing
            was sent.
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
    _report(run, sentence, if_too_low, recipients=need.least, remaining=balance.mails)


async def check_balance_once(run: Runner, addresses: int, if_too_low: IfTooLow) -> None:
    """Compare the balance with the addresses that are about to be uploaded for a campaign.

    Raises:
        InsufficientBalance: the balance does not cover them and the caller chose "refuse"; nothing
            was sent.
    """
    balance = await run.step(get_balance, None, keep=False)
    if balance is None or balance.mails is None or addresses <= balance.mails:
        return
    sentence = f"the balance is {balance.mails:,} mails, and {addresses:,} addresses would get one"
    _report(run, sentence, if_too_low, recipients=addresses, remaining=balance.mails)


def _report(
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
