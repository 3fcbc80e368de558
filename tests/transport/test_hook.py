"""A hook around each attempt: it sees and adds, and never repeats, holds or hides a request."""

from __future__ import annotations

import functools
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from unittest import mock

import anyio
import attrs
import httpx
import pytest

from newsleopard_async import (
    ApiAttempt,
    AttemptOutcome,
    ConfigurationError,
    ConnectionFailed,
    InvalidRequest,
    NewsLeopard,
    OutcomeUnknown,
    RetryPolicy,
    Timeouts,
    workflows,
)
from newsleopard_async.emulator import Emulator
from newsleopard_async.models.attempts import CallNext, OnAttempt
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.request import Request
from tests.clients import csv_of
from tests.constants import CAMPAIGN, KEY
from tests.observers import RecordingObserver
from tests.transport.scripted import (
    EXPORT,
    READ,
    SUBMIT,
    THROTTLED,
    Scripted,
    answer,
    errors_in,
    make_api,
    warnings_in,
)

pytestmark = [pytest.mark.anyio, pytest.mark.quick]

ID = {"x-amzn-requestid": "r-1"}
GOOD = answer(200, b'{"sn": "c0de"}', headers=ID)
BOTH = pytest.mark.parametrize("request_", [READ, SUBMIT], ids=str)
QUICK = RetryPolicy(base_s=1e-9)


class Oops(Exception):
    """Something of the user's own."""


@attrs.define
class Seen:
    """A hook that notes what it sees; ``before`` and ``after`` are awaited around the sending."""

    before: Callable[[ApiAttempt], Awaitable[None]] | None = None
    after: Callable[[AttemptOutcome], Awaitable[None]] | None = None
    attempts: list[ApiAttempt] = attrs.field(factory=list)
    outcomes: list[AttemptOutcome] = attrs.field(factory=list)

    async def __call__(self, attempt: ApiAttempt, call_next: CallNext) -> None:
        """Note, send, note."""
        self.attempts.append(attempt)
        if self.before is not None:
            await self.before(attempt)
        self.outcomes.append(await call_next(attempt))
        if self.after is not None:
            await self.after(self.outcomes[-1])


async def oops(_: object) -> None:
    """Raise the user's own."""
    raise Oops


async def forever(_: object) -> None:
    """Never come back."""
    await anyio.sleep_forever()


# What it sees


async def test_hook_sees_each_attempt_and_its_outcome() -> None:
    """Operation, method, path without query, number and wait; status, failure, time, id."""
    clock = ManualClock()

    async def first(request: httpx.Request) -> httpx.Response:
        await clock.sleep(0.5)
        return await answer(503, b"no", headers={**ID, "set-cookie": "a"})(request)

    seen = Seen()
    transport = Scripted(first, httpx.ReadError("x"), httpx.ConnectError("x"), GOOD)
    api = make_api(transport, clock=clock, retry=QUICK, on_attempt=seen)
    await api.call(attrs.evolve(READ, query=(("name", "ann@example.com"),)))

    assert [(each.operation, each.method, each.path) for each in seen.attempts] == [
        ("list_lists", "GET", "/r")
    ] * 4
    assert [each.attempt for each in seen.attempts] == [1, 2, 3, 4]
    assert [(each.status, each.failure) for each in seen.outcomes] == [
        (503, "server_error"),
        (None, "reply_lost"),
        (None, "not_sent"),
        (200, None),
    ]
    assert (seen.outcomes[0].duration_s, seen.outcomes[0].request_id) == (0.5, "r-1")
    assert seen.outcomes[0].headers == ID
    assert KEY not in repr(seen) + repr([each.to_dict() for each in seen.attempts])


@BOTH
async def test_hook_adds_headers(request_: Request[Any]) -> None:
    """To this attempt alone."""

    async def add(attempt: ApiAttempt) -> None:
        if attempt.attempt == 1:
            attempt.headers["traceparent"] = "00-ab-cd-01"

    transport = Scripted(THROTTLED, GOOD)
    await make_api(transport, retry=QUICK, on_attempt=Seen(before=add)).call(request_)

    first, second = transport.sent
    assert first.headers["traceparent"] == "00-ab-cd-01"
    assert first.headers["x-api-key"] == KEY
    assert "traceparent" not in second.headers


