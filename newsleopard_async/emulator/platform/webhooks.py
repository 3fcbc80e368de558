"""Webhooks: one POST each, only to loopback and to allowed hosts (T120, T121)."""

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
    """The source of a webhook's body; it is data, so a state can contain it."""

    def written(self, now: datetime) -> object:
        """Return the JSON value of the body, at the time of delivery."""
        ...


@attrs.frozen(kw_only=True)
class Delivery:
    """One attempt to deliver a webhook.

    Attributes:
        url: The URL of the receiver.
        at: When the webhook was due.
        body: The JSON.
        status: The status of the receiver's answer; None without an answer, or without a request.
        refused: Whether no request was sent, because the host is not loopback and not allowed.
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
    """Return whether a URL's host is this machine, without a query to a name server."""
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
        ValueError: a host is not a bare name, but a URL, or has a port.
    """
    for host in hosts:
        if not _NAME.fullmatch(host):
            raise ValueError(
                f"{host!r} is not the name of a host; write hooks.test, without http:// and a port"
            )
    return frozenset(host.lower() for host in hosts)


class Webhooks:
    """The webhooks that wait for delivery, and the deliveries so far.

    Args:
        changes: The counter for deliveries.
        held: The account's lock, because a webhook's body is built from the account's state.
        hosts: Further allowed hosts, by names in lower case.
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
        """Schedule a webhook, as often as the switches set."""
        with self._lock:
            due = _DueDelivery(url=url, at=at, payload=payload)
            self._due.extend([due] * self._board.on.webhook_copies)

    def __getstate__(self) -> dict[str, object]:
        """Return the state to store; a webhook that is being sent is sent again after a restore."""
        with self._lock:
            due = [*self._on_their_way, *self._due]
            made = [*self.deliveries]
        return {**vars(self), "_due": due, "_on_their_way": [], "deliveries": made}

    @property
    def is_waiting(self) -> bool:
        """Whether a webhook waits for delivery, now or later."""
        return bool(self._due)

    async def deliver(
        self, now: datetime, transport: httpx.AsyncBaseTransport | None = None
    ) -> tuple[Delivery, ...]:
        """Send all webhooks that are due, once each, over a transport or the usual one."""
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
            # If this call is cancelled, the next call sends the remaining webhooks.
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
