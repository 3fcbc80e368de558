"""The stores of fleets, and what starts their workers, which takes longer than most stories."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fleet.fleet import Nursery, nursery
from tests.fleet.storm import KINDS, Place


@pytest.fixture(scope="session")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Start what starts workers."""
    with nursery(tmp_path_factory.mktemp("workers")) as started:
        yield started


@pytest.fixture(scope="session")
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """Open a store of the kind that a test is parametrised with."""
    with KINDS[request.param](tmp_path_factory.mktemp(request.param)) as opened:
        yield opened
