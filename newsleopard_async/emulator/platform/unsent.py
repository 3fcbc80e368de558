"""The reason why no mail was sent, and the way out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import attrs

from newsleopard_async.emulator.platform.addressbook import ContactList
from newsleopard_async.emulator.platform.gateway import RequestRecord
from newsleopard_async.emulator.platform.imports import ImportJob
from newsleopard_async.emulator.platform.mailings import Campaign

__all__ = ["Unsent", "as_text", "last_refused_submit", "why_unsent"]

SUBMITS: Final = ("submit_campaign", "submit_ab_test", "submit_once", "submit_ab_test_once")

FAILURES: Final[Mapping[str, tuple[str, str]]] = {
    "STOP": ("it was paused", "a paused campaign cannot be resumed; submit it again"),
    "EMPTY_RECIPIENT": (
        "it had no subscribed recipient when it was due",
        "import contacts first; emulator.excluded has the addresses that get no mail",
    ),
    "INSUFFICIENT_RECIPIENT_FOR_TESTING": (
        "there were too few recipients for each half of its test",
        "import more contacts, or raise the proportion",
    ),
    "OVER_LIMIT": (
        "the balance, or the free plan, did not cover it",
        "raise emulator.balance before it is due",
    ),
    "UNAUTHENTICATED_SENDER": (
        "its sender was no longer verified when it was due",
        "change the switch verified_senders or denied_domains",
    ),
}
"""The reason and the way out for each state without mails."""


@attrs.frozen
class Unsent:
    """Why no mail was sent.

    Attributes:
        reason: The reason.
        way_out: What the user can do.
    """

    reason: str
    way_out: str


def as_text(at: datetime) -> str:
    """Return an instant as text that a user can compare with the clock."""
    return at.isoformat(" ", "milliseconds").removesuffix("+00:00") + "Z"


def last_refused_submit(requests: Iterable[RequestRecord]) -> RequestRecord | None:
    """Return the last submit, if it was not accepted."""
    submits = [each for each in requests if each.operation in SUBMITS]
    return submits[-1] if submits and submits[-1].status != 200 else None


def why_unsent(
    campaigns: Sequence[Campaign],
    *,
    imports: Iterable[ImportJob],
    lists: Mapping[str, ContactList],
    refused: RequestRecord | None,
    now: datetime,
) -> Unsent:
    """Return why campaigns have not sent a mail; the campaign that was accepted last counts.

    Args:
        campaigns: All campaigns, the oldest first.
        imports: All imports; the contacts of a running one are possibly missing.
        lists: All lists, by their codes.
        refused: The last submit, if it was refused.
        now: The clock's present time.
    """
    running = [job for job in imports if job.result is None]
    if not campaigns:
        return _not_submitted(refused, _imports(running, lists, now))
    campaign = campaigns[-1]
    found = _failed(campaign) or _waiting(campaign, now)
    if campaign.failed == "EMPTY_RECIPIENT":
        into = [job for job in running if job.list_sn in campaign.body.selected]
        found = attrs.evolve(found, reason=found.reason + _imports(into, lists, now))
    others = len(campaigns) - 1
    if others:
        more = f"{others} others have" if others > 1 else "1 other has"
        found = attrs.evolve(found, reason=f"{found.reason}; {more} sent nothing either")
    return found


def _not_submitted(refused: RequestRecord | None, imports: str) -> Unsent:
    if refused is None:
        return Unsent(
            f"no campaign was submitted{imports}",
            "submit one; emulator.requests has the requests so far",
        )
    if refused.status is None:
        ended = f"the fault {refused.fault}" if refused.fault else "no answer yet"
    else:
        ended = f"status {refused.status}"
    return Unsent(
        f"no campaign was accepted: the last submit got {ended}{imports}",
        "read the client's error; a campaign needs a list with contacts",
    )


def _failed(campaign: Campaign) -> Unsent | None:
    """Return why a campaign never sends a mail; None if it will."""
    of = f"campaign {campaign.sn}"
    if campaign.deleted is not None:
        return Unsent(f"{of} was deleted", "submit it again")
    if campaign.failed is None:
        return None
    if campaign.failed == campaign.scripted:
        return Unsent(
            f"{of} is in {campaign.failed}, as script_campaign set",
            "call clear_faults() before you submit it",
        )
    reason, way_out = FAILURES[campaign.failed]
    return Unsent(f"{of} is in {campaign.failed}: {reason}", way_out)


def _waiting(campaign: Campaign, now: datetime) -> Unsent:
    """Return what a campaign waits for before its first mail."""
    of = f"campaign {campaign.sn}"
    if campaign.is_once and campaign.guests is None:
        return Unsent(f"{of} waits for its contacts", "upload them to the URL of its answer")
    if campaign.waves:
        due = min(wave.sent_at(0) for wave in campaign.waves)
        event = "sends its first mail at"
    else:
        due, event = campaign.begins, "is scheduled for"
    return Unsent(
        f"{of} {event} {as_text(due)}, and the clock is at {as_text(now)}",
        f"advance the emulator's clock by {(due - now).total_seconds():,.3f} s",
    )


def _imports(running: Sequence[ImportJob], lists: Mapping[str, ContactList], now: datetime) -> str:
    """Return the running imports, with contacts that a campaign possibly lacks."""
    return "".join(f"; {_import(job, lists, now)}" for job in running)


def _import(job: ImportJob, lists: Mapping[str, ContactList], now: datetime) -> str:
    target = lists.get(job.list_sn) if job.list_sn else None
    into = f"into the list {target.name!r}" if target is not None else "into no list"
    if job.blob is None:
        return f"the import {into} waits for its upload"
    if job.due is None:
        return f"the import {into} is PROCESSING for ever"
    return (
        f"the import {into} is PROCESSING until {as_text(job.due)}, "
        f"and the clock is at {as_text(now)}"
    )
