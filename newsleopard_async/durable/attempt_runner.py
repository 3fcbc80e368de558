"""One attempt at a send: the pipeline itself, and what is to follow however that ends.

The rules:

- An attempt carries `send_campaign` with the send key, over the store that is in the same database.
  That at most one campaign is sent rests on the record of the run, and not on who carries it; that
  it is the right one, on the `guard`.
- An attempt never waits for long. What has to wait, for the day's end, a person, or a campaign's
  schedule, ends the attempt; the next one is a row that is due later.
- What may pass is tried again by itself, at ever longer distances. What needs a change is failed,
  and costs no more request.
"""

from __future__ import annotations

import contextlib
import json
import traceback
from datetime import UTC, datetime, timedelta
from typing import Final

import anyio
import attrs

from newsleopard_async.clock import moved
from newsleopard_async.disclosure import hides_variables
from newsleopard_async.durable.accounts import CircuitBreaker, Clients
from newsleopard_async.durable.contacts import ContactsOpener, ContactsUnavailable
from newsleopard_async.durable.engine import SendAttempt
from newsleopard_async.durable.guard import GuardedStore
from newsleopard_async.durable.ledger import FINAL, AttemptResult, Ledger, RowState, SendRow
from newsleopard_async.durable.spec import SendSpec
from newsleopard_async.errors import (
    AuthenticationError,
    ConfigurationError,
    DeadlineExceeded,
    InUse,
    InvalidRequest,
    NewsLeopardError,
)
from newsleopard_async.log import Log
from newsleopard_async.models import Polling, SendAt
from newsleopard_async.plain import from_plain
from newsleopard_async.stores.database import Database
from newsleopard_async.stores.sql import SqlStore
from newsleopard_async.workflows.completion import wait_for_campaign
from newsleopard_async.workflows.lease import run_end_of
from newsleopard_async.workflows.outcomes import SendOutcome
from newsleopard_async.workflows.reconcile import wait_of_test
from newsleopard_async.workflows.resuming import RunState, runs
from newsleopard_async.workflows.run_record import DECISIVE, step_of
from newsleopard_async.workflows.sending import send_campaign
from newsleopard_async.workflows.withdrawal import withdraw

__all__ = ["PURGED", "AttemptRunner", "result_of_error"]

PURGED: Final = "its spec was purged; start it again with the same spec"

_SHORTEST_PAUSE_S: Final = 60.0
_LONGEST_PAUSE_S: Final = 3_600.0
"""Chosen: what passes mostly does so in minutes; and a fault of a week costs a send 24 tries a day,
which leaves the day's quota to others."""

_MOST_UNKNOWN: Final = 10
"""Chosen: so many attempts may end with an error of something else than this library: some hours,
in which a disk is made room on, or a bucket comes back."""

_LONGEST_MESSAGE: Final = 500
"""In characters. Chosen: as in the record of a run."""

_AFTER_OTHER_S: Final = 20.0
"""How long another run is left alone that does not say for how long it has the key."""

_GLANCE: Final = Polling(first_s=5.0, max_s=20.0, deadline_s=60.0)
"""Chosen: how long an attempt watches a campaign that is being sent; then it gives its place up."""

_LONGEST_GLANCE_S: Final = 90.0
"""Chosen: that, and a last answer which takes its time."""

_BETWEEN_GLANCES_S: Final = 300.0
"""Chosen: some dozen requests an hour for a campaign that is being sent for hours."""

_WATCHED_FOR: Final = timedelta(days=7)
"""Chosen: a campaign that is not sent a week after its time needs a person."""

_LAST_SAVE_S: Final = 5.0
"""Chosen: a worker that leaves must not hang. If the database is away for longer, another worker
finds that this one is gone."""

_log: Final = Log()


