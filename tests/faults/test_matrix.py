"""Each request of each pipeline fails in each way, and the pipeline goes on to its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest import mock

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsleopard_async import (
    InvalidRequest,
    NewsLeopardError,
    NotOffered,
    OutcomeUnknown,
    files,
    workflows,
)
from newsleopard_async.stores import swap
from newsleopard_async.workflows import CalledOff
from tests.faults.later import CALL_OFF, FROM_REPORTS, LATER_BY_NAME, TO_CALL_OFF, submit_slowly
from tests.faults.pipelines import BY_NAME, IN_PARTS, Pipeline
from tests.faults.report import play_all, rows
from tests.faults.stories import ALL, Case, cases, check, go_on, live, log_of, play, requests_of
from tests.faults.strikes import FAULTS, Fault, Gone, Strike
from tests.faults.world import FEW, MANY, World, world

pytestmark = pytest.mark.matrix

CASES = cases()


def run(case: Case, *later: Fault, backend: str = "asyncio") -> None:
    """Play a case, with later faults at the same place of later lives, and check its end."""
    lives = [[Strike(case.at, fault)] for fault in (case.fault, *later)]
    with world() as at:
        story = play(at, case.pipeline, lives, backend=backend)
        check(at, story, log_of(case.pipeline).result)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_one_fault_anywhere_neither_repeats_nor_loses(case: Case) -> None:
    """After any fault, a resumed run ends as without the fault, with at most one campaign."""
    run(case)


@pytest.mark.parametrize("case", CASES[::11], ids=str)
def test_one_fault_on_trio(case: Case) -> None:
    """The same holds on trio."""
    run(case, backend="trio")


@pytest.mark.soak
@pytest.mark.parametrize("case", CASES, ids=str)
def test_two_faults_at_one_place_neither_repeat_nor_lose(case: Case) -> None:
    """The same is true if the resumed run meets a second fault."""
    for fault in FAULTS:
        run(case, fault)


def call_off(at: World) -> CalledOff | None:
    """Call off the campaign of a run; a person checks the console if it is in doubt."""
    for _ in range(4):
        ended = live(at, CALL_OFF)
        if isinstance(ended, CalledOff):
            return ended
        assert isinstance(ended, OutcomeUnknown)
        checkpoint = anyio.run(workflows.Checkpoint.load, at.checkpoint)
        anyio.run(CALL_OFF.decide, at, checkpoint)
        if (anyio.run(workflows.Checkpoint.load, at.checkpoint)).abandoned:
            return None
    raise AssertionError


@pytest.mark.parametrize("case", cases(TO_CALL_OFF), ids=str)
def test_send_that_failed_anywhere_is_called_off_for_good(case: Case) -> None:
    """After it is called off, no mail is sent, and no run sends it later."""
    with world() as at:
        case.pipeline.prepare(at)
        live(at, case.pipeline, [Strike(case.at, case.fault)])
        if not at.checkpoint.exists():
            assert at.emulator.submitted == 0
            return

        called_off = call_off(at)
        out = len(at.emulator.outbox)
        again = live(at, case.pipeline)

        at.clock.advance(30 * 86_400)
        assert len(at.emulator.outbox) == out < FEW
        assert at.emulator.submitted <= 1
        if called_off is None or called_off.how == "never submitted":
            assert at.emulator.submitted == 0
            assert isinstance(again, InvalidRequest)
        else:
            assert called_off.campaign_sn == again.campaign_sn


def test_call_off_that_is_not_offered_is_never_said_to_be_done() -> None:
    """Without the endpoints, the message names the console, even after further faults."""
    pipeline = LATER_BY_NAME["call-off"]
    for fault in FAULTS[::4]:
        for number in range(3):
            with world() as at:
                submit_slowly(at)
                first = live(at, pipeline, [Strike(number, fault)])
                assert isinstance(first, (NewsLeopardError, Gone))
                assert isinstance(live(at, pipeline), NotOffered)
                at.clock.advance(30 * 86_400)
                assert len(at.emulator.outbox) == MANY


OF_PARTS = ("gone-before", "gone-after", "reply-lost-lasting")


@pytest.mark.parametrize("fault", [each for each in FAULTS if each.name in OF_PARTS], ids=str)
def test_import_in_parts_goes_on_with_the_part_that_it_was_at(fault: Fault) -> None:
    """After any fault, each part is imported, and a completed part is not imported again."""
    requests = requests_of(IN_PARTS)
    assert requests.count("upload") == 3
    for number in range(len(requests)):
        with world() as at:
            story = play(at, IN_PARTS, [[Strike(number, fault)]])
            check(at, story, log_of(IN_PARTS).result)
            assert len(story.result.parts) == 3
            assert not fault.gone or at.emulator.count("upload") <= 4


def test_numbers_from_reports_are_right_or_unknown() -> None:
    """Without metrics, a report that cannot be had leaves the numbers unknown, and never wrong."""
    [fault] = [each for each in FAULTS if each.name == "503-lasting"]
    for number in range(len(requests_of(FROM_REPORTS))):
        with world() as at:
            story = play(at, FROM_REPORTS, [[Strike(number, fault)]])
            check(at, story, None)


# At each write of the checkpoint, the process is gone before it, or right after it


class Ending:
    """Lets the process go at one write of the checkpoint, counted from 0."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.at, self.after = at, after
        self.count = 0
        self.left_behind: bytes | None = None
        self._write: Callable[[Path, bytes], None] = files.write_durably

    def __call__(self, path: Path, content: bytes) -> None:
        """Write, or go."""
        self.count += 1
        if self.count != self.at + 1:
            self._write(path, content)
            return
        if self.after:
            self._write(path, content)
        self.left_behind = path.read_bytes() if path.exists() else b""
        raise Gone


