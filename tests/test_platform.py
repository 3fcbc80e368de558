"""The page about the platform has every point that the code names, and agrees with the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from newsleopard_async.models.error_codes import ERROR_TEXTS
from tests.cases import case
from tests.constants import ROOT

pytestmark = pytest.mark.source_tree

DOCS = ROOT / "docs"
PAGE = DOCS / "platform.md"
if not PAGE.exists():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)

TEXT = PAGE.read_text("utf-8")
EMULATOR = (DOCS / "emulator-reference.md").read_text("utf-8")
ASSUMPTIONS = EMULATOR.partition("## Assumptions\n")[2]

LAST_POINT = 135
NUMBER = re.compile(r"\bT\d{2,3}\b")
NOQA = re.compile(r"# noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*")
"""Rules of Ruff with names that have the format of a point."""

TARGET = re.compile(r"^\(t(\d{2,3})\)=$", re.MULTILINE)
ENTRY = re.compile(
    r"^\(t(\d{2,3})\)=\n### T(\d{2,3}): [^\n]+\n(.*?)(?=^\(t|^## )", re.MULTILINE | re.DOTALL
)
POINT_LINK = re.compile(r"\[T(\d+)\]\((?:platform\.md)?#t(\d+)\)")
ASSUMPTION = re.compile(r"^(\d+)\. \((\S+)\)=\n(.*?)(?=^\d+\. |^### |\Z)", re.MULTILINE | re.DOTALL)
ASSUMPTION_LINK = re.compile(r"\[assumption\s+(\d+)\]\(emulator-reference\.md#(\S+?)\)")
CODE = re.compile(
    r"^### Code (\d+)\n\n- \*\*Meaning:\*\* (.+) \((.+)\)\n- \*\*What to do:\*\* (.+)$",
    re.MULTILINE,
)
"""A code with its texts.

Sphinx's search drops a query of digits only, but compares it with the titles first, and finds
one of which it is half or more. So the title must not be longer than ``Code 40001``.
"""

PARTS = ("Documentation", "Client", "Emulator")


def _naming_files() -> Iterator[Path]:
    for folder, pattern in (
        ("newsleopard_async", "**/*.py"),
        ("tests", "**/*.py"),
        ("tests", "*.yaml"),
        ("benchmarks", "**/*.py"),
        ("docs", "*.md"),
    ):
        yield from sorted(ROOT.joinpath(folder).glob(pattern))
    yield from ROOT.glob("*.md")


def _named_in(path: Path) -> list[str]:
    return NUMBER.findall(NOQA.sub("", path.read_text("utf-8")))


def _entries() -> dict[str, str]:
    return {f"T{number}": body for number, _, body in ENTRY.findall(TEXT)}


def _assumptions() -> dict[str, str]:
    return {number: body for number, _, body in ASSUMPTION.findall(ASSUMPTIONS)}


def test_every_point_has_one_target() -> None:
    """T01 to T135 have an anchor each, in order, once."""
    wanted = [f"{number:02d}" for number in range(1, LAST_POINT + 1)]

    assert TARGET.findall(TEXT) == wanted


def test_every_target_has_its_heading() -> None:
    """Below an anchor stand the heading of the same number and an entry."""
    found = [(target, heading) for target, heading, _ in ENTRY.findall(TEXT)]

    assert found == [(target, target) for target in TARGET.findall(TEXT)]


def test_every_entry_is_complete() -> None:
    """An entry says what is documented, and what client and emulator do."""
    for point, entry in _entries().items():
        with case(point):
            labels = " ".join(re.findall(r"^- \*\*(.+?):\*\*", entry, re.MULTILINE))

            assert re.findall("|".join(PARTS), labels.title()) == list(PARTS)


def test_every_point_that_is_named_is_defined() -> None:
    """Code, tests, benchmarks and documentation only name points of the page."""
    defined = set(_entries())

    undefined = {
        f"{path.relative_to(ROOT)}: {number}"
        for path in _naming_files()
        for number in _named_in(path)
        if number not in defined
    }

    assert undefined == set()


def test_code_names_points_at_all() -> None:
    """The search above finds points in the code."""
    named = {
        number for path in _naming_files() if path.suffix == ".py" for number in _named_in(path)
    }

    assert {"T01", "T64", "T121"} <= named


def test_link_leads_to_the_point_that_it_names() -> None:
    """``[T22]`` leads to ``#t22``, on every page."""
    links = [
        pair for page in DOCS.glob("*.md") for pair in POINT_LINK.findall(page.read_text("utf-8"))
    ]

    assert links
    assert [pair for pair in links if pair[0] != pair[1]] == []


def test_assumptions_are_numbered_from_one() -> None:
    """Each assumption has its number and the anchor of that number, in order."""
    found = [(number, anchor) for number, anchor, _ in ASSUMPTION.findall(ASSUMPTIONS)]
    lines = re.findall(r"^\d+\.", ASSUMPTIONS, re.MULTILINE)

    assert found == [(str(n), f"assumption-{n}") for n in range(1, len(lines) + 1)]


def test_points_and_assumptions_name_each_other() -> None:
    """If a point links an assumption, the assumption links the point, and vice versa."""
    of_points = {
        (point, number)
        for point, body in _entries().items()
        for number, _ in ASSUMPTION_LINK.findall(body)
    }
    of_assumptions = {
        (f"T{point}", number)
        for number, body in _assumptions().items()
        for point, _ in POINT_LINK.findall(body)
    }

    assert of_points - of_assumptions == set(), "the assumption does not name the point"
    assert of_assumptions - of_points == set(), "the point does not name the assumption"


@pytest.mark.parametrize("number", _assumptions())
def test_assumption_decides_points_or_says_that_it_does_not(number: str) -> None:
    """An assumption without a point is about something that no point covers."""
    body = _assumptions()[number]

    assert bool(POINT_LINK.search(body)) != ("(Not one of these points.)" in body)


def test_every_mention_of_an_assumption_is_a_link_to_it() -> None:
    """The number in the text and the number in the link are the same."""
    links = ASSUMPTION_LINK.findall(TEXT)

    assert [pair for pair in links if pair[1] != f"assumption-{pair[0]}"] == []
    assert len(links) == len(re.findall(r"\bassumption\s+\d", TEXT))


def test_error_codes_are_those_of_the_client() -> None:
    """Each code has a heading, with which the search finds it, and the client's own texts."""
    printed = {int(code): tuple(texts) for code, *texts in CODE.findall(TEXT)}

    assert printed == {
        code: (text.english, text.chinese, text.advice) for code, text in ERROR_TEXTS.items()
    }
    assert len(re.findall(r"^### Code ", TEXT, re.MULTILINE)) == len(ERROR_TEXTS)
