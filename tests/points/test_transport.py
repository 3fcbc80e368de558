"""Transport, key and limits: T01 to T18."""

from __future__ import annotations

import inspect
import itertools
import json
import logging
import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import jsonschema
import pytest

from newsleopard_async import (
    APIError,
    AuthenticationError,
    CampaignNotReportable,
    CampaignSn,
    ConfigurationError,
    ConnectionFailed,
    DailyQuotaExhausted,
    DeadlineExceeded,
    ImportSn,
    InvalidRequest,
    ListSn,
    NewsLeopard,
    NewsLeopardError,
    NotOffered,
    OutcomeUnknown,
    Polling,
    RateLimited,
    RateLimits,
    RetryPolicy,
    ServerError,
    UnexpectedResponse,
    UploadTicket,
    workflows,
)
from newsleopard_async.emulator import Emulator, Switches
from newsleopard_async.testing import ManualClock
from tests.clients import Reply, connected, csv_of, scripted
from tests.constants import KEY
from tests.emulator.api import BODY, Api, HandClock, make, rows
from tests.openapi import openapi
from tests.points.cells import point, read
from tests.points.means import (
    CSV,
    SN,
    Call,
    create_list,
    error_of,
    export,
    get_import,
    get_links,
    import_text,
    list_lists,
    platform,
    result_of,
    start_file_import,
    submit,
    switched,
)
from tests.transport.scripted import Scripted, answer, json_answer

FORBIDDEN = {"message": "Forbidden"}


INVALID_STATE = {"code": "40303", "message": "bad operation with invalid user state"}


FIREWALL = b"<html>Request blocked by the firewall</html>"


def schema_of(operation: str) -> Any:
    """Return the schema of an operation's answer with status 200, with what it refers to."""
    for item in openapi()["paths"].values():
        for described in item.values():
            if isinstance(described, dict) and described.get("operationId") == operation:
                found = described["responses"]["200"]
                if "$ref" in found:
                    found = openapi()["components"]["responses"][found["$ref"].rpartition("/")[2]]
                schema = found["content"]["application/json"]["schema"]
                return {**schema, "components": openapi()["components"]}
    raise KeyError(operation)


@point
@pytest.mark.parametrize(
    ("call", "status", "content", "kind"),
    [
        (list_lists, 403, FORBIDDEN, AuthenticationError),
        (submit, 403, FORBIDDEN, AuthenticationError),
        (list_lists, 403, b"", AuthenticationError),
        (submit, 403, b"", OutcomeUnknown),
        (list_lists, 403, FIREWALL, UnexpectedResponse),
        (list_lists, 401, FIREWALL, UnexpectedResponse),
        (submit, 403, FIREWALL, OutcomeUnknown),
    ],
)
async def test_t01_client(call: Call, status: int, content: Any, kind: type) -> None:
    """Exactly the documented body is about the key, which is trimmed, shown nowhere, tried once."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    transport = Scripted(answer(status, body))
    async with NewsLeopard(f" {KEY}\n", http_transport=transport, clock=ManualClock()) as nl:
        with pytest.raises(NewsLeopardError) as caught:
            await call(nl)

    assert type(caught.value) is kind
    assert KEY not in f"{caught.value}{caught.value!r}"
    assert [each.headers["x-api-key"] for each in transport.sent] == [KEY]


@point
@pytest.mark.parametrize("key", ["Test-Key", None, ""])
async def test_t01_emulator(key: str | None) -> None:
    """The key is checked before route, method and body, and refused with the documented body."""
    emulator, _ = make()
    async with Api(emulator, key=key) as api:
        answers = [
            await api.get("/v1/contacts/lists"),
            await api.get("/nowhere"),
            await api.request("DELETE", "/v1/contacts/lists"),
            await api.post("/v1/campaign/normal/submit", content=b"{"),
        ]

    expected = (403, b'{"message":"Forbidden"}')
    assert [(each.status_code, each.content) for each in answers] == [expected] * 4


@point
async def test_t02_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key comes from an argument or the environment; no test mode exists."""
    with pytest.raises(ConfigurationError):
        NewsLeopard()
    used = []
    for name in ("NL_EDM_API_KEY", "NEWSLEOPARD_API_KEY"):
        monkeypatch.setenv(name, f"from-{name}")
        transport = Scripted(json_answer(200, {"Lists": []}))
        async with NewsLeopard(http_transport=transport, clock=ManualClock()) as nl:
            await nl.contacts.list_lists()
        used.append(transport.sent[0].headers["x-api-key"])
        assert urlsplit(transport.sent[0].url).hostname == "api.newsleopard.com"

    assert used == ["from-NL_EDM_API_KEY", "from-NEWSLEOPARD_API_KEY"]
    assert not [name for name in inspect.signature(NewsLeopard).parameters if "test" in name]


