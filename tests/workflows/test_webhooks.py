"""With a webhook, a job is polled after the platform's call; without a call, as usual."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import attrs
import httpx
import pytest

from newsleopard_async import (
    CampaignSn,
    DeadlineExceeded,
    FieldError,
    NewsLeopard,
    Polling,
    workflows,
)
from newsleopard_async.emulator import Emulator, Switches
from newsleopard_async.emulator.server import running
from newsleopard_async.webhooks import Webhooks
from tests.clients import Bench, connected, csv_of, refused
from tests.constants import CAMPAIGN, KEY
from tests.servers import free_port
from tests.webhooks.servers import SERVERS

HOST = "http://127.0.0.1:1"
SECRET = "0123456789abcdef"
FILE = csv_of(200)
STEADY = Polling(jitter=0)


@attrs.frozen
class HookedAttempt:
    """A client, and the receiver of its webhooks, to which the emulator delivers them."""

    bench: Bench
    webhooks: Webhooks

    @property
    def looks_s(self) -> list[float]:
        """When imports were polled, after the last upload."""
        requests = self.bench.emulator.requests
        [*_, upload_s] = [each.at_s for each in requests if each.operation == "upload"]
        looks = [each.at_s for each in requests if each.operation == "get_import"]
        return [round(at_s - upload_s, 1) for at_s in looks]

    @property
    def urls(self) -> list[str]:
        """The URLs that were registered."""
        bodies = [each.json for each in self.bench.wire.sent if each.method == "POST"]
        return [body["webhookUrl"] for body in bodies if "webhookUrl" in body]

    def call(self, body: object = None, times: int = 1) -> None:
        """Call the last URL that was registered."""
        token = self.urls[-1].rpartition("/")[2]
        for _ in range(times):
            assert self.webhooks.receive(token, json.dumps(body).encode()) == 204

    async def import_file(self, contacts: str = FILE, **options: Any) -> workflows.ImportReport:
        """Import contacts with a webhook."""
        given = {"list_name": "會員", "polling": STEADY, "webhook": self.webhooks, **options}
        return await workflows.import_contacts(self.bench.nl, contacts, **given)


@asynccontextmanager
async def hooked(*, secret: str | None = None, **switches: Any) -> AsyncIterator[HookedAttempt]:
    """Connect a client to an emulator that delivers its webhooks within a second."""
    webhooks = Webhooks(f"{HOST}/hook", secret=secret)

    def receive(request: httpx.Request) -> httpx.Response:
        token = request.url.path.removeprefix("/hook/")
        return httpx.Response(webhooks.receive(token, request.content))

    async with connected(
        switches=Switches(**switches), webhook_transport=httpx.MockTransport(receive)
    ) as bench:

        async def deliver() -> None:
            while True:
                await bench.clock.sleep(1)
                await bench.emulator.deliver_webhooks()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(deliver)
            yield HookedAttempt(bench, webhooks)
            tasks.cancel_scope.cancel()


@pytest.mark.anyio
@pytest.mark.quick
@pytest.mark.parametrize("copies", [1, 100])
async def test_import_costs_one_poll(copies: int) -> None:
    """It is polled after the platform's call, even if that is repeated."""
    async with hooked(webhook_copies=copies) as hook:
        report = await hook.import_file()
        await hook.bench.clock.sleep(60)

        assert report.result.inserted == 200
        assert hook.looks_s == [pytest.approx(9, abs=1)]
        assert len(hook.urls) == 1
        assert {each.status for each in hook.bench.emulator.webhooks} == {204}


@pytest.mark.anyio
async def test_campaign_with_contacts_costs_one_poll() -> None:
    """`send_campaign` imports in the same way."""
    async with hooked() as hook:
        await workflows.send_campaign(
            hook.bench.nl, CAMPAIGN, contacts=FILE, list_name="會員", webhook=hook.webhooks
        )

        assert len(hook.looks_s) == 1
        assert hook.bench.emulator.submitted == 1


