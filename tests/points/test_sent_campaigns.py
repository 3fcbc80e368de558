"""Campaigns that were sent: T101 to T109."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from newsleopard_async import (
    CampaignSn,
    InvalidRequest,
    UnexpectedResponse,
    workflows,
)
from newsleopard_async.emulator import Emulator
from tests.clients import Reply, connected, scripted
from tests.constants import START
from tests.points.cells import point
from tests.points.means import (
    CSV,
    QUIET,
    codes_of,
    error_of,
    links_of,
    list_campaigns,
    names_of,
    platform,
    result_of,
    sent_campaign,
    twelve_campaigns,
)

DAY = timedelta(days=1)


URL = "https://storage.example/report.csv"


TEN_NEWEST = [str(number) for number in range(11, 1, -1)]


ROW = {"sn": "c", "name": "活動"}


@point
@pytest.mark.parametrize(
    "answer",
    [[ROW], ROW, {"campaigns": [ROW]}, {"Campaigns": [ROW], "total": 1}, [ROW, {"name": "x"}]],
)
async def test_t101_client(answer: Any) -> None:
    """An array is read, one object with ``sn``, or an object with exactly one array."""
    assert [each.sn for each in await result_of(list_campaigns, answer)] == ["c"]
    assert await result_of(list_campaigns, []) == ()
    for strange in ({"a": [ROW], "b": [ROW]}, {"total": 3}, "nothing", 5):
        assert type(await error_of(list_campaigns, strange)) is UnexpectedResponse


@point
async def test_t101_emulator() -> None:
    """It is an array; a switch has one object, and a wrapper."""
    async with twelve_campaigns() as api:
        shapes = []
        for shape in ("array", "object", "wrapper"):
            api.emulator.switch(campaigns_shape=shape)
            shapes.append((await api.get("/v1/report/campaigns")).json())

    array, one, wrapper = shapes
    assert len(array) == 10
    assert one == array[0]
    assert list(wrapper.values()) == [array]


@point
async def test_t102_client() -> None:
    """Without dates the latest come; the pipelines always give both dates."""
    async with connected() as bench:
        sn = await bench.send()
        assert [each.sn for each in await bench.nl.reports.list_campaigns()] == [sn]
        await workflows.find_campaign(bench.nl, "#7f3a", since=bench.clock.now())
        first, *others = [each for each in bench.wire.sent if "campaigns" in each.path]

    assert first.query == ()
    assert {name for each in others for name, _ in each.query} == {"startDate", "endDate"}


@point
async def test_t102_emulator() -> None:
    """Without dates the ten newest come."""
    async with twelve_campaigns() as api:
        assert await names_of(api) == TEN_NEWEST


@point
async def test_t103_client() -> None:
    """One date alone is refused before anything is sent."""
    async with scripted() as script:
        one_alone: list[dict[str, Any]] = [{"start": START}, {"end": START}]
        for dates in one_alone:
            with pytest.raises(InvalidRequest):
                await script.nl.reports.list_campaigns(**dates)


@point
@pytest.mark.parametrize("name", ["startDate", "endDate"])
async def test_t103_emulator(name: str) -> None:
    """One date alone means the ten newest."""
    async with twelve_campaigns() as api:
        assert await names_of(api, f"?{name}=2026-01-05T05:00:00.00Z") == TEN_NEWEST


@point
async def test_t104_client(caplog: pytest.LogCaptureFixture) -> None:
    """Bad dates are refused; rows outside the range come, with one warning that counts them."""
    async with scripted() as script:
        for start, end in (
            (START.replace(tzinfo=None), START),
            (START, START.replace(tzinfo=None)),
            (START, START - DAY),
        ):
            with pytest.raises(InvalidRequest):
                await script.nl.reports.list_campaigns(start=start, end=end)

    caplog.set_level(logging.WARNING, "newsleopard_async")
    dates = {"sentBeginDate": "2019-04-01T08:38:32Z", "sentEndDate": "2019-04-01T09:00:00Z"}
    for year, warnings in ((2019, 0), (2021, 1)):
        caplog.clear()
        async with scripted(Reply([{**ROW, **dates}] * 2)) as script:
            rows = await script.nl.reports.list_campaigns(
                start=datetime(year, 1, 1, tzinfo=UTC), end=datetime(year, 12, 31, tzinfo=UTC)
            )
        assert (len(rows), len(caplog.records)) == (2, warnings)


@point
async def test_t104_emulator() -> None:
    """Dates that make no range give the ten newest, or a refusal by a switch."""
    bad = (
        "?startDate=2026-01-05&endDate=2026-01-06",
        "?startDate=2026-01-06T00:00:00.00Z&endDate=2026-01-05T00:00:00.00Z",
    )
    async with twelve_campaigns() as api:
        for query in bad:
            assert await names_of(api, query) == TEN_NEWEST
        api.emulator.switch(bad_dates_are_40020=True)
        for query in bad:
            answer = await api.get(f"/v1/report/campaigns{query}")
            assert codes_of(answer) == (400, 40020)


@point
async def test_t105_client() -> None:
    """Two digits and ``Z`` are sent, percent-encoded."""
    when = START + timedelta(microseconds=129_999)
    async with scripted(Reply([])) as script:
        await script.nl.reports.list_campaigns(start=when, end=START + DAY)
        [sent] = script.wire.sent

    assert dict(sent.query) == {
        "startDate": "2026-01-05T02:00:00.12Z",
        "endDate": "2026-01-06T02:00:00.00Z",
    }


@point
async def test_t105_emulator() -> None:
    """Two or three digits make a range; any other number does not."""
    async with twelve_campaigns() as api:
        for digits, count in (("", 10), (".0", 10), (".00", 3), (".000", 3), (".0000", 10)):
            query = f"?startDate=2026-01-05T03:00:00{digits}Z&endDate=2026-01-05T05:00:00{digits}Z"
            assert len(await names_of(api, query)) == count


@point
async def test_t106_client() -> None:
    """A range goes out as given; the pipelines search a day wider on each side."""
    async with scripted(Reply([]), Reply([]), Reply([])) as script:
        await script.nl.reports.list_campaigns(start=START - DAY, end=START)
        await workflows.find_campaign(script.nl, "#7f3a", since=START - 40 * DAY)
        ranges = [
            tuple(datetime.fromisoformat(value) for _, value in each.query)
            for each in script.wire.sent
        ]

    assert ranges[0] == (START - DAY, START)
    assert (ranges[1][0], ranges[2][1]) == (START - 41 * DAY, START + DAY)
    assert ranges[1][1] - ranges[2][0] == DAY


@point
async def test_t106_emulator() -> None:
    """The range is of the start of sending, both bounds included."""
    query = "?startDate=2026-01-05T03:00:00.00Z&endDate=2026-01-05T05:00:00.00Z"
    async with twelve_campaigns(send_base_s=600.0) as api:
        assert await names_of(api, query) == ["3", "2", "1"]


@point
@pytest.mark.parametrize(("days", "requests"), [(100, 4), (1_070, 36), (3_653, 36)])
async def test_t107_client(days: int, requests: int) -> None:
    """The pipelines ask month by month, and for longer than three years in 36 ranges."""
    async with scripted(*[Reply([])] * requests) as script:
        await workflows.find_campaign(script.nl, "#7f3a", since=START - days * DAY)
        starts = [
            datetime.fromisoformat(dict(each.query)["startDate"]) for each in script.wire.sent
        ]

    assert starts == sorted(starts)
    if days < 1_096:
        assert all(later - earlier <= 31 * DAY for earlier, later in pairwise(starts))


@point
async def test_t107_emulator() -> None:
    """There are no pages."""
    query = "?startDate=2026-01-01T00:00:00.00Z&endDate=2026-01-31T00:00:00.00Z&size=1&page=0"
    async with twelve_campaigns() as api:
        assert len(await names_of(api, query)) == 12


EPOCH_S = 1_554_107_912
WHEN = datetime.fromtimestamp(EPOCH_S, UTC)


@point
@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        ("2019-04-01T08:38:32Z", WHEN),
        ("2019-04-01T08:38:32.09Z", WHEN + timedelta(milliseconds=90)),
        ("2019-04-01T08:38:32.569000001Z", WHEN + timedelta(milliseconds=569)),
        ("2019-04-01T16:38:32+08:00", WHEN),
        ("2019-04-01T08:38:32+0000", WHEN),
        ("2019-04-01 08:38:32Z", WHEN),
        ("2019-04-01T08:38:32", WHEN),
        ("2019/04/01 08:38:32", WHEN),
        ("2019-04-01T16:38:32+08", WHEN),
        (EPOCH_S, WHEN),
        (EPOCH_S * 1_000, WHEN),
        (None, None),
        ("", None),
        ("yesterday", None),
        ("2019-04-01", None),
        ("2019-02-30T08:38:32Z", None),
        ([], None),
    ],
)
async def test_t108_client(text: object, read_as: datetime | None) -> None:
    """A date is read in any usual form, and is None in any other, which fails nothing."""
    [campaign] = await result_of(list_campaigns, [{"sn": "c", "sentBeginDate": text}])

    assert campaign.sent_begin == read_as


FORMS = {
    "documented": "2026-01-05T02:00:00Z",
    "offset": "2026-01-05T02:00:00+00:00",
    "compact_offset": "2026-01-05T02:00:00+0000",
    "no_zone": "2026-01-05T02:00:00",
    "blank": "2026-01-05 02:00:00Z",
    "seconds": int(START.timestamp()),
    "millis": int(START.timestamp()) * 1_000,
    "empty": "",
    "null": None,
}


@point
async def test_t108_emulator() -> None:
    """All three forms of the documentation are there; a switch has others."""
    async with platform() as (api, clock):
        await api.create_list()
        for form, expected in FORMS.items():
            api.emulator.switch(date_form=form)
            [row] = (await api.get("/v1/contacts/lists")).json()["Lists"]
            assert row["createDate"] == expected
        api.emulator.switch(date_form="documented")
        await sent_campaign(api, clock)
        [row] = (await api.get("/v1/report/campaigns")).json()

    assert re.fullmatch(r"[-\dT:]{19}\.\d{3}Z", row["sentBeginDate"])
    assert re.fullmatch(r"[-\dT:]{19}\.\d{2}Z", row["sentEndDate"])


@point
async def test_t109_client() -> None:
    """Each endpoint has its own names of dates."""
    text = "2019-04-01T08:38:32Z"
    when = datetime(2019, 4, 1, 8, 38, 32, tzinfo=UTC)
    names_of = ("createDate", "updateDate", "completedDate", "sentBeginDate", "createdDate")
    dates = dict.fromkeys((*names_of, "sentEndDate"), text)

    async with scripted(
        Reply([{"sn": "a", **dates}]),
        Reply({"import_sn": "a", "status": "COMPLETE", **dates}),
        Reply([{"sn": "a", **dates}]),
        Reply([{"reportType": "open", "link": URL, **dates}]),
    ) as script:
        [listed] = await script.nl.contacts.list_lists()
        result = await script.nl.contacts.get_import("a")  # type: ignore[arg-type]  # a code
        [campaign] = await script.nl.reports.list_campaigns()
        [link] = await script.nl.reports.get_links(CampaignSn("a"))

    assert (listed.created, listed.updated) == (when, when)
    assert (result.created, result.completed) == (when, when)
    assert (campaign.sent_begin, campaign.sent_end) == (when, when)
    assert link.created == when
    later = [{"campaignSn": "a", "sentStartAt": text}]
    [campaign] = await result_of(list_campaigns, later)
    assert (campaign.sn, campaign.sent_begin) == ("a", when)


@point
async def test_t109_emulator() -> None:
    """The names are those of the documentation."""
    async with platform(**QUIET) as (api, clock):
        import_sn = await api.import_text(CSV)
        sn = await sent_campaign(api, clock)
        await api.post(f"/v1/report/{sn}/export", {})
        clock.advance(60)
        rows = [
            (await api.get("/v1/contacts/lists")).json()["Lists"][0],
            await api.result(import_sn),
            (await api.get("/v1/report/campaigns")).json()[0],
            (await links_of(api, sn))[0],
        ]

    assert [{name for name in row if "Date" in name} for row in rows] == [
        {"createDate", "updateDate"},
        {"createDate", "completedDate"},
        {"sentBeginDate", "sentEndDate"},
        {"createdDate"},
    ]
    assert Emulator(profile="vendor-2026").switches.sent_begin_field == "sentStartAt"
