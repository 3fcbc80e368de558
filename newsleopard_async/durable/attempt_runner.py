"""One attempt at a send: it runs the pipeline and decides when the next attempt is due.

The rules:

- An attempt runs `send_campaign` with the send key and the store in the same database. The record
  of the run ensures that at most one campaign is sent, even if two workers run the same attempt.
  The `guard` ensures that it is the right campaign.
- An attempt never waits for long, because it occupies a slot of the worker. If it has to wait for
  the end of the day, a person, or a campaign's schedule, it ends, and the next one is due later.
- After an error that can pass, the next attempt follows automatically, after growing pauses. After
  an error that needs a change, the send is failed and costs no further request.
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
from newsleopard_async.disclosure import hides_variables, shortened
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
"""Chosen: most errors that pass do so within minutes."""

_LONGEST_PAUSE_S: Final = 3_600.0
"""Chosen: a fault of a week costs 24 attempts per day and send; others need the daily quota too."""

_MOST_UNKNOWN: Final = 10
"""The number of attempts that can end with an error of other software. Chosen: they take some
hours, in which someone can free disk space, or a bucket becomes available again."""

_LONGEST_MESSAGE: Final = 1_000
"""In characters. Chosen: the same limit as in the record of a run."""

_AFTER_OTHER_S: Final = 20.0
"""Chosen: the pause if another run has the key and the store does not report for how long."""

_GLANCE: Final = Polling(first_s=5.0, max_s=20.0, deadline_s=60.0)
"""Chosen: how long an attempt polls a campaign that is being sent, before it frees its slot."""

_LONGEST_GLANCE_S: Final = 90.0
"""Chosen: the deadline of `_GLANCE`, and time for a last slow answer."""

_BETWEEN_GLANCES_S: Final = 300.0
"""Chosen: about a dozen polls per hour for a campaign that takes hours to send."""

_WATCHED_FOR: Final = timedelta(days=7)
"""Chosen: if a campaign is not sent a week after its time, a person must act."""

_LAST_SAVE_S: Final = 5.0
"""Chosen: a worker that leaves must not wait long. If the database is away for longer, another
worker takes the attempt over."""

_log: Final = Log()


@attrs.frozen
class AttemptRunner:
    """Runs the attempts of this process.

    Attributes:
        ledger: The send ledger.
        store: The store of the runs.
        database: The database of the ledger and the store.
        clients: The clients of the accounts.
        contacts: Opens the contacts of the sends.
        breaker: The circuit breaker of the accounts.
    """

    ledger: Ledger
    store: SqlStore
    database: Database
    clients: Clients
    contacts: ContactsOpener
    breaker: CircuitBreaker = attrs.field(factory=CircuitBreaker, init=False)

    async def run(self, attempt: SendAttempt) -> str:
        """Run an attempt, record its result, and enqueue the next attempt if one follows.

        Returns: The state of the send after it, or ``superseded``.
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
                    # This worker leaves. Another one continues immediately.
                    await self.ledger.enqueue_next(attempt, is_requested=False)
                else:
                    # If it was saved just now, the second save changes nothing.
                    await self.ledger.save_result(attempt, row.account, result)
            raise
        return result.state

    async def _result_of(self, row: SendRow) -> AttemptResult:
        key = row.send_key
        _log.info("attempt %d at %r begins", row.attempt, key)
        try:
            result = await self._attempt(row)
        except Exception as raised:  # noqa: BLE001 - no error may stop the worker
            error = raised.error if isinstance(raised, _AttemptSkipped) else raised
            if error is raised:
                self.breaker.note(row.account, error, _now())
                if isinstance(error, AuthenticationError):
                    await self.clients.renew(row.account)
            run = await self._run_of(key)
            result = result_of_error(error, run=run, number=row.attempt, now=_now())
            if not isinstance(error, (NewsLeopardError, ContactsUnavailable)):
                # Without its text, which can contain contacts or the key.
                _log.error("".join(traceback.format_tb(error.__traceback__)))
            _log.warning(
                "attempt %d at %r ended with %s: %s; the send is %s",
                row.attempt,
                key,
                result.error,
                result.message,
                result.state,
            )
        else:
            self.breaker.note(row.account, None, _now())
            _log.info("attempt %d at %r ended; the send is %s", row.attempt, key, result.state)
        return result

    async def _run_of(self, send_key: str) -> RunState | None:
        found = await runs(self.store, keys=[send_key])
        return found[0] if found else None

    @hides_variables
    async def _attempt(self, row: SendRow) -> AttemptResult:
        if row.spec is None:
            # The attempt before ran twice: one run failed, and the other one made this attempt due.
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
                message=f"the send could not begin before {spec.not_after}; nothing was sent",
            )
        self._check_breaker(row)
        outcome = await self._send(row, spec)
        if spec.wait == "accepted":
            return _done(outcome)
        # Before this time the campaign cannot be sent yet.
        due = _sent_at(spec, _now()).timestamp() + _GLANCE.first_s
        return AttemptResult(state="waiting", next_at=due, outcome=json.dumps(outcome.to_dict()))

    def _check_breaker(self, row: SendRow) -> None:
        """Skip the attempt if another attempt of the account has met an error that this would meet.

        A send that a person retries is not skipped, because the person has possibly put the account
        right.

        Raises:
            _AttemptSkipped: with the error of the other attempt.
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
            nl = nl.with_options(store=store)
            return await send_campaign(nl, **arguments, send_key=row.send_key)

    async def _watch_campaign(
        self, row: SendRow, spec: SendSpec, accepted: SendOutcome
    ) -> AttemptResult:
        """Poll whether an accepted campaign is sent.

        Raises:
            CampaignFailed: the campaign was not sent, or not to all recipients.
        """
        message = "the campaign is not sent, and has a later time now; check it in the console"
        try:
            async with self.clients.using(row.account) as nl:
                # Without a deadline this would wait for a campaign that is scheduled.
                with nl.clock.deadline(_LONGEST_GLANCE_S):
                    status = await wait_for_campaign(nl, accepted.campaign_sn, polling=_GLANCE)
                    return _done(attrs.evolve(accepted, status=status))
        except DeadlineExceeded as error:
            message = str(error)
        now, sent_at = _now(), _sent_at(spec, _accepted_at(row))
        if moved(sent_at, _WATCHED_FOR) < now:
            return AttemptResult(state="failed", error=DeadlineExceeded.__name__, message=message)
        # Before sent_at the campaign cannot be sent, even if a person asked for this attempt.
        due = max(now.timestamp() + _BETWEEN_GLANCES_S, sent_at.timestamp() + _GLANCE.first_s)
        return AttemptResult(state="waiting", next_at=due)


class _AttemptSkipped(Exception):
    """Raised instead of an attempt that is skipped.

    Attributes:
        error: The error with which the attempt would have ended.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


