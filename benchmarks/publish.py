"""Put the output of a benchmark into its place in docs/performance.md.

    python -m benchmarks.call > call.txt
    python -m benchmarks.publish call < call.txt

The page has a place for each output, ``<!-- measured: call -->``. The text around it is written by
hand, so read it again afterwards.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "performance.md"


def put(page: str, name: str, output: str) -> str:
    """Return the page with another output in the place of this name.

    Raises:
        ValueError: the page has no such place, or has it twice.
    """
    place = rf"(<!-- measured: {re.escape(name)} -->\n```text\n).*?(\n```\n)"
    page, count = re.subn(
        place,
        lambda found: f"{found[1]}{output.strip()}{found[2]}",
        page,
        flags=re.DOTALL,
    )
    if count != 1:
        raise ValueError(f"{PAGE.name} has {count} places for {name}, not one")
    return page


def main() -> None:
    """Read an output from the standard input, and write the page."""
    [name] = sys.argv[1:]
    output = sys.stdin.read()
    if not output.strip():
        sys.exit("the output is empty; the page was not changed")
    PAGE.write_text(put(PAGE.read_text("utf-8"), name, output), "utf-8")


if __name__ == "__main__":
    main()
