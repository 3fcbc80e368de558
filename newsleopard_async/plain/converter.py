"""Converts models to plain data that any JSON writer accepts, and back.

- an attrs class is an object under its Python names; a tuple is an array;
- an aware datetime is ISO 8601 text in UTC with ``Z``; a naive datetime is an error;
- a timedelta is its seconds; a path, a ``NewType`` or subclass of ``str``, or a decimal number is
  text;
- an enum is its value if all its values are text or numbers, otherwise its name;
- a class with ``plain_kind`` has it under ``kind``, which selects the class in a union;
- a field with ``PRESIGNED`` is cut to ``https://host/path?…``, because plain data is logged and
  stored, and such a URL grants access. So an ``UploadTicket`` that was read back cannot be used;
- a field with ``LATER`` is left out while it has its default, because plain data is stored and
  hashed, and older data does not have the field;
- a property in ``plain_derived`` is written with the fields, and ignored when data is read.

Reading is strict: a missing or unknown key, or a value of another type, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from types import UnionType
from typing import Any, Final, TypeAlias, TypeVar, Union, get_args, get_origin, overload

import attrs
from cattrs import Converter
from cattrs.errors import (
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
)
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from cattrs.preconf.json import make_converter

from newsleopard_async.disclosure import hides_variables
from newsleopard_async.errors import InvalidRequest, Problem

__all__ = [
    "KIND",
    "LATER",
    "PRESIGNED",
    "PlainData",
    "derived_of",
    "from_plain",
    "kind_of",
    "members_of",
    "redact_url",
    "to_plain",
]

T = TypeVar("T")
Read = Callable[[Any, Any], Any]

KIND: Final = "kind"
"""The key of the kind of a class with ``plain_kind``."""

PRESIGNED: Final[Mapping[str, bool]] = {"presigned": True}
"""Metadata of an attrs field with a URL that contains its authorisation."""

LATER: Final[Mapping[str, bool]] = {"later": True}
"""Metadata of an attrs field that was added after its class was stored in checkpoints."""


PlainData: TypeAlias = dict[str, Any] | list[Any] | str | float | bool | None
"""The data that `to_plain` and JSON readers return."""


def to_plain(value: object) -> Any:
    """Return ``value`` as data that ``json.dumps`` accepts.

    Raises:
        ValueError: it contains a naive datetime.
    """
    return _CONVERTER.unstructure(value)


@overload
def from_plain(cls: type[T], data: object) -> T: ...
@overload
def from_plain(cls: object, data: object) -> Any: ...
@hides_variables
def from_plain(cls: Any, data: object) -> Any:
    """Build ``cls``, a class or a union of classes with a kind, from plain data.

    Raises:
        InvalidRequest: the data does not fit; each problem has the path in the data.
    """
    try:
        return _CONVERTER.structure(data, cls)
    except Exception as error:  # noqa: BLE001 - a constructor can raise any error
        problems = tuple(_problems_of(error))
    # Raised outside the handler: cattrs' own exceptions would show the data.
    raise InvalidRequest(problems)


@overload
def redact_url(url: str) -> str: ...
@overload
def redact_url(url: None) -> None: ...
def redact_url(url: str | None) -> str | None:
    """Return a URL without user, query and fragment, which can grant access."""
    if url is None:
        return None
    place, *hidden = re.split(r"[?#]", url, maxsplit=1)
    return re.sub(r"://[^/]*@", "://", place) + ("?…" if hidden else "")


def _problems_of(error: BaseException, place: str = "") -> Iterator[Problem]:
    """Yield the problems in cattrs' tree of errors, with the path but without the data."""
    match error:
        case ClassValidationError():
            of_fields, others = error.group_exceptions()
            for inner, note in of_fields:
                yield from _problems_of(inner, f"{place}.{note.name}".lstrip("."))
        case IterableValidationError():
            of_items, others = error.group_exceptions()
            for inner, item in of_items:
                yield from _problems_of(inner, f"{place}[{item.index!r}]")
        case InvalidRequest():
            others = []
            for problem in error.problems:
                where = f"{place}.{problem.field}".lstrip(".")
                yield Problem(where, problem.rule, problem.message)
        case _:
            others = []
            yield Problem(place or "data", "plain", _explain(error))
    for inner in others:
        yield from _problems_of(inner, place)


def _explain(error: BaseException) -> str:
    match error:
        case KeyError():
            return "is missing; add the key"
        case ForbiddenExtraKeysError():
            names = ", ".join(sorted(map(str, error.extra_fields)))
            return f"has unknown keys: {names}; remove them"
        case _PlainTypeError():
            return str(error)
        case _:
            return "is not of the expected type"


class _PlainTypeError(ValueError):
    """A value with a wrong type; the text of the error shows no data."""


def kind_of(cls: Any) -> str | None:
    """Return the kind of a class, or None."""
    return getattr(cls, "plain_kind", None)


def derived_of(cls: Any) -> tuple[str, ...]:
    """Return the names of the properties that are written with the fields."""
    return getattr(cls, "plain_derived", ())


def _write_model(cls: type, converter: Converter) -> Callable[[Any], dict[str, Any]]:
    # Any: cattrs types its overrides as one union with its own private switches.
    changed: dict[str, Any] = {
        field.name: override(
            unstruct_hook=redact_url if "presigned" in field.metadata else None,
            omit_if_default="later" in field.metadata,
        )
        for field in attrs.fields(cls)
        if field.metadata
    }
    write: Callable[[Any], dict[str, Any]] = make_dict_unstructure_fn(cls, converter, **changed)
    if (kind := kind_of(cls)) is not None:
        return lambda value: {KIND: kind, **write(value)}
    if derived := derived_of(cls):
        return lambda value: {
            **{name: converter.unstructure(getattr(value, name)) for name in derived},
            **write(value),
        }
    return write


