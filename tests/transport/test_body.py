"""What an upload sends: it opens anew for every attempt, and must stay what it was."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import IO, Any

import anyio
import anyio.lowlevel
import pytest

from newsleopard_async import files
from newsleopard_async.errors import InvalidRequest
from newsleopard_async.transport.body import Body, BytesBody, open_body

pytestmark = pytest.mark.anyio

PIECE_BYTES = 256 * 1024
BLOCK_BYTES = 4 * PIECE_BYTES
CONTENT = bytes(range(256)) * 4_096 * 4


async def read(source: Body) -> bytes:
    """Read a body from its start to its end."""
    return b"".join([piece async for piece in source.pieces()])


async def drain(pieces: AsyncIterator[bytes], given: list[bytes]) -> None:
    """Read what is left."""
    async for piece in pieces:
        given.append(piece)  # noqa: PERF401 - what came before an error must be kept


def note_opened(monkeypatch: pytest.MonkeyPatch) -> list[IO[Any]]:
    """Note each file that is opened by its path."""
    opened: list[IO[Any]] = []
    really_open = Path.open

    def open_and_note(path: Path, mode: str) -> IO[Any]:
        opened.append(really_open(path, mode))
        return opened[-1]

    monkeypatch.setattr(Path, "open", open_and_note)
    return opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of four blocks."""
    path = tmp_path / "members.csv"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.parametrize(
    "size_bytes", [1, PIECE_BYTES, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES]
)
@pytest.mark.parametrize("form", ["bytes", "file"])
async def test_body_is_read_whole_each_time(size_bytes: int, form: str, file: Path) -> None:
    """A spent body would upload an empty object on the second attempt."""
    content = CONTENT[:size_bytes]
    file.write_bytes(content)
    source = await open_body(content if form == "bytes" else file)

    readings = [await read(source), await read(source)]

    assert source.size_bytes == size_bytes
    assert readings == [content, content]


@pytest.mark.parametrize("form", ["bytes", "file"])
async def test_body_comes_in_small_pieces_at_first(form: str, file: Path) -> None:
    """A proxy accepts megabytes at once, and behind it a large piece would count as stalled."""
    source = await open_body(CONTENT if form == "bytes" else file)

    assert [len(piece) async for piece in source.pieces()] == [PIECE_BYTES] * 16


