"""The send ledger: a table with one row per send, next to the runs and the attempts.

The rules:

- One transaction inserts a row and enqueues its first attempt; another one stores the result of an
  attempt and enqueues the next. So no crash can lose an attempt.
- Attempts have numbers. A statement that ends attempt n or takes it over enqueues attempt n + 1
  only if n is still the last one. So only one of several workers does it, and a call can be
  repeated if its answer was lost.
- A final state does not change. Any attempt can report that the campaign was submitted.
- A row is never deleted, so that no key is used twice. Its spec can be purged.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

from newsleopard_async.durable.engine import Engine, SendAttempt
from newsleopard_async.errors import InvalidRequest, Problem
from newsleopard_async.stores.database import Database
from newsleopard_async.stores.serialization import key_from_text, key_to_text
from newsleopard_async.stores.sql import create_runs
from newsleopard_async.workflows.run_record import (
    DECISIVE,
    RunRecord,
    in_doubt,
    read_run_record,
    step_of,
)

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = [
    "FINAL",
    "AttemptResult",
    "Ledger",
    "NewSend",
    "RowState",
    "SendRow",
    "create_ledger",
    "is_last",
]

RowState = Literal[
    "scheduled", "waiting", "checking", "held", "failed", "done", "cancelled", "abandoned"
]

FINAL: Final = frozenset({"done", "cancelled", "abandoned"})
"""The states after which no attempt follows. A failed send can be started again."""

_CREATE: Final = (
    """
    CREATE TABLE IF NOT EXISTS newsleopard_sends (
        key TEXT PRIMARY KEY,
        account TEXT NOT NULL,
        digest TEXT NOT NULL,
        spec TEXT,
        begins_at DOUBLE PRECISION,
        state TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        next_at DOUBLE PRECISION,
        error TEXT,
        message TEXT NOT NULL,
        outcome TEXT,
        created_at DOUBLE PRECISION NOT NULL,
        updated_at DOUBLE PRECISION NOT NULL
    )
    """,
    """
    CREATE INDEX IF NOT EXISTS newsleopard_sends_due ON newsleopard_sends (next_at)
    WHERE next_at IS NOT NULL
    """,
)
"""Times are seconds since 1970 in UTC. ``begins_at`` is the caller's time, and ``next_at`` is when
the next attempt is due."""

_READ: Final = """
SELECT s.key, s.account, s.digest, s.spec, s.begins_at, s.state, s.attempt, s.next_at, s.error,
    s.message, s.outcome, s.created_at, s.updated_at, r.data
FROM newsleopard_sends s LEFT JOIN newsleopard_runs r ON r.key = s.key
WHERE s.key IN :keys
"""

_KEYS: Final = "SELECT key FROM newsleopard_sends WHERE key > :last ORDER BY key LIMIT :page"

_PAGE_ROWS: Final = 500
"""Chosen: a spec contains the HTML of a campaign, so a page has some megabytes."""

_LOCK: Final = "UPDATE newsleopard_sends SET updated_at = updated_at WHERE key IN :keys"
"""The first statement of a transaction that writes, so that SQLite locks the file at the start."""

_INSERT: Final = """
INSERT INTO newsleopard_sends
    (key, account, digest, spec, begins_at, state, attempt, next_at, message, created_at,
    updated_at)
VALUES (:key, :account, :digest, :spec, :begins_at, 'scheduled', 0, :next_at, '', :now, :now)
"""

_REPLACE: Final = """
UPDATE newsleopard_sends
SET account = :account, digest = :digest, spec = :spec, begins_at = :begins_at, state = 'scheduled',
    attempt = attempt + 1, next_at = :next_at, error = NULL, message = '', updated_at = :now
WHERE key = :key
"""

_SAVE_RESULT: Final = """
UPDATE newsleopard_sends
SET state = :state, error = :error, message = :message, outcome = COALESCE(:outcome, outcome),
    attempt = attempt + :follows, next_at = :next_at, updated_at = :now
