"""The day's count is kept between runs, and polls leave the rest of the day to others."""

from __future__ import annotations

import itertools
import json
import logging
from typing import Any

import anyio
import pytest

from newsleopard_async import (
    ConfigurationError,
    DailyQuotaExhausted,
    InvalidRequest,
    NewsLeopard,
    RateLimits,
    workflows,
)
from newsleopard_async.models.options import DAY_S
from tests.clients import checkpoint_of
from tests.constants import KEY, LIST_NAME
from tests.faults.world import FEW, MemoryStore, World, csv_of


def client(at: World, usage_store: Any, *, a_day: int = 10_000) -> NewsLeopard:
    """Make a client that keeps its count."""
    return NewsLeopard(
        KEY,
        http_transport=at.emulator.transport(),
        clock=at.clock,
        rate_limits=RateLimits(windows=((10, 1.0), (a_day, DAY_S))),
        usage_store=usage_store,
    )


def ask(at: World, usage_store: Any, times: int = 1) -> int:
    """Send some requests in a process of its own; return the day's count."""

    async def main() -> int:
        async with client(at, usage_store) as nl:
            for _ in range(times):
                await nl.contacts.list_lists()
            return nl.usage.used

    return anyio.run(main)


def test_count_goes_on_in_the_next_run(at: World) -> None:
    """A restarted job does not begin at 0."""
    path = at.folder / "usage.json"
    assert ask(at, path, 3) == 3

    used = ask(at, path, 2)

    assert used == 5
    assert json.loads(path.read_text()) == {"day": "2026-01-05", "used": 5}


def test_usage_shows_the_count_before_the_first_request(at: World) -> None:
    """What an earlier run counted is known as soon as the client is entered."""
    path = at.folder / "usage.json"
    ask(at, path, 3)

    assert ask(at, path, 0) == 3
    assert json.loads(path.read_text()) == {"day": "2026-01-05", "used": 3}


def test_without_a_store_each_run_begins_at_0(at: World) -> None:
    """This is what the store is for."""
    assert ask(at, None, 3) == 3

    assert ask(at, None, 2) == 2


def test_another_day_counts_anew(at: World) -> None:
    """The count is one day's."""
    store = MemoryStore()
    ask(at, store, 3)
    at.clock.advance(DAY_S)

    assert ask(at, store, 2) == 2


def test_midnight_during_a_run_is_noticed(at: World) -> None:
    """What is kept is of the day that it is."""
    store = MemoryStore()

    async def main() -> None:
        async with client(at, store) as nl:
            for _ in range(15):
                await nl.contacts.list_lists()
            await at.clock.sleep(DAY_S)
            await nl.contacts.list_lists()

    anyio.run(main)

    assert store.data == {"day": "2026-01-06", "used": 1}


def test_store_is_written_now_and_then(at: World) -> None:
    """Not at every request, and at the end."""
    store = MemoryStore()

    ask(at, store, 25)

    assert store.data == {"day": "2026-01-05", "used": 25}
    assert store.saves == 3


def test_client_that_sent_nothing_writes_nothing(at: World) -> None:
    """It only reads."""
    store = MemoryStore()

    ask(at, store, 0)

    assert store.saves == 0


def test_client_that_was_never_used_leaves_the_store_alone(at: World) -> None:
    """Closed without having been entered, it has nothing to keep."""
    store = MemoryStore()

    async def main() -> None:
        await client(at, store).aclose()

    anyio.run(main)

    assert store.saves == 0


