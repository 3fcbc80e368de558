"""Looking for a finished campaign by a marker in its name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import attrs
import pytest

from newsleopard_async import DeadlineExceeded, Polling, SendAt, with_lists, workflows
from tests.clients import Reply, connected, refused, scripted
from tests.constants import CAMPAIGN, START

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)


def windows(requests: Any) -> list[tuple[datetime, datetime]]:
    """Read the requested ranges."""
    found = []
    for request in requests:
        query = dict(request.query)
        found.append(
            (datetime.fromisoformat(query["startDate"]), datetime.fromisoformat(query["endDate"]))
        )
    return found


@pytest.mark.parametrize(
    ("days", "ranges"), [(0, 1), (28, 1), (29, 2), (100, 4), (1_070, 36), (-5, 0)]
)
async def test_range_is_requested_month_by_month(days: int, ranges: int) -> None:
    """From a day before to a day after now, overlapping by a day, at most 31 days each."""
    since = START - days * DAY
    async with scripted(*[Reply([])] * ranges) as script:
        found = await workflows.find_campaign(script.nl, "#7f3a", since=since)

    asked = windows(script.wire.sent)
    assert found is None
    assert all(end - begin <= 31 * DAY for begin, end in asked)
    assert all(one[1] - next_[0] == DAY for one, next_ in pairwise(asked))
    if asked:
        assert (asked[0][0], asked[-1][1]) == (since - DAY, START + DAY)


APRIL, MAY = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)

OUTSIDE = {
    "before": ("2026-03-01T00:00:00Z", "2026-03-31T23:59:59Z", 1),
    "after": ("2026-05-01T00:00:01Z", "2026-05-02T00:00:00Z", 1),
    "ended-before": (None, "2026-03-31T23:59:59Z", 1),
    "begun-after": ("2026-05-01T00:00:01Z", None, 1),
    "begun-in-it": ("2026-04-30T00:00:00Z", "2026-05-02T00:00:00Z", 0),
    "ended-in-it": ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z", 0),
    "around-it": ("2026-03-01T00:00:00Z", "2026-06-01T00:00:00Z", 0),
    "may-be-in-it": ("2026-03-01T00:00:00Z", None, 0),
    "unknown": (None, None, 0),
}


@pytest.mark.parametrize(("begun", "ended", "others"), OUTSIDE.values(), ids=OUTSIDE)
async def test_campaigns_outside_the_range_are_counted_in_the_log(
    begun: str | None, ended: str | None, others: int, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning per answer, and no row is dropped; without a range there is no warning."""
    rows = [{"sn": f"c{number}", "sentBeginDate": begun, "sentEndDate": ended} for number in (1, 2)]
    inside = {"sn": "c3", "sentBeginDate": APRIL.isoformat()}
    async with scripted(Reply([*rows, inside]), Reply(rows)) as script:
        found = await script.nl.reports.list_campaigns(start=APRIL, end=MAY)
        await script.nl.reports.list_campaigns()

    warnings = [each for each in caplog.messages if "ignored the range" in each]
    assert len(found) == 3
    assert [each.startswith("list_campaigns: 2 of 3 ") for each in warnings] == [True] * others


AGES = {
    "four-years": START - 1_461 * DAY,
    "ten-years": START - 3_653 * DAY,
    "first-day": datetime.min.replace(tzinfo=UTC),
}


@pytest.mark.parametrize("since", AGES.values(), ids=AGES)
async def test_long_range_takes_a_bounded_number_of_requests(since: datetime) -> None:
    """36 ranges cover the whole time: a run that resumes late does not use up the daily quota."""
    async with scripted(*[Reply([])] * 36) as script:
        assert await workflows.find_campaign(script.nl, "#7f3a", since=since) is None

    asked = windows(script.wire.sent)
    assert asked[0][0] == max(since, datetime.min.replace(tzinfo=UTC) + DAY) - DAY
    assert asked[-1][1] == START + DAY
    assert all(one[1] - next_[0] == DAY for one, next_ in pairwise(asked))


