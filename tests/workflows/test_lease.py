"""A run holds its record while it is active, and always releases it at the end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from newsleopard_async import (
    APIError,
    ConfigurationError,
    ConnectionFailed,
    DeadlineExceeded,
    InUse,
    InvalidRequest,
    NewsLeopard,
    NewsLeopardError,
    OutcomeUnknown,
    RateLimited,
    workflows,
)
from newsleopard_async.aio import on_asyncio
from newsleopard_async.errors import DailyQuotaExhausted, ServerError
from newsleopard_async.models import Polling
from newsleopard_async.stores import Store
from newsleopard_async.testing import ManualClock
from newsleopard_async.workflows import Checkpoint, Event
from newsleopard_async.workflows.fingerprint import Fingerprint
from newsleopard_async.workflows.lease import run_end_of, wait_s_of
from newsleopard_async.workflows.local_runner import running
from newsleopard_async.workflows.progress import Events
from newsleopard_async.workflows.run_record import StepRecord, in_doubt
from newsleopard_async.workflows.runner import Runner
from newsleopard_async.workflows.send_key import StoreLocation
from tests.clients import checkpoint_of, connected, csv_of
from tests.constants import CAMPAIGN, KEY, START
from tests.faults.strikes import Gone
from tests.faults.world import SEND_KEY, RunStore

pytestmark = pytest.mark.anyio

FINGERPRINT = Fingerprint.of("x", contacts="x")
NEW: dict[str, Any] = {"contacts": csv_of(3), "list_name": "會員", "send_key": SEND_KEY}


@contextlib.asynccontextmanager
async def run_of(
    store: Store, clock: ManualClock, *, wait_s: float = 0, progress: Any = None
) -> AsyncIterator[Runner]:
    """Hold a run of a send key that sends nothing."""
    events = Events("send_campaign", progress, clock, ())
    async with (
        NewsLeopard(KEY, clock=clock, store=store) as nl,
        running(
            nl,
            events,
            fingerprint=FINGERPRINT,
            checkpoint=StoreLocation(store, SEND_KEY),
            wait_s=wait_s,
        ) as runner,
    ):
        yield runner


@pytest.fixture
def clock() -> ManualClock:
    """A clock that jumps when every task is blocked."""
    return ManualClock()


@pytest.fixture
def store() -> RunStore:
    """A store without locks."""
    return RunStore()


async def test_run_holds_its_key_for_as_long_as_it_lives(
    store: RunStore, clock: ManualClock
) -> None:
    """Other runs are refused, with the time when the lease ends unless it is renewed."""
    async with run_of(store, clock):
        for wait_s in (0.0, 17.0, 90.0):
            await clock.sleep(wait_s)
            with pytest.raises(InUse, match="'anniversary-2027'; wait until") as caught:
                async with run_of(store, clock):
                    pass
            assert caught.value.retry_after_s is not None
            assert 10 < caught.value.retry_after_s <= 20
    async with run_of(store, clock):
        pass

    assert store.data.get("held_until") is None


async def test_polls_of_days_write_no_more_than_the_hold(
    store: RunStore, clock: ManualClock
) -> None:
    """One save every five seconds."""
    async with run_of(store, clock):
        before = store.saves
        await clock.sleep(600)
        assert 110 < store.saves - before <= 120


@pytest.mark.parametrize(
    ("until_s", "is_held"), [(-0.1, False), (0.1, True), (20, True), (39, True), (41, False)]
)
async def test_hold_that_is_over_or_cannot_be_is_taken_over(
    until_s: float, *, is_held: bool, store: RunStore, clock: ManualClock
) -> None:
    """A run that has ended holds nothing after its lease, nor does a clock that is far ahead."""
    given = Checkpoint(pipeline="send_campaign", input_hash=FINGERPRINT.whole, send_key=SEND_KEY)
    given.held_until = clock.now() + timedelta(seconds=until_s)
    store.put(given.to_dict())

    with pytest.raises(InUse) if is_held else contextlib.nullcontext():
        async with run_of(store, clock):
            pass


async def test_run_that_finds_that_it_was_taken_over_stops_at_once(
    store: RunStore, clock: ManualClock
) -> None:
    """It ends at the next renewal, in any step."""
    seen: list[str] = []

    async def work() -> None:
        async with run_of(store, clock):
            other = Checkpoint.read(store.data)
            other.writer = "another"
            store.put(other.to_dict())
            try:
                await clock.sleep(3_600)
            finally:
                seen.append(f"{clock.monotonic():g}")

    with pytest.raises(InUse, match=r"has taken over .*anniversary-2027") as caught:
        await work()

    assert seen == ["5"]
    assert checkpoint_of(caught.value).send_key == SEND_KEY
    assert store.data["writer"] == "another"


async def test_outcome_is_not_hidden_by_a_hold_that_was_lost(
    store: RunStore, clock: ManualClock
) -> None:
    """A finished step stays finished; only the active one is stopped."""
    outcomes: list[int] = []

    async def work() -> int:
        async with run_of(store, clock):
            store.kept.clear()
            with anyio.CancelScope(shield=True):
                await clock.sleep(6)
            return 1

    outcomes.append(await work())

    assert outcomes == [1]
    assert not store.kept


async def test_store_that_is_away_at_renewals_ends_no_run(
    store: RunStore, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Its next save decides."""
    async with run_of(store, clock) as runner:
        store.fail_when = lambda _: True
        await clock.sleep(12)
        store.hang = True
        await clock.sleep(60)
        store.fail_when = lambda _: False
        await runner.record_result(workflows_step(), None)

    assert store.data["records"].keys() == {"get_status"}
    assert "could not be renewed (RuntimeError)" in caplog.text


