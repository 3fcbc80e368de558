"""The figures of campaigns: rows, counts and forms (T130, T131)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from newsleopard_async.emulator import Emulator
from tests.emulator.api import AB_BODY, BODY, Api, HandClock, changed, make

pytestmark = pytest.mark.asyncio

DAY_S = 86_400
FILES = {
    "delivered": "delivery",
    "bounced": "bounce",
    "opened": "open",
    "clicked": "click",
    "complained": "complain",
    "unsubscribed": "unsubscribe",
}


async def ask(api: Api, *sns: Any) -> httpx.Response:
    """Ask for the metrics of campaigns."""
    return await api.post("/v1/report/campaigns/metrics", {"campaignSns": list(sns)})


async def sent(api: Api, body: dict[str, Any], count: int, after_s: float = DAY_S) -> str:
    """Send a campaign to a new list of so many, let the time pass, and return its code."""
    sn = (await api.submit(body, await api.filled_list(count))).json()["sn"]
    clock = api.emulator.clock
    assert isinstance(clock, HandClock)
    clock.advance(after_s)
    return str(sn)


def later(**switches: Any) -> tuple[Emulator, HandClock]:
    """Build an emulator that has the later endpoints."""
    return make(later_endpoints=True, **switches)


@pytest.mark.parametrize(
    ("body", "parts"),
    [(BODY, ["TOTAL"]), (AB_BODY, ["TOTAL", "TEST_A", "TEST_B", "WINNING"])],
)
async def test_metrics_agree_with_the_report_files(body: dict[str, Any], parts: list[str]) -> None:
    """Each count is the number of rows of its file at that instant; of a test there are four."""
    emulator, clock = later(complain_share=0.05, unsubscribe_share=0.05)
    async with Api(emulator) as api:
        sn = await sent(api, body, 1_000)
        await api.post(f"/v1/report/{sn}/export", {})
        clock.advance(15)
        rows = (await ask(api, sn)).json()
        links = (await api.get(f"/v1/report/{sn}/link")).json()["Reports"]
        files = {link["reportType"]: (await api.fetch(link["link"])).text for link in links}

    total, *others = rows
    assert [row["reportType"] for row in rows] == parts
    assert {name: total[name] for name in FILES} == {
        name: files[kind].count("\n") - 1 for name, kind in FILES.items()
    }
    assert total["recipientCnt"] == total["delivered"] + total["bounced"] == 1_000
    assert all(
        row["distinctClickCnt"] == row["clicked"] > row["duplicateClickCnt"] == 0 for row in rows
    )
    for name in ("recipientCnt", *FILES):
        assert not others or total[name] == sum(row[name] for row in others)


async def test_row_has_every_field_of_the_notes() -> None:
    """A campaign without a shop has neither orders nor revenue (T131)."""
    emulator, _ = later(bounce_share=0.0, open_share=0.0)
    async with Api(emulator) as api:
        sn = await sent(api, BODY, 2)
        [row] = (await ask(api, sn)).json()

    assert row == {
        "campaignSn": sn,
        "name": "活動名稱",
        "channel": "MAIL",
        "subject": "${NAME},您好",
        "sentStartAt": "2026-01-05T02:01:00.000Z",
        "sentEndAt": "2026-01-05T02:01:02.00Z",
        "reportType": "TOTAL",
        "recipientCnt": 2,
        "delivered": 2,
        "bounced": 0,
        "opened": 0,
        "clicked": 0,
        "distinctClickCnt": 0,
        "duplicateClickCnt": 0,
        "complained": 0,
        "unsubscribed": 0,
        "transactions": None,
        "transactionRevenue": None,
    }


async def test_orders_follow_the_clicks_of_a_shop() -> None:
    """With ``ecommerceEnable`` every tenth click is an order of 990 (T131)."""
    emulator, _ = later(
        bounce_share=0.0, open_share=1.0, click_share=1.0, unsubscribe_share=0.0, complain_share=0.0
    )
    shop = changed(BODY, {"config.ga.ecommerceEnable": "true"})
    silent = changed(shop, {"config.ga.enable": "false"})
    async with Api(emulator) as api:
        sns = [await sent(api, body, 25, 5 * DAY_S) for body in (shop, silent)]
        rows = (await ask(api, *sns)).json()

    assert [row["clicked"] for row in rows] == [25, 25]
    assert [(row["transactions"], row["transactionRevenue"]) for row in rows] == [
        (2, 1_980),
        (None, None),
    ]


async def test_parts_of_a_test_begin_and_end_one_after_the_other() -> None:
    """Before the decision, the winner has an empty row; then it has its subject (T130)."""
    emulator, clock = later(bounce_share=0.0, open_share=0.0, open_share_b=1.0)
    async with Api(emulator) as api:
        sn = await sent(api, AB_BODY, 100, 60)
        testing = (await ask(api, sn)).json()
        clock.advance(3_600)
        complete = (await ask(api, sn)).json()

    def shown(rows: Any, name: str) -> list[Any]:
        return [row[name] for row in rows]

    begin, end = "2026-01-05T02:01:00.000Z", "2026-01-05T02:01:02.00Z"
    last = ("2026-01-05T03:01:00.000Z", "2026-01-05T03:01:02.00Z")
    subject_a, subject_b = "信件主旨A", "信件主旨B"
    assert shown(testing, "recipientCnt") == [10, 5, 5, 0]
    assert shown(testing, "subject") == [subject_a, subject_a, subject_b, None]
    assert shown(testing, "sentStartAt") == [begin] * 3 + [None]
    assert shown(testing, "sentEndAt") == [None, end, end, None]
    assert shown(complete, "recipientCnt") == [100, 5, 5, 90]
    assert shown(complete, "subject") == [subject_b, subject_a, subject_b, subject_b]
    assert shown(complete, "sentStartAt") == [begin] * 3 + [last[0]]
    assert shown(complete, "sentEndAt") == [last[1], end, end, last[1]]


@pytest.mark.parametrize(
    ("body", "recipients", "delivered", "ends"),
    [(BODY, [200], [50], 1), (AB_BODY, [100, 50, 50, 0], [100, 50, 50, 0], 3)],
)
async def test_stopped_campaign_shows_whom_it_was_to_reach(
    body: dict[str, Any], recipients: list[int], delivered: list[int], ends: int
) -> None:
    """Only the recipients of waves that began count; unsent mails count nowhere."""
    emulator, _ = later(send_base_s=0.0, mails_per_s=10.0, bounce_share=0.0)
    if "testing" in body["content"]:
        body = changed(body, {"content.testing.proportion": 50})
    async with Api(emulator) as api:
        sn = await sent(api, body, 200, 5)
        await api.request("PATCH", f"/v1/campaign/normal/{sn}")
        rows = (await ask(api, sn)).json()

    assert [row["recipientCnt"] for row in rows] == recipients
    assert [row["delivered"] + row["bounced"] for row in rows] == delivered
    assert [row["sentEndAt"] for row in rows].count("2026-01-05T02:01:05.00Z") == ends


@pytest.mark.parametrize(("switches", "status"), [({}, 200), ({"unknown_metrics": "400"}, 400)])
async def test_unknown_campaign_has_no_rows(switches: dict[str, Any], status: int) -> None:
    """It is left out, or refuses them all; each code counts once, and a failed one has its row."""
    emulator, _ = later(metrics_shape="wrapper", count_form="text", **switches)
    emulator.script_campaign("OVER_LIMIT")
    async with Api(emulator) as api:
        failed, good, gone = [await sent(api, BODY, 5) for _ in range(3)]
        await api.delete("/v1/campaign/normal", {"campaignSnList": [gone]})
        answer = await ask(api, good, "none", failed, gone, good)

    assert answer.status_code == status
    if status == 200:
        rows = answer.json()["Metrics"]
        assert [row["campaignSn"] for row in rows] == [good, failed]
        assert [row["recipientCnt"] for row in rows] == ["5", "0"]
        assert (rows[1]["sentStartAt"], rows[1]["sentEndAt"]) == (None, None)
    else:
        assert answer.json() == {"code": "40007"}


@pytest.mark.parametrize(
    ("body", "rules"),
    [
        ({"campaignSns": []}, {"campaignSns": ["NotEmpty"]}),
        (
            {"campaignSnList": ["a"]},
            {"campaignSnList": ["UnknownField"], "campaignSns": ["NotNull"]},
        ),
    ],
)
async def test_metrics_of_no_campaign_are_refused(body: Any, rules: dict[str, list[str]]) -> None:
    """A missing or empty list is a field error, as in a deletion."""
    emulator, _ = later()
    async with Api(emulator) as api:
        answer = await api.post("/v1/report/campaigns/metrics", body)

    assert (answer.status_code, answer.json()["invalidFields"]) == (400, rules)
