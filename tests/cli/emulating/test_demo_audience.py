"""The made-up contacts are a file that the platform takes; the funnel is a report's summary."""

from __future__ import annotations

from pathlib import Path

from newsleopard_async.cli.emulating.demo_audience import (
    people,
    read_people,
    write_people,
)


def test_people_are_the_same_at_each_run() -> None:
    """Chance is seeded."""
    assert list(people(50)) == list(people(50))


def test_addresses_are_unique() -> None:
    """All people have different addresses."""
    assert len({person.email for person in people(2_000)}) == 2_000


def test_names_have_different_widths() -> None:
    """Names of two, three and four characters occur."""
    assert {len(person.name) for person in people(500)} == {2, 3, 4}


def test_file_begins_as_documented(tmp_path: Path) -> None:
    """EMAIL and NAME come first, lines end in a line feed, and nothing marks the byte order."""
    path = tmp_path / "members.csv"

    size_bytes = write_people(path, 3)

    content = path.read_bytes()
    assert content.startswith(b"EMAIL,NAME,")
    assert b"\r" not in content
    assert size_bytes == len(content)


def test_file_is_read_back(tmp_path: Path) -> None:
    """What was written is what is read, by address."""
    path = tmp_path / "members.csv"
    write_people(path, 20)

    assert list(read_people(path).values()) == list(people(20))
