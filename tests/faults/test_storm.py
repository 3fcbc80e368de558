"""Whole runs of pipelines in a storm of faults, against a server that is the judge.

A thousand of them are for ``nox -s soak``, a few for every full run.
``-- -k thousand -rP --show-capture=stdout`` shows the counts. What must hold:

- a campaign is accepted once at most, with every contact in its lists;
- each run ends in bounded time, each call with success or with an error of ours;
- no key, contact or presigned URL is in a message or log.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from unittest import mock

import anyio
import attrs
import pytest

from newsleopard_async import (
    CampaignSn,
    DailyQuotaExhausted,
    DeadlineExceeded,
    ImportIncomplete,
    InvalidRequest,
    NewsLeopard,
    NewsLeopardError,
    OutcomeUnknown,
    Polling,
    RateLimited,
    RateLimits,
    RetryPolicy,
    SendAt,
    Timeouts,
    workflows,
)
from newsleopard_async.workflows import decision
from tests.constants import CAMPAIGN, SUBJECT_TEST
from tests.faults.storm_server import SIGNATURE, StormServer, World, serve
from tests.faults.world import FEW, MANY, addresses, csv_of, unflushed

PIPELINES: Final = ("send-text", "send-file", "send-test", "send-later", "import", "export")
MOST_CALLS: Final = 40
"""Chosen: the longest of a thousand runs took 14."""
LONGEST_CALL_S: Final = 60.0
"""Chosen: the longest call of a thousand runs took 16.2 s."""
TOGETHER: Final = 24
"""How many runs go on at a time; most of a run is waiting."""
HASTE: Final[dict[str, Any]] = {
    "timeouts": Timeouts(
        connect_s=2,
        read_s=0.5,
        write_s=0.5,
        pool_s=2,
        submit_s=1.5,
        storage_read_s=0.5,
        storage_write_s=0.5,
    ),
    "retry": RetryPolicy(max_attempts=3, base_s=0.01, cap_s=0.05, retry_after_cap_s=0.1),
    "rate_limits": RateLimits(windows=[(100_000, 1.0)], uplink_s=0.001),
}
POLLING: Final = Polling(first_s=0.02, max_s=0.1, deadline_s=2, grace_s=0.3, settle_s=0.2)


@attrs.define(eq=False)
class SkippingClock:
    """The machine's clock, ahead by what was skipped instead of being waited for."""

    skipped_s: float = 0.0

    def now(self) -> datetime:
        """Return the wall clock's time."""
        return datetime.now(UTC) + timedelta(seconds=self.skipped_s)

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        return time.monotonic() + self.skipped_s

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await anyio.sleep(max(0.0, seconds))

    def deadline(self, seconds: float) -> Any:
        """Cancel what runs inside after ``seconds``."""
        return anyio.move_on_after(seconds)

    def skip_to(self, when: datetime) -> None:
        """Skip to an instant, if it is ahead."""
        self.skipped_s += max(0.0, (when - self.now()).total_seconds())


