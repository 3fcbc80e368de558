"""The names that the caller gives to columns, in the place of those that the file has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from newsleopard_async.contacts.csv.separators import folded
from newsleopard_async.disclosure import shown
from newsleopard_async.errors import Problem
from newsleopard_async.models.damage import without_invisible
from newsleopard_async.models.findings import Finding, either
from newsleopard_async.models.validation import problems_of_line, wrong_type

__all__ = ["RenamedColumns", "problems_of_columns", "rename_columns"]

_RULE: Final = "column-names"
_FIELD: Final = "columns"
_MOST_SHOWN: Final = 20
_OF_A_CONTACT: Final = re.compile("@|[0-9]{6}")
"""Addresses and phone numbers: a first line that holds one may be a contact, and no header."""


@attrs.frozen
class RenamedColumns:
    """The names after renaming, and what keeps them from being used."""

    cells: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


def problems_of_columns(columns: object) -> Iterator[Problem]:
    """Yield what is wrong with a mapping of names, for any file."""
    if not isinstance(columns, Mapping):
        yield wrong_type(_FIELD, columns, "a mapping of names, such as {'電子郵件': 'EMAIL'}")
        return
    for name in (*columns, *columns.values()):
        yield from (attrs.evolve(each, field=_FIELD) for each in problems_of_line(_FIELD, name))
    if all(isinstance(name, str) for name in (*columns, *columns.values())):
        yield from _problems_of_same(columns, "names the column {} twice; name it once")
        yield from _problems_of_same(
            columns.values(), "makes two columns {}; give each a name of its own"
        )


def _problems_of_same(names: Iterable[str], message: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for name in names:
        if _key(name) in seen:
            yield Problem(_FIELD, "unique", message.format(shown(name.strip())))
        seen.add(_key(name))


def rename_columns(
    cells: Sequence[str], columns: Mapping[str, str], *, line: int
) -> RenamedColumns:
    """Rename the columns of a file.

    Names are compared as those of columns are, without invisible characters.

    Args:
        cells: The names as they stand in the file.
        columns: The caller's names by those of the file.
        line: Where the header is.
    """
    keys = [_key(cell) for cell in cells]
    new_names = {_key(old): new.strip() for old, new in columns.items()}
    names = tuple(new_names.get(key, cell) for key, cell in zip(keys, cells, strict=True))
    missing = [old for old in columns if _key(old) not in keys]
    messages = [_message_of_missing(missing, cells)] if missing else []
    kept = {_key(cell) for key, cell in zip(keys, cells, strict=True) if key not in new_names}
    messages += (
        f"has a column {shown(new)} already, beside the column {shown(old)} that columns= calls "
        f"so; give that one another name too, or remove it"
        for old, new in columns.items()
        if _key(new) in kept and _key(old) in keys
    )
    return RenamedColumns(names, tuple(_finding(message, line) for message in messages))


def _message_of_missing(missing: Sequence[str], cells: Sequence[str]) -> str:
    what = " and no column ".join(map(shown, missing))
    message = f"has no column {what}, which columns= {either(len(missing), 'names', 'name')}"
    if any(map(_OF_A_CONTACT.search, cells)):
        return f"{message}; check whether its first line is a header"
    listed = ", ".join(map(shown, cells[:_MOST_SHOWN]))
    more = ", …" if len(cells) > _MOST_SHOWN else ""
    return f"{message}; its columns are {listed}{more}"


def _finding(message: str, line: int) -> Finding:
    values: dict[str, Any] = {"level": "error", "rule": _RULE, "line": line, "places": (line,)}
    return Finding(message=message, **values)


def _key(name: str) -> str:
    return folded(without_invisible(name))
