"""Everything public that has ``to_dict()`` gives exactly plain data."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import attrs
import pytest

import newsleopard_async
from newsleopard_async import (
    ApiAttempt,
    AttemptOutcome,
    Balance,
    CampaignMetrics,
    CampaignSn,
    CampaignState,
    CampaignStatus,
    CheckReport,
    ContactFilter,
    ContactList,
    ContactsReport,
    DeleteOutcome,
    EventOutcome,
    Finding,
    FooterLanguage,
    GoogleAnalytics,
    ImportResult,
    ImportSn,
    ImportStatus,
    ListSn,
    OnceTicket,
    RawAnswer,
    Recipient,
    ReportLink,
    ReportType,
    SendAt,
    SendNow,
    SentCampaign,
    Template,
    UploadTicket,
    workflows,
)
from newsleopard_async.models import Polling, Usage
from newsleopard_async.models.metrics import ReportSummary
from newsleopard_async.models.reports import RejectedRow, ReportRow
from newsleopard_async.plain import Plain, from_plain
from newsleopard_async.workflows import (
    AutomationOutcome,
    CalledOff,
    CampaignReport,
    CampaignSummary,
    Event,
    ImportReport,
    OnceOutcome,
    ReportFile,
    ReportState,
    RunState,
    SendOutcome,
)
from tests.clients import connected
from tests.constants import AB_TESTS, CAMPAIGN, SENDER
from tests.plainness import assert_exactly_plain

NOW = datetime(2026, 1, 5, 2, 0, 0, 90_000, tzinfo=UTC)
RESULT = ImportResult(
    import_sn=ImportSn("i"),
    status=ImportStatus("STRANGE"),
    errors=1,
    created=NOW,
    error_url="https://s.example/e.csv?Signature=1",
)
IMPORT = ImportReport(list_sn=ListSn("a"), import_sn=ImportSn("i"), result=RESULT)
STATE = ReportState(type=ReportType.OPEN, created=NOW)
FINDING = Finding(
    level="warning", rule="empty-name", message="has no name", line=7, column="NAME", places=(7,)
)
SUMMARY = ReportSummary(campaign_sn=CampaignSn("c"), delivered=1, events={"delivery": 2})
METRICS = CampaignMetrics(sn=CampaignSn("c"), part="TOTAL", revenue=Decimal("1.50"), sent_begin=NOW)
ROWS = (
    RejectedRow(line=2, email="absent", reason="INVALID_EMAIL", values={"EMAIL": "absent"}),
    ReportRow(email="a@example.com", at=NOW, url="https://example.com/", values={"A": "1"}),
)
FILE = ReportFile(type=ReportType("odd"), path=Path("a") / "b.csv", size_bytes=3)

EXAMPLES: tuple[Plain, ...] = (
    Polling(first_s=1, deadline_s=60),
    attrs.evolve(
        CAMPAIGN,
        lists=[ListSn("a")],
        schedule=SendAt(NOW),
        ga=GoogleAnalytics(campaign="c", content="d", ecommerce=True),
        footer=FooterLanguage.ENGLISH,
    ),
    *AB_TESTS,
    ContactList(sn=ListSn("a"), opened_rate_percent=66.6667, created=NOW),
    GoogleAnalytics(campaign="c", content="d"),
    RESULT,
    ReportLink(type=ReportType.OPEN, url="https://s.example/o.csv?Signature=1", created=NOW),
    SendAt(NOW),
    SendNow(),
    SENDER,
    Balance(mails=1),
    ApiAttempt(
        operation="submit_campaign",
        method="POST",
        path="/v1/campaign/normal/submit",
        attempt=1,
        waited_s=0.5,
        headers={"traceparent": "00-1-2-01"},
    ),
    AttemptOutcome(
        status=200, failure=None, duration_s=0.1, request_id="r", headers={"via": "1.1 x"}
    ),
    RawAnswer(status=200, headers={"content-type": "application/json"}, json={"sn": "c"}),
    CampaignStatus(sn=CampaignSn("c"), state=CampaignState.STOP, has_content=(True, False)),
    DeleteOutcome(deleted=(CampaignSn("c"),)),
    OnceTicket(campaign_sn=CampaignSn("c"), url="https://s.example/u.csv?Signature=1"),
    METRICS,
    Template(id="7", name="範本", html="<p></p>"),
    Recipient("A", "a@example.com", {"ORDER": "1"}),
    EventOutcome(accepted=("a@example.com",), refused={"b": "no"}),
    ContactFilter("NAME", "EQ", "A"),
    SentCampaign(sn=CampaignSn("c"), name="週年慶", sent_end=NOW),
    UploadTicket(import_sn=ImportSn("i"), url="https://s.example/u.csv?Signature=1"),
    Usage(used=1, limit=None, remaining=None, resets_at=NOW),
    CampaignReport(campaign_sn=CampaignSn("c"), unchanged=True, available=(STATE,), files=(FILE,)),
    Event(pipeline="p", step="submit", state="finished", elapsed_s=0.5, result=RESULT.to_dict()),
    IMPORT,
    FILE,
    STATE,
    SUMMARY,
    CampaignSummary(campaign_sn=CampaignSn("c"), sent_end=NOW, parts=(METRICS,)),
    *ROWS,
    FINDING,
    CalledOff(
        how="paused",
        campaign_sn=CampaignSn("c"),
        after=CampaignStatus(sn=CampaignSn("c"), state=CampaignState.STOP, updated=NOW),
    ),
    AutomationOutcome(accepted=1, refused=1, unknown=0, requests=1, reasons={"b": "no"}),
    OnceOutcome(campaign_sn=CampaignSn("c"), addresses=8, recipients=7),
    RunState(
        send_key="週年慶-2027",
        state="held",
        pipeline="send_campaign",
        step="submit",
        list_sn=ListSn("a"),
        error="OutcomeUnknown",
        look_again_at=NOW,
    ),
    CheckReport(findings=(FINDING,)),
    ContactsReport(findings=(FINDING,), columns=("EMAIL", "NAME"), left_out_to=Path("a.csv")),
    SendOutcome(campaign_sn=CampaignSn("c"), import_report=IMPORT),
)


def test_every_public_class_has_an_example() -> None:
    """No model, outcome or event is forgotten here."""
    faces = [
        getattr(each, name) for each in (newsleopard_async, workflows) for name in each.__all__
    ]
    public = {each for each in faces if isinstance(each, type) and issubclass(each, Plain)}

    assert public <= {type(example) for example in EXAMPLES}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: type(each).__name__)
def test_data_is_exactly_plain(example: Plain) -> None:
    """Any JSON writer accepts it: text is exactly ``str``, not a subclass."""
    data = example.to_dict()

    assert_exactly_plain(data)
    assert "Signature" not in str(data)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: type(each).__name__)
def test_data_can_be_read_back(example: Plain) -> None:
    """The arguments are complete again after storage, except for presigned URLs."""
    again = from_plain(type(example), example.to_dict())

    assert again.to_dict() == example.to_dict()
    assert type(again) is type(example)


@pytest.mark.anyio
async def test_usage_of_a_client_is_plain() -> None:
    """The day's estimate can be shown as JSON."""
    async with connected() as bench:
        await bench.nl.contacts.list_lists()
        data = bench.nl.usage.to_dict()

    assert_exactly_plain(data)
    assert data["used"] == 1
