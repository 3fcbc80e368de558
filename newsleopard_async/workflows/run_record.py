"""What is kept of a run, as it is stored: one version of JSON, with a checksum."""

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
"""Version 2 had no ids of requests, and version 3 did not say which run wrote, holds or ended it.
Both are read as they are; a library that knows no later one would take what was added for damage.
"""

LEASE: Final = timedelta(seconds=20)
"""How long a run holds a record of a store without locks, unless it says again that it lives.

Chosen: four renewals (`lease`), so that a store that is away for some seconds costs nothing. A
run that died keeps others waiting for no longer.
"""

ANSWERED: Final = "answered"
"""The result of an intent whose answer said that it took effect, and cannot be used."""

SUBMIT: Final = "submit"
SUBMIT_ONCE: Final = "submit_once"
UPLOAD_ONCE: Final = "upload_once"
DELETE: Final = "delete_campaigns"
SEND_EVENT: Final = "send_event"
CREATE: Final = "create_list"
FIND_EARLIER: Final = "find_earlier"

DECISIVE: Final = frozenset({SUBMIT, SUBMIT_ONCE, UPLOAD_ONCE, SEND_EVENT})
"""The steps that a person may have to decide about: what they do can reach a reader."""

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
"""What each pipeline keeps. A step of another name would not be seen, and be done again."""

_OF_PARTS: Final = re.compile(r"(upload_file|get_import|send_event)\.(?:[2-9]|[1-9][0-9]{1,2})")
"""Steps of the further parts of contacts, whose number is part of their name."""

_HAVE_INTENTS: Final = IMPORTS | DECISIVE | {CREATE, DELETE}


@attrs.frozen(kw_only=True)
class StepRecord(Plain):
    """What is known of a step.

    Attributes:
        state: ``intent`` before a step that writes, then ``done``.
        at: When that was written.
        result: What it gave, as plain data; of an intent ``answered``, if the server said that
            it took effect and its answer cannot be used.
        request_id: The id of the request that it made last, if there was one.
        writer: The run that stored the intent, by its random id; None if that is not known.
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
    """How the last run ended; one that was killed or cancelled leaves nothing.

    Attributes:
        state: ``done``; ``failed`` if something must be changed before the next run; ``waiting`` if
            the same call may be made again; ``checking`` if it is not known whether a list was
            created or an export began, which a later run finds out; ``held`` if it is not known
            whether something was submitted, which a person or a later look decides.
        at: When, in UTC.
        error: The class of its error, or None.
        message: What the error said, without any contact or key; at most 500 characters.
        look_again_at: From when on another run makes sense, in UTC, if that is known.
    """

    state: EndState
    at: datetime
    error: str | None = None
    message: str = ""
    look_again_at: datetime | None = None


@attrs.frozen(kw_only=True)
class RunRecord:
    """The fields of a checkpoint as they are stored, of which each is checked on reading.

    Attributes:
        pipeline: Which pipeline.
        input_hash: Of what it was asked to do.
        input_parts: Of each part of that; empty if it was made before there were any.
        token: The marker in a campaign's name is made of it.
        records: Step by step.
        abandoned: Whether a person decided that it is not to go on.
        send_key: Under which key it was begun; None for the checkpoint of a path.
        account: A hash of origin and API key, of which nothing can be found out.
        writer: The run that wrote last, by its random id.
        held_until: When the hold of a run ends unless it is renewed, in UTC; None if no run has
            it, or its lock is not in the record.
        ended: How the last run ended; None while one is under way, or if it was killed.
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
        """Return how much longer a run holds it unless that is renewed; None if none does.

        The clocks of two hosts may differ by up to a lease. What says more than that is wrong.
        """
        left = timedelta(0) if self.held_until is None else self.held_until - now
        return left if timedelta(0) < left <= 2 * LEASE else None

    def to_dict(self) -> dict[str, Any]:
        """Return it as it is stored, with its version and a checksum."""
        fields: dict[str, Any] = {"version": VERSION, **to_plain(self)}
        return {**fields, "checksum": checksum(fields)}


def read_run_record(data: object) -> RunRecord:
    """Check what was stored, and bring an older version up to this one.

    Raises:
        InvalidRequest: it is of a newer version, damaged, or was edited.
    """
    fields = dict(data) if isinstance(data, Mapping) else {}
    version = fields.get("version")
    if type(version) is int and version > VERSION:
        raise InvalidRequest.of(
            "checkpoint",
            "version",
            f"is of version {version}, and this library reads up to {VERSION}; finish it with the "
            "library that wrote it",
        )
    try:
        if type(version) is int and version == 1:
            return _migrated(fields)
        if fields.pop("checksum", None) == checksum(fields):
            return _validated(fields)
    except (InvalidRequest, KeyError, RecursionError, TypeError, ValueError):
        pass  # Raised below: no cause shows what is in it.
    raise InvalidRequest.of(
        "checkpoint",
        "format",
        "is damaged, was edited, or is no checkpoint. Put it back from a backup; to decide about "
        "a submit, call resolve(…) of the checkpoint, and do not edit it. If it is lost, look in "
        "the console (活動列表) for what was sent before you begin anew",
    )


def submits(pipeline: str) -> bool:
    """Say whether a pipeline submits a campaign."""
    return not {SUBMIT, SUBMIT_ONCE}.isdisjoint(_STEPS[pipeline])


def in_doubt(records: Mapping[str, StepRecord]) -> str | None:
    """Name the record of a step that reaches a reader, if its outcome is not known."""
    open_ones = (key for key, record in records.items() if not record.is_done)
    return next((key for key in open_ones if step_of(key) in DECISIVE), None)


def step_of(key: str) -> str:
    """Return the name of the step that a record is of, without the number of its part."""
    numbered = _OF_PARTS.fullmatch(key)
    return key if numbered is None else numbered[1]


def checksum(fields: Mapping[str, Any]) -> str:
    """Sum up all that is stored, whatever order it is in."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _validated(fields: dict[str, Any]) -> RunRecord:
    """Read the fields.

    Raises:
        InvalidRequest: they do not fit.
        KeyError, ValueError: there is a step or a state that its pipeline does not know.
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
    """Read version 1, which had neither a checksum nor parts, and kept codes as they came.

    A list's code that can be used nowhere is as a lost reply: the list is looked up by name. An
    import is made again.
    """
    stored = _validated({**fields, "input_parts": {}})
    for step, record in tuple(stored.records.items()):
        if step in IMPORTS and any(problems_of_code("sn", record.result)):
            del stored.records[step]
        elif step == CREATE and any(problems_of_code("sn", record.result, reserved=True)):
            stored.records[step] = attrs.evolve(record, state="intent", result=ANSWERED)
    return stored
