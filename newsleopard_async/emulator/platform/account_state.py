"""Capture and restore of an account's whole state.

A state has a head, which is a pickle. Large objects that never change are outside the head: the
bytes of files, the rows of imports, the addresses, and the requests that have ended. A snapshot in
memory shares them with the account, and a file stores them without the account's lock. The
instants of the timeline do not change.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from datetime import datetime
from typing import Any, Final

import attrs

from newsleopard_async.emulator.platform.account import PARTS, Account
from newsleopard_async.emulator.platform.batches import AddressTable, ImportBatch
from newsleopard_async.emulator.platform.blobs import Blob
from newsleopard_async.emulator.platform.gateway import RequestRecord
from newsleopard_async.emulator.platform.pickling import BadState, StatePickler, load, load_texts
from newsleopard_async.emulator.switches import PROFILES, Profile, Switches

__all__ = [
    "AccountState",
    "BadState",
    "capture_state",
    "decode_rows",
    "encode_rows",
    "restore_state",
]

RECORDS_PER_ROW: Final = 256
"""Chosen: 256 requests are pickled in about 2 ms; then other threads can run."""

HEAD_BYTES_PER_ROW: Final = 4_000_000
"""Chosen: far below SQLite's limit for one value, which is 1 GB."""


@attrs.frozen(kw_only=True, eq=False)
class AccountState:
    """A state at one moment.

    Attributes:
        head: The rest of the state, as a pickle.
        addresses: All addresses.
        batches: The rows of the imports that have ended.
        records: The last requests.
        blobs: The bytes of files, by digest.
        now: The time on the account's clock.
        monotonic_s: The account's monotonic time.
    """

    head: bytes = attrs.field(repr=False)
    addresses: AddressTable = attrs.field(repr=False)
    batches: Sequence[ImportBatch] = attrs.field(repr=False)
    records: Sequence[RequestRecord] = attrs.field(repr=False)
    blobs: Mapping[str, Blob] = attrs.field(repr=False)
    now: datetime
    monotonic_s: float


def capture_state(account: Account, *, hide_keys: bool = False) -> AccountState:
    """Return the present state of an account.

    Changes that are due and have not happened yet do not happen now, but after the restore.

    Args:
        account: The account.
        hide_keys: Replace the API keys that were sent to the storage.
    """
    with account.lock, account.log.held() as records:
        head = io.BytesIO()
        writer = StatePickler(head, hide_keys=hide_keys)
        board = account.board
        writer.dump({"parts": account.parts, "switches": board.on, "profile": board.profile})
        return AccountState(
            head=head.getvalue(),
            addresses=account.book.addresses.copy(),
            batches=writer.batches,
            records=tuple(each if _has_ended(each) else copy(each) for each in records),
            blobs=writer.blobs,
            now=account.clock.now(),
            monotonic_s=account.clock.monotonic(),
        )


def _has_ended(record: RequestRecord) -> bool:
    """Return whether a record is final, so that states can share it."""
    return record.duration_ms is not None


def restore_state(account: Account, kept: AccountState, *, from_file: bool = False) -> None:
    """Replace the state of an account.

    Args:
        account: The account.
        kept: The new state.
        from_file: Whether another process captured it, with clocks that began at other times.

    Raises:
        BadState: the state is damaged. The account does not change.
    """
    parts, on, profile = _read_head(account, kept)
    parts["book"].number_again()
    parts["log"].hold(kept.records)
    if from_file:
        passed_s = max(0.0, (account.clock.now() - kept.now).total_seconds())
        _move(parts, kept, account.clock.monotonic() - passed_s - kept.monotonic_s)
    account.replace(parts, on, profile)


def _move(parts: Mapping[str, Any], kept: AccountState, seconds: float) -> None:
    """Move all monotonic times of a state."""
    parts["limiter"].move(seconds)
    for record in kept.records:
        record.at_s += seconds


def _read_head(account: Account, kept: AccountState) -> tuple[dict[str, Any], Switches, Profile]:
    shared: dict[tuple[str, ...], object] = {
        ("addresses",): kept.addresses.copy(),
        ("board",): account.board,
        **{("batch", str(place)): batch for place, batch in enumerate(kept.batches)},
        **_by_digest(kept.blobs),
    }
    state = load(kept.head, shared)
    if not (isinstance(state, dict) and state.keys() == {"parts", "switches", "profile"}):
        raise BadState("the head does not describe a state")
    parts, on, profile = state["parts"], state["switches"], state["profile"]
    is_profile = isinstance(profile, str) and profile in PROFILES
    if not (isinstance(parts, dict) and isinstance(on, Switches) and is_profile):
        raise BadState("the head does not describe a state")
    expected = {name: type(part) for name, part in account.parts.items()}
    if {name: type(part) for name, part in parts.items()} != expected:
        raise BadState(f"the head has not the parts {', '.join(PARTS)}")
    return parts, on, profile


# As rows of a table


def encode_rows(kept: AccountState) -> Iterator[tuple[str, bytes]]:
    """Yield a state without its blobs as rows, each with the name of its attribute.

    It takes some seconds for a large account, and needs no lock.
    """
    for begin in range(0, len(kept.head), HEAD_BYTES_PER_ROW):
        yield "head", kept.head[begin : begin + HEAD_BYTES_PER_ROW]
    for part in kept.addresses.parts():
        yield "addresses", _row(part)
    for batch in kept.batches:
        yield "batches", _row((batch,))
    for begin in range(0, len(kept.records), RECORDS_PER_ROW):
        yield "records", _row(tuple(kept.records[begin : begin + RECORDS_PER_ROW]))


def _row(values: tuple[object, ...]) -> bytes:
    row = io.BytesIO()
    StatePickler(row, is_beside=True).dump(values)
    return row.getvalue()


def _by_digest(blobs: Mapping[str, Blob]) -> dict[tuple[str, ...], object]:
    return {("blob", digest): blob for digest, blob in blobs.items()}


def decode_rows(
    rows: Mapping[str, Sequence[bytes]],
    *,
    blobs: Mapping[str, Blob],
    now: datetime,
    monotonic_s: float,
) -> AccountState:
    """Return the state of some rows.

    Raises:
        BadState: the rows are damaged.
    """
    beside = _by_digest(blobs)
    addresses = AddressTable()
    for row in rows.get("addresses", ()):
        addresses.extend(_all(str, load_texts(row)))
    return AccountState(
        head=b"".join(rows.get("head", ())),
        addresses=addresses,
        batches=[
            batch
            for row in rows.get("batches", ())
            for batch in _all(ImportBatch, load(row, beside))
        ],
        records=[
            record
            for row in rows.get("records", ())
            for record in _all(RequestRecord, load(row, {}))
        ],
        blobs=blobs,
        now=now,
        monotonic_s=monotonic_s,
    )


def _all(kind: type, found: object) -> tuple[Any, ...]:
    """Return the values of a row; raise `BadState` if one has another type."""
    if not (isinstance(found, tuple) and all(type(each) is kind for each in found)):
        raise BadState(f"a row does not hold {kind.__name__}")
    return found
