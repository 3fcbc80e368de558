"""What only the vendor's notes have: T63 and T122 to T135."""

from __future__ import annotations

from typing import Any

import pytest

from newsleopard_async import (
    APIError,
    AutomationEvent,
    Balance,
    CampaignMetrics,
    CampaignSn,
    CampaignState,
    ContactFilter,
    InsufficientBalance,
    InvalidRequest,
    ListSn,
    OutcomeUnknown,
    Recipient,
    Template,
    with_lists,
)
from tests.clients import Reply, connected, csv_of, scripted
from tests.constants import CAMPAIGN, SUBJECT_TEST
from tests.emulator.api import AB_BODY, AB_ONCE_BODY, BODY, ONCE_BODY, Api, changed
from tests.points.cells import point
from tests.points.means import (
    CSV,
    QUIET,
    SN,
    at,
    codes_of,
    error_of,
    field_errors,
    platform,
    result_of,
    sent_campaign,
    submit,
)

ROUTES = [
    ("DELETE", f"/v1/contacts/{SN}"),
    ("POST", "/v1/campaign/normal/once"),
    ("POST", "/v1/campaign/testing/once"),
    ("DELETE", "/v1/campaign/normal"),
    ("GET", f"/v1/campaign/normal/{SN}"),
    ("PATCH", f"/v1/campaign/normal/{SN}"),
    ("POST", "/v1/report/campaigns/metrics"),
    ("GET", "/v1/templates"),
    ("GET", "/v1/templates/1"),
    ("POST", "/v1/automation/event"),
    ("GET", "/v1/balance"),
]
"""Methods and paths of the notes."""
CODE = CampaignSn(SN)
WHOLE = {"field": "MAIL_ADDRESS", "operator": "EQ", "value": "u0@example.com"}
STATES = (
    "DRAFT",
    "COMPLETE",
    "STOP",
    "SENDING",
    "PREPARE",
    "PREPARE_TO_SENT",
    "OVER_LIMIT",
    "TESTING",
    "EMPTY_RECIPIENT",
    "INSUFFICIENT_RECIPIENT_FOR_TESTING",
    "UNAUTHENTICATED_SENDER",
)
LATER = {**QUIET, "later_endpoints": True}
SLOW = {"send_base_s": 0.0, "mails_per_s": 10.0}
SCHEDULED = {"type": 1, "timezone": 21, "scheduleDate": at(3_600)}
VENDOR: Any = {"profile": "vendor-2026"}


@pytest.mark.asyncio
@pytest.mark.parametrize("is_lenient", [False, True])
async def test_emulator_hides_what_only_the_notes_have(is_lenient: bool) -> None:
    """Without ``later_endpoints`` an endpoint of the notes is 404 (T18, T63, T122 to T135)."""
    async with platform(strict=not is_lenient) as (api, _):
        for method, path in ROUTES:
            assert (await api.request(method, path)).status_code == 404


def state_of(campaign: Any, clock: Any) -> str:
    """Return the state of a campaign at the present."""
    state: str = campaign.state(clock.now())
    return state


async def status_of(api: Api, sn: str) -> dict[str, Any]:
    """Return the status of a campaign."""
    found: dict[str, Any] = (await api.get(f"/v1/campaign/normal/{sn}")).json()
    return found


async def pause(api: Api, sn: str) -> int:
    """Pause a campaign, and return the status of the answer."""
    return (await api.request("PATCH", f"/v1/campaign/normal/{sn}")).status_code


async def delete(api: Api, body: Any) -> Any:
    """Delete campaigns, and return the answer."""
    return await api.request("DELETE", "/v1/campaign/normal", json=body)


async def remove(api: Api, list_sn: str, body: Any) -> Any:
    """Remove contacts of a list, and return the answer."""
    return await api.request("DELETE", f"/v1/contacts/{list_sn}", json=body)