async def test_hook_may_pass_on_an_attempt_of_its_own() -> None:
    """With other headers; nothing else of it counts."""

    async def hook(attempt: ApiAttempt, call_next: CallNext) -> None:
        await call_next(attrs.evolve(attempt, method="DELETE", headers={"x-a": "b"}))

    transport = Scripted(GOOD)
    await make_api(transport, on_attempt=hook).call(READ)

    assert (transport.sent[0].method, transport.sent[0].headers["x-a"]) == ("GET", "b")


@pytest.mark.parametrize(
    ("headers", "rules"),
    [
        ({"X-Api-Key": "other"}, ["ours"]),
        ({"Host": "x", "content-length": "1", "Accept-Encoding": "br"}, ["ours"] * 3),
        ({"Cookie": "a=b", "if-match": "*", "user-agent": "x"}, ["ours"] * 3),
        ({"a b": "x", "": "x", 1: "x"}, ["name"] * 3),
        ({"a": "x\r\nb: c", "b": "週", "c": 1, "d": " x", "e": ""}, ["value"] * 5),
        ({"baggage": "x" * 8_186}, ["too-long"]),
    ],
)
@BOTH
async def test_header_that_cannot_be_added_keeps_from_sending(
    headers: Any, rules: list[str], request_: Request[Any]
) -> None:
    """All of them at once, by their names, and no intent is stored."""

    async def add(attempt: ApiAttempt) -> None:
        attempt.headers.update(headers)

    transport, observer = Scripted(GOOD), RecordingObserver()
    api = make_api(transport, on_attempt=Seen(before=add))
    with pytest.raises(InvalidRequest) as caught:
        await api.call(request_, observer=observer)

    assert [each.rule for each in caught.value.problems] == rules
    assert (transport.sent, observer.told) == ([], [])
    assert api.limiter.usage.used == 0


@pytest.mark.parametrize(("given", "field"), [(None, "attempt"), ("headers", "headers")])
async def test_wrong_argument_of_call_next_prevents_sending(given: Any, field: str) -> None:
    """Such as nothing at all, or headers that are none."""

    async def hook(attempt: ApiAttempt, call_next: CallNext) -> None:
        await call_next(given and attrs.evolve(attempt, headers=given))

    with pytest.raises(InvalidRequest) as caught:
        await make_api(Scripted(GOOD), on_attempt=hook).call(READ)

    assert [each.field for each in caught.value.problems] == [field]


async def test_headers_that_are_sent_are_those_that_were_checked() -> None:
    """The hook's own mapping can return other headers at the next read."""

    class Changing(dict[str, str]):
        looks = 0

        def keys(self) -> Any:
            """Give what a copy is made from."""
            self.looks += 1
            return ["x-a" if self.looks == 1 else "x-api-key"]

        def items(self) -> Any:
            """Give the same, in pairs."""
            return [(each, self[each]) for each in self.keys()]

        def __getitem__(self, name: str) -> str:
            return "b"

    async def hook(attempt: ApiAttempt, call_next: CallNext) -> None:
        await call_next(attrs.evolve(attempt, headers=Changing({"x-a": "b"})))

    transport = Scripted(GOOD)
    await make_api(transport, on_attempt=hook).call(READ)

    assert (transport.sent[0].headers["x-a"], transport.sent[0].headers["x-api-key"]) == ("b", KEY)


async def test_headers_that_were_refused_may_be_put_right() -> None:
    """Nothing was sent yet."""

    async def hook(attempt: ApiAttempt, call_next: CallNext) -> None:
        with pytest.raises(InvalidRequest):
            await call_next(attrs.evolve(attempt, headers={"host": "x"}))
        await call_next(attempt)

    transport = Scripted(GOOD)
    await make_api(transport, on_attempt=hook).call(READ)
    assert len(transport.sent) == 1


# What it raises


@BOTH
@pytest.mark.parametrize("error", [Oops, OutcomeUnknown, SystemExit, ExceptionGroup])
async def test_error_before_call_next_is_raised_and_nothing_was_sent(
    error: type[BaseException], request_: Request[Any]
) -> None:
    """That very error, without an intent, and the place in the queue is given back."""
    raised = {
        OutcomeUnknown: lambda: OutcomeUnknown("mine", request="mine"),
        ExceptionGroup: lambda: ExceptionGroup("mine", [Oops()]),
    }.get(error, error)()

    async def fail(_: ApiAttempt) -> None:
        raise raised

    transport, observer = Scripted(GOOD), RecordingObserver()
    api = make_api(transport, on_attempt=Seen(before=fail))
    with pytest.raises(error) as caught:
        await api.call(request_, observer=observer)

    assert caught.value is raised
    assert (transport.sent, observer.told) == ([], [])
    assert api.limiter.usage.used == 0


