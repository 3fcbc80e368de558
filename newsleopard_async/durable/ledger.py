"""The send ledger: a row for each send, beside the record of its run and the attempts at it.

The rules:

- A row is made together with its first attempt, in one transaction, and each next attempt together
  with how the one before ended. So there is no crash between the two.
- Attempts are numbered. What ends attempt n, or takes it over, makes attempt n + 1, if n is
  still the last one. So of several at most one does, and a call whose answer was lost may be made
  again.
- A final state is final. That a campaign is out is believed from any attempt.
- A row stays for good: by it a key is not used twice. Its spec may be purged.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
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
"""What no attempt follows. One that failed may be tried again, once something was changed."""

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
"""Times are seconds since 1970 in UTC. ``begins_at`` is what the caller asked for, ``next_at`` when
the next attempt is due."""

_READ: Final = """
SELECT s.key, s.account, s.digest, s.spec, s.begins_at, s.state, s.attempt, s.next_at, s.error,
    s.message, s.outcome, s.created_at, s.updated_at, r.data
FROM newsleopard_sends s LEFT JOIN newsleopard_runs r ON r.key = s.key
WHERE s.key IN :keys
"""

_KEYS: Final = "SELECT key FROM newsleopard_sends WHERE key > :last ORDER BY key LIMIT :page"

_PAGE_ROWS: Final = 500
"""Chosen: a spec has the HTML of a campaign, so that a page is some megabytes."""

_LOCK: Final = "UPDATE newsleopard_sends SET updated_at = updated_at WHERE key IN :keys"
"""The first statement of a transaction that writes: SQLite then has its lock from the start."""

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

_SETTLE: Final = """
UPDATE newsleopard_sends
SET state = :state, error = :error, message = :message, outcome = COALESCE(:outcome, outcome),
    attempt = attempt + :follows, next_at = :next_at, updated_at = :now
WHERE key = :key AND state NOT IN ('done', 'cancelled', 'abandoned')
    AND (attempt = :number OR :is_final = 1)
"""

_GO_ON: Final = """
UPDATE newsleopard_sends
SET attempt = attempt + 1, next_at = :now, updated_at = :now,
    error = CASE WHEN :is_asked_for = 1 THEN NULL ELSE error END,
    message = CASE WHEN :is_asked_for = 1 THEN '' ELSE message END,
    state = CASE WHEN state = 'failed' THEN 'waiting' ELSE state END
WHERE key = :key AND state NOT IN ('done', 'cancelled', 'abandoned') AND attempt = :number
    AND (next_at IS NOT NULL OR :is_asked_for = 1)
"""

_IS_LAST: Final = """
UPDATE newsleopard_sends SET updated_at = updated_at
WHERE key = :key AND attempt = :number AND state NOT IN ('done', 'cancelled', 'abandoned')
"""
"""It locks the row, so that what is true here stays so until the transaction ends."""

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
"""Once more: one that failed may have been started again since."""

_PAST_S: Final = 86_400.0
"""Chosen: a time that has just passed begins at once, as after a queue that was slow; a wrong year
does not."""

_S_OF_EACH: Final = 0.01
"""Chosen: three to ten times what a send takes of a bulk, measured at 1 to 3 ms."""


@attrs.frozen(kw_only=True)
class NewSend:
    """A send that is to be put into the ledger.

    Attributes:
        send_key: Its key.
        account: Which account's.
        digest: Of its spec.
        spec: As JSON.
        begins_at: When it is to begin; None for at once.
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
        state: What the send is now.
        next_at: When the next attempt is due, in seconds since 1970; None if none is.
        error: The class of its error.
        message: What that said, without a contact or key.
        outcome: What the pipeline returned, as JSON.
    """

    state: RowState
    next_at: float | None = None
    error: str | None = None
    message: str = ""
    outcome: str | None = None


@attrs.frozen(kw_only=True)
class SendRow:
    """A send as the ledger has it.

    Attributes:
        send_key: Its key.
        account: Which account's.
        digest: Of its spec.
        spec: As JSON; None once it was purged.
        begins_at: When it was to begin.
        state: How the last attempt ended.
        attempt: The number of the last attempt, which may be still to come.
        next_at: When that is due.
        error: The class of the error that the last one ended with.
        message: What it said.
        outcome: What the pipeline returned, as JSON.
        created_at: When it was put in.
        updated_at: When it was changed last.
        record: The record of its run, as JSON, if there is one.
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
        """Whether its run has submitted, or may have; one that cannot be read may have."""
        try:
            stored = self._run
        except ValueError:
            return True
        return stored is not None and not DECISIVE.isdisjoint(map(step_of, stored.records))

    @property
    def is_abandoned(self) -> bool:
        """Whether its run was cancelled or abandoned, though that is not noted here yet."""
        try:
            stored = self._run
        except ValueError:
            return False
        return stored is not None and stored.abandoned

    @property
    def is_in_doubt(self) -> bool:
        """Whether it is not known whether its run has submitted, and a person has not decided."""
        try:
            stored = self._run
        except ValueError:
            return True
        return stored is not None and not stored.abandoned and in_doubt(stored.records) is not None

    @property
    def _run(self) -> RunRecord | None:
        return None if self.record is None else read_run_record(json.loads(self.record))

    @property
    def last(self) -> SendAttempt:
        """The last attempt."""
        return SendAttempt(self.send_key, self.attempt)


