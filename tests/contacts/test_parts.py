"""Contacts are divided between rows, and nothing of them is lost or twice there."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsleopard_async import InvalidRequest, check_contacts
from newsleopard_async.contacts import parts
from newsleopard_async.contacts.contacts_options import ContactsOptions
from newsleopard_async.contacts.parts import split, write_part
from tests.contacts.checking import check, csv_of, found
from tests.contacts.examples import written

HEADER = "EMAIL,NAME,X"


def contents_of(path: Path, part_bytes: int) -> list[bytes]:
    """Return the rows of each part."""
    return [write_part(path, part).read_bytes() for part in split(path, part_bytes)]


@settings(max_examples=60)
@given(
    cells=st.lists(st.sampled_from(["", "甲", "x,y", '5"', "line\nbreak", '"\n"']), max_size=30),
    part_bytes=st.integers(60, 400),
)
def test_parts_hold_every_row_once(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str], part_bytes: int
) -> None:
    """The order stays, and each part has the header and at most the given size."""
    rows = [[f"a{number}@example.com", cell, "x"] for number, cell in enumerate(cells)]
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([HEADER.split(","), *rows])
    path = written(tmp_path_factory.mktemp("parts"), text.getvalue().encode())

    contents = contents_of(path, part_bytes)

    read = [list(csv.reader(io.StringIO(each.decode(), newline=""))) for each in contents]
    assert [row for each in read for row in each[1:]] == rows
    assert all(each[0] == HEADER.split(",") for each in read)
    assert all(len(each) <= part_bytes for each in contents)
    assert sum(each.addresses for each in split(path, part_bytes)) == len(rows)


def test_addresses_of_a_part_are_those_that_the_platform_counts(tmp_path: Path) -> None:
    """Each once, and not of a row that it may reject."""
    rows = [
        "a@example.com,1,x",
        "A@example.com,2,x",
        "none,3,x",
        "b@example.com,4",
        '"c@d.e","5,",x',
    ]

    [part] = split(written(tmp_path, csv_of(*rows, header=HEADER)), 1_000)

    assert part.addresses == 2


@pytest.mark.parametrize("blank", "\v\f\x1c\x1e\x85\u2028")
def test_character_that_python_takes_for_a_line_end_ends_no_row(blank: str, tmp_path: Path) -> None:
    """Otherwise fewer addresses would count, and missing contacts would not be noticed."""
    content = csv_of(f'a@example.com,x{blank}y,"5,"', header=HEADER)

    [part] = split(written(tmp_path, content), 1_000)

    assert part.addresses == 1


def test_cell_of_any_length_is_read(tmp_path: Path) -> None:
    """The csv module takes no more than 128 KiB."""
    content = csv_of('a@example.com,"' + "x," * 100_000 + '"', "b@example.com,乙")

    assert [each.addresses for each in split(written(tmp_path, content), 200_028)] == [1, 1]


def test_row_that_fits_into_no_part_is_refused(tmp_path: Path) -> None:
    """With the size that it takes."""
    path = written(tmp_path, csv_of("a@example.com,甲"))

    with pytest.raises(InvalidRequest, match=r"part_bytes: is too small.* have 29 bytes"):
        split(path, 28)
    assert len(split(path, 29)) == 1


def test_too_many_parts_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part costs requests of the daily quota."""
    monkeypatch.setattr(parts, "MOST_PARTS", 3)
    path = written(tmp_path, csv_of(*["a@example.com,x"] * 9))

    with pytest.raises(InvalidRequest, match="9 parts, and at most 3 are allowed"):
        split(path, 30)
    assert len(split(path, path.stat().st_size // 3 + 11)) == 3


@pytest.mark.parametrize(("part_bytes", "rule"), [(0, "range"), (-1, "range"), (1.5, "type")])
def test_size_that_is_none_is_refused(part_bytes: int, rule: str) -> None:
    """Before anything is read."""
    with pytest.raises(InvalidRequest) as caught:
        ContactsOptions(part_bytes=part_bytes)

    assert [(each.field, each.rule) for each in caught.value.problems] == [("part_bytes", rule)]


LARGE = csv_of("a@example.com,甲", *(f"b{n}@example.com,{'x' * 100_000}" for n in range(100)))


@pytest.mark.parametrize(
    ("part_bytes", "warns"), [(None, True), (10_000_000, False), (10_000_001, True)]
)
def test_large_file_has_a_warning_unless_it_has_parts(part_bytes: int | None, warns: bool) -> None:
    """The warning names the way out."""
    rules = {each.rule for each in check(LARGE, part_bytes=part_bytes).report}

    assert ("large-file" in rules) == warns
    if part_bytes is None:
        message = found(check(LARGE), "large-file").message
        assert "10,000,000; import it in several parts (part_bytes=10_000_000 does it)" in message


@pytest.mark.anyio
async def test_file_of_ten_megabytes_is_not_warned_of() -> None:
    """The limit itself is within it."""
    rest = 10_000_000 - len("EMAIL,NAME\na@example.com,\n")
    report = await check_contacts(f"EMAIL,NAME\na@example.com,{'x' * rest}\n".encode())

    assert "large-file" not in {each.rule for each in report}
