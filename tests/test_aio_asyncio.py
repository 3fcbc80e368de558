"""A sent submit under asyncio's own cancellation, which ignores all scopes of anyio."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import threading
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from newsleopard_async import with_lists, workflows
from newsleopard_async.aio import ThreadWork, in_thread, run_to_completion
from newsleopard_async.errors import ConfigurationError, OutcomeUnknown
from newsleopard_async.models.attempts import ApiAttempt, CallNext
from newsleopard_async.transport.body import FileBody, open_body
from newsleopard_async.transport.observer import Departure
from newsleopard_async.transport.request import Request
from newsleopard_async.workflows import Event
from tests.clients import connected
from tests.constants import CAMPAIGN
from tests.observers import RecordingObserver
from tests.transport.scripted import (
    READ,
    SUBMIT,
    Scripted,
    Step,
    errors_in,
    json_answer,
    make_api,
    warnings_in,
)

pytestmark = pytest.mark.asyncio

ACCEPTED = json_answer(200, {"sn": "c0de"})


class Pestered:
    """A submit on asyncio whose answer comes only after its caller was cancelled."""

    def __init__(self, *, times: int = 1) -> None:
        self.transport = Scripted(self._handle)
        self.api = make_api(self.transport)
        self.caller: asyncio.Task[Any] | None = None
        self.observer = RecordingObserver()
        self.times = times
        self.when_started: Callable[[], object] = lambda: None

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        self.when_started()
        assert self.caller is not None
        while self.caller.cancelling() < self.times:  # noqa: ASYNC110 - a cancellation sets no event
            await asyncio.sleep(0)
        for _ in range(5):
            await asyncio.sleep(0)
        return await ACCEPTED(request)

    async def submit(self) -> object:
        """Submit from the current task."""
        self.caller = asyncio.current_task()
        return await self.api.call(SUBMIT, observer=self.observer)

    async def cancel(self) -> None:
        """Cancel the caller, as often as necessary."""
        assert self.caller is not None
        for _ in range(self.times):
            self.caller.cancel()
            await asyncio.sleep(0)

    def check(self, caplog: pytest.LogCaptureFixture) -> None:
        """Assert that the request got its answer once, and that no task is left."""
        assert len(self.transport.sent) == 1
        assert self.observer.told == ["on_sending", "on_accepted c0de"]
        assert [said for said in warnings_in(caplog) if "c0de" in said] == warnings_in(caplog)
        assert len(warnings_in(caplog)) == 1
        assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_cancelled_task_lands_first(times: int, caplog: pytest.LogCaptureFixture) -> None:
    """Asyncio cancels the task directly, without a scope of anyio, and can repeat this."""
    pestered = Pestered(times=times)
    started = asyncio.Event()
    pestered.when_started = started.set
    task = asyncio.create_task(pestered.submit())
    await started.wait()

    await pestered.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert task.cancelled()
    pestered.check(caplog)


async def test_asyncio_timeout_lands_first(caplog: pytest.LogCaptureFixture) -> None:
    """The caller sees the TimeoutError, after the answer was stored."""
    pestered = Pestered()

    with pytest.raises(TimeoutError):  # noqa: PT012 - the block is what raises
        async with asyncio.timeout(None) as timeout:
            pestered.when_started = lambda: timeout.reschedule(0)
            await pestered.submit()

    pestered.check(caplog)


async def test_wait_for_lands_first(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """asyncio.wait_for is not a special case; an hour passes after the request has left."""
    pestered, loop, passed_s = Pestered(), asyncio.get_running_loop(), [0.0]
    real_time = loop.time
    monkeypatch.setattr(loop, "time", lambda: real_time() + passed_s[0])
    pestered.when_started = lambda: passed_s.append(passed_s.pop() + 3_600)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pestered.submit(), timeout=60)

    pestered.check(caplog)


async def test_asyncio_task_group_lands_first(caplog: pytest.LogCaptureFixture) -> None:
    """A sibling's failure cancels natively."""
    pestered = Pestered()
    started = asyncio.Event()
    pestered.when_started = started.set

    async def fail() -> None:
        await started.wait()
        raise LookupError

    with pytest.raises(ExceptionGroup):  # noqa: PT012 - the block is what raises
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(pestered.submit())
            tasks.create_task(fail())

    pestered.check(caplog)


async def test_cancellation_goes_before_an_error_of_the_work() -> None:
    """Asyncio cancels only once: without it a caller that handles the error gets no timeout."""
    seen: list[object] = []
    gate = asyncio.Event()

    async def work() -> None:
        await gate.wait()
        raise LookupError

    async def handle() -> None:
        with contextlib.suppress(LookupError):
            await run_to_completion(work, when_cancelled=seen.append)

    task = asyncio.create_task(handle())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    gate.set()

    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert task.cancelled()
    assert isinstance(caught.value.__context__, LookupError)
    assert seen == []


