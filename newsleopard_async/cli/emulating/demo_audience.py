"""The audience of the demonstration: generated contacts, and the table of the first readers.

The contacts have Chinese names, and are the same at each run.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs
from rich.table import Table

from newsleopard_async.cli.display.tables import headed_table
from newsleopard_async.cli.display.terminal import safe_text
from newsleopard_async.cli.translation import translated as _

__all__ = [
    "Person",
    "people",
    "read_people",
    "readers_table",
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


_WIDE_COLUMNS = 64
"""Chosen: the table with all columns fits into so many columns of a terminal."""


def readers_table(readers: Iterable[Person], *, width: int) -> Table:
    """Return a table of people who clicked, with the fields that their mails contain."""
    table = headed_table(_("First to click"))
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
