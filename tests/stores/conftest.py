"""The stores that every test of the contract is run with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from newsleopard_async.stores import FileStore, Store
from newsleopard_async.stores.one_file import OneFile
from tests.stores.memory import MemoryStore

Opening: TypeAlias = Callable[[], Store]
"""Opens one store once more, as another process would."""


def _memory(folder: Path) -> Opening:
    kept: dict[str, tuple[str, str]] = {}
    return lambda: MemoryStore(kept)


def _files(folder: Path) -> Opening:
    return lambda: FileStore(folder / "runs")


def _one_file(folder: Path) -> Opening:
    return lambda: OneFile.at(folder / "checkpoint.json")


_KINDS: dict[str, Callable[[Path], Opening]] = {
    "memory": _memory,
    "files": _files,
    "one-file": _one_file,
}


@pytest.fixture(params=[name for name in _KINDS if name != "one-file"])
def opening(request: Any, tmp_path: Path) -> Opening:
    """Give what opens a store of each kind that has many keys."""
    return _KINDS[request.param](tmp_path)


@pytest.fixture(params=list(_KINDS))
def any_opening(request: Any, tmp_path: Path) -> Opening:
    """Give what opens a store of each kind; of its keys only the empty one is used."""
    return _KINDS[request.param](tmp_path)
