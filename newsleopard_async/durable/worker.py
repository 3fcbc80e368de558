"""A worker: takes attempts that are due, carries them in this event loop, and leaves in order.

The rules:

- A worker has a random id, and reports every few seconds, by the database's time. What a
  worker that has been silent for a lease had under way is taken over: its attempts get followers.
  It may be dead, stopped or cut off; if it wakes up, its runs find that they have lost their
  record, and send nothing.
- On SQLite there is one worker, which locks the file beside the database. It takes over all that
  an earlier one had under way.
- A worker that leaves takes no more attempts, lets a submit that is on its way run to its answer,
  and gives every other attempt to the next worker.
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
"""Chosen: a quarter of a lease, so that a database that is away for some seconds costs nothing."""

_OVERDUE_S: Final = 120.0
"""Chosen: an attempt is enqueued within a second of its time. One that the engine does not know of
two minutes later was lost with a row of it."""

_SWEEPS_EVERY_S: Final = 60.0
"""Chosen: what is lost is found within minutes, at the price of two queries."""

_CLOCKS_DIFFER_S: Final = 300.0
"""Chosen: clocks that anything keeps right differ by less than a second. By one that is a day
ahead, what is scheduled for tomorrow would go out today."""

_SPARE_S: Final = 5.0
"""Chosen: what a worker that leaves needs beside the answers that it waits for."""

_log: Final = Log()


@attrs.define(eq=False)
class Worker:
    """A worker, while it works.

    Attributes:
        id: Its random id, with the name of its host and the number of its process.
    """

    id: str
    _engine: Engine
    _ledger: Ledger
    _roster: Roster
    _runner: AttemptRunner
    _is_alone: bool
    _scopes: set[anyio.CancelScope] = attrs.field(factory=set, init=False)
    _carried: set[SendAttempt] = attrs.field(factory=set, init=False)
    _unknown: set[SendAttempt] = attrs.field(factory=set, init=False)
    _is_leaving: bool = attrs.field(default=False, init=False)
    _is_launched: bool = attrs.field(default=False, init=False)
    _seen_s: float = attrs.field(default=0.0, init=False)
    _noting: anyio.Lock = attrs.field(factory=anyio.Lock, init=False)
    _is_gone: bool = attrs.field(default=False, init=False)
    _ahead_s: float = attrs.field(default=0.0, init=False)
    _ended: int = attrs.field(default=0, init=False)
    _given_back: int = attrs.field(default=0, init=False)

    @property
    def is_ready(self) -> bool:
        """Whether it takes attempts: it has begun, reaches the database, and does not leave."""
        is_heard = time.monotonic() - self._seen_s < LEASE_S
        return self._is_launched and is_heard and not self._is_leaving

    @property
    def running(self) -> int:
        """How many attempts it is carrying."""
        return len(self._carried)

    @property
    def ended(self) -> int:
        """How many attempts it has carried to an end."""
        return self._ended

    @property
    def given_back(self) -> int:
        """How many attempts it has left to the next worker."""
        return self._given_back

    @property
    def leaves_within_s(self) -> float:
        """For how long it waits at most when it leaves, in seconds, if the database answers."""
        return self._runner.clients.submit_s() + 2 * _SPARE_S

    def _run_from_thread(self, portal: BlockingPortal, send_key: str, number: int) -> str:
        """Carry an attempt, for a thread of the engine.

        Raises:
            EndNotRecorded: the database does not answer.
        """
        try:
            return portal.call(self._carry, send_key, number)
        finally:
            # One beat may be under way.
            if time.monotonic() - self._seen_s > 2 * _BEATS_EVERY_S:
                raise EndNotRecorded

    async def _carry(self, send_key: str, number: int) -> str:
        """Carry an attempt that the engine has taken."""
        attempt = SendAttempt(send_key, number)
        told = "given back"
        # Shielded: if the caller is cancelled, the engine must leave before anything is given
        # back, or this worker would take it again.
        with anyio.CancelScope(shield=True) as scope:
            self._scopes.add(scope)
            self._carried.add(attempt)
            try:
                if self._is_leaving:
                    scope.cancel()
                told = await self._runner.run(attempt)
            finally:
                self._scopes.discard(scope)
                self._carried.discard(attempt)
        if scope.cancelled_caught:
            self._given_back += 1
        else:
            self._ended += 1
        return told

    async def _beat(self) -> None:
        while True:
            await self._heartbeat()
            await anyio.sleep(_BEATS_EVERY_S)

    async def _heartbeat(self) -> None:
        async with self._noting:
            # One that came after the leave would call a worker alive that is gone.
            if not self._is_gone:
                await self._report_alive()

    async def _report_alive(self) -> None:
        try:
            now = await self._roster.beat(self.id)
        except Exception as error:  # noqa: BLE001 - a database that is away comes back
            _log.warning("worker %s could not report that it is alive: %s", self.id, error)
        else:
            self._seen_s = time.monotonic()
            self._ahead_s = time.time() - now
            if abs(self._ahead_s) > _CLOCKS_DIFFER_S:
                _log.warning(
                    "the clock of worker %s is %.0f s ahead of the database's; set it right: sends "
                    "begin by it",
                    self.id,
                    self._ahead_s,
                )

    async def _look(self) -> None:
        """Take over what others have left, again and again."""
        sweeps_at = time.monotonic() + _SWEEPS_EVERY_S
        while True:
            try:
                await self.take_over()
                if time.monotonic() >= sweeps_at:
                    sweeps_at = time.monotonic() + _SWEEPS_EVERY_S
                    await self.sweep()
            except Exception as error:  # noqa: BLE001 - a database that is away comes back
                _log.warning("worker %s could not look for others: %s", self.id, error)
            await anyio.sleep(_BEATS_EVERY_S)

    async def take_over(self) -> int:
        """Give followers to the attempts of workers that are gone; return how many."""
        alive = {self.id}
        if not self._is_alone:
            found = await self._roster.workers()
            alive |= {worker for worker, seen in found.items() if seen.is_alive}
        running = await self._engine.running()
        lost = [attempt for attempt, worker in running if worker not in alive]
        # What this worker took and never began, as after an error of the database.
        own = {attempt for attempt, worker in running if worker == self.id} - self._carried
        lost += own & self._unknown
        self._unknown = own
        for attempt in lost:
            if await self._ledger.go_on(attempt, is_asked_for=False):
                _log.warning("attempt %d at %r is taken over", attempt.number, attempt.send_key)
        await self._engine.cancel(lost)
        return len(lost)

    async def sweep(self) -> int:
        """Give followers to attempts that were lost, or wait for nobody; return how many."""
        await self._roster.prune()
        overdue = await self._ledger.overdue(_OVERDUE_S)
        expected = await self._engine.expected(overdue)
        lost = [attempt for attempt in overdue if attempt not in expected]
        for attempt in lost:
            if await self._ledger.go_on(attempt, is_asked_for=False):
                _log.warning("attempt %d at %r was lost", attempt.number, attempt.send_key)
        decided = await self._ledger.decided()
        for attempt in decided:
            await self._ledger.go_on(attempt, is_asked_for=True)
        return len(lost) + len(decided)

    async def _launch(self, portal: BlockingPortal, slots: int) -> None:
        await self._heartbeat()
        if abs(self._ahead_s) > _CLOCKS_DIFFER_S:
            raise ConfigurationError(
                f"the clock of this host is {self._ahead_s:+.0f} s off the database's, and sends "
                "begin by it; set it right first"
            )
        run_attempt = partial(self._run_from_thread, portal)
        await in_thread(partial(self._begin, run_attempt, slots))
        _log.info("worker %s takes attempts", self.id)

    def _begin(self, run_attempt: Callable[[str, int], str], slots: int) -> None:
        self._engine.launch(self.id, run_attempt, slots=slots)
        # Noted here: a cancellation may strike before the event loop gets the result.
        self._is_launched = True

    async def _leave(self) -> None:
        """Take no more, let submits end, and give the rest to others."""
        self._is_leaving = True
        within_s = self.leaves_within_s
        _log.info("worker %s leaves; it has %d attempts", self.id, self.running)
        with anyio.move_on_after(within_s):
            async with anyio.create_task_group() as tasks:
                if self._is_launched:
                    # First: what is given back below must not come back to this worker.
                    tasks.start_soon(self._stop_engine, within_s - _SPARE_S)
                    await anyio.lowlevel.checkpoint()
                for scope in tuple(self._scopes):
                    scope.cancel()
        # If it does not answer, others see that this one is silent.
        with anyio.move_on_after(_SPARE_S):
            await self._forget()
        self._is_launched = False
        _log.info("worker %s has left", self.id)

    async def _stop_engine(self, within_s: float) -> None:
        try:
            await in_thread(partial(self._engine.leave, within_s))
        except Exception as error:  # noqa: BLE001 - what is left of it ends with this process
            _log.warning("worker %s could not stop the engine: %s", self.id, type(error).__name__)

    async def _forget(self) -> None:
        try:
            async with self._noting:
                self._is_gone = True
                await self._roster.forget(self.id)
        except Exception as error:  # noqa: BLE001 - others see that it is silent
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
    """Work for as long as the context lasts, and leave.

    Args:
        engine: The engine.
        ledger: The ledger, in the same database.
        roster: The roster, likewise.
        runner: Carries the attempts.
        slots: How many at once.
        file: The file of SQLite, of which there is one worker; None for a server.

    Raises:
        ConfigurationError: SQLite has a worker already; or this process uses DBOS itself.
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
                await worker._launch(portal, slots)  # noqa: SLF001 - of a class of this module
                tasks.start_soon(worker._beat)  # noqa: SLF001 - likewise
                tasks.start_soon(worker._look)  # noqa: SLF001 - likewise
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
            f"{file} has a worker already; SQLite is for one. Take Postgres for several workers, "
            "or give that one more slots"
        )
    return lock
