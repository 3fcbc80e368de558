"""Pipelines that are made to fail at a request of theirs, and run again until they end.

Each life of a pipeline has an event loop and a client of its own, as a process would; what
lives on is the emulator, the clock and the checkpoint's file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import anyio
import anyio.lowlevel
import attrs

from newsleopard_async import (
    InvalidRequest,
    NewsLeopardError,
    OutcomeUnknown,
    RateLimited,
    workflows,
)
from newsleopard_async.emulator.platform.faults import GARBAGE
from tests.constants import LIST_NAME
from tests.faults.later import LATER
from tests.faults.pipelines import PIPELINES, Pipeline
from tests.faults.strikes import FAULTS, Fault, Gone, Strike, Wire
from tests.faults.world import World, addresses, world

__all__ = [
    "ALL",
    "Case",
    "Story",
    "cases",
    "check",
    "go_on",
    "live",
    "log_of",
    "play",
    "requests_of",
]

ALL: Final = (*PIPELINES, *LATER)
"""The pipelines of the matrix."""

MOST_LIVES: Final = 8


@attrs.define
class Story:
    """What became of a pipeline, from its first life to its end.

    Attributes:
        pipeline: Which.
        endings: How each life ended: ``done``, or the name of what it raised.
        submitted: Campaigns at the emulator after each life, or what else must happen once.
        result: What the last life gave; None if it came too late.
        held: Whether a person had to decide.
        too_late: Whether the time that the campaign was scheduled for passed meanwhile.
        garbled: Whether the storage returned wrong bytes that cannot be detected.
    """

    pipeline: Pipeline
    endings: list[str] = attrs.field(factory=list)
    submitted: list[int] = attrs.field(factory=list)
    result: Any = None
    held: bool = False
    too_late: bool = False
    garbled: bool = False

    def __str__(self) -> str:
        return " → ".join(self.endings)


def live(
    at: World, pipeline: Pipeline, strikes: Sequence[Strike] = (), *, backend: str = "asyncio"
) -> Any:
    """Run a pipeline in a separate event loop; return its result or its exception."""
    wire = Wire(at, strikes)

    async def main() -> Any:
        async with at.client(wire) as nl:
            return await pipeline.run(nl, at)

    try:
        return anyio.run(main, backend=backend)
    except Gone as gone:
        if wire.left_behind is not None:
            at.leave(wire.left_behind)
        return gone
    except NewsLeopardError as error:
        return error
    finally:
        at.emulator.clear_faults()


def play(
    at: World,
    pipeline: Pipeline,
    lives: Sequence[Sequence[Strike]],
    *,
    backend: str = "asyncio",
) -> Story:
    """Run a pipeline until it ends, with these strikes in its first lives.

    Who is told to wait runs again at once first, and only then waits. Who is told twice
    that the outcome is unknown asks a person, who looks, and decides.
    """
    pipeline.prepare(at)
    return go_on(at, pipeline, lives, backend=backend)


def go_on(
    at: World,
    pipeline: Pipeline,
    lives: Sequence[Sequence[Strike]] = (),
    *,
    backend: str = "asyncio",
) -> Story:
    """Run a pipeline as `play` does, where all is prepared."""
    story = Story(pipeline, garbled=_garbles(pipeline, lives))
    plan = iter(lives)
    unknown = 0
    for _ in range(MOST_LIVES + 2 * len(lives)):
        ending = live(at, pipeline, next(plan, ()), backend=backend)
        story.submitted.append(pipeline.count(at))
        if not isinstance(ending, BaseException):
            story.endings.append("done")
            story.result = ending
            return story
        story.endings.append(type(ending).__name__)
        if isinstance(ending, OutcomeUnknown):
            unknown += 1
            _meet_unknown(at, story, ending, unknown)
        elif isinstance(ending, RateLimited):
            at.clock.advance(ending.retry_after_s)
        elif isinstance(ending, InvalidRequest):
            assert [each.rule for each in ending.problems] == ["future"]
            story.too_late = True
            return story
    raise AssertionError(f"no end after {story}")


def _garbles(pipeline: Pipeline, lives: Sequence[Sequence[Strike]]) -> bool:
    """Tell whether a download may be garbage, which has a status and a length like any other."""
    return pipeline.name == "export" and any(
        strike.fault.name.startswith("garbage") for life in lives for strike in life
    )


def _meet_unknown(at: World, story: Story, error: OutcomeUnknown, times: int) -> None:
    if times == 2 and error.look_again_at is not None:
        wait = error.look_again_at - at.clock.now()
        at.clock.advance(max(0.0, wait.total_seconds()))
    elif times >= 2:
        story.held = True
        anyio.run(_decide, at, story.pipeline)


async def _decide(at: World, pipeline: Pipeline) -> None:
    """Look into the console and decide."""
    await pipeline.decide(at, await workflows.Checkpoint.load(at.checkpoint))


def check(at: World, story: Story, expected: Any) -> None:
    """Compare the emulator's truth, the result, and the result without faults."""
    pipeline = story.pipeline
    assert story.submitted == sorted(story.submitted)
    assert set(story.submitted) <= {0, 1}
    assert at.emulator.leaked_keys == ()
    if story.too_late:
        assert pipeline.name.endswith("-later")
        assert story.submitted[-1] == 0
        return
    assert story.submitted[-1] == int(pipeline.happens)
    if pipeline.is_alike and not story.garbled:
        assert _bare(story.result) == _bare(expected)
    if pipeline.rows:
        check_contacts(at, story)
    if pipeline.sends:
        assert story.result.campaign_sn == at.emulator.campaigns[-1].sn
        check_mails(at, pipeline)
    if pipeline.name.endswith("export"):
        check_files(at, story)
    pipeline.judge(at, story)


