"""The send ledger: each row has its next attempt, even if calls are repeated or concurrent."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import anyio
import attrs
import pytest

from newsleopard_async import InvalidRequest
from newsleopard_async.durable import Durable, ledger
from newsleopard_async.durable.engine import Engine, SendAttempt
from newsleopard_async.durable.ledger import AttemptResult, Ledger, NewSend, RowState, SendRow
from newsleopard_async.stores import SqlStore, database
from newsleopard_async.workflows.run_record import RunRecord
from newsleopard_async.workflows.send_key import token_of
from newsleopard_async.workflows.withdrawal import withdraw
from tests.durable.desk import lose_answers, opened

pytestmark = pytest.mark.anyio

HOUR_S = 3_600.0


@attrs.frozen
class Books:
    """A ledger, behind the face of the sends that it is of."""

    durable: Durable

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        return self.durable._ledger

    @property
    def store(self) -> SqlStore:
        """The records beside it."""
        return self.durable.store

    async def start(self, *keys: str, replace: bool = False, **given: Any) -> None:
        """Put sends in."""
        fields = {"account": "main", "digest": "d", "spec": "{}"} | given
        await self.ledger.start([NewSend(send_key=k, **fields) for k in keys], replace=replace)

    async def row(self, key: str = "k") -> SendRow:
        """Return a send."""
        row = await self.ledger.read(key)
        assert row is not None
        return row

    async def save_result(
        self, number: int, state: RowState, next_at: float | None = None, **more: Any
    ) -> None:
        """End an attempt at k."""
        result = AttemptResult(state=state, next_at=next_at, **more)
        await self.ledger.save_result(SendAttempt("k", number), "main", result)

    async def enqueue_next(self, number: int, *, is_requested: bool = False) -> bool:
        """Make the attempt at k that follows one."""
        return await self.ledger.enqueue_next(SendAttempt("k", number), is_requested=is_requested)

    async def expected(self, key: str = "k") -> list[int]:
        """Number the attempts that the engine has to begin."""
        asked = [SendAttempt(key, number) for number in range(9)]
        return sorted(each.number for each in await self.durable._engine.expected(asked))


@pytest.fixture
async def books(url: str) -> AsyncIterator[Books]:
    """Open a ledger in each kind of database."""
    async with opened(url) as durable:
        yield Books(durable)


@pytest.fixture
async def book(sqlite_url: str) -> AsyncIterator[Books]:
    """Open a ledger in SQLite, where the kind of database does not matter."""
    async with opened(sqlite_url) as durable:
        yield Books(durable)


# Starting


async def test_row_is_there_with_its_first_attempt(books: Books) -> None:
    """Due when it was asked for; a second start changes nothing."""
    at = datetime.now(UTC) + timedelta(days=30)
    await books.start("k", begins_at=at)
    first = await books.row()
    await books.start("k", begins_at=at)

    row = await books.row()
    assert row == first
    assert (row.state, row.attempt, row.next_at) == ("scheduled", 0, at.timestamp())
    assert await books.expected() == [0]


async def test_time_that_is_long_past_is_refused(book: Books) -> None:
    """It has a wrong year; but a call that is made again after its time changes nothing."""
    now = datetime.now(UTC)
    late, wrong = now - timedelta(hours=23), now - timedelta(hours=25)

    await book.start("k", begins_at=late)
    with pytest.raises(InvalidRequest, match=r"at: is .*, more than a day ago; give a later time"):
        await book.start("other", begins_at=wrong)
    with pytest.raises(InvalidRequest, match="at: is "):
        await book.start("k", begins_at=wrong, replace=True)
    with mock.patch("time.time", return_value=now.timestamp() + 86_400):
        await book.start("k", begins_at=late)


async def test_row_is_not_there_without_its_attempt(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash between the two leaves neither."""
    enqueued = itertools.count()

    def fail(*_: Any, **__: Any) -> None:
        if next(enqueued):
            raise RuntimeError("the process was killed")

    monkeypatch.setattr(Engine, "enqueue", fail)
    with pytest.raises(RuntimeError):
        await books.start("a", "b")
    monkeypatch.undo()

    assert await books.ledger.read_all(["a", "b"]) == []
    assert await books.expected("a") == []


