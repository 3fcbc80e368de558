"""The structure in numbers: files, rooms, modules of a client, functions of a submit.

    python -m benchmarks.structure

It measures the package that it can import, and the source tree in the current folder. Counts are
the same on any machine. The last lines are times, medians of interleaved runs: ours beside the time
of the modules that it needs, and whole imports of httpx, aiohttp and openai.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import textwrap
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Final

import anyio
import httpx

from benchmarks.measuring import heading

PACKAGE: Final = "newsleopard_async"
RUNS: Final = 15
FACE: Final = "from newsleopard_async import NewsLeopard"
PEERS: Final = {
    "httpx and a client": "import httpx; httpx.AsyncClient()",
    "aiohttp": "import aiohttp",  # a session needs an event loop
    "openai and a client": "import openai; openai.AsyncOpenAI(api_key='key')",
}
CLOCK: Final = "import time; began = time.perf_counter(); {}; print(time.perf_counter() - began)"
ONE_CALL: Final = """
import sys, anyio, httpx
from newsleopard_async import NewsLeopard
async def main():
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=[]))
    async with NewsLeopard("key", http_transport=transport) as nl:
        await nl.contacts.list_lists()
anyio.run(main)
print(sum(name.partition(".")[0] == "newsleopard_async" for name in sys.modules))
"""


def lines_of(folder: Path) -> int:
    """Count the lines of all Python files below a folder, or of one file."""
    files = [folder] if folder.is_file() else folder.rglob("*.py")
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)


def rooms() -> dict[str, int]:
    """Count the lines of each room, which is a folder or file right below the package."""
    return {
        each.name: lines_of(each)
        for each in Path(PACKAGE).iterdir()
        if each.suffix == ".py" or (each.is_dir() and each.name != "__pycache__")
    }


def run(code: str) -> str:
    """Run code in a new interpreter."""
    command = [sys.executable, "-c", code]
    # As for a user, the modules are already compiled.
    cached = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=cached).stdout


def own_ms(code: str) -> tuple[float, float]:
    """Time imports of our code, and of the modules that it needs, alternately in new interpreters.

    It needs all modules of other packages and of the standard library that it loads.
    """
    loaded = run(f"{code}; import sys; print(*sys.modules)").split()
    others = [name for name in loaded if name.partition(".")[0] not in (PACKAGE, "__main__")]
    load_others = f"import importlib; [importlib.import_module(name) for name in {others!r}]"
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(RUNS):
        took[0].append(float(run(CLOCK.format(load_others))))
        took[1].append(float(run(f"{load_others}; {CLOCK.format(code)}")))
    others_s, own_s = map(statistics.median, took)
    return others_s * 1e3, own_s * 1e3


def peers_ms() -> dict[str, float]:
    """Time the import of each installed peer and its first client, in new interpreters."""
    installed = {name: code for name, code in PEERS.items() if find_spec(name.split()[0])}
    took: dict[str, list[float]] = {name: [] for name in installed}
    for _ in range(RUNS):
        for name, code in installed.items():
            took[name].append(float(run(CLOCK.format(code))))
    return {name: statistics.median(found) * 1e3 for name, found in took.items()}


async def submit() -> Counter[str]:
    """Count the functions of the package that a submit calls."""
    from newsleopard_async import Campaign, ListSn, NewsLeopard, Sender

    campaign = Campaign(
        name="週年慶",
        subject="主旨",
        sender=Sender("電子豹", "service@example.com"),
        html="<p>內容</p>",
        lists=(ListSn("list"),),
    )
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"sn": "campaign"}))
    called: Counter[str] = Counter()
    entered: set[FrameType] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        is_ours = f"/{PACKAGE}/" in code.co_filename.replace("\\", "/")
        # A resumed coroutine is the same call.
        if event == "call" and is_ours and frame not in entered:
            entered.add(frame)
            called[code.co_qualname] += 1

    async with NewsLeopard("key", http_transport=transport) as nl:
        await nl.campaigns.submit(campaign)  # everything that is created once now exists
        sys.setprofile(note)
        try:
            await nl.campaigns.submit(campaign)
        finally:
            sys.setprofile(None)
    return called


def times(code: str) -> str:
    """Return the cost of our own code, and of the modules that it needs."""
    others, own = own_ms(code)
    return f"{own:.1f} of our own, over {others:.0f} of the modules that it needs"


def main() -> None:
    """Print the table."""
    by_room = rooms()
    total = sum(by_room.values())
    largest = max(by_room, key=lambda name: by_room[name])
    called = anyio.run(submit)
    rows: dict[str, int | str] = {
        "files of the package": sum(1 for _ in Path(PACKAGE).rglob("*.py")),
        "lines of the package": total,
        "lines of the tests": lines_of(Path("tests")),
        "largest room": f"{largest}, {by_room[largest] / total:.1%} of the lines",
        "own modules after one list_lists()": int(run(ONE_CALL)),
        "own calls of a submit": sum(called.values()),
        "times its answer is decoded": called["decode_campaign_sn"],
        "import of NewsLeopard, ms": times(FACE),
        "the same, and a first client, ms": times(f"{FACE}; NewsLeopard('key')"),
    }
    rows |= {f"import of {name}, ms": f"{took_ms:.0f}" for name, took_ms in peers_ms().items()}
    print(heading(*(name.split()[0] for name in PEERS)), end="\n\n")
    for name, value in rows.items():
        print(f"{name:40}{value:>12,}" if isinstance(value, int) else f"{name:40}{value}")
    largest_first = sorted(by_room.items(), key=lambda item: -item[1])
    listed = ", ".join(f"{name} {count:,}" for name, count in largest_first)
    print(textwrap.fill(f"lines by folder: {listed}", width=100, break_on_hyphens=False))


if __name__ == "__main__":
    main()
