"""The engine, DBOS: it stores attempts until they are due, and hands them to a worker.

- Only this module uses DBOS, and only its public functions, so an update of DBOS concerns one file.
- The engine decides nothing: the send ledger and the record of a run do. So its rows can be lost.
- It runs in its own threads, so attempts can run in any event loop.
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
"""Its schema in Postgres. Chosen: an application that uses DBOS itself has another schema."""

_QUEUE: Final = "newsleopard_sends"
_WORKFLOW: Final = "newsleopard_send"

_VERSION: Final = "newsleopard-1"
"""Chosen: a fixed text. The default is a hash of the code, and a new release would not run the
attempts of the old one."""

_POLLS_EVERY_S: Final = 0.5
"""Chosen: how often a worker polls for due attempts; the engine marks them as due once a second."""

_WAITING: Final = ("ENQUEUED", "DELAYED", "PENDING")
"""The states of an attempt that has not ended."""

_AT_ONCE: Final = 500
"""Attempts per call. Chosen: far fewer than the 32,766 parameters that SQLite allows."""


@attrs.frozen
class SendAttempt:
    """One attempt at a send.

    Attributes:
        send_key: The key of the send.
        number: The number of the attempt, from 0.
    """

    send_key: str
    number: int

    @property
    def id(self) -> str:
        """The unique id of the attempt in the engine."""
        return f"{self.send_key}/{self.number}"

    @classmethod
    def of(cls, workflow_id: str) -> SendAttempt | None:
        """Return the attempt with an id; None if the id belongs to another application."""
        send_key, _, number = workflow_id.rpartition("/")
        return cls(send_key, int(number)) if number.isdecimal() else None


class EndNotRecorded(BaseException):
    """Prevents the engine from recording how an attempt ended.

    While the database is away, the engine would retry without limit, in a thread that keeps the
    process running. After the database is back, a worker takes the lost attempt over.
    """


class Engine:
    """DBOS over a database; at most one engine per process runs attempts.

    Args:
        database: The database of the attempts and of the send ledger.

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
        """Create the tables of the engine, or upgrade them to its version."""
        url = self._database.engine.url.render_as_string(hide_password=False)
        _imported().DBOS.migrate(url, schema=_SCHEMA)

    def enqueue(
        self, connection: sa.Connection, attempt: SendAttempt, *, account: str, after_s: float
    ) -> None:
        """Enqueue an attempt within a transaction; an attempt that is in the queue stays as it is.

        Args:
            connection: A connection of the database, in a transaction.
            attempt: The attempt.
            account: The account of the send; an account cannot take all slots of a worker.
            after_s: When the attempt is due, in seconds from now.
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
        """List the attempts that workers have taken and not ended, each with its worker."""
        found = await self._call(
            lambda client: client.list_workflows(
                name=_WORKFLOW, status="PENDING", load_input=False, load_output=False
            )
        )
        named = ((SendAttempt.of(each.workflow_id), each.executor_id or "") for each in found)
        return [(attempt, worker) for attempt, worker in named if attempt is not None]

    async def expected(self, attempts: Collection[SendAttempt]) -> set[SendAttempt]:
        """Return the attempts that have not ended."""
        left: set[str] = set()
        for ids in _in_portions(attempts):
            found = await self._call(partial(_list_waiting, ids))
            left.update(each.workflow_id for each in found)
        return {attempt for attempt in attempts if attempt.id in left}

    async def cancel(self, attempts: Iterable[SendAttempt]) -> None:
        """Prevent these attempts from beginning; a running one continues, but no longer counts."""
        for ids in _in_portions(attempts):
            await self._call(methodcaller("cancel_workflows", ids))

    async def delete(self, attempts: Iterable[SendAttempt]) -> None:
        """Delete these attempts."""
        for ids in _in_portions(attempts):
            await self._call(methodcaller("delete_workflows", ids))

    async def _call(self, function: Callable[[DBOSClient], T]) -> T:
        """Call the engine in a thread, and retry while the database is away."""
        return await self._database.run(lambda _: function(self._client))

    def launch(self, worker: str, run_attempt: Callable[[str, int], str], *, slots: int) -> None:
        """Begin to take attempts; this blocks until the engine has begun.

        Args:
            worker: The id of this worker; no other process has or had it.
            run_attempt: A function that is called in a thread with send key and number; returns the
                state of the send, or raises `EndNotRecorded`.
            slots: How many attempts run at the same time.

        Raises:
            ConfigurationError: this process already has a worker, or uses DBOS itself.
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
        # If this process already has an instance, DBOS returns that one without an error.
        if made is None or dbos.DBOS.executor_id != worker:
            raise ConfigurationError(
                "this process already has a worker, or uses DBOS itself; run the worker in a "
                "separate process, outside of DBOS Cloud: newsleopard worker"
            )
        self._has_launched = True
        _handler.run_attempt = run_attempt
        _register(dbos)
        dbos.DBOS.listen_queues([_QUEUE])
        why = self._launched(dbos, slots)
        if why:
            # Raised outside of the handler: the frames of the other error contain the password.
            dbos.DBOS.destroy()
            raise ConnectionFailed(
                f"the engine could not begin in {self._database.where}: {why}",
                reason="timeout",
                host=self._database.engine.url.host or "",
            )

    def _launched(self, dbos: Any, slots: int) -> str:
        """Begin; return the name of the error, or an empty text."""
        try:
            dbos.DBOS.launch()
            # DBOS gives attempts only to the latest version, which a roll-back does not change.
            dbos.DBOS.set_latest_application_version(_VERSION)
            dbos.DBOS.register_queue(
                _QUEUE,
                worker_concurrency=slots,
                partition_worker_concurrency=max(1, slots // 2),
                polling_interval_sec=_POLLS_EVERY_S,
                on_conflict="always_update",
            )
        except Exception as error:  # noqa: BLE001 - the engine and the database raise many classes of errors
            return type(error).__name__
        return ""

    def leave(self, within_s: float) -> None:
        """Take no more attempts, and wait for the running ones, if it was launched.

        Args:
            within_s: The longest wait, in seconds.
        """
        if self._has_launched:
            self._has_launched = False
            _imported().DBOS.destroy(workflow_completion_timeout_sec=max(1, int(within_s)))

    def close(self) -> None:
        """Close the client of the engine."""
        if self._client_made is not None:
            self._client_made.destroy()
            self._client_made = None


@attrs.define
class _AttemptHandler:
    """The function that runs the attempts of this process."""

    run_attempt: Callable[[str, int], str] | None = None


_handler: Final = _AttemptHandler()


def newsleopard_send(send_key: str, number: int) -> str:
    """Run an attempt; this is the function that the engine calls."""
    assert _handler.run_attempt is not None
    return _handler.run_attempt(send_key, number)


@cache
def _register(dbos: Any) -> None:
    """Register the function once; on import, it would change an application's version for DBOS."""
    dbos.DBOS.workflow(name=_WORKFLOW)(newsleopard_send)
    logging.getLogger("dbos").addFilter(_is_relevant)


def _is_relevant(record: logging.LogRecord) -> bool:
    """Return False for the end of a cancelled attempt, which the engine logs like a crash."""
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
            "durable sends need DBOS: pip install 'newsleopard-async[dbos]'"
        ) from None
    # At each start, DBOS logs a hint at a service on the internet.
    logging.getLogger("dbos").setLevel(logging.WARNING)
    return dbos
