"""The check whether the balance covers a mailing, just before the submit."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from newsleopard_async import (
    APIError,
    ContactList,
    InsufficientBalance,
    ListSn,
    with_lists,
    workflows,
)
from newsleopard_async.workflows import SendOutcome
from newsleopard_async.workflows.balance import Need, need_of
from tests.clients import Bench, Reply, connected, csv_of, refused, scripted
from tests.constants import CAMPAIGN

pytestmark = pytest.mark.anyio

A, B, C = (ListSn(sn) for sn in "abc")


def lists(**counts: int | None) -> list[ContactList]:
    """Make lists of so many subscribers."""
    return [ContactList(sn=ListSn(sn), subscribed_count=count) for sn, count in counts.items()]


NEEDS: dict[str, tuple[tuple[ListSn, ...], tuple[ListSn, ...], Any, Need]] = {
    "one": ((A,), (), lists(a=5), Need(least=5, most=5)),
    "two-may-overlap": ((A, B), (), lists(a=5, b=7), Need(least=7, most=12)),
    "unseen": ((A, B), (), lists(a=5), Need(least=5, most=None)),
    "uncounted": ((A,), (), lists(a=None), Need(least=0, most=None)),
    "excluded": ((A,), (B,), lists(a=5, b=3), Need(least=2, most=5)),
    "all-excluded": ((A,), (B,), lists(a=5, b=9), Need(least=0, most=5)),
    "excluded-unseen": ((A,), (B,), lists(a=5), Need(least=0, most=5)),
}


@pytest.mark.parametrize(("wanted", "without", "found", "need"), NEEDS.values(), ids=NEEDS)
def test_need_is_bounded_by_the_lists(
    wanted: tuple[ListSn, ...], without: tuple[ListSn, ...], found: Any, need: Need
) -> None:
    """Bounds: the largest list without the excluded ones, the sum of all; None if unknown."""
    campaign = attrs.evolve(CAMPAIGN, lists=wanted, exclude_lists=without)

    assert need_of(campaign, found) == need


async def send(bench: Bench, **options: Any) -> SendOutcome:
    """Send to a new list of 50."""
    return await workflows.send_campaign(
        bench.nl, CAMPAIGN, contacts=csv_of(50), list_name="會員", **options
    )


async def test_balance_that_is_too_low_refuses_before_the_submit() -> None:
    """Nothing is sent; after a top-up the run resumes with the finished import."""
    async with connected(profile="vendor-2026", balance=49) as bench:
        with pytest.raises(InsufficientBalance, match="nothing was sent") as caught:
            await send(bench, balance="refuse")
        assert bench.emulator.submitted == 0
        bench.emulator.balance = 50
        await send(bench, balance="refuse", checkpoint=caught.value.checkpoint)

        assert (bench.emulator.submitted, len(bench.emulator.imports)) == (1, 1)
    assert (caught.value.recipients, caught.value.remaining) == (50, 49)


async def test_balance_that_is_too_low_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """The log has both numbers, and the platform decides."""
    async with connected(profile="vendor-2026", balance=49) as bench:
        with pytest.raises(APIError, match="40012"):
            await send(bench)

    assert "the balance is 49 mails, and the campaign needs at least 50" in caplog.text


async def test_lists_are_read_only_if_they_matter() -> None:
    """A new list has only its contacts; other lists are counted if all are found."""
    steps: list[str] = []
    async with connected(profile="vendor-2026", balance=99) as bench:
        await send(bench, balance="refuse", progress=lambda event: steps.append(event.step))
        of_new = list(steps)
        ready = with_lists(CAMPAIGN, [ListSn(bench.emulator.lists[0].sn)])
        await workflows.send_campaign(
            bench.nl, ready, progress=lambda event: steps.append(event.step)
        )

    assert "count_subscribers" not in of_new
    assert "count_subscribers" in steps


async def test_unknown_balance_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """An account without the endpoint is asked only once."""
    caplog.set_level("INFO")
    async with connected() as bench:
        for name in ("一", "二"):
            await workflows.send_campaign(
                bench.nl, CAMPAIGN, contacts=csv_of(1), list_name=name, balance="refuse"
            )

        assert bench.emulator.submitted == 2
        assert bench.emulator.count("get_balance") <= 1
    assert "balance could not be read" in caplog.text


@pytest.mark.parametrize(
    "replies",
    [
        [Reply({"sms": 5})],
        [Reply({"email": 0}), Reply(b"", 400)],
        [Reply({"email": 0}), Reply([{"sn": "other", "name": "a"}]), Reply([])],
    ],
)
async def test_what_cannot_be_read_stops_nothing(replies: list[Reply]) -> None:
    """A balance without mails, refused lists and missing lists stop nothing."""
    async with scripted(*replies, Reply({"sn": "c1"}), profile="vendor-2026") as script:
        outcome = await workflows.send_campaign(
            script.nl, with_lists(CAMPAIGN, [A]), balance="refuse"
        )

    assert outcome.campaign_sn == "c1"


async def test_balance_is_not_read_if_it_is_not_wanted() -> None:
    """None costs no request; another word is refused."""
    async with scripted(Reply({"sn": "c1"})) as script:
        await workflows.send_campaign(script.nl, with_lists(CAMPAIGN, [A]), balance=None)
    async with scripted() as script, refused(script.wire, ("balance", "choice")):
        await workflows.send_campaign(script.nl, CAMPAIGN, balance="ask")  # type: ignore[arg-type]  # wrong on purpose
