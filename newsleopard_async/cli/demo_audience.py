"""The audience of the demonstration: generated contacts, the funnel of their mails, the tables.

The contacts have Chinese names, and are the same at each run.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs
from rich import box
from rich.table import Table

from newsleopard_async.cli.terminal import safe_text
from newsleopard_async.models.metrics import ReportSummary

__all__ = [
    "FunnelStage",
    "Person",
    "funnel_table",
    "people",
    "read_people",
    "readers_table",
    "stages_of",
    "write_people",
]

_SURNAMES = (
    *"陳林黃張李王吳劉蔡楊許鄭謝郭洪曾邱廖賴周徐蘇葉莊呂江",
    *("歐陽", "司徒", "張簡"),
)
_GIVEN = (
    *("怡君", "欣怡", "雅婷", "淑芬", "美玲", "佳穎", "詩涵", "宜蓁", "思妤", "品妍", "子晴"),
    *("志明", "俊傑", "建宏", "家豪", "冠宇", "承恩", "宥廷", "柏翰", "宗翰", "品睿", "睿", "安"),
)
_STORES = ("台北市", "新北市", "桃園市", "台中市", "台南市", "高雄市", "新竹縣", "花蓮縣")


@attrs.frozen
class Person:
    """One contact of the demonstration."""

    email: str
    name: str
    store: str
    points: int


def people(count: int, *, seed: int = 0) -> Iterator[Person]:
    """Generate people with different addresses."""
    chance = random.Random(seed)  # noqa: S311  # generated people need no secure randomness
    for number in range(1, count + 1):
        yield Person(
            email=f"reader{number:05}@example.com",
            name=chance.choice(_SURNAMES) + chance.choice(_GIVEN),
            store=chance.choice(_STORES),
            points=chance.randrange(0, 5_000, 10),
        )


def write_people(path: Path, count: int) -> int:
    """Write a file of contacts in the platform's format, and return its size in bytes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["EMAIL", "NAME", "STORE", "POINTS"])
        writer.writerows(attrs.astuple(person) for person in people(count))
    return path.stat().st_size


def read_people(path: Path) -> dict[str, Person]:
    """Read a file of `write_people`; return the people by address."""
    with path.open(encoding="utf-8", newline="") as file:
        return {
            row["EMAIL"]: Person(row["EMAIL"], row["NAME"], row["STORE"], int(row["POINTS"]))
            for row in csv.DictReader(file)
        }


@attrs.frozen
class FunnelStage:
    """One line of the funnel.

    Attributes:
        title: The name of the stage.
        chinese: The platform's word for it.
        count: The number of recipients, each counted once.
        base: The number of recipients that is 100 %.
        of: The name of the base.
    """

    title: str
    chinese: str
    count: int
    base: int
    of: str

    @property
    def rate_percent(self) -> float | None:
        """The share of the base, or None if the base is empty."""
        return 100 * self.count / self.base if self.base else None


def stages_of(summary: ReportSummary, *, recipients: int) -> tuple[FunnelStage, ...]:
    """Return the lines of the funnel in their order; a type without a file counts as 0.

    The emulator writes a file for each type of event that occurred.
    """
    sent, got = (recipients, "recipients"), (summary.delivered or 0, "delivered")
    return (
        FunnelStage("Recipients", "收件人", recipients, *sent),
        FunnelStage("Delivered", "到達", summary.delivered or 0, *sent),
        FunnelStage("Opened", "開信", summary.opened or 0, *got),
        FunnelStage("Clicked", "點擊", summary.clicked or 0, *got),
        FunnelStage("Bounced", "退信", summary.bounced or 0, *sent),
        FunnelStage("Unsubscribed", "取消訂閱", summary.unsubscribed or 0, *got),
        FunnelStage("Complained", "抱怨", summary.complained or 0, *got),
    )


_WIDE_COLUMNS = 64
"""Chosen: the table with all columns fits into so many columns of a terminal."""
_MEDIUM_COLUMNS = 46
"""Chosen: the table without the last column fits."""


def funnel_table(funnel: Iterable[FunnelStage], campaign: str, *, width: int) -> Table:
    """Return the table of the funnel; a narrow terminal gets fewer columns."""
    table = _table(f"Results of {campaign}")
    table.add_column("", no_wrap=True)
    if width >= _MEDIUM_COLUMNS:
        table.add_column("中文", justify="right", no_wrap=True)
    table.add_column("Mails", justify="right", no_wrap=True)
    table.add_column("Rate", justify="right", no_wrap=True)
    if width >= _WIDE_COLUMNS:
        table.add_column("", style="dim", no_wrap=True)
    for stage in funnel:
        chinese = [stage.chinese] if width >= _MEDIUM_COLUMNS else []
        base = [f"of {stage.of}"] if width >= _WIDE_COLUMNS else []
        table.add_row(stage.title, *chinese, f"{stage.count:,}", _rate(stage), *base)
    return table


def _rate(stage: FunnelStage) -> str:
    return "–" if stage.rate_percent is None else f"{stage.rate_percent:.1f} %"


def readers_table(readers: Iterable[Person], *, width: int) -> Table:
    """Return a table of people who clicked, with the fields that their mails contain."""
    table = _table("First to click")
    for name in ("NAME", "STORE", "POINTS"):
        table.add_column(name, justify="right", no_wrap=True)
    if width >= _WIDE_COLUMNS:
        table.add_column("EMAIL", style="dim", no_wrap=True)
    for person in readers:
        email = [person.email] if width >= _WIDE_COLUMNS else []
        table.add_row(
            *(safe_text(cell) for cell in (person.name, person.store, f"{person.points:,}", *email))
        )
    return table


def _table(title: str) -> Table:
    return Table(
        title=safe_text(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD
    )
