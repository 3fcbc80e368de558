"""Runs of pytest inside a test, with the plugin of ours."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from types import ModuleType
from typing import Final

import pytest

__all__ = ["BARE", "PLUGIN", "remember", "run"]

NAME: Final = "newsleopard_async.testing.plugin"
IS_INSTALLED: Final = any(found.value == NAME for found in entry_points(group="pytest11"))
PLUGIN: Final = () if IS_INSTALLED else ("-p", NAME)
"""The option that loads the plugin; an older installation has no entry point for it."""

BARE: Final = tuple(
    f"-pno:{name}" for name in ("cacheprovider", "hypothesispytest", "schemathesis", "xdist")
)
STRICT: Final = ("-W", "error", "--strict-markers")
SCOPED: Final = ("-o", "asyncio_default_fixture_loop_scope=function")
"""Pytest-asyncio warns if it is not set, and pytest warns if no plugin defines it."""


LOADED: Final[dict[str, ModuleType]] = {}
"""What inner runs have imported."""


class _Keeper:
    """Remembers what an inner run has imported, which pytester forgets at its end.

    A library that is half forgotten would be loaded twice; see ``conftest.py``.
    """

    def pytest_unconfigure(self) -> None:
        """Look at the end of the run."""
        LOADED.update(
            (name, module)
            for name, module in sys.modules.items()
            if not name.startswith(("test_", "conftest"))
        )


def remember() -> None:
    """Put everything back that inner runs have imported."""
    for name, module in LOADED.items():
        sys.modules.setdefault(name, module)


def run(pytester: pytest.Pytester, code: str, *arguments: str) -> pytest.RunResult:
    """Run tests in this process, with every warning an error."""
    pytester.makepyfile(code)
    options = (*PLUGIN, *BARE, *STRICT, *(() if "no:asyncio" in arguments else SCOPED))
    result = pytester.runpytest_inprocess(*options, *arguments, plugins=[_Keeper()])
    remember()
    return result
