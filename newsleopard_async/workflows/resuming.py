"""Runs that other processes began: what is known of them, and going on with what is left.

A store keeps a record of each run, under its key. All that is said of a run is read off that; to
look changes nothing, and keeps no run away.
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
"""What has a send key."""

_PASSES_IN: Final = timedelta(minutes=5)
"""Chosen: an hour in which the platform is down costs a run a dozen tries, and not the day."""

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
        look_again_at: From when on another run makes sense, in UTC; None if none does before a
            person has decided or changed something, or if it does at once.
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
            case "waiting" | "checking" | "held":
                return self.look_again_at is not None and self.look_again_at <= now
            case _:
                return False


@attrs.frozen(kw_only=True)
class ResumedRun:
    """A run that was resumed.

    Attributes:
        run: What was known of it before.
        outcome: What its pipeline returned; None if it failed.
        error: What it raised; else None.
    """

    run: RunState
    outcome: SendOutcome | OnceOutcome | AutomationOutcome | None = None
    error: Exception | None = None


Inputs: TypeAlias = (
    Mapping[str, Mapping[str, Any]]
    | Callable[[RunState], Mapping[str, Any] | None]
    | Callable[[RunState], Awaitable[Mapping[str, Any] | None]]
)
"""What runs were begun with, as the arguments of their pipelines by name: by their send keys, or
from a function, async or not, that returns them, or None to leave a run."""


def runs(
    store: Store, *, keys: Iterable[str] | None = None, now: datetime | None = None
) -> Listing[RunState]:
    """List the runs of a store, from any process: ``await`` gives all, ``async for`` one by one.

    It writes nothing, and keeps no run away.

    Args:
        store: Where they are, such as `NewsLeopard.store`.
        keys: The send keys to look at, in their order; None: all, sorted. A key without a run is
            left out.
        now: The time, by which it is judged whether a process has a run; aware. None: the system's.

    Raises:
        InvalidRequest: it is not a store.
        ConnectionFailed: the store cannot be reached.
    """
    check_store(store)
    wanted = None if keys is None else tuple(keys)

    async def states() -> AsyncGenerator[RunState, None]:
        # All keys first: no listing stays open in the store while a caller works on each run.
        for key in await keys_of(store) if wanted is None else wanted:
            run, _ = await _look(store, key, now or SystemClock().now())
            if run is not None:
                yield run

    return Listing(states)


async def _look(store: Store, key: str, now: datetime) -> tuple[RunState | None, str | None]:
    """Read the state of one run, and the hash of its account; None if it is there no more."""
    try:
        kept = await store.load(key)
        stored = None if kept is None else read_run_record(kept.data)
    except (ConfigurationError, InvalidRequest) as error:
        # One that cannot be read must not hide the others.
        return RunState(send_key=key, state="unreadable", message=str(error)), None
    if stored is None:
        return None, None
    run = state_of(key, stored, now, is_locked=await _is_locked(store, key))
    return run, stored.account


async def _is_locked(store: Store, key: str) -> bool:
    look: Callable[[str], Awaitable[bool]] | None = getattr(store, "is_locked", None)
    return look is not None and await look(key)


def state_of(key: str, stored: RunRecord, now: datetime, *, is_locked: bool = False) -> RunState:
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
        look_again_at=None if ended is None else _look_again_at(ended),
        updated_at=max(times, default=None),
        held_until=stored.held_until if state == "running" else None,
    )


def _look_again_at(ended: RunEnd) -> datetime | None:
    """Say when another run makes sense; of what passes it is not always known when."""
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
        # A person has decided, or its process has reported what became of it.
        return "interrupted"
    return stored.ended.state


def _place(stored: RunRecord) -> str | None:
    """Name the record of what a run is at: what is in doubt, what it began, or did last."""
    begun = {key: record for key, record in stored.records.items() if not record.is_done}
    return in_doubt(stored.records) or _latest(begun) or _latest(stored.records)


def _latest(records: Mapping[str, StepRecord]) -> str | None:
    # Of several at one instant, the one that was noted last.
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
    """Return the list that was there already, if there is no doubt which one was taken."""
    match _code(stored, "find_lists"):
        case [{"sn": str(sn)}]:
            return sn
        case _:
            return None


@hides_variables
async def resume_due(
    nl: NewsLeopard, store: Store, inputs: Inputs, *, now: datetime | None = None
) -> tuple[ResumedRun, ...]:
    """Go on with the runs that earlier processes left, and for which it is time.

    These are the runs that were interrupted, and those that wait, or are in doubt, whose
    `RunState.look_again_at` has come. A run that another process has, of another account, or
    without input, is left alone. The others are resumed one after another, as if their pipelines
    were called again: nothing is sent twice. Call it at the start of a worker, and then every
    minute or so; any number of workers may do so at once.

    Args:
        nl: The client. The pipelines keep their runs in ``store``, whichever it was opened with.
        store: Where the runs are.
        inputs: What they were begun with, as the arguments of their pipelines by name, without
            ``send_key``: a mapping by send key, or a function, async or not, of the `RunState`.
        now: The time, by which it is judged what is due; aware. None: the client's.
    Returns: What became of each, in the order in which it was resumed. An error of one run
        ends that run alone, and is logged.

    Raises:
        InvalidRequest: it is not a store, or these are not inputs.
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
    """Return the state of a run of this client's account that is due."""
    run, account = await _look(nl.store, key, now)
    if account not in (None, nl._api.account):  # noqa: SLF001 - no public name says which it is
        return None
    if run is not None and run.state == "unreadable":
        # Else a store that is set up wrongly would look as if nothing was due.
        _log.warning("the run %r cannot be resumed: %s", key, run.message)
    return run if run is not None and run.is_due(now) else None


