"""Every answer that the documentation prints is understood by the client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from newsleopard_async import (
    APIError,
    AuthenticationError,
    Balance,
    CampaignNotReportable,
    CampaignSn,
    ContactList,
    EventOutcome,
    FieldError,
    ImportResult,
    ImportSn,
    ImportStatus,
    InsufficientBalance,
    ListSn,
    NewsLeopard,
    NewsLeopardError,
    RateLimited,
    ReportLink,
    ReportType,
    RetryPolicy,
    SentCampaign,
    UnexpectedResponse,
    UploadTicket,
    with_lists,
)
from tests.clients import Reply, scripted
from tests.constants import AB_TESTS, CAMPAIGN
from tests.endpoints.test_later import CALLS as LATER_CALLS
from tests.openapi import openapi
from tests.requests_schema import Profile

pytestmark = pytest.mark.anyio

SN = "40280a3c6a0cb8c5016a10142a230002"
IMPORT_SN = ImportSn("45093ba5-4bb5-47b2-a2c7-40ae4ff646b6")
LISTS = [ListSn(SN)]
CSV = "EMAIL,NAME\na@example.com,A"
ONCE = RetryPolicy(max_attempts=1)
ORIGIN = "https://sample.domain/filename"

CALLS: dict[str, Callable[[NewsLeopard], Awaitable[object]]] = {
    "listSentCampaigns": lambda nl: nl.reports.list_campaigns(),
    "exportReport": lambda nl: nl.reports.export(CampaignSn(SN)),
    "getReportLinks": lambda nl: nl.reports.get_links(CampaignSn(SN)),
    "createFileImport": lambda nl: nl.contacts.start_file_import(),
    "createFileImportToList": lambda nl: nl.contacts.start_file_import(ListSn(SN)),
    "importText": lambda nl: nl.contacts.import_text(CSV),
    "importTextToList": lambda nl: nl.contacts.import_text(CSV, ListSn(SN)),
    "getImportResult": lambda nl: nl.contacts.get_import(IMPORT_SN),
    "createList": lambda nl: nl.contacts.create_list("VIP會員名單"),
    "listLists": lambda nl: nl.contacts.list_lists(),
    "submitCampaign": lambda nl: nl.campaigns.submit(with_lists(CAMPAIGN, LISTS)),
    "submitAbTest": lambda nl: nl.campaigns.submit_ab_test(with_lists(AB_TESTS[0], LISTS)),
    **LATER_CALLS,
}
"""A call of each of the 23 operations."""


def profile_of(operation: str) -> Profile:
    """Return which requests are allowed: what the documentation has is sent as it has it."""
    return "vendor-2026" if operation in LATER_CALLS else "documented"


def utc(*parts: int) -> datetime:
    """Build a time."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]  # ints, in order


MARCH = utc(2019, 3, 5, 8, 19, 26)
APRIL = utc(2019, 4, 1, 8, 38, 32, 569_000)
SENT = SentCampaign(
    sn=CampaignSn("402810c26cb86ad7016cb8b2414a0003"),
    name="活動名稱",
    sent_begin=APRIL,
    sent_end=utc(2019, 8, 27, 8, 8, 54, 90_000),
)
TICKET = UploadTicket(import_sn=IMPORT_SN, url="https://s3.amazonaws.com/...")
SAMPLE_LIST = ContactList(
    sn=ListSn(SN),
    name="2019-04-01T08:38:32.569Z",
    subscribed_count=4963,
    excluded_count=5,
    opened_rate_percent=66.6667,
    clicked_rate_percent=0.0,
    status="GENERAL",
    type=0,
    created=utc(2019, 4, 12, 5, 45, 18),
    updated=utc(2019, 4, 12, 5, 45, 18),
)
EXPECTED: dict[tuple[str, str], object] = {
    ("listSentCampaigns", "docsSample"): (SENT,),
    ("listSentCampaigns", "asSchema"): (SENT,),
    ("getReportLinks", "docsSample"): (
        ReportLink(type=ReportType.DELIVERY, url=f"{ORIGIN}-delivery.cs", created=APRIL),
    ),
    ("getReportLinks", "docsSchemaExample"): tuple(
        ReportLink(type=ReportType(kind), url=f"{ORIGIN}-{kind}.csv", created=APRIL)
        for kind in ("delivery", "open", "click", "bounce", "unsubscribe", "complain")
    ),
    ("createFileImport", "docs"): TICKET,
    ("createFileImportToList", "docs"): TICKET,
    ("importText", "docs"): TICKET.import_sn,
    ("importTextToList", "docs"): TICKET.import_sn,
    ("getImportResult", "docsSample"): ImportResult(
        import_sn=TICKET.import_sn,
        status=ImportStatus.PROCESSING,
        file_count=100,
        inserted=85,
        duplicates=5,
        errors=10,
        created=MARCH,
        completed=MARCH,
        error_url="https://s3.amazonaws.com/prod-member-upload/import/xxx/error-file.csv",
    ),
    ("createList", "docs"): "群組代碼",
    ("listLists", "docsSample"): (SAMPLE_LIST,),
    ("submitCampaign", "docs"): "活動代碼",
    ("submitAbTest", "docs"): "活動代碼",
    ("getBalance", "docs"): Balance(mails=10, sms=20),
    ("sendAutomationEvent", "docs"): EventOutcome(
        accepted=("john@example.com",),
        refused={
            "invalid-email": "Invalid: address is not a valid email format",
            "long_var@example.com": (
                "Invalid: the value of recipient variables should under 100 characters"
            ),
        },
    ),
}


def followed(node: Any) -> Any:
    """Follow a reference inside the document."""
    if "$ref" not in node:
        return node
    found = openapi()
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return followed(found)