@point
async def test_t02_emulator() -> None:
    """The keys that it was given are accepted, and no other host can be reached."""
    emulator = Emulator(api_keys=("one", "two"), clock=HandClock())
    for key, status in (("one", 200), ("two", 200), ("three", 403)):
        async with Api(emulator, key=key) as api:
            assert (await api.get("/v1/contacts/lists")).status_code == status
            with pytest.raises(httpx.ConnectError):
                await api.get("https://app.newsleopard.com/v1/contacts/lists")


@point
async def test_t03_client() -> None:
    """Of two refusals with 403 the code decides."""
    campaign = await error_of(get_links, INVALID_STATE, 403)
    key = await error_of(get_links, FORBIDDEN, 403)

    assert (type(campaign), type(key)) == (CampaignNotReportable, AuthenticationError)
    assert isinstance(campaign, APIError)
    assert (campaign.status, campaign.code) == (403, 40303)


@point
async def test_t03_emulator() -> None:
    """Both bodies share status 403."""
    emulator, _ = make()
    answers = []
    for key in ("test-key", "other"):
        async with Api(emulator, key=key) as api:
            answers.append(await api.get(f"/v1/report/{SN}/link"))

    assert [each.status_code for each in answers] == [403, 403]
    assert [each.json() for each in answers] == [INVALID_STATE, FORBIDDEN]


@point
async def test_t04_client() -> None:
    """40303 is not retried; a pipeline ends with it if the export is refused, not the links."""
    async with connected() as bench:
        for call in (get_links, export):
            with pytest.raises(CampaignNotReportable) as caught:
                await call(bench.nl)
            assert (caught.value.status, caught.value.code) == (403, 40303)
        assert (bench.emulator.count("get_links"), bench.emulator.count("export_report")) == (1, 1)
        with pytest.raises(CampaignNotReportable):
            await workflows.export_report(bench.nl, CampaignSn(SN))
    async with switched(links_before_report="refused") as bench:
        report = await workflows.export_report(bench.nl, await bench.send())
        assert report.available


@point
async def test_t04_emulator() -> None:
    """It answers for an unknown campaign, and by switches for one that is not complete or ready."""
    async with platform() as (api, clock):
        sn = (await api.submit(BODY, await api.filled_list(1))).json()["sn"]
        path = f"/v1/report/{sn}/link"
        unknown = [
            await api.get(f"/v1/report/{SN}/link"),
            await api.post(f"/v1/report/{SN}/export", {}),
        ]
        statuses = [(await api.get(path)).status_code]
        api.emulator.switch(unfinished_is_40303=True)
        statuses.append((await api.get(path)).status_code)
        clock.advance(60)
        statuses.append((await api.get(path)).status_code)
        api.emulator.switch(links_before_report="refused")
        statuses.append((await api.get(path)).status_code)
        assert (await api.post(f"/v1/report/{sn}/export", {})).status_code == 200

    assert [(each.status_code, each.json()) for each in unknown] == [(403, INVALID_STATE)] * 2
    assert statuses == [200, 403, 200, 403]


@point
async def test_t05_client(caplog: pytest.LogCaptureFixture) -> None:
    """The documented limits are kept; if the platform refuses earlier, the client slows down."""
    caplog.set_level(logging.WARNING, "newsleopard_async")
    times = {}
    for limit in (10, 2):
        async with switched(requests_per_s=limit) as bench:
            began_s = bench.clock.monotonic()
            for _ in range(21):
                await bench.nl.contacts.list_lists()
            times[limit] = bench.clock.monotonic() - began_s
            refused = [each for each in bench.emulator.requests if each.status == 429]
        assert bool(refused) is bool(caplog.records) is (limit == 2)

    assert 2 <= times[10] < 4
    assert times[2] >= 9
    assert RateLimits.documented().windows == ((10, 1), (10_000, 86_400))
    assert RateLimits.vendor_2026().windows == ((2, 1), (300_000, 86_400))