WHERE key = :key AND state NOT IN ('done', 'cancelled', 'abandoned')
    AND (attempt = :number OR :is_final = 1)
"""

_ENQUEUE_NEXT: Final = """
UPDATE newsleopard_sends
SET attempt = attempt + 1, next_at = :now, updated_at = :now,
    error = CASE WHEN :is_requested = 1 THEN NULL ELSE error END,
    message = CASE WHEN :is_requested = 1 THEN '' ELSE message END,
    state = CASE WHEN state = 'failed' THEN 'waiting' ELSE state END
WHERE key = :key AND state NOT IN ('done', 'cancelled', 'abandoned') AND attempt = :number
    AND (next_at IS NOT NULL OR :is_requested = 1)
"""

_IS_LAST: Final = """
UPDATE newsleopard_sends SET updated_at = updated_at
WHERE key = :key AND attempt = :number AND state NOT IN ('done', 'cancelled', 'abandoned')
"""
"""It locks the row, so the answer stays true until the transaction ends."""

_OVERDUE: Final = """
SELECT key, attempt FROM newsleopard_sends
WHERE next_at < :before AND state NOT IN ('done', 'cancelled', 'abandoned')
ORDER BY next_at LIMIT 1000
"""

_WITHOUT_NEXT: Final = """
SELECT key FROM newsleopard_sends WHERE state = 'held' AND next_at IS NULL LIMIT 1000
"""

_PURGEABLE: Final = """
SELECT key, attempt FROM newsleopard_sends
WHERE spec IS NOT NULL AND state IN ('done', 'cancelled', 'abandoned', 'failed')
    AND next_at IS NULL
    AND updated_at < :before
LIMIT 500
"""

_PURGE: Final = """
UPDATE newsleopard_sends SET spec = NULL, message = ''
WHERE key IN :keys AND state IN ('done', 'cancelled', 'abandoned', 'failed') AND next_at IS NULL
    AND updated_at < :before
