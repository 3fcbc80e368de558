"""Status, pause and deletion of campaigns, as the vendor's notes have them (T124 to T129)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.platform import mailings, waves
from tests.constants import START
from tests.emulator.api import AB_BODY, BODY, QUIET, Api, HandClock, changed, make, scheduled

pytestmark = pytest.mark.asyncio

DAY_S = 86_400
SLOW = {"send_base_s": 0.0, "mails_per_s": 10.0}
"""Switches with which a mail goes out every tenth of a second."""


def later(**switches: Any) -> tuple[Emulator, HandClock]:
    """Build an emulator that has the later endpoints."""
    return make(later_endpoints=True, **switches)


async def accepted(api: Api, body: dict[str, Any], count: int = 10) -> str:
    """Submit a campaign to a new list of so many, and return its code."""
    return str((await api.submit(body, await api.filled_list(count))).json()["sn"])


def path(sn: str) -> str:
    """Return where the status of a campaign is, and its pause."""
    return f"/v1/campaign/normal/{sn}"


async def state(api: Api, sn: str) -> str:
    """Return the state that the status has."""
    return str((await api.get(path(sn))).json()["status"])


async def test_status_has_every_field_of_the_notes() -> None:
    """A campaign that was sent at once has its times, and no schedule (T124, T125)."""
    emulator, clock = later(**QUIET)
    async with Api(emulator) as api:
        sn = await accepted(api, BODY)
        clock.advance(1)
        sending = (await api.get(path(sn))).json()
        clock.advance(59)
        complete = (await api.get(path(sn))).json()

    begin = "2026-01-05T02:01:00"
    assert sending == {
        "sn": sn,
        "name": "活動名稱",
        "hasContent": [True],
        "status": "SENDING",
        "channel": 0,
        "sendTimeType": "NOW",
        "type": "REGULAR",
        "proportion": None,
        "scheduledDate": None,
        "sentBeginDate": f"{begin}.000Z",
        "sentEndDate": None,
        "updateDate": f"{begin}Z",
    }
    end = {"sentEndDate": "2026-01-05T02:01:02.00Z", "updateDate": "2026-01-05T02:01:02Z"}
    assert complete == {**sending, "status": "COMPLETE", **end}


async def test_status_of_a_test_goes_from_its_schedule_to_its_end() -> None:
    """The path serves A/B tests, too: two contents, a share, and the state TESTING (T126)."""
    emulator, clock = later(**QUIET, status_form="numbers", date_form="seconds")
    async with Api(emulator) as api:
        sn = await accepted(api, scheduled(120, AB_BODY), 40)
        answers = []
        for seconds in (0, 60, 3_600, 60):
            clock.advance(seconds)
            answers.append((await api.get(path(sn))).json())

    begin = int(START.timestamp()) + 120
    assert [answer["status"] for answer in answers] == [
        "PREPARE_TO_SENT",
        "TESTING",
        "SENDING",
        "COMPLETE",
    ]
    assert {(answer["sendTimeType"], answer["type"]) for answer in answers} == {(1, 1)}
    assert {answer["scheduledDate"] for answer in answers} == {begin}
    assert [answer["sentBeginDate"] for answer in answers] == [None, begin, begin, begin]
    assert [answer["updateDate"] - begin for answer in answers] == [-60, 0, 3_600, 3_602]
    assert (answers[0]["hasContent"], answers[0]["proportion"]) == ([True, True], 10)


@pytest.mark.parametrize(
    "name",
    ["DRAFT", "OVER_LIMIT", "EMPTY_RECIPIENT", "STOP", "UNAUTHENTICATED_SENDER", "SOMETHING_NEW"],
)
async def test_status_shows_the_state_that_a_campaign_came_to(name: str) -> None:
    """A scripted state is in the status, with the instant at which it arose (T66)."""
    emulator, clock = later()
    emulator.script_campaign(name)
    async with Api(emulator) as api:
        sn = await accepted(api, scheduled(120))
        before = (await api.get(path(sn))).json()
        clock.advance(3_600)
        after = (await api.get(path(sn))).json()

    assert (before["status"], before["updateDate"]) == ("PREPARE_TO_SENT", "2026-01-05T02:01:00Z")
    assert (after["status"], after["updateDate"]) == (name, "2026-01-05T02:02:00Z")
    assert (after["sentBeginDate"], after["sentEndDate"]) == (None, None)


@pytest.mark.parametrize("method", ["GET", "PATCH"])
@pytest.mark.parametrize(
    ("form", "status", "body"), [("40007", 400, b'{"code":"40007"}'), ("404", 404, b"")]
)
async def test_unknown_campaign_is_answered_as_the_switch_says(
    method: str, form: str, status: int, body: bytes
) -> None:
    """``unknown_campaign`` is the refusal of a code that no campaign has (T124)."""
    emulator, _ = later(unknown_campaign=form)
    async with Api(emulator) as api:
        answer = await api.request(method, path("none"))

    assert (answer.status_code, answer.content) == (status, body)


async def test_pause_in_the_middle_keeps_the_mails_that_are_not_out() -> None:
    """Sent mails are charged, read and reported; the others are never sent (T129)."""
    emulator, clock = later(**SLOW, open_share=1.0, click_share=1.0, unsubscribe_share=1.0)
    emulator.switch(bounce_share=0.0, complain_share=0.0, open_delay_s=600.0)
    async with Api(emulator) as api:
        sn = await accepted(api, BODY, 200)
        clock.advance(5)
        answer = await api.request("PATCH", path(sn))
        stopped = (await api.get(path(sn))).json()
        went = {mail.to for mail in emulator.outbox}
        left = emulator.balance
        clock.advance(DAY_S)
        every = "?startDate=2000-01-01T00:00:00.000Z&endDate=2100-01-01T00:00:00.000Z"
        listed = (await api.get(f"/v1/report/campaigns{every}")).json()
        await api.post(f"/v1/report/{sn}/export", {})
        clock.advance(60)
        links = (await api.get(f"/v1/report/{sn}/link")).json()["Reports"]
        files = {link["reportType"]: (await api.fetch(link["link"])).text for link in links}

    [campaign] = emulator.campaigns
    assert (answer.status_code, answer.content) == (204, b"")
    assert (stopped["status"], stopped["sentEndDate"]) == ("STOP", "2026-01-05T02:01:05.00Z")
    assert (len(went), campaign.charged, left) == (50, 50, 1_000_000 - 50)
    assert {mail.to for mail in emulator.outbox} == emulator.excluded == went
    assert listed == []
    assert {kind: text.count("\n") - 1 for kind, text in files.items()} == {
        kind: campaign.count(kind, clock.now())
        for kind in ("delivery", "open", "click", "unsubscribe")
    }
    assert {campaign.count(kind, clock.now()) for kind in files} == {50}


async def test_pause_leaves_alone_what_other_campaigns_do_to_readers() -> None:
    """Who got no mail of the stopped campaign may still leave because of another one (T129)."""
    emulator, clock = later(**SLOW, open_share=1.0, unsubscribe_share=1.0, bounce_share=0.0)
    async with Api(emulator) as api:
        list_sn = await api.filled_list(100)
        sns = [(await api.submit(BODY, list_sn)).json()["sn"] for _ in range(2)]
        clock.advance(2)
        await api.request("PATCH", path(sns[0]))
        clock.advance(3 * DAY_S)

    assert len(emulator.outbox) == 20 + 100
    assert len(emulator.excluded) == 100


async def test_scheduled_campaign_that_is_paused_never_goes() -> None:
    """What was charged is paid back, and its instant passes without a mail (T129)."""
    emulator, clock = later(free_plan=True)
    async with Api(emulator) as api:
        sn = await accepted(api, scheduled(600), 50)
        await api.request("PATCH", path(sn))
        left = emulator.balance
        clock.advance(DAY_S)
        status = (await api.get(path(sn))).json()
        other = await api.submit(BODY, emulator.lists[0].sn)

    assert left == 1_000_000
    assert (status["status"], status["updateDate"]) == ("STOP", "2026-01-05T02:01:00Z")
    assert (status["sentBeginDate"], status["sentEndDate"]) == (None, None)
    assert (len(emulator.outbox), other.status_code) == (0, 200)


@pytest.mark.parametrize(
    ("after_s", "name", "winner", "mails"),
    [(0.5, "TESTING", None, 10), (5, "TESTING", None, 20), (3_610, "SENDING", "A", 120)],
)
async def test_rest_of_a_test_that_is_paused_never_goes(
    after_s: float, name: str, winner: str | None, mails: int
) -> None:
    """A pause stops both halves of a test, what follows them, and the judgement (T126, T129)."""
    emulator, clock = later(**QUIET, **SLOW)
    async with Api(emulator) as api:
        sn = await accepted(api, changed(AB_BODY, {"content.testing.proportion": 10}), 200)
        clock.advance(after_s)
        before = await state(api, sn)
        await api.request("PATCH", path(sn))
        clock.advance(DAY_S)
        after = await state(api, sn)

    [campaign] = emulator.campaigns
    assert (before, after, campaign.winner) == (name, "STOP", winner)
    assert len(emulator.outbox) == campaign.charged == mails
    assert emulator.balance == 1_000_000 - mails


async def test_campaign_is_paused_while_its_mails_are_prepared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An immediate campaign is in PREPARE meanwhile; paused then, it sends nothing (T129)."""
    monkeypatch.setattr(mailings, "AT_ONE_GO", 0)
    monkeypatch.setattr(waves, "_SLICE", 1)
    emulator, clock = later()
    async with Api(emulator) as api:
        list_sn = await api.filled_list(100)
        submit = asyncio.create_task(api.submit(BODY, list_sn))
        found = emulator._account.campaigns.all
        for _ in range(100):
            await asyncio.sleep(0)
            if found:
                break
        [sn] = found
        before = await state(api, sn)
        answer = await api.request("PATCH", path(sn))
        await submit
        clock.advance(60)
        after = await state(api, sn)

    assert (before, answer.status_code, after) == ("PREPARE", 204, "STOP")
    assert (len(emulator.outbox), emulator.balance) == (0, 1_000_000)


