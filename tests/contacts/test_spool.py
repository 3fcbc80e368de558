"""A source that can be read only once is written into a private file, piece by piece."""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from newsleopard_async import ConfigurationError, InvalidRequest
from newsleopard_async.contacts import spool as spooling
from newsleopard_async.contacts.sources import PIECE_BYTES
from newsleopard_async.contacts.spool import in_pieces, spool
from newsleopard_async.temporary import append, private_folder
from tests.clients import files_in
from tests.contacts.examples import Pieces

pytestmark = pytest.mark.anyio


def see_all(piece: bytes) -> bool:
    """Want every piece."""
    return True


class Plain:
    """An async iterator that cannot be closed."""

    def __init__(self) -> None:
        self.left = [b"EMAIL,", b"NAME\n"]

    def csv_pieces(self) -> AsyncIterator[bytes]:
        """Give itself."""
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self.left:
            raise StopAsyncIteration
        return self.left.pop(0)


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        ((), []),
        ((b"",), []),
        ((b"a", b"bc"), [3]),
        ((b"a" * PIECE_BYTES,), [PIECE_BYTES]),
        ((b"a" * (PIECE_BYTES - 1), b"bc"), [PIECE_BYTES, 1]),
        ((b"a", b"b" * (3 * PIECE_BYTES), b"c"), [PIECE_BYTES] * 3 + [2]),
    ],
)
async def test_pieces_are_of_one_size(
    given: tuple[bytes, ...], sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For any sizes of a source's pieces, all pieces except the last have one size."""
    monkeypatch.setattr(spooling, "_GATHER_S", math.inf)

    async with in_pieces(Pieces(given)) as pieces:
        found = [piece async for piece in pieces]

    assert [len(piece) for piece in found] == sizes
    assert b"".join(found) == b"".join(given)


async def test_source_is_spooled(tmp_path: Path) -> None:
    """Everything is in the file, which must then stay as it is."""
    file = await spool(Plain(), tmp_path / "raw", see_all)

    assert (tmp_path / "raw").read_bytes() == b"EMAIL,NAME\n"
    assert [piece async for piece in file.pieces()] == [b"EMAIL,NAME\n"]


async def test_source_is_closed_after_enough_is_known(tmp_path: Path) -> None:
    """An endless source of something else is not read to the end of the disk."""
    closed: list[bool] = []

    class Endless:
        async def csv_pieces(self) -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"\0" * PIECE_BYTES
            finally:
                closed.append(True)

    def see_one(piece: bytes) -> bool:
        return False

    await spool(Endless(), tmp_path / "raw", see_one)

    assert closed == [True]
    assert (tmp_path / "raw").stat().st_size == PIECE_BYTES


class Returning:
    """A source with a method that returns another object."""

    def __init__(self, given: Any) -> None:
        self.given = given

    def csv_pieces(self) -> Any:
        """Give it."""
        return self.given


async def no_generator() -> list[bytes]:
    """Give everything at once."""
    return [b"EMAIL,NAME\n"]


@pytest.mark.parametrize("build", [no_generator, list])
async def test_source_that_is_not_a_generator_is_refused(build: Any, tmp_path: Path) -> None:
    """The refusal of a method that returns all bytes tells it to yield."""
    with pytest.raises(InvalidRequest, match="must be an async generator"):
        await spool(Returning(build()), tmp_path / "raw", see_all)


@pytest.mark.parametrize("piece", ["EMAIL,NAME\n", bytearray(b"EMAIL"), None])
async def test_source_that_gives_no_bytes_is_refused(piece: Any, tmp_path: Path) -> None:
    """The message names the type of the piece."""
    with pytest.raises(InvalidRequest, match=type(piece).__name__):
        await spool(Pieces((b"EMAIL", piece)), tmp_path / "raw", see_all)


async def test_error_of_a_source_is_raised_unchanged(tmp_path: Path) -> None:
    """An OSError of the caller's source is not reported as an error of the disk."""

    class Broken:
        async def csv_pieces(self) -> AsyncIterator[bytes]:
            yield b"EMAIL,NAME\n"
            raise ConnectionResetError("the store went away")

    with pytest.raises(ConnectionResetError, match="went away"):
        await spool(Broken(), tmp_path / "raw", see_all)


async def test_file_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    """The temporary folder is part of the set-up."""
    with pytest.raises(ConfigurationError, match=r"No such file .*TMPDIR"):
        await spool(Pieces(()), tmp_path / "none" / "raw", see_all)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk to be had")
@pytest.mark.parametrize("size_bytes", [1, PIECE_BYTES])
def test_full_disk_is_reported(size_bytes: int) -> None:
    """A disk may be found full when a piece is written, or only at the end."""
    with pytest.raises(ConfigurationError, match="No space left"):
        append(Path("/dev/full"), b"x" * size_bytes)


def test_missing_temporary_folder_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The folder for temporary files can be missing."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))

    with pytest.raises(ConfigurationError, match="temporary folder"), private_folder():
        pass


def test_private_folder_is_private_and_is_deleted(temporary: Path) -> None:
    """No other user can read it, and no part of it remains, even after an error."""
    seen: list[Path] = []

    def use() -> None:
        with private_folder() as folder:
            (folder / "contacts.csv").write_bytes(b"EMAIL,NAME\n")
            seen.append(folder)
            assert sys.platform == "win32" or not folder.stat().st_mode & 0o077
            len(files_in(folder)) / 0

    with pytest.raises(ZeroDivisionError):
        use()

    assert files_in(temporary) == []
    assert [folder.parent for folder in seen] == [temporary]
