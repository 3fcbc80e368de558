"""Files that the caller gets are there whole, or not at all."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from newsleopard_async import InvalidRequest
from newsleopard_async.contacts.outputs import check_output, left_out_beside, publish
from tests.contacts.examples import written
from tests.support import files_in


@pytest.mark.parametrize(
    ("path", "beside"),
    [
        ("lists/members.csv", "lists/members.left-out.csv"),
        ("members.2027.txt", "members.2027.left-out.txt"),
        ("members", "members.left-out.csv"),
    ],
)
def test_left_out_file_is_beside_the_input(path: str, beside: str) -> None:
    """It has the input's name and kind."""
    assert left_out_beside(Path(path)) == Path(beside)


@pytest.mark.anyio
async def test_output_that_can_be_written_passes(tmp_path: Path) -> None:
    """A new file, or one that is there and not read, whatever else there is."""
    path = written(tmp_path, b"", "old.csv")
    other = written(tmp_path, b"", "other.csv")

    with other.open("rb") as file:
        for each in (path, tmp_path / "new.csv"):
            await check_output("write_to", each, other, file, io.BytesIO(), None, tmp_path / "none")


async def problem_of(path: Path, *others: object) -> tuple[str, str]:
    """Return field and rule of why a file is refused."""
    with pytest.raises(InvalidRequest) as caught:
        await check_output("write_to", path, *others)
    [problem] = caught.value.problems
    return problem.field, problem.rule


@pytest.mark.anyio
async def test_output_that_could_not_be_written_is_refused(tmp_path: Path) -> None:
    """A folder, a file in none, and a file below a file."""
    file = written(tmp_path)

    assert await problem_of(tmp_path) == ("write_to", "file")
    assert await problem_of(tmp_path / "none" / "a.csv") == ("write_to", "folder")
    assert await problem_of(file / "a.csv") == ("write_to", "folder")


@pytest.mark.anyio
async def test_output_that_is_the_input_is_refused(tmp_path: Path) -> None:
    """By whatever name it goes, and if it is open, and if neither is there yet."""
    path = written(tmp_path)
    link = tmp_path / "link.csv"
    os.link(path, link)
    roundabout = tmp_path / "temporary" / ".." / path.name
    new = tmp_path / "new.csv"
    same = ("write_to", "same-file")

    with path.open("rb") as file:
        assert [await problem_of(each, file) for each in (path, link, roundabout)] == [same] * 3
    assert [await problem_of(each, path) for each in (path, link, roundabout)] == [same] * 3
    assert await problem_of(new, None, new) == same


@pytest.mark.anyio
async def test_file_is_published_whole(tmp_path: Path) -> None:
    """It replaces what is there, only the owner may read it, and no part of it stays."""
    source = written(tmp_path, b"new")
    path = written(tmp_path, b"old", "out.csv")

    await publish("write_to", source, path)

    assert path.read_bytes() == b"new"
    assert files_in(tmp_path) == ["members.csv", "out.csv", "temporary"]
    assert sys.platform == "win32" or path.stat().st_mode & 0o777 == 0o600


@pytest.mark.anyio
async def test_file_that_cannot_be_published_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is said, and what was there before is still there."""
    source = written(tmp_path, b"new")
    path = written(tmp_path, b"old", "out.csv")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(InvalidRequest, match="cannot be written: No space left") as caught:
        await publish("left_out_to", source, path)

    assert caught.value.problems[0].field == "left_out_to"
    assert path.read_bytes() == b"old"
    assert files_in(tmp_path) == ["members.csv", "out.csv", "temporary"]
