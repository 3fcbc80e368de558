"""The roster of workers: who carries attempts, and is alive, by the database's own time.

Clocks of several hosts differ, and a stopped worker's stands still. So no host's
clock is compared: the database notes when a worker reported, and returns how long ago that is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import attrs

from newsleopard_async.stores.database import Database

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["LEASE_S", "Roster", "WorkerHeartbeat", "create_roster"]

LEASE_S: Final = 20.0
"""How long a worker may be silent. Chosen: as long as a run holds its record without renewing it;
before that has ended, another worker could not take over."""

_CREATE: Final = """
CREATE TABLE IF NOT EXISTS newsleopard_workers (
    worker TEXT PRIMARY KEY,
    started_at DOUBLE PRECISION NOT NULL,
    seen_at DOUBLE PRECISION NOT NULL
)
"""
"""Times are seconds since 1970 in UTC."""

_NOW: Final = {
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "extract(epoch FROM clock_timestamp())",
}

_BEAT: Final = """
INSERT INTO newsleopard_workers (worker, started_at, seen_at) VALUES (:worker, NOW, NOW)
ON CONFLICT (worker) DO UPDATE SET seen_at = NOW
"""

_TIME: Final = "SELECT NOW"

_FORGET: Final = "DELETE FROM newsleopard_workers WHERE worker = :worker"

_PRUNE: Final = "DELETE FROM newsleopard_workers WHERE NOW - seen_at > 86400"
"""Chosen: for a day it shows which workers died."""

_LIST: Final = """
SELECT worker, NOW - started_at AS runs_s, NOW - seen_at AS silent_s FROM newsleopard_workers
"""


@attrs.frozen
class WorkerHeartbeat:
    """What is known of a worker.

    Attributes:
        runs_s: When it began, in seconds ago.
        silent_s: How long ago it last reported, in seconds.
    """

    runs_s: float
    silent_s: float

    @property
    def is_alive(self) -> bool:
        """Whether its attempts are its own."""
        return self.silent_s < LEASE_S


class Roster:
    """The table ``newsleopard_workers``.

    Args:
        database: Where it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def beat(self, worker: str) -> float:
        """Note that a worker is alive.

        Returns: The database's time, in seconds since 1970.
        """
        return await self._database.run(partial(_beat, worker))

    async def forget(self, worker: str) -> None:
        """Note that a worker has left."""
        await self._database.run(partial(_execute, _FORGET, {"worker": worker}))

    async def prune(self) -> None:
        """Forget the workers that died more than a day ago."""
        await self._database.run(partial(_execute, _PRUNE, {}))

    async def workers(self) -> Mapping[str, WorkerHeartbeat]:
        """Return those that did not leave, alive or not."""
        return await self._database.run(_fetch)


def create_roster(connection: sa.Connection) -> None:
    """Make the table, if it is not there."""
    connection.exec_driver_sql(_CREATE)


def _beat(worker: str, connection: sa.Connection) -> float:
    _execute(_BEAT, {"worker": worker}, connection)
    return float(_execute(_TIME, {}, connection).scalar_one())


def _fetch(connection: sa.Connection) -> dict[str, WorkerHeartbeat]:
    found = _execute(_LIST, {}, connection)
    return {row.worker: WorkerHeartbeat(float(row.runs_s), float(row.silent_s)) for row in found}


def _execute(
    text: str, values: Mapping[str, str], connection: sa.Connection
) -> sa.CursorResult[Any]:
    import sqlalchemy as sa

    statement = text.replace("NOW", _NOW[connection.dialect.name])
    return connection.execute(sa.text(statement), values)
