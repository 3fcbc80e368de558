"""The table of the points is complete, and stands in the documentation as the command prints it."""

from __future__ import annotations

import pytest

from tests.points.cells import SIDES, point, read
from tests.points.table import PAGE, collected, printed

pytestmark = pytest.mark.source_tree

LAST_POINT = 135
if not PAGE.exists():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)


def test_every_point_has_both_cells() -> None:
    """T01 to T135 have a cell for the client and one for the emulator, checked or marked."""
    points = [f"T{number:02d}" for number in range(1, LAST_POINT + 1)]

    assert set(collected()) == {(number, side) for number in points for side in SIDES}


def test_table_is_the_one_that_is_printed() -> None:
    """``python -m tests.points`` prints what stands in docs/platform.md."""
    _, _, rest = PAGE.read_text("utf-8").partition("<!-- points -->\n")
    table, mark, _ = rest.partition("<!-- end -->")

    assert mark
    assert table == f"{printed()}\n"


def test_cell_is_read_only_with_a_reason() -> None:
    """What no code can check says why."""
    assert all(bool(cell.why) is (cell.state == "read") for cell in collected().values())


def test_cell_that_names_nothing_or_is_there_already_is_refused() -> None:
    """A test below ``point`` names one cell, and no two have the same."""

    def test_t01() -> None:
        """Name no side."""

    collected()
    with pytest.raises(ValueError, match="names no point and side"):
        point(test_t01)
    with pytest.raises(ValueError, match="two cells"):
        read("T01", "client", "it is checked already")
