"""Upload 256 MiB to a server that verifies the signature: throughput, memory, event loop.

``python -m benchmarks.upload`` needs the dependency group ``bench``. Each contender runs in
a process of its own, against Swift's S3 interface on loopback. Memory is what the process
grew by at its peak, "held" the longest that its event loop stood still.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from newsleopard_async import NewsLeopard, UploadTicket
from newsleopard_async.models import ImportSn

MIB: Final = 1024 * 1024
SIZE_BYTES: Final = 256 * MIB
ROUNDS: Final = 3
BEAT_S: Final = 0.002


async def ours(url: str, path: Path) -> None:
    async with NewsLeopard("key") as nl:
        await nl.contacts.upload(UploadTicket(import_sn=ImportSn("import-1"), url=url), path)


async def httpx_bytes(url: str, path: Path) -> None:
    import httpx

    async with httpx.AsyncClient(timeout=120) as client:
        content = await anyio.Path(path).read_bytes()
        (await client.put(url, content=content)).raise_for_status()


async def aiohttp_file(url: str, path: Path) -> None:
    import aiohttp
    from yarl import URL

    headers = {"Content-Type": ""}
    async with aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as session:
        with path.open("rb") as file:
            put = session.put(URL(url, encoded=True), data=file, headers=headers)
            async with put as response:
                response.raise_for_status()


async def requests_thread(url: str, path: Path) -> None:
    import requests

    def put() -> None:
        with path.open("rb") as file:
            requests.put(url, data=file, timeout=120).raise_for_status()

    await anyio.to_thread.run_sync(put)


CONTENDERS: Final[dict[str, tuple[str, Callable[[str, Path], Awaitable[None]]]]] = {
    "nl.contacts.upload": ("newsleopard-async", ours),
    "AsyncClient(content=bytes)": ("httpx", httpx_bytes),
    "ClientSession(data=file)": ("aiohttp", aiohttp_file),
    "put(data=file) in a thread": ("requests", requests_thread),
}


def peak_bytes() -> int:
    """Return this process's own mark; ru_maxrss would begin with its parent's."""
    [line] = re.findall(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return int(line) * 1024


async def measure(name: str, small_url: str, url: str, path: Path) -> None:
    longest_s = 0.0

    async def beat() -> None:
        nonlocal longest_s
        while True:
            began_s = time.perf_counter()
            await anyio.sleep(BEAT_S)
            longest_s = max(longest_s, time.perf_counter() - began_s - BEAT_S)

    upload = CONTENDERS[name][1]
    small = path.with_name("small")
    small.write_bytes(b"EMAIL\n")
    # Once small, so that imports and TLS contexts do not count.
    await upload(small_url, small)
    before_bytes, began_s = peak_bytes(), time.perf_counter()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(beat)
        await upload(url, path)
        tasks.cancel_scope.cancel()
    took_s = time.perf_counter() - began_s
    print(json.dumps([took_s, peak_bytes() - before_bytes, longest_s]))


def run(name: str, urls: list[str], path: Path) -> tuple[float, float, float]:
    process = subprocess.run(
        [sys.executable, "-m", "benchmarks.upload", name, *urls, str(path)],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    took_s, grown_bytes, held_s = json.loads(process.stdout)
    return took_s, grown_bytes, held_s


def compare() -> None:
    from tests.storage.s3 import running

    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores; medians of {ROUNDS} rounds")
    print(f"{SIZE_BYTES // MIB} MiB to S3 of swift {version('swift')}, signature version 4\n")
    print(f"{'':46}{'MiB/s':>7}{'memory MiB':>12}{'held ms':>9}")
    with tempfile.TemporaryDirectory() as folder, running() as s3:
        path = Path(folder) / "large.csv"
        path.write_bytes(os.urandom(MIB) * (SIZE_BYTES // MIB))
        urls = [s3.presign("PUT", key) for key in ("small.csv", "large.csv")]
        for name, (library, _) in CONTENDERS.items():
            rounds = [run(name, urls, path) for _ in range(ROUNDS)]
            took_s, grown_bytes, held_s = map(statistics.median, zip(*rounds, strict=True))
            label = f"{library} {version(library)}, {name}"
            speed = SIZE_BYTES / MIB / took_s
            print(f"{label:46}{speed:7.0f}{grown_bytes / MIB:12.1f}{held_s * 1000:9.0f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        chosen, small_url, large_url, large = sys.argv[1:]
        anyio.run(measure, chosen, small_url, large_url, Path(large))
    else:
        compare()