@point
async def test_t05_emulator() -> None:
    """The profile has its limits, of which that of the second is tried here."""
    profiles: list[tuple[Any, int, int, str]] = [
        ("documented", 10, 10_000, "Limit Exceeded"),
        ("vendor-2026", 2, 300_000, "too many requests"),
    ]
    for profile, per_s, per_day, message in profiles:
        emulator = Emulator(clock=HandClock(), profile=profile)
        async with Api(emulator) as api:
            answers = [await api.get("/v1/contacts/lists") for _ in range(per_s + 1)]
        assert [each.status_code for each in answers] == [200] * per_s + [429]
        assert answers[-1].json() == {"message": message}
        assert emulator.switches.requests_per_day == per_day


@point
async def test_t06_client() -> None:
    """A refusal for the rate is known by status or text, waited out, and at last the day's end."""
    for content, status in (
        (b"", 429),
        ({"message": "Limit Exceeded"}, 403),
        ({"message": "too many requests"}, 500),
    ):
        assert type(await error_of(list_lists, content, status)) is RateLimited
    assert type(await error_of(list_lists, {"message": "Limit Exceeded"})) is UnexpectedResponse
    moved = await error_of(list_lists, {"message": "Limit Exceeded"}, 302)
    assert type(moved) is UnexpectedResponse

    async with switched() as bench:
        bench.emulator.throttle("list_lists", times=3)
        await bench.nl.contacts.list_lists()
        waited = bench.clock.monotonic()
        bench.emulator.throttle("list_lists", retry_after=20)
        await bench.nl.contacts.list_lists()
        assert bench.emulator.count("list_lists") == 6
        assert bench.clock.monotonic() - waited >= 20 > waited > 0
        bench.emulator.throttle("list_lists", retry_after=100_000)
        with pytest.raises(RateLimited):
            await bench.nl.contacts.list_lists()
        with pytest.raises(RateLimited) as held:
            await bench.nl.contacts.create_list("會員")
        assert held.value.retry_after_s <= 300

    async with switched() as bench:
        bench.emulator.exhaust_day()
        patient = bench.nl.with_options(retry=RetryPolicy(max_attempts=99, max_total_s=900))
        with pytest.raises(DailyQuotaExhausted) as caught:
            await patient.contacts.list_lists()
        assert 120 <= bench.clock.monotonic() <= 300
        assert caught.value.resets_at > bench.clock.now()


@point
async def test_t06_emulator() -> None:
    """It is 429 with the documented body and no Retry-After; three switches change that."""
    message = {"second_limit_message": "too many requests", "limit_status": 503}
    for switches, expected in (
        ({"requests_per_s": 1}, (429, "Limit Exceeded")),
        ({"requests_per_day": 1}, (429, "Limit Exceeded")),
        ({"requests_per_s": 1, **message}, (503, "too many requests")),
        ({"requests_per_day": 1, "day_limit_message": "day"}, (429, "day")),
    ):
        async with platform(**switches) as (api, _):
            await api.get("/v1/contacts/lists")
            answer = await api.get("/v1/contacts/lists")
        assert (answer.status_code, answer.json()["message"]) == expected
        assert "retry-after" not in answer.headers


@point
async def test_t07_client() -> None:
    """Every attempt counts, by day in UTC; some stay in hand; the count outlives the client."""
    emulator, clock = Emulator(api_keys=(KEY,), clock=ManualClock()), ManualClock()
    left = []
    for _ in range(2):
        async with NewsLeopard(KEY, http_transport=emulator.transport(), clock=clock) as nl:
            emulator.drop_request("list_lists")
            await nl.contacts.list_lists()
            left.append((nl.usage.used, nl.usage.remaining))
            midnight = nl.usage.resets_at

    assert left == [(2, 10_000 - 50 - 2), (4, 10_000 - 50 - 4)]
    assert (midnight.hour, midnight - clock.now() < timedelta(days=1)) == (0, True)
    await clock.sleep((midnight - clock.now()).total_seconds() + 1)
    async with NewsLeopard(KEY, http_transport=emulator.transport(), clock=clock) as nl:
        assert nl.usage.used == 0