@pytest.mark.anyio
async def test_each_part_has_a_url_of_its_own() -> None:
    """The call for one part does not count for the next."""
    async with hooked() as hook:
        report = await hook.import_file(csv_of(120), part_bytes=len(csv_of(120)) // 2)

        assert len(report.parts) == len(set(hook.urls)) == len(hook.looks_s) == 3


@pytest.mark.anyio
async def test_text_import_has_no_webhook_and_is_polled_as_usual() -> None:
    """Only files have one (T25)."""
    async with hooked() as hook:
        report = await hook.import_file(csv_of(100))

        assert report.result.inserted == 100
        assert hook.urls == []
        assert hook.bench.emulator.count("get_import") == 3


@pytest.mark.anyio
async def test_export_is_polled_twice_after_its_webhook() -> None:
    """Before the export, at the call, and once more: two polls must show the same files."""
    async with hooked() as hook:
        sn = await hook.bench.send(then_s=60)
        before = hook.bench.emulator.count("get_links")
        report = await workflows.export_report(
            hook.bench.nl, sn, polling=STEADY, webhook=hook.webhooks
        )

        assert report.available
        assert hook.bench.emulator.count("get_links") - before == 3


@pytest.mark.anyio
async def test_export_of_another_is_not_waited_for_by_its_webhook() -> None:
    """Within the hour nothing is exported, so no URL is registered."""
    async with hooked() as hook:
        sn = await hook.bench.send(then_s=60)
        await hook.bench.nl.reports.export(sn)
        began_s = hook.bench.clock.monotonic()
        await workflows.export_report(hook.bench.nl, sn, polling=STEADY, webhook=hook.webhooks)

        assert hook.urls == []
        assert hook.bench.clock.monotonic() - began_s < 60


@pytest.mark.anyio
async def test_lost_webhook_only_makes_it_slower(caplog: pytest.LogCaptureFixture) -> None:
    """Every wait is the longest until it comes; the log says why it took so long."""
    caplog.set_level(logging.INFO, "newsleopard_async")
    async with hooked(webhook_copies=0, import_base_s=70) as hook:
        report = await hook.import_file()

        assert report.result.inserted == 200
        assert hook.looks_s == [60, 120]
    assert "its webhook has not come to this process" in caplog.text


@pytest.mark.anyio
@pytest.mark.quick
async def test_forged_webhook_decides_nothing_and_costs_one_poll() -> None:
    """A call that comes too early triggers one poll; then it is polled as usual."""
    async with hooked(import_base_s=20) as hook:

        def forge(event: workflows.Event) -> None:
            if (event.step, event.state) == ("upload_file", "finished"):
                hook.call({"status": "COMPLETE", "import_sn": "a", "insertCnt": 1}, times=1_000)

        report = await hook.import_file(progress=forge)

        assert report.result.inserted == 200
        assert hook.looks_s == [0, 5, 12.5, 23.8]


@pytest.mark.anyio
async def test_deadline_holds_without_a_webhook() -> None:
    """A job that is never called for is not waited for any longer than without."""
    async with hooked(webhook_copies=0) as hook:
        hook.bench.emulator.stick_import()
        with pytest.raises(DeadlineExceeded):
            await hook.import_file(polling=Polling(jitter=0, deadline_s=100))

        assert hook.looks_s == [60, 100]


@pytest.mark.anyio
async def test_shorter_deadline_than_the_longest_wait_ends_in_a_poll() -> None:
    """A job that has ended by the deadline is noticed."""
    async with hooked(webhook_copies=0) as hook:
        await hook.import_file(polling=Polling(jitter=0, deadline_s=30))

        assert hook.looks_s == [30]


async def _stop_after_upload(hook: HookedAttempt, **options: Any) -> None:
    """Begin an import, and be stopped while it is waited for."""
    with anyio.CancelScope() as scope:

        def stop(event: workflows.Event) -> None:
            if (event.step, event.state) == ("get_import", "waiting"):
                scope.cancel()

        await hook.import_file(progress=stop, **options)
    assert scope.cancelled_caught


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("secret", "looks"),
    [(SECRET, [0, 5, 12.5, 21]), (None, [0, 5, 12.5, 23.8])],
    ids=["secret", "none"],
)
async def test_run_that_resumes_elsewhere_is_woken_if_it_has_the_secret(
    secret: str | None, looks: list[float], tmp_path: Path
) -> None:
    """It has the URL that the first run registered; without a secret it polls as usual."""
    store = tmp_path / "run.json"
    async with hooked(secret=secret, import_base_s=20) as hook:
        other = Webhooks(f"{HOST}/hook", secret=secret)
        await _stop_after_upload(hook, webhook=other, checkpoint=store)
        report = await hook.import_file(checkpoint=store)

        assert report.result.inserted == 200
        assert hook.looks_s == pytest.approx(looks, abs=1)
        assert len(hook.urls) == 1


