"""A database as the store: SQLite for the processes of a host, Postgres for any number of hosts.

Each call is one statement that may be repeated: a save whose answer was lost finds its own
revision when it is made again. So a server may be restarted or away for a while.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar

import anyio
import attrs

from newsleopard_async.aio import Listing, in_thread
from newsleopard_async.disclosure import hides_variables, shown
from newsleopard_async.errors import ConfigurationError, ConnectionFailed, InUse, InvalidRequest
from newsleopard_async.files import real_path
from newsleopard_async.locks import NO_FOLLOW
from newsleopard_async.stores.protocol import Kept
from newsleopard_async.stores.serial import from_json, key_from_text, key_to_text, to_json

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["SqlStore"]

T = TypeVar("T")

_WITHIN_S: Final = 40.0
"""Chosen: how long a call is repeated while the database is away. With the last attempt it ends
before the 60 s that a request which is about to leave waits for its store."""

_CONNECT_S: Final = 5
_STATEMENT_S: Final = 8
_ANSWER_S: Final = 10.0
"""Chosen: a statement takes milliseconds. The server gives it up first, then this side does: a
server that was stopped, or is behind a dead network, says nothing at all."""

_LONGEST_WAIT_S: Final = 1.0
"""Chosen: between two attempts, so that a restarted server is noticed within a second."""

_CONNECTIONS: Final = 5
_MORE_CONNECTIONS: Final = 35
"""Chosen: kept open, and opened besides, so that the 40 threads of anyio never wait for one."""

_PAGE: Final = 1_000
"""Chosen: how many keys are fetched at once."""

_CREATE: Final = """
CREATE TABLE IF NOT EXISTS newsleopard_runs (
    key TEXT PRIMARY KEY,
    revision TEXT NOT NULL,
    data TEXT NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL
)
"""

_LOAD: Final = "SELECT revision, data FROM newsleopard_runs WHERE key = :key"

# Both change one row if this is the first time, or the same save once more.
_INSERT: Final = """
INSERT INTO newsleopard_runs (key, revision, data, updated_at)
VALUES (:key, :revision, :data, CURRENT_TIMESTAMP)
ON CONFLICT (key) DO UPDATE SET updated_at = CURRENT_TIMESTAMP
WHERE newsleopard_runs.revision = :revision
"""

_UPDATE: Final = """
UPDATE newsleopard_runs
SET revision = :revision, data = :data, updated_at = CURRENT_TIMESTAMP
WHERE key = :key AND revision IN (:seen, :revision)
"""

_KEYS: Final = "SELECT key FROM newsleopard_runs WHERE key > :last ORDER BY key LIMIT :page"

_PREPARE: Final = {
    # EXTRA also flushes the folder: else a power failure may undo the last save.
    "sqlite": "PRAGMA synchronous = EXTRA",
    # For this transaction only, since a pool in between may give the connection to another.
    "postgresql": f"SELECT set_config('statement_timeout', '{_STATEMENT_S}s', true)",
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
class _Failure:
    """A call that did not work.

    Attributes:
        kind: Whether the database is away for now, or has no table yet, or is set up wrongly.
        text: What the database says.
    """

    kind: Literal["away", "no-table", "setup"]
    text: str


class SqlStore:
    """Keeps runs in the table ``newsleopard_runs`` of SQLite or Postgres (the extra ``sql``).

    The table is made when it is first needed. Of SQLite the file must be on a local disk; it is
    made for its owner alone. Of Postgres 14 or later the primary server is wanted, since a
    replica lags behind. On asyncio and on trio.

    Args:
        url: ``sqlite:////var/lib/app/runs.db``, or ``postgresql://user@host/database``; a
            driver is not named. It is in no message, but for host and database.

    Raises:
        ConfigurationError: the URL cannot be used, or the extra is not installed.
    """

    @hides_variables
    def __init__(self, url: str) -> None:
        self._engine, self._where = _open(url)
        self._process = os.getpid()

    def __repr__(self) -> str:
        return f"SqlStore({self._where!r})"

    @hides_variables
    async def load(self, key: str) -> Kept | None:
        """Return what is kept under this key, or None.

        Raises:
            InvalidRequest: it is damaged.
            ConfigurationError: the database cannot be used so.
            ConnectionFailed: it was away for 40 s.
        """
        row = await self._run(partial(_fetch_row, {"key": key_to_text(key)}))
        if row is None:
            return None
        data = from_json(row[1].encode())
        if data is None:
            raise InvalidRequest.of(
                "store",
                "format",
                f"what is kept under {key} in {self._where} is damaged; put it back from a backup",
            )
        return Kept(data, row[0])

    @hides_variables
    async def save(self, key: str, data: Mapping[str, Any], revision: str | None) -> str:
        """Keep the data if nothing was saved since; return its new revision.

        Raises:
            ConfigurationError: the database cannot be used so, or the data is too large.
            ConnectionFailed: it was away for 40 s; whether it was saved is not known.
            InUse: another run has saved under this key since.
        """
        # Made before the first attempt, so that a second one finds its own.
        new = secrets.token_hex(16)
        text = to_json(data, where=key).decode()
        values = {"key": key_to_text(key), "revision": new, "data": text}
        if revision is not None:
            values["seen"] = revision
        if not await self._run(partial(_change_row, values)):
            raise InUse(f"another run has saved {key} in {self._where}, or it was removed")
        return new

    def keys(self) -> Listing[str]:
        """List the keys: ``await`` gives all, sorted; ``async for`` gives one after another.

        Raises:
            ConfigurationError: the database cannot be used so.
            ConnectionFailed: it was away for 40 s.
        """
        return Listing(self._keys, order=sorted)

    async def _keys(self) -> AsyncGenerator[str, None]:
        last: str | None = ""
        while last is not None:
            page = await self._run(partial(_fetch_keys, {"last": last, "page": _PAGE}))
            for text in page:
                yield key_from_text(text)
            last = page[-1] if len(page) == _PAGE else None

    async def aclose(self) -> None:
        """Close the connections; the next call opens new ones."""
        await in_thread(self._engine.dispose)

    async def _run(self, work: Callable[[sa.Connection], T]) -> T:
        """Do it in a thread, again and again while the database is away."""
        until, wait_s = anyio.current_time() + _WITHIN_S, 0.05
        while True:
            done = await in_thread(partial(self._attempt, work))
            if not isinstance(done, _Failure):
                return done
            if done.kind == "setup":
                raise ConfigurationError(f"{self._where} cannot be used: {done.text}")
            if anyio.current_time() + wait_s > until:
                raise ConnectionFailed(
                    f"{self._where} did not answer for {_WITHIN_S:g} s: {done.text}",
                    reason="timeout",
                    host=self._engine.url.host or "",
                )
            await anyio.sleep(wait_s)
            wait_s = min(_LONGEST_WAIT_S, 2 * wait_s)

    def _attempt(self, work: Callable[[sa.Connection], T]) -> T | _Failure:
        if self._process != os.getpid():
            # A forked child has inherited connections that its parent goes on to use.
            self._engine.dispose(close=False)
            self._process = os.getpid()
        done = self._once(work)
        if isinstance(done, _Failure) and done.kind == "no-table":
            made = self._once(_create_table)
            return made or attrs.evolve(done, kind="away")
        return done

    def _once(self, work: Callable[[sa.Connection], T]) -> T | _Failure:
        from sqlalchemy import exc

        try:
            with _Watch(_ANSWER_S) as watch, self._engine.connect() as connection:
                watch.take(connection.connection.driver_connection)
                connection.exec_driver_sql(_PREPARE[self._engine.name])
                done = work(connection)
                connection.commit()
                return done
        except exc.SQLAlchemyError as error:
            # Not raised on from here: the frames below hold the password.
            return _judged(getattr(error, "orig", None) or error)


def _fetch_row(values: Mapping[str, Any], connection: sa.Connection) -> tuple[str, str] | None:
    import sqlalchemy as sa

    row = connection.execute(sa.text(_LOAD), values).first()
    return None if row is None else (row[0], row[1])


def _change_row(values: Mapping[str, Any], connection: sa.Connection) -> bool:
    import sqlalchemy as sa

    statement = _UPDATE if "seen" in values else _INSERT
    return connection.execute(sa.text(statement), values).rowcount == 1


def _fetch_keys(values: Mapping[str, Any], connection: sa.Connection) -> list[str]:
    import sqlalchemy as sa

    return [row[0] for row in connection.execute(sa.text(_KEYS), values)]


def _create_table(connection: sa.Connection) -> None:
    connection.exec_driver_sql(_CREATE)


def _judged(error: BaseException) -> _Failure:
    """Say what a failure means, by what the driver says; nothing else tells it."""
    text = shown(str(error).partition("\n")[0])
    return _Failure(_kind_of(error, text), text)


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


class _Watch:
    """Shuts the connection of a call that takes too long: psycopg itself waits for ever."""

    def __init__(self, after_s: float) -> None:
        self._connection: Any = None
        self._is_over = False
        self._lock = threading.Lock()
        self._timer = threading.Timer(after_s, self._strike)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        _watching.watch = self
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            # From now on it is another call's.
            self._connection = None
        _watching.watch = None

    def take(self, connection: Any) -> None:
        """Take the driver's connection, from when there is one on."""
        with self._lock:
            self._connection = connection
            self._shut_if_over()

    def _strike(self) -> None:
        with self._lock:
            self._is_over = True
            self._shut_if_over()

    def _shut_if_over(self) -> None:
        # There may be none yet, or none any more; SQLite's has no number.
        with contextlib.suppress(Exception):
            if self._is_over:
                number = self._connection.fileno()
                with socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM) as shared:
                    shared.shutdown(socket.SHUT_RDWR)


