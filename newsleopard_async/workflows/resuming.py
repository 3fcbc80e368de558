"""Runs that other processes began: list their states, and resume the runs that are due.

A store keeps a record of each run under its key. The state of a run is derived from the record.
Reading changes nothing, and blocks no run.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

import attrs

from newsleopard_async.aio import Listing
from newsleopard_async.client import NewsLeopard
from newsleopard_async.clock import SystemClock, moved
from newsleopard_async.disclosure import hides_variables
from newsleopard_async.errors import ConfigurationError, InUse, InvalidRequest, NewsLeopardError
from newsleopard_async.log import Log
from newsleopard_async.models import CampaignSn, ImportSn, ListSn
from newsleopard_async.plain import Plain
from newsleopard_async.stores.protocol import Store, check_store, keys_of
from newsleopard_async.workflows.automation import trigger_automation
from newsleopard_async.workflows.checkpoint import Checkpoint
from newsleopard_async.workflows.decision import Decision
from newsleopard_async.workflows.once import send_once
from newsleopard_async.workflows.outcomes import AutomationOutcome, OnceOutcome, SendOutcome
from newsleopard_async.workflows.run_record import (
    CREATE,
    IMPORTS,
    SUBMIT,
    SUBMIT_ONCE,
    RunEnd,
    RunRecord,
    StepRecord,
    in_doubt,
    read_run_record,
    step_of,
)
from newsleopard_async.workflows.sending import send_campaign

__all__ = ["Inputs", "ResumedRun", "RunState", "resolve", "resume_due", "runs", "state_of"]

_log: Final = Log()

_PIPELINES: Final[Mapping[str | None, Callable[..., Awaitable[Any]]]] = {
    "send_campaign": send_campaign,
    "send_once": send_once,
    "trigger_automation": trigger_automation,
}
"""The pipelines with a send key."""

_PASSES_IN: Final = timedelta(minutes=5)
"""Chosen: while the platform is down for an hour, a run tries 12 times, at a small part of the
daily quota."""

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
    """The state of a run, derived from its record.

    Attributes:
        send_key: The key of the run.
        state: ``running``: a process has it. ``interrupted``: its process ended during the run, or
            a person has decided about it since. ``waiting``: the same call can succeed later.
            ``checking``: it is unknown whether a list was created or an export began; a later run
            finds out. ``held``: it is unknown whether a campaign or event was submitted; a later
            run looks it up, or a person decides (`resolve`). ``failed``: it needs a change.
            ``done``: it ended with success. ``abandoned``: a person decided that it must not
            continue. ``unreadable``: the record is damaged, or has a newer version.
        pipeline: ``send_campaign``, ``send_once``, ``trigger_automation``; None if unreadable.
        step: The active step, or the step whose outcome is unknown; None if all steps are done, or
            none was begun.
        part: The number of the part of the contacts, from 1, if they are divided.
        campaign_sn: The campaign, after it was accepted.
        list_sn: The list that was created or found for the contacts.
        import_sn: The last import that was begun.
        error: The class of the error that ended the last run.
        message: The message of that error, without any contact or key; or why the record cannot be
            read.
        look_again_at: When another run makes sense, in UTC; None if it makes sense now, or only
            after a person has decided or changed something.
        updated_at: When the record last changed, in UTC.
        held_until: When the lease of its process ends unless it is renewed, in UTC; None without a
            process, or if the process has a lock, which ends with the process.
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
        """Return whether another run makes sense now, without the help of a person.

        Args:
            now: The time; aware.
        """
        match self.state:
            case "interrupted":
                return True
            case "waiting" | "checking" | "held":
                return self.look_again_at is not None and self.look_again_at <= now
            case _:
                return False


@attrs.frozen(kw_only=True)
class ResumedRun:
    """A run that was resumed.

    Attributes:
        run: Its state before.
        outcome: The return value of its pipeline; None if it failed.
        error: The exception of its pipeline; else None.
    """

    run: RunState
    outcome: SendOutcome | OnceOutcome | AutomationOutcome | None = None
    error: Exception | None = None


Inputs: TypeAlias = (
    Mapping[str, Mapping[str, Any]]
    | Callable[[RunState], Mapping[str, Any] | None]
    | Callable[[RunState], Awaitable[Mapping[str, Any] | None]]
)
"""The arguments of the runs' pipelines, by name: a mapping by send key, or a function, async or
not, that returns the arguments, or None to skip a run."""


