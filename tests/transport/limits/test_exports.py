"""The exports: one of a campaign in an hour, and the distance between any two."""

from __future__ import annotations

import functools
from collections.abc import Callable

import anyio
import pytest

from newsleopard_async.errors import DailyQuotaExhausted, RateLimited
from newsleopard_async.models.options import RateLimits
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.limits.exports import ExportedLately, Exports
from newsleopard_async.transport.limits.limiter import Limiter
from newsleopard_async.transport.limits.queue import RequestQueue, Slot
from tests.transport.limits.limiting import exchange, make_limiter

DAY_S = 86_400.0
HOUR_S = 3_600.0


@pytest.mark.anyio
async def test_second_export_of_a_campaign_is_refused_at_once() -> None:
    """Within the hour a campaign is not exported again, and nothing is taken for it."""
    clock = ManualClock()
    limiter = make_limiter(clock, (10, DAY_S))
    await exchange(limiter, export_of="c1")
    await clock.sleep(600)

    with pytest.raises(ExportedLately) as caught:
        await limiter.acquire(export_of="c1")

    assert caught.value.retry_after_s == 3_000
    assert not isinstance(caught.value, DailyQuotaExhausted)
    assert limiter.usage.used == 1
    assert clock.monotonic() == 600


@pytest.mark.anyio
async def test_campaign_is_exported_again_after_its_hour() -> None:
    """An hour after the answer the same campaign goes again; another one goes at once."""
    clock = ManualClock()
    limiter = make_limiter(clock, (10, DAY_S))
    await exchange(limiter, export_of="c1")
    await exchange(limiter, export_of="c2")

    await clock.sleep(HOUR_S)
    await exchange(limiter, export_of="c1")

    assert limiter.usage.used == 3


@pytest.mark.anyio
async def test_export_on_its_way_keeps_a_second_one_out() -> None:
    """As long as an export may yet reach the server, its hour has not begun to pass."""
    clock = ManualClock()
    limiter = make_limiter(clock, (10, DAY_S))
    slot = await limiter.acquire(export_of="c1")
    await clock.sleep(2 * HOUR_S)

    with pytest.raises(RateLimited) as caught:
        await limiter.acquire(export_of="c1")
    slot.lost()

    assert caught.value.retry_after_s == HOUR_S


@pytest.mark.anyio
async def test_waiting_export_prevents_a_second_one_until_it_leaves() -> None:
    """The claim is made when an export gets in line, and given back if it leaves unsent."""
    clock = ManualClock()
    limiter = make_limiter(clock, (1, 60))
    await exchange(limiter)

    with clock.deadline(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(exchange, limiter)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(lambda: exchange(limiter, export_of="c1"))
            await clock.sleep(1)
            with pytest.raises(RateLimited):
                await limiter.acquire(export_of="c1")
            await anyio.sleep_forever()
    await exchange(limiter, export_of="c1")

    assert clock.monotonic() == pytest.approx(60.3)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("end", "used"),
    [pytest.param(Slot.give_back, 1, id="not sent"), pytest.param(Slot.refused, 2, id="refused")],
)
async def test_export_that_did_not_count_gives_its_hour_back(
    end: Callable[[Slot], None], used: int
) -> None:
    """Not sent or refused at the gateway, an export may be tried again at once."""
    clock = ManualClock()
    limiter = make_limiter(clock, (10, 1), (10, DAY_S), export_every_s=10.0)
    slot = await limiter.acquire(export_of="c1")

    end(slot)
    await exchange(limiter, export_of="c1")

    assert clock.monotonic() == 0.0
    assert limiter.usage.used == used


@pytest.mark.anyio
async def test_refusal_that_is_known_after_the_answers_head_gives_the_hour_back() -> None:
    """Answered first, and then seen to be a refusal: the export may be tried again."""
    clock = ManualClock()
    limiter = make_limiter(clock, (10, 1), export_every_s=10.0)
    slot = await exchange(limiter, export_of="c1")

    slot.refused()
    await exchange(limiter, export_of="c1")

    assert clock.monotonic() == 0.0


@pytest.mark.anyio
async def test_export_after_a_refused_one_does_not_wait() -> None:
    """Another export no longer waits for its distance from a refused one."""
    clock = ManualClock()
    limiter = make_limiter(clock, (10, 1), export_every_s=10.0)
    slot = await exchange(limiter, export_of="c1")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(functools.partial(exchange, limiter, export_of="c2"))
        await clock.sleep(2)
        slot.refused()

    assert clock.monotonic() == 2.0


@pytest.mark.anyio
async def test_late_word_about_an_old_export_leaves_the_new_one_alone() -> None:
    """Giving back an export that another one has followed changes nothing."""
    clock = ManualClock()
    limiter = make_limiter(clock, (10, 1))
    old = await exchange(limiter, export_of="c1")
    await clock.sleep(HOUR_S)
    await exchange(limiter, export_of="c1")

    old.refused()

    with pytest.raises(RateLimited):
        await limiter.acquire(export_of="c1")