@attrs.frozen
class AttemptRunner:
    """Carries attempts, in this process.

    Attributes:
        ledger: Where the sends are.
        store: Keeps their runs.
        database: Where all of these are.
        clients: Of their accounts.
        contacts: Opens their contacts.
        breaker: Of the accounts.
    """

    ledger: Ledger
    store: SqlStore
    database: Database
    clients: Clients
    contacts: ContactsOpener
    breaker: CircuitBreaker = attrs.field(factory=CircuitBreaker, init=False)

    async def run(self, attempt: SendAttempt) -> str:
        """Make an attempt, note how it ended, and make the next one due if there is to be one.

        Returns: What became of it, in a word.
        """
        result = None
        try:
            row = await self.ledger.read(attempt.send_key)
            if row is None or row.state in FINAL or row.last != attempt:
                return "superseded"
            result = await self._result_of(row)
            await self.ledger.save_result(attempt, row.account, result)
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(_LAST_SAVE_S, shield=True):
                if result is None or row is None:
                    # This worker leaves. Another one goes on at once.
                    await self.ledger.go_on(attempt, is_asked_for=False)
                else:
                    # Once more, if it was noted just now; it is the same.
                    await self.ledger.save_result(attempt, row.account, result)
            raise
        return result.state

    async def _result_of(self, row: SendRow) -> AttemptResult:
        key = row.send_key
        _log.info("attempt %d at %r begins", row.attempt, key)
        try:
            result = await self._attempt(row)
        except Exception as raised:  # noqa: BLE001 - after any error the worker goes on
            error = raised.error if isinstance(raised, _AttemptSkipped) else raised
            if error is raised:
                self.breaker.note(row.account, error, _now())
                if isinstance(error, AuthenticationError):
                    await self.clients.renew(row.account)
            run = await self._run_of(key)
            result = result_of_error(error, run=run, number=row.attempt, now=_now())
            if not isinstance(error, (NewsLeopardError, ContactsUnavailable)):
                # Without its text, which may hold contacts or the key.
                _log.error("".join(traceback.format_tb(error.__traceback__)))
            _log.warning(
                "attempt %d at %r ended with %s: %s; it is %s",
                row.attempt,
                key,
                result.error,
                result.message,
                result.state,
            )
        else:
            self.breaker.note(row.account, None, _now())
            _log.info("attempt %d at %r ended; it is %s", row.attempt, key, result.state)
        return result

    async def _run_of(self, send_key: str) -> RunState | None:
        found = await runs(self.store, keys=[send_key])
        return found[0] if found else None

    @hides_variables
    async def _attempt(self, row: SendRow) -> AttemptResult:
        if row.spec is None:
            # Two had the attempt before; one failed, and the other one wanted to go on.
            raise InvalidRequest.of("send_key", "missing", PURGED)
        spec = from_plain(SendSpec, json.loads(row.spec))
        if row.outcome is not None:
            accepted = from_plain(SendOutcome, json.loads(row.outcome))
            self._check_breaker(row)
            return await self._watch_campaign(row, spec, accepted)
        if _is_too_late(spec) and await withdraw(self.store, row.send_key):
            return AttemptResult(
                state="cancelled",
                error="DeadlineExceeded",
                message=f"it could not begin before {spec.not_after}, and nothing was sent",
            )
        self._check_breaker(row)
        outcome = await self._send(row, spec)
        if spec.wait == "accepted":
            return _done(outcome)
        # Until then nothing can be seen of it.
        due = _sent_at(spec, _now()).timestamp() + _GLANCE.first_s
        return AttemptResult(state="waiting", next_at=due, outcome=json.dumps(outcome.to_dict()))

    def _check_breaker(self, row: SendRow) -> None:
        """Ask for nothing if another attempt of the account has found out what would come of it.

        A person who lets a send go on has changed something; then nothing is known of it.

        Raises:
            _Spared: with that.
        """
        if row.error is None and row.state != "scheduled":
            return
        error = self.breaker.open_error(row.account, _now())
        if error is not None:
            raise _AttemptSkipped(error)

    async def _send(self, row: SendRow, spec: SendSpec) -> SendOutcome:
        store = GuardedStore(self.store, self.database, row.last, spec.not_after)
        contacts = skip = None
        async with contextlib.AsyncExitStack() as stack:
            nl = await stack.enter_async_context(self.clients.using(row.account))
            if spec.contacts is not None:
                contacts = await self.contacts.open(spec.contacts, spec.contacts_sha256)
            if spec.skip is not None:
                opened = self.contacts.open_skip(spec.skip, spec.skip_sha256)
                skip = await stack.enter_async_context(opened)
            arguments = spec.arguments(contacts, skip)
            kept = nl.with_options(store=store)
            return await send_campaign(kept, **arguments, send_key=row.send_key)

    async def _watch_campaign(
        self, row: SendRow, spec: SendSpec, accepted: SendOutcome
    ) -> AttemptResult:
        """Look whether a campaign that was accepted is sent.

        Raises:
            CampaignFailed: it was not sent, or not all of it.
        """
        seen = "it is not sent, and has a later time now"
        try:
            async with self.clients.using(row.account) as nl:
                # One that is scheduled would be waited for.
                with nl.clock.deadline(_LONGEST_GLANCE_S):
                    status = await wait_for_campaign(nl, accepted.campaign_sn, polling=_GLANCE)
                    return _done(attrs.evolve(accepted, status=status))
        except DeadlineExceeded as error:
            seen = str(error)
        now, sent_at = _now(), _sent_at(spec, _accepted_at(row))
        if moved(sent_at, _WATCHED_FOR) < now:
            return AttemptResult(state="failed", error=DeadlineExceeded.__name__, message=seen)
        # Whoever asked for this look, until then nothing can be seen of it.
        due = max(now.timestamp() + _BETWEEN_GLANCES_S, sent_at.timestamp() + _GLANCE.first_s)
        return AttemptResult(state="waiting", next_at=due)