"""
"""It repeats the conditions, because a failed send was possibly started again in the meantime."""

_PAST_S: Final = 86_400.0
"""Chosen: a send begins immediately if its time has just passed, for example in a slow queue. It is
refused if the year is wrong."""

_S_PER_SEND: Final = 0.01
"""Chosen: three to ten times the time per send of a large start, measured at 1 to 3 ms."""


@attrs.frozen(kw_only=True)
class NewSend:
    """A send for the ledger.

    Attributes:
        send_key: The send key.
        account: The name of the account.
        digest: The SHA-256 of the spec.
        spec: The spec as JSON.
        begins_at: When the send begins; None: immediately.
    """

    send_key: str
    account: str
    digest: str
    spec: str
    begins_at: datetime | None = None


@attrs.frozen(kw_only=True)
class AttemptResult:
    """How an attempt ended.

    Attributes:
        state: The state of the send after the attempt.
        next_at: When the next attempt is due, in seconds since 1970; None if none follows.
        error: The class name of the error.
        message: The text of the error, without contacts or API key.
        outcome: The outcome of the pipeline, as JSON.
    """

    state: RowState
    next_at: float | None = None
    error: str | None = None
    message: str = ""
    outcome: str | None = None


@attrs.frozen(kw_only=True)
class SendRow:
    """A row of the ledger.

    Attributes:
        send_key: The send key.
        account: The name of the account.
        digest: The SHA-256 of the spec.
        spec: The spec as JSON; None after a purge.
        begins_at: When the send begins, as the caller set it.
        state: The state after the last attempt that ended.
        attempt: The number of the last attempt, which is possibly not due yet.
        next_at: When this attempt is due.
        error: The class name of the error of the last attempt that ended.
        message: The text of this error.
        outcome: The outcome of the pipeline, as JSON.
        created_at: When the row was inserted.
        updated_at: When the row was last changed.
        record: The run record, as JSON; None if the run has not begun.
    """

    send_key: str
    account: str
    digest: str
    spec: str | None
    begins_at: float | None
    state: RowState
    attempt: int
    next_at: float | None
    error: str | None
    message: str
    outcome: str | None
    created_at: float
    updated_at: float
    record: str | None

    @property
    def has_submitted(self) -> bool:
        """Whether its run possibly submitted; this is also true if the record cannot be read."""
        return self._has_run(
            lambda run: not DECISIVE.isdisjoint(map(step_of, run.records)), if_unreadable=True
        )

    @property
    def is_abandoned(self) -> bool:
        """Whether its run was cancelled or abandoned, even if the row does not show it yet."""
        return self._has_run(lambda run: run.abandoned, if_unreadable=False)

    @property
    def is_in_doubt(self) -> bool:
        """Whether it is unknown if its run has submitted, and no person has decided."""
        return self._has_run(
            lambda run: not run.abandoned and in_doubt(run.records) is not None, if_unreadable=True
        )

    def _has_run(self, check: Callable[[RunRecord], bool], *, if_unreadable: bool) -> bool:
        if self.record is None:
            return False
        try:
            run = read_run_record(json.loads(self.record))
        except ValueError:
            return if_unreadable
        return check(run)

    @property
    def last(self) -> SendAttempt:
        """The last attempt."""
        return SendAttempt(self.send_key, self.attempt)


class Ledger:
    """The table ``newsleopard_sends``.

    Args:
        database: The database of the table.
        engine: The engine with the attempts, in the same database.
    """

    def __init__(self, database: Database, engine: Engine) -> None:
        self._database = database
        self._engine = engine

    async def start(self, sends: Sequence[NewSend], *, replace: bool) -> None:
        """Insert sends, each with its first attempt, in one transaction: all of them, or none.

        Args:
            sends: The sends; each has its own key.
            replace: Whether to replace existing sends that have not ended.

        Raises:
            InvalidRequest: a key was used for another send; none was inserted.
            ConnectionFailed: the database was away; start them again.
        """
        work = partial(self._start, sends, replace=replace)
        await self._database.run(work, answer_s=_S_PER_SEND * len(sends))

    def _start(self, sends: Sequence[NewSend], connection: sa.Connection, *, replace: bool) -> None:
        now = time.time()
        rows: dict[str, SendRow] = {}
        # All processes lock the rows in the same order: else two could wait for each other.
        sends = sorted(sends, key=lambda send: send.send_key)
        for begin in range(0, len(sends), _PAGE_ROWS):
            keys = [key_to_text(each.send_key) for each in sends[begin : begin + _PAGE_ROWS]]
            _execute(connection, _LOCK, keys=keys)
            rows |= {row.send_key: row for row in _fetch(keys, connection)}
        problems = [
            problem
            for each in sends
            for problem in _problems(each, rows.get(each.send_key), now, replace=replace)
        ]
        if problems:
            raise InvalidRequest(problems)
        for send in sends:
            row = rows.get(send.send_key)
            if row is None:
                number = 0
            elif _is_same(send, row) and row.state != "failed":
                continue
            else:
                number = row.attempt + 1
            due = now if send.begins_at is None else send.begins_at.timestamp()
            values = {
                "key": key_to_text(send.send_key),
                "account": send.account,
                "digest": send.digest,
                "spec": send.spec,
                "begins_at": _seconds(send.begins_at),
                "next_at": due,
                "now": now,
            }
            _execute(connection, _INSERT if row is None else _REPLACE, **values)
            attempt = SendAttempt(send.send_key, number)
            self._engine.enqueue(connection, attempt, account=send.account, after_s=due - now)

    async def read(self, send_key: str) -> SendRow | None:
        """Return the row of a send, or None."""
        rows = await self.read_all([send_key])
        return rows[0] if rows else None

    async def read_all(self, send_keys: Sequence[str]) -> list[SendRow]:
        """Return the rows of the sends that exist, in the order of the keys."""
        found: dict[str, SendRow] = {}
        for begin in range(0, len(send_keys), _PAGE_ROWS):
            keys = [key_to_text(each) for each in send_keys[begin : begin + _PAGE_ROWS]]
            rows = await self._database.run(partial(_fetch, keys))
            found |= {row.send_key: row for row in rows}
        return [found[each] for each in send_keys if each in found]

    async def page(self, after: str | None) -> list[SendRow]:
        """Return the next sends after a key, sorted by key; [] at the end."""
        last = "" if after is None else key_to_text(after)
        return await self._database.run(partial(_fetch_page, last))

    async def save_result(self, attempt: SendAttempt, account: str, result: AttemptResult) -> None:
        """Store how an attempt ended, and enqueue the next one if the result has its time."""
        await self._database.run(partial(self._save_result, attempt, account, result))

    def _save_result(
        self, attempt: SendAttempt, account: str, result: AttemptResult, connection: sa.Connection
    ) -> None:
        now, follows = time.time(), result.next_at is not None
        values = {
            **attrs.asdict(result),
            "key": key_to_text(attempt.send_key),
            "number": attempt.number,
            "follows": int(follows),
            "is_final": int(result.state in FINAL),
            "now": now,
        }
        is_saved = _execute(connection, _SAVE_RESULT, **values).rowcount == 1
        if is_saved and result.next_at is not None:
            following = SendAttempt(attempt.send_key, attempt.number + 1)
            after_s = result.next_at - now
            self._engine.enqueue(connection, following, account=account, after_s=after_s)

    async def enqueue_next(self, attempt: SendAttempt, *, is_requested: bool) -> bool:
        """Enqueue the next attempt now, if this is the last one and the send has not ended.

        Args:
            attempt: The attempt.
            is_requested: Whether a person requested it; then one follows even if none was due.
        Returns: Whether an attempt was enqueued.
        """
        work = partial(self._enqueue_next, attempt, is_requested=is_requested)
        return await self._database.run(work)

    def _enqueue_next(
        self, attempt: SendAttempt, connection: sa.Connection, *, is_requested: bool
    ) -> bool:
        key = key_to_text(attempt.send_key)
        values = {"key": key, "number": attempt.number, "now": time.time()}
        done = _execute(connection, _ENQUEUE_NEXT, **values, is_requested=int(is_requested))
        if done.rowcount == 0:
            return False
        [row] = _fetch([key], connection)
        self._engine.enqueue(connection, row.last, account=row.account, after_s=0.0)
        return True

    async def overdue(self, by_s: float) -> list[SendAttempt]:
        """List at most 1,000 attempts that are overdue by so many seconds."""
        before = time.time() - by_s
        return await self._database.run(partial(_fetch_attempts, _OVERDUE, before))

    async def decided(self) -> list[SendAttempt]:
        """List the held sends that wait for a person, but are no longer in doubt.

        The process of the person's decision possibly ended before it enqueued the next attempt, or
        the request itself reported its outcome late.
        """
        keys = await self._database.run(_fetch_without_next)
        return [row.last for row in await self.read_all(keys) if not row.is_in_doubt]

    async def purgeable(self, before: datetime) -> list[SendAttempt]:
        """List the last attempts of at most 500 sends that ended before and still have a spec."""
        work = partial(_fetch_attempts, _PURGEABLE, before.timestamp())
        return await self._database.run(work)

    async def purge(self, ended: Iterable[SendAttempt], before: datetime) -> None:
        """Delete the specs of these sends, except sends that were started again since."""
        keys = [key_to_text(each.send_key) for each in ended]
        await self._database.run(partial(_purge, keys, before.timestamp()))


def is_last(attempt: SendAttempt, connection: sa.Connection) -> bool:
    """Return whether no attempt follows this one; none can follow until the transaction ends."""
    values = {"key": key_to_text(attempt.send_key), "number": attempt.number}
    return _execute(connection, _IS_LAST, **values).rowcount == 1


def create_ledger(engine: Engine, connection: sa.Connection) -> None:
    """Create the tables of the sends, the runs and the engine."""
    # The engine comes first: it has a separate connection, and SQLite allows one writer.
    engine.create_tables()
    create_runs(connection)
    for each in _CREATE:
        connection.exec_driver_sql(each)


def _is_same(send: NewSend, row: SendRow) -> bool:
    return (send.digest, send.account, _seconds(send.begins_at)) == (
        row.digest,
        row.account,
        row.begins_at,
    )


def _problems(
    send: NewSend, row: SendRow | None, now: float, *, replace: bool
) -> Iterable[Problem]:
    """Yield the reasons why a send cannot be inserted, or cannot replace an existing one."""
    if row is None or not _is_same(send, row):
        yield from _problems_of_past(send, now)
    if row is None:
        return
    if row.state in ("cancelled", "abandoned") or (row.state != "done" and row.is_abandoned):
        yield Problem(
            "send_key",
            "abandoned",
            f"{send.send_key!r} was cancelled or abandoned; give the send another key",
        )
    elif _is_same(send, row):
        return
    elif row.state == "done":
        yield Problem(
            "send_key",
            "other-input",
            f"{send.send_key!r} was used for another campaign that was submitted; give another key",
        )
    elif not replace:
        yield Problem(
            "send_key",
            "other-input",
            f"{send.send_key!r} was started with another spec or time; give the same ones, another "
            "key, or replace=True",
        )
    elif row.has_submitted:
        yield Problem(
            "send_key",
            "other-input",
            f"{send.send_key!r} was submitted, or its outcome is unknown, so it cannot be "
            "replaced; call the campaign off, and give another key",
        )


def _problems_of_past(send: NewSend, now: float) -> Iterable[Problem]:
    # If the same call is repeated after its time, it changes nothing and is not refused.
    if send.begins_at is not None and send.begins_at.timestamp() < now - _PAST_S:
        yield Problem(
            "at",
            "past",
            f"is {send.begins_at:%Y-%m-%d %H:%M %Z}, more than a day ago; give a later time, or "
            "None to begin immediately",
        )


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _execute(connection: sa.Connection, text: str, **values: Any) -> sa.CursorResult[Any]:
    import sqlalchemy as sa

    statement = sa.text(text)
    if "keys" in values:
        statement = statement.bindparams(sa.bindparam("keys", expanding=True))
    return connection.execute(statement, values)


def _fetch(keys: Sequence[str], connection: sa.Connection) -> list[SendRow]:
    names = [each.name for each in attrs.fields(SendRow)]
    found = [dict(zip(names, row, strict=True)) for row in _execute(connection, _READ, keys=keys)]
    return [SendRow(**{**row, "send_key": key_from_text(row["send_key"])}) for row in found]


def _fetch_page(last: str, connection: sa.Connection) -> list[SendRow]:
    keys = [row.key for row in _execute(connection, _KEYS, last=last, page=_PAGE_ROWS)]
    rows = {row.send_key: row for row in _fetch(keys, connection)} if keys else {}
    return [rows[key_from_text(key)] for key in keys]


def _fetch_attempts(text: str, before: float, connection: sa.Connection) -> list[SendAttempt]:
    found = _execute(connection, text, before=before)
    return [SendAttempt(key_from_text(row.key), row.attempt) for row in found]


def _fetch_without_next(connection: sa.Connection) -> list[str]:
    return [key_from_text(row.key) for row in _execute(connection, _WITHOUT_NEXT)]


def _purge(keys: Sequence[str], before: float, connection: sa.Connection) -> None:
    _execute(connection, _PURGE, keys=keys, before=before)
