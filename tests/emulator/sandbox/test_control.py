"""The control API: its views, its changes and its refusals."""

from __future__ import annotations

import email
import json
from typing import Any

import httpx
import jsonschema
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31

from newsleopard_async.emulator import Emulator, EmulatorClock, Switches
from newsleopard_async.emulator.sandbox.control.mails import FRAME_HEADERS
from newsleopard_async.emulator.sandbox.control.routes import ENDPOINTS
from newsleopard_async.emulator.sandbox.sandbox_app import build_sandbox
from tests.constants import START
from tests.emulator.api import AB_BODY, BODY, Api, changed, make
from tests.emulator.sandbox.control_api import ControlApi
from tests.emulator.sandbox.world import filled

pytestmark = pytest.mark.anyio


def held(**switches: Any) -> ControlApi:
    """Open an emulator with a held clock, which sends mails without a delay."""
    quick = Switches(requests_per_s=None, send_base_s=0.0, **switches)
    return ControlApi(Emulator(clock=EmulatorClock(START, is_held=True), switches=quick))


@pytest.mark.slow
async def test_description_is_of_openapi_and_whole() -> None:
    """It is valid, contains all endpoints, and describes each field."""
    described = await held().get("/openapi.json")

    jsonschema.validate(described, OPENAPI_31)
    operations = [each for path in described["paths"].values() for each in path.values()]
    assert {each["operationId"] for each in operations} == {each.name for each in ENDPOINTS}
    assert len(operations) == len(ENDPOINTS)
    for name, schema in described["components"]["schemas"].items():
        assert schema["description"], name
        if name != "Error":
            assert all(each["description"] for each in schema["properties"].values()), name


async def test_health_says_what_answers() -> None:
    """The health check of a container needs only this answer."""
    health = await held().get("/health")

    assert health["status"] == "ok"
    assert health["profile"] == "documented"
    assert health["now"] == START.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/balance",
        "/campaigns",
        "/clock",
        "/contacts",
        "/exclusions",
        "/faults",
        "/health",
        "/imports",
        "/lists",
        "/outbox",
        "/requests",
        "/scripts",
        "/switches",
        "/templates",
        "/webhooks",
    ],
)
async def test_empty_account_is_shown(path: str) -> None:
    """An empty account is not an error, and the log of requests stays empty."""
    opened = held()

    await opened.get(path)

    assert opened.emulator.requests == ()


async def test_everything_of_a_used_account_is_shown() -> None:
    """Lists, contacts, imports, campaigns, mails and requests, as rows and as full views."""
    world = await filled()
    opened = ControlApi(world.api.emulator)

    account = await opened.get("/")
    [row] = await opened.get("/lists")
    contacts = await opened.get(f"/lists/{row['sn']}/contacts?limit=3&text=u1")
    contact = await opened.get("/contacts/u1@example.com")
    [job] = await opened.get("/imports")
    newest, *_ = await opened.get("/campaigns")
    campaign = await opened.get(f"/campaigns/{newest['sn']}")
    mails = await opened.get(f"/outbox?campaign_sn={newest['sn']}&limit=2&is_oldest_first=true")
    mail = await opened.get(f"/outbox/{mails['mails'][0]['id']}")
    requests = await opened.get("/requests?operation=submit_ab_test")
    request = await opened.get(f"/requests/{requests['requests'][0]['id']}")

    assert (account["contacts"], account["campaigns"]) == (40, 3)
    assert account["mails"] == mails["total"] == len(world.api.emulator.outbox)
    assert await opened.get(f"/lists/{row['sn']}") == row
    assert [each["email"] for each in contacts["contacts"]] == [
        f"u{number}@example.com" for number in (1, 10, 11)
    ]
    assert contact["lists"] == [world.list_sn]
    assert (await opened.get(f"/imports/{job['sn']}"))["rejected_rows"] == []
    assert campaign["kind"] == newest["kind"]
    assert [each["what"] for each in campaign["timeline"]][:2] == ["accepted", "begin"]
    assert (len(mails["mails"]), mails["next"]) == (2, mails["mails"][1]["id"])
    assert mail["to"] == mails["mails"][0]["to"]
    assert {look["variant"] for look in mail["looks"]} == {"A", "B"}
    assert json.loads(request["body"])["content"]["testingOn"] == AB_BODY["content"]["testingOn"]


