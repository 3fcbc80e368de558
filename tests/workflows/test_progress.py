"""A pipeline emits its events, and an error of a callback does not stop it."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import anyio
import attrs
import pytest

from newsleopard_async import (
    Clock,
    DeadlineExceeded,
    ImportFailed,
    ImportResult,
    ImportSn,
    OutcomeUnknown,
    Polling,
    from_plain,
    with_lists,
    workflows,
)
from newsleopard_async.testing import ManualClock
from newsleopard_async.workflows import Event, campaign_steps
from newsleopard_async.workflows import steps as steps_module
from newsleopard_async.workflows.progress import (
    OF_LIST,
    Events,
    Progress,
    StepName,
    of_import,
)
from newsleopard_async.workflows.runner import Step
from tests.clients import Bench, Reply, connected, csv_of, scripted
from tests.constants import CAMPAIGN, KEY, START
from tests.plainness import assert_exactly_plain

pytestmark = pytest.mark.anyio


@attrs.define
class Recorder:
    """Keeps every event."""

    events: list[Event] = attrs.field(factory=list)

    def __call__(self, event: Event) -> None:
        """Keep an event."""
        self.events.append(event)

    @property
    def story(self) -> list[str]:
        """Step and state of each event, without repeated polls."""
        told = [f"{event.step} {event.state}" for event in self.events]
        return [each for number, each in enumerate(told) if each not in told[:number]]


def steps(*names: str) -> list[str]:
    """Write the story of steps that succeed."""
    return [f"{name} {state}" for name in names for state in ("started", "finished")]


@pytest.mark.parametrize(("rows", "how"), [(3, "import_text"), (101, "upload_file")])
async def test_import_and_send_tell_their_steps(rows: int, how: str) -> None:
    """Each step starts and finishes, in order; between two polls the pipeline waits."""
    waits = ["get_import started", "get_import waiting", "get_import finished"]
    recorder = Recorder()
    async with connected() as bench:
        await workflows.send_campaign(
            bench.nl, CAMPAIGN, contacts=csv_of(rows), list_name="a", progress=recorder
        )

    assert recorder.story == [
        *steps("check_contacts", "find_lists", "create_list"),
        f"{how} started",
        *([f"{how} waiting"] if how == "upload_file" else []),
        f"{how} finished",
        *waits,
        *steps("get_balance", "submit"),
    ]
    assert {event.pipeline for event in recorder.events} == {"send_campaign"}


async def test_export_tells_its_steps(tmp_path: Path) -> None:
    """The links before, the export, the polls, the download."""
    recorder = Recorder()
    async with connected() as bench:
        sn = await bench.send()
        await workflows.export_report(bench.nl, sn, download_to=tmp_path, progress=recorder)

    assert recorder.story == [
        *steps("get_report_state", "export_report"),
        "get_report_state waiting",
        *("download_files started", "download_files waiting", "download_files finished"),
    ]
    assert {event.pipeline for event in recorder.events} == {"export_report"}


async def test_polls_of_a_job_are_one_step_with_a_wait_after_each() -> None:
    """A job of 13 polls has 14 events: a start, twelve waits with their results, and an end."""
    recorder = Recorder()
    words = [*["PROCESSING"] * 12, "COMPLETE"]
    replies = [Reply({"import_sn": "i1", "status": word}) for word in words]
    async with scripted(*replies) as script:
        await workflows.wait_for_import(script.nl, ImportSn("i1"), progress=recorder)

    states = [event.state for event in recorder.events]
    seen = [from_plain(ImportResult, each.result).status for each in recorder.events[1:]]
    assert states == ["started", *["waiting"] * 12, "finished"]
    assert seen == words


async def test_polling_that_ends_with_an_error_is_emitted_as_failed() -> None:
    """A deadline fails the step of the polls; a refused poll has no result."""
    recorder = Recorder()
    replies = [Reply({"code": 40007, "message": "無效的SN"}, 400)] * 2
    async with scripted(*replies) as script:
        with pytest.raises(DeadlineExceeded):
            await workflows.wait_for_import(
                script.nl,
                ImportSn("i1"),
                polling=Polling(first_s=9, deadline_s=9, jitter=0),
                progress=recorder,
            )

    told = [(each.state, each.result) for each in recorder.events]
    assert told == [("started", None), ("waiting", None), ("failed", "DeadlineExceeded")]


async def test_time_of_events_counts_from_the_beginning() -> None:
    """Times never decrease, and come from the client's clock."""
    recorder = Recorder()
    async with connected() as bench:
        await bench.clock.sleep(1_000)
        await workflows.import_contacts(bench.nl, csv_of(101), list_name="a", progress=recorder)
        elapsed_s = bench.clock.monotonic() - 1_000

    times = [event.elapsed_s for event in recorder.events]
    assert times == sorted(times)
    assert (times[0], times[-1]) == (0, elapsed_s)


