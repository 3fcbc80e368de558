"""Who hears what the transport does, if anybody does: the step of a pipeline.

A step calls an endpoint, which gives a model. What the model does not have, the id of the
request and how far an upload is, comes this way; a context variable carries it through the
endpoint, and into the task in which a request runs to its answer.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final, Protocol

__all__ = ["Listener", "listener"]


class Listener(Protocol):
    """Hears what happens below one step."""

    def answered(self, operation: str, request_id: str | None) -> None:
        """The API or the storage has answered an attempt at a call, whatever it said."""
        ...

    async def moved(self, moved_bytes: int, total_bytes: int | None) -> None:
        """So much of an upload or a download has moved in this attempt.

        Args:
            moved_bytes: So many bytes.
            total_bytes: Of so many, if that is known.
        """
        ...


listener: Final[ContextVar[Listener | None]] = ContextVar(
    "newsleopard_async_listener", default=None
)
"""Set around a step, for what it calls."""
