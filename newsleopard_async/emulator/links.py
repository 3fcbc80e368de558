"""The connection that a request came over, as far as the emulator may misuse it."""

from __future__ import annotations

from typing import Final, Protocol

from newsleopard_async.emulator.clock import Clock

__all__ = ["LINK", "BareLink", "Dropped", "Link"]

LINK: Final = "newsleopard_async.emulator.link"
"""Under this name a transport or server puts its link into the scope's extensions."""


class Dropped(Exception):
    """The connection is gone; nothing more can be said over it."""


class Link(Protocol):
    """What a fault needs of a connection."""

    async def wait(self, seconds: float) -> None:
        """Keep the client waiting."""
        ...

    async def drop(self, *, abruptly: bool) -> None:
        """Close the connection without (or amid) an answer; the caller says nothing after it."""
        ...


class BareLink:
    """The link of a server that offers none: it can wait, and fail."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def wait(self, seconds: float) -> None:
        """Keep the client waiting."""
        await self._clock.sleep(seconds)

    async def drop(self, *, abruptly: bool) -> None:
        """Fail, which most servers turn into a 500."""
        raise Dropped("abruptly" if abruptly else "after the request")