@point
async def test_t63_client() -> None:
    """A filter is whole, one that means all others is confirmed, and only EQ is repeated."""
    others = ContactFilter("MAIL_ADDRESS", "NOT_EQ", "user0@example.com")
    with pytest.raises(InvalidRequest):
        ContactFilter("MAIL_ADDRESS", "EQ", "")
    async with connected(**VENDOR) as bench:
        contacts, list_sn = bench.nl.contacts, await bench.make_list(5)
        with pytest.raises(InvalidRequest, match="remove all others"):
            await contacts.remove_contacts(list_sn, others)
        assert bench.emulator.count("remove_contacts") == 0
        bench.emulator.lose_reply_to("remove_contacts")
        where = ContactFilter("MAIL_ADDRESS", "EQ", "user4@example.com")
        await contacts.remove_contacts(list_sn, where)
        bench.emulator.lose_reply_to("remove_contacts")
        with pytest.raises(OutcomeUnknown):
            await contacts.remove_contacts(list_sn, others, confirm="remove all others")
        assert tuple(bench.emulator.lists[0].members) == ("user0@example.com",)


@point
async def test_t63_emulator() -> None:
    """A filter that is not whole is 400; a contact leaves the list, or by a switch the account."""
    async with platform(**LATER) as (api, _):
        list_sn = await api.filled_list(3)
        refused = [
            await remove(api, list_sn, body)
            for body in ({}, {**WHOLE, "value": ""}, {**WHOLE, "operator": "eq"})
        ]
        assert {each.status_code for each in refused} == {400}
        assert (await remove(api, list_sn, WHOLE)).status_code == 200
        assert len(api.emulator.lists[0].members) == 2
        assert "u0@example.com" in api.emulator.contacts

        api.emulator.switch(removal_from="account")
        api.emulator.exclude("u1@example.com")
        await remove(api, list_sn, {**WHOLE, "value": "u1@example.com"})
        assert api.emulator.excluded == frozenset()
        assert "u1@example.com" not in api.emulator.contacts


@point
async def test_t122_client() -> None:
    """No list is selected; without code and URL the outcome is unknown."""
    async with connected(**VENDOR) as bench:
        ticket = await bench.nl.campaigns.submit_once(CAMPAIGN)
        test = await bench.nl.campaigns.submit_ab_test_once(SUBJECT_TEST)
        assert [ticket.campaign_sn, test.campaign_sn] == [
            each.sn for each in bench.emulator.campaigns
        ]
        assert all("selectedLists" not in each.json["form"] for each in bench.wire.sent)
        with pytest.raises(InvalidRequest, match="lists"):
            await bench.nl.campaigns.submit_once(with_lists(CAMPAIGN, [ListSn(SN)]))

    async with scripted(Reply({"sn": SN}), **VENDOR) as script:
        with pytest.raises(OutcomeUnknown, match="url is missing"):
            await script.nl.campaigns.submit_once(CAMPAIGN)


@point
async def test_t122_emulator() -> None:
    """Both kinds have two steps; the form of the command line, and lists, are refused."""
    async with platform(**LATER) as (api, _):
        for body in (ONCE_BODY, AB_ONCE_BODY):
            ticket = (await api.reserve(body)).json()
            assert ticket.keys() == {"sn", "url"}
            assert (await api.put(ticket["url"], CSV)).status_code == 200
        for extra in ("contactsFileContent", "selectedLists"):
            refused = await api.reserve(changed(ONCE_BODY, {f"form.{extra}": CSV}))
            assert list(field_errors(refused)) == [f"form.{extra}"]


@point
async def test_t123_client() -> None:
    """The upload is what sends: its reply may be lost, and it is never repeated."""
    async with connected(**VENDOR) as bench:
        campaigns = bench.nl.campaigns
        ticket = await campaigns.submit_once(CAMPAIGN)
        await bench.clock.sleep(86_400)
        assert (await campaigns.get_status(ticket.campaign_sn)).state == CampaignState.PREPARE

        bench.emulator.lose_reply_to("upload_once")
        late = await campaigns.submit_once(CAMPAIGN)
        with pytest.raises(OutcomeUnknown):
            await campaigns.upload_once(late, csv_of(3).encode())
        await bench.clock.sleep(86_400)
        assert (await campaigns.get_status(late.campaign_sn)).state == CampaignState.COMPLETE
        assert (bench.emulator.count("upload_once"), bench.emulator.mailings) == (1, 1)