class _Watching(threading.local):
    """The watch of the call that this thread is making."""

    watch: _Watch | None = None


_watching: Final = _Watching()


def _connect(dialect: Any, _: object, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    """Connect, and show the connection to the watch before SQLAlchemy asks the server anything."""
    connection = dialect.connect(*arguments, **keywords)
    if _watching.watch is not None:
        _watching.watch.take(connection)
    return connection


def _open(url: str) -> tuple[sa.Engine, str]:
    """Make the engine of a URL, and what it is called in messages; nothing is connected yet."""
    with _needing_extra():
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
            arguments = {"connect_timeout": _CONNECT_S, "prepare_threshold": None}
            arguments = {n: v for n, v in arguments.items() if n not in parsed.query}
        case _:
            raise ConfigurationError(
                "the URL of SqlStore must be sqlite:////folder/runs.db or "
                "postgresql://user@host/database, and name no driver"
            )
    with _needing_extra():
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
    return engine, where


@contextlib.contextmanager
def _needing_extra() -> Iterator[None]:
    try:
        yield
    except ImportError:
        raise ConfigurationError(
            "SqlStore needs SQLAlchemy and psycopg: pip install 'newsleopard-async[sql]'"
        ) from None


def _database_file(name: str) -> Path:
    """Make the file of an SQLite database if it is missing, for its owner alone."""
    if name in ("", ":memory:") or name.startswith("file:"):
        raise ConfigurationError(
            "an SQLite store must be a file, which outlasts the process: sqlite:////folder/runs.db"
        )
    try:
        path = real_path(name)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | NO_FOLLOW, 0o600))
    except OSError as error:
        raise ConfigurationError(f"{name} cannot be used: {error.strerror}") from None
    return path