def operations() -> Iterator[Any]:
    """Read the 23 operations."""
    for item in openapi()["paths"].values():
        yield from (item[method] for method in ("get", "post", "patch", "delete") if method in item)


def examples(status: str, *, source: str | None = None) -> Iterator[Any]:
    """Read the example answers of a status, perhaps of the operations of one source."""
    for operation in operations():
        if source in (None, operation["x-source"]):
            answer = followed(operation["responses"].get(status, {}))
            content = answer.get("content", {}).get("application/json", {})
            for name, example in content.get("examples", {}).items():
                yield pytest.param(operation["operationId"], name, example["value"])


def test_every_operation_has_a_call() -> None:
    """What openapi.yaml describes is what the client does."""
    assert {each["operationId"] for each in operations()} == CALLS.keys()
    assert len(CALLS) == 23


@pytest.mark.parametrize(("operation", "name", "answer"), list(examples("200")))
async def test_example_of_success_is_understood(operation: str, name: str, answer: object) -> None:
    """What the documentation prints arrives as the model that it means."""
    async with scripted(Reply(answer), profile=profile_of(operation)) as script:
        result = await CALLS[operation](script.nl)

    if (operation, name) == ("listLists", "docsSchemaExample"):
        assert isinstance(result, tuple)
        assert [each.name for each in result] == ["0412", "0305", "測試用"]
        assert [each.subscribed_count for each in result] == [4963, 5, 3]
    else:
        assert result == EXPECTED[operation, name]


FORBIDDEN = (AuthenticationError, None)
REFUSALS: dict[str, tuple[type[NewsLeopardError], int | None]] = {
    "forbidden": FORBIDDEN,
    "docs40303": (CampaignNotReportable, 40303),
    "docsSample": (FieldError, 40001),
    "docsFragment": (FieldError, 40001),
    "insufficientBalance": (InsufficientBalance, 40012),
}


@pytest.mark.parametrize(("status", "source"), [("400", None), ("403", "seed")])
async def test_example_of_a_refusal_is_understood(status: str, source: str | None) -> None:
    """Each documented refusal of each operation arrives as its class, with its code."""
    for operation, name, answer in (each.values for each in examples(status, source=source)):
        profile = profile_of(operation)
        async with scripted(Reply(answer, int(status)), profile=profile) as script:
            error, code = REFUSALS[name]
            with pytest.raises(error) as caught:
                await CALLS[operation](script.nl)

        assert isinstance(caught.value, APIError)
        assert (type(caught.value), caught.value.status) == (error, int(status))
        assert caught.value.code == code


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"message": "Limit Exceeded"}, 429),
        Reply({"message": "too many requests"}, 429),
        Reply({"message": "Limit Exceeded"}, 403),
        Reply(b"limit exceeded", 500),
        Reply(b"", 429),
    ],
)
async def test_throttle_text_means_rate_limited(reply: Reply) -> None:
    """The throttle's text counts with any status, and the status counts with any text (T06)."""
    for operation, call in CALLS.items():
        async with scripted(reply, retry=ONCE, profile=profile_of(operation)) as script:
            with pytest.raises(RateLimited) as caught:
                await call(script.nl)

        assert caught.value.retry_after_s > 0


STRANGE: list[tuple[str, object]] = [
    ("listSentCampaigns", {"campaigns": [], "others": []}),
    ("listSentCampaigns", {"total": 3}),
    ("listSentCampaigns", [{"name": "without a code"}]),
    ("getReportLinks", {"link": "soon"}),
    ("getReportLinks", [{"reportType": "open", "link": "http://plain.example/y"}]),
    ("createFileImport", {"import_sn": "1"}),
    ("createFileImport", {"import_sn": "1", "url": "ftp://x.example/y"}),
    ("importText", {}),
    ("importTextToList", {"import_sn": 5.5}),
    ("getImportResult", {"import_sn": TICKET.import_sn}),
    ("listLists", {"groups": [], "others": []}),
    ("listLists", [{"name": "without a code"}]),
    ("listLists", "nothing"),
    ("listLists", b"<html>"),
    ("getBalance", ["10"]),
    ("getCampaignStatus", {"state": "SENDING"}),
    ("getCampaignStatus", [{"status": "SENDING"}]),
    ("deleteCampaigns", []),
    ("deleteCampaigns", "deleted"),
    ("getCampaignMetrics", {"a": [], "b": []}),
    ("getCampaignMetrics", "none"),
    ("listTemplates", {"total": 3}),
    ("getTemplate", {"id": "7", "name": "範本"}),
]


@pytest.mark.parametrize(("operation", "answer"), STRANGE)
async def test_undocumented_answer_fails_loudly(operation: str, answer: object) -> None:
    """What decides something and cannot be understood is never guessed."""
    async with scripted(Reply(answer), profile=profile_of(operation)) as script:
        with pytest.raises(UnexpectedResponse) as caught:
            await CALLS[operation](script.nl)

    assert caught.value.status == 200
    assert caught.value.excerpt


async def test_field_that_cannot_be_read_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """An answer arrives without what decides nothing; one line names the fields, not the values.

    Each look at a job would say the same again.
    """
    row = {"sn": SN, "createDate": "yesterday", "updateDate": "today", "subscribedCnt": "many"}
    async with scripted(*[Reply([row, row])] * 2) as script:
        await script.nl.contacts.list_lists()
        found = await script.nl.contacts.list_lists()

    assert found == (ContactList(sn=ListSn(SN)),) * 2
    (line,) = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert line == (
        "the answer to list_lists is not as documented: "
        "$[0].subscribedCnt is not a number, $[0].createDate is not a time, "
        "$[0].updateDate is not a time, $[1].subscribedCnt is not a number, "
        "$[1].createDate is not a time, and 1 more"
    )
