"""The access rules of the page and the control API.

By default only programs on this machine have access. The fear: a web page of another site, open in
a developer's browser, that reads or controls the emulator.
"""

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
"""The machines with access: only this one, also all those with the token, or none at all."""

LEAST_TOKEN_CHARS: Final = 16
"""Chosen: 16 characters, which no attacker can guess over a network."""


@attrs.frozen(kw_only=True)
class ControlOptions:
    """The access options of the page and the control API of a server.

    Attributes:
        access: ``loopback``: only this machine. ``network``: this machine, and others with the
            token. ``off``: no machine.
        token: The secret that other machines must send, as ``Authorization: Bearer …`` or, one
            time, as ``/?token=…``; at least 16 characters.
        origins: Origins, such as ``https://app.example``, whose pages may use the control API.

    Raises:
        ValueError: an option is wrong, or ``network`` has no token.
    """

    access: ControlAccess = "loopback"
    token: str | None = attrs.field(default=None, repr=False)
    origins: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        """Check the options."""
        if self.access not in get_args(ControlAccess):
            raise ValueError(
                f"access: must be one of {', '.join(get_args(ControlAccess))}, not {self.access!r}"
            )
        if self.access == "network" and self.token is None:
            raise ValueError(
                f"token: is missing, but access 'network' needs it; pass {LEAST_TOKEN_CHARS} "
                "characters or more"
            )
        if self.token is not None and not _is_good(self.token):
            raise ValueError(
                f"token: must have at least {LEAST_TOKEN_CHARS} ASCII characters and no spaces"
            )


def _is_good(token: str) -> bool:
    return (
        len(token) >= LEAST_TOKEN_CHARS
        and token.isascii()
        and token.isprintable()
        and (" " not in token)
    )


MOST_BODY_BYTES: Final = 1_000_000
"""Chosen: 1 MB. The largest body of a change is a template, with at most 900,000 characters."""

PREFIX: Final = "/_emulator"
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
PREFLIGHT_S: Final = 600
"""Chosen: a browser stores for 10 minutes that an origin is allowed, and asks again after that."""

PROXY_HEADERS: Final = (
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
)
"""Headers of a request that a proxy forwards. The proxy can be on this machine, so a connection
from this machine does not prove that the sender is on it."""

SAFE_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
"""The headers of every answer: a browser does not guess another content type, no other page can
embed the answer or control the window that it opened with it, and no cache stores it."""


def is_for_sandbox(scope: Scope) -> bool:
    """Return whether a request is for the page or the control API, not for the platform."""
    path = scope["path"]
    if path == "/":
        return scope["method"] in {"GET", "HEAD"}
    return bool(path == PREFIX or path.startswith(f"{PREFIX}/"))


@attrs.frozen
class AccessRefused(Exception):
    """A request that the access rules refuse.

    Attributes:
        status: The HTTP status of the answer.
        message: One sentence with the reason and the way out.
        headers: Additional headers of the answer.
    """

    status: int
    message: str
    headers: tuple[tuple[str, str], ...] = ()


