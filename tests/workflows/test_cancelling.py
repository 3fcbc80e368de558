"""The log and the checkpoint of a pipeline that is cancelled."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from newsleopard_async import CampaignSn, ListSn, NewsLeopard, Polling, with_lists, workflows
from newsleopard_async.workflows import Event
from tests.clients import connected
from tests.constants import CAMPAIGN, KEY
from tests.transport.loopback import Loopback, Seen, http, serve


@pytest.mark.anyio
async def test_accepted_campaign_is_logged_if_its_callback_is_cancelled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A slow callback runs between the submit's answer and the caller."""
    async with connected() as bench:
        ready = with_lists(CAMPAIGN, [await bench.make_list()])

        async def progress(event: Event) -> None:
            if (event.step, event.state) == ("submit", "finished"):
                await bench.clock.sleep(60)

        with bench.clock.deadline(30) as scope:
            await workflows.send_campaign(bench.nl, ready, progress=progress)

    [campaign] = bench.emulator.campaigns
    assert scope.cancelled_caught
    assert campaign.sn in caplog.text


class Network:
    """Connects normally, except for one connection that hangs until it is cancelled."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, hangs: int) -> None:
        self.hanging = anyio.Event()
        self._connections, self._hangs, self._real = 0, hangs, anyio.connect_tcp
        monkeypatch.setattr(anyio, "connect_tcp", self._connect)

    async def _connect(self, *args: Any, **options: Any) -> Any:
        self._connections += 1
        if self._connections == self._hangs:
            self.hanging.set()
            await anyio.sleep_forever()
        return await self._real(*args, **options)

    async def cancel_there(self, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Run work until it hangs, and cancel it."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work)
            await self.hanging.wait()
            tasks.cancel_scope.cancel()


# anyio makes the connections only on asyncio; trio has its own.
@pytest.mark.asyncio
async def test_export_that_was_cancelled_while_connecting_is_made_by_the_next_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An unsent export does not block the next one for an hour."""

    async def answer(seen: Seen) -> bytes:
        if "export" in seen.line:
            return http(200)
        day = 2 if exports(server) else 1
        made = datetime(2026, 2, day, tzinfo=UTC).isoformat()
        link = {"reportType": "open", "link": f"{server.url}/x", "createdDate": made}
        return http(200, json.dumps([link]).encode())

    network = Network(monkeypatch, hangs=2)
    polling = Polling(first_s=0.01, max_s=0.01, settle_s=0.01)
    async with serve(answer) as server, NewsLeopard(KEY, base_url=server.url) as nl:

        async def export() -> workflows.CampaignReport:
            path = tmp_path / "checkpoint.json"
            return await workflows.export_report(
                nl, CampaignSn("c0de"), polling=polling, checkpoint=path
            )

        await network.cancel_there(export)
        report = await export()

    assert exports(server) == 1
    assert not report.unchanged


def exports(server: Loopback) -> int:
    """Count the exports that reached a server."""
    return sum("export" in seen.line for seen in server.seen)


@pytest.mark.asyncio
async def test_submit_that_was_cancelled_while_connecting_is_made_by_the_next_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An unsent submit leaves no intent."""

    async def answer(seen: Seen) -> bytes:
        return http(200, b'{"sn":"c0de"}')

    network = Network(monkeypatch, hangs=1)
    async with serve(answer) as server, NewsLeopard(KEY, base_url=server.url) as nl:

        async def send() -> workflows.SendOutcome:
            ready = with_lists(CAMPAIGN, [ListSn("list")])
            path = tmp_path / "checkpoint.json"
            # Without reading the balance, the submit is the first request to connect.
            return await workflows.send_campaign(nl, ready, checkpoint=path, balance=None)

        await network.cancel_there(send)
        outcome = await send()

    assert outcome.campaign_sn == "c0de"
    assert len(server.seen) == 1
