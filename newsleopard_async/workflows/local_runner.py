"""The default runner: it awaits each step, emits events, and keeps a checkpoint."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar, cast

import anyio
import anyio.lowlevel
import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.errors import (
    APIError,
    ConfigurationError,
    InUse,
    InvalidRequest,
    NewsLeopardError,
    OutcomeUnknown,
    RateLimited,
    ServerError,
)
from newsleopard_async.log import Log
from newsleopard_async.plain import PlainData, from_plain, to_plain
from newsleopard_async.transport.observer import Observer
from newsleopard_async.transport.pace import listener
from newsleopard_async.workflows.checkpoint import Checkpoint, RunLocation
from newsleopard_async.workflows.fingerprint import Fingerprint
from newsleopard_async.workflows.lease import acquire_or_wait, holding, release
from newsleopard_async.workflows.list_lock import list_lock
from newsleopard_async.workflows.progress import Events, OpenStep, span_of
from newsleopard_async.workflows.run_record import ANSWERED, StepRecord
from newsleopard_async.workflows.runner import AnyStep, Runner, Step

__all__ = ["running"]

Given = TypeVar("Given")
Gives = TypeVar("Gives")

_LOW_QUOTA: Final = 0.1
"""Chosen: with less than a tenth of the daily quota left, polls slow down to save requests for the
work itself."""

_log: Final = Log()


@contextlib.asynccontextmanager
async def running(
    nl: NewsLeopard,
    events: Events,
    *,
    fingerprint: Fingerprint,
    checkpoint: RunLocation | None,
    wait_s: float = 0.0,
) -> AsyncIterator[Runner]:
    """Open a runner for a pipeline; every NewsLeopardError that leaves it has the checkpoint.

    Args:
        nl: The client.
        events: Emits the events of the run.
        fingerprint: The fingerprint of the input.
        checkpoint: Where the run is stored; None stores nothing.
        wait_s: How long to wait for another run with this checkpoint, in seconds.

    Raises:
        InvalidRequest: the checkpoint belongs to another run or other input.
        InUse: another run is using it, or has taken it over.
    """
    kept = Checkpoint.begun(checkpoint, events.pipeline, fingerprint)
    async with contextlib.AsyncExitStack() as stack:
        await acquire_or_wait(
            stack, partial(_acquired, nl, kept, events.pipeline, fingerprint), events, wait_s
        )
        try:
            async with holding(kept, nl.clock):
                yield _LocalRunner(nl, kept, events)
        except NewsLeopardError as error:
            error.checkpoint = kept
            raise


@contextlib.asynccontextmanager
async def _acquired(
    nl: NewsLeopard, kept: Checkpoint, pipeline: str, fingerprint: Fingerprint
) -> AsyncIterator[None]:
    """Acquire the checkpoint, and check that it belongs to this run."""
    account = nl._api.account  # noqa: SLF001 - no public name says which account it is
    async with kept.in_use(nl.clock):
        kept.check(pipeline, fingerprint, account)
        try:
            await kept.acquire(account, nl.clock.now())
        except anyio.get_cancelled_exc_class():
            # The lease is possibly stored, and no task will renew it.
            await release(kept, nl.clock, None)
            raise
        yield


@attrs.define
class _OpenPoll:
    """The polls of one job.

    Attributes:
        opened: The step that contains them.
        seen: The result of the last poll, as plain data; None if it failed.
    """

    opened: OpenStep
    seen: PlainData = None


class _LocalRunner:
    """Runs a pipeline in this task. `Runner` documents the methods."""

    def __init__(self, nl: NewsLeopard, checkpoint: Checkpoint, events: Events) -> None:
        self._nl = nl
        self._checkpoint = checkpoint
        self._events = events
        self._poll: _OpenPoll | None = None
        self._request_ids: dict[str, str | None] = {}

    @property
    def token(self) -> str:
        return self._checkpoint.token

    @property
    def send_key(self) -> str | None:
        return self._checkpoint.send_key

    @property
    def marker(self) -> str:
        return self._checkpoint.marker

    @property
    def sought_marker(self) -> str:
        return self._checkpoint.sought_marker

    async def step(self, step: Step[Given, Gives], given: Given, *, keep: bool = True) -> Gives:
        if step.request is not None:
            # Also during polling: the intent must be stored before the request is sent.
            return await self._once(step, given, step.request)
        if self._poll is not None and not step.writes:
            return await self._poll_once(self._poll, step, given)
        record = self._checkpoint.records.get(step.key) if keep else None
        if record is not None and record.is_done:
            return cast("Gives", await self._resumed(step, record))
        async with self._events.begin(step) as opened:
            if step.writes:
                result = await self._write(step, given, opened)
            else:
                result = await self._run(step, given, opened)
        self._request_ids[step.key] = opened.request_id
        if keep:
            await self.record_result(step, result)
        await self._emit_finished(step, to_plain(result))
        return result

    async def _run(
        self, step: Step[Given, Gives], given: Given, opened: OpenStep, *more: Observer
    ) -> Gives:
        """Run a step as the listener of its requests."""
        before = listener.set(opened)
        try:
            return await step.run(self._nl, given, *more)
        finally:
            listener.reset(before)

    async def _poll_once(self, poll: _OpenPoll, step: Step[Given, Gives], given: Given) -> Gives:
        poll.seen = None
        poll.opened.polled()
        result = await self._run(step, given, poll.opened)
        poll.seen = to_plain(result)
        return result

    async def _write(self, step: Step[Given, Gives], given: Given, opened: OpenStep) -> Gives:
        """Run a step that can be repeated; its intent is stored first, and removed by a refusal."""
        intent = StepRecord(state="intent", at=self.now(), writer=self._checkpoint.run_id)
        await self._checkpoint.put(step.key, intent)
        try:
            return await self._run(step, given, opened)
        except NewsLeopardError as error:
            if _is_refusal(error):
                # An error of the store must not hide the refusal.
                with contextlib.suppress(Exception):
                    await self.forget(step)
            raise

    async def _once(self, step: Step[Given, Gives], given: Given, request: str) -> Gives:
        """Run a step that must not happen twice, or return its stored result."""
        record = self._checkpoint.records.get(step.key)
        if record is None:
            async with self._events.begin(step) as opened:
                observer = _StepObserver(self._checkpoint, step, self._nl, opened)
                result = await self._run(step, given, opened, observer)
            self._request_ids[step.key] = opened.request_id
            kept = to_plain(step.keeps(result))
            try:
                await self._emit_finished(step, kept)
                # A pending cancellation must be raised here. Later it would lose the result.
                await anyio.lowlevel.checkpoint()
            except BaseException:
                # The caller is cancelled and would never learn the result, so it is logged.
                _log.warning("cancelled after %s; its result: %s", step.name, kept)
                raise
            return result
        if record.is_done:
            return cast("Gives", await self._resumed(step, record))
        raise OutcomeUnknown(
            f"an earlier run began {step.name} at {record.at:%Y-%m-%d %H:%M} UTC, and its outcome "
            "is unknown",
            request=request,
        ).with_request_id(record.request_id)

    def has(self, step: AnyStep) -> bool:
        return step.key in self._checkpoint.records

    def in_doubt_since(self, step: AnyStep) -> datetime | None:
        record = self._checkpoint.records.get(step.key)
        return None if record is None or record.is_done else record.at

    async def has_outcome(self, step: AnyStep) -> bool:
        with contextlib.suppress(Exception):
            # If the store cannot be read, the outcome is still unknown.
            await self._checkpoint.refresh()
        return self.in_doubt_since(step) is None

    def done_at(self, step: AnyStep) -> datetime | None:
        record = self._checkpoint.records.get(step.key)
        return record.at if record is not None and record.is_done else None

    def request_id(self, step: AnyStep) -> str | None:
        record = self._checkpoint.records.get(step.key)
        return self._request_ids.get(step.key) if record is None else record.request_id

    def is_answered(self, step: AnyStep) -> bool:
        record = self._checkpoint.records.get(step.key)
        return record is not None and record.result == ANSWERED

    async def record_result(self, step: AnyStep, result: Any) -> None:
        record = StepRecord(
            state="done",
            at=self.now(),
            result=to_plain(result),
            request_id=self._request_ids.get(step.key),
        )
        await self._checkpoint.put(step.key, record)

    async def forget(self, step: AnyStep) -> None:
        await self._checkpoint.put(step.key, None)

    @contextlib.asynccontextmanager
    async def poll_step(self, step: AnyStep) -> AsyncIterator[None]:
        if self._poll is not None:
            yield
            return
        try:
            async with self._events.begin(step) as opened:
                self._poll = poll = _OpenPoll(opened)
                yield
        finally:
            self._poll = None
        self._request_ids[step.key] = opened.request_id
        await self._emit_finished(step, poll.seen)

    async def wait(
        self,
        step: AnyStep,
        seconds: float,
        known: object,
        *,
        wake: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        await self._events.emit(step, "waiting", to_plain(known))
        if wake is None:
            await self._nl.clock.sleep(seconds)
        else:
            with self._nl.clock.deadline(seconds):
                await wake()

    def list_lock(
        self, step: AnyStep, what: str, *, within_s: float
    ) -> contextlib.AbstractAsyncContextManager[None]:

        async def on_wait() -> None:
            _log.info("other %s are running; this run waits for them", what)
            await self._events.emit(step, "waiting", None)

        return list_lock(self._nl, what, within_s=within_s, on_wait=on_wait)

    def monotonic(self) -> float:
        return self._nl.clock.monotonic()

    def now(self) -> datetime:
        return self._nl.clock.now()

    def quota_is_low(self) -> bool:
        usage = self._nl.usage
        if usage.limit is None or usage.remaining is None:
            return False
        return usage.remaining < usage.limit * _LOW_QUOTA

    async def _emit_finished(self, step: AnyStep, result: PlainData) -> None:
        request_id = self._request_ids[step.key]
        await self._events.emit(step, "finished", result, request_id=request_id)

    async def _resumed(self, step: AnyStep, record: StepRecord) -> Any:
        with span_of(step, is_resumed=True):
            pass
        code = f": {record.result}" if isinstance(record.result, str) else ""
        at = f"{record.at:%Y-%m-%d %H:%M:%S}"
        _log.info("%s was finished by an earlier run, at %s UTC%s", step.key, at, code)
        await self._events.emit(step, "resumed", record.result, request_id=record.request_id)
        return from_plain(step.gives, record.result)


def _is_refusal(error: NewsLeopardError) -> bool:
    """Return whether an error means that nothing was changed at the platform."""
    if isinstance(error, APIError):
        return not isinstance(error, ServerError)
    return isinstance(error, (ConfigurationError, InvalidRequest, RateLimited))


@attrs.frozen
class _StepObserver:
    """Stores in the checkpoint the outcome of a request that must not be repeated."""

    checkpoint: Checkpoint
    step: AnyStep
    nl: NewsLeopard
    opened: OpenStep

    async def on_sending(self) -> None:
        """Store the intent; an error here prevents the request."""
        try:
            await self.checkpoint.put(self.step.key, self._record("intent", None))
        except Exception:
            # A store that raised an error can still have stored the intent, so it is removed.
            with contextlib.suppress(Exception):
                await self._keep(None)
            raise

    async def on_accepted(self, model: Any) -> None:
        """Store the result."""
        kept = to_plain(self.step.keeps(model))
        _log.info("%s was accepted%s", self.step.name, "" if kept is None else f": {kept}")
        await self._note(self._record("done", kept))

    async def on_failed(self, error: NewsLeopardError) -> None:
        """Remove the intent if it is certain that nothing happened."""
        if not isinstance(error, OutcomeUnknown):
            await self._note(None)
        elif error.status is not None and 200 <= error.status < 300:
            # The step happened, but its answer is unusable. A lookup need not wait for the step.
            await self._note(self._record("intent", ANSWERED))

    def _record(self, state: str, result: PlainData) -> StepRecord:
        return StepRecord(
            state=state,
            at=self.nl.clock.now(),
            result=result,
            request_id=self.opened.request_id if state == "done" or result else None,
            writer=self.checkpoint.run_id if state == "intent" else None,
        )

    async def _note(self, record: StepRecord | None) -> None:
        """Store an outcome; an error of the store must not hide the outcome.

        Then the intent stays stored, and a later run looks the outcome up.
        """
        try:
            await self._keep(record)
        except Exception:  # noqa: BLE001 - a caller's store can raise anything
            result = None if record is None else record.result
            _log.exception("no checkpoint could be stored after %s: %s", self.step.name, result)
            # This process still knows the outcome.
            self.checkpoint.know(self.step.key, record)

    async def _keep(self, record: StepRecord | None) -> None:
        """Store a record, even if another run has taken over while the request was being sent."""
        try:
            await self.checkpoint.put(self.step.key, record)
        except InUse:
            if not await self.checkpoint.report(self.step.key, record):
                raise