async def test_first_that_holds_the_marker_is_taken() -> None:
    """Other campaigns are skipped, and no further month is requested."""
    first = Reply([{"sn": "a", "name": "週年慶"}, {"sn": "b"}])
    second = Reply([{"sn": "c", "name": "週年慶 #7f3a"}])
    async with scripted(first, second) as script:
        found = await workflows.find_campaign(script.nl, "#7f3a", since=START - 90 * DAY)

    assert found is not None
    assert found.sn == "c"


async def test_campaign_is_searched_for_until_it_is_found() -> None:
    """With ``polling`` the search is repeated."""
    there = Reply([{"sn": "c", "name": "週年慶 #7f3a"}])
    async with scripted(Reply([]), Reply([]), there) as script:
        found = await workflows.find_campaign(
            script.nl, "#7f3a", since=script.clock.now(), polling=Polling(deadline_s=3_600)
        )

    assert found is not None
    assert found.sn == "c"


async def test_campaign_that_does_not_come_is_given_up() -> None:
    """The deadline of the polling ends the wait."""
    async with connected() as bench:
        with pytest.raises(DeadlineExceeded):
            await workflows.find_campaign(
                bench.nl, "#7f3a", since=bench.clock.now(), polling=Polling(deadline_s=60)
            )

    assert bench.clock.monotonic() >= 60


async def test_finished_campaign_is_found() -> None:
    """A campaign that was sent is found from the moment of its submit on."""
    async with connected() as bench:
        since = bench.clock.now()
        sn = await bench.send()
        found = await workflows.find_campaign(bench.nl, "週年", since=since)
        other = await workflows.find_campaign(bench.nl, "別的", since=since)

    assert found is not None
    assert (found.sn, found.name) == (sn, "週年慶")
    assert other is None


async def test_scheduled_campaign_is_not_found() -> None:
    """An unsent campaign is in no list (T65)."""
    async with connected() as bench:
        since = bench.clock.now()
        later = attrs.evolve(CAMPAIGN, schedule=SendAt(since + 2 * DAY))
        await bench.nl.campaigns.submit(with_lists(later, [await bench.make_list()]))
        early = await workflows.find_campaign(bench.nl, "週年慶", since=since)
        await bench.clock.sleep(3 * 86_400)
        late = await workflows.find_campaign(bench.nl, "週年慶", since=since)

    assert early is None
    assert late is not None


ARGUMENTS: list[tuple[Any, Any, list[tuple[str, str]]]] = [
    ("", START, [("marker", "required")]),
    ("  ", START, [("marker", "required")]),
    (None, START, [("marker", "type")]),
    ("a", START.replace(tzinfo=None), [("since", "aware")]),
    ("a", START.date(), [("since", "type")]),
    ("a", datetime.min.replace(tzinfo=timezone(timedelta(hours=8))), [("since", "exists")]),
    ("a", datetime.max.replace(tzinfo=timezone(-timedelta(hours=8))), [("since", "exists")]),
    ("", None, [("marker", "required"), ("since", "type")]),
]


@pytest.mark.parametrize(("marker", "since", "problems"), ARGUMENTS)
async def test_bad_argument_is_refused(
    marker: Any, since: Any, problems: list[tuple[str, str]]
) -> None:
    """An empty marker would be in every name, and a naive time has no zone."""
    async with scripted() as script, refused(script.wire, *problems):
        await workflows.find_campaign(script.nl, marker, since=since)


async def test_name_with_hidden_characters_is_found() -> None:
    """Names are compared in the form in which they are displayed."""
    async with scripted(Reply([{"sn": "c", "name": "週年慶\u200b #7f3a"}])) as script:
        found = await workflows.find_campaign(script.nl, "慶\u200b #7f3a", since=START)

    assert found is not None
    assert found.name == "週年慶\\u200b #7f3a"
