"""Importing the library stays cheap: names are loaded at their first use, and no extra is."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

LAZY = (
    "newsleopard_async",
    "newsleopard_async.durable",
    "newsleopard_async.models",
    "newsleopard_async.stores",
    "newsleopard_async.testing",
    "newsleopard_async.workflows",
)
"""The packages whose names are loaded at their first use."""

MOST_OWN_MODULES = 70
"""Of ours, behind a client that has made a call. Counted, since a time depends on the machine."""

ONE_CALL = """
import anyio, httpx
from newsleopard_async import NewsLeopard
async def main():
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=[]))
    async with NewsLeopard("key", http_transport=transport) as nl:
        await nl.contacts.list_lists()
anyio.run(main)
"""


def loaded_by(code: str) -> frozenset[str]:
    """Run code in a new interpreter, and return the names of all loaded modules."""
    # Coverage measures subprocesses by loading itself into them.
    unmeasured = {name: text for name, text in os.environ.items() if "COV" not in name}
    run = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sorted(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=unmeasured,
    )
    return frozenset(run.stdout.split())


@pytest.fixture(scope="module")
def loaded() -> frozenset[str]:
    """Call an endpoint once, and return the names of all loaded modules."""
    return loaded_by(ONE_CALL)


@pytest.mark.slow
# httpx loads its own command line, and with it click and rich, if these are installed.
@pytest.mark.parametrize(
    "name",
    [
        *("aiohttp", "dbos", "hypothesis", "psycopg", "pydantic_core", "pytest", "redis"),
        *("sqlalchemy", "starlette", "trio", "uvicorn"),
    ],
)
def test_call_loads_nothing_optional(loaded: frozenset[str], name: str) -> None:
    """No extra's library, no test tool and no second event loop comes with a client."""
    assert name not in loaded


@pytest.mark.slow
@pytest.mark.parametrize(
    "room",
    ["cli", "downloads", "durable", "emulator", "rehearsal", "testing", "webhooks", "workflows"],
)
def test_call_loads_no_room_that_it_does_not_use(loaded: frozenset[str], room: str) -> None:
    """The pipelines, and the rooms beside the tower, are loaded only if they are used."""
    assert f"newsleopard_async.{room}" not in loaded


@pytest.mark.slow
def test_client_stays_within_its_budget(loaded: frozenset[str]) -> None:
    """The number of our modules behind a call does not grow."""
    own = [name for name in loaded if name.partition(".")[0] == "newsleopard_async"]

    assert len(own) <= MOST_OWN_MODULES, sorted(own)


@pytest.mark.slow
def test_importing_the_package_loads_nothing_else_of_ours() -> None:
    """Each name is loaded at its first use."""
    own = {name for name in loaded_by("import newsleopard_async") if "newsleopard" in name}

    assert own == {"newsleopard_async", "newsleopard_async.lazy"}


ONE_COMMAND = """
import contextlib
from newsleopard_async.cli.command_line import newsleopard
with contextlib.suppress(SystemExit):
    newsleopard(["timezones", "taipei"])
"""


@pytest.mark.slow
def test_command_loads_no_room_that_it_does_not_use() -> None:
    """The help loads all commands; one command starts in a quarter of a second."""
    rooms = ("checks", "contacts", "durable", "emulator", "endpoints", "rehearsal")

    unused = {*(f"newsleopard_async.{room}" for room in rooms), "dbos", "httpx", "sqlalchemy"}

    assert not unused & loaded_by(ONE_COMMAND)


@pytest.mark.slow
def test_plugin_of_pytest_loads_nothing_else_of_ours() -> None:
    """Pytest loads it in every run of every user of the package."""
    without = loaded_by("import pytest")

    names = loaded_by("import pytest, newsleopard_async.testing.plugin") - without

    assert names == {
        *("newsleopard_async", "newsleopard_async.lazy"),
        *("newsleopard_async.testing", "newsleopard_async.testing.plugin"),
    }


@pytest.mark.slow
def test_names_for_tests_need_no_pytest() -> None:
    """A test with another test tool can also use the clock."""
    loaded = loaded_by(
        "import sys; sys.modules['pytest'] = None\nfrom newsleopard_async.testing import *"
    )

    assert "newsleopard_async.testing.clock" in loaded
    assert "newsleopard_async.testing.plugin" not in loaded


