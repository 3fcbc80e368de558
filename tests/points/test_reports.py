"""Reports and webhooks: T101 to T121."""

from __future__ import annotations

import csv
import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from newsleopard_async import (
    CampaignSn,
    DeadlineExceeded,
    InvalidRequest,
    Polling,
    RateLimited,
    RateLimits,
    ReportType,
    StorageError,
    UnexpectedResponse,
    workflows,
)
from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.switches import Switches
from newsleopard_async.endpoints.reports import Reports
from tests.clients import Reply, connected, scripted
from tests.constants import START
from tests.emulator.api import BODY, Api, HandClock, changed
from tests.points.cells import point
from tests.points.means import (
    CSV,
    SN,
    error_of,
    export,
    get_links,
    platform,
    result_of,
    switched,
)

DAY = timedelta(days=1)
DAY_S = 86_400
QUIET = {"open_share": 0.0, "bounce_share": 0.0}
URL = "https://storage.example/report.csv"
LINK = {"reportType": "delivery", "link": URL, "createdDate": "2019-04-01T08:38:32.09Z"}


async def sent_campaign(api: Api, clock: HandClock, count: int = 20, days: float = 1) -> str:
    """Send a campaign over the raw wire, and let time pass."""
    answer = await api.submit(BODY, await api.filled_list(count))
    clock.advance(days * DAY_S)
    return str(answer.json()["sn"])


async def links_of(api: Api, sn: str) -> list[dict[str, Any]]:
    """Return the links of a report."""
    found: list[dict[str, Any]] = (await api.get(f"/v1/report/{sn}/link")).json()["Reports"]
    return found


@asynccontextmanager
async def twelve_campaigns(**switches: Any) -> AsyncIterator[Api]:
    """Send twelve campaigns, an hour apart, called by their number."""
    async with platform(**QUIET, **switches) as (api, clock):
        clock.elapsed_s = -60  # which filling the list takes
        sn = await api.filled_list(1)
        for number in range(12):
            await api.submit(changed(BODY, {"form.name": str(number)}), sn)
            clock.advance(3_600)
        yield api


async def names(api: Api, query: str = "") -> list[str]:
    """Return the names of the campaigns that are listed."""
    return [row["name"] for row in (await api.get(f"/v1/report/campaigns{query}")).json()]


TEN_NEWEST = [str(number) for number in range(11, 1, -1)]


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
        assert await names(api) == TEN_NEWEST


@point
async def test_t103_client() -> None:
    """One date alone is refused before anything is sent."""
    async with scripted() as script:
        for start, end in ((START, None), (None, START)):
            with pytest.raises(InvalidRequest):
                await script.nl.reports.list_campaigns(start=start, end=end)


@point
@pytest.mark.parametrize("name", ["startDate", "endDate"])
async def test_t103_emulator(name: str) -> None:
    """One date alone means the ten newest."""
    async with twelve_campaigns() as api:
        assert await names(api, f"?{name}=2026-01-05T05:00:00.00Z") == TEN_NEWEST


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
@pytest.mark.parametrize(
    ("digits", "counts"), [("", 10), (".0", 10), (".00", 3), (".000", 3), (".0000", 10)]
)
async def test_t105_emulator(digits: str, counts: int) -> None:
    """Two or three digits make a range; any other number does not."""
    query = f"?startDate=2026-01-05T03:00:00{digits}Z&endDate=2026-01-05T05:00:00{digits}Z"
    async with twelve_campaigns() as api:
        assert len(await names(api, query)) == counts


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
        assert await names(api, query) == ["3", "2", "1"]


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
        assert len(await names(api, query)) == 12


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


@point
@pytest.mark.parametrize("status", [200, 202, 204])
@pytest.mark.parametrize("content", [b"", b'{"export_sn": "x"}', b"<html>", b"\xff"])
async def test_t110_client(status: int, content: bytes) -> None:
    """Any 2xx will do, whatever its body."""
    assert await result_of(export, content, status) is None


@point
async def test_t110_emulator() -> None:
    """The answer is empty, or has ``export_sn``, which no endpoint takes."""
    async with platform(export_per_campaign_s=0.0) as (api, clock):
        sn = await sent_campaign(api, clock)
        empty = await api.post(f"/v1/report/{sn}/export", {})
        api.emulator.switch(export_returns_sn=True)
        clock.advance(1)
        full = await api.post(f"/v1/report/{sn}/export", {})
        made = full.json()["export_sn"]
        assert (await api.get(f"/v1/report/{made}/link")).status_code == 403

    assert (empty.status_code, empty.content) == (200, b"")
    assert full.json().keys() == {"export_sn"}


