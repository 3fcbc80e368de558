"""A worker: takes due attempts, runs them in this event loop, and leaves in order.

The rules:

- A worker has a random id, and stores a heartbeat every few seconds. If the last heartbeat is older
  than a lease, other workers take its attempts over: each attempt gets a next one. The worker has
  possibly crashed, or lost the network. If it continues, its runs find that they have lost their
  hold, and send nothing.
- SQLite allows one worker, which locks a file next to the database. It takes over all attempts of
  earlier workers.
- A worker that leaves takes no more attempts, waits for the answers of its submits, and gives every
  other attempt to the next worker. So no submit loses its outcome.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import anyio.lowlevel
import attrs
from anyio.from_thread import BlockingPortal

from newsleopard_async.aio import in_thread
from newsleopard_async.durable.attempt_runner import AttemptRunner
from newsleopard_async.durable.engine import EndNotRecorded, Engine, SendAttempt
from newsleopard_async.durable.ledger import Ledger
from newsleopard_async.durable.roster import LEASE_S, Roster
from newsleopard_async.errors import ConfigurationError
from newsleopard_async.locks import FileLock
from newsleopard_async.log import Log

__all__ = ["Worker", "running_worker"]

_BEATS_EVERY_S: Final = 5.0
"""Chosen: a quarter of a lease, so a worker keeps its lease if the database is away for seconds."""

_OVERDUE_S: Final = 120.0
"""Chosen: the engine takes an attempt within a second of its time. If it does not have the attempt
two minutes later, the engine has lost its row."""

_SWEEPS_EVERY_S: Final = 60.0
"""Chosen: lost attempts are found within minutes, and a sweep costs a few queries."""

_CLOCKS_DIFFER_S: Final = 300.0
"""Chosen: synchronised clocks differ by less than a second. With a clock that is a day ahead, a
send that is scheduled for tomorrow would begin today."""

_SPARE_S: Final = 5.0
"""Chosen: the time that a worker needs to leave, in addition to the wait for answers."""

_log: Final = Log()


@attrs.define(eq=False)
class Worker:
    """A running worker.

    Attributes:
        id: Its random id, with the name of its host and its process id.
    """

    id: str
    _engine: Engine
    _ledger: Ledger
    _roster: Roster
    _runner: AttemptRunner
    _is_alone: bool
    _scopes: set[anyio.CancelScope] = attrs.field(factory=set, init=False)
    _running: set[SendAttempt] = attrs.field(factory=set, init=False)
    _unknown: set[SendAttempt] = attrs.field(factory=set, init=False)
    _is_leaving: bool = attrs.field(default=False, init=False)
    _is_launched: bool = attrs.field(default=False, init=False)
    _beat_s: float = attrs.field(default=0.0, init=False)
    _beat_lock: anyio.Lock = attrs.field(factory=anyio.Lock, init=False)
    _is_gone: bool = attrs.field(default=False, init=False)
    _ahead_s: float = attrs.field(default=0.0, init=False)
    _ended: int = attrs.field(default=0, init=False)
    _given_back: int = attrs.field(default=0, init=False)

    @property
    def is_ready(self) -> bool:
        """Whether it takes attempts: it has begun, the database answers, and it is not leaving."""
        has_lease = time.monotonic() - self._beat_s < LEASE_S
        return self._is_launched and has_lease and not self._is_leaving

    @property
    def running(self) -> int:
        """The number of running attempts."""
        return len(self._running)

    @property
    def ended(self) -> int:
        """The number of attempts that have ended."""
        return self._ended

    @property
    def given_back(self) -> int:
        """The number of attempts that it has left to the next worker."""
        return self._given_back

    @property
    def leaves_within_s(self) -> float:
        """The longest time that it takes to leave, in seconds, if the database answers."""
        return self._runner.clients.submit_s() + 2 * _SPARE_S

    def _run_from_thread(self, portal: BlockingPortal, send_key: str, number: int) -> str:
        """Run an attempt for a thread of the engine.

        Raises:
            EndNotRecorded: the database does not answer.
        """
        try:
            return portal.call(self._run, send_key, number)
        finally:
            # Twice the time, because a heartbeat can be running now.
            if time.monotonic() - self._beat_s > 2 * _BEATS_EVERY_S:
                raise EndNotRecorded

    async def _run(self, send_key: str, number: int) -> str:
        """Run an attempt that the engine has taken; return the state of the send."""
        attempt = SendAttempt(send_key, number)
        state = "given back"
        # Shielded: if the caller is cancelled, the engine must stop before an attempt is given
        # back, or this worker would take the attempt again.
        with anyio.CancelScope(shield=True) as scope:
            self._scopes.add(scope)
            self._running.add(attempt)
            try:
                if self._is_leaving:
                    scope.cancel()
                state = await self._runner.run(attempt)
            finally:
                self._scopes.discard(scope)
                self._running.discard(attempt)
        if scope.cancelled_caught:
            self._given_back += 1
        else:
            self._ended += 1
        return state

    async def _beat(self) -> None:
        while True:
            await self._heartbeat()
            await anyio.sleep(_BEATS_EVERY_S)

    async def _heartbeat(self) -> None:
        async with self._beat_lock:
            # A heartbeat after the leave would show a worker that has ended as alive.
            if not self._is_gone:
                await self._report_alive()

    async def _report_alive(self) -> None:
        try:
            now = await self._roster.beat(self.id)
        except Exception as error:  # noqa: BLE001 - a database that is away comes back
            _log.warning("worker %s could not report that it is alive: %s", self.id, error)
        else:
            self._beat_s = time.monotonic()
            self._ahead_s = time.time() - now
            if abs(self._ahead_s) > _CLOCKS_DIFFER_S:
                _log.warning(
                    "the clock of worker %s is %.0f s ahead of the database's, and sends begin by "
                    "it; set the clock right",
                    self.id,
                    self._ahead_s,
                )

    async def _monitor(self) -> None:
        """Take over the attempts of stopped workers, every few seconds."""
        sweeps_at = time.monotonic() + _SWEEPS_EVERY_S
        while True:
            try:
                await self.take_over()
                if time.monotonic() >= sweeps_at:
                    sweeps_at = time.monotonic() + _SWEEPS_EVERY_S
                    await self.sweep()
            except Exception as error:  # noqa: BLE001 - a database that is away comes back
                _log.warning("worker %s could not check the other workers: %s", self.id, error)
            await anyio.sleep(_BEATS_EVERY_S)

    async def take_over(self) -> int:
        """Enqueue the next attempt for each attempt of stopped workers; return their number."""
        alive = {self.id}
        if not self._is_alone:
            found = await self._roster.workers()
            alive |= {worker for worker, heartbeat in found.items() if heartbeat.is_alive}
        running = await self._engine.running()
        lost = [attempt for attempt, worker in running if worker not in alive]
        # Attempts that this worker took but did not begin, for example after a database error.
        own = {attempt for attempt, worker in running if worker == self.id} - self._running
        lost += own & self._unknown
        self._unknown = own
        for attempt in lost:
            if await self._ledger.enqueue_next(attempt, is_requested=False):
                _log.warning("attempt %d at %r is taken over", attempt.number, attempt.send_key)
        await self._engine.cancel(lost)
        return len(lost)

    async def sweep(self) -> int:
        """Enqueue the next attempt of lost attempts and of decided sends; return their number."""
        await self._roster.prune()
        overdue = await self._ledger.overdue(_OVERDUE_S)
        expected = await self._engine.expected(overdue)
        lost = [attempt for attempt in overdue if attempt not in expected]
        for attempt in lost:
            if await self._ledger.enqueue_next(attempt, is_requested=False):
                _log.warning("attempt %d at %r was lost", attempt.number, attempt.send_key)
        decided = await self._ledger.decided()
        for attempt in decided:
            await self._ledger.enqueue_next(attempt, is_requested=True)
        return len(lost) + len(decided)

    async def _launch(self, portal: BlockingPortal, slots: int) -> None:
        await self._heartbeat()
        if abs(self._ahead_s) > _CLOCKS_DIFFER_S:
            raise ConfigurationError(
                f"the clock of this host is {self._ahead_s:+.0f} s off the database's, and sends "
                "begin by it; set the clock right first"
            )
        run_attempt = partial(self._run_from_thread, portal)
        await in_thread(partial(self._begin, run_attempt, slots))
        _log.info("worker %s takes attempts", self.id)

    def _begin(self, run_attempt: Callable[[str, int], str], slots: int) -> None:
        self._engine.launch(self.id, run_attempt, slots=slots)
        # Set in the thread, because a cancellation can arrive before the event loop has the result.
        self._is_launched = True

    async def _leave(self) -> None:
        """Take no more attempts, wait for submits, and give the other attempts to other workers."""
        self._is_leaving = True
        within_s = self.leaves_within_s
        _log.info("worker %s leaves; it has %d attempts", self.id, self.running)
        with anyio.move_on_after(within_s):
            async with anyio.create_task_group() as tasks:
                if self._is_launched:
                    # The engine stops first, so that it cannot take the attempts again that are
                    # given back below.
                    tasks.start_soon(self._stop_engine, within_s - _SPARE_S)
                    await anyio.lowlevel.checkpoint()
                for scope in tuple(self._scopes):
                    scope.cancel()
        # If the database does not answer, the others notice that heartbeats are missing.
        with anyio.move_on_after(_SPARE_S):
            await self._forget()
        self._is_launched = False
        _log.info("worker %s has left", self.id)

    async def _stop_engine(self, within_s: float) -> None:
        try:
            await in_thread(partial(self._engine.leave, within_s))
        except Exception as error:  # noqa: BLE001 - the rest of the engine ends with this process
            _log.warning("worker %s could not stop the engine: %s", self.id, type(error).__name__)

    async def _forget(self) -> None:
        try:
            async with self._beat_lock:
                self._is_gone = True
                await self._roster.forget(self.id)
        except Exception as error:  # noqa: BLE001 - others notice that it has no heartbeats
            _log.warning("worker %s could not report that it leaves: %s", self.id, error)


@contextlib.asynccontextmanager
async def running_worker(
    engine: Engine,
    ledger: Ledger,
    roster: Roster,
    runner: AttemptRunner,
    *,
    slots: int,
    file: Path | None,
) -> AsyncIterator[Worker]:
    """Run a worker for as long as the context lasts, and let it leave.

    Args:
        engine: The engine.
        ledger: The ledger, in the same database.
        roster: The roster, in the same database.
        runner: Runs the attempts.
        slots: How many attempts run at the same time.
        file: The SQLite file, which allows one worker; None for Postgres.

    Raises:
        ConfigurationError: the SQLite file already has a worker; or this process uses DBOS itself.
    """
    worker = Worker(
        f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
        engine,
        ledger,
        roster,
        runner,
        is_alone=file is not None,
    )
    raised: BaseException | None = None
    with contextlib.ExitStack() as locks:
        if file is not None:
            locks.callback(_lock_of(file).release)
        async with BlockingPortal() as portal, anyio.create_task_group() as tasks:
            try:
                await worker._launch(portal, slots)  # noqa: SLF001 - the class is in this module
                tasks.start_soon(worker._beat)  # noqa: SLF001 - likewise
                tasks.start_soon(worker._monitor)  # noqa: SLF001 - likewise
                yield worker
            except anyio.get_cancelled_exc_class():
                raise
            except BaseException as error:  # noqa: BLE001 - raised below, out of the groups
                raised = error
            finally:
                with anyio.CancelScope(shield=True):
                    await worker._leave()  # noqa: SLF001 - likewise
                    await runner.clients.aclose()
                tasks.cancel_scope.cancel()
    if raised is not None:
        try:
            raise raised
        finally:
            del raised


def _lock_of(file: Path) -> FileLock:
    lock = FileLock.acquire(file.with_name(f".{file.name}.worker"))
    if lock is None:
        raise ConfigurationError(
            f"{file} has a worker already, and SQLite allows one; use Postgres for more workers, "
            "or give that worker more slots"
        )
    return lock
