"""The record of a run as it is stored: JSON with a version and a checksum."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import attrs

from newsleopard_async.errors import InvalidRequest
from newsleopard_async.models.codes import problems_of_code
from newsleopard_async.plain import LATER, Plain, from_plain, to_plain

__all__ = [
    "ANSWERED",
    "CREATE",
    "DECISIVE",
    "DELETE",
    "FIND_EARLIER",
    "IMPORTS",
    "LEASE",
    "SEND_EVENT",
    "SUBMIT",
    "SUBMIT_ONCE",
    "UPLOAD_ONCE",
    "VERSION",
    "EndState",
    "RunEnd",
    "RunRecord",
    "StepRecord",
    "checksum",
    "in_doubt",
    "read_run_record",
    "step_of",
    "submits",
]

VERSION: Final = 4
"""Version 2 had no request ids; version 3 did not contain the run that wrote, holds or ended it.
Both are still read. A library that does not know a later version would report it as damaged.
"""

LEASE: Final = timedelta(seconds=20)
"""How long a run holds a record of a store without locks, unless it renews the lease.

Chosen: four renewals (`lease`), so a store that is unreachable for some seconds costs nothing.
After the process of a run has ended, other runs wait for at most 20 s.
"""

ANSWERED: Final = "answered"
"""The result of an intent whose answer reported success, but cannot be used."""

SUBMIT: Final = "submit"
SUBMIT_ONCE: Final = "submit_once"
UPLOAD_ONCE: Final = "upload_once"
DELETE: Final = "delete_campaigns"
SEND_EVENT: Final = "send_event"
CREATE: Final = "create_list"
FIND_EARLIER: Final = "find_earlier"

DECISIVE: Final = frozenset({SUBMIT, SUBMIT_ONCE, UPLOAD_ONCE, SEND_EVENT})
"""The steps that a person can have to decide about, because they can send mails."""

IMPORTS: Final = frozenset({"import_text", "upload_file"})

_OF_IMPORTS: Final = IMPORTS | {"find_lists", CREATE, "get_import"}

_STEPS: Final[Mapping[str, frozenset[str]]] = {
    "import_contacts": _OF_IMPORTS,
    "send_campaign": _OF_IMPORTS | {FIND_EARLIER, SUBMIT, "hold_until", "get_status"},
    "wait_for_import": frozenset({"get_import"}),
    "export_report": frozenset({"get_report_state", "export_report", "download_files"}),
    "wait_for_report": frozenset(),
    "find_campaign": frozenset(),
    "summarize": frozenset(),
    "wait_for_campaign": frozenset({"get_status"}),
    "call_off": frozenset(),
    "send_once": frozenset({FIND_EARLIER, SUBMIT_ONCE, UPLOAD_ONCE, DELETE, "get_status"}),
    "trigger_automation": frozenset({SEND_EVENT}),
}
"""The steps that each pipeline stores. A step with another name would not be read, and so would be
repeated."""

_OF_PARTS: Final = re.compile(r"(upload_file|get_import|send_event)\.(?:[2-9]|[1-9][0-9]{1,2})")
"""The steps of further parts of the contacts; the number of the part is in the name."""

_HAVE_INTENTS: Final = IMPORTS | DECISIVE | {CREATE, DELETE}


@attrs.frozen(kw_only=True)
class StepRecord(Plain):
    """The state of a step.

    Attributes:
        state: ``intent`` before a step that writes, then ``done``.
        at: When the record was written.
        result: The result, as plain data; for an intent ``answered``, if the answer reported
            success and cannot be used.
        request_id: The id of the last request of the step, if it sent any.
        writer: The random id of the run that stored the intent; None if it is unknown.
    """

    state: str
    at: datetime
    result: Any = None
    request_id: str | None = attrs.field(default=None, metadata=LATER)
    writer: str | None = attrs.field(default=None, metadata=LATER)

    @property
    def is_done(self) -> bool:
        """Whether the step's result is known."""
        return self.state == "done"


EndState = Literal["done", "failed", "waiting", "checking", "held"]


@attrs.frozen(kw_only=True)
class RunEnd(Plain):
    """How the last run ended; a run that was cancelled or whose process ended leaves none.

    Attributes:
        state: ``done``; ``failed`` if something must be changed before the next run; ``waiting`` if
            the same call can succeed later; ``checking`` if it is unknown whether a list was
            created or an export began, which a later run finds out; ``held`` if it is unknown
            whether something was submitted, which a person or a later lookup decides.
        at: When it ended, in UTC.
        error: The class of its error, or None.
        message: The message of the error, without any contact or key; at most 500 characters.
        look_again_at: When another run makes sense, in UTC, if that is known.
    """

    state: EndState
    at: datetime
    error: str | None = None
    message: str = ""
    look_again_at: datetime | None = None


