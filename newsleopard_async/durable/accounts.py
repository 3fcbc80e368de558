"""The accounts that a worker sends for: the client and the circuit breaker of each.

- Only the client of an account has its API key. If the platform refuses the key, the next attempt
  gets a new client, because the key was possibly changed. The old client is closed after its last
  attempt has ended.
- If the platform refuses the key or fails, it does so for all sends of the account. So one attempt
  tests the account for all: else a thousand due attempts would use up the daily quota.
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
"""The errors with which all other attempts of the account would end as well."""

_SHORTEST: Final = timedelta(minutes=1)
"""Chosen: most faults of a server last seconds or minutes."""

_LONGEST: Final = timedelta(minutes=15)
"""Chosen: a fault of a day costs about a hundred attempts, of up to five requests each."""


@attrs.define(eq=False)
class _Client:
    """A client and its uses.

    Attributes:
        nl: The client.
        accounts: The accounts that get this client for their next attempts.
        users: The number of attempts that use it now.
    """

    nl: NewsLeopard
    accounts: set[str] = attrs.field(factory=set)
    users: int = 0


class Clients:
    """The clients of the accounts; each is created when it is first needed.

    Args:
        factory: Returns the client of the account with this name; several accounts can share one.
    """

    def __init__(self, factory: Callable[[str], NewsLeopard]) -> None:
        self._factory = factory
        self._all: list[_Client] = []

    @contextlib.asynccontextmanager
    async def using(self, account: str) -> AsyncIterator[NewsLeopard]:
        """Return the client of an account for use within the context.

        Raises:
            ConfigurationError: the factory did not return a client.
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
        nl = self._factory(account)
        if not isinstance(nl, NewsLeopard):
            raise ConfigurationError(
                f"clients returned {type(nl).__name__} for the account {account!r}; it must "
                "return a NewsLeopard, and must not be async"
            )
        for client in self._all:
            if client.nl is nl:
                break
        else:
            client = _Client(nl)
            self._all.append(client)
        client.accounts.add(account)
        return client

    async def renew(self, account: str) -> None:
        """Create a new client for the next attempt of an account."""
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
        """Return the longest timeout of a submit among the clients, in seconds."""
        waits_s = (each.nl._api.timeouts.submit_s for each in self._all)  # noqa: SLF001 - it has no public name
        return max(waits_s, default=0.0)

    async def aclose(self) -> None:
        """Close all clients."""
        while self._all:
            await self._all.pop().nl.aclose()


@attrs.frozen
class _OpenCircuit:
    """An error of an account that prevents further attempts for a time.

    Attributes:
        error: The error of the last attempt.
        lasts: How long attempts are skipped; it doubles with each further such error.
        until: The time after which one attempt tests the account again.
    """

    error: Exception
    lasts: timedelta
    until: datetime


@attrs.define(eq=False)
class CircuitBreaker:
    """Stops the attempts of an account for a time after an error that all of them would meet."""

    _all: dict[str, _OpenCircuit] = attrs.field(factory=dict, init=False)

    def open_error(self, account: str, now: datetime) -> Exception | None:
        """Return the error with which an attempt would end; None if the attempt must be made.

        Args:
            account: The account of the send.
            now: The current time.
        """
        circuit = self._all.get(account)
        if circuit is None:
            return None
        # A clock that was set back does not extend the time.
        if circuit.until - circuit.lasts <= now < circuit.until:
            return circuit.error
        self._all[account] = attrs.evolve(circuit, until=now + circuit.lasts)
        return None

    def note(self, account: str, error: Exception | None, now: datetime) -> None:
        """Record how an attempt ended.

        Args:
            account: The account of the send.
            error: The exception that the attempt raised; None if it succeeded.
            now: The current time.
        """
        if isinstance(error, _OF_THE_ACCOUNT):
            before = self._all.get(account)
            lasts = _SHORTEST if before is None else min(2 * before.lasts, _LONGEST)
            self._all[account] = _OpenCircuit(error.with_traceback(None), lasts, now + lasts)
        elif error is None or isinstance(error, APIError):
            # The platform answered. After other errors it is unknown whether a request was sent.
            self._all.pop(account, None)
