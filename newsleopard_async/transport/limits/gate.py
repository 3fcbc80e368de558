"""What to do when the server refuses all the same. Numbers only, no waiting.

The rules:

- A refusal at the gateway shuts the gate for all callers. After about 1 s one request goes
  alone, the probe. If it is accepted, the gate opens. If it is refused, the next one goes
  about 2 s later, then 4 s, and so on up to 30 s. A longer ``Retry-After`` is kept, but for
  5 minutes at most: one header of a server or a proxy must not stop every caller for days.
- Every probe refused for 2 minutes, three at least, and none of them with the text of the
  second's limit: the day's quota is gone. Fewer refusals say little, since other processes
  with the same key may have taken the second's requests each time. The gate stays shut, so
  that the first request of the next day is a probe again, in case the platform's day is not
  ours.
- Every probe refused for 2 minutes, whatever the texts: no one waits any longer. Each caller
  gets an error at once, apart from the one that is the next probe.
- What is urgent may go early, while the gate is shut. It is the probe then: accepted, it opens the
  gate. Refused, it shortens no hold and counts for no further probe, since several may go at once.
  If a probe is on its way already, it goes beside it and says nothing new: that one may hang.
- Only the probe's own answer moves the gate. The answers of those that were on their way
  when it was shut say nothing new.
- We keep below the limits that we know. So when the gate opens again and three refusals have
  been seen, the server's true limit is lower: from then on requests go evenly, at 1.1
  times the interval of the limit, and at twice the interval after each further three. Every
  50 accepted ones it gets 10 % faster, down to 1.05 times; and it stays even, because a
  server that had no room for the burst has none later.
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
"""Fewer refused probes never mean that the day is gone. Chosen: three is no coincidence."""

GONE_AFTER_S: Final = 120.0
"""How long all probes must be refused before the day counts as gone.

Chosen: among ten processes with one key, which wanted ten times the limit, the longest row of
refused probes took 21 s, among twenty 88 s (simulated, 70 runs). And a call gives up by
default after the same time, so that it ends with the better of the two errors.
"""

LONGEST_DELAY_S: Final = 30.0

LONGEST_RETRY_AFTER_S: Final = 300.0
"""How long a ``Retry-After`` keeps everybody out at most. Chosen: a probe in 5 minutes is 288
requests a day, which a server that is in earnest does not notice."""

JITTER: Final = 0.5
"""Share of a delay that is drawn on top of it, so that many processes do not probe together."""

_LONG_AGO: Final = -1e18
"""What stands for minus infinity in JSON, which has none."""

REFUSALS: Final = 3
FIRST_FACTOR: Final = 1.1
LARGEST_FACTOR: Final = 64.0
SMALLEST_FACTOR: Final = 1.05
RECOVERY_COUNT: Final = 50
RECOVERY: Final = 0.9


def probe_delay_s(refused_probes: int) -> float:
    """Return how long to hold everybody after so many refused probes: 1, 2, 4, … 30 s."""
    return float(min(2.0 ** min(refused_probes, 10), LONGEST_DELAY_S))


class GateState(enum.Enum):
    """Where the gate stands."""

    OPEN = "all may go"
    SHUT = "none may go until the next probe is due"
    PROBING = "a probe is on its way"
    JUDGING = "the probe was answered, and its verdict is due"


@attrs.define
class Gate:
    """Who may go while the server refuses.

    Attributes:
        state: Where it stands.
        probe_at: When the next probe may go, unless open or probing.
        is_given_up: Whether every probe has been refused for so long that no one waits.
    """

    jitter: Callable[[], float] = random.random
    state: GateState = GateState.OPEN
    probe_at: float = -math.inf
    is_given_up: bool = False
    _refused_probes: int = 0
    _strikes: int = 0
    _shut_at: float = -math.inf
    _refused_since: float = -math.inf
    # Of a probe that went early, and until when all others were told to wait.
    _is_early: bool = False
    _held_until: float = -math.inf

    def write(self) -> list[Any]:
        """Return it as JSON-safe data."""
        return [
            self.state.name,
            *(max(at, _LONG_AGO) for at in self._instants),
            *(self.is_given_up, self._refused_probes, self._strikes, self._is_early),
        ]

    @classmethod
    def read(
        cls, kept: Sequence[Any], instant: Callable[[Any], float], jitter: Callable[[], float]
    ) -> Self:
        """Read what `write` gave; ``instant`` reads an instant, by the time that is now."""
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
        """Whether all may go."""
        return self.state is GateState.OPEN

    def may_probe(self, now: float) -> bool:
        """Say whether the next request may go as a probe; also if the verdict on one never came."""
        return self.state in (GateState.SHUT, GateState.JUDGING) and now >= self.probe_at

    def hold_s(self, now: float) -> float:
        """Return how long nobody may go, as far as is known; 0 while a probe is on its way."""
        is_held = self.state in (GateState.SHUT, GateState.JUDGING)
        return max(0.0, self.probe_at - now) if is_held else 0.0

    def go_at(self) -> float:
        """Return when the next request may go: the past, a probe's time, or infinity."""
        match self.state:
            case GateState.OPEN:
                return -math.inf
            case GateState.PROBING:
                return math.inf
            case _:
                return self.probe_at

    def pass_one(self, *, early: bool = False) -> bool:
        """Let a request through, perhaps before its time; say whether it is the probe."""
        if self.is_open or (early and self.state is not GateState.SHUT):
            return False
        self._is_early, self._held_until = early, self.probe_at if early else -math.inf
        self.state = GateState.PROBING
        return True

    def probe_unsent(self) -> None:
        """Note that the probe never left: another one may go in its place."""
        self.state = GateState.SHUT

    def probe_settled(self, now: float, *, answered: bool) -> None:
        """Note that the probe came back, or was lost; without a verdict, another one goes."""
        self.state = GateState.JUDGING if answered else GateState.SHUT
        self._shut_for(now, None)

    def refused(self, now: float, *, daily: bool | None, retry_after_s: float | None) -> bool:
        """Note a refusal.

        Args:
            daily: False if it is about the second, True about the day, None if either.
        Returns: whether the day's quota is gone.
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
        """Note an answer that was no refusal; say whether it opens the gate, as the probe's."""
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
    """Return how much of a ``Retry-After`` keeps everybody out."""
    return min(retry_after_s or 0.0, LONGEST_RETRY_AFTER_S)


@attrs.define
class Spacing:
    """How much slower than the configured limits requests go, if at all.

    Attributes:
        factor: Interval between two requests in units of a limit's own; 0 lets bursts go.
    """

    factor: float = 0.0
    _refusals: int = 0
    _accepted: int = 0

    @classmethod
    def read(cls, kept: Sequence[Any]) -> Self:
        """Read what `attrs.astuple` gave."""
        factor, refusals, accepted = kept
        return cls(float(factor), int(refusals), int(accepted))

    def interval_s(self, windows: Iterable[tuple[int, float]]) -> float:
        """Return the distance that two requests keep under these limits."""
        if not self.factor:
            return 0.0
        return self.factor * max((period_s / count for count, period_s in windows), default=0.0)

    def refused(self) -> None:
        """Note a refusal, whose meaning is known once the server accepts again."""
        self._refusals += 1

    def forget_refusals(self) -> None:
        """Take it that the refusals were about the day, not the rate."""
        self._refusals = 0

    def accepted(self) -> bool:
        """Note that the server accepts; say whether requests slow down from now on."""
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
