"""What a store must do, and what is refused in its place."""

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
    """What a store keeps under a key.

    Attributes:
        data: The record, JSON-safe.
        revision: Names this state of it; each save gives another one.
    """

    data: Mapping[str, Any]
    revision: str


class Store(Protocol):
    """Keeps the records of runs, each under its key, for all processes that work for you.

    Whoever calls `save` says which revision it has seen. If another run has saved since, nothing
    may be changed: so of two runs at most one keeps the intent to send, and only that one sends.
    """

    async def load(self, key: str) -> Kept | None:
        """Return what is kept under this key, or None.

        It must be what was saved last, not a copy that lags behind.
        """
        ...

    async def save(self, key: str, data: Mapping[str, Any], revision: str | None) -> str:
        """Keep the data if nothing was saved since, in one atomic step; return its new revision.

        Once this returns, a crash must not lose it. An error other than `InUse` means that it is
        not known whether it was saved; the pipelines then look.

        Args:
            key: Whose data it is.
            data: JSON-safe.
            revision: The one that was seen last; None: there must be nothing yet.

        Raises:
            InUse: another run has saved under this key since.
        """
        ...

    def keys(self) -> AsyncIterable[str] | Awaitable[Iterable[str]] | Iterable[str]:
        """List the keys, in any order: an async iterator, or all of them, awaited or not.

        Those in the box give both: ``await`` gives all, ``async for`` one after another.
        """
        ...


@runtime_checkable
class LockingStore(Protocol):
    """A store that can lock a key for as long as a run lasts, or its process."""

    def locked(self, key: str) -> AbstractContextManager[None]:
        """Keep other runs away from a key.

        Raises:
            InUse: another run has it.
        """
        ...


def keys_of(store: Store) -> Listing[str]:
    """List the keys of any store, in whichever way it gives them."""

    async def keys() -> AsyncGenerator[str, None]:
        given = store.keys()
        if isinstance(given, AsyncIterable):
            async for key in given:
                yield key
            return
        for key in await given if isinstance(given, Awaitable) else given:
            yield key

    return Listing(keys, order=sorted)


def check_store(store: object) -> Store:
    """Return a store; refuse what cannot keep two runs apart.

    Raises:
        InvalidRequest: it is not a store, or one that does not compare before it sets.
    """
    if _is_store(store):
        return store
    raise InvalidRequest.of(
        "store",
        "type",
        "must have async load(key), async save(key, data, revision) and keys(), and compare the "
        "revision before it sets; take FileStore, SqlStore or RedisStore from "
        "newsleopard_async.stores, or add the comparison to yours",
    )


def _is_store(store: object) -> TypeGuard[Store]:
    calls: dict[str, tuple[object, ...]]
    calls = {"load": ("key",), "save": ("key", {}, None), "keys": ()}
    return not isinstance(store, type) and all(
        _takes(getattr(store, name, None), arguments) for name, arguments in calls.items()
    )


def _takes(method: object, arguments: tuple[object, ...]) -> bool:
    """Say whether a method can be called with these arguments, as far as that can be seen."""
    if not callable(method):
        return False
    try:
        signature = inspect.signature(method)
    except ValueError:
        # Of a method that is not written in Python nobody can tell.
        return True
    try:
        signature.bind(*arguments)
    except TypeError:
        return False
    return True