async def test_waits_are_emitted_by_their_pipelines() -> None:
    """The two that only wait have names of their own."""
    recorder = Recorder()
    async with connected() as bench:
        sn = await bench.send()
        await bench.nl.reports.export(sn)
        import_sn = await bench.nl.contacts.import_text(csv_of(1))
        await workflows.wait_for_import(bench.nl, import_sn, progress=recorder)
        await workflows.wait_for_report(bench.nl, sn, progress=recorder)

    assert recorder.events[0].pipeline == "wait_for_import"
    assert recorder.events[-1].pipeline == "wait_for_report"


async def test_failed_step_is_emitted_with_its_error() -> None:
    """A step that raises is shown by the error's class; the handling comes after it."""
    recorder = Recorder()
    async with connected() as bench:
        bench.emulator.lose_reply_to("submit_campaign")
        with pytest.raises(OutcomeUnknown):
            await workflows.send_campaign(
                bench.nl, CAMPAIGN, contacts=csv_of(1), list_name="a", progress=recorder
            )

    failed = [(each.step, each.result) for each in recorder.events if each.state == "failed"]
    assert failed == [("submit", "OutcomeUnknown")]
    assert recorder.story[-4:] == ["submit started", "submit failed", *steps("find_sent")]


async def test_step_of_an_earlier_run_is_emitted_as_resumed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A step in the checkpoint is emitted with its result, logged, and not repeated."""
    caplog.set_level(logging.INFO, "newsleopard_async")
    recorder = Recorder()
    async with connected() as bench:
        ready = with_lists(CAMPAIGN, [await bench.make_list()])
        kept = tmp_path / "checkpoint.json"
        await workflows.send_campaign(bench.nl, ready, checkpoint=kept)
        await workflows.send_campaign(bench.nl, ready, checkpoint=kept, progress=recorder)

    [campaign] = bench.emulator.campaigns
    [event] = recorder.events
    assert (event.step, event.state, event.result) == ("submit", "resumed", campaign.sn)
    assert caplog.messages[-1].startswith(
        f"submit was finished by an earlier run, at {START:%Y-%m-%d}"
    )
    assert caplog.messages[-1].endswith(f" UTC: {campaign.sn}")


async def test_failed_import_is_emitted_by_its_last_poll() -> None:
    """The poll itself succeeds: its result is the failure."""
    recorder = Recorder()
    async with connected() as bench:
        bench.emulator.script_import("ERROR")
        with pytest.raises(ImportFailed):
            await workflows.import_contacts(bench.nl, csv_of(1), list_name="a", progress=recorder)

    last = recorder.events[-1]
    assert last.state == "finished"
    assert isinstance(last.result, dict)
    assert last.result["status"] == "ERROR"


async def test_events_are_plain_and_hold_no_secret(tmp_path: Path) -> None:
    """Every event is JSON of plain types, without contacts, keys and presigned queries."""
    recorder = Recorder()
    rejected = csv_of(101) + "absent,誰\n"
    async with connected() as bench:
        outcome = await workflows.send_campaign(
            bench.nl,
            CAMPAIGN,
            contacts=rejected,
            list_name="a",
            max_rejected=None,
            progress=recorder,
        )
        await bench.clock.sleep(3_600)
        await workflows.export_report(
            bench.nl, outcome.campaign_sn, download_to=tmp_path, progress=recorder
        )

    for event in recorder.events:
        assert_exactly_plain(event.to_dict())
        assert event.to_dict().keys() == {
            "pipeline",
            "step",
            "state",
            "elapsed_s",
            "result",
            "part",
            "parts",
            "number",
            "steps",
            "request_id",
        }
    told = json.dumps([event.to_dict() for event in recorder.events], ensure_ascii=False)
    for secret in ("Signature", KEY, "@example.com", "會員0"):
        assert secret not in told


async def test_callback_can_be_async() -> None:
    """An async callback is awaited before the pipeline continues."""
    told: list[str] = []
    async with connected() as bench:

        async def note(event: Event) -> None:
            await bench.clock.sleep(1)
            told.append(f"{event.step} {event.state}")

        await workflows.import_contacts(bench.nl, csv_of(1), list_name="a", progress=note)

    assert told[:4] == steps("check_contacts", "find_lists")


@pytest.mark.parametrize("is_async", [True, False])
async def test_callback_that_raises_harms_nothing(
    is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """An error of a callback is logged, and the campaign is sent."""

    def fail(event: Event) -> None:
        raise RuntimeError("the screen is gone")

    async def fail_later(event: Event) -> None:
        fail(event)

    async with connected() as bench:
        await workflows.send_campaign(
            bench.nl,
            CAMPAIGN,
            contacts=csv_of(1),
            list_name="a",
            check=False,
            progress=fail_later if is_async else fail,
        )

    assert bench.emulator.submitted == 1
    assert "the progress callback failed at submit" in caplog.text
    levels = {record.levelno for record in caplog.records}
    assert {each for each in levels if each > logging.INFO} == {logging.ERROR}


async def test_callback_that_hangs_does_not_hold_the_pipeline(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """For example a callback that waits for a full queue; it is not called again."""
    called: list[str] = []

    async def hang(event: Event) -> None:
        called.append(event.step)
        await anyio.sleep_forever()

    async with connected() as bench:
        began_s = bench.clock.monotonic()
        await workflows.import_contacts(bench.nl, csv_of(1), list_name="a", progress=hang)

    assert called == ["check_contacts"]
    assert 60 < bench.clock.monotonic() - began_s < 120
    assert caplog.messages == [
        "the progress callback hung at check_contacts and is not called again"
    ]


async def test_return_value_of_the_callback_is_ignored() -> None:
    """Anything that cannot be awaited is ignored."""

    def count(event: Event) -> Any:
        return 5

    async with connected() as bench:
        await workflows.import_contacts(bench.nl, csv_of(1), list_name="a", progress=count)

    assert len(bench.emulator.lists) == 1


def events_of(progress: Progress | None, clock: Clock) -> Events:
    """Make the events of an import."""
    return Events("import_contacts", progress, clock, (("upload_file",),))


async def test_transfer_emits_its_bytes(tmp_path: Path) -> None:
    """For an upload with the total; the last event of a transfer has all bytes."""
    recorder = Recorder()
    async with connected() as bench:
        outcome = await workflows.send_campaign(
            bench.nl, CAMPAIGN, contacts=csv_of(300), list_name="a", progress=recorder
        )
        await bench.clock.sleep(86_400)
        report = await workflows.export_report(
            bench.nl, outcome.campaign_sn, download_to=tmp_path, progress=recorder
        )

    told: dict[str, Any] = {each.step: each.result for each in recorder.events if _moves(each)}
    size_bytes = len(csv_of(300).encode())
    assert told["upload_file"] == {"bytes": size_bytes, "of_bytes": size_bytes}
    assert told["download_files"]["bytes"] == report.files[-1].size_bytes


def _moves(event: Event) -> bool:
    return isinstance(event.result, dict) and "of_bytes" in event.result


async def test_slow_callback_does_not_hold_an_upload_up() -> None:
    """It misses intermediate events, gets the last one, and is awaited at the end of the step."""
    told: list[Any] = []
    clock = ManualClock()

    async def note(event: Event) -> None:
        if event.state == "waiting":
            await clock.sleep(30)
            told.append(event.result)

    async with events_of(note, clock).begin(steps_module.upload_file) as opened:
        for moved in (1, 2, 3, 4):
            await opened.moved(moved, 4)
            await clock.sleep(1)
        took_s = clock.monotonic()

    assert took_s == 4
    assert [each["bytes"] for each in told] == [1, 4]


async def test_error_of_an_upload_is_raised_as_itself() -> None:
    """The separate task of the events is invisible; a foreign error has no id."""
    recorder = Recorder()
    with pytest.raises(OSError, match="disk"):
        async with events_of(recorder, ManualClock()).begin(steps_module.upload_file):
            raise OSError("disk")

    assert [(each.state, each.request_id) for each in recorder.events] == [
        ("started", None), ("failed", None)
    ]  # fmt: skip


@pytest.mark.parametrize("state", ["started", "waiting"])
async def test_cancelled_callback_ends_with_its_step(
    state: str, caplog: pytest.LogCaptureFixture
) -> None:
    """During an upload and outside it; it is not an error of the callback."""

    async def hang(event: Event) -> None:
        if event.state == state:
            await anyio.sleep_forever()

    clock = ManualClock()
    with clock.deadline(5) as scope:
        async with events_of(hang, clock).begin(steps_module.upload_file) as opened:
            await opened.moved(1, 2)
            await clock.sleep(10)

    assert scope.cancelled_caught
    assert caplog.records == []


@pytest.mark.parametrize("where", ["upload", "callback"])
async def test_end_of_the_program_during_an_upload_is_raised_as_itself(where: str) -> None:
    """The error is not in an exception group, and the upload ends immediately."""

    def end(event: Event) -> None:
        if where == "callback" and event.state == "waiting":
            raise SystemExit("it")

    async def upload() -> None:
        async with events_of(end, ManualClock()).begin(steps_module.upload_file) as opened:
            if where == "upload":
                raise SystemExit("it")
            await opened.moved(1, 2)
            await anyio.sleep_forever()

    with pytest.raises(SystemExit, match="it"):
        await upload()


FEW, MANY = csv_of(3), csv_of(300)
Play = Callable[[Bench, Recorder, Path], Awaitable[object]]


def send(contacts: str | None = FEW, **options: Any) -> Play:
    """Send a campaign to a new list, or to an existing one."""

    async def play(bench: Bench, recorder: Recorder, _: Path) -> object:
        ready = CAMPAIGN if contacts else with_lists(CAMPAIGN, [await bench.make_list()])
        new = {"contacts": contacts, "list_name": "新"} if contacts else {}
        return await workflows.send_campaign(bench.nl, ready, progress=recorder, **(new | options))

    return play


def into(contacts: str, **options: Any) -> Play:
    """Import contacts into an existing list."""

    async def play(bench: Bench, recorder: Recorder, _: Path) -> object:
        sn = await bench.make_list()
        return await workflows.import_contacts(
            bench.nl, contacts, list_sn=sn, progress=recorder, **options
        )

    return play


def once(**options: Any) -> Play:
    """Send to contacts without a list."""

    async def play(bench: Bench, recorder: Recorder, _: Path) -> object:
        return await workflows.send_once(bench.nl, CAMPAIGN, FEW, progress=recorder, **options)

    return play


def export(*, downloads: bool) -> Play:
    """Export the report of a campaign that was sent."""

    async def play(bench: Bench, recorder: Recorder, folder: Path) -> object:
        sn = await bench.send()
        return await workflows.export_report(
            bench.nl, sn, download_to=folder if downloads else None, progress=recorder
        )

    return play


def call_off(*, by_checkpoint: bool) -> Play:
    """Call off a campaign that is held."""

    async def play(bench: Bench, recorder: Recorder, folder: Path) -> object:
        ready = with_lists(CAMPAIGN, [await bench.make_list()])
        kept, hold = folder / "kept.json", timedelta(hours=1)
        sent = await workflows.send_campaign(bench.nl, ready, hold=hold, checkpoint=kept)
        if by_checkpoint:
            return await workflows.call_off(bench.nl, checkpoint=kept, progress=recorder)
        return await workflows.call_off(bench.nl, sent.campaign_sn, progress=recorder)

    return play


async def _lost(bench: Bench, recorder: Recorder, _: Path) -> object:
    bench.emulator.lose_reply_to("upload_once")
    return await workflows.send_once(bench.nl, CAMPAIGN, FEW, progress=recorder)


async def _resume(bench: Bench, recorder: Recorder, folder: Path) -> object:
    options: dict[str, Any] = {"contacts": FEW, "list_name": "新", "checkpoint": folder / "k.json"}
    await workflows.send_campaign(bench.nl, CAMPAIGN, **options)
    return await workflows.send_campaign(bench.nl, CAMPAIGN, progress=recorder, **options)


async def _find(bench: Bench, recorder: Recorder, _: Path) -> object:
    await bench.send()
    return await workflows.find_campaign(
        bench.nl, CAMPAIGN.name, since=START, polling=Polling(), progress=recorder
    )


async def _wait_for_campaign(bench: Bench, recorder: Recorder, _: Path) -> object:
    sn = await bench.send(then_s=0)
    return await workflows.wait_for_campaign(bench.nl, sn, progress=recorder)


async def _summarize(bench: Bench, recorder: Recorder, _: Path) -> object:
    return await workflows.summarize(bench.nl, [await bench.send()], progress=recorder)


async def _trigger(bench: Bench, recorder: Recorder, _: Path) -> object:
    return await workflows.trigger_automation(bench.nl, "script", MANY, progress=recorder)


async def _test(bench: Bench, recorder: Recorder, _: Path) -> object:
    return await workflows.send_test(bench.nl, CAMPAIGN, to=["me@example.com"], progress=recorder)


async def _check(bench: Bench, recorder: Recorder, _: Path) -> object:
    return await workflows.check_contacts(FEW, progress=recorder)


PLAYS: dict[str, tuple[Play, list[str]]] = {
    "send": (send(), ["check_contacts", "list", "import", "get_import", "get_balance", "submit"]),
    "send-file": (
        send(MANY, balance=None, wait="sent"),
        ["check_contacts", "list", "import", "get_import", "submit", "get_status"],
    ),
    "send-parts": (
        send(MANY, part_bytes=4_000),
        ["check_contacts", "list", "import", "get_balance", "submit"],
    ),
    "send-to-list": (send(None), ["get_balance", "submit"]),
    "send-held": (send(None, balance=None, hold=timedelta(hours=1)), ["hold_until"]),
    "send-test": (_test, ["check_contacts", "list", "import", "get_import", "submit"]),
    "resumed": (
        _resume,
        ["check_contacts", "list", "import", "get_import", "", "submit"],
    ),
    "import": (into(FEW), ["check_contacts", "list", "import", "get_import"]),
    "import-parts": (into(MANY, part_bytes=4_000), ["check_contacts", "list", "import"]),
    "once": (once(), ["check_contacts", "get_balance", "submit_once", "upload_once"]),
    "once-lost": (_lost, ["check_contacts", "get_balance", "submit_once", "upload_once"]),
    "once-sent": (
        once(balance=None, wait="sent"),
        ["check_contacts", "submit_once", "upload_once", "get_status", "get_metrics"],
    ),
    "export": (
        export(downloads=True),
        ["get_report_state", "export_report", "get_report_state", "download_files"],
    ),
    "export-only": (
        export(downloads=False),
        ["get_report_state", "export_report", "get_report_state"],
    ),
    "call-off": (call_off(by_checkpoint=False), ["get_status", "pause_campaign", "get_status"]),
    "call-off-run": (
        call_off(by_checkpoint=True),
        ["", "get_status", "pause_campaign", "get_status"],
    ),
    "find": (_find, ["find_sent"]),
    "wait": (_wait_for_campaign, ["get_status"]),
    "summarize": (_summarize, ["get_metrics"]),
    "automation": (_trigger, ["check_contacts", "send_event"]),
    "check": (_check, ["check_contacts"]),
}
"""How to run a pipeline, and the first step of each phase; "" if it is skipped."""


@pytest.mark.parametrize("name", PLAYS)
async def test_every_event_says_which_phase_of_how_many(name: str, tmp_path: Path) -> None:
    """Numbers begin at 1, never decrease, and end at the last; the plan matches the steps."""
    play, phases = PLAYS[name]
    recorder = Recorder()
    async with connected(profile="vendor-2026") as bench:
        await play(bench, recorder, tmp_path)

    numbers = [event.number or 0 for event in recorder.events]
    first = {event.number: event.step for event in reversed(recorder.events)}
    known = {"list": OF_LIST[0], "import": of_import(in_parts=False)[0]}
    assert {event.steps for event in recorder.events} == {len(phases)}
    assert numbers == sorted(numbers)
    assert numbers[-1] == len(phases)
    for number, phase in enumerate(phases, start=1):
        assert first.get(number, "") in known.get(phase, (phase,))


def test_every_step_has_its_name_in_the_type() -> None:
    """`Event.step` names all steps for code that matches on it."""
    modules = (steps_module, campaign_steps)
    values = [each for module in modules for each in vars(module).values()]
    found = {each.name for each in values if isinstance(each, Step)}

    assert {*found, "check_contacts", "wait_for_other"} == set(get_args(StepName))