@attrs.define(eq=False)
class Run:
    """One pipeline, called again until it ends.

    Attributes:
        seed: Everything that is chosen is drawn from it.
        ending: How it ended.
        met: What the calls raised.
        told: Every error, with its traceback.
        calls: How often it was called.
        longest_s: How long the longest call took, but for those that were cancelled.
    """

    seed: int
    storm: StormServer
    folder: Path
    clock: SkippingClock = attrs.field(factory=SkippingClock)
    chance: random.Random = attrs.field(init=False)
    pipeline: str = attrs.field(init=False)
    world: World = attrs.field(init=False)
    campaign: Any = attrs.field(init=False)
    max_rejected: float | None = 0
    unknown: int = 0
    ending: str = ""
    met: Counter[str] = attrs.field(factory=Counter)
    told: list[str] = attrs.field(factory=list)
    calls: int = 0
    longest_s: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.pipeline = self.chance.choice(PIPELINES)
        self.world = self.storm.add_world(
            self.key, seed=self.seed, now=self.clock.now, faulty=self.chance.choice((5, 20))
        )
        later = SendAt(self.clock.now() + timedelta(hours=1))
        self.campaign = SUBJECT_TEST if self.pipeline == "send-test" else CAMPAIGN
        if self.pipeline == "send-later":
            self.campaign = attrs.evolve(CAMPAIGN, schedule=later)
        self.folder.mkdir()
        (self.folder / "members.csv").write_text(csv_of(MANY), encoding="utf-8")

    @property
    def key(self) -> str:
        """The key of its world."""
        return f"k3y-Th4t-No0ne-May-See-{self.seed}"

    @property
    def checkpoint(self) -> Path:
        """Where its checkpoint is."""
        return self.folder / "checkpoint.json"

    @property
    def contacts(self) -> Any:
        """What is imported."""
        return self.folder / "members.csv" if self.pipeline == "send-file" else csv_of(FEW)

    @property
    def wanted(self) -> set[str]:
        """The addresses that must not be lost."""
        return set(addresses(MANY if self.pipeline == "send-file" else FEW))

    def client(self) -> NewsLeopard:
        """Make a client as another process would."""
        return NewsLeopard(self.key, base_url=self.storm.url, clock=self.clock, **HASTE)

    async def go(self) -> None:
        """Call it until it ends, now and then by another client, or cancelled, or twice at once."""
        async with contextlib.AsyncExitStack() as stack:
            nl = await stack.enter_async_context(self.client())
            for _ in range(MOST_CALLS):
                if self.chance.random() < 0.3:
                    nl = await stack.enter_async_context(self.client())
                calls = [self._call(nl) for _ in range(1 + (self.chance.random() < 0.05))]
                await asyncio.gather(*calls)
                if self.ending:
                    return
        raise AssertionError(f"no end after {MOST_CALLS} calls; met {dict(self.met)}")

    async def _call(self, nl: NewsLeopard) -> None:
        self.calls += 1
        began_s = time.monotonic()
        task = asyncio.create_task(self._pipeline(nl))
        cancels = self.chance.random() < 0.15
        patience_s = self.chance.uniform(0, 0.2) if cancels else LONGEST_CALL_S
        _, late = await asyncio.wait([task], timeout=patience_s)
        if late and not cancels:
            raise AssertionError(f"a call had not ended after {LONGEST_CALL_S:g} s")
        if not late:
            self.longest_s = max(self.longest_s, time.monotonic() - began_s)
        task.cancel()
        try:
            result = await task
        except asyncio.CancelledError:
            self.met["cancelled"] += 1
        except NewsLeopardError as error:
            self.met[type(error).__name__] += 1
            self.told += [*traceback.format_exception(error), repr(error)]
            await self._meet(error)
        else:
            self._check_result(result)
            self.ending = "done"

    async def _pipeline(self, nl: NewsLeopard) -> Any:
        options: dict[str, Any] = {"polling": POLLING, "checkpoint": self.checkpoint}
        if self.pipeline == "export":
            folder = self.folder / "reports"
            return await workflows.export_report(
                nl, CampaignSn("c1"), download_to=folder, **options
            )
        options |= {"list_name": f"members {self.seed}"}
        if self.pipeline == "import":
            return await workflows.import_contacts(nl, self.contacts, **options)
        return await workflows.send_campaign(
            nl, self.campaign, contacts=self.contacts, max_rejected=self.max_rejected, **options
        )

    async def _meet(self, error: NewsLeopardError) -> None:
        """React to the class of an error, and wait for the time that it names."""
        match error:
            case OutcomeUnknown():
                self.unknown += 1
                self.clock.skip_to(error.look_again_at or self.clock.now())
                if self.unknown > 3:
                    await self._decide()
            case ImportIncomplete():
                # The rows that it speaks of were not rejected: the count is wrong.
                self.max_rejected = None
            case DailyQuotaExhausted():
                self.clock.skip_to(error.resets_at)
            case RateLimited():
                self.clock.skipped_s += error.retry_after_s
            case DeadlineExceeded():
                # An export that never began can be begun again after an hour.
                self.clock.skipped_s += 3_700
            case InvalidRequest():
                assert [each.rule for each in error.problems] == ["future"], error
                self.ending = "too late"
            case _:
                # In use for a moment, or refused once.
                await asyncio.sleep(0.05)

    async def _decide(self) -> None:
        """Look into the console, as a person does, and decide."""
        await asyncio.sleep(2)
        checkpoint = await workflows.Checkpoint.load(self.checkpoint)
        held = checkpoint.records.get("submit")
        if held is None or held.is_done:
            return
        there = [each["sn"] for each in self.world.campaigns if checkpoint.token in each["name"]]
        self.met["decided"] += 1
        if there:
            await checkpoint.resolve("sent", CampaignSn(there[0]))
        else:
            # A person waits until the request cannot be on its way any more.
            with mock.patch.object(decision, "_CAN_TAKE_EFFECT", timedelta(0)):
                await checkpoint.resolve("resubmit")

    def _check_result(self, result: Any) -> None:
        """Compare what the pipeline gave with what is so."""
        if self.pipeline == "export":
            files = {str(each.type): each.path.read_bytes() for each in result.files}
            assert files == self.world.reports, "a report file is not whole"
        elif self.pipeline == "import":
            assert self.wanted <= self.world.members[result.list_sn], "contacts are lost"
        else:
            assert result.campaign_sn == self.world.campaigns[0]["sn"], "another campaign"

    def judge(self) -> None:
        """Check the rules that are true after any fault."""
        assert len(self.world.campaigns) <= 1, "a campaign was accepted twice"
        for each in self.world.campaigns:
            assert self.wanted <= each["members"], "a campaign went out without its contacts"
        names = list(self.world.lists.values())
        assert names.count(f"members {self.seed}") <= 1, "a list was made twice"
        assert not self.world.leaks, self.world.leaks
        if self.ending == "done" and self.pipeline.startswith("send"):
            assert self.world.campaigns, "nothing was sent"
        check_secrets(self.told)


