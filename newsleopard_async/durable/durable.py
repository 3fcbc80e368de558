"""Durable sends: any process starts them in a database, and workers run them."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Self, TypeVar, get_args

import anyio
import attrs

from newsleopard_async.aio import Listing
from newsleopard_async.client import NewsLeopard
from newsleopard_async.clock import SystemClock
from newsleopard_async.contacts.sources import Contacts
from newsleopard_async.disclosure import hides_variables
from newsleopard_async.durable.accounts import Clients
from newsleopard_async.durable.attempt_runner import PURGED, AttemptRunner
from newsleopard_async.durable.contacts import ContactsOpener
from newsleopard_async.durable.engine import Engine, SendAttempt
from newsleopard_async.durable.ledger import AttemptResult, Ledger, NewSend, SendRow, create_ledger
from newsleopard_async.durable.roster import Roster, create_roster
from newsleopard_async.durable.spec import SendSpec, prepared, problems_of_time
from newsleopard_async.durable.status import SendState, SendStatus, status_of
from newsleopard_async.durable.worker import Worker, running_worker
from newsleopard_async.errors import ConfigurationError, DeadlineExceeded, InvalidRequest, Problem
from newsleopard_async.models import CampaignSn
from newsleopard_async.models.validation import raise_problems, wrong_type
from newsleopard_async.plain import Plain
from newsleopard_async.stores.database import Database
from newsleopard_async.stores.sql import SqlStore
from newsleopard_async.workflows.decision import Decision
from newsleopard_async.workflows.resuming import resolve
from newsleopard_async.workflows.send_key import problems_of_send_key
from newsleopard_async.workflows.withdrawal import withdraw

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["Durable", "Send", "WorkerStatus"]

T = TypeVar("T")

_STATES: Final = frozenset(get_args(SendState))

_MOST_AT_ONCE: Final = 10_000
"""Chosen: one transaction takes 11 s on SQLite, which blocks all other writers, and 29 s on
Postgres; measured with campaigns of 20 kB."""

_SLOTS: Final = 20
"""Chosen: an import waits most of the time, and one key allows 10 requests per second anyway."""

_FIRST_POLL_S: Final = 0.5
"""Chosen: a send takes seconds or minutes."""

_LONGEST_POLL_S: Final = 10.0
"""Chosen: most sends take minutes. A send that is scheduled for days costs few queries."""


@attrs.frozen
class Send:
    """One send for `Durable.start_sends`.

    Attributes:
        spec: The campaign and its contacts.
        send_key: The send key.
        at: When the send begins; None: immediately.
    """

    spec: SendSpec
    send_key: str
    at: datetime | None = None


@attrs.frozen(kw_only=True)
class WorkerStatus(Plain):
    """A worker in the database.

    Attributes:
        id: Its random id, with the name of its host and its process id.
        started_at: When the worker started, in UTC.
        seen_at: The time of its last heartbeat, in UTC.
        is_alive: Whether its last heartbeat is less than 20 s ago (its lease).
    """

    id: str
    started_at: datetime
    seen_at: datetime
    is_alive: bool


class Durable:
    """Durable sends: they are stored in a database, so no crash loses them (the extra ``dbos``).

    Any process starts sends and reads their status. Workers run them (`work`) with the engine DBOS.
    SQLite allows one worker, on the host of the file. Postgres 14 or later allows any number of
    workers and hosts, and a worker takes over the attempts of workers that have stopped.

    A process that only starts sends and reads their status, such as a web process, needs only the
    URL. Only workers need ``clients``, and so the API key. Runs on asyncio and trio.

    Args:
        url: ``sqlite:////var/lib/app/sends.db``, or ``postgresql://user@host/database``. Messages
            contain only its host and database.
        clients: A function that returns the client of an account (`SendSpec.account`).
        contacts: A function, async or not, that opens the URL of contacts and returns contacts as
            for `send_campaign`. By default only local files are opened.
        shared_folder: A folder that all workers have. On Postgres, a path of contacts must be in
            it.

    Raises:
        ConfigurationError: the URL cannot be used, the extra is not installed, or ``clients`` or
            ``contacts`` is not a function.
    """

    @hides_variables
    def __init__(
        self,
        url: str,
        *,
        clients: Callable[[str], NewsLeopard] | None = None,
        contacts: Callable[[str], Contacts | Awaitable[Contacts]] | None = None,
        shared_folder: Path | None = None,
    ) -> None:
        self._database = Database(url, user="Durable", extra="dbos", create=self._create)
        self._engine = Engine(self._database)
        self._ledger = Ledger(self._database, self._engine)
        self._roster = Roster(self._database)
        self._store = SqlStore.over(self._database)
        self._clients = _as_function("clients", clients)
        file = self._database.file
        self._contacts = ContactsOpener(
            opener=_as_function("contacts", contacts),
            shared_folder=shared_folder,
            is_fleet=file is None,
        )

    def _create(self, connection: sa.Connection) -> None:
        create_ledger(self._engine, connection)
        create_roster(connection)

    def __repr__(self) -> str:
        return f"Durable({self._database.where!r})"

    @property
    def store(self) -> SqlStore:
        """The store of the runs; it can be the ``store`` of a client."""
        return self._store

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; the next call opens new ones."""
        with anyio.CancelScope(shield=True):
            self._engine.close()
            await self._database.aclose()

    async def start_send(
        self,
        spec: SendSpec,
        *,
        send_key: str,
        at: datetime | None = None,
        replace: bool = False,
    ) -> SendStatus:
        """Start a send: after this returns, it is stored, and a worker runs it.

        If it is called again with the same spec, time and key, it changes nothing and returns the
        status; but a failed send is tried again.

        It opens the contacts to hash and check them, unless the spec has their hash.

        Args:
            spec: The campaign and its contacts.
            send_key: Names the campaign in this database for good: at most one campaign is sent
                with this key.
            at: When the send begins, aware, at any time in the future; None: immediately. The
                campaign's own schedule can be later.
            replace: Whether spec and time replace those that the key was started with, if nothing
                was submitted. The same parts may change as for `send_campaign`.

        Raises:
            InvalidRequest: an argument is wrong; the key was used for another send; or the send
                was cancelled.
            ConnectionFailed: the database was away; call it again.
        """
        [status] = await self.start_sends([Send(spec, send_key, at)], replace=replace)
        return status

    async def start_sends(
        self, sends: Iterable[Send], *, replace: bool = False
    ) -> tuple[SendStatus, ...]:
        """Start sends in one transaction: all of them, or none; otherwise as `start_send`.

        Args:
            sends: At most 10,000, each with its own key.
            replace: As for `start_send`.
        Returns: The status of each send, in the same order.

        Raises:
            InvalidRequest: an argument of a send is wrong; none was started.
            ConnectionFailed: the database was away; call it again.
        """
        sends = tuple(sends)
        raise_problems(_problems(sends))
        now = SystemClock().now()
        for send in sends:
            raise_problems(problems_of_time(send.spec, send.at, now))
        # If several sends have the same spec, it is prepared once, for the first time of them.
        prepared_sends: dict[int, partial[NewSend]] = {}
        for send in sorted(sends, key=lambda each: each.at or now):
            if id(send.spec) not in prepared_sends:
                begins = max(send.at or now, now)
                prepared_sends[id(send.spec)] = await self._prepared(send.spec, begins)
        ready = [
            prepared_sends[id(send.spec)](send_key=send.send_key, begins_at=send.at)
            for send in sends
        ]
        await self._ledger.start(ready, replace=replace)
        rows = await self._ledger.read_all([send.send_key for send in sends])
        return tuple(status_of(row, SystemClock().now()) for row in rows)

    async def _prepared(self, spec: SendSpec, now: datetime) -> partial[NewSend]:
        spec = await prepared(spec, self._contacts, now=now)
        text = json.dumps(spec.to_dict(), ensure_ascii=False)
        return partial(NewSend, account=spec.account, digest=spec.digest(), spec=text)

    async def status(self, send_key: str) -> SendStatus:
        """Return the status of a send.

        Raises:
            InvalidRequest: no send has this key.
            ConnectionFailed: the database was away.
        """
        return status_of(await self._row(send_key), SystemClock().now())

    async def _row(self, send_key: str) -> SendRow:
        row = await self._ledger.read(send_key)
        if row is None:
            raise InvalidRequest.of(
                "send_key",
                "missing",
                f"no send has the key {send_key!r} in {self!r}; check the key and the database",
            )
        return row

    def runs(self, *, state: SendState | Iterable[SendState] | None = None) -> Listing[SendStatus]:
        """List the sends, sorted by key: ``await`` gives all, ``async for`` one after another.

        Args:
            state: Return only sends in this state, or in one of these states.

        Raises:
            InvalidRequest: the state does not exist.
            ConnectionFailed: the database was away.
        """
        states = _STATES if state is None else {state} if isinstance(state, str) else {*state}
        raise_problems(_problems_of_states(states))

        async def statuses() -> AsyncGenerator[SendStatus, None]:
            last: str | None = None
            while rows := await self._ledger.page(last):
                for row in rows:
                    status = status_of(row, SystemClock().now())
                    if status.state in states:
                        yield status
                last = rows[-1].send_key

        return Listing(statuses)

    async def wait(self, send_key: str, *, deadline_s: float = 3_600.0) -> SendStatus:
        """Wait until a send is done, cancelled or failed, or until a person must decide.

        Args:
            send_key: The send key.
            deadline_s: The longest wait, in seconds.

        Raises:
            InvalidRequest: no send has this key.
            DeadlineExceeded: the send did not end in this time; it continues if a worker is alive.
            ConnectionFailed: the database was away.
        """
        until, poll_s = anyio.current_time() + deadline_s, _FIRST_POLL_S
        while True:
            status = await self.status(send_key)
            if status.is_final or status.needs_a_person:
                return status
            left_s = until - anyio.current_time()
            if left_s <= 0:
                has_worker = any(each.is_alive for each in await self.workers())
                follows = "it continues" if has_worker else "no worker is alive; start one"
                raise DeadlineExceeded(
                    f"the send {send_key!r} is {status.state} after {deadline_s:g} s; {follows}"
                )
            await anyio.sleep(min(poll_s, left_s))
            poll_s = min(1.5 * poll_s, _LONGEST_POLL_S)

    async def cancel(self, send_key: str) -> Literal["cancelled", "too late"]:
        """Cancel a send that has not been submitted, even if a worker runs it now.

        Returns: ``cancelled``: nothing was sent, and nothing will be sent with this key. ``too
            late``: it was submitted, or the outcome of its submit is unknown; stop the campaign
            with `call_off`.

        Raises:
            InvalidRequest: no send has this key.
            ConnectionFailed: the database was away; call it again.
        """
        row = await self._row(send_key)
        if row.state == "done" or not await withdraw(self._store, send_key):
            return "too late"
        await self._ledger.save_result(row.last, row.account, AttemptResult(state="cancelled"))
        await self._engine.cancel([row.last])
        return "cancelled"

    async def resolve(
        self, send_key: str, decision: Decision, campaign_sn: CampaignSn | None = None
    ) -> SendStatus:
        """Decide whether a send in doubt was submitted, and let it continue.

        Check the console first (活動列表).

        Args:
            send_key: The send key.
            decision: ``sent``: it was submitted; ``resubmit``: it was not submitted, submit it;
                ``abandon``: send nothing more.
            campaign_sn: The code of the campaign, if the decision is ``sent``.

        Raises:
            InvalidRequest: there is nothing to decide; the code is missing; or the request can
                still take effect (rule ``too-early``).
            InUse: a worker runs it at this moment.
            ConnectionFailed: the database was away; call it again.
        """
        row = await self._row(send_key)
        if row.record is None:
            raise InvalidRequest.of(
                "send_key",
                "nothing-held",
                f"{send_key!r} has not begun, so there is nothing to decide; cancel it, or leave "
                "it",
            )
        await resolve(self._store, send_key, decision, campaign_sn)
        return await self.retry(send_key)

    async def retry(self, send_key: str) -> SendStatus:
        """Begin the next attempt at a send now, if the send has failed or has not ended.

        A scheduled send keeps its time.

        Raises:
            InvalidRequest: no send has this key, or its spec was purged.
            ConnectionFailed: the database was away; call it again.
        """
        row = await self._row(send_key)
        if row.spec is None and row.state == "failed":
            raise InvalidRequest.of("send_key", "missing", PURGED)
        # A scheduled send, and a send that no worker has taken yet, stay as they are.
        is_due = (row.next_at or 0.0) <= SystemClock().now().timestamp()
        if row.state != "scheduled" or (is_due and row.record is not None):
            await self._ledger.enqueue_next(row.last, is_requested=True)
            await self._engine.cancel([row.last])
        return await self.status(send_key)

    async def purge(self, *, before: datetime) -> int:
        """Delete the specs of the sends that have ended, and their attempts in the engine.

        Their keys and the records of their runs stay, so no key can be used twice.

        Args:
            before: Purge only sends that ended before this time; aware.
        Returns: The number of purged sends.

        Raises:
            ConnectionFailed: the database was away; call it again.
        """
        raise_problems(_problems_of_before(before))
        purged = 0
        while ended := await self._ledger.purgeable(before):
            # The engine comes first, so that the purge finds them again if it is interrupted.
            await self._engine.delete(
                SendAttempt(last.send_key, number)
                for last in ended
                for number in range(last.number + 1)
            )
            await self._ledger.purge(ended, before)
            purged += len(ended)
        return purged

    async def workers(self) -> tuple[WorkerStatus, ...]:
        """List the workers that have not left, alive or not.

        Raises:
            ConnectionFailed: the database was away.
        """
        now, found = SystemClock().now().timestamp(), await self._roster.workers()
        return tuple(
            WorkerStatus(
                id=worker,
                started_at=datetime.fromtimestamp(now - heartbeat.runs_s, UTC),
                seen_at=datetime.fromtimestamp(now - heartbeat.silent_s, UTC),
                is_alive=heartbeat.is_alive,
            )
            for worker, heartbeat in sorted(found.items())
        )

    def worker(self, *, slots: int = _SLOTS) -> contextlib.AbstractAsyncContextManager[Worker]:
        """Run sends in this event loop, for as long as the context lasts.

        At the end of the context, the worker takes no more attempts, waits for the answers of its
        submits, and leaves all other attempts to the next worker.

        Args:
            slots: How many sends run at the same time, from 1; an account gets at most half of
                them.

        Raises:
            ConfigurationError: ``clients`` is missing; or the SQLite file already has a worker; or
                this process already has one, or uses DBOS itself.
            ConnectionFailed: the database is away.
        """
        if self._clients is None:
            raise ConfigurationError(
                "clients: is missing, and a worker needs it; give Durable(url, clients=…)"
            )
        if type(slots) is not int or slots < 1:
            raise InvalidRequest.of("slots", "range", "must be 1 or more")
        clients = Clients(self._clients)
        runner = AttemptRunner(self._ledger, self._store, self._database, clients, self._contacts)
        return self._running_worker(runner, slots)

    @contextlib.asynccontextmanager
    async def _running_worker(self, runner: AttemptRunner, slots: int) -> AsyncIterator[Worker]:
        # Creates missing tables, and raises immediately if the database is away.
        await self._roster.workers()
        work = partial(running_worker, self._engine, self._ledger, self._roster, runner)
        async with work(slots=slots, file=self._database.file) as worker:
            yield worker

    async def work(self, *, slots: int = _SLOTS) -> None:
        """Run sends until SIGTERM or Ctrl-C arrives, or this call is cancelled; then leave.

        Args:
            slots: As for `worker`.

        Raises: as `worker`.
        """
        async with self.worker(slots=slots):
            if sys.platform == "win32":
                # On Windows no event loop receives signals: Ctrl-C cancels this call.
                await anyio.sleep_forever()
            with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                async for _ in signals:
                    return


