"""The interface of a store, and the check that an object has it."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeGuard, runtime_checkable

import attrs

from newsleopard_async.aio import Listing
from newsleopard_async.errors import InvalidRequest

__all__ = ["Kept", "LockingStore", "Store", "check_store", "keys_of"]


@attrs.frozen
class Kept:
    """The record that a store has under a key.

    Attributes:
        data: The record, JSON-safe.
        revision: The revision of the record; each save gives a new one.
    """

    data: Mapping[str, Any]
    revision: str


class Store(Protocol):
    """Stores the records of runs, each under its key, for all your processes.

    A caller of `save` gives the revision that it has read. If another run has saved since, the
    store must change nothing. So at most one of two runs stores the intent to send, and only this
    run sends.
    """

    async def load(self, key: str) -> Kept | None:
        """Return the record that is stored under this key, or None.

        It must be the last saved record, not an older copy, for example from a replica.
        """
        ...

    async def save(self, key: str, data: Mapping[str, Any], revision: str | None) -> str:
        """Store the data if no other run has saved since, in one atomic step.

        After this returns, a crash must not lose the data. Any error except `InUse` means that it
        is unknown whether the data was saved; the pipelines then load it again.

        Args:
            key: The key of the run.
            data: The record, JSON-safe.
            revision: The revision that the caller has read; None: the key must have no record.
        Returns: The new revision.

        Raises:
            InUse: another run has saved under this key since.
        """
        ...

    def keys(self) -> AsyncIterable[str] | Awaitable[Iterable[str]] | Iterable[str]:
        """List the keys, in any order: an async iterator, or all of them, awaited or not.

        The stores of this library support both ``await`` (all keys) and ``async for``.
        """
        ...


@runtime_checkable
class LockingStore(Protocol):
    """A store that can lock a key for as long as a run lasts, or its process."""

    def locked(self, key: str) -> AbstractContextManager[None]:
        """Lock a key, so that no other run can use it.

        Raises:
            InUse: another run has locked the key.
        """
        ...


def keys_of(store: Store) -> Listing[str]:
    """List the keys of any store, in any form that its ``keys()`` returns."""

    async def keys() -> AsyncGenerator[str, None]:
        found = store.keys()
        if isinstance(found, AsyncIterable):
            async for key in found:
                yield key
            return
        for key in await found if isinstance(found, Awaitable) else found:
            yield key

    return Listing(keys, order=sorted)


def check_store(store: object) -> Store:
    """Return the argument if it is a store, else raise.

    Raises:
        InvalidRequest: it is not a store, or it does not compare before it sets.
    """
    if _is_store(store):
        return store
    raise InvalidRequest.of(
        "store",
        "type",
        "must have async load(key), async save(key, data, revision) and keys(), and compare the "
        "revision before it sets; use FileStore, SqlStore or RedisStore from "
        "newsleopard_async.stores, or add the comparison to yours",
    )


def _is_store(store: object) -> TypeGuard[Store]:
    calls: dict[str, tuple[object, ...]]
    calls = {"load": ("key",), "save": ("key", {}, None), "keys": ()}
    return not isinstance(store, type) and all(
        _takes(getattr(store, name, None), arguments) for name, arguments in calls.items()
    )


def _takes(method: object, arguments: tuple[object, ...]) -> bool:
    """Return whether the signature of a method accepts these arguments."""
    if not callable(method):
        return False
    try:
        signature = inspect.signature(method)
    except ValueError:
        # A method that is not written in Python can have no signature.
        return True
    try:
        signature.bind(*arguments)
    except TypeError:
        return False
    return True