def gone_at_write(at: World, pipeline: Pipeline, ending: Ending) -> bool:
    """Let the process go at a write; False if it wrote less often."""
    with mock.patch.object(swap, "write_durably", ending):
        ended = live(at, pipeline)
    if ending.left_behind is None:
        return False
    assert isinstance(ended, Gone)
    at.leave(ending.left_behind)
    return True


WRITING = {
    **{name: BY_NAME[name] for name in ("import-file", "import-parts", "send-text")},
    **{name: BY_NAME[name] for name in ("send-to-list", "export")},
    **{name: LATER_BY_NAME[name] for name in ("send-held", "once-and-wait", "trigger")},
}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", WRITING)
def test_gone_at_any_write_neither_repeats_nor_loses(name: str, *, after: bool) -> None:
    """Between any two things that are done, and the notes of them."""
    pipeline, number, is_struck = WRITING[name], 0, True
    while is_struck:
        with world() as at:
            pipeline.prepare(at)
            is_struck = gone_at_write(at, pipeline, Ending(number, after=after))
            story = go_on(at, pipeline)
            check(at, story, log_of(pipeline).result)
        number += 1
    assert number > 2


# Several faults


def strikes_of(pipeline: Pipeline) -> st.SearchStrategy[list[list[Strike]]]:
    """Draw up to four faults for the first lives of a pipeline."""
    strike = st.builds(
        Strike, st.integers(0, len(requests_of(pipeline)) + 2), st.sampled_from(FAULTS)
    )
    lives = st.lists(st.lists(strike, min_size=1, max_size=3), min_size=1, max_size=4)
    return lives.filter(lambda drawn: sum(map(len, drawn)) <= 4)


@st.composite
def trouble(draw: st.DrawFn) -> tuple[Pipeline, list[list[Strike]]]:
    """Draw a pipeline and what goes wrong with it."""
    pipeline = draw(st.sampled_from(ALL))
    return pipeline, draw(strikes_of(pipeline))


@settings(max_examples=150)
@given(drawn=trouble())
def test_up_to_four_faults_neither_repeat_nor_lose(
    drawn: tuple[Pipeline, list[list[Strike]]],
) -> None:
    """This is true for faults in any order, in one process or in four."""
    pipeline, lives = drawn
    with world() as at:
        story = play(at, pipeline, lives)
        check(at, story, log_of(pipeline).result)


def test_report_counts_what_it_played() -> None:
    """The closing note's table is made of the same cases."""
    chosen = CASES[:: len(CASES) // 20]

    lines = rows(play_all(chosen))

    assert any(line.startswith(f"{len(chosen)} cases:") for line in lines)
    assert any("never more than 1 in a case" in line for line in lines)
