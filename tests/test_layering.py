"""Imports in the package only point downwards, and only the edges import their libraries."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TypeGuard

import attrs
import pytest

pytestmark = pytest.mark.source_tree

PACKAGE = "newsleopard_async"
ROOT = Path(__file__).parent.parent / PACKAGE

LEVELS = {
    "disclosure": 0,
    "locks": 0,
    "errors": 1,
    "clock": 1,
    "aio": 1,
    "lazy": 1,
    "version": 1,
    "plain": 2,
    "files": 2,
    "log": 2,
    "telemetry": 2,
    "temporary": 2,
    "models": 3,
    "stores": 3,
    "transport": 4,
    "contacts": 4,
    "checks": 4,
    "endpoints": 5,
    "downloads": 5,
    "webhooks": 5,
    "client": 6,
    "workflows": 7,
}
"""The levels of the tower. A room may only import rooms below its own level."""

FACE = 8
"""Only ``newsleopard_async/__init__.py`` imports everything."""

NAMES_TYPES = "errors"
"""Errors have attributes with types of the rooms above, which only type checkers import."""

BESIDE = ("emulator", "testing", "rehearsal", "cli", "durable")
"""The rooms beside the tower: they may import it, but it never imports them."""

OF_COMMANDS = (
    *("locale", "display", "runs", "accounts", "contacts", "doctor", "probing", "results"),
    *("emulating", "sending", "commands"),
)
"""The folders of the command line; each may import only those before it."""

EDGES = {
    "httpx": ("transport",),
    "httpcore": ("transport",),
    "h11": ("transport",),
    "cattrs": ("transport.wire", "plain"),
    "asyncio": ("aio",),
    "trio": ("aio",),
    "email_validator": ("contacts.rules.emails",),
    "narwhals": ("contacts.frames",),
    "python_calamine": ("contacts.workbook",),
    "starlette": ("webhooks.starlette",),
    "aiohttp": ("webhooks.aiohttp",),
    "pydantic_core": ("plain.schema",),
    "redis": ("stores",),
    "sqlalchemy": ("stores",),
}
"""The only modules of the tower that may import a library, by the beginning of their names."""

OPTIONAL = ("uvicorn", "rich", "click")
"""The tower must not import the libraries of an extra."""


DECLARED = {
    "": {"anyio", "attrs", "cattrs", "h11", "httpcore", "httpx", "tenacity"},
    "contacts": {"email_validator", "narwhals", "python_calamine"},
    "emulator": {"jinja2", "markupsafe", "starlette", "uvicorn"},
    "stores": {"redis", "sqlalchemy"},
    "durable.engine": {"dbos"},
    "durable": {"sqlalchemy"},
    "cli": {"click", "jinja2", "platformdirs", "rich", "starlette", "uvicorn"},
    "testing": {"pytest", "trio"},
    "aio": {"trio"},
    "webhooks.starlette": {"starlette"},
    "webhooks.aiohttp": {"aiohttp"},
    "plain.schema": {"pydantic_core"},
}
"""The libraries that may be imported: by the core, and also by each room.

A library that comes only with another package is not installed on every interpreter. h11 and
httpcore come with httpx at any time, markupsafe with jinja2; trio, pytest, pydantic_core and the
web frameworks are installed if they are used.
"""


@attrs.frozen
class Import:
    """One import: the importing and the imported module, as dotted names, and the line."""

    importer: str
    imported: str
    line: int

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


def imports_of(module: str, source: str, *, modules: frozenset[str] = frozenset()) -> list[Import]:
    """Read every import of a module, including imports inside functions.

    Args:
        modules: The modules that exist, to tell ``from package import module`` from a name.
    """
    tree = ast.parse(source)
    return [
        Import(module, name, node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in _imported_names(node, modules)
    ] + [Import(module, name, line) for name, line in _loaded_later(tree)]


def _loaded_later(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Read the modules that a package loads when their names are used, each with its line."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_MODULES":
            for name in ast.literal_eval(node.value):
                yield f"{PACKAGE}.{name}", node.lineno


def _imported_names(node: ast.Import | ast.ImportFrom, modules: frozenset[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = node.module or ""
    full = [f"{base}.{alias.name}" for alias in node.names]
    submodules = [name for name in full if name in modules]
    yield from submodules
    if len(submodules) < len(full):
        yield base


def room_of(module: str) -> str:
    """Return the room of a module: the name right below the package, or "" for its face."""
    return module.removeprefix(PACKAGE).lstrip(".").split(".")[0]


def violation(found: Import) -> str | None:
    """Return the problem of an import, or None."""
    room = room_of(found.importer)
    if found.imported.split(".")[0] != PACKAGE:
        return _foreign_violation(room, found)
    target = room_of(found.imported)
    if room == "emulator" and target != "emulator":
        return "the emulator shares no code with the tower"
    if room in BESIDE:
        return None
    if target in BESIDE:
        return "the tower does not know what stands beside it"
    if target != room and LEVELS.get(target, FACE) >= LEVELS.get(room, FACE):
        return "imports point downwards only"
    return None


def _foreign_violation(room: str, found: Import) -> str | None:
    library = found.imported.split(".")[0]
    if room in BESIDE:
        return None
    if library in OPTIONAL:
        return f"{library} is behind an extra"
    inner = found.importer.removeprefix(PACKAGE + ".")
    if library in EDGES and not _may_use(inner, EDGES[library]):
        return f"only {', '.join(EDGES[library])} may use {library}"
    return None


def _may_use(module: str, allowed: tuple[str, ...]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in allowed)


def modules() -> dict[str, Path]:
    """Find every module of the package."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = (PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


