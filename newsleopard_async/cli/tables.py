"""The tables that the demonstration ends with."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.table import Table
from rich.text import Text

from newsleopard_async.cli.funnel import Funnel, Stage
from newsleopard_async.cli.people import Person

__all__ = ["funnel_table", "readers_table"]

_WIDE_COLUMNS = 64
_MEDIUM_COLUMNS = 46


def funnel_table(funnel: Funnel, campaign: str, *, width: int) -> Table:
    """Lay the funnel out, a line a stage; a narrow terminal gets fewer columns."""
    table = _table(f"What became of {campaign}")
    table.add_column("", no_wrap=True)
    if width >= _MEDIUM_COLUMNS:
        table.add_column("中文", justify="right", no_wrap=True)
    table.add_column("Mails", justify="right", no_wrap=True)
    table.add_column("Rate", justify="right", no_wrap=True)
    if width >= _WIDE_COLUMNS:
        table.add_column("", style="dim", no_wrap=True)
    for stage in funnel.stages:
        chinese = [stage.chinese] if width >= _MEDIUM_COLUMNS else []
        base = [f"of {stage.of}"] if width >= _WIDE_COLUMNS else []
        table.add_row(stage.title, *chinese, f"{stage.count:,}", _rate(stage), *base)
    return table


def _rate(stage: Stage) -> str:
    return "–" if stage.rate_percent is None else f"{stage.rate_percent:.1f} %"


def readers_table(readers: Iterable[Person], *, width: int) -> Table:
    """Lay out some of those who clicked; the fields are those that the mails were filled with."""
    table = _table("First to click")
    for name in ("NAME", "STORE", "POINTS"):
        table.add_column(name, justify="right", no_wrap=True)
    if width >= _WIDE_COLUMNS:
        table.add_column("EMAIL", style="dim", no_wrap=True)
    for person in readers:
        email = [person.email] if width >= _WIDE_COLUMNS else []
        table.add_row(
            *(Text(cell) for cell in (person.name, person.store, f"{person.points:,}", *email))
        )
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
