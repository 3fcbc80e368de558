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
"""The platform's own, so that a program under test needs no other; in process nothing leaves."""

STORAGE_URL: Final = "https://storage.newsleopard.example"
"""Chosen: another host than the API's, as the platform has it; the name can never exist."""

WEBHOOK_PERIOD_S: Final = 0.25
"""Chosen: a webhook is at most so late, and a server that has none to send does next to nothing."""


class Emulator(Controls, Inspection, Snapshots):
    """A NewsLeopard of your own: stateful, deterministic, and without a way to the real one.

    Args:
        api_keys: The keys that it knows, or None for any; all belong to one account.
        profile: ``documented``, or ``vendor-2026``, the platform of the vendor's notes.
        clock: Its time; by default the machine's, which can be held and moved.
        seed: What codes and readers' behaviour are drawn from.
        switches: Options in the place of the profile's.
        balance: Mails that the account may send.
        base_url: Where the API is, in process.
        storage_url: Where the storage is, in process.
        latency_s: What each exchange takes on the clock, in process.
        webhook_transport: What webhooks go out over; sockets by default.
        webhook_hosts: Names of hosts that webhooks go to, beside loopback.

    Raises:
        ValueError: there is no such profile, or a host is more than a name.
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
            raise ValueError(f"{profile!r} is none of {', '.join(get_args(Profile))}")
        if isinstance(api_keys, str):
            raise ValueError("api_keys: a text is a sequence of letters; write [key]")  # noqa: TRY004
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
        """Return an httpx transport that reaches this emulator, API and storage, in process."""
        return EmulatorTransport(self._account, self.app)

    @property
    def clock(self) -> Clock:
        """Its time."""
        return self._account.clock

    @property
    def profile(self) -> Profile:
        """The profile that it was made with, or that the state has which was put in its place."""
        return self._board.profile

    @property
    def switches(self) -> Switches:
        """The options as they stand now."""
        return self._board.on

    def switch(self, **changes: Any) -> None:
        """Change options, by the names of ``Switches``, from the present on.

        Raises:
            TypeError: there is no such switch.
            ValueError: a switch does not know the word.
        """
        with self._account.changing():
            self._account.catch_up()
            self._board.on = attrs.evolve(self._board.on, **changes)

    @property
    def changes(self) -> int:
        """How often its state has changed, by requests, by tests or in time; never goes back.

        Requests that only read do not count.
        """
        return self._account.changes

    @property
    def latency_s(self) -> float:
        """What each exchange takes on the clock, in process."""
        return self._account.latency_s

    @latency_s.setter
    def latency_s(self, seconds: float) -> None:
        self._account.latency_s = seconds

    @property
    def base_url(self) -> str:
        """Where the API is."""
        return self._account.base_url

    @property
    def storage_url(self) -> str:
        """Where presigned URLs point."""
        return self._account.storage.base_url

    def move_to(self, base_url: str, *, storage_url: str) -> None:
        """Let API and storage be elsewhere, such as at the address that a server listens on."""
        self._account.base_url = base_url
        self._account.storage.base_url = storage_url

    async def deliver_webhooks(
        self, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> tuple[Delivery, ...]:
        """Deliver the webhooks that are due, once each; a server does so by itself.

        Args:
            transport: What they go out over, such as ``httpx.ASGITransport(app)`` to an application
                in this process; by default what the emulator was made with.
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
    """Return the state of an emulator: for what is built upon it in this package."""
    return emulator._account  # noqa: SLF001  # tests and programs have no use for it
