"""What the benchmarks share: a heading, the memory and pauses of a process, a campaign."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import anyio

MIB: Final = 1024 * 1024
BEAT_S: Final = 0.001

QUICK: Final[dict[str, Any]] = {
    "requests_per_s": None,
    "requests_per_day": None,
    "import_base_s": 0.0,
    "import_rows_per_s": 1e9,
    "send_base_s": 0.0,
    "mails_per_s": 1e9,
}
"""Switches of the emulator: nothing takes time but the work itself."""

BODY: Final[dict[str, Any]] = {
    "config": {
        "schedule": {"type": 0, "timezone": 21, "scheduleDate": "2026-01-05T02:00:00.000Z"},
        "ga": dict.fromkeys(("enable", "ecommerceEnable"), "false")
        | dict.fromkeys(("utmCampaign", "utmContent"), "x"),
    },
    "content": {
        "subject": "${NAME}，您好",
        "fromName": "電子豹",
        "fromAddress": "service@example.com",
        "htmlContent": "<p>${NAME}</p>",
        "footerLang": 1,
    },
}
"""Of a submit; its form is added."""


def heading(*packages: str) -> str:
    """Return what a published table names: date, load, machine, and the versions of packages."""
    from newsleopard_async import __version__

    found = [f"newsleopard-async {__version__}"]
    for package in packages:
        with suppress(PackageNotFoundError):
            found.append(f"{package} {version(package)}")
    now = datetime.now(UTC)
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return (
        f"{now:%Y-%m-%d %H:%M} UTC, load {os.getloadavg()[0]:.1f}\n"
        f"{_processor()}, {os.cpu_count()} cores, {memory_bytes / 2**30:.0f} GiB, "
        f"{platform.system()} {platform.release()}\n"
        f"Python {platform.python_version()}, {', '.join(found)}"
    )


def _processor() -> str:
    """Return the name of the processor; ``platform.processor`` is empty on many Linux systems."""
    with suppress(FileNotFoundError):
        info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        if named := re.search(r"^model name\s*: (.+)$", info, re.MULTILINE):
            return named[1]
    return platform.processor() or platform.machine()


def memory_bytes(process: int | str, field: str) -> int:
    """Return what Linux says of a process's memory: VmRSS is what it has, VmHWM its peak."""
    [kib] = re.findall(rf"{field}:\s*(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(kib) * 1024


def peak_bytes(process: int | str = "self") -> int:
    """Return a process's own mark; on Linux, ru_maxrss would begin with its parent's."""
    if sys.platform == "linux":
        return memory_bytes(process, "VmHWM")
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def run_again(*arguments: str) -> str:
    """Run this benchmark in a fresh process, with other arguments; return what it prints."""
    spec = sys.modules["__main__"].__spec__
    assert spec is not None
    return subprocess.run(
        [sys.executable, "-m", spec.name, *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ).stdout


@asynccontextmanager
async def watched() -> AsyncIterator[list[float]]:
    """Collect how long the event loop stands still meanwhile, in seconds."""
    held_s: list[float] = []

    async def beat() -> None:
        while True:
            began_s = time.perf_counter()
            await anyio.sleep(BEAT_S)
            held_s.append(time.perf_counter() - began_s - BEAT_S)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(beat)
        yield held_s
        tasks.cancel_scope.cancel()
