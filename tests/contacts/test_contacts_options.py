"""Options are refused by name before anything is read; outputs are complete or missing."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from newsleopard_async import Fix, InvalidRequest
from newsleopard_async.contacts.contacts_options import (
    ContactsOptions,
    check_output,
    left_out_beside,
    publish,
)
from newsleopard_async.contacts.sources import as_source
from tests.clients import files_in
from tests.contacts.examples import CSV, ROWS, written

pytestmark = pytest.mark.anyio


def problems_of(error: InvalidRequest) -> list[tuple[str, str]]:
    """Return field and rule of each problem."""
    return [(each.field, each.rule) for each in error.problems]


def test_path_may_be_text() -> None:
    """All objects that the system accepts as paths are accepted."""
    options = ContactsOptions(left_out_to="bad.csv", write_to="good.csv")

    assert (options.left_out_to, options.write_to) == (Path("bad.csv"), Path("good.csv"))


@pytest.mark.parametrize(
    ("options", "problems"),
    [
        ({"fix": "repair"}, [("fix", "choice")]),
        ({"fix": ["trim", "repair"]}, [("fix", "choice")]),
        ({"fix": [["trim"]]}, [("fix", "choice")]),
        ({"fix": None}, [("fix", "choice")]),
        ({"fix": 5}, [("fix", "choice")]),
        ({"fix": ["drop-duplicates", "drop-later-duplicates"]}, [("fix", "choice")]),
        ({"deep": "yes"}, [("deep", "type")]),
        ({"left_out_to": 5}, [("left_out_to", "type")]),
        (
            {"write_to": b"good.csv", "deep": 1, "fix": "all"},
            [("deep", "type"), ("write_to", "type"), ("fix", "choice")],
        ),
    ],
)
def test_bad_option_is_refused(options: Any, problems: list[tuple[str, str]]) -> None:
    """The error has all problems."""
    with pytest.raises(InvalidRequest) as caught:
        ContactsOptions(**options)

    assert problems_of(caught.value) == problems


@pytest.mark.parametrize(
    ("fix", "checks", "leaves_out"),
    [
        ((), False, False),
        ("trim", False, False),
        (["drop-duplicates"], True, False),
        (iter(["trim", "leave-out-bad-rows"]), True, True),
    ],
)
def test_fix_that_drops_rows_checks_them(fix: Any, checks: bool, leaves_out: bool) -> None:
    """One fix can be passed without a list; a fix that removes rows must check them."""
    options = ContactsOptions(fix=fix, check_rows=False)

    assert (options.checks_rows, options.leaves_out) == (checks, leaves_out)
    assert ContactsOptions(fix=options.fix).checks_rows


async def test_left_out_file_is_beside_a_path_or_named(tmp_path: Path) -> None:
    """Without a path it must be named; if no rows are left out, there is no file."""
    options = ContactsOptions(fix="leave-out-bad-rows")
    source = as_source(written(tmp_path))
    named = tmp_path / "bad.csv"

    beside = await options.fitted(source)
    elsewhere = await ContactsOptions(fix="leave-out-bad-rows", left_out_to=named).fitted(source)
    nowhere = await ContactsOptions(left_out_to=named).fitted(source)
    with pytest.raises(InvalidRequest) as caught:
        await options.fitted(as_source(CSV))

    assert beside.left_out_to == tmp_path / "members.left-out.csv"
    assert elsewhere.left_out_to == named
    assert nowhere.left_out_to is None
    assert problems_of(caught.value) == [("left_out_to", "required")]


async def test_outputs_must_not_be_inputs(tmp_path: Path) -> None:
    """An output must not be the input, open or by its path, or another output."""
    path, out = written(tmp_path), tmp_path / "out.csv"
    leave_out: Fix = "leave-out-bad-rows"

    found = []
    with path.open("rb") as file:
        for contacts, options in (
            (path, ContactsOptions(write_to=path)),
            (file, ContactsOptions(write_to=path)),
            (path, ContactsOptions(fix=leave_out, left_out_to=path)),
            (path, ContactsOptions(fix=leave_out, left_out_to=out, write_to=out)),
        ):
            with pytest.raises(InvalidRequest) as caught:
                await options.fitted(as_source(contacts))
            found += problems_of(caught.value)

    assert found == [
        ("write_to", "same-file"),
        ("write_to", "same-file"),
        ("left_out_to", "same-file"),
        ("left_out_to", "same-file"),
    ]


@pytest.mark.parametrize("contacts", [CSV, list(ROWS)])
async def test_text_has_no_encoding(contacts: Any) -> None:
    """It is UTF-8 here, and to say another is a mistake."""
    source = as_source(contacts)

    assert (await ContactsOptions().fitted(source)).encoding == "utf-8"
    for name in ("utf-8", "UTF-8", "utf8", "utf_8_sig"):
        assert (await ContactsOptions(encoding=name).fitted(source)).encoding == "utf-8"
    other: Any
    for other in ("big5", "none", "a\0b", "字", ["utf-8"], 5):
        with pytest.raises(InvalidRequest) as caught:
            await ContactsOptions(encoding=other).fitted(source)
        assert problems_of(caught.value) == [("encoding", "text")]
    assert (
        await ContactsOptions(encoding="big5").fitted(as_source(io.BytesIO()))
    ).encoding == "big5"


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


async def test_output_that_can_be_written_passes(tmp_path: Path) -> None:
    """A new file, or an existing file that is not the input, is accepted."""
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


async def test_output_that_could_not_be_written_is_refused(tmp_path: Path) -> None:
    """A folder, a file in a missing folder, and a file below a file are refused."""
    file = written(tmp_path)

    assert await problem_of(tmp_path) == ("write_to", "file")
    assert await problem_of(tmp_path / "none" / "a.csv") == ("write_to", "folder")
    assert await problem_of(file / "a.csv") == ("write_to", "folder")


async def test_output_that_is_the_input_is_refused(tmp_path: Path) -> None:
    """It is recognised by another name, if it is open, and if it does not exist yet."""
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


async def test_file_is_published_whole(tmp_path: Path) -> None:
    """It replaces an older file, only its owner can read it, and no part of it remains."""
    source = written(tmp_path, b"new")
    path = written(tmp_path, b"old", "out.csv")

    await publish("write_to", source, path)

    assert path.read_bytes() == b"new"
    assert files_in(tmp_path) == ["members.csv", "out.csv", "temporary"]
    assert sys.platform == "win32" or path.stat().st_mode & 0o777 == 0o600


async def test_file_that_cannot_be_published_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is reported, and the older file remains."""
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
