"""Workers that stand still, are cut off or are cancelled at any point of a send, and wake again."""

from __future__ import annotations

import signal
import sys
import threading
import time
from typing import Final

import pytest

from tests.durable.processes.partition import way_to
from tests.durable.processes.points import IN_DOUBT, LEFT, POINTS, from_intent, print_table
from tests.durable.processes.stage import UNLISTED_S, SetStage, Stage
from tests.fleet.fleet import Worker
from tests.fleet.storm import Place

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="its strikes are signals of Linux"),
]

_INTENT: Final = "save: after submit intent"
_END: Final = "engine: attempt has ended"
_AWAY_S: Final = 12.0

on_postgres = pytest.mark.parametrize("place", ["postgres"], indirect=True)
on_both = pytest.mark.parametrize("place", ["sqlite", "postgres"], indirect=True)
with_contacts_and_without = pytest.mark.parametrize(
    "contacts", [True, False], ids=["contacts", "lists"]
)


def standing(here: Stage, point: str, *, contacts: bool = True, database: str = "") -> Worker:
    """Start a worker, and wait until it stands still at a point."""
    worker = here.worker(
        strikes={point: "SIGSTOP"}, says_points=True, database=database or here.database
    )
    here.stopped(worker, point)
    return worker


def woken(here: Stage, worker: Worker, point: str) -> None:
    """Let a worker go on, until its attempt has ended."""
    here.strike(worker, signal.SIGCONT)
    if point != _END:
        here.moment(worker, _END)


def stop(here: Stage, point: str, monkeypatch: pytest.MonkeyPatch, *, contacts: bool = True) -> str:
    """Stop a worker at a point; another takes over, a person decides, and the first wakes."""
    key = here.start_send(contacts=contacts)
    first = standing(here, point)
    began = time.monotonic()
    here.worker()
    status = here.settled(key)
    told = f"{status.state} after {time.monotonic() - began:.0f} s"
    if status.state == "held":
        assert point in IN_DOUBT, here.told("it is held")
        status = here.decide(key, monkeypatch)
        told = f"{told}, then decided"
    here.done(key, status)
    woken(here, first, point)
    here.done(key, here.settled(key))
    return told


def cancel(here: Stage, point: str, *, contacts: bool = True) -> str:
    """Cancel a send from another process while its worker is at a point."""
    key = here.start_send(contacts=contacts)
    first = standing(here, point)
    said = here.call(here.durable.cancel, key)
    here.tell(f"it is {said}")
    is_intended = point in from_intent(contacts=contacts)
    assert said == ("too late" if is_intended else "cancelled"), here.told(said)
    woken(here, first, point)
    if said == "too late":
        here.done(key, here.settled(key))
    else:
        assert here.settled(key).state == "cancelled", here.told()
        assert not here.sent(key)
        assert not here.emulator.count("submit_campaign")
    return said


def lose_database(here: Stage, place: Place, point: str, away_s: float, *, contacts: bool) -> str:
    """Restart the database while a worker is at a point; the worker continues."""
    key = here.start_send(contacts=contacts)
    first = standing(here, point)
    with place.strikes["away"]():
        here.strike(first, signal.SIGCONT)
        time.sleep(away_s)
        assert away_s < _AWAY_S or first.moments[-1] == "not ready", here.told()
    here.done(key, here.settled(key))
    here.wait(lambda: [each for each in first.moments if "ready" in each][-1] == "ready")
    assert first.code is None, here.told()
    return "done"


