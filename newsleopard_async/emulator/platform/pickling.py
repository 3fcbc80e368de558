"""Pickles of a state, which contain data only.

Attributes that belong to the process are left out: locks, URLs of servers, a transport. A class
lists them in ``OF_PROCESS``. Work that is half done, such as the check of a file, is left out and
done again; so are values that can be computed. ``AFRESH`` has these attributes, with the values
that replace theirs.

A pickle can call any function, so a manipulated file could run code. The reader only accepts the
emulator's own classes and a few of the standard library, and refuses a name before it is called.
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
"""The newest protocol that all supported versions of Python read."""

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
"""The modules that define the classes of a state."""

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
"""The standard library's classes of a state, in addition to those with a pickle code."""

KEY_MARK: Final = "…"
"""The text that replaces API keys in a file, as in the log of requests."""


Beside = Mapping[tuple[str, ...], object]
"""The objects outside a pickle, by the keys that the pickle has instead."""


class BadState(ValueError):
    """This is not a state, or it is damaged."""


def load(content: bytes, beside: Beside) -> Any:
    """Read a pickle.

    Raises:
        BadState: the pickle is damaged, or contains an object that a state cannot have.
    """
    return _load_or_refuse(_StateUnpickler(io.BytesIO(content), beside).load)


def load_texts(content: bytes) -> Any:
    """Read a pickle of texts and tuples only; fast, because it runs in C.

    Raises:
        BadState: the pickle is damaged, or contains other objects.
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
    ) as error:  # a damaged pickle can raise any of these
        raise BadState(f"the state cannot be read: {error!r}") from error


def shared(*key: str) -> object:
    """Represent an object outside the pickle; the reader looks it up and does not call this."""
    raise BadState(f"{key} is not in a pickle")


@cache
def _allowed() -> Mapping[tuple[str, str], object]:
    """Return all classes that a state can contain, and the function that reads an array."""
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
    """Writes only objects that the reader accepts.

    Args:
        hide_keys: Replace each API key by a mark.
        is_beside: Whether it writes objects that are outside the head.

    Attributes:
        batches: The batches outside the pickle.
        blobs: The blobs outside the pickle, by digest.
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
        """Return how to write an object that has no pickle code."""
        key = self._put_beside(obj)
        if key is not None:
            return shared, key
        kind = type(obj)
        if obj is shared or kind in PLAIN:
            return NotImplemented
        name = obj if isinstance(obj, type) or callable(obj) else kind
        if _allowed().get((name.__module__, name.__qualname__)) is not name:
            raise TypeError(f"{obj!r} cannot be stored: its class is not a class of the state")
        return NotImplemented if name is obj else self._reduced(obj)

    def _put_beside(self, obj: object) -> tuple[str, ...] | None:
        """Return the key of an object outside the pickle; None if it belongs into the pickle."""
        if isinstance(obj, Blob):
            self.blobs[obj.digest] = obj
            return ("blob", obj.digest)
        if isinstance(obj, AddressTable):
            return ("addresses",)
        if isinstance(obj, SwitchBoard):
            return ("board",)
        # The rows of a committed import never change.
        if isinstance(obj, ImportBatch) and obj.version is not None and not self._is_beside:
            self.batches.append(obj)
            self.blobs[obj.blob.digest] = obj.blob
            return ("batch", str(len(self.batches) - 1))
        return None

    def _reduced(self, obj: Any) -> tuple[Any, ...]:
        """Leave out attributes that belong to the process, and work that is half done."""
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
    """Reads no classes."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse all classes."""
        raise BadState(f"{module}.{name} has no place in a state")


_PLAIN_DISPATCH: Final[dict[int, Any]] = pickle._Unpickler.dispatch  # noqa: SLF001  # see below


def _build(reader: Any) -> None:
    """Set the attributes of an object, unless it is a class, or existed before."""
    made = reader.stack[-2]
    if isinstance(made, (type, AddressTable, Blob, SwitchBoard)):
        raise BadState(f"a state must not change {made!r}")
    _PLAIN_DISPATCH[pickle.BUILD[0]](reader)


class _StateUnpickler(pickle._Unpickler):  # noqa: SLF001  # the one in C cannot refuse this
    """Reads the allowed classes, and changes only the objects that it created."""

    def __init__(self, file: io.BytesIO, beside: Beside) -> None:
        super().__init__(file)
        self._beside = beside

    def find_class(self, module: str, name: str) -> Any:
        """Return a class that is allowed.

        Raises:
            BadState: the class is not allowed.
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
