"""Long work in threads, a slice at a time, so that neither the loop nor a cancellation waits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final, TypeVar

from newsleopard_async.aio import in_thread

__all__ = ["SLICE_ITEMS", "next_slice", "run_through"]

T = TypeVar("T")

SLICE_ITEMS: Final = 2_000
"""Some 10 ms of rows: longer than it takes to change threads, shorter than anybody notices."""


async def next_slice(items: Iterator[T]) -> list[T]:
    """Take so many items in a thread; none at all means the end.

    A cancellation strikes between two slices: closing the iterator is then safe.
    """
    return await in_thread(lambda: list(islice(items, SLICE_ITEMS)))


async def run_through(items: Iterator[None]) -> None:
    """Run work to its end that yields wherever it may be interrupted."""
    while await next_slice(items):
        pass
