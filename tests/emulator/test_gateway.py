"""What is checked before anything else: the key, the rate, the route."""

from __future__ import annotations

import httpx
import pytest

from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.platform.gateway import LATER_PATHS, RequestRecord
from newsleopard_async.emulator.platform.storage import STORAGE_PREFIX
from tests.emulator.api import BODY, Api, HandClock, make

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize(
    ("key", "status"), [("any", 200), ("another", 200), (None, 403), ("", 403), (" ", 403)]
)
async def test_emulator_without_keys_takes_any(key: str | None, status: int) -> None:
    """A request without a key is refused as ever."""
    emulator = Emulator(api_keys=None, clock=HandClock())

    async with Api(emulator, key=key) as api:
        answer = await api.get("/v1/contacts/lists")

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/contacts/lists", "x-amzn-requestid"),
        ("/nowhere", "x-amzn-requestid"),
        (f"{STORAGE_PREFIX}no.csv", "x-amz-request-id"),
    ],
)
async def test_every_answer_bears_the_id_of_its_request(path: str, name: str) -> None:
    """A refusal has one too; all ids differ, the log has them, and the seed decides them."""
    emulators = [Emulator(clock=HandClock(), seed=7) for _ in range(2)]

    answers = []
    for emulator in emulators:
        async with Api(emulator) as api:
            answers.append([(await api.get(path)).headers[name] for _ in range(2)])

    assert answers[0] == answers[1]
    assert answers[0] == [each.request_id for each in emulators[0].requests]
    assert len(set(answers[0])) == 2


async def test_listener_is_told_of_each_request_once_it_has_ended() -> None:
    """It is told of answers, refusals, faults and unknown paths, with how long each took."""
    emulator = Emulator(clock=HandClock())
    told: list[tuple[str, int | None, str | None]] = []
    emulator.listeners.add(lambda each: told.append((each.operation, each.status, each.fault)))
    emulator.lose_reply_to("create_list")
    emulator.drop_request("list_lists")

    async with Api(emulator) as api:
        with pytest.raises(httpx.RemoteProtocolError):
            await api.create_list()
        with pytest.raises(httpx.ReadError):
            await api.get("/v1/contacts/lists")
        await api.get("/v1/contacts/lists")
        await api.get("/nowhere")
        await api.fetch(f"{emulator.storage_url}{STORAGE_PREFIX}x.csv")

    assert told == [
        ("create_list", None, "lose_reply"),
        ("list_lists", None, "drop_request"),
        ("list_lists", 200, None),
        ("unknown", 404, None),
        ("download", 403, None),
    ]
    assert all(each.duration_ms is not None for each in emulator.requests)


async def test_listener_that_fails_breaks_no_request(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, the others are told, and the answer is the platform's."""
    emulator = Emulator(clock=HandClock())
    told: list[RequestRecord] = []

    def fail(record: RequestRecord) -> None:
        raise RuntimeError("mine")

    with emulator.listeners.including(fail), emulator.listeners.including(told.append):
        async with Api(emulator) as api:
            answer = await api.get("/v1/contacts/lists")
    async with Api(emulator) as api:
        await api.get("/v1/contacts/lists")

    assert answer.status_code == 200
    assert told == [emulator.requests[0]]
    assert "A listener of requests failed" in caplog.text


async def test_eleventh_request_within_a_second_is_refused_without_counting() -> None:
    """Ten requests fit any sliding second; one slot frees as the first of them grows old."""
    clock = HandClock()
    async with Api(Emulator(clock=clock)) as api:
        first = await api.get("/v1/contacts/lists")
        clock.advance(0.5)
        statuses = [(await api.get("/v1/contacts/lists")).status_code for _ in range(10)]
        clock.advance(0.5)
        later = [(await api.get("/v1/contacts/lists")).status_code for _ in range(2)]

    assert first.status_code == 200
    assert statuses == [200] * 9 + [429]
    assert later == [200, 429]


async def test_keys_have_limits_of_their_own() -> None:
    """What one key sends does not count against another."""
    emulator = Emulator(api_keys=("a", "b"), clock=HandClock())
    async with Api(emulator, key="a") as one, Api(emulator, key="b") as other:
        for _ in range(10):
            await one.get("/v1/contacts/lists")
        answer = await other.get("/v1/contacts/lists")

    assert answer.status_code == 200


LATER = "/v1/campaign/normal/" + "0" * 32


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/balance", None),
        ("GET", LATER, None),
        ("PATCH", LATER, None),
        ("DELETE", "/v1/campaign/normal", None),
        ("POST", "/v1/campaign/testing/once", None),
        ("POST", "/v1/report/campaigns/metrics", None),
        ("DELETE", "/v1/contacts/" + "0" * 32, None),
        ("GET", "/v1/campaign/normal/submit", "POST"),
        ("PATCH", "/v1/campaign/normal/submit", "POST"),
        ("DELETE", "/v1/contacts/lists", "GET"),
    ],
)
async def test_later_endpoint_is_hidden_unless_it_is_switched_on(
    method: str, path: str, allowed: str | None
) -> None:
    """Without ``later_endpoints`` a request to one is 404, or 405 with the known methods (T18)."""
    emulator, _ = make()
    async with Api(emulator) as api:
        answer = await api.request(method, path)

    wanted = (404, None) if allowed is None else (405, allowed)
    assert (answer.status_code, answer.headers.get("allow"), answer.content) == (*wanted, b"")
    assert emulator.requests[0].operation in {name for _, _, name in LATER_PATHS}