def workflows_step() -> Any:
    """Return any step with a stored result."""
    from newsleopard_async.workflows.campaign_steps import get_status

    return get_status


@pytest.mark.parametrize("kind", [Gone, KeyboardInterrupt, ValueError])
async def test_error_leaves_in_no_group(
    kind: type[BaseException], store: RunStore, clock: ManualClock
) -> None:
    """A handler of the error's class catches it."""
    with pytest.raises(kind):
        async with run_of(store, clock):
            raise kind

    assert (store.data.get("held_until") is None) == (kind is ValueError)


async def test_cancelled_run_lets_go_and_says_nothing(store: RunStore, clock: ManualClock) -> None:
    """The next run begins immediately."""
    with anyio.CancelScope() as scope:
        async with run_of(store, clock):
            scope.cancel()
            await anyio.sleep_forever()

    assert (store.data.get("held_until"), store.data.get("ended")) == (None, None)
    async with run_of(store, clock):
        pass
    assert store.data["ended"]["state"] == "done"


class Struck(RunStore):
    """A store in which the run is cancelled during a save."""

    strike: Callable[[], object]
    at: str

    async def save(self, key: str, data: Mapping[str, Any], revision: str | None) -> str:
        """Keep the data."""
        await self.reach(f"before {self.saves + 1}")
        new = await super().save(key, data, revision)
        await self.reach(f"after {self.saves}")
        return new

    async def reach(self, moment: str) -> None:
        """Cancel at the chosen save."""
        if moment == self.at:
            self.strike()
        await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize(("at", "ended"), [("after 1", None), ("before 2", "done")])
async def test_run_that_is_cancelled_in_its_first_or_last_save_lets_go(
    at: str, ended: str | None, clock: ManualClock
) -> None:
    """The next run begins immediately, even if asyncio itself cancels without a scope."""
    store = Struck()
    store.at = at

    async def work() -> None:
        async with run_of(store, clock):
            pass

    if on_asyncio():
        task = asyncio.ensure_future(work())
        store.strike = task.cancel
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        with anyio.CancelScope() as scope:
            store.strike = scope.cancel
            await work()

    assert store.data.get("held_until") is None
    assert (store.data.get("ended") or {}).get("state") == ended


@pytest.mark.parametrize("hang", [False, True])
async def test_end_that_cannot_be_stored_hides_nothing(
    store: RunStore, clock: ManualClock, caplog: pytest.LogCaptureFixture, *, hang: bool
) -> None:
    """It hides neither an outcome nor an error, and does not hang."""
    store.hang = hang
    async with run_of(store, clock):
        store.fail_when = lambda _: True
    store.fail_when = lambda _: False

    async def fail() -> None:
        async with run_of(store, clock, wait_s=60):
            store.fail_when = lambda _: True
            raise ValueError("own")

    with pytest.raises(ValueError, match="own"):
        await fail()

    assert hang or "could not be stored: RuntimeError" in caplog.text


