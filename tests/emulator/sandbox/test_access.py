"""Access to the page and the control API: this machine has it, and no other web page."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.sandbox.access import ControlOptions
from newsleopard_async.emulator.sandbox.sandbox_app import build_sandbox

pytestmark = pytest.mark.anyio

TOKEN = "a-token-of-24-characters"
NETWORK = ControlOptions(access="network", token=TOKEN)
HERE, ELSEWHERE = "127.0.0.1", "192.0.2.7"
JSON = {"content-type": "application/json"}
BEARER = {"authorization": f"Bearer {TOKEN}"}
CROSS = {"sec-fetch-site": "cross-site"}
TOP = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
FRAMED = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}
ABSENT = "/_emulator/absent"
"""A path without an endpoint: a request that passes the checks gets 404."""


async def ask(
    method: str = "GET",
    path: str = ABSENT,
    *,
    host: str = "localhost:8025",
    peer: str = HERE,
    headers: dict[str, str] | None = None,
    options: ControlOptions | None = None,
    public_url: str | None = None,
    **more: Any,
) -> httpx.Response:
    """Send one request to an emulator behind the access middleware."""
    app = build_sandbox(Emulator(), options=options, public_url=public_url)
    transport = httpx.ASGITransport(app=app, client=(peer, 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        return await client.request(method, path, headers={"host": host, **(headers or {})}, **more)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:1", "a.localhost:8025", "127.0.0.1", "127.8.0.1:80", "[::1]:8025"],
)
async def test_name_of_this_machine_is_answered(host: str) -> None:
    """Any name of the loopback is accepted, with any port."""
    assert (await ask(host=host)).status_code == 404


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "192.0.2.1:8025", "[::2]", "", "localhost@x", "a b"],
)
@pytest.mark.parametrize("path", ["/", "/_emulator", "/_emulator/outbox", "/%5femulator/"])
async def test_name_that_may_be_rebound_is_misdirected(host: str, path: str) -> None:
    """A name that another name server resolves to this machine gets no data."""
    answer = await ask(path=path, host=host)

    assert answer.status_code == 421
    assert "--public-url" in answer.text


async def test_public_url_is_answered() -> None:
    """The host of the public URL is accepted; other names are still refused."""
    public = "https://emulator.example.com"

    known = await ask(host="emulator.example.com", public_url=public)
    unknown = await ask(host="www.example.com", public_url=public)

    assert (known.status_code, unknown.status_code) == (404, 421)


async def test_token_opens_another_name() -> None:
    """A container is controlled by its name, and a team opens the page by an address."""
    shown = await ask(host="emulator:8025", options=NETWORK, peer=ELSEWHERE, headers=BEARER)
    entered = await ask(path=f"/?token={TOKEN}", host="192.0.2.1:8025", options=NETWORK)
    cookie = entered.headers["set-cookie"].partition(";")[0]
    kept = await ask(host="192.0.2.1:8025", options=NETWORK, headers={"cookie": cookie})

    assert (shown.status_code, entered.status_code, kept.status_code) == (404, 303, 404)


@pytest.mark.parametrize(
    "case",
    [
        {"headers": {"authorization": "Bearer not-the-token-itself"}},
        {"headers": {"cookie": f"newsleopard_emulator={TOKEN}"}},
        {"path": "/?token=not-the-token-itself"},
        {"path": "/_emulator/outbox?token=" + TOKEN},
    ],
)
async def test_what_is_not_the_token_opens_no_other_name(case: dict[str, Any]) -> None:
    """The token in the URL of another path is not accepted, because URLs are logged."""
    answer = await ask(host="192.0.2.1:8025", options=NETWORK, **case)

    assert answer.status_code == 421
    assert "open /?token=TOKEN" in answer.text


@pytest.mark.parametrize(
    ("case", "status"),
    [
        ({}, 404),
        ({"peer": "::1"}, 404),
        ({"peer": "::ffff:127.0.0.1"}, 404),
        ({"peer": ELSEWHERE}, 403),
        ({"peer": ELSEWHERE, "headers": BEARER}, 403),
        ({"headers": {"x-forwarded-for": HERE}}, 403),
        ({"headers": {"forwarded": "for=127.0.0.1"}}, 403),
        ({"headers": {"via": "1.1 proxy"}}, 403),
        ({"headers": {"x-forwarded-host": "emulator.example"}}, 403),
        ({"headers": {"x-forwarded-proto": "https"}}, 403),
        ({"headers": {"x-real-ip": "192.0.2.1"}}, 403),
        ({"options": NETWORK}, 404),
        ({"options": NETWORK, "peer": ELSEWHERE}, 401),
        ({"options": NETWORK, "peer": ELSEWHERE, "headers": BEARER}, 404),
        ({"options": NETWORK, "peer": ELSEWHERE, "headers": {"authorization": "Bearer no"}}, 401),
        ({"options": NETWORK, "peer": ELSEWHERE, "headers": {"authorization": TOKEN}}, 401),
        ({"options": NETWORK, "headers": {"x-forwarded-for": HERE}}, 401),
        ({"options": NETWORK, "headers": {"x-forwarded-for": HERE, **BEARER}}, 404),
        ({"options": ControlOptions(token=TOKEN), "peer": ELSEWHERE, "headers": BEARER}, 403),
    ],
)
async def test_peer_from_elsewhere_needs_the_token(case: dict[str, Any], status: int) -> None:
    """This machine needs no token, unless a proxy hides the sender of a request."""
    answer = await ask(**case)

    assert answer.status_code == status
    assert ("www-authenticate" in answer.headers) is (status == 401)
    assert TOKEN not in answer.text


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", JSON, 404),
        ("POST", {"content-type": "application/json; charset=utf-8"}, 404),
        ("DELETE", JSON, 404),
        ("POST", {}, 415),
        ("DELETE", {}, 415),
        ("POST", {"content-type": "text/plain"}, 415),
        ("POST", {"content-type": "application/x-www-form-urlencoded"}, 415),
        ("POST", {"content-type": "multipart/form-data; boundary=x"}, 415),
        ("POST", {**JSON, "origin": "http://localhost:8025"}, 404),
        ("POST", {**JSON, "origin": "http://localhost:3000"}, 403),
        ("POST", {**JSON, "origin": "https://evil.example"}, 403),
        ("POST", {**JSON, "origin": "null"}, 403),
        ("POST", {**JSON, **CROSS}, 403),
        ("POST", {**JSON, **CROSS, **TOP}, 403),
        ("GET", {"origin": "https://evil.example"}, 403),
        ("GET", CROSS, 403),
        ("GET", {**CROSS, **FRAMED}, 403),
        ("GET", {**CROSS, **TOP}, 404),
        ("GET", {"sec-fetch-site": "same-origin"}, 404),
        ("GET", {"sec-fetch-site": "none", **TOP}, 404),
        ("OPTIONS", {"origin": "https://evil.example"}, 403),
    ],
)
async def test_other_page_is_refused(method: str, headers: dict[str, str], status: int) -> None:
    """Requests of a form, an image or a script of another page are refused; links are not."""
    answer = await ask(method, headers=headers)

    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers


async def test_origin_that_is_named_may_read_and_change() -> None:
    """The browser's preflight request succeeds, and the page can read the answer."""
    options = ControlOptions(origins=("https://app.example",))
    origin = {"origin": "https://app.example"}

    asked = await ask("OPTIONS", headers=origin, options=options)
    changed = await ask("POST", headers={**JSON, **origin, **CROSS}, options=options)
    other = await ask("POST", headers={**JSON, "origin": "https://x.example"}, options=options)

    assert (asked.status_code, changed.status_code, other.status_code) == (204, 404, 403)
    assert "PATCH" in asked.headers["access-control-allow-methods"]
    for answer in (asked, changed):
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert "access-control-allow-credentials" not in answer.headers
    assert "access-control-allow-origin" not in other.headers
    assert other.headers["vary"] == "Origin"


