"""A stage: a platform of its own, a database, and durable workers that can be struck anywhere."""

from __future__ import annotations

import contextlib
import itertools
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import attrs
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from newsleopard_async import NewsLeopard
from newsleopard_async.durable import Durable, SendSpec, SendStatus
from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.server import running
from newsleopard_async.emulator.switches import Switches
from newsleopard_async.models import ListSn, Polling
from newsleopard_async.workflows import decision
from tests.constants import CAMPAIGN, KEY
from tests.durable.processes.worker import Job
from tests.faults.world import addresses, csv_of
from tests.fleet.fleet import LateClock, Nursery, Worker

__all__ = ["ROWS", "UNLISTED_S", "SetStage", "Stage", "stage"]

T = TypeVar("T")

ROWS: Final = 7
UNLISTED_S: Final = 3_000.0
"""How long it takes until a campaign is listed that is listed late, by the platform's clock."""

_WITHIN_S: Final = 60.0
_POLLING: Final = Polling(first_s=0.1, max_s=0.5, deadline_s=120)

_NUMBERS: Final = itertools.count(1)


@attrs.define
class Stage:
    """A platform, a database, and the workers.

    Attributes:
        nursery: Starts the workers.
        database: Its URL.
        folder: Has the contacts.
        emulator: The platform.
        clock: Its clock.
        url: Where it is.
        durable: What a web process has.
        story: What happened, with seconds.
        sends: The names of the lists of the sends by their keys; "" without contacts.
    """

    nursery: Nursery
    database: str
    folder: Path
    emulator: Emulator
    clock: LateClock
    url: str
    durable: Durable
    _portal: BlockingPortal
    story: list[str] = attrs.field(factory=list)
    workers: list[Worker] = attrs.field(factory=list)
    sends: dict[str, str] = attrs.field(factory=dict)
    _list_sn: ListSn | None = attrs.field(default=None, init=False)
    _began: float = attrs.field(factory=time.monotonic, init=False)

    @property
    def is_alone(self) -> bool:
        """Whether there is one worker only."""
        return self.database.startswith("sqlite")

    def tell(self, what: str) -> None:
        """Keep what happened."""
        self.story.append(f"{time.monotonic() - self._began:7.3f} {what}")

    def told(self, what: str = "") -> str:
        """Return the story, for an error."""
        asked = [each.operation for each in self.emulator.requests]
        moments = [f"{each.number}: {each.moments} {each.end} {each.code}" for each in self.workers]
        return "\n".join((what, *self.story, *moments, f"requests: {asked}"))

    def call(self, work: Callable[..., Awaitable[T]], *args: Any, **more: Any) -> T:
        """Call something of the web process."""
        return self._portal.call(lambda: work(*args, **more))

    def spec(self, key: str, *, contacts: bool) -> SendSpec:
        """Return what is sent under a key."""
        campaign = attrs.evolve(CAMPAIGN, name=key)
        if not contacts:
            return SendSpec(
                attrs.evolve(campaign, lists=(self._list(),)), polling=_POLLING, balance=None
            )
        return SendSpec(
            campaign, contacts=str(self._contacts()), list_name=f"list of {key}", polling=_POLLING
        )

    def _contacts(self) -> Path:
        path = self.folder / "contacts.csv"
        if not path.exists():
            path.write_text(csv_of(ROWS), encoding="utf-8")
        return path

    def _list(self) -> ListSn:
        """Return a list with members that was there before."""
        if self._list_sn is None:

            async def make() -> ListSn:
                async with NewsLeopard(KEY, base_url=self.url) as nl:
                    sn = await nl.contacts.create_list("there before")
                    await nl.contacts.import_text(csv_of(ROWS), sn)
                    return sn

            self._list_sn = self._portal.call(make)
            self.clock.advance(60)
        return self._list_sn

    def start_send(self, *, contacts: bool = True, at: datetime | None = None) -> str:
        """Start a send; return its key."""
        key = f"key-{next(_NUMBERS)}"
        self.call(self.durable.start_send, self.spec(key, contacts=contacts), send_key=key, at=at)
        self.sends[key] = f"list of {key}" if contacts else ""
        self.tell(f"{key} is started")
        return key

    def worker(self, **how: Any) -> Worker:
        """Start a worker, as a `Job` says."""
        job = Job(
            number=next(_NUMBERS),
            url=self.url,
            database=how.pop("database", self.database),
            folder=str(self.folder),
            **how,
        )
        worker = self.nursery.start(job)
        self.workers.append(worker)
        self.tell(f"{worker.number} starts: {how}")
        return worker

    def strike(self, worker: Worker, number: signal.Signals) -> None:
        """Send a signal to a worker."""
        self.tell(f"{worker.number} gets {number.name}")
        worker.signal(number)

    def wait(self, is_so: Callable[[], bool], within_s: float = _WITHIN_S) -> float:
        """Wait until something is so, of which the workers say nothing; return for how long."""
        began = time.monotonic()
        while not is_so():
            assert time.monotonic() < began + within_s, self.told("it never came to that")
            time.sleep(0.01)
        return time.monotonic() - began

    def moment(self, worker: Worker, point: str, within_s: float = _WITHIN_S) -> None:
        """Wait until a worker is at a point, or was."""

        def is_over() -> bool:
            return point in worker.moments or worker.code is not None

        assert self.nursery.wait(is_over, within_s), self.told(f"it is not {point}")
        assert point in worker.moments, self.told(f"{worker.number} ended before: {point}")
        self.tell(f"{worker.number} is {point}")

    def stopped(self, worker: Worker, point: str) -> None:
        """Wait until a worker has stopped itself at a point."""
        self.moment(worker, point)
        state = Path(f"/proc/{worker.pid}/stat")
        self.wait(lambda: state.read_text().rpartition(")")[2].split()[0] == "T")

    def gone(self, worker: Worker, within_s: float = _WITHIN_S) -> float:
        """Wait until a worker's process is gone; return for how long."""
        began = time.monotonic()
        assert self.nursery.wait(lambda: worker.code is not None, within_s), self.told(
            f"{worker.number} hangs"
        )
        self.tell(f"{worker.number} is gone with {worker.code}")
        assert not (worker.end or {}).get("odd"), self.told("an error of something else")
        return time.monotonic() - began

    def status(self, key: str) -> SendStatus:
        """Return what is known of a send."""
        return self.call(self.durable.status, key)

    def settled(self, key: str, within_s: float = _WITHIN_S) -> SendStatus:
        """Wait until a send is done, held, cancelled or failed."""
        until = time.monotonic() + within_s
        while True:
            status = self.status(key)
            if status.is_final or _is_held(status):
                self.tell(f"{key} is {status.state} ({status.error}: {status.message[:80]})")
                return status
            assert time.monotonic() < until, self.told(f"{key} does not end: {status}")
            time.sleep(0.05)

    def sent(self, key: str) -> int:
        """See that a send was sent once at most, and to its contacts; return how often it was."""
        campaigns = [each for each in self.emulator.campaigns if each.name.split()[0] == key]
        lists = {each.sn: each for each in self.emulator.lists}
        for each in campaigns:
            members = [sorted(lists[sn].members) for sn in each.body.selected]
            assert members == [addresses(ROWS)], self.told(f"contacts of {key}: {members}")
        named = [each.name for each in lists.values() if each.name == self.sends[key]]
        assert len(named) <= 1, self.told(f"{key} has two lists")
        assert len(campaigns) <= 1, self.told(f"{key} was sent twice")
        return len(campaigns)

    def done(self, key: str, status: SendStatus) -> None:
        """See that a send is done, and sent."""
        assert status.state == "done", self.told(f"{key} is {status}")
        assert self.sent(key) == 1, self.told(f"{key} was not sent")
        [campaign] = [each for each in self.emulator.campaigns if each.name.split()[0] == key]
        assert status.campaign_sn == campaign.sn, self.told()

    def list_all(self) -> None:
        """Let all campaigns that were sent be listed."""
        self.clock.advance(2 * UNLISTED_S)

    def retried(self, key: str) -> SendStatus:
        """Let the next attempt at a send begin now, and wait for its end."""
        before = self.status(key).attempt
        self.call(self.durable.retry, key)
        self.wait(lambda: self._has_ended(key, before))
        return self.settled(key)

    def _has_ended(self, key: str, before: int) -> bool:
        status = self.status(key)
        return status.is_final or status.attempt > before + 1

    def decide(self, key: str, monkeypatch: pytest.MonkeyPatch) -> SendStatus:
        """Decide about a held send as a person does that has looked in the console."""
        if self.sent(key):
            [campaign] = [each for each in self.emulator.campaigns if each.name.split()[0] == key]
            self.call(self.durable.resolve, key, "sent", campaign.sn)
        else:
            with monkeypatch.context() as patches:
                patches.setattr(decision, "SystemClock", _HourLater)
                self.call(self.durable.resolve, key, "resubmit")
        self.tell(f"a person has decided about {key}")
        return self.settled(key)


