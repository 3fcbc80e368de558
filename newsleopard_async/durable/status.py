"""The status of a send, from its row in the ledger and from the record of its run."""

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

_RECORD_STATES: Final[Mapping[str, SendState]] = {
    "running": "running",
    "held": "held",
    "checking": "checking",
}
"""States of a run record that count before the state of the row, which changes later or never."""

_WITHOUT_NEXT: Final = frozenset({"running", "done", "cancelled", "abandoned"})
"""The states without a time of the next attempt."""


@attrs.frozen(kw_only=True)
class SendStatus(Plain):
    """The status of a send.

    Attributes:
        send_key: The send key.
        account: The name of the account.
        state: ``scheduled``: its time is in the future. ``queued``: it is due, or a person has
            decided, and no worker has taken it yet. ``running``: a worker runs it. ``waiting``: the
            next attempt follows automatically. ``checking``: it is unknown whether a list was
            created; the next attempt checks it. ``held``: it is unknown whether the campaign was
            submitted; later attempts search for it, or a person decides (`Durable.resolve`).
            ``failed``: a person must make a change, and then start or retry it. ``done``.
            ``cancelled``: nothing was sent, and nothing will be sent. ``abandoned``: a person
            abandoned it while it was in doubt; nothing more will be sent.
        begins_at: The time that the caller set, in UTC; None: immediately.
        next_at: When the next attempt is due, in UTC; None if none follows automatically.
        attempt: The number of the last or the next attempt, from 0.
        step: The last step of the run, as in `RunState`; None if it has not begun.
        part: The part of the contacts in this step, from 1; None if they are not divided.
        campaign_sn: The code of the campaign; None until it is accepted.
        list_sn: The list that was created or found for the contacts.
        import_sn: The last import that was begun.
        error: The class name of the error of the last attempt.
        message: The text of this error, without contacts or API key.
        created_at: When the send was started, in UTC.
        updated_at: When its row or its run record last changed, in UTC.
        outcome: The outcome of the pipeline; None until it has one.
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
        """Whether no attempt follows automatically: it is done, cancelled, abandoned or failed."""
        return self.state in ("done", "cancelled", "abandoned", "failed")

    @property
    def needs_a_person(self) -> bool:
        """Whether it continues only after a person has decided or changed something."""
        return self.state == "failed" or (self.state == "held" and self.next_at is None)


def status_of(row: SendRow, now: datetime) -> SendStatus:
    """Return the status of a send from its row, which contains the record of its run."""
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
        # This includes `InvalidRequest`. An unreadable record must not hide the other sends.
        return None
    return state_of(row.send_key, stored, now)


def _of_run(run: RunState | None, outcome: SendOutcome | None) -> dict[str, Any]:
    names = ("step", "part", "campaign_sn", "list_sn", "import_sn")
    values = {} if run is None else {name: getattr(run, name) for name in names}
    if outcome is not None:
        values["campaign_sn"] = outcome.campaign_sn
    return values


def _state(row: SendRow, run: RunState | None, now: datetime) -> SendState:
    if row.state in ("done", "cancelled", "abandoned"):
        return row.state
    if run is not None and run.state == "abandoned":
        return "abandoned" if row.has_submitted else "cancelled"
    if run is not None and run.state in _RECORD_STATES:
        return _RECORD_STATES[run.state]
    is_due = row.next_at is not None and row.next_at <= now.timestamp()
    if row.state == "scheduled":
        return "queued" if is_due else "scheduled"
    if row.state == "held" and run is not None and run.state == "interrupted":
        # After the row was saved, a person has decided, or the run has stored the outcome.
        return "queued" if is_due else "waiting"
    return row.state


def _updated_at(row: SendRow, run: RunState | None) -> datetime:
    noted = datetime.fromtimestamp(row.updated_at, UTC)
    return noted if run is None or run.updated_at is None else max(noted, run.updated_at)


def _utc(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