@point
async def test_t07_emulator() -> None:
    """A day is any 24 hours of one key, and a refused request does not count."""
    clock = HandClock()
    switches = Switches(requests_per_s=None, requests_per_day=2)
    emulator = Emulator(api_keys=("one", "two"), clock=clock, switches=switches)
    async with Api(emulator, key="one") as one, Api(emulator, key="two") as two:

        async def statuses(api: Api, count: int) -> list[int]:
            return [(await api.get("/v1/contacts/lists")).status_code for _ in range(count)]

        assert await statuses(one, 1) == [200]
        clock.advance(43_200)
        assert await statuses(one, 3) == [200, 429, 429]
        assert await statuses(two, 1) == [200]
        clock.advance(43_199)
        assert await statuses(one, 1) == [429]
        clock.advance(1)
        assert await statuses(one, 2) == [200, 429]


@point
async def test_t08_client() -> None:
    """An import is polled after 5 s, then ever more slowly up to 60 s, for an hour at most."""
    async with connected() as bench:
        bench.emulator.stick_import()
        import_sn = await bench.nl.contacts.import_text(CSV)
        began_s = bench.clock.monotonic()
        with pytest.raises(DeadlineExceeded):
            await workflows.wait_for_import(bench.nl, import_sn)
        took_s = bench.clock.monotonic() - began_s

    polls = [each.at_s for each in bench.emulator.requests if each.operation == "get_import"]
    gaps = [later - earlier for earlier, later in itertools.pairwise(polls)]
    assert 4.5 <= gaps[0] <= 5.5
    assert gaps[0] < gaps[2] < gaps[5]
    assert max(gaps) <= 66
    assert 3_600 <= took_s <= 3_605
    assert (Polling().first_s, Polling().max_s, Polling().deadline_s) == (5, 60, 3_600)


@point
@pytest.mark.parametrize(
    ("switches", "count", "seconds"),
    [({"import_base_s": 1, "import_rows_per_s": 10}, 20, 3), ({}, 10, 8.002), ({}, 5_000, 9)],
)
async def test_t08_emulator(switches: dict[str, Any], count: int, seconds: float) -> None:
    """An import takes 8 s and a second for each 5,000 rows, or what the switches say."""
    async with platform(**switches) as (api, clock):
        sn = await api.import_text(rows(count))
        clock.advance(seconds - 0.2)
        early = (await api.result(sn))["status"]
        clock.advance(0.4)
        late = (await api.result(sn))["status"]

    assert (early, late) == ("PROCESSING", "COMPLETE")


@point
async def test_t09_client() -> None:
    """The key goes to the API only; URLs of plain http, with a user, or of this machine do not."""
    async with connected() as bench:
        ticket = await bench.nl.contacts.start_file_import()
        await bench.nl.contacts.upload(ticket, CSV.encode())
    [upload] = [each for each in bench.emulator.requests if each.operation == "upload"]
    assert upload.headers.keys() == {"host", "content-length"}
    assert bench.emulator.leaked_keys == ()

    for url in (
        "http://storage.example/x",
        "https://me:secret@storage.example/x",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://[::1]/x",
        "https://2130706433/x",
        "https://169.254.169.254/latest/meta-data",
    ):
        error = await error_of(start_file_import, {"import_sn": "a", "url": url})
        assert type(error) is UnexpectedResponse
    for status in (301, 302, 307, 308):
        moved = Scripted(json_answer(status, {}))
        async with NewsLeopard(KEY, http_transport=moved, clock=ManualClock()) as nl:
            with pytest.raises(UnexpectedResponse):
                await nl.contacts.list_lists()
        assert len(moved.sent) == 1

    for base_url, allow_http in (("http://emulator:8025", True), ("http://127.0.0.1:8025", False)):
        ticket_at = {"import_sn": "a", "url": f"{base_url}/_storage/x"}
        async with NewsLeopard(
            KEY,
            base_url=base_url,
            allow_http=allow_http,
            http_transport=Scripted(json_answer(200, ticket_at)),
            clock=ManualClock(),
        ) as nl:
            assert isinstance(await nl.contacts.start_file_import(), UploadTicket)


@point
async def test_t09_emulator() -> None:
    """The storage refuses and records a request that carries the key."""
    async with platform() as (api, _):
        ticket = (await api.post("/v1/contacts/imports/file", {})).json()
        answer = await api.put(ticket["url"], CSV, headers={"x-api-key": "test-key"})
        assert answer.status_code == 400
        assert api.emulator.imports[0].blob is None

    assert api.emulator.leaked_keys == ("test-key",)