@point
async def test_t123_emulator() -> None:
    """Nothing is sent before the upload; a second one sends again, unless a switch forbids it."""
    seconds = {"sends_again": (200, 2), "ignored": (200, 1), "refused": (403, 1)}
    for second, (status, mails) in seconds.items():
        async with platform(**LATER, second_once_upload=second) as (api, clock):
            await api.reserve(ONCE_BODY)
            clock.advance(86_400)
            assert state_of(api.emulator.campaigns[0], clock) == "PREPARE"
            ticket = (await api.reserve(ONCE_BODY)).json()
            await api.put(ticket["url"], CSV)
            clock.advance(60)
            assert state_of(api.emulator.campaigns[1], clock) == "COMPLETE"
            assert (await api.put(ticket["url"], CSV)).status_code == status
            clock.advance(60)
            assert (len(api.emulator.outbox), len(api.emulator.contacts)) == (mails, 0)


@point
@pytest.mark.parametrize("word", [*STATES, "SENT", "QUEUED", "ERROR"])
async def test_t124_client(word: str) -> None:
    """Every word is kept, ``SENT`` is ``COMPLETE``, and an unknown one is not final."""
    status = await result_of(lambda nl: nl.campaigns.get_status(CODE), {"status": word}, **VENDOR)
    final = {*STATES[1:3], "OVER_LIMIT", *STATES[-3:], "SENT"}

    assert status.state == ("COMPLETE" if word == "SENT" else word)
    assert status.state.is_final is (word in final)
    assert status.state.is_success is (word in ("COMPLETE", "SENT"))
    assert status.state.is_failure is (word in ("OVER_LIMIT", *STATES[-3:]))


@point
async def test_t124_emulator() -> None:
    """The states of the notes arise by themselves, and an unknown code is refused."""
    async with platform(**LATER) as (api, clock):
        sn = (await api.submit(BODY, await api.filled_list(1))).json()["sn"]
        early = await status_of(api, sn)
        clock.advance(60)
        late = await status_of(api, sn)
        refused = await api.get("/v1/campaign/normal/unknown")

    assert {early["status"], late["status"]} <= set(STATES)
    assert (early["sn"], late["status"], late["name"]) == (sn, "COMPLETE", "活動名稱")
    assert codes_of(refused) == (400, 40007)


@point
@pytest.mark.parametrize("form", ["text", "numbers"])
async def test_t125_client(form: str) -> None:
    """Words are read from text and from numbers alike."""
    async with connected(**VENDOR) as bench:
        bench.emulator.switch(status_form=form)
        list_sn = await bench.make_list(20)
        sns = [
            await bench.nl.campaigns.submit(with_lists(CAMPAIGN, [list_sn])),
            await bench.nl.campaigns.submit_ab_test(with_lists(SUBJECT_TEST, [list_sn])),
        ]
        found = [await bench.nl.campaigns.get_status(sn) for sn in sns]

    assert [(each.channel, each.send_time, each.kind) for each in found] == [
        ("MAIL", "NOW", "REGULAR"),
        ("MAIL", "NOW", "A_B_TEST"),
    ]
    assert [each.has_content for each in found] == [(True,), (True, True)]


@point
async def test_t125_emulator() -> None:
    """Words are text, as in the notes, or numbers by a switch; ``hasContent`` is an array."""
    found = []
    for form in ("text", "numbers"):
        async with platform(**LATER, status_form=form) as (api, clock):
            status = await status_of(api, await sent_campaign(api, clock))
            found.append([status[name] for name in ("channel", "sendTimeType", "type")])
            assert status["hasContent"] == [True]

    assert found == [[0, "NOW", "REGULAR"], [0, 0, 0]]


