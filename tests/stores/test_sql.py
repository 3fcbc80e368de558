"""SQLite and Postgres as stores: what is made, refused, repeated and given up."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import sqlalchemy as sa

from newsleopard_async import ConfigurationError, ConnectionFailed, InUse, InvalidRequest
from newsleopard_async.stores import SqlStore, database, sql
from newsleopard_async.stores.protocol import keys_of
from tests.servers import Server

pytestmark = pytest.mark.anyio

posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such modes, and no fork")


@contextlib.contextmanager
def opened(url: str) -> Iterator[SqlStore]:
    """Open a store, and close its connections."""
    store = SqlStore(url)
    try:
        yield store
    finally:
        store._database.engine.dispose()


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def url(request: Any) -> str:
    """Return where a database of each kind is."""
    found: str = request.getfixturevalue(request.param)
    return found


# URLs


@pytest.mark.parametrize(
    "url",
    [
        *("runs.db", "", "mysql://root:secret@host/app", "sqlite+aiosqlite:////tmp/runs.db"),
        *("postgresql+asyncpg://me:secret@host/app", "postgresql://me:secret@host:port/app"),
    ],
)
def test_other_database_is_refused(url: str) -> None:
    """The message names the expected form, and does not contain the password."""
    with pytest.raises(
        ConfigurationError, match=r"sqlite:////folder/runs\.db or postgresql://"
    ) as caught:
        SqlStore(url)

    assert "secret" not in f"{caught.value!r} {caught.value.__cause__!r}"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:a.db?uri=true"])
def test_database_in_memory_is_refused(url: str) -> None:
    """It would be gone with the process."""
    with pytest.raises(ConfigurationError, match="must be a file"):
        SqlStore(url)


def test_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    """At once."""
    with pytest.raises(ConfigurationError, match=r"nowhere/runs\.db cannot be used: No such file"):
        SqlStore(f"sqlite:///{tmp_path}/nowhere/runs.db")


@pytest.mark.parametrize("missing", ["sqlalchemy", "psycopg"])
def test_missing_extra_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(ConfigurationError, match=r"pip install 'newsleopard-async\[sql\]'"):
        SqlStore("postgresql://me:secret@host/app")


def test_url_is_shown_without_its_user(tmp_path: Path) -> None:
    """Nor is its password in any settings that are shown."""
    postgres = SqlStore("postgres://me:secret@db.example/app?connect_timeout=3&password=secret")

    assert repr(postgres) == "SqlStore('the database app at db.example')"
    assert repr(SqlStore(f"sqlite:///{tmp_path}/a.db")) == f"SqlStore('{tmp_path}/a.db')"


@posix
async def test_file_is_for_its_owner_only_and_stays_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path is taken from where the process was when it was given."""
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    with opened("sqlite:///runs.db") as store:
        monkeypatch.chdir("other")
        await store.save("a", {}, None)

    assert stat.S_IMODE((tmp_path / "runs.db").stat().st_mode) == 0o600
    assert not any((tmp_path / "other").iterdir())


# What is in the table


async def test_table_can_be_read_by_people(url: str) -> None:
    """A key is a row, with the data as JSON and when it was saved."""
    with opened(url) as store:
        await store.save("週年慶", {"名": "值"}, None)

        with store._database.engine.connect() as connection:
            rows = connection.execute(sa.text("SELECT key, data, updated_at FROM newsleopard_runs"))
            [(key, data, updated_at)] = rows.all()

    assert key == "週年慶"
    assert '"名": "值"' in data
    assert updated_at


async def test_to_look_for_a_table_makes_none(url: str) -> None:
    """Only a save creates the table, not a check whether it exists."""
    with opened(url) as store:
        before = [await store._database.has_table("newsleopard_runs") for _ in range(2)]
        await store.save("a", {}, None)

        assert before == [False, False]
        assert await store._database.has_table("newsleopard_runs")