def test_failing_store_is_logged_and_harms_nothing(
    at: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A count that cannot be kept is no reason not to work."""
    store = MemoryStore(fail_when=lambda _: True)

    with caplog.at_level(logging.ERROR, "newsleopard_async"):
        assert ask(at, store, 12) == 12

    assert "count of requests could not be kept" in caplog.text


def test_store_that_cannot_be_read_keeps_from_sending(at: World) -> None:
    """Who wants the count kept would rather not begin at 0 unawares."""

    class Unreadable(MemoryStore):
        async def load(self) -> None:
            raise RuntimeError("the database is away")

    with pytest.raises(RuntimeError, match="away"):
        ask(at, Unreadable())

    assert at.emulator.requests == ()


GARBAGE: dict[str, Any] = {
    "nothing": {},
    "array": [1],
    "text": "5",
    "no-count": {"day": "2026-01-05"},
    "count-of-another-type": {"day": "2026-01-05", "used": "many"},
    "negative": {"day": "2026-01-05", "used": -5},
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
def test_garbage_counts_as_nothing(at: World, data: Any) -> None:
    """What cannot be understood says nothing about today."""
    store: Any = MemoryStore(data=data)

    assert ask(at, store) == 1


def test_file_of_something_else_is_refused_and_kept(at: World) -> None:
    """A path given by mistake must not cost a file."""
    path = at.folder / "members.csv"
    path.write_text("EMAIL,NAME\n")

    with pytest.raises(InvalidRequest) as caught:
        ask(at, path)

    assert [each.field for each in caught.value.problems] == ["usage_store"]
    assert path.read_text() == "EMAIL,NAME\n"
    assert at.emulator.requests == ()


def test_store_in_no_folder_is_logged(at: World, caplog: pytest.LogCaptureFixture) -> None:
    """It fails when it is first written."""
    with caplog.at_level(logging.ERROR, "newsleopard_async"):
        ask(at, at.folder / "nowhere" / "usage.json")

    assert ConfigurationError.__name__ in caplog.text


def test_usage_tells_what_is_left(at: World) -> None:
    """Half a percent stays in hand."""

    async def main() -> None:
        async with client(at, None, a_day=1_000) as nl:
            await nl.contacts.list_lists()
            assert (nl.usage.used, nl.usage.limit, nl.usage.remaining) == (1, 1_000, 994)
            assert f"{nl.usage.resets_at:%Y-%m-%d %H:%M}" == "2026-01-06 00:00"

    anyio.run(main)


def import_them(at: World, used: int) -> list[float]:
    """Import contacts on a day of which so many of 1,000 requests are used; return the waits."""
    store = MemoryStore(data={"day": f"{at.clock.now():%Y-%m-%d}", "used": used})

    async def main() -> None:
        async with client(at, store, a_day=1_000) as nl:
            await workflows.import_contacts(
                nl, csv_of(FEW), list_name=LIST_NAME, checkpoint=at.checkpoint
            )

    anyio.run(main)
    looks = [each.at_s for each in at.emulator.requests if each.operation == "get_import"]
    return [later - earlier for earlier, later in itertools.pairwise(looks)]


def test_polls_are_quick_while_there_is_enough(at: World) -> None:
    """The first wait is 5 s."""
    assert import_them(at, 800)[0] < 6


def test_polls_slow_down_in_the_last_tenth(at: World) -> None:
    """They are as rare as they may be."""
    assert import_them(at, 900) == [60]


def test_polls_are_denied_the_last_hundredth_and_the_next_day_goes_on(at: World) -> None:
    """What must be sent may be sent; who waits for it comes back tomorrow."""
    with pytest.raises(DailyQuotaExhausted) as caught:
        import_them(at, 987)
    assert checkpoint_of(caught.value).pipeline == "import_contacts"
    assert at.emulator.count("import_text") == 1
    at.clock.advance(caught.value.retry_after_s)

    import_them(at, 0)

    assert at.emulator.count("import_text") == 1
    assert len(at.emulator.contacts) == FEW


def test_day_that_the_server_says_is_over_leaves_a_checkpoint(at: World) -> None:
    """Three probes are refused; the next day goes on."""
    at.emulator.exhaust_day(resets_in_s=3_600)
    with pytest.raises(DailyQuotaExhausted) as caught:
        import_them(at, 0)
    at.clock.advance(caught.value.retry_after_s)

    import_them(at, 0)

    assert len(at.emulator.contacts) == FEW


def test_without_a_limit_of_the_day_nothing_slows_down(at: World) -> None:
    """There is no tenth of what has no end."""

    async def main() -> None:
        async with NewsLeopard(
            KEY,
            http_transport=at.emulator.transport(),
            clock=at.clock,
            rate_limits=RateLimits(windows=((10, 1.0),)),
        ) as nl:
            await workflows.import_contacts(nl, csv_of(FEW), list_name=LIST_NAME)
            assert nl.usage.remaining is None

    anyio.run(main)

    assert len(at.emulator.contacts) == FEW