@point
async def test_t111_client() -> None:
    """A second export within the hour is not sent; the pipeline returns the files there are."""
    async with connected() as bench:
        sn = await bench.send()
        first = await workflows.export_report(bench.nl, sn)
        with pytest.raises(RateLimited) as caught:
            await bench.nl.reports.export(sn)
        assert 0 < caught.value.retry_after_s <= 3_600
        began_s = bench.clock.monotonic()
        again = await workflows.export_report(bench.nl, sn)
        assert (again.available, again.unchanged) == (first.available, True)
        assert bench.clock.monotonic() - began_s < 1
        assert bench.emulator.count("export_report") == 1
        await bench.clock.sleep(3_600)
        await bench.nl.reports.export(sn)
        assert bench.emulator.count("export_report") == 2
    assert RateLimits.vendor_2026().export_every_s == 10
    assert RateLimits.documented().export_every_s is None


@point
async def test_t111_emulator() -> None:
    """A repetition within the hour does nothing, by campaign; three switches change that."""
    async with platform() as (api, clock):
        one, two = await sent_campaign(api, clock), await sent_campaign(api, clock)
        statuses = []
        for sn, switches in (
            (one, {}),
            (one, {}),
            (two, {}),
            (two, {"export_repeat_is_40303": True}),
            (two, {"export_every_s": 10.0, "export_per_campaign_s": 0.0}),
        ):
            api.emulator.switch(**switches)
            statuses.append((await api.post(f"/v1/report/{sn}/export", {})).status_code)
        clock.advance(600)
        assert await links_of(api, one)

    assert statuses == [200, 200, 200, 403, 429]


@point
async def test_t112_client() -> None:
    """The links are compared with those before the export; at the deadline it is "not ready"."""
    async with switched(report_delay_s=100.0) as bench:
        sn = await bench.send()
        began_s = bench.clock.monotonic()
        report = await workflows.export_report(bench.nl, sn)
        assert (bool(report.available), report.unchanged) == (True, False)
        assert bench.clock.monotonic() - began_s >= 100

    async with switched(report_delay_s=1e6) as bench:
        sn = await bench.send()
        with pytest.raises(DeadlineExceeded, match="not ready"):
            await workflows.export_report(bench.nl, sn, polling=Polling(deadline_s=600))


@point
@pytest.mark.parametrize(("switches", "ready_s"), [({}, 15), ({"report_delay_s": 3.0}, 3)])
async def test_t112_emulator(switches: dict[str, Any], ready_s: float) -> None:
    """A report is ready after 15 s, or what the switch says."""
    async with platform(**switches) as (api, clock):
        sn = await sent_campaign(api, clock)
        await api.post(f"/v1/report/{sn}/export", {})
        clock.advance(ready_s - 0.1)
        early = await links_of(api, sn)
        clock.advance(0.2)
        assert (early, bool(await links_of(api, sn))) == ([], True)


@point
async def test_t113_client() -> None:
    """If nothing changes for 300 s, the old files are the result, and it says so."""
    async with switched(**QUIET) as bench:
        sn = await bench.send()
        first = await workflows.export_report(bench.nl, sn)
        await bench.clock.sleep(3_700)
        began_s = bench.clock.monotonic()
        second = await workflows.export_report(bench.nl, sn)

    assert (first.unchanged, second.unchanged) == (False, True)
    assert second.available == first.available
    assert 300 <= bench.clock.monotonic() - began_s < 400


@point
async def test_t113_emulator() -> None:
    """A type without new events keeps its file and date."""
    async with platform(open_share=1.0) as (api, clock):
        sn = await sent_campaign(api, clock, 200, days=0.02)
        dates = []
        for _ in range(2):
            await api.post(f"/v1/report/{sn}/export", {})
            clock.advance(7_200)
            dates.append(
                {each["reportType"]: each["createdDate"] for each in await links_of(api, sn)}
            )

    assert dates[0]["delivery"] == dates[1]["delivery"]
    assert dates[0]["open"] < dates[1]["open"]


@point
async def test_t115_client() -> None:
    """Colons and blanks in front are removed, then https is required; the name decides nothing."""
    for front in ("", ":", " : ", "::"):
        [link] = await result_of(get_links, [{**LINK, "link": f"{front}{URL[:-1]}"}])
        assert (link.url, link.type) == (URL[:-1], ReportType.DELIVERY)
    assert type(await error_of(get_links, [{**LINK, "link": ":http://a.example/x"}])) is (
        UnexpectedResponse
    )