@cache
def all_imports() -> tuple[Import, ...]:
    """Read every import of the package, except imports for type checkers."""
    paths = modules()
    return tuple(
        found
        for module, path in paths.items()
        for found in imports_of(module, source_of(module, path), modules=frozenset(paths))
    )


def source_of(module: str, path: Path) -> str:
    """Read a module, without its block for type checkers if the block may import upwards."""
    source = path.read_text(encoding="utf-8")
    if room_of(module) != NAMES_TYPES and path.name != "__init__.py":
        return source
    return without_types(source)


def without_types(source: str) -> str:
    """Empty the blocks that no program runs; an ``else`` stays."""
    tree = ast.parse(source)
    for node in tree.body:
        if is_for_type_checkers(node):
            node.body = [ast.Pass()]
    return ast.unparse(tree)


def is_for_type_checkers(node: ast.stmt) -> TypeGuard[ast.If]:
    """Return whether a statement begins with a block that no program runs."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def test_every_import_points_downwards() -> None:
    """No module imports a room above its own, or a library of another room."""
    wrong = [f"{found}: {problem}" for found in all_imports() if (problem := violation(found))]

    assert wrong == []


def test_no_file_imports_itself_by_way_of_others() -> None:
    """Files never import each other in a circle, inside a room or across rooms."""
    assert circles(all_imports()) == []


def circles(imports: Iterable[Import]) -> list[str]:
    """Return the modules in circles of imports, and the modules that import them.

    All modules without an import of a remaining module are removed, until none is left.
    """
    left: dict[str, set[str]] = {}
    for found in imports:
        if found.imported.split(".")[0] == PACKAGE:
            left.setdefault(found.importer, set()).add(found.imported)
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    return sorted(left)


def test_else_of_the_block_for_types_is_read() -> None:
    """Only the block for type checkers is ignored, not its ``else``."""
    source = "if TYPE_CHECKING:\n    import a\nelse:\n    import b"

    [found] = imports_of(f"{PACKAGE}.errors", without_types(source))

    assert found.imported == "b"


def test_names_are_loaded_later_by_one_module_only() -> None:
    """No other test here would find an import by a text."""
    users = [m for m, path in modules().items() if "import_module" in path.read_text("utf-8")]

    assert users == [f"{PACKAGE}.lazy"]


def test_planted_circle_is_found() -> None:
    """Two files that import each other are reported, and a third that they import is not."""
    names = [("a", "b"), ("b", "c"), ("b", "a")]
    planted = [Import(f"{PACKAGE}.{one}", f"{PACKAGE}.{other}", 1) for one, other in names]

    assert circles(planted) == [f"{PACKAGE}.a", f"{PACKAGE}.b"]


def test_every_library_is_declared() -> None:
    """Only required libraries are imported, even if others are installed here."""
    wrong = [
        str(found)
        for module, path in modules().items()
        for found in imports_of(module, path.read_text(encoding="utf-8"))
        if not is_declared(found)
    ]

    assert wrong == []


def is_declared(found: Import) -> bool:
    """Return whether an import is our own, of the standard library, or required by the project."""
    library = found.imported.split(".")[0]
    inner = found.importer.removeprefix(PACKAGE).lstrip(".")
    allowed = (
        DECLARED[""] | DECLARED.get(room_of(found.importer), set()) | DECLARED.get(inner, set())
    )
    return library in {PACKAGE, *allowed} or library in sys.stdlib_module_names


@pytest.mark.parametrize(
    ("module", "library"),
    [("emulator.app", "typing_extensions"), ("client", "starlette"), ("cli.demo", "pygments")],
)
def test_undeclared_library_is_found(module: str, library: str) -> None:
    """A library that is installed but not required is reported."""
    [found] = imports_of(f"{PACKAGE}.{module}", f"import {library}")

    assert not is_declared(found)


def test_every_room_has_its_level() -> None:
    """A new room must have a level, or be listed beside the tower."""
    rooms = {room_of(module) for module in modules()} - {""}

    assert rooms <= {*LEVELS, *BESIDE}


def test_map_has_every_room_with_its_level() -> None:
    """The page for contributors has the levels of this file, and its drawing has the same rooms."""
    docs = ROOT.parent / "docs"
    levels = {room: str(level) for room, level in LEVELS.items()}
    levels |= {"__init__.py": str(FACE)} | dict.fromkeys(BESIDE, "beside")

    page = (docs / "contributing.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d|beside) \| `([\w.]+)` \|", page, re.MULTILINE)
    drawn = re.findall(
        r'class="name">(?:the face: )?(\w+)', (docs / "house.svg").read_text("utf-8")
    )

    assert {room: level for level, room in rows} == levels
    assert sorted(drawn) == sorted(room.removesuffix(".py") for room in levels)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("models.campaign", "from newsleopard_async.transport.api import send"),
        ("errors", "import newsleopard_async.checks.csv"),
        ("contacts.sources", "from newsleopard_async.checks.rules import RULES"),
        ("stores.swap", "from newsleopard_async.models.codes import ListSn"),
        ("clock", "from newsleopard_async import aio"),
        ("models", '_MODULES = {"workflows.sending": ("send_campaign",)}'),
        ("transport.wired", "import cattrs"),
        ("transport.api", "from newsleopard_async import workflows"),
        ("transport.api", "from newsleopard_async import NewsLeopard"),
        ("checks.csv", "from newsleopard_async.endpoints import contacts"),
        ("endpoints.contacts", "def f():\n    from newsleopard_async.client import NewsLeopard"),
        ("workflows.send", "from newsleopard_async.emulator import Emulator"),
        ("client", "from newsleopard_async.testing import ManualClock"),
        ("emulator.app", "from newsleopard_async.errors import APIError"),
        ("emulator.app", "from newsleopard_async import clock"),
        ("endpoints.contacts", "import httpx"),
        ("workflows.send", "from httpcore import ConnectError"),
        ("models.campaign", "import cattrs.gen"),
        ("transport.api", "import cattrs"),
        ("clock", "import asyncio"),
        ("transport.retry", "import trio.lowlevel"),
        ("client", "from rich import print"),
        ("webhooks.receiver", "from starlette.routing import Route"),
        ("webhooks.starlette", "from aiohttp import web"),
        ("webhooks.receiver", "from newsleopard_async.client import NewsLeopard"),
        ("contacts.sources", "from email_validator import validate_email"),
        ("contacts.sources", "import narwhals"),
        ("", "import uvicorn"),
    ],
)
def test_planted_violation_is_found(module: str, source: str) -> None:
    """The check finds a wrong import at any place and in any form."""
    known = frozenset({*modules(), f"{PACKAGE}.workflows", f"{PACKAGE}.clock"})

    found = imports_of(f"{PACKAGE}.{module}".rstrip("."), source, modules=known)

    assert any(violation(one) for one in found)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("workflows.send", "from newsleopard_async.client import NewsLeopard"),
        ("transport.pools", "import httpx, h11, httpcore"),
        ("transport.wire.values", "import cattrs"),
        ("plain", "from cattrs import Converter"),
        ("aio", "import asyncio, trio"),
        ("webhooks.starlette", "from starlette.routing import Route"),
        ("models.campaign", "from newsleopard_async.errors import InvalidRequest"),
        ("emulator.app", "from newsleopard_async.emulator.http.messages import lists"),
        ("cli.demo", "from newsleopard_async import NewsLeopard\nimport rich"),
        ("", "from newsleopard_async import workflows"),
    ],
)
def test_proper_import_is_let_through(module: str, source: str) -> None:
    """An allowed import is not reported."""
    known = frozenset({*modules(), f"{PACKAGE}.workflows"})

    found = imports_of(f"{PACKAGE}.{module}".rstrip("."), source, modules=known)

    assert [violation(one) for one in found if violation(one)] == []


def test_folders_of_the_command_line_import_in_one_direction() -> None:
    """A subject knows those that it is made of, and not those that use it."""
    place = {name: number for number, name in enumerate(OF_COMMANDS)}

    def folder(module: str) -> str:
        return module.removeprefix(f"{PACKAGE}.cli.").split(".")[0]

    wrong = [
        str(each)
        for each in all_imports()
        if folder(each.importer) in place
        and place.get(folder(each.imported), -1) > place[folder(each.importer)]
    ]
    assert wrong == []
    folders = {path.name for path in (ROOT / "cli").iterdir() if path.is_dir()} - {"__pycache__"}
    assert folders == set(OF_COMMANDS)
