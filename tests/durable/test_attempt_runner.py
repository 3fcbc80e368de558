"""Attempts at a send: each ends soon, one campaign is sent, and what follows is decided purely."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest

from newsleopard_async import (
    AuthenticationError,
    CampaignFailed,
    CampaignSn,
    ConfigurationError,
    ConnectionFailed,
    DailyQuotaExhausted,
    DeadlineExceeded,
    InUse,
    InvalidRequest,
    ListSn,
    NewsLeopard,
    OutcomeUnknown,
    RateLimited,
    SendAt,
    UnexpectedResponse,
)
from newsleopard_async.durable import attempt_runner as attempts
from newsleopard_async.durable.attempt_runner import result_of_error
from newsleopard_async.durable.contacts import ContactsUnavailable
from newsleopard_async.durable.engine import SendAttempt
from newsleopard_async.durable.ledger import AttemptResult
from newsleopard_async.stores import SqlStore
from newsleopard_async.workflows import RunState
from newsleopard_async.workflows.withdrawal import withdraw
from tests.clients import csv_of
from tests.constants import CAMPAIGN, KEY, START, SUBJECT_TEST
from tests.durable.desk import Desk, at_desk

pytestmark = pytest.mark.anyio

TO_A_LIST = attrs.evolve(CAMPAIGN, lists=(ListSn("5f53d07eff19c195062524fa4697bde9"),))

HOUR = timedelta(hours=1)

_SAVES = (0, 1, 4, 7, 8, 9, 10)
"""Saves of an attempt: its claim, some of its import, its intent, its result, and its end."""


def hold_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let attempts go by the clock of the emulator."""
    monkeypatch.setattr(attempts, "_now", desk.bench.clock.now)


@contextlib.contextmanager
def before_each_save(act: Callable[[int], Awaitable[None]]) -> Iterator[None]:
    """Do something before each save of a run, numbered from 0."""
    save, number = SqlStore.save, iter(range(1_000))

    async def saved(self: SqlStore, *args: Any) -> str:
        await act(next(number))
        return await save(self, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SqlStore, "save", saved)
        yield


# Sending


async def test_attempt_sends_the_campaign_and_says_so(desk: Desk) -> None:
    """All contacts are in its list; a second attempt, or a late one, does nothing."""
    first = await desk.start()
    status = await desk.run_attempt()

    assert (first.state, status.state, status.next_at) == ("queued", "done", None)
    assert status.outcome is not None
    assert status.campaign_sn == status.outcome.campaign_sn
    assert status.is_final
    assert len(desk.emulator.contacts) == 3
    for number in (0, 1, 7):
        assert await desk.runner.run(SendAttempt("k", number)) == "superseded"
    assert await desk.runner.run(SendAttempt("unknown", 0)) == "superseded"
    assert await desk.start() == status
    assert desk.emulator.submitted == 1


async def test_superseded_attempt_asks_for_nothing(desk: Desk) -> None:
    """Its send has a later one, or was cancelled."""
    await desk.start()
    last = (await desk.row()).last
    await desk.durable.start_send(desk.spec(strict=False, account="b"), send_key="k", replace=True)

    assert await desk.runner.run(last) == "superseded"
    assert await desk.durable.cancel("k") == "cancelled"
    assert await desk.runner.run(SendAttempt("k", 1)) == "superseded"
    assert desk.emulator.requests == ()


async def test_send_without_contacts_goes_to_the_lists_of_the_campaign(desk: Desk) -> None:
    """Nothing is opened."""
    sn = await desk.bench.make_list()
    await desk.start(campaign=attrs.evolve(CAMPAIGN, lists=(sn,)), contacts=None, list_name=None)

    assert (await desk.run_attempt()).state == "done"
    assert desk.emulator.submitted == 1


async def test_addresses_that_are_left_out_are_read_for_each_attempt(desk: Desk) -> None:
    """Out of a file of their own, compared with its hash."""
    skip = desk.file.with_name("skip.csv")
    skip.write_text("EMAIL\nuser1@example.com\n", encoding="utf-8")
    await desk.start(skip=str(skip))

    assert (await desk.run_attempt()).state == "done"
    assert set(desk.emulator.contacts) == {"user0@example.com", "user2@example.com"}


# What passes, and what needs a change


