"""Several workers of one send key, struck at random moments, send one campaign, to its contacts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import pytest

from tests.fleet.fleet import Nursery
from tests.fleet.storm import KINDS, Place, Row, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="its strikes are signals of Linux"),
]

_PARTS: Final = 4
_RUNS: Final = 100


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "place",
    [
        pytest.param(kind, marks=pytest.mark.soak) if kind in ("files", "sqlite") else kind
        for kind in KINDS
    ],
    indirect=True,
)
def test_workers_under_strikes_send_one_campaign(
    workers: Nursery, place: Place, tmp_path: Path
) -> None:
    """Processes and servers stop at any time, and no temporary files remain."""
    run(workers, place, tmp_path, 2, Row())


@pytest.mark.soak
@pytest.mark.parametrize("part", range(_PARTS))
@pytest.mark.parametrize("place", KINDS, indirect=True)
def test_many_runs_under_strikes_send_one_campaign_each(
    workers: Nursery, place: Place, part: int, tmp_path: Path
) -> None:
    """The same a hundred times for each store; ``-rP`` shows what came of them."""
    row = Row()
    for number in range(_RUNS // _PARTS):
        run(workers, place, tmp_path, 1_000 + _RUNS * part + number, row)
    print(row)  # noqa: T201 - the table
