"""Presigned URLs, and the requests to them.

The storage gets no header that was not signed, and its URL unchanged. An upload has exactly one
Content-Length and is never chunked.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import SplitResult, parse_qs

import attrs
import httpx

from newsleopard_async.transport.body import Body
from newsleopard_async.transport.buffered_request import Bytes
from newsleopard_async.transport.urls import OWN_PORTS, split_url

__all__ = ["Presigned"]

_NOT_IN_A_URL: Final = re.compile(r"[^\x21-\x7e]")


@attrs.frozen
class Presigned:
    """A presigned URL and its parts, without a change in any byte."""

    url: str = attrs.field(repr=False)
    target: str = attrs.field(repr=False)
    scheme: str
    host: str
    authority: str
    expires: datetime | None
    parts: SplitResult = attrs.field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Presigned | None:
        """Read a URL; return None if no request can be sent to it."""
        parts = split_url(url)
        if parts is None or _NOT_IN_A_URL.search(url):
            return None
        host = parts.hostname or ""
        if not (host and parts.scheme in OWN_PORTS):
            return None
        authority = parts.netloc.rpartition("@")[2]
        if parts.port == OWN_PORTS[parts.scheme]:
            # Signers omit the default port from the host that they sign, even if the URL contains
            # it.
            authority = authority.rpartition(":")[0]
        rest = url.partition("#")[0].partition("://")[2][len(parts.netloc) :]
        return cls(
            url=url,
            target=rest if rest.startswith("/") else f"/{rest}",
            scheme=parts.scheme,
            host=host,
            authority=authority,
            expires=_expiry(parts.query),
            parts=parts,
        )

    @property
    def origin(self) -> str:
        """The scheme and the host, which are not secret."""
        return f"{self.scheme}://{self.authority}"

    def is_expired(self, now: datetime) -> bool:
        """Return whether the URL has expired, according to its own parameters."""
        return self.expires is not None and now >= self.expires

    def request(self, body: Body | None, timeout: dict[str, float]) -> httpx.Request:
        """Return the request that sends a body, or downloads one, without any additional header."""
        headers = {"Host": self.authority}
        if body is not None:
            headers["Content-Length"] = str(body.size_bytes)
        request = httpx.Request(
            "GET" if body is None else "PUT",
            self.url,
            headers=headers,
            stream=Bytes(b"") if body is None else _BodyStream(body),
            extensions={"timeout": timeout},
        )
        request.url = _ExactURL(self.url, self.target.encode("ascii"))
        return request


class _ExactURL(httpx.URL):
    """A URL whose target is sent unchanged.

    httpx normalises the path, which breaks a signature over it. Its extension "target" would
    prevent that too, but httpcore would then also write the target into a proxy's CONNECT.
    """

    def __init__(self, url: str, target: bytes) -> None:
        super().__init__(url)
        self._target = target

    @property
    def raw_path(self) -> bytes:
        """The original path with its query."""
        return self._target


def _expiry(query: str) -> datetime | None:
    """Return when a URL expires, for signature versions 4 and 2."""
    fields = {name.lower(): values[0] for name, values in parse_qs(query).items()}
    try:
        if "x-amz-date" in fields:
            signed = datetime.strptime(fields["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return signed + timedelta(seconds=int(fields.get("x-amz-expires", "")))
        return datetime.fromtimestamp(int(fields.get("expires", "")), UTC)
    except (ValueError, OverflowError, OSError):
        return None


class _BodyStream(httpx.AsyncByteStream):
    """A body for httpx: it opens again each time that it is read.

    httpx abandons a body when a write fails or is cancelled. The file would then stay open until
    the garbage collector finds it.
    """

    def __init__(self, body: Body) -> None:
        self._body = body
        self._opened: list[AsyncGenerator[bytes, None]] = []

    def __aiter__(self) -> AsyncIterator[bytes]:
        self._opened.append(self._body.pieces())
        return self._opened[-1]

    async def aclose(self) -> None:
        """Close the file, even if the storage answered before it had everything."""
        for pieces in self._opened:
            await pieces.aclose()
