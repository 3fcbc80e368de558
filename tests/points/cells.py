"""The cells of the table: what is checked by code of each point, of client and of emulator.

Each point of docs/platform.md has two cells. A test that is called ``test_t01_client`` and has
`point` above it checks one of them. `read` marks a cell that no code can check.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, Final, Literal, TypeVar

import attrs
import pytest

__all__ = ["CELLS", "SIDES", "Cell", "Side", "point", "read"]

Side = Literal["client", "emulator"]
State = Literal["checked", "read"]
SIDES: Final[tuple[Side, ...]] = ("client", "emulator")

_NAME: Final = re.compile(r"test_(t\d{2,3})_(client|emulator)")

F = TypeVar("F", bound=Callable[..., Any])


@attrs.frozen
class Cell:
    """What is known of one side of a point.

    Attributes:
        state: ``checked`` by a test; ``read``, since no code can check it.
        why: The reason of ``read``, otherwise empty.
    """

    state: State
    why: str = ""


CELLS: Final[dict[tuple[str, Side], Cell]] = {}
"""Every cell that there is, by point and side; filled while the modules are imported."""


def _note(number: str, side: Side, cell: Cell) -> None:
    if (number, side) in CELLS:
        raise ValueError(f"{number} has two cells for the {side}")
    CELLS[number, side] = cell


def point(function: F) -> F:
    """Let a test check the cell that its name says."""
    found = _NAME.fullmatch(function.__name__)
    if found is None:
        raise ValueError(f"{function.__name__} names no point and side")
    side: Side = "client" if found[2] == "client" else "emulator"
    _note(found[1].upper(), side, Cell("checked"))
    return pytest.mark.asyncio(function) if inspect.iscoroutinefunction(function) else function


def read(number: str, side: Side, why: str) -> None:
    """Mark a cell that no code can check, with the reason."""
    _note(number, side, Cell("read", why))
