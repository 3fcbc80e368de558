"""A database of SQLAlchemy whose calls are bounded, and repeated while it is away.

Each call is one transaction that may be made again: it finds out by itself whether it was made
before. So a server may be restarted or away for a while.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar

import anyio
import attrs

from newsleopard_async.aio import in_thread
from newsleopard_async.disclosure import hides_variables, shown
from newsleopard_async.errors import ConfigurationError, ConnectionFailed
from newsleopard_async.files import real_path
from newsleopard_async.locks import NO_FOLLOW

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["Database"]

T = TypeVar("T")

_WITHIN_S: Final = 40.0
"""Chosen: how long a call is repeated while the database is away. With the last attempt it ends
before the 60 s that a request which is about to leave waits for its store."""

_CONNECT_S: Final = 5
_STATEMENT_S: Final = 8
_ANSWER_S: Final = 10.0
"""Chosen: a statement takes milliseconds. The server gives it up first, then this side does: a
server that was stopped, or is behind a dead network, says nothing at all."""

_CREATE_S: Final = 30.0
"""Chosen: to make tables takes a moment, and longer where several processes want to at once."""

_OF_DEAD_NETWORKS: Final = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""Of libpq, in seconds, and at last in milliseconds. Chosen: a connection that a network has lost
without a word ends after 25 s, and by default after hours: also those of the engine of sends, which
nothing here watches."""

_LONGEST_WAIT_S: Final = 1.0
"""Chosen: between two attempts, so that a restarted server is noticed within a second."""

_CONNECTIONS: Final = 5
_MORE_CONNECTIONS: Final = 35
"""Chosen: kept open, and opened besides, so that the 40 threads of anyio never wait for one."""

_IDLE_S: Final = 10
"""Chosen: half of a lease. A process that is stopped or cut off in the middle of a transaction
holds what that has locked, and the server would never end it; so nobody could take over."""

_BOUND: Final = f"set_config('idle_in_transaction_session_timeout', '{_IDLE_S}s', true)"

_PREPARE: Final = {
    # EXTRA also flushes the folder: else a power failure may undo the last save.
    "sqlite": "PRAGMA synchronous = EXTRA",
    # For this transaction only, since a pool in between may give the connection to another.
    "postgresql": f"SELECT set_config('statement_timeout', '{_STATEMENT_S}s', true), {_BOUND}",
}

_BUSY: Final = (5, 6)
"""SQLite's result codes if another process has the lock: SQLITE_BUSY, SQLITE_LOCKED."""

_PASSING: Final = ("08", "40", "53", "55", "57")
"""Postgres' classes of what passes: no connection, a conflict, no room, no lock, a shutdown."""

_PASSES: Final = frozenset({"25006", "23505", "42710", "42P07"})
"""Others that pass: it is a replica, until a fail-over is through; two make the table at once."""

_NO_TABLE: Final = "42P01"

_WRONG_SETUP: Final = re.compile(
    "authentication failed|no password supplied|no pg_hba.conf entry|(role|database) .+ does not"
)
"""What libpq reports, without a code, if repeating does not help. In another language than
English it is repeated, and reported at the end."""


@attrs.frozen
class _DatabaseFailure:
    """A call that did not work.

    Attributes:
        kind: Whether the database is away for now, or has no table yet, or is set up wrongly.
        text: What the database says.
    """

    kind: Literal["away", "no-table", "setup"]
    text: str