@point
async def test_t126_client() -> None:
    """A/B tests are read and paused like campaigns; a refusal names its subject."""
    async with connected(**VENDOR) as bench:
        ready = with_lists(SUBJECT_TEST, [await bench.make_list(20)])
        sn = await bench.nl.campaigns.submit_ab_test(ready)
        await bench.clock.sleep(60)
        testing = await bench.nl.campaigns.get_status(sn)
        await bench.nl.campaigns.pause(sn)
        stopped = await bench.nl.campaigns.get_status(sn)
        with pytest.raises(APIError) as caught:
            await bench.nl.campaigns.get_status(CODE)

    assert (testing.kind, testing.state) == ("A_B_TEST", CampaignState.TESTING)
    assert stopped.state == CampaignState.STOP
    assert caught.value.code == 40007


@point
async def test_t126_emulator() -> None:
    """Status and pause serve both kinds."""
    for body in (BODY, AB_BODY):
        scheduled = changed(body, {"config.schedule": SCHEDULED})
        async with platform(**LATER) as (api, _):
            sn = (await api.submit(scheduled, await api.filled_list(100))).json()["sn"]
            assert (await status_of(api, sn))["status"] == "PREPARE_TO_SENT"
            assert await pause(api, sn) == 204
            assert (await status_of(api, sn))["status"] == "STOP"


@point
async def test_t127_client() -> None:
    """The body has ``campaignSnList``, which is never empty."""
    async with scripted(Reply({"success": [SN]}), **VENDOR) as script:
        with pytest.raises(InvalidRequest, match="campaign_sns"):
            await script.nl.campaigns.delete([])
        await script.nl.campaigns.delete([CODE])
        [sent] = script.wire.sent

    assert (sent.method, sent.json) == ("DELETE", {"campaignSnList": [SN]})


@point
async def test_t127_emulator() -> None:
    """A body without the list, with an empty one, or as the command line has it is 400."""
    async with platform(**LATER) as (api, _):
        bodies: list[Any] = [{}, {"campaignSnList": []}, {"sns": [SN]}]
        answers = [await delete(api, body) for body in bodies]
        bare = await api.request("DELETE", "/v1/campaign/normal")

    assert {each.status_code for each in (*answers, bare)} == {400}


@point
@pytest.mark.parametrize("forgets", [False, True])
async def test_t128_client(forgets: bool) -> None:
    """What the answer does not call deleted is not, and a code that it leaves out is shown."""
    async with connected(**VENDOR) as bench:
        bench.emulator.switch(delete_forgets_one=forgets, **SLOW)
        sns = [await bench.send(name=name, then_s=0) for name in ("甲", "乙")]
        await bench.clock.sleep(1)
        found = await bench.nl.campaigns.delete([*sns, CODE])

    everybody = {*found.deleted, *found.still_sending, *found.refused, *found.unmentioned}
    assert everybody == {*sns, CODE}
    assert len(found.unmentioned) == forgets
    assert not found.after_loss


@point
async def test_t128_emulator() -> None:
    """All three lists are filled, and what is being sent is not deleted."""
    async with platform(**LATER, **SLOW) as (api, clock):
        list_sn = await api.filled_list(100)
        waiting = (await api.submit(changed(BODY, {"config.schedule": SCHEDULED}), list_sn)).json()
        sending = (await api.submit(BODY, list_sn)).json()
        clock.advance(5)
        answer = await delete(api, {"campaignSnList": [waiting["sn"], sending["sn"], "unknown"]})
        clock.advance(86_400)
        gone = await api.get(f"/v1/campaign/normal/{waiting['sn']}")

    assert answer.status_code == 200
    assert answer.json() == {
        "success": [waiting["sn"]],
        "sendingCampaign": [sending["sn"]],
        "badCampaigns": ["unknown"],
    }
    assert (codes_of(gone), len(api.emulator.outbox)) == ((400, 40007), 100)


