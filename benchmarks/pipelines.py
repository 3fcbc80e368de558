"""A thousand pipelines on one event loop: how long it is held, and what a pipeline costs.

    python -m benchmarks.pipelines [--pipelines 1000] [--rows 20] [--kept]

All begin at once. Each checks its contacts and a campaign of 20 kB, imports the contacts into a
list of its own, waits for that, asks for the balance, and submits the campaign, to the emulator in
a process of its own, which has no limits here. With ``--kept`` each run is stored under a send key,
in a folder of files. A task that wakes each 10 ms measures how much later it wakes, and how much
CPU this thread took meanwhile; what the machine does besides adds to the first only. Linux only.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from typing import Final

import anyio
import attrs

from benchmarks.measuring import heading
from benchmarks.sandbox import AT_ONCE, KEY, served
from newsleopard_async import (
    Campaign,
    ListSn,
    NewsLeopard,
    Polling,
    RateLimits,
    Sender,
    Timeouts,
    workflows,
)
from newsleopard_async.stores import FileStore

BEAT_S: Final = 0.01
PATIENCE_S: Final = 600.0
CAMPAIGN: Final = Campaign(
    name="週年慶",
    subject="${NAME}，您好",
    sender=Sender("電子豹", "service@example.com"),
    html="<html><body>" + "<p>${NAME}，週年慶，全館八折起。</p>" * 500 + "</body></html>",
)


@attrs.define
class Beats:
    """How late a task woke that wakes each 10 ms, and the CPU that was taken meanwhile."""

    late_s: list[float] = attrs.field(factory=list)
    cpu_s: list[float] = attrs.field(factory=list)

    async def run(self) -> None:
        while True:
            due_s, cpu_s = time.perf_counter() + BEAT_S, time.thread_time()
            await anyio.sleep(BEAT_S)
            self.late_s.append(time.perf_counter() - due_s)
            self.cpu_s.append(time.thread_time() - cpu_s)


def spread(values_s: list[float]) -> str:
    """Write the median, the 99 % quantile and the maximum."""
    percents = statistics.quantiles(values_s, n=100)
    at = {"p50": percents[49], "p99": percents[98], "max": max(values_s)}
    return "  ".join(f"{name} {value_s * 1e3:6.1f}" for name, value_s in at.items()) + " ms"


async def send(nl: NewsLeopard, list_sn: ListSn, rows: int, *, is_kept: bool) -> None:
    contacts = [{"EMAIL": f"{list_sn}-{row}@example.com", "NAME": "會員"} for row in range(rows)]
    await workflows.send_campaign(
        nl,
        CAMPAIGN,
        contacts=contacts,
        list_sn=list_sn,
        send_key=f"anniversary-{list_sn}" if is_kept else None,
        polling=Polling(deadline_s=PATIENCE_S),
    )


async def measure(url: str, folder: str, pipelines: int, rows: int, *, is_kept: bool) -> Beats:
    """Run the pipelines, and return what the beat measured."""
    beats = Beats()
    client = NewsLeopard(
        KEY["x-api-key"],
        base_url=url,
        quota=None,
        rate_limits=RateLimits(windows=((1_000_000, 1.0),)),
        timeouts=Timeouts(pool_s=PATIENCE_S, read_s=PATIENCE_S, submit_s=PATIENCE_S),
        store=FileStore(folder),
    )
    async with client as nl, anyio.create_task_group() as beside:
        first, *others = [await nl.contacts.create_list(f"會員 {n}") for n in range(pipelines + 1)]
        await send(nl, first, rows, is_kept=is_kept)  # now all that is made once is made
        beside.start_soon(beats.run)
        await anyio.sleep(10 * BEAT_S)
        async with anyio.create_task_group() as tasks:
            for list_sn in others:
                tasks.start_soon(lambda sn: send(nl, sn, rows, is_kept=is_kept), list_sn)
        beside.cancel_scope.cancel()
    return beats


def main(given: argparse.Namespace) -> None:
    print(heading("httpx", "anyio"), end="\n\n")
    with tempfile.TemporaryDirectory() as folder, served(*AT_ONCE) as server:
        began_s, cpu_s = time.perf_counter(), time.process_time()
        beats = anyio.run(
            lambda: measure(server.url, folder, given.pipelines, given.rows, is_kept=given.kept)
        )
        took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    each_ms = cpu_s / given.pipelines * 1e3
    print(f"{given.pipelines:,} pipelines, {each_ms:.1f} ms CPU each, {took_s:.1f} s in all")
    print(f"memory at most       {peak_mib:.0f} MiB")
    print(f"the beat is late by  {spread(beats.late_s)}")
    print(f"CPU between beats    {spread(beats.cpu_s)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pipelines", type=int, default=1_000)
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--kept", action="store_true")
    main(parser.parse_args())
