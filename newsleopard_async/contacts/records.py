"""Contacts as records in any iterable, written as a CSV.

A record has one of the `record_types`, or is a row below a header: a tuple or list, and the first
row names the columns. Without a header row, the first record names the columns. ``EMAIL`` and
``NAME`` can be in any case and at any position.

Values become cells by the rules of `scalars`. A value that cannot become a cell is refused with
the number of its record and its column. A cell is quoted if it would otherwise read differently.
"""

from __future__ import annotations

import contextlib
import inspect
import re
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Collection,
    Iterable,
    Iterator,
    Sequence,
)
from functools import partial
from itertools import islice
from typing import Any, ClassVar, Final

import anyio
import attrs

from newsleopard_async.aio import in_thread
from newsleopard_async.contacts.frames import FrameRows
from newsleopard_async.contacts.record_types import Get, Opened, Opener, opener_of
from newsleopard_async.contacts.scalars import CellError, cell_of
from newsleopard_async.errors import InvalidRequest
from newsleopard_async.models.findings import counted, listed

__all__ = ["RecordWriter", "RecordsSource", "csv_row"]

_FIRST: Final = ("EMAIL", "NAME")

_BATCH: Final = 500
"""Records that are read in one call in a thread. Chosen, because a thread cannot be interrupted:
a cancellation waits for the end of the batch."""

_BATCH_S: Final = 0.1
"""Seconds after which a batch ends early, for the same reason. Chosen: a user does not notice a
delay of 0.1 s. One slow record can still take longer."""


_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_TO_QUOTE: Final = re.compile(r'["\r\n;|\t，]')
"""Includes other separators: a header that contains one must not be read as separated by it."""


@attrs.frozen
class RecordsSource:
    """Records, written as a CSV in UTF-8.

    A synchronous iterable is read in a thread, because a database cursor can block.
    """

    is_decoded: ClassVar[bool] = True

    records: Iterable[Any] | AsyncIterable[Any] = attrs.field(repr=False)

    def again(self) -> Iterator[bytes]:
        """Write records that can be iterated more than once, in this thread."""
        writer, left = RecordWriter(columns=_columns_of(self.records)), iter(self.records)  # type: ignore[arg-type]  # not async
        while batch := writer.write_some(left):
            yield batch

    async def csv_pieces(self) -> AsyncGenerator[bytes, None]:
        """Write the records, one batch at a time.

        Raises:
            InvalidRequest: an item is not a record, or has other columns than the first.
        """
        writer = RecordWriter(columns=_columns_of(self.records))
        if isinstance(self.records, AsyncIterable):
            async with _taken_later(self.records) as taken_later:
                async for record in taken_later:
                    yield writer.write(record)
        else:
            async with _taken(self.records) as taken:
                while batch := await in_thread(partial(writer.write_some, taken)):
                    yield batch
        if not writer.count:
            # A header without contacts is reported as no-rows, not as a missing column.
            yield csv_row(writer.columns or _FIRST).encode()


def _columns_of(records: object) -> tuple[str, ...]:
    """Return the column names for tuples: of a frame, or of a database cursor (PEP 249)."""
    if isinstance(records, FrameRows):
        return records.columns
    description = getattr(records, "description", None)
    if not isinstance(description, (tuple, list)):
        return ()
    return tuple(str(column[0]) for column in description)


@contextlib.asynccontextmanager
async def _taken_later(records: AsyncIterable[Any]) -> AsyncIterator[AsyncIterator[Any]]:
    """Iterate, and close the iterator; otherwise only the garbage collector would close it."""
    iterator: Any = aiter(records)
    async with contextlib.AsyncExitStack() as stack:
        if hasattr(iterator, "aclose"):
            await stack.enter_async_context(contextlib.aclosing(iterator))
        yield iterator


@contextlib.asynccontextmanager
async def _taken(records: Iterable[Any]) -> AsyncIterator[Iterator[Any]]:
    """Iterate in threads, and close a generator in a thread, because closing it can block."""
    iterator = await in_thread(partial(iter, records))
    try:
        yield iterator
    except Exception as error:
        if not _is_of_another_thread(error):
            raise
        raise InvalidRequest.of(
            "contacts",
            "type",
            "is read in threads, and its SQLite connection allows only the thread that opened it; "
            "connect with check_same_thread=False",
        ) from None
    finally:
        if inspect.isgenerator(iterator):
            with anyio.CancelScope(shield=True):
                await in_thread(iterator.close)


