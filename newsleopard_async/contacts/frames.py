"""Contacts in data frames: those of pandas and polars, and any other that narwhals knows.

Neither of the first two is imported to know their frames, and narwhals only for another one. The
index of a pandas frame is not written. What is lazy is collected by the caller, who knows what
that costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

import attrs

from newsleopard_async.contacts.scalars import is_missing
from newsleopard_async.errors import InvalidRequest

__all__ = ["DataFrame", "FrameRows", "rows_of_frame"]

_SLICE_ROWS: Final = 5_000
"""Rows that are Python's objects at once. Chosen: some megabytes, while a slice costs little."""

_AS_RECORDS: Final = "give its rows as mappings, as .to_dict('records') does in pandas"


class DataFrame(Protocol):
    """A data frame in memory."""

    @property
    def columns(self) -> Any:
        """Its columns, or their names."""
        ...

    def __getitem__(self, key: Any, /) -> Any: ...


_Cut = Callable[[Any, int, int, int], list[Any]]
"""Gives some values of a frame's column, by its index and the numbers of the rows."""


def _cut_pandas(frame: Any, index: int, begin: int, end: int) -> list[Any]:
    values: list[Any] = frame.iloc[begin:end, index].tolist()
    return values


def _cut_polars(frame: Any, index: int, begin: int, end: int) -> list[Any]:
    """Cut a frame of polars, or narwhals' own, which has the same methods."""
    values: list[Any] = frame[begin:end, index].to_list()
    return values


@attrs.frozen
class FrameRows:
    """The rows of a frame as tuples; it can be gone through more than once.

    A column of floats that are all whole is one of integers: so pandas keeps integers with gaps.
    A phone number is then ``912345678`` again, and not ``912345678.0``.

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
                raise _refusal("is a data frame that changed while it was read; give a copy of it")
            yield from zip(*columns, strict=True)

    def _slices(self, height: int) -> Iterator[tuple[int, int]]:
        for begin in range(0, height, _SLICE_ROWS):
            # What is beyond the last row is nothing to both.
            yield begin, begin + _SLICE_ROWS

    def _is_whole(self, index: int) -> bool:
        """Whether a column has floats, and all of them are whole numbers."""
        return all(
            is_missing(value) or (isinstance(value, float) and value.is_integer())
            for begin, end in self._slices(self._height)
            for value in self._cut(self._frame, index, begin, end)
        )


def _as_integer(value: Any) -> int | None:
    return None if is_missing(value) else int(value)


def rows_of_frame(value: object) -> FrameRows | None:
    """Return the rows of a data frame; None of anything else.

    Raises:
        InvalidRequest: it is a frame that cannot be read, or a part of one.
    """
    opened = _opened(value)
    if opened is None:
        return None
    frame, cut = opened
    names = list(frame.columns)
    for name in names:
        if not isinstance(name, str):
            raise _refusal(
                f"is a {type(value).__name__} with a column whose name is of type "
                f"{type(name).__name__}; name the columns by text"
            )
    return FrameRows(tuple(names), frame, cut)


def _opened(value: object) -> tuple[Any, _Cut] | None:
    """Return a frame, and how to cut it; None of anything else."""
    kinds = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(value).__mro__}
    if ("pandas", "DataFrame") in kinds:
        return value, _cut_pandas
    if ("polars", "DataFrame") in kinds:
        return value, _cut_polars
    if kinds & {("polars", "LazyFrame"), ("narwhals", "LazyFrame")}:
        raise _refusal("is a LazyFrame; collect it first, and give the result of .collect()")
    if kinds & {("pandas", "Series"), ("polars", "Series")}:
        raise _refusal("is a Series, which is one column; give the data frame")
    return _of_another_library(value) if _looks_like_frame(value) else None


def _looks_like_frame(value: object) -> bool:
    """Whether a value offers itself as a frame, or has columns by name as all frames do."""
    if any(hasattr(value, each) for each in ("__dataframe__", "__arrow_c_stream__")):
        return True
    return all(hasattr(value, each) for each in ("columns", "__iter__", "__getitem__"))


def _of_another_library(value: object) -> tuple[Any, _Cut]:
    name = type(value).__name__
    try:
        import narwhals
    except ImportError:
        narwhals = None  # type: ignore[assignment]  # it is not there
    if narwhals is None:
        raise _refusal(f"is a {name}; {_AS_RECORDS}, or: pip install narwhals, which reads others")
    frame = narwhals.from_native(value, eager_only=True, pass_through=True)
    if not isinstance(frame, narwhals.DataFrame):
        raise _refusal(
            f"is a {name}, which narwhals does not read as a data frame in memory; {_AS_RECORDS}, "
            "or give a frame of pandas or polars"
        )
    return frame, _cut_polars


def _refusal(message: str) -> InvalidRequest:
    return InvalidRequest.of("contacts", "type", message)
