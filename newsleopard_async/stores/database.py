"""A database of SQLAlchemy: each call has a timeout, and is repeated while the database is away.

Each call is one transaction that can be repeated, because it detects whether it has already taken
effect. So a server can be restarted or away for a while without an error.
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
"""Chosen: how long a call is repeated while the database is away. With its last try it ends before
the 60 s that a request waits for its store before it is sent."""

_CONNECT_S: Final = 5
"""Chosen: a connection takes milliseconds; half of `_ANSWER_S` is left for the statement."""

_STATEMENT_S: Final = 8
"""Chosen: a statement takes milliseconds. Less than `_ANSWER_S`, so the server stops it first."""

_ANSWER_S: Final = 10.0
"""Chosen: the limit on this side, because a stopped server or a dead network never answers."""

_CREATE_S: Final = 30.0
"""Chosen: creating tables takes a moment, and longer if several processes do it together."""

_OF_DEAD_NETWORKS: Final = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""Settings of libpq, in seconds; the last one is in milliseconds. Chosen: a connection that the
network has lost ends after 25 s instead of hours. This also bounds the connections of the engine,
which have no watchdog."""

_LONGEST_WAIT_S: Final = 1.0
"""Chosen: between two tries, so that a restarted server is noticed within a second."""

_CONNECTIONS: Final = 5
"""Connections that stay open. Chosen: the default of SQLAlchemy."""

_MORE_CONNECTIONS: Final = 35
"""Connections that are opened in addition. Chosen: 40 in all, one for each thread of anyio."""

_IDLE_S: Final = 10
"""Chosen: half of a lease. If a process stops or loses the network in a transaction, the server
would never release its locks, and no other process could take over."""

_BOUND: Final = f"set_config('idle_in_transaction_session_timeout', '{_IDLE_S}s', true)"

_PREPARE: Final = {
    # EXTRA also flushes the folder: else a power failure could undo the last save.
    "sqlite": "PRAGMA synchronous = EXTRA",
    # For this transaction only, because a connection pool can give the connection to others.
    "postgresql": f"SELECT set_config('statement_timeout', '{_STATEMENT_S}s', true), {_BOUND}",
}

_BUSY: Final = (5, 6)
"""SQLite's result codes if another process has the lock: SQLITE_BUSY, SQLITE_LOCKED."""

_PASSING: Final = ("08", "40", "53", "55", "57")
"""Postgres error classes that pass: no connection, a conflict, no space, no lock, a shutdown."""

_PASSES: Final = frozenset({"25006", "23505", "42710", "42P07"})
"""More codes that pass: the server is a replica until the fail-over ends; two created a table."""

_NO_TABLE: Final = "42P01"

_WRONG_SETUP: Final = re.compile(
    "authentication failed|no password supplied|no pg_hba.conf entry|(role|database) .+ does not"
)
"""Messages of libpq without a code that do not pass. In another language than English, the call is
repeated, and the message is reported at the end."""


@attrs.frozen
class _DatabaseFailure:
    """A call that failed.

    Attributes:
        kind: Whether the database is away for now, has no table yet, or has a wrong set-up.
        text: The message of the database.
    """

    kind: Literal["away", "no-table", "setup"]
    text: str


class Database:
    """SQLite or Postgres at a URL; nothing is connected before the first call.

    Args:
        url: ``sqlite:////folder/file.db``, or ``postgresql://user@host/database``, without a
            driver. Messages contain only its host and database.
        user: The name of its user for errors, such as ``SqlStore``.
        extra: The extra that installs the needed packages.
        create: Creates the tables; called if one is missing.

    Attributes:
        engine: The engine of SQLAlchemy.
        where: The name of the database in messages.

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
        """The file of SQLite; None for Postgres."""
        return Path(self.engine.url.database or "") if self.engine.name == "sqlite" else None

    async def aclose(self) -> None:
        """Close the connections; the next call opens new ones."""
        await in_thread(self.engine.dispose)

    async def has_table(self, name: str) -> bool:
        """Return whether a table with this name exists; creates nothing.

        Raises: as `run`.
        """
        return await self.run(partial(_has_table, name))

    async def run(self, work: Callable[[sa.Connection], T], *, answer_s: float = 0.0) -> T:
        """Run a function in a thread and a transaction; repeat it while the database is away.

        Args:
            work: The function; it receives a connection. If an answer was lost, it is called again
                after it has taken effect.
            answer_s: Seconds that it can take longer than a single statement.

        Raises:
            ConfigurationError: the set-up of the database is wrong.
            ConnectionFailed: the database was away for 40 s; it is unknown whether the function
                took effect.
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
            # A forked child has inherited connections that its parent still uses.
            self.engine.dispose(close=False)
            self._process = os.getpid()
        done = self._once(work, answer_s)
        if isinstance(done, _DatabaseFailure) and done.kind == "no-table":
            failure = self._once(self._create, _CREATE_S)
            return failure or attrs.evolve(done, kind="away")
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
            # Not raised from here: the frames of the error contain the password.
            return _classify(getattr(error, "orig", None) or error)


