"""Webhooks received: each job has a URL that cannot be guessed, and a call of it ends the wait.

A webhook is a hint (T121). Its content decides nothing, it may come early, twice, late or never,
and the waiting job asks the API in any case. So the worst that a forged one does is one request.
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
"""Chosen: as long as an HMAC with SHA-256; 256 bits cannot be guessed."""

_SHORTEST_SECRET_BYTES: Final = 16
"""Chosen: 128 bits, if they are random."""

_MOST_ENDED: Final = 1_000
"""How many URLs stay known after their jobs have ended, so that a repeated call is answered as
the first one was. Chosen: some days of jobs, in 100 KB."""

_PLACE: Final = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::[0-9]+)?", re.ASCII)
"""A host with its port, so that the endpoints take each URL that is made of it."""

_PATH: Final = re.compile(r"(?:/[\w~-][\w.~-]*)+", re.ASCII)

_ACCEPTED: Final = 204
_BROKEN_OFF: Final = 400
_UNKNOWN: Final = 404
_TOO_LARGE: Final = 413


@attrs.define(eq=False, kw_only=True)
class ExpectedWebhook:
    """A webhook that may come.

    Attributes:
        url: What to register at the platform. Keep it secret: it is all that a call needs.
        is_registered: Whether it was registered in this run, so that it is worth waiting for.
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
        """Whether it came, once or more often."""
        return self._came.is_set()

    async def wait(self) -> None:
        """Wait until it comes, or return at once if it has come already."""
        await self._came.wait()


class Webhooks:
    """Receives the platform's webhooks for the jobs of this process.

    Give it to the pipelines as ``webhook=``, and its route to your web framework, or call
    `receive` in a view of your own. Only the process that gets a call is woken.

    Args:
        url: Where the platform reaches your route, as in ``https://shop.example/newsleopard``;
            http is for loopback only. Each job gets a URL below it.
        secret: At least 16 bytes that only your processes have. With it a run that goes on in
            another process has the URL that the first one registered. Without it, each process
            makes a new URL, and a run that goes on polls as without a webhook.

    Raises:
        InvalidRequest: the URL or the secret cannot be used.
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
        """The path of its URL, below which the route is."""
        return "/" + self._url.split("/", 3)[3]

    @contextlib.contextmanager
    def expect(self, key: str | None = None) -> Iterator[ExpectedWebhook]:
        """Expect a webhook for as long as the context lasts; enter it before you register the URL.

        It belongs to an event loop, so enter it in a coroutine.

        Args:
            key: Names the job, if there is a secret: the same key has the same URL.
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
        """Take a call, and return the status to answer it with; the answer has no content.

        It may be called from any thread, and never raises. A call for a job that has ended is
        accepted as well.

        Args:
            token: The last part of the path of the called URL.
            body: The body; it decides nothing.

        Returns: 204; 404 if it is not expected here; 413 if the body is longer than 64 KiB.
        """
        expected = self._find(token)
        if expected is None:
            _log.debug("a webhook came that is not expected in this process")
            return _UNKNOWN
        if len(body) > LARGEST_BODY_BYTES:
            return _TOO_LARGE
        for each in expected:
            each._wake()  # noqa: SLF001 - its other half
        if _log.isEnabledFor(logging.DEBUG):
            # Reading the worst of bodies takes 0.1 s, in which nothing else runs.
            _log.debug("a webhook came; its kind, by its content: %s", parse_webhook(body).kind)
        return _ACCEPTED

    async def receive_pieces(self, token: str, pieces: AsyncIterable[bytes]) -> int:
        """Take a call whose body comes in pieces, and read no more of it than is needed.

        Returns: As `receive`, and 400 if the body breaks off. The body of a call that is not
            expected here is not read.
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
            _log.debug("the body of a webhook could not be read: %s", type(error).__name__)
            return _BROKEN_OFF
        return self.receive(token, bytes(body))

    def _find(self, token: str) -> list[ExpectedWebhook] | None:
        """Return what waits for a token, possibly nothing any more; None if it is not known.

        Each token is compared with all, so that the time does not reveal any of them.
        """
        given = _as_bytes(token)
        ended = sum([hmac.compare_digest(given, each) for each in tuple(self._ended)])
        found = [
            each
            for each in tuple(self._expected)
            if hmac.compare_digest(given, each._token)  # noqa: SLF001 - its other half
        ]
        return found if found or ended else None


def _problems_of_url(url: object) -> Iterator[Problem]:
    found = list(problems_of_line("url", url))
    yield from found
    if found or not isinstance(url, str):
        return
    parts = split_url(url)
    place = parts and _PLACE.fullmatch(parts.netloc.rpartition("@")[2])
    if parts is None or not place or parts.scheme not in ("https", "http"):
        yield Problem("url", "url", "must be as in https://shop.example/newsleopard")
        return
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        yield Problem("url", "https", "must be https; http is for loopback only")
    if "@" in parts.netloc or "?" in url or "#" in url:
        yield Problem("url", "url", "must have no user, query or fragment; leave them out")
    elif not _PATH.fullmatch(parts.path.rstrip("/")):
        yield Problem(
            "url",
            "path",
            "must have a path of its own, as /newsleopard, of letters, digits, and -._~",
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
                f"has {size} bytes, and must have at least {_SHORTEST_SECRET_BYTES}; make one "
                "with secrets.token_urlsafe(), and keep it with your API key",
            )


def _as_bytes(text: str) -> bytes:
    """Encode any text, also one that UTF-8 has no bytes for."""
    return text.encode("utf-8", "surrogatepass")
