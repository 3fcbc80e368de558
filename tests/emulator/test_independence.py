"""The emulator and the client share no code, so that they cannot share a mistake."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import newsleopard_async.emulator as package

ROOT = Path(package.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
OURS = "newsleopard_async.emulator"
LEVELS = (
    *({"switches"}, {"platform"}, {"http"}, {"controls", "snapshots", "inspection"}, {"emulator"}),
    *({"newsletter"}, {"sample", "state"}, {"sandbox"}, {"server"}),
)
"""The folders and modules of the emulator, each above those that it may import."""


def _imported(path: Path) -> set[str]:
    names = set[str]()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_module_imports_nothing_of_the_client(path: Path) -> None:
    """Within the project, the emulator imports itself alone; cattrs never writes its wire.

    Only `json_codec.py` of the sandbox, which the client knows nothing of, reads and writes JSON
    with it.
    """
    names = _imported(path)

    assert {name for name in names if name.startswith("newsleopard_async")} <= {
        name for name in names if name == OURS or name.startswith(OURS + ".")
    }
    uses_cattrs = any(name.partition(".")[0] == "cattrs" for name in names)
    assert uses_cattrs is (path == ROOT / "sandbox" / "json_codec.py")


def _room(path: Path) -> str:
    """Return the folder or module of the emulator that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def test_every_room_has_a_level() -> None:
    """A new folder or module of the emulator takes its place."""
    assert {_room(path) for path in MODULES} - {"__init__"} == set().union(*LEVELS)


@pytest.mark.parametrize("level", range(len(LEVELS)), ids=lambda level: min(LEVELS[level]))
def test_room_imports_only_what_is_below_it(level: int) -> None:
    """The platform does not import the HTTP side, and no room imports one above it."""
    below = set[str]().union(*LEVELS[:level])
    for room in LEVELS[level]:
        imported = set[str]().union(*(_imported(path) for path in MODULES if _room(path) == room))
        rooms = {name.split(".")[2] for name in imported if name.startswith(OURS + ".")}

        assert rooms - {room} <= below


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_only_the_server_needs_uvicorn(path: Path) -> None:
    """In process, no server is loaded."""
    uses = any(name.partition(".")[0] == "uvicorn" for name in _imported(path))

    assert uses is (path.stem == "server")


@pytest.mark.slow
def test_emulator_in_process_loads_no_server() -> None:
    """Importing the emulator leaves uvicorn alone, and needs no multipart parser."""
    code = (
        # Starlette takes a parser if it finds one.
        "import sys; sys.modules['multipart'] = sys.modules['python_multipart'] = None;"
        "import newsleopard_async.emulator; print('uvicorn' in sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(package.__file__).parents[2],
    )

    assert done.stdout.strip() == "False"