class Database:
    """SQLite or Postgres at a URL; nothing is connected before the first call.

    Args:
        url: ``sqlite:////folder/file.db``, or ``postgresql://user@host/database``; a driver is not
            named. It is in no message, but for host and database.
        user: Who uses it, for an error, such as ``SqlStore``.
        extra: The extra that brings what it needs.
        create: Makes the tables; called if one is missing.

    Attributes:
        engine: SQLAlchemy's.
        where: What it is called in messages.

    Raises:
        ConfigurationError: the URL cannot be used, or the extra is not installed.
    """

    @hides_variables
    def __init__(
        self, url: str, *, user: str, extra: str, create: Callable[[sa.Connection], None]
    ) -> None:
        engine, where = _open(url, user, extra)
        self.engine: sa.Engine = engine
        self.where: str = where
        self._create = create
        self._process = os.getpid()

    @property
    def file(self) -> Path | None:
        """Where it is, of SQLite; None of a server."""
        return Path(self.engine.url.database or "") if self.engine.name == "sqlite" else None

    async def aclose(self) -> None:
        """Close the connections; the next call opens new ones."""
        await in_thread(self.engine.dispose)

    async def has_table(self, name: str) -> bool:
        """Return whether there is a table of this name; nothing is made.

        Raises: as `run`.
        """
        return await self.run(partial(_has_table, name))

    async def run(self, work: Callable[[sa.Connection], T], *, answer_s: float = 0.0) -> T:
        """Do it in a thread and a transaction, again and again while the database is away.

        Args:
            work: Given a connection; it may be called again after it has taken effect, if the
                answer was lost.
            answer_s: How much longer than a single statement it may take, in seconds.

        Raises:
            ConfigurationError: the database cannot be used so.
            ConnectionFailed: it was away for 40 s; whether it took effect is not known.
        """
        until, wait_s = anyio.current_time() + _WITHIN_S, 0.05
        while True:
            done = await in_thread(partial(self._attempt, work, _ANSWER_S + answer_s))
            if not isinstance(done, _DatabaseFailure):
                return done
            if done.kind == "setup":
                raise ConfigurationError(f"{self.where} cannot be used: {done.text}")
            if anyio.current_time() + wait_s > until:
                raise ConnectionFailed(
                    f"{self.where} did not answer for {_WITHIN_S:g} s: {done.text}",
                    reason="timeout",
                    host=self.engine.url.host or "",
                )
            await anyio.sleep(wait_s)
            wait_s = min(_LONGEST_WAIT_S, 2 * wait_s)

    def _attempt(self, work: Callable[[sa.Connection], T], answer_s: float) -> T | _DatabaseFailure:
        if self._process != os.getpid():
            # A forked child has inherited connections that its parent goes on to use.
            self.engine.dispose(close=False)
            self._process = os.getpid()
        done = self._once(work, answer_s)
        if isinstance(done, _DatabaseFailure) and done.kind == "no-table":
            made = self._once(self._create, _CREATE_S)
            return made or attrs.evolve(done, kind="away")
        return done

    def _once(self, work: Callable[[sa.Connection], T], answer_s: float) -> T | _DatabaseFailure:
        from sqlalchemy import exc

        try:
            with _Watchdog(answer_s), self.engine.connect() as connection:
                connection.exec_driver_sql(_PREPARE[self.engine.name])
                done = work(connection)
                connection.commit()
                return done
        except exc.SQLAlchemyError as error:
            # Not raised on from here: the frames below hold the password.
            return _classify(getattr(error, "orig", None) or error)


def _has_table(name: str, connection: sa.Connection) -> bool:
    import sqlalchemy as sa

    return sa.inspect(connection).has_table(name)


def _classify(error: BaseException) -> _DatabaseFailure:
    """Say what a failure means, by what the driver says; nothing else tells it."""
    text = shown(str(error).partition("\n")[0])
    return _DatabaseFailure(_kind_of(error, text), text)


def _kind_of(error: BaseException, text: str) -> Literal["away", "no-table", "setup"]:
    sqlite_code: int | None = getattr(error, "sqlite_errorcode", None)
    if sqlite_code is not None:
        if text.startswith("no such table"):
            return "no-table"
        return "away" if sqlite_code & 0xFF in _BUSY else "setup"
    state: str | None = getattr(error, "sqlstate", None)
    if state is None:
        # There is no connection, or no more; the server has said nothing about a statement.
        return "setup" if _WRONG_SETUP.search(text) else "away"
    if state == _NO_TABLE:
        return "no-table"
    return "away" if state.startswith(_PASSING) or state in _PASSES else "setup"


class _Watchdog:
    """Shuts the connections of a call that takes too long: psycopg itself waits for ever."""

    def __init__(self, after_s: float) -> None:
        self._connections: list[Any] = []
        self._is_over = False
        self._lock = threading.Lock()
        self._timer = threading.Timer(after_s, self._strike)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        _current.watchdog = self
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            # From now on they are other calls'.
            self._connections.clear()
        _current.watchdog = None

    def take(self, connection: Any) -> None:
        """Take a connection of the driver, as soon as the call has it."""
        with self._lock:
            self._connections.append(connection)
            if self._is_over:
                _shut(connection)

    def _strike(self) -> None:
        with self._lock:
            self._is_over = True
            for connection in self._connections:
                _shut(connection)


