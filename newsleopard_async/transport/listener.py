"""The listener of a pipeline's step, which receives request ids and progress from the transport.

A step calls an endpoint, which returns a model. The id of the request and the progress of an upload
are not part of the model, so a listener receives them. A context variable passes the listener
through the endpoint, and into the task in which a request runs to its answer.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final, Protocol

__all__ = ["Listener", "listener"]


class Listener(Protocol):
    """Receives the ids and the progress of the requests of one step."""

    def answered(self, operation: str, request_id: str | None) -> None:
        """The API or the storage has answered an attempt at a call, possibly with a refusal."""
        ...

    async def moved(self, moved_bytes: int, total_bytes: int | None) -> None:
        """Part of an upload or a download has moved in this attempt.

        Args:
            moved_bytes: The number of bytes so far.
            total_bytes: The size of the file, if it is known.
        """
        ...


listener: Final[ContextVar[Listener | None]] = ContextVar(
    "newsleopard_async_listener", default=None
)
"""The listener of the present step."""