async def _resume(nl: NewsLeopard, run: RunState, inputs: Inputs) -> ResumedRun | None:
    """Go on with one run; None if it is left."""
    try:
        outcome = await _go_on(nl, run, inputs)
    except InUse as error:
        _log.info("the run %r is left to another process: %s", run.send_key, error)
        return None
    except Exception as error:  # noqa: BLE001 - whatever it is, the others have their turn
        # What an error of something else says may hold anything.
        said = f": {error}" if isinstance(error, NewsLeopardError) else ""
        _log.warning("the run %r ended with %s%s", run.send_key, type(error).__name__, said)
        frames = error.__traceback__
        assert frames is not None
        # The error is kept, and this frame has the contacts.
        return ResumedRun(run=run, error=error.with_traceback(frames.tb_next))
    return None if outcome is None else ResumedRun(run=run, outcome=outcome)


@hides_variables
async def _go_on(nl: NewsLeopard, run: RunState, inputs: Inputs) -> Any:
    given = await _input_of(run, inputs)
    if given is None:
        return None
    key = run.send_key
    _log.info("the run %r, which is %s at %s, is resumed", key, run.state, run.step)
    return await _PIPELINES[run.pipeline](nl, **{**given, "send_key": key})


async def _input_of(run: RunState, inputs: Inputs) -> Mapping[str, Any] | None:
    if isinstance(inputs, Mapping):
        return inputs.get(run.send_key)
    given = inputs(run)
    return await given if inspect.isawaitable(given) else given


async def resolve(
    store: Store,
    send_key: str,
    decision: Decision,
    campaign_sn: CampaignSn | None = None,
) -> None:
    """Decide, from any process, about a run of which it is not known whether it has submitted.

    Look in the console first (活動列表, or 自動化 for an event). Then call the pipeline again, or
    let `resume_due` do so.

    Args:
        store: Where the run is.
        send_key: Its key.
        decision: ``sent``: it took effect; ``resubmit``: it did not, do it; ``abandon``: leave it,
            and refuse to go on.
        campaign_sn: The campaign's code, with ``sent``, unless the record has it.

    Raises:
        InvalidRequest: there is no such run, or nothing to decide about it; the code is missing, or
            is another; or the request may still be on its way, which the rule ``too-early`` says.
        InUse: a process has the run.
    """
    check_store(store)
    kept = await Checkpoint.load(store, send_key)
    await kept.resolve(decision, campaign_sn)
