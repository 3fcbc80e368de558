"""Webhooks: one POST each, to loopback and to hosts that were named (T120, T121)."""

from __future__ import annotations

import ipaddress
import json
import re
import threading
from collections.abc import Collection
from contextlib import AbstractContextManager
from datetime import datetime
from typing import ClassVar, Final, Protocol
from urllib.parse import urlsplit

import attrs
import httpx

from newsleopard_async.emulator.platform.timeline import ChangeCounter
from newsleopard_async.emulator.switches import SwitchBoard

__all__ = ["Delivery", "Payload", "Webhooks", "check_hosts", "is_loopback"]


class Payload(Protocol):
    """What a webhook will say: data, so that it can be written down."""

    def written(self, now: datetime) -> object:
        """Return it as JSON holds it, at the time of delivery."""
        ...


@attrs.frozen(kw_only=True)
class Delivery:
    """One try to deliver a webhook.

    Attributes:
        url: Where to.
        at: When it was due.
        body: The JSON.
        status: What the receiver answered; None where nobody did, or nobody was asked.
        refused: The host is neither loopback nor one that was named, and was not contacted.
    """

    url: str
    at: datetime
    body: bytes
    status: int | None
    refused: bool = False


@attrs.frozen(kw_only=True)
class _DueDelivery:
    url: str
    at: datetime
    payload: Payload


def is_loopback(url: str) -> bool:
    """Tell whether a URL's host is this machine, without asking any name server."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def check_hosts(hosts: Collection[str]) -> frozenset[str]:
    """Return names of hosts in lower case.

    Raises:
        ValueError: one is more than a name, such as a URL, or has a port.
    """
    for host in hosts:
        if not _NAME.fullmatch(host):
            raise ValueError(
                f"{host!r} is not the name of a host; write hooks.test, without http:// and a port"
            )
    return frozenset(host.lower() for host in hosts)


class Webhooks:
    """What is to be delivered, and what became of it.

    Args:
        changes: Where a delivery is counted.
        held: The account's lock: what a webhook says is read from its state.
        hosts: Further hosts that webhooks go to, by names in lower case.
    """

    OF_PROCESS: ClassVar[frozenset[str]] = frozenset(
        {"_lock", "_transport", "_hosts", "_changes", "_held"}
    )

    def __init__(
        self,
        board: SwitchBoard,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        changes: ChangeCounter,
        held: AbstractContextManager[object],
        hosts: frozenset[str] = frozenset(),
    ) -> None:
        self._hosts = hosts
        self.deliveries: list[Delivery] = []
        self._board = board
        self._due: list[_DueDelivery] = []
        self._on_their_way: list[_DueDelivery] = []
        self._changes = changes
        self._held = held
        self._transport = transport
        self._lock = threading.Lock()

    def schedule(self, url: str, at: datetime, payload: Payload) -> None:
        """Deliver something at an instant, as often as the switches say."""
        with self._lock:
            due = _DueDelivery(url=url, at=at, payload=payload)
            self._due.extend([due] * self._board.on.webhook_copies)

    def __getstate__(self) -> dict[str, object]:
        """Return what is to be kept: what is on its way now is delivered once more then."""
        with self._lock:
            due = [*self._on_their_way, *self._due]
            made = [*self.deliveries]
        return {**vars(self), "_due": due, "_on_their_way": [], "deliveries": made}

    @property
    def is_waiting(self) -> bool:
        """Whether anything is to be delivered, now or later."""
        return bool(self._due)

    async def deliver(
        self, now: datetime, transport: httpx.AsyncBaseTransport | None = None
    ) -> tuple[Delivery, ...]:
        """Try everything that is due, once each, over a transport or the usual one."""
        with self._lock:
            ready = [due for due in self._due if due.at <= now]
            self._due = [due for due in self._due if due.at > now]
            self._on_their_way.extend(ready)
        made: list[Delivery] = []
        try:
            for due in ready:
                delivery = await self._deliver_one(due, now, transport or self._transport)
                made.append(delivery)
        finally:
            # What nobody waits for any more is delivered another time.
            with self._lock:
                for due in ready:
                    self._on_their_way.remove(due)
                self._due[:0] = ready[len(made) :]
                self.deliveries.extend(made)
            if ready:
                self._changes.add()
        return tuple(made)

    async def _deliver_one(
        self, due: _DueDelivery, now: datetime, transport: httpx.AsyncBaseTransport | None
    ) -> Delivery:
        with self._held:
            body = json.dumps(due.payload.written(now), ensure_ascii=False).encode()
        if not (is_loopback(due.url) or self._is_named(due.url)):
            return Delivery(url=due.url, at=due.at, body=body, status=None, refused=True)
        status = await _post(due.url, body, transport)
        return Delivery(url=due.url, at=due.at, body=body, status=status)

    def _is_named(self, url: str) -> bool:
        try:
            return urlsplit(url).hostname in self._hosts
        except ValueError:
            return False


async def _post(url: str, body: bytes, transport: httpx.AsyncBaseTransport | None) -> int | None:
    headers = {"Content-Type": "application/json"}
    try:
        async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
            answer = await client.post(url, content=body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
    return answer.status_code
