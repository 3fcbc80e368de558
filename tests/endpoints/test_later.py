"""The eleven endpoints of the vendor's notes: each request on the wire, and each answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import attrs
import httpx
import pytest

from newsleopard_async import (
    APIError,
    AutomationEvent,
    Balance,
    CampaignMetrics,
    CampaignSn,
    CampaignState,
    CampaignStatus,
    ContactFilter,
    DeleteOutcome,
    EventOutcome,
    ListSn,
    NewsLeopard,
    OnceTicket,
    OutcomeUnknown,
    Recipient,
    Template,
)
from tests.clients import Reply, connected, csv_of, refused, scripted
from tests.constants import AB_TESTS, CAMPAIGN

pytestmark = pytest.mark.anyio

SN: Final = CampaignSn("402810c26cb86ad7016cb8b2414a0003")
OTHER: Final = CampaignSn("402810c26cb86ad7016cb8b2414a0004")
UPLOAD: Final = "https://s3.amazonaws.com/once.csv?X-Amz-Signature=1"
WHEN: Final = datetime(2019, 4, 1, 8, 38, 32, tzinfo=UTC)


Call = Callable[[NewsLeopard], Awaitable[object]]


@attrs.frozen
class Case:
    """A call, the answer to it, the request that it makes, and what it gives."""

    call: Call
    answer: Any
    method: str
    path: str
    body: Any
    gives: object
    status: int = 200


CASES: Final = {
    "getBalance": Case(
        lambda nl: nl.account.get_balance(),
        {"email": 10, "sms": "20"},
        "GET",
        "/v1/balance",
        None,
        Balance(mails=10, sms=20),
    ),
    "getCampaignStatus": Case(
        lambda nl: nl.campaigns.get_status(SN),
        {
            "sn": SN,
            "name": "週年慶",
            "hasContent": [True, False],
            "status": "PREPARE_TO_SENT",
            "channel": 0,
            "sendTimeType": "SCHEDULED",
            "type": "A_B_TEST",
            "proportion": 10,
            "scheduledDate": "2019-04-01T08:38:32Z",
        },
        "GET",
        f"/v1/campaign/normal/{SN}",
        None,
        CampaignStatus(
            sn=SN,
            name="週年慶",
            has_content=(True, False),
            state=CampaignState.PREPARE_TO_SENT,
            channel="MAIL",
            send_time="SCHEDULED",
            kind="A_B_TEST",
            proportion=10,
            scheduled=WHEN,
        ),
    ),
    "pauseCampaign": Case(
        lambda nl: nl.campaigns.pause(SN),
        b"",
        "PATCH",
        f"/v1/campaign/normal/{SN}",
        None,
        None,
        status=204,
    ),
    "deleteCampaigns": Case(
        lambda nl: nl.campaigns.delete([SN, OTHER, SN]),
        {"success": [SN], "sendingCampaign": [OTHER], "badCampaigns": []},
        "DELETE",
        "/v1/campaign/normal",
        {"campaignSnList": [SN, OTHER]},
        DeleteOutcome(deleted=(SN,), still_sending=(OTHER,)),
    ),
    "getCampaignMetrics": Case(
        lambda nl: nl.reports.get_metrics([SN]),
        [
            {
                "campaignSn": SN,
                "name": "週年慶",
                "channel": "MAIL",
                "reportType": "TOTAL",
                "sentStartAt": "2019-04-01T08:38:32Z",
                "recipientCnt": 100,
                "delivered": "98",
                "transactionRevenue": 12.1,
            }
        ],
        "POST",
        "/v1/report/campaigns/metrics",
        {"campaignSns": [SN]},
        (
            CampaignMetrics(
                sn=SN,
                name="週年慶",
                channel="MAIL",
                part="TOTAL",
                sent_begin=WHEN,
                recipients=100,
                delivered=98,
                revenue=Decimal("12.1"),
            ),
        ),
    ),
    "listTemplates": Case(
        lambda nl: nl.templates.list_templates(),
        [{"id": 7, "name": "範本"}],
        "GET",
        "/v1/templates",
        None,
        (Template(id="7", name="範本"),),
    ),
    "getTemplate": Case(
        lambda nl: nl.templates.get_template("7"),
        {"id": 7, "name": "範本", "html": "<p>${NAME}</p>"},
        "GET",
        "/v1/templates/7",
        None,
        Template(id="7", name="範本", html="<p>${NAME}</p>"),
    ),
    "sendAutomationEvent": Case(
        lambda nl: nl.automation.send_event(
            "script",
            AutomationEvent.TRIGGER,
            [Recipient("John", "john@example.com", {"ORDER_ID": "A123"}), Recipient("", "odd")],
        ),
        {"success": ["john@example.com"], "failure": {"odd": "Invalid: address"}},
        "POST",
        "/v1/automation/event",
        {
            "workflow": "script",
            "event": "TRIGGER",
            "recipients": [
                {"name": "John", "address": "john@example.com", "variables": {"ORDER_ID": "A123"}},
                {"name": "", "address": "odd"},
            ],
        },
        EventOutcome(accepted=("john@example.com",), refused={"odd": "Invalid: address"}),
    ),
    "removeContacts": Case(
        lambda nl: nl.contacts.remove_contacts(
            ListSn("files"), ContactFilter("MAIL_ADDRESS", "EQ", "a@example.com")
        ),
        {},
        "DELETE",
        "/v1/contacts/files",
        {"field": "MAIL_ADDRESS", "operator": "EQ", "value": "a@example.com"},
        None,
    ),
}


CALLS: Final[dict[str, Call]] = {
    **{operation: case.call for operation, case in CASES.items()},
    "submitCampaignOnce": lambda nl: nl.campaigns.submit_once(CAMPAIGN),
    "submitAbTestOnce": lambda nl: nl.campaigns.submit_ab_test_once(AB_TESTS[0]),
}
"""A call of each of the eleven."""


@pytest.mark.parametrize("operation", CASES)
async def test_call_sends_what_the_notes_describe_and_reads_the_answer(operation: str) -> None:
    """Method, path and body are those of the notes, and the answer becomes a model."""
    case = CASES[operation]
    reply = Reply(case.answer, status=case.status)

    async with scripted(reply, profile="vendor-2026") as script:
        assert await case.call(script.nl) == case.gives

    [sent] = script.wire.sent
    assert (sent.operation, sent.method, sent.path) == (operation, case.method, case.path)
    assert (sent.json if sent.body else None) == case.body


@pytest.mark.parametrize("place", range(4))
async def test_once_selects_no_list_and_gives_the_place_of_the_upload(place: int) -> None:
    """A campaign to uploaded contacts has the body of a submit, without ``selectedLists``."""
    mailing = (CAMPAIGN, *AB_TESTS)[place]
    operation = "submitAbTestOnce" if place else "submitCampaignOnce"

    async with scripted(Reply({"sn": SN, "url": UPLOAD}), profile="vendor-2026") as script:
        calls: Any = script.nl.campaigns
        submit = calls.submit_ab_test_once if place else calls.submit_once
        assert await submit(mailing) == OnceTicket(campaign_sn=SN, url=UPLOAD)

    [sent] = script.wire.sent
    assert sent.operation == operation
    assert sent.json["form"] == {"name": mailing.name, "excludeLists": []}


ALIKE: Final = ContactFilter("MAIL_ADDRESS", "LIKE", "example.com")
REPEATED: Final = sorted(CASES.keys() - {"sendAutomationEvent"})
NEVER_REPEATED: Final[dict[str, Call]] = {
    "submitCampaignOnce": CALLS["submitCampaignOnce"],
    "submitAbTestOnce": CALLS["submitAbTestOnce"],
    "sendAutomationEvent": CALLS["sendAutomationEvent"],
    "removeContacts": lambda nl: nl.contacts.remove_contacts(ListSn("list"), ALIKE),
}
FAILURES: Final = ("server error", "reply lost", "not sent")
LOST: Final = (Reply(status=500), httpx.ReadError("the reply was lost"))


@pytest.mark.parametrize("failure", [*LOST, httpx.ConnectError("not sent")], ids=FAILURES)
async def test_what_reads_or_stops_is_repeated(failure: Reply | Exception) -> None:
    """A second time changes nothing: every read, pausing, deleting, and a removal by EQ."""
    for operation in REPEATED:
        case = CASES[operation]
        replies = (failure, Reply(case.answer, status=case.status))

        async with scripted(*replies, profile="vendor-2026") as script:
            await case.call(script.nl)

        assert script.wire.count(operation) == 2


@pytest.mark.parametrize("failure", LOST, ids=FAILURES[:2])
async def test_what_may_send_twice_is_never_repeated(failure: Reply | Exception) -> None:
    """A second ``once`` or event can send a second mail; a second removal can remove others."""
    for operation, call in NEVER_REPEATED.items():
        async with scripted(failure, profile="vendor-2026") as script:
            with pytest.raises(OutcomeUnknown):
                await call(script.nl)

        assert script.wire.count(operation) == 1


@pytest.mark.parametrize(
    ("operation", "answer"),
    [
        ("submitCampaignOnce", {"sn": SN}),
        ("submitAbTestOnce", {"url": UPLOAD}),
        ("sendAutomationEvent", {"success": ["john@example.com"]}),
        ("sendAutomationEvent", {"status": "ok"}),
    ],
)
async def test_unclear_acceptance_is_an_unknown_outcome(operation: str, answer: Any) -> None:
    """Only a code with a URL, and both lists of an event, say that it was taken (T122, T134)."""
    async with scripted(Reply(answer), profile="vendor-2026") as script:
        with pytest.raises(OutcomeUnknown) as caught:
            await CALLS[operation](script.nl)

    assert "@" not in str(caught.value)


@pytest.mark.parametrize("failure", LOST, ids=FAILURES[:2])
async def test_refused_stop_after_a_lost_one_may_be_stopped(failure: Reply | Exception) -> None:
    """The attempt that was lost may have paused it, which is why the next one is refused."""
    refusal = Reply({"code": "40007"}, 400)

    async with scripted(failure, refusal, profile="vendor-2026") as script:
        with pytest.raises(OutcomeUnknown):
            await script.nl.campaigns.pause(SN)
    async with scripted(refusal, profile="vendor-2026") as script:
        with pytest.raises(APIError) as caught:
            await script.nl.campaigns.pause(SN)

    assert caught.value.code == 40007
    assert "list, campaign, import or template" in str(caught.value)


async def test_deletion_says_whether_an_earlier_attempt_was_lost() -> None:
    """A code that is refused after a lost attempt may be that of a deleted campaign."""
    refusal = Reply({"success": [], "sendingCampaign": [], "badCampaigns": [SN]})
    found = []
    for replies in ((refusal,), (Reply(status=503), refusal)):
        async with scripted(*replies, profile="vendor-2026") as script:
            found.append(await script.nl.campaigns.delete([SN]))

    assert found == [
        DeleteOutcome(refused=(SN,)),
        DeleteOutcome(refused=(SN,), after_loss=True),
    ]


async def test_recipients_are_uploaded_as_they_are(tmp_path: Path) -> None:
    """A file or its content is sent to the URL of a matching ticket by one PUT."""
    file = tmp_path / "members.csv"
    file.write_bytes(csv_of(2).encode())
    async with connected(profile="vendor-2026") as bench:
        campaigns = bench.nl.campaigns
        for source in (file, csv_of(2).encode()):
            await campaigns.upload_once(await campaigns.submit_once(CAMPAIGN), source)
        await bench.clock.sleep(3_600)
        states = [
            (await campaigns.get_status(CampaignSn(each.sn))).state
            for each in bench.emulator.campaigns
        ]

        no_ticket: Any = await bench.nl.contacts.start_file_import()
        async with refused(bench.wire, ("ticket", "type")):
            await campaigns.upload_once(no_ticket, file)

    assert states == [CampaignState.COMPLETE] * 2
    assert (bench.emulator.mailings, len(bench.emulator.outbox)) == (2, 4)


@pytest.mark.parametrize(
    ("fault", "error"),
    [("lose_reply_to", OutcomeUnknown), ("fail", OutcomeUnknown), ("not_sent", None)],
)
async def test_upload_that_may_have_arrived_is_never_repeated(
    fault: str, error: type[Exception] | None
) -> None:
    """A second upload can send a second time; only an unsent attempt is repeated (T123)."""
    async with connected(profile="vendor-2026") as bench:
        ticket = await bench.nl.campaigns.submit_once(CAMPAIGN)
        getattr(bench.emulator, fault)("upload_once")
        with nullcontext() if error is None else pytest.raises(error):
            await bench.nl.campaigns.upload_once(ticket, csv_of(2).encode())
        await bench.clock.sleep(3_600)

    assert bench.emulator.count("upload_once") == 1
    assert bench.emulator.mailings <= 1
