from __future__ import annotations

import pytest

from newsleopard_async.contacts.rules.checker import estimated_requests


@pytest.mark.parametrize(
    ("rows", "requests"), [(0, 0), (1, 8), (100, 8), (20_000, 8), (30_000, 9), (1_000_000, 14)]
)
def test_requests_grow_with_the_polls_of_the_import(rows: int, requests: int) -> None:
    """List, import and submit take five requests; all others poll the import."""
    assert estimated_requests(rows) == requests


def test_polls_end_at_the_deadline() -> None:
    """The deadline of polling limits the requests."""
    assert estimated_requests(10**12) == estimated_requests(10**9) < 100
