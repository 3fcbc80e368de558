"""What can be shown as JSON: the base of the models, outcomes and events."""

from __future__ import annotations

from typing import Any

from newsleopard_async.plain.converter import (
    LATER,
    PRESIGNED,
    PlainData,
    from_plain,
    redact_url,
    to_plain,
)

__all__ = ["LATER", "PRESIGNED", "Plain", "PlainData", "from_plain", "redact_url", "to_plain"]


class Plain:
    """A base for whatever can be shown as JSON."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-safe data, presigned URLs without their query."""
        data: dict[str, Any] = to_plain(self)
        return data