def _is_of_another_thread(error: Exception) -> bool:
    """Return whether it is sqlite3's error about threads, which only its text distinguishes."""
    return type(error).__module__ == "sqlite3" and "thread" in str(error)


@attrs.define
class RecordWriter:
    """Writes records one after another; the first one also writes the header.

    Args:
        columns: The column names of rows without names; empty if the first row names them.

    Attributes:
        count: The number of records that were written, including a separate header row.
    """

    columns: tuple[str, ...] = ()
    count: int = attrs.field(default=0, init=False)
    _keys: tuple[str, ...] = attrs.field(default=(), init=False)
    _names: Collection[Any] = attrs.field(default=(), init=False)
    _has_begun: bool = attrs.field(default=False, init=False)
    _is_table: bool = attrs.field(default=False, init=False)
    _openers: dict[type, Opener | None] = attrs.field(factory=dict, init=False)

    def write_some(self, records: Iterator[Any]) -> bytes:
        """Write the next batch of an iterator; return nothing at its end."""
        until_s = time.monotonic() + _BATCH_S
        rows = []
        for record in islice(records, _BATCH):
            rows.append(self.write(record))
            if time.monotonic() >= until_s:
                break
        return b"".join(rows)

    def write(self, record: Any) -> bytes:
        """Write a record.

        Raises:
            InvalidRequest: it is not a record, cannot be read, has other columns than the first,
                or has a value that cannot become text.
        """
        self.count += 1
        opened = self._opened(record)
        if self._is_table:
            return self._row_below(record)
        if opened is None:
            return self._first_row(record)
        keys, get = opened
        if self._has_begun:
            self._check_keys(keys)
            return self._row(get)
        self._keys, self._names, self._has_begun = self._columns_of(keys), keys, True
        return self._encoded(_header(self._keys)) + self._row(get)

    def _opened(self, record: Any) -> Opened | None:
        """Return the keys of a record and the getter of its values; None for a row of a table."""
        opened = None
        why = ""
        kind = type(record)
        try:
            if kind not in self._openers:
                self._openers[kind] = opener_of(record)
            opener = self._openers[kind]
            opened = opener and opener(record)
        except Exception as error:  # noqa: BLE001 - a caller's record can raise anything
            why = f"cannot be read: {type(error).__name__}"
        # Raised outside of the except block, because the other error can contain the contact.
        if why:
            raise self._refusal("readable", why)
        is_row = opened is None and isinstance(record, (tuple, list))
        if is_row and (self._is_table or not self._has_begun):
            return None
        if opened is None or self._is_table:
            raise self._refusal("type", f"has the type {kind.__name__}; {_way_out(record)}")
        return opened

    def _first_row(self, row: Sequence[Any]) -> bytes:
        """Write the first row of a table, after the header if the column names are known."""
        if not row:
            return b"\n"
        self._is_table = self._has_begun = True
        if self.columns:
            self._keys = self.columns
            return self._encoded(self._keys) + self._row_below(row)
        names = tuple("" if name is None else name for name in row)
        for name in names:
            self._check_name(name)
        self._keys = names
        return self._encoded(names)

    def _row_below(self, row: Sequence[Any]) -> bytes:
        """Write a row as it is; the check reports a row of another length than the header."""
        # A blank row is written with its separators, so that it counts as a row.
        cells = row or [""] * len(self._keys)
        return self._row(cells.__getitem__, range(len(cells)))

    def _columns_of(self, keys: Collection[Any]) -> tuple[str, ...]:
        for key in keys:
            self._check_name(key)
        if len(set(keys)) < len(keys):
            # Only the first of them could be read by its name.
            raise self._refusal(
                "columns",
                "has columns of the same name; give each its own name, for example with AS in SQL",
            )
        return _first_two_first(tuple(keys))

    def _check_name(self, name: object) -> None:
        if isinstance(name, str):
            return
        if name is None:
            raise self._refusal("columns", _TOO_MANY_CELLS)
        way_out = "the first row must be the header" if self._is_table else "use text as its name"
        raise self._refusal(
            "columns", f"has a column whose name has the type {type(name).__name__}; {way_out}"
        )

    def _check_keys(self, keys: Collection[Any]) -> None:
        if keys is self._names:
            return
        if len(keys) == len(self._keys) and all(key in keys for key in self._keys):
            return
        missing = [key for key in self._keys if key not in keys]
        more = [key for key in keys if key not in self._keys]
        if None in more:
            raise self._refusal("columns", _TOO_MANY_CELLS)
        found = [
            *(f"lacks {self._shown(missing)}" for _ in missing[:1]),
            *(f"also has {self._shown(more)}" for _ in more[:1]),
        ]
        raise self._refusal(
            "columns",
            f"has other columns than the first: {' and '.join(found)}; give each record the same "
            "keys, with None for an empty cell",
        )

    def _row(self, get: Get, keys: Sequence[Any] | None = None) -> bytes:
        cells: list[str] = []
        why = ""
        try:
            for key in self._keys if keys is None else keys:
                value = get(key)
                # Most values are text, so they need no call.
                cells.append(value if type(value) is str else cell_of(value))
        except CellError as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001 - a caller's value can raise anything
            why = f"cannot be read: {type(error).__name__}{_way_to_load(error)}"
        if not why:
            return self._encoded(cells)
        # Raised outside of the except block, because the other error can contain the contact.
        raise self._refusal("value", f"column {self._column(len(cells))} {why}")

    def _column(self, index: int) -> str:
        if self._has_header and index < len(self._keys):
            return self._shown([self._keys[index]])
        return str(index + 1)

    def _shown(self, keys: Sequence[object]) -> str:
        """Name columns, or count them if the header is possibly a contact."""
        if self._has_header:
            return _shown(keys)
        return counted(len(keys), "column")

    @property
    def _has_header(self) -> bool:
        return any(_rank(key) == 0 for key in self._keys)

    def _encoded(self, cells: Sequence[str]) -> bytes:
        try:
            return csv_row(cells).encode()
        except UnicodeEncodeError:
            bad = next(i for i, cell in enumerate(cells) if _SURROGATE.search(cell))
        # Raised outside of the except block, because the other error contains the contact.
        raise self._refusal(
            "encoding",
            f"column {bad + 1} contains half of a surrogate pair, which UTF-8 cannot encode; "
            "decode the source again with the right encoding",
        )

    def _refusal(self, rule: str, message: str) -> InvalidRequest:
        is_row = self._is_table and not self.columns
        what = f"row {self.count:,} {message}" if is_row else f"record {self.count:,} {message}"
        return InvalidRequest.of("contacts", rule, what)


