"""If the reply to a submit is lost, the campaign is searched for, and never sent again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import anyio
import attrs
import pytest

from newsleopard_async import (
    APIError,
    InvalidRequest,
    Mailing,
    NewsLeopard,
    OutcomeUnknown,
    SendAt,
    workflows,
)
from newsleopard_async.emulator import Emulator
from newsleopard_async.workflows.reconcile import look_again_at, marked
from newsleopard_async.workflows.steps import FindSent
from tests.clients import checkpoint_of
from tests.constants import CAMPAIGN, KEY, LIST_NAME, START, SUBJECT_TEST
from tests.faults.world import FEW, SEND_KEY, World, csv_of, unflushed
from tests.stores.memory import MemoryStore

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def scheduled(mailing: Mailing, after: timedelta) -> Mailing:
    """Schedule a mailing some time after `START`."""
    return attrs.evolve(mailing, schedule=SendAt(START + after))


@pytest.fixture
def at(tmp_path: Path) -> Iterator[World]:
    """Make a world with a list, whose files are the test's."""
    with unflushed():
        world = World(tmp_path)
        world.add_list()
        yield world


def send(at: World, **options: Any) -> Any:
    """Send a campaign to the list in a process of its own."""

    async def main() -> Any:
        async with at.client() as nl:
            ready = attrs.evolve(options.pop("campaign", CAMPAIGN), lists=(at.sn,))
            return await workflows.send_campaign(nl, ready, checkpoint=at.checkpoint, **options)

    return anyio.run(main)


def lose(at: World, **options: Any) -> OutcomeUnknown:
    """Send a campaign whose reply is lost."""
    at.emulator.lose_reply_to("submit_campaign")
    with pytest.raises(OutcomeUnknown) as caught:
        send(at, **options)
    return caught.value


# Deciding


