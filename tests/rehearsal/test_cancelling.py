"""A rehearsal that is cancelled leaves nothing behind."""

from __future__ import annotations

import tempfile
from pathlib import Path

import attrs
import pytest

from newsleopard_async.rehearsal import rehearse
from tests.cancellation import Trigger, Way, each_point, in_every_way, run_once
from tests.clients import csv_of, files_in
from tests.constants import CAMPAIGN
from tests.rehearsal.rehearsing import IN_A_YEAR, NOW


@pytest.mark.slow
@in_every_way
def test_cancelled_rehearsal_leaves_nothing(
    way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it is cancelled at any point of the pipelines, no file and no task remains."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    campaign = attrs.evolve(CAMPAIGN, schedule=IN_A_YEAR)

    def cancel(trigger: Trigger) -> None:
        run_once(way, lambda: rehearse(campaign, csv_of(101), now=NOW), trigger)
        assert files_in(tmp_path) == []

    assert each_point(cancel, most=12) > 12
