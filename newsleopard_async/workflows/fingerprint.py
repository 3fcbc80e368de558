"""The fingerprint of a pipeline's input, and the parts of the input that can still change.

Before the first write all of the input can change. After it, contacts and list are fixed. After the
intent to submit everything is fixed, because other input could send the campaign a second time.
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
"""The parts of the input that select the list for the contacts."""

_PART_BYTES: Final = "part_bytes"
"""The part of the input that defines how contacts are divided."""

_MARKER: Final = "marker"
"""The part of the input by which the campaign is found again."""


@attrs.frozen
class Fingerprint:
    """The input of a pipeline as hashes, to recognise the same input.

    Attributes:
        whole: The hash of the whole input.
        parts: The hash of each part, by the name of the argument.
    """

    whole: str
    parts: Mapping[str, str]

    @classmethod
    def of(cls, *whole: Any, **parts: Any) -> Fingerprint:
        """Hash the input; each field of a campaign is a part.

        Args:
            whole: The whole input, in the order of version 1 of checkpoints.
            parts: The same values, by name.
        """
        named = {name: to_plain(part) for name, part in parts.items()}
        fields = named.pop("campaign", {})
        named |= {f"campaign.{name}": value for name, value in fields.items()}
        return cls(_hash_of(*whole), {name: _hash_of(value) for name, value in named.items()})


def _hash_of(*parts: Any) -> str:
    """Hash input; the order of the fields does not matter."""
    text = json.dumps([to_plain(part) for part in parts], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def still_valid(
    records: Mapping[str, StepRecord],
    kept: Mapping[str, str],
    fingerprint: Fingerprint,
    *,
    field: str,
) -> dict[str, StepRecord]:
    """Return the records that are also valid for the new input.

    Args:
        records: The records of the run.
        kept: The hashes of the input that the records are for.
        fingerprint: The fingerprint of the new input.
        field: The argument that the error names.

    Raises:
        InvalidRequest: parts differ that are fixed; the message names all of them.
    """
    changed = _changed(kept, fingerprint.parts)
    if fixed := [part for part in changed if not _may_change(part, records)]:
        raise InvalidRequest.of(field, "other-input", _explain(fixed, records, field))
    if not all(part == _PART_BYTES or _is_of_campaign(part) for part in changed):
        # The records are for the other list or contacts.
        return {}
    of_marker = {FIND_EARLIER} if _MARKER in changed else frozenset[str]()
    return {step: record for step, record in records.items() if step not in of_marker}


def _explain(names: Iterable[str], records: Mapping[str, StepRecord], field: str) -> str:
    begun = f"was made for other input ({', '.join(names)} differs)"
    input_names = "campaign, contacts (with the same fix=, encoding= and part_bytes=) and lists"
    if DECISIVE & records.keys():
        # A new run could send the campaign a second time.
        return (
            f"{begun}, and its campaign or event was sent or is in doubt; pass the same "
            f"{input_names} to find out, and start no new run before that"
        )
    key = field.replace("_", " ")
    return f"{begun}; pass the same input to continue, or another {key} to start a new run"


def _changed(kept: Mapping[str, str], fingerprint: Mapping[str, str]) -> list[str]:
    """Return the names of the parts that differ; a record without parts has no names."""
    if not kept:
        return ["the input"]
    return [
        each
        for each in sorted(kept.keys() | fingerprint.keys())
        if kept.get(each) != fingerprint.get(each)
    ]


def _may_change(part: str, records: Mapping[str, StepRecord]) -> bool:
    """Return whether a part of the input was not used in any write yet."""
    written = _WRITES & records.keys()
    if not written:
        return True
    if part == _PART_BYTES:
        # A list that was created for a file that was too large can take its parts.
        return not IMPORTS & written
    if part in _TARGET:
        # An import that possibly failed fixes its contacts, and no list except its own.
        return all(step in IMPORTS and not records[step].is_done for step in written)
    # A campaign without its upload has sent nothing. It is deleted and created again.
    is_open = records[SUBMIT_ONCE].is_done if SUBMIT_ONCE in written else True
    decided = written & (DECISIVE - {SUBMIT_ONCE})
    return _is_of_campaign(part) and is_open and not decided


def _is_of_campaign(part: str) -> bool:
    return part in (_MARKER, "hold") or part.startswith("campaign.")
