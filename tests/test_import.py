"""Importing the library stays cheap: what an extra brings is not loaded, nor is a second loop."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

BUDGET_MODULES = 500
"""Counted rather than timed, since a count is the same on a busy machine.

Measured: 458 on CPython 3.11; the budget leaves a tenth for other interpreters.
"""


@pytest.fixture(scope="module")
def loaded() -> frozenset[str]:
    """Import the library in a fresh interpreter and name every module that this loads."""
    code = "import sys; import newsleopard_async; print(*sorted(sys.modules))"
    # Coverage measures subprocesses by loading itself into them.
    unmeasured = {name: text for name, text in os.environ.items() if "COV" not in name}
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=unmeasured,
    )
    return frozenset(run.stdout.split())


@pytest.mark.parametrize(
    "name", ["click", "hypothesis", "pytest", "rich", "starlette", "trio", "uvicorn"]
)
def test_import_loads_nothing_optional(loaded: frozenset[str], name: str) -> None:
    """No extra's library, no test tool and no second event loop comes with the import."""
    assert name not in loaded


@pytest.mark.parametrize("room", ["cli", "durable", "emulator", "rehearsal", "testing"])
def test_import_loads_nothing_beside_the_tower(loaded: frozenset[str], room: str) -> None:
    """What stands beside the tower is imported by whoever wants it."""
    assert f"newsleopard_async.{room}" not in loaded


def test_import_stays_within_its_budget(loaded: frozenset[str]) -> None:
    """The number of modules behind one import does not creep up."""
    assert len(loaded) <= BUDGET_MODULES, f"{len(loaded)} modules"