@pytest.mark.parametrize(
    ("fast_s", "sizes"), [(math.inf, [1] * 8 + [4, 4]), (0.0, [1] * 16)], ids=["fast", "slow"]
)
async def test_pieces_are_large_after_many_fast_ones(
    fast_s: float, sizes: list[int], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large piece costs less, but a slow connection would count as stalled with it."""
    monkeypatch.setattr(files, "_FAST_S", fast_s)
    monkeypatch.setattr(files, "_PROVEN_BYTES", 2 * BLOCK_BYTES)
    source = await open_body(file)

    assert [len(piece) / PIECE_BYTES async for piece in source.pieces()] == sizes


async def test_piece_after_a_slow_one_is_small(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if its block was read before."""
    monkeypatch.setattr(files, "_PROVEN_BYTES", BLOCK_BYTES)
    sizes: list[float] = []

    async for piece in (await open_body(file)).pieces():
        sizes.append(len(piece) / PIECE_BYTES)
        monkeypatch.setattr(files, "_FAST_S", 0.0 if sizes[-1] == 4 else math.inf)

    assert sizes == [1] * 4 + [4] + [1] * 4 + [4]


async def test_next_block_is_read_while_one_is_sent(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection need not wait for the disk."""
    opened = note_opened(monkeypatch)
    pieces = (await open_body(file)).pieces()

    await anext(pieces)

    with anyio.fail_after(5):
        while opened[0].tell() < 2 * BLOCK_BYTES:
            await anyio.lowlevel.checkpoint()
    await pieces.aclose()


async def test_readings_do_not_disturb_each_other(file: Path) -> None:
    """An attempt that was cut off may still be closing when the next one begins."""
    source = await open_body(file)
    first = source.pieces()
    await anext(first)

    assert await read(source) == CONTENT
    await first.aclose()


def make_missing(path: Path) -> Any:
    """Name a file that is not there."""
    return path / "nothing.csv"


def make_directory(path: Path) -> Any:
    """Name a folder."""
    return path


def make_empty(path: Path) -> Any:
    """Make a file without content."""
    (path / "empty.csv").touch()
    return path / "empty.csv"


def make_impossible(path: Path) -> Any:
    """Name what no file system can."""
    return path / "a\x00b.csv"


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (make_missing, "readable"),
        (make_impossible, "readable"),
        (make_directory, "file"),
        (make_empty, "empty"),
        (lambda _: b"", "empty"),
        (lambda _: "EMAIL,NAME\n", "type"),
        (lambda _: "missing.csv", "readable"),
        (lambda _: 7, "type"),
        (lambda _: None, "type"),
        (lambda _: bytearray(b"x"), "type"),
    ],
)
async def test_what_cannot_be_uploaded_is_refused(
    make: Callable[[Path], Any], rule: str, tmp_path: Path
) -> None:
    """Before anything is sent, with field and rule."""
    with pytest.raises(InvalidRequest) as caught:
        await open_body(make(tmp_path))

    assert [(problem.field, problem.rule) for problem in caught.value.problems] == [
        ("source", rule)
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX only")
async def test_pipe_is_refused(tmp_path: Path) -> None:
    """It has no size, and can be read once."""
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(InvalidRequest, match="is not a file"):
        await open_body(tmp_path / "pipe")


async def test_link_to_a_file_is_a_file(file: Path) -> None:
    """Where the system has links, they are followed."""
    link = file.with_name("link.csv")
    try:
        link.symlink_to(file)
    except OSError:  # Windows wants a privilege for it.
        pytest.skip("links are not allowed here")

    assert await read(await open_body(link)) == CONTENT


def grow(path: Path) -> None:
    """Append a little."""
    with path.open("ab") as file:
        file.write(b"more")


def grow_a_lot(path: Path) -> None:
    """Append several blocks."""
    with path.open("ab") as file:
        file.write(CONTENT)


def shrink(path: Path) -> None:
    """Cut the end off."""
    os.truncate(path, len(CONTENT) - 1)


def shrink_a_lot(path: Path) -> None:
    """Cut off more than was read."""
    os.truncate(path, 10)


def replace(path: Path) -> None:
    """Put another file of the same size in its place, as editors do."""
    other = path.with_name("other")
    other.write_bytes(CONTENT[::-1])
    other.replace(path)


def rewrite(path: Path) -> None:
    """Write other content of the same size into the file itself."""
    with path.open("r+b") as file:
        file.write(CONTENT[::-1])
    status = path.stat()
    # A clock of the file system that stands still for a few ms is not the subject.
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))


CHANGES = [grow, grow_a_lot, shrink, shrink_a_lot, replace, rewrite, Path.unlink]
NOT_ON_WINDOWS = {replace, Path.unlink}
"""Windows keeps an open file from being removed."""


@pytest.mark.parametrize("change", CHANGES)
async def test_file_that_changed_before_an_attempt_is_refused(
    change: Callable[[Path], None], file: Path
) -> None:
    """The second attempt must not upload something else than the first."""
    source = await open_body(file)
    change(file)

    pieces = source.pieces()
    with pytest.raises(InvalidRequest) as caught:
        await anext(pieces)

    [problem] = caught.value.problems
    assert (problem.field, problem.rule) == ("source", "unchanged")
    assert "members.csv changed during the upload" in problem.message


@pytest.mark.parametrize("pieces_before", [1, 5, 11])
@pytest.mark.parametrize("change", CHANGES)
async def test_file_that_changes_during_an_attempt_is_not_finished(
    change: Callable[[Path], None], pieces_before: int, file: Path
) -> None:
    """The last block is withheld, so that the storage never has the whole of a mixture."""
    if os.name == "nt" and change in NOT_ON_WINDOWS:
        pytest.skip("an open file cannot be removed here")
    pieces = (await open_body(file)).pieces()

    given = [await anext(pieces) for _ in range(pieces_before)]
    change(file)
    with pytest.raises(InvalidRequest, match="changed during the upload"):
        await drain(pieces, given)

    assert sum(map(len, given)) < len(CONTENT)


@pytest.mark.parametrize("more_blocks", [1, 2, 3, 4])
async def test_file_that_grew_by_whole_blocks_is_not_finished(more_blocks: int, file: Path) -> None:
    """A server takes as many bytes as were announced for the whole."""
    file.write_bytes(b"x" * 2 * BLOCK_BYTES)
    pieces = (await open_body(file)).pieces()

    given = [await anext(pieces)]
    with file.open("ab") as appended:
        appended.write(b"y" * more_blocks * BLOCK_BYTES)
    with pytest.raises(InvalidRequest):
        await drain(pieces, given)

    assert [len(piece) for piece in given] == [PIECE_BYTES] * 4


async def test_reading_that_is_left_closes_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An early refusal leaves no open file behind."""
    opened = note_opened(monkeypatch)
    pieces = (await open_body(file)).pieces()
    await anext(pieces)

    await pieces.aclose()

    assert [file.closed for file in opened] == [True]


async def test_repr_of_bytes_hides_them() -> None:
    """They are contact data."""
    assert "secret" not in repr(BytesBody(b"secret"))
