"""The emulator as tests and the command line use it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, get_args

import anyio
import attrs
import httpx
from starlette.applications import Starlette

from newsleopard_async.emulator.controls import Controls
from newsleopard_async.emulator.http.app import build_app, catch_up_in_slices
from newsleopard_async.emulator.http.asgi_transport import EmulatorTransport
from newsleopard_async.emulator.inspection import Inspection
from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.platform.clock import Clock, EmulatorClock
from newsleopard_async.emulator.platform.webhooks import Delivery, check_hosts
from newsleopard_async.emulator.snapshots import Snapshots
from newsleopard_async.emulator.switches import PROFILES, Profile, SwitchBoard, Switches

__all__ = ["Emulator", "account_of"]

BASE_URL: Final = "https://api.newsleopard.com"
"""The platform's own, so a program under test needs no other; in process, no request leaves."""

STORAGE_URL: Final = "https://storage.newsleopard.example"
"""Chosen: another host than the API's, as on the platform, under a domain that never exists."""

WEBHOOK_PERIOD_S: Final = 0.25
"""Chosen: a webhook is at most 0.25 s late; a server without webhooks makes 4 checks a second."""


class Emulator(Controls, Inspection, Snapshots):
    """A NewsLeopard of your own: stateful, deterministic, and never connected to the real one.

    Args:
        api_keys: The valid keys, or None to accept any key; all belong to one account.
        profile: ``documented``, or ``vendor-2026``, the platform of the vendor's notes.
        clock: The clock; by default an `EmulatorClock` that follows the machine's.
        seed: The seed of all codes and of the readers' behaviour.
        switches: Options that replace those of the profile.
        balance: How many mails the account can still send.
        base_url: The URL of the API, in process.
        storage_url: The URL of the storage, in process.
        latency_s: Seconds that each exchange takes on the clock, in process.
        webhook_transport: The transport that sends webhooks; sockets by default.
        webhook_hosts: Names of hosts that receive webhooks, in addition to loopback.

    Raises:
        ValueError: the profile is unknown, or a host is not a bare name.
    """

    def __init__(
        self,
        *,
        api_keys: Sequence[str] | None = ("test-key",),
        profile: Profile = "documented",
        clock: Clock | None = None,
        seed: int = 0,
        switches: Switches | None = None,
        balance: int = 1_000_000,
        base_url: str = BASE_URL,
        storage_url: str = STORAGE_URL,
        latency_s: float = 0.0,
        webhook_transport: httpx.AsyncBaseTransport | None = None,
        webhook_hosts: Collection[str] = (),
    ) -> None:
        if profile not in get_args(Profile):
            known = ", ".join(get_args(Profile))
            raise ValueError(f"profile: must be one of {known}, not {profile!r}")
        if isinstance(api_keys, str):
            raise ValueError("api_keys: must be a sequence of keys; write [key]")  # noqa: TRY004
        self._board = SwitchBoard(PROFILES[profile] if switches is None else switches, profile)
        self._account = Account(
            clock=clock or EmulatorClock(),
            board=self._board,
            api_keys=None if api_keys is None else tuple(api_keys),
            seed=seed,
            balance=balance,
            base_url=base_url,
            storage_url=storage_url,
            latency_s=latency_s,
            webhook_transport=webhook_transport,
            webhook_hosts=check_hosts(webhook_hosts),
        )
        self._kept = {}
        self.app: Starlette = build_app(self._account, lifespan=self._lifespan)

    def transport(self) -> EmulatorTransport:
        """Return an httpx transport that sends requests to this emulator, in process."""
        return EmulatorTransport(self._account, self.app)

    @property
    def clock(self) -> Clock:
        """The clock of the emulator."""
        return self._account.clock

    @property
    def profile(self) -> Profile:
        """The profile that the emulator was created with, or the profile of the restored state."""
        return self._board.profile

    @property
    def switches(self) -> Switches:
        """The current options."""
        return self._board.on

    def switch(self, **changes: Any) -> None:
        """Change options, by the names of ``Switches``. Later requests follow the new options.

        Raises:
            TypeError: a switch does not exist.
            ValueError: a switch cannot have the value.
        """
        with self._account.changing():
            self._account.catch_up()
            self._board.on = attrs.evolve(self._board.on, **changes)

    @property
    def changes(self) -> int:
        """How often requests, tests or time have changed the state; it never decreases.

        Requests that only read do not count.
        """
        return self._account.changes

    @property
    def latency_s(self) -> float:
        """Seconds that each exchange takes on the clock, in process."""
        return self._account.latency_s

    @latency_s.setter
    def latency_s(self, seconds: float) -> None:
        self._account.latency_s = seconds

    @property
    def base_url(self) -> str:
        """The URL of the API."""
        return self._account.base_url

    @property
    def storage_url(self) -> str:
        """The URL of the storage, which presigned URLs begin with."""
        return self._account.storage.base_url

    def move_to(self, base_url: str, *, storage_url: str) -> None:
        """Move API and storage to other URLs, such as the address that a server listens on."""
        self._account.base_url = base_url
        self._account.storage.base_url = storage_url

    async def deliver_webhooks(
        self, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> tuple[Delivery, ...]:
        """Deliver the webhooks that are due, once each; a server does this automatically.

        Args:
            transport: The transport to send over, such as ``httpx.ASGITransport(app)`` for an
                application in this process; by default the emulator's ``webhook_transport``.
        """
        with self._account.lock:
            now = self._account.catch_up()
        return await self._account.webhooks.deliver(now, transport)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        del app
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._keep_delivering)
            yield
            tasks.cancel_scope.cancel()

    async def _keep_delivering(self) -> None:
        while True:
            await anyio.sleep(WEBHOOK_PERIOD_S)
            if self._account.webhooks.is_waiting or self._account.imports.awaits_webhook:
                await catch_up_in_slices(self._account)
                with self._account.lock:
                    now = self._account.present()
                await self._account.webhooks.deliver(now)


def account_of(emulator: Emulator) -> Account:
    """Return the state of an emulator, for the parts of this package that build upon it."""
    return emulator._account  # noqa: SLF001  # tests and programs have no use for it