@point
async def test_t129_client() -> None:
    """204 without content is a success; a pause is final; the state is read again."""
    async with connected(**VENDOR) as bench:
        bench.emulator.switch(**SLOW)
        sn = await bench.send(rows=100, then_s=5)
        bench.emulator.lose_reply_to("pause_campaign")
        with pytest.raises(OutcomeUnknown, match="get_status"):
            await bench.nl.campaigns.pause(sn)
        assert bench.emulator.count("pause_campaign") == 2
        status = await bench.nl.campaigns.get_status(sn)
        await bench.clock.sleep(86_400)

    assert (status.state, status.state.is_final) == (CampaignState.STOP, True)
    assert 0 < len(bench.emulator.outbox) < 100


@point
async def test_t129_emulator() -> None:
    """What waits, tests or sends is stopped, and keeps its mails; anything else is refused."""
    tested = changed(AB_BODY, {"config.schedule": SCHEDULED})
    async with platform(**LATER, **SLOW) as (api, clock):
        list_sn = await api.filled_list(100)
        sending = (await api.submit(BODY, list_sn)).json()["sn"]
        testing = (await api.submit(tested, list_sn)).json()["sn"]
        reserved = (await api.reserve(ONCE_BODY)).json()["sn"]
        clock.advance(5)
        found = [(await status_of(api, sn))["status"] for sn in (reserved, sending, testing)]
        assert found == ["PREPARE", "SENDING", "PREPARE_TO_SENT"]
        clock.advance(0.5)
        assert [await pause(api, sn) for sn in (reserved, sending)] == [204, 204]
        gone_out = len(api.emulator.outbox)
        clock.advance(3_600)
        assert (await status_of(api, testing))["status"] == "TESTING"
        assert await pause(api, testing) == 204
        clock.advance(86_400)
        assert [await pause(api, sn) for sn in (reserved, sending, testing, "x")] == [400] * 4

    assert {state_of(each, clock) for each in api.emulator.campaigns} == {"STOP"}
    assert 0 < gone_out < 100


@point
async def test_t130_client() -> None:
    """Each row keeps its part; the sum is a separate row, ``TOTAL``."""
    async with connected(**VENDOR) as bench:
        sn = await bench.send(rows=20)
        ready = with_lists(SUBJECT_TEST, [await bench.make_list(40, "測試")])
        test = await bench.nl.campaigns.submit_ab_test(ready)
        await bench.clock.sleep(7 * 86_400)
        rows = await bench.nl.reports.get_metrics([sn, test])

    assert [(row.sn, row.part) for row in rows] == [
        (sn, "TOTAL"),
        *((test, part) for part in ("TOTAL", "TEST_A", "TEST_B", "WINNING")),
    ]
    total, *parts = (row.recipients or 0 for row in rows[1:])
    assert total == sum(parts) == 40


@point
async def test_t130_emulator() -> None:
    """A test has four rows, and a campaign one."""
    async with platform(**LATER) as (api, clock):
        sn = await sent_campaign(api, clock)
        test = (await api.submit(AB_BODY, await api.filled_list(100))).json()["sn"]
        clock.advance(7 * 86_400)
        rows = (await api.post(METRICS, {"campaignSns": [sn, test]})).json()

    assert [row["reportType"] for row in rows if row["campaignSn"] == sn] == ["TOTAL"]
    assert [row["reportType"] for row in rows if row["campaignSn"] == test] == [
        "TOTAL",
        "TEST_A",
        "TEST_B",
        "WINNING",
    ]


METRICS = "/v1/report/campaigns/metrics"


@point
async def test_t131_client() -> None:
    """An array or an object with one; 50 codes at most; a missing count is unknown, not 0."""
    row = {"campaignSn": SN, "reportType": "TOTAL"}
    for answer in ([row], {"metrics": [row]}):
        found = await result_of(lambda nl: nl.reports.get_metrics([CODE]), answer, **VENDOR)
        assert found == (CampaignMetrics(sn=CODE, part="TOTAL"),)
    assert found[0].delivered is None
    async with connected(**VENDOR) as bench:
        with pytest.raises(InvalidRequest, match="51 codes"):
            await bench.nl.reports.get_metrics([CampaignSn(str(each)) for each in range(51)])
        bench.emulator.switch(metrics_shape="wrapper")
        sn = await bench.send(rows=3)
        [metrics] = await bench.nl.reports.get_metrics([sn, CODE])
        assert (metrics.sn, metrics.recipients, metrics.revenue) == (sn, 3, None)


