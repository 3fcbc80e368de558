"""The whole client: its rate at a real server, a large import, one pipeline over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import anyio
import pytest

from newsleopard_async import NewsLeopard, Polling, RateLimits, workflows
from newsleopard_async.emulator import Emulator, RequestRecord, Switches
from newsleopard_async.emulator.server import running
from tests.clients import connected, csv_of
from tests.constants import CAMPAIGN, KEY

WARM_UP_S = 0.3
MEASURED_S = 2.0
RATE = 10


class Arrivals:
    """A server on loopback that answers immediately, and records when each request arrived."""

    def __init__(self) -> None:
        self.at_s: list[float] = []

    async def serve(self, stream: anyio.abc.SocketStream) -> None:
        """Answer the requests of a connection."""
        answer = b'HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{"Lists":[]}'
        async with stream:
            while await _read_head(stream):
                self.at_s.append(time.monotonic())
                await stream.send(answer)


async def _read_head(stream: anyio.abc.SocketStream) -> bool:
    """Read a request without a body; False at the end of the connection."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        try:
            head += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return False
    return True


def violations(at_s: Sequence[float], *, count: int, period_s: float) -> int:
    """Count the requests with at least ``count`` others in the period before them."""
    return sum(late - early < period_s for early, late in zip(at_s, at_s[count:], strict=False))


@pytest.mark.slow
@pytest.mark.asyncio
async def test_real_server_sees_ten_a_second_and_never_more() -> None:
    """No sliding second has an eleventh request, and nearly every slot is used."""
    arrivals = Arrivals()
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, arrivals.serve)
        async with NewsLeopard(KEY, base_url=f"http://127.0.0.1:{port}") as nl:
            with anyio.move_on_after(WARM_UP_S + MEASURED_S):
                await _call_for_ever(nl)
        tasks.cancel_scope.cancel()
    await listener.aclose()

    first_s = arrivals.at_s[0]
    begun = [at_s for at_s in arrivals.at_s if at_s < first_s + MEASURED_S]
    assert violations(arrivals.at_s, count=RATE, period_s=1.0) == 0
    assert len(begun) / (RATE * MEASURED_S) >= 0.93


async def _call_for_ever(nl: NewsLeopard) -> None:
    """Start more calls than the limit allows, so that only the limit delays them."""

    async def call() -> None:
        while True:
            await nl.contacts.list_lists()

    async with anyio.create_task_group() as tasks:
        for _ in range(2 * RATE):
            tasks.start_soon(call)


def test_violations_are_counted() -> None:
    """The measure counts an eleventh request within a second."""
    even = [number * 0.1 for number in range(30)]
    assert violations(even, count=10, period_s=0.99) == 0
    assert violations([0.0, *even], count=10, period_s=0.99) == 1
    assert violations([*even, even[-1]], count=10, period_s=1.0) > 0


def documented(emulator: Emulator) -> list[RequestRecord]:
    """Remove the requests of a send to endpoints that the published platform does not have."""
    return [each for each in emulator.requests if each.operation != "get_balance"]


@pytest.mark.slow
@pytest.mark.anyio
async def test_twenty_thousand_contacts_are_mailed_in_a_few_seconds() -> None:
    """The main job at its size: hours of the platform's time, seconds of ours."""
    began_s = time.monotonic()
    async with connected() as bench:
        outcome = await workflows.send_campaign(
            bench.nl, CAMPAIGN, contacts=csv_of(20_000), list_name="會員"
        )
        await bench.clock.sleep(3_600)
        report = await workflows.export_report(bench.nl, outcome.campaign_sn)
        platform_s = bench.clock.monotonic()

    assert len(bench.emulator.outbox) == 20_000
    assert report.available
    assert not report.unchanged
    assert platform_s > 3_600
    assert time.monotonic() - began_s < 20
    assert all(record.status == 200 for record in documented(bench.emulator))


@contextmanager
def platform() -> Iterator[tuple[str, Emulator]]:
    """Run an emulator on a real socket, with short jobs, in real time."""
    emulator = Emulator(
        api_keys=(KEY,),
        switches=Switches(
            import_base_s=0.0, send_base_s=0.0, report_delay_s=0.05, bounce_share=0.2
        ),
    )
    with running(emulator) as url:
        yield url, emulator


QUICK = Polling(first_s=0.05, factor=1.2, max_s=0.2, deadline_s=30, settle_s=2)


@pytest.mark.anyio
async def test_pipeline_runs_over_real_http(tmp_path: Path) -> None:
    """Sockets, presigned URLs and streams work end to end, with our own connections."""
    limits = RateLimits(windows=[(10, 1), (10_000, 86_400)])
    with platform() as (url, emulator):
        async with NewsLeopard(KEY, base_url=url, rate_limits=limits) as nl:
            outcome = await workflows.send_campaign(
                nl, CAMPAIGN, contacts=csv_of(500), list_name="會員", polling=QUICK
            )
            report = await workflows.export_report(
                nl, outcome.campaign_sn, download_to=tmp_path, polling=QUICK
            )
            [row] = await nl.contacts.list_lists()

    assert (row.subscribed_count or 0) + (row.excluded_count or 0) == 500
    assert (emulator.submitted, len(emulator.outbox)) == (1, 500)
    assert emulator.leaked_keys == ()
    assert {"delivery", "bounce"} <= {file.type for file in report.files}
    assert all(file.path.stat().st_size == file.size_bytes > 0 for file in report.files)
    assert all(record.status == 200 for record in documented(emulator))
    times = [record.at_s for record in emulator.requests if record.operation != "upload"]
    assert all(early <= late for early, late in pairwise(times))
