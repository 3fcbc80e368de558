"""Faults of workers of one send key at critical moments; the platform gets one campaign."""

from __future__ import annotations

import contextlib
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import psycopg
import pytest

from newsleopard_async import InvalidRequest
from newsleopard_async.stores import Store
from newsleopard_async.workflows import Checkpoint
from newsleopard_async.workflows.run_record import checksum
from tests.fleet.fleet import OTHER_KEY, Nursery, Worker, World, world
from tests.fleet.storm import KINDS, Place
from tests.fleet.worker import INTENT_STORED

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="its strikes are signals of Linux"),
]

_UNLISTED_S: Final = 3_000.0
_SPEED: Final = 5.0
"""Of the workers' clocks: a lease ends after 4 s, and an intent after 1 s."""

_SOAKED: Final = [
    pytest.param(kind, marks=pytest.mark.soak) if kind in ("postgres", "redis") else kind
    for kind in KINDS
]


Fleet: TypeAlias = Callable[..., contextlib.AbstractContextManager[World]]


@pytest.fixture
def fleet_at(workers: Nursery, place: Place, tmp_path: Path) -> Fleet:
    """Return a function that creates a separate platform for a story."""

    def made(
        *, listed_after_s: float = 0.0, speed: float = _SPEED
    ) -> contextlib.AbstractContextManager[World]:
        return world(workers, place.url, tmp_path, speed=speed, listed_after_s=listed_after_s)

    return made


def on_the_wire(fleet: World, *, answered_after_s: float) -> Worker:
    """Start a worker, and wait until the platform has its campaign, and has not answered."""
    fleet.emulator.delay("submit_campaign", seconds=answered_after_s)
    worker = fleet.start()
    fleet.wait(lambda: bool(fleet.emulator.campaigns))
    return worker


def resolve(fleet: World, decision: Any, **more: Any) -> None:
    """Decide as a person, in this process."""

    async def decide(store: Store) -> None:
        kept = await Checkpoint.load(store, fleet.send_key)
        await kept.resolve(decision, **more)

    fleet.tell(f"a person says {decision}")
    fleet.in_store(decide)


def sent(fleet: World, end: Mapping[str, Any] | None) -> None:
    """See that a worker gave the one campaign."""
    assert fleet.check() == 1
    assert end is not None
    assert end.get("campaign_sn") == fleet.emulator.campaigns[0].sn, fleet.told(str(end))
    assert fleet.emulator.submitted == 1


@pytest.mark.soak
@pytest.mark.parametrize("place", ["sqlite", *_SOAKED[2:]], indirect=True)
def test_worker_that_stops_before_its_intent_is_kept_from_it(fleet_at: Fleet) -> None:
    """Another worker takes over and sends; the worker that wakes up finds that, and stops."""
    with fleet_at() as fleet:
        first = fleet.start(stops_at="submit started")
        fleet.moment(first)

        sent(fleet, fleet.call())
        fleet.strike(first, signal.SIGCONT)
        [end] = fleet.ended(first)

        assert end is not None
        assert end["error"] == "InUse", fleet.told()
        assert fleet.emulator.count("submit_campaign") == 1


