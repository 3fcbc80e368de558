"""Many types are contacts; the refusal of any other names what to pass instead."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pandas as pd
import pytest

from newsleopard_async import ContactsSource, InvalidRequest
from newsleopard_async.contacts.sources import as_source, is_decoded
from tests.contacts.examples import (
    CSV,
    FORMS,
    ROWS,
    Person,
    Pieces,
    later,
    persons,
    read,
    refusal_of,
    written,
)


@pytest.mark.anyio
@pytest.mark.parametrize("form", FORMS)
async def test_contacts_of_every_form_are_the_same(form: str, tmp_path: Path) -> None:
    """One interface is behind all of them."""
    contacts = FORMS[form](tmp_path)

    found = (await read(contacts)).decode()

    assert found.replace("\r\n", "\n") == CSV
    assert isinstance(as_source(contacts), ContactsSource)


@pytest.mark.parametrize(
    ("contacts", "expected"),
    [
        (CSV, True),
        (io.StringIO(CSV), True),
        (list(ROWS), True),
        (persons(), True),
        (CSV.encode(), False),
        (Path("members.csv"), False),
        (Pieces(()), False),
    ],
)
def test_text_needs_no_encoding(contacts: Any, expected: bool) -> None:
    """The encoding of text is not detected."""
    assert is_decoded(as_source(contacts)) is expected


def test_source_that_hands_text_on_needs_no_encoding() -> None:
    """A source that wraps another one has the other's ``is_decoded``."""

    class HandedOn(Pieces):
        is_decoded = True

    assert is_decoded(HandedOn(()))


@pytest.mark.anyio
async def test_path_of_another_kind_is_a_path(tmp_path: Path) -> None:
    """All paths of the system are accepted, even as bytes."""
    written(tmp_path)

    with os.scandir(os.fsencode(tmp_path)) as entries:
        found = [await read(entry) for entry in entries if entry.is_file()]

    assert found == [CSV.encode()]


def coroutine() -> Any:
    """Call an async function, and forget to await it."""

    async def rows() -> list[dict[str, str]]:
        return list(ROWS)

    return rows()


REFUSED: dict[str, tuple[Any, str, str]] = {
    "name of a file": ("members.csv", "text", "pass a file as Path('…')"),
    "header": ("EMAIL,NAME", "text", "is text of one line"),
    "half a character": ("EMAIL,NAME\n\ud800", "encoding", "surrogate"),
    "nothing": (None, "type", "must be a path, bytes, text, an open binary file"),
    "number": (5, "type", "not int"),
    "one mapping": (ROWS[0], "type", "is one mapping; pass a list"),
    "one object": (Person("王小明", "ming@example.com"), "type", "is one Person; pass a list"),
    "class": (Pieces, "type", "is the class Pieces"),
    "function": (persons, "type", "is a function; call it"),
    "async function": (later, "type", "is a function; call it"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", REFUSED)
async def test_object_that_is_not_contacts_is_refused(name: str) -> None:
    """The message names the type and the way out, and shows no contact."""
    contacts, rule, says = REFUSED[name]

    found, message = await refusal_of(contacts)

    assert found == rule
    assert says in message
    assert "example.com" not in message


@pytest.mark.anyio
async def test_reader_of_data_frames_is_refused_with_the_way_out() -> None:
    """A file that pandas reads in chunks returns frames instead of bytes."""
    found, message = await refusal_of(pd.read_csv(io.StringIO(CSV), chunksize=1))

    assert (found, message) == (
        "type",
        "is a reader of data frames; read one data frame, and pass that",
    )


def test_coroutine_is_refused() -> None:
    """A coroutine is refused, and closed so that Python does not warn about it."""
    with pytest.raises(InvalidRequest, match="is a coroutine that was not awaited"):
        as_source(coroutine())


@pytest.mark.asyncio
async def test_future_is_refused() -> None:
    """It is not closed, because another task can await it."""
    later: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    with pytest.raises(InvalidRequest, match="is a Future that was not awaited"):
        as_source(later)

    assert not later.done()


@pytest.mark.anyio
async def test_source_may_be_iterable_too() -> None:
    """A source with csv_pieces() is used by it, even if it has other methods."""

    @attrs.frozen
    class Both:
        def __iter__(self) -> Any:
            raise AssertionError

        async def csv_pieces(self) -> AsyncIterator[bytes]:
            yield CSV.encode()

    assert await read(Both()) == CSV.encode()