_TOO_MANY_CELLS: Final = (
    "has more cells than the header, which csv.DictReader stores under None; pass the file itself, "
    "so that the check names its lines"
)


def _header(keys: Iterable[str]) -> list[str]:
    return [key.strip().upper() if _rank(key) < len(_FIRST) else key for key in keys]


def _rank(key: str) -> int:
    name = key.strip().upper()
    return _FIRST.index(name) if name in _FIRST else len(_FIRST)


def _first_two_first(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Move EMAIL and NAME to the front, because a mapping's order means nothing."""
    return tuple(sorted(keys, key=_rank))


def _shown(keys: Iterable[object]) -> str:
    """Name columns; hide a name that is possibly a contact, because a file had no header."""
    return listed([repr(key) if _is_shown(key) else "…" for key in keys])


def _is_shown(key: object) -> bool:
    return isinstance(key, str) and "@" not in key


def _way_out(record: object) -> str:
    if isinstance(record, (bytes, bytearray, memoryview)):
        return "pass pieces of a CSV by an object with csv_pieces(), as ContactsSource describes"
    if isinstance(record, str):
        return "join lines of a CSV to one text, or pass mappings such as {'EMAIL': …, 'NAME': …}"
    if hasattr(record, "columns"):
        return "join the frames to one, for example with pandas.concat, and pass that"
    return (
        "pass mappings such as {'EMAIL': …, 'NAME': …}, objects with declared fields, or tuples "
        "below a header, all of one type"
    )


def _way_to_load(error: Exception) -> str:
    """Return the way out for an object of SQLAlchemy with values that are no longer loaded."""
    if type(error).__module__.startswith("sqlalchemy"):
        return "; select the columns, or set expire_on_commit=False, so that its values are loaded"
    return ""


def csv_row(cells: Sequence[str]) -> str:
    """Return a row of a CSV, with its line feed."""
    row = ",".join(cells)
    # Most rows need no quotes, and one search shows it.
    if row.count(",") != len(cells) - 1 or _TO_QUOTE.search(row):
        row = ",".join([_quoted(cell) for cell in cells])
    # A row of one blank cell would be a blank line, which is not a row.
    return f"{row}\n" if row.strip() else f'"{row}"\n'


def _quoted(cell: str) -> str:
    if "," in cell or _TO_QUOTE.search(cell):
        doubled = cell.replace('"', '""')
        return f'"{doubled}"'
    return cell