def _done(outcome: SendOutcome) -> AttemptResult:
    return AttemptResult(state="done", outcome=json.dumps(outcome.to_dict()))


def _is_too_late(spec: SendSpec) -> bool:
    return spec.not_after is not None and spec.not_after < _now()


def _sent_at(spec: SendSpec, accepted_at: datetime) -> datetime:
    """Return when an accepted campaign will be sent, including the main send of an A/B test."""
    schedule = spec.campaign.schedule
    begins = schedule.when if isinstance(schedule, SendAt) else accepted_at
    begins = max(begins, moved(accepted_at, spec.hold or timedelta()))
    return moved(begins, wait_of_test(spec.campaign))


def _accepted_at(row: SendRow) -> datetime:
    """Return a time at which the campaign was accepted, or an earlier one."""
    begins_at = row.created_at if row.begins_at is None else row.begins_at
    return datetime.fromtimestamp(begins_at, UTC)


def result_of_error(
    error: Exception, *, run: RunState | None, number: int, now: datetime
) -> AttemptResult:
    """Return the result of an attempt that raised an exception.

    Args:
        error: The exception.
        run: The state of the run after the attempt; None without a record.
        number: The number of the attempt.
        now: The current time.
    """
    name, is_held = type(error).__name__, run is not None and run.state == "held"
    message = str(error) if isinstance(error, (NewsLeopardError, ContactsUnavailable)) else ""
    message = shortened(message, _LONGEST_MESSAGE)
    later = now.timestamp() + min(_SHORTEST_PAUSE_S * 2 ** min(number, 9), _LONGEST_PAUSE_S)
    if run is not None and run.campaign_sn is not None and _is_of_contacts(error):
        # The campaign was submitted. Later changes of the file do not matter.
        return _done(SendOutcome(campaign_sn=run.campaign_sn))
    match error:
        case InUse():
            after_s = _AFTER_OTHER_S if error.retry_after_s is None else error.retry_after_s
            free_at = now.timestamp() + after_s + 1
            return AttemptResult(state="waiting", next_at=free_at, error=name, message=message)
        case InvalidRequest() if run is not None and run.state == "abandoned":
            # If a person abandoned the run, it is possibly unknown whether it was submitted.
            is_open = run.step is not None and step_of(run.step) in DECISIVE
            left: RowState = "abandoned" if is_open else "cancelled"
            return AttemptResult(state=left, error=name, message=message)
        case ContactsUnavailable() | ConfigurationError() | AuthenticationError():
            # The set-up of this worker must be changed, not the send.
            return AttemptResult(
                state="held" if is_held else "waiting", next_at=later, error=name, message=message
            )
        case NewsLeopardError():
            ended = run_end_of(error, now, is_in_doubt=is_held)
            at = None if ended.look_again_at is None else ended.look_again_at.timestamp()
            if at is None and run_end_of(error, now, is_in_doubt=False).state != "failed":
                # This error passes during a search for the campaign as well.
                at = later
            return AttemptResult(state=ended.state, next_at=at, error=name, message=ended.message)
        case _:
            at = later if number < _MOST_UNKNOWN else None
            return AttemptResult(
                state="failed" if at is None else "waiting",
                next_at=at,
                error=name,
                message="its text can contain contacts and is not stored; see the worker's log",
            )


def _is_of_contacts(error: Exception) -> bool:
    if isinstance(error, InvalidRequest):
        return any(each.field in ("contacts", "skip") for each in error.problems)
    return isinstance(error, ContactsUnavailable)


def _now() -> datetime:
    return datetime.now(UTC)