def _is_held(status: SendStatus) -> bool:
    """Say whether its attempt has ended so, which the record of its run says a little earlier."""
    is_later = status.next_at is not None and status.next_at > datetime.now(UTC)
    return status.state == "held" and is_later and status.error == "OutcomeUnknown"


SetStage: TypeAlias = Callable[..., contextlib.AbstractContextManager[Stage]]
"""Sets a stage of its own, by when a campaign that was sent is listed."""


class _HourLater:
    def now(self) -> datetime:
        """Return a time at which no request is on its way any more."""
        return datetime.now(UTC) + timedelta(hours=1)


@contextlib.contextmanager
def stage(
    nursery: Nursery, database: str, folder: Path, *, listed_after_s: float = 0.0
) -> Iterator[Stage]:
    """Set a stage.

    Args:
        nursery: Starts the workers.
        database: The URL of one; sends of other stages in it have ended.
        folder: For the contacts.
        listed_after_s: When a campaign that was sent is listed.
    """
    quick = Switches(
        import_base_s=0.05, send_base_s=listed_after_s, requests_per_s=None, requests_per_day=None
    )
    clock = LateClock()
    emulator = Emulator(api_keys=(KEY,), switches=quick, clock=clock)
    with (
        running(emulator) as url,
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(Durable(database, shared_folder=folder)) as durable,
    ):
        made = Stage(nursery, database, folder, emulator, clock, url, durable, portal)
        try:
            yield made
        finally:
            for each in made.workers:
                each.signal(signal.SIGKILL)
            nursery.wait(lambda: all(each.code is not None for each in made.workers), _WITHIN_S)
