from __future__ import annotations

import pytest

from newsleopard_async.contacts.rules.examiner import estimated_requests


@pytest.mark.parametrize(
    ("rows", "requests"), [(0, 0), (1, 7), (100, 7), (20_000, 7), (30_000, 8), (1_000_000, 13)]
)
def test_requests_grow_with_the_polls_of_the_import(rows: int, requests: int) -> None:
    """List, import and submit take four; the rest looks whether the import is done."""
    assert estimated_requests(rows) == requests


def test_polls_end_at_the_deadline() -> None:
    """However long an import may take."""
    assert estimated_requests(10**12) == estimated_requests(10**9) < 100