async def test_mail_is_shown_in_each_form() -> None:
    """A mail is shown as sandboxed HTML, as text, and as a file."""
    opened = held(open_share=0.0, bounce_share=0.0)
    html = '<link rel="preconnect" href="//t.example"><p>Hello 王小明</p>'
    sn = await opened.send(changed(BODY, {"content.htmlContent": html}), await opened.fill(1))
    [mail] = (await opened.get("/outbox"))["mails"]

    shown = await opened.ask("GET", f"/outbox/{mail['id']}/html")
    text = await opened.ask("GET", f"/outbox/{mail['id']}/text")
    file = await opened.ask("GET", f"/outbox/{mail['id']}/eml")
    campaign = await opened.ask("GET", f"/campaigns/{sn}/html")

    for answer in (shown, campaign):
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert (
            FRAME_HEADERS.items()
            <= {
                name.title().replace("Dns", "DNS"): value for name, value in answer.headers.items()
            }.items()
        )
        assert "<link" not in answer.text
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert file.headers["content-disposition"] == f'attachment; filename="{mail["id"]}.eml"'
    assert email.message_from_bytes(file.content)["To"].endswith("<u0@example.com>")


async def test_variant_of_a_mail_that_has_none_is_missing() -> None:
    """A regular mail has one variant, without a letter."""
    world = await filled()
    opened = ControlApi(world.api.emulator)
    [mail] = (await opened.get(f"/outbox?limit=1&campaign_sn={world.campaigns[0]}"))["mails"]

    assert (await opened.ask("GET", f"/outbox/{mail['id']}/html?variant=B")).status_code == 404


async def test_rejected_rows_are_downloaded() -> None:
    """The file is the same as behind the platform's own link."""
    opened = held(import_base_s=0.0)
    async with Api(opened.emulator) as api:
        sn = await api.import_text("EMAIL,NAME\nabsent,x\na@example.com,y\n")
    await opened.do("POST", "/clock/advance", {"seconds": 60})

    file = await opened.ask("GET", f"/imports/{sn}/rejected.csv")
    shown = await opened.get(f"/imports/{sn}")

    assert file.headers["content-type"].startswith("text/csv")
    assert "absent" in file.text
    assert shown["rejected_rows"][0][0] == "absent"
    assert (await opened.refused("GET", "/imports/none/rejected.csv"))[0] == 404


@pytest.mark.parametrize(
    ("body", "row"),
    [
        ({"kind": "not_sent", "times": 3}, {"times": 3}),
        ({"kind": "drop_request"}, {}),
        ({"kind": "lose_reply"}, {}),
        ({"kind": "delay", "seconds": 2}, {"seconds": 2.0}),
        ({"kind": "hang"}, {"seconds": 60.0}),
        ({"kind": "hang", "seconds": 1.5, "processed": False}, {"seconds": 1.5}),
        ({"kind": "answer"}, {"status": 500}),
        ({"kind": "answer", "status": 503, "body": "{}", "processed": True}, {"status": 503}),
        ({"kind": "throttle", "retry_after": 3}, {"status": 429}),
        ({"kind": "throttle", "operation": None}, {"operation": None, "status": 429}),
        ({"kind": "cut_body"}, {}),
        ({"kind": "garbage"}, {}),
    ],
)
async def test_fault_is_set_and_cleared(body: dict[str, Any], row: dict[str, Any]) -> None:
    """Each kind of fault can be set, is shown, and can be cleared."""
    opened = held()
    body = {"operation": "create_list", **body}

    set_ = await opened.do("POST", "/faults", body)
    shown = await opened.get("/faults")
    await opened.do("DELETE", "/faults")

    expected = {"operation": "create_list", "kind": body["kind"], "times": 1} | row
    assert set_ == shown == [{"seconds": 0.0, "status": None, **expected}]
    assert await opened.get("/faults") == []


