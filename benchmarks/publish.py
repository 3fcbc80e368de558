"""Run a benchmark, and put its output into its place in docs/performance.md.

    python -m benchmarks.publish call limiter           # run these, one after another
    python -m benchmarks.publish call --from call.txt   # publish an output that was kept

Run it on an idle machine. The text around an output is written by hand, so read it again.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "performance.md"

COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    **{
        name: (f"benchmarks.{name}",)
        for name in (
            *("call", "structure", "contacts", "pipelines", "limiter", "quota", "durable"),
            *("observing", "rehearsal", "emulator", "sandbox", "stores"),
        )
    },
    "upload": ("benchmarks.upload", "plain"),
    "emulator-socket": ("benchmarks.emulator", "--socket"),
}
"""The names of the places in the page, and the module and the arguments of each."""


def put(page: str, name: str, output: str) -> str:
    """Return the page with another output in the place of this name.

    Raises:
        ValueError: the page has no such place, or has it twice.
    """
    shown = f"$ python -m {' '.join(COMMANDS[name])}\n{output.strip()}"
    page, count = re.subn(
        rf"(<!-- measured: {re.escape(name)} -->\n```text\n)(?:(?!```).*\n)*(```\n)",
        lambda place: f"{place[1]}{shown}\n{place[2]}",
        page,
    )
    if count != 1:
        raise ValueError(f"{PAGE.name} has {count} places for {name}, not one")
    return page


def measured(name: str) -> str:
    """Run a benchmark, and return what it prints; it may end with an error if it misses a goal."""
    run = subprocess.run(
        [sys.executable, "-m", *COMMANDS[name]], stdout=subprocess.PIPE, text=True, check=False
    )
    print(f"{name}: status {run.returncode}\n{run.stdout}", flush=True)
    return run.stdout


def main() -> None:
    """Publish the benchmarks that are named as arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", choices=sorted(COMMANDS), metavar="NAME")
    parser.add_argument("--from", type=Path, dest="kept", help="the output of the one benchmark")
    given = parser.parse_args()
    if given.kept is not None and len(given.names) > 1:
        parser.error("--from has the output of one benchmark")
    for name in given.names:
        output = measured(name) if given.kept is None else given.kept.read_text("utf-8")
        if output.strip():
            PAGE.write_text(put(PAGE.read_text("utf-8"), name, output), "utf-8")


if __name__ == "__main__":
    main()
