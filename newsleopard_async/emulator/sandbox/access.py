"""Who may use the page and the control API: never a web page of someone else."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping
from typing import Final, Literal, get_args
from urllib.parse import urlsplit

import attrs
from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = [
    "PREFIX",
    "AccessMiddleware",
    "AccessRefused",
    "ControlAccess",
    "ControlOptions",
    "is_for_sandbox",
    "refusal_response",
]

ControlAccess = Literal["loopback", "network", "off"]
"""From where they may be used: this machine alone, anywhere with the token, or nowhere."""

LEAST_TOKEN_CHARS: Final = 16
"""Chosen: too many to guess over a network."""


@attrs.frozen(kw_only=True)
class ControlOptions:
    """Who may use the page and the control API of a server.

    Attributes:
        access: ``loopback`` for this machine alone; ``network`` for others, too, who need the
            token; ``off`` for no one.
        token: What others show, as ``Authorization: Bearer …`` or once as ``/?token=…``; at least
            16 characters.
        origins: Origins, such as ``https://app.example``, whose pages may use the control API.

    Raises:
        ValueError: an option is wrong, or ``network`` has no token.
    """

    access: ControlAccess = "loopback"
    token: str | None = attrs.field(default=None, repr=False)
    origins: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        """Refuse what would let in the wrong people."""
        if self.access not in get_args(ControlAccess):
            raise ValueError(
                f"access: {self.access!r} is none of {', '.join(get_args(ControlAccess))}"
            )
        if self.access == "network" and self.token is None:
            raise ValueError("token: access from the network needs one")
        if self.token is not None and not _is_good(self.token):
            raise ValueError(
                f"token: it needs at least {LEAST_TOKEN_CHARS} characters of ASCII without blanks"
            )


def _is_good(token: str) -> bool:
    return (
        len(token) >= LEAST_TOKEN_CHARS
        and token.isascii()
        and token.isprintable()
        and (" " not in token)
    )


MOST_BODY_BYTES: Final = 1_000_000
"""Chosen: far more than any change needs; a template is the largest."""

PREFIX: Final = "/_emulator"
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
PREFLIGHT_S: Final = 600
"""Chosen: how long a browser may remember that an origin is allowed."""

PROXY_HEADERS: Final = (
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
)
"""By any of these, a request says that a proxy passes it on; that proxy may be on this machine."""

SAFE_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
"""What every answer has: it is data, no other page embeds it or holds on to the
window that it opened with it, and no cache keeps it."""


def is_for_sandbox(scope: Scope) -> bool:
    """Say whether a request is for the page or the control API; all others are the platform's."""
    path = scope["path"]
    if path == "/":
        return scope["method"] in {"GET", "HEAD"}
    return bool(path == PREFIX or path.startswith(f"{PREFIX}/"))


@attrs.frozen
class AccessRefused(Exception):
    """A request that is not answered.

    Attributes:
        status: The HTTP status.
        message: One sentence that leads on.
        headers: What the answer has beside it.
    """

    status: int
    message: str
    headers: tuple[tuple[str, str], ...] = ()