async def test_token_in_the_address_becomes_a_cookie() -> None:
    """The URL that a server prints opens the page, and no token stays in the history."""
    enter = await ask(path=f"/?token={TOKEN}", peer=ELSEWHERE, options=NETWORK)
    cookie = enter.headers["set-cookie"]
    shown = {"cookie": f"a=b; {cookie.partition(';')[0]}"}
    inside = await ask(peer=ELSEWHERE, headers=shown, options=NETWORK)
    wrong = await ask(path="/?token=another-token-1234", peer=ELSEWHERE, options=NETWORK)

    assert (enter.status_code, enter.headers["location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert inside.status_code == 404
    assert wrong.status_code == 401
    assert "set-cookie" not in wrong.headers


@pytest.mark.parametrize(
    ("public_url", "is_secure"), [("https://emulator.example", True), ("http://emulator", False)]
)
async def test_cookie_of_an_https_address_stays_on_https(
    public_url: str, *, is_secure: bool
) -> None:
    """A browser sends it over plain http only if the public URL is a plain http URL."""
    host = public_url.partition("://")[2]
    enter = await ask(
        path=f"/?token={TOKEN}", host=host, peer=ELSEWHERE, options=NETWORK, public_url=public_url
    )

    assert ("Secure" in enter.headers["set-cookie"].split("; ")) is is_secure


@pytest.mark.parametrize("status", [200, 303, 404, 415, 421])
async def test_answer_is_for_its_page_alone(status: int) -> None:
    """No cache stores an answer, no other page reads it, and no browser guesses its type."""
    cases: dict[int, dict[str, Any]] = {
        200: {"path": "/"},
        303: {"path": "/?token=x"},
        404: {},
        415: {"method": "POST"},
        421: {"host": "evil.example"},
    }
    answer = await ask(**cases[status])

    assert answer.status_code == status
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_long_body_is_refused() -> None:
    """A body with a content length above the limit is not read."""
    answer = await ask("POST", headers=JSON, content=b" " * 1_000_001)

    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("POST", "/", {}),
        ("PUT", "/", {"host": "evil.example"}),
        ("OPTIONS", "/", {}),
        ("GET", "/v1//lists", {}),
        ("GET", "/_emulators", {}),
        ("GET", "/_storage/x", {}),
        ("GET", "/v1/contacts/lists", {}),
        ("GET", "/v1/contacts/lists", {"x-api-key": "test-key", "host": "evil.example"}),
        ("POST", "/v1/contacts/lists", {"x-api-key": "test-key", "origin": "https://x.example"}),
        ("POST", "/v1/contacts/lists/insert", {"x-api-key": "test-key"}),
    ],
)
async def test_platform_answers_as_without_the_sandbox(
    method: str, path: str, headers: dict[str, str]
) -> None:
    """Requests to other paths reach the platform unchanged, and the platform answers them."""
    off = ControlOptions(access="off")

    plain = await ask(method, path, headers=headers, options=off, peer=ELSEWHERE)
    beside = await ask(method, path, headers=headers, peer=ELSEWHERE)

    assert plain.status_code == beside.status_code
    assert plain.headers.raw == beside.headers.raw
    assert plain.content == beside.content


@pytest.mark.parametrize("path", ["/", "/_emulator/", "/_emulator/health"])
async def test_sandbox_that_is_off_is_not_there(path: str) -> None:
    """The platform answers instead, and it does not have this path."""
    answer = await ask(path=path, options=ControlOptions(access="off"))

    assert answer.status_code == 403
    assert answer.json() == {"message": "Forbidden"}


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"access": "absent"}, "access"),
        ({"access": "network"}, "token"),
        ({"token": "short"}, "token"),
        ({"token": "with blanks in between it"}, "token"),
    ],
)
async def test_wrong_option_is_refused(options: dict[str, Any], word: str) -> None:
    """The field is named."""
    with pytest.raises(ValueError, match=f"^{word}: "):
        ControlOptions(**options)
