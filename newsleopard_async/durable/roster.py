"""The roster of workers: the table with the time of the last heartbeat of each worker.

The clocks of hosts differ, and the clock of a suspended host stands still. So the roster uses only
the database's clock: the database stores the time of a heartbeat and computes how long ago it was.
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
"""The longest time without a heartbeat. Chosen: as long as a run's hold without a renewal, because
another worker cannot take over before the hold ends."""

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
"""Chosen: for a day the table shows which workers ended without leaving."""

_LIST: Final = """
SELECT worker, NOW - started_at AS runs_s, NOW - seen_at AS silent_s FROM newsleopard_workers
"""


@attrs.frozen
class WorkerHeartbeat:
    """The times of a worker.

    Attributes:
        runs_s: Seconds since it started.
        silent_s: Seconds since its last heartbeat.
    """

    runs_s: float
    silent_s: float

    @property
    def is_alive(self) -> bool:
        """Whether it still owns its attempts."""
        return self.silent_s < LEASE_S


class Roster:
    """The table ``newsleopard_workers``.

    Args:
        database: The database of the table.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def beat(self, worker: str) -> float:
        """Store a heartbeat of a worker.

        Returns: The database's time, in seconds since 1970.
        """
        return await self._database.run(partial(_beat, worker))

    async def forget(self, worker: str) -> None:
        """Delete a worker that has left."""
        await self._database.run(partial(_execute, _FORGET, {"worker": worker}))

    async def prune(self) -> None:
        """Delete the workers without a heartbeat for more than a day."""
        await self._database.run(partial(_execute, _PRUNE, {}))

    async def workers(self) -> Mapping[str, WorkerHeartbeat]:
        """Return the workers that have not left, alive or not."""
        return await self._database.run(_fetch)


def create_roster(connection: sa.Connection) -> None:
    """Create the table if it is missing."""
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
