"""How the step of a pipeline learns what the transport does below it.

A step calls an endpoint, which returns a model. What the model does not have, the id of the
request and how far an upload is, comes this way. A context variable carries the listener through
the endpoint, and into the task in which a request runs to its answer.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final, Protocol

__all__ = ["Listener", "listener"]


class Listener(Protocol):
    """Receives what happens below one step."""

    def answered(self, operation: str, request_id: str | None) -> None:
        """The API or the storage has answered an attempt at a call, with any answer."""
        ...

    async def moved(self, moved_bytes: int, total_bytes: int | None) -> None:
        """Part of an upload or a download has moved in this attempt.

        Args:
            moved_bytes: How many bytes so far.
            total_bytes: The size of the file, if it is known.
        """
        ...


listener: Final[ContextVar[Listener | None]] = ContextVar(
    "newsleopard_async_listener", default=None
)
"""Set around a step, for what it calls."""
