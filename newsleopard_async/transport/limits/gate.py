"""What to do when the server refuses requests although they observe the limits.

Numbers only, no waiting. The rules:

- A refusal at the gateway shuts the gate for all callers. After about 1 s one request is sent
  alone, the probe. If it is accepted, the gate opens. If it is refused, the next one is sent about
  2 s later, then 4 s, and so on up to 30 s. A longer ``Retry-After`` is observed, but for 5 minutes
  at most: one header of a server or a proxy must not stop every caller for days.
- If every probe is refused for 2 minutes, at least three, and none with the text of the limit per
  second, then the daily quota is exhausted. Fewer refusals prove little, because other processes
  with the same key can have used the requests of each second. The gate stays shut, so the first
  request of the next day is a probe again: the platform's day can differ from ours.
- If every probe is refused for 2 minutes, with any text, no request waits any longer. Each caller
  gets an error immediately, except for the next probe.
- An urgent request can be sent early, while the gate is shut. It is then the probe. If it is
  accepted, the gate opens. If it is refused, no hold gets shorter and no probe is counted, because
  several can be sent together. If another probe is unanswered, the urgent request is sent without
  effect on the gate, because the answer to that probe can be late.
- Only the answer to the probe moves the gate. Answers to requests that were sent before it was shut
  contain no new information.
- We stay below the limits that we know. So if the gate opens again after three refusals, the real
  limit of the server is lower. After this, requests are sent evenly, at 1.1 times the interval of
  the limit, and at twice the interval after each further three refusals. After every 50 accepted
  requests the interval gets 10 % shorter, down to 1.05 times. Requests stay even, because a server
  without room for a burst has none later.
"""

from __future__ import annotations

import enum
import math
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Self

import attrs

__all__ = ["GONE_AFTER_S", "LONGEST_RETRY_AFTER_S", "Gate", "GateState", "Spacing", "probe_delay_s"]

PROBES: Final = 3
"""Fewer refused probes never exhaust the day. Chosen: three refusals are not a coincidence."""

GONE_AFTER_S: Final = 120.0
"""How long all probes must be refused before the daily quota counts as exhausted.

Measured (simulated, 70 runs): among ten processes with one key and ten times the demand, the
longest series of refused probes took 21 s, among twenty 88 s. A call gives up by default after the
same time, so it ends with the more useful of the two errors.
"""

LONGEST_DELAY_S: Final = 30.0
"""The longest time between two probes. Chosen: two requests per minute cost the server nothing, and
the end of the refusals is noticed within 45 s, jitter included."""

LONGEST_RETRY_AFTER_S: Final = 300.0
"""How long a ``Retry-After`` shuts the gate at most. Chosen: a probe every 5 minutes is 288
requests per day, which no server notices."""

JITTER: Final = 0.5
"""The largest random part of a delay, so that many processes do not probe together. Chosen: half of
the delay spreads them over some seconds."""

_LONG_AGO: Final = -1e18
"""Minus infinity for JSON, which has no infinity."""

# All chosen; the rule is the last one at the head of this file.
REFUSALS: Final = 3  # One or two can be caused by another program with the same key.
FIRST_FACTOR: Final = 1.1  # A tenth slower than the limit: the smallest change that matters.
LARGEST_FACTOR: Final = 64.0  # A still slower client would seem to hang.
SMALLEST_FACTOR: Final = 1.05  # Close to the limit, but even.
RECOVERY_COUNT: Final = 50  # 25 s at the documented two requests per second.
RECOVERY: Final = 0.9  # A doubling is undone after 7 steps.


def probe_delay_s(refused_probes: int) -> float:
    """Return the seconds until the next probe, after a number of refused ones: 1, 2, 4, … 30."""
    return float(min(2.0 ** min(refused_probes, 10), LONGEST_DELAY_S))


class GateState(enum.Enum):
    """The state of the gate."""

    OPEN = "requests can be sent"
    SHUT = "no request can be sent before the next probe is due"
    PROBING = "a probe is unanswered"
    JUDGING = "the probe was answered, and its outcome is not reported yet"