class Ledger:
    """The table ``newsleopard_sends``.

    Args:
        database: Where they are.
        engine: Keeps the attempts, in the same database.
    """

    def __init__(self, database: Database, engine: Engine) -> None:
        self._database = database
        self._engine = engine

    async def start(self, sends: Sequence[NewSend], *, replace: bool) -> None:
        """Put sends in, each with its first attempt, in one transaction: all of them, or none.

        Args:
            sends: One for each key.
            replace: Whether one that is there, and has not ended, is replaced.

        Raises:
            InvalidRequest: a key was used for something else; none was put in.
            ConnectionFailed: the database was away; start them again.
        """
        work = partial(self._start, sends, replace=replace)
        await self._database.run(work, answer_s=_S_OF_EACH * len(sends))

    def _start(self, sends: Sequence[NewSend], connection: sa.Connection, *, replace: bool) -> None:
        now = time.time()
        there: dict[str, SendRow] = {}
        # In one order in all processes: else two of them would wait for each other.
        sends = sorted(sends, key=lambda send: send.send_key)
        for begin in range(0, len(sends), _PAGE_ROWS):
            keys = [key_to_text(each.send_key) for each in sends[begin : begin + _PAGE_ROWS]]
            _execute(connection, _LOCK, keys=keys)
            there |= {row.send_key: row for row in _fetch(keys, connection)}
        refused = [
            problem
            for each in sends
            for problem in _problems(each, there.get(each.send_key), now, replace=replace)
        ]
        if refused:
            raise InvalidRequest(refused)
        for send in sends:
            row = there.get(send.send_key)
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
            self._enqueue(connection, SendAttempt(send.send_key, number), send.account, due - now)

    def _enqueue(
        self, connection: sa.Connection, attempt: SendAttempt, account: str, after_s: float
    ) -> None:
        self._engine.enqueue(connection, attempt, account=account, after_s=after_s)

    async def read(self, send_key: str) -> SendRow | None:
        """Return a send, or None."""
        rows = await self.read_all([send_key])
        return rows[0] if rows else None

    async def read_all(self, send_keys: Sequence[str]) -> list[SendRow]:
        """Return those of these sends that are there, in this order."""
        found: dict[str, SendRow] = {}
        for begin in range(0, len(send_keys), _PAGE_ROWS):
            keys = [key_to_text(each) for each in send_keys[begin : begin + _PAGE_ROWS]]
            rows = await self._database.run(partial(_fetch, keys))
            found |= {row.send_key: row for row in rows}
        return [found[each] for each in send_keys if each in found]

    async def page(self, after: str | None) -> list[SendRow]:
        """Return the sends whose keys follow one, in the order of keys; [] at the end."""
        last = "" if after is None else key_to_text(after)
        return await self._database.run(partial(_fetch_page, last))

    async def save_result(self, attempt: SendAttempt, account: str, result: AttemptResult) -> None:
        """Note how an attempt ended, and make the next one, if it is due at some time."""
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
        is_noted = _execute(connection, _SETTLE, **values).rowcount == 1
        if is_noted and result.next_at is not None:
            following = SendAttempt(attempt.send_key, attempt.number + 1)
            self._enqueue(connection, following, account, result.next_at - now)

    async def go_on(self, attempt: SendAttempt, *, is_asked_for: bool) -> bool:
        """Make the next attempt now, if this is the last one and the send has not ended.

        Args:
            attempt: The attempt.
            is_asked_for: Whether a person wants it, even if no further attempt was to follow.
        Returns: Whether it did.
        """
        work = partial(self._go_on, attempt, is_asked_for=is_asked_for)
        return await self._database.run(work)

    def _go_on(
        self, attempt: SendAttempt, connection: sa.Connection, *, is_asked_for: bool
    ) -> bool:
        key = key_to_text(attempt.send_key)
        values = {"key": key, "number": attempt.number, "now": time.time()}
        done = _execute(connection, _GO_ON, **values, is_asked_for=int(is_asked_for))
        if done.rowcount == 0:
            return False
        [row] = _fetch([key], connection)
        self._enqueue(connection, row.last, row.account, 0.0)
        return True

    async def overdue(self, by_s: float) -> list[SendAttempt]:
        """List the attempts that should have begun so many seconds ago; a thousand at most."""
        before = time.time() - by_s
        return await self._database.run(partial(_fetch_attempts, _OVERDUE, before))

    async def decided(self) -> list[SendAttempt]:
        """List the held sends that wait for a person, of which nothing is in doubt any more.

        Whoever decided may have ended before the next attempt was made; or the request itself
        reported late what became of it.
        """
        keys = await self._database.run(_fetch_without_next)
        return [row.last for row in await self.read_all(keys) if not row.is_in_doubt]

    async def purgeable(self, before: datetime) -> list[SendAttempt]:
        """List the last attempts of sends that ended before and have their specs, 500 at most."""
        work = partial(_fetch_attempts, _PURGEABLE, before.timestamp())
        return await self._database.run(work)

    async def purge(self, ended: Iterable[SendAttempt], before: datetime) -> None:
        """Forget the specs of these, but for those that were started again since."""
        keys = [key_to_text(each.send_key) for each in ended]
        await self._database.run(partial(_purge, keys, before.timestamp()))