async def test_look_in_the_middle_of_a_pause_sees_all_of_it() -> None:
    """Readers of mails that stay are dropped in slices; a look does not wait for them (T129)."""
    emulator, clock = later(**SLOW, open_share=1.0, bounce_share=0.0, unsubscribe_share=1.0)
    async with Api(emulator) as api:
        sn = await accepted(api, BODY, 100)
        clock.advance(2)
        pause = asyncio.create_task(api.request("PATCH", path(sn)))
        for _ in range(20):
            await asyncio.sleep(0)
            if emulator._account.campaigns.all[sn].is_stopped:
                break
        assert (pause.done(), emulator.balance) == (False, 1_000_000 - 20)
        answer = await pause
        clock.advance(3 * DAY_S)

    assert answer.status_code == 204
    assert len(emulator.excluded) == len(emulator.outbox) == 20


@pytest.mark.parametrize(
    ("name", "status"), [("DRAFT", 400), ("OVER_LIMIT", 400), ("SENDING", 204), ("TESTING", 204)]
)
async def test_pause_is_refused_where_there_is_nothing_to_stop(name: str, status: int) -> None:
    """Only a campaign that is to send, or sends, can be paused, and only once (T129)."""
    emulator, _ = later()
    emulator.script_campaign(name)
    async with Api(emulator) as api:
        sn = await accepted(api, BODY)
        first, second = [await api.request("PATCH", path(sn)) for _ in range(2)]

    assert first.status_code == status
    assert (second.status_code, second.json()) == (400, {"code": "40015"})
    assert emulator.balance == 1_000_000 - (10 if name == "DRAFT" else 0)


