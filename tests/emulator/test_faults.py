"""Faults by name, as a client in process meets them."""

from __future__ import annotations

import httpx
import pytest

from newsleopard_async.emulator import Emulator
from tests.emulator.api import Api, HandClock, make, rows

pytestmark = pytest.mark.anyio

FAULTS = (
    "not_sent",
    "drop_request",
    "lose_reply_to",
    "delay",
    "hang",
    "fail",
    "throttle",
    "cut_body",
    "garbage",
)
LISTS = "/v1/contacts/lists"
INSERT = "/v1/contacts/lists/insert"


@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "fail"])
async def test_what_follows_the_operation_goes_by_name(fault: str) -> None:
    """A number by place might be a duration or a count; only a status is known by its look."""
    emulator, _ = make()

    with pytest.raises(TypeError):
        getattr(emulator, fault)("create_list", 5)


async def test_request_that_is_not_sent_never_arrives() -> None:
    """The connection fails before anything leaves; the next request is fine."""
    emulator, _ = make()
    emulator.not_sent("create_list")
    async with Api(emulator) as api:
        with pytest.raises(httpx.ConnectError) as caught:
            await api.create_list()
        seen = len(emulator.requests)
        await api.create_list()

    assert seen == 0
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)
    assert len(emulator.lists) == 1


async def test_delay_beyond_the_timeout_is_a_read_timeout_after_the_effect() -> None:
    """The client waits as long as it said, and the request was processed."""
    emulator, clock = make()
    emulator.delay("create_list", seconds=4)
    async with Api(emulator) as api:
        with pytest.raises(httpx.ReadTimeout):
            await api.post(INSERT, {"name": "x"}, timeout=3)

    assert (len(emulator.lists), clock.elapsed_s) == (1, 3)


async def test_client_without_timeout_waits_out_a_hang() -> None:
    """A minute of silence ends with a dropped connection."""
    emulator, clock = make()
    emulator.hang("list_lists")
    async with Api(emulator) as api:
        with pytest.raises(httpx.RemoteProtocolError):
            await api.get(LISTS, timeout=None)

    assert clock.elapsed_s == 60


@pytest.mark.parametrize(("processed", "made"), [(False, 0), (True, 1)])
async def test_failure_may_come_before_or_after_the_effect(processed: bool, made: int) -> None:
    """A 5xx says nothing about what was done."""
    emulator, _ = make()
    emulator.fail("create_list", status=503, body=b"<html>", processed=processed)
    async with Api(emulator) as api:
        answer = await api.post(INSERT, {"name": "x"})

    assert (answer.status_code, answer.content) == (503, b"<html>")
    assert len(emulator.lists) == made


async def test_throttled_request_is_refused_with_what_the_test_says() -> None:
    """Text, status and Retry-After are all the test's."""
    emulator, _ = make()
    emulator.throttle("create_list", times=2, message="too many requests", retry_after=7)
    emulator.throttle(status=503)
    async with Api(emulator) as api:
        answers = [await api.post(INSERT, {"name": "x"}) for _ in range(2)]
        other = await api.get(LISTS)

    assert [answer.status_code for answer in answers] == [429, 429]
    assert answers[0].json() == {"message": "too many requests"}
    assert answers[0].headers["retry-after"] == "7"
    assert (other.status_code, other.json()) == (503, {"message": "Limit Exceeded"})
    assert "retry-after" not in other.headers
    assert emulator.lists == ()


async def test_exhausted_day_refuses_everything_until_it_is_over() -> None:
    """Every request is refused for 24 hours."""
    emulator, clock = make()
    emulator.exhaust_day()
    async with Api(emulator) as api:
        refused = [await api.get(path) for path in (LISTS, "/v1/report/campaigns")]
        clock.advance(86_400)
        again = await api.get(LISTS)

    assert [answer.status_code for answer in refused] == [429, 429]
    assert refused[0].json() == {"message": "Limit Exceeded"}
    assert again.status_code == 200


async def test_cut_body_breaks_off_while_it_is_read() -> None:
    """The head announces more than comes."""
    emulator, _ = make()
    emulator.cut_body("list_lists")
    transport = emulator.transport()
    request = httpx.Request("GET", emulator.base_url + LISTS, headers={"x-api-key": "test-key"})

    answer = await transport.handle_async_request(request)
    received: list[bytes] = []
    with pytest.raises(httpx.RemoteProtocolError):
        await _read(answer, into=received)

    assert answer.status_code == 200
    assert 0 < len(b"".join(received)) < int(answer.headers["content-length"])