SOON = timedelta(seconds=30)
LAST = datetime.max.replace(tzinfo=UTC)
AFTER_ALL = attrs.evolve(SUBJECT_TEST, schedule=SendAt(LAST - HOUR))
ENDLESS = attrs.evolve(SUBJECT_TEST, wait=timedelta.max // HOUR * HOUR)

LOOKS = {
    "at-once": (CAMPAIGN, timedelta(), START + SOON),
    "soon-after": (CAMPAIGN, timedelta(seconds=40), START + timedelta(seconds=80)),
    "after-an-hour": (CAMPAIGN, HOUR, START + 2 * HOUR),
    "after-a-day": (CAMPAIGN, DAY, START + 2 * DAY),
    "after-a-year": (CAMPAIGN, 365 * DAY, START + 366 * DAY),
    "scheduled": (scheduled(CAMPAIGN, 3 * HOUR), HOUR, START + 3 * HOUR + SOON),
    "scheduled-and-due": (scheduled(CAMPAIGN, HOUR), HOUR, START + HOUR + SOON),
    "scheduled-and-past": (scheduled(CAMPAIGN, HOUR), 3 * HOUR, START + 5 * HOUR),
    "test": (SUBJECT_TEST, timedelta(), START + 4 * HOUR + SOON),
    "test-and-past": (SUBJECT_TEST, 5 * HOUR, START + 6 * HOUR),
    "scheduled-test": (scheduled(SUBJECT_TEST, HOUR), timedelta(), START + 5 * HOUR + SOON),
    "end-of-the-calendar": (AFTER_ALL, timedelta(), LAST),
    "longest-test": (ENDLESS, timedelta(), LAST),
}


@pytest.mark.parametrize(("mailing", "later", "expected"), LOOKS.values(), ids=LOOKS)
def test_looks_come_soon_and_then_at_growing_distances(
    mailing: Mailing, later: timedelta, expected: datetime
) -> None:
    """Half a minute after it can be listed, then at twice the time, at most a day later."""
    assert look_again_at(mailing, START, START + later) == expected


MATCHES = {
    "holds-it": ("[nl-1]", False, "週年慶 [nl-1]", True),
    "another-marker": ("[nl-1]", False, "週年慶 [nl-2]", False),
    "whole-name": ("週年慶", True, "週年慶", True),
    "longer-name": ("週年慶", True, "週年慶 二", False),
}


@pytest.mark.parametrize(("text", "whole", "name", "expected"), MATCHES.values(), ids=MATCHES)
def test_name_matches(text: str, name: str, *, whole: bool, expected: bool) -> None:
    """A marker is part of a name; without one the whole name counts."""
    given = FindSent(text=text, since=START, whole_name=whole)

    assert given.matches(name) is expected


NAMES = {
    "added": ("[nl-1]", "週年慶 [nl-1]"),
    "there-already": ("年", "週年慶"),
    "none": (None, "週年慶"),
}


@pytest.mark.parametrize(("text", "name"), NAMES.values(), ids=NAMES)
def test_marker_goes_into_the_name_once(text: str | None, name: str) -> None:
    """Recipients do not see a campaign's name."""
    assert marked(CAMPAIGN, text).name == name


# Doing


def test_default_marker_is_in_the_name(at: World) -> None:
    """It is made of the checkpoint's token."""
    send(at)

    [campaign] = at.emulator.campaigns
    assert campaign.name.startswith("週年慶 [nl-")


@pytest.mark.parametrize("marker", ["2026-001", None])
def test_found_by_marker_or_whole_name(at: World, marker: str | None) -> None:
    """The search also works with the caller's own marker, or without a marker."""
    lose(at, marker=marker)
    at.clock.advance(3_600)

    outcome = send(at, marker=marker)

    [campaign] = at.emulator.campaigns
    assert outcome.campaign_sn == campaign.sn
    assert campaign.name == ("週年慶" if marker is None else f"週年慶 {marker}")


def test_without_marker_another_of_the_name_passes_for_it(at: World) -> None:
    """This is the price of no marker, and why there is one by default."""
    send(at, marker=None)
    at.checkpoint.unlink()
    at.clock.advance(3_600)
    at.emulator.drop_request("submit_campaign")

    outcome = send(at, marker=None)

    [campaign] = at.emulator.campaigns
    assert outcome.campaign_sn == campaign.sn


@pytest.mark.parametrize("marker", ["", " "])
def test_empty_marker_is_refused(at: World, marker: str) -> None:
    """It would be in every name."""
    with pytest.raises(InvalidRequest):
        send(at, marker=marker)

    assert at.emulator.submitted == 0


def test_message_says_what_to_do(at: World) -> None:
    """It names the campaign, the place in the console, and the exact calls."""
    error = lose(at)

    [campaign] = at.emulator.campaigns
    text = str(error)
    assert repr(campaign.name) in text
    assert "活動列表" in text
    assert 'error.checkpoint.resolve("sent", campaign_sn="…")' in text
    assert 'error.checkpoint.resolve("resubmit")' in text
    assert f"{error.look_again_at:%Y-%m-%d %H:%M:%S} UTC" in text
    assert error.request == "POST /v1/campaign/normal/submit"


def test_held_run_looks_again_and_sends_nothing(at: World) -> None:
    """However often it is run."""
    at.emulator.drop_request("submit_campaign")
    with pytest.raises(OutcomeUnknown):
        send(at)

    for _ in range(3):
        at.clock.advance(86_400)
        with pytest.raises(OutcomeUnknown) as caught:
            send(at)
        assert caught.value.look_again_at is not None
        assert caught.value.look_again_at > at.clock.now()

    assert at.emulator.submitted == 0
    assert at.emulator.count("submit_campaign") == 1


def test_small_campaign_is_found_by_a_run_half_a_minute_later(at: World) -> None:
    """It was out and listed within seconds."""
    error = lose(at)
    assert error.look_again_at == at.clock.now() + SOON
    at.clock.advance(30)

    outcome = send(at)

    assert outcome.campaign_sn == at.emulator.campaigns[0].sn


@pytest.mark.parametrize("days", [30, 36_500, 2_900_000])
def test_campaign_far_ahead_costs_one_look_now(at: World, days: int) -> None:
    """A future campaign is in no list; a search up to the year 9966 would take too long."""
    error = lose(at, campaign=attrs.evolve(CAMPAIGN, schedule=SendAt(START + days * DAY)))

    assert at.emulator.count("list_campaigns") == 1
    assert error.look_again_at == START + days * DAY + SOON


def test_look_for_an_earlier_run_is_one_request() -> None:
    """Also if time passes before it is made, as it does on a real clock."""
    emulator = Emulator(api_keys=(KEY,))
    contacts = csv_of(FEW)

    async def main() -> None:
        transport = emulator.transport()
        async with NewsLeopard(KEY, http_transport=transport, store=MemoryStore()) as nl:
            emulator.fail("list_lists", status=403, body=b'{"code":"40301","message":"x"}')
            with pytest.raises(APIError):
                await workflows.send_campaign(
                    nl, CAMPAIGN, contacts=contacts, list_name=LIST_NAME, send_key=SEND_KEY
                )

    anyio.run(main)

    assert emulator.count("list_campaigns") == 1


def test_clock_that_was_set_back_does_not_keep_from_looking(at: World) -> None:
    """An intent of the future is looked for from now."""
    at.clock.advance(30 * 86_400)
    lose(at)
    campaign_sn = at.emulator.campaigns[0].sn
    at.clock.advance(3_600)
    with mock.patch.object(at.clock, "now", return_value=START + DAY):
        with pytest.raises(OutcomeUnknown) as caught:
            send(at)
        assert at.emulator.count("list_campaigns") == 2
        assert caught.value.look_again_at == START + DAY + SOON

    assert send(at).campaign_sn == campaign_sn


def test_unknown_outcome_is_logged_before_the_look(
    at: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A caller that is cancelled during the search finds it in the log, exactly once."""
    lose(at)
    with contextlib.suppress(OutcomeUnknown):
        send(at)

    [campaign] = at.emulator.campaigns
    [warning] = [each for each in caplog.messages if "unknown" in each]
    assert campaign.name in warning


def test_campaign_far_ahead_is_found_when_it_was_sent(at: World) -> None:
    """The search reads month by month, because the platform can limit the range."""
    campaign = attrs.evolve(CAMPAIGN, schedule=SendAt(at.clock.now() + 80 * DAY))
    error = lose(at, campaign=campaign)
    assert error.look_again_at is not None
    at.clock.advance((error.look_again_at - at.clock.now()).total_seconds())

    outcome = send(at, campaign=campaign)

    assert outcome.campaign_sn == at.emulator.campaigns[0].sn
    spans = [each for each in at.emulator.requests if each.operation == "list_campaigns"]
    assert len(spans) > 3


@pytest.mark.parametrize("status", [400, 403, 429, 500])
def test_failure_while_looking_stays_unknown(at: World, status: int) -> None:
    """No other error may hide that a campaign may have gone out."""
    at.emulator.fail("list_campaigns", status=status, times=20)

    error = lose(at)

    assert error.look_again_at is not None
    assert error.checkpoint is not None
    at.emulator.clear_faults()
    at.clock.advance(86_400)
    assert send(at).campaign_sn == at.emulator.campaigns[0].sn
    assert at.emulator.submitted == 1


@pytest.mark.parametrize("status", [403, 500])
def test_failure_while_looking_for_a_list_stays_unknown(at: World, status: int) -> None:
    """The same for a list that may have been created."""

    async def import_them(nl: NewsLeopard) -> Any:
        return await workflows.import_contacts(
            nl, csv_of(5), list_name=LIST_NAME, checkpoint=at.checkpoint
        )

    async def main(*, failing: bool) -> Any:
        async with at.client() as nl:
            if failing:
                # The first look, at a page and an empty one, is before the list is created.
                at.emulator.delay("list_lists", seconds=0, times=2)
                at.emulator.fail("list_lists", status=status, times=20)
                at.emulator.lose_reply_to("create_list")
            return await import_them(nl)

    with pytest.raises(OutcomeUnknown) as caught:
        anyio.run(lambda: main(failing=True))
    at.emulator.clear_faults()

    report = anyio.run(lambda: main(failing=False))

    assert caught.value.look_again_at is not None
    assert [each.sn for each in at.emulator.lists if each.name == LIST_NAME] == [report.list_sn]


def test_two_new_lists_of_the_name_are_not_guessed_between(at: World) -> None:
    """Another program has created a list of the same name during the run."""

    async def main() -> None:
        async with at.client() as nl:
            at.emulator.lose_reply_to("create_list")
            at.emulator.delay("list_lists", seconds=0)
            at.emulator.hang("list_lists", seconds=1)

            async def meanwhile() -> None:
                await at.clock.sleep(0.5)
                book, codes = at.emulator._account.book, at.emulator._account.codes
                book.create_list(codes.sn(), LIST_NAME, at.clock.now())

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(meanwhile)
                with pytest.raises(InvalidRequest) as caught:
                    await workflows.import_contacts(nl, csv_of(5), list_name=LIST_NAME)
            assert [each.rule for each in caught.value.problems] == ["ambiguous"]

    anyio.run(main)


def test_find_campaign_finds_a_finished_one(at: World) -> None:
    """By a marker, from an instant on."""
    begun = at.clock.now()
    outcome = send(at, marker="2026-001")
    at.clock.advance(3_600)

    async def main() -> None:
        async with at.client() as nl:
            found = await workflows.find_campaign(nl, "2026-001", since=begun)
            assert found is not None
            assert found.sn == outcome.campaign_sn
            assert await workflows.find_campaign(nl, "2026-002", since=begun) is None
            with pytest.raises(InvalidRequest):
                await workflows.find_campaign(nl, " ", since=begun)

    anyio.run(main)


def test_scheduled_campaign_can_be_resubmitted_while_there_is_time(at: World) -> None:
    """A person who checks the console need not wait for the schedule."""
    campaign = attrs.evolve(CAMPAIGN, schedule=SendAt(at.clock.now() + 3 * HOUR))
    at.emulator.drop_request("submit_campaign")
    with pytest.raises(OutcomeUnknown) as caught:
        send(at, campaign=campaign)

    anyio.run(checkpoint_of(caught.value).resolve, "resubmit")
    send(at, campaign=campaign)

    assert at.emulator.submitted == 1