async def test_fault_happens_to_the_platform_as_it_was_set() -> None:
    """The header of a refusal has the form that a client expects."""
    opened = held()
    await opened.do("POST", "/faults", {"kind": "throttle", "retry_after": 3, "message": "slow"})
    async with Api(opened.emulator) as api:
        refused = await api.post("/v1/contacts/lists/insert", {"name": "x"})
        accepted = await api.post("/v1/contacts/lists/insert", {"name": "x"})

    assert (refused.status_code, accepted.status_code) == (429, 200)
    assert (refused.headers["retry-after"], refused.json()) == ("3", {"message": "slow"})


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"kind"}),
        ({"kind": "lose"}, {"kind"}),
        ({"kind": "delay"}, {"operation", "seconds"}),
        ({"kind": "garbage", "operation": "upload", "seconds": 1, "body": ""}, {"seconds", "body"}),
        ({"kind": "garbage", "operation": "uplaod"}, {"operation"}),
        ({"kind": "answer", "operation": "upload", "status": 100}, {"status"}),
        ({"kind": "throttle", "retry_after": "1\r\nX: y"}, {"retry_after"}),
        ({"kind": "hang", "operation": "upload", "times": "3"}, {"times"}),
        ({"kind": "hang", "operation": "upload", "tims": 3}, {"tims"}),
    ],
)  # fmt: skip
async def test_wrong_fault_is_refused(body: dict[str, Any], fields: set[str]) -> None:
    """No fault is set, and all wrong fields are reported."""
    opened = held()

    status, problems = await opened.refused("POST", "/faults", body)

    assert (status, set(problems)) == (400, fields)
    assert await opened.get("/faults") == []


async def test_script_is_set_shown_and_cleared() -> None:
    """Stuck imports, final states, and a used-up daily quota."""
    opened = held()
    await opened.do("POST", "/scripts", {"kind": "stick_import", "times": 2})
    await opened.do("POST", "/scripts", {"kind": "script_import", "state": "ERROR"})
    await opened.do("POST", "/scripts", {"kind": "script_campaign", "state": "OVER_LIMIT"})
    shown = await opened.do("POST", "/scripts", {"kind": "exhaust_day", "resets_in_s": 100})
    await opened.do("DELETE", "/faults")
    left = await opened.do("POST", "/scripts", {"kind": "exhaust_day", "resets_in_s": 0})

    assert 99 < shown.pop("day_exhausted_s") <= 100
    assert shown == {"stuck_imports": 2, "imports": ["ERROR"], "campaigns": ["OVER_LIMIT"]}
    assert left == {"stuck_imports": 0, "imports": [], "campaigns": [], "day_exhausted_s": None}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "script_import"}, "state"),
        ({"kind": "stick_import", "state": "ERROR"}, "state"),
        ({"kind": "exhaust_day", "times": 1}, "times"),
        ({"kind": "stick"}, "kind"),
    ],
)
async def test_wrong_script_is_refused(body: dict[str, Any], field: str) -> None:
    """The missing field, or the field that the kind does not have, is reported."""
    status, problems = await held().refused("POST", "/scripts", body)

    assert (status, [*problems]) == (400, [field])


async def test_switches_are_shown_and_set() -> None:
    """Each switch has its value, its allowed values and its value at the start."""
    opened = held(open_share=0.1)

    after = await opened.do("PATCH", "/switches", {"open_share": 1, "code_field": "errorCode"})
    shown = {each["name"]: each for each in after}

    assert shown["open_share"]["value"] == 1.0
    assert shown["open_share"]["default"] == 0.1
    assert shown["code_field"] == {
        "name": "code_field",
        "value": "errorCode",
        "default": "code",
        "kind": "word",
        "words": ["code", "errorCode"],
        "may_be_none": False,
        "says": "Name of the code in a refusal (T88).",
    }
    assert opened.emulator.switches.code_field == "errorCode"
    assert {name: each["kind"] for name, each in shown.items() if each["may_be_none"]} == {
        "requests_per_s": "whole",
        "requests_per_day": "whole",
        "lists_wrapper": "text",
        "most_lists_on_page": "whole",
        "file_max_bytes": "whole",
        "predefined_columns": "names",
        "verified_senders": "names",
        "export_every_s": "number",
        "open_share_b": "number",
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"open_shar": 1}, "did you mean open_share?"),
        ({"strict": 1}, "must be true or false"),
        ({"code_field": "kode"}, "must be one of code, errorCode; did you mean code?"),
        ({"requests_per_s": "10"}, "must be a whole number"),
        ({"mails_per_s": 0}, "is not above 0"),
        ({"mails_per_s": 1e-300}, "must be from 0.001 to 1,000,000,000"),
        ({"open_share": 1.5}, "is not a share from 0 to 1"),
        ({"limit_status": 99}, "must be from 400 to 599"),
        ({"import_base_s": 1e300}, "must be from 0 to 1,000,000,000"),
        ({"report_encoding": "hex"}, "must be a text encoding"),
    ],
)
async def test_wrong_switch_is_refused(body: dict[str, Any], message: str) -> None:
    """A value that would break the emulator later is refused, and so is an unknown name."""
    opened = held()

    status, problems = await opened.refused("PATCH", "/switches", body | {"later_endpoints": True})

    assert status == 400
    [(field, said)] = problems.items()
    assert field in body
    assert message in said
    assert opened.emulator.switches.later_endpoints is False