def _as_function(name: str, value: T) -> T:
    if value is not None and not callable(value):
        raise ConfigurationError(
            f"{name}= must be a function that returns the {name}, not {type(value).__name__}"
        )
    return value


def _problems_of_states(states: Iterable[str]) -> Iterator[Problem]:
    for each in states:
        if each not in _STATES:
            known = ", ".join(get_args(SendState))
            yield Problem("state", "choice", f"{each!r} does not exist; use one of {known}")


def _problems(sends: tuple[Send, ...]) -> list[Problem]:
    others = [each for each in sends if not isinstance(each, Send)]
    if others:
        return [wrong_type("sends", others[0], "of Send(spec, send_key)")]
    found = [
        wrong_type("spec", send.spec, "a SendSpec: give SendSpec(campaign, …)")
        for send in sends
        if not isinstance(send.spec, SendSpec)
    ]
    found += [problem for send in sends for problem in problems_of_send_key(send.send_key, None)]
    found += [
        Problem(
            "send_key",
            "required",
            "is missing; give the campaign a name that stays the same in all runs",
        )
        for send in sends
        if send.send_key is None
    ]
    if len(sends) > _MOST_AT_ONCE:
        found.append(
            Problem(
                "sends", "length", f"has {len(sends)} sends; start at most {_MOST_AT_ONCE} at once"
            )
        )
    if len({send.send_key for send in sends}) != len(sends):
        found.append(
            Problem("sends", "unique", "contains a send key twice; give each send its own key")
        )
    return found


def _problems_of_before(before: object) -> Iterable[Problem]:
    if not isinstance(before, datetime) or before.tzinfo is None:
        yield Problem("before", "timezone", "must be a datetime with a time zone")
