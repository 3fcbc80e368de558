"""Several workers of one send key, struck at random moments, send one campaign, to its contacts."""

from __future__ import annotations

import sys
from typing import Final

import pytest

from tests.fleet.storm import KINDS, Row, opened, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="its strikes are signals of Linux"),
]

_PARTS: Final = 4
_RUNS: Final = 100


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", KINDS)
def test_workers_under_strikes_send_one_campaign(kind: str) -> None:
    """Whatever is killed, stopped or away, and whenever; and nothing is left behind."""
    with opened(kind) as (workers, place, folder):
        for seed in (1, 2):
            run(workers, place, folder, seed, Row())


@pytest.mark.soak
@pytest.mark.parametrize("part", range(_PARTS))
@pytest.mark.parametrize("kind", KINDS)
def test_many_runs_under_strikes_send_one_campaign_each(kind: str, part: int) -> None:
    """The same a hundred times for each store; ``-rP`` shows what came of them."""
    row = Row()
    with opened(kind) as (workers, place, folder):
        for number in range(_RUNS // _PARTS):
            run(workers, place, folder, 1_000 + _RUNS * part + number, row)
    print(kind, row)  # noqa: T201 - the table
