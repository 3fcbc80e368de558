"""What a call of one's own gives; see `NewsLeopard.request`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from newsleopard_async.plain import Plain

__all__ = ["RawAnswer"]


@attrs.frozen(kw_only=True)
class RawAnswer(Plain):
    """An answer as it came, with a status of 2xx. Only the status is in its ``repr``.

    Attributes:
        status: The HTTP status.
        headers: By their names in lower case; one that came several times is joined by commas.
        json: The body, parsed; None if there was no content.
        request_id: The id that the platform gave the request, to quote to the vendor; None if it
            gave none.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    json: Any = attrs.field(repr=False)
    request_id: str | None = attrs.field(default=None, repr=False)
