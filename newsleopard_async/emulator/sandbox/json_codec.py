"""JSON and JSON Schema of the bodies, queries and views of the control API.

The server decodes requests strictly: ``"3"`` is not 3, an unknown name is refused, and all problems
are reported together, each with its field. The client decodes answers tolerantly, because a newer
server can send more fields.
"""

from __future__ import annotations

import inspect
import json
import math
import re
import types
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from difflib import get_close_matches
from functools import cache
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import attrs
from cattrs import Converter
from cattrs.errors import BaseValidationError

__all__ = [
    "BadInput",
    "FieldProblem",
    "attributes_of",
    "decode_answer",
    "decode_object",
    "decode_query",
    "encode",
    "limited_field",
    "parse_json",
    "schema_of",
]


@attrs.frozen
class FieldProblem:
    """The problem of one field.

    Attributes:
        field: Name of the field; empty for the whole body.
        message: The problem and the way out.
    """

    field: str
    message: str


@attrs.frozen
class BadInput(Exception):
    """The body or the query of a request is wrong.

    Attributes:
        problems: All problems.
    """

    problems: tuple[FieldProblem, ...]

    def __str__(self) -> str:
        return "; ".join(
            f"{each.field}: {each.message}" if each.field else each.message
            for each in self.problems
        )


def limited_field(default: Any = attrs.NOTHING, *, pattern_says: str = "", **limits: Any) -> Any:
    """Return a field with limits.

    Args:
        default: The value if the field is missing.
        pattern_says: The message for text that the ``pattern`` refuses.
        limits: The limits, by their names in JSON Schema, such as ``minimum``.
    """
    return attrs.field(default=default, metadata={"limits": limits, "pattern_says": pattern_says})


# Encoding views.


def _instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


OUT: Final = Converter(detailed_validation=False)
OUT.register_unstructure_hook(datetime, _instant)


def encode(view: object) -> bytes:
    """Return the JSON of a view, or of a tuple of views."""
    plain = [*map(OUT.unstructure, view)] if isinstance(view, tuple) else OUT.unstructure(view)
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A mail can contain half of a surrogate pair: UTF-8 cannot encode it, but JSON can escape it.
    return text.encode("utf-8", "backslashreplace")


# Decoding bodies and queries, strictly.


def _text(value: Any, kind: Any) -> str:
    del kind
    if type(value) is not str:
        raise ValueError("must be text")
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise ValueError("must be valid Unicode text, without halves of surrogate pairs")
    return value


def _flag(value: Any, kind: Any) -> bool:
    del kind
    if type(value) is not bool:
        raise ValueError("must be true or false")
    return value


def _whole(value: Any, kind: Any) -> int:
    del kind
    if type(value) is not int:
        raise ValueError("must be a whole number")
    return value


def _number(value: Any, kind: Any) -> float:
    del kind
    try:
        if type(value) in {int, float} and math.isfinite(found := float(value)):
            return found
    except OverflowError:
        pass
    raise ValueError("must be a number")


def _time(value: Any, kind: Any) -> datetime:
    del kind
    try:
        found = datetime.fromisoformat(value) if type(value) is str else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ValueError("must be a time with its zone, such as 2026-01-05T02:00:00Z")
    return found


def _word(value: Any, kind: Any) -> Any:
    words = get_args(kind)
    if type(value) is not str or value not in words:
        close = get_close_matches(value, words, n=1) if type(value) is str else []
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ValueError(f"must be one of {', '.join(words)}{hint}")
    return value


def _sequence(value: Any, kind: Any) -> tuple[Any, ...]:
    if type(value) is not list:
        raise ValueError("must be an array")
    return tuple(IN.structure(each, get_args(kind)[0]) for each in value)


