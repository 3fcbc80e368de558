"""The stores that every test of the contract is run with."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import redis
import valkey

from newsleopard_async.stores import FileStore, RedisStore, SqlStore, Store
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


def _sql(url: str) -> tuple[Store, Callable[[], Any]]:
    store = SqlStore(url)
    return store, store._database.engine.dispose


def _redis(url: str) -> tuple[Store, Callable[[], Any]]:
    store = RedisStore(url)
    return store, store._client._client.close


def _redis_decoding(url: str) -> tuple[Store, Callable[[], Any]]:
    client = redis.Redis.from_url(url, socket_timeout=1.0, decode_responses=True)
    return RedisStore(client), client.close


def _valkey(url: str) -> tuple[Store, Callable[[], Any]]:
    client = valkey.Valkey.from_url(url, socket_timeout=1.0)
    return RedisStore(client), client.close


_SERVERS: dict[str, tuple[str, Callable[[str], tuple[Store, Callable[[], Any]]]]] = {
    "sqlite": ("sqlite_url", _sql),
    "postgres": ("postgres_url", _sql),
    "redis": ("redis_url", _redis),
    "redis-decoding": ("redis_url", _redis_decoding),
    "valkey": ("redis_url", _valkey),
}


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Return where a database of SQLite can be."""
    return f"sqlite:///{tmp_path}/runs.db"


@pytest.fixture(params=[*_KINDS, *_SERVERS])
async def any_opening(request: Any, tmp_path: Path) -> AsyncIterator[Opening]:
    """Yield a function that opens a store of each type; only its empty key is used."""
    async with _opening(request, tmp_path) as opening:
        yield opening


@pytest.fixture(params=[*(name for name in _KINDS if name != "one-file"), *_SERVERS])
async def opening(request: Any, tmp_path: Path) -> AsyncIterator[Opening]:
    """Give what opens a store of each kind that has many keys."""
    async with _opening(request, tmp_path) as opening:
        yield opening


@contextlib.asynccontextmanager
async def _opening(request: Any, folder: Path) -> AsyncIterator[Opening]:
    """Close the connections of what was opened, as the end of a process does."""
    if request.param in _KINDS:
        yield _KINDS[request.param](folder)
        return
    fixture, kind = _SERVERS[request.param]
    url = request.getfixturevalue(fixture)
    closing = []

    def open_another() -> Store:
        store, close = kind(url)
        closing.append(close)
        return store

    yield open_another
    for close in closing:
        close()
