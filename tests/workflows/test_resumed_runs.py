"""A resumed run uses its checkpoint, even if its arguments differ this time."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from newsleopard_async import (
    ConnectionFailed,
    FieldError,
    ImportIncomplete,
    InvalidRequest,
    NewsLeopardError,
    OutcomeUnknown,
    workflows,
)
from newsleopard_async.workflows import Checkpoint, ImportReport, SendOutcome
from tests.clients import Bench, checkpoint_of, connected, csv_of
from tests.constants import CAMPAIGN

pytestmark = pytest.mark.anyio

ONE_DAY_S = 86_400
ONE_BAD = csv_of(3) + "absent,誰\n"


async def send(bench: Bench, **options: Any) -> SendOutcome:
    """Send to a new list."""
    options = {"contacts": ONE_BAD, "list_name": "會員", "max_rejected": 1, **options}
    return await workflows.send_campaign(bench.nl, CAMPAIGN, **options)


async def import_only(bench: Bench, **options: Any) -> ImportReport:
    """Import into a new list."""
    options = {"contacts": ONE_BAD, "list_name": "會員", **options}
    return await workflows.import_contacts(bench.nl, **options)


PIPELINES: dict[str, Any] = {"send": send, "import": import_only}


async def lose_submit(bench: Bench, kept: Path) -> None:
    """Send, and lose the reply."""
    bench.emulator.lose_reply_to("submit_campaign")
    with pytest.raises(OutcomeUnknown):
        await send(bench, checkpoint=kept)


@pytest.mark.parametrize("stricter", [{"max_rejected": 0}, {"strict": True}])
async def test_submit_in_doubt_is_looked_up_under_a_stricter_limit(
    stricter: dict[str, Any], tmp_path: Path
) -> None:
    """The error never says "nothing was sent" while a campaign is in doubt."""
    kept = tmp_path / "checkpoint.json"
    async with connected() as bench:
        await lose_submit(bench, kept)
        await bench.clock.sleep(ONE_DAY_S)

        outcome = await send(bench, checkpoint=kept, **stricter)

    assert outcome.campaign_sn == bench.emulator.campaigns[0].sn
    assert bench.emulator.submitted == 1


async def test_finished_send_returns_its_outcome_under_a_stricter_limit(tmp_path: Path) -> None:
    """A campaign that was sent stays sent, even with stricter arguments."""
    kept = tmp_path / "checkpoint.json"
    async with connected() as bench:
        first = await send(bench, checkpoint=kept)

        second = await send(bench, checkpoint=kept, max_rejected=0)

    assert second.campaign_sn == first.campaign_sn
    assert bench.emulator.submitted == 1


async def test_refused_preheader_comes_and_goes_with_one_checkpoint(tmp_path: Path) -> None:
    """An argument can be removed or changed until the submit; the import stays (T82)."""
    kept: dict[str, Any] = {"checkpoint": tmp_path / "checkpoint.json", "list_name": "會員"}
    kept["contacts"] = csv_of(3)
    mailing = attrs.evolve(CAMPAIGN, preheader="預覽")
    async with connected() as bench:
        with pytest.raises(FieldError, match=r"content\.preheader"):
            await workflows.send_campaign(bench.unchecked(), mailing, **kept)
        bench.emulator.not_sent("submit_campaign", times=5)
        with pytest.raises(ConnectionFailed):
            await workflows.send_campaign(bench.nl, CAMPAIGN, **kept)
        bench.emulator.clear_faults()
        bench.emulator.switch(vendor_limits=True)
        await workflows.send_campaign(bench.unchecked(), mailing, **kept)

    assert bench.emulator.count("import_text") == 1
    assert [each.body.variants[0].preheader for each in bench.emulator.campaigns] == ["預覽"]


async def test_other_input_of_a_submit_in_doubt_cannot_start_a_new_run(tmp_path: Path) -> None:
    """Contacts that were mended since are other contacts; another checkpoint would send twice."""
    kept = tmp_path / "checkpoint.json"
    async with connected() as bench:
        await lose_submit(bench, kept)

        with pytest.raises(InvalidRequest, match="start no new run"):
            await send(bench, checkpoint=kept, contacts=csv_of(3))

    assert bench.emulator.submitted == 1


async def test_other_input_before_a_submit_can_start_a_new_run(tmp_path: Path) -> None:
    """Before a submit, the way out is another checkpoint."""
    kept = tmp_path / "checkpoint.json"
    async with connected() as bench:
        with pytest.raises(ImportIncomplete):
            await send(bench, checkpoint=kept, max_rejected=0, check=False)

        with pytest.raises(InvalidRequest, match="another checkpoint to start"):
            await send(bench, checkpoint=kept, contacts=csv_of(3))


@pytest.mark.parametrize("as_object", [False, True])
async def test_unusable_contacts_still_tell_what_was_done(as_object: bool, tmp_path: Path) -> None:
    """An exhausted iterator is not a CSV file; the error has the earlier checkpoint."""
    kept = tmp_path / "checkpoint.json"
    async with connected() as bench:
        await lose_submit(bench, kept)
        given = await Checkpoint.load(kept) if as_object else kept

        with pytest.raises(InvalidRequest) as caught:
            await send(bench, checkpoint=given, contacts=iter(()))

    assert "submit" in checkpoint_of(caught.value).records


@pytest.mark.parametrize("pipeline", PIPELINES)
async def test_unusable_contacts_without_a_checkpoint_are_refused(
    pipeline: str, tmp_path: Path
) -> None:
    """Without a checkpoint, or with an empty one, the error has none."""
    missing = tmp_path / "missing.json"
    async with connected() as bench:
        for kept in (None, missing):
            with pytest.raises(InvalidRequest) as caught:
                await PIPELINES[pipeline](bench, checkpoint=kept, contacts=b"")

            assert caught.value.checkpoint is None

    assert bench.emulator.requests == ()


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"marker": 5}, ["marker"]),
        ({"marker": " "}, ["marker"]),
        ({"marker": "a\nb"}, ["marker"]),
        ({"marker": "", "polling": 5}, ["marker", "polling"]),
        ({"progress": 5}, ["progress"]),
    ],
)
async def test_option_needed_late_is_refused_at_once(
    options: dict[str, Any], fields: list[str]
) -> None:
    """An argument that is used only after the import is checked before it."""
    async with connected() as bench:
        with pytest.raises(InvalidRequest) as caught:
            await send(bench, **options)

    assert [each.field for each in caught.value.problems] == fields
    assert bench.emulator.requests == ()


@pytest.mark.parametrize("option", ["polling", "progress"])
async def test_other_pipelines_refuse_it_too(option: str) -> None:
    """With an invalid polling, no request is sent."""
    wrong: dict[str, Any] = {option: 5}
    async with connected() as bench:
        nl, campaign_sn = bench.nl, await bench.send()
        before = len(bench.emulator.requests)
        for call in (
            workflows.import_contacts(nl, csv_of(1), list_name="a", **wrong),
            workflows.wait_for_import(nl, bench.emulator.imports[0].sn, **wrong),  # type: ignore[arg-type]  # the emulator's codes are bare text
            workflows.export_report(nl, campaign_sn, **wrong),
            workflows.wait_for_report(nl, campaign_sn, **wrong),
            workflows.find_campaign(nl, "nl", since=bench.clock.now(), **wrong),
        ):
            with pytest.raises(InvalidRequest, match=option):
                await call

    assert len(bench.emulator.requests) == before


@pytest.mark.parametrize("pipeline", PIPELINES)
async def test_left_out_rows_do_not_replace_the_checkpoint(pipeline: str, tmp_path: Path) -> None:
    """Two files of the same name would become one, with the wrong content."""
    kept = tmp_path / "checkpoint.json"
    options: dict[str, Any] = {
        "checkpoint": kept,
        "left_out_to": tmp_path / "x" / ".." / kept.name,
        "fix": "leave-out-bad-rows",
    }
    async with connected() as bench:
        with pytest.raises(InvalidRequest, match="is the checkpoint"):
            await PIPELINES[pipeline](bench, **options)

    assert not kept.exists()


async def test_refused_send_leaves_the_left_out_rows_of_an_earlier_one(tmp_path: Path) -> None:
    """The file lists who got no mail in the last send; a run that sends nothing keeps it."""
    left_out = tmp_path / "left-out.csv"
    options: dict[str, Any] = {"fix": "leave-out-bad-rows", "left_out_to": left_out}
    async with connected() as bench:
        await send(bench, **options)
        before = left_out.read_text("utf-8")
        with contextlib.suppress(NewsLeopardError):
            await send(
                bench, contacts=csv_of(3) + "absent2,誰\n", marker=None, strict=True, **options
            )

    assert "absent" in before
    assert left_out.read_text("utf-8") == before


@pytest.mark.parametrize("pipeline", PIPELINES)
async def test_finished_run_leaves_the_left_out_rows_as_they_are(
    pipeline: str, tmp_path: Path
) -> None:
    """Resuming a finished run changes no file, because the user can have corrected it."""
    left_out = tmp_path / "left-out.csv"
    options: dict[str, Any] = {
        "checkpoint": tmp_path / "checkpoint.json",
        "fix": "leave-out-bad-rows",
        "left_out_to": left_out,
    }
    async with connected() as bench:
        await PIPELINES[pipeline](bench, **options)
        left_out.write_text("corrected", "utf-8")

        await PIPELINES[pipeline](bench, contacts=csv_of(3) + "else,誰\n", **options)

    assert len(bench.emulator.imports) == 1
    assert left_out.read_text("utf-8") == "corrected"


async def test_wrong_count_of_rejected_rows_refuses_once(tmp_path: Path) -> None:
    """The cause of a refusal is read again; it is not stored, and contacts are not sent again."""
    counts = {"fileCnt": 3, "insertCnt": 0, "duplicateCnt": 0, "errCnt": 3}
    body = json.dumps({"status": "COMPLETE", **counts}).encode()
    kept = tmp_path / "checkpoint.json"
    given: dict[str, Any] = {"contacts": csv_of(3), "max_rejected": 0}
    async with connected() as bench:
        bench.emulator.fail("get_import", status=200, body=body)
        with pytest.raises(ImportIncomplete, match="3 of 3 rows"):
            await send(bench, checkpoint=kept, **given)

        await send(bench, checkpoint=kept, **given)

    assert bench.emulator.submitted == 1
    assert bench.wire.count("importTextToList") == 1


async def test_rejected_rows_refuse_as_long_as_nothing_else_is_known(tmp_path: Path) -> None:
    """The platform deletes an import after 30 days; its stored result stays."""
    kept = tmp_path / "checkpoint.json"
    given: dict[str, Any] = {"contacts": csv_of(3) + ",no address\n", "check": False}
    async with connected() as bench:
        for days in (0, 40):
            await bench.nl.clock.sleep(days * 86_400)
            with pytest.raises(ImportIncomplete, match="1 of 4 rows"):
                await send(bench, checkpoint=kept, max_rejected=0, **given)

        await send(bench, checkpoint=kept, max_rejected=1, **given)

    assert bench.emulator.submitted == 1
