"""The id of a request is in each place where a person looks for it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from newsleopard_async import (
    CampaignSn,
    DeadlineExceeded,
    ImportSn,
    NewsLeopardError,
    Polling,
    RateLimits,
    RetryPolicy,
    workflows,
)
from newsleopard_async.workflows import Checkpoint, Event
from newsleopard_async.workflows.run_record import checksum
from tests.clients import Bench, checkpoint_of, connected, csv_of
from tests.constants import CAMPAIGN

pytestmark = pytest.mark.anyio

VENDOR: Final[dict[str, Any]] = {"profile": "vendor-2026", "limits": RateLimits.vendor_2026()}
ALONE: Final = RetryPolicy(max_attempts=1)
NEW: Final[dict[str, Any]] = {"contacts": csv_of(3), "list_name": "會員"}
SHORT: Final = Polling(first_s=9, deadline_s=9, jitter=0)
SOON: Final = Polling(grace_s=1)

Call = Callable[[Bench], Awaitable[object]]


def id_of(bench: Bench, operation: str) -> str:
    """Return the id of the last answer to an operation."""
    return [each.request_id for each in bench.emulator.requests if each.operation == operation][-1]


async def test_outcomes_and_events_have_the_ids_of_their_requests(tmp_path: Path) -> None:
    """For import, submit, export and a campaign that is sent once; also if resumed."""
    events: list[Event] = []
    kept = tmp_path / "kept.json"
    async with connected(**VENDOR) as bench:
        sent = await workflows.send_campaign(
            bench.nl, CAMPAIGN, checkpoint=kept, progress=events.append, **NEW
        )
        again = await workflows.send_campaign(
            bench.nl, CAMPAIGN, checkpoint=kept, progress=events.append, **NEW
        )
        await bench.clock.sleep(86_400)
        report = await workflows.export_report(bench.nl, sent.campaign_sn)
        again_within_the_hour = await workflows.export_report(bench.nl, sent.campaign_sn)
        once = await workflows.send_once(bench.nl, CAMPAIGN, csv_of(3))
        told = {(each.step, each.state): each.request_id for each in events}

        assert sent.request_id == id_of(bench, "submit_campaign")
        assert sent.import_report is not None
        assert sent.import_report.request_id == id_of(bench, "import_text")
        assert report.request_id == id_of(bench, "export_report")
        assert once.request_id == id_of(bench, "submit_once")
        assert told["get_import", "finished"] == id_of(bench, "get_import")

    assert again == sent
    assert told["submit", "finished"] == told["submit", "resumed"] == sent.request_id
    assert told["check_contacts", "finished"] is None
    assert again_within_the_hour.request_id is None
    assert (await Checkpoint.load(kept)).records["submit"].request_id == sent.request_id


async def test_parts_have_the_id_of_the_last_upload() -> None:
    """The errors have the id of the ticket, not of the storage."""
    events: list[Event] = []
    async with connected() as bench:
        report = await workflows.import_contacts(
            bench.nl, csv_of(300), list_name="a", part_bytes=4_000, progress=events.append
        )
        ids = [each.request_id for each in bench.emulator.requests]
        tickets = [
            each for each in bench.emulator.requests if each.operation == "start_file_import"
        ]

    uploads = [each for each in events if (each.step, each.state) == ("upload_file", "finished")]
    assert [each.request_id for each in uploads] == [each.request_id for each in tickets]
    assert report.request_id == tickets[-1].request_id
    assert len(set(ids)) == len(ids)


async def test_checkpoint_without_ids_resumes(tmp_path: Path) -> None:
    """A checkpoint of version 2 has no id, and its outcome has none either."""
    kept = tmp_path / "kept.json"
    async with connected() as bench:
        sent = await workflows.send_campaign(bench.nl, CAMPAIGN, checkpoint=kept, **NEW)
        data = json.loads(kept.read_text())
        assert [record.pop("request_id") for record in data["records"].values()]
        assert data.pop("version") == 4
        del data["checksum"]
        data["version"] = 2
        kept.write_text(json.dumps({**data, "checksum": checksum(data)}))
        again = await workflows.send_campaign(bench.nl, CAMPAIGN, checkpoint=kept, **NEW)

    assert again.import_report is not None
    assert (again.request_id, again.import_report.request_id) == (None, None)
    assert "request_id" not in again.to_dict()
    assert again.campaign_sn == sent.campaign_sn


async def _send(bench: Bench, **options: Any) -> object:
    return await workflows.send_campaign(bench.nl, CAMPAIGN, **(NEW | options))


async def _submit_fails(bench: Bench) -> object:
    bench.emulator.fail("submit_campaign", 500)
    return await _send(bench)


async def _held(bench: Bench) -> Checkpoint:
    """Leave a checkpoint of a submit whose answer cannot be used."""
    bench.emulator.fail("submit_campaign", 200, body=b"{}")
    with pytest.raises(NewsLeopardError) as caught:
        await _send(bench)
    return checkpoint_of(caught.value)


async def _resume_held(bench: Bench) -> object:
    return await _send(bench, checkpoint=await _held(bench))


async def _call_off_held(bench: Bench) -> object:
    return await workflows.call_off(bench.nl, checkpoint=await _held(bench))


async def _import_is_unknown(bench: Bench) -> object:
    return await workflows.wait_for_import(bench.nl, ImportSn("0" * 32), polling=SOON)


async def _import_is_late(bench: Bench) -> object:
    return await workflows.wait_for_import(bench.nl, ImportSn("0" * 32), polling=SHORT)


async def _campaign_is_late(bench: Bench) -> object:
    return await workflows.wait_for_campaign(bench.nl, CampaignSn("0" * 32), polling=SHORT)


async def _answer_is_about_another(bench: Bench) -> object:
    body = {"sn": "other", "name": "a", "status": "SENT"}
    bench.emulator.fail("get_status", 200, body=json.dumps(body).encode())
    return await workflows.wait_for_campaign(bench.nl, CampaignSn("c1"))


async def _export_is_refused(bench: Bench) -> object:
    sn = await bench.send(then_s=0)
    bench.emulator.fail("export_report", 403, body=b'{"code": "40303"}')
    return await workflows.export_report(bench.nl, sn)


async def _once(bench: Bench, operation: str) -> object:
    bench.emulator.fail(operation, 500)
    return await workflows.send_once(bench.nl, CAMPAIGN, csv_of(3))


async def _once_is_not_made(bench: Bench) -> object:
    return await _once(bench, "submit_once")


async def _once_is_not_uploaded(bench: Bench) -> object:
    return await _once(bench, "upload_once")


async def _event_fails(bench: Bench) -> object:
    bench.emulator.fail("send_event", 500)
    return await workflows.trigger_automation(bench.nl, "script", csv_of(3))


async def _cannot_be_stopped(bench: Bench) -> object:
    sent = await workflows.send_campaign(bench.nl, CAMPAIGN, hold=timedelta(hours=1), **NEW)
    bench.emulator.fail("pause_campaign", 400, body=b'{"code": 40004}')
    bench.emulator.fail("delete_campaigns", 200, body=b"{}")
    return await workflows.call_off(bench.nl, sent.campaign_sn)


async def _import_ends_badly(bench: Bench) -> object:
    bench.emulator.script_import("MISSING_REQUIRED_DATA")
    return await _send(bench)


async def _rows_are_missing(bench: Bench) -> object:
    def count_fewer(event: Event) -> None:
        if (event.step, event.state) == ("get_import", "started"):
            said = {"import_sn": bench.emulator.imports[-1].sn, "status": "COMPLETE", "fileCnt": 1}
            bench.emulator.fail("get_import", 200, body=json.dumps(said).encode())

    return await _send(bench, progress=count_fewer)


async def _rows_are_rejected(bench: Bench) -> object:
    return await _send(bench, contacts=f"{csv_of(2)}absent,a\n", check=False)


async def _campaign_is_stopped(bench: Bench) -> object:
    bench.emulator.script_campaign("STOP")
    return await _send(bench, wait="sent")


async def _balance_is_low(bench: Bench) -> object:
    bench.emulator.balance = 0
    return await _send(bench, balance="refuse")


async def _list_is_ambiguous(bench: Bench) -> object:
    async def create_others(event: Event) -> None:
        if (event.step, event.state) == ("create_list", "failed"):
            for _ in range(2):
                await bench.nl.contacts.create_list("會員")

    bench.emulator.fail("create_list", 500)
    return await _send(bench, progress=create_others)


REPLACED: Final[dict[str, tuple[Call, str]]] = {
    "submit": (_submit_fails, "submit_campaign"),
    "submit-of-earlier-run": (_resume_held, "submit_campaign"),
    "call-off-of-submit": (_call_off_held, "submit_campaign"),
    "import-unknown": (_import_is_unknown, "get_import"),
    "import-late": (_import_is_late, "get_import"),
    "campaign-late": (_campaign_is_late, "get_status"),
    "other-campaign": (_answer_is_about_another, "get_status"),
    "export": (_export_is_refused, "export_report"),
    "submit-once": (_once_is_not_made, "submit_once"),
    "upload-once": (_once_is_not_uploaded, "upload_once"),
    "event": (_event_fails, "send_event"),
    "stop": (_cannot_be_stopped, "pause_campaign"),
    "import-failed": (_import_ends_badly, "get_import"),
    "rows-missing": (_rows_are_missing, "get_import"),
    "rows-rejected": (_rows_are_rejected, "get_import"),
    "campaign-failed": (_campaign_is_stopped, "get_status"),
    "balance": (_balance_is_low, "get_balance"),
}
"""Pipelines that raise their own error about the content of an answer."""


@pytest.mark.parametrize("name", REPLACED)
async def test_error_in_the_place_of_an_answers_has_its_id(name: str) -> None:
    """Every error about an answer has the id of the answer."""
    call, operation = REPLACED[name]
    async with connected(**VENDOR, retry=ALONE) as bench:
        with pytest.raises(NewsLeopardError) as caught:
            await call(bench)

        assert caught.value.request_id == id_of(bench, operation)


async def test_ambiguous_list_has_the_id_of_the_creation() -> None:
    """The lists were found because the answer to the creation could not be used."""
    async with connected(retry=ALONE) as bench:
        with pytest.raises(NewsLeopardError, match="2 lists have it") as caught:
            await _list_is_ambiguous(bench)
        [first, *_] = [
            each.request_id for each in bench.emulator.requests if each.operation == "create_list"
        ]

    assert caught.value.request_id == first


async def test_deadline_without_a_refused_poll_has_no_id() -> None:
    """No answer was wrong; the checkpoint and the events have the other ids."""
    events: list[Event] = []
    async with connected() as bench:
        bench.emulator.stick_import()
        with pytest.raises(DeadlineExceeded) as caught:
            await _send(bench, polling=SHORT, progress=events.append)

    assert caught.value.request_id is None
    assert (events[-1].state, events[-1].request_id) == ("failed", None)
    assert checkpoint_of(caught.value).records["import_text"].request_id is not None