def runs(
    store: Store, *, keys: Iterable[str] | None = None, now: datetime | None = None
) -> Listing[RunState]:
    """List the runs of a store, from any process: ``await`` gives all, ``async for`` one by one.

    It writes nothing, and blocks no run.

    Args:
        store: The store, such as `NewsLeopard.store`.
        keys: The send keys to read, in this order; None: all, sorted. A key without a run is
            left out.
        now: The time that decides whether a process has a run; aware. None: the system's.

    Raises:
        InvalidRequest: it is not a store.
        ConnectionFailed: the store cannot be reached.
    """
    check_store(store)
    wanted = None if keys is None else tuple(keys)

    async def states() -> AsyncGenerator[RunState, None]:
        # All keys first, so no listing stays open in the store while the caller works.
        for key in await keys_of(store) if wanted is None else wanted:
            run, _ = await _read_state(store, key, now or SystemClock().now())
            if run is not None:
                yield run

    return Listing(states)


async def _read_state(store: Store, key: str, now: datetime) -> tuple[RunState | None, str | None]:
    """Return the state of one run, and the hash of its account; None if it does not exist."""
    try:
        kept = await store.load(key)
        stored = None if kept is None else read_run_record(kept.data)
    except (ConfigurationError, InvalidRequest) as error:
        # A record that cannot be read must not hide the other runs.
        return RunState(send_key=key, state="unreadable", message=str(error)), None
    if stored is None:
        return None, None
    run = state_of(key, stored, now, is_locked=await _is_locked(store, key))
    return run, stored.account


async def _is_locked(store: Store, key: str) -> bool:
    is_locked: Callable[[str], Awaitable[bool]] | None = getattr(store, "is_locked", None)
    return is_locked is not None and await is_locked(key)


def state_of(key: str, stored: RunRecord, now: datetime, *, is_locked: bool = False) -> RunState:
    """Return the state of a run by its record, and by its lock if the store has locks."""
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
        look_again_at=None if ended is None else _look_again_at(ended),
        updated_at=max(times, default=None),
        held_until=stored.held_until if state == "running" else None,
    )


def _look_again_at(ended: RunEnd) -> datetime | None:
    """Return when another run makes sense; 5 minutes later if the error has no time."""
    if ended.look_again_at is None and ended.state in {"waiting", "checking"}:
        return moved(ended.at, _PASSES_IN)
    return ended.look_again_at


def _state(stored: RunRecord, now: datetime, *, is_locked: bool) -> RunStateName:
    if is_locked or stored.held_for(now) is not None:
        return "running"
    if stored.abandoned:
        return "abandoned"
    if stored.ended is None:
        return "interrupted"
    if stored.ended.state == "held" and in_doubt(stored.records) is None:
        # A person has decided, or its process has reported the outcome.
        return "interrupted"
    return stored.ended.state


def _place(stored: RunRecord) -> str | None:
    """Return the key of the step that is in doubt, else of the last step begun, else done."""
    begun = {key: record for key, record in stored.records.items() if not record.is_done}
    return in_doubt(stored.records) or _latest(begun) or _latest(stored.records)


def _latest(records: Mapping[str, StepRecord]) -> str | None:
    # For several at the same instant, the one that was stored last.
    return max(reversed(list(records)), key=lambda key: records[key].at, default=None)


def _part(at: str, records: Mapping[str, StepRecord]) -> int | None:
    step = step_of(at)
    if at != step:
        return int(at.removeprefix(f"{step}."))
    return 1 if any(key != step and step_of(key) == step for key in records) else None


def _code(stored: RunRecord, key: str) -> Any:
    record = stored.records.get(key)
    return record.result if record is not None and record.is_done else None


def _found_list(stored: RunRecord) -> Any:
    """Return the existing list that was found, if the name was unambiguous."""
    match _code(stored, "find_lists"):
        case [{"sn": str(sn)}]:
            return sn
        case _:
            return None


