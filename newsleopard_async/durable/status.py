"""What is known of a send: how its last attempt ended, and what the record of its run has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

import attrs

from newsleopard_async.durable.ledger import SendRow
from newsleopard_async.models import CampaignSn, ImportSn, ListSn
from newsleopard_async.plain import Plain, from_plain
from newsleopard_async.workflows.outcomes import SendOutcome
from newsleopard_async.workflows.resuming import RunState, state_of
from newsleopard_async.workflows.run_record import read_run_record

__all__ = ["SendState", "SendStatus", "status_of"]

SendState = Literal[
    "scheduled",
    "queued",
    "running",
    "waiting",
    "checking",
    "held",
    "failed",
    "done",
    "cancelled",
    "abandoned",
]

_OF_THE_RECORD: Final[Mapping[str, SendState]] = {
    "running": "running",
    "held": "held",
    "checking": "checking",
}
"""States that the record of a run has first; the ledger gets them later, or never."""


_WITHOUT_NEXT: Final = frozenset({"running", "done", "cancelled", "abandoned"})
"""The states in which it is not known when the next attempt is due, or none is."""


@attrs.frozen(kw_only=True)
class SendStatus(Plain):
    """What is known of a send.

    Attributes:
        send_key: Its key.
        account: Which account's.
        state: ``scheduled``: its time has not come. ``queued``: it has, or a person has decided
            about it, and no worker has taken it yet. ``running``: a worker has it. ``waiting``: the
            next attempt comes by itself. ``checking``: it is not known whether a list was created;
            the next attempt finds out. ``held``: it is not known whether the campaign was
            submitted; later attempts look for it, or a person decides (`Durable.resolve`).
            ``failed``: something must be changed, and then it is started again or retried.
            ``done``. ``cancelled``: nothing was sent and nothing will be. ``abandoned``: a person
            left it, without an answer to whether it was submitted; nothing more will be sent.
        begins_at: When it was to begin, in UTC; None for at once.
        next_at: When the next attempt is due, in UTC; None if none comes by itself.
        attempt: The number of the last attempt, or of that to come, from 0.
        step: What it was doing last, as in `RunState`; None if nothing is known.
        part: The part of the contacts that the step is about, from 1, if they are divided.
        campaign_sn: The campaign, once it was accepted.
        list_sn: The list that was created or found for the contacts.
        import_sn: The last import that was begun.
        error: The class of the error that the last attempt ended with.
        message: What it said, without any contact or key.
        created_at: When it was started, in UTC.
        updated_at: When something was last noted, in UTC.
        outcome: What the pipeline returned; None before.
    """

    send_key: str
    account: str
    state: SendState
    begins_at: datetime | None = None
    next_at: datetime | None = None
    attempt: int = 0
    step: str | None = None
    part: int | None = None
    campaign_sn: CampaignSn | None = None
    list_sn: ListSn | None = None
    import_sn: ImportSn | None = None
    error: str | None = None
    message: str = ""
    created_at: datetime
    updated_at: datetime
    outcome: SendOutcome | None = None

    @property
    def is_final(self) -> bool:
        """Whether no attempt follows by itself: it is done, cancelled, abandoned or failed."""
        return self.state in ("done", "cancelled", "abandoned", "failed")

    @property
    def needs_a_person(self) -> bool:
        """Whether it goes on only if a person decides or changes something."""
        return self.state == "failed" or (self.state == "held" and self.next_at is None)


def status_of(row: SendRow, now: datetime) -> SendStatus:
    """Say what is known of a send by its row, which has the record of its run."""
    run = _run_of(row, now)
    state = _state(row, run, now)
    outcome = None if row.outcome is None else from_plain(SendOutcome, json.loads(row.outcome))
    is_noted = state in ("waiting", "checking", "held", "failed", "cancelled", "abandoned")
    return SendStatus(
        send_key=row.send_key,
        account=row.account,
        state=state,
        begins_at=_utc(row.begins_at),
        next_at=None if state in _WITHOUT_NEXT else _utc(row.next_at),
        attempt=row.attempt,
        error=row.error if is_noted else None,
        message=row.message if is_noted else "",
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        updated_at=_updated_at(row, run),
        outcome=outcome,
        **_of_run(run, outcome),
    )


def _run_of(row: SendRow, now: datetime) -> RunState | None:
    if row.record is None:
        return None
    try:
        stored = read_run_record(json.loads(row.record))
    except ValueError:
        # `InvalidRequest` as well. One that cannot be read must not hide the others.
        return None
    return state_of(row.send_key, stored, now)


def _of_run(run: RunState | None, outcome: SendOutcome | None) -> dict[str, Any]:
    names = ("step", "part", "campaign_sn", "list_sn", "import_sn")
    known = {} if run is None else {name: getattr(run, name) for name in names}
    if outcome is not None:
        known["campaign_sn"] = outcome.campaign_sn
    return known


def _state(row: SendRow, run: RunState | None, now: datetime) -> SendState:
    if row.state in ("done", "cancelled", "abandoned"):
        return row.state
    if run is not None and run.state == "abandoned":
        return "abandoned" if row.has_submitted else "cancelled"
    if run is not None and run.state in _OF_THE_RECORD:
        return _OF_THE_RECORD[run.state]
    is_due = row.next_at is not None and row.next_at <= now.timestamp()
    if row.state == "scheduled":
        return "queued" if is_due else "scheduled"
    if row.state == "held" and run is not None and run.state == "interrupted":
        # A person has decided since, or the run that was in doubt has reported what became of it.
        return "queued" if is_due else "waiting"
    return row.state


def _updated_at(row: SendRow, run: RunState | None) -> datetime:
    noted = datetime.fromtimestamp(row.updated_at, UTC)
    return noted if run is None or run.updated_at is None else max(noted, run.updated_at)


def _utc(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