@point
async def test_t115_emulator() -> None:
    """Links are proper, or have both oddities by a switch."""
    async with platform() as (api, clock):
        sn = await sent_campaign(api, clock)
        await api.post(f"/v1/report/{sn}/export", {})
        clock.advance(60)
        [proper, *_] = await links_of(api, sn)
        assert (await api.fetch(proper["link"])).status_code == 200
        api.emulator.switch(odd_links=True)
        [odd, *_] = await links_of(api, sn)
        assert (await api.fetch(odd["link"].removeprefix(":"))).status_code == 200

    assert odd["link"].startswith(":https://")
    assert odd["link"].partition("?")[0].endswith(".cs")


@point
async def test_t116_client(tmp_path: Path) -> None:
    """Any number of types is taken, also unknown ones; of one type the newest counts."""
    for rows in ([], [LINK], [LINK, {**LINK, "reportType": "forward"}]):
        assert len(await result_of(get_links, rows)) == len(rows)

    body = b"EMAIL\n%s@example.com\n"
    old, new = [{**LINK, "link": f"https://s.example/{age}"} for age in ("old", "new")]
    new["createdDate"] = "2019-04-02T08:38:32.09Z"
    async with scripted(
        Reply([]), Reply(b""), *[Reply([new, old])] * 3, Reply(body % b"new")
    ) as script:
        report = await workflows.export_report(script.nl, CampaignSn(SN), download_to=tmp_path)

    assert [each.path.read_bytes() for each in report.files] == [body % b"new"]


@point
async def test_t116_emulator() -> None:
    """A type without events has no file."""
    async with platform(**QUIET) as (api, clock):
        sn = await sent_campaign(api, clock)
        await api.post(f"/v1/report/{sn}/export", {})
        clock.advance(60)

        assert [each["reportType"] for each in await links_of(api, sn)] == ["delivery"]


@point
async def test_t118_client(tmp_path: Path) -> None:
    """A link is fetched soon and without the key, is hidden, and replaced once it has expired."""
    async with switched(download_lifetime_s=60.0) as bench:
        sn = await bench.send()
        report = await workflows.export_report(bench.nl, sn, download_to=tmp_path)
        assert report.files
        downloads = [each for each in bench.emulator.requests if each.operation == "download"]
        assert all(each.headers.keys() == {"host"} for each in downloads)
        [link, *_] = await bench.nl.reports.get_links(sn)
        assert "Signature" in link.url
        assert "Signature" not in f"{link!r}{link.to_dict()}"

        expired = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
        bench.emulator.fail("download", 403, body=expired)
        looks = bench.emulator.count("get_links")
        again = await workflows.export_report(bench.nl, sn, download_to=tmp_path)
        assert len(again.files) == len(report.files)
        assert bench.emulator.count("get_links") > looks + 1
        await bench.clock.sleep(61)
        with pytest.raises(StorageError) as caught:
            await bench.nl.reports.download(link, tmp_path / "late.csv")
        assert caught.value.expired


@point
@pytest.mark.parametrize(("switches", "good_s"), [({}, 3_600), ({"download_lifetime_s": 60.0}, 60)])
async def test_t118_emulator(switches: dict[str, Any], good_s: float) -> None:
    """A link is signed anew at each look, and good for an hour or what the switch says."""
    async with platform(**switches) as (api, clock):
        sn = await sent_campaign(api, clock)
        await api.post(f"/v1/report/{sn}/export", {})
        clock.advance(60)
        [first, *_] = await links_of(api, sn)
        clock.advance(good_s - 1)
        [second, *_] = await links_of(api, sn)
        early = await api.fetch(first["link"])
        clock.advance(2)
        late, fresh = await api.fetch(first["link"]), await api.fetch(second["link"])

    assert first["link"] != second["link"]
    assert [each.status_code for each in (early, late, fresh)] == [200, 403, 200]


@point
async def test_t119_client(tmp_path: Path) -> None:
    """Bytes are stored as they are; usual columns are known; a message is no report."""
    header = "信箱,姓名,發送時間,開信時間,備註"
    content = f'{header}\na@example.com,甲,2026/1/5 10:00,2026-01-05 11:00,"x\ny"\n'
    for encoding in ("utf-8", "utf-8-sig", "cp950"):
        [row], stored = await rows_of_report(content.encode(encoding), tmp_path)
        assert stored == content.encode(encoding)
        assert (row.email, row.name) == ("a@example.com", "甲")
        assert row.at == datetime(2026, 1, 5, 11, tzinfo=UTC)
        assert row.values["備註"] == "x\ny"
    for message in (b'{"message": "no"}', b"<html>no</html>", b"<?xml?><Error/>", b"not ready"):
        with pytest.raises(InvalidRequest):
            await rows_of_report(message, tmp_path)