def check_secrets(told: list[str]) -> None:
    """Fail if a message shows a key, a contact or a presigned URL."""
    for text in told:
        for secret in ("Th4t-No0ne", "@contacts.example", SIGNATURE):
            assert secret not in text, f"a message shows {secret}: {text}"


class _Log(logging.Handler):
    """Keeps every line of a logger, with its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(self.format(record))


@contextlib.contextmanager
def logged() -> Iterator[list[str]]:
    """Collect all that the library logs."""
    logger, log = logging.getLogger("newsleopard_async"), _Log()
    before = logger.level
    logger.addHandler(log)
    logger.setLevel(logging.DEBUG)
    try:
        yield log.lines
    finally:
        logger.removeHandler(log)
        logger.setLevel(before)


async def storm_of(seeds: Iterable[int], folder: Path) -> str:
    """Run pipelines in a storm, and return the counts.

    Raises:
        AssertionError: something was so that must never be; with the seeds.
    """
    runs: list[Run] = []
    failed: dict[int, str] = {}
    places = asyncio.Semaphore(TOGETHER)

    async def one(storm: StormServer, seed: int) -> None:
        async with places:
            run = Run(seed, storm, folder / str(seed))
            runs.append(run)
            try:
                await run.go()
                run.judge()
            except Exception as error:  # noqa: BLE001 - any error is a finding
                failed[seed] = "".join(traceback.format_exception(error))

    with logged() as lines, unflushed():
        async with serve() as storm:
            await asyncio.gather(*(one(storm, seed) for seed in seeds))
        check_secrets(lines)
    counts = _counts(runs)
    assert not failed, "\n".join([counts, *(f"seed {seed}: {why}" for seed, why in failed.items())])
    return counts


def _counts(runs: list[Run]) -> str:
    """Sum up what happened."""
    met, struck, seen = Counter[str](), Counter[str](), Counter[str]()
    for run in runs:
        met += run.met
        struck += run.world.struck
        seen += run.world.seen
    ends = Counter(f"{run.pipeline} {run.ending or 'failed'}" for run in runs)
    campaigns = sum(len(run.world.campaigns) for run in runs)
    return (
        f"{len(runs)} runs, {seen.total()} requests, {struck.total()} faults of "
        f"{len(struck)} kinds, {campaigns} campaigns\n"
        f"ended: {dict(sorted(ends.items()))}\nmet: {dict(met.most_common())}\n"
        f"a run took up to {max(run.calls for run in runs)} calls, a call up to "
        f"{max(run.longest_s for run in runs):.1f} s\n"
    )


@pytest.mark.slow
@pytest.mark.asyncio
async def test_storm_is_survived(tmp_path: Path) -> None:
    """Twenty runs, and those that found a fault once: halves of files, endless waits, two lists."""
    sys.stdout.write(await storm_of({*range(20), 69, 103, 177, 188, 370, 490}, tmp_path))


@pytest.mark.soak
@pytest.mark.timeout(1_800)
@pytest.mark.asyncio
@pytest.mark.parametrize("batch", range(10))
async def test_thousand_runs_survive_the_storm(batch: int, tmp_path: Path) -> None:
    """A hundred runs each."""
    sys.stdout.write(await storm_of(range(batch * 100, batch * 100 + 100), tmp_path))


if __name__ == "__main__":
    _first, _number = int(sys.argv[1]), int(sys.argv[2])
    import tempfile

    with tempfile.TemporaryDirectory() as _folder:
        sys.stdout.write(asyncio.run(storm_of(range(_first, _first + _number), Path(_folder))))
