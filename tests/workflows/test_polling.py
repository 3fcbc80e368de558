"""A job is polled at growing intervals, with the same jitter each time, until a deadline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import islice

import anyio
import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsleopard_async import (
    CampaignSn,
    DeadlineExceeded,
    ImportResult,
    ImportSn,
    NewsLeopard,
    Polling,
    RateLimits,
    workflows,
)
from newsleopard_async.workflows import local_runner, steps
from newsleopard_async.workflows.fingerprint import Fingerprint
from newsleopard_async.workflows.polling import delays_s
from newsleopard_async.workflows.progress import Events
from tests.clients import Bench, connected, csv_of

pytestmark = pytest.mark.anyio

STEADY = Polling(jitter=0.0)


def first(count: int, polling: Polling, seed: str = "import a") -> list[float]:
    """Return the first waits."""
    return list(islice(delays_s(polling, seed), count))


def test_waits_grow_geometrically_to_the_longest() -> None:
    """5 s, then each half as long again, and at most a minute."""
    assert first(9, STEADY) == [5, 7.5, 11.25, 16.875, 25.3125, 37.96875, 56.953125, 60, 60]


def test_first_wait_is_never_above_the_longest() -> None:
    """A longest wait below the first wait still limits all waits."""
    assert first(3, Polling(first_s=90, max_s=30, jitter=0)) == [30, 30, 30]


def test_same_job_waits_the_same() -> None:
    """A pipeline that is run again waits as it did before; another job waits otherwise."""
    assert first(20, Polling()) == first(20, Polling())
    assert first(20, Polling()) != first(20, Polling(), "import b")


pollings = st.builds(
    Polling,
    first_s=st.floats(0.001, 1e6),
    factor=st.floats(1.0, 1e9),
    max_s=st.floats(0.001, 1e6),
    jitter=st.floats(0.0, 0.99),
)


@given(pollings, st.text(max_size=9))
def test_jitter_stays_within_its_share(polling: Polling, seed: str) -> None:
    """Each wait is within the jitter's share, even after many polls."""
    plain = Polling(first_s=polling.first_s, factor=polling.factor, max_s=polling.max_s, jitter=0.0)

    for varied, steady in zip(first(200, polling, seed), first(200, plain), strict=True):
        assert steady * (1 - polling.jitter) <= varied <= steady * (1 + polling.jitter)
        assert 0 < steady <= polling.max_s


def test_jitter_spreads_jobs() -> None:
    """Jobs that begin together are not polled together."""
    waits = {first(1, Polling(), f"import {number}")[0] for number in range(100)}

    assert len(waits) == 100
    assert min(waits) < 4.6
    assert max(waits) > 5.4


async def looks_of(bench: Bench, polling: Polling) -> list[float]:
    """Wait for an import that never ends; return the times of its polls, from the first one on."""
    bench.emulator.stick_import()
    import_sn = await bench.nl.contacts.import_text(csv_of(1))
    with pytest.raises(DeadlineExceeded):
        await workflows.wait_for_import(bench.nl, import_sn, polling=polling)
    times = [each.at_s for each in bench.emulator.requests if each.operation == "get_import"]
    return [time - times[0] for time in times]


async def test_last_poll_is_at_the_deadline() -> None:
    """The last wait is shortened, so a job that is ready at the deadline is noticed."""
    polling = Polling(first_s=10, factor=2, jitter=0, deadline_s=100)
    async with connected() as bench:
        assert await looks_of(bench, polling) == [0, 10, 30, 70, 100]


async def test_hour_of_waiting_costs_few_requests() -> None:
    """Polling for an hour costs less than a hundredth of the daily quota (T08)."""
    async with connected() as bench:
        assert len(await looks_of(bench, Polling())) < 80


