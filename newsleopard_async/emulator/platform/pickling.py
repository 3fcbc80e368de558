"""A pickle of a state, which can hold our own classes and nothing that does anything.

What belongs to the process is left out: locks, addresses of servers, a transport. A class names
such attributes in ``OF_PROCESS``. Work that is half done, such as a file that is being judged, is
left out too and done again, and so is what can be worked out; ``AFRESH`` names these attributes,
and what they hold instead.

A pickle can call anything. This one is read with a list of our own classes and a few plain ones
of the standard library, and everything else is refused before it is called.
"""

from __future__ import annotations

import io
import pickle
import random
import struct
from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any, ClassVar, Final

from newsleopard_async.emulator import switches
from newsleopard_async.emulator.platform import (
    addressbook,
    automation,
    batches,
    campaigns,
    csvimport,
    exclusions,
    faults,
    gateway,
    imports,
    mailings,
    notation,
    once,
    removal,
    reports,
    storage,
    submission,
    templates,
    timeline,
    waves,
    webhooks,
)
from newsleopard_async.emulator.platform.batches import AddressTable, ImportBatch
from newsleopard_async.emulator.platform.blobs import Blob
from newsleopard_async.emulator.switches import SwitchBoard

__all__ = ["BadState", "Beside", "StatePickler", "load", "load_texts"]

PROTOCOL: Final = 5
"""The newest one that all supported versions of Python read."""

MODULES: Final = (
    addressbook,
    automation,
    batches,
    campaigns,
    csvimport,
    exclusions,
    faults,
    gateway,
    imports,
    mailings,
    notation,
    once,
    waves,
    removal,
    reports,
    storage,
    submission,
    switches,
    templates,
    timeline,
    webhooks,
)
"""Where the classes of a state are defined."""

PLAIN: Final = (
    Counter,
    OrderedDict,
    array,
    datetime,
    defaultdict,
    deque,
    random.Random,
    timedelta,
    timezone,
)
"""The standard library's classes of a state, beside those that a pickle has codes for."""

KEY_MARK: Final = "…"
"""What stands in a file for an API key, as in the log of requests."""


Beside = Mapping[tuple[str, ...], object]
"""What a pickle has beside it, by the keys that it holds."""


class BadState(ValueError):
    """This is not a state, or it is damaged."""


def load(content: bytes, beside: Beside) -> Any:
    """Read a pickle.

    Raises:
        BadState: it is damaged, or holds anything that has no place in a state.
    """
    return _load_or_refuse(_StateUnpickler(io.BytesIO(content), beside).load)


def load_texts(content: bytes) -> Any:
    """Read a pickle that holds texts and tuples alone, a million of them in C.

    Raises:
        BadState: it is damaged, or holds anything else.
    """
    return _load_or_refuse(_TextUnpickler(io.BytesIO(content)).load)


