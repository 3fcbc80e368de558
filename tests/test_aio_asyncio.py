"""A submit in flight against asyncio's own ways to cancel, which pass any scope of anyio."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from newsleopard_async.aio import in_thread, run_to_completion
from tests.observers import RecordingObserver
from tests.transport.scripted import SUBMIT, Scripted, json_answer, make_api, warnings_in

pytestmark = pytest.mark.asyncio

ACCEPTED = json_answer(200, {"sn": "c0de"})


class Pestered:
    """A submit on asyncio whose answer comes only once its caller was cancelled."""

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
        """Submit from whatever task this runs in."""
        self.caller = asyncio.current_task()
        return await self.api.call(SUBMIT, observer=self.observer)

    async def cancel(self) -> None:
        """Cancel the caller, as often as it takes."""
        assert self.caller is not None
        for _ in range(self.times):
            self.caller.cancel()
            await asyncio.sleep(0)

    def check(self, caplog: pytest.LogCaptureFixture) -> None:
        """Assert that the request ran to its answer once, and that no task is left."""
        assert len(self.transport.sent) == 1
        assert self.observer.told == ["on_sending", "on_accepted c0de"]
        assert [said for said in warnings_in(caplog) if "c0de" in said] == warnings_in(caplog)
        assert len(warnings_in(caplog)) == 1
        assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_cancelled_task_lands_first(times: int, caplog: pytest.LogCaptureFixture) -> None:
    """Asyncio cancels the task itself, past any scope of anyio, and may do so again."""
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
    """asyncio.wait_for is no other case; an hour passes once the request has left."""
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
    """Asyncio cancels once: were that lost, no timeout would fire for who handles the error."""
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


async def test_debug_mode_shows_nothing_of_what_a_thread_gave(
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