@attrs.define
class Gate:
    """Which request can be sent while the server refuses.

    Attributes:
        state: The state of the gate.
        probe_at: When the next probe can be sent, unless the gate is open or probing.
        is_given_up: Whether every probe has been refused for so long that no request waits.
    """

    jitter: Callable[[], float] = random.random
    state: GateState = GateState.OPEN
    probe_at: float = -math.inf
    is_given_up: bool = False
    _refused_probes: int = 0
    _strikes: int = 0
    _shut_at: float = -math.inf
    _refused_since: float = -math.inf
    # Whether the last probe was an early one, and until when all other requests must wait.
    _is_early: bool = False
    _held_until: float = -math.inf

    def write(self) -> list[Any]:
        """Return the gate as JSON-safe data."""
        return [
            self.state.name,
            *(max(at, _LONG_AGO) for at in self._instants),
            *(self.is_given_up, self._refused_probes, self._strikes, self._is_early),
        ]

    @classmethod
    def read(
        cls, kept: Sequence[Any], instant: Callable[[Any], float], jitter: Callable[[], float]
    ) -> Self:
        """Read the result of `write`; ``instant`` converts an instant to the present clock."""
        state, *instants, is_given_up, refused_probes, strikes, is_early = kept
        probe_at, shut_at, refused_since, held_until = map(instant, instants)
        return cls(
            jitter=jitter,
            state=GateState[state],
            probe_at=probe_at,
            is_given_up=bool(is_given_up),
            refused_probes=int(refused_probes),
            strikes=int(strikes),
            shut_at=shut_at,
            refused_since=refused_since,
            is_early=bool(is_early),
            held_until=held_until,
        )

    @property
    def _instants(self) -> tuple[float, ...]:
        return self.probe_at, self._shut_at, self._refused_since, self._held_until

    @property
    def is_open(self) -> bool:
        """Whether all requests can be sent."""
        return self.state is GateState.OPEN

    def may_probe(self, now: float) -> bool:
        """Return whether the next request can be a probe, even if the last outcome never came."""
        return self.state in (GateState.SHUT, GateState.JUDGING) and now >= self.probe_at

    def hold_s(self, now: float) -> float:
        """Return for how long no request can be sent; 0 while a probe is unanswered."""
        is_held = self.state in (GateState.SHUT, GateState.JUDGING)
        return max(0.0, self.probe_at - now) if is_held else 0.0

    def go_at(self) -> float:
        """Return when the next request can be sent: the past, a probe's time, or infinity."""
        match self.state:
            case GateState.OPEN:
                return -math.inf
            case GateState.PROBING:
                return math.inf
            case _:
                return self.probe_at

    def pass_one(self, *, early: bool = False) -> bool:
        """Record that a request is sent, perhaps early; return whether it is the probe."""
        if self.is_open or (early and self.state is not GateState.SHUT):
            return False
        self._is_early, self._held_until = early, self.probe_at if early else -math.inf
        self.state = GateState.PROBING
        return True

    def probe_unsent(self) -> None:
        """Record that the probe never left: another one can be sent instead."""
        self.state = GateState.SHUT

    def probe_settled(self, now: float, *, answered: bool) -> None:
        """Record that the probe was answered or lost; without an outcome, another one is sent."""
        self.state = GateState.JUDGING if answered else GateState.SHUT
        self._shut_for(now, None)

    def refused(self, now: float, *, daily: bool | None, retry_after_s: float | None) -> bool:
        """Record a refusal.

        Args:
            now: The monotonic time.
            daily: False for the limit per second, True for the daily quota, None if unclear.
            retry_after_s: The wait that the server requests.
        Returns: whether the daily quota is exhausted.
        """
        match self.state:
            case GateState.OPEN:
                self._refused_probes = self._strikes = 0
                self._shut_at = self._refused_since = now
                self.state = GateState.SHUT
                self._shut_for(now, retry_after_s)
            case GateState.JUDGING:
                return self._probe_refused(now, daily, retry_after_s)
            case _:
                self.probe_at = max(self.probe_at, now + _kept(retry_after_s))
        return False

    def accepted(self) -> bool:
        """Record an answer that was not a refusal; return whether it opens the gate."""
        opens = self.state is GateState.JUDGING
        if opens:
            self.state, self.is_given_up = GateState.OPEN, False
            self._held_until = -math.inf
        return opens

    def _probe_refused(self, now: float, daily: bool | None, retry_after_s: float | None) -> bool:
        if not self._is_early:
            self._refused_probes += 1
            self._strikes += 1
        if daily is False:
            self._strikes, self._refused_since = 0, now
        gone = self._strikes >= PROBES and now - self._refused_since >= GONE_AFTER_S
        if gone:
            self._refused_probes = self._strikes = 0
            self._refused_since = now
        self.is_given_up = now - self._shut_at >= GONE_AFTER_S
        self.state = GateState.SHUT
        self._shut_for(now, retry_after_s)
        return gone

    def _shut_for(self, now: float, retry_after_s: float | None) -> None:
        delay_s = probe_delay_s(self._refused_probes) * (1 + JITTER * self.jitter())
        self.probe_at = max(self._held_until, now + max(delay_s, _kept(retry_after_s)))


def _kept(retry_after_s: float | None) -> float:
    """Return the part of a ``Retry-After`` that is observed."""
    return min(retry_after_s or 0.0, LONGEST_RETRY_AFTER_S)


@attrs.define
class Spacing:
    """How much slower than the configured limits requests are sent.

    Attributes:
        factor: The interval between two requests, as a multiple of the limit's interval; 0 allows
            bursts.
    """

    factor: float = 0.0
    _refusals: int = 0
    _accepted: int = 0

    @classmethod
    def read(cls, kept: Sequence[Any]) -> Self:
        """Read the result of `attrs.astuple`."""
        factor, refusals, accepted = kept
        return cls(float(factor), int(refusals), int(accepted))

    def interval_s(self, windows: Iterable[tuple[int, float]]) -> float:
        """Return the interval between two requests under these limits."""
        if not self.factor:
            return 0.0
        return self.factor * max((period_s / count for count, period_s in windows), default=0.0)

    def refused(self) -> None:
        """Record a refusal. Its meaning is known when the server accepts requests again."""
        self._refusals += 1

    def forget_refusals(self) -> None:
        """Forget the refusals, because they were about the daily quota and not the rate."""
        self._refusals = 0

    def accepted(self) -> bool:
        """Record that the server accepts requests; return whether they slow down after this."""
        if self._refusals >= REFUSALS:
            return self._slow_down()
        self._accepted += 1
        if self._accepted >= RECOVERY_COUNT:
            self._recover()
        return False

    def _slow_down(self) -> bool:
        was_fast = self.factor == 0
        self.factor = FIRST_FACTOR if was_fast else min(self.factor * 2, LARGEST_FACTOR)
        self._refusals = self._accepted = 0
        return was_fast

    def _recover(self) -> None:
        self._refusals = self._accepted = 0
        if self.factor:
            self.factor = max(self.factor * RECOVERY, SMALLEST_FACTOR)
