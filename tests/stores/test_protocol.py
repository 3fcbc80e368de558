"""What is refused in the place of a store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from newsleopard_async import InvalidRequest
from newsleopard_async.stores import FileStore
from newsleopard_async.stores.one_file import OneFile
from newsleopard_async.stores.protocol import LockingStore, check_store, keys_of
from tests.stores.memory import MemoryStore


class Plain:
    """A store in an old documented form: it stores one record, and compares nothing."""

    async def load(self) -> Mapping[str, Any] | None:
        """Return what was saved last."""

    async def save(self, data: Mapping[str, Any]) -> None:
        """Keep the data."""


class Unchecked(MemoryStore):
    """A store whose save receives no revision."""

    async def save(self, key: str, data: Mapping[str, Any]) -> str:  # type: ignore[override]  # the fault
        """Keep the data."""
        raise NotImplementedError


@pytest.mark.parametrize(
    "store", [None, "runs", Path("runs"), {}, Plain(), Unchecked(), FileStore, mock.Mock(keys=1)]
)
def test_what_cannot_keep_two_runs_apart_is_refused(store: object) -> None:
    """The error names the calls that are wanted, and the stores that have them."""
    with pytest.raises(InvalidRequest, match=r"save\(key, data, revision\).*FileStore") as caught:
        check_store(store)

    assert [(each.field, each.rule) for each in caught.value.problems] == [("store", "type")]


@pytest.mark.parametrize("store", [MemoryStore(), mock.Mock()])
def test_what_can_be_called_so_is_taken(store: object) -> None:
    """The class of the store does not matter."""
    assert check_store(store) is store


def test_method_that_shows_no_signature_is_taken() -> None:
    """As one that is written in C."""
    with mock.patch("inspect.signature", side_effect=ValueError):
        check_store(MemoryStore())


class AtHand(MemoryStore):
    """One that has its keys at hand."""

    def keys(self) -> list[str]:  # type: ignore[override]  # another way to give them
        """Give all keys."""
        return list(self.kept)


class AtOnce(MemoryStore):
    """One that awaits all its keys."""

    async def keys(self) -> list[str]:  # type: ignore[override]  # another way to give them
        """Give all keys."""
        return list(self.kept)


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [MemoryStore, AtOnce, AtHand])
async def test_keys_come_in_any_way(kind: type[MemoryStore]) -> None:
    """One after another, or all of them, awaited or not."""
    store = kind({"b": ("{}", "2"), "a": ("{}", "1")})

    assert await keys_of(store) == ("a", "b")
    assert [key async for key in keys_of(store)] == ["b", "a"]


def test_files_can_be_locked(tmp_path: Path) -> None:
    """A run needs no lease where a lock ends with its process."""
    folder: LockingStore = FileStore(tmp_path)
    file: LockingStore = OneFile.at(tmp_path / "a.json")

    assert isinstance(folder, LockingStore)
    assert isinstance(file, LockingStore)
    assert not isinstance(MemoryStore(), LockingStore)
