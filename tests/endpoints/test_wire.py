"""Each endpoint's request, exactly as it goes out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

from newsleopard_async import (
    CampaignSn,
    FooterLanguage,
    GoogleAnalytics,
    ImportSn,
    ListSn,
    NewsLeopard,
    SendAt,
    with_lists,
)
from tests.clients import Reply, SentRequest, scripted
from tests.constants import AB_TESTS, CAMPAIGN, KEY

pytestmark = pytest.mark.anyio

SN = "40280a3c6a0cb8c5016a10142a230002"
HOOK = "https://yours.webhook.com.tw"
CSV = "EMAIL,NAME\nuser1@newsleopard.com,會員1"
IMPORT = {"import_sn": "45093ba5", "url": "https://s3.amazonaws.com/x"}
APRIL = datetime(2019, 4, 1, 8, 38, 32, 569_999, tzinfo=UTC)
MAY = datetime(2019, 5, 1, 16, tzinfo=timezone(timedelta(hours=8)))

Call = Callable[[NewsLeopard], Awaitable[object]]

CALLS: dict[str, tuple[Call, Any, str, str, tuple[tuple[str, str], ...], Any]] = {
    "listSentCampaigns": (
        lambda nl: nl.reports.list_campaigns(),
        [],
        "GET",
        "/v1/report/campaigns",
        (),
        None,
    ),
    "listSentCampaigns of a range": (
        lambda nl: nl.reports.list_campaigns(start=APRIL, end=MAY),
        [],
        "GET",
        "/v1/report/campaigns",
        (("startDate", "2019-04-01T08:38:32.56Z"), ("endDate", "2019-05-01T08:00:00.00Z")),
        None,
    ),
    "exportReport": (
        lambda nl: nl.reports.export(CampaignSn(SN)),
        b"",
        "POST",
        f"/v1/report/{SN}/export",
        (),
        {},
    ),
    "exportReport with webhook": (
        lambda nl: nl.reports.export(CampaignSn(SN), webhook_url=HOOK),
        b"",
        "POST",
        f"/v1/report/{SN}/export",
        (),
        {"webhookUrl": HOOK},
    ),
    "getReportLinks": (
        lambda nl: nl.reports.get_links(CampaignSn(SN)),
        {"Reports": []},
        "GET",
        f"/v1/report/{SN}/link",
        (),
        None,
    ),
    "createFileImport": (
        lambda nl: nl.contacts.start_file_import(),
        IMPORT,
        "POST",
        "/v1/contacts/imports/file",
        (),
        {},
    ),
    "createFileImportToList": (
        lambda nl: nl.contacts.start_file_import(ListSn(SN), webhook_url=HOOK),
        IMPORT,
        "POST",
        f"/v1/contacts/imports/{SN}/file",
        (),
        {"webhookUrl": HOOK},
    ),
    "importText": (
        lambda nl: nl.contacts.import_text(CSV),
        IMPORT,
        "POST",
        "/v1/contacts/imports/text",
        (),
        {"contacts": CSV},
    ),
    "importTextToList": (
        lambda nl: nl.contacts.import_text(CSV, ListSn(SN)),
        IMPORT,
        "POST",
        f"/v1/contacts/imports/{SN}/text",
        (),
        {"contacts": CSV},
    ),
    "getImportResult": (
        lambda nl: nl.contacts.get_import(ImportSn("45093ba5-4bb5")),
        {"import_sn": "45093ba5-4bb5", "status": "PROCESSING"},
        "GET",
        "/v1/contacts/imports/result/45093ba5-4bb5",
        (),
        None,
    ),
    "createList": (
        lambda nl: nl.contacts.create_list("VIP會員名單"),
        {"sn": SN},
        "POST",
        "/v1/contacts/lists/insert",
        (),
        {"name": "VIP會員名單"},
    ),
    "listLists": (
        lambda nl: nl.contacts.list_lists(),
        {"Lists": []},
        "GET",
        "/v1/contacts/lists",
        (("size", "100"), ("page", "0")),
        None,
    ),
    "listLists of a page": (
        lambda nl: nl.contacts.list_lists(page=3, size=20),
        {"Lists": []},
        "GET",
        "/v1/contacts/lists",
        (("size", "20"), ("page", "3")),
        None,
    ),
}


async def sent_by(call: Call, answer: object) -> SentRequest:
    """Make a call that is answered, and return the one request that it sent."""
    async with scripted(Reply(answer)) as script:
        await call(script.nl)
    [request] = script.wire.sent
    return request


@pytest.mark.parametrize("name", CALLS)
async def test_call_sends_exactly_this(name: str) -> None:
    """Method, path, query and body are those of the documentation."""
    call, answer, method, path, query, body = CALLS[name]

    request = await sent_by(call, answer)

    assert (request.operation, request.method) == (name.partition(" ")[0], method)
    assert (request.path, request.query) == (path, query)
    assert (request.json if request.body else None) == body


OURS = {"accept", "content-length", "content-type", "host", "user-agent", "x-api-key"}


async def test_every_request_has_the_documented_headers() -> None:
    """A GET announces JSON too, the key goes as it is, and nothing of httpx's comes along."""
    for call, answer, *_ in CALLS.values():
        headers = (await sent_by(call, answer)).headers

        found = dict(headers)
        assert len(found) == len(headers)
        assert found["content-type"] == found["accept"] == "application/json"
        assert found["x-api-key"] == KEY
        assert found["user-agent"].startswith("newsleopard-async")
        assert found.keys() <= OURS


