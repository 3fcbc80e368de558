"""The documentation of the control API is complete, and its examples run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from newsleopard_async.emulator import Emulator, EmulatorControl
from newsleopard_async.emulator.platform.faults import FaultKind
from newsleopard_async.emulator.sandbox.bodies import ScriptName
from newsleopard_async.emulator.sandbox.control.routes import ENDPOINTS
from newsleopard_async.emulator.server import running

pytestmark = pytest.mark.source_tree

PAGE = Path(__file__).parents[3] / "docs" / "control.md"
TEXT = PAGE.read_text("utf-8") if PAGE.exists() else ""
ADDRESS = "http://127.0.0.1:8025"


def _block(language: str) -> str:
    """Return the only example in a language."""
    [code] = re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert ADDRESS in code
    return str(code)


def test_every_endpoint_is_in_the_table() -> None:
    """The table has each path with its methods, and no other path."""
    rows = [
        [re.findall(r"`([^`]+)`", cell) for cell in line.split("|")[1:3]]
        for line in TEXT.splitlines()
        if re.match(r"\| `[A-Z]", line)
    ]

    listed = {(method, path) for methods, paths in rows for method in methods for path in paths}

    assert listed == {(each.method, each.path) for each in ENDPOINTS}


@pytest.mark.parametrize(
    "name", [name for name in vars(EmulatorControl) if not name.startswith("_")]
)
def test_everything_that_the_client_can_is_named(name: str) -> None:
    """The page names all methods of the client."""
    assert re.search(rf"`{name}\b", TEXT)


@pytest.mark.parametrize("name", [*FaultKind.__args__, *ScriptName.__args__])  # type: ignore[attr-defined]  # of a Literal
def test_every_kind_is_named(name: str) -> None:
    """The page names all values of `kind`."""
    assert f"`{name}`" in TEXT


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_example_for_a_shell_runs(tmp_path: Path) -> None:
    """Each command succeeds, and the last one receives a change."""
    with running(Emulator()) as url:
        done = subprocess.run(
            ["sh", "-eu", "-c", _block("sh").replace(ADDRESS, url)],
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=60,
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "no_proxy": "*"},
        )

    assert done.returncode == 0, done.stderr
    assert "X-NewsLeopard-Campaign: " in done.stdout
    assert '"kind":"lose_reply"' in done.stdout
    assert "event: change" in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_example_in_javascript_runs(tmp_path: Path) -> None:
    """Both tests of the example pass with Node's own runner."""
    file = tmp_path / "control.test.mjs"
    with running(Emulator()) as url:
        file.write_text(_block("js").replace(ADDRESS, url), "utf-8")
        done = subprocess.run(
            ["node", "--test", "--test-reporter=tap", file],
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=60,
        )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "# pass 2" in done.stdout
