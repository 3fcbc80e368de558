"""The addresses of a suppression list get nothing, and a list that cannot be read is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from newsleopard_async import ContactsReport, InvalidRequest, check_contacts
from newsleopard_async.contacts.skip_list import read_skip
from tests.contacts.checking import check, csv_of, found

pytestmark = pytest.mark.anyio

CONTACTS = "EMAIL,NAME\na@example.com,甲\nB@Example.com,乙\nc@example.com,丙\n"


async def later(entries: list[Any]) -> AsyncIterator[Any]:
    """Yield entries like a database."""
    for each in entries:
        yield each


async def clean_of(skip: Any, tmp_path: Path, **options: Any) -> tuple[str, ContactsReport]:
    """Return what goes out, and the report."""
    clean = tmp_path / "clean.csv"
    report = await check_contacts(
        options.pop("contacts", CONTACTS), skip=skip, write_to=clean, **options
    )
    return clean.read_text("utf-8") if clean.exists() else "", report


FILES = {
    "header": ("EMAIL\nb@example.com\n", "utf-8"),
    "another-word": ("日期,電子郵件,原因\n2027-01-01,b@example.com,退信\n", "cp950"),
    "mark": ("\ufeffEmail Address;WHY\nB@EXAMPLE.COM;x\n", "utf-8"),
    "utf-16": ("EMAIL\tWHY\nb@example.com\tx\n", "utf-16"),
    "no-header": ("b@example.com\r\nx@example.com\r\n", "utf-8"),
    "no-end": ("b@example.com", "utf-8"),
    "several-in-a-line": ("x@example.com;b@example.com\n", "utf-8"),
    "unknown-header": ("退訂名單\nb@example.com\n", "utf-8"),
    "quoted": ('"EMAIL","WHY"\n"b@example.com","x,\ny"\n', "utf-8"),
    "other-address": ("EMAIL,REPORTED_BY\nb@example.com,a@example.com\n", "utf-8"),
    "invisible": ("e-mail\n \u200bb@example.com\u00a0\n\n", "utf-8"),
}


@pytest.mark.parametrize("name", FILES)
async def test_file_may_have_many_forms(name: str, tmp_path: Path) -> None:
    """A column of addresses by any usual name, or one address a line, in any known encoding."""
    text, encoding = FILES[name]
    path = tmp_path / "unsubscribed.csv"
    path.write_bytes(text.encode(encoding))

    for skip in (path, str(path)):
        clean, report = await clean_of(skip, tmp_path)

        assert clean == "EMAIL,NAME\na@example.com,甲\nc@example.com,丙\n"
        assert (report.rows, report.skipped, report.unique, report.going) == (3, 1, 2, 2)
        assert report.size_bytes == len(clean.encode())


@pytest.mark.parametrize("kind", [list, set, tuple, iter, later, dict.fromkeys])
async def test_addresses_can_be_any_iterable_of_text(kind: Any, tmp_path: Path) -> None:
    """Any iterable of text is accepted, except a mapping, which is ambiguous."""
    given = kind(["b@example.com", " A@example.com\u200b"])
    if isinstance(given, dict):
        with pytest.raises(InvalidRequest, match="skip: must be a path or addresses"):
            await clean_of(given, tmp_path)
        return

    clean, report = await clean_of(given, tmp_path)

    assert clean == "EMAIL,NAME\nc@example.com,丙\n"
    assert report.skipped == 2


async def test_empty_list_leaves_no_contact_out_with_a_warning(tmp_path: Path) -> None:
    """An empty list can be intended; the warning helps if it is the wrong list."""
    clean, report = await clean_of([], tmp_path)

    assert clean.count("\n") == 1 + report.rows
    assert report.skipped == 0
    assert [(each.level, each.rule) for each in report.findings] == [("warning", "skipped")]


async def test_skipped_rows_are_noted_with_their_lines(tmp_path: Path) -> None:
    """The note shows no address."""
    _, report = await clean_of(["b@example.com", "c@example.com"], tmp_path)

    [note] = [each for each in report if each.rule == "skipped"]
    assert (note.level, note.count, note.places) == ("note", 2, (3, 4))
    assert "@" not in note.message


@pytest.mark.parametrize("is_file", [True, False])
@pytest.mark.parametrize(("entry", "level"), [("none", "note"), ("b @example.com", "warning")])
async def test_entries_without_an_address_are_named(
    entry: str, level: str, is_file: bool, tmp_path: Path
) -> None:
    """The message has their lines or positions, because these contacts still get the mail."""
    entries = ["a@example.com", "no one", entry]
    path = tmp_path / "skip.csv"
    path.write_text("\n".join(entries), "utf-8")

    clean, report = await clean_of(path if is_file else entries, tmp_path)

    finding = report.findings[-1]
    where = "lines 2, 3" if is_file else "positions 2, 3"
    assert (finding.level, finding.rule, finding.count) == (level, "skipped", 2)
    assert f"2 entries that are not an address ({where})" in finding.message
    assert "b @" not in finding.message
    assert "B@Example.com" in clean


@pytest.mark.parametrize("is_file", [True, False])
async def test_many_entries_without_an_address_are_counted(is_file: bool, tmp_path: Path) -> None:
    """The message has the first five places, and the number of the others."""
    entries = ["a@example.com", *["no one"] * 7]
    path = tmp_path / "skip.csv"
    path.write_text("\n".join(entries), "utf-8")

    _, report = await clean_of(path if is_file else entries, tmp_path)

    places = "lines" if is_file else "positions"
    assert f"({places} 2, 3, 4, 5, 6 and 2 more)" in report.findings[-1].message


AROUND = [
    "王小明 <b@example.com>",
    '"Lee, B" <B@example.com>',
    "mailto:b@example.com",
    "b@example.com; x@example.com",
    "x@example.com,b@example.com",
    "1|b@example.com",
    "b\u200b@example.com",
    "ｂ＠ｅｘａｍｐｌｅ．ｃｏｍ",
    "b@example.com.",
    "|'b@example.com",
]


@pytest.mark.parametrize("text", AROUND)
async def test_address_with_something_around_it_counts(text: str, tmp_path: Path) -> None:
    """In the list, in a file or in the contacts: no contact on the list gets a mail."""
    path = tmp_path / "skip.csv"
    path.write_text(f"{text}\nx@example.com\n", "utf-8")
    cell = text.replace('"', '""')
    contacts = f'EMAIL,NAME\na@example.com,甲\n"{cell}",乙\nc@example.com,丙\n'

    for skip in ([text], path):
        clean, report = await clean_of(skip, tmp_path)
        assert clean == "EMAIL,NAME\na@example.com,甲\nc@example.com,丙\n"
        assert report.skipped == len(report.findings) == 1
    for given in (["b@example.com"], [text]):
        clean, report = await clean_of(given, tmp_path, contacts=contacts)
        assert clean == "EMAIL,NAME\na@example.com,甲\nc@example.com,丙\n"
        assert report.skipped == 1


async def test_entry_that_no_address_can_be_read_from_is_compared_as_it_is(tmp_path: Path) -> None:
    """The platform might accept an address that the check refuses."""
    contacts = "EMAIL,NAME\n用戶@example.com,甲\nc@example.com,丙\n"

    skip = ["b@example.com", "用戶@example.com"]
    clean, report = await clean_of(skip, tmp_path, contacts=contacts)

    assert clean == "EMAIL,NAME\nc@example.com,丙\n"
    assert report.skipped == 1


@pytest.mark.parametrize(
    ("skip", "rule"),
    [
        (iter([]), "empty"),
        (["none"], "empty"),
        (["@none"], "empty"),
        ([b"a@example.com"], "type"),
        (["a@example.com", None], "type"),
        (b"a@example.com", "type"),
        ({"EMAIL": "a@example.com"}, "type"),
        (5, "type"),
        (pd.DataFrame({"EMAIL": ["a@example.com"]}), "type"),
        ("a@example.com", "readable"),
        (Path("nowhere.csv"), "readable"),
    ],
)
async def test_list_that_cannot_be_used_is_refused(skip: Any, rule: str, tmp_path: Path) -> None:
    """It is never treated as an empty list."""
    with pytest.raises(InvalidRequest) as caught:
        await clean_of(skip, tmp_path)

    [problem] = caught.value.problems
    assert (problem.field, problem.rule) == ("skip", rule)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "empty-file"),
        (b"EMAIL\n", "empty"),
        (b"WHO,WHY\na@example.com,x\n", "header-order"),
        (b"EMAIL\n\xff\xff\n", "encoding"),
        (b"\0\1\2\3" * 100, "not-text"),
        (b"\0\1\2\3" * 200_000, "not-text"),
    ],
)
async def test_file_that_cannot_be_used_is_refused(
    content: bytes, rule: str, tmp_path: Path
) -> None:
    """The message names the problem."""
    path = tmp_path / "skip.csv"
    path.write_bytes(content)

    with pytest.raises(InvalidRequest) as caught:
        await clean_of(path, tmp_path)

    [problem] = caught.value.problems
    assert (problem.field, problem.rule) == ("skip", rule)


async def test_list_may_be_longer_than_a_piece(tmp_path: Path) -> None:
    """Pieces and blocks of a file, and batches of an iterable."""
    entries = [f"user{number}@contacts.example" for number in range(40_000)]
    path = tmp_path / "skip.csv"
    path.write_text("\n".join(["EMAIL", *entries]), "utf-8")

    for skip in (path, iter(entries)):
        assert len((await read_skip(skip)).keys) == 40_000


KEYS = frozenset({b"a@example.com"})


@pytest.mark.parametrize("check_rows", [True, False])
@pytest.mark.parametrize("header", ["EMAIL,NAME", "NAME,EMAIL"])
def test_rows_of_any_shape_are_skipped(header: str, check_rows: bool) -> None:
    """This includes rows of other lengths and with quotes, but no row without an address."""
    rows = [["a@example.com", "甲"], ["a@example.com", '"x, y"'], ["b@example.com", '"z, z"']]
    if header.startswith("NAME"):
        rows = [row[::-1] for row in rows]

    checked = check(
        csv_of(*map(",".join, rows), "x", header=header), skip=KEYS, check_rows=check_rows
    )

    assert checked.report.skipped == 2
    assert checked.clean.count(b"\n") == 3


def test_skipped_row_has_no_other_finding() -> None:
    """A skipped row repeats no address, and its cells are not checked."""
    rows = ["a@example.com,=1", "A@example.com,", "a@example.com,x,y", "b@example.com,乙"]

    for fix in ((), "drop-duplicates", "leave-out-bad-rows"):
        checked = check(csv_of(*rows), skip=KEYS, fix=fix)

        assert checked.triples == [("note", "skipped", 3)]
        assert checked.left_out == b""
        assert (checked.report.dropped, checked.report.left_out, checked.report.unique) == (0, 0, 1)


def test_contacts_that_are_all_skipped_have_no_rows() -> None:
    """No contact is left to send to."""
    checked = check(csv_of("a@example.com,甲", "none,x"), skip=KEYS, fix="leave-out-bad-rows")

    assert found(checked, "no-rows").level == "error"
    assert checked.report.going == 0


async def test_position_is_counted_over_all_batches() -> None:
    """Entries are read in batches; an error names the position in the whole list."""
    entries: list[Any] = ["a@example.com"] * 10_000

    with pytest.raises(InvalidRequest, match="position 10,001;"):
        await read_skip([*entries, None])
