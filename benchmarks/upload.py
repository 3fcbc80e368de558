"""Upload 256 MiB: throughput, CPU, memory, and how long the event loop is blocked.

``python -m benchmarks.upload [SERVER…]`` needs the dependency group ``bench``. The servers are on
loopback, each in a separate process:

- ``plain`` reads and discards the body, and checks its length and its SHA-1. It is faster than all
  clients, so the figures show the costs of the clients.
- ``swift`` is Swift's S3 interface. It also checks the signature, and is slower than most clients.

Each run of a contender is in a separate process, and the contenders alternate. "memory" is the
growth of the process at its peak, and "held" how long its event loop was blocked: the longest time,
and the 99th percentile. A first small upload is not measured.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from benchmarks.measuring import BEAT_S, MIB, heading, peak_bytes, run_again, watched
from newsleopard_async import NewsLeopard, UploadTicket
from newsleopard_async.models import ImportSn

SIZE_BYTES: Final = 256 * MIB
ROUNDS: Final = 5


async def ours(url: str, path: Path) -> None:
    # A storage on loopback is refused unless the platform is also there. Uploads have no quota.
    async with NewsLeopard("key", base_url="http://127.0.0.1:1", quota=None) as nl:
        await nl.contacts.upload(UploadTicket(import_sn=ImportSn("import-1"), url=url), path)


async def httpx_bytes(url: str, path: Path) -> None:
    import httpx

    async with httpx.AsyncClient(timeout=120) as client:
        content = await anyio.Path(path).read_bytes()
        (await client.put(url, content=content)).raise_for_status()


def httpx_pieces(piece_bytes: int) -> Callable[[str, Path], Awaitable[None]]:
    async def upload(url: str, path: Path) -> None:
        import httpx

        async def pieces() -> AsyncIterator[bytes]:
            async with await anyio.open_file(path, "rb") as file:
                while piece := await file.read(piece_bytes):
                    yield piece

        # Without it the body would be chunked, which S3 refuses.
        headers = {"Content-Length": str(path.stat().st_size)}
        async with httpx.AsyncClient(timeout=120) as client:
            (await client.put(url, content=pieces(), headers=headers)).raise_for_status()

    return upload


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
    "nl.contacts.upload(path)": ("newsleopard-async", ours),
    "put(content=pieces of 64 KiB)": ("httpx", httpx_pieces(MIB // 16)),
    "put(content=pieces of 256 KiB)": ("httpx", httpx_pieces(MIB // 4)),
    "put(content=pieces of 1 MiB)": ("httpx", httpx_pieces(MIB)),
    "put(content=bytes)": ("httpx", httpx_bytes),
    "put(data=file)": ("aiohttp", aiohttp_file),
    "put(data=file) in a thread": ("requests", requests_thread),
}


async def measure(name: str, small_url: str, url: str, path: Path) -> None:
    upload = CONTENDERS[name][1]
    small = path.with_name("small")
    small.write_bytes(b"EMAIL\n")
    # A small upload first, so that imports and TLS contexts do not count.
    await upload(small_url, small)
    before_bytes, began_s, began_cpu_s = peak_bytes(), time.perf_counter(), time.process_time()
    async with watched() as held_s:
        await upload(url, path)
    took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    held_s.sort()
    p99_s = held_s[int(0.99 * len(held_s))]
    print(json.dumps([took_s, cpu_s, peak_bytes() - before_bytes, held_s[-1], p99_s]))


def run_curl(urls: list[str], path: Path) -> list[float]:
    # By default curl sends "Expect", and can wait a second for the answer.
    options = ["--fail", "--silent", "--output", os.devnull, "--header", "Expect:"]
    before, peaks = os.times(), []
    with subprocess.Popen(
        ["curl", *options, "--write-out", "%{time_total}", "--upload-file", path, urls[1]],
        stdout=subprocess.PIPE,
    ) as process:
        while process.poll() is None:
            with contextlib.suppress(ValueError):  # it is about to end
                peaks.append(peak_bytes(process.pid))
            time.sleep(BEAT_S)
        took_s = float(process.stdout.read() if process.stdout else "")
    assert process.returncode == 0
    after = os.times()
    cpu_s = sum(after[2:4]) - sum(before[2:4])
    # It is small before it has opened the file.
    return [took_s, cpu_s, max(peaks) - min(peaks), 0.0, 0.0]


def serve(size_bytes: int, digest: str) -> None:
    """Answer PUT requests one after another: 200 if the body is the large file, or a small one."""
    piece = memoryview(bytearray(MIB))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            with listener.accept()[0] as connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += connection.recv(65536)
                head, _, body = head.partition(b"\r\n\r\n")
                [length] = re.findall(rb"(?i)\r\ncontent-length: *(\d+)", head)
                found, left_bytes = hashlib.sha1(body), int(length) - len(body)
                while left_bytes and (size := connection.recv_into(piece)):
                    found.update(piece[:size])
                    left_bytes -= size
                is_large = int(length) == size_bytes and found.hexdigest() == digest
                is_good = not left_bytes and (is_large or int(length) < 100)
                status = b"200 OK" if is_good else b"400 Bad Request"
                connection.sendall(
                    b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                )


@contextlib.contextmanager
def plain(path: Path) -> Iterator[list[str]]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha1").hexdigest()
    command = [sys.executable, "-m", "benchmarks.upload", "--serve", str(SIZE_BYTES), digest]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        origin = f"http://127.0.0.1:{int(process.stdout.readline())}"
        try:
            yield [f"{origin}/small.csv", f"{origin}/large.csv"]
        finally:
            process.kill()


@contextlib.contextmanager
def swift(_: Path) -> Iterator[list[str]]:
    from tests.storage.s3 import running

    with running() as s3:
        yield [s3.presign("PUT", key) for key in ("small.csv", "large.csv")]


SERVERS: Final = {"plain": plain, "swift": swift}


def compare(server: str, path: Path) -> None:
    label = f"swift {version('swift')}, signature version 4" if server == "swift" else server
    print(f"\n{label:50}{'MiB/s':>7}{'CPU s':>8}{'memory MiB':>12}{'held ms':>9}{'p99':>6}")
    rounds: dict[str, list[list[float]]] = {}
    with SERVERS[server](path) as urls:
        for _ in range(ROUNDS):
            for name, (library, _) in CONTENDERS.items():
                figures = json.loads(run_again("--run", name, *urls, str(path)))
                rounds.setdefault(f"{library} {version(library)}, {name}", []).append(figures)
            if curl := shutil.which("curl"):
                named = subprocess.check_output([curl, "--version"], text=True).split(" (")[0]
                rounds.setdefault(f"{named}, --upload-file", []).append(run_curl(urls, path))
    for name, each in rounds.items():
        took_s, cpu_s, grown_bytes, held_s, p99_s = map(statistics.median, zip(*each, strict=True))
        held = f"{held_s * 1000:9.1f}{p99_s * 1000:6.1f}" if held_s else f"{'–':>9}{'–':>6}"
        speed = SIZE_BYTES / MIB / took_s
        print(f"{name:50}{speed:7.0f}{cpu_s:8.2f}{grown_bytes / MIB:12.1f}{held}")


def main(servers: list[str]) -> None:
    print(heading("httpcore", "h11", "anyio"))
    print(f"{SIZE_BYTES // MIB} MiB; medians of {ROUNDS} rounds")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.csv"
        rest = os.urandom(MIB - 4)
        with path.open("wb") as file:
            for number in range(SIZE_BYTES // MIB):
                # Each piece is different, so that a wrong order would show.
                file.write(number.to_bytes(4, "big") + rest)
        for server in servers:
            compare(server, path)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        chosen, small_url, large_url, large = sys.argv[2:]
        anyio.run(measure, chosen, small_url, large_url, Path(large))
    elif sys.argv[1:2] == ["--serve"]:
        serve(int(sys.argv[2]), sys.argv[3])
    else:
        main(sys.argv[1:] or list(SERVERS))
