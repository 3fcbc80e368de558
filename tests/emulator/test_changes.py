"""The count of changes, by which others notice that there is something new."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from newsleopard_async.emulator import OPERATIONS, Emulator
from newsleopard_async.emulator.platform.gateway import READS
from tests.emulator.api import BODY, ONCE_BODY, Api, make, rows

pytestmark = pytest.mark.anyio

HOOK = "http://127.0.0.1:9/hook"


def test_reads_are_operations() -> None:
    """Every operation that only reads is one of the emulator's."""
    assert set(OPERATIONS) > READS


async def test_reading_requests_do_not_count() -> None:
    """Requests that change nothing but their log leave the count as it is."""
    emulator, clock = make(later_endpoints=True)
    async with Api(emulator) as api:
        list_sn = await api.filled_list(3)
        sn = (await api.submit(BODY, list_sn)).json()["sn"]
        clock.advance(60)
        await api.post(f"/v1/report/{sn}/export")
        clock.advance(60)
        await api.get("/v1/contacts/lists")
        before = emulator.changes

        for path in (
            "/v1/balance",
            "/v1/contacts/lists",
            "/v1/contacts/imports/result/none",
            "/v1/report/campaigns",
            f"/v1/campaign/normal/{sn}",
            "/v1/templates",
            "/v1/templates/none",
        ):
            await api.get(path)
        await api.post("/v1/report/campaigns/metrics", {"campaignSns": [sn]})
        links = (await api.get(f"/v1/report/{sn}/link")).json()["Reports"]
        for link in links:
            await api.fetch(link["link"])

    assert links
    assert emulator.changes == before


async def test_writing_requests_count() -> None:
    """All other requests count, including an upload."""
    emulator, _ = make(later_endpoints=True)
    counts = [emulator.changes]

    async with Api(emulator) as api:
        list_sn = await api.create_list()
        counts.append(emulator.changes)
        ticket = (await api.post(f"/v1/contacts/imports/{list_sn}/file")).json()
        counts.append(emulator.changes)
        await api.put(ticket["url"], rows(2).encode())
        counts.append(emulator.changes)
        once = (await api.reserve(ONCE_BODY)).json()
        counts.append(emulator.changes)
        await api.put(once["url"], rows(2).encode())
        counts.append(emulator.changes)

    assert counts == sorted(set(counts))


@pytest.mark.parametrize(
    "change",
    [
        lambda emulator: emulator.throttle(),
        lambda emulator: emulator.clear_faults(),
        lambda emulator: emulator.exhaust_day(),
        lambda emulator: emulator.stick_import(),
        lambda emulator: emulator.script_import("ERROR"),
        lambda emulator: emulator.script_campaign("STOP"),
        lambda emulator: emulator.exclude("a@b.cc"),
        lambda emulator: emulator.add_template("範本", "<p>"),
        lambda emulator: emulator.add_segment("所有人"),
        lambda emulator: emulator.add_sample_lists(),
        lambda emulator: emulator.switch(strict=False),
        lambda emulator: setattr(emulator, "balance", 3),
    ],
)
def test_what_a_test_sets_counts(change: Callable[[Emulator], Any]) -> None:
    """Each setter counts once it is done."""
    emulator, _ = make()
    before = emulator.changes

    change(emulator)

    assert emulator.changes > before


async def test_a_fault_that_happens_counts() -> None:
    """A fault is used up, which is a change."""
    emulator, _ = make()
    emulator.fail("list_lists")
    before = emulator.changes
    async with Api(emulator) as api:
        await api.get("/v1/contacts/lists")
        once = emulator.changes
        await api.get("/v1/contacts/lists")

    assert before < once == emulator.changes


async def test_what_happens_in_time_counts() -> None:
    """The end of an import counts as a change at the next read."""
    emulator, clock = make()
    async with Api(emulator) as api:
        await api.import_text(rows(2))
    before = emulator.changes

    clock.advance(60)

    assert len(emulator.contacts) == 2
    assert emulator.changes > before


class _Slow(httpx.AsyncBaseTransport):
    """Takes a webhook and never answers."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Hang."""
        await anyio.sleep_forever()
        raise AssertionError


async def test_webhook_without_a_waiting_receiver_stays_due() -> None:
    """A delivery that is cancelled is not lost."""
    emulator, clock = make()
    webhooks = emulator._account.webhooks
    webhooks._transport = _Slow()
    async with Api(emulator) as api:
        ticket = (await api.post("/v1/contacts/imports/file", {"webhookUrl": HOOK})).json()
        await api.put(ticket["url"], rows(2).encode())
    clock.advance(60)

    with anyio.move_on_after(0.05) as scope:
        await emulator.deliver_webhooks()

    assert scope.cancelled_caught
    assert emulator.webhooks == ()
    assert webhooks.is_waiting


async def test_look_for_webhooks_counts_nothing() -> None:
    """A server looks four times a second; only a delivery is a change."""
    emulator, _ = make()
    async with Api(emulator) as api:
        ticket = (await api.post("/v1/contacts/imports/file", {"webhookUrl": HOOK})).json()
        await api.put(ticket["url"], rows(2).encode())
    before = emulator.changes

    await emulator.deliver_webhooks()

    assert emulator.changes == before
