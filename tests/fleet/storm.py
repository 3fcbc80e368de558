"""Faults at random moments, chosen by a seed, and their results."""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from tests.fleet.fleet import Nursery, Worker, World, world
from tests.fleet.worker import INTENT_STORED
from tests.servers import Server, start_postgres, start_redis

__all__ = ["KINDS", "Place", "Row", "run"]

_SPEED: Final = 5.0
"""Chosen: a killed worker's lease ends after 4 s instead of 20, and an intent after 1 s."""

_STRUCK_S: Final = 2.0
"""Chosen: for so long strikes come; a campaign alone takes about a second."""

_MOST_FAULTS: Final = 2
_LONGEST_S: Final = 90.0
"""Chosen: for so long a store may be away for a worker, and then some."""

_STOPS_S: Final = (0.1, 0.5, 1.5, 5.0)
"""How long a worker stands still: a moment; half an intent; more than one; more than a lease."""

_MOMENTS: Final = (
    *("find_earlier finished", "create_list started", "import_text finished"),
    *("submit started", INTENT_STORED),
)
_STOPS_SHARE: Final = 0.25
_STANDS_STILL_S: Final = (2.0, 8.0)
"""How long a worker stands still at a moment that matters: mostly, for more than a lease."""

_AWAY_S: Final = (0.2, 1.0, 2.5)

_OPERATIONS: Final = ("list_lists", "create_list", "import_text", "get_import", "submit_campaign")


Strike: TypeAlias = Callable[[], contextlib.AbstractContextManager[None]]
"""What befalls a store for as long as the context lasts."""


@attrs.frozen
class Place:
    """A store, and what can befall it.

    Attributes:
        url: A path or a URL.
        strikes: The faults by name; each lasts as long as its context.
        left: Names what was left behind, with nothing kept but one run of this key.
    """

    url: str
    strikes: dict[str, Strike]
    left: Callable[[], list[str]]


def _strikes_of(server: Server) -> dict[str, Strike]:
    return {"away": server.away, "frozen": server.frozen}


@contextlib.contextmanager
def _files(folder: Path) -> Iterator[Place]:
    runs = folder / "runs"

    def left() -> list[str]:
        return [each.name for each in runs.iterdir() if each.suffix != ".json"]

    yield Place(str(runs), {}, left)


@contextlib.contextmanager
def _sqlite(folder: Path) -> Iterator[Place]:
    path = folder / "runs.db"

    @contextlib.contextmanager
    def locked() -> Iterator[None]:
        with contextlib.closing(sqlite3.connect(path, timeout=5.0)) as connection:
            # A worker that stands still may have the lock, which is as bad for the others.
            with contextlib.suppress(sqlite3.OperationalError):
                connection.execute("BEGIN EXCLUSIVE")
            yield

    def left() -> list[str]:
        return [each.name for each in folder.glob("runs.db?*")]

    yield Place(f"sqlite:///{path}", {"locked": locked}, left)


@contextlib.contextmanager
def _postgres(folder: Path) -> Iterator[Place]:
    with start_postgres() as server:
        url = f"postgresql://postgres@127.0.0.1:{server.port}/postgres"
        yield Place(url, _strikes_of(server), list)


@contextlib.contextmanager
def _redis(folder: Path) -> Iterator[Place]:
    # It keeps what it has answered for, as the record of a campaign should be kept.
    with start_redis("--appendonly", "yes", "--appendfsync", "always") as server:
        yield Place(
            f"redis://127.0.0.1:{server.port}/0",
            _strikes_of(server),
            list,
        )


KINDS: Final = {"files": _files, "sqlite": _sqlite, "postgres": _postgres, "redis": _redis}


@attrs.define
class Row:
    """What came of some runs.

    Attributes:
        runs: How many.
        campaigns: How many were sent.
        held: The number of runs in doubt whose campaign the platform does not list.
        found: How many were held at first, and found once they were listed.
        lists: How many of these did not know whether their list was created.
        ends: How workers ended.
        strikes: What struck.
        longest_s: How long the longest run took.
    """

    runs: int = 0
    campaigns: int = 0
    held: int = 0
    found: int = 0
    lists: int = 0
    ends: Counter[str] = attrs.field(factory=Counter)
    strikes: Counter[str] = attrs.field(factory=Counter)
    longest_s: float = 0.0

    def __str__(self) -> str:
        shown = {
            name: getattr(self, name) for name in ("runs", "campaigns", "held", "found", "lists")
        }
        return f"{shown} {self.longest_s:.1f} s, {dict(self.strikes)}, {dict(self.ends)}"