@pytest.mark.parametrize("point", [_INTENT, LEFT])
@on_postgres
def test_worker_that_stands_still_is_taken_over(
    set_stage: SetStage, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is unknown whether it sent; a person decides, and the worker that wakes up sends nothing.

    After its intent, or on the wire.
    """
    with set_stage(listed_after_s=UNLISTED_S) as here:
        assert "decided" in stop(here, point, monkeypatch)


@pytest.mark.soak
@pytest.mark.parametrize("listed_after_s", [0.0, UNLISTED_S], ids=["listed", "late"])
@with_contacts_and_without
@on_postgres
def test_worker_stopped_at_any_point_is_taken_over(
    set_stage: SetStage, monkeypatch: pytest.MonkeyPatch, contacts: bool, listed_after_s: float
) -> None:
    """And wakes after the other one has ended, and a person may have decided."""

    def cell(point: str) -> str:
        with set_stage(listed_after_s=listed_after_s) as here:
            return stop(here, point, monkeypatch, contacts=contacts)

    print_table(from_intent(contacts=contacts) if listed_after_s else POINTS[contacts], cell)


@on_postgres
def test_worker_that_wakes_reports_what_it_was_answered(set_stage: SetStage) -> None:
    """The other one had found nothing, and held the send; it is done without a person."""
    with set_stage(listed_after_s=UNLISTED_S) as here:
        key = here.start_send(contacts=False)
        first = standing(here, LEFT)
        here.worker()
        assert here.settled(key).state == "held", here.told()

        woken(here, first, LEFT)

        here.done(key, here.retried(key))


@pytest.mark.parametrize("point", ["save: before submit intent", _INTENT])
@on_postgres
def test_cancelled_means_that_nothing_is_sent(set_stage: SetStage, point: str) -> None:
    """Until the intent to submit is stored; from then on it is too late."""
    with set_stage() as here:
        cancel(here, point)


@pytest.mark.soak
@with_contacts_and_without
@on_both
def test_send_may_be_cancelled_at_any_point(set_stage: SetStage, contacts: bool) -> None:
    """A second process decides, and its decision takes effect."""

    def cell(point: str) -> str:
        with set_stage() as here:
            return cancel(here, point, contacts=contacts)

    print_table(POINTS[contacts], cell)


@pytest.mark.parametrize(
    ("place", "operation"),
    [
        pytest.param("sqlite", "import_text", marks=pytest.mark.soak),
        pytest.param("sqlite", "submit_campaign", marks=pytest.mark.soak),
        pytest.param("postgres", "import_text", marks=pytest.mark.soak),
        ("postgres", "submit_campaign"),
    ],
    indirect=["place"],
)
def test_twins_send_one_campaign(set_stage: SetStage, operation: str) -> None:
    """A further attempt is requested while the first one waits for its answer."""
    with set_stage() as here:
        here.emulator.delay(operation, seconds=3.0)
        key = here.start_send()
        here.worker()
        here.wait(lambda: here.emulator.count(operation) == 1)
        if not here.is_alone:
            here.worker()

        here.call(here.durable.retry, key)

        here.done(key, here.settled(key))
        assert here.emulator.count("submit_campaign") == 1
        time.sleep(2.0)
        here.done(key, here.settled(key))


@pytest.mark.parametrize(
    "point",
    [
        pytest.param("save: before create_list intent", marks=pytest.mark.soak),
        "save: before submit intent",
        pytest.param(LEFT, marks=pytest.mark.soak),
        pytest.param("save: before submit done", marks=pytest.mark.soak),
    ],
)
@on_postgres
def test_worker_that_is_cut_off_is_taken_over(set_stage: SetStage, point: str) -> None:
    """It runs without a database; later it connects, and finds that others have taken over."""
    with set_stage() as here, way_to(here.database) as way:
        key = here.start_send()
        first = standing(here, point, database=way.url)
        way.cut()
        here.strike(first, signal.SIGCONT)
        here.worker()
        here.tell(f"done after {here.wait(lambda: here.status(key).is_final):.1f} s")
        here.done(key, here.settled(key))

        way.heal()
        here.wait(lambda: [each for each in first.moments if "ready" in each][-1] == "ready")

        here.moment(first, _END)
        here.done(key, here.settled(key))
        assert here.emulator.count("submit_campaign") == 1


@on_postgres
def test_database_that_is_restarted_costs_no_send(set_stage: SetStage, place: Place) -> None:
    """While the submit is on the wire, and while a send is started."""
    with set_stage(listed_after_s=UNLISTED_S) as here:
        lose_database(here, place, LEFT, 2.0, contacts=False)
        with place.strikes["away"]():
            keys: list[str] = []
            starting = threading.Thread(target=lambda: keys.append(here.start_send()))
            starting.start()
            time.sleep(1.0)
        starting.join()

        here.done(keys[0], here.settled(keys[0]))


@pytest.mark.soak
@pytest.mark.parametrize("away_s", [0.0, _AWAY_S])
@with_contacts_and_without
@on_postgres
def test_database_may_be_lost_at_any_point(
    set_stage: SetStage, place: Place, contacts: bool, away_s: float
) -> None:
    """The fault lasts a moment or 12 s: the worker continues, and nothing is in doubt."""

    def cell(point: str) -> str:
        with set_stage(listed_after_s=UNLISTED_S) as here:
            return lose_database(here, place, point, away_s, contacts=contacts)

    print_table(POINTS[contacts] if away_s == 0 else POINTS[contacts][::3], cell)


@pytest.mark.parametrize(
    ("place", "point"),
    [
        ("postgres", "save: after find_earlier done"),
        pytest.param("postgres", LEFT, marks=pytest.mark.soak),
        pytest.param("sqlite", LEFT, marks=pytest.mark.soak),
    ],
    indirect=["place"],
)
def test_other_version_goes_on(set_stage: SetStage, point: str) -> None:
    """Whose pipeline has one step more, and which the engine takes for another application."""
    with set_stage() as here:
        key = here.start_send()
        first = here.worker(strikes={point: "SIGKILL"}, version="newsleopard-0")
        here.moment(first, point)
        here.gone(first)

        here.worker(has_more_steps=True)

        here.done(key, here.settled(key))
