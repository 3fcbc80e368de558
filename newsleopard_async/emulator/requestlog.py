"""A record of every request that reached the emulator."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from newsleopard_async.emulator.wire import parse_json

__all__ = ["RequestRecord"]


@attrs.define(kw_only=True)
class RequestRecord:
    """One request.

    Attributes:
        operation: Its name; ``unknown`` where nothing answers to method and path.
        method: The HTTP method.
        path: The path, decoded.
        query: The query as it came; of storage without its signature.
        at: When it arrived.
        at_s: The same on the clock that never goes back.
        headers: With lower-case names, and without the key's value.
        body: What came; empty for uploads.
        body_bytes: How much came.
        status: What was answered; None while nothing was, or where the connection was dropped.
        fault: What was made to go wrong, or None.
    """

    operation: str
    method: str
    path: str
    query: str
    at: datetime
    at_s: float
    headers: Mapping[str, str]
    body: bytes = attrs.field(default=b"", repr=False)
    body_bytes: int = 0
    status: int | None = None
    fault: str | None = None

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return parse_json(self.body)