def run(workers: Nursery, place: Place, folder: Path, seed: int, row: Row) -> None:
    """Send one campaign with several workers under strikes, and check what came of it."""
    chance = random.Random(f"fleet {seed}")
    began = time.monotonic()
    late = chance.random() < 0.5
    room = folder / f"seed-{seed}"
    with world(
        workers, place.url, room, speed=_SPEED, listed_after_s=3_000 if late else 0
    ) as fleet:
        fleet.tell(f"seed {seed}, listed {'late' if late else 'at once'}")
        for _ in range(chance.randint(0, _MOST_FAULTS)):
            operation = chance.choice((*_OPERATIONS, "submit_campaign"))
            if chance.random() < 0.7:
                fleet.emulator.delay(operation, seconds=chance.choice((0.2, 0.6, 1.5)))
            else:
                fleet.emulator.lose_reply_to(operation)
        try:
            storm = _Storm(fleet, place, chance, row)
            storm.plan()
            storm.rage()
            _settled(fleet, place, row)
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(fleet.told(repr(error))) from error
    row.runs += 1
    row.longest_s = max(row.longest_s, time.monotonic() - began)


@attrs.define(eq=False)
class _Storm:
    """Starts workers, and strikes; each one that was killed is started again."""

    fleet: World
    place: Place
    chance: random.Random
    row: Row
    _began: float = attrs.field(factory=time.monotonic, init=False)
    _plan: list[tuple[float, Callable[[], None]]] = attrs.field(factory=list, init=False)
    _stopped: list[Worker] = attrs.field(factory=list, init=False)
    _open: contextlib.ExitStack = attrs.field(factory=contextlib.ExitStack, init=False)

    def plan(self) -> None:
        """Choose the moments."""
        chance = self.chance
        at_once = chance.random() < 0.5
        for _ in range(chance.randint(2, 8)):
            self._at(0.0 if at_once else chance.uniform(0, _STRUCK_S), self._start)
        for _ in range(chance.randint(1, 4)):
            strike = chance.choice((self._kill, self._kill, self._stop))
            self._at(chance.uniform(0, _STRUCK_S), strike)
        if self.place.strikes and chance.random() < 0.7:
            self._at(chance.uniform(0, _STRUCK_S), self._befall)

    def rage(self) -> None:
        """Do what was planned, and what follows from it."""
        with self._open:
            while self._plan:
                self._plan.sort(key=lambda each: each[0])
                when, act = self._plan.pop(0)
                time.sleep(max(0.0, when - self._now()))
                act()
                self.fleet.check()

    def _now(self) -> float:
        return time.monotonic() - self._began

    def _at(self, when: float, act: Callable[[], None]) -> None:
        self._plan.append((when, act))

    def _start(self) -> None:
        chance = self.chance
        stops_at = chance.choice(_MOMENTS) if chance.random() < _STOPS_SHARE else ""
        worker = self.fleet.start(wait_s=chance.choice((0.0, 60.0)), stops_at=stops_at)
        if stops_at:
            self.row.strikes["stands still"] += 1
            again = self._now() + chance.uniform(*_STANDS_STILL_S)
            self._at(again, partial(self.fleet.strike, worker, signal.SIGCONT))

    def _alive(self) -> list[Worker]:
        return [each for each in self.fleet.workers if each.code is None]

    def _kill(self) -> None:
        number = self.chance.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
        if alive := self._alive():
            self._strike(self.chance.choice(alive), number)
            self._at(self._now() + self.chance.uniform(0, 1), self._start)

    def _stop(self) -> None:
        if running := [each for each in self._alive() if each not in self._stopped]:
            worker = self.chance.choice(running)
            self._strike(worker, signal.SIGSTOP)
            self._stopped.append(worker)
            self._at(self._now() + self.chance.choice(_STOPS_S), partial(self._go_on, worker))

    def _go_on(self, worker: Worker) -> None:
        self._stopped.remove(worker)
        self.fleet.strike(worker, signal.SIGCONT)

    def _strike(self, worker: Worker, number: signal.Signals) -> None:
        self.row.strikes[number.name] += 1
        self.fleet.strike(worker, number)

    def _befall(self) -> None:
        name = self.chance.choice([*self.place.strikes])
        seconds = self.chance.choice(_AWAY_S)
        self.row.strikes[name] += 1
        self.fleet.tell(f"the store is {name} for {seconds} s")
        self._open.enter_context(self.place.strikes[name]())
        self._at(self._now() + seconds, self._recover)

    def _recover(self) -> None:
        self._open.close()
        self.fleet.tell("the store is back")