@pytest.mark.slow
def test_importing_durable_sends_loads_no_engine() -> None:
    """The engine is loaded at its first use; a web process opens only the database."""
    own = "from newsleopard_async.durable import"
    named = loaded_by(f"{own} Durable, Send, SendSpec, SendState, SendStatus, Worker, WorkerStatus")
    opened = loaded_by(
        f"{own} Durable; import tempfile; Durable(f'sqlite:///{{tempfile.mktemp()}}')"
    )

    assert {"dbos", "sqlalchemy", "redis", "newsleopard_async.emulator"}.isdisjoint(named)
    assert "sqlalchemy" in opened
    assert {"dbos", "redis", "psycopg2"}.isdisjoint(opened)


@pytest.mark.slow
def test_importing_the_client_loads_no_http() -> None:
    """The transport is loaded with the first client, and httpx with it."""
    loaded = loaded_by("from newsleopard_async import NewsLeopard")

    assert {"httpx", "anyio", "newsleopard_async.transport.api"}.isdisjoint(loaded)


@pytest.mark.slow
def test_pipeline_loads_its_modules_before_it_begins() -> None:
    """An import that failed after a lost reply would hide that the outcome is unknown."""
    loaded = loaded_by("from newsleopard_async.workflows import send_campaign")

    names = ("endpoints.campaigns", "endpoints.contacts", "endpoints.reports", "transport.storage")
    assert {f"newsleopard_async.{name}" for name in names} <= loaded


def imported_for_type_checkers(package: str) -> list[tuple[str, str]]:
    """Return the names that a package imports for type checkers, each with its module."""
    path = Path(importlib.import_module(package).__file__ or "")
    [block] = [
        node
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return [
        (f"{node.module}.".partition(".")[2].rstrip("."), alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]


@pytest.mark.source_tree
@pytest.mark.parametrize("package", LAZY)
def test_lists_of_names_agree(package: str) -> None:
    """Type checkers, the exports and the loader have the same names."""
    module = importlib.import_module(package)
    listed: dict[str, tuple[str, ...]] = module._MODULES
    loadable = [
        (where if names else "", name)
        for where, names in listed.items()
        for name in names or (where,)
    ]

    assert sorted(name for _, name in loadable) == sorted(module.__all__)
    assert sorted(imported_for_type_checkers(package)) == sorted(loadable)


@pytest.mark.parametrize("package", LAZY)
def test_every_name_can_be_loaded_and_is_listed(package: str) -> None:
    """``dir`` shows the names before they are loaded, and each exists."""
    module = importlib.import_module(package)

    assert set(module.__all__) <= set(dir(module))
    assert all(getattr(module, name) is not None for name in module.__all__)


def test_module_among_the_names_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package has its pipelines as an attribute, imported before or not."""
    package = importlib.import_module("newsleopard_async")
    monkeypatch.delattr(package, "workflows", raising=False)

    assert package.workflows is importlib.import_module("newsleopard_async.workflows")


@pytest.mark.parametrize("package", LAZY)
def test_unknown_name_is_an_attribute_error(package: str) -> None:
    """An unknown name raises the same error as in any other module."""
    module = importlib.import_module(package)

    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'send_twice'"):
        module.send_twice  # noqa: B018 - looking is the test


@pytest.mark.parametrize("package", LAZY)
def test_no_module_has_the_name_of_a_function(package: str) -> None:
    """Otherwise the import of the module would replace the function."""
    module = importlib.import_module(package)
    folder = Path(module.__file__ or "").parent
    functions = {name for name in module.__all__ if callable(getattr(module, name))}

    assert functions.isdisjoint(path.stem for path in folder.iterdir())


def test_missing_dependency_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its error is not confused with a missing name of the package."""
    package = importlib.import_module("newsleopard_async")
    monkeypatch.delattr(package, "client", raising=False)
    monkeypatch.setitem(sys.modules, "newsleopard_async.client", None)
    missing = ModuleNotFoundError("No module named 'attrs'", name="attrs")
    monkeypatch.setattr(importlib, "import_module", mock.Mock(side_effect=missing))

    with pytest.raises(ModuleNotFoundError, match="attrs"):
        _ = package.client