def _has_table(name: str, connection: sa.Connection) -> bool:
    import sqlalchemy as sa

    return sa.inspect(connection).has_table(name)


def _classify(error: BaseException) -> _DatabaseFailure:
    """Classify an error by its code or, without a code, by its text."""
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
        # The connection does not exist or was lost; the server sent no error for a statement.
        return "setup" if _WRONG_SETUP.search(text) else "away"
    if state == _NO_TABLE:
        return "no-table"
    return "away" if state.startswith(_PASSING) or state in _PASSES else "setup"


class _Watchdog:
    """Closes the connections of a call that takes too long: psycopg itself waits without limit."""

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
            # After this, the pool gives them to other calls.
            self._connections.clear()
        _current.watchdog = None

    def take(self, connection: Any) -> None:
        """Add a connection of the driver as soon as the call has it."""
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
    # It is possibly closed already; a connection of SQLite has no file number.
    with contextlib.suppress(Exception):
        number = connection.fileno()
        with socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM) as shared:
            shared.shutdown(socket.SHUT_RDWR)


class _ThreadWatchdog(threading.local):
    """The watchdog of this thread's call."""

    watchdog: _Watchdog | None = None


_current: Final = _ThreadWatchdog()


def _set_up_sqlite(connection: Any, _: object) -> None:
    """Lock the file at the start of a transaction, and delete rows together with their owners."""
    connection.isolation_level = "IMMEDIATE"
    connection.execute("PRAGMA foreign_keys = ON")


def _check_out(connection: Any, *_: object) -> None:
    """Give a connection from the pool to the watchdog of this thread."""
    if _current.watchdog is not None:
        _current.watchdog.take(connection)


def _connect(dialect: Any, _: object, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    """Connect, and give the connection to the watchdog before SQLAlchemy sends a statement."""
    connection = dialect.connect(*arguments, **keywords)
    if _current.watchdog is not None:
        _current.watchdog.take(connection)
    return connection


def _bound(connection: sa.Connection) -> None:
    """Set the timeout of a transaction outside of `Database.run`, for example of the engine."""
    if connection.dialect.name == "postgresql" and _current.watchdog is None:
        connection.exec_driver_sql(f"SELECT {_BOUND}")


def _open(url: str, user: str, extra: str) -> tuple[sa.Engine, str]:
    """Create the engine of a URL, and its name for messages; this does not connect."""
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
            # Settings that a pool in between (PgBouncer) supports. The URL's own settings win.
            arguments = {
                "connect_timeout": _CONNECT_S,
                "prepare_threshold": None,
                **_OF_DEAD_NETWORKS,
            }
            arguments = {n: v for n, v in arguments.items() if n not in parsed.query}
        case _:
            raise ConfigurationError(
                f"the URL of {user} must be sqlite:////folder/runs.db or "
                "postgresql://user@host/database, without a driver"
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
    """Create the file of an SQLite database if it is missing, readable only by its owner."""
    if name in ("", ":memory:") or name.startswith("file:"):
        raise ConfigurationError(
            "an SQLite database must be a file, not in memory: sqlite:////folder/runs.db"
        )
    try:
        path = real_path(name)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | NO_FOLLOW, 0o600))
    except OSError as error:
        raise ConfigurationError(f"{name} cannot be used: {error.strerror}") from None
    return path