@pytest.mark.parametrize("what", ["start", "replace", "save_result", "enqueue_next", "failed"])
async def test_answer_that_is_lost_makes_no_second_attempt(
    what: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call is made again, finds what it did, and loses none either."""
    async with opened(url) as durable:
        books = Books(durable)
        expected = [0]
        if what != "start":
            await books.start("k")
            expected = [0, 1]
        if what == "failed":
            await books.save_result(0, "failed")
        lose_answers(durable, monkeypatch)
        match what:
            case "start" | "failed":
                await books.start("k")
            case "replace":
                await books.start("k", digest="e", replace=True)
            case "save_result":
                await books.save_result(0, "waiting", time.time() + HOUR_S)
            case _:
                assert not await books.enqueue_next(0)

        assert await books.expected() == expected
        assert (await books.row()).attempt == expected[-1]


async def test_processes_that_start_the_same_keys_at_once_make_one_attempt_each(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In any order of the keys, no two transactions wait for each other."""
    keys = [f"k{number}" for number in range(30)]
    said: list[str] = []
    judged = database._classify

    def note(error: BaseException) -> Any:
        said.append(str(error))
        return judged(error)

    monkeypatch.setattr(database, "_classify", note)

    async def start(order: list[str]) -> None:
        async with opened(url) as durable:
            await Books(durable).start(*order)

    async with anyio.create_task_group() as tasks:
        for order in (keys, keys[::-1], keys[15:] + keys[:15]):
            tasks.start_soon(start, order)

    async with opened(url) as durable:
        rows = await durable._ledger.read_all(keys)
        assert [row.attempt for row in rows] == [0] * 30
        first = [SendAttempt(key, 0) for key in keys]
        second = [SendAttempt(key, 1) for key in keys]
        assert await durable._engine.expected(first + second) == set(first)
    assert "deadlock" not in "".join(said)


async def test_bulk_is_started_as_a_whole_or_not_at_all(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One key of a hundred was used for something else."""
    monkeypatch.setattr(ledger, "_PAGE_ROWS", 30)
    keys = [f"k{number:02}" for number in range(100)]
    await books.start("k77", digest="other")

    with pytest.raises(InvalidRequest, match="'k77' was started with another spec or time"):
        await books.start(*keys)
    assert [row.send_key for row in await books.ledger.page(None)] == ["k77"]

    keys.remove("k77")
    await books.start(*keys)
    assert len(await books.ledger.read_all([*keys, "k77"])) == 100
    assert [row.send_key for row in await books.ledger.page("k28")] == keys[29:59]


@pytest.mark.parametrize(
    ("state", "changes", "replace", "refused"),
    [
        ("scheduled", {"digest": "e"}, False, "started with another spec or time"),
        ("scheduled", {"account": "b"}, False, "started with another spec or time"),
        ("waiting", {"begins_at": datetime(2027, 1, 1, tzinfo=UTC)}, False, "another spec or time"),
        ("scheduled", {"digest": "e"}, True, None),
        ("waiting", {"account": "b"}, True, None),
        ("failed", {"digest": "e"}, True, None),
        ("failed", {}, False, None),
        ("failed", {"digest": "e"}, False, "started with another spec or time"),
        ("done", {"digest": "e"}, True, "was used for another campaign"),
        ("cancelled", {}, False, "was cancelled"),
        ("cancelled", {"digest": "e"}, True, "was cancelled"),
    ],
)
async def test_key_that_is_there_is_kept_tried_again_replaced_or_refused(
    state: RowState, changes: dict[str, Any], refused: str | None, book: Books, *, replace: bool
) -> None:
    """The message names what differs; nothing changes then."""
    await book.start("k")
    if state != "scheduled":
        await book.save_result(0, state, error="OldError", message="old")
    before = await book.row()

    if refused is None:
        await book.start("k", replace=replace, **changes)
    else:
        with pytest.raises(InvalidRequest, match=refused):
            await book.start("k", replace=replace, **changes)

    row = await book.row()
    if refused is None:
        assert (row.state, row.attempt, row.error, row.message) == ("scheduled", 1, None, "")
        assert (row.digest, row.account) == (
            changes.get("digest", "d"),
            changes.get("account", "main"),
        )
        assert await book.expected() == [0, 1]
    else:
        assert row == before


async def test_done_key_is_answered_and_not_sent_again(book: Books) -> None:
    """A repeated call with the same spec adds no attempt."""
    await book.start("k")
    await book.save_result(0, "done", outcome="{}")
    await book.start("k", replace=True)

    row = await book.row()
    assert (row.state, row.attempt, row.next_at) == ("done", 0, None)


# Attempts


async def test_of_several_who_end_or_take_over_an_attempt_one_makes_the_next(books: Books) -> None:
    """At the same instant, on as many connections."""
    await books.start("k")
    made: list[bool] = []

    async def take_over() -> None:
        made.append(await books.enqueue_next(0))

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(take_over)
            tasks.start_soon(books.save_result, 0, "waiting", time.time())

    assert sum(made) <= 1
    assert await books.expected() == [0, 1]
    assert (await books.row()).attempt == 1


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        # A superseded attempt says nothing, but that the campaign is out, or never will be.
        ("waiting", "failed", ("waiting", 1)),
        ("waiting", "waiting", ("waiting", 1)),
        ("waiting", "done", ("done", 1)),
        ("waiting", "cancelled", ("cancelled", 1)),
        # What is final stays so.
        ("done", "waiting", ("done", 0)),
        ("done", "failed", ("done", 0)),
        ("done", "cancelled", ("done", 0)),
        ("cancelled", "waiting", ("cancelled", 0)),
        ("cancelled", "done", ("cancelled", 0)),
        # What failed may be corrected by the attempt itself.
        ("failed", "done", ("done", 0)),
    ],
)
async def test_attempt_that_ends_twice(
    first: RowState, then: RowState, expected: tuple[RowState, int], book: Books
) -> None:
    """As after a take-over, when the first worker wakes up."""
    await book.start("k")
    for state in (first, then):
        await book.save_result(0, state, time.time() if state == "waiting" else None)

    row = await book.row()
    assert (row.state, row.attempt) == expected
    assert await book.expected() == [0, 1][: expected[1] + 1]


@pytest.mark.parametrize(
    ("state", "next_at", "by_take_over", "by_a_person"),
    [
        ("scheduled", 1.0, True, True),
        ("waiting", 1.0, True, True),
        ("held", 1.0, True, True),
        ("held", None, False, True),
        ("failed", None, False, True),
        ("done", None, False, False),
        ("cancelled", None, False, False),
    ],
)
@pytest.mark.parametrize("is_requested", [False, True])
async def test_send_goes_on_unless_it_ended_or_needs_a_person(
    state: RowState,
    next_at: float | None,
    book: Books,
    *,
    by_take_over: bool,
    by_a_person: bool,
    is_requested: bool,
) -> None:
    """A take-over revives nothing that failed, or waits for a decision; a person does."""
    await book.start("k")
    if state != "scheduled":
        await book.save_result(0, state, next_at)
    last = (await book.row()).attempt

    went_on = await book.enqueue_next(last, is_requested=is_requested)

    assert went_on is (by_a_person if is_requested else by_take_over)
    row = await book.row()
    assert row.attempt == last + went_on
    if went_on:
        assert row.state == ("waiting" if state == "failed" else state)
        assert row.next_at is not None
        assert last + 1 in await book.expected()
    assert not await book.enqueue_next(last, is_requested=is_requested)


async def test_outcome_stays_when_a_later_attempt_has_none(book: Books) -> None:
    """As of a campaign that was accepted, and is watched."""
    await book.start("k")
    await book.save_result(0, "waiting", 1.0, outcome='{"a": 1}')
    await book.save_result(1, "waiting", 1.0, error="ConnectionFailed")

    assert (await book.row()).outcome == '{"a": 1}'


# What is overdue, and what is purged


async def test_overdue_are_those_that_should_have_begun(books: Books) -> None:
    """The oldest comes first; sends that ended or are not due are left out."""
    now = datetime.now(UTC)
    for key, ago in (("new", 10), ("old", 300), ("older", 600), ("to come", -300)):
        await books.start(key, begins_at=now - timedelta(seconds=ago))
    for key, state in (("done", "done"), ("failed", "failed")):
        await books.start(key, begins_at=now - timedelta(hours=1))
        await books.ledger.save_result(SendAttempt(key, 0), "main", AttemptResult(state=state))  # type: ignore[arg-type]  # it is one of the states

    assert await books.ledger.overdue(120.0) == [SendAttempt("older", 0), SendAttempt("old", 0)]


async def test_purge_forgets_specs_and_keeps_keys(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the engine's rows of every attempt go; the records of the runs stay."""
    states: list[RowState] = ["done", "cancelled", "failed"]
    for state in states:
        await books.start(state)
        await books.ledger.save_result(
            SendAttempt(state, 0), "main", AttemptResult(state="waiting", next_at=time.time())
        )
        await books.ledger.save_result(
            SendAttempt(state, 1), "main", AttemptResult(state=state, message="said")
        )
        await withdraw(books.store, state)
    await books.start("k")

    assert await books.durable.purge(before=datetime.now(UTC) - timedelta(hours=1)) == 0
    monkeypatch.setattr(ledger, "_PURGEABLE", ledger._PURGEABLE.replace("500", "2"))
    assert await books.durable.purge(before=datetime.now(UTC) + timedelta(hours=1)) == 3
    assert await books.durable.purge(before=datetime.now(UTC) + timedelta(hours=1)) == 0

    for state in states:
        row = await books.row(state)
        assert (row.state, row.spec, row.message) == (state, None, "")
        assert row.record is not None
        assert engine_rows(books.durable, state) == []
    assert (await books.row()).spec == "{}"
    assert engine_rows(books.durable, "k") == ["k/0"]
    # The keys are known.
    with pytest.raises(InvalidRequest, match="was used for another campaign"):
        await books.start("done", digest="e", replace=True)
    await books.start("done")
    assert (await books.row("done")).attempt == 1


async def test_send_that_is_started_again_during_a_purge_keeps_its_spec(books: Books) -> None:
    """What failed may be tried again at any moment, and would have nothing to send."""
    await books.start("k")
    await books.ledger.save_result(SendAttempt("k", 0), "main", AttemptResult(state="failed"))
    before = datetime.now(UTC) + timedelta(hours=1)
    ended = await books.ledger.purgeable(before)

    await books.start("k")
    await books.ledger.purge(ended, before)

    assert ended == [SendAttempt("k", 0)]
    assert (await books.row()).spec == "{}"
    assert await books.expected() == [0, 1]


async def test_retry_keeps_the_time_of_a_send_that_was_replaced(book: Books) -> None:
    """It has a record of what it was before, and its time has not come."""
    await book.start("k")
    begun = RunRecord(
        pipeline="send_campaign",
        input_hash="",
        input_parts={},
        token=token_of("k"),
        records={},
        abandoned=False,
        send_key="k",
    )
    await book.store.save("k", begun.to_dict(), None)
    at = datetime.now(UTC) + timedelta(days=30)
    await book.start("k", digest="e", begins_at=at, replace=True)

    await book.durable.retry("k")

    row = await book.row()
    assert (row.attempt, row.next_at) == (1, at.timestamp())


async def test_send_whose_cancelling_process_died_is_not_started_again(book: Books) -> None:
    """It sends nothing, even if it is replaced, so it must not look started."""
    await book.start("k")
    await withdraw(book.store, "k")

    for replace in (False, True):
        with pytest.raises(InvalidRequest, match="was cancelled"):
            await book.start("k", digest="e" if replace else "d", replace=replace)


async def test_foreign_attempt_at_the_engine_is_skipped(book: Books) -> None:
    """By the engine's own tools a workflow can be forked: it gets an id of no attempt."""
    await book.start("k")
    with book.durable._database.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE workflow_status SET workflow_uuid = 'c0ffee', status = 'PENDING'"
        )

    assert await book.durable._engine.running() == []


async def test_purged_send_that_failed_is_started_again_with_its_spec(book: Books) -> None:
    """It can be given once more; retrying has nothing to send."""
    await book.start("k")
    await book.save_result(0, "failed")
    await book.durable.purge(before=datetime.now(UTC) + timedelta(hours=1))

    with pytest.raises(InvalidRequest, match="its spec was purged; start it again"):
        await book.durable.retry("k")
    await book.start("k")

    row = await book.row()
    assert (row.spec, row.attempt, row.state) == ("{}", 1, "scheduled")


def engine_rows(durable: Durable, key: str) -> list[str]:
    """Return the ids of a send's attempts in the engine, in any state."""
    found = durable._engine._client.list_workflows(name="newsleopard_send")
    return sorted(each.workflow_id for each in found if each.workflow_id.startswith(f"{key}/"))
