"""A request with its body in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import httpx

from newsleopard_async.transport.answer_body import PIECE_BYTES

__all__ = ["BufferedRequest", "Bytes"]


class Bytes(httpx.AsyncByteStream):
    """A body in memory.

    httpx's own body is a generator. If a request is cut off, trio warns that it was not closed.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _Sliced(self._content)


class BufferedRequest(httpx.Request):
    """A request with its body in memory, where the caller's own transport can read it.

    httpx's own request builds its headers three times, which takes as long as sending them.
    """

    def __init__(
        self,
        method: str,
        url: httpx.URL,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout: dict[str, float],
    ) -> None:
        self._body = body or b""
        has_length = body is not None or method in {"POST", "PUT", "PATCH"}
        length = {"Content-Length": str(len(self._body))} if has_length else {}
        super().__init__(
            method,
            url,
            headers={"Host": url.netloc.decode("ascii"), **headers, **length},
            stream=Bytes(self._body),
            extensions={"timeout": timeout},
        )

    @property
    def content(self) -> bytes:
        """The body."""
        return self._body

    def read(self) -> bytes:
        """Return the body."""
        return self._body

    async def aread(self) -> bytes:
        """Return the body."""
        return self._body


class _Sliced(AsyncIterator[bytes]):
    """Yields bytes in pieces, so that progress can be measured."""

    def __init__(self, content: bytes) -> None:
        self._slices = iter(range(0, len(content), PIECE_BYTES))
        self._content = content

    async def __anext__(self) -> bytes:
        for begin in self._slices:
            return self._content[begin : begin + PIECE_BYTES]
        raise StopAsyncIteration
