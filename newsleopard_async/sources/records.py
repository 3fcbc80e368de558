"""Contacts as records: mappings or attrs objects, in any iterable, written as a CSV.

The first record names the columns. ``EMAIL`` and ``NAME`` may be in any case and in any place.
"""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from functools import partial
from itertools import islice
from typing import Any, Final

import attrs

from newsleopard_async.errors import InvalidRequest
from newsleopard_async.sources.cells import CellError, cell_of, csv_row
from newsleopard_async.transport.inflight import in_thread

__all__ = ["RecordWriter", "RecordsSource", "is_record"]

_FIRST: Final = ("EMAIL", "NAME")

_BATCH: Final = 500
"""Records taken at once: what a thread waits for is not interrupted meanwhile."""

_MOST_KEYS_SHOWN: Final = 5


@attrs.frozen
class RecordsSource:
    """Records, written as a CSV in UTF-8.

    One after another is taken, in a thread where the iterable is no async one, since a database
    cursor may block.
    """

    records: Iterable[Any] | AsyncIterable[Any] = attrs.field(repr=False)

    async def csv_pieces(self) -> AsyncGenerator[bytes, None]:
        """Write the records, a batch at a time.

        Raises:
            InvalidRequest: something among them is no record, or is not like the first.
        """
        writer = RecordWriter()
        if isinstance(self.records, AsyncIterable):
            async for record in self.records:
                yield writer.write(record)
        else:
            records = await in_thread(partial(iter, self.records))
            while batch := await in_thread(partial(writer.write_some, records)):
                yield batch
        if not writer.count:
            # There is no contact, and no column whose name is missing.
            yield csv_row(_FIRST).encode()


@attrs.define
class RecordWriter:
    """Writes one record after another; the first brings the header with it.

    Attributes:
        count: How many were written.
    """

    count: int = attrs.field(default=0, init=False)
    _keys: tuple[str, ...] = attrs.field(default=(), init=False)

    def write_some(self, records: Iterator[Any]) -> bytes:
        """Write the next ones of an iterator; nothing at its end."""
        return b"".join([self.write(record) for record in islice(records, _BATCH)])

    def write(self, record: Any) -> bytes:
        """Write a record.

        Raises:
            InvalidRequest: it is no record, or has other columns than the first, or a value
                that is no text.
        """
        self.count += 1
        values = self._values_of(record)
        if self.count > 1:
            self._check_keys(values)
            return self._row(values)
        self._keys = self._columns_of(values)
        return self._encoded(_header(self._keys)) + self._row(values)

    def _values_of(self, record: Any) -> Mapping[Any, Any]:
        if isinstance(record, Mapping):
            return record
        if attrs.has(type(record)):
            return {field.name: getattr(record, field.name) for field in attrs.fields(type(record))}
        if is_record(record):
            # What a database gives is seldom a Mapping, but can be asked like one.
            return {key: record[key] for key in record.keys()}  # noqa: SIM118 - iterates values
        raise self._refusal("type", f"is of type {type(record).__name__}; {_way_out(record)}")

    def _columns_of(self, values: Mapping[Any, Any]) -> tuple[str, ...]:
        for key in values:
            if not isinstance(key, str):
                raise self._refusal(
                    "columns", f"has a {type(key).__name__} for a column's name; name it by text"
                )
        return _first_two_first(tuple(values))

    def _check_keys(self, values: Mapping[Any, Any]) -> None:
        if len(values) == len(self._keys) and all(key in values for key in self._keys):
            return
        missing = [key for key in self._keys if key not in values]
        more = [key for key in values if key not in self._keys]
        found = [
            *(f"lacks {_shown(missing)}" for _ in missing[:1]),
            *(f"has {_shown(more)} besides" for _ in more[:1]),
        ]
        raise self._refusal(
            "columns",
            f"has other columns than the first: {' and '.join(found)}; give each record the same "
            "keys, with None for an empty cell",
        )

    def _row(self, values: Mapping[Any, Any]) -> bytes:
        cells = []
        for key in self._keys:
            try:
                cells.append(cell_of(values[key]))
            except CellError as error:
                raise self._refusal("value", f"column {_shown([key])} {error}") from None
        return self._encoded(cells)

    def _encoded(self, cells: Sequence[str]) -> bytes:
        bad = -1
        try:
            return csv_row(cells).encode()
        except UnicodeEncodeError:
            bad = next(i for i, cell in enumerate(cells) if not _is_encodable(cell))
        # Raised out here: the other error holds the contact.
        raise self._refusal(
            "encoding",
            f"column {bad + 1} holds half a surrogate pair, which no UTF-8 can carry; decode the "
            "source again",
        )

    def _refusal(self, rule: str, message: str) -> InvalidRequest:
        return InvalidRequest.of("contacts", rule, f"record {self.count:,} {message}")


def is_record(value: object) -> bool:
    """Tell whether a value has named fields: a mapping, what looks like one, or an attrs object."""
    return (hasattr(value, "keys") and hasattr(value, "__getitem__")) or attrs.has(type(value))


def _header(keys: Iterable[str]) -> list[str]:
    return [key.strip().upper() if _place(key) < len(_FIRST) else key for key in keys]


def _place(key: str) -> int:
    name = key.strip().upper()
    return _FIRST.index(name) if name in _FIRST else len(_FIRST)


def _first_two_first(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Put the two that the platform wants in front; a mapping's order means nothing."""
    return tuple(sorted(keys, key=_place))


def _is_encodable(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(keys: Iterable[object]) -> str:
    """Name columns; one that may be a contact, as where a file had no header, is hidden."""
    names = [repr(key) if "@" not in str(key) else "…" for key in keys]
    more = ["…"] if len(names) > _MOST_KEYS_SHOWN else []
    return ", ".join(names[:_MOST_KEYS_SHOWN] + more)


def _way_out(record: object) -> str:
    if isinstance(record, (bytes, bytearray, memoryview)):
        return "pieces of a CSV come from an object with csv_pieces(), as ContactsSource says"
    if isinstance(record, str):
        return "join lines of a CSV to one text, or give mappings such as {'EMAIL': …, 'NAME': …}"
    return "give mappings such as {'EMAIL': …, 'NAME': …}, or attrs objects"