NOW = datetime(2026, 1, 5, 2, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
INTENT = StepRecord(state="intent", at=START)

ENDS: dict[str, tuple[Exception, Mapping[str, StepRecord], str, datetime | None]] = {
    "refused": (InvalidRequest.of("a", "b", "c"), {}, "failed", None),
    "refused by the platform": (APIError("no", status=400), {}, "failed", None),
    "set-up": (ConfigurationError("no key"), {}, "failed", None),
    "not ours": (ValueError("me@example.com"), {}, "failed", None),
    "network": (ConnectionFailed("x", reason="dns", host="h"), {}, "waiting", None),
    "server": (ServerError("x", status=500), {}, "waiting", None),
    "late": (DeadlineExceeded("x"), {}, "waiting", None),
    "too fast": (RateLimited("x", retry_after_s=3_600), {}, "waiting", LATER),
    "day": (
        DailyQuotaExhausted("x", retry_after_s=1, resets_at=LATER),
        {},
        "waiting",
        LATER,
    ),
    "list": (
        OutcomeUnknown("x", request="r", look_again_at=LATER),
        {"create_list": INTENT},
        "checking",
        LATER,
    ),
    "submit": (
        OutcomeUnknown("x", request="r", look_again_at=LATER),
        {"submit": INTENT},
        "held",
        LATER,
    ),
    "while held": (ConnectionFailed("x", reason="dns", host="h"), {"submit": INTENT}, "held", None),
}


@pytest.mark.parametrize("case", ENDS)
async def test_end_names_the_next_action(case: str) -> None:
    """The state names the next action, and shows no foreign message."""
    error, records, state, look_again_at = ENDS[case]
    is_in_doubt = in_doubt(records) is not None

    ended = run_end_of(error, NOW, is_in_doubt=is_in_doubt)

    assert (ended.state, ended.look_again_at, ended.at) == (state, look_again_at, NOW)
    assert ended.error == type(error).__name__
    assert ended.message == (str(error) if isinstance(error, NewsLeopardError) else "")
    long = run_end_of(ConfigurationError("x" * 1_001), NOW, is_in_doubt=is_in_doubt)
    assert long.message == "x" * 999 + "…"


# Waiting for another run


async def test_run_waits_for_the_outcome_of_another(caplog: pytest.LogCaptureFixture) -> None:
    """Both get the same, and one campaign is sent."""
    caplog.set_level(logging.INFO, "newsleopard_async")
    events: list[Event] = []
    outcomes: list[Any] = []
    async with connected(store=RunStore()) as bench:

        async def run() -> None:
            options: Any = {**NEW, "wait_for_other": True, "progress": events.append}
            outcomes.append(await workflows.send_campaign(bench.nl, CAMPAIGN, **options))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            tasks.start_soon(run)

    first, second = outcomes
    assert first == second
    assert bench.emulator.submitted == 1
    assert [each.state for each in events if each.step == "wait_for_other"] == ["waiting"]
    assert "this run waits up to 3600 s" in caplog.text


async def test_run_takes_over_from_one_that_died(store: RunStore, clock: ManualClock) -> None:
    """It waits until the lease is over, and no longer."""
    with pytest.raises(Gone):
        async with run_of(store, clock):
            raise Gone

    async with run_of(store, clock, wait_s=60):
        assert 20 <= clock.monotonic() < 23


async def test_wait_has_an_end(store: RunStore, clock: ManualClock) -> None:
    """Then it is in use."""
    async with run_of(store, clock):
        with pytest.raises(InUse):
            async with run_of(store, clock, wait_s=12.5):
                pass
        assert clock.monotonic() == pytest.approx(12.5)


@pytest.mark.parametrize(
    ("given", "polling", "waits_s"),
    [(False, None, 0), (True, None, 3_600), (True, Polling(deadline_s=7), 7), (2.5, None, 2.5)],
)
async def test_how_long_another_run_is_waited_for(
    given: Any, polling: Polling | None, waits_s: float
) -> None:
    """True waits for the deadline of the polling, a number for so many seconds."""
    assert wait_s_of(given, polling) == waits_s


@pytest.mark.parametrize("given", ["yes", -1, float("inf"), float("nan"), None])
async def test_wait_without_an_end_is_refused(given: Any) -> None:
    """Before anything is sent."""
    async with connected(store=RunStore()) as bench:
        with pytest.raises(InvalidRequest) as caught:
            await workflows.send_campaign(bench.nl, CAMPAIGN, **NEW, wait_for_other=given)

    assert caught.value.problems[0].field == "wait_for_other"
    assert not bench.emulator.requests


# What is stored through the face


async def test_each_end_of_a_run_is_stored() -> None:
    """The state names the next action, for any process."""
    store = RunStore()
    async with connected(store=store) as bench:

        async def ended(**options: Any) -> tuple[str, str | None]:
            with contextlib.suppress(NewsLeopardError):
                await workflows.send_campaign(bench.nl, CAMPAIGN, **{**NEW, **options})
            return store.data["ended"]["state"], store.data["ended"]["error"]

        bench.emulator.not_sent("list_campaigns", times=9)
        assert await ended() == ("waiting", "ConnectionFailed")
        bench.emulator.clear_faults()
        assert await ended(strict=True) == ("failed", "InvalidRequest")
        bench.emulator.drop_request("submit_campaign")
        assert await ended() == ("held", "OutcomeUnknown")
        assert store.data["ended"]["look_again_at"] is not None
        await Checkpoint.read(store.data).resolve("abandon")

    assert bench.emulator.submitted == 0
