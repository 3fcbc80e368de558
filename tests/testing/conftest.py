"""What holds for tests that run pytest inside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.testing.inner_runs import remember


@pytest.fixture(autouse=True)
def _nothing_is_loaded_twice() -> Iterator[None]:
    """Undo that pytester forgets what was imported: it is made later, so it ends before this."""
    yield
    remember()
