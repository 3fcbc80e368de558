"""Finds the rows and the codes in an answer; no two documents agree on their place.

Samples and schemas of the documentation contradict each other, and the vendor's notes and own
command line have further shapes (T54, T64, T101, T114). So rows are recognised by their content,
not by a name: they are an array of objects that have a code. If two places are possible, that is an
error: a guess could miss an existing list, or find the wrong campaign.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from newsleopard_async.transport.wire.values import Unread, WireError, object_

__all__ = ["WRAPPERS", "holders", "only", "rows", "shown_name", "values_in"]

WRAPPERS: Final = ("data", "result", "response")
"""Names that only wrap the answer itself. Chosen: the names that APIs use, and that cannot be a
field of a campaign."""

_ASIDE: Final = frozenset({"errors", "warnings", "messages"})
"""Arrays next to rows. If one of these is empty, that does not mean "no rows"."""

_NAME = re.compile(r"[A-Za-z_]\w{0,39}", re.ASCII)

Reader = Callable[[object, str], str]
Row = tuple[str, object]
Member = tuple[str, str, Any]


def holders(data: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the object of the answer, and the objects wrapped in it, each with its path."""
    fields = object_(data, "$")
    yield "$", fields
    for name in WRAPPERS:
        if isinstance(wrapped := fields.get(name), dict):
            yield f"$.{name}", wrapped


def values_in(data: object, names: Sequence[str], reader: Reader, unread: Unread) -> dict[str, str]:
    """Return each different value that can be read under one of the names, with its path."""
    found: dict[str, str] = {}
    for path, fields in holders(data):
        for name in names:
            if fields.get(name) is not None:
                value = unread.read(reader, fields[name], f"{path}.{name}")
                if value is not None:
                    found.setdefault(value, f"{path}.{name}")
    return found


def only(data: object, names: Sequence[str], reader: Reader, unread: Unread) -> str:
    """Return the one value under these names, the documented one first; two values are an error."""
    found = values_in(data, names, reader, unread)
    if len(found) > 1:
        raise WireError("$", f"has different values in {' and '.join(found.values())}")
    if not found:
        # The problem of the documented name, as if it were the only one.
        return reader(object_(data, "$").get(names[0]), f"$.{names[0]}")
    return next(iter(found))


def rows(
    data: object, marks: Sequence[str], *, wrapper: str = "", null_is_empty: bool = False
) -> list[Row]:
    """Return the rows of an answer, each with its path.

    They are an array at the top level; or in an object, the one array of objects with a mark; or a
    single such object.

    Args:
        data: The answer.
        marks: Fields of which a row has at least one.
        wrapper: The documented name of the array, or empty if it is one object. It decides if two
            places are possible.
        null_is_empty: Whether null instead of the rows means that there are none yet.
    """
    members = list(_members(data))
    documented = f"$.{wrapper}" if wrapper else "$"
    found = {
        path: [(f"{path}[{index}]", item) for index, item in enumerate(value)]
        for path, _, value in members
        if isinstance(value, list) and any(_has(item, marks) for item in value)
    }
    for path, name, value in members:
        if name in ("", wrapper, *WRAPPERS) and _has(value, marks, but=None):
            found[path] = [(path, value)]
    if len(found) > 1 and documented not in found:
        raise WireError("$", f"has rows in {' and in '.join(found)}")
    if found:
        return found.get(documented) or next(iter(found.values()))
    if _is_empty(members, documented) or (null_is_empty and _is_null(members, marks[0], wrapper)):
        return []
    where = documented if any(path == documented for path, _, _ in members) else "$"
    raise WireError(where, f"neither is nor contains an array of objects with {marks[0]}")


def _members(data: object, path: str = "$", name: str = "") -> Iterator[Member]:
    """Yield the answer and its members with path and name, including those of wrappers."""
    yield path, name, data
    if isinstance(data, dict) and name in ("", *WRAPPERS):
        for index, (inner, value) in enumerate(data.items()):
            shown = shown_name(inner, f"…{index}")
            yield from _members(value, f"{path}.{shown}", shown)


def shown_name(name: str, instead: str = "another field") -> str:
    """Return the name of a field, if it looks like one: it can also be a value."""
    return name if _NAME.fullmatch(name) else instead


def _has(item: object, marks: Sequence[str], *, but: object = ...) -> bool:
    return isinstance(item, dict) and any(item.get(mark, but) is not but for mark in marks)


def _is_empty(members: Sequence[Member], documented: str) -> bool:
    """Return whether the one array that can contain the rows is empty."""
    arrays = {path: value for path, name, value in members if isinstance(value, list)}
    if documented in arrays:
        return not arrays[documented]
    if any(isinstance(item, dict) for value in arrays.values() for item in value):
        return False
    empty = [name for _, name, value in members if value == [] and name not in _ASIDE]
    return len(empty) == 1


def _is_null(members: Sequence[Member], mark: str, wrapper: str) -> bool:
    """Return whether the rows are null or missing."""
    names = {mark, wrapper.lower(), *WRAPPERS}
    return members[0][2] in (None, {}) or any(
        value is None and name.lower() in names for _, name, value in members
    )
