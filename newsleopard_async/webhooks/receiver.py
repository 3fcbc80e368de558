"""Receives webhooks: each job has a URL that cannot be guessed, and a call of it ends the wait.

A webhook is only a hint (T121). It can arrive early, twice, late or never, and its content decides
nothing, because the waiting job always requests the API. So a forged webhook costs one request.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import re
import secrets
from collections import deque
from collections.abc import AsyncIterable, Callable, Iterator
from typing import Final

import anyio
import attrs

from newsleopard_async.aio import from_any_thread
from newsleopard_async.errors import Problem
from newsleopard_async.log import Log
from newsleopard_async.models.validation import problems_of_line, problems_of_type, raise_problems
from newsleopard_async.transport.urls import is_loopback, split_url
from newsleopard_async.webhooks.notice import LARGEST_BODY_BYTES, parse_webhook

__all__ = ["ExpectedWebhook", "Webhooks"]

_log: Final = Log()

_TOKEN_BYTES: Final = 32
"""Bytes of a token. Chosen: as long as an HMAC with SHA-256; 256 bits cannot be guessed."""

_SHORTEST_SECRET_BYTES: Final = 16
"""Least bytes of a secret. Chosen: 128 random bits cannot be guessed."""

_MOST_ENDED: Final = 1_000
"""URLs of ended jobs that are remembered, so that a repeated call gets the same answer.