async def test_stopped_campaign_may_have_no_report() -> None:
    """``unfinished_is_40303`` is about a stopped campaign, too (T04)."""
    emulator, clock = later(unfinished_is_40303=True)
    async with Api(emulator) as api:
        sn = await accepted(api, BODY)
        clock.advance(1)
        await api.request("PATCH", path(sn))
        clock.advance(60)
        answer = await api.post(f"/v1/report/{sn}/export", {})

    assert (answer.status_code, answer.json()["code"]) == (403, "40303")


async def delete(api: Api, *sns: Any) -> Any:
    """Delete campaigns, and return the answer."""
    return await api.delete("/v1/campaign/normal", {"campaignSnList": list(sns)})


async def test_deletion_fills_three_lists() -> None:
    """What is sent goes on, what is unknown is named, and the rest is gone (T128)."""
    emulator, clock = later(**QUIET)
    async with Api(emulator) as api:
        complete = await accepted(api, BODY)
        clock.advance(60)
        planned = await accepted(api, scheduled(600))
        testing = await accepted(api, scheduled(250, AB_BODY), 40)
        sending = await accepted(api, BODY)
        clock.advance(1)
        answer = await delete(api, sending, "none", planned, complete, planned)
        again = await delete(api, planned, testing)

    assert answer.status_code == 200
    assert answer.json() == {
        "success": [planned, complete],
        "sendingCampaign": [sending],
        "badCampaigns": ["none"],
    }
    assert again.json() == {"success": [], "sendingCampaign": [testing], "badCampaigns": [planned]}


