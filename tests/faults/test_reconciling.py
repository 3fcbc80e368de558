"""Where the reply to a submit is lost, the campaign is looked for, and never sent again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest

from newsleopard_async import (
    InvalidRequest,
    Mailing,
    NewsLeopard,
    OutcomeUnknown,
    SendAt,
    workflows,
)
from newsleopard_async.workflows.reconcile import look_again_at, marked, search_window
from newsleopard_async.workflows.steps import FindSent
from tests.clients import checkpoint_of
from tests.constants import CAMPAIGN, LIST_NAME, START, SUBJECT_TEST
from tests.faults.world import World, csv_of, unflushed

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SETTLING = timedelta(minutes=30)


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


WINDOWS = {
    "now": (CAMPAIGN, timedelta(), -DAY, DAY),
    "now-looked-for-later": (CAMPAIGN, 5 * DAY, -DAY, 6 * DAY),
    "scheduled": (scheduled(CAMPAIGN, 3 * HOUR), timedelta(), -DAY, DAY + 3 * HOUR),
    "scheduled-and-past": (scheduled(CAMPAIGN, HOUR), 2 * HOUR, -DAY, DAY + 2 * HOUR),
    "far-ahead": (scheduled(CAMPAIGN, 90 * DAY), timedelta(), -DAY, 91 * DAY),
    "test": (SUBJECT_TEST, timedelta(), -DAY, DAY),
}


@pytest.mark.parametrize(("mailing", "later", "begin", "end"), WINDOWS.values(), ids=WINDOWS)
def test_window_reaches_from_a_day_before_to_a_day_after(
    mailing: Mailing, later: timedelta, begin: timedelta, end: timedelta
) -> None:
    """A day before the submit, to a day after the later of now and the schedule."""
    assert search_window(mailing, START, START + later) == (START + begin, START + end)


LOOKS = {
    "now": (CAMPAIGN, timedelta(), SETTLING),
    "scheduled": (scheduled(CAMPAIGN, 3 * HOUR), timedelta(), 3 * HOUR + SETTLING),
    "scheduled-and-past": (scheduled(CAMPAIGN, HOUR), 2 * HOUR, 2 * HOUR + SETTLING),
    "test": (SUBJECT_TEST, timedelta(), 4 * HOUR + SETTLING),
    "scheduled-test": (scheduled(SUBJECT_TEST, HOUR), timedelta(), 5 * HOUR + SETTLING),
}


@pytest.mark.parametrize(("mailing", "later", "expected"), LOOKS.values(), ids=LOOKS)
def test_look_is_meaningful_when_the_campaign_has_ended(
    mailing: Mailing, later: timedelta, expected: timedelta
) -> None:
    """After the schedule, the test's wait, and the sending."""
    assert look_again_at(mailing, START + later) == START + expected


MATCHES = {
    "holds-it": ("[nl-1]", False, "週年慶 [nl-1]", True),
    "another-marker": ("[nl-1]", False, "週年慶 [nl-2]", False),
    "whole-name": ("週年慶", True, "週年慶", True),
    "longer-name": ("週年慶", True, "週年慶 二", False),
}


@pytest.mark.parametrize(("text", "whole", "name", "expected"), MATCHES.values(), ids=MATCHES)
def test_name_matches(text: str, name: str, *, whole: bool, expected: bool) -> None:
    """A marker is part of a name; without one the whole name counts."""
    given = FindSent(text=text, since=START, until=START, whole_name=whole)

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
    """A marker of one's own, or none, leads to the campaign too."""
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
    assert f"{error.look_again_at:%Y-%m-%d %H:%M} UTC" in text
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


def test_campaign_far_ahead_is_found_when_it_was_sent(at: World) -> None:
    """It is asked for month by month, since a range's length may have an end."""
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
    at.emulator.fail("list_campaigns", status, 20)

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
                # The first look is before the list is created.
                at.emulator.delay("list_lists", 0)
                at.emulator.fail("list_lists", status, 20)
                at.emulator.lose_reply_to("create_list")
            return await import_them(nl)

    with pytest.raises(OutcomeUnknown) as caught:
        anyio.run(lambda: main(failing=True))
    at.emulator.clear_faults()

    report = anyio.run(lambda: main(failing=False))

    assert caught.value.look_again_at is not None
    assert [each.sn for each in at.emulator.lists if each.name == LIST_NAME] == [report.list_sn]


def test_two_new_lists_of_the_name_are_not_guessed_between(at: World) -> None:
    """Somebody else made one of the same name meanwhile."""

    async def main() -> None:
        async with at.client() as nl:
            at.emulator.lose_reply_to("create_list")
            at.emulator.delay("list_lists", 0)
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
    """Who looks into the console at once need not wait for the schedule."""
    campaign = attrs.evolve(CAMPAIGN, schedule=SendAt(at.clock.now() + 3 * HOUR))
    at.emulator.drop_request("submit_campaign")
    with pytest.raises(OutcomeUnknown) as caught:
        send(at, campaign=campaign)

    anyio.run(checkpoint_of(caught.value).resolve, "resubmit")
    send(at, campaign=campaign)

    assert at.emulator.submitted == 1
