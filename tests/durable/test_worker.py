"""Workers run due attempts, take over the attempts of stopped workers, and leave in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import pytest
import sqlalchemy as sa

from newsleopard_async import (
    ConfigurationError,
    ConnectionFailed,
    InvalidRequest,
    NewsLeopard,
    workflows,
)
from newsleopard_async.aio import from_any_thread
from newsleopard_async.durable import Durable, roster, worker
from newsleopard_async.durable.engine import Engine, SendAttempt
from newsleopard_async.durable.ledger import AttemptResult, NewSend
from newsleopard_async.durable.roster import Roster
from newsleopard_async.durable.worker import Worker
from newsleopard_async.workflows.run_record import RunRecord, StepRecord
from newsleopard_async.workflows.send_key import token_of
from tests.constants import KEY, ROOT
from tests.durable.desk import Desk, at_desk, opened

pytestmark = pytest.mark.anyio


@attrs.define
class HandEngine:
    """The engine without its threads: the test hands attempts to the worker itself.

    Attributes:
        run_attempt: The function that the worker passed, for calls in a thread.
        left_within_s: How long it should wait for attempts, in seconds.
    """

    run_attempt: Callable[[str, int], str] | None = None
    left_within_s: float | None = None
    under_way: int = 0

    def launch(self, worker: str, run_attempt: Callable[[str, int], str], *, slots: int) -> None:
        """Store the function that runs attempts."""
        self.run_attempt = run_attempt

    def leave(self, within_s: float) -> None:
        """Wait until no attempt is under way."""
        self.left_within_s = within_s
        until = time.monotonic() + 5
        while self.under_way and time.monotonic() < until:
            time.sleep(0.001)

    async def hand(self, send_key: str = "k", number: int = 0) -> str:
        """Let the worker run an attempt, in a thread outside of the clock of a test."""
        done, told = anyio.Event(), []
        wake = from_any_thread(done.set)

        def run() -> None:
            assert self.run_attempt is not None
            try:
                told.append(self.run_attempt(send_key, number))
            finally:
                self.under_way -= 1
                wake()

        self.under_way += 1
        threading.Thread(target=run, daemon=True).start()
        await done.wait()
        return told[0]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> HandEngine:
    """Put an engine without threads into the place of DBOS."""
    engine = HandEngine()
    monkeypatch.setattr(Engine, "launch", lambda _, *args, **more: engine.launch(*args, **more))
    monkeypatch.setattr(Engine, "leave", lambda _, within_s: engine.leave(within_s))
    return engine


def working_at(desk: Desk, **options: Any) -> Any:
    """Be a worker at a desk."""
    desk.durable._clients = client_of(desk)
    return desk.durable.worker(**options)


def client_of(desk: Desk) -> Callable[[str], NewsLeopard]:
    """Make clients, which a worker closes at its end."""
    wire, clock = desk.bench.wire, desk.bench.clock
    return lambda _: NewsLeopard(KEY, http_transport=wire, clock=clock)


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for a moment of real time."""
    with anyio.fail_after(5):
        while not is_so():  # noqa: ASYNC110 - no event reports this condition
            await anyio.sleep(0.005)


# In this process


async def test_worker_carries_what_the_engine_hands_it(desk: Desk, engine: HandEngine) -> None:
    """In this event loop; it is ready until it leaves, and is in the roster."""
    await desk.start()
    async with working_at(desk) as at:
        assert await engine.hand() == "done"

        assert (at.running, at.ended, at.is_ready) == (0, 1, True)
        [listed] = await desk.durable.workers()
        assert (listed.id, listed.is_alive) == (at.id, True)
        assert str(os.getpid()) in at.id

    assert not at.is_ready
    assert await desk.durable.workers() == ()
    assert desk.emulator.submitted == 1
    assert engine.left_within_s is not None
    assert engine.left_within_s >= desk.bench.nl._api.timeouts.submit_s


