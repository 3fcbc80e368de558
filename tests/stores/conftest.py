"""The stores that every test of the contract is run with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias, cast

import pytest

from newsleopard_async.stores import FileStore, SqlStore, Store
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


def _sqlite(folder: Path) -> Opening:
    return lambda: SqlStore(f"sqlite:///{folder}/runs.db")


_KINDS: dict[str, Callable[[Path], Opening]] = {
    "memory": _memory,
    "files": _files,
    "sqlite": _sqlite,
    "one-file": _one_file,
}
_SERVERS = ("postgres",)


@pytest.fixture(params=[*_KINDS, *_SERVERS])
def any_opening(request: Any, tmp_path: Path) -> Iterator[Opening]:
    """Give what opens a store of each kind; of its keys only the empty one is used."""
    yield from _opening(request, tmp_path)


@pytest.fixture(params=[*(name for name in _KINDS if name != "one-file"), *_SERVERS])
def opening(request: Any, tmp_path: Path) -> Iterator[Opening]:
    """Give what opens a store of each kind that has many keys."""
    yield from _opening(request, tmp_path)


def _opening(request: Any, folder: Path) -> Iterator[Opening]:
    """Close the connections of what was opened, as the end of a process does."""
    opened: list[Any] = []
    if request.param in _SERVERS:
        url = request.getfixturevalue(f"{request.param}_url")
        kind = SqlStore
        begin: Opening = lambda: kind(url)  # noqa: E731
    else:
        begin = _KINDS[request.param](folder)

    def opening() -> Store:
        opened.append(begin())
        return cast("Store", opened[-1])

    yield opening
    for store in opened:
        if isinstance(store, SqlStore):
            store._engine.dispose()
