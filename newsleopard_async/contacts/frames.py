"""Contacts in data frames of pandas and polars, and of any library that narwhals supports.

pandas and polars are not imported to recognise their frames, and narwhals only for other frames.
The index of a pandas frame is not written. A lazy frame is refused: only the caller knows the cost
of collecting it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

import attrs

from newsleopard_async.contacts.scalars import is_missing
from newsleopard_async.errors import InvalidRequest

__all__ = ["DataFrame", "FrameRows", "rows_of_frame"]

_SLICE_ROWS: Final = 5_000
"""Rows that are converted to Python objects together. Chosen: they take some megabytes, and the
cost of a slice is small for each row."""

_AS_RECORDS: Final = "pass its rows as mappings, like .to_dict('records') of pandas"


class DataFrame(Protocol):
    """A data frame in memory."""

    @property
    def columns(self) -> Any:
        """The columns, or their names."""
        ...

    def __getitem__(self, key: Any, /) -> Any: ...


_Cut = Callable[[Any, int, int, int], list[Any]]
"""Returns values of one column of a frame: by the column's index, and the first and last row."""


def _cut_pandas(frame: Any, index: int, begin: int, end: int) -> list[Any]:
    values: list[Any] = frame.iloc[begin:end, index].tolist()
    return values


def _cut_polars(frame: Any, index: int, begin: int, end: int) -> list[Any]:
    """Cut a frame of polars, or of narwhals, which has the same methods."""
    values: list[Any] = frame[begin:end, index].to_list()
    return values


@attrs.frozen
class FrameRows:
    """The rows of a frame as tuples; it can be iterated more than once.

    A column of floats that are all whole numbers is read as integers, because pandas stores
    integers with gaps as floats. So a phone number is ``912345678`` and not ``912345678.0``.

    Attributes:
        columns: The names of the columns.
    """

    columns: tuple[str, ...]
    _frame: Any = attrs.field(repr=False)
    _cut: _Cut

    @property
    def _height(self) -> int:
        return int(self._frame.shape[0])

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        height = self._height
        whole = frozenset(filter(self._is_whole, range(len(self.columns))))
        for begin, end in self._slices(height):
            columns = [
                map(_as_integer, values) if index in whole else values
                for index in range(len(self.columns))
                for values in [self._cut(self._frame, index, begin, end)]
            ]
            if self._height != height:
                raise _refusal("is a data frame that changed while it was read; pass a copy of it")
            yield from zip(*columns, strict=True)

    def _slices(self, height: int) -> Iterator[tuple[int, int]]:
        for begin in range(0, height, _SLICE_ROWS):
            # Both libraries accept an end beyond the last row.
            yield begin, begin + _SLICE_ROWS

    def _is_whole(self, index: int) -> bool:
        """Return whether all values of a column are floats with a whole value, or missing."""
        return all(
            is_missing(value) or (isinstance(value, float) and value.is_integer())
            for begin, end in self._slices(self._height)
            for value in self._cut(self._frame, index, begin, end)
        )


def _as_integer(value: Any) -> int | None:
    return None if is_missing(value) else int(value)


def rows_of_frame(value: object) -> FrameRows | None:
    """Return the rows of a data frame; None if the object is not one.

    Raises:
        InvalidRequest: the frame cannot be read, or the object is a lazy frame or a series.
    """
    opened = _opened(value)
    if opened is None:
        return None
    frame, cut = opened
    names = list(frame.columns)
    for name in names:
        if not isinstance(name, str):
            raise _refusal(
                f"is a {type(value).__name__} with a column whose name has the type "
                f"{type(name).__name__}; use text as the names of columns"
            )
    return FrameRows(tuple(names), frame, cut)


def _opened(value: object) -> tuple[Any, _Cut] | None:
    """Return a frame and the function that cuts it; None if the object is not a frame."""
    kinds = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(value).__mro__}
    if ("pandas", "DataFrame") in kinds:
        return value, _cut_pandas
    if ("polars", "DataFrame") in kinds:
        return value, _cut_polars
    if kinds & {("polars", "LazyFrame"), ("narwhals", "LazyFrame")}:
        raise _refusal("is a LazyFrame; pass the result of .collect()")
    if kinds & {("pandas", "Series"), ("polars", "Series")}:
        raise _refusal("is a Series, which is one column; pass the data frame")
    return _of_another_library(value) if _looks_like_frame(value) else None


def _looks_like_frame(value: object) -> bool:
    """Return whether an object has a frame's export protocol, or has columns by name."""
    if any(hasattr(value, each) for each in ("__dataframe__", "__arrow_c_stream__")):
        return True
    return all(hasattr(value, each) for each in ("columns", "__iter__", "__getitem__"))


def _of_another_library(value: object) -> tuple[Any, _Cut]:
    name = type(value).__name__
    try:
        import narwhals
    except ImportError:
        narwhals = None  # type: ignore[assignment]  # it is not installed
    if narwhals is None:
        raise _refusal(f"is a {name}; {_AS_RECORDS}, or: pip install narwhals, which reads more")
    frame = narwhals.from_native(value, eager_only=True, pass_through=True)
    if not isinstance(frame, narwhals.DataFrame):
        raise _refusal(
            f"is a {name}, which narwhals does not read as a data frame in memory; {_AS_RECORDS}, "
            "or pass a frame of pandas or polars"
        )
    return frame, _cut_polars


def _refusal(message: str) -> InvalidRequest:
    return InvalidRequest.of("contacts", "type", message)
