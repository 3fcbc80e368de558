"""A worker that ends at any point of a send: another one goes on, and one campaign is sent."""

from __future__ import annotations

import sys
from typing import Final

import pytest

from tests.durable.processes.points import IN_DOUBT, LEFT, POINTS, from_intent, print_table
from tests.durable.processes.stage import UNLISTED_S, SetStage, Stage

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="its strikes are signals of Linux"),
]

_BOTH: Final = ("sqlite", "postgres")
_LEAVES_S: Final = 15.0
"""Chosen: what the engine takes to leave, on a busy machine; the platform answers at once here."""

on_both = pytest.mark.parametrize("place", _BOTH, indirect=True)
with_contacts_and_without = pytest.mark.parametrize(
    "contacts", [True, False], ids=["contacts", "lists"]
)


def crash(
    here: Stage, point: str, monkeypatch: pytest.MonkeyPatch, *, contacts: bool = True
) -> str:
    """Kill a worker at a point of a send, and return the outcome of the next worker."""
    key = here.start_send(contacts=contacts)
    first = here.worker(strikes={point: "SIGKILL"})
    here.moment(first, point)
    here.gone(first)
    here.worker()
    status = here.settled(key)
    told: str = status.state
    sent = here.sent(key)
    if status.state == "held":
        assert point in IN_DOUBT, here.told("it is held")
        here.list_all()
        status = here.retried(key)
        told = f"held, then {status.state}"
        assert (status.state == "done") == bool(sent), here.told()
        assert here.sent(key) == sent, here.told()
    if status.state == "held":
        status = here.decide(key, monkeypatch)
        told = f"{told}, then decided"
    here.done(key, status)
    return told


def leave(here: Stage, point: str, *, contacts: bool = True) -> str:
    """Let a worker leave at a point of a send, and another one continue."""
    key = here.start_send(contacts=contacts)
    first = here.worker(strikes={point: "SIGTERM"}, says_points=True)
    here.moment(first, point)
    left_s = here.gone(first, _LEAVES_S)
    assert first.code == 0, here.told()
    here.worker()
    here.done(key, here.settled(key))
    return f"done, left after {round(left_s)} s"


@pytest.mark.soak
@with_contacts_and_without
@on_both
def test_points_are_all_that_a_send_passes(set_stage: SetStage, contacts: bool) -> None:
    """So the matrices leave none out."""
    with set_stage() as here:
        key = here.start_send(contacts=contacts)
        worker = here.worker(says_points=True)
        here.done(key, here.settled(key))
        here.moment(worker, POINTS[contacts][-1])

        assert [each for each in worker.moments if "ready" not in each] == [*POINTS[contacts]]


@pytest.mark.parametrize(
    ("place", "point"),
    [("sqlite", "save: after create_list intent"), ("postgres", LEFT)],
    indirect=["place"],
)
def test_worker_that_is_killed_is_gone_on_for(
    set_stage: SetStage, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the intent to create a list and that; and on the wire, listed late."""
    with set_stage(listed_after_s=UNLISTED_S) as here:
        told = crash(here, point, monkeypatch)

    assert told == ("held, then done" if point == LEFT else "done")


@pytest.mark.soak
@pytest.mark.parametrize("listed_after_s", [0.0, UNLISTED_S], ids=["listed", "late"])
@with_contacts_and_without
@on_both
def test_worker_killed_at_any_point_is_gone_on_for(
    set_stage: SetStage, monkeypatch: pytest.MonkeyPatch, contacts: bool, listed_after_s: float
) -> None:
    """Each send ends as done, or as held if it is in doubt; ``-rP`` shows the results."""

    def cell(point: str) -> str:
        with set_stage(listed_after_s=listed_after_s) as here:
            return crash(here, point, monkeypatch, contacts=contacts)

    print_table(from_intent(contacts) if listed_after_s else POINTS[contacts], cell)


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_worker_that_is_asked_to_leave_lets_its_submit_end(set_stage: SetStage) -> None:
    """It is on the wire; the worker leaves once it is answered."""
    with set_stage(listed_after_s=UNLISTED_S) as here:
        leave(here, LEFT)

        assert here.emulator.count("submit_campaign") == 1


@pytest.mark.soak
@with_contacts_and_without
@on_both
def test_worker_asked_to_leave_at_any_point_does(set_stage: SetStage, contacts: bool) -> None:
    """No send becomes held, although none is listed: the worker waits for sent requests."""

    def cell(point: str) -> str:
        with set_stage(listed_after_s=UNLISTED_S) as here:
            return leave(here, point, contacts=contacts)

    print_table(POINTS[contacts], cell)
