"""Send a test of a campaign to a few addresses of your own."""

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
"""Chosen: 10 colleagues can read a draft. A call with the whole audience by mistake is refused."""

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
    """Send a campaign now to a few addresses of your own.

    The addresses go into a small list of their own. Its name and the name of the campaign begin
    with ``[test]``. The lists and the schedule of the campaign are left out. The same test to the
    same addresses uses the same list.

    Args:
        nl: The client.
        campaign: The campaign to test. For an A/B test, make a `Campaign` of each version, because
            the platform refuses an A/B test with a few recipients.
        to: One to ten addresses. A `Recipient` has a name and values for the variables of the
            mail. The default name is the part of the address before the ``@``.
        marker: As for `send_campaign`.
        polling: How the import is polled.
        progress: Called with every event; they are the events of ``send_campaign``.
        checkpoint: A path. Run again with it, the test resumes and is never sent twice. Use
            another path than for the real send.
        check: As for `send_campaign`.

    Raises:
        InvalidRequest: the number of addresses is not 1 to 10, or an address or the campaign
            cannot be used. Nothing was sent.
        OutcomeUnknown: the reply to the submit was lost, as for `send_campaign`.
    """
    recipients = tuple(to) if isinstance(to, Iterable) and not isinstance(to, str) else to
    raise_problems([*_problems_of_campaign(campaign), *_problems_of_recipients(recipients)])
    assert isinstance(recipients, tuple)
    records = _records(recipients)
    digest, contacts = _digest(campaign, records), as_source(records)
    # Error reports show the variables of running frames, so addresses are bound to no name.
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
        "a Campaign; for an A/B test, make a Campaign of each version, because the platform "
        "refuses an A/B test with a few recipients",
    )


def _problems_of_recipients(to: object) -> Iterator[Problem]:
    if not isinstance(to, tuple):
        yield wrong_type("to", to, "several addresses, as in to=['me@example.com']")
        return
    if not 0 < len(to) <= _MOST:
        yield Problem("to", "range", f"has {len(to)} addresses; pass 1 to {_MOST}")
    seen: set[str] = set()
    for place, each in enumerate(to[:_MOST]):
        address = each.address if isinstance(each, Recipient) else each
        yield from problems_of_address(f"to[{place}]", address)
        if isinstance(address, str):
            if address.casefold() in seen:
                yield Problem(f"to[{place}]", "duplicate", "is repeated; leave it out")
            seen.add(address.casefold())


def _records(recipients: tuple[str | Recipient, ...]) -> list[dict[str, str]]:
    """Build the contacts, with a column for every variable that a recipient has."""
    people = [each if isinstance(each, Recipient) else Recipient("", each) for each in recipients]
    names = dict.fromkeys(name for each in people for name in each.variables)
    return [
        {
            "EMAIL": each.address,
            "NAME": each.name or each.address.partition("@")[0],
            **{name: each.variables.get(name, "") for name in names},
        }
        for each in people
    ]


def _digest(campaign: Campaign, records: list[dict[str, str]]) -> str:
    """Return a text that differs between tests, so that no list mixes their addresses."""
    text = json.dumps([campaign.to_dict(), records], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
