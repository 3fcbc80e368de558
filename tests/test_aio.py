"""A submit that was handed to the socket waits for its answer, even if its caller is cancelled."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
import trio

from newsleopard_async.aio import Listing, compute_in_thread, in_thread, run_to_completion
from newsleopard_async.errors import ConfigurationError, OutcomeUnknown, UnexpectedResponse
from newsleopard_async.models.options import RateLimits
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.api import Api
from newsleopard_async.transport.request import Request
from tests.observers import RecordingObserver
from tests.transport.scripted import (
    EXPORT,
    LIST,
    SUBMIT,
    THROTTLED,
    Scripted,
    Step,
    answer,
    errors_in,
    json_answer,
    make_api,
    never,
    warnings_in,
)

pytestmark = pytest.mark.quick

ACCEPTED = json_answer(200, {"sn": "c0de"})
ANSWER_AFTER_S = 10.0


class Story:
    """A submit that is answered after ten seconds, and the order of its events."""

    def __init__(self, *steps: Step, **options: Any) -> None:
        self.clock = ManualClock()
        self.events: list[str] = []
        self.observer = RecordingObserver(self.events, self._store)
        self.transport = Scripted(*(self._slow(step) for step in steps or [ACCEPTED]))
        self.api: Api = make_api(self.transport, clock=self.clock, **options)

    def _slow(self, step: Step) -> Step:
        async def handle(request: httpx.Request) -> httpx.Response:
            await self.clock.sleep(ANSWER_AFTER_S)
            self.events.append("answered")
            if isinstance(step, Exception):
                raise step
            return await step(request)

        return handle

    async def _store(self, said: str) -> None:
        """Store the code, which takes a while."""
        if said.startswith("on_accepted"):
            await self.clock.sleep(1)

    async def submit(self) -> object:
        """Submit, and record how it ended."""
        try:
            return await self.api.call(SUBMIT, observer=self.observer)
        except BaseException as error:
            self.events.append(type(error).__name__)
            raise

    @property
    def sent(self) -> int:
        """How many requests reached the server."""
        return len(self.transport.sent)


WHOLE_STORY = ["on_sending", "answered", "on_accepted c0de"]


@pytest.mark.anyio
async def test_uncancelled_submit_returns_its_code(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is logged if the caller gets the answer."""
    story = Story()

    assert await story.submit() == "c0de"

    assert story.events == WHOLE_STORY
    assert warnings_in(caplog) == []


@pytest.mark.anyio
async def test_submit_in_a_cancelled_scope_lands_first(caplog: pytest.LogCaptureFixture) -> None:
    """The answer is awaited and stored, and then the scope's cancellation continues."""
    story = Story()

    with story.clock.deadline(5) as scope:
        await story.submit()

    assert scope.cancelled_caught
    assert story.events[:3] == WHOLE_STORY
    assert story.events[3] in {"CancelledError", "Cancelled"}
    assert story.sent == 1
    assert story.clock.monotonic() == 11
    assert warnings_in(caplog) == [
        "submit_campaign was cancelled after it was sent, and was accepted: c0de"
    ]


