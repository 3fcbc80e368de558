"""Runs that other processes began: what is known of them.

A store keeps a record of each run, under its key. All that is said of a run is read off that; to
look changes nothing, and keeps no run away.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Literal

import attrs

from newsleopard_async.aio import Listing
from newsleopard_async.clock import SystemClock
from newsleopard_async.errors import ConfigurationError, InvalidRequest
from newsleopard_async.models import CampaignSn, ImportSn, ListSn
from newsleopard_async.plain import Plain
from newsleopard_async.stores.protocol import Store, check_store, keys_of
from newsleopard_async.workflows.record import (
    CREATE,
    DECISIVE,
    IMPORTS,
    SUBMIT,
    SUBMIT_ONCE,
    Record,
    Stored,
    read_stored,
    step_of,
)

__all__ = ["RunState", "runs", "state_of"]

RunStateName = Literal[
    "running",
    "interrupted",
    "waiting",
    "checking",
    "held",
    "failed",
    "done",
    "abandoned",
    "unreadable",
]


@attrs.frozen(kw_only=True)
class RunState(Plain):
    """What is known of a run, read off its record.

    Attributes:
        send_key: Its key.
        state: ``running``: a process has it. ``interrupted``: its process ended in the middle, or
            somebody has decided about it since. ``waiting``: the same call makes sense again.
            ``checking``: it is not known whether a list was created or an export began; a later run
            finds out. ``held``: it is not known whether something was submitted; a later run looks,
            or a person decides (`resolve`). ``failed``: it needs a change. ``done``.
            ``abandoned``: a person decided so. ``unreadable``: the record is damaged, or of a newer
            version of this library.
        pipeline: ``send_campaign``, ``send_once``, ``trigger_automation``; None if unreadable.
        step: What it was doing, or what it is not known of whether it took effect; None if
            nothing is left, or nothing was begun.
        part: The part of the contacts that the step is about, from 1, if they are divided.
        campaign_sn: The campaign, once it was accepted.
        list_sn: The list that was created or found for the contacts.
        import_sn: The last import that was begun.
        error: The class of the error that the last run ended with.
        message: What it said, without any contact or key; or why the record cannot be read.
        look_again_at: From when on another run makes sense, in UTC, if that is known.
        updated_at: When something was last noted, in UTC.
        held_until: Until when its process has it unless that renews it, in UTC; None if none has,
            or if it has a lock, which ends with the process.
    """

    send_key: str
    state: RunStateName
    pipeline: str | None = None
    step: str | None = None
    part: int | None = None
    campaign_sn: CampaignSn | None = None
    list_sn: ListSn | None = None
    import_sn: ImportSn | None = None
    error: str | None = None
    message: str = ""
    look_again_at: datetime | None = None
    updated_at: datetime | None = None
    held_until: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Say whether another run makes sense now, without a person's help.

        Args:
            now: The time; aware.
        """
        match self.state:
            case "interrupted":
                return True
            case "waiting" | "checking":
                return self.look_again_at is None or self.look_again_at <= now
            case "held":
                return self.look_again_at is not None and self.look_again_at <= now
            case _:
                return False


def runs(store: Store, *, now: datetime | None = None) -> Listing[RunState]:
    """List all runs of a store, from any process: ``await`` gives all, ``async for`` one by one.

    It writes nothing, and keeps no run away.

    Args:
        store: Where they are, such as `NewsLeopard.store`.
        now: The time, by which it is judged whether a process has a run; aware. None: the system's.

    Raises:
        InvalidRequest: it is no store.
        ConnectionFailed: the store cannot be reached.
    """
    check_store(store)

    async def states() -> AsyncGenerator[RunState, None]:
        # All keys first: no listing stays open in the store while a caller works on each run.
        for key in await keys_of(store):
            state = await _look(store, key, now or SystemClock().now())
            if state is not None:
                yield state

    return Listing(states)


async def _look(store: Store, key: str, now: datetime) -> RunState | None:
    """Read the state of one run; None if it is there no more."""
    try:
        kept = await store.load(key)
        stored = None if kept is None else read_stored(kept.data)
    except (ConfigurationError, InvalidRequest) as error:
        # One that cannot be read must not hide the others.
        return RunState(send_key=key, state="unreadable", message=str(error))
    if stored is None:
        return None
    return state_of(key, stored, now, is_locked=await _is_locked(store, key))


async def _is_locked(store: Store, key: str) -> bool:
    look: Callable[[str], Awaitable[bool]] | None = getattr(store, "is_locked", None)
    return look is not None and await look(key)


def state_of(key: str, stored: Stored, now: datetime, *, is_locked: bool = False) -> RunState:
    """Say what is known of a run by its record, and by its lock if the store has locks."""
    state = _state(stored, now, is_locked=is_locked)
    at = None if state == "done" else _place(stored)
    ended = stored.ended if state in {"waiting", "checking", "held", "failed"} else None
    times = [record.at for record in stored.records.values()]
    if stored.ended is not None:
        times.append(stored.ended.at)
    imported = _latest({k: r for k, r in stored.records.items() if step_of(k) in IMPORTS})
    return RunState(
        send_key=key,
        state=state,
        pipeline=stored.pipeline,
        step=None if at is None else step_of(at),
        part=None if at is None else _part(at, stored.records),
        campaign_sn=_code(stored, SUBMIT) or _code(stored, SUBMIT_ONCE),
        list_sn=_code(stored, CREATE) or _found_list(stored),
        import_sn=None if imported is None else _code(stored, imported),
        error=None if ended is None else ended.error,
        message="" if ended is None else ended.message,
        look_again_at=None if ended is None else ended.look_again_at,
        updated_at=max(times, default=None),
        held_until=stored.held_until if state == "running" else None,
    )


def _state(stored: Stored, now: datetime, *, is_locked: bool) -> RunStateName:
    if is_locked or (stored.held_until is not None and now < stored.held_until):
        return "running"
    if stored.abandoned:
        return "abandoned"
    if stored.ended is None:
        return "interrupted"
    if stored.ended.state == "held" and _in_doubt(stored) is None:
        # A person has decided, or its process has reported what became of it.
        return "interrupted"
    return stored.ended.state


def _in_doubt(stored: Stored) -> str | None:
    """Name the record of what may have reached a reader, if it is not known whether it has."""
    found = (key for key, record in stored.records.items() if not record.is_done)
    return next((key for key in found if step_of(key) in DECISIVE), None)


def _place(stored: Stored) -> str | None:
    """Name the record of what a run is at: what is in doubt, what it began, or did last."""
    begun = {key: record for key, record in stored.records.items() if not record.is_done}
    return _in_doubt(stored) or _latest(begun) or _latest(stored.records)


def _latest(records: Mapping[str, Record]) -> str | None:
    # Of several at one instant, the one that was noted last.
    return max(reversed(list(records)), key=lambda key: records[key].at, default=None)


def _part(at: str, records: Mapping[str, Record]) -> int | None:
    step = step_of(at)
    if at != step:
        return int(at.removeprefix(f"{step}."))
    return 1 if any(key != step and step_of(key) == step for key in records) else None


def _code(stored: Stored, key: str) -> Any:
    record = stored.records.get(key)
    return record.result if record is not None and record.is_done else None


def _found_list(stored: Stored) -> Any:
    """Return the list that was there already, if there is no doubt which one was taken."""
    match _code(stored, "find_lists"):
        case [{"sn": str(sn)}]:
            return sn
        case _:
            return None
