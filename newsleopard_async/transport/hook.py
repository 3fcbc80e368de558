"""The caller's hook, which runs around each attempt at a request of the API.

The hook runs in the caller's task. For a request that must not be repeated, it runs around the part
that cannot be cancelled, and before the intent is stored. Until it calls ``call_next``, the hook
can prevent the attempt. After that it cannot change the result.
"""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final, Generic, TypeVar, cast

import anyio
import attrs
from anyio.abc import TaskGroup

from newsleopard_async.aio import cancel_requests, is_cancelled, propagate_cancellation
from newsleopard_async.clock import Clock
from newsleopard_async.errors import ConfigurationError, Problem
from newsleopard_async.log import Log
from newsleopard_async.models.attempts import ApiAttempt, AttemptOutcome, OnAttempt
from newsleopard_async.models.validation import raise_problems, wrong_type
from newsleopard_async.transport.calls import Call
from newsleopard_async.transport.interpreter import CallResult
from newsleopard_async.transport.outcome import Answer

__all__ = ["HookedAttempt", "check_hook", "check_outside"]

T = TypeVar("T")

_log: Final = Log()

_OURS: Final = re.compile(
    r"(?:content|accept|proxy|if)-.*|accept|x-api-key|host|user-agent|transfer-encoding|connection"
    r"|keep-alive|te|trailer|upgrade|expect|range|cookie2?",
    re.IGNORECASE,
)
"""Headers that describe the request, that change the meaning of the answer, and cookies, which are
never stored."""

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token (RFC 9110, 5.6.2)."""

_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")

_LARGEST_CHARACTERS: Final = 8_192
"""Chosen: the limit of W3C's ``baggage``; Amazon's gateway accepts 10,240 bytes in all."""


_around: Final[ContextVar[HookedAttempt[Any] | None]] = ContextVar(
    "newsleopard_async_hook", default=None
)
"""The attempt with the hook that runs in this context."""


def check_outside(limits: object) -> None:
    """Refuse a call inside a hook by a client with the same limits.

    The attempt of the hook holds a slot. If enough attempts wait in their hooks for a second slot,
    none of them ever returns its slot.

    Raises:
        ConfigurationError: the call must be made in another task.
    """
    around = _around.get()
    if around is not None and around.limits is limits and around.is_running_here:
        raise ConfigurationError(
            "on_attempt cannot call a client of the same key, because its attempt holds a slot "
            "that the call may have to wait for; make the call in another task, and do not await it"
        )


def check_hook(given: object) -> None:
    """Check that the argument is a hook, so that a wrong one is found before the first request.

    Raises:
        ConfigurationError: the argument is not an async function of two arguments.
    """
    if given is not None and not (_is_async(given) and _takes_two(given)):
        raise ConfigurationError(
            "on_attempt must be an async function of two arguments: "
            "async def on_attempt(attempt, call_next): await call_next(attempt)"
        )


def _is_async(given: object) -> bool:
    called = getattr(type(given), "__call__", None)  # noqa: B004 - whether it is async, not whether it exists
    is_async = inspect.iscoroutinefunction(given) or inspect.iscoroutinefunction(called)
    return is_async and not isinstance(given, type)


def _takes_two(given: Any) -> bool:
    try:
        inspect.signature(given).bind(None, None)
    except (TypeError, ValueError):
        return False
    return True


class _HookPhase(enum.Enum):
    """The phase of a hook."""

    BEFORE = "has not called call_next yet"
    SENDING = "waits for the outcome"
    AFTER = "has the outcome or an error"
    OVER = "has ended"


@attrs.define(kw_only=True, eq=False)
class HookedAttempt(Generic[T]):
    """One attempt with a hook around it.

    Attributes:
        hook: The caller's hook.
        call: The call that the attempt belongs to.
        send: Sends the request with additional headers.
        unseen: Called with a result that the caller will not see.
        limits: The queue that gave the attempt its slot.
        clock: Bounds the hook.
        within_s: The longest time of the hook before it sends, and again afterwards.
        result: The result of the attempt. For a request that must not be repeated, it is set even
            if the hook does not wait for it.
    """

    hook: OnAttempt
    call: Call
    send: Callable[[Mapping[str, str]], Awaitable[CallResult[T]]]
    unseen: Callable[[CallResult[T]], object]
    limits: object
    clock: Clock
    within_s: float
    result: CallResult[T] | None = None
    _phase: _HookPhase = _HookPhase.BEFORE
    _was_sent: bool = False
    _is_late: bool = False
    _has_returned: bool = False
    _error: BaseException | None = None
    _task_id: int = 0
    _scope: anyio.CancelScope = attrs.field(factory=anyio.CancelScope)
    _timer: anyio.CancelScope = attrs.field(factory=anyio.CancelScope)
    _tasks: TaskGroup = attrs.field(init=False)

    async def run(self) -> CallResult[T] | None:
        """Run the hook; return the result of the attempt, or None if the hook did not wait for it.

        Raises:
            ConfigurationError: the hook sent nothing.
            BaseException: the hook's error before it sent, or the error that prevented the attempt.
        """
        requests, self._task_id = cancel_requests(), anyio.get_current_task().id
        before = _around.set(self)
        try:
            raised = await self._bounded()
            await propagate_cancellation(requests)
        except BaseException:
            self._lose()
            raise
        finally:
            self._phase = _HookPhase.OVER
            _around.reset(before)
        if not self._was_sent:
            raise raised or ConfigurationError(
                f"on_attempt did not call call_next{self._in_time}; nothing was sent"
            )
        self._end(raised)
        return self.result

    @property
    def is_running_here(self) -> bool:
        """Whether the hook has not ended, and this is its own task."""
        return self._phase is not _HookPhase.OVER and anyio.get_current_task().id == self._task_id

    async def _bounded(self) -> BaseException | None:
        """Run the hook; return its exception, which the task group would wrap in another one."""
        raised: BaseException | None = None
        attempt = ApiAttempt(
            operation=self.call.operation,
            method=self.call.method,
            path=self.call.path or "",
            attempt=self.call.attempts,
            waited_s=self.call.waited_s,
        )
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            tasks.start_soon(self._watch, self._timer)
            try:
                with self._scope:
                    await self.hook(attempt, self._call_next)
            except anyio.get_cancelled_exc_class() as error:
                if is_cancelled():
                    raise
                # Unchanged, this exception would end the caller's task without an error.
                raised = ConfigurationError("on_attempt awaited something that was cancelled")
                raised.__cause__ = error
            except BaseException as error:  # noqa: BLE001 - it is raised or logged at the end
                raised = error
            # Only the timer is cancelled: the outer scope would cancel this task as well.
            self._timer.cancel()
        return raised

    async def _watch(self, timer: anyio.CancelScope) -> None:
        """Cancel a hook that takes too long."""
        with timer:
            await self.clock.sleep(self.within_s)
            self._is_late = True
            self._scope.cancel()

    async def _call_next(self, attempt: ApiAttempt) -> AttemptOutcome:
        self._check()
        headers = _check_headers(attempt)
        self._phase, self._was_sent = _HookPhase.SENDING, True
        self._timer.cancel()
        try:
            self.result = await self.send(headers)
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as error:
            self._error = error
            raise
        finally:
            self._phase, self._timer = _HookPhase.AFTER, anyio.CancelScope()
            self._tasks.start_soon(self._watch, self._timer)
        self._has_returned = True
        return _outcome(self.result, self.call.duration_s)

    def _check(self) -> None:
        if self._phase is _HookPhase.OVER or (self._is_late and not self._was_sent):
            why = "it was called too late: on_attempt had ended or exceeded its time"
        elif anyio.get_current_task().id != self._task_id:
            why = (
                "on_attempt called it in another task; await it in on_attempt itself "
                "(use asyncio.timeout, because asyncio.wait_for can start a task)"
            )
        elif self._was_sent:
            why = "on_attempt called it a second time"
        else:
            return
        raise ConfigurationError(f"call_next did not send the request: {why}")

    def _end(self, raised: BaseException | None) -> None:
        """Log an error of the hook after it has sent: the result is valid nevertheless.

        Raises:
            BaseException: the error that prevented the attempt, or one that ends the program.
        """
        if self._error is not None:
            raise self._error
        if raised is not None and not isinstance(raised, Exception):
            self._lose()
            raise raised
        if raised is not None:
            _log.error("on_attempt failed after %s", self.call.operation, exc_info=raised)
        elif self._is_late:
            _log.error(
                "on_attempt was stopped: after %s it did not end%s",
                self.call.operation,
                self._in_time,
            )

    def _lose(self) -> None:
        if self._has_returned and self.result is not None:
            self.unseen(self.result)

    @property
    def _in_time(self) -> str:
        return f" within {self.within_s:g} s" if self._is_late else ""


def _outcome(result: CallResult[T], duration_s: float) -> AttemptOutcome:
    outcome = result.outcome
    answer = outcome if isinstance(outcome, Answer) else None
    return AttemptOutcome(
        status=None if answer is None else answer.status,
        failure=None if outcome.failure is None else outcome.failure.word,
        duration_s=duration_s,
        request_id=None if answer is None else answer.request_id,
        headers={} if answer is None else answer.selected_headers,
    )


def _check_headers(attempt: object) -> dict[str, str]:
    """Return the headers that a hook adds.

    Raises:
        InvalidRequest: lists the headers that cannot be sent, without their values.
    """
    raise_problems(_problems(attempt))
    # The copy is checked and sent: the hook's own mapping can return other values later.
    headers = dict(cast("ApiAttempt", attempt).headers)
    raise_problems(_problems_of_headers(headers))
    return headers


def _problems(attempt: object) -> Iterator[Problem]:
    if not isinstance(attempt, ApiAttempt):
        yield wrong_type("attempt", attempt, "the ApiAttempt that on_attempt has received")
    elif not isinstance(attempt.headers, Mapping):
        yield wrong_type("headers", attempt.headers, "a mapping of names to text")


def _problems_of_headers(headers: Mapping[Any, Any]) -> Iterator[Problem]:
    size = 0
    for name, value in headers.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            yield Problem("headers", "name", f"{name!r} is not the name of a header")
        elif _OURS.fullmatch(name):
            yield Problem("headers", "ours", f"{name} is set by this library; leave it out")
        elif not isinstance(value, str) or not _VALUE.fullmatch(value):
            yield Problem("headers", "value", f"{name} must be one line of visible ASCII")
        else:
            size += len(name) + len(value)
    if size > _LARGEST_CHARACTERS:
        yield Problem(
            "headers", "too-long", f"must have at most {_LARGEST_CHARACTERS:,} characters in all"
        )
