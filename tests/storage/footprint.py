"""Upload and download one large file, and report the cost; a separate program.

``python footprint.py PUT_URL GET_URL SOURCE DESTINATION`` prints a line of JSON for each of
the two: by how much memory had grown at its peak since before both, and the longest that
the event loop was held.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from newsleopard_async import NewsLeopard, ReportLink, UploadTicket
from newsleopard_async.models import ImportSn, ReportType

_BEAT_S = 0.005


def peak_bytes() -> int:
    """Return the most memory that this process ever had.

    It is the address space's own mark: ``ru_maxrss`` begins with the memory of the process
    that started this one, so that it hardly ever grows.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    [kib] = re.findall(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    return int(kib) * 1024


async def measure(what: str, before_bytes: int, work: Callable[[], Awaitable[object]]) -> None:
    """Run some work beside a heartbeat, and print its footprint."""
    longest_s = 0.0

    async def beat() -> None:
        nonlocal longest_s
        while True:
            began_s = time.perf_counter()
            await anyio.sleep(_BEAT_S)
            longest_s = max(longest_s, time.perf_counter() - began_s - _BEAT_S)

    began_s = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(beat)
        await work()
        tasks.cancel_scope.cancel()
    footprint = {
        "what": what,
        "grown_bytes": peak_bytes() - before_bytes,
        "held_s": longest_s,
        "took_s": time.perf_counter() - began_s,
    }
    print(json.dumps(footprint), flush=True)  # noqa: T201  # this is what it is for


async def main(put_url: str, get_url: str, source: str, destination: str) -> None:
    """Measure both ways."""
    # The storage is here, too.
    async with NewsLeopard("key", base_url="http://127.0.0.1:1") as nl:
        ticket = UploadTicket(import_sn=ImportSn("import-1"), url=put_url)
        link = ReportLink(type=ReportType("open"), url=get_url)
        # Once small, so that what is loaded and built on first use does not count.
        await nl.contacts.upload(ticket, b"EMAIL\n")
        before_bytes = peak_bytes()
        await measure("upload", before_bytes, lambda: nl.contacts.upload(ticket, Path(source)))
        await measure("download", before_bytes, lambda: nl.reports.download(link, destination))


if __name__ == "__main__":
    put, get, read, written = sys.argv[1:]
    anyio.run(main, put, get, read, written)
