"""Sends that are kept in a database until they are done: started anywhere, carried by workers."""

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
"""Chosen: one transaction of 11 s on SQLite, which has no other writer meanwhile, and of 29 s on
Postgres; measured with campaigns of 20 kB."""

_SLOTS: Final = 20
"""Chosen: most of an import is waiting; and one key allows 10 requests a second in any case."""

_FIRST_LOOK_S: Final = 0.5
_LONGEST_LOOK_S: Final = 10.0
"""Chosen: a send takes seconds or minutes; and one that is scheduled, for days, costs little."""


@attrs.frozen
class Send:
    """A send to be started, as `Durable.start_sends` takes it.

    Attributes:
        spec: What is sent.
        send_key: Its key.
        at: When it is to begin; None for at once.
    """

    spec: SendSpec
    send_key: str
    at: datetime | None = None


@attrs.frozen(kw_only=True)
class WorkerStatus(Plain):
    """A worker, as the database knows it.

    Attributes:
        id: Its random id, with the name of its host and the number of its process.
        started_at: When it began, in UTC.
        seen_at: When it last reported that it is alive, in UTC.
        is_alive: Whether that is no longer ago than a lease of 20 s.
    """

    id: str
    started_at: datetime
    seen_at: datetime
    is_alive: bool


class Durable:
    """Sends in a database, which survive every process: the extra ``dbos``.

    Any process starts sends and looks at them. Workers carry them out (`work`), by the engine DBOS.
    On SQLite there is one worker, on the host of the file. On Postgres 14 or later there are any
    number, on any number of hosts, and each takes over what another one has left.

    It is made of nothing but a URL where sends are only started and looked at, as in a web process;
    the API key is only in the client that ``clients`` makes, in a worker. On asyncio and on trio.

    Args:
        url: ``sqlite:////var/lib/app/sends.db``, or ``postgresql://user@host/database``. It is in
            no message, but for host and database.
        clients: Makes the client of an account, by `SendSpec.account`; a worker needs it.
        contacts: Opens the contacts of a spec by their URL: returns what `send_campaign` takes as
            contacts, async or not. By default local files are opened.
        shared_folder: A folder that every worker has, in which contacts may be named by their
            path; on Postgres, no other path is taken.

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
        """Keeps the records of the runs, as the ``store`` of a client would."""
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
        """Start a send: once this returns it is kept, and a worker carries it out.

        Called again with the same spec, time and key, it changes nothing, and returns what is known
        of the send; one that has failed is tried again.

        Contacts are opened here to hash and check them, unless the spec has their hash.

        Args:
            spec: What is sent.
            send_key: Names the campaign in this database, for good: under it one is sent at most.
            at: When it is to begin, aware, however far ahead; None for at once. The campaign's own
                schedule may be later.
            replace: Whether spec and time take the place of those that the key was started with,
                if nothing was submitted. What may still change is as for `send_campaign`.

        Raises:
            InvalidRequest: something is wrong with what was given; or the key was used for
                something else; or it was cancelled.
            ConnectionFailed: the database was away; call it again.
        """
        [status] = await self.start_sends([Send(spec, send_key, at)], replace=replace)
        return status

    async def start_sends(
        self, sends: Iterable[Send], *, replace: bool = False
    ) -> tuple[SendStatus, ...]:
        """Start sends in one transaction: all of them, or none; otherwise as `start_send`.

        Args:
            sends: At most 10,000, each with a key of its own.
            replace: As for `start_send`.
        Returns: What is known of each, in the order given.

        Raises:
            InvalidRequest: something is wrong with one of them; none was started.
            ConnectionFailed: the database was away; call it again.
        """
        wanted = tuple(sends)
        raise_problems(_problems(wanted))
        now = SystemClock().now()
        for send in wanted:
            raise_problems(problems_of_time(send.spec, send.at, now))
        # A spec that is given many times is prepared once, for the first of its times.
        specs: dict[int, _PreparedSpec] = {}
        for send in sorted(wanted, key=lambda each: each.at or now):
            if id(send.spec) not in specs:
                begins = max(send.at or now, now)
                specs[id(send.spec)] = await self._prepared(send.spec, begins)
        ready = [
            NewSend(
                send_key=send.send_key,
                account=send.spec.account,
                digest=specs[id(send.spec)].digest,
                spec=specs[id(send.spec)].text,
                begins_at=send.at,
            )
            for send in wanted
        ]
        await self._ledger.start(ready, replace=replace)
        rows = await self._ledger.read_all([send.send_key for send in wanted])
        return tuple(status_of(row, SystemClock().now()) for row in rows)

    async def _prepared(self, spec: SendSpec, now: datetime) -> _PreparedSpec:
        spec = await prepared(spec, self._contacts, now=now)
        return _PreparedSpec(spec.digest(), json.dumps(spec.to_dict(), ensure_ascii=False))

    async def status(self, send_key: str) -> SendStatus:
        """Return what is known of a send.

        Raises:
            InvalidRequest: there is none under this key.
            ConnectionFailed: the database was away.
        """
        return status_of(await self._row(send_key), SystemClock().now())

    async def _row(self, send_key: str) -> SendRow:
        row = await self._ledger.read(send_key)
        if row is None:
            raise InvalidRequest.of(
                "send_key", "missing", f"there is no send under {send_key!r} in {self!r}"
            )
        return row

    def runs(self, *, state: SendState | Iterable[SendState] | None = None) -> Listing[SendStatus]:
        """List the sends by their keys: ``await`` gives all, ``async for`` one after another.

        Args:
            state: Only those in this state, or in one of these.

        Raises:
            InvalidRequest: there is no such state.
            ConnectionFailed: the database was away.
        """
        wanted = _STATES if state is None else {state} if isinstance(state, str) else {*state}
        raise_problems(_problems_of_states(wanted))

        async def statuses() -> AsyncGenerator[SendStatus, None]:
            last: str | None = None
            while rows := await self._ledger.page(last):
                for row in rows:
                    status = status_of(row, SystemClock().now())
                    if status.state in wanted:
                        yield status
                last = rows[-1].send_key

        return Listing(statuses)

    async def wait(self, send_key: str, *, deadline_s: float = 3_600.0) -> SendStatus:
        """Wait until a send is done, cancelled or failed, or until a person must decide.

        Args:
            send_key: Its key.
            deadline_s: For how long, in seconds.

        Raises:
            InvalidRequest: there is none under this key.
            DeadlineExceeded: it goes on, once a worker is alive.
            ConnectionFailed: the database was away.
        """
        until, look_s = anyio.current_time() + deadline_s, _FIRST_LOOK_S
        while True:
            status = await self.status(send_key)
            if status.is_final or status.needs_a_person:
                return status
            left_s = until - anyio.current_time()
            if left_s <= 0:
                is_carried = any(each.is_alive for each in await self.workers())
                follows = "it goes on" if is_carried else "no worker is alive; start one"
                raise DeadlineExceeded(
                    f"the send {send_key!r} is {status.state} after {deadline_s:g} s; {follows}"
                )
            await anyio.sleep(min(look_s, left_s))
            look_s = min(1.5 * look_s, _LONGEST_LOOK_S)

    async def cancel(self, send_key: str) -> Literal["cancelled", "too late"]:
        """Cancel a send that has not been submitted, whichever worker carries it.

        Returns: ``cancelled``: nothing was sent, and nothing will be, under this key. ``too late``:
            it was submitted, or may have been; stop the campaign by `call_off`.

        Raises:
            InvalidRequest: there is none under this key.
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
        """Decide about a send of which it is not known whether it was submitted, and let it go on.

        Look in the console first (活動列表).

        Args:
            send_key: Its key.
            decision: ``sent``: it was submitted; ``resubmit``: it was not, do it; ``abandon``:
                leave it, and send nothing.
            campaign_sn: The campaign's code, with ``sent``.

        Raises:
            InvalidRequest: there is nothing to decide; the code is missing; or the request may
                still be on its way, with the rule ``too-early``.
            InUse: a worker has it at this moment.
            ConnectionFailed: the database was away; call it again.
        """
        row = await self._row(send_key)
        if row.record is None:
            raise InvalidRequest.of(
                "send_key",
                "nothing-held",
                f"{send_key!r} has not begun, so that there is nothing to decide; cancel it, or "
                "leave it",
            )
        await resolve(self._store, send_key, decision, campaign_sn)
        return await self.retry(send_key)

    async def retry(self, send_key: str) -> SendStatus:
        """Let the next attempt at a send begin now, if it has not ended; one that failed as well.

        What is scheduled keeps its time.

        Raises:
            InvalidRequest: there is none under this key, or its spec was purged.
            ConnectionFailed: the database was away; call it again.
        """
        row = await self._row(send_key)
        if row.spec is None and row.state == "failed":
            raise InvalidRequest.of("send_key", "missing", PURGED)
        # One whose time has not come, or that no worker has taken yet, stays as it is.
        is_due = (row.next_at or 0.0) <= SystemClock().now().timestamp()
        if row.state != "scheduled" or (is_due and row.record is not None):
            await self._ledger.go_on(row.last, is_asked_for=True)
            await self._engine.cancel([row.last])
        return await self.status(send_key)

    async def purge(self, *, before: datetime) -> int:
        """Forget the specs of the sends that have ended, and all that the engine knows of them.

        Their keys stay, and the records of their runs: no key is ever used twice.

        Args:
            before: Only those that ended before; aware.
        Returns: How many.

        Raises:
            ConnectionFailed: the database was away; call it again.
        """
        raise_problems(_problems_of_before(before))
        purged = 0
        while ended := await self._ledger.purgeable(before):
            # First, so that a purge that is broken off finds them again.
            await self._engine.delete(
                SendAttempt(last.send_key, number)
                for last in ended
                for number in range(last.number + 1)
            )
            await self._ledger.purge(ended, before)
            purged += len(ended)
        return purged

    async def workers(self) -> tuple[WorkerStatus, ...]:
        """List the workers that did not leave, alive or not.

        Raises:
            ConnectionFailed: the database was away.
        """
        now, found = SystemClock().now().timestamp(), await self._roster.workers()
        return tuple(
            WorkerStatus(
                id=worker,
                started_at=datetime.fromtimestamp(now - seen.runs_s, UTC),
                seen_at=datetime.fromtimestamp(now - seen.silent_s, UTC),
                is_alive=seen.is_alive,
            )
            for worker, seen in sorted(found.items())
        )

    def worker(self, *, slots: int = _SLOTS) -> contextlib.AbstractAsyncContextManager[Worker]:
        """Carry sends out in this event loop, for as long as the context lasts.

        At its end, a worker takes no more, lets a submit that is on its way run to its answer, and
        leaves everything else to the next worker.

        Args:
            slots: How many sends at once, from 1; no account has more than half of them.

        Raises:
            ConfigurationError: there is no ``clients``; or SQLite has a worker already; or this
                process has one already, or uses DBOS itself.
            ConnectionFailed: the database is away.
        """
        if self._clients is None:
            raise ConfigurationError("a worker makes clients; give Durable(url, clients=…)")
        if type(slots) is not int or slots < 1:
            raise InvalidRequest.of("slots", "range", "must be 1 or more")
        clients = Clients(self._clients)
        runner = AttemptRunner(self._ledger, self._store, self._database, clients, self._contacts)
        return self._running_worker(runner, slots)

    @contextlib.asynccontextmanager
    async def _running_worker(self, runner: AttemptRunner, slots: int) -> AsyncIterator[Worker]:
        # Makes the tables if they are missing, and finds out at once if the database is away.
        await self._roster.workers()
        work = partial(running_worker, self._engine, self._ledger, self._roster, runner)
        async with work(slots=slots, file=self._database.file) as worker:
            yield worker

    async def work(self, *, slots: int = _SLOTS) -> None:
        """Carry sends out until SIGTERM or Ctrl-C comes, or this is cancelled; then leave.

        Args:
            slots: As for `worker`.

        Raises: as `worker`.
        """
        async with self.worker(slots=slots):
            if sys.platform == "win32":
                # No event loop receives signals there: Ctrl-C cancels this.
                await anyio.sleep_forever()
            with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                async for _ in signals:
                    return