@point
async def test_t10_client() -> None:
    """Every request to the API has the three headers, and a body is JSON in UTF-8."""
    async with connected() as bench:
        sn = await bench.send(rows=2)
        await bench.nl.contacts.list_lists()
        await bench.nl.reports.list_campaigns()
        await bench.nl.reports.export(sn)
        await bench.nl.reports.get_links(sn)

    for sent in bench.wire.sent:
        headers = dict(sent.headers)
        assert headers["x-api-key"] == KEY
        assert headers["accept"] == "application/json"
        assert headers["content-type"].startswith("application/json")
    assert "會員".encode() in bench.wire.sent[0].body


@point
async def test_t10_emulator() -> None:
    """Only the key is required, unless a text import into a list needs ``Accept``."""
    for switched_on, status in ((False, 200), (True, 500)):
        emulator, _ = make(missing_accept_is_500=switched_on)
        async with Api(emulator) as api:
            list_sn = await api.create_list()
            del api._api.headers["accept"]
            answer = await api.post(
                f"/v1/contacts/imports/{list_sn}/text", content=b'{"contacts": "x"}'
            )
            assert (answer.status_code, answer.content == b"") == (status, switched_on)
            assert (await api.get("/v1/contacts/lists")).status_code == 200


@point
async def test_t11_client() -> None:
    """Placeholders of a path are replaced and encoded; parameters without a value are left out."""
    async with scripted(Reply([]), Reply({"Reports": []})) as script:
        await script.nl.reports.list_campaigns()
        await script.nl.reports.get_links(CampaignSn("活動+代碼"))
        sent = [(each.path, each.query) for each in script.wire.sent]

    assert sent == [
        ("/v1/report/campaigns", ()),
        ("/v1/report/%E6%B4%BB%E5%8B%95%2B%E4%BB%A3%E7%A2%BC/link", ()),
    ]


@point
async def test_t11_emulator() -> None:
    """An empty parameter counts as absent, and of several of one name the last counts."""
    async with platform() as (api, _):
        for name in "abc":
            await api.create_list(name)
        counts = [
            len((await api.get(f"/v1/contacts/lists{query}")).json()["Lists"])
            for query in ("?size=&page=", "?size=1&size=2", "?size=2&size=1")
        ]
        assert (await api.get("/v1/report/campaigns?startDate=&endDate=")).json() == []

    assert counts == [3, 2, 1]


BAD_CODES = ["", " ", "a b", "a/b", ".", "..", "x" * 201, "a?b", "a#b", "a\nb"]
WORDS = ["file", "text", "result", "lists"]


@point
async def test_t12_client() -> None:
    """A code that would change the path is refused; that of an accepted campaign is taken."""
    async with scripted() as script:
        for code in BAD_CODES + WORDS:
            with pytest.raises(InvalidRequest):
                await script.nl.contacts.import_text(CSV, ListSn(code))
        for code in BAD_CODES:
            with pytest.raises(InvalidRequest):
                await script.nl.reports.export(CampaignSn(code))
            with pytest.raises(InvalidRequest):
                await script.nl.contacts.get_import(ImportSn(code))

    assert type(await error_of(list_lists, [{"sn": "a/b"}])) is UnexpectedResponse
    assert type(await error_of(create_list, {"sn": "a/b"})) is OutcomeUnknown
    odd = await result_of(submit, {"sn": "a/b\nc"})
    assert odd.startswith("a/b")
    assert "\n" not in odd


@point
async def test_t12_emulator() -> None:
    """Literal paths come first, and two slashes are never one."""
    async with platform() as (api, _):
        literal = await api.post("/v1/contacts/imports/text", {"contacts": CSV})
        doubled = await api.post("/v1/contacts/imports//text", {"contacts": CSV})

    assert (literal.status_code, doubled.status_code) == (200, 404)
    assert api.emulator.imports[0].list_sn is None


@point
@pytest.mark.parametrize(
    ("call", "status", "content", "kind"),
    [
        (list_lists, 400, b"", APIError),
        (list_lists, 404, b"", APIError),
        (list_lists, 418, {"message": "no"}, APIError),
        (list_lists, 500, b"", ServerError),
        (list_lists, 503, FIREWALL, ServerError),
        (submit, 404, b"", OutcomeUnknown),
        (submit, 500, b"", OutcomeUnknown),
        (submit, 400, {"code": "40014"}, APIError),
    ],
)
async def test_t13_client(call: Call, status: int, content: Any, kind: type) -> None:
    """A 4xx is a refusal and a 5xx a failure, unless it leaves open whether a submit arrived."""
    error = await error_of(call, content, status)

    assert type(error) is kind
    assert getattr(error, "status", None) == status
    assert KEY not in str(error)