async def test_deleted_campaign_never_sends_and_is_forgotten() -> None:
    """Its charge is refunded, and endpoints treat it as unknown; the inspection has it (T127)."""
    emulator, clock = later(**QUIET)
    async with Api(emulator) as api:
        sent = await accepted(api, BODY)
        clock.advance(60)
        planned = await accepted(api, scheduled(600))
        await delete(api, planned, sent)
        deleted = clock.now()
        left = emulator.balance
        clock.advance(DAY_S)
        answers = [
            *[await api.request(method, path(planned)) for method in ("GET", "PATCH")],
            *[await api.get(f"/v1/report/{sn}/link") for sn in (planned, sent)],
        ]
        listed = (await api.get("/v1/report/campaigns")).json()

    assert left == 1_000_000 - 10
    assert [answer.json()["code"] for answer in answers] == ["40007"] * 2 + ["40303"] * 2
    assert listed == []
    assert [item.deleted for item in emulator.campaigns] == [deleted] * 2
    assert {mail.campaign_sn for mail in emulator.outbox} == {sent}


@pytest.mark.parametrize(
    ("body", "rules"),
    [
        ({"campaignSnList": []}, {"campaignSnList": ["NotEmpty"]}),
        ({"campaignSnList": [""]}, {"campaignSnList": ["NotEmpty"]}),
        ({"campaignSnList": [7]}, {"campaignSnList": ["InvalidType"]}),
        ({}, {"campaignSnList": ["NotNull"]}),
        ({"sns": ["a"]}, {"sns": ["UnknownField"], "campaignSnList": ["NotNull"]}),
        ([], {"body": ["NotReadable"]}),
        (None, {"body": ["NotReadable"]}),
    ],
)
async def test_deletion_without_codes_is_refused(body: Any, rules: dict[str, list[str]]) -> None:
    """A missing, empty or strange list deletes nothing (T127)."""
    emulator, _ = later()
    async with Api(emulator) as api:
        answer = await api.delete("/v1/campaign/normal", body)

    assert (answer.status_code, answer.json()) == (400, {"code": "40001", "invalidFields": rules})


async def test_deletion_may_leave_a_code_out() -> None:
    """With ``delete_forgets_one`` the last one is deleted, and nothing says so (T128)."""
    emulator, _ = later(delete_forgets_one=True, numeric_codes=True)
    async with Api(emulator) as api:
        sns = [int(await accepted(api, scheduled(600))) for _ in range(2)]
        answer = await delete(api, *sns)

    assert answer.json() == {"success": sns[:1], "sendingCampaign": [], "badCampaigns": []}
    assert all(item.deleted for item in emulator.campaigns)
