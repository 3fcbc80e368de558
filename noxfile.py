"""Every check of the project: ``nox`` runs them all, ``nox -s tests-3.12`` runs one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

ROOT = Path(__file__).parent
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
THIS = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The interpreter that runs nox. It is there for certain, so every session but tests uses it."""
MATRIX = "tests/faults/test_matrix.py"
"""Every fault at every request: by far the longest part, no matter of the interpreter, and
slower by half under coverage, which needs none of it."""

nox.needs_version = ">=2025.11"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.error_on_external_run = True
# A machine rarely has every interpreter; the one that runs nox is tested in any case.
nox.options.error_on_missing_interpreters = False


def wake_pyenv() -> None:
    """Make pyenv's interpreters run: its shims refuse every version that is not switched on."""
    pyenv = shutil.which("pyenv")
    if pyenv is None or "PYENV_VERSION" in os.environ:
        return
    command = [pyenv, "versions", "--bare", "--skip-aliases"]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    wanted = [
        version
        for version in found
        if version.rpartition(".")[0] in SUPPORTED and version.replace(".", "").isdigit()
    ]
    if wanted:
        # The version that runs nox goes first, since plain `python3` means the first one.
        wanted.sort(key=lambda version: not version.startswith(f"{THIS}."))
        os.environ["PYENV_VERSION"] = ":".join([*wanted, "system"])


wake_pyenv()


def install(session: nox.Session, *packages: str, groups: tuple[str, ...] = ()) -> None:
    """Install packages and dependency groups in the versions of constraints.txt."""
    wanted = nox.project.dependency_groups(PYPROJECT, *groups) if groups else ()
    session.install("-c", str(ROOT / "constraints.txt"), *packages, *wanted)


def existing(*names: str) -> list[str]:
    """Keep the names of files and folders that are there."""
    return [name for name in names if (ROOT / name).exists()]


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    install(session, groups=("lint",))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, the tests' and the benchmarks' too."""
    install(session, "-e", ".[all]", groups=("types",))
    session.run(
        "mypy", *existing("newsleopard_async", "tests", "benchmarks", "noxfile.py", "docs/conf.py")
    )


@nox.session(python=sorted({*SUPPORTED, THIS}, key=lambda version: int(version[2:])))
def tests(session: nox.Session) -> None:
    """Run the tests; on the interpreter that runs nox, every branch of the tower must be run."""
    install(session, "-e", ".[all]", groups=("test",))
    without_matrix = ("--ignore", MATRIX)
    if session.posargs:
        session.run("pytest", "-n", "auto", *session.posargs)
    elif session.python == THIS:
        session.run("coverage", "erase")
        session.run("coverage", "run", "-m", "pytest", "-n", "auto", *without_matrix)
        session.run("coverage", "combine", "-q")
        session.run("coverage", "report")
        session.run("pytest", "-n", "auto", MATRIX)
    else:
        session.run("pytest", "-n", "auto", *without_matrix)


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel and test it where the sources cannot be imported by accident."""
    room = Path(session.create_tmp())
    shutil.rmtree(room)
    dist, away = room / "dist", room / "away"
    install(session, groups=("package", "test"))
    # The source distribution first, and the wheel from that: a file left out shows at once.
    session.run("python", "-m", "build", "--no-isolation", "-o", str(dist), silent=True)
    [built] = dist.glob("*.whl")
    install(session, f"newsleopard-async[all] @ {built.resolve().as_uri()}")
    _copy(away, "docs", "tests", "README.md", "pyproject.toml")
    with session.chdir(away):
        session.run("python", "-P", "-c", _ASSERT_INSTALLED.format(sources=str(ROOT)), log=False)
        # These are tested at length above; here it is the packaging.
        inner = ("checks", "faults", "models", "storage", "transport")
        left_out = [f"--ignore=tests/{name}" for name in inner]
        session.run("pytest", "-n", "auto", "-m", "not source_tree", *left_out, *session.posargs)


def _copy(target: Path, *names: str) -> None:
    """Copy what the tests need, which is everything but the package."""
    for name in names:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "_build")
            shutil.copytree(source, target / name, ignore=ignored)
        else:
            shutil.copy(source, target / name)


_ASSERT_INSTALLED = """
import pathlib, newsleopard_async
found = pathlib.Path(newsleopard_async.__file__).resolve()
assert "site-packages" in found.parts, f"imported from {{found}}, not from the wheel"
assert found.parent != pathlib.Path({sources!r}, "newsleopard_async"), found
"""


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    install(session, "-e", ".[all]", groups=("docs",))
    session.run("sphinx-build", "-W", "--keep-going", "-n", "-q", "docs", "docs/_build/html")