async def test_debug_mode_hides_the_result_of_a_thread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Asyncio logs slow callbacks with their arguments, and tasks with their results."""
    caplog.set_level(0)
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0

    given = await in_thread(functools.partial(bytes.lower, b"HUSH"))

    loop.set_debug(False)
    assert given == b"hush"
    assert "Executing <" in caplog.text
    assert "hush" not in caplog.text.casefold()


class TornDown:
    """A submit whose event loop ends: every task is cancelled, including the request's task."""

    def __init__(self, step: Step, hook: Callable[[str], Awaitable[None]] | None = None) -> None:
        self.transport = Scripted(step)
        self.api = make_api(self.transport)
        self.observer = RecordingObserver() if hook is None else RecordingObserver(hook=hook)
        self.reached = asyncio.Event()

    async def run(self, *, with_caller: bool = True) -> BaseException | None:
        """Submit, cancel all tasks at the test's step, and return the error."""
        request = attrs.evolve(SUBMIT, look_for="for the campaign 'adv [nl-1]'")
        caller = asyncio.create_task(self.api.call(request, observer=self.observer))
        await self.reached.wait()
        spared = {asyncio.current_task(), None if with_caller else caller}
        for task in asyncio.all_tasks() - spared:
            task.cancel()
        [error] = await asyncio.gather(caller, return_exceptions=True)
        return error if isinstance(error, BaseException) else None


def hang_at(torn: list[TornDown], wanted: str) -> Callable[[str], Awaitable[None]]:
    """Create an observer that blocks at this event, and reports this."""

    async def hang(said: str) -> None:
        if said.startswith(wanted):
            torn[0].reached.set()
            await asyncio.sleep(3_600)

    return hang


def never(torn: list[TornDown]) -> Step:
    """Script an answer that does not come."""

    async def handle(request: httpx.Request) -> httpx.Response:
        torn[0].reached.set()
        await asyncio.sleep(3_600)
        raise AssertionError

    return handle