@pytest.mark.parametrize(("used", "second_look_s"), [(80, 5), (92, 60)])
async def test_polls_are_rare_when_the_quota_is_low(used: int, second_look_s: float) -> None:
    """In the last tenth of the daily quota, every wait is the longest."""
    limits = RateLimits(windows=[(10, 1), (100, 86_400)])
    polling = Polling(jitter=0, deadline_s=120)
    async with connected(limits=limits) as bench:
        for _ in range(used - 1):
            await bench.nl.contacts.list_lists()
        looks = await looks_of(bench, polling)

    assert looks[1] == pytest.approx(second_look_s)


async def test_quota_without_limit_is_never_low() -> None:
    """A client without a daily quota polls at the normal intervals."""
    limits = RateLimits(windows=[(10, 1)])
    async with connected(limits=limits) as bench:
        looks = await looks_of(bench, Polling(jitter=0, deadline_s=20))

    assert looks == [0, 5, 12.5, 20]


async def keep_busy(nl: NewsLeopard) -> None:
    """Repeat a request continuously."""
    while True:
        await nl.contacts.list_lists()


async def test_poll_is_sent_while_others_keep_the_line_busy() -> None:
    """Polls have a lower priority for a while, and are sent in the end."""
    async with connected() as bench, anyio.create_task_group() as tasks:
        import_sn = await bench.nl.contacts.import_text(csv_of(1))
        for _ in range(30):
            tasks.start_soon(keep_busy, bench.nl)
        result = await workflows.wait_for_import(
            bench.nl, import_sn, polling=Polling(deadline_s=60)
        )
        tasks.cancel_scope.cancel()

    assert result.status.is_success


@pytest.mark.parametrize(
    ("polling", "done_after_s", "seen_s"),
    [
        (Polling(deadline_s=2), 0.0, 1.0),
        (Polling(deadline_s=5), 0.0, 2.5),
        (Polling(first_s=20, deadline_s=20, jitter=0), 19.0, 21.0),
    ],
    ids=["first look", "more time", "last look"],
)
async def test_poll_goes_first_when_half_of_its_time_is_over(
    polling: Polling, done_after_s: float, seen_s: float
) -> None:
    """Even if many requests are waiting, a job that ends in time is noticed."""
    async with connected(limits=RateLimits(windows=[(10, 1)])) as bench:
        bench.emulator.switch(import_base_s=done_after_s)
        import_sn = await bench.nl.contacts.import_text(csv_of(1))
        async with anyio.create_task_group() as tasks:
            for _ in range(60):
                tasks.start_soon(keep_busy, bench.nl)
            await bench.clock.sleep(0.1)
            began_s = bench.clock.monotonic()
            result = await workflows.wait_for_import(bench.nl, import_sn, polling=polling)
            took_s = bench.clock.monotonic() - began_s
            tasks.cancel_scope.cancel()

    assert result.status.is_success
    # One window more, because a window can be full.
    assert seen_s <= took_s <= seen_s + 1.2


async def test_repetition_of_a_poll_has_no_time_of_its_own() -> None:
    """A late poll whose reply was lost has priority immediately."""
    async with connected(limits=RateLimits(windows=[(10, 1)])) as bench:
        import_sn = await bench.nl.contacts.import_text(csv_of(1))
        await bench.clock.sleep(60)
        bench.emulator.lose_reply_to("get_import")
        async with anyio.create_task_group() as tasks:
            for _ in range(60):
                tasks.start_soon(keep_busy, bench.nl)
            await bench.clock.sleep(0.1)
            result = await workflows.wait_for_import(
                bench.nl, import_sn, polling=Polling(deadline_s=4)
            )
            tasks.cancel_scope.cancel()

    assert result.status.is_success


@attrs.frozen
class Stuck:
    """A way in which a poll does not end, and the length of the deadline."""

    deadline_s: float
    busy: int = 0
    refused_s: float = 0.0
    hangs: bool = False

    def happen(self, bench: Bench) -> None:
        """Prepare the emulator."""
        if self.refused_s:
            bench.emulator.exhaust_day(resets_in_s=self.refused_s)
        if self.hangs:
            for operation in ("get_import", "get_links", "list_campaigns"):
                bench.emulator.hang(operation, seconds=3_600)


