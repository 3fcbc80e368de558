"""A database as the store: SQLite for the processes of a host, Postgres for any number of hosts.

Each call is one statement that can be repeated: if the answer to a save was lost, the repeated save
finds its own revision.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

from newsleopard_async.aio import Listing
from newsleopard_async.disclosure import hides_variables
from newsleopard_async.errors import InUse, InvalidRequest
from newsleopard_async.stores.database import Database
from newsleopard_async.stores.protocol import Kept
from newsleopard_async.stores.serialization import from_json, key_from_text, key_to_text, to_json

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["SqlStore", "create_runs", "saving"]

_PAGE: Final = 1_000
"""The number of keys per query. Chosen: a key has at most 200 characters, so a page stays small."""

_CREATE: Final = """
CREATE TABLE IF NOT EXISTS newsleopard_runs (
    key TEXT PRIMARY KEY,
    revision TEXT NOT NULL,
    data TEXT NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL
)
"""

_LOAD: Final = "SELECT revision, data FROM newsleopard_runs WHERE key = :key"

# Both statements change one row for a new save and for the same save again.
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


class SqlStore:
    """Stores runs in the table ``newsleopard_runs`` of SQLite or Postgres (the extra ``sql``).

    The table is created when it is first needed. An SQLite file must be on a local disk; only its
    owner can read it. Postgres must have version 14 or later, and be the primary server, because a
    replica lags behind. Runs on asyncio and trio.

    Args:
        url: ``sqlite:////var/lib/app/runs.db``, or ``postgresql://user@host/database``, without a
            driver. Messages contain only its host and database.

    Raises:
        ConfigurationError: the URL cannot be used, or the extra is not installed.
    """

    @hides_variables
    def __init__(self, url: str) -> None:
        self._database = Database(url, user="SqlStore", extra="sql", create=create_runs)

    @classmethod
    def over(cls, database: Database) -> Self:
        """Return a store over an existing database; its ``create`` must call `create_runs`."""
        store = object.__new__(cls)
        store._database = database
        return store

    def __repr__(self) -> str:
        return f"SqlStore({self._database.where!r})"

    @hides_variables
    async def load(self, key: str) -> Kept | None:
        """Return the record that is stored under this key, or None.

        Raises:
            InvalidRequest: the record is damaged.
            ConfigurationError: the set-up of the database is wrong.
            ConnectionFailed: the database was away for 40 s.
        """
        row = await self._database.run(partial(_fetch_row, {"key": key_to_text(key)}))
        if row is None:
            return None
        data = from_json(row[1].encode())
        if data is None:
            raise InvalidRequest.of(
                "store",
                "format",
                f"the record of {key} in {self._database.where} is damaged; restore it from a "
                "backup",
            )
        return Kept(data, row[0])

    @hides_variables
    async def save(self, key: str, data: Mapping[str, Any], revision: str | None) -> str:
        """Store the data if no other run has saved since; return its new revision.

        Raises:
            ConfigurationError: the set-up of the database is wrong, or the data is too large.
            ConnectionFailed: the database was away for 40 s; it is unknown whether it was saved.
            InUse: another run has saved under this key since.
        """
        work, new = saving(key, data, revision)
        if not await self._database.run(work):
            raise InUse(f"another run has saved {key} in {self._database.where}, or it was removed")
        return new

    def keys(self) -> Listing[str]:
        """List the keys: ``await`` gives all, sorted; ``async for`` gives one after another.

        Raises:
            ConfigurationError: the set-up of the database is wrong.
            ConnectionFailed: the database was away for 40 s.
        """
        return Listing(self._keys, order=sorted)

    async def _keys(self) -> AsyncGenerator[str, None]:
        last: str | None = ""
        while last is not None:
            page = await self._database.run(partial(_fetch_keys, {"last": last, "page": _PAGE}))
            for text in page:
                yield key_from_text(text)
            last = page[-1] if len(page) == _PAGE else None

    async def aclose(self) -> None:
        """Close the connections; the next call opens new ones."""
        await self._database.aclose()


def _fetch_row(values: Mapping[str, Any], connection: sa.Connection) -> tuple[str, str] | None:
    import sqlalchemy as sa

    row = connection.execute(sa.text(_LOAD), values).first()
    return None if row is None else (row[0], row[1])


def saving(
    key: str, data: Mapping[str, Any], revision: str | None
) -> tuple[Callable[[sa.Connection], bool], str]:
    """Return a function that saves data in a transaction, and the new revision.

    The function returns whether it saved the data.

    Raises:
        ConfigurationError: the data is too large.
    """
    # Created before the first try, so that a repeated save finds its own revision.
    new = secrets.token_hex(16)
    text = to_json(data, where=key).decode()
    values = {"key": key_to_text(key), "revision": new, "data": text}
    if revision is not None:
        values["seen"] = revision
    return partial(_change_row, values), new


def _change_row(values: Mapping[str, Any], connection: sa.Connection) -> bool:
    import sqlalchemy as sa

    statement = _UPDATE if "seen" in values else _INSERT
    return connection.execute(sa.text(statement), values).rowcount == 1


def _fetch_keys(values: Mapping[str, Any], connection: sa.Connection) -> list[str]:
    import sqlalchemy as sa

    return [row[0] for row in connection.execute(sa.text(_KEYS), values)]


def create_runs(connection: sa.Connection) -> None:
    """Create the table of runs if it is missing."""
    connection.exec_driver_sql(_CREATE)