def _settled(fleet: World, place: Place, row: Row) -> None:
    """After the faults each worker ends, and one more call returns the outcome."""
    _let_end(fleet)
    for each in fleet.workers:
        row.ends[_name(each)] += 1
        assert not (each.end or {}).get("odd"), fleet.told("an error of something else")
    fleet.emulator.clear_faults()
    sent = fleet.check()
    end = fleet.call()
    sent = _checked(fleet, end, sent)
    was_held = "campaign_sn" not in end
    if was_held and fleet.kept().in_doubt is None:
        # It is not known whether a list was created, which ends by itself.
        row.lists += 1
        _wait_for_look(fleet)
    fleet.clock.advance(7_200)
    end = fleet.call()
    # Now it is listed, if it was sent; a doubt about one that was not stays for a person.
    sent = _checked(fleet, end, sent)
    is_held = "campaign_sn" not in end
    assert is_held == (not sent), fleet.told(f"it says {end}")
    assert len(fleet.emulator.outbox) == len({mail.to for mail in fleet.emulator.outbox})
    row.campaigns += sent
    row.held += is_held
    row.found += was_held and not is_held
    _check_nothing_is_left(fleet, place)


def _let_end(fleet: World) -> None:
    """Wait for all; one that stood still after it was woken is woken again."""
    give_up_at = time.monotonic() + _LONGEST_S
    while alive := [each for each in fleet.workers if each.code is None]:
        for worker in alive:
            worker.signal(signal.SIGCONT)
        if time.monotonic() > give_up_at:
            break
        time.sleep(0.2)
    fleet.ended(within_s=0)


def _wait_for_look(fleet: World) -> None:
    ended = fleet.kept().ended
    assert ended is not None, fleet.told()
    assert ended.look_again_at is not None, fleet.told()
    left_s = (ended.look_again_at - fleet.now()).total_seconds() / _SPEED
    assert left_s < _LONGEST_S, fleet.told(str(ended))
    time.sleep(max(0.0, left_s) + 0.1)


def _checked(fleet: World, end: dict[str, Any], before: int) -> int:
    sent = fleet.check()
    if "campaign_sn" in end:
        [campaign] = fleet.emulator.campaigns
        assert end["campaign_sn"] == campaign.sn, fleet.told()
    else:
        assert end["held"], fleet.told(f"neither sent nor held: {end}")
        assert sent == before, fleet.told("sent, and held")
    return sent


def _name(worker: Worker) -> str:
    if worker.end is None:
        return f"by signal {-(worker.code or 0)}"
    return str(worker.end.get("error", "outcome"))


def _check_nothing_is_left(fleet: World, place: Place) -> None:
    """No hold, no lock and no temporary file outlives the last worker."""
    kept = fleet.kept()
    assert kept.held_until is None, fleet.told("it is still held")
    assert kept.ended is not None, fleet.told("it does not say how it ended")
    assert kept.ended.state == ("held" if kept.in_doubt else "done"), fleet.told(str(kept.ended))
    # A kill may leave a folder that is empty yet.
    temporary = fleet.nursery.temporary.glob("newsleopard-*/*")
    left = [*place.left(), *map(str, temporary)]
    assert not left, fleet.told(f"left behind: {left}")
