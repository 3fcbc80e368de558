"""The tables of commands: plain columns below a heading, which also look right in a pipe."""

from __future__ import annotations

from rich import box
from rich.table import Table

from newsleopard_async.cli.terminal import safe_text

__all__ = ["facts_table", "headed_table"]


def headed_table(title: str = "") -> Table:
    """Return an empty table with a line below its heading, and none around it."""
    return Table(
        title=safe_text(title) if title else None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )


def facts_table() -> Table:
    """Return an empty table of two columns: a name, and its value."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    return table