@pytest.mark.anyio
async def test_claim_given_back_leaves_the_one_before() -> None:
    """Where two clients differ in the hour, an export that failed restores the older claim."""
    clock = ManualClock()
    queue = RequestQueue(clock)
    hourly = Limiter(RateLimits(windows=()), queue, clock)
    often = Limiter(RateLimits(windows=(), export_per_campaign_s=10), queue, clock)
    await exchange(hourly, export_of="c1")
    await clock.sleep(10)

    (await often.acquire(export_of="c1")).give_back()

    with pytest.raises(RateLimited) as caught:
        await hourly.acquire(export_of="c1")
    assert caught.value.retry_after_s == HOUR_S - 10


def test_longer_period_than_the_documented_hour_outlasts_a_tidying() -> None:
    """What is old by the hour still counts for a client that keeps two."""
    exports = Exports()
    exports.claim("c", 2 * HOUR_S, 0.0).settled_at = 0.0
    now = 1.5 * HOUR_S

    for number in range(40):
        exports.claim(f"other {number}", HOUR_S, now)

    assert exports.wait_s("c", 2 * HOUR_S, now) == 0.5 * HOUR_S


@pytest.mark.anyio
async def test_exports_keep_their_distance_and_let_others_pass() -> None:
    """An export that waits for its distance does not hold up the requests behind it."""
    clock = ManualClock()
    limiter = make_limiter(clock, (10, 1), export_every_s=10.0)
    went: list[tuple[str, float]] = []

    async def call(name: str, export_of: str | None) -> None:
        await exchange(limiter, export_of=export_of)
        went.append((name, clock.monotonic()))

    await exchange(limiter, export_of="c0")
    async with anyio.create_task_group() as tasks:
        for name in ("export 1", "export 2", "request"):
            tasks.start_soon(call, name, name if name != "request" else None)
            await clock.sleep(0.001)

    expected = [("request", 0.002), ("export 1", 10.05), ("export 2", 20.1)]
    assert [name for name, _ in went] == [name for name, _ in expected]
    assert [at for _, at in went] == pytest.approx([at for _, at in expected])


@pytest.mark.anyio
async def test_export_without_a_distance_does_not_wait_for_those_with_one() -> None:
    """A client that keeps no distance between exports passes those of a client that does."""
    clock = ManualClock()
    queue = RequestQueue(clock)
    careless = Limiter(RateLimits(windows=()), queue, clock)
    careful = Limiter(RateLimits(windows=(), export_every_s=10), queue, clock)
    await exchange(careful, export_of="c0")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(functools.partial(exchange, careful, export_of="c1"))
        await anyio.wait_all_tasks_blocked()
        await exchange(careless, export_of="c2")
        went_at = clock.monotonic()

    assert went_at == 0.0


@pytest.mark.anyio
async def test_export_distance_counts_exports_of_other_clients() -> None:
    """A client that keeps a distance keeps it from those that do not."""
    clock = ManualClock()
    queue = RequestQueue(clock)
    careless = Limiter(RateLimits(windows=()), queue, clock)
    careful = Limiter(RateLimits(windows=(), export_every_s=10), queue, clock)
    await exchange(careful, export_of="c0")
    await clock.sleep(60)
    await exchange(careless, export_of="c1")

    await exchange(careful, export_of="c2")

    assert clock.monotonic() == pytest.approx(70.05)


@pytest.mark.anyio
async def test_each_claim_of_a_chain_is_given_back_separately() -> None:
    """The end of a later export does not restore a claim that was given back."""
    clock = ManualClock()
    limits = RateLimits(windows=(), export_per_campaign_s=1e-9)
    queue = RequestQueue(clock)
    careless = Limiter(limits, queue, clock)
    hourly = Limiter(RateLimits(windows=()), queue, clock)
    await exchange(careless, export_of="c1")
    await clock.sleep(600)
    second = queue.state.exports.claim("c1", 10, clock.monotonic())
    third = queue.state.exports.claim("c1", 10, clock.monotonic())

    queue.state.exports.restore(second)
    with pytest.raises(RateLimited) as while_third:
        await hourly.acquire(export_of="c1")
    queue.state.exports.restore(third)
    with pytest.raises(RateLimited) as after_all:
        await hourly.acquire(export_of="c1")

    assert (while_third.value.retry_after_s, after_all.value.retry_after_s) == (3_600, 3_000)


@pytest.mark.asyncio
async def test_export_whose_task_is_destroyed_gives_its_hour_back() -> None:
    """A coroutine that no one runs to its end leaves nothing behind."""
    clock = ManualClock()
    limiter = make_limiter(clock, (1, 60))
    slot = await limiter.acquire()
    waiting = limiter.acquire(export_of="c1")
    waiting.send(None)
    with pytest.raises(RateLimited):
        await limiter.acquire(export_of="c1")

    waiting.close()
    slot.give_back()
    await exchange(limiter, export_of="c1")

    assert clock.monotonic() == 0.0


def test_past_exports_are_forgotten() -> None:
    """Claims that delay no export any more take no memory."""
    exports = Exports()

    for number in range(1_000):
        now = number * 600.0
        exports.claim(f"c{number}", HOUR_S, now).settled_at = now
        exports.claim("always the same", HOUR_S, now).settled_at = now

    assert len(exports) <= 16
    assert len(exports._claims["always the same"]) <= 7
    assert not exports.is_idle(now)
    assert exports.is_idle(now + HOUR_S)
