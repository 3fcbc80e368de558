"""The types of records, and how the keys and values of each are read.

- a mapping, and an object with ``keys()`` and ``[]`` like one, such as rows of databases;
- an object of attrs, a dataclass, a NamedTuple, a pydantic model, a msgspec struct, an object that
  SQLAlchemy maps; the keys are the fields that the class declares, in their order and by their
  names in Python;
- a row of SQLAlchemy, and a row of a structured array of NumPy.

No library is imported to recognise its objects.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar, Protocol

import attrs

__all__ = ["Get", "Opened", "Opener", "Record", "is_record", "opener_of"]


class DataclassRecord(Protocol):
    """A dataclass, including dataclasses of pydantic."""

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
    """A row of a database, with keys like a mapping."""

    def keys(self) -> Iterable[Any]:
        """Return the columns."""
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
"""Returns a record's value by its key."""

Opened = tuple[Collection[Any], Get]
"""The keys of a record, and the getter of its values."""

Opener = Callable[[Any], Opened]


def is_record(value: object) -> bool:
    """Return whether an object has named fields."""
    return opener_of(value) is not None


def opener_of(record: Any) -> Opener | None:
    """Return the function that opens records of this class; None if they have no named fields."""
    kind = type(record)
    if issubclass(kind, dict):
        return _open_dict
    if issubclass(kind, Mapping):
        return _open_mapping
    if (fields := _fields_of(kind)) is not None:
        # Private fields are internal to the class.
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

    Aliases and computed fields of a pydantic model, and relationships of SQLAlchemy, are not
    included.
    """
    if hasattr(kind, "__mapper__"):
        return [column.key for column in kind.__mapper__.column_attrs]
    if attrs.has(kind):
        return [field.name for field in attrs.fields(kind)]
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    if issubclass(kind, tuple):
        # A NamedTuple. Some rows of databases are also tuples, and are read by their keys.
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
    # The rows of most database libraries are not a Mapping, but have its methods.
    return tuple(record.keys()), record.__getitem__


def _open_object(names: Collection[str], record: Any) -> Opened:
    return names, partial(getattr, record)


def _open_extended(names: Collection[str], record: Any) -> Opened:
    """Open a pydantic model, which can have more fields than its class declares."""
    return (*names, *record.model_extra) if record.model_extra else names, partial(getattr, record)


def _open_row(openers: dict[type, Opener | None], record: Any) -> Opened:
    """Open a row of SQLAlchemy; a row that contains only one object is read as that object."""
    if len(record) == 1:
        [inner] = record
        if type(inner) not in openers:
            openers[type(inner)] = opener_of(inner)
        if (opener := openers[type(inner)]) is not None:
            return opener(inner)
    return tuple(record._fields), record._mapping.__getitem__  # noqa: SLF001 - SQLAlchemy documents it


def _open_structured(record: Any) -> Opened:
    """Open a row of a structured array of NumPy."""
    return record.dtype.names, record.__getitem__
