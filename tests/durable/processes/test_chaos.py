"""Sends with faults of their workers at random moments, chosen by a seed."""

from __future__ import annotations

import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

import attrs
import pytest

from tests.durable.processes.stage import SetStage, Stage
from tests.fleet.fleet import Worker
from tests.fleet.storm import Place

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="its strikes are signals of Linux"),
]

_PARTS: Final = 4
_SENDS: Final = 25
_STRUCK_S: Final = 40.0
"""Chosen: a worker runs 25 sends in about 20 s without faults."""

_LISTED_AFTER_S: Final = 2.0
_EVERY_S: Final = (0.1, 1.0)
_STOPS_S: Final = (0.2, 0.8, 1.5, 4.0)
"""How long a worker stands still: less than a lease, and more."""

_AWAY_S: Final = (0.0, 0.5, 2.0)


@attrs.define(eq=False)
class _Storm:
    """The faults of a run, and their results."""

    here: Stage
    place: Place
    chance: random.Random
    most: int
    strikes: Counter[str] = attrs.field(factory=Counter)
    _later: list[tuple[float, Callable[[], None]]] = attrs.field(factory=list, init=False)

    def rage(self) -> None:
        """Strike for as long as there is something to strike."""
        until = time.monotonic() + _STRUCK_S
        while time.monotonic() < until and not self._is_over():
            while len(self._alive()) < self.most:
                self.here.worker(slots=self.chance.choice((2, 8)))
            time.sleep(self.chance.uniform(*_EVERY_S))
            self._strike()
            self._do_due(time.monotonic())
        self._do_due(float("inf"))
        while len(self._alive()) < self.most:
            self.here.worker(slots=8)

    def _is_over(self) -> bool:
        return all(self.here.status(key).is_final for key in self.here.sends)

    def _alive(self) -> list[Worker]:
        return [each for each in self.here.workers if each.code is None]

    def _strike(self) -> None:
        alive, chance = self._alive(), self.chance
        if not alive:
            # The only one has just left.
            return
        worker = chance.choice(alive)
        name = chance.choice(("SIGKILL", "SIGKILL", "SIGSTOP", "SIGSTOP", "SIGTERM", "away"))
        if name == "away" and (name not in self.place.strikes or chance.random() < 0.5):
            return
        self.strikes[name] += 1
        if name == "away":
            self.here.tell("the database is away")
            with self.place.strikes["away"]():
                time.sleep(chance.choice(_AWAY_S))
            return
        self.here.strike(worker, signal.Signals[name])
        if name == "SIGSTOP" and self.here.is_alone:
            # It may have the lock of the file, which this process would wait for to look.
            time.sleep(chance.choice(_STOPS_S))
            self.here.strike(worker, signal.SIGCONT)
        elif name == "SIGSTOP":
            again = time.monotonic() + chance.choice(_STOPS_S)
            self._later.append((again, lambda: self.here.strike(worker, signal.SIGCONT)))

    def _do_due(self, now: float) -> None:
        due = [each for each in self._later if each[0] <= now]
        self._later = [each for each in self._later if each[0] > now]
        for _, act in due:
            act()


@pytest.mark.soak
@pytest.mark.parametrize("part", range(_PARTS))
@pytest.mark.parametrize("place", ["sqlite", "postgres"], indirect=True)
def test_sends_under_strikes_are_sent_once(
    set_stage: SetStage, place: Place, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All end as done, but for those that a person decides about; ``-rP`` shows what came of it."""
    began = time.monotonic()
    with set_stage(listed_after_s=_LISTED_AFTER_S) as here:
        chance = random.Random(f"durable {part}")
        keys = [here.start_send(contacts=chance.random() < 0.5) for _ in range(_SENDS)]
        storm = _Storm(here, place, chance, most=1 if here.is_alone else 3)
        storm.rage()
        raged_s = time.monotonic() - began
        told: Counter[str] = Counter()
        for key in keys:
            status = here.settled(key, 120.0)
            came: str = status.state
            if status.state == "held":
                here.list_all()
                status = here.retried(key)
                came = f"held, then {status.state}"
            if status.state == "held":
                status = here.decide(key, monkeypatch)
                came += ", then decided"
            here.done(key, status)
            told[came] += 1
        for key in keys:
            here.done(key, here.status(key))
        taken_s = time.monotonic() - began
    print(f"{raged_s:.0f} s, {taken_s:.0f} s", dict(storm.strikes), dict(told))  # noqa: T201