async def test_code_is_encoded_in_the_path() -> None:
    """A code with characters that a path cannot hold is percent-encoded, once."""
    request = await sent_by(lambda nl: nl.reports.get_links(CampaignSn("活動%41:1")), [])

    assert request.path == "/v1/report/%E6%B4%BB%E5%8B%95%2541%3A1/link"


async def test_campaign_goes_out_as_documented() -> None:
    """A flat campaign becomes form, content and config; the present time goes along."""
    ready = attrs.evolve(CAMPAIGN, lists=[ListSn("a"), ListSn("b")], exclude_lists=[ListSn("c")])

    request = await sent_by(lambda nl: nl.campaigns.submit(ready), {"sn": SN})

    assert (request.method, request.path) == ("POST", "/v1/campaign/normal/submit")
    assert request.json == {
        "form": {"name": "週年慶", "selectedLists": ["a", "b"], "excludeLists": ["c"]},
        "content": {
            "subject": "${NAME}，您的專屬優惠",
            "fromName": "電子豹",
            "fromAddress": "service@example.com",
            "htmlContent": "<p>${NAME}</p>",
            "footerLang": 1,
        },
        "config": {
            "schedule": {"type": 0, "timezone": 21, "scheduleDate": "2026-01-05T02:00:00.000Z"},
            "ga": {"enable": "false", "ecommerceEnable": "false"},
        },
    }


async def test_schedule_and_options_go_out_as_documented() -> None:
    """A local time becomes UTC beside its zone's code; flags are text, codes are numbers."""
    ready = attrs.evolve(
        CAMPAIGN,
        lists=[ListSn("a")],
        schedule=SendAt(datetime(2027, 1, 5, 10, tzinfo=ZoneInfo("Asia/Tokyo"))),
        ga=GoogleAnalytics(campaign="spring_sale", content="logolink", ecommerce=True),
        footer=FooterLanguage.ENGLISH,
    )

    request = await sent_by(lambda nl: nl.campaigns.submit(ready), {"sn": SN})

    assert request.json["content"]["footerLang"] == 0
    assert request.json["config"] == {
        "schedule": {"type": 1, "timezone": 15, "scheduleDate": "2027-01-05T01:00:00.000Z"},
        "ga": {
            "enable": "true",
            "ecommerceEnable": "true",
            "utmCampaign": "spring_sale",
            "utmContent": "logolink",
        },
    }


TESTED: list[dict[str, Any]] = [
    {
        "testingOn": 1,
        "subjectA": "甲",
        "subjectB": "乙",
        "fromName": "電子豹",
        "fromAddress": "service@example.com",
        "htmlContent": "<p>${NAME}</p>",
    },
    {
        "testingOn": 2,
        "subject": "主旨",
        "fromNameA": "電子豹",
        "fromNameB": "電子豹",
        "fromAddressA": "service@example.com",
        "fromAddressB": "news@example.com",
        "htmlContent": "<p>${NAME}</p>",
    },
    {
        "testingOn": 3,
        "subject": "主旨",
        "fromName": "電子豹",
        "fromAddress": "service@example.com",
        "htmlContentA": "<p>甲</p>",
        "htmlContentB": "<p>乙</p>",
    },
]


@pytest.mark.parametrize("kind", range(3))
@pytest.mark.parametrize(("hours", "time", "unit"), [(4, 4, 0), (48, 2, 1)])
async def test_ab_test_goes_out_as_documented(kind: int, hours: int, time: int, unit: int) -> None:
    """Each kind sends its own fields and no other's, with content at the top level (T95, T96)."""
    ready = attrs.evolve(
        with_lists(AB_TESTS[kind], [ListSn("a")]), wait=timedelta(hours=hours), proportion=10
    )

    request = await sent_by(lambda nl: nl.campaigns.submit_ab_test(ready), {"sn": SN})

    testing = {"proportion": 10, "time": time, "unit": unit}
    assert request.path == "/v1/campaign/testing/submit"
    assert request.json["content"] == {**TESTED[kind], "footerLang": 1, "testing": testing}
    assert request.json.keys() == {"form", "content", "config"}
