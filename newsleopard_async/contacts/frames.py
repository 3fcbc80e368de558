"""Contacts in data frames: those of pandas and polars, and any other that narwhals knows.

Neither of the first two is imported to know their frames, and narwhals only for another one. The
index of a pandas frame is not written. What is lazy is collected by the caller, who knows what
that costs.
"""

from __future__ import annotations

from collections.abc import Iterator
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


class _Frame(Protocol):
    """What is asked of a frame, whoever made it."""

    @property
    def names(self) -> list[Any]:
        """The names of its columns, text or not."""
        ...

    @property
    def height(self) -> int:
        """How many rows it has."""
        ...

    def column(self, index: int, begin: int, end: int) -> list[Any]:
        """Return some values of a column."""
        ...


@attrs.frozen
class _Pandas:
    frame: Any

    @property
    def names(self) -> list[Any]:
        return list(self.frame.columns)

    @property
    def height(self) -> int:
        return len(self.frame)

    def column(self, index: int, begin: int, end: int) -> list[Any]:
        values: list[Any] = self.frame.iloc[begin:end, index].tolist()
        return values


@attrs.frozen
class _Polars:
    """Frames of polars, and narwhals' own, which have their methods."""

    frame: Any

    @property
    def names(self) -> list[Any]:
        return list(self.frame.columns)

    @property
    def height(self) -> int:
        return int(self.frame.shape[0])

    def column(self, index: int, begin: int, end: int) -> list[Any]:
        values: list[Any] = self.frame[begin:end, index].to_list()
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
    _frame: _Frame = attrs.field(repr=False)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        height = self._frame.height
        whole = frozenset(filter(self._is_whole, range(len(self.columns))))
        for begin, end in self._slices(height):
            columns = [
                map(_as_integer, values) if index in whole else values
                for index in range(len(self.columns))
                for values in [self._frame.column(index, begin, end)]
            ]
            if self._frame.height != height:
                raise _refusal("is a data frame that changed while it was read; give a copy of it")
            yield from zip(*columns, strict=True)

    def _slices(self, height: int) -> Iterator[tuple[int, int]]:
        for begin in range(0, height, _SLICE_ROWS):
            yield begin, min(begin + _SLICE_ROWS, height)

    def _is_whole(self, index: int) -> bool:
        """Whether a column has floats, and all of them are whole numbers."""
        return all(
            is_missing(value) or (isinstance(value, float) and value.is_integer())
            for begin, end in self._slices(self._frame.height)
            for value in self._frame.column(index, begin, end)
        )


def _as_integer(value: Any) -> int | None:
    return None if is_missing(value) else int(value)


def rows_of_frame(value: object) -> FrameRows | None:
    """Return the rows of a data frame; None of anything else.

    Raises:
        InvalidRequest: it is a frame that cannot be read, or a part of one.
    """
    frame = _frame_of(value)
    if frame is None:
        return None
    names = frame.names
    for name in names:
        if not isinstance(name, str):
            raise _refusal(
                f"is a {type(value).__name__} with a column whose name is of type "
                f"{type(name).__name__}; name the columns by text"
            )
    return FrameRows(tuple(names), frame)


def _frame_of(value: object) -> _Frame | None:
    kinds = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(value).__mro__}
    if ("pandas", "DataFrame") in kinds:
        return _Pandas(value)
    if ("polars", "DataFrame") in kinds:
        return _Polars(value)
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


def _of_another_library(value: object) -> _Frame:
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
    return _Polars(frame)


def _refusal(message: str) -> InvalidRequest:
    return InvalidRequest.of("contacts", "type", message)