async def test_damaged_row_is_refused(url: str) -> None:
    """It is not taken for nothing: a run would begin anew."""
    with opened(url) as store:
        await store.save("a", {}, None)
        with store._database.engine.begin() as connection:
            connection.execute(sa.text("UPDATE newsleopard_runs SET data = '{'"))

        with pytest.raises(InvalidRequest, match="is damaged"):
            await store.load("a")


@pytest.mark.parametrize("count", [0, 3, 4])
async def test_keys_are_fetched_in_pages(
    count: int, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is left out between two of them."""
    monkeypatch.setattr(sql, "_PAGE", 2)
    with opened(sqlite_url) as store:
        for number in range(count):
            await store.save(str(number), {}, None)

        assert await keys_of(store) == tuple(map(str, range(count)))


# What is repeated, and what is given up


async def test_process_that_is_stopped_keeps_no_lock(postgres_url: str) -> None:
    """The server ends what stands still in a transaction, whosever that is."""
    with opened(postgres_url) as store:
        await store.save("a", {}, None)
        look = "SELECT current_setting('idle_in_transaction_session_timeout')"

        ours = await store._database.run(lambda each: each.exec_driver_sql(look).scalar())
        with store._database.engine.begin() as connection:
            others = connection.exec_driver_sql(look).scalar()

        assert (ours, others) == ("10s", "10s")


@pytest.mark.parametrize("is_first", [True, False])
async def test_save_whose_answer_was_lost_finds_its_own(
    url: str, *, is_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is repeated, and does not count as a save of another run."""
    with opened(url) as store:
        seen = None if is_first else await store.save("a", {"state": 1}, None)
        await store.load("a")
        once, lost = (
            store._database._once,
            [database._DatabaseFailure("away", "the connection was lost")],
        )

        def lose(work: Callable[[Any], Any], answer_s: float) -> Any:
            done = once(work, answer_s)
            return lost.pop() if lost else done

        monkeypatch.setattr(store._database, "_once", lose)
        revision = await store.save("a", {"state": 2}, seen)

        assert not lost
        kept = await store.load("a")
        assert kept is not None
        assert (kept.data, kept.revision) == ({"state": 2}, revision)


async def test_save_over_which_another_run_saved_is_not_made_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer was lost, and by now another run has taken over."""
    with opened(url) as store, opened(url) as other:
        once, lost = (
            store._database._once,
            [database._DatabaseFailure("away", "the connection was lost")],
        )
        await store.load("a")

        def lose(work: Callable[[Any], Any], answer_s: float) -> Any:
            done = once(work, answer_s)
            if not lost:
                return done
            row = other._database._once(
                lambda at: at.execute(sa.text("SELECT revision FROM newsleopard_runs")).scalar(),
                9,
            )
            other._database._once(
                lambda at: sql._change_row(
                    {"key": "a", "data": "{}", "seen": row, "revision": "other"}, at
                ),
                9,
            )
            return lost.pop()

        monkeypatch.setattr(store._database, "_once", lose)

        with pytest.raises(InUse):
            await store.save("a", {"state": 1}, None)


async def test_database_that_another_process_locks_is_waited_for(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite has one writer at a time."""
    monkeypatch.setattr(database, "_ANSWER_S", 0.01)
    with opened(sqlite_url) as store:
        await store.save("a", {}, None)
        locking = sqlite3.connect(store._database.engine.url.database or "", isolation_level=None)
        with contextlib.closing(locking) as other:
            other.execute("BEGIN EXCLUSIVE")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(store.save, "b", {}, None)
                await anyio.sleep(0.1)
                other.execute("COMMIT")

        assert await keys_of(store) == ("a", "b")


async def test_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """At the first use."""
    (tmp_path / "a.db").write_bytes(b"no database" * 100)

    with (
        opened(f"sqlite:///{tmp_path}/a.db") as store,
        pytest.raises(ConfigurationError, match=r"a\.db cannot be used: file is not a database"),
    ):
        await store.load("a")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("postgres@", "stranger:secret@", "role .stranger. does not exist"),
        ("/postgres", "/nowhere", "database .nowhere. does not exist"),
    ],
)
async def test_wrong_setup_is_not_repeated(
    old: str, new: str, says: str, postgres_url: str
) -> None:
    """It would be as wrong the next time; the password is not shown."""
    wrong = new.join(postgres_url.rsplit(old, 1))
    with opened(wrong) as store, pytest.raises(ConfigurationError, match=says) as caught:
        await store.load("a")

    assert "secret" not in str(caught.value)