@attrs.frozen
class _PreparedSpec:
    """A spec as it is kept.

    Attributes:
        digest: Of it.
        text: As JSON.
    """

    digest: str
    text: str


def _as_function(name: str, given: T) -> T:
    if given is not None and not callable(given):
        raise ConfigurationError(
            f"{name}= must be a function, not {type(given).__name__}; give one that returns what "
            "is needed when it is called"
        )
    return given


def _problems_of_states(states: Iterable[str]) -> Iterator[Problem]:
    for each in states:
        if each not in _STATES:
            known = ", ".join(get_args(SendState))
            yield Problem("state", "choice", f"{each!r} is not one of {known}")


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
        Problem("send_key", "required", "is missing; name the campaign, once for all its runs")
        for send in sends
        if send.send_key is None
    ]
    if len(sends) > _MOST_AT_ONCE:
        found.append(
            Problem("sends", "length", f"are {len(sends)}; at most {_MOST_AT_ONCE} at once")
        )
    if len({send.send_key for send in sends}) != len(sends):
        found.append(Problem("sends", "unique", "have a send key twice; each needs its own"))
    return found


def _problems_of_before(before: object) -> Iterable[Problem]:
    if not isinstance(before, datetime) or before.tzinfo is None:
        yield Problem("before", "timezone", "must be a datetime with a time zone")