@pytest.mark.anyio
async def test_submit_in_a_cancelled_task_group_lands_first(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A sibling's failure does not prevent the answer."""
    story = Story()

    async def fail() -> None:
        await story.clock.sleep(5)
        raise LookupError

    with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012 - the group is what raises
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(story.submit)
            tasks.start_soon(fail)

    assert caught.group_contains(LookupError)
    assert story.events[:3] == WHOLE_STORY
    assert "c0de" in warnings_in(caplog)[0]


@pytest.mark.anyio
async def test_cancellation_while_landing_does_not_cut_it_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A cancellation between the answer and its storing loses nothing."""
    story = Story()

    with story.clock.deadline(10.5):
        await story.submit()

    assert story.events[:3] == WHOLE_STORY
    assert "c0de" in warnings_in(caplog)[0]


@pytest.mark.anyio
async def test_cancelled_submit_without_an_answer_ends_at_its_bound(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A silent server delays a cancelled caller for at most submit_s."""
    clock = ManualClock()

    api = make_api(Scripted(never), clock=clock)
    with clock.deadline(5) as scope:
        await api.call(SUBMIT)

    assert scope.cancelled_caught
    assert clock.monotonic() == 60
    assert "may or may not have taken effect" in warnings_in(caplog)[0]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("step", "said"),
    [
        (httpx.ConnectError("x"), "was not sent"),
        (httpx.ReadError("x"), "may or may not have taken effect"),
        (THROTTLED, "too many requests"),
        (json_answer(400, {"code": "40012"}), "refused with 40012"),
        (answer(200, b"<html>"), "may or may not have taken effect"),
    ],
)
async def test_log_says_how_a_cancelled_submit_ended(
    step: Step, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Any outcome is logged, and nothing is repeated for a cancelled caller."""
    story = Story(step)

    with story.clock.deadline(5) as scope:
        await story.submit()

    assert scope.cancelled_caught
    assert story.sent == 1
    assert said in warnings_in(caplog)[0]


def failing_at(said: str) -> RecordingObserver:
    """Create an observer whose disk is full at this event."""

    async def fail(now_said: str) -> None:
        if now_said.startswith(said):
            raise OSError("disk full")

    return RecordingObserver(hook=fail)


def hanging_at(said: str) -> RecordingObserver:
    """Create an observer that never returns from this event."""

    async def hang(now_said: str) -> None:
        if now_said.startswith(said):
            await anyio.sleep_forever()

    return RecordingObserver(hook=hang)


@pytest.mark.anyio
async def test_code_that_cannot_be_stored_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """If a store fails after the answer, the caller and the log still get the answer."""
    story = Story()
    story.observer = failing_at("on_accepted")

    assert await story.submit() == "c0de"

    assert story.sent == 1
    assert errors_in(caplog) == ["submit_campaign was accepted: c0de; its observer failed"]
    assert "disk full" in caplog.text


@pytest.mark.anyio
async def test_code_that_cannot_be_stored_for_a_cancelled_caller_is_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The cancellation continues, and the outcome is logged."""
    story = Story()
    story.observer = failing_at("on_accepted")

    with story.clock.deadline(5) as scope:
        await story.submit()

    assert scope.cancelled_caught
    assert "c0de" in warnings_in(caplog)[0]


@pytest.mark.anyio
async def test_failure_that_cannot_be_stored_is_still_the_news(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The caller gets the lost reply, and not the error of the disk."""
    story = Story(httpx.ReadError("x"))
    story.observer = failing_at("on_failed")

    with pytest.raises(OutcomeUnknown):
        await story.submit()

    assert "may or may not have taken effect" in errors_in(caplog)[0]


@pytest.mark.anyio
async def test_store_that_hangs_after_the_answer_hides_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It delays the caller for at most submit_s."""
    story = Story()
    story.observer = hanging_at("on_accepted")

    assert await story.submit() == "c0de"

    assert story.clock.monotonic() == ANSWER_AFTER_S + 60
    assert errors_in(caplog) == [
        "submit_campaign was accepted: c0de; the checkpoint's store did not answer within 60 s"
    ]


@pytest.mark.anyio
async def test_intent_that_cannot_be_stored_keeps_from_sending() -> None:
    """Without a stored intent the campaign could not be looked up after a crash."""
    story = Story()
    story.observer = failing_at("on_sending")

    with pytest.raises(OSError, match="disk full"):
        await story.submit()

    assert story.sent == 0
    assert story.observer.told == []


@pytest.mark.anyio
async def test_store_that_hangs_before_the_hand_over_keeps_from_sending() -> None:
    """This is logged after submit_s."""
    story = Story()
    story.observer = hanging_at("on_sending")

    with pytest.raises(ConfigurationError, match="did not answer within 60 s"):
        await story.submit()

    assert story.sent == 0
    assert story.clock.monotonic() == 60
    assert story.observer.told == ["on_failed ConfigurationError"]


@pytest.mark.anyio
async def test_unreadable_acceptance_does_not_land(caplog: pytest.LogCaptureFixture) -> None:
    """Without a code there is nothing to store."""
    story = Story(answer(200, b"{}"))

    with pytest.raises(OutcomeUnknown):
        await story.submit()

    assert story.events == ["on_sending", "answered", "on_failed OutcomeUnknown", "OutcomeUnknown"]


@pytest.mark.anyio
async def test_submit_in_line_for_a_slot_is_cancelled_at_once() -> None:
    """A request that was not handed over is not sent, and its slot is released."""
    story = Story(limits=RateLimits(windows=((1, 100.0),)))
    await story.submit()

    with story.clock.deadline(50) as scope:
        await story.submit()
    waited_until = story.clock.monotonic()
    await story.submit()

    assert scope.cancelled_caught
    assert waited_until == 61
    assert story.sent == 2
    assert story.clock.monotonic() == pytest.approx(10 + 100.5 + 11)


@pytest.mark.anyio
async def test_submit_in_backoff_is_cancelled_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """A cancellation between two attempts takes effect immediately."""
    story = Story(answer(429, headers={"Retry-After": "30"}), ACCEPTED)

    with story.clock.deadline(20) as scope:
        await story.submit()

    assert scope.cancelled_caught
    assert story.clock.monotonic() == 20
    assert story.sent == 1
    assert warnings_in(caplog) == []


@pytest.mark.anyio
async def test_submit_in_line_for_a_connection_is_cancelled_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A request that waits for a connection of the pool is not sent yet."""
    monkeypatch.setattr("newsleopard_async.transport.pools._CONNECTIONS", 1)
    story = Story()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(story.submit)
        await story.clock.sleep(1)
        with story.clock.deadline(5) as scope:
            await story.submit()
        assert story.clock.monotonic() == 6

    assert scope.cancelled_caught
    assert story.sent == 1


@pytest.mark.anyio
async def test_submit_of_a_cancelled_caller_does_not_begin() -> None:
    """A call that was cancelled before its start has no effect."""
    story = Story()

    with anyio.CancelScope() as scope:
        scope.cancel()
        await story.submit()

    assert story.sent == 0


@pytest.mark.anyio
async def test_work_of_a_cancelled_caller_does_not_begin() -> None:
    """The last check is right before the hand-over."""
    begun: list[object] = []

    async def work() -> object:
        begun.append(True)
        return None

    with anyio.CancelScope() as scope:
        scope.cancel()
        await run_to_completion(work, when_cancelled=begun.append)

    assert begun == []


@pytest.mark.anyio
@pytest.mark.parametrize("request_", [LIST, EXPORT], ids=str)
async def test_request_that_must_not_be_repeated_lands_first(
    request_: Request[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A sent list creation or export waits for its answer, like a submit."""
    story = Story()

    with story.clock.deadline(5) as scope:
        await story.api.call(request_)

    assert scope.cancelled_caught
    assert story.clock.monotonic() == 10
    said = f"{request_.name} was cancelled after it was sent, and was accepted"
    assert said in warnings_in(caplog)[0]


class Connecting:
    """Represents our own connections in a test: they never finish connecting.

    Attributes:
        events: The trace events before that.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *events: str) -> None:
        self.clock = ManualClock()
        self.observer = RecordingObserver()
        self.api = make_api(None, clock=self.clock)
        self.attempts = 0
        connecting = self

        async def handle(_: object, request: httpx.Request) -> httpx.Response:
            connecting.attempts += 1
            for event in events:
                await request.extensions["trace"](event, {})
            await anyio.sleep_forever()
            raise AssertionError

        monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle)


CONNECT, LEAVE = "connection.connect_tcp.started", "http11.send_request_headers.started"


@pytest.mark.anyio
async def test_submit_that_is_connecting_is_cancelled_at_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing was sent: the observer is notified, and removes its intent."""
    story = Connecting(monkeypatch, CONNECT)

    with story.clock.deadline(5) as scope:
        await story.api.call(SUBMIT, observer=story.observer)

    assert scope.cancelled_caught
    assert story.clock.monotonic() == 5
    assert story.observer.told == ["on_sending", "on_failed ConnectionFailed"]
    assert story.api.limiter.usage.used == 0
    assert warnings_in(caplog) == []


@pytest.mark.anyio
async def test_export_that_is_connecting_gives_its_hour_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A request that was not sent does not count, so the next one can be sent."""
    story = Connecting(monkeypatch, CONNECT)

    for _ in range(2):
        with story.clock.deadline(5):
            await story.api.call(EXPORT)

    assert story.attempts == 2
    assert story.api.limiter.usage.used == 0


@pytest.mark.anyio
@pytest.mark.parametrize("events", [(), (CONNECT, LEAVE)])
async def test_submit_that_may_have_left_runs_to_its_end(
    events: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection without trace events has possibly sent the request."""
    story = Connecting(monkeypatch, *events)

    with story.clock.deadline(5) as scope:
        await story.api.call(SUBMIT, observer=story.observer)

    assert scope.cancelled_caught
    assert story.clock.monotonic() == 60
    assert story.observer.told == ["on_sending", "on_failed OutcomeUnknown"]
    assert "may or may not have taken effect" in warnings_in(caplog)[0]


@pytest.mark.anyio
@pytest.mark.parametrize("next_step", [CONNECT, LEAVE])
async def test_cancelled_submit_does_not_leave_any_more(
    next_step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancellation before the first byte prevents the request."""
    clock, observer, left = ManualClock(), RecordingObserver(), []

    async def handle(_: object, request: httpx.Request) -> httpx.Response:
        with anyio.CancelScope(shield=True):
            await clock.sleep(10)
            await request.extensions["trace"](next_step, {})
        await anyio.lowlevel.checkpoint()
        left.append(request)
        return httpx.Response(200, json={"sn": "c0de"})

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle)
    api = make_api(None, clock=clock)
    with clock.deadline(5) as scope:
        await api.call(SUBMIT, observer=observer)

    assert scope.cancelled_caught
    assert left == []
    assert observer.told[0] == "on_sending"


@pytest.mark.anyio
async def test_observer_that_swallows_the_cancellation_sends_nothing() -> None:
    """The last check is at the hand-over itself."""
    story = Story()

    async def swallow(said: str) -> None:
        if said == "on_sending":
            with anyio.CancelScope(shield=True):
                await story.clock.sleep(10)

    story.observer = RecordingObserver(hook=swallow)

    with story.clock.deadline(5) as scope:
        await story.submit()

    assert scope.cancelled_caught
    assert story.sent == 0
    assert story.observer.told == ["on_sending", "on_failed ConnectionFailed"]


@pytest.mark.anyio
async def test_submit_whose_intent_is_being_stored_is_cancelled_at_once() -> None:
    """An intent that was possibly stored in the meantime is removed."""
    story = Story()
    story.observer = hanging_at("on_sending")

    with story.clock.deadline(5) as scope:
        await story.submit()

    assert scope.cancelled_caught
    assert story.clock.monotonic() == 5
    assert story.sent == 0
    assert story.observer.told == ["on_failed ConnectionFailed"]


@pytest.mark.anyio
async def test_error_of_ours_after_the_hand_over_is_an_unknown_outcome() -> None:
    """If an answer cannot be read, the campaign is possibly sent."""
    story = Story(UnexpectedResponse("too large", status=200))

    with pytest.raises(OutcomeUnknown, match="too large"):
        await story.submit()

    assert story.events[:3] == ["on_sending", "answered", "on_failed OutcomeUnknown"]


@pytest.mark.anyio
async def test_error_of_the_work_goes_to_the_caller() -> None:
    """Without a cancellation the caller gets the error."""

    async def work() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await run_to_completion(work, when_cancelled=print)


@pytest.mark.anyio
async def test_cancellation_goes_before_an_error_of_the_work() -> None:
    """A caller that handles the error is also cancelled."""
    clock = ManualClock()
    went_on: list[object] = []

    async def work() -> None:
        await clock.sleep(10)
        raise LookupError

    with clock.deadline(5) as scope:
        with contextlib.suppress(LookupError):
            await run_to_completion(work, when_cancelled=went_on.append)
        went_on.append(True)

    assert scope.cancelled_caught
    assert clock.monotonic() == 10
    assert went_on == []


@pytest.mark.anyio
async def test_work_runs_to_its_result() -> None:
    """Without a cancellation it is a plain call."""

    async def work() -> int:
        return 7

    assert await run_to_completion(work, when_cancelled=print) == 7


def test_trio_needs_no_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    """If asyncio was never loaded, no code searches for a task of it."""
    monkeypatch.setitem(sys.modules, "asyncio", None)

    found = trio.run(partial(in_thread, lambda: "done"))

    assert found == "done"


@pytest.mark.anyio
async def test_listing_gives_all_or_one_after_another() -> None:
    """Each loop starts from the beginning, and an unfinished loop closes its generator."""
    closed = []

    async def give() -> AsyncGenerator[int, None]:
        try:
            for number in (2, 3, 1):
                await anyio.lowlevel.checkpoint()
                yield number
        finally:
            closed.append(True)

    listing = Listing(give, order=sorted)

    assert await listing == (1, 2, 3)
    assert [number async for number in listing] == [2, 3, 1]
    with anyio.CancelScope() as scope:
        scope.cancel()
        await listing
    assert len(closed) == 3


@pytest.mark.anyio
async def test_computations_run_one_after_another() -> None:
    """Many threads that compute at once would delay the event loop; a cancelled one is skipped."""
    lock, overlaps = threading.Lock(), 0

    def compute() -> None:
        nonlocal overlaps
        is_free = lock.acquire(blocking=False)
        overlaps += not is_free
        sum(range(300_000))  # so long that another thread gets its turn meanwhile
        if is_free:
            lock.release()

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(compute_in_thread, compute)
        with anyio.move_on_after(0) as scope:
            await compute_in_thread(compute)

    assert scope.cancelled_caught
    assert overlaps == 0
