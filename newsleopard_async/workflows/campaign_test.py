"""Send a campaign to oneself, to see it before others do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from types import EllipsisType
from typing import Final

import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.contacts.sources import as_source
from newsleopard_async.errors import Problem
from newsleopard_async.models import Campaign, Polling, Recipient, SendNow
from newsleopard_async.models.validation import (
    problems_of_address,
    problems_of_type,
    raise_problems,
    wrong_type,
)
from newsleopard_async.workflows.checkpoint import CheckpointLike
from newsleopard_async.workflows.outcomes import SendOutcome
from newsleopard_async.workflows.pipeline import pipeline
from newsleopard_async.workflows.progress import Progress
from newsleopard_async.workflows.sending import send_campaign

__all__ = ["send_test"]

_MOST: Final = 10
"""Chosen: colleagues who read a draft. A slip that gives the whole audience is refused."""

_MARK: Final = "[test]"


@pipeline
async def send_test(
    nl: NewsLeopard,
    campaign: Campaign,
    *,
    to: Iterable[str | Recipient],
    marker: str | EllipsisType | None = ...,
    polling: Polling | None = None,
    progress: Progress | None = None,
    checkpoint: CheckpointLike | None = None,
    check: bool = True,
) -> SendOutcome:
    """Send a campaign at once to a few addresses of your own, and to no others.

    They go into a small list of their own. Its name, and that of the campaign, begin with
    ``[test]``. The lists and the schedule of the campaign are left out. The same test to the same
    addresses uses the same list.

    Args:
        nl: The client.
        campaign: What to test. Of an A/B test, make a `Campaign` of each version: the platform
            refuses one with a few recipients.
        to: One to ten addresses. A `Recipient` has a name and values for the variables of the
            mail; without a name, it is what stands before the ``@``.
        marker: As for `send_campaign`.
        polling: How the import is watched.
        progress: Called with every event; they are those of ``send_campaign``.
        checkpoint: A path; run again with it, the test goes on where it was, and is
            never sent twice. It is not that of the real send.
        check: As for `send_campaign`.

    Raises:
        InvalidRequest: there is no address, or more than ten, or one cannot be used; or the
            campaign cannot. Nothing was sent.
        OutcomeUnknown: the reply to the submit was lost, as for `send_campaign`.
    """
    recipients = tuple(to) if isinstance(to, Iterable) and not isinstance(to, str) else to
    raise_problems([*_problems_of_campaign(campaign), *_problems_of_recipients(recipients)])
    assert isinstance(recipients, tuple)
    records = _records(recipients)
    digest, contacts = _digest(campaign, records), as_source(records)
    # Reporters of errors print the frames that run: what holds addresses is bound to no name.
    del to, recipients, records
    test = attrs.evolve(
        campaign,
        name=f"{_MARK} {campaign.name}",
        lists=(),
        exclude_lists=(),
        schedule=SendNow(),
    )
    return await send_campaign(
        nl,
        test,
        contacts=contacts,
        list_name=f"{test.name} {digest}",
        if_list_exists="reuse",
        marker=marker,
        polling=polling,
        progress=progress,
        checkpoint=checkpoint,
        check=check,
        balance=None,
    )


def _problems_of_campaign(campaign: object) -> Iterator[Problem]:
    yield from problems_of_type(
        "campaign",
        campaign,
        Campaign,
        "a Campaign; of an A/B test, make one of each version, since the platform refuses an A/B "
        "test with a few recipients",
    )


def _problems_of_recipients(to: object) -> Iterator[Problem]:
    if not isinstance(to, tuple):
        yield wrong_type("to", to, "several addresses, as in to=['me@example.com']")
        return
    if not 0 < len(to) <= _MOST:
        yield Problem("to", "range", f"has {len(to)} addresses; give 1 to {_MOST}")
    seen: set[str] = set()
    for place, each in enumerate(to[:_MOST]):
        address = each.address if isinstance(each, Recipient) else each
        yield from problems_of_address(f"to[{place}]", address)
        if isinstance(address, str):
            if address.casefold() in seen:
                yield Problem(f"to[{place}]", "duplicate", "is there already; leave it out")
            seen.add(address.casefold())


def _records(recipients: tuple[str | Recipient, ...]) -> list[dict[str, str]]:
    """Make contacts of the recipients, with every variable that one of them has."""
    given = [each if isinstance(each, Recipient) else Recipient("", each) for each in recipients]
    names = dict.fromkeys(name for each in given for name in each.variables)
    return [
        {
            "EMAIL": each.address,
            "NAME": each.name or each.address.partition("@")[0],
            **{name: each.variables.get(name, "") for name in names},
        }
        for each in given
    ]


def _digest(campaign: Campaign, records: list[dict[str, str]]) -> str:
    """Tell one test from another, so that no list has anybody else's addresses."""
    text = json.dumps([campaign.to_dict(), records], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