class _AttemptSkipped(Exception):
    """An attempt that was not made.

    Attributes:
        error: What it would have ended with.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


def _done(outcome: SendOutcome) -> AttemptResult:
    return AttemptResult(state="done", outcome=json.dumps(outcome.to_dict()))


def _is_too_late(spec: SendSpec) -> bool:
    return spec.not_after is not None and spec.not_after < _now()


def _sent_at(spec: SendSpec, accepted_at: datetime) -> datetime:
    """Return when a campaign that was accepted is to be sent, the main send of a test included."""
    schedule = spec.campaign.schedule
    begins = schedule.when if isinstance(schedule, SendAt) else accepted_at
    begins = max(begins, moved(accepted_at, spec.hold or timedelta()))
    return moved(begins, wait_of_test(spec.campaign))


def _accepted_at(row: SendRow) -> datetime:
    """Return when a campaign was accepted, or before."""
    begins_at = row.created_at if row.begins_at is None else row.begins_at
    return datetime.fromtimestamp(begins_at, UTC)


def result_of_error(
    error: Exception, *, run: RunState | None, number: int, now: datetime
) -> AttemptResult:
    """Say what follows an attempt that raised.

    Args:
        error: What it raised.
        run: What the record of the run says after it; None if there is none.
        number: Of the attempt.
        now: The time.
    """
    name, is_held = type(error).__name__, run is not None and run.state == "held"
    message = str(error) if isinstance(error, (NewsLeopardError, ContactsUnavailable)) else ""
    message = message[:_LONGEST_MESSAGE]
    later = now.timestamp() + min(_SHORTEST_PAUSE_S * 2 ** min(number, 9), _LONGEST_PAUSE_S)
    if run is not None and run.campaign_sn is not None and _is_of_contacts(error):
        # It is out. What became of the file since then does not matter.
        return _done(SendOutcome(campaign_sn=run.campaign_sn))
    match error:
        case InUse():
            after_s = _AFTER_OTHER_S if error.retry_after_s is None else error.retry_after_s
            free_at = now.timestamp() + after_s + 1
            return AttemptResult(state="waiting", next_at=free_at, error=name, message=message)
        case InvalidRequest() if run is not None and run.state == "abandoned":
            # A person may have left it as it was, without an answer to whether it was submitted.
            is_open = run.step is not None and step_of(run.step) in DECISIVE
            left: RowState = "abandoned" if is_open else "cancelled"
            return AttemptResult(state=left, error=name, message=message)
        case ContactsUnavailable() | ConfigurationError() | AuthenticationError():
            # It is not the send that has to be changed, but what this worker has.
            return AttemptResult(
                state="held" if is_held else "waiting", next_at=later, error=name, message=message
            )
        case NewsLeopardError():
            ended = run_end_of(error, now, is_in_doubt=is_held)
            at = None if ended.look_again_at is None else ended.look_again_at.timestamp()
            if at is None and run_end_of(error, now, is_in_doubt=False).state != "failed":
                # What passes does so in a look for what may be out, too.
                at = later
            return AttemptResult(state=ended.state, next_at=at, error=name, message=ended.message)
        case _:
            at = later if number < _MOST_UNKNOWN else None
            return AttemptResult(
                state="failed" if at is None else "waiting",
                next_at=at,
                error=name,
                message="its text may hold contacts, and is not kept; see the log of the worker",
            )


def _is_of_contacts(error: Exception) -> bool:
    if isinstance(error, InvalidRequest):
        return any(each.field in ("contacts", "skip") for each in error.problems)
    return isinstance(error, ContactsUnavailable)


def _now() -> datetime:
    return datetime.now(UTC)