async def _read(answer: httpx.Response, *, into: list[bytes]) -> None:
    """Gather what arrives before the connection breaks."""
    async for piece in answer.aiter_raw():
        into.append(piece)  # noqa: PERF401  # what came before the exception is wanted


async def test_answer_without_content_can_be_cut_too() -> None:
    """Something is announced, and nothing comes."""
    emulator, _ = make()
    emulator.cut_body("get_import")
    async with Api(emulator) as api:
        with pytest.raises(httpx.RemoteProtocolError):
            await api.get("/v1/contacts/imports/result/x")


async def test_garbage_is_an_unreadable_200() -> None:
    """The request was processed, and the bytes are not JSON."""
    emulator, _ = make()
    emulator.garbage("create_list")
    async with Api(emulator) as api:
        answer = await api.post(INSERT, {"name": "x"})

    assert answer.status_code == 200
    with pytest.raises(ValueError, match="decode"):
        answer.content.decode()
    assert len(emulator.lists) == 1


async def test_faults_happen_first_in_first_out() -> None:
    """Each request takes the next fault of its operation; other operations take none."""
    emulator, _ = make()
    emulator.fail("create_list", status=500)
    emulator.not_sent("create_list")
    emulator.fail("create_list", 502)
    async with Api(emulator) as api:
        other = await api.get(LISTS)
        first = await api.post(INSERT, {"name": "x"})
        with pytest.raises(httpx.ConnectError):
            await api.post(INSERT, {"name": "x"})
        third = await api.post(INSERT, {"name": "x"})
        fourth = await api.post(INSERT, {"name": "x"})

    assert other.status_code == 200
    assert [item.status_code for item in (first, third, fourth)] == [500, 502, 200]


async def test_faults_reach_the_storage_too() -> None:
    """An upload whose reply is lost has arrived, and its repeat is harmless."""
    emulator, clock = make()
    emulator.lose_reply_to("upload")
    async with Api(emulator) as api:
        ticket = (await api.post("/v1/contacts/imports/file", {})).json()
        with pytest.raises(httpx.RemoteProtocolError):
            await api.put(ticket["url"], rows(2).encode())
        again = await api.put(ticket["url"], rows(2).encode())
        clock.advance(60)

    assert again.status_code == 200
    assert len(emulator.contacts) == 2


async def test_download_can_be_cut() -> None:
    """Half a file comes."""
    emulator, clock = make()
    emulator.cut_body("download")
    async with Api(emulator) as api:
        sn = await api.import_text("EMAIL,NAME\nbad,x\n")
        clock.advance(60)
        link = (await api.result(sn))["errorDownloadLink"]
        with pytest.raises(httpx.RemoteProtocolError):
            await api.fetch(link)
        again = await api.fetch(link)

    assert again.status_code == 200


async def test_refusal_for_the_rate_uses_up_no_fault() -> None:
    """A fault waits for a request that passes the gateway."""
    emulator = Emulator(clock=HandClock())
    async with Api(emulator) as api:
        for _ in range(10):
            await api.get(LISTS)
        emulator.fail("list_lists", status=500)
        refused = await api.get(LISTS)
        emulator.clock.advance(1)  # type: ignore[attr-defined]  # a clock held by hand
        failed = await api.get(LISTS)

    assert (refused.status_code, failed.status_code) == (429, 500)


async def test_faults_can_be_forgotten() -> None:
    """A test that changes its mind clears the queues."""
    emulator, _ = make()
    emulator.fail("list_lists", status=500, times=9)
    emulator.clear_faults()
    async with Api(emulator) as api:
        answer = await api.get(LISTS)

    assert answer.status_code == 200


def test_misspelt_operation_is_refused() -> None:
    """A fault that could never happen is a mistake of the test."""
    emulator, _ = make()

    with pytest.raises(ValueError, match="create_list"):
        emulator.not_sent("create_lists")


async def test_pending_faults_are_those_that_have_not_happened() -> None:
    """A test, or the page, reads the faults that will happen: for each operation, in order."""
    emulator, _ = make()
    emulator.fail("create_list", 503, times=2)
    emulator.delay("create_list", seconds=3)
    emulator.throttle()
    async with Api(emulator) as api:
        await api.post("/v1/contacts/lists/insert", {"name": "n"})

    pending = emulator.pending_faults
    emulator.clear_faults()

    assert [(each.operation, each.kind, each.times) for each in pending] == [
        ("create_list", "answer", 1),
        ("create_list", "delay", 1),
        (None, "throttle", 1),
    ]
    assert [each.fault.status for each in pending] == [503, 500, 429]
    assert emulator.pending_faults == ()
