"""A rehearsal runs the real pipeline, independent of other tasks."""

from __future__ import annotations

import threading

import anyio
import anyio.lowlevel
import anyio.to_thread
import attrs
import pytest

from newsleopard_async import (
    Polling,
)
from newsleopard_async.rehearsal import Rehearsal
from newsleopard_async.workflows.progress import Event
from tests.clients import csv_of
from tests.constants import CAMPAIGN
from tests.rehearsal.rehearsing import IN_A_YEAR, changed, rehearsed
from tests.telemetry import collected

pytestmark = pytest.mark.anyio


async def test_problem_of_the_pipeline_is_shown() -> None:
    """An error that the real call would raise becomes the problem of the rehearsal."""
    polling = Polling(first_s=0.1, max_s=0.1, deadline_s=1)

    shown = await rehearsed(CAMPAIGN, csv_of(3), polling=polling)

    assert not shown.ok
    assert shown.problem is not None
    assert shown.problem.startswith("DeadlineExceeded: import ")


async def test_progress_is_emitted() -> None:
    """The caller receives the events of the real pipelines."""
    events: list[Event] = []

    await rehearsed(CAMPAIGN, csv_of(3), progress=events.append)

    assert {event.pipeline for event in events} >= {"send_campaign", "export_report"}


async def test_other_work_of_the_event_loop_does_not_hold_it_up() -> None:
    """A task that never sleeps, and a thread that never ends, do not disturb a rehearsal."""
    done, released = False, threading.Event()

    async def never_rest() -> None:
        while not done:
            await anyio.lowlevel.checkpoint()

    async def hold_a_thread() -> None:
        await anyio.to_thread.run_sync(released.wait)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(never_rest)
        tasks.start_soon(hold_a_thread)
        try:
            shown = await rehearsed(changed(schedule=IN_A_YEAR), csv_of(150))
        finally:
            done = True
            released.set()

    assert shown.ok


async def test_rehearsals_do_not_disturb_each_other() -> None:
    """Two rehearsals at the same time have the same results as two separate ones."""
    shown: dict[int, Rehearsal] = {}

    async def keep(count: int) -> None:
        shown[count] = await rehearsed(CAMPAIGN, csv_of(count))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep, 3)
        tasks.start_soon(keep, 150)

    assert [shown[count].recipients for count in (3, 150)] == [3, 150]
    alone = await rehearsed(CAMPAIGN, csv_of(150))
    assert attrs.evolve(shown[150], duration=None) == attrs.evolve(alone, duration=None)


async def test_nothing_is_logged_as_if_it_had_happened(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log line or span of an accepted campaign must always be true."""
    caplog.set_level("DEBUG")

    with collected(monkeypatch) as seen:
        shown = await rehearsed(changed(html="<p>${NMAE}</p>"), "EMAIL,NAME\na@example.com,\n")

    assert shown.recipients == 1
    assert set(seen.names) == {"newsleopard.rehearse", "newsleopard.step.check_contacts"}
    assert seen.metrics() == {}
    assert [each.message for each in caplog.records if each.name.startswith("newsleopard")] == []


async def test_error_of_a_callback_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """An error in the caller's own code is logged, and does not stop the rehearsal."""

    def fail(event: Event) -> None:
        raise ZeroDivisionError

    shown = await rehearsed(CAMPAIGN, csv_of(2), progress=fail)

    assert shown.ok
    assert any("submit" in each.message for each in caplog.records)


@pytest.mark.slow
async def test_twenty_thousand_contacts_are_rehearsed() -> None:
    """A mailing of the usual size is no more than a test."""
    shown = await rehearsed(changed(schedule=IN_A_YEAR), csv_of(20_000))

    assert (shown.ok, shown.recipients) == (True, 20_000)
