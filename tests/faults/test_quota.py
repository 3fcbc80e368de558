"""Polls leave the rest of the day to others, and a day that is over leaves a checkpoint."""

from __future__ import annotations

import itertools

import anyio
import pytest

from newsleopard_async import (
    DailyQuotaExhausted,
    NewsLeopard,
    RateLimits,
    workflows,
)
from newsleopard_async.models.options import DAY_S
from tests.clients import checkpoint_of
from tests.constants import KEY, LIST_NAME
from tests.faults.world import FEW, World, csv_of


def client(at: World, *, used: int = 0, a_day: int = 10_000) -> NewsLeopard:
    """Make a client on a day of which some requests are used."""
    nl = NewsLeopard(
        KEY,
        http_transport=at.emulator.transport(),
        clock=at.clock,
        rate_limits=RateLimits(windows=((10, 1.0), (a_day, DAY_S))),
    )
    nl._api.limiter.queue.state.day.seed(used, at.clock.monotonic(), at.clock.now())
    return nl


def import_them(at: World, used: int) -> list[float]:
    """Import contacts on a day of which so many of 1,000 requests are used; return the waits."""

    async def main() -> None:
        async with client(at, used=used, a_day=1_000) as nl:
            await workflows.import_contacts(
                nl, csv_of(FEW), list_name=LIST_NAME, checkpoint=at.checkpoint
            )

    anyio.run(main)
    looks = [each.at_s for each in at.emulator.requests if each.operation == "get_import"]
    return [later - earlier for earlier, later in itertools.pairwise(looks)]


def test_polls_are_denied_the_last_hundredth_and_the_next_day_goes_on(at: World) -> None:
    """A request that must be sent is sent; a wait for it ends until the next day."""
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
