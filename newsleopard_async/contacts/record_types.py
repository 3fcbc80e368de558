"""Records of every kind, each opened by what its class declares.

- a mapping, and what can be asked like one, as rows of databases can;
- an object of attrs, a dataclass, a NamedTuple, a pydantic model, a msgspec struct, an object that
  SQLAlchemy maps; its fields are those of its class, in their order and by their names in Python;
- a row of SQLAlchemy, and one of NumPy's structured arrays.

No library is imported to know its objects.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar, Protocol

import attrs

__all__ = ["Get", "Opened", "Opener", "Record", "is_record", "opener_of"]


class DataclassRecord(Protocol):
    """A dataclass, also one of pydantic."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


class PydanticRecord(Protocol):
    """A pydantic model."""

    __pydantic_fields__: ClassVar[dict[str, Any]]


class StructRecord(Protocol):
    """A msgspec struct."""

    __struct_fields__: ClassVar[tuple[str, ...]]


class MappedRecord(Protocol):
    """An object that SQLAlchemy maps."""

    __mapper__: ClassVar[Any]


class RowRecord(Protocol):
    """A row of SQLAlchemy."""

    @property
    def _mapping(self) -> Mapping[Any, Any]: ...


class KeyedRecord(Protocol):
    """A row of a database, which can be asked like a mapping."""

    def keys(self) -> Iterable[Any]:
        """Return its columns."""
        ...

    def __getitem__(self, key: Any, /) -> Any: ...


Record = (
    Mapping[str, Any]
    | attrs.AttrsInstance
    | DataclassRecord
    | PydanticRecord
    | StructRecord
    | MappedRecord
    | RowRecord
    | KeyedRecord
    | tuple[Any, ...]
    | list[Any]
)
"""One contact: an object with named fields, or a tuple or list below a header."""

Get = Callable[[Any], object]
"""Gives a record's value by its key."""

Opened = tuple[Collection[Any], Get]
"""The keys of a record, and what gives its values."""

Opener = Callable[[Any], Opened]


def is_record(value: object) -> bool:
    """Tell whether a value has named fields."""
    return opener_of(value) is not None


def opener_of(record: Any) -> Opener | None:
    """Return what opens records of this one's class; None if they have no named fields.

    Each kind is known by what it has; no library is imported to know its objects.
    """
    kind = type(record)
    if issubclass(kind, dict):
        return _open_dict
    if issubclass(kind, Mapping):
        return _open_mapping
    if (fields := _fields_of(kind)) is not None:
        # Private is what the class keeps for itself.
        names = dict.fromkeys(name for name in fields if not name.startswith("_"))
        return partial(_open_extended if hasattr(kind, "model_extra") else _open_object, names)
    if hasattr(kind, "_fields") and hasattr(kind, "_mapping"):
        return partial(_open_row, {})
    if hasattr(kind, "keys") and hasattr(kind, "__getitem__"):
        return _open_like_mapping
    dtype = getattr(record, "dtype", None)
    if getattr(dtype, "names", None) is not None and getattr(record, "shape", None) == ():
        return _open_structured
    return None


def _fields_of(kind: Any) -> Iterable[str] | None:
    """Return the names of the fields that a class declares; None if it declares none.

    A pydantic model's aliases and computed fields are not among them, nor is what SQLAlchemy loads
    by a relationship.
    """
    if hasattr(kind, "__mapper__"):
        return [column.key for column in kind.__mapper__.column_attrs]
    if attrs.has(kind):
        return [field.name for field in attrs.fields(kind)]
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    if issubclass(kind, tuple):
        # A NamedTuple; some rows of databases are tuples, too, and are asked by their keys.
        return getattr(kind, "_fields", None)
    # pydantic, its earlier versions, and msgspec.
    for declared in ("__pydantic_fields__", "model_fields", "__fields__", "__struct_fields__"):
        if isinstance(fields := getattr(kind, declared, None), (dict, tuple)):
            return tuple(fields)
    return None


def _open_dict(record: dict[Any, Any]) -> Opened:
    return record.keys(), record.__getitem__


def _open_mapping(record: Mapping[Any, Any]) -> Opened:
    return dict.fromkeys(record), record.__getitem__


def _open_like_mapping(record: Any) -> Opened:
    # What a database gives is seldom a Mapping, but can be asked like one.
    return tuple(record.keys()), record.__getitem__


def _open_object(names: Collection[str], record: Any) -> Opened:
    return names, partial(getattr, record)


def _open_extended(names: Collection[str], record: Any) -> Opened:
    """Open a pydantic model, which may allow for more than its class declares."""
    return (*names, *record.model_extra) if record.model_extra else names, partial(getattr, record)


def _open_row(openers: dict[type, Opener | None], record: Any) -> Opened:
    """Open a row of SQLAlchemy; one that holds an object alone is that object."""
    if len(record) == 1:
        [inner] = record
        if type(inner) not in openers:
            openers[type(inner)] = opener_of(inner)
        if (opener := openers[type(inner)]) is not None:
            return opener(inner)
    return tuple(record._fields), record._mapping.__getitem__  # noqa: SLF001 - public in spite of it


def _open_structured(record: Any) -> Opened:
    """Open a row of one of NumPy's structured arrays."""
    return record.dtype.names, record.__getitem__