@pytest.mark.parametrize("place", ["sqlite", *_SOAKED[2:]], indirect=True)
def test_worker_that_stops_after_its_intent_cannot_send_after_a_decision(
    fleet_at: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is unknown whether it sent; a person decides "resubmit" as soon as that is safe."""
    with fleet_at() as fleet:
        first = fleet.start(stops_at=INTENT_STORED)
        fleet.moment(first)

        end = fleet.call()
        assert end["held"], fleet.told()
        with pytest.raises(InvalidRequest, match="can still take effect"):
            resolve(fleet, "resubmit")
        monkeypatch.setattr("newsleopard_async.workflows.decision.SystemClock", _HourLater)
        resolve(fleet, "resubmit")
        sent(fleet, fleet.call())
        fleet.strike(first, signal.SIGCONT)
        [end_of_first] = fleet.ended(first)

        assert end_of_first is not None
        assert end_of_first["error"] == "InUse", fleet.told()
        sent(fleet, fleet.call())
        assert fleet.emulator.count("submit_campaign") == 1


class _HourLater:
    def now(self) -> datetime:
        """Return a time at which no request is on its way any more."""
        return datetime.now(UTC) + timedelta(hours=1)


@pytest.mark.parametrize("place", ["sqlite", *_SOAKED[2:]], indirect=True)
def test_worker_that_stops_on_the_wire_reports_when_it_wakes(fleet_at: Fleet) -> None:
    """Another worker takes over and finds nothing; the answer of the platform is still stored."""
    with fleet_at(listed_after_s=_UNLISTED_S) as fleet:
        first = on_the_wire(fleet, answered_after_s=1.0)
        fleet.strike(first, signal.SIGSTOP)

        end = fleet.call()
        assert end["held"], fleet.told()
        fleet.strike(first, signal.SIGCONT)
        fleet.ended(first)

        sent(fleet, fleet.call())


@pytest.mark.parametrize("place", ["files"], indirect=True)
def test_stopped_worker_keeps_the_lock_of_a_file(fleet_at: Fleet) -> None:
    """No worker takes over while it exists; it wakes with an expired intent, and renews it."""
    with fleet_at() as fleet:
        first = fleet.start(stops_at=INTENT_STORED)
        fleet.moment(first)

        assert fleet.call(wait_s=10.0)["error"] == "InUse"
        fleet.strike(first, signal.SIGCONT)

        [end] = fleet.ended(first)
        sent(fleet, end)


@pytest.mark.parametrize("place", _SOAKED, indirect=True)
def test_worker_killed_on_the_wire_is_found_once_it_is_listed(fleet_at: Fleet) -> None:
    """Until then it is held."""
    with fleet_at(listed_after_s=_UNLISTED_S) as fleet:
        fleet.strike(on_the_wire(fleet, answered_after_s=30.0), signal.SIGKILL)

        for _ in range(2):
            end = fleet.call()
            assert end["held"], fleet.told()
        fleet.clock.advance(2 * _UNLISTED_S)

        sent(fleet, fleet.call())


@pytest.mark.soak
@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_store_that_is_away_for_12_s_costs_no_campaign(fleet_at: Fleet, place: Place) -> None:
    """Neither just before the submit's intent, nor while the submit is on the wire."""
    with fleet_at(speed=1.0) as before, fleet_at(speed=1.0) as during:
        waiting = before.start(stops_at="submit started")
        before.moment(waiting)
        on_wire = on_the_wire(during, answered_after_s=1.0)

        before.strike(waiting, signal.SIGCONT)
        with place.strikes["away"]():
            time.sleep(12.0)

        for fleet, worker in ((before, waiting), (during, on_wire)):
            [end] = fleet.ended(worker)
            sent(fleet, end)
            sent(fleet, fleet.call())


@pytest.mark.parametrize("place", KINDS, indirect=True)
def test_campaign_whose_record_is_lost_is_found_by_its_mark(fleet_at: Fleet, place: Place) -> None:
    """A disk was lost, or a Redis that keeps nothing was restarted; nothing is sent twice."""
    with fleet_at() as fleet:
        first = on_the_wire(fleet, answered_after_s=0.5)
        _lose_all(fleet, place)
        fleet.ended(first)
        sent(fleet, fleet.call())

        _lose_all(fleet, place)

        sent(fleet, fleet.call())
        assert fleet.emulator.count("import_text") == 1


def _lose_all(fleet: World, place: Place) -> None:
    fleet.tell("all records are lost")
    kind, _, rest = fleet.store.partition("://")
    if kind == "sqlite":
        with contextlib.closing(sqlite3.connect(rest.removeprefix("/"), timeout=5.0)) as files:
            files.execute("DROP TABLE newsleopard_runs")
    elif kind == "postgresql":
        with psycopg.connect(fleet.store, autocommit=True) as connection:
            connection.execute("DROP TABLE newsleopard_runs")
    elif kind == "redis":
        port = int(rest.rpartition(":")[2].partition("/")[0])
        with socket.create_connection(("127.0.0.1", port), timeout=5.0) as redis:
            redis.sendall(b"FLUSHALL\r\n")
            assert redis.recv(16).startswith(b"+OK")
        with place.strikes["away"]():
            pass
    else:
        for path in Path(fleet.store).glob("*.json"):
            path.unlink()


@pytest.mark.parametrize("place", ["files"], indirect=True)
def test_send_key_of_another_account_is_refused(fleet_at: Fleet) -> None:
    """Before anything is asked of the platform."""
    with fleet_at() as fleet:
        sent(fleet, fleet.call())
        asked = len(fleet.emulator.requests)

        end = fleet.call(key=OTHER_KEY)

        assert end["error"] == "InvalidRequest"
        assert "another API key" in end["message"]
        assert len(fleet.emulator.requests) == asked


@pytest.mark.parametrize("place", ["files", "sqlite"], indirect=True)
def test_record_of_an_older_version_is_gone_on_with(fleet_at: Fleet) -> None:
    """Its intent holds, though it does not say which run made it."""
    with fleet_at(listed_after_s=_UNLISTED_S) as fleet:
        fleet.strike(on_the_wire(fleet, answered_after_s=30.0), signal.SIGKILL)
        fleet.ended()
        fleet.in_store(partial(_age, fleet.send_key))

        end = fleet.call()
        assert end["held"], fleet.told()
        fleet.clock.advance(2 * _UNLISTED_S)

        sent(fleet, fleet.call())


async def _age(send_key: str, store: Store) -> None:
    """Write a record as version 3 did."""
    kept = await store.load(send_key)
    assert kept is not None
    new = ("checksum", "send_key", "account", "writer", "held_until", "ended")
    fields = {name: each for name, each in kept.data.items() if name not in new}
    records = {
        step: {name: each for name, each in record.items() if name != "writer"}
        for step, record in kept.data["records"].items()
    }
    fields |= {"version": 3, "records": records}
    await store.save(send_key, {**fields, "checksum": checksum(fields)}, kept.revision)
