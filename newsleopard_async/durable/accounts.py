"""The accounts that a worker sends for: their clients, and what they are in trouble with.

A client has the API key of its account; it is nowhere else. If the key is refused, it may have been
changed: the next attempt gets another client, and the old one is closed once nobody uses it.

If the platform refuses the key, or is out of order, that is so for all sends of the account. So one
attempt finds out for all: else a thousand that are due would use the day's quota up on it.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Final

import anyio
import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    ServerError,
)

__all__ = ["CircuitBreaker", "Clients"]

_OF_THE_ACCOUNT: Final = (AuthenticationError, ServerError)
"""What any other attempt of the account would end with, too."""

_SHORTEST: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(minutes=15)
"""Chosen: a day of it then costs some hundred attempts, of up to five requests each."""


@attrs.define(eq=False)
class _Client:
    """A client, and who has it.

    Attributes:
        nl: The client.
        accounts: Whose next attempts get it.
        users: How many attempts use it.
    """

    nl: NewsLeopard
    accounts: set[str] = attrs.field(factory=set)
    users: int = 0


class Clients:
    """The clients of accounts, each made when it is first needed.

    Args:
        factory: Makes the client of an account, by its name; it may give several accounts one.
    """

    def __init__(self, factory: Callable[[str], NewsLeopard]) -> None:
        self._factory = factory
        self._all: list[_Client] = []

    @contextlib.asynccontextmanager
    async def using(self, account: str) -> AsyncIterator[NewsLeopard]:
        """Use the client of an account, within the context.

        Raises:
            ConfigurationError: the factory returned something else.
            Exception: any error of the factory.
        """
        client = self._of(account)
        client.users += 1
        try:
            yield client.nl
        finally:
            client.users -= 1
            await self._close_if_unused(client)

    def _of(self, account: str) -> _Client:
        for client in self._all:
            if account in client.accounts:
                return client
        made = self._factory(account)
        if not isinstance(made, NewsLeopard):
            raise ConfigurationError(
                f"clients returned {type(made).__name__} for the account {account!r}; it must "
                "return a NewsLeopard, and must not be async"
            )
        for client in self._all:
            if client.nl is made:
                break
        else:
            client = _Client(made)
            self._all.append(client)
        client.accounts.add(account)
        return client

    async def renew(self, account: str) -> None:
        """Let the next attempt of an account get another client."""
        for client in tuple(self._all):
            client.accounts.discard(account)
            await self._close_if_unused(client)

    async def _close_if_unused(self, client: _Client) -> None:
        if client.accounts or client.users or client not in self._all:
            return
        self._all.remove(client)
        with anyio.CancelScope(shield=True):
            await client.nl.aclose()

    def submit_s(self) -> float:
        """Return the longest time that an answer to a submit is waited for, in seconds."""
        waits_s = (each.nl._api.timeouts.submit_s for each in self._all)  # noqa: SLF001 - no public name says it
        return max(waits_s, default=0.0)

    async def aclose(self) -> None:
        """Close them."""
        while self._all:
            await self._all.pop().nl.aclose()


@attrs.frozen
class _OpenCircuit:
    """What an attempt ended with, and until when the others are spared.

    Attributes:
        error: Its error.
        lasts: For how long; twice as long if it is met again.
        until: From then on one more finds out.
    """

    error: Exception
    lasts: timedelta
    until: datetime


@attrs.define(eq=False)
class CircuitBreaker:
    """What accounts are in trouble with, as far as this worker knows."""

    _all: dict[str, _OpenCircuit] = attrs.field(factory=dict, init=False)

    def open_error(self, account: str, now: datetime) -> Exception | None:
        """Return what an attempt would end with; None if it is to be made.

        Args:
            account: Whose it is.
            now: The time.
        """
        circuit = self._all.get(account)
        if circuit is None:
            return None
        # A clock that was set back makes it no longer.
        if circuit.until - circuit.lasts <= now < circuit.until:
            return circuit.error
        self._all[account] = attrs.evolve(circuit, until=now + circuit.lasts)
        return None

    def note(self, account: str, error: Exception | None, now: datetime) -> None:
        """Note how an attempt ended that was made.

        Args:
            account: Whose it was.
            error: What it raised.
            now: The time.
        """
        if isinstance(error, _OF_THE_ACCOUNT):
            before = self._all.get(account)
            lasts = _SHORTEST if before is None else min(2 * before.lasts, _LONGEST)
            self._all[account] = _OpenCircuit(error.with_traceback(None), lasts, now + lasts)
        elif error is None or isinstance(error, APIError):
            # It answers. Of anything else it is not known whether it was asked.
            self._all.pop(account, None)
