"""How a run holds its record while it works, and how it lets go.

The rules:

- A store with locks locks the key; the lock goes with the process. In any other store the record
  says until when it is held: a lease, which a task beside the run renews.
- A lease only saves work. Wall clocks may differ, and a stopped process may wake up. That at most
  one run submits rests on the comparison of each save (`record_access`) alone.
- A run that finds at a renewal that another has taken over stops at once. One whose store is away
  goes on: its next save decides.
- However a run ends, it lets go. How it ended is saved together with that, unless it was cancelled,
  and never hides its outcome or its error.
"""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta
from typing import Final, cast

import anyio
import attrs

from newsleopard_async.aio import run_to_completion
from newsleopard_async.clock import Clock, moved
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
from newsleopard_async.workflows.progress import Events, StepName
from newsleopard_async.workflows.run_record import EndState, RunEnd

__all__ = ["acquire_or_wait", "holding", "release", "run_end_of", "wait_s_of"]

_FIRST_LOOK_S: Final = 0.1
_LONGEST_LOOK_S: Final = 2.0
"""How often a run looks whether another one has ended. Chosen: soon at first, since many take a
second or two; and later at a distance that costs a store nothing."""

_RENEWED_EVERY_S: Final = 5.0
"""Chosen: a lease lasts four times as long."""

_LONGEST_RENEWAL_S: Final = 10.0
"""Chosen: twice as long as it is to the next one, and half a lease."""

_LAST_SAVE_S: Final = 5.0
"""Chosen: what ends is not to hang. If the store is away for longer, the lease ends by itself."""

_LONGEST_MESSAGE: Final = 500
"""In characters. Chosen: more than any message of ours, unless it names dozens of fields."""

_MAY_PASS: Final = (
    ConnectionFailed,
    DeadlineExceeded,
    RateLimited,
    ServerError,
    StorageError,
    UnexpectedResponse,
)
"""What ends a run that may be called again as it is."""

_log: Final = Log()


def wait_s_of(wait_for_other: object, polling: Polling | None) -> float:
    """Return for how many seconds another run is waited for.

    Raises:
        InvalidRequest: it is no such choice.
    """
    raise_problems(_problems_of_wait(wait_for_other))
    if isinstance(wait_for_other, bool):
        return (polling or Polling()).deadline_s if wait_for_other else 0.0
    return cast("float", wait_for_other)


def _problems_of_wait(wait_for_other: object) -> Iterator[Problem]:
    if not isinstance(wait_for_other, (bool, int, float)):
        yield wrong_type("wait_for_other", wait_for_other, "True, False or a number of seconds")
    elif not 0 <= wait_for_other < math.inf:
        yield Problem("wait_for_other", "range", "must be 0 or more, and have an end")


async def acquire_or_wait(
    stack: contextlib.AsyncExitStack,
    acquired: Callable[[], contextlib.AbstractAsyncContextManager[None]],
    events: Events,
    wait_s: float,
) -> None:
    """Enter what another run may hold; wait for the end of that one, if the caller wants it.

    Raises:
        InUse: the other run did not end in time.
    """
    clock, look_s = events.clock, _FIRST_LOOK_S
    until_s = clock.monotonic() + wait_s
    while True:
        try:
            await stack.enter_async_context(acquired())
        except InUse as error:
            left_s = until_s - clock.monotonic()
            if left_s <= 0:
                raise
            if look_s == _FIRST_LOOK_S:
                _log.info("%s; this run waits for that, %g s at most", error, wait_s)
                await events.emit(_WAITING, "waiting")
        else:
            return
        look_s = min(2 * look_s, _LONGEST_LOOK_S)
        spread = random.uniform(0.5, 1.0)  # noqa: S311 - spreads looks, guards nothing
        await clock.sleep(min(left_s, look_s * spread))


@attrs.frozen
class _WaitStep:
    """The wait for another run, as an event shows it."""

    name: StepName = "wait_for_other"
    serves: StepName | None = None
    part: int = 1
    parts: int = 1


_WAITING: Final = _WaitStep()


@contextlib.asynccontextmanager
async def holding(kept: Checkpoint, clock: Clock) -> AsyncIterator[None]:
    """Keep a record that was claimed for as long as the context lasts, and say how that ended.

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
    """Renew a lease beside what runs inside; end that if the lease is lost."""
    raised: BaseException | None = None
    lost: InUse | None = None
    is_over = False
    # A cancelled run that waits for its answer on the wire holds its record until that has come.
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
    """Renew a lease until it is lost; return how."""
    while True:
        await clock.sleep(_RENEWED_EVERY_S)
        try:
            with clock.deadline(_LONGEST_RENEWAL_S):
                await kept.renew(clock.now())
        except InUse as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever a caller's store raises
            _log.warning("the hold of %s could not be renewed: %s", kept.name, type(error).__name__)


async def release(kept: Checkpoint, clock: Clock, ended: RunEnd | None) -> None:
    """Save how a run ended, and that nobody holds its record; what fails here hides nothing.

    A cancellation meanwhile goes on afterwards.
    """

    async def save() -> None:
        with clock.deadline(_LAST_SAVE_S):
            await kept.release(ended)

    try:
        # The scope lets it begin if the run is being cancelled already.
        with anyio.CancelScope(shield=True):
            await run_to_completion(save, when_cancelled=lambda _: None)
    except InUse:
        # The record is another run's.
        pass
    except Exception as error:  # noqa: BLE001 - whatever a caller's store raises
        _log.warning("the end of %s could not be stored: %s", kept.name, type(error).__name__)


def run_end_of(error: Exception, now: datetime, *, is_in_doubt: bool) -> RunEnd:
    """Say how a run ended that raised.

    What an error of something else than this library says may hold anything, and is not kept.

    Args:
        error: What it raised.
        now: The time.
        is_in_doubt: Whether it is not known whether something was submitted.
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
        message=str(error)[:_LONGEST_MESSAGE] if is_ours else "",
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