@pytest.mark.anyio
async def test_checkpoint_resumes_with_or_without_a_webhook(tmp_path: Path) -> None:
    """The webhook is not part of the stored input."""
    store = tmp_path / "run.json"
    async with hooked() as hook:
        await _stop_after_upload(hook, checkpoint=store)
        report = await hook.import_file(checkpoint=store, webhook=None)

    assert report.result.inserted == 200


@pytest.mark.anyio
async def test_url_is_nowhere_to_be_seen(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """It is in no checkpoint, event, log line or report; only the platform gets it."""
    caplog.set_level(logging.DEBUG, "newsleopard_async")
    store, events = tmp_path / "run.json", list[workflows.Event]()
    async with hooked(secret=SECRET) as hook:
        await _stop_after_upload(hook, checkpoint=store)
        report = await hook.import_file(checkpoint=store, progress=events.append)
        token = hook.urls[0].rpartition("/")[2]

    for text in (store.read_text(), events, caplog.text, report, report.to_dict()):
        assert text
        assert token not in repr(text)
        assert HOST not in repr(text)


@pytest.mark.anyio
async def test_url_that_the_platform_refuses_is_in_no_error() -> None:
    """A server that echoes it does not bring it into the log of the caller."""
    urls: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json=[])
        if request.url.path.endswith("/insert"):
            return httpx.Response(200, json={"sn": "a"})
        urls.append(json.loads(request.content)["webhookUrl"])
        fields = {"webhookUrl": [f"{urls[-1]} cannot be reached"]}
        return httpx.Response(400, json={"code": "40001", "invalidFields": fields})

    webhooks = Webhooks("https://shop.example/hook")
    async with NewsLeopard(KEY, http_transport=httpx.MockTransport(answer)) as nl:
        with pytest.raises(FieldError) as caught:
            await workflows.import_contacts(nl, FILE, list_name="a", webhook=webhooks)

    token = urls[0].rpartition("/")[2]
    assert token not in str(caught.value) + repr(caught.value) + repr(vars(caught.value))


PIPELINES: dict[str, Callable[..., Awaitable[object]]] = {
    "import_contacts": lambda nl, hook: workflows.import_contacts(
        nl, FILE, list_name="會員", webhook=hook
    ),
    "send_campaign": lambda nl, hook: workflows.send_campaign(nl, CAMPAIGN, webhook=hook),
    "export_report": lambda nl, hook: workflows.export_report(nl, CampaignSn("a"), webhook=hook),
}


@pytest.mark.anyio
@pytest.mark.parametrize("pipeline", PIPELINES)
async def test_url_alone_is_not_a_receiver(pipeline: str) -> None:
    """A value that cannot receive a call is refused before the first request."""
    async with connected() as bench, refused(bench.wire, ("webhook", "type")):
        await PIPELINES[pipeline](bench.nl, f"{HOST}/hook")


@pytest.mark.slow
@pytest.mark.asyncio
@pytest.mark.parametrize("framework", SERVERS)
async def test_on_real_servers_an_import_costs_one_poll_and_an_export_three(
    framework: str,
) -> None:
    """The emulator calls the route of a web application, which wakes the pipeline."""
    emulator = Emulator(
        api_keys=(KEY,),
        switches=Switches(requests_per_s=None, import_base_s=0.3, report_delay_s=0.3),
    )
    port = free_port()
    webhooks = Webhooks(f"http://127.0.0.1:{port}/hook")
    polling = Polling(first_s=0.1)
    with running(emulator) as url:
        async with (
            SERVERS[framework](webhooks, port),
            NewsLeopard(KEY, base_url=url) as nl,
        ):
            with anyio.fail_after(20):
                send = partial(workflows.send_campaign, nl, CAMPAIGN, list_name="會員")
                outcome = await send(contacts=FILE, polling=polling, webhook=webhooks)
                assert emulator.count("get_import") == 1
                await workflows.export_report(
                    nl, outcome.campaign_sn, polling=polling, webhook=webhooks
                )
    assert emulator.count("get_links") == 3
    assert [each.status for each in emulator.webhooks] == [204, 204]