async def test_balance_falls_when_a_campaign_is_accepted() -> None:
    """``GET /v1/balance`` has the mails left, in the form of a count, and no SMS (T135)."""
    emulator, _ = make(later_endpoints=True)
    async with Api(emulator) as api:
        before = (await api.get("/v1/balance")).json()
        await api.submit(BODY, await api.filled_list(3))
        emulator.switch(count_form="text")
        after = (await api.get("/v1/balance")).json()
        emulator.balance = -1
        least = (await api.get("/v1/balance")).json()

    assert before == {"email": 1_000_000, "sms": 0}
    assert after == {"email": "999997", "sms": "0"}
    assert least["email"] == "0"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/contacts/lists/",
        "/v1//contacts/lists",
        "//v1/contacts/lists",
        "/v1/contacts/imports//file",
        "/v1/contacts/imports/a%2Fb/file",
        "/v1/balance",
        "/v1/templates",
    ],
)
async def test_unknown_route_is_404_without_content(path: str) -> None:
    """Slashes are never collapsed, and the later endpoints are hidden (T12, T18)."""
    emulator, _ = make()
    async with Api(emulator) as api:
        answer = await api.post(emulator.base_url + path, {})

    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/v1/contacts/lists"),
        ("POST", "/v1/report/campaigns"),
        ("GET", "/v1/campaign/normal/submit"),
        ("HEAD", "/v1/contacts/lists"),
        ("PUT", "/v1/contacts/imports/text"),
    ],
)
async def test_wrong_method_is_405_without_content(method: str, path: str) -> None:
    """A known path with another method says which would do."""
    emulator, _ = make()
    async with Api(emulator) as api:
        answer = await api.request(method, path)

    assert (answer.status_code, answer.content) == (405, b"")
    assert answer.headers["allow"] in {"GET", "POST"}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"1", b"\xff", b'{"name": NaN}', b"[" * 100_000]
)
async def test_unreadable_body_is_a_field_error(body: bytes) -> None:
    """Malformed JSON, or JSON that is not an object, gets 40001 instead of a server error."""
    emulator, _ = make()
    async with Api(emulator) as api:
        answer = await api.post("/v1/contacts/lists/insert", content=body)

    assert answer.status_code == 400
    assert answer.json() == {"code": "40001", "invalidFields": {"body": ["NotReadable"]}}


async def test_lone_surrogate_is_no_text_and_an_escaped_pair_is() -> None:
    """Half a character could never be written back; a whole one comes back as itself."""
    emulator, _ = make()
    async with Api(emulator) as api:
        path = "/v1/contacts/lists/insert"
        half = await api.post(path, content=rb'{"name": "\ud83d"}')
        whole = await api.post(path, content=rb'{"name": "\ud83d\ude00"}')
        lists = (await api.get("/v1/contacts/lists")).json()["Lists"]

    assert (half.status_code, whole.status_code) == (400, 200)
    assert [item["name"] for item in lists] == ["\N{GRINNING FACE}"]


async def test_log_knows_every_request_but_not_the_key() -> None:
    """Method, path, query, body, status and time are kept; the key is not."""
    emulator, clock = make()
    clock.advance(5)
    async with Api(emulator) as api:
        await api.post("/v1/contacts/lists/insert", {"name": "一"})
        await api.get("/v1/contacts/lists", params={"page": "3"})

    first, second = emulator.requests
    assert (first.operation, first.method, first.status) == ("create_list", "POST", 200)
    assert first.json == {"name": "一"}
    assert first.at == clock.now()
    assert (second.operation, second.query) == ("list_lists", "page=3")
    assert emulator.count("list_lists") == 1
    assert "test-key" not in repr(emulator.requests)


async def test_log_keeps_the_last_requests_and_counts_them_all() -> None:
    """A server that runs for weeks does not grow: 10,000 requests, 64 KB of each body."""
    emulator, clock = make()
    record = RequestRecord(
        operation="list_lists", method="GET", path="/", query="", at=clock.now(), at_s=0, headers={}
    )
    for _ in range(10_000):
        emulator._account.log.add(record)
    body = {"name": "x" * 70_000}
    async with Api(emulator) as api:
        long = await api.post("/v1/contacts/lists/insert", body)

    last = emulator.requests[-1]
    assert long.status_code == 200
    assert len(emulator.requests) == 10_000
    assert (emulator.count("list_lists"), emulator.count("create_list")) == (10_000, 1)
    assert (len(last.body), last.body_bytes) == (65_536, 70_011)
    with pytest.raises(ValueError, match=r"first 65,536 bytes .* had 70,011"):
        _ = last.json


async def test_unknown_profile_is_refused() -> None:
    """A misspelt profile does not silently become the default."""
    with pytest.raises(ValueError, match="vendor-2026"):
        Emulator(profile="vendor")  # type: ignore[arg-type]  # the subject of the test
