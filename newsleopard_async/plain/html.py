"""Writes models as HTML tables for notebooks.

A notebook is stored and shared with its output, and a browser shows it. So every text goes through
`_text`: it escapes markup, control and bidirectional characters, and removes addresses and the
parts of URLs that can grant access. Tags and attributes are written only in this file, and never
contain data. A table shows nothing that the ``repr`` hides.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

import attrs

from newsleopard_async.disclosure import shown
from newsleopard_async.plain.converter import derived_of, redact_url

__all__ = ["Rows", "rows_of", "table_of"]

Rows: TypeAlias = Iterable[tuple[str, object]]
"""The rows of a table: a name, and a value, which can be a model."""

_MOST_LINES: Final = 50
"""Lines of a table. Chosen: a reader needs no more, and a report can have thousands."""

_LONGEST_CHARS: Final = 500
"""Characters of a text. Chosen: longer than any of our messages."""

_EMPTY: Final[tuple[object, ...]] = (None, "", (), [], {})
"""Values that are shown as a dash."""

_URL: Final = re.compile(r"\w+:/+\S+")
_ADDRESS: Final = re.compile(r"\S*[@＠﹫]\S*")

# Without these classes, the MathJax of notebooks would read the dollars of ``${NAME}``.
_BEGIN: Final = '<div class="tex2jax_ignore mathjax_ignore">'
_CELL: Final = 'style="text-align:left;vertical-align:top"'


def table_of(title: str, rows: Rows) -> str:
    """Return a table of names and values with a title."""
    return f"{_BEGIN}{_table(rows, title)}</div>"


def rows_of(model: Any) -> Iterator[tuple[str, object]]:
    """Yield the names and values of a model that its ``repr`` shows, and its derived values."""
    if hasattr(model, "__rich_repr__"):
        yield from model.__rich_repr__()
        return
    cls = type(model)
    for name in derived_of(cls):
        yield name, getattr(model, name)
    for field in attrs.fields(cls):
        value = getattr(model, field.name)
        if "presigned" in field.metadata:
            yield field.name, value is not None
        elif callable(field.repr):
            yield field.name, field.repr(value)
        elif field.repr:
            yield field.name, value


def _table(rows: Rows, title: str = "") -> str:
    caption = f"<caption {_CELL}>{_text(title)}</caption>" if title else ""
    lines = [
        f'<tr><th scope="row" {_CELL}>{_text(name)}</th><td {_CELL}>{_cell(value)}</td></tr>'
        for name, value in rows
    ]
    return f"<table>{caption}<tbody>{_first_of(lines, columns=2)}</tbody></table>"


def _grid(models: Sequence[Any]) -> str:
    """Return a table with one line per model, without columns that are empty in all lines."""
    rows = [dict(model.__html_rows__()) for model in models]
    names = [
        name
        for name in dict.fromkeys(name for row in rows for name in row)
        if any(row.get(name) not in _EMPTY for row in rows)
    ]
    head = "".join(f'<th scope="col" {_CELL}>{_text(name)}</th>' for name in names)
    lines = [
        f"<tr>{''.join(f'<td {_CELL}>{_cell(row.get(name))}</td>' for name in names)}</tr>"
        for row in rows
    ]
    body = _first_of(lines, columns=len(names))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _first_of(lines: list[str], *, columns: int) -> str:
    more = len(lines) - _MOST_LINES
    rest = f'<tr><td colspan="{columns}" {_CELL}>… and {more:,} more</td></tr>' if more > 0 else ""
    return "".join(lines[:_MOST_LINES]) + rest


def _cell(value: Any) -> str:
    if value in _EMPTY:
        return _text("–")
    if attrs.has(type(value)):
        return _table(value.__html_rows__())
    if isinstance(value, Mapping):
        return _table(value.items())
    if isinstance(value, (tuple, list)):
        if all(attrs.has(type(each)) for each in value):
            return _grid(value)
        return _list([_words(each) for each in value])
    return _text(_words(value))


def _list(texts: list[str]) -> str:
    """Return names separated by commas, or sentences on separate lines."""
    more = len(texts) - _MOST_LINES
    rest = [f"… and {more:,} more"] if more > 0 else []
    separator = "<br>" if any(" " in text for text in texts) else ", "
    return separator.join(_text(text) for text in (*texts[:_MOST_LINES], *rest))


def _words(value: object) -> str:
    """Return a scalar as text for a reader."""
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.1f}"
        case datetime():
            return value.isoformat(" ", "seconds").replace("+00:00", " UTC")
        case _:
            return str(value)


def _text(text: str) -> str:
    """Return any text escaped for HTML, without addresses."""
    if len(text) > _LONGEST_CHARS:
        # It is cut at a blank, because half of an address would not be recognised.
        text = f"{text[:_LONGEST_CHARS].rsplit(maxsplit=1)[0]} …"
    without_queries = _URL.sub(lambda found: redact_url(found[0]), text)
    return html.escape(shown(_ADDRESS.sub("…", without_queries)))
