"""A worker that is killed at any point of a send: another one goes on, and one campaign is sent."""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from typing import Final

import pytest

from tests.durable.processes.stage import UNLISTED_S, SetStage, Stage

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="its strikes are signals of Linux"),
]


def _around(*saves: str) -> tuple[str, ...]:
    return tuple(f"save: {when} {save}" for save in saves for when in ("before", "after"))


def _on_the_wire(*requests: str) -> tuple[str, ...]:
    moments = ("leaves", "has left", "is answered")
    return tuple(f"wire: {request} {moment}" for request in requests for moment in moments)


_BEGIN: Final = (
    *("engine: attempt begins", "attempt: row read", *_around("claim held")),
    *(*_on_the_wire("GET /…/report/campaigns"), *_around("find_earlier done")),
)
_OF_CONTACTS: Final = (
    *_on_the_wire("GET /…/contacts/lists"),
    *(*_around("create_list intent"), *_on_the_wire("POST /…/contacts/lists/insert")),
    *(*_around("create_list done"), *_around("import_text intent")),
    *(*_on_the_wire("POST /…/contacts/imports/…/text"), *_around("import_text done")),
    *(*_on_the_wire("GET /…/contacts/imports/result/…"), *_around("get_import done")),
    *_on_the_wire("GET /…/balance"),
)
_SUBMIT: Final = (
    *(*_around("submit intent"), *_on_the_wire("POST /…/campaign/normal/submit")),
    *(*_around("submit done"), *_around("end done")),
    *("ledger: before it is settled", "ledger: after it is settled"),
    "engine: attempt has ended",
)
POINTS: Final = {True: (*_BEGIN, *_OF_CONTACTS, *_SUBMIT), False: (*_BEGIN, *_SUBMIT)}
"""All points that a send passes, with contacts and without."""

IN_DOUBT: Final = (
    "save: after submit intent",
    *(*_on_the_wire("POST /…/campaign/normal/submit"), "save: before submit done"),
)
"""The points at which nobody can know whether the campaign is out."""

_BOTH: Final = ("sqlite", "postgres")


def crash(
    here: Stage, point: str, strike: str, monkeypatch: pytest.MonkeyPatch, *, contacts: bool
) -> str:
    """Strike a worker at a point of a send, let another one go on, and say what came of it."""
    key = here.start_send(contacts=contacts)
    first = here.worker(strikes={point: strike})
    here.moment(first, point)
    here.gone(first)
    second = here.worker()
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
    second.signal(signal.SIGKILL)
    here.gone(second)
    return told


@pytest.mark.soak
@pytest.mark.parametrize("contacts", [True, False], ids=["contacts", "lists"])
@pytest.mark.parametrize("place", _BOTH, indirect=True)
def test_points_are_all_that_a_send_passes(set_stage: SetStage, contacts: bool) -> None:
    """So the matrix leaves none out."""
    with set_stage() as here:
        key = here.start_send(contacts=contacts)
        worker = here.worker(says_points=True)
        here.done(key, here.settled(key))
        here.moment(worker, POINTS[contacts][-1])

        assert [each for each in worker.moments if "ready" not in each] == [*POINTS[contacts]]


@pytest.mark.soak
@pytest.mark.parametrize("listed_after_s", [0.0, UNLISTED_S], ids=["listed", "late"])
@pytest.mark.parametrize("contacts", [True, False], ids=["contacts", "lists"])
@pytest.mark.parametrize("place", _BOTH, indirect=True)
def test_worker_killed_at_any_point_is_gone_on_for(
    set_stage: SetStage, monkeypatch: pytest.MonkeyPatch, contacts: bool, listed_after_s: float
) -> None:
    """Each send ends as done, or held if nobody can know; ``-rP`` shows what came of them."""
    points = POINTS[contacts]
    if listed_after_s:
        points = points[points.index(IN_DOUBT[0]) :]
    table: Counter[str] = Counter()
    for point in points:
        began = time.monotonic()
        with set_stage(listed_after_s=listed_after_s) as here:
            told = crash(here, point, "SIGKILL", monkeypatch, contacts=contacts)
        table[told] += 1
        print(f"{point}: {told}, {time.monotonic() - began:.1f} s")  # noqa: T201 - the table
    print(dict(table))  # noqa: T201 - the table
