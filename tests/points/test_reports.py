"""Reports and webhooks: T110 to T121."""

from __future__ import annotations

import csv
import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from newsleopard_async import (
    APIError,
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
from newsleopard_async.webhooks import Webhooks
from tests.clients import Reply, connected, scripted
from tests.emulator.api import Api, HandClock
from tests.points.cells import point
from tests.points.means import (
    QUIET,
    SN,
    error_of,
    export,
    get_links,
    links_of,
    platform,
    result_of,
    sent_campaign,
    switched,
)

URL = "https://storage.example/report.csv"


LINK = {"reportType": "delivery", "link": URL, "createdDate": "2019-04-01T08:38:32.09Z"}


@point
@pytest.mark.parametrize("status", [200, 202, 204])
@pytest.mark.parametrize("content", [b"", b'{"export_sn": "x"}', b"<html>", b"\xff"])
async def test_t110_client(status: int, content: bytes) -> None:
    """Any 2xx is a success, with any body."""
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
@pytest.mark.parametrize(
    ("answer", "types"),
    [
        ({"Reports": [LINK]}, ["delivery"]),
        ([LINK], ["delivery"]),
        ({"links": [LINK], "total": 1}, ["delivery"]),
        (LINK, ["delivery"]),
        ({"link": URL}, ["unknown"]),
        (URL, ["unknown"]),
        ({"Reports": []}, []),
        ([], []),
        (None, []),
        ({"Reports": None}, []),
        ([LINK, {**LINK, "link": None}], ["delivery"]),
        ([{**LINK, "link": ""}], []),
    ],
)
async def test_t114_client(answer: Any, types: list[str]) -> None:
    """The documented shapes, one array of links or one link are read; no link is "not ready"."""
    assert [each.type for each in await result_of(get_links, answer)] == types
    for strange in ({"a": [LINK], "b": [LINK]}, {"total": 3}, 5):
        assert type(await error_of(get_links, strange)) is UnexpectedResponse


@point
async def test_t114_emulator() -> None:
    """It is the wrapper; switches have the array, one object, or one URL."""
    async with platform(**QUIET) as (api, clock):
        sn = await sent_campaign(api, clock)
        await api.post(f"/v1/report/{sn}/export", {})
        clock.advance(60)
        shapes = []
        for switch, value in (
            ("links_shape", "documented"),
            ("links_shape", "object"),
            ("links_shape", "text"),
            ("reports_as_array", True),
        ):
            api.emulator.switch(**{switch: value})
            shapes.append((await api.get(f"/v1/report/{sn}/link")).json())

    wrapper, one, text, array = shapes
    assert list(wrapper) == ["Reports"]
    assert one.keys() == array[0].keys() == wrapper["Reports"][0].keys()
    assert text.keys() == {"link"}


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
@pytest.mark.parametrize("before", ["empty", "null", "refused", "400", "404"])
async def test_t117_client(before: str) -> None:
    """No link, and a refusal of the look, mean "not ready", for a while; the export decides."""
    async with switched(links_before_report=before) as bench:
        sn = await bench.send()
        report = await workflows.export_report(bench.nl, sn)
        assert report.available
        assert not report.unchanged
        assert bench.emulator.count("export_report") == 1
    assert await result_of(get_links, b"") == ()

    async with switched(links_before_report=before, report_delay_s=1e6) as bench:
        sn = await bench.send()
        kind = DeadlineExceeded if before in ("empty", "null") else APIError
        with pytest.raises(kind):
            await workflows.export_report(bench.nl, sn, polling=Polling(deadline_s=600))
        assert bench.clock.monotonic() >= 300


@point
@pytest.mark.parametrize(
    ("before", "status", "content"),
    [
        ("empty", 200, '{"Reports":[]}'),
        ("null", 200, "null"),
        ("refused", 403, '{"code":"40303","message":"bad operation with invalid user state"}'),
        ("400", 400, ""),
        ("404", 404, ""),
    ],
)
async def test_t117_emulator(before: str, status: int, content: str) -> None:
    """There is an empty list until the files are ready, or what the switch says."""
    async with platform(links_before_report=before) as (api, clock):
        sn = await sent_campaign(api, clock)
        answers = [await api.get(f"/v1/report/{sn}/link")]
        await api.post(f"/v1/report/{sn}/export", {})
        answers.append(await api.get(f"/v1/report/{sn}/link"))
        clock.advance(60)
        assert await links_of(api, sn)

    assert [(each.status_code, each.text) for each in answers] == [(status, content)] * 2


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
    """A link is signed again at each read, and is valid for an hour or as the switch says."""
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
    """Bytes are stored as they are; usual columns are known; a message is not a report."""
    header = "信箱,姓名,到達時間,開信時間,備註"
    content = f'{header}\na@example.com,甲,2026/1/5 10:00,2026-01-05 11:00,"x\ny"\n'.encode()
    async with switched(bounce_share=0.0, open_share=1.0, click_share=0.0) as bench:
        sn = await bench.send(rows=2)
        bench.emulator.fail("download", 200, body=content, times=9)
        report = await workflows.export_report(bench.nl, sn, download_to=tmp_path)
    [opened] = [each.path for each in report.files if each.type == "open"]
    assert opened.read_bytes() == content

    for encoding in ("utf-8", "utf-8-sig", "cp950"):
        opened.write_bytes(content.decode().encode(encoding))
        [row] = [each async for each in report.rows("open")]
        assert (row.email, row.name, row.values["備註"]) == ("a@example.com", "甲", "x\ny")
        assert row.at == datetime(2026, 1, 5, 11, tzinfo=UTC)
    [row] = [each async for each in report.rows("delivery")]
    assert row.at == datetime(2026, 1, 5, 10, tzinfo=UTC)
    for message in (b'{"message": "no"}', b"<html>no</html>", b"<?xml?><Error/>", b"not ready"):
        opened.write_bytes(message)
        with pytest.raises(InvalidRequest):
            assert [each async for each in report.rows("open")]


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
    """A webhook's URL is passed on; the pipelines receive the call, with any body."""
    hook = "https://yours.example/hook?id=1"
    async with connected() as bench:
        sn = await bench.send()
        await bench.nl.reports.export(sn, webhook_url=hook)
        await bench.nl.contacts.start_file_import(webhook_url=hook)
        assert [each.json for each in bench.wire.sent[-2:]] == [{"webhookUrl": hook}] * 2
    for pipeline in (workflows.export_report, workflows.import_contacts, workflows.send_campaign):
        assert inspect.signature(pipeline).parameters["webhook"].default is None
    webhooks = Webhooks("https://yours.example/hook")
    with webhooks.expect() as expected:
        token = expected.url.rpartition("/")[2]
        for body in (b"", b"not JSON", b'{"status": "PROCESSING"}', b"\xff"):
            assert webhooks.receive(token, body) == 204


@asynccontextmanager
async def hooked(url: str, **switches: Any) -> AsyncIterator[tuple[Emulator, list[httpx.Request]]]:
    """Export a report with a webhook; its receiver stores the calls."""
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
    """An http or https URL is taken, and nothing else; a call that is not expected is not taken."""
    webhooks = Webhooks("https://yours.example/hook")
    with webhooks.expect() as expected:
        assert len(expected.url) == len("https://yours.example/hook/") + 43
        assert webhooks.receive("guessed", b'{"status": "COMPLETE"}') == 404
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