async def rows_of_report(content: bytes, folder: Path) -> tuple[list[Any], bytes]:
    """Export and download a report whose files are this, and read that of the opens."""
    async with switched(open_share=1.0) as bench:
        sn = await bench.send()
        bench.emulator.fail("download", 200, body=content, times=9)
        report = await workflows.export_report(bench.nl, sn, download_to=folder)
    rows = [row async for row in report.rows("open")]
    return rows, report.files[0].path.read_bytes()


@point
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp950"])
async def test_t119_emulator(encoding: str) -> None:
    """Files have the columns of its documentation, in the encoding that the switch says."""
    async with platform(open_share=1.0, report_encoding=encoding) as (api, clock):
        sn = await sent_campaign(api, clock)
        await api.post(f"/v1/report/{sn}/export", {})
        clock.advance(60)
        [opened] = [each for each in await links_of(api, sn) if each["reportType"] == "open"]
        content = (await api.fetch(opened["link"])).content

    rows = list(csv.DictReader(content.decode(encoding).splitlines()))
    assert list(rows[0]) == ["EMAIL", "NAME", "OPENED_AT"]
    assert rows[0]["NAME"].startswith("會員")


@point
async def test_t120_client() -> None:
    """A webhook's URL is passed on; nothing is received; the pipelines poll without any."""
    hook = "https://yours.example/hook?id=1"
    async with connected() as bench:
        sn = await bench.send()
        await bench.nl.reports.export(sn, webhook_url=hook)
        await bench.nl.contacts.start_file_import(webhook_url=hook)
        assert [each.json for each in bench.wire.sent[-2:]] == [{"webhookUrl": hook}] * 2
    for pipeline in (workflows.export_report, workflows.import_contacts, workflows.send_campaign):
        assert not [name for name in inspect.signature(pipeline).parameters if "hook" in name]


@asynccontextmanager
async def hooked(url: str, **switches: Any) -> AsyncIterator[tuple[Emulator, list[httpx.Request]]]:
    """Have a report exported with a webhook, whose receiver notes what it gets."""
    received: list[httpx.Request] = []

    async def receive(request: httpx.Request) -> httpx.Response:
        received.append(request)
        return httpx.Response(200)

    clock = HandClock()
    emulator = Emulator(
        clock=clock,
        switches=Switches(requests_per_s=None, **switches),
        webhook_transport=httpx.MockTransport(receive),
    )
    async with Api(emulator) as api:
        sn = await sent_campaign(api, clock)
        await api.post(f"/v1/report/{sn}/export", {"webhookUrl": url})
        clock.advance(60)
        await emulator.deliver_webhooks()
        await emulator.deliver_webhooks()
        yield emulator, received


@point
async def test_t120_emulator() -> None:
    """The body is the JSON of the matching GET."""
    async with hooked("http://127.0.0.1:1/hook") as (emulator, [request]):
        [delivery] = emulator.webhooks
        async with Api(emulator) as api:
            shown = await links_of(api, emulator.campaigns[0].sn)

    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"
    assert request.content == delivery.body
    types = [
        each["reportType"]
        for each in httpx.Response(200, content=request.content).json()["Reports"]
    ]
    assert types == [each["reportType"] for each in shown]


@point
async def test_t121_client() -> None:
    """An http or https URL is taken, and nothing else."""
    assert "hint" in (inspect.getdoc(Reports.export) or "")
    for url in ("http://yours.example/hook", "https://yours.example"):
        async with scripted(Reply(b"")) as script:
            await script.nl.reports.export(CampaignSn(SN), webhook_url=url)
    async with scripted() as script:
        for url in ("", "yours.example/hook", "ftp://yours.example/hook", "https://"):
            with pytest.raises(InvalidRequest):
                await script.nl.reports.export(CampaignSn(SN), webhook_url=url)


@point
@pytest.mark.parametrize(
    ("url", "switches", "tries", "received"),
    [
        ("http://127.0.0.1:1/hook", {}, 1, 1),
        ("http://localhost:1/hook", {}, 1, 1),
        ("https://yours.example/hook", {}, 1, 0),
        ("http://127.0.0.1:1/hook", {"webhook_copies": 3}, 3, 3),
        ("http://127.0.0.1:1/hook", {"webhook_copies": 0}, 0, 0),
    ],
)
async def test_t121_emulator(url: str, switches: dict[str, Any], tries: int, received: int) -> None:
    """There is one try, without a signature, to the loopback only; a switch repeats or loses it."""
    async with hooked(url, **switches) as (emulator, requests):
        assert (len(emulator.webhooks), len(requests)) == (tries, received)
        assert not [name for each in requests for name in each.headers if "signature" in name]
        assert {each.refused for each in emulator.webhooks} <= {received == 0}