def _load_or_refuse(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except BadState:
        raise
    except (
        pickle.UnpicklingError,
        ArithmeticError,
        AssertionError,
        AttributeError,
        EOFError,
        LookupError,
        MemoryError,
        RecursionError,
        TypeError,
        ValueError,
        struct.error,
    ) as error:  # a damaged pickle may raise any of these
        raise BadState(f"the state cannot be read: {error!r}") from error


def shared(*key: str) -> object:
    """Stand in a pickle for what is beside it; a reader looks it up instead of calling this."""
    raise BadState(f"{key} is not in a pickle")


@cache
def _allowed() -> Mapping[tuple[str, str], object]:
    """Return all classes that a state may hold, and array's way to read itself."""
    ours = [
        each
        for module in MODULES
        for each in vars(module).values()
        if isinstance(each, type)
        and each.__module__ == module.__name__
        and not issubclass(each, BaseException)
        and not getattr(each, "_is_protocol", False)
    ]
    reader = array("I").__reduce_ex__(PROTOCOL)[0]
    found: list[Any] = [*ours, *PLAIN, reader]
    return {(each.__module__, each.__qualname__): each for each in found}


class StatePickler(pickle.Pickler):
    """Writes what a reader will take, and nothing else.

    Args:
        hide_keys: Write a mark in the place of each API key.
        is_beside: It writes what is beside a head.

    Attributes:
        batches: What the pickle needs beside it.
        blobs: What the pickle needs beside it.
    """

    def __init__(
        self, file: io.BytesIO, *, hide_keys: bool = False, is_beside: bool = False
    ) -> None:
        super().__init__(file, PROTOCOL)
        self.batches: list[ImportBatch] = []
        self.blobs: dict[str, Blob] = {}
        self._hide_keys = hide_keys
        self._is_beside = is_beside

    def reducer_override(self, obj: Any) -> Any:
        """Say how anything is written that a pickle has no code for."""
        key = self._put_beside(obj)
        if key is not None:
            return shared, key
        kind = type(obj)
        if obj is shared or kind in PLAIN:
            return NotImplemented
        name = obj if isinstance(obj, type) or callable(obj) else kind
        if _allowed().get((name.__module__, name.__qualname__)) is not name:
            raise TypeError(f"{obj!r} cannot be kept: it is not of a class of the state")
        return NotImplemented if name is obj else self._reduced(obj)

    def _put_beside(self, obj: object) -> tuple[str, ...] | None:
        """Return under which key something is beside the pickle; None if it is in there."""
        if isinstance(obj, Blob):
            self.blobs[obj.digest] = obj
            return ("blob", obj.digest)
        if isinstance(obj, AddressTable):
            return ("addresses",)
        if isinstance(obj, SwitchBoard):
            return ("board",)
        # Rows that count change no more.
        if isinstance(obj, ImportBatch) and obj.version is not None and not self._is_beside:
            self.batches.append(obj)
            self.blobs[obj.blob.digest] = obj.blob
            return ("batch", str(len(self.batches) - 1))
        return None

    def _reduced(self, obj: Any) -> tuple[Any, ...]:
        """Take away what belongs to the process, and work that is half done."""
        make, arguments, state, *_ = obj.__reduce_ex__(PROTOCOL)
        kind = type(obj)
        left_out: frozenset[str] = getattr(kind, "OF_PROCESS", frozenset())
        if isinstance(state, dict):
            state = {name: value for name, value in state.items() if name not in left_out}
            state.update(getattr(kind, "AFRESH", {}))
        if self._hide_keys and isinstance(obj, storage.Storage):
            state["leaked_keys"] = [KEY_MARK] * len(obj.leaked_keys)
        return make, arguments, state


class _TextUnpickler(pickle.Unpickler):
    """Reads no class at all."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse any."""
        raise BadState(f"{module}.{name} has no place in a state")


_PLAIN_DISPATCH: Final[dict[int, Any]] = pickle._Unpickler.dispatch  # noqa: SLF001  # see below


def _build(reader: Any) -> None:
    """Give an object its attributes, unless it is a class, or was there before."""
    made = reader.stack[-2]
    if isinstance(made, (type, AddressTable, Blob, SwitchBoard)):
        raise BadState(f"{made!r} has no place in a state as it is changed there")
    _PLAIN_DISPATCH[pickle.BUILD[0]](reader)


class _StateUnpickler(pickle._Unpickler):  # noqa: SLF001  # the one in C cannot refuse this
    """Reads our own classes and a few plain ones, and changes nothing but what it made."""

    def __init__(self, file: io.BytesIO, beside: Beside) -> None:
        super().__init__(file)
        self._beside = beside

    def find_class(self, module: str, name: str) -> Any:
        """Return a class that is allowed.

        Raises:
            BadState: it is anything else.
        """
        if (module, name) == (shared.__module__, shared.__qualname__):
            return self._find
        found = _allowed().get((module, name))
        if found is None:
            raise BadState(f"{module}.{name} has no place in a state")
        return found

    def _find(self, *key: str) -> object:
        return self._beside[key]

    dispatch: ClassVar[dict[int, Any]] = {**_PLAIN_DISPATCH, pickle.BUILD[0]: _build}