async def test_missing_right_is_not_repeated(postgres_url: str) -> None:
    """For example a user without the right to create the table."""
    with opened(postgres_url) as owner, owner._database.engine.begin() as connection:
        for statement in (
            "DROP ROLE IF EXISTS guest",
            "CREATE ROLE guest LOGIN",
            "GRANT USAGE ON SCHEMA public TO guest",
        ):
            connection.exec_driver_sql(statement)

    guest = postgres_url.replace("postgres@", "guest@")
    with opened(guest) as store, pytest.raises(ConfigurationError, match="permission denied"):
        await store.load("a")


async def test_replica_is_waited_for_until_it_is_the_primary(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a fail-over the name leads to another server; until then nothing can be saved."""
    with opened(postgres_url) as store:
        await store.save("a", {}, None)

    monkeypatch.setattr(database, "_WITHIN_S", 0.1)
    with opened(f"{postgres_url}?options=-c%20default_transaction_read_only%3Don") as replica:
        assert await replica.load("a") is not None
        with pytest.raises(ConnectionFailed, match="read-only transaction"):
            await replica.save("b", {}, None)


@pytest.mark.slow
async def test_server_that_is_restarted_is_waited_for(postgres: Server, postgres_url: str) -> None:
    """Neither earlier nor concurrent saves are lost."""
    with opened(postgres_url) as store:
        seen = await store.save("a", {"state": 1}, None)

        async with anyio.create_task_group() as tasks:
            with postgres.away():
                tasks.start_soon(store.save, "a", {"state": 2}, seen)
                await anyio.sleep(0.2)

        kept = await store.load("a")
        assert kept is not None
        assert kept.data == {"state": 2}


@pytest.mark.slow
async def test_server_that_stays_away_is_reported(
    postgres: Server, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a bounded time, and with its host."""
    monkeypatch.setattr(database, "_WITHIN_S", 0.1)
    with (
        opened(postgres_url) as store,
        postgres.away(),
        pytest.raises(ConnectionFailed, match=r"did not answer for 0.1 s: .*refused") as caught,
    ):
        await store.load("a")

    assert (caught.value.host, caught.value.reason) == ("127.0.0.1", "timeout")


@pytest.mark.parametrize(
    "is_connected", [True, pytest.param(False, marks=pytest.mark.slow, id="False")]
)
async def test_server_that_says_nothing_is_cut_off(
    postgres: Server, postgres_url: str, *, is_connected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It accepts a connection or a statement and does not answer; later calls succeed."""
    monkeypatch.setattr(database, "_ANSWER_S", 0.1)
    monkeypatch.setattr(database, "_WITHIN_S", 0.2)
    url = f"{postgres_url}?connect_timeout=2"
    with opened(url) as store:
        if is_connected:
            await store.load("a")
        began = time.monotonic()
        with postgres.frozen(), pytest.raises(ConnectionFailed):
            await store.save("a", {"state": 1}, None)
        assert time.monotonic() - began < 5

        monkeypatch.undo()
        with contextlib.suppress(InUse):
            # What was sent before may be made when the server wakes.
            await store.save("a", {"state": 1}, None)
        kept = await store.load("a")
        assert kept is not None


async def test_call_that_had_no_connection_in_time_is_cut_off(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waited for one, or for the server to take it; it must not begin to wait anew."""
    with opened(postgres_url) as store:
        await store.load("a")
        with database._Watchdog(0.0) as watchdog:
            watchdog._timer.join()
            monkeypatch.setattr(database, "_Watchdog", lambda _: contextlib.nullcontext(watchdog))
            # As the call itself would.
            database._current.watchdog = watchdog

            done = store._database._once(lambda at: at.exec_driver_sql("SELECT 1").scalar(), 9)

    assert isinstance(done, database._DatabaseFailure)
    assert done.kind == "away"


async def test_every_connection_of_a_call_is_cut_off(
    postgres: Server, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This includes a connection that other code takes from the pool, such as the engine."""
    monkeypatch.setattr(database, "_WITHIN_S", 0.0)
    with opened(postgres_url) as store:
        engine = store._database.engine
        with engine.connect(), engine.connect():
            # Two are open, and go back to the pool.
            pass

        def ask_twice(_: sa.Connection) -> object:
            with engine.connect() as other:
                return other.exec_driver_sql("SELECT 1").scalar()

        assert await store._database.run(ask_twice) == 1
        monkeypatch.setattr(database, "_ANSWER_S", 0.1)
        began = time.monotonic()
        with postgres.frozen(), pytest.raises(ConnectionFailed):
            await store._database.run(ask_twice)
        assert time.monotonic() - began < 5


async def test_store_that_was_closed_opens_new_connections(url: str) -> None:
    """As at the end of a request, or of an event loop."""
    with opened(url) as store:
        await store.save("a", {}, None)
        await store.aclose()

        assert await store.load("a") is not None


_FORK = """
import anyio, os, sys
from newsleopard_async.stores import SqlStore

store = SqlStore(sys.argv[1])
anyio.run(store.save, "parent", {}, None)
child = os.fork()
for number in range(20):
    anyio.run(store.save, f"{'parent' if child else 'child'}-{number}", {}, None)

async def keys():
    return await store.keys()

if child:
    assert os.waitpid(child, 0)[1] == 0
    assert len(anyio.run(keys)) == 41
"""


def test_file_is_locked_from_the_first_write_and_rows_go_with_their_owners(
    sqlite_url: str,
) -> None:
    """Two that read and then write would refuse each other; and what is deleted leaves nothing."""
    with opened(sqlite_url) as store, store._database.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        assert driver.isolation_level == "IMMEDIATE"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


async def test_store_is_one_of_the_users_of_a_database(url: str) -> None:
    """What is open already is not opened once more; and only SQLite has a file."""
    opened_one = database.Database(url, user="Durable", extra="dbos", create=sql.create_runs)
    try:
        store = SqlStore.over(opened_one)
        await store.save("a", {"state": 1}, None)

        kept = await store.load("a")
        assert kept is not None
        assert (opened_one.file is None) == url.startswith("postgresql")
    finally:
        await opened_one.aclose()


@posix
@pytest.mark.slow
def test_forked_child_uses_no_connection_of_its_parent(url: str) -> None:
    """Two processes on one connection would mix up each other's answers."""
    run = subprocess.run(
        [sys.executable, "-c", _FORK, url], capture_output=True, text=True, check=False, timeout=60
    )

    assert run.returncode == 0, run.stderr


async def test_connections_of_a_parent_are_left_to_it(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child forgets them without closing them."""
    closings: list[bool] = []
    with opened(sqlite_url) as store:
        await store.save("a", {}, None)
        dispose = store._database.engine.dispose
        pid = os.getpid()

        def note(*, close: bool) -> None:
            closings.append(close)
            dispose()

        monkeypatch.setattr(store._database.engine, "dispose", note)
        monkeypatch.setattr(os, "getpid", lambda: pid + 1)
        for _ in range(2):
            assert await store.load("a") is not None
        monkeypatch.undo()
        assert closings == [False]