@point
async def test_t131_emulator() -> None:
    """An array, or by a switch an object; without e-commerce its fields are null."""
    async with platform(**LATER) as (api, clock):
        sn = await sent_campaign(api, clock)
        [row] = (await api.post(METRICS, {"campaignSns": [sn, "unknown"]})).json()
        api.emulator.switch(metrics_shape="wrapper", unknown_metrics="400")
        wrapped = (await api.post(METRICS, {"campaignSns": [sn]})).json()
        refused = await api.post(METRICS, {"campaignSns": ["unknown"]})

    assert row["transactionRevenue"] is None
    assert list(wrapped.values()) == [[row]]
    assert codes_of(refused) == (400, 40007)


@point
@pytest.mark.parametrize("is_number", [False, True])
async def test_t132_client(is_number: bool) -> None:
    """A code is text, also if it comes as a number, and names are read tolerantly."""
    async with connected(**VENDOR) as bench:
        bench.emulator.switch(numeric_template_ids=is_number)
        bench.emulator.add_template("範本", "<p>${NAME}</p>")
        [listed] = await bench.nl.templates.list_templates()
        found = await bench.nl.templates.get_template(listed.id)
        with pytest.raises(APIError):
            await bench.nl.templates.get_template("unknown")

    assert found == Template(id=listed.id, name="範本", html="<p>${NAME}</p>")
    assert isinstance(listed.id, str)
    odd = {"templates": [{"sn": 7, "title": "範本", "htmlContent": "<p>"}]}
    [row] = await result_of(lambda nl: nl.templates.list_templates(), odd, **VENDOR)
    assert row == Template(id="7", name="範本", html="<p>")


@point
async def test_t132_emulator() -> None:
    """Templates have the shape of the command line; an id may be a number by a switch."""
    async with platform(**LATER) as (api, _):
        made = api.emulator.add_template("範本", "<p>${NAME}</p>")
        one = (await api.get(f"/v1/templates/{made.id}")).json()
        [row] = (await api.get("/v1/templates")).json()
        api.emulator.switch(numeric_template_ids=True)
        api.emulator.add_template("數", "<p>")
        ids = [each["id"] for each in (await api.get("/v1/templates")).json()]
        refused = await api.get("/v1/templates/unknown")

    assert one == {"id": made.id, "name": "範本", "html": "<p>${NAME}</p>"}
    assert row == {"id": made.id, "name": "範本"}
    assert isinstance(ids[1], int)
    assert codes_of(refused) == (400, 40007)


EVENT = "/v1/automation/event"
JOHN = Recipient("John", "john@example.com", {"ORDER_ID": "A123"})
ON_WIRE = {"name": "John", "address": "john@example.com", "variables": {"ORDER_ID": "A123"}}
TRIGGERED = {"workflow": "script", "event": "TRIGGER", "recipients": [ON_WIRE]}


@point
async def test_t133_client() -> None:
    """All three fields go out, to 100 people at most, and no event is repeated."""
    async with connected(**VENDOR) as bench:
        send = bench.nl.automation.send_event
        for event in AutomationEvent:
            await send("script", event, [JOHN])
        assert [each.json for each in bench.wire.sent] == [
            TRIGGERED,
            {**TRIGGERED, "event": "TERMINATE"},
        ]
        people = [Recipient("", f"u{number}@example.com") for number in range(101)]
        with pytest.raises(InvalidRequest, match="101 recipients"):
            await send("script", AutomationEvent.TRIGGER, people)
        bench.emulator.lose_reply_to("send_event")
        with pytest.raises(OutcomeUnknown):
            await send("script", AutomationEvent.TRIGGER, people[:100])
        assert len(bench.emulator.automation_events) == 3