async def test_end_of_the_loop_during_a_submit_names_the_campaign(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No answer can be awaited, so the intent stays, and the log names the campaign."""
    torn: list[TornDown] = []
    torn.append(TornDown(never(torn)))

    error = await torn[0].run()

    assert isinstance(error, asyncio.CancelledError)
    assert torn[0].observer.told == ["on_sending", "on_failed OutcomeUnknown"]
    assert "do not repeat it, look for the campaign 'adv [nl-1]' first" in warnings_in(caplog)[0]


async def test_end_of_the_request_alone_is_an_unknown_outcome() -> None:
    """A caller that was not cancelled must not get a cancellation."""
    torn: list[TornDown] = []
    torn.append(TornDown(never(torn)))

    assert isinstance(await torn[0].run(with_caller=False), OutcomeUnknown)


async def test_end_of_the_loop_before_sending_takes_the_intent_back() -> None:
    """It is certain that nothing was sent."""
    torn: list[TornDown] = []
    torn.append(TornDown(ACCEPTED, hang_at(torn, "on_sending")))

    await torn[0].run()

    assert torn[0].transport.sent == []
    assert torn[0].observer.told == ["on_failed ConnectionFailed"]


async def test_end_of_the_loop_while_storing_leaves_the_code_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The answer is known, and only the store does not have it."""
    torn: list[TornDown] = []
    torn.append(TornDown(ACCEPTED, hang_at(torn, "on_accepted")))

    await torn[0].run()

    assert "was accepted: c0de; its observer was cancelled" in errors_in(caplog)[0]
    assert "was accepted: c0de" in warnings_in(caplog)[0]


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, GeneratorExit])
async def test_end_of_the_process_during_a_submit_names_the_campaign(
    end: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing can be awaited any more, so the outcome is only in the log."""

    async def handle(request: httpx.Request) -> httpx.Response:
        raise end

    api = make_api(Scripted(handle))
    attempt = api._attempt(SUBMIT, None, api._call(SUBMIT))
    slot = await attempt.limiter.acquire()
    departure = Departure(slot, is_ours=False)

    with pytest.raises(end):
        await attempt.watch(slot)._send(attempt.exchange(departure), departure)

    assert "may or may not have taken effect" in warnings_in(caplog)[0]


async def test_steps_of_a_foreign_transport_do_not_take_back_that_it_has_the_request() -> None:
    """The steps of a foreign transport are unknown, even if it emits trace events."""
    api = make_api(Scripted())
    attempt = api._attempt(SUBMIT, None, api._call(SUBMIT))
    slot = await attempt.limiter.acquire()
    foreign, ours = Departure(slot, is_ours=False), Departure(slot, is_ours=True)

    for departure in (foreign, ours):
        departure.handing_over()
        departure.connecting()

    assert foreign.may_have_left
    assert not ours.may_have_left
    slot.give_back()


@pytest.mark.parametrize("when", ["before", "in flight", "after"])
@pytest.mark.parametrize("request_", [READ, SUBMIT], ids=str)
async def test_hook_does_not_swallow_a_cancellation(request_: Request[Any], when: str) -> None:
    """Asyncio cancels once; the call is still cancelled, and nothing is sent twice."""
    at: list[asyncio.Task[Any]] = []

    async def handle(request: httpx.Request) -> httpx.Response:
        if when == "in flight":
            at[0].cancel()
            await asyncio.sleep(0.01)
        return await ACCEPTED(request)

    async def swallow() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            at[0].cancel()
            await asyncio.sleep(0)

    async def hook(attempt: ApiAttempt, call_next: CallNext) -> None:
        if when == "before":
            await swallow()
        with contextlib.suppress(asyncio.CancelledError):
            await call_next(attempt)
        if when == "after":
            await swallow()

    transport = Scripted(handle)
    api = make_api(transport, on_attempt=hook)
    at.append(asyncio.create_task(api.call(request_)))
    await asyncio.wait(at)

    assert at[0].cancelled()
    assert len(transport.sent) == 1


async def cancelled_elsewhere(*_: object) -> None:
    """Await a cancelled future, in a task that is not cancelled."""
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


async def test_hook_that_awaits_a_cancelled_task_before_it_sends_fails() -> None:
    """The caller's task, which was not cancelled, gets an error."""

    async def hook(attempt: ApiAttempt, call_next: CallNext) -> None:
        await cancelled_elsewhere()

    transport, observer = Scripted(ACCEPTED), RecordingObserver()
    with pytest.raises(ConfigurationError, match="awaited something that was cancelled"):
        await make_api(transport, on_attempt=hook).call(SUBMIT, observer=observer)
    assert (transport.sent, observer.told) == ([], [])


async def test_hook_that_awaits_a_cancelled_task_after_an_answer_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The result does not change."""

    async def hook(attempt: ApiAttempt, call_next: CallNext) -> None:
        await call_next(attempt)
        await cancelled_elsewhere()

    assert await make_api(Scripted(ACCEPTED), on_attempt=hook).call(SUBMIT) == "c0de"
    assert errors_in(caplog) == ["on_attempt failed after submit_campaign"]


async def test_progress_callback_that_awaits_a_cancelled_task_harms_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged like any failure of the callback."""
    async with connected() as bench:
        lists = [await bench.make_list()]
        await workflows.send_campaign(
            bench.nl, with_lists(CAMPAIGN, lists), progress=cancelled_elsewhere
        )

    assert bench.emulator.submitted == 1
    assert "the progress callback failed at submit" in errors_in(caplog)


async def test_progress_callback_does_not_swallow_a_cancellation() -> None:
    """Asyncio cancels once; still nothing is submitted."""

    async def swallow(event: Event) -> None:
        if event.step == "submit":
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)

    async with connected() as bench:
        campaign = with_lists(CAMPAIGN, [await bench.make_list()])
        task = asyncio.ensure_future(workflows.send_campaign(bench.nl, campaign, progress=swallow))
        await asyncio.wait([task])

    assert task.cancelled()
    assert bench.emulator.submitted == 0


@pytest.mark.parametrize("blocks_before", [0, 1])
async def test_cancellation_of_all_tasks_goes_on_while_a_thread_reads(
    blocks_before: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another error would be repeated, and the upload would go on."""
    path = tmp_path / "members.csv"
    path.write_bytes(bytes(3 << 20))
    body = await open_body(path)
    may_read = threading.Event()
    read = FileBody._read

    def read_slowly(self: FileBody) -> Generator[bytes, None, None]:
        for block, number in zip(read(self), itertools.count(), strict=False):
            if number == blocks_before:
                may_read.wait()
            yield block

    monkeypatch.setattr(FileBody, "_read", read_slowly)

    async def take() -> None:
        async for _ in body.pieces():
            pass

    taking = asyncio.create_task(take())
    await asyncio.sleep(0.05)
    cancel_all_tasks()
    async with asyncio.timeout(5):
        await asyncio.wait([taking])
    may_read.set()

    assert taking.cancelled()


def cancel_all_tasks() -> None:
    """Do what a program does that ends, and `asyncio.run` after an error."""
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


async def test_thread_work_that_never_began_has_ended() -> None:
    """A task that is cancelled before its first step does not even run its ``finally``."""
    work = ThreadWork(lambda: None)
    cancel_all_tasks()

    async with asyncio.timeout(5):
        await work.ended.wait()
