"""The engine, DBOS, and all that is asked of it: to keep attempts until they are due, and run them.

It is asked by its public calls alone, and by this module alone. What it knows decides nothing:
the send ledger and the record of a run do, and its rows may go at any time. It works in threads of
its own, so that attempts may be carried in any event loop.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Collection, Iterable
from functools import cache, partial
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs

from newsleopard_async.disclosure import hides_variables
from newsleopard_async.errors import ConfigurationError, ConnectionFailed
from newsleopard_async.stores.database import Database

if TYPE_CHECKING:
    import sqlalchemy as sa
    from dbos import DBOSClient, DBOSConfig, EnqueueOptions, WorkflowStatus

__all__ = ["EndNotRecorded", "Engine", "SendAttempt"]

T = TypeVar("T")

_NAME: Final = "newsleopard"
_SCHEMA: Final = "newsleopard_engine"
"""Its tables in Postgres. Chosen: no application that uses DBOS itself has them."""

_QUEUE: Final = "newsleopard_sends"
_WORKFLOW: Final = "newsleopard_send"

_VERSION: Final = "newsleopard-1"
"""Pinned: by default it is a hash of the code, and a new release would strand what is under way."""

_LOOKS_EVERY_S: Final = 0.5
"""Chosen: how often a worker looks for what is due; the engine notes that once a second."""

_WAITING: Final = ("ENQUEUED", "DELAYED", "PENDING")
"""The states of an attempt that is still to come, or under way."""

_AT_ONCE: Final = 500
"""Chosen: how many attempts one call names."""


@attrs.frozen
class SendAttempt:
    """One attempt at a send.

    Attributes:
        send_key: Of which send.
        number: From 0.
    """

    send_key: str
    number: int

    @property
    def id(self) -> str:
        """Its id at the engine, which no other attempt has."""
        return f"{self.send_key}/{self.number}"

    @classmethod
    def of(cls, workflow_id: str) -> SendAttempt | None:
        """Read an id; None if it is of another application's workflow."""
        send_key, _, number = workflow_id.rpartition("/")
        return cls(send_key, int(number)) if number.isdecimal() else None


class EndNotRecorded(BaseException):
    """Keeps the engine from noting how an attempt ended.

    While the database is away it would try to without an end, in a thread that keeps the process.
    Once the database is back, a worker finds that the attempt was lost, and takes it over.
    """


