"""The results of campaigns in numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from newsleopard_async import (
    AuthenticationError,
    CampaignSn,
    Polling,
    ServerError,
    from_plain,
    workflows,
)
from newsleopard_async.emulator import Switches
from newsleopard_async.workflows import CampaignSummary
from tests.clients import Reply, connected, refused, scripted

pytestmark = pytest.mark.anyio

UNKNOWN = Reply({"code": 40007, "message": "no such campaign"}, 400)


def row(sn: str, part: str | None = "TOTAL", **fields: Any) -> dict[str, Any]:
    """Make a row of metrics."""
    found = {"sn": sn, "name": "週年慶", "recipientCnt": 50, "delivered": 40, **fields}
    return found if part is None else {**found, "reportType": part}


async def test_campaigns_are_summarized_in_the_requested_order() -> None:
    """One request returns fifty campaigns, each once, in the order of the codes."""
    codes = [CampaignSn(f"c{number}") for number in range(60)]
    first, second = ([row(sn) for sn in reversed(some)] for some in (codes[:50], codes[50:]))
    async with scripted(Reply(first), Reply(second), profile="vendor-2026") as script:
        summaries = await workflows.summarize(script.nl, [*codes, codes[0]])

        assert [len(each.json["campaignSns"]) for each in script.wire.sent] == [50, 10]
    assert [each.campaign_sn for each in summaries] == codes
    assert {(each.name, each.recipients, each.source) for each in summaries} == {
        ("週年慶", 50, "metrics")
    }


def test_summary_shows_how_far_a_campaign_came() -> None:
    """A campaign that was stopped has more recipients than sent mails."""
    summary = CampaignSummary(
        campaign_sn=CampaignSn("c"), name="週年慶", recipients=20_000, delivered=5_718, bounced=105
    )
    name, recipients, *_ = str(summary).splitlines()

    assert name == "週年慶"
    assert recipients == "recipients        20,000   29.1 % of them delivered or bounced"
    assert str(CampaignSummary(campaign_sn=CampaignSn("c"))).startswith("recipients")


ROWS = {
    "total": ([row("c", "TEST_A", recipientCnt=10), row("c"), row("c", "WINNING")], 50, 2),
    "alone": ([row("c", None)], 50, 0),
    "no-total": ([row("c", "TEST_A"), row("c", "TEST_B")], None, 2),
    "part-alone": ([row("c", "TEST_A")], None, 1),
    "two-alone": ([row("c", None), row("c", None)], None, 0),
    "none": ([row("d")], None, 0),
}


@pytest.mark.parametrize(("rows", "recipients", "parts"), ROWS.values(), ids=ROWS)
async def test_only_the_total_counts(
    rows: list[Any], recipients: int | None, parts: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows are never added up; an unknown number is None, and a warning is logged."""
    async with scripted(Reply(rows), profile="vendor-2026") as script:
        [summary] = await workflows.summarize(script.nl, [CampaignSn("c")])

    assert (summary.recipients, len(summary.parts)) == (recipients, parts)
    assert summary.delivered_rate_percent is None
    assert ("are unknown" in caplog.text) is (recipients is None)
    assert from_plain(CampaignSummary, summary.to_dict()) == summary


async def test_unknown_code_hides_no_other() -> None:
    """If a platform refuses all codes for one, the halves are requested."""
    codes = [CampaignSn(sn) for sn in "abc"]
    replies = (UNKNOWN, Reply([row("a")]), UNKNOWN, UNKNOWN, Reply([row("c")]))
    async with scripted(*replies, profile="vendor-2026") as script:
        summaries = await workflows.summarize(script.nl, codes)

    assert [each.recipients for each in summaries] == [50, None, 50]


@pytest.mark.parametrize("profile", ["documented", "vendor-2026"])
async def test_metrics_and_report_agree(
    profile: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without metrics the report is counted, and nothing of it stays on the disk."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with connected(profile=profile) as bench:
        sn = await bench.send(rows=200)
        [summary] = await workflows.summarize(bench.nl, [sn])

        delivered = len(bench.emulator.outbox) - (summary.bounced or 0)
    assert summary.delivered == delivered > 100
    assert summary.source == ("report" if profile == "documented" else "metrics")
    assert summary.opened_rate_percent
    assert list(tmp_path.iterdir()) == []


async def test_campaign_without_a_report_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """It has no numbers, and a warning gives the reason; so has one with invalid files."""
    async with connected(switches=Switches(unfinished_is_40303=True)) as bench:
        sn = await bench.send()
        absent = CampaignSn("0" * 32)
        bad, good = await workflows.summarize(
            bench.nl, [absent, sn], polling=Polling(deadline_s=600)
        )

    assert (bad.delivered, bad.source) == (None, "report")
    assert good.delivered
    assert f"campaign {absent}: its numbers are unknown" in caplog.text


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        ([Reply(b"", 500)] * 5, ServerError),
        ([Reply(b"", 404), Reply(b"", 403)], AuthenticationError),
    ],
)
async def test_failure_is_raised(replies: list[Reply], error: type[Exception]) -> None:
    """A server that fails, and a key that is refused, are not campaigns without numbers."""
    async with scripted(*replies, profile="vendor-2026") as script:
        with pytest.raises(error):
            await workflows.summarize(script.nl, [CampaignSn("c")])


@pytest.mark.parametrize(
    ("codes", "problem"),
    [
        ([], ("campaign_sns", "required")),
        ("c1", ("campaign_sns", "type")),
        (["c1", ""], ("campaign_sns[1]", "required")),
    ],
)
async def test_bad_codes_are_refused(codes: Any, problem: tuple[str, str]) -> None:
    """No request is sent."""
    async with scripted() as script, refused(script.wire, problem):
        await workflows.summarize(script.nl, codes)