class AccessMiddleware:
    """ASGI middleware that checks each request to the page and the control API.

    A web page that a developer visits can make the browser send requests to this machine. But the
    browser always sends the page's own name as ``Host`` (so a name that was rebound to this machine
    is refused), sends a preflight request before JSON, and reports the origin of the request.

    Args:
        app: The application that answers the allowed requests.
        options: The access options.
        public_url: The URL of the server, in addition to the loopback addresses.
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
        """Answer a request, or refuse it with the reason."""
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
        """Check a request. Return an answer if the app must not answer the request itself."""
        token_sent = self._token_of(scope, headers)
        if not self._is_token(token_sent):
            self._check_host(headers)
        self._check_source(scope, headers)
        if scope["method"] == "OPTIONS":
            return _preflight()
        self._check_peer(scope, headers, token_sent)
        if _is_entry(scope):
            return self._enter(token_sent)
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

    def _is_token(self, token_sent: str | None) -> bool:
        """Return whether a request has the token. Then its ``Host`` can be any name.

        A page of a rebound name does not have the token. It does not have the cookie either,
        because a browser sends the cookie only to the name at which the token was entered.
        """
        token = self._options.token
        return token is not None and token_sent is not None and _is_same(token_sent, token)

    def _check_source(self, scope: Scope, headers: Headers) -> None:
        """Refuse the requests of other web pages."""
        origin = headers.get("origin")
        if origin is not None and not self._is_allowed(origin, headers):
            raise AccessRefused(
                403,
                "A page of another origin must not use the control API; "
                "to allow it, start the emulator with --cors and this origin.",
            )
        is_cross = headers.get("sec-fetch-site", "").lower() == "cross-site"
        if is_cross and origin is None and not _is_navigation(scope, headers):
            raise AccessRefused(
                403,
                "A page of another site can only link to the emulator; "
                "to allow more, start the emulator with --cors and the page's origin.",
            )

    def _is_allowed(self, origin: str, headers: Headers) -> bool:
        host = headers.get("host", "").lower()
        own = {f"http://{host}", f"https://{host}"}
        return origin.lower() in self._origins | own

    def _check_peer(self, scope: Scope, headers: Headers, token_sent: str | None) -> None:
        """Refuse a request from another machine that does not have the token."""
        is_here = _is_here(scope)
        is_proxied = any(name in headers for name in PROXY_HEADERS)
        if is_here and not is_proxied:
            return
        token = self._options.token
        if token is None or (not is_here and self._options.access != "network"):
            raise AccessRefused(
                403,
                "Only the emulator's own machine has access to the page and the control API; "
                "to use them from another machine, start the emulator with --control network and "
                "a token.",
            )
        if not self._is_token(token_sent):
            raise AccessRefused(
                401,
                "The emulator's token is missing or wrong; send Authorization: Bearer TOKEN, "
                "or open /?token=TOKEN one time.",
                (("www-authenticate", 'Bearer realm="emulator"'),),
            )

    def _token_of(self, scope: Scope, headers: Headers) -> str | None:
        """Return the token of a request: from its URL, its header or its cookie."""
        if _is_entry(scope):
            return QueryParams(scope["query_string"])["token"]
        scheme, _, value = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return value.strip()
        return cookie_parser(headers.get("cookie", "")).get(self._cookie)

    @property
    def _cookie(self) -> str:
        """The cookie's name, different for each token: the emulators of a host share cookies."""
        digest = hashlib.sha256((self._options.token or "").encode()).hexdigest()
        return f"newsleopard_emulator_{digest[:8]}"

    def _enter(self, token_sent: str | None) -> Response:
        """Store the token of a URL in a cookie, and redirect to the URL without the token."""
        answer = Response(status_code=303, headers={"location": "/"})
        if token_sent is not None and self._is_token(token_sent):
            answer.set_cookie(
                self._cookie, token_sent, path="/", httponly=True, samesite="strict",
                secure=self._is_https,
            )  # fmt: skip
        return answer

    def _cors(self, headers: Headers) -> Mapping[str, str]:
        """Return the headers with which a browser allows a page of an allowed origin to read it."""
        origin = headers.get("origin")
        if not self._options.origins:
            return {}
        if origin is None or origin.lower() not in self._origins:
            return {"vary": "Origin"}
        return {"vary": "Origin", "access-control-allow-origin": origin}


def _is_entry(scope: Scope) -> bool:
    """Return whether a request opens the page with a token in its URL."""
    return scope["path"] == "/" and "token" in QueryParams(scope["query_string"])


def _host_of(netloc: str) -> str | None:
    """Return the host of a ``Host`` header in lower case, without port; None if it is invalid."""
    found = re.fullmatch(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", netloc.lower())
    return None if found is None else found[1].strip("[]")


def _is_loopback_host(host: str) -> bool:
    """Return whether a host name or address always means this machine."""
    return host == "localhost" or host.endswith(".localhost") or _is_loopback_address(host)


def _is_loopback_address(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool(address.is_loopback or (mapped is not None and mapped.is_loopback))


def _is_here(scope: Scope) -> bool:
    """Return whether the other end of the connection is on this machine."""
    peer = scope.get("client")
    return peer is not None and _is_loopback_address(peer[0])


def _is_navigation(scope: Scope, headers: Headers) -> bool:
    """Return whether a user followed a link or typed the URL: then no page can read the answer."""
    return (
        scope["method"] in {"GET", "HEAD"}
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )


def _is_same(token_sent: str, token: str) -> bool:
    """Compare two texts. The time does not depend on the number of equal characters."""
    return hmac.compare_digest(token_sent.encode("utf-8", "replace"), token.encode())


def _check_change(headers: Headers) -> None:
    """Refuse the content types of forms.

    A browser sends a preflight request before it sends JSON to another origin, but not before it
    sends a form.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise AccessRefused(
            415,
            "The content type of a change must be JSON; send the header "
            "Content-Type: application/json, even without a body.",
        )
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length) > MOST_BODY_BYTES:
        raise _too_large()


def _too_large() -> AccessRefused:
    return AccessRefused(413, f"The body is too large; send at most {MOST_BODY_BYTES:,} bytes.")


def _limited(receive: Receive) -> Receive:
    """Raise AccessRefused as soon as more bytes than the limit have arrived."""
    size = 0

    async def limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MOST_BODY_BYTES:
            raise _too_large()
        return message

    return limited


def _preflight() -> Response:
    """Answer a preflight request; the origin is already checked."""
    headers = {
        "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
        "access-control-allow-headers": "authorization, content-type",
        "access-control-max-age": str(PREFLIGHT_S),
    }
    return Response(status_code=204, headers=headers)


class _SendWithHeaders:
    """Adds the headers of every answer."""

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
    """Return the answer of a refusal: text for the page at ``/``, else an error in JSON."""
    headers = dict(refused.headers)
    if scope["path"] == "/":
        return PlainTextResponse(f"{refused.message}\n", refused.status, headers)
    error = {"message": refused.message, "problems": []}
    return JSONResponse({"error": error}, refused.status, headers)