@point
async def test_t13_emulator() -> None:
    """404, 405 with ``Allow``, 413 and 415 have no content."""
    async with platform() as (api, _):
        answers = [
            await api.get("/v1/nowhere"),
            await api.request("PATCH", "/v1/contacts/lists"),
            await api.post("/v1/contacts/imports/text", content=b" " * (64 * 2**20 + 1)),
            await api.post("/v1/contacts/imports/file", files={"file": b"x"}),
        ]

    assert [each.status_code for each in answers] == [404, 405, 413, 415]
    assert {each.content for each in answers} == {b""}
    assert answers[1].headers["allow"] == "GET"


@point
async def test_t14_client() -> None:
    """The body of an export is not read; an empty refusal is understood by its status."""
    for content in (b"", b"<html>", b'{"export_sn": "x"}', b"\xff"):
        assert await result_of(export, content) is None
    refused = await error_of(get_import, b"", 400)

    assert (type(refused), "unknown" in str(refused)) == (APIError, True)
    assert type(await error_of(import_text, b"", 500)) is ServerError


@point
async def test_t14_emulator() -> None:
    """Where the documentation has no content, JSON is announced and no byte is sent."""
    async with platform(send_base_s=0) as (api, clock):
        sn = (await api.submit(BODY, await api.filled_list(1))).json()["sn"]
        clock.advance(60)
        answers = [
            await api.post(f"/v1/report/{sn}/export", {}),
            await api.get("/v1/contacts/imports/result/unknown"),
            await api.post("/v1/contacts/imports/unknown/text", {"contacts": CSV}),
        ]

    assert [(each.status_code, each.content) for each in answers] == [
        (200, b""),
        (400, b""),
        (500, b""),
    ]
    assert {each.headers["content-type"] for each in answers} == {"application/json"}


@point
async def test_t15_client() -> None:
    """Reads and imports are repeated after a failure, submits are not, and no wait is endless."""
    for fault in ("drop_request", "lose_reply_to", "cut_body", "fail"):
        async with connected() as bench:
            getattr(bench.emulator, fault)("list_lists")
            await bench.nl.contacts.list_lists()
            getattr(bench.emulator, fault)("import_text")
            await bench.nl.contacts.import_text(csv_of(2))
            getattr(bench.emulator, fault)("submit_campaign")
            with pytest.raises(OutcomeUnknown):
                await submit(bench.nl)
            assert [
                bench.emulator.count(each)
                for each in ("list_lists", "import_text", "submit_campaign")
            ] == [2, 2, 1]

    async with connected(retry=RetryPolicy(max_attempts=1)) as bench:
        bench.emulator.hang("list_lists", seconds=1e9)
        with pytest.raises(ConnectionFailed):
            await bench.nl.contacts.list_lists()
        assert bench.clock.monotonic() <= 100


@point
async def test_t15_emulator() -> None:
    """There is a fault for each way to fail, processed or not."""
    for fault, kind, made in (
        ("not_sent", httpx.ConnectError, 0),
        ("drop_request", httpx.ReadError, 0),
        ("lose_reply_to", httpx.RemoteProtocolError, 1),
        ("cut_body", httpx.RemoteProtocolError, 1),
    ):
        async with platform() as (api, _):
            getattr(api.emulator, fault)("create_list")
            with pytest.raises(kind):
                await api.create_list()
            assert len(api.emulator.lists) == made
            api.emulator.fail("create_list")
            answer = await api.post("/v1/contacts/lists/insert", {"name": "a"})
            assert (answer.status_code, answer.content) == (500, b"")
    async with platform() as (api, clock):
        api.emulator.delay("create_list", seconds=3)
        await api.create_list()
        assert clock.elapsed_s == 3