def _either(value: Any, kind: Any) -> Any:
    """Decode a value as the first of several types that accepts it."""
    kinds = get_args(kind)
    if value is None and types.NoneType in kinds:
        return None
    messages = []
    for each in kinds:
        if each is not types.NoneType:
            try:
                return IN.structure(value, each)
            except ValueError as error:
                messages.append(str(error))
    raise ValueError(", or ".join(dict.fromkeys(messages)).replace("or must be", "or"))


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in {Union, types.UnionType}


def _is_words(kind: Any) -> bool:
    origin: Any = get_origin(kind)
    return origin is Literal


def _is_sequence(kind: Any) -> bool:
    origin: Any = get_origin(kind)
    return origin is tuple


IN: Final = Converter(detailed_validation=False)
for _kind, _hook in ((str, _text), (bool, _flag), (int, _whole), (float, _number)):
    IN.register_structure_hook(_kind, _hook)
IN.register_structure_hook(datetime, _time)
IN.register_structure_hook_func(_is_words, _word)
IN.register_structure_hook_func(_is_sequence, _sequence)
IN.register_structure_hook_func(_is_union, _either)


def parse_json(body: bytes) -> Any:
    """Parse JSON.

    Raises:
        BadInput: the body is not JSON in UTF-8.
    """
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise BadInput((FieldProblem("", "the body must be JSON in UTF-8"),)) from None


def _no_number(text: str) -> None:
    raise ValueError(text)


def decode_object(kind: Any, data: Any) -> Any:
    """Decode a JSON object strictly, as an object of the class ``kind``.

    Raises:
        BadInput: lists all problems with their fields.
    """
    if type(data) is not dict:
        raise BadInput((FieldProblem("", "the body must be a JSON object"),))
    fields = attrs.fields_dict(kind)
    problems = [FieldProblem(name, _unknown(name, fields)) for name in data if name not in fields]
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in data:
            try:
                values[name] = _checked(data[name], _hints(kind)[name], field)
            except ValueError as error:
                problems.append(FieldProblem(name, str(error)))
        elif field.default is attrs.NOTHING:
            problems.append(FieldProblem(name, "is missing"))
    if problems:
        raise BadInput(tuple(problems))
    try:
        return kind(**values)
    except ValueError as error:  # its message begins with the name of the field
        raise BadInput((_problem_of(str(error), fields),)) from None


def _checked(data: Any, hint: Any, field: attrs.Attribute[Any]) -> Any:
    value = IN.structure(data, hint)
    _check(value, field.metadata.get("limits", {}), field.metadata.get("pattern_says", ""))
    return value


def _problem_of(text: str, names: Collection[str]) -> FieldProblem:
    field, _, message = text.partition(": ")
    return FieldProblem(field, message) if field in names else FieldProblem("", text)


def _unknown(name: str, names: Iterable[str]) -> str:
    close = get_close_matches(name, names, n=1)
    if close:
        return f"is unknown; did you mean {close[0]}?"
    known = ", ".join(names)
    return f"is unknown; use one of {known}" if known else "is unknown; leave it out"


def _check(value: Any, limits: Mapping[str, Any], pattern_says: str) -> None:
    """Check a value against its limits; None is always allowed."""
    if value is None or not limits:
        return
    if isinstance(value, str):
        size = len(value)
        least, most = limits.get("minLength", 0), limits.get("maxLength", size)
        if not least <= size <= most:
            raise ValueError(f"must have from {least:,} to {most:,} characters")
        if not re.search(limits.get("pattern", ""), value):
            raise ValueError(pattern_says or f"must match {limits['pattern']}")
    elif isinstance(value, int | float):
        least, most = limits.get("minimum", -math.inf), limits.get("maximum", math.inf)
        if not least <= value <= most:
            raise ValueError(f"must be from {least:,} to {most:,}")


def decode_query(kind: Any, pairs: Iterable[tuple[str, str]]) -> Any:
    """Decode a query strictly. Its numbers and flags are text.

    Raises:
        BadInput: lists all problems with their fields.
    """
    hints = _hints(kind)
    data: dict[str, Any] = {}
    for name, text in pairs:
        if name in data:
            raise BadInput((FieldProblem(name, "occurs twice; send it one time"),))
        data[name] = _out_of_text(text, hints.get(name, str))
    return decode_object(kind, data)