def is_last(attempt: SendAttempt, connection: sa.Connection) -> bool:
    """Say whether no attempt follows this one so far; until the transaction ends, none will."""
    values = {"key": key_to_text(attempt.send_key), "number": attempt.number}
    return _execute(connection, _IS_LAST, **values).rowcount == 1


def create_ledger(engine: Engine, connection: sa.Connection) -> None:
    """Make the tables: of sends, and of what is beside them in one transaction."""
    # First: it has a connection of its own, and SQLite has one writer.
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
    """Yield why a send cannot be put in, or not in the place of one that is there."""
    if row is None or not _is_same(send, row):
        yield from _problems_of_past(send, now)
    if row is None:
        return
    if row.state in ("cancelled", "abandoned") or (row.state != "done" and row.is_abandoned):
        yield Problem(
            "send_key",
            "abandoned",
            f"{send.send_key!r} was cancelled or abandoned, and sends nothing any more; give "
            "another key",
        )
    elif _is_same(send, row):
        return
    elif row.state == "done":
        yield Problem(
            "send_key",
            "other-input",
            f"{send.send_key!r} was used for another campaign, which is sent; give another key",
        )
    elif not replace:
        yield Problem(
            "send_key",
            "other-input",
            f"{send.send_key!r} was started with another spec or time; give the same, or another "
            "key, or replace=True",
        )
    elif row.has_submitted:
        yield Problem(
            "send_key",
            "other-input",
            f"{send.send_key!r} was submitted, or may have been, and can no longer be replaced; "
            "call the campaign off, and give another key",
        )


def _problems_of_past(send: NewSend, now: float) -> Iterable[Problem]:
    # The same call, made again after its time, changes nothing, and is not refused.
    if send.begins_at is not None and send.begins_at.timestamp() < now - _PAST_S:
        yield Problem(
            "at",
            "past",
            f"is {send.begins_at:%Y-%m-%d %H:%M %Z}, more than a day ago; give a later time, or "
            "none to begin at once",
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
