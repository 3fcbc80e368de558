"""The lines of long work, and the tables of the demonstration, fit their terminal."""

from __future__ import annotations

import io
from typing import cast

import attrs
import pytest
from rich.cells import cell_len
from rich.console import Console

from newsleopard_async import CampaignSn
from newsleopard_async.cli.display.pipeline_display import PipelineDisplay
from newsleopard_async.cli.display.step_display import StepDisplay
from newsleopard_async.cli.emulating.demo_audience import people, readers_table
from newsleopard_async.cli.results.funnel import funnel_table, stages_of
from newsleopard_async.models.metrics import ReportSummary
from newsleopard_async.plain import PlainData
from newsleopard_async.workflows import Event
from newsleopard_async.workflows.progress import EventState, StepName

SUMMARY = ReportSummary(
    campaign_sn=CampaignSn("c"),
    delivered=19_600,
    opened=6_900,
    clicked=1_400,
    bounced=400,
    unsubscribed=70,
    complained=14,
)
FUNNEL = stages_of(SUMMARY, recipients=20_000)


def console(width: int = 80, *, terminal: bool = False) -> Console:
    """Return a console that writes into memory."""
    return Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None)


def written(on: Console) -> str:
    """Return what was written so far."""
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue()


def event(step: str, state: str, result: PlainData = None) -> Event:
    """Build an event of a pipeline."""
    name, which = cast("StepName", step), cast("EventState", state)
    return Event(
        pipeline="send_campaign",
        step=name,
        state=which,
        elapsed_s=0.0,
        result=result,
        number=3,
        steps=6,
    )


@pytest.mark.parametrize("step", ["find_lists", "get_import", "get_report_state", "upload_file"])
def test_wait_without_progress_is_shown(step: str) -> None:
    """A poll can be refused, or an import can wait, before there is any progress."""
    on = console()
    with StepDisplay(on) as steps, PipelineDisplay(steps) as display:
        display(event(step, "started"))
        display(event(step, "waiting"))

    assert "None" not in written(on)


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_tables_fit_the_width(width: int) -> None:
    """No line is wider than the terminal, full-width characters counted double."""
    screen = console(width)

    screen.print(funnel_table(FUNNEL, "週年慶", width=width))
    screen.print(readers_table(people(5), width=width))

    assert max(cell_len(line) for line in written(screen).splitlines()) <= width
    assert "…" not in written(screen)


def test_chinese_names_end_in_one_column() -> None:
    """Right-aligned names of two to four characters end at the same cell."""
    screen = console()
    shown = list(people(60))

    screen.print(readers_table(shown, width=80))

    lines = [line for line in written(screen).splitlines() if "@" in line]
    ends = {
        cell_len(line[: line.index(person.name) + len(person.name)])
        for line, person in zip(lines, shown, strict=True)
    }
    assert len(ends) == 1


def test_step_in_a_pipe_is_one_line() -> None:
    """Without a terminal each step is written once, when it ends, without control codes."""
    screen = console()

    with StepDisplay(screen) as steps, steps.step("Generate contacts") as step:
        step.detail = "20,000 rows"

    [line] = written(screen).splitlines()
    assert line.startswith("✓ Generate contacts")
    assert "20,000 rows" in line
    assert "\x1b" not in line


def test_step_that_raises_is_marked_failed() -> None:
    """The line of a failed step has a mark, and the error is raised."""
    screen = console()

    with pytest.raises(ValueError, match="broken"), StepDisplay(screen) as steps:  # noqa: SIM117
        with steps.step("Upload"):
            raise ValueError("broken")

    assert written(screen).startswith("✗ Upload")


@pytest.mark.parametrize("width", [30, 44, 71, 80, 120])
def test_live_steps_fit_the_width(width: int) -> None:
    """On a terminal of any width, the moving lines fit it."""
    screen = console(width)
    steps = StepDisplay(screen)
    step = steps.begin("Import the contacts")
    step.detail, step.share = "12,400 of 20,000 rows", 0.62

    screen.print(steps)

    assert max(cell_len(line) for line in written(screen).splitlines()) <= width


def test_repeated_poll_keeps_one_line() -> None:
    """A poll is one line with the latest that is known, ended when it ends."""
    screen = console()
    half = {"status": "PROCESSING", "file_count": 10, "inserted": 5, "errors": 0}
    done = {"status": "COMPLETE", "file_count": 10, "inserted": 9, "errors": 1}

    with StepDisplay(screen) as steps, PipelineDisplay(steps) as display:
        for state, result in (
            ("started", None),
            ("waiting", half),
            ("waiting", half),
            ("finished", done),
        ):
            display(event("get_import", state, result))
        display(event("submit", "started"))
        display(event("submit", "finished", "c0ffee"))

    first, second = written(screen).splitlines()
    assert "9 of 10 rows, 1 rejected" in first
    assert "campaign c0ffee" in second