@point
async def test_t133_emulator() -> None:
    """An unknown event is 400, and so are 101 recipients; what is taken is logged."""
    async with platform(**LATER) as (api, _):
        many = [{**ON_WIRE, "address": f"u{number}@example.com"} for number in range(101)]
        for change in ({"event": "PAUSE"}, {"workflow": ...}, {"recipients": many}):
            refused = await api.post(EVENT, changed(TRIGGERED, change))
            assert codes_of(refused) == (400, 40001)
        assert (await api.post(EVENT, TRIGGERED)).status_code == 200
        [event] = api.emulator.automation_events

    assert (event.workflow, event.event) == ("script", "TRIGGER")


@point
async def test_t134_client() -> None:
    """Values have 99 characters at most, addresses are different, and each refusal is shown."""
    assert Recipient("A", "a@example.com", {"ORDER": "9" * 99}).variables
    with pytest.raises(InvalidRequest, match="at most 99"):
        Recipient("A", "a@example.com", {"ORDER": "9" * 100})
    async with connected(**VENDOR) as bench:
        send = bench.nl.automation.send_event
        with pytest.raises(InvalidRequest, match=r"recipients\[1\]"):
            await send("script", AutomationEvent.TRIGGER, [JOHN, Recipient("", JOHN.address)])
        some = await send("script", AutomationEvent.TRIGGER, [JOHN, Recipient("", "odd")])
        none = await send("script", AutomationEvent.TRIGGER, [Recipient("", "odd")])

    assert (some.accepted, list(some.refused)) == ((JOHN.address,), ["odd"])
    assert (none.accepted, list(none.refused)) == ((), ["odd"])


@point
async def test_t134_emulator() -> None:
    """A bad address and a value of 100 characters fail alone."""
    odd = {"name": "", "address": "odd"}
    long = {"name": "", "address": "long@example.com", "variables": {"A": "9" * 100}}
    async with platform(**LATER) as (api, _):
        answer = await api.post(EVENT, {**TRIGGERED, "recipients": [ON_WIRE, odd, long]})
        failed = await api.post(EVENT, {**TRIGGERED, "recipients": [odd]})

    assert answer.json()["success"] == ["john@example.com"]
    assert answer.json()["failure"].keys() == {"odd", "long@example.com"}
    assert (failed.status_code, failed.json()["success"]) == (200, [])


@point
async def test_t135_client() -> None:
    """The balance is advice, and may be missing; 40012 decides."""
    async with connected(**VENDOR) as bench:
        list_sn = await bench.make_list(60)
        bench.emulator.balance = 100
        assert await bench.nl.account.get_balance() == Balance(mails=100, sms=0)
        await bench.nl.campaigns.submit(with_lists(CAMPAIGN, [list_sn]))
        assert (await bench.nl.account.get_balance()).mails == 40
        with pytest.raises(InsufficientBalance):
            await bench.nl.campaigns.submit(with_lists(CAMPAIGN, [list_sn]))

    assert await result_of(
        lambda nl: nl.account.get_balance(), {"email": "7"}, **VENDOR
    ) == Balance(mails=7)
    for answer in ({"email": "7"}, 7):
        found = await result_of(lambda nl: nl.account.get_balance(), answer, **VENDOR)
        assert found == Balance(mails=7)
    assert type(await error_of(submit, {"code": 40012}, 400)) is InsufficientBalance


@point
async def test_t135_emulator() -> None:
    """The balance falls when a campaign is accepted, and 40012 is the refusal."""
    async with platform(**LATER) as (api, _):
        list_sn = await api.filled_list(60)
        api.emulator.balance = 100
        before = (await api.get("/v1/balance")).json()
        assert (await api.submit(BODY, list_sn)).status_code == 200
        after = (await api.get("/v1/balance")).json()
        refused = await api.submit(BODY, list_sn)

    assert (before, after) == ({"email": 100, "sms": 0}, {"email": 40, "sms": 0})
    assert codes_of(refused) == (400, 40012)