@attrs.frozen(kw_only=True)
class RunRecord:
    """The fields of a checkpoint as they are stored; each field is checked when it is read.

    The fields are those of `Checkpoint`, which documents them.
    """

    pipeline: str
    input_hash: str
    input_parts: dict[str, str]
    token: str
    records: dict[str, StepRecord]
    abandoned: bool
    send_key: str | None = attrs.field(default=None, metadata=LATER)
    account: str | None = attrs.field(default=None, metadata=LATER)
    writer: str | None = attrs.field(default=None, metadata=LATER)
    held_until: datetime | None = attrs.field(default=None, metadata=LATER)
    ended: RunEnd | None = attrs.field(default=None, metadata=LATER)

    def held_for(self, now: datetime) -> timedelta | None:
        """Return for how much longer a run holds the record; None if no run does.

        The clocks of two hosts can differ by up to a lease. A longer hold is not valid.
        """
        left = timedelta(0) if self.held_until is None else self.held_until - now
        return left if timedelta(0) < left <= 2 * LEASE else None

    def to_dict(self) -> dict[str, Any]:
        """Return the data to store, with its version and a checksum."""
        fields: dict[str, Any] = {"version": VERSION, **to_plain(self)}
        return {**fields, "checksum": checksum(fields)}


def read_run_record(data: object) -> RunRecord:
    """Check stored data, and migrate an older version to this one.

    Raises:
        InvalidRequest: it has a newer version, is damaged, or was edited.
    """
    fields = dict(data) if isinstance(data, Mapping) else {}
    version = fields.get("version")
    if type(version) is int and version > VERSION:
        raise InvalidRequest.of(
            "checkpoint",
            "version",
            f"has version {version}, and this library reads up to {VERSION}; finish the run with "
            "the version of the library that wrote it",
        )
    try:
        if type(version) is int and version == 1:
            return _migrated(fields)
        if fields.pop("checksum", None) == checksum(fields):
            return _validated(fields)
    except (InvalidRequest, KeyError, RecursionError, TypeError, ValueError):
        pass  # Raised below, because the cause would show the content.
    raise InvalidRequest.of(
        "checkpoint",
        "format",
        "is damaged, was edited, or is not a checkpoint; restore it from a backup. To decide about "
        "a submit, call resolve(…) of the checkpoint, and do not edit it. If it is lost, check in "
        "the console (活動列表) what was sent before you start a new run",
    )


def submits(pipeline: str) -> bool:
    """Return whether a pipeline submits a campaign."""
    return not {SUBMIT, SUBMIT_ONCE}.isdisjoint(_STEPS[pipeline])


def in_doubt(records: Mapping[str, StepRecord]) -> str | None:
    """Return the key of the step that sends mails and whose outcome is unknown, if any."""
    open_ones = (key for key, record in records.items() if not record.is_done)
    return next((key for key in open_ones if step_of(key) in DECISIVE), None)


def step_of(key: str) -> str:
    """Return the name of the step of a record, without the number of its part."""
    numbered = _OF_PARTS.fullmatch(key)
    return key if numbered is None else numbered[1]


def checksum(fields: Mapping[str, Any]) -> str:
    """Return a hash of all stored fields; their order does not matter."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _validated(fields: dict[str, Any]) -> RunRecord:
    """Read the fields.

    Raises:
        InvalidRequest: the type of a field is wrong.
        KeyError, ValueError: the pipeline has no such step or state.
    """
    del fields["version"]
    stored = from_plain(RunRecord, fields)
    for key, record in stored.records.items():
        step = step_of(key)
        if step not in _STEPS[stored.pipeline]:
            raise ValueError
        if not (record.is_done or (record.state == "intent" and step in _HAVE_INTENTS)):
            raise ValueError
    return stored


def _migrated(fields: dict[str, Any]) -> RunRecord:
    """Read version 1, which had neither a checksum nor parts, and did not check codes.

    A list code that is not usable is treated as a lost reply: the list is found by its name. An
    import with such a code is repeated.
    """
    stored = _validated({**fields, "input_parts": {}})
    for step, record in tuple(stored.records.items()):
        if step in IMPORTS and any(problems_of_code("sn", record.result)):
            del stored.records[step]
        elif step == CREATE and any(problems_of_code("sn", record.result, reserved=True)):
            stored.records[step] = attrs.evolve(record, state="intent", result=ANSWERED)
    return stored
