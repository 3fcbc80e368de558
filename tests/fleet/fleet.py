"""A fleet: workers of one send key, at a platform of their own, which can be struck at any time."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio
import attrs

from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.server import running
from newsleopard_async.emulator.switches import Switches
from newsleopard_async.stores import FileStore, RedisStore, SqlStore
from newsleopard_async.workflows import Checkpoint
from tests.constants import KEY, LIST_NAME, ROOT
from tests.faults.world import addresses, csv_of
from tests.fleet.worker import FastClock, Job, store_of
from tests.servers import die_with_parent

__all__ = ["OTHER_KEY", "ROWS", "LateClock", "Nursery", "Worker", "World", "nursery", "world"]

T = TypeVar("T")

ROWS: Final = 7
OTHER_KEY: Final = f"{KEY}-2"
"""Another key of the same account."""

_START_S: Final = 60.0


@attrs.define(eq=False)
class Worker:
    """A process that sends the campaign.

    Attributes:
        number: Its number.
        pid: Its process.
        moments: Those at which it stopped itself.
        end: The report at its end; None before the end, or if it was killed.
        code: The exit code of its process; None before the end.
    """

    number: int
    pid: int = 0
    moments: list[str] = attrs.field(factory=list)
    end: dict[str, Any] | None = None
    code: int | None = None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it is gone."""
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Nursery:
    """Starts workers, and hears what they say.

    Args:
        process: Forks them.
        temporary: Has their temporary files.
    """

    def __init__(self, process: subprocess.Popen[str], temporary: Path) -> None:
        self.temporary = temporary
        self._process = process
        self._news = threading.Condition()
        self._is_ready = False
        self._by_pid: dict[int, Worker] = {}
        self._by_number: dict[int, Worker] = {}
        threading.Thread(target=self._listen, daemon=True).start()
        self.wait(lambda: self._is_ready, _START_S)

    def start(self, job: Any) -> Worker:
        """Start a worker; returns once it runs."""
        worker = self._by_number[job.number] = Worker(job.number)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(attrs.asdict(job)) + "\n")
        self._process.stdin.flush()
        assert self.wait(lambda: worker.pid != 0, _START_S), "no worker was started"
        return worker

    def wait(self, is_so: Callable[[], bool], within_s: float) -> bool:
        """Wait until the workers have made something so; say whether they did in time."""
        with self._news:
            return self._news.wait_for(is_so, within_s)

    def end(self) -> None:
        """Kill what is left."""
        for worker in self._by_pid.values():
            worker.signal(signal.SIGKILL)
        self._process.kill()
        self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self._hear(json.loads(line))
                self._news.notify_all()

    def _hear(self, said: dict[str, Any]) -> None:
        match said["what"]:
            case "ready":
                self._is_ready = True
            case "born":
                worker = self._by_number[said["number"]]
                worker.pid = said["of"]
                self._by_pid[worker.pid] = worker
            case "gone":
                self._by_pid.pop(said["of"]).code = said["code"]
            case "moment":
                self._by_pid[said["pid"]].moments.append(said["moment"])
            case "end":
                self._by_pid[said["pid"]].end = said
            case what:
                raise AssertionError(what)


@contextlib.contextmanager
def nursery(folder: Path, program: str = "tests.fleet.worker") -> Iterator[Nursery]:
    """Run the process that forks the workers, with a separate folder for temporary files.

    Args:
        folder: Where that is, and their log.
        program: The module that forks them.
    """
    temporary = folder / "tmp"
    temporary.mkdir()
    environment = {
        **os.environ,
        "TMPDIR": str(temporary),
        "XDG_STATE_HOME": str(folder / "state"),
        "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", ""))),
    }
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", program],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - it calls the system, and nothing else
        )
    with process:
        started = Nursery(process, temporary)
        try:
            yield started
        finally:
            started.end()


class LateClock:
    """The machine's clock for the platform, which a test can move on."""

    def __init__(self) -> None:
        self._later_s = 0.0

    def advance(self, seconds: float) -> None:
        """Move it on."""
        self._later_s += seconds

    def now(self) -> datetime:
        """Return the wall clock's time."""
        return datetime.now(UTC) + timedelta(seconds=self._later_s)

    def monotonic(self) -> float:
        """Return its seconds."""
        return time.monotonic() + self._later_s

    async def sleep(self, seconds: float) -> None:
        """Wait for real."""
        await anyio.sleep(max(0.0, seconds))


