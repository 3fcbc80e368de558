"""Databases with the tables of durable sends, which take a while to make, once for all tests."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from newsleopard_async.durable import Durable
from tests.durable.desk import Desk, at_desk


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the tables in a file."""
    file = tmp_path_factory.mktemp("made") / "sends.db"

    async def create() -> None:
        async with Durable(f"sqlite:///{file}") as durable:
            await durable.workers()

    anyio.run(create)
    return file


@pytest.fixture
def sqlite_url(_made: Path, tmp_path: Path) -> str:
    """Return where an SQLite with the tables is, which are empty."""
    shutil.copy(_made, tmp_path / "sends.db")
    return f"sqlite:///{tmp_path}/sends.db"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: Any) -> str:
    """Return where each kind of database with the tables is, which are empty."""
    name = {"sqlite": "sqlite_url", "postgres": "durable_postgres_url"}[request.param]
    found: str = request.getfixturevalue(name)
    return found


@pytest.fixture
async def desk(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """Open a database of sends beside an emulator."""
    async with at_desk(sqlite_url, tmp_path) as desk:
        yield desk