class Engine:
    """DBOS over a database; one for each process at most carries attempts.

    Args:
        database: Where it keeps them, beside the send ledger.

    Raises:
        ConfigurationError: the extra is not installed.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._client_made: DBOSClient | None = None
        self._has_launched = False

    @property
    def _client(self) -> DBOSClient:
        if self._client_made is None:
            dbos = _imported()
            self._client_made = dbos.DBOSClient(
                system_database_engine=self._database.engine,
                dbos_system_schema=_SCHEMA,
                serializer=dbos.DBOSPortableJSONSerializer(),
                application_name=_NAME,
                lazy=True,
                retry_connection_errors=False,
            )
        return self._client_made

    @hides_variables
    def create_tables(self) -> None:
        """Make its tables, or bring them up to its version."""
        url = self._database.engine.url.render_as_string(hide_password=False)
        _imported().DBOS.migrate(url, schema=_SCHEMA)

    def enqueue(
        self, connection: sa.Connection, attempt: SendAttempt, *, account: str, after_s: float
    ) -> None:
        """Enqueue an attempt within a transaction; one that is there already stays as it is.

        Args:
            connection: Of the database.
            attempt: The attempt.
            account: Whose it is; no account takes all places of a worker.
            after_s: When it is due, in seconds from now.
        """
        options: EnqueueOptions = {
            "queue_name": _QUEUE,
            "workflow_name": _WORKFLOW,
            "workflow_id": attempt.id,
            "queue_partition_key": account,
        }
        if after_s > 0:
            options["delay_seconds"] = after_s
        self._client.enqueue_in_transaction(connection, options, attempt.send_key, attempt.number)

    async def running(self) -> list[tuple[SendAttempt, str]]:
        """List the attempts that a worker has taken and not ended, each with its worker."""
        found = await self._ask(
            lambda client: client.list_workflows(
                name=_WORKFLOW, status="PENDING", load_input=False, load_output=False
            )
        )
        named = ((SendAttempt.of(each.workflow_id), each.executor_id or "") for each in found)
        return [(attempt, worker) for attempt, worker in named if attempt is not None]

    async def expected(self, attempts: Collection[SendAttempt]) -> set[SendAttempt]:
        """Return those that are still to come, or under way."""
        left: set[str] = set()
        for ids in _in_portions(attempts):
            found = await self._ask(partial(_list_waiting, ids))
            left.update(each.workflow_id for each in found)
        return {attempt for attempt in attempts if attempt.id in left}

    async def cancel(self, attempts: Iterable[SendAttempt]) -> None:
        """Let none of these begin; one that is under way goes on, and counts no more."""
        for ids in _in_portions(attempts):
            await self._ask(methodcaller("cancel_workflows", ids))

    async def delete(self, attempts: Iterable[SendAttempt]) -> None:
        """Forget these."""
        for ids in _in_portions(attempts):
            await self._ask(methodcaller("delete_workflows", ids))

    async def _ask(self, question: Callable[[DBOSClient], T]) -> T:
        """Ask the engine in a thread, again and again while the database is away."""
        return await self._database.run(lambda _: question(self._client))

    def launch(self, worker: str, run_attempt: Callable[[str, int], str], *, slots: int) -> None:
        """Begin to take attempts; it blocks until that has begun.

        Args:
            worker: The id of this worker, which no other process has or had.
            run_attempt: Called in a thread with send key and number; returns what became of it,
                or raises `EndNotRecorded`.
            slots: How many it takes at once.

        Raises:
            ConfigurationError: this process has a worker already, or uses DBOS for something else.
            ConnectionFailed: the database was away.
        """
        dbos = _imported()
        config: DBOSConfig = {
            "name": _NAME,
            "system_database_engine": self._database.engine,
            "dbos_system_schema": _SCHEMA,
            "serializer": dbos.DBOSPortableJSONSerializer(),
            "executor_id": worker,
            "application_version": _VERSION,
            "log_level": "WARNING",
            "max_executor_threads": slots + 10,
        }
        made = None
        with contextlib.suppress(Exception):
            made = dbos.DBOS(config=config)
        # If this process has one already, DBOS gives that, and does not say so.
        if made is None or dbos.DBOS.executor_id != worker:
            raise ConfigurationError(
                "this process has a worker already, or uses DBOS for something else; a worker "
                "needs a process of its own, outside of DBOS Cloud: newsleopard worker"
            )
        self._has_launched = True
        _handler.run_attempt = run_attempt
        _register(dbos)
        dbos.DBOS.listen_queues([_QUEUE])
        why = self._launched(dbos, slots)
        if why:
            # Raised out here: the frames of the other error hold the password.
            dbos.DBOS.destroy()
            raise ConnectionFailed(
                f"the engine could not begin in {self._database.where}: {why}",
                reason="timeout",
                host=self._database.engine.url.host or "",
            )

    def _launched(self, dbos: Any, slots: int) -> str:
        """Begin; return why it did not work, or nothing."""
        try:
            dbos.DBOS.launch()
            # It gives attempts to the latest version alone, which is a later one after a roll-back.
            dbos.DBOS.set_latest_application_version(_VERSION)
            dbos.DBOS.register_queue(
                _QUEUE,
                worker_concurrency=slots,
                partition_worker_concurrency=max(1, slots // 2),
                polling_interval_sec=_LOOKS_EVERY_S,
                on_conflict="always_update",
            )
        except Exception as error:  # noqa: BLE001 - the engine and the database raise errors of many kinds
            return type(error).__name__
        return ""

    def leave(self, within_s: float) -> None:
        """Take no more attempts, and wait until those under way have ended, if it was launched.

        Args:
            within_s: For how long.
        """
        if self._has_launched:
            self._has_launched = False
            _imported().DBOS.destroy(workflow_completion_timeout_sec=max(1, int(within_s)))

    def close(self) -> None:
        """Let go of what it holds."""
        if self._client_made is not None:
            self._client_made.destroy()
            self._client_made = None


@attrs.define
class _AttemptHandler:
    """Who carries the attempts of this process."""

    run_attempt: Callable[[str, int], str] | None = None


_handler: Final = _AttemptHandler()


def newsleopard_send(send_key: str, number: int) -> str:
    """Carry an attempt; this is what the engine runs."""
    assert _handler.run_attempt is not None
    return _handler.run_attempt(send_key, number)


@cache
def _register(dbos: Any) -> None:
    """Register it, once: by an import, an application's own version of DBOS would change."""
    dbos.DBOS.workflow(name=_WORKFLOW)(newsleopard_send)
    logging.getLogger("dbos").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Leave out what looks like a crash: an attempt ended that was cancelled or taken over."""
    from dbos import error

    cancelled = (error.DBOSAwaitedWorkflowCancelledError, error.DBOSWorkflowCancelledError)
    return not (record.exc_info and isinstance(record.exc_info[1], cancelled))


def _list_waiting(ids: list[str], client: DBOSClient) -> list[WorkflowStatus]:
    return client.list_workflows(
        workflow_ids=ids, status=list(_WAITING), load_input=False, load_output=False
    )


def _in_portions(attempts: Iterable[SendAttempt]) -> Iterable[list[str]]:
    ids = [each.id for each in attempts]
    for begin in range(0, len(ids), _AT_ONCE):
        yield ids[begin : begin + _AT_ONCE]


def _imported() -> Any:
    try:
        import dbos
    except ImportError:
        raise ConfigurationError(
            "durable pipelines need DBOS: pip install 'newsleopard-async[dbos]'"
        ) from None
    # It hints at a service on the internet, at every start.
    logging.getLogger("dbos").setLevel(logging.WARNING)
    return dbos
