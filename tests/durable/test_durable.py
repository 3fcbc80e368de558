"""Sends in a database, as the caller sees them."""

from __future__ import annotations

import logging
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from newsleopard_async import ConfigurationError, DeadlineExceeded, InvalidRequest
from newsleopard_async.durable import Durable, Send, ledger
from newsleopard_async.durable.durable import _MOST_AT_ONCE
from newsleopard_async.durable.engine import SendAttempt
from newsleopard_async.durable.ledger import AttemptResult
from tests.clients import csv_of
from tests.constants import KEY
from tests.durable.desk import Desk, at_desk, opened

pytestmark = pytest.mark.anyio

LATER = timedelta(days=30)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
async def test_tables_are_made_when_they_are_first_needed(database: str, empty_url: str) -> None:
    """In an empty database; another process finds them."""
    async with opened(empty_url) as durable:
        assert await durable.runs() == ()
        assert await durable.workers() == ()
    async with opened(empty_url) as durable:
        with pytest.raises(InvalidRequest, match=re.escape(f"'k' in {durable!r}")):
            await durable.status("k")


@pytest.fixture
def empty_url(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where an empty database is."""
    if database == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


async def test_send_is_kept_until_its_time(desk: Desk) -> None:
    """Called again, nothing changes; another time is refused, or replaces the first."""
    at = datetime.now(UTC) + LATER
    spec = desk.spec()
    first = await desk.durable.start_send(spec, send_key="k", at=at)

    assert (first.state, first.begins_at, first.next_at, first.attempt) == ("scheduled", at, at, 0)
    assert await desk.durable.start_send(spec, send_key="k", at=at) == first
    assert await desk.durable.retry("k") == first
    with pytest.raises(InvalidRequest, match="another spec or time"):
        await desk.durable.start_send(spec, send_key="k")
    replaced = await desk.durable.start_send(spec, send_key="k", replace=True)
    assert (replaced.state, replaced.attempt, replaced.begins_at) == ("queued", 1, None)
    assert desk.emulator.requests == ()


async def test_sends_are_listed_by_key_and_state(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page by page, in the order of their keys."""
    monkeypatch.setattr(ledger, "_PAGE_ROWS", 2)
    keys = ["a", "b/1", "c", "d", "會員"]
    sends = [Send(desk.spec(), key, datetime.now(UTC) + LATER) for key in reversed(keys)]
    started = await desk.durable.start_sends(sends)
    await desk.durable.cancel("c")

    assert [each.send_key for each in started] == keys[::-1]
    assert [each.send_key for each in await desk.durable.runs()] == keys
    found = await desk.durable.runs(state="cancelled")
    assert [each.send_key for each in found] == ["c"]
    found = await desk.durable.runs(state=["scheduled", "done"])
    assert [each.send_key for each in found] == ["a", "b/1", "d", "會員"]
    assert await desk.durable.start_sends([]) == ()
    with pytest.raises(InvalidRequest, match="state: 'helt' does not exist; use one of"):
        await desk.durable.runs(state="helt")  # type: ignore[arg-type]  # as a caller without types gives it


@pytest.mark.parametrize("name", ["clients", "contacts"])
async def test_what_is_no_function_is_refused(name: str, sqlite_url: str) -> None:
    """Before any send waits for it."""
    wrong: Any = {name: "no function"}
    with pytest.raises(ConfigurationError, match=f"{name}= must be a function"):
        Durable(sqlite_url, **wrong)


async def test_bulk_that_cannot_be_is_refused_as_a_whole(desk: Desk) -> None:
    """Each problem by its field; nothing is started."""
    spec = desk.spec()
    campaign: Any = spec.campaign
    sends: Any
    for sends, problem in (
        ([Send(spec, "a"), Send(spec, "a")], ("sends", "unique")),
        ([Send(spec, "a"), Send(spec, None)], ("send_key", "required")),  # type: ignore[arg-type]  # as a caller without types gives it
        ([Send(spec, "a"), Send(spec, " ")], ("send_key", "characters")),
        ([Send(spec, "a")] * (_MOST_AT_ONCE + 1), ("sends", "length")),
        ([Send(campaign, "a")], ("spec", "type")),
        ([(spec, "a")], ("sends", "type")),
    ):
        with pytest.raises(InvalidRequest) as caught:
            await desk.durable.start_sends(sends)
        assert problem in [(each.field, each.rule) for each in caught.value.problems]
    assert await desk.durable.runs() == ()


async def test_wait_ends_when_nothing_more_comes_by_itself(desk: Desk) -> None:
    """Or at its deadline, and the send goes on, once there is a worker."""
    await desk.start()
    with pytest.raises(DeadlineExceeded, match="'k' is queued after 0 s; no worker is alive"):
        await desk.durable.wait("k", deadline_s=0)
    await desk.durable._roster.beat("a-worker")
    with pytest.raises(DeadlineExceeded, match="'k' is queued after 0 s; it continues"):
        await desk.durable.wait("k", deadline_s=0)
    await desk.ledger.save_result(SendAttempt("k", 0), "main", AttemptResult(state="held"))
    assert (await desk.durable.wait("k")).needs_a_person
    assert await desk.durable.cancel("k") == "cancelled"
    assert (await desk.durable.wait("k", deadline_s=0)).state == "cancelled"


async def test_wait_looks_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """At growing distances."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            await desk.ledger.save_result(
                SendAttempt("k", 0), "main", AttemptResult(state="failed")
            )

    await desk.start()
    monkeypatch.setattr("newsleopard_async.durable.durable.anyio.sleep", sleep)
    assert (await desk.durable.wait("k")).state == "failed"
    assert slept == [0.5, 0.75, 1.125]


@pytest.mark.parametrize("before", [datetime(2026, 1, 1), "2026-01-01"])  # noqa: DTZ001 - it is refused
async def test_purge_wants_a_time_with_its_zone(before: Any, desk: Desk) -> None:
    """What is forgotten is lost."""
    with pytest.raises(InvalidRequest, match="before: must be a datetime with a time zone"):
        await desk.durable.purge(before=before)


async def test_unknown_key_is_refused_everywhere(desk: Desk) -> None:
    """The message names the database."""
    durable = desk.durable
    for call in (durable.status, durable.cancel, durable.retry, durable.wait):
        with pytest.raises(InvalidRequest, match="no send has the key 'k'"):
            await call("k")
    with pytest.raises(InvalidRequest, match="no send has the key 'k'"):
        await durable.resolve("k", "abandon")


async def test_nothing_is_decided_about_what_has_not_begun(desk: Desk) -> None:
    """It can be cancelled."""
    await desk.start()
    with pytest.raises(InvalidRequest, match="'k' has not begun"):
        await desk.durable.resolve("k", "resubmit")


async def test_retry_of_what_has_ended_changes_nothing(desk: Desk) -> None:
    """It is for what waits, or has failed."""
    await desk.start()
    done = await desk.run_attempt()

    assert await desk.durable.retry("k") == done
    assert await desk.durable.cancel("k") == "too late"


# What is not in the database

CONTACT = "user1@example.com"


async def test_database_and_log_have_neither_contacts_nor_key(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """This is true for sends that are done, held or failed, and for wrong contacts."""
    caplog.set_level(logging.DEBUG, "newsleopard_async")
    async with at_desk(url, tmp_path) as desk:
        await desk.start("sent")
        shown = [await desk.run_attempt("sent")]
        await desk.start("held")
        desk.emulator.drop_request("submit_campaign")
        shown.append(await desk.run_attempt("held"))
        await desk.start("failed")
        desk.file.write_text(csv_of(2) + f"{CONTACT} x,\n", encoding="utf-8")
        shown.append(await desk.run_attempt("failed"))

        assert [each.state for each in shown] == ["done", "held", "failed"]
        told = f"{shown} {[each.to_dict() for each in shown]} {desk.durable!r} {caplog.text}"
        kept = await content_of(desk.durable)
    assert "週年慶" in kept
    for secret in (KEY, CONTACT, "user0@example.com"):
        assert secret not in told
        assert secret not in kept


async def content_of(durable: Durable) -> str:
    """Return all that a database has, as text."""
    file = durable._database.file
    if file is not None:
        with sqlite3.connect(file) as connection:
            dump = "\n".join(connection.iterdump())
        return dump + file.read_bytes().decode("latin-1")
    found = []
    with durable._database.engine.connect() as connection:
        for schema in ("public", "newsleopard_engine"):
            for name in sa.inspect(connection).get_table_names(schema=schema):
                table = sa.Table(name, sa.MetaData(), schema=schema, autoload_with=connection)
                found.append(f"{connection.execute(sa.select(table)).all()}")
    return "\n".join(found)


async def test_url_is_shown_by_host_and_database_only() -> None:
    """Its password is in no message."""
    durable = Durable("postgresql://me:s3cret@db.example/app")

    assert repr(durable) == "Durable('the database app at db.example')"
    assert "s3cret" not in f"{durable!r} {durable.store!r} {attrs.asdict(Send(None, 'k'))}"  # type: ignore[arg-type]  # it is not looked at
