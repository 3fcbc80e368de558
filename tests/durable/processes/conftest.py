"""The databases of durable workers, and what starts their processes."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.durable.processes.stage import SetStage, Stage, stage
from tests.fleet.fleet import Nursery, nursery
from tests.fleet.storm import KINDS, Place


@pytest.fixture(scope="session")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Start what starts workers."""
    folder = tmp_path_factory.mktemp("durable-workers")
    with nursery(folder, "tests.durable.processes.worker") as started:
        yield started


@pytest.fixture(scope="session")
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """Open a database of the kind that a test is parametrised with."""
    with KINDS[request.param](tmp_path_factory.mktemp(request.param)) as opened:
        yield opened


@pytest.fixture
def set_stage(workers: Nursery, place: Place, tmp_path: Path) -> SetStage:
    """Return what sets a stage of its own in the database."""
    numbers = itertools.count()

    def made(*, listed_after_s: float = 0.0) -> contextlib.AbstractContextManager[Stage]:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        return stage(workers, place.url, folder, listed_after_s=listed_after_s)

    return made


@pytest.fixture(autouse=True)
def _own_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test share the limits of a key with another one."""
    monkeypatch.setenv("NEWSLEOPARD_QUOTA", "process")