@pytest.mark.parametrize("error", [Oops, SystemExit])
async def test_error_before_a_retry_is_raised(error: type[BaseException]) -> None:
    """In the place of what the first attempt ended with."""

    async def fail(attempt: ApiAttempt) -> None:
        if attempt.attempt == 2:
            raise error

    transport = Scripted(answer(503))
    with pytest.raises(error):
        await make_api(transport, retry=QUICK, on_attempt=Seen(before=fail)).call(READ)
    assert len(transport.sent) == 1


async def test_export_that_it_kept_back_keeps_its_hour() -> None:
    """The next one goes."""
    hook = Seen(before=oops)
    transport = Scripted(answer(200))
    api = make_api(transport, on_attempt=hook)
    with pytest.raises(Oops):
        await api.call(EXPORT)
    hook.before = None

    await api.call(EXPORT)

    assert len(transport.sent) == 1


@BOTH
async def test_what_it_raises_afterwards_is_logged(
    request_: Request[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The result stands, and nothing is sent again."""
    transport, observer = Scripted(GOOD), RecordingObserver()
    api = make_api(transport, on_attempt=Seen(after=oops))

    given = await api.call(request_, observer=observer)

    assert "c0de" in str(given)
    assert len(transport.sent) == 1
    assert errors_in(caplog) == [f"on_attempt failed after {request_.name}"]
    assert "Oops" in caplog.text


async def test_end_of_the_program_after_an_answer_is_raised(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What the answer said is in the log."""

    async def end(_: AttemptOutcome) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        await make_api(Scripted(GOOD), on_attempt=Seen(after=end)).call(SUBMIT)

    assert "was accepted: c0de (request id r-1)" in warnings_in(caplog)[0]


async def test_refused_result_stands_too() -> None:
    """What it raises after a refusal does not hide the refusal."""
    api = make_api(Scripted(answer(500)), on_attempt=Seen(after=oops))

    with pytest.raises(OutcomeUnknown):
        await api.call(SUBMIT)


async def test_observer_that_keeps_from_sending_is_heard_in_spite_of_it() -> None:
    """The hook can hide the exception of call_next; nevertheless nothing was sent."""

    async def hook(attempt: ApiAttempt, call_next: CallNext) -> None:
        with pytest.raises(Oops):
            await call_next(attempt)

    transport = Scripted(GOOD)
    observer = RecordingObserver(hook=oops)
    with pytest.raises(Oops):
        await make_api(transport, on_attempt=hook).call(SUBMIT, observer=observer)
    assert transport.sent == []


# How often, when and where it sends


@BOTH
async def test_hook_that_sends_nothing_is_a_fault_of_the_set_up(request_: Request[Any]) -> None:
    """Nothing was sent, and the message says so."""

    async def hook(attempt: ApiAttempt, call_next: CallNext) -> None:
        pass

    transport, observer = Scripted(GOOD), RecordingObserver()
    with pytest.raises(ConfigurationError, match=r"did not call call_next; nothing was sent"):
        await make_api(transport, on_attempt=hook).call(request_, observer=observer)
    assert (transport.sent, observer.told) == ([], [])


@BOTH
async def test_second_call_sends_nothing(
    request_: Request[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """It raises, and the result of the first stands."""

    async def hook(attempt: ApiAttempt, call_next: CallNext) -> None:
        await call_next(attempt)
        await call_next(attempt)

    transport = Scripted(GOOD)
    await make_api(transport, on_attempt=hook).call(request_)

    assert len(transport.sent) == 1
    assert errors_in(caplog) == [f"on_attempt failed after {request_.name}"]
    assert "a second time" in caplog.text


@BOTH
async def test_call_in_another_task_sends_nothing(request_: Request[Any]) -> None:
    """No one would wait for the end of that task."""

    async def hook(attempt: ApiAttempt, call_next: CallNext) -> None:
        async def call() -> None:
            with pytest.raises(ConfigurationError, match="another task"):
                await call_next(attempt)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)

    transport = Scripted(GOOD)
    with pytest.raises(ConfigurationError, match="nothing was sent"):
        await make_api(transport, on_attempt=hook).call(request_)
    assert transport.sent == []


async def test_call_after_the_end_sends_nothing() -> None:
    """A task that the hook has left behind comes too late."""
    kept: list[Any] = []

    async def hook(attempt: ApiAttempt, call_next: CallNext) -> None:
        kept.append(functools.partial(call_next, attempt))

    transport = Scripted(GOOD)
    with pytest.raises(ConfigurationError):
        await make_api(transport, on_attempt=hook).call(READ)
    with pytest.raises(ConfigurationError, match="too late"):
        await kept[0]()
    assert transport.sent == []


async def test_hook_that_awaits_a_call_of_the_same_key_is_refused_at_once() -> None:
    """The attempt holds a slot. If all slots were held like this, all would wait for a minute."""
    clock = ManualClock()
    transport = Scripted(GOOD)
    refused: list[Any] = []

    async def hook(attempt: ApiAttempt, call_next: CallNext) -> None:
        with pytest.raises(ConfigurationError, match="of the same key"):
            await other.call(READ)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other.call, READ)
        await call_next(attempt)
        refused.append(attempt.operation)

    other = make_api(transport, clock=clock)
    await make_api(transport, clock=clock, on_attempt=hook).call(SUBMIT)
    await other.call(READ)

    assert refused == ["submit_campaign"]
    assert len(transport.sent) == 3


# How long it takes


@BOTH
async def test_hook_that_hangs_before_is_bounded(request_: Request[Any]) -> None:
    """Nothing was sent, and its connection and its slot are free again."""
    clock = ManualClock()
    transport, observer = Scripted(GOOD), RecordingObserver()
    api = make_api(
        transport, clock=clock, timeouts=Timeouts(submit_s=7), on_attempt=Seen(before=forever)
    )
    with pytest.raises(ConfigurationError, match=r"within 7 s; nothing was sent"):
        await api.call(request_, observer=observer)

    assert (transport.sent, observer.told, clock.monotonic()) == ([], [], 7)


@BOTH
async def test_hook_that_hangs_afterwards_is_bounded(
    request_: Request[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The time of the request itself does not count, and its result stands."""
    clock = ManualClock()

    async def handle(request: httpx.Request) -> httpx.Response:
        await clock.sleep(6)
        return await GOOD(request)

    api = make_api(
        Scripted(handle),
        clock=clock,
        timeouts=Timeouts(submit_s=7),
        on_attempt=Seen(before=lambda _: clock.sleep(6), after=forever),
    )
    await api.call(request_)

    assert clock.monotonic() == 6 + 6 + 7
    assert errors_in(caplog) == [
        f"on_attempt was stopped: after {request_.name} it did not end within 7 s"
    ]


async def test_hook_that_does_not_end_when_its_time_is_over_sends_nothing() -> None:
    """It swallows its end, and is refused."""

    async def hook(attempt: ApiAttempt, call_next: CallNext) -> None:
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            with pytest.raises(ConfigurationError, match="too late"):
                await call_next(attempt)

    transport = Scripted(GOOD)
    with pytest.raises(ConfigurationError, match="within 60 s"):
        await make_api(transport, on_attempt=hook).call(SUBMIT)
    assert transport.sent == []


# Cancellations


@BOTH
@pytest.mark.parametrize("swallows", [False, True])
async def test_cancelled_before_it_sends(request_: Request[Any], swallows: bool) -> None:
    """Nothing was sent; a hook cannot swallow it."""
    clock = ManualClock()

    async def hook(attempt: ApiAttempt, call_next: CallNext) -> None:
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            if not swallows:
                raise

    transport, observer = Scripted(GOOD), RecordingObserver()
    api = make_api(transport, clock=clock, on_attempt=hook)
    with clock.deadline(5) as scope:
        await api.call(request_, observer=observer)

    assert scope.cancelled_caught
    assert (transport.sent, observer.told, api.limiter.usage.used) == ([], [], 0)


@pytest.mark.parametrize("swallows", [False, True])
async def test_observer_gets_the_outcome_of_a_cancelled_request(
    swallows: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A request that must not be repeated runs to its answer, whichever way the hook ends."""
    clock = ManualClock()

    async def handle(request: httpx.Request) -> httpx.Response:
        await clock.sleep(20)
        return await GOOD(request)

    async def hook(attempt: ApiAttempt, call_next: CallNext) -> None:
        try:
            await call_next(attempt)
        except anyio.get_cancelled_exc_class():
            if not swallows:
                raise

    transport, observer = Scripted(handle), RecordingObserver()
    with clock.deadline(5) as scope:
        await make_api(transport, clock=clock, on_attempt=hook).call(SUBMIT, observer=observer)

    assert scope.cancelled_caught
    assert observer.told == ["on_sending", "on_accepted c0de"]
    assert len(warnings_in(caplog)) == len(transport.sent) == 1
    assert "was cancelled after it was sent, and was accepted: c0de" in warnings_in(caplog)[0]


@BOTH
async def test_cancelled_after_the_answer(
    request_: Request[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The caller will not see the result, so the log contains it."""
    clock = ManualClock()
    api = make_api(Scripted(GOOD), clock=clock, on_attempt=Seen(after=forever))

    with clock.deadline(5) as scope:
        await api.call(request_)

    assert scope.cancelled_caught
    assert bool(warnings_in(caplog)) is (request_ is SUBMIT)


async def test_hook_that_does_not_wait_for_a_read_has_it_repeated() -> None:
    """It counts as a lost reply."""
    clock = ManualClock()

    slow_ones = [1, 3, 4, 5, 6, 7]

    async def handle(request: httpx.Request) -> httpx.Response:
        await clock.sleep(20 if len(transport.sent) in slow_ones else 0)
        return await GOOD(request)

    async def hook(attempt: ApiAttempt, call_next: CallNext) -> None:
        with clock.deadline(5):
            await call_next(attempt)

    transport = Scripted(handle)
    api = make_api(transport, clock=clock, retry=QUICK, on_attempt=hook)
    request: Request[Any] = READ
    assert "c0de" in str(await api.call(request))
    assert len(transport.sent) == 2

    with pytest.raises(ConnectionFailed, match="on_attempt did not wait"):
        await api.call(READ)


async def test_hook_that_does_not_wait_for_a_submit_changes_nothing() -> None:
    """It runs to its answer, which is what counts."""
    clock = ManualClock()

    async def handle(request: httpx.Request) -> httpx.Response:
        await clock.sleep(20)
        return await GOOD(request)

    async def hook(attempt: ApiAttempt, call_next: CallNext) -> None:
        with clock.deadline(5):
            await call_next(attempt)

    transport = Scripted(handle)
    given = await make_api(transport, clock=clock, on_attempt=hook).call(SUBMIT)

    assert (given, len(transport.sent)) == ("c0de", 1)


# In a client

OPERATIONS = ["create_list", "import_text", "get_import", "submit_campaign"]


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_pipeline_that_it_stops_goes_on(operation: str, tmp_path: Path) -> None:
    """Its own error comes out; no campaign is in doubt, and the next run sends it once."""
    clock = ManualClock()
    emulator = Emulator(api_keys=(KEY,), clock=clock)
    store = tmp_path / "send.json"

    async def fail(attempt: ApiAttempt) -> None:
        if attempt.operation == operation:
            raise Oops

    async def send(hook: Seen) -> None:
        async with NewsLeopard(
            KEY, http_transport=emulator.transport(), clock=clock, on_attempt=hook
        ) as nl:
            await workflows.send_campaign(
                nl, CAMPAIGN, contacts=csv_of(3), list_name="會員", checkpoint=store
            )

    with pytest.raises(Oops):
        await send(Seen(before=fail))
    kept = json.loads(store.read_text())["records"] if store.exists() else {}
    hook = Seen()
    await send(hook)

    in_doubt = {name for name, record in kept.items() if record["state"] == "intent"}
    assert in_doubt <= {"import_text"}  # which may be repeated
    assert len(emulator.lists) == emulator.submitted == 1
    assert "upload" not in {each.operation for each in hook.attempts}


async def _of_one(attempt: ApiAttempt) -> None:
    """Take no ``call_next``."""


@pytest.mark.parametrize(
    "given", [lambda a, b: b(a), 1, Seen, mock.Mock(), functools.partial(print), _of_one]
)
async def test_wrong_hook_is_refused_at_construction(given: Any) -> None:
    """The message shows what one looks like."""
    with pytest.raises(ConfigurationError, match="async def on_attempt"):
        NewsLeopard(KEY, on_attempt=given)


async def test_every_kind_of_async_function_is_a_hook() -> None:
    """A function, a method, an object, one with arguments filled in, and a mock."""

    async def with_more(more: str, attempt: ApiAttempt, call_next: CallNext) -> None:
        await call_next(attempt)

    hooks: list[OnAttempt] = [
        Seen(),
        Seen().__call__,
        functools.partial(with_more, "more"),
        mock.AsyncMock(side_effect=functools.partial(with_more, "more")),
    ]
    for hook in hooks:
        transport = Scripted(GOOD)
        async with NewsLeopard(KEY, http_transport=transport, on_attempt=hook) as nl:
            await nl.with_options(timeouts=Timeouts()).contacts.list_lists()
        assert len(transport.sent) == 1