def _out_of_text(text: str, kind: Any) -> Any:
    kinds = get_args(kind) if _is_union(kind) else (kind,)
    if bool in kinds:
        return {"true": True, "false": False}.get(text, text)
    if int in kinds and re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    return text


# Decoding answers, tolerantly.


BACK: Final = Converter(detailed_validation=False)
BACK.register_structure_hook(datetime, lambda value, _: datetime.fromisoformat(value))
BACK.register_structure_hook_func(
    lambda kind: _is_union(kind) and not attrs.has(kind) and len(get_args(kind)) > 2,
    lambda value, _: tuple(value) if isinstance(value, list) else value,
)


def decode_answer(kind: Any, data: Any) -> Any:
    """Decode the answer of a server. Unknown fields are ignored.

    Raises:
        ValueError: the answer is not of the class ``kind``.
    """
    try:
        return BACK.structure(data, kind)
    except (BaseValidationError, ValueError, TypeError, KeyError, AttributeError) as error:
        name = getattr(kind, "__name__", kind)
        raise ValueError(f"the answer is not a {name}: {error!r}") from None


# JSON Schema.


def schema_of(kind: Any, found: dict[str, Any], *, is_input: bool = False) -> dict[str, Any]:
    """Return the JSON Schema of a type, and add the schemas of its classes to ``found``, by name.

    The schema of an input forbids unknown fields. The schema of an answer allows them, because a
    newer server can send more fields.
    """
    if attrs.has(kind):
        if kind.__name__ not in found:
            found[kind.__name__] = {}  # ends the recursion of a class that refers to itself
            found[kind.__name__] = _object(kind, found, is_input=is_input)
        return {"$ref": f"#/components/schemas/{kind.__name__}"}
    if _is_union(kind):
        return {"anyOf": [schema_of(each, found) for each in get_args(kind)]}
    if _is_words(kind):
        return {"enum": list(get_args(kind))}
    if _is_sequence(kind):
        return {"type": "array", "items": schema_of(get_args(kind)[0], found)}
    if isinstance(get_origin(kind), type) and issubclass(get_origin(kind), Mapping):
        return {"type": "object", "additionalProperties": schema_of(get_args(kind)[1], found)}
    return dict(_SIMPLE[kind])


_SIMPLE: Final[Mapping[Any, Mapping[str, Any]]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    types.NoneType: {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    Any: {},
}


def _object(kind: type, found: dict[str, Any], *, is_input: bool) -> dict[str, Any]:
    fields, descriptions = attrs.fields_dict(kind), attributes_of(kind)
    properties = {
        name: {
            **schema_of(hint, found),
            **fields[name].metadata.get("limits", {}),
            "description": descriptions.get(name, ""),
        }
        for name, hint in _hints(kind).items()
    }
    return {
        "type": "object",
        "description": _first_lines(kind),
        "properties": properties,
        "required": [name for name, each in fields.items() if each.default is attrs.NOTHING],
        **({"additionalProperties": False} if is_input else {}),
    }


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in attrs.fields(kind)}


def _first_lines(kind: type) -> str:
    return " ".join(inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].split())


@cache
def attributes_of(kind: type) -> Mapping[str, str]:
    """Return the description of each attribute, from the docstrings of a class and its bases."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        found.update(_attributes_in(inspect.cleandoc(each.__dict__.get("__doc__") or "")))
    return found


def _attributes_in(text: str) -> dict[str, str]:
    section = text.partition("Attributes:\n")[2].partition("\n\n")[0]
    entries = re.split(r"^    (?=\w+: )", section, flags=re.MULTILINE)
    pairs = (" ".join(entry.split()).partition(": ") for entry in entries if ": " in entry)
    return {name: text.replace("``", "`") for name, _, text in pairs}
