"""When and how often a request is repeated, if `repeating.decide` allows it.

tenacity runs the loop, on the client's clock. Waits are exponential with full jitter. A
`Retry-After` is observed up to a cap.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any, cast

import attrs
from tenacity import AsyncRetrying, RetryCallState

from newsleopard_async.clock import Clock
from newsleopard_async.models.options import RetryPolicy
from newsleopard_async.transport.outcome import Failure, Outcome, retry_after_s
from newsleopard_async.transport.repeating import Kind, decide

__all__ = ["Retrying"]


@attrs.define
class Retrying:
    """The retry loop around the attempts of one request; create one for each request.

    Attributes:
        sleep: How to wait between two attempts, if not on the clock alone.
        on_retry: Called with the outcome of an attempt and the wait until the next one.
    """

    policy: RetryPolicy
    clock: Clock
    sleep: Callable[[float], Awaitable[None]] | None = attrs.field(default=None, kw_only=True)
    on_retry: Callable[[Outcome, float], object] | None = attrs.field(default=None, kw_only=True)
    jitter: Callable[[float, float], float] = random.uniform
    _began_s: float | None = attrs.field(default=None, init=False)

    def begin(self) -> None:
        """Record that an attempt begins: the total time starts with the first one.

        The wait for a slot does not count. Without this call, an attempt begins when it is called.
        """
        if self._began_s is None:
            self._began_s = self.clock.monotonic()

    def waits_out(self, outcome: Outcome) -> bool:
        """Return whether to wait for another slot after a refusal at the gateway.

        This costs no attempt: nothing was processed, and the limiter sends one request at a time to
        find out whether the server accepts requests again. The total time bounds the wait.
        """
        if outcome.failure is not Failure.REFUSED or self._began_s is None:
            return False
        asked_s = retry_after_s(outcome, self.clock.now()) or 0.0
        left_s = self._began_s + self.policy.max_total_s - self.clock.monotonic()
        return (
            self.policy.max_attempts > 1
            and asked_s <= self.policy.retry_after_cap_s
            and asked_s < left_s
        )

    async def __call__(
        self,
        attempt: Callable[[], Awaitable[Outcome]],
        kind: Kind,
        *,
        empty_500_once: bool = False,
    ) -> Outcome:
        """Make attempts until one needs no repetition; return the last outcome.

        Raises:
            RateLimited, DailyQuotaExhausted: from the limiter, inside an attempt.
        """
        called_s = self.clock.monotonic()
        first = await attempt()
        if not decide(kind, first, 1, empty_500_once=empty_500_once):
            # Most calls end here. Creating the loop takes twice as long as the rest of a call that
            # waits for its slot, which matters if thousands wait.
            return first
        made = [first]

        async def attempt_again() -> Outcome:
            return made.pop() if made else await attempt()

        def allowed(state: RetryCallState) -> bool:
            return (
                state.outcome is not None
                and not state.outcome.failed
                and decide(
                    kind,
                    state.outcome.result(),
                    state.attempt_number,
                    empty_500_once=empty_500_once,
                )
            )

        def wait(state: RetryCallState) -> float:
            return self._wait_s(_outcome(state), state.attempt_number)

        def stop(state: RetryCallState) -> bool:
            began_s = called_s if self._began_s is None else self._began_s
            elapsed_s = self.clock.monotonic() - began_s
            return self._must_stop(_outcome(state), state, elapsed_s)

        loop = AsyncRetrying(
            sleep=self.sleep or self.clock.sleep,
            retry=allowed,
            wait=wait,
            stop=stop,
            before_sleep=self._report_retry,
            retry_error_callback=_outcome,
        )
        return cast("Outcome", await loop(attempt_again))

    def _report_retry(self, state: RetryCallState) -> None:
        if self.on_retry is not None:
            self.on_retry(_outcome(state), state.upcoming_sleep)

    def _wait_s(self, outcome: Outcome, attempt: int) -> float:
        asked_s = retry_after_s(outcome, self.clock.now())
        if asked_s is not None:
            return asked_s
        # Two to the power of a large attempt number would not fit a float.
        bound_s = min(self.policy.cap_s, self.policy.base_s * 2.0 ** min(attempt - 1, 60))
        return self.jitter(0.0, bound_s)

    def _must_stop(self, outcome: Outcome, state: RetryCallState, elapsed_s: float) -> bool:
        asked_s = retry_after_s(outcome, self.clock.now()) or 0.0
        return (
            state.attempt_number >= self.policy.max_attempts
            or asked_s > self.policy.retry_after_cap_s
            or elapsed_s + state.upcoming_sleep > self.policy.max_total_s
        )


def _outcome(state: RetryCallState) -> Any:
    # tenacity calls this only after an attempt, so that the outcome is always there.
    assert state.outcome is not None
    return state.outcome.result()