def check_contacts(at: World, story: Story) -> None:
    """There is one list, and in it is each contact once."""
    [made] = [each for each in at.emulator.lists if each.name == LIST_NAME]
    report = getattr(story.result, "import_report", story.result)
    wanted = addresses(story.pipeline.rows)
    assert report.list_sn == made.sn
    assert sorted(made.members) == sorted(wanted)
    assert {email: contact.name for email, contact in at.emulator.contacts.items()} == {
        email: f"會員{number}" for number, email in enumerate(wanted)
    }
    [job] = [each for each in at.emulator.imports if each.sn == report.import_sn]
    assert job.status == "COMPLETE"


def check_mails(at: World, pipeline: Pipeline) -> None:
    """Everybody gets one mail, once all are sent."""
    at.clock.advance(2 * 86_400)
    mails = sorted(mail.to for mail in at.emulator.outbox)
    wanted = sorted(addresses(pipeline.recipients))
    # In a test, who bounced or unsubscribed in its first half gets nothing more.
    assert len(mails) == len(set(mails))
    assert set(wanted) - set(mails) <= at.emulator.excluded


def check_files(at: World, story: Story) -> None:
    """Each report file is there whole, and nothing else is."""
    rows = {file.path: _events(at, file.type) for file in story.result.files}
    assert sorted(at.downloads.iterdir()) == sorted(rows)
    for path, count in rows.items():
        content = path.read_bytes()
        if story.garbled and content == GARBAGE:
            continue
        lines = content.decode().splitlines()
        assert len(lines) == count + 1
        assert len(set(lines)) == len(lines)


def _events(at: World, kind: str) -> int:
    [campaign] = at.emulator.campaigns
    files = at.emulator._account.reports.files(campaign, at.clock.now())
    return next(file.rows for file in files if file.kind == kind)


_VARY: Final = {
    *("campaign_sn", "list_sn", "import_sn", "created", "completed", "path", "unchanged"),
    *("sn", "name", "updated", "sent_begin", "sent_end", "request_id"),
}


def _bare(value: Any) -> Any:
    """Leave out what differs between two runs: codes, ids, times, folders."""
    data = value.to_dict() if hasattr(value, "to_dict") else value
    if isinstance(data, Mapping):
        return {name: _bare(each) for name, each in data.items() if name not in _VARY}
    if isinstance(data, Sequence) and not isinstance(data, str):
        return [_bare(each) for each in data]
    return data


@attrs.frozen
class Case:
    """A pipeline, one of its requests, and what goes wrong with it."""

    pipeline: Pipeline
    at: int
    operation: str
    fault: Fault

    def __str__(self) -> str:
        return f"{self.pipeline.name}-{self.at}-{self.operation}-{self.fault.name}"


@attrs.frozen
class Log:
    """A run in which nothing goes wrong."""

    requests: tuple[str, ...]
    result: Any


_logs: dict[str, Log] = {}


def log_of(pipeline: Pipeline) -> Log:
    """Run a pipeline without faults, once and for all."""
    if pipeline.name not in _logs:
        with world() as at:
            pipeline.prepare(at)
            wire = Wire(at)

            async def main() -> Any:
                async with at.client(wire) as nl:
                    return await pipeline.run(nl, at)

            result = anyio.run(main)
            _logs[pipeline.name] = Log(tuple(wire.seen), result)
    return _logs[pipeline.name]


def requests_of(pipeline: Pipeline) -> tuple[str, ...]:
    """Name the requests that a pipeline makes where nothing goes wrong."""
    return log_of(pipeline).requests


def cases(pipelines: Iterable[Pipeline] = ALL) -> list[Case]:
    """List every request of every pipeline with every fault."""
    return [
        Case(pipeline, at, operation, fault)
        for pipeline in pipelines
        for at, operation in enumerate(requests_of(pipeline))
        for fault in FAULTS
    ]
