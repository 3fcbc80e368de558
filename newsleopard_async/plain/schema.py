"""The schemas of models for pydantic: validation, output and JSON schema.

Only pydantic, and so FastAPI, loads this module, through the hooks of `Plain`.

- An instance is accepted unchanged. Other data is read by ``from_plain``; each of its problems
  becomes an error at its location, with our message.
- The output is ``to_dict()``, in JSON and in Python.
- The JSON schema describes ``to_dict()``, for input and output. The fields are described as a typed
  dict of pydantic, which validates nothing. The kind is a required key, although ``from_plain``
  rarely needs it, because generators of clients need it for unions.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import PurePath
from types import UnionType
from typing import (
    Any,
    Final,
    Literal,
    NewType,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import attrs
from pydantic_core import (
    CoreSchema,
    InitErrorDetails,
    PydanticCustomError,
    PydanticSerializationUnexpectedValue,
    SchemaSerializer,
    ValidationError,
    core_schema,
)

from newsleopard_async.errors import InvalidRequest, Problem
from newsleopard_async.plain.converter import (
    KIND,
    PlainData,
    derived_of,
    from_plain,
    kind_of,
    members_of,
    to_plain,
)

__all__ = ["SERIALIZER", "core_schema_of", "json_schema_of"]

Location: TypeAlias = tuple[str | int, ...]

SERIALIZER: Final = SchemaSerializer(
    core_schema.any_schema(serialization=core_schema.plain_serializer_function_ser_schema(to_plain))
)
"""Writes any model; pydantic uses it if the type annotation is ``Any``."""

_STEP: Final = re.compile(r"""\[(\d+|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\]|[^.\[]+""")
"""One step of a problem's field, such as ``senders[0].address`` or ``counts['a.b']``."""

_ATTRIBUTE: Final = re.compile(r"    (\w+): (.+(?:\n {8,}.+)*)")
"""One entry of a docstring's *Attributes*, after ``inspect.cleandoc``."""


def core_schema_of(cls: type[Any], handler: Any) -> CoreSchema:
    """Build the schema by which pydantic validates and writes a model.

    Args:
        handler: Pydantic's handler, which returns the schemas of other classes.
    """

    def read(data: Any, _: Any) -> Any:
        return data if isinstance(data, cls) else _read(cls, data)

    def write(value: Any) -> Any:
        if isinstance(value, cls):
            return value.to_dict()
        # Pydantic then tries the next member of a union, or warns.
        raise PydanticSerializationUnexpectedValue(f"must be an instance of {cls.__name__}")

    # The function's name is part of an error's location in a union.
    read.__name__ = cls.__name__
    return core_schema.no_info_wrap_validator_function(
        read,
        _schema_of_fields(cls, handler),
        serialization=core_schema.plain_serializer_function_ser_schema(write),
        ref=f"{cls.__module__}.{cls.__qualname__}:{id(cls)}",
    )


def json_schema_of(cls: type[Any], schema: CoreSchema, handler: Any) -> dict[str, Any]:
    """Return pydantic's JSON schema with the descriptions of the class."""
    found: dict[str, Any] = handler(schema)
    model = handler.resolve_ref_schema(found)
    model["title"] = cls.__name__
    if cls.__doc__:
        model["description"] = _plainly(inspect.cleandoc(cls.__doc__).partition("\n\n")[0])
    properties = model["properties"]
    for name, text in _descriptions_of(cls).items():
        properties[name] = {**properties[name], "description": text}
    for name in derived_of(cls):
        properties[name] = {**properties[name], "readOnly": True}
    for name, default in _defaults_of(cls):
        properties[name] = {**properties[name], "default": default}
    return found


def _read(cls: type[Any], data: Any) -> Any:
    try:
        return from_plain(cls, data)
    except InvalidRequest as error:
        problems = error.problems
    raise ValidationError.from_exception_data(
        cls.__name__, [_error_of(problem, data) for problem in problems]
    )


def _error_of(problem: Problem, data: Any) -> InitErrorDetails:
    location = () if problem.field == "data" else _location_of(problem.field)
    return {
        "type": PydanticCustomError(problem.rule, problem.message),
        "loc": location,
        "input": _at(location, data),
    }


def _location_of(field: str) -> Location:
    return tuple(
        found[0] if found[1] is None else ast.literal_eval(found[1])
        for found in _STEP.finditer(field)
    )


def _at(location: Location, data: Any) -> Any:
    """Return the data at a location, or the data around it if it is missing."""
    for step in location:
        try:
            data = data[step]
        except (LookupError, TypeError):
            break
    return data


def _schema_of_fields(cls: type[Any], handler: Any) -> CoreSchema:
    """Return the schema of a model's data: its keys and their types."""
    types = get_type_hints(cls)
    fields = {}
    if (kind := kind_of(cls)) is not None:
        fields[KIND] = core_schema.typed_dict_field(
            core_schema.literal_schema([kind]), required=True
        )
    for name in derived_of(cls):
        hint = get_type_hints(getattr(cls, name).fget)["return"]
        fields[name] = core_schema.typed_dict_field(_schema_of(hint, handler), required=False)
    for field in attrs.fields(cls):
        fields[field.name] = core_schema.typed_dict_field(
            _schema_of(types[field.name], handler), required=field.default is attrs.NOTHING
        )
    return core_schema.typed_dict_schema(fields, extra_behavior="forbid")


def _schema_of(annotation: Any, handler: Any) -> CoreSchema:
    """Return the schema of the data to which a type is converted."""
    if annotation is Any or annotation == PlainData:
        return core_schema.any_schema()
    if isinstance(annotation, NewType):
        return _schema_of(annotation.__supertype__, handler)
    if get_origin(annotation) is not None:
        return _schema_of_generic(annotation, handler)
    if issubclass(annotation, Enum):
        return core_schema.literal_schema([to_plain(member) for member in annotation])
    for classes, build in _SCALARS:
        if issubclass(annotation, classes):
            return build()
    schema: CoreSchema = handler.generate_schema(annotation)
    return schema


_SCALARS: Final[tuple[tuple[tuple[type, ...], Callable[[], CoreSchema]], ...]] = (
    ((bool,), core_schema.bool_schema),
    ((int,), core_schema.int_schema),
    ((float, timedelta), core_schema.float_schema),
    ((datetime,), core_schema.datetime_schema),
    ((str, PurePath, Decimal), core_schema.str_schema),
)
"""The schemas of scalars; bool is first, because it is a subclass of int."""


def _schema_of_generic(annotation: Any, handler: Any) -> CoreSchema:
    arguments = get_args(annotation)
    match get_origin(annotation):
        case origin if origin in (Union, UnionType):
            return _schema_of_union(annotation, handler)
        case origin if origin is Literal:
            return core_schema.literal_schema(list(arguments))
        case origin if issubclass(origin, Mapping):
            return core_schema.dict_schema(
                core_schema.str_schema(), _schema_of(arguments[1], handler)
            )
    if arguments[1:] == (...,):
        return core_schema.list_schema(_schema_of(arguments[0], handler))
    return core_schema.tuple_schema([_schema_of(each, handler) for each in arguments])


def _schema_of_union(annotation: Any, handler: Any) -> CoreSchema:
    members = members_of(annotation)
    schemas: list[Any] = [_schema_of(member, handler) for member in members]
    kinds = [kind_of(member) for member in members]
    if len(schemas) == 1:
        [schema] = schemas
    elif None in kinds:
        schema = core_schema.union_schema(schemas)
    else:
        schema = core_schema.tagged_union_schema(dict(zip(kinds, schemas, strict=True)), KIND)
    is_optional = type(None) in get_args(annotation)
    return core_schema.nullable_schema(schema) if is_optional else schema


def _descriptions_of(cls: type[Any]) -> dict[str, str]:
    """Return the descriptions of the fields, from the docstring and the form of their data."""
    documented: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        _, _, attributes = inspect.cleandoc(base.__doc__ or "").partition("\nAttributes:\n")
        documented.update(_ATTRIBUTE.findall(attributes.partition("\n\n")[0]))
    types = get_type_hints(cls)
    texts = {
        field.name: " ".join(
            [documented.get(field.name, ""), *_forms_of(types[field.name])]
        ).strip()
        for field in attrs.fields(cls)
    }
    return {name: _plainly(text) for name, text in texts.items() if text}


def _forms_of(annotation: Any) -> Iterator[str]:
    """Yield the meaning of a number in the data, if Python has a type for it."""
    for each in (annotation, *get_args(annotation)):
        if each is timedelta:
            yield "In seconds."
        elif isinstance(each, type) and issubclass(each, IntEnum):
            yield f"{', '.join(f'{member.value} is {member.name}' for member in each)}."


def _plainly(text: str) -> str:
    """Return a docstring as Markdown in one line."""
    return " ".join(text.replace("``", "`").split())


def _defaults_of(cls: type[Any]) -> Iterator[tuple[str, Any]]:
    for field in attrs.fields(cls):
        default: Any = field.default
        if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # typed as a function
            default = default.factory()
        if default is not attrs.NOTHING:
            yield field.name, to_plain(default)
