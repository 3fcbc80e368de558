"""How a run holds its record while it works, and how it releases the record.

The rules:

- A store with locks locks the key, and the lock ends with the process. In any other store the
  record contains a lease: the time until which it is held. A task renews it during the run.
- A lease only avoids wasted work, because clocks can differ and a suspended process can resume.
  Only the comparison of each save (`record_access`) guarantees that at most one run submits.
- If a renewal finds that another run has taken over, the run stops immediately. If the store is
  unreachable, the run continues, and its next save decides.
- A run always releases its record, and stores in the same save how it ended, unless it was
  cancelled. An error of that save never hides the outcome or the error of the run.
"""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta
from typing import Final, cast

import anyio

from newsleopard_async.aio import run_to_completion
from newsleopard_async.clock import Clock, moved
from newsleopard_async.disclosure import shortened
from newsleopard_async.errors import (
    ConnectionFailed,
    DailyQuotaExhausted,
    DeadlineExceeded,
    InUse,
    NewsLeopardError,
    OutcomeUnknown,
    Problem,
    RateLimited,
    ServerError,
    StorageError,
    UnexpectedResponse,
)
from newsleopard_async.log import Log
from newsleopard_async.models import Polling
from newsleopard_async.models.validation import raise_problems, wrong_type
from newsleopard_async.workflows.checkpoint import Checkpoint
from newsleopard_async.workflows.progress import Events, EventStep
from newsleopard_async.workflows.run_record import EndState, RunEnd

__all__ = ["acquire_or_wait", "holding", "release", "run_end_of", "wait_s_of"]

_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 2.0
"""How often a run checks whether another run has ended. Chosen: 0.1 s at first, because many runs
take a second or two; 2 s later, because one read per 2 s is a small load for a store."""

_RENEWED_EVERY_S: Final = 5.0
"""Chosen: a quarter of the lease (20 s), so three renewals can fail."""

_LONGEST_RENEWAL_S: Final = 10.0
"""Chosen: half of the lease. So a renewal after 5 s ends before the lease does."""

_LAST_SAVE_S: Final = 5.0
"""Chosen: a user waits at most 5 s at the end of a run. Without this save the lease expires."""

_LONGEST_MESSAGE: Final = 1_000
"""In characters. Chosen: only messages with the problems of many fields are longer; the three
decisions about a submit in doubt need 600."""

_MAY_PASS: Final = (
    ConnectionFailed,
    DeadlineExceeded,
    RateLimited,
    ServerError,
    StorageError,
    UnexpectedResponse,
)
"""The errors after which the same call can succeed."""

_log: Final = Log()


def wait_s_of(wait_for_other: object, polling: Polling | None) -> float:
    """Return for how many seconds the caller waits for another run.

    Raises:
        InvalidRequest: the value is not True, False or a number of seconds.
    """
    raise_problems(_problems_of_wait(wait_for_other))
    if isinstance(wait_for_other, bool):
        return (polling or Polling()).deadline_s if wait_for_other else 0.0
    return cast("float", wait_for_other)


def _problems_of_wait(wait_for_other: object) -> Iterator[Problem]:
    if not isinstance(wait_for_other, (bool, int, float)):
        yield wrong_type("wait_for_other", wait_for_other, "True, False or a number of seconds")
    elif not 0 <= wait_for_other < math.inf:
        yield Problem("wait_for_other", "range", "must be 0 or more seconds, and finite")


async def acquire_or_wait(
    stack: contextlib.AsyncExitStack,
    acquired: Callable[[], contextlib.AbstractAsyncContextManager[None]],
    events: Events,
    wait_s: float,
) -> None:
    """Enter a context; if another run blocks it, wait up to ``wait_s`` for the end of that run.

    Raises:
        InUse: the other run did not end before the deadline.
    """
    clock, wait_next_s = events.clock, _FIRST_WAIT_S
    until_s = clock.monotonic() + wait_s
    while True:
        try:
            await stack.enter_async_context(acquired())
        except InUse as error:
            left_s = until_s - clock.monotonic()
            if left_s <= 0:
                raise
            if wait_next_s == _FIRST_WAIT_S:
                _log.info("%s; this run waits up to %g s", error, wait_s)
                await events.emit(_WAITING, "waiting")
        else:
            return
        wait_next_s = min(2 * wait_next_s, _LONGEST_WAIT_S)
        spread = random.uniform(0.5, 1.0)  # noqa: S311 - spreads checks, guards nothing
        await clock.sleep(min(left_s, wait_next_s * spread))