STUCK = {
    # No window opens within that time.
    "waits for a slot": Stuck(0.5, busy=30),
    "behind a shut gate": Stuck(0.5, refused_s=30.0),
    "in retries": Stuck(10.0, refused_s=3_600.0),
    "no answer": Stuck(20.0, hangs=True),
}


async def look_for_an_import(nl: NewsLeopard, polling: Polling) -> object:
    """Wait for an import."""
    return await workflows.wait_for_import(nl, ImportSn("i1"), polling=polling)


async def look_for_a_report(nl: NewsLeopard, polling: Polling) -> object:
    """Wait for a report."""
    return await workflows.wait_for_report(nl, CampaignSn("c1"), polling=polling)


async def look_for_a_campaign(nl: NewsLeopard, polling: Polling) -> object:
    """Wait for a campaign to be listed."""
    return await workflows.find_campaign(nl, "marker", since=nl.clock.now(), polling=polling)


@pytest.mark.parametrize("stuck", STUCK.values(), ids=STUCK)
@pytest.mark.parametrize("look", [look_for_an_import, look_for_a_report, look_for_a_campaign])
async def test_deadline_ends_a_poll_that_is_being_answered(
    stuck: Stuck, look: Callable[[NewsLeopard, Polling], Awaitable[object]]
) -> None:
    """Any kind of poll ends at the deadline, and leaves the limiter unchanged."""
    async with connected() as bench, anyio.create_task_group() as tasks:
        for _ in range(stuck.busy):
            tasks.start_soon(keep_busy, bench.nl)
        await bench.clock.sleep(0.5)
        stuck.happen(bench)
        began_s = bench.clock.monotonic()
        with pytest.raises(DeadlineExceeded) as caught:
            await look(bench.nl, Polling(deadline_s=stuck.deadline_s))
        took_s = bench.clock.monotonic() - began_s
        tasks.cancel_scope.cancel()
    log = bench.nl._api.limiter.queue.state._log

    assert caught.value.last is None
    assert took_s == pytest.approx(stuck.deadline_s)
    assert log.is_idle(bench.clock.monotonic() + 60)


async def test_last_poll_has_its_own_limit() -> None:
    """A poll at the deadline can take a little longer, but has a limit."""
    async with connected() as bench:
        bench.emulator.stick_import()
        import_sn = await bench.nl.contacts.import_text(csv_of(1))
        began_s = bench.clock.monotonic()

        async def note(event: workflows.Event) -> None:
            if event.state == "waiting":
                bench.emulator.hang("get_import", seconds=3_600)

        polling = Polling(first_s=20, deadline_s=20, jitter=0)
        with pytest.raises(DeadlineExceeded) as caught:
            await workflows.wait_for_import(bench.nl, import_sn, polling=polling, progress=note)
        took_s = bench.clock.monotonic() - began_s

    assert bench.wire.count("getImportResult") == 2
    assert took_s == pytest.approx(22)
    assert isinstance(caught.value.last, ImportResult)


async def test_step_that_must_not_happen_twice_is_stored_during_polling() -> None:
    """Results of polls are not stored; any other step between them has its record."""
    async with connected() as bench:
        events = Events("send_campaign", None, bench.nl.clock, ())
        async with local_runner.running(
            bench.nl, events, fingerprint=Fingerprint.of("x"), checkpoint=None
        ) as run:
            async with run.poll_step(steps.get_import):
                await run.step(steps.create_list, "名單")
                await run.step(steps.find_lists, "名單")

            assert run.done_at(steps.create_list) is not None
            assert not run.has(steps.find_lists)
            await run.step(steps.create_list, "名單")

    assert bench.emulator.count("create_list") == 1