async def test_clock_is_held_moved_and_run() -> None:
    """All that is due is processed before the answer."""
    opened = held()
    await opened.send(BODY, await opened.fill(2))

    moved = await opened.do("POST", "/clock/advance", {"until": "2027-01-01T00:00:00+08:00"})
    run = await opened.do("POST", "/clock/run", {"speed": 60})
    ran = await opened.do("POST", "/clock/run", {})
    stopped = await opened.do("POST", "/clock/hold")

    assert moved["now"] == "2026-12-31T16:00:00Z"
    assert (await opened.get("/outbox"))["total"] == 2
    assert (run["is_held"], run["speed"]) == (ran["is_held"], ran["speed"]) == (False, 60.0)
    assert stopped["is_held"] is True


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("advance", {}, "seconds"),
        ("advance", {"seconds": 1, "until": "2027-01-01T00:00:00Z"}, "seconds"),
        ("advance", {"seconds": -1}, "seconds"),
        ("advance", {"until": "2020-01-01T00:00:00Z"}, "until"),
        ("advance", {"until": "2027-01-01"}, "until"),
        ("advance", {"until": "9999-01-01T00:00:00Z"}, "until"),
        ("run", {"speed": 0}, "speed"),
        ("hold", {"x": 1}, "x"),
    ],
)
async def test_wrong_move_is_refused(path: str, body: dict[str, Any], field: str) -> None:
    """A move into the past is refused, and so are two arguments at the same time."""
    status, problems = await held().refused("POST", f"/clock/{path}", body)

    assert (status, [*problems]) == (400, [field])


@pytest.mark.parametrize("path", ["hold", "advance", "run"])
async def test_clock_of_another_kind_is_left_alone(path: str) -> None:
    """Only the program that created another clock can move it."""
    world = await filled()
    opened = ControlApi(world.api.emulator)
    body = {"seconds": 1} if path == "advance" else {}

    status, problems = await opened.refused("POST", f"/clock/{path}", body)

    assert (status, problems) == (409, {})
    assert (await opened.get("/clock"))["is_movable"] is False


async def test_account_is_filled_and_changed() -> None:
    """Lists, templates, the balance, an excluded address and a reader."""
    world = await filled()
    opened = ControlApi(world.api.emulator)

    made = await opened.do("POST", "/lists", {"name": "全部", "is_segment": True})
    template = await opened.do("POST", "/templates", {"name": "範本", "html": "<p>"})
    balance = await opened.do("PUT", "/balance", {"balance": 7})
    await opened.do("POST", "/exclusions", {"email": "U1@example.com"})
    await opened.do("POST", "/readers", {"email": "u2@example.com", "action": "click"})

    assert (made["is_segment"], made["subscribed"] + made["excluded"]) == (True, 40)
    assert await opened.get("/templates") == [template]
    assert balance == await opened.get("/balance") == {"balance": 7}
    assert "u1@example.com" in {each["email"] for each in await opened.get("/exclusions")}
    clicked = await opened.get("/outbox?event=click&to=u2@example.com")
    assert [each["to"] for each in clicked["mails"]] == ["u2@example.com"]
    assert await opened.refused(
        "POST", "/readers", {"email": "absent@example.com", "action": "open"}
    ) == (404, {})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/outbox/none", 404),
        ("GET", "/outbox?after=none", 404),
        ("GET", "/campaigns/none", 404),
        ("GET", "/lists/none", 404),
        ("GET", "/lists/none/contacts", 404),
        ("GET", "/contacts/none@example.com", 404),
        ("GET", "/contacts?after=none", 404),
        ("GET", "/imports/none", 404),
        ("GET", "/requests/none", 404),
        ("GET", "/requests?after=none", 404),
        ("GET", "/outbox?limit=0", 400),
        ("GET", "/outbox?limit=1&limit=1", 400),
        ("GET", "/outbox?event=wink", 400),
        ("GET", "/health?x=1", 400),
        ("POST", "/lists", 400),
        ("DELETE", "/outbox", 405),
        ("POST", "/health", 405),
    ],
)
async def test_what_is_missing_or_wrong_is_said(method: str, path: str, status: int) -> None:
    """All errors have the same format, with one sentence."""
    assert (await held().refused(method, path))[0] == status