@pytest.mark.parametrize(
    ("total", "shown"), [(4_000, "━━━━             1,000 of 4,000 bytes"), (None, "1,000 bytes")]
)
def test_bytes_of_an_upload_are_a_bar(total: int | None, shown: str) -> None:
    """The share is shown if the total is known; a download possibly has none."""
    screen = console(terminal=True)
    steps = StepDisplay(screen)
    display = PipelineDisplay(steps)

    display(event("upload_file", "started"))
    display(event("upload_file", "waiting", {"bytes": 1_000, "of_bytes": total}))
    screen.print(steps)

    assert shown in written(screen)


def test_failed_event_marks_its_line() -> None:
    """A step that failed is shown as failed, with the class of the error."""
    screen = console()

    with StepDisplay(screen) as steps, PipelineDisplay(steps) as display:
        display(event("submit", "started"))
        display(event("submit", "failed", "OutcomeUnknown"))

    assert written(screen).startswith("✗ 3/6 Submit the campaign")
    assert "OutcomeUnknown" in written(screen)


def test_unknown_step_is_shown_by_its_name() -> None:
    """A step without a title in the table is still readable."""
    screen = console()

    with StepDisplay(screen) as steps, PipelineDisplay(steps) as display:
        display(event("reconcile_later", "finished", {"any": "thing"}))

    assert "Reconcile later" in written(screen)


@pytest.mark.parametrize("terminal", [False, True])
def test_text_of_the_server_has_no_effect_on_a_terminal(terminal: bool) -> None:
    """Codes and states are in the lines of running and ended steps."""
    screen = console(200, terminal=terminal)

    with StepDisplay(screen) as steps, PipelineDisplay(steps) as display:
        display(event("create_list", "started"))
        display(event("create_list", "finished", "L1\x1b[2J\x1b]0;owned\x07\nfake [red]line"))
        display(event("submit\x07", "failed", "Bad\x1b[2J"))
        step = steps.begin("Import")
        step.share, step.detail = 0.5, "a\x1b[2J"
    screen.print(steps)

    said = written(screen)
    assert "\x1b[2J" not in said
    assert "\x1b]0" not in said
    assert "\x07" not in said
    assert "\\nfake [red]line" in said


def test_step_of_an_earlier_run_is_marked() -> None:
    """A resumed pipeline shows the steps that it does not repeat, with their results."""
    screen = console()

    with StepDisplay(screen) as steps, PipelineDisplay(steps) as display:
        display(event("create_list", "resumed", "L1"))
        display(event("get_balance", "started"))

    first, second = written(screen).splitlines()
    assert "list L1 (done by an earlier run)" in first
    assert "Check the balance" in second


def test_nothing_is_written_beside_json() -> None:
    """With --json, only a terminal shows the steps."""
    screen = console()

    with StepDisplay(screen, only_live=True) as steps, steps.step("Upload"):
        pass

    assert written(screen) == ""


@pytest.mark.parametrize(
    ("step", "result", "shown"),
    [
        ("check_contacts", {"bytes": 9, "rows": 1_200}, "1,200 rows"),
        ("find_earlier", None, "none"),
        ("find_earlier", {"sn": "c1"}, "campaign c1"),
        ("get_balance", {"mails": 7_000}, "7,000 mails"),
        ("get_balance", None, "unknown"),
        ("get_status", {"state": "SENDING", "scheduled": None}, "SENDING"),
        ("get_status", {"state": "PREPARE", "scheduled": "2027-01-05T02:00:00Z"}, "for 2027-01-05"),
        ("hold_until", "2027-01-05T02:00:00Z", "until 2027-01-05"),
    ],
)
def test_result_of_a_step_is_in_words(step: str, result: PlainData, shown: str) -> None:
    """Each step of a send says what it has found."""
    screen = console()

    with StepDisplay(screen) as steps, PipelineDisplay(steps) as display:
        display(event(step, "finished", result))

    assert shown in written(screen)


def test_parts_have_their_own_lines() -> None:
    """A file that goes in parts shows the part of each step."""
    screen = console()

    with StepDisplay(screen) as steps, PipelineDisplay(steps) as display:
        for part in (1, 2):
            one = attrs.evolve(event("upload_file", "finished", "i"), part=part, parts=2)
            display(one)

    assert "part 1/2" in written(screen)
    assert "part 2/2" in written(screen)
