"""A request as a value, and the table of what may be repeated."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from newsleopard_async.transport.outcome import Failure
from newsleopard_async.transport.repeating import WHAT_MAY_BE_REPEATED, Action, Kind
from newsleopard_async.transport.request import Request, path

DOCUMENT = Path(__file__).parents[2] / "docs" / "repeating.md"
A_REQUEST = Request(name="get", method="GET", path="/v1/x", decode=lambda *_: "")


def read_table(text: str) -> list[list[str]]:
    """Return the cells of the first Markdown table, without its rule."""
    rows = [line.strip(" |").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows if not row[0].startswith("-")]


@pytest.mark.source_tree
def test_published_table_is_the_table_of_the_code() -> None:
    """Each cell of the documentation says what the code does."""
    [_, *columns], *rows = read_table(DOCUMENT.read_text(encoding="utf-8"))

    published = {
        (row[0], column): Action.REPEAT if cell.startswith("repeat") else Action(cell)
        for row in rows
        for column, cell in zip(columns, row[1:], strict=True)
        if cell != "–"
    }

    ours = {
        (kind.value, failure.value): action
        for kind, row in WHAT_MAY_BE_REPEATED.items()
        for failure, action in row.items()
    }
    # The storage has no gateway. If it answers 429 nevertheless, the upload is repeated.
    del ours["PUT to storage", "refused at the gateway"]
    assert published == ours


def test_table_has_every_kind_and_every_failure() -> None:
    """No combination is left to chance."""
    assert set(WHAT_MAY_BE_REPEATED) == set(Kind)
    assert all(set(row) == set(Failure) for row in WHAT_MAY_BE_REPEATED.values())


def test_request_is_not_repeatable_unless_said() -> None:
    """A request without a kind is sent at most once."""
    assert A_REQUEST.kind is Kind.SUBMIT
    assert not A_REQUEST.kind.repeatable


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("plain", "/v1/plain/link"),
        ("a/b", "/v1/a%2Fb/link"),
        ("a?b#c", "/v1/a%3Fb%23c/link"),
        ("群組", "/v1/%E7%BE%A4%E7%B5%84/link"),
        ("100%", "/v1/100%25/link"),
    ],
)
def test_path_encodes_each_segment(code: str, expected: str) -> None:
    """A code cannot leave its segment."""
    assert path("/v1/{sn}/link", sn=code) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ((), "/v1/x"),
        ((("page", "0"), ("size", "100")), "/v1/x?page=0&size=100"),
        ((("startDate", ""), ("endDate", "")), "/v1/x"),
        ((("at", "2026-01-05T02:00:00.00Z"),), "/v1/x?at=2026-01-05T02%3A00%3A00.00Z"),
    ],
)
def test_target_leaves_out_empty_parameters(
    query: tuple[tuple[str, str], ...], expected: str
) -> None:
    """An empty query value would be one more thing for the server to interpret (T11)."""
    assert attrs.evolve(A_REQUEST, query=query).target == expected


def test_text_of_a_request_is_method_and_path() -> None:
    """Errors name a request without its query and body."""
    assert str(attrs.evolve(A_REQUEST, query=(("page", "1"),))) == "GET /v1/x"


def test_repr_of_a_request_hides_its_body() -> None:
    """The body of a text import is contact data."""
    assert "secret@example.com" not in repr(
        attrs.evolve(A_REQUEST, body={"contacts": "secret@example.com"})
    )
