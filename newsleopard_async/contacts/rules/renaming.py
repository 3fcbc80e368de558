"""The caller's names for columns, which replace the names in the file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

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
"""Chosen: nearly all files have fewer columns, so the message lists all of them."""
_OF_A_CONTACT: Final = re.compile("@|[0-9]{6}")
"""Addresses and phone numbers: a first line with one of them is possibly a contact."""


@attrs.frozen
class RenamedColumns:
    """The names after renaming, and the errors because of which they cannot be used."""

    cells: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


def problems_of_columns(columns: object) -> Iterator[Problem]:
    """Yield the problems of a mapping of names that do not depend on the file."""
    if not isinstance(columns, Mapping):
        yield wrong_type(_FIELD, columns, "a mapping of names, such as {'電子郵件': 'EMAIL'}")
        return
    for name in (*columns, *columns.values()):
        yield from (attrs.evolve(each, field=_FIELD) for each in problems_of_line(_FIELD, name))
    if all(isinstance(name, str) for name in (*columns, *columns.values())):
        yield from _problems_of_same(columns, "names the column {} twice; name it once")
        yield from _problems_of_same(
            columns.values(), "names two columns {}; give each its own name"
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

    Case, surrounding blanks and invisible characters make no difference between names.

    Args:
        cells: The names in the file.
        columns: The caller's names by the names in the file.
        line: The line of the header.
    """
    keys = [_key(cell) for cell in cells]
    new_names = {_key(old): new.strip() for old, new in columns.items()}
    names = tuple(new_names.get(key, cell) for key, cell in zip(keys, cells, strict=True))
    missing = [old for old in columns if _key(old) not in keys]
    messages = [_message_of_missing(missing, cells)] if missing else []
    kept = {_key(cell) for key, cell in zip(keys, cells, strict=True) if key not in new_names}
    messages += (
        f"already has a column {shown(new)}, the name that columns= gives to the column "
        f"{shown(old)}; rename the other column as well, or remove it"
        for old, new in columns.items()
        if _key(new) in kept and _key(old) in keys
    )
    findings = (
        Finding(level="error", rule=_RULE, message=message, line=line, places=(line,))
        for message in messages
    )
    return RenamedColumns(names, tuple(findings))


def _message_of_missing(missing: Sequence[str], cells: Sequence[str]) -> str:
    what = " and no column ".join(map(shown, missing))
    message = f"has no column {what}, which columns= {either(len(missing), 'names', 'name')}"
    if any(map(_OF_A_CONTACT.search, cells)):
        return f"{message}; check whether its first line is a header"
    listed = ", ".join(map(shown, cells[:_MOST_SHOWN]))
    more = ", …" if len(cells) > _MOST_SHOWN else ""
    return f"{message}; its columns are {listed}{more}"


def _key(name: str) -> str:
    return folded(without_invisible(name))