def _read_model(cls: type, converter: Converter) -> Read:
    read: Read = make_dict_structure_fn(cls, converter, _cattrs_forbid_extra_keys=True)
    kind, derived = kind_of(cls), derived_of(cls)
    # A class without fields needs its kind, because an object can be empty by mistake.
    if_left_out = kind if attrs.fields(cls) else None

    def structure(data: Any, _: Any) -> Any:
        fields = {name: each for name, each in _object(data).items() if name not in derived}
        if kind is not None and fields.pop(KIND, if_left_out) != kind:
            raise _PlainTypeError(f"must have the kind {kind!r}")
        return read(fields, cls)

    return structure


def _is_union_of_kinds(cls: Any) -> bool:
    return get_origin(cls) in (Union, UnionType) and all(
        kind_of(member) is not None for member in members_of(cls)
    )


def members_of(union: Any) -> list[Any]:
    """Return the members of a union except None."""
    return [member for member in get_args(union) if member is not type(None)]


def _read_union(union: Any, converter: Converter) -> Read:
    kinds = {member.plain_kind: member for member in members_of(union)}
    may_be_none = type(None) in get_args(union)

    def structure(data: Any, _: Any) -> Any:
        if data is None and may_be_none:
            return None
        kind = _object(data).get(KIND)
        if kind not in kinds:
            raise _PlainTypeError(f"must have one of the kinds {', '.join(kinds)}")
        return converter.structure(data, kinds[kind])

    return structure


def _is_tuple_of_any_length(cls: Any) -> bool:
    return get_origin(cls) is tuple and get_args(cls)[1:] == (...,)


def _read_tuple(cls: Any, converter: Converter) -> Read:
    """Build the reader of an array; a text is refused, although it is iterable."""
    items: Any = list[get_args(cls)[0]]  # type: ignore[misc]  # made at run time
    return lambda data, _: tuple(
        converter.structure(_of_type(data, (list, tuple), "an array"), items)
    )


def _object(data: Any) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise _PlainTypeError("must be an object")
    return data


def _write_datetime(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError("a naive datetime has no instant; add a time zone")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _read_datetime(data: Any, _: Any) -> datetime:
    value = datetime.fromisoformat(_of_type(data, str, "text"))
    if value.tzinfo is None:
        raise _PlainTypeError("must be a time with its offset or Z")
    return value.astimezone(UTC)


def _write_timedelta(value: timedelta) -> float:
    seconds = value.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds


def _read_timedelta(data: Any, _: Any) -> timedelta:
    return timedelta(seconds=_read_float(data, float))


def _read_decimal(data: Any, _: Any) -> Decimal:
    try:
        return Decimal(_of_type(data, str, "text"))
    except InvalidOperation:
        raise _PlainTypeError("must be a decimal number as text") from None


def _read_float(data: Any, _: Any) -> float:
    return float(_of_type(data, (int, float), "a number"))


def _of_type(data: Any, types: type | tuple[type, ...], name: str) -> Any:
    """Return ``data`` if it has the type; a bool does not count as a number."""
    if not isinstance(data, types) or (isinstance(data, bool) and types is not bool):
        raise _PlainTypeError(f"must be {name}")
    return data


def _reader_of(base: type, name: str) -> Read:
    """Build the strict reader of a scalar type, its subclasses and its enums."""

    def structure(data: Any, cls: Any) -> Any:
        if issubclass(cls, Enum):
            return _read_enum(data, cls)
        value = _of_type(data, base, name)
        return value if cls is base else cls(value)

    return structure


def _write_enum(member: Enum) -> object:
    """Write the value or the name; the value of an IntEnum is a plain int."""
    return member.value if _goes_by_value(type(member)) else member.name


def _read_enum(data: Any, cls: type[Enum]) -> Enum:
    for member in cls:
        written = _write_enum(member)
        if written == data and type(written) is type(data):
            return member
    raise _PlainTypeError(f"must be a value of {cls.__name__}")


def _goes_by_value(cls: type[Enum]) -> bool:
    return all(isinstance(member.value, (str, int)) for member in cls)


def _make_converter() -> Converter:
    """Build the converter; a hook that is registered later has priority."""
    converter: Converter = make_converter(unstruct_collection_overrides={tuple: list})
    converter.register_unstructure_hook(datetime, _write_datetime)
    converter.register_structure_hook(datetime, _read_datetime)
    converter.register_unstructure_hook(timedelta, _write_timedelta)
    converter.register_structure_hook(timedelta, _read_timedelta)
    converter.register_unstructure_hook(Decimal, str)
    converter.register_structure_hook(Decimal, _read_decimal)
    converter.register_structure_hook(float, _read_float)
    for cls, name in ((int, "a whole number"), (bool, "true or false"), (str, "text")):
        converter.register_structure_hook(cls, _reader_of(cls, name))
    # Registered by class, because cattrs would leave an instance of a subclass unchanged.
    converter.register_unstructure_hook(str, str)
    converter.register_unstructure_hook(Enum, _write_enum)
    converter.register_structure_hook(Enum, _read_enum)
    converter.register_unstructure_hook_factory(attrs.has, _write_model)
    converter.register_structure_hook_factory(attrs.has, _read_model)
    converter.register_structure_hook_factory(_is_union_of_kinds, _read_union)
    converter.register_structure_hook_func(lambda cls: cls == PlainData, lambda data, _: data)
    converter.register_structure_hook_factory(_is_tuple_of_any_length, _read_tuple)
    return converter


_CONVERTER: Final = _make_converter()