@attrs.define
class World:
    """A platform, a store, and the workers of one send key.

    Attributes:
        nursery: Starts the workers.
        store: A path or a URL.
        folder: For what this run needs.
        speed: Of the workers' clocks.
        send_key: What they send.
        emulator: The platform.
        clock: Its clock.
        url: Where it is.
        story: What happened, with seconds.
    """

    nursery: Nursery
    store: str
    folder: Path
    speed: float
    send_key: str
    emulator: Emulator
    clock: LateClock
    url: str
    story: list[str] = attrs.field(factory=list)
    workers: list[Worker] = attrs.field(factory=list)
    _began: float = attrs.field(factory=time.monotonic, init=False)
    _since: float = attrs.field(factory=time.time, init=False)

    def now(self) -> datetime:
        """Return the time on the workers' clocks."""
        return FastClock(self.speed, self._since).now()

    def tell(self, what: str) -> None:
        """Keep what happened."""
        self.story.append(f"{time.monotonic() - self._began:7.3f} {what}")

    def start(self, *, wait_s: float = 0.0, stops_at: str = "", key: str = KEY) -> Worker:
        """Start a worker."""
        contacts = self.folder / "contacts.csv"
        if not contacts.exists():
            contacts.write_text(csv_of(ROWS), encoding="utf-8")
        job = Job(
            number=next(_NUMBERS),
            url=self.url,
            key=key,
            store=self.store,
            send_key=self.send_key,
            contacts=str(contacts),
            list_name=LIST_NAME,
            wait_s=wait_s,
            speed=self.speed,
            since=self._since,
            stops_at=stops_at,
        )
        worker = self.nursery.start(job)
        self.workers.append(worker)
        self.tell(f"{worker.number} starts")
        return worker

    def strike(self, worker: Worker, number: signal.Signals) -> None:
        """Send a signal to a worker."""
        self.tell(f"{worker.number} gets {number.name}")
        worker.signal(number)

    def wait(self, is_so: Callable[[], bool], within_s: float = 60.0) -> None:
        """Wait until something is so, of which the workers say nothing."""
        until = time.monotonic() + within_s
        while not is_so():
            assert time.monotonic() < until, self.told("it never came to that")
            time.sleep(0.005)

    def moment(self, worker: Worker) -> None:
        """Wait until a worker has stopped itself at its moment."""
        assert self.nursery.wait(lambda: bool(worker.moments or worker.end), 60.0), self.told()
        assert worker.moments, self.told(f"{worker.number} passed its moment: {worker.end}")
        # It says so before it stands still.
        state = Path(f"/proc/{worker.pid}/stat")
        self.wait(lambda: state.read_text().rpartition(")")[2].split()[0] == "T")
        self.tell(f"{worker.number} stands still at: {worker.moments[-1]}")

    def ended(self, *workers: Worker, within_s: float = 60.0) -> list[dict[str, Any] | None]:
        """Wait until the workers have ended, and return their last reports."""
        waited_for = workers or tuple(self.workers)
        is_over = self.nursery.wait(
            lambda: all(each.code is not None for each in waited_for), within_s
        )
        for each in waited_for:
            self.tell(f"{each.number} has ended with {each.code}: {each.end}")
        assert is_over, self.told("a worker hangs")
        return [each.end for each in waited_for]

    def call(self, *, wait_s: float = 600.0, key: str = KEY) -> dict[str, Any]:
        """Call once more, with a new worker, and return what that says."""
        [end] = self.ended(self.start(wait_s=wait_s, key=key))
        assert end is not None, self.told("a worker died")
        return end

    def in_store(self, work: Callable[[FileStore | RedisStore | SqlStore], Awaitable[T]]) -> T:
        """Do something with the store in this process, as a person does."""

        async def main() -> T:
            store = store_of(self.store)
            try:
                return await work(store)
            finally:
                if not isinstance(store, FileStore):
                    await store.aclose()

        return anyio.run(main)

    def kept(self) -> Checkpoint:
        """Return what is kept of the run."""
        return self.in_store(lambda store: Checkpoint.load(store, self.send_key))

    def told(self, what: str = "") -> str:
        """Return the story, for an error."""
        return "\n".join((what, *self.story, f"requests: {self._requests()}"))

    def _requests(self) -> list[str]:
        return [each.operation for each in self.emulator.requests]

    def check(self) -> int:
        """See that no campaign was sent twice, and none to wrong contacts; return how many are."""
        campaigns = self.emulator.campaigns
        assert len(campaigns) <= 1, self.told("sent twice")
        for campaign in campaigns:
            lists = {each.sn: each for each in self.emulator.lists}
            members = [lists[sn].members for sn in campaign.body.selected]
            assert [sorted(each) for each in members] == [addresses(ROWS)], self.told("contacts")
        names = [each.name for each in self.emulator.lists]
        assert names.count(LIST_NAME) <= 1, self.told("two lists")
        return len(campaigns)


_NUMBERS: Final = itertools.count(1)


@contextlib.contextmanager
def world(
    workers: Nursery, store: str, folder: Path, *, speed: float = 1.0, listed_after_s: float = 0.0
) -> Iterator[World]:
    """Run a platform for a send key.

    Args:
        workers: Starts the workers.
        store: A path or a URL.
        folder: For what this run needs.
        speed: Of the workers' clocks.
        listed_after_s: When a campaign that was sent is listed.
    """
    quick = Switches(
        import_base_s=0.05, send_base_s=listed_after_s, requests_per_s=None, requests_per_day=None
    )
    clock = LateClock()
    emulator = Emulator(api_keys=(KEY, OTHER_KEY), switches=quick, clock=clock)
    folder.mkdir(exist_ok=True)
    with running(emulator) as url:
        made = World(
            nursery=workers,
            store=store,
            folder=folder,
            speed=speed,
            send_key=f"key-{next(_NUMBERS)}",
            emulator=emulator,
            clock=clock,
            url=url,
        )
        try:
            yield made
        finally:
            for each in made.workers:
                each.signal(signal.SIGKILL)