@hides_variables
async def resume_due(
    nl: NewsLeopard, store: Store, inputs: Inputs, *, now: datetime | None = None
) -> tuple[ResumedRun, ...]:
    """Resume the runs that earlier processes left, if they are due.

    These are the runs that were interrupted, and the waiting runs and runs in doubt whose
    `RunState.look_again_at` has come. Runs of another process, of another account, or
    without input are skipped. The others are resumed one after another, like a repeated call of
    their pipelines: nothing is sent twice. Call it at the start of a worker, and then about every
    minute; any number of workers can do so at the same time.

    Args:
        nl: The client. The pipelines keep their runs in ``store``, not in the client's store.
        store: The store of the runs.
        inputs: The arguments of the runs' pipelines by name, without
            ``send_key``: a mapping by send key, or a function, async or not, of the `RunState`.
        now: The time that decides which runs are due; aware. None: the client's.
    Returns: The outcome of each run, in the order in which they were resumed. An error of one run
        ends only that run, and is logged.

    Raises:
        InvalidRequest: ``store`` is not a store, or ``inputs`` has another type.
        ConnectionFailed: the store cannot be reached.
    """
    check_store(store)
    if not (callable(inputs) or isinstance(inputs, Mapping)):
        raise InvalidRequest.of(
            "inputs",
            "type",
            "must be a mapping of send keys to arguments, or a function of a RunState",
        )
    nl = nl.with_options(store=store)
    resumed = []
    for key in tuple(inputs) if isinstance(inputs, Mapping) else await keys_of(store):
        run = await _due(nl, key, now or nl.clock.now())
        ended = None if run is None else await _resume(nl, run, inputs)
        if ended is not None:
            resumed.append(ended)
    return tuple(resumed)


async def _due(nl: NewsLeopard, key: str, now: datetime) -> RunState | None:
    """Return the state of a run that is due and belongs to this client's account."""
    run, account = await _read_state(nl.store, key, now)
    if account not in (None, nl._api.account):  # noqa: SLF001 - no public name says which it is
        return None
    if run is not None and run.state == "unreadable":
        # Without this line, a misconfigured store would look as if no run was due.
        _log.warning("the run %r cannot be resumed: %s", key, run.message)
    return run if run is not None and run.is_due(now) else None


async def _resume(nl: NewsLeopard, run: RunState, inputs: Inputs) -> ResumedRun | None:
    """Resume one run; None if it is skipped."""
    try:
        outcome = await _go_on(nl, run, inputs)
    except InUse as error:
        _log.info("the run %r is left to another process: %s", run.send_key, error)
        return None
    except Exception as error:  # noqa: BLE001 - an error of one run must not stop the others
        # The message of a foreign error can contain contacts or keys.
        message = f": {error}" if isinstance(error, NewsLeopardError) else ""
        _log.warning("the run %r ended with %s%s", run.send_key, type(error).__name__, message)
        frames = error.__traceback__
        assert frames is not None
        # The error is returned, so its traceback must not contain this frame with the contacts.
        return ResumedRun(run=run, error=error.with_traceback(frames.tb_next))
    return None if outcome is None else ResumedRun(run=run, outcome=outcome)


@hides_variables
async def _go_on(nl: NewsLeopard, run: RunState, inputs: Inputs) -> Any:
    arguments = await _input_of(run, inputs)
    if arguments is None:
        return None
    key = run.send_key
    _log.info("the run %r, which is %s at %s, is resumed", key, run.state, run.step)
    return await _PIPELINES[run.pipeline](nl, **{**arguments, "send_key": key})


async def _input_of(run: RunState, inputs: Inputs) -> Mapping[str, Any] | None:
    if isinstance(inputs, Mapping):
        return inputs.get(run.send_key)
    arguments = inputs(run)
    return await arguments if inspect.isawaitable(arguments) else arguments


async def resolve(
    store: Store,
    send_key: str,
    decision: Decision,
    campaign_sn: CampaignSn | None = None,
) -> None:
    """Decide, from any process, about a run whose submit has an unknown outcome.

    Check the console first (活動列表, or 自動化 for an event). Then call the pipeline again, or
    `resume_due`.

    Args:
        store: The store of the run.
        send_key: The key of the run.
        decision: ``sent``: the step took effect. ``resubmit``: it did not; repeat it.
            ``abandon``: never continue this run.
        campaign_sn: The campaign's code, with ``sent``, unless the record has it.

    Raises:
        InvalidRequest: the run does not exist, or there is nothing to decide; the code is missing,
            or is not the code of the campaign; or the request was sent so recently that it can
            still take effect (the rule ``too-early``).
        InUse: a process has the run.
    """
    check_store(store)
    kept = await Checkpoint.load(store, send_key)
    await kept.resolve(decision, campaign_sn)
