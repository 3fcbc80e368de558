"""The installed package has the promised requirements, types and commands."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import newsleopard_async
from tests.constants import ROOT

IN_THE_WHEEL = {".css", ".html", ".js", ".lua", ".mo", ".po", ".py", ".svg", ".typed"}
"""The kinds of files of the package."""

CORE = {"anyio", "attrs", "cattrs", "httpx", "tenacity", "tzdata"}


def requirements(extra: str | None = None) -> set[str]:
    """Return the names that the installed package requires, for all or for one extra."""
    found = set()
    for line in metadata.requires("newsleopard-async") or ():
        name = re.match(r"[\w.-]+", line)
        of_extra = re.search(r"extra == ['\"](\w+)['\"]", line)
        if name and (of_extra[1] if of_extra else None) == extra:
            found.add(name[0].lower())
    return found


def test_core_requires_six_packages() -> None:
    """The core requires only these, and tzdata only on Windows."""
    assert requirements() == CORE


def test_extras_are_those_of_the_design() -> None:
    """Each extra requires the libraries of its room; `cli` includes the emulator."""
    check = {"email-validator"}
    emulator = {"jinja2", "starlette", "uvicorn"}

    assert requirements("check") == check
    assert requirements("emulator") == emulator
    assert requirements("cli") == emulator | {"click", "platformdirs", "rich"}
    assert requirements("xlsx") == {"python-calamine"}
    assert requirements("otel") == {"opentelemetry-api"}
    assert requirements("redis") == {"redis"}
    assert requirements("sql") == {"psycopg", "sqlalchemy"}
    assert requirements("dbos") == {"dbos", "psycopg", "sqlalchemy"}
    assert requirements("all") == check | emulator | {
        *("click", "platformdirs", "rich", "python-calamine", "opentelemetry-api"),
        *("dbos", "psycopg", "redis", "sqlalchemy"),
    }


def test_package_is_typed() -> None:
    """Type checkers take the annotations of the installed package (PEP 561)."""
    assert Path(newsleopard_async.__file__).with_name("py.typed").is_file()


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("newsleopard", "newsleopard_async.cli:main"),
        ("newsleopard-async", "newsleopard_async.cli.uvx:run"),
    ],
)
def test_command_is_installed(name: str, function: str) -> None:
    """Both are entry points of the package; uvx looks for the one with the package's name."""
    [command] = metadata.entry_points(group="console_scripts", name=name)

    assert command.value == function


def test_page_on_the_index_has_no_relative_links() -> None:
    """The README is also the page of the package on PyPI, which has no other file."""
    page = metadata.metadata("newsleopard-async").json["description"]

    links = re.findall(r"\]\(([^)]+)\)", str(page))

    assert len(links) > 10
    assert [link for link in links if not link.startswith("https://")] == []


def test_version_is_that_of_the_package() -> None:
    """``__version__`` and the metadata of the installed package agree, and PEP 440 accepts both."""
    assert metadata.version("newsleopard-async") == newsleopard_async.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+)?", newsleopard_async.__version__)


def test_all_is_sorted_and_exists() -> None:
    """The names of the face are sorted, and each of them can be imported."""
    names = newsleopard_async.__all__

    assert list(names) == sorted(names)
    assert all(hasattr(newsleopard_async, name) for name in names)


@pytest.fixture
def names_in_the_wheel() -> list[str]:
    """Read the names of all files in the wheel that a session of nox has built."""
    wheel = os.environ.get("NEWSLEOPARD_WHEEL")
    if not wheel:
        pytest.skip("no wheel was built")
    with zipfile.ZipFile(wheel) as files:
        return files.namelist()


@pytest.mark.parametrize(
    "wanted",
    [
        "newsleopard_async/py.typed",
        "newsleopard_async/cli/locale/zh_TW/LC_MESSAGES/messages.mo",
        "newsleopard_async/cli/locale/zh_TW/LC_MESSAGES/messages.po",
        "newsleopard_async/transport/limits/*.lua",
        "newsleopard_async/cli/results/report_page/templates/*.css",
        "newsleopard_async/cli/results/report_page/templates/*.html",
        "newsleopard_async/emulator/sandbox/page/static/*.css",
        "newsleopard_async/emulator/sandbox/page/static/*.js",
        "newsleopard_async/emulator/sandbox/page/static/*.svg",
        "newsleopard_async/emulator/sandbox/page/templates/*.html",
        "*.dist-info/licenses/LICENSE",
    ],
)
def test_wheel_has_files_that_are_not_python(wanted: str, names_in_the_wheel: list[str]) -> None:
    """Types, scripts of Redis, templates and static files are in the wheel, and the licence."""
    assert fnmatch.filter(names_in_the_wheel, wanted)


def test_wheel_has_nothing_else(names_in_the_wheel: list[str]) -> None:
    """The wheel has no tests, no compiled code, and nothing beside the package."""
    package = [name for name in names_in_the_wheel if ".dist-info/" not in name]

    assert [name for name in package if not name.startswith("newsleopard_async/")] == []
    assert {Path(name).suffix for name in package} <= IN_THE_WHEEL
    assert fnmatch.filter(package, "*/test_*") == []


@pytest.mark.source_tree
def test_first_line_that_names_the_demo_runs_it() -> None:
    """The first line of the README that names the demo is the command itself."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()

    first = next(line for line in lines if "newsleopard demo" in line)

    assert first == (
        'python3 -m venv .venv && .venv/bin/pip install -q ".[cli]" && .venv/bin/newsleopard demo'
    )


@pytest.mark.source_tree
@pytest.mark.skipif(sys.platform == "win32", reason="the script is bash's")
@pytest.mark.parametrize("codes", [(7, 0), (0, 7)], ids=["first", "second"])
def test_ci_runs_both_commands_of_the_readme(codes: tuple[int, int], tmp_path: Path) -> None:
    """The script runs both lines, even if the first fails, and ends with the code of a failure."""
    (tmp_path / ".ci").mkdir()
    script = tmp_path / ".ci" / "run"
    script.write_text((ROOT / ".ci" / "run").read_text(encoding="utf-8"), encoding="utf-8")
    full = tmp_path / ".venv" / "bin" / "nox"
    full.parent.mkdir(parents=True)
    full.write_text(f"#!/bin/sh\necho $@ >> said\nexit {codes[1]}\n")
    full.chmod(0o700)
    readme = f"x\npython3 -m venv --help >said; exit {codes[0]} # a/nox\n.venv/bin/nox -s full\n"
    (tmp_path / "README.md").write_text(readme, encoding="utf-8")

    run = subprocess.run(["bash", str(script)], check=False, capture_output=True, timeout=60)

    assert run.returncode == 7
    assert "usage: venv" in (tmp_path / "said").read_text()
    assert (tmp_path / "said").read_text().endswith("-s full\n")


@pytest.mark.source_tree
def test_ci_finds_its_commands_in_the_readme() -> None:
    """The README has exactly the two lines that the script runs."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    [pattern] = re.findall(r"grep -E '([^']+)'", script)
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()

    found = [line for line in lines if re.search(pattern, line)]

    assert found == [
        'python3 -m venv .venv && .venv/bin/pip install -q "nox[uv]" && .venv/bin/nox',
        ".venv/bin/nox -s full",
    ]