async def test_method_that_is_not_allowed_names_those_that_are() -> None:
    """The header Allow lists all methods of a path."""
    answer = await held().ask("PATCH", "/faults")

    assert set(answer.headers["allow"].split(", ")) == {"DELETE", "GET", "HEAD", "POST"}


async def test_endless_body_is_refused() -> None:
    """A body without a content length is read only up to the limit."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b" " * 100_000, "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/_emulator/lists",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 50_000),
    }
    await build_sandbox(Emulator())(scope, receive, send)

    assert sent[0]["status"] == 413
    assert json.loads(sent[1]["body"])["error"]["problems"] == []


async def test_state_is_put_aside_put_back_and_reset() -> None:
    """The clock does not change, and an unknown snapshot is 404."""
    opened = held()
    await opened.do("POST", "/lists", {"name": "one"})

    names = await opened.do("POST", "/snapshots", {"name": "一 1"})
    reset = await opened.do("POST", "/reset")
    restored = await opened.do("POST", "/snapshots/一 1/restore")
    await opened.do("DELETE", "/snapshots/一 1")

    assert names == ["一 1"]
    assert (reset["lists"], restored["lists"]) == (0, 1)
    assert await opened.get("/snapshots") == []
    assert (await opened.refused("POST", "/snapshots/x/restore"))[0] == 404
    assert (await opened.refused("DELETE", "/snapshots/x"))[0] == 404
    assert (await opened.refused("POST", "/snapshots", {"name": "a/b"}))[0] == 400


async def test_webhooks_are_delivered_at_once() -> None:
    """The due webhooks are sent and shown."""
    seen: list[httpx.Request] = []

    def receive(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(202)

    emulator = Emulator(
        clock=EmulatorClock(START, is_held=True), webhook_transport=httpx.MockTransport(receive)
    )
    opened = ControlApi(emulator)
    async with Api(emulator) as api:
        body = {"webhookUrl": "http://localhost/hook"}
        ticket = (await api.post("/v1/contacts/imports/file", body)).json()
        await api.put(ticket["url"], b"EMAIL,NAME\na@example.com,x\n")
    none = await opened.do("POST", "/webhooks/deliver")
    await opened.do("POST", "/clock/advance", {"seconds": 60})

    made = await opened.do("POST", "/webhooks/deliver")

    assert none == []
    assert made == await opened.get("/webhooks")
    assert [(each["url"], each["status"]) for each in made] == [("http://localhost/hook", 202)]
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/exclusions", {"email": "ming"}, "must be an address, such as ming@example.com"),
        ("/snapshots", {"name": "a/b"}, "must not contain a slash, and must not be . or .."),
    ],
)
async def test_wrong_text_is_refused_in_words(
    path: str, body: dict[str, str], message: str
) -> None:
    """The page shows the message to users, so it is not a regular expression."""
    assert (await held().refused("POST", path, body))[1] == {next(iter(body)): message}


async def test_empty_outbox_says_why() -> None:
    """The reason is in the answer as long as no mail was sent."""
    empty = await held().get("/outbox")
    opened = held()
    await opened.send(BODY, await opened.fill(1))
    full = await opened.get("/outbox?to=absent@example.com")

    assert (empty["mails"], empty["why_none"]) == ([], "no campaign was submitted")
    assert (full["mails"], full["why_none"]) == ([], None)


@pytest.mark.parametrize("name", [".", "..", "a/b", ""])
async def test_snapshot_has_a_name_by_which_it_can_be_restored(name: str) -> None:
    """A name cannot be one or two dots, because clients remove them from a path."""
    opened = ControlApi(make()[0])

    status, problems = await opened.refused("POST", "/snapshots", {"name": name})

    assert (status, [*problems]) == (400, ["name"])
    assert await opened.do("POST", "/snapshots", {"name": "..."}) == ["..."]
    await opened.do("DELETE", "/snapshots/...")


async def test_snapshots_do_not_fill_the_memory() -> None:
    """The number of snapshots is limited; a snapshot with the same name can still be replaced."""
    opened = held()
    for number in range(100):
        await opened.do("POST", "/snapshots", {"name": str(number)})

    refused = await opened.ask("POST", "/snapshots", {"name": "one more"})

    assert (refused.status_code, "delete one" in refused.text) == (409, True)
    assert len(await opened.do("POST", "/snapshots", {"name": "0"})) == 100
