"""The table of the points as the documentation prints it."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Final

from tests.constants import ROOT
from tests.points.cells import CELLS, SIDES, Cell

__all__ = ["MODULES", "PAGE", "collected", "printed"]

PAGE: Final = ROOT / "docs" / "platform.md"
MODULES: Final = tuple(
    f"tests.points.{path.stem}" for path in sorted(Path(__file__).parent.glob("test_*.py"))
)
"""Where the cells are."""

_TITLE: Final = re.compile(r"^### (T\d{2,3}): (.+)$", re.MULTILINE)
_STATES: Final = ("checked", "read")


def collected() -> dict[tuple[str, str], Cell]:
    """Import all modules, and return every cell by point and side."""
    for module in MODULES:
        importlib.import_module(module)
    return {(number, side): cell for (number, side), cell in CELLS.items()}


def printed() -> str:
    """Write the table as Markdown, with its totals, and the reason of each cell that is read.

    Raises:
        KeyError: a point of the page has no cell.
    """
    cells = collected()
    titles = _TITLE.findall(PAGE.read_text("utf-8"))
    lines = ["| point | | client | emulator |", "|---|---|---|---|"]
    lines += [
        f"| [{number}](#{number.lower()}) | {title} "
        f"| {' | '.join(cells[number, side].state for side in SIDES)} |"
        for number, title in titles
    ]
    lines += ["", "| | client | emulator |", "|---|---|---|"]
    for state in _STATES:
        counts = (
            sum(cell.state == state for (_, of), cell in cells.items() if of == side)
            for side in SIDES
        )
        lines.append(f"| {state} | {' | '.join(map(str, counts))} |")
    reasons = [
        f"- [{number}](#{number.lower()}), {side}: {cell.why}."
        for (number, side), cell in sorted(cells.items(), key=_place)
        if cell.why
    ]
    return "\n".join([*lines, "", "Read, and why:", "", *reasons])


def _place(item: tuple[tuple[str, str], Cell]) -> tuple[int, str]:
    (number, side), _ = item
    return int(number[1:]), side