@point
@pytest.mark.parametrize("code", ["群組代碼", "0412", "40280a3c6a0cb8c5", "a-b_c.d~e", 12345])
async def test_t16_client(code: Any) -> None:
    """Codes are opaque text; a JSON number is its digits."""
    [row] = await result_of(list_lists, [{"sn": code}])
    made = [
        row.sn,
        await result_of(create_list, {"sn": code}),
        await result_of(submit, {"sn": code}),
        await result_of(import_text, {"import_sn": code}),
    ]

    assert made == [str(code)] * 4
    no_codes: list[Any] = [1.5, True, {}, 0, -1]
    for bad in no_codes:
        assert type(await error_of(create_list, {"sn": bad})) is OutcomeUnknown


@point
async def test_t16_emulator() -> None:
    """Codes are 32 hex digits and UUIDs, or by a switch numbers, which are digits in a path."""
    async with platform() as (api, clock):
        list_sn, import_sn = await api.create_list(), await api.import_text(CSV)
        assert re.fullmatch(r"[0-9a-f]{32}", list_sn)
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", import_sn)
        api.emulator.switch(numeric_codes=True)
        made = (await api.post("/v1/contacts/lists/insert", {"name": "數"})).json()["sn"]
        begun = await api.post(f"/v1/contacts/imports/{made}/text", {"contacts": CSV})
        clock.advance(60)
        sent = (await api.submit(BODY, str(made))).json()["sn"]

    assert {type(each) for each in (made, begun.json()["import_sn"], sent)} == {int}


read("T17", "client", "that rules are written by hand is a matter of how it was made")


@point
async def test_t17_emulator() -> None:
    """Answers conform to the OpenAPI description; its own tests try many more of them."""
    async with platform() as (api, clock):
        list_sn = await api.create_list()
        file = await api.post("/v1/contacts/imports/file", {})
        text = await api.post(f"/v1/contacts/imports/{list_sn}/text", {"contacts": CSV})
        clock.advance(60)
        result = await api.get(f"/v1/contacts/imports/result/{text.json()['import_sn']}")
        sent = await api.submit(BODY, list_sn)
        clock.advance(60)
        await api.post(f"/v1/report/{sent.json()['sn']}/export", {})
        clock.advance(60)
        answers = {
            "createFileImport": file,
            "importTextToList": text,
            "getImportResult": result,
            "listLists": await api.get("/v1/contacts/lists"),
            "submitCampaign": sent,
            "listSentCampaigns": await api.get("/v1/report/campaigns"),
            "getReportLinks": await api.get(f"/v1/report/{sent.json()['sn']}/link"),
        }

    for operation, found in answers.items():
        jsonschema.Draft202012Validator(schema_of(operation)).validate(found.json())


METHODS = {
    "contacts": {
        "create_list",
        "get_import",
        "import_text",
        "iter_lists",
        "list_lists",
        "remove_contacts",
        "start_file_import",
        "upload",
    },
    "campaigns": {
        "delete",
        "get_status",
        "pause",
        "submit",
        "submit_ab_test",
        "submit_ab_test_once",
        "submit_once",
        "upload_once",
    },
    "reports": {"list_campaigns", "export", "get_links", "get_metrics", "download"},
    "account": {"get_balance"},
    "templates": {"get_template", "list_templates"},
    "automation": {"send_event"},
}


@point
async def test_t18_client() -> None:
    """There are methods for the 23 endpoints and the storage beside them, and no other."""
    async with scripted() as script:
        for group, methods in METHODS.items():
            served = getattr(script.nl, group)
            assert {name for name in dir(served) if not name.startswith("_")} == methods

    missing = Reply(status=404)
    async with scripted(missing, profile="vendor-2026") as script:
        for _ in range(2):  # the second is not sent
            with pytest.raises(NotOffered, match="do without"):
                await script.nl.account.get_balance()


async def _served(**switches: Any) -> set[tuple[str, str]]:
    """Return which operations of the OpenAPI description an emulator has, with their source."""
    found = set()
    async with platform(**switches) as (api, _):
        for path, item in openapi()["paths"].items():
            for method, operation in item.items():
                if isinstance(operation, dict) and "operationId" in operation:
                    answer = await api.request(method.upper(), re.sub(r"\{.+?\}", "x", path))
                    if answer.status_code not in (404, 405):
                        found.add((operation["operationId"], operation["x-source"]))
    return found


@point
async def test_t18_emulator() -> None:
    """The twelve are served, with ``later_endpoints`` the eleven; any other is 404 or 405."""
    twelve, all_of_them = await _served(), await _served(later_endpoints=True)

    assert (len(twelve), {source for _, source in twelve}) == (12, {"seed"})
    assert len(all_of_them) == 23
