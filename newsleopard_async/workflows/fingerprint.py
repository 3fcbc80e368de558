"""The fingerprint of what a pipeline is asked to do, and what of it may still change.

Before the first write all of the input may change; after it contacts and list may not; after the
intent to submit nothing may.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from newsleopard_async.errors import InvalidRequest
from newsleopard_async.plain import to_plain
from newsleopard_async.workflows.run_record import (
    CREATE,
    DECISIVE,
    FIND_EARLIER,
    IMPORTS,
    SUBMIT_ONCE,
    StepRecord,
)

__all__ = ["Fingerprint", "still_valid"]

_WRITES: Final = IMPORTS | DECISIVE | {CREATE, "export_report"}
"""The steps that change something at the platform."""

_TARGET: Final = frozenset({"list_sn", "list_name", "if_list_exists"})
"""The parts of the input that say which list contacts go into."""

_PART_BYTES: Final = "part_bytes"
"""The part of the input that says how contacts are divided."""

_MARKER: Final = "marker"
"""The part of the input that says how the campaign is found again."""


@attrs.frozen
class Fingerprint:
    """What a pipeline is asked to do, as hashes, by which it is known again.

    Attributes:
        whole: Of all of it.
        parts: Of each part, by the name that the caller knows.
    """

    whole: str
    parts: Mapping[str, str]

    @classmethod
    def of(cls, *whole: Any, **parts: Any) -> Fingerprint:
        """Hash it; a campaign among the parts is one part a field.

        Args:
            whole: All of it, as version 1 of checkpoints hashed it.
            parts: The same, by name.
        """
        named = {name: to_plain(part) for name, part in parts.items()}
        fields = named.pop("campaign", {})
        named |= {f"campaign.{name}": value for name, value in fields.items()}
        return cls(_hash_of(*whole), {name: _hash_of(value) for name, value in named.items()})


def _hash_of(*parts: Any) -> str:
    """Hash what a pipeline is asked to do, whatever order its fields are in."""
    text = json.dumps([to_plain(part) for part in parts], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def still_valid(
    records: Mapping[str, StepRecord],
    kept: Mapping[str, str],
    fingerprint: Fingerprint,
    *,
    field: str,
) -> dict[str, StepRecord]:
    """Return the records that hold for other input as well.

    Args:
        records: What was done.
        kept: The parts of the input that it was done for.
        fingerprint: Of what is asked for now.
        field: What the caller gave for the run, for an error.

    Raises:
        InvalidRequest: something differs that may no longer change; all of it is named.
    """
    changed = _changed(kept, fingerprint.parts)
    if fixed := [part for part in changed if not _may_change(part, records)]:
        raise InvalidRequest.of(field, "other-input", _explain(fixed, records, field))
    if not all(part == _PART_BYTES or _is_of_campaign(part) for part in changed):
        # What was read, or was tried, was for the other list or contacts.
        return {}
    looked_for_it = {FIND_EARLIER} if _MARKER in changed else frozenset[str]()
    return {step: record for step, record in records.items() if step not in looked_for_it}


def _explain(names: Iterable[str], records: Mapping[str, StepRecord], field: str) -> str:
    begun = f"was made for other input ({', '.join(names)} differs)"
    given = "campaign, contacts (with the same fix=, encoding= and part_bytes=) and lists"
    if DECISIVE & records.keys():
        # A run that was begun anew now might send a second time.
        return (
            f"{begun}, and that was sent or may have been; give "
            f"the same {given} to find out, and do not begin anew before"
        )
    return f"{begun}; give the same to go on, or another {field.replace('_', ' ')} to begin anew"


def _changed(kept: Mapping[str, str], fingerprint: Mapping[str, str]) -> list[str]:
    """Name what differs; of a record without parts nobody can tell."""
    if not kept:
        return ["the input"]
    return [
        each
        for each in sorted(kept.keys() | fingerprint.keys())
        if kept.get(each) != fingerprint.get(each)
    ]


def _may_change(part: str, records: Mapping[str, StepRecord]) -> bool:
    """Say whether nothing was written yet that this part of the input was used for."""
    written = _WRITES & records.keys()
    if not written:
        return True
    if part == _PART_BYTES:
        # A list that was made for a file that was too large takes its parts as well.
        return not IMPORTS & written
    if part in _TARGET:
        # An import that may have failed holds back its contacts, and no list but its own.
        return all(step in IMPORTS and not records[step].is_done for step in written)
    # Of a campaign without its upload nothing was sent; it is deleted, and made anew.
    is_open = records[SUBMIT_ONCE].is_done if SUBMIT_ONCE in written else True
    decided = written & (DECISIVE - {SUBMIT_ONCE})
    return _is_of_campaign(part) and is_open and not decided


def _is_of_campaign(part: str) -> bool:
    return part in (_MARKER, "hold") or part.startswith("campaign.")