class AccessMiddleware:
    """ASGI middleware before the page and the control API: who may use them.

    A web page that a developer happens to visit can make the browser send requests to this
    machine. It cannot make it send another ``Host`` than the page's own name (so a name that was
    rebound to this machine is refused), nor JSON without asking first, nor leave out where the
    request comes from.

    Args:
        app: What answers those who may.
        options: Who may.
        public_url: By which the server is reached, beside loopback.
    """

    def __init__(self, app: ASGIApp, *, options: ControlOptions, public_url: str | None) -> None:
        self._app = app
        self._options = options
        public = urlsplit(public_url or "")
        self._public_host = public.hostname
        self._is_https = public.scheme == "https"
        origin = {f"{public.scheme}://{public.netloc}".lower()} if public_url else set[str]()
        self._origins = origin.union(each.lower().rstrip("/") for each in options.origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it with one sentence."""
        headers = Headers(scope=scope)
        answer = _SendWithHeaders(send, self._cors(headers))
        try:
            early = self._check(scope, headers)
        except AccessRefused as refused:
            early = refusal_response(scope, refused)
        if early is None:
            await self._app(scope, _limited(receive), answer)
        else:
            await early(scope, receive, answer)

    def _check(self, scope: Scope, headers: Headers) -> Response | None:
        """Refuse who may not; or return an answer that is due before that of the app."""
        shown = self._shown(scope, headers)
        if not self._is_token(shown):
            self._check_host(headers)
        self._check_source(scope, headers)
        if scope["method"] == "OPTIONS":
            return _preflight()
        self._check_peer(scope, headers, shown)
        if _is_entry(scope):
            return self._enter(shown)
        if scope["method"] not in READING:
            _check_change(headers)
        return None

    def _check_host(self, headers: Headers) -> None:
        host = _host_of(headers.get("host", ""))
        if host is None or not (_is_loopback_host(host) or host == self._public_host):
            raise AccessRefused(
                421,
                "The page and the control API answer for localhost, 127.0.0.1 and [::1] only; "
                "to use another name, show the emulator's token (open /?token=TOKEN, or send "
                "Authorization: Bearer TOKEN), or start it with --public-url and that name.",
            )

    def _is_token(self, shown: str | None) -> bool:
        """Say whether somebody shows the token, and so needs no name of this machine.

        A page of a rebound name does not know it. It has not the cookie either, which a browser
        sends to that name alone by which the token was shown.
        """
        token = self._options.token
        return token is not None and shown is not None and _is_same(shown, token)

    def _check_source(self, scope: Scope, headers: Headers) -> None:
        """Refuse what another web page sends."""
        origin = headers.get("origin")
        if origin is not None and not self._is_known(origin, headers):
            raise AccessRefused(
                403,
                "Pages of another origin may not use the control API; "
                "start the emulator with --cors and the origin to allow one.",
            )
        is_cross = headers.get("sec-fetch-site", "").lower() == "cross-site"
        if is_cross and origin is None and not _is_navigation(scope, headers):
            raise AccessRefused(403, "Another site's page may link to the emulator, and no more.")

    def _is_known(self, origin: str, headers: Headers) -> bool:
        asked = headers.get("host", "").lower()
        own = {f"http://{asked}", f"https://{asked}"}
        return origin.lower() in self._origins | own

    def _check_peer(self, scope: Scope, headers: Headers, shown: str | None) -> None:
        """Let in this machine, and others who show the token."""
        is_here = _is_here(scope)
        is_proxied = any(name in headers for name in PROXY_HEADERS)
        if is_here and not is_proxied:
            return
        token = self._options.token
        if token is None or (not is_here and self._options.access != "network"):
            raise AccessRefused(
                403,
                "The page and the control API are for the emulator's own machine; "
                "start it with --control network to use them from elsewhere, with a token.",
            )
        if not self._is_token(shown):
            raise AccessRefused(
                401,
                "This needs the emulator's token: send Authorization: Bearer TOKEN, "
                "or open /?token=TOKEN once.",
                (("www-authenticate", 'Bearer realm="emulator"'),),
            )

    def _shown(self, scope: Scope, headers: Headers) -> str | None:
        """Return the token that a request shows: in the page's address, its header or a cookie."""
        if _is_entry(scope):
            return QueryParams(scope["query_string"])["token"]
        scheme, _, value = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return value.strip()
        return cookie_parser(headers.get("cookie", "")).get(self._cookie)

    @property
    def _cookie(self) -> str:
        """The cookie's name: two emulators on one host, which share cookies, have one each."""
        digest = hashlib.sha256((self._options.token or "").encode()).hexdigest()
        return f"newsleopard_emulator_{digest[:8]}"

    def _enter(self, shown: str | None) -> Response:
        """Keep a token that was in the address in a cookie, and lead to the address without it."""
        answer = Response(status_code=303, headers={"location": "/"})
        if shown is not None and self._is_token(shown):
            answer.set_cookie(
                self._cookie, shown, path="/", httponly=True, samesite="strict",
                secure=self._is_https,
            )  # fmt: skip
        return answer

    def _cors(self, headers: Headers) -> Mapping[str, str]:
        """Return the headers by which a browser lets a page read the answer; none for others."""
        origin = headers.get("origin")
        if not self._options.origins:
            return {}
        if origin is None or origin.lower() not in self._origins:
            return {"vary": "Origin"}
        return {"vary": "Origin", "access-control-allow-origin": origin}


def _is_entry(scope: Scope) -> bool:
    """Say whether a request opens the page with a token in its address."""
    return scope["path"] == "/" and "token" in QueryParams(scope["query_string"])


def _host_of(netloc: str) -> str | None:
    """Return the host of a ``Host`` header in lower case, without its port; None if it is none."""
    found = re.fullmatch(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", netloc.lower())
    return None if found is None else found[1].strip("[]")


def _is_loopback_host(host: str) -> bool:
    """Say whether a host, by name or address, is always this machine."""
    return host == "localhost" or host.endswith(".localhost") or _is_loopback_address(host)


def _is_loopback_address(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool(address.is_loopback or (mapped is not None and mapped.is_loopback))


def _is_here(scope: Scope) -> bool:
    """Say whether the other end of the connection is on this machine."""
    peer = scope.get("client")
    return peer is not None and _is_loopback_address(peer[0])


def _is_navigation(scope: Scope, headers: Headers) -> bool:
    """Say whether somebody followed a link, or typed the address: no page gets the answer."""
    return (
        scope["method"] in {"GET", "HEAD"}
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )


def _is_same(shown: str, token: str) -> bool:
    """Compare in a time that does not tell how much of it is right."""
    return hmac.compare_digest(shown.encode("utf-8", "replace"), token.encode())


def _check_change(headers: Headers) -> None:
    """Refuse what a form can send: a browser asks first before it sends JSON elsewhere."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise AccessRefused(415, "A change needs the header Content-Type: application/json.")
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length) > MOST_BODY_BYTES:
        raise _too_large()


def _too_large() -> AccessRefused:
    return AccessRefused(413, f"The body is larger than {MOST_BODY_BYTES:,} bytes.")


def _limited(receive: Receive) -> Receive:
    """Refuse a body that turns out to be too large."""
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MOST_BODY_BYTES:
            raise _too_large()
        return message

    return limited


def _preflight() -> Response:
    """Answer what a browser asks before it sends a change; the origin is checked already."""
    headers = {
        "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
        "access-control-allow-headers": "authorization, content-type",
        "access-control-max-age": str(PREFLIGHT_S),
    }
    return Response(status_code=204, headers=headers)


class _SendWithHeaders:
    """Adds to an answer what every answer has."""

    def __init__(self, send: Send, cors: Mapping[str, str]) -> None:
        self._send = send
        self._cors = cors

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message.get("headers", ())))
            for name, value in {**SAFE_HEADERS, **self._cors}.items():
                headers[name] = value
            message = {**message, "headers": headers.raw}
        await self._send(message)


def refusal_response(scope: Scope, refused: AccessRefused) -> Response:
    """Write a refusal: as text where a person reads it, else as the control API's errors are."""
    headers = dict(refused.headers)
    if scope["path"] == "/":
        return PlainTextResponse(f"{refused.message}\n", refused.status, headers)
    error = {"message": refused.message, "problems": []}
    return JSONResponse({"error": error}, refused.status, headers)
