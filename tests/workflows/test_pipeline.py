"""A pipeline is a span with its steps as children; their attributes are codes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from newsleopard_async import CampaignSn, InvalidRequest, OutcomeUnknown, workflows
from tests.clients import connected, csv_of
from tests.constants import CAMPAIGN, KEY
from tests.telemetry import Telemetry, collected

pytestmark = pytest.mark.anyio


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Telemetry]:
    """The spans that an exporter gets."""
    with collected(monkeypatch) as telemetry:
        yield telemetry


async def test_pipeline_is_a_span_with_its_steps_below(seen: Telemetry) -> None:
    """The check and the polling are spans too; the polling has an event per poll."""
    async with connected() as bench:
        outcome = await workflows.send_campaign(
            bench.nl, CAMPAIGN, contacts=csv_of(3), list_name="會員"
        )

    steps = ("check_contacts", "find_lists", "create_list", "import_text", "get_import")
    span = seen.span("newsleopard.send_campaign")
    polls = [each.name for each in seen.span("newsleopard.step.get_import").events]
    assert outcome.import_report is not None
    assert seen.children(span.name) == [
        f"newsleopard.step.{each}" for each in (*steps, "get_balance", "submit")
    ]
    assert seen.children("newsleopard.step.submit") == ["newsleopard.call.submit_campaign"]
    assert len(polls) > 1
    assert set(polls) == {"poll"}
    assert dict(span.attributes or {}) == {
        "newsleopard.campaign_sn": outcome.campaign_sn,
        "newsleopard.import_sn": outcome.import_report.import_sn,
        "newsleopard.list_sn": outcome.import_report.list_sn,
    }
    for secret in (KEY, "會員", "@example.com", CAMPAIGN.name):
        assert secret not in str(seen)


async def test_spans_of_parts_and_of_resumed_steps_say_so(seen: Telemetry, tmp_path: Path) -> None:
    """A step that was not done again has a span without a call below it."""
    kept = tmp_path / "kept.json"
    async with connected() as bench:
        for _ in range(2):
            await workflows.import_contacts(
                bench.nl, csv_of(300), list_name="a", part_bytes=4_000, checkpoint=kept
            )

    uploads = [
        dict(each.attributes or {})
        for each in seen.spans
        if each.name == "newsleopard.step.upload_file"
    ]
    parts = len(uploads) // 2
    assert parts > 1
    assert uploads == [
        {"newsleopard.step.part": part, "newsleopard.step.parts": parts} | more
        for more in ({}, {"newsleopard.resumed": True})
        for part in range(1, parts + 1)
    ]


async def test_span_of_a_failed_pipeline_has_the_class_of_its_error(seen: Telemetry) -> None:
    """Also with refused arguments; values in the form of an address are left out."""
    async with connected() as bench:
        bench.emulator.lose_reply_to("submit_campaign")
        with pytest.raises(OutcomeUnknown):
            await workflows.send_test(bench.nl, CAMPAIGN, to=["me@example.com"])
        with pytest.raises(InvalidRequest):
            await workflows.call_off(bench.nl, CampaignSn("me@example.com/"))

    failed = {
        each.name: (each.attributes or {})["error.type"]
        for each in seen.spans
        if "error.type" in (each.attributes or {}) and "call." not in each.name
    }
    assert failed == {
        "newsleopard.step.submit": "OutcomeUnknown",
        "newsleopard.send_campaign": "OutcomeUnknown",
        "newsleopard.send_test": "OutcomeUnknown",
        "newsleopard.call_off": "InvalidRequest",
    }
    assert seen.children("newsleopard.send_test") == ["newsleopard.send_campaign"]
    assert "me@example.com" not in str(seen)


async def test_cancelled_pipeline_is_not_an_error(seen: Telemetry) -> None:
    """It is marked as cancelled, with the code that it was about."""
    async with connected(profile="vendor-2026") as bench:
        sn = await bench.send(then_s=0)
        bench.emulator.hang("get_status", seconds=3_600)
        with bench.clock.deadline(5):
            await workflows.wait_for_campaign(bench.nl, sn)
        await anyio.lowlevel.checkpoint()

    attributes = dict(seen.span("newsleopard.wait_for_campaign").attributes or {})
    assert attributes == {"newsleopard.campaign_sn": sn, "newsleopard.cancelled": True}