_WAITING: Final = EventStep("wait_for_other")
"""The wait for another run."""


@contextlib.asynccontextmanager
async def holding(kept: Checkpoint, clock: Clock) -> AsyncIterator[None]:
    """Hold a record that was acquired inside the context, and store how the run ended.

    Raises:
        InUse: another run has taken over.
    """
    try:
        async with _renewed(kept, clock) if kept.has_lease else contextlib.nullcontext():
            yield
    except Exception as error:
        ended = run_end_of(error, clock.now(), is_in_doubt=kept.in_doubt is not None)
        await release(kept, clock, ended)
        raise
    except anyio.get_cancelled_exc_class():
        await release(kept, clock, None)
        raise
    await release(kept, clock, RunEnd(state="done", at=clock.now()))


@contextlib.asynccontextmanager
async def _renewed(kept: Checkpoint, clock: Clock) -> AsyncIterator[None]:
    """Renew a lease while the block runs; end the block if the lease is lost."""
    raised: BaseException | None = None
    lost: InUse | None = None
    is_over = False
    # A cancelled run that waits for an answer still holds its record, so it still renews.
    renewals = anyio.CancelScope(shield=True)

    async def renew() -> None:
        nonlocal lost
        with renewals:
            lost = await _renew(kept, clock)
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(renew)
        try:
            yield
            is_over = True
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as error:  # noqa: BLE001 - raised below, out of the group
            raised = error
        finally:
            renewals.cancel()
    if raised is not None:
        try:
            raise raised
        finally:
            del raised
    if lost is not None and not is_over:
        raise lost


async def _renew(kept: Checkpoint, clock: Clock) -> InUse:
    """Renew a lease until it is lost; return the error."""
    while True:
        await clock.sleep(_RENEWED_EVERY_S)
        try:
            with clock.deadline(_LONGEST_RENEWAL_S):
                await kept.renew(clock.now())
        except InUse as error:
            return error
        except Exception as error:  # noqa: BLE001 - a caller's store can raise anything
            _log.warning(
                "the lease of %s could not be renewed (%s); another run can take over",
                kept.name,
                type(error).__name__,
            )


async def release(kept: Checkpoint, clock: Clock, ended: RunEnd | None) -> None:
    """Store how a run ended, and release its record; an error of the store is only logged.

    A cancellation during the save takes effect after it.
    """

    async def save() -> None:
        with clock.deadline(_LAST_SAVE_S):
            await kept.release(ended)

    try:
        # The shield lets the save begin even if the run is already being cancelled.
        with anyio.CancelScope(shield=True):
            await run_to_completion(save, when_cancelled=lambda _: None)
    except InUse:
        # The record belongs to another run.
        pass
    except Exception as error:  # noqa: BLE001 - a caller's store can raise anything
        _log.warning(
            "the end of the run of %s could not be stored: %s", kept.name, type(error).__name__
        )


def run_end_of(error: Exception, now: datetime, *, is_in_doubt: bool) -> RunEnd:
    """Return how a run ended that raised an error.

    The message of a foreign error is not stored, because it can contain contacts or keys.

    Args:
        error: The error that ended the run.
        now: The time.
        is_in_doubt: Whether the outcome of a submit is unknown.
    """
    is_ours = isinstance(error, NewsLeopardError)
    state: EndState
    if is_in_doubt:
        state = "held"
    elif isinstance(error, OutcomeUnknown):
        state = "checking"
    else:
        state = "waiting" if isinstance(error, _MAY_PASS) else "failed"
    return RunEnd(
        state=state,
        at=now,
        error=type(error).__name__,
        message=shortened(str(error), _LONGEST_MESSAGE) if is_ours else "",
        look_again_at=_look_again_at(error, now),
    )


def _look_again_at(error: Exception, now: datetime) -> datetime | None:
    match error:
        case OutcomeUnknown():
            return error.look_again_at
        case DailyQuotaExhausted():
            return error.resets_at
        case RateLimited():
            return moved(now, timedelta(seconds=error.retry_after_s))
        case _:
            return None