async def test_worker_that_leaves_gives_back_what_it_carries(
    desk: Desk, engine: HandEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs no later attempt; the next worker continues."""
    await desk.start("a")
    await desk.start("b")
    told: dict[str, str] = {}
    is_under_way = anyio.Event()

    async def hang(*_: Any, **__: Any) -> None:
        is_under_way.set()
        await anyio.sleep_forever()

    async def run_attempt(key: str) -> None:
        told[key] = await engine.hand(key)

    with monkeypatch.context() as patch:
        patch.setattr("newsleopard_async.durable.attempt_runner.send_campaign", hang)
        async with anyio.create_task_group() as tasks, working_at(desk) as at:
            tasks.start_soon(run_attempt, "a")
            await is_under_way.wait()
            assert at.running == 1
            at._is_leaving = True
            assert not at.is_ready
            await run_attempt("b")
    assert told == {"a": "given back", "b": "given back"}

    for key in "ab":
        row = await desk.row(key)
        assert row.attempt == 1
        assert row.next_at is not None
        assert row.next_at <= time.time()
        assert (await desk.run_attempt(key)).state == "done"


async def test_error_inside_of_a_worker_leaves_as_it_is(desk: Desk, engine: HandEngine) -> None:
    """In no group of errors."""
    with pytest.raises(LookupError, match="of the caller"):
        async with working_at(desk):
            raise LookupError("of the caller")

    assert engine.left_within_s is not None


async def test_worker_that_is_cancelled_leaves(desk: Desk, engine: HandEngine) -> None:
    """As by a task group of the application."""
    with anyio.CancelScope() as scope:
        async with working_at(desk):
            scope.cancel()
            await anyio.sleep_forever()

    assert scope.cancelled_caught
    assert await desk.durable.workers() == ()


@pytest.mark.parametrize("what", ["roster", "engine"])
async def test_worker_leaves_though_something_fails_at_its_end(
    what: str, desk: Desk, engine: HandEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example if the database is away: other workers notice that it has ended."""

    async def fail(*_: Any) -> None:
        raise ConnectionFailed("away", reason="timeout", host="h")

    def break_down(*_: Any) -> None:
        raise RuntimeError("the engine broke down")

    async with working_at(desk):
        if what == "roster":
            monkeypatch.setattr(Roster, "forget", fail)
        else:
            monkeypatch.setattr(Engine, "leave", break_down)

    monkeypatch.undo()
    assert len(await desk.durable.workers()) == (what == "roster")


async def test_worker_that_has_left_is_alive_no_more(
    desk: Desk, engine: HandEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if it was just about to report that it is: others would leave its attempts alone."""
    monkeypatch.setattr(worker, "_BEATS_EVERY_S", 0.0)
    for _ in range(20):
        async with working_at(desk):
            pass

        assert await desk.durable.workers() == ()


async def test_worker_goes_on_while_the_database_is_away(
    desk: Desk,
    engine: HandEngine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is not ready meanwhile, and says so."""
    monkeypatch.setattr(worker, "_BEATS_EVERY_S", 0.01)
    monkeypatch.setattr(worker, "LEASE_S", 0.2)
    is_away = anyio.Event()

    async def fail(*_: Any) -> None:
        is_away.set()
        raise ConnectionFailed("it is away", reason="timeout", host="h")

    async with working_at(desk) as at:
        with monkeypatch.context() as patch:
            patch.setattr(Roster, "beat", fail)
            patch.setattr(Worker, "take_over", fail)
            await is_away.wait()
            await until(lambda: not at.is_ready)
        await until(lambda: at.is_ready)

    assert "could not report that it is alive: it is away" in caplog.text
    assert "could not check the other workers: it is away" in caplog.text


async def test_sqlite_has_one_worker(desk: Desk, engine: HandEngine) -> None:
    """This is true for all processes; after it has left, another one can begin."""
    for _ in range(2):
        async with working_at(desk):
            with pytest.raises(ConfigurationError, match="has a worker already"):
                async with working_at(desk):
                    pass


async def test_worker_that_cannot_be_is_refused(sqlite_url: str) -> None:
    """Before anything is begun."""
    async with opened(sqlite_url) as durable:
        with pytest.raises(ConfigurationError, match="clients="):
            durable.worker()
        with pytest.raises(ConfigurationError, match="clients="):
            await durable.work()
    async with opened(sqlite_url, clients=lambda _: None) as durable:
        slots: Any
        for slots in (0, True, 1.0):
            with pytest.raises(InvalidRequest, match="slots: must be 1 or more"):
                durable.worker(slots=slots)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_ends_the_work(number: int, desk: Desk, engine: HandEngine) -> None:
    """The worker leaves, and the caller goes on."""
    before = signal.getsignal(number)
    desk.durable._clients = client_of(desk)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.durable.work)
        await until(lambda: engine.run_attempt is not None and signal.getsignal(number) != before)
        os.kill(os.getpid(), number)

    assert engine.left_within_s is not None
    assert signal.getsignal(number) == before


# What others have left


def now_s() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def idle(durable: Durable, *, name: str = "me", is_alone: bool = False) -> Worker:
    """Return a worker that runs no attempts."""
    runner: Any = None
    return Worker(
        name, durable._engine, durable._ledger, durable._roster, runner, is_alone=is_alone
    )


async def start(durable: Durable, *keys: str, ago_s: float = 0.0) -> None:
    """Put sends in that were due so long ago."""
    begins_at = now_s() - timedelta(seconds=ago_s)
    sends = [
        NewSend(send_key=key, account="main", digest="d", spec="{}", begins_at=begins_at)
        for key in keys
    ]
    await durable._ledger.start(sends, replace=False)


async def let_take(durable: Durable, attempt: SendAttempt, name: str) -> None:
    """Let a worker have taken an attempt, and not have ended it."""
    values = {"id": attempt.id, "name": name}
    work = partial(_execute, _TAKE[durable._database.engine.name], values)
    assert await durable._database.run(work) == 1


_TAKE = {
    "sqlite": "UPDATE workflow_status SET status = 'PENDING', executor_id = :name "
    "WHERE workflow_uuid = :id",
    "postgresql": "UPDATE newsleopard_engine.workflow_status SET status = 'PENDING', "
    "executor_id = :name WHERE workflow_uuid = :id",
}
_SILENT = "UPDATE newsleopard_workers SET seen_at = seen_at - :s WHERE worker = :name"


def _execute(text: str, values: dict[str, Any], connection: sa.Connection) -> int:
    return connection.execute(sa.text(text), values).rowcount


async def fall_silent(durable: Durable, name: str, for_s: float) -> None:
    """Let a worker have said long ago that it lives."""
    await durable._roster.beat(name)
    work = partial(_execute, _SILENT, {"s": for_s, "name": name})
    await durable._database.run(work)


async def test_attempts_of_silent_workers_are_taken_over(url: str) -> None:
    """This concerns workers that were killed or lost, not running workers."""
    async with opened(url) as durable:
        await start(durable, "dead", "gone", "alive", "mine", "queued")
        for name in ("dead", "gone", "alive", "me"):
            key = "mine" if name == "me" else name
            await let_take(durable, SendAttempt(key, 0), name)
        await fall_silent(durable, "dead", roster.LEASE_S + 1)
        await durable._roster.beat("alive")
        at = idle(durable)
        at._running.add(SendAttempt("mine", 0))

        assert await at.take_over() == 2
        rows = await durable._ledger.read_all(["dead", "gone", "alive", "mine", "queued"])
        assert [row.attempt for row in rows] == [1, 1, 0, 0, 0]
        assert {each for each, _ in await durable._engine.running()} == {
            SendAttempt("alive", 0),
            SendAttempt("mine", 0),
        }
        expected = {SendAttempt("dead", 1), SendAttempt("gone", 1)}
        assert await durable._engine.expected([*expected, SendAttempt("dead", 0)]) == expected
        # The same worker that was silent may not come back with it.
        assert await at.take_over() == 0


async def test_lease_is_by_the_time_of_the_database(url: str) -> None:
    """A worker that was silent for less than a lease keeps what it has."""
    async with opened(url) as durable:
        await start(durable, "k")
        await let_take(durable, SendAttempt("k", 0), "slow")
        await fall_silent(durable, "slow", roster.LEASE_S - 2)
        assert await idle(durable).take_over() == 0

        [listed] = await durable.workers()
        assert listed.is_alive
        assert 17 < (now_s() - listed.seen_at).total_seconds() < 30
        await fall_silent(durable, "slow", roster.LEASE_S)
        assert not (await durable.workers())[0].is_alive
        assert await idle(durable).take_over() == 1


async def test_one_worker_of_sqlite_takes_over_at_once(sqlite_url: str) -> None:
    """It owns all attempts of earlier workers, because SQLite allows only one worker."""
    async with opened(sqlite_url) as durable:
        await start(durable, "k")
        await let_take(durable, SendAttempt("k", 0), "before")
        await durable._roster.beat("before")

        assert await idle(durable, is_alone=True).take_over() == 1


async def test_attempt_that_was_taken_and_never_begun_is_given_a_follower(sqlite_url: str) -> None:
    """This is found at the second check, because it can begin after the first one."""
    async with opened(sqlite_url) as durable:
        await start(durable, "k")
        await let_take(durable, SendAttempt("k", 0), "me")
        at = idle(durable)

        assert [await at.take_over(), await at.take_over(), await at.take_over()] == [0, 1, 0]


async def test_attempt_that_has_ended_is_not_followed(sqlite_url: str) -> None:
    """Its worker died before the engine noted it."""
    async with opened(sqlite_url) as durable:
        await start(durable, "k")
        await let_take(durable, SendAttempt("k", 0), "dead")
        assert await durable.cancel("k") == "cancelled"
        await let_take(durable, SendAttempt("k", 0), "dead")

        assert await idle(durable).take_over() == 1
        row = await durable._ledger.read("k")
        assert row is not None
        assert (row.state, row.attempt) == ("cancelled", 0)


async def test_attempts_that_the_engine_has_lost_are_made_again(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its rows can be lost at any time; attempts that it has, or that are not overdue, stay."""
    async with opened(url) as durable:
        await start(durable, "lost", "there", ago_s=300)
        await start(durable, "new", ago_s=60)
        await durable._engine.delete([SendAttempt("lost", 0), SendAttempt("new", 0)])

        assert await idle(durable).sweep() == 1
        assert await idle(durable).sweep() == 0
        rows = await durable._ledger.read_all(["lost", "there", "new"])
        assert [row.attempt for row in rows] == [1, 0, 0]
        assert await durable._engine.expected([SendAttempt("lost", 1)]) == {SendAttempt("lost", 1)}
    assert "attempt 0 at 'lost' was lost" in caplog.text


async def test_send_with_a_decision_does_not_wait(url: str) -> None:
    """The process of the decision possibly ended before it enqueued the next attempt."""
    async with opened(url) as durable:
        for key in ("decided", "held"):
            await start(durable, key)
            await hold(durable, key)
        await workflows.resolve(durable.store, "decided", "abandon")

        assert await idle(durable).sweep() == 1
        assert await idle(durable).sweep() == 0
        rows = await durable._ledger.read_all(["decided", "held"])
        assert [(row.attempt, row.next_at is None) for row in rows] == [(1, False), (0, True)]


async def hold(durable: Durable, key: str) -> None:
    """Let a send be held, for a person to decide about."""
    record = StepRecord(state="intent", at=datetime.now(UTC) - timedelta(hours=1))
    stored = RunRecord(
        pipeline="send_campaign",
        input_hash="",
        input_parts={},
        token=token_of(key),
        records={"submit": record},
        abandoned=False,
        send_key=key,
    )
    await durable.store.save(key, stored.to_dict(), None)
    await durable._ledger.save_result(SendAttempt(key, 0), "main", AttemptResult(state="held"))


async def test_worker_whose_clock_is_wrong_takes_nothing(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is scheduled for tomorrow would go out today."""
    async with opened(url, clients=lambda _: NewsLeopard(KEY)) as durable:
        day = time.time() + 86_400
        monkeypatch.setattr("time.time", lambda: day)

        with pytest.raises(ConfigurationError, match=r"clock of this host is .86400 s off"):
            async with durable.worker():
                pass


# With the engine itself


@pytest.mark.slow
@pytest.mark.parametrize(
    ("url", "anyio_backend"),
    [("sqlite", "asyncio"), ("postgres", "asyncio"), ("sqlite", "trio")],
    indirect=["url"],
)
async def test_real_worker_carries_takes_over_and_leaves(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is due, what a dead worker has left, and what is started while it works."""
    monkeypatch.setattr(worker, "_BEATS_EVERY_S", 0.2)
    is_postgres = url.startswith("postgres")
    async with at_desk(url, tmp_path) as desk:
        for key in ("a", "b", "later"):
            await desk.start(key)
        await let_take(desk.durable, SendAttempt("b", 0), "dead")
        in_an_hour = now_s() + timedelta(hours=1)
        await desk.durable.start_send(desk.spec(), send_key="in an hour", at=in_an_hour)
        async with working_at(desk, slots=4) as at:
            await desk.start("c")
            with anyio.fail_after(30):
                for key in ("a", "b", "later", "c"):
                    assert (await desk.durable.wait(key, deadline_s=30)).state == "done"
            assert at.is_ready
            if is_postgres:
                with pytest.raises(ConfigurationError, match="separate process"):
                    async with working_at(desk):
                        pass
                await desk.start("d")
                assert (await desk.durable.wait("d", deadline_s=30)).state == "done"

        assert (await desk.row("b")).attempt == 1
        assert (await desk.durable.status("in an hour")).state == "scheduled"
        assert desk.emulator.submitted == 4 + is_postgres
        assert not at.is_ready
        assert await desk.durable.workers() == ()


_OTHER_USE = """
import sys
import anyio
from dbos import DBOS
from newsleopard_async import ConfigurationError
from newsleopard_async.durable import Durable

@DBOS.workflow()
def own():
    return "own"

DBOS(config={"name": "own", "system_database_url": f"sqlite:///{sys.argv[1]}/own.db"})
DBOS.launch()

async def main():
    async with Durable(f"sqlite:///{sys.argv[1]}/sends.db", clients=print) as durable:
        try:
            async with durable.worker():
                print("taken")
        except ConfigurationError as error:
            print(error)

anyio.run(main)
print(DBOS.start_workflow(own).get_result())
DBOS.destroy()
"""


@pytest.mark.slow
def test_process_that_uses_the_engine_itself_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    """And its own workflows go on."""
    run = subprocess.run(
        [sys.executable, "-c", _OTHER_USE, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=ROOT,
    )

    assert run.returncode == 0, run.stderr
    assert "uses DBOS itself" in run.stdout
    assert run.stdout.splitlines()[-1] == "own"
