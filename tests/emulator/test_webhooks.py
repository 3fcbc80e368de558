"""Webhooks: one POST to loopback, and never anywhere else."""

from __future__ import annotations

import json

import httpx
import pytest

from newsleopard_async.emulator import Emulator, Switches
from newsleopard_async.emulator.platform.webhooks import is_loopback
from tests.emulator.api import Api, HandClock, rows

pytestmark = pytest.mark.asyncio

HOOK = "http://127.0.0.1:9/hook"


class Receiver(httpx.AsyncBaseTransport):
    """Takes webhooks down in the place of a server."""

    def __init__(self, status: int = 204) -> None:
        self.status = status
        self.bodies: list[object] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one."""
        self.bodies.append(json.loads(await request.aread()))
        return httpx.Response(self.status)


class Broken(httpx.AsyncBaseTransport):
    """A transport that refuses each connection."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Fail."""
        raise httpx.ConnectError("refused", request=request)


def emulator_with(
    transport: httpx.AsyncBaseTransport, **switches: int
) -> tuple[Emulator, HandClock]:
    """Build an emulator that sends its webhooks over a transport."""
    clock = HandClock()
    options = Switches(requests_per_s=None, **switches)  # type: ignore[arg-type]  # ints all
    return Emulator(clock=clock, switches=options, webhook_transport=transport), clock


async def start_import(api: Api, url: str) -> str:
    """Upload a file for an import with a webhook."""
    ticket = (await api.post("/v1/contacts/imports/file", {"webhookUrl": url})).json()
    await api.put(ticket["url"], rows(2).encode())
    return str(ticket["import_sn"])


async def test_import_is_told_when_it_ends() -> None:
    """The body is the JSON of the matching GET (T120)."""
    receiver = Receiver()
    emulator, clock = emulator_with(receiver)
    async with Api(emulator) as api:
        sn = await start_import(api, HOOK)
        early = await emulator.deliver_webhooks()
        clock.advance(60)
        (made,) = await emulator.deliver_webhooks()
        again = await emulator.deliver_webhooks()
        result = await api.result(sn)

    assert early == again == ()
    assert (made.url, made.status, made.refused) == (HOOK, 204, False)
    assert receiver.bodies == [result]
    assert emulator.webhooks == (made,)


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("http://hooks.test/x", False),
        ("https://HOOKS.test:8443", False),
        ("http://app:8000/x", False),
        ("http://hooks.test.example.com/", True),
        ("http://hooks.test@example.com/", True),
        ("http://[", True),
    ],
)
async def test_named_host_gets_its_webhooks(url: str, refused: bool) -> None:
    """A container beside the emulator is told under its name, in any case and on any port."""
    receiver = Receiver()
    clock = HandClock()
    emulator = Emulator(
        clock=clock, webhook_transport=receiver, webhook_hosts=["Hooks.test", "app"]
    )
    async with Api(emulator) as api:
        await start_import(api, url)
        clock.advance(60)
        (made,) = await emulator.deliver_webhooks()

    assert made.refused is refused
    assert len(receiver.bodies) == (0 if refused else 1)


@pytest.mark.parametrize("host", ["http://app", "app:8000", "app/", "", "[::1]", "*.test"])
async def test_host_for_webhooks_is_a_name(host: str) -> None:
    """A URL or a pattern would never match, so it is refused with what to write."""
    with pytest.raises(ValueError, match="is not the name of a host; write"):
        Emulator(webhook_hosts=[host])


async def test_receiver_that_is_not_there_is_tried_once() -> None:
    """A failed try is noted and not repeated."""
    emulator, clock = emulator_with(Broken())
    async with Api(emulator) as api:
        await start_import(api, HOOK)
        clock.advance(60)
        (made,) = await emulator.deliver_webhooks()

    assert made.status is None
    assert await emulator.deliver_webhooks() == ()


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1/x", True),
        ("http://127.9.9.9:81", True),
        ("http://localhost:1/x", True),
        ("https://[::1]/", True),
        ("http://10.0.0.1/", False),
        ("http://127.0.0.1.example.com/", False),
        ("http://localhost.example.com/", False),
        ("http://user@example.com/127.0.0.1", False),
        ("http://[::1", False),
        ("http://", False),
    ],
)
async def test_only_this_machine_is_loopback(url: str, allowed: bool) -> None:
    """No name but localhost is trusted, and none is looked up."""
    assert is_loopback(url) is allowed


async def test_delivery_may_name_its_transport() -> None:
    """An application in the same process gets it without a socket."""
    usual, own = Receiver(), Receiver(status=202)
    emulator, clock = emulator_with(usual)
    async with Api(emulator) as api:
        await start_import(api, HOOK)
        clock.advance(60)

        (made,) = await emulator.deliver_webhooks(transport=own)

    assert (made.status, len(own.bodies), usual.bodies) == (202, 1, [])