Chosen: the jobs of several days, in 100 KB.
"""

_HOST: Final = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::[0-9]+)?", re.ASCII)
"""A host with its port that the endpoints accept in a URL."""

_PATH: Final = re.compile(r"(?:/[\w~-][\w.~-]*)+", re.ASCII)

_ACCEPTED: Final = 204  # Source: RFC 9110, as the other statuses
_BROKEN_OFF: Final = 400  # Source: RFC 9110
_UNKNOWN: Final = 404  # Source: RFC 9110
_TOO_LARGE: Final = 413  # Source: RFC 9110


@attrs.define(eq=False, kw_only=True)
class ExpectedWebhook:
    """A webhook that a job expects.

    Attributes:
        url: The URL to register at the platform. Keep it secret: a call needs nothing else.
        is_registered: Whether the URL was registered in this run, so that a call can arrive.
    """

    url: str = attrs.field(repr=False)
    is_registered: bool = False
    _token: bytes = attrs.field(repr=False)
    _came: anyio.Event = attrs.field(factory=anyio.Event, repr=False)
    _wake: Callable[[], None] = attrs.field(init=False, repr=False)

    @_wake.default
    def _wake_here(self) -> Callable[[], None]:
        return from_any_thread(self._came.set)

    @property
    def has_come(self) -> bool:
        """Whether the webhook has arrived, once or more often."""
        return self._came.is_set()

    async def wait(self) -> None:
        """Wait until the webhook arrives; return immediately if it has already arrived."""
        await self._came.wait()


class Webhooks:
    """Receives the platform's webhooks for the jobs of this process.

    Pass it to the pipelines as ``webhook=``, and add its route to your web framework, or call
    `receive` in your own view. A call wakes only jobs in the process that receives it.

    Args:
        url: The public URL of your route, for example ``https://shop.example/newsleopard``; http
            is for loopback only. Each job gets a URL below it.
        secret: At least 16 bytes that only your processes have. With it, a run that resumes in
            another process has the URL that the first process registered. Without it, the process
            creates a new URL, and the resumed run polls as without a webhook.

    Raises:
        InvalidRequest: the URL or the secret is invalid.
    """

    def __init__(self, url: str, *, secret: str | bytes | None = None) -> None:
        raise_problems([*_problems_of_url(url), *_problems_of_secret(secret)])
        self._url = url.rstrip("/")
        self._secret = _as_bytes(secret) if isinstance(secret, str) else secret
        self._expected: list[ExpectedWebhook] = []
        self._ended: deque[bytes] = deque(maxlen=_MOST_ENDED)

    def __repr__(self) -> str:
        return f"Webhooks({self._url!r})"

    @property
    def path(self) -> str:
        """The path of the URL; the route is below it."""
        return "/" + self._url.split("/", 3)[3]

    @contextlib.contextmanager
    def expect(self, key: str | None = None) -> Iterator[ExpectedWebhook]:
        """Expect a webhook until the context ends; enter it before you register the URL.

        Enter it in a coroutine, because it belongs to an event loop.

        Args:
            key: The name of the job; with a secret, the same key has the same URL.
        """
        token = self._token_of(key)
        expected = ExpectedWebhook(url=f"{self._url}/{token}", token=token.encode())
        self._expected.append(expected)
        try:
            yield expected
        finally:
            self._expected.remove(expected)
            self._ended.append(token.encode())

    def _token_of(self, key: str | None) -> str:
        if self._secret is None or key is None:
            return secrets.token_urlsafe(_TOKEN_BYTES)
        return hmac.new(self._secret, _as_bytes(key), hashlib.sha256).hexdigest()

    def receive(self, token: str, body: bytes) -> int:
        """Process a call, and return the status of the answer, which has no content.

        It can be called from any thread, and never raises an error. A call for an ended job is
        also accepted.

        Args:
            token: The last part of the path of the called URL.
            body: The body; it decides nothing.

        Returns: 204; 404 if no job of this process expects the token; 413 if the body is longer
            than 64 KiB.
        """
        expected = self._find(token)
        if expected is None:
            _log.debug("received a webhook that no job of this process expects")
            return _UNKNOWN
        if len(body) > LARGEST_BODY_BYTES:
            return _TOO_LARGE
        for each in expected:
            each._wake()  # noqa: SLF001 - the two classes belong together
        if _log.isEnabledFor(logging.DEBUG):
            # The worst body takes 0.1 s to read, and blocks the event loop meanwhile.
            _log.debug(
                "received a webhook; its kind, according to its content: %s",
                parse_webhook(body).kind,
            )
        return _ACCEPTED

    async def receive_pieces(self, token: str, pieces: AsyncIterable[bytes]) -> int:
        """Process a call with a body in pieces, and read only as much of it as necessary.

        Returns: As `receive`, and 400 if the body ends early. The body is not read if no job of
            this process expects the token.
        """
        body = bytearray()
        if self._find(token) is None:
            return self.receive(token, b"")
        try:
            async for piece in pieces:
                body += piece
                if len(body) > LARGEST_BODY_BYTES:
                    break
        except Exception as error:  # noqa: BLE001 - each framework has its own
            _log.debug("cannot read the body of a webhook: %s", type(error).__name__)
            return _BROKEN_OFF
        return self.receive(token, bytes(body))

    def _find(self, token: str) -> list[ExpectedWebhook] | None:
        """Return the webhooks with this token, none if their job has ended; None if it is unknown.

        The token is compared with all known tokens, so that the time does not reveal any of them.
        """
        called = _as_bytes(token)
        ended = sum([hmac.compare_digest(called, each) for each in tuple(self._ended)])
        found = [
            each
            for each in tuple(self._expected)
            if hmac.compare_digest(called, each._token)  # noqa: SLF001 - the two classes belong together
        ]
        return found if found or ended else None


def _problems_of_url(url: object) -> Iterator[Problem]:
    found = list(problems_of_line("url", url))
    yield from found
    if found or not isinstance(url, str):
        return
    parts = split_url(url)
    host = parts and _HOST.fullmatch(parts.netloc.rpartition("@")[2])
    if parts is None or not host or parts.scheme not in ("https", "http"):
        yield Problem("url", "url", "must be a URL such as https://shop.example/newsleopard")
        return
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        yield Problem("url", "https", "must begin with https://; http is allowed for loopback only")
    if "@" in parts.netloc or "?" in url or "#" in url:
        yield Problem("url", "url", "must have no user, query or fragment; leave them out")
    elif not _PATH.fullmatch(parts.path.rstrip("/")):
        yield Problem(
            "url",
            "path",
            "must have a path such as /newsleopard, of letters, digits and -._~",
        )


def _problems_of_secret(secret: object) -> Iterator[Problem]:
    if secret is None:
        return
    yield from problems_of_type("secret", secret, (str, bytes), "text or bytes, or None")
    if isinstance(secret, (str, bytes)):
        size = len(_as_bytes(secret) if isinstance(secret, str) else secret)
        if size < _SHORTEST_SECRET_BYTES:
            yield Problem(
                "secret",
                "range",
                f"has {size} bytes, but needs at least {_SHORTEST_SECRET_BYTES}; create one "
                "with secrets.token_urlsafe(), and store it with your API key",
            )


def _as_bytes(text: str) -> bytes:
    """Encode any text, including surrogates, which UTF-8 cannot encode."""
    return text.encode("utf-8", "surrogatepass")