async def test_held_send_is_looked_for_by_the_next_attempt(desk: Desk) -> None:
    """Due when the pipeline says; it finds the campaign, or waits for a person."""
    await desk.start()
    desk.emulator.lose_reply_to("submit_campaign")
    held = await desk.run_attempt()

    assert (held.state, held.error, held.attempt) == ("held", "OutcomeUnknown", 1)
    assert held.next_at is not None
    assert not held.needs_a_person
    assert not held.is_final
    assert await desk.expected() == [0, 1]
    await desk.bench.clock.sleep(3_600)
    assert (await desk.run_attempt()).state == "done"
    assert desk.emulator.submitted == 1


async def test_decision_of_a_person_begins_the_next_attempt(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was resubmitted goes out once more; too early it is refused, and changes nothing."""
    await desk.start()
    desk.emulator.drop_request("submit_campaign")
    held = await desk.run_attempt()
    with pytest.raises(InvalidRequest) as caught:
        await desk.durable.resolve("k", "resubmit")
    assert [each.rule for each in caught.value.problems] == ["too-early"]
    assert await desk.durable.status("k") == held

    _let_time_pass(desk, monkeypatch)
    decided = await desk.durable.resolve("k", "resubmit")

    assert decided.attempt == 2
    assert decided.next_at is not None
    assert decided.next_at <= datetime.now(UTC)
    assert await desk.expected() == [0, 2]
    assert (await desk.run_attempt()).state == "done"
    assert desk.emulator.submitted == 1


@pytest.mark.parametrize(
    ("decision", "sn", "state"), [("sent", "c0ffee", "done"), ("abandon", None, "abandoned")]
)
async def test_decision_that_ends_a_send(
    decision: Any, sn: str | None, state: str, desk: Desk
) -> None:
    """Nothing more is sent; it is too late to cancel what may have been submitted."""
    await desk.start()
    desk.emulator.drop_request("submit_campaign")
    await desk.run_attempt()
    assert await desk.durable.cancel("k") == "too late"

    await desk.durable.resolve("k", decision, None if sn is None else CampaignSn(sn))
    status = await desk.run_attempt()

    assert (status.state, status.campaign_sn) == (state, sn)
    assert desk.emulator.submitted == 0
    assert await desk.durable.cancel("k") == "too late"


def _let_time_pass(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a request that was sent be answered, or given up, long ago."""
    from newsleopard_async.workflows import decision

    monkeypatch.setattr(decision, "_CAN_TAKE_EFFECT", timedelta(seconds=-3_600))


async def test_day_that_is_used_up_is_waited_for(desk: Desk) -> None:
    """The next attempt is a row with a later time, the next midnight in UTC; no attempt waits."""
    desk.emulator.exhaust_day(resets_in_s=3 * 3_600)
    await desk.start()
    status = await desk.run_attempt()

    assert (status.state, status.error) == ("waiting", "DailyQuotaExhausted")
    assert status.next_at is not None
    assert (status.next_at.hour, status.next_at.minute) == (0, 0)
    assert desk.emulator.submitted == 0


@pytest.mark.parametrize("is_submitted", [False, True])
async def test_contacts_that_are_gone_matter_until_the_submit(
    desk: Desk, *, is_submitted: bool
) -> None:
    """Before it they are waited for; after it the campaign is out."""
    await desk.start()
    if is_submitted:
        await _crash_after_submit(desk)
    content = desk.file.read_bytes()
    desk.file.unlink()
    status = await desk.run_attempt()

    if is_submitted:
        assert (status.state, desk.emulator.submitted) == ("done", 1)
        assert status.campaign_sn is not None
        return
    assert (status.state, status.error) == ("waiting", "ContactsUnavailable")
    assert status.next_at is not None
    assert desk.emulator.requests == ()
    desk.file.write_bytes(content)
    assert (await desk.run_attempt()).state == "done"


async def _crash_after_submit(desk: Desk) -> None:
    """Let a process die between its submit and the end of its attempt."""

    async def die(*_: Any) -> None:
        raise SystemError("the process was killed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(desk.ledger), "save_result", die)
        with pytest.raises(SystemError):
            await desk.run_attempt()
    assert desk.emulator.submitted == 1


@pytest.mark.parametrize("is_submitted", [False, True])
async def test_contacts_that_were_changed_are_refused_until_the_submit(
    desk: Desk, *, is_submitted: bool
) -> None:
    """Nothing is sent to other contacts; after the file is restored, the send is tried again."""
    await desk.start()
    if is_submitted:
        await _crash_after_submit(desk)
    content = desk.file.read_bytes()
    desk.file.write_text(csv_of(4), encoding="utf-8")
    status = await desk.run_attempt()

    if is_submitted:
        assert status.state == "done"
        return
    assert (status.state, status.error, status.next_at) == ("failed", "InvalidRequest", None)
    assert "has changed" in status.message
    assert status.needs_a_person
    assert desk.emulator.contacts == {}
    desk.file.write_bytes(content)
    assert (await desk.durable.retry("k")).state == "waiting"
    assert (await desk.run_attempt()).state == "done"


async def test_key_that_is_refused_is_asked_for_again(sqlite_url: str, tmp_path: Path) -> None:
    """The key was possibly changed; the new client continues the run of the old one."""
    asked: list[str] = []

    def factory(account: str) -> NewsLeopard:
        asked.append(account)
        key = KEY if len(asked) > 1 else "an-old-key"
        return NewsLeopard(key, http_transport=shop.bench.wire, clock=shop.bench.clock)

    async with at_desk(sqlite_url, tmp_path, clients=factory) as shop:
        await shop.start(account="shop")
        status = await shop.run_attempt()
        assert (status.state, status.error) == ("waiting", AuthenticationError.__name__)
        assert status.next_at is not None

        await shop.durable.retry("k")
        assert (await shop.run_attempt()).state == "done"
        assert asked == ["shop", "shop"]
        await shop.runner.clients.aclose()


async def test_platform_out_of_order_costs_one_send_its_requests(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other attempts of the account are skipped for a time; then one tests the account."""
    hold_time(desk, monkeypatch)
    keys = ["a", "b", "c"]
    for key in keys:
        await desk.start(key, contacts=None, list_name=None, campaign=TO_A_LIST)
    await desk.start("d", contacts=None, list_name=None, campaign=TO_A_LIST, account="other")
    desk.emulator.fail("list_campaigns", times=99)
    ended = [await desk.run_attempt(key) for key in (*keys, "d")]
    asked = desk.emulator.count("list_campaigns")

    assert {(each.state, each.error) for each in ended} == {("waiting", "ServerError")}
    assert {each.message for each in ended[:3]} == {ended[0].message}
    of_one = asked // 2
    for pause_s, more in ((30, 0), (40, of_one), (100, 0), (30, of_one)):
        await desk.bench.clock.sleep(pause_s)
        for key in keys:
            await desk.run_attempt(key)
        asked += more
        assert desk.emulator.count("list_campaigns") == asked

    desk.emulator.clear_faults()
    await desk.durable.retry("a")
    assert {(await desk.run_attempt(key)).error for key in keys} != {"ServerError"}


async def test_factory_that_fails_is_asked_again_and_given_up_at_last(
    sqlite_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the send nor the log contains the text of the error, which can contain contacts."""

    def factory(_: str) -> NewsLeopard:
        raise LookupError(f"no such secret: {KEY}")

    async with at_desk(sqlite_url, tmp_path, clients=factory) as desk:
        await desk.start()
        caplog.set_level(logging.DEBUG)
        states = [(await desk.run_attempt()).state for _ in range(11)]
        status = await desk.durable.status("k")

    assert states == ["waiting"] * 10 + ["failed"]
    assert (status.error, status.next_at) == ("LookupError", None)
    assert KEY not in f"{status} {caplog.text}"
    assert "test_attempt_runner.py" in caplog.text


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (lambda _: NewsLeopard(" "), "API key"),
        (lambda _: None, "clients returned NoneType for the account 'main'"),
    ],
)
async def test_client_that_is_set_up_wrongly_is_waited_for(
    factory: Any, message: str, sqlite_url: str, tmp_path: Path
) -> None:
    """It is the worker that has to be changed, and not the send; the worker itself goes on."""
    async with at_desk(sqlite_url, tmp_path, clients=factory) as desk:
        await desk.start()
        status = await desk.run_attempt()
        await desk.runner.clients.aclose()

    assert (status.state, status.error) == ("waiting", "ConfigurationError")
    assert message in status.message


async def test_clients_are_made_once_for_each_account(sqlite_url: str, tmp_path: Path) -> None:
    """One of two accounts may be the same; each is closed once, at the end."""
    made: list[NewsLeopard] = []

    def factory(account: str) -> NewsLeopard:
        if not made or account == "b":
            made.append(NewsLeopard(KEY, http_transport=shop.bench.wire, clock=shop.bench.clock))
        return made[-1]

    async with at_desk(sqlite_url, tmp_path, clients=factory) as shop:
        assert shop.runner.clients.submit_s() == 0
        for account in ("a", "other", "a", "b"):
            async with shop.runner.clients.using(account) as nl:
                assert nl is made[-1]
        assert shop.runner.clients.submit_s() == made[0]._api.timeouts.submit_s
        await shop.runner.clients.aclose()

    assert len(made) == 2
    for nl in made:
        with pytest.raises(ConfigurationError):
            await nl.contacts.list_lists()


# Time


async def test_send_that_could_not_begin_in_time_sends_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mail for Friday does not go out on Monday."""
    hold_time(desk, monkeypatch)
    await desk.start(not_after=datetime.now(UTC) + HOUR)
    await desk.bench.clock.sleep(2 * 3_600)
    status = await desk.run_attempt()

    assert (status.state, status.error) == ("cancelled", "DeadlineExceeded")
    assert "nothing was sent" in status.message
    assert await desk.durable.cancel("k") == "cancelled"
    assert desk.emulator.requests == ()


async def test_send_that_began_in_time_and_took_too_long_sends_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import, or the wait for the rate, may take until it is too late."""
    hold_time(desk, monkeypatch)
    await desk.start(not_after=datetime.now(UTC) + HOUR)

    async def wait(number: int) -> None:
        if number == 0:
            await desk.bench.clock.sleep(2 * 3_600)

    with before_each_save(wait):
        late = await desk.run_attempt()

    assert (late.state, late.error) == ("waiting", "DeadlineExceeded")
    assert "was not ready before" in late.message
    assert (await desk.run_attempt()).state == "cancelled"
    assert desk.emulator.submitted == 0


async def test_send_that_was_submitted_in_time_is_brought_to_its_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is out, or may be, is not called cancelled."""
    hold_time(desk, monkeypatch)
    await desk.start(not_after=datetime.now(UTC) + HOUR)
    desk.emulator.lose_reply_to("submit_campaign")
    assert (await desk.run_attempt()).state == "held"
    await desk.bench.clock.sleep(2 * 3_600)

    assert (await desk.run_attempt()).state == "done"
    assert desk.emulator.submitted == 1


async def test_send_that_goes_on_without_its_spec_says_so(desk: Desk) -> None:
    """An attempt can end again after its send was purged; no further attempt may follow."""
    await desk.start()
    first = (await desk.row()).last
    await desk.ledger.save_result(first, "main", AttemptResult(state="failed"))
    await desk.durable.purge(before=datetime.now(UTC) + HOUR)
    await desk.ledger.save_result(
        first, "main", AttemptResult(state="waiting", next_at=time.time())
    )

    status = await desk.run_attempt()

    assert (status.state, status.next_at) == ("failed", None)
    assert "its spec was purged; start it again" in status.message


# Until it is sent


@pytest.mark.parametrize(
    ("campaign", "wait_s"),
    [
        (lambda _: CAMPAIGN, 0),
        (lambda now: attrs.evolve(CAMPAIGN, schedule=SendAt(now + 2 * HOUR)), 2 * 3_600),
        (lambda _: attrs.evolve(SUBJECT_TEST, proportion=80), 4 * 3_600),
    ],
    ids=["now", "scheduled", "test"],
)
async def test_campaign_is_looked_at_when_it_can_be_sent(
    campaign: Any, wait_s: float, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its schedule or its test; until then there is a row, and no request."""
    hold_time(desk, monkeypatch)
    desk.emulator.switch(later_endpoints=True)
    await desk.start(campaign=campaign(desk.bench.clock.now()), wait="sent")
    accepted_at = desk.bench.clock.now()
    status = await desk.run_attempt()

    assert (status.state, status.error) == ("waiting", None)
    assert status.campaign_sn is not None
    # An earlier attempt does not change that.
    for each in (status, await desk.run_attempt()) if wait_s else (status,):
        assert each.next_at is not None
        assert -60 <= (each.next_at - accepted_at).total_seconds() - wait_s < 60
    await desk.bench.clock.sleep(wait_s + 120)
    status = await desk.run_attempt()
    assert status.state == "done"
    assert status.outcome is not None
    assert status.outcome.status is not None
    assert desk.emulator.submitted == 1


async def test_campaign_that_takes_long_is_looked_at_again_for_a_week(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look is short; after a week a person has to look."""
    hold_time(desk, monkeypatch)
    desk.emulator.switch(later_endpoints=True)
    desk.emulator.script_campaign("SENDING")
    await desk.start(wait="sent")
    await desk.run_attempt()
    began = desk.bench.clock.now()
    status = await desk.run_attempt()

    assert (status.state, status.error) == ("waiting", None)
    assert (desk.bench.clock.now() - began).total_seconds() < 90
    await desk.bench.clock.sleep(8 * 86_400)
    status = await desk.run_attempt()
    assert (status.state, status.error) == ("failed", "DeadlineExceeded")
    assert "SENDING" in status.message
    assert status.needs_a_person


async def test_campaign_that_failed_on_the_platform_needs_a_person(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was accepted, and nothing is sent again."""
    hold_time(desk, monkeypatch)
    desk.emulator.switch(later_endpoints=True)
    desk.emulator.script_campaign("UNAUTHENTICATED_SENDER")
    await desk.start(wait="sent")
    await desk.run_attempt()
    await desk.bench.clock.sleep(3_600)
    status = await desk.run_attempt()

    assert (status.state, status.error) == ("failed", CampaignFailed.__name__)
    assert status.needs_a_person
    await desk.durable.retry("k")
    assert (await desk.run_attempt()).state == "failed"
    assert desk.emulator.submitted == 1


# A worker that leaves


@pytest.mark.parametrize("number", _SAVES)
async def test_attempt_that_is_cancelled_is_given_back(
    number: int, sqlite_url: str, tmp_path: Path
) -> None:
    """Before each of its saves: the next one goes on at once, and one campaign is sent."""
    async with at_desk(sqlite_url, tmp_path) as desk:
        await desk.start()
        with anyio.CancelScope() as scope:

            async def leave(save: int) -> None:
                if save == number:
                    scope.cancel()
                    await anyio.lowlevel.checkpoint()

            with before_each_save(leave):
                await desk.runner.run(SendAttempt("k", 0))

        row = await desk.row()
        assert scope.cancel_called
        if row.state == "done":
            assert desk.emulator.submitted == 1
            return
        assert (row.attempt, row.error) == (1, None)
        assert row.next_at is not None
        assert row.next_at <= time.time()
        await desk.bench.clock.sleep(60)
        status = await desk.run_attempt()
        if status.state == "held":
            await desk.bench.clock.sleep(3_600)
            status = await desk.run_attempt()
        assert status.state == "done"
        assert desk.emulator.submitted == 1


async def test_worker_that_leaves_while_the_database_is_away_does_not_hang(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its attempt is found by others, by its silence."""
    monkeypatch.setattr(attempts, "_LAST_SAVE_S", 0.01)
    await desk.start()
    with anyio.CancelScope() as scope:

        async def hang(*_: Any, **__: Any) -> None:
            await anyio.sleep_forever()

        async def leave(_: int) -> None:
            for name in ("save_result", "enqueue_next"):
                monkeypatch.setattr(type(desk.ledger), name, hang)
            scope.cancel()
            await anyio.lowlevel.checkpoint()

        with before_each_save(leave):
            await desk.runner.run(SendAttempt("k", 0))

    assert scope.cancelled_caught
    assert (await desk.row()).attempt == 0


# Cancelling


@pytest.mark.parametrize("number", [*_SAVES, 11])
async def test_cancelled_means_that_nothing_is_sent(
    number: int, sqlite_url: str, tmp_path: Path
) -> None:
    """At each save of the attempt; otherwise it is too late, and the campaign is out."""
    answers: list[str] = []
    async with at_desk(sqlite_url, tmp_path) as desk:
        await desk.start()

        async def cancel(save: int) -> None:
            if save == number:
                answers.append(await desk.durable.cancel("k"))

        with before_each_save(_once_only(cancel)):
            await desk.run_attempt()
        if not answers:
            answers.append(await desk.durable.cancel("k"))

        sent = desk.emulator.submitted
        assert (answers, sent) in ((["cancelled"], 0), (["too late"], 1))
        status = await desk.durable.status("k")
        assert status.state == ("done" if sent else "cancelled")
        assert status.next_at is None
        assert await desk.durable.cancel("k") == answers[0]
        if not sent:
            with pytest.raises(InvalidRequest, match="was cancelled"):
                await desk.start()
            await desk.durable.retry("k")
            assert (await desk.run_attempt()).state == "cancelled"
            assert desk.emulator.submitted == 0


def _once_only(act: Callable[[int], Awaitable[None]]) -> Callable[[int], Awaitable[None]]:
    """Let what an act saves itself not begin another one."""
    inside = False

    async def guarded(number: int) -> None:
        nonlocal inside
        if not inside:
            inside = True
            await act(number)
            inside = False

    return guarded


async def test_send_that_was_cancelled_by_a_process_that_died_is_cancelled(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had said so in the record, and not yet in the ledger."""
    await desk.start()
    assert await withdraw(desk.durable.store, "k")

    assert (await desk.durable.status("k")).state == "cancelled"
    assert (await desk.row()).state == "scheduled"
    assert (await desk.run_attempt()).state == "cancelled"
    assert (await desk.row()).state == "cancelled"
    assert desk.emulator.requests == ()


async def test_attempt_on_the_wire_is_too_late_to_cancel_and_is_replaced_by_none(
    desk: Desk,
) -> None:
    """From the intent on; a new spec for the key is refused as well."""
    answers: list[str] = []
    await desk.start()

    async def act(number: int) -> None:
        row = await desk.row()
        if row.has_submitted and not answers:
            answers.append(await desk.durable.cancel("k"))
            with pytest.raises(InvalidRequest, match="cannot be replaced"):
                await desk.durable.start_send(desk.spec(account="b"), send_key="k", replace=True)

    with before_each_save(_once_only(act)):
        assert (await desk.run_attempt()).state == "done"
    assert answers == ["too late"]


async def test_attempt_that_is_replaced_under_way_does_not_submit(desk: Desk) -> None:
    """Of several attempts only the last one submits, so only the new campaign is sent."""
    await desk.start()
    renamed = attrs.evolve(CAMPAIGN, name="新活動")

    async def replace(number: int) -> None:
        if number == 3:
            await desk.durable.start_send(
                desk.spec(campaign=renamed, list_name="會員 k"), send_key="k", replace=True
            )

    with before_each_save(_once_only(replace)):
        assert await desk.runner.run(SendAttempt("k", 0)) == "waiting"
    assert desk.emulator.submitted == 0
    await desk.bench.clock.sleep(60)
    assert (await desk.run_attempt()).state == "done"
    assert [each.name[:3] for each in desk.emulator.campaigns] == ["新活動"]


# What follows an error

LATER_S = 60.0


def run(state: str = "failed", sn: str | None = None, step: str | None = None) -> RunState:
    """Return what a record says."""
    return RunState(send_key="k", state=state, campaign_sn=sn, step=step)  # type: ignore[arg-type]  # each is one


def of(field: str) -> InvalidRequest:
    """Return what arguments are refused with."""
    return InvalidRequest.of(field, "changed", "is wrong")


@pytest.mark.parametrize(
    ("error", "known", "state", "next_s"),
    [
        (ConnectionFailed("away", reason="timeout", host="h"), None, "waiting", LATER_S),
        (UnexpectedResponse("odd", status=200), run("waiting"), "waiting", LATER_S),
        (RateLimited("slow", retry_after_s=9.0), run("waiting"), "waiting", 9),
        (DeadlineExceeded("slow"), run("waiting"), "waiting", LATER_S),
        (OutcomeUnknown("list?", request="create_list"), run("checking"), "checking", LATER_S),
        (
            OutcomeUnknown("sent?", request="submit", look_again_at=START + HOUR),
            run("held"),
            "held",
            3_600,
        ),
        (ConnectionFailed("away", reason="timeout", host="h"), run("held"), "held", LATER_S),
        (RateLimited("slow", retry_after_s=9.0), run("held"), "held", 9),
        (UnexpectedResponse("odd", status=200), run("held"), "held", LATER_S),
        (AuthenticationError("no", status=403), None, "waiting", LATER_S),
        (AuthenticationError("no", status=403), run("held"), "held", LATER_S),
        (ConfigurationError("no extra"), run(), "waiting", LATER_S),
        (ContactsUnavailable("contacts", "gone"), None, "waiting", LATER_S),
        (ContactsUnavailable("skip", "gone"), run("held"), "held", LATER_S),
        (ContactsUnavailable("skip", "gone"), run("waiting", "c0"), "done", None),
        (of("contacts"), run("failed", "c0"), "done", None),
        (of("contacts"), run(), "failed", None),
        (of("html"), run("failed", "c0"), "failed", None),
        (of("html"), None, "failed", None),
        (of("html"), run("held"), "held", None),
        (of("send_key"), run("abandoned"), "cancelled", None),
        (of("send_key"), run("abandoned", step="create_list"), "cancelled", None),
        (of("send_key"), run("abandoned", step="submit"), "abandoned", None),
        (of("send_key"), run("interrupted"), "failed", None),
        (InUse("busy"), run("running"), "waiting", 21),
        (InUse("busy", retry_after_s=7.0), run("running"), "waiting", 8),
        (LookupError("s3cret"), None, "waiting", LATER_S),
        (LookupError("s3cret"), run("held"), "waiting", LATER_S),
    ],
)
def test_what_follows_an_error(
    error: Exception, known: RunState | None, state: str, next_s: float | None
) -> None:
    """An error that passes is retried, one that needs a change is not; a doubt is searched for."""
    result = result_of_error(error, run=known, number=0, now=START)

    after_s = None if result.next_at is None else result.next_at - START.timestamp()
    assert (result.state, after_s) == (state, next_s)
    assert "s3cret" not in f"{result}"
    assert result.error == (None if state == "done" else type(error).__name__)
    assert result.message or state == "done"


@pytest.mark.parametrize(
    ("number", "after_s"), [(0, 60), (1, 120), (5, 1_920), (6, 3_600), (9, 3_600), (5_000, 3_600)]
)
def test_pause_grows_up_to_an_hour(number: int, after_s: float) -> None:
    """And the number of attempts has no end."""
    error = ConnectionFailed("away", reason="timeout", host="h")

    assert result_of_error(error, run=None, number=number, now=START) == AttemptResult(
        state="waiting",
        next_at=START.timestamp() + after_s,
        error="ConnectionFailed",
        message="away",
    )


def test_day_that_is_used_up_ends_when_the_platform_says() -> None:
    """The number of the attempt does not matter."""
    error = DailyQuotaExhausted("used up", retry_after_s=9.0, resets_at=START + 5 * HOUR)

    result = result_of_error(error, run=None, number=3, now=START)

    assert result.next_at == (START + 5 * HOUR).timestamp()


def test_error_of_something_else_is_given_up_after_hours() -> None:
    """Else it would cost a slot for ever."""
    kept = [result_of_error(OSError(), run=None, number=n, now=START).state for n in (9, 10, 11)]

    assert kept == ["waiting", "failed", "failed"]


async def test_replaced_client_is_closed_after_its_last_use(
    sqlite_url: str, tmp_path: Path
) -> None:
    """A key that is refused for days leaves no client behind, and ends no other attempt."""
    made: list[NewsLeopard] = []

    def factory(_: str) -> NewsLeopard:
        made.append(NewsLeopard(KEY, http_transport=shop.bench.wire, clock=shop.bench.clock))
        return made[-1]

    async with at_desk(sqlite_url, tmp_path, clients=factory) as shop:
        clients = shop.runner.clients
        async with clients.using("main") as old:
            await clients.renew("main")
            async with clients.using("main") as new:
                assert new is not old
            assert await old.contacts.list_lists() == ()
        with pytest.raises(ConfigurationError):
            await old.contacts.list_lists()
        assert await new.contacts.list_lists() == ()
        await clients.renew("main")
        with pytest.raises(ConfigurationError):
            await new.contacts.list_lists()

    assert made == [old, new]
