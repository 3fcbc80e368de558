"""The tables of commands: plain columns below a heading, which also look right in a pipe."""

from __future__ import annotations

from typing import Final

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from newsleopard_async.cli.display.terminal import safe_text

__all__ = ["FactsTable", "headed_table"]

_NARROW_COLUMNS: Final = 60
"""Chosen: beside a name, a code of 32 characters would be broken, and could not be copied."""


def headed_table(title: str = "") -> Table:
    """Return an empty table with a line below its heading, and none around it."""
    return Table(
        title=safe_text(title) if title else None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )


class FactsTable:
    """Facts about one thing: a name and a value each; on a narrow terminal, below each other."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, Text]] = []

    def add_row(self, name: str, value: Text | str) -> None:
        """Add a fact."""
        self._rows.append((name, Text(value) if isinstance(value, str) else value))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the facts; rich calls this."""
        if options.max_width < _NARROW_COLUMNS:
            for name, value in self._rows:
                yield Text(name, "dim")
                yield Padding(value, (0, 0, 0, 2))
            return
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in self._rows:
            table.add_row(name, value)
        yield table
