"""A folder for temporary files in which tests can find them."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _temporary_files_are_found(temporary: Path) -> None:
    """Put temporary files into a folder of the test."""
