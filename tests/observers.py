"""An observer of a request that must not be repeated, which records its calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from newsleopard_async.errors import NewsLeopardError

__all__ = ["RecordingObserver"]


async def _nothing(said: str) -> None:
    pass


@attrs.define
class RecordingObserver:
    """Records in order that a request is sent, and that it was accepted or failed.

    Attributes:
        told: ``on_sending``; then ``on_accepted`` with what it gave, or ``on_failed`` with the
            error.
        hook: Awaited with each of these before it is recorded; it can wait, or raise.
    """

    told: list[str] = attrs.field(factory=list)
    hook: Callable[[str], Awaitable[None]] = _nothing

    async def on_sending(self) -> None:
        """Record that it is about to be sent."""
        await self._note("on_sending")

    async def on_accepted(self, model: Any) -> None:
        """Record the result."""
        await self._note(f"on_accepted {model}")

    async def on_failed(self, error: NewsLeopardError) -> None:
        """Record the error."""
        await self._note(f"on_failed {type(error).__name__}")

    async def _note(self, said: str) -> None:
        await self.hook(said)
        self.told.append(said)