def _shut(connection: Any) -> None:
    # It may be closed already; SQLite's has no number.
    with contextlib.suppress(Exception):
        number = connection.fileno()
        with socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM) as shared:
            shared.shutdown(socket.SHUT_RDWR)


class _ThreadWatchdog(threading.local):
    """The watch of the call that this thread is making."""

    watchdog: _Watchdog | None = None


_current: Final = _ThreadWatchdog()


def _set_up_sqlite(connection: Any, _: object) -> None:
    """Let a transaction that writes have the lock from its start, and rows go with their owners."""
    connection.isolation_level = "IMMEDIATE"
    connection.execute("PRAGMA foreign_keys = ON")


def _check_out(connection: Any, *_: object) -> None:
    """Show a connection of the pool to the watch, whoever takes it in this thread."""
    if _current.watchdog is not None:
        _current.watchdog.take(connection)


def _connect(dialect: Any, _: object, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    """Connect, and show the connection to the watch before SQLAlchemy asks the server anything."""
    connection = dialect.connect(*arguments, **keywords)
    if _current.watchdog is not None:
        _current.watchdog.take(connection)
    return connection


def _bound(connection: sa.Connection) -> None:
    """Bound a transaction that is not one of `Database.run`, as those of the engine of sends."""
    if connection.dialect.name == "postgresql" and _current.watchdog is None:
        connection.exec_driver_sql(f"SELECT {_BOUND}")


def _open(url: str, user: str, extra: str) -> tuple[sa.Engine, str]:
    """Make the engine of a URL, and what it is called in messages; nothing is connected yet."""
    with _needing_extra(user, extra):
        import sqlalchemy as sa
        from sqlalchemy import event, exc
    try:
        parsed = sa.make_url(url)
    except (exc.ArgumentError, ValueError):
        parsed = sa.URL.create("")
    arguments: dict[str, Any]
    match parsed.drivername:
        case "sqlite" | "sqlite+pysqlite":
            path = _database_file(parsed.database or "")
            target = sa.URL.create("sqlite", database=str(path))
            where, arguments = str(path), {"timeout": _ANSWER_S}
        case "postgresql" | "postgres" | "postgresql+psycopg":
            target = parsed.set(drivername="postgresql+psycopg")
            where = f"the database {parsed.database} at {parsed.host}"
            # What a pool in between (PgBouncer) need not know of. The URL's own settings count.
            arguments = {
                "connect_timeout": _CONNECT_S,
                "prepare_threshold": None,
                **_OF_DEAD_NETWORKS,
            }
            arguments = {n: v for n, v in arguments.items() if n not in parsed.query}
        case _:
            raise ConfigurationError(
                f"the URL of {user} must be sqlite:////folder/runs.db or "
                "postgresql://user@host/database, and name no driver"
            )
    with _needing_extra(user, extra):
        engine = sa.create_engine(
            target,
            connect_args=arguments,
            poolclass=sa.QueuePool,
            pool_size=_CONNECTIONS,
            max_overflow=_MORE_CONNECTIONS,
            pool_timeout=_ANSWER_S,
            hide_parameters=True,
        )
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "checkout", _check_out)
    event.listen(engine, "begin", _bound)
    if engine.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
    return engine, where


@contextlib.contextmanager
def _needing_extra(user: str, extra: str) -> Iterator[None]:
    try:
        yield
    except ImportError:
        raise ConfigurationError(
            f"{user} needs SQLAlchemy and psycopg: pip install 'newsleopard-async[{extra}]'"
        ) from None


def _database_file(name: str) -> Path:
    """Make the file of an SQLite database if it is missing, for its owner alone."""
    if name in ("", ":memory:") or name.startswith("file:"):
        raise ConfigurationError(
            "an SQLite database must be a file, which outlasts the process: sqlite:////folder/runs.db"
        )
    try:
        path = real_path(name)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | NO_FOLLOW, 0o600))
    except OSError as error:
        raise ConfigurationError(f"{name} cannot be used: {error.strerror}") from None
    return path
