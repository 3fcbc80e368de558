"""The checks: ``nox`` takes some minutes, ``nox -s full`` runs the others, ``soak`` takes hours."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import nox
from nox.command import CommandFailed

ROOT = Path(__file__).parent
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
THIS = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The interpreter that runs nox. It always exists, so all sessions except tests use it."""
COUNTS = ROOT / ".nox" / "counts"
"""The folder in which the sessions of `full` store how many tests passed."""
nox.needs_version = ">=2025.11"
nox.options.sessions = ["quick"]
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.error_on_external_run = True
# A machine rarely has every interpreter; the interpreter that runs nox is always tested.
nox.options.error_on_missing_interpreters = False


def wake_pyenv() -> None:
    """Enable pyenv's interpreters, because its shims refuse every version that is not enabled."""
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
        # The version that runs nox goes first, because plain `python3` means the first one.
        wanted.sort(key=lambda version: not version.startswith(f"{THIS}."))
        os.environ["PYENV_VERSION"] = ":".join([*wanted, "system"])


wake_pyenv()
# Without these caches each of the many processes of the tests would compile everything again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def install(session: nox.Session, *packages: str, groups: tuple[str, ...] = ()) -> None:
    """Install packages and dependency groups in the versions of constraints.txt."""
    wanted = nox.project.dependency_groups(PYPROJECT, *groups) if groups else ()
    session.install("-c", str(ROOT / "constraints.txt"), *packages, *wanted)


def existing(*names: str) -> list[str]:
    """Return the names of the files and folders that exist."""
    return [name for name in names if (ROOT / name).exists()]


def run_each(session: nox.Session, *commands: tuple[str, ...]) -> None:
    """Run all commands, even if one fails, and fail at the end if one did."""
    failed = []
    for command in commands:
        try:
            session.run(*command)
        except CommandFailed:
            failed.append(" ".join(command))
    if failed:
        session.error("failed: " + "; ".join(failed))


@contextmanager
def running(session: nox.Session, *command: str) -> Iterator[None]:
    """Run a command of the session while others run; it uses only one core.

    Its output is printed at the end, and the session fails if the command fails.
    """
    shown = shlex.join(command)
    session.log(f"{shown} &")
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        program = shutil.which(command[0], path=session.bin)
        process = subprocess.Popen(
            [program or command[0], *command[1:]], cwd=ROOT, stdout=said, stderr=subprocess.STDOUT
        )
        try:
            yield
        finally:
            code = process.wait()
            said.seek(0)
            session.log(f"{shown}\n{said.read()}")
    if code:
        session.error(f"failed: {shown}")


def pytest(session: nox.Session, name: str, *arguments: str) -> tuple[str, ...]:
    """Write the command that runs tests on all cores and counts them under a name."""
    counts = COUNTS / session.name / f"{name}.xml"
    return ("pytest", "-n", "auto", f"--junit-xml={counts}", *arguments)


BESIDE_THE_TOWER = (
    *("cli", "durable", "emulator", "points", "rehearsal", "testing"),
    *(f"faults/test_{name}.py" for name in ("cancellation", "lost_replies", "tracebacks")),
    *("test_docs.py", "test_layering.py"),
)
"""Tests without measured coverage if `CI` is set, because measuring takes longer than running them.

The tower's own tests run every branch of it. These tests try the whole, or code beside the tower.
"""


@nox.session
def quick(session: nox.Session) -> None:
    """Check style and types, and run the tests marked quick; of these, ``-- -k name`` selects."""
    install(session, "-e", ".[all]", groups=("lint", "types"))
    typed = existing(*("newsleopard_async", "tests", "benchmarks", "noxfile.py", "docs"))
    tests: list[tuple[str, ...]] = [("pytest", "-n", "auto", "-m", "quick", *session.posargs)]
    if "CI" in os.environ and not session.posargs:
        beside = [f"tests/{name}" for name in BESIDE_THE_TOWER]
        others = [f"--ignore={name}" for name in beside]
        tests = [("coverage", "run", "-m", *tests[0], *others), (*tests[0], *beside)]
    with running(session, "mypy", *typed):
        run_each(session, ("ruff", "check"), ("ruff", "format", "--check"), *tests)


@nox.session(python=False)
def full(session: nox.Session) -> None:
    """Run everything that `quick` leaves out, on every interpreter, and count the tests."""
    shutil.rmtree(COUNTS, ignore_errors=True)
    COUNTS.mkdir(parents=True)
    # Both use one core most of the time. Tests that measure time run alone after them.
    with ThreadPoolExecutor() as threads:
        beside = [threads.submit(_ended, part, subprocess.PIPE) for part in ("docs", "wheel")]
    ended = [*chain.from_iterable(each.result() for each in beside), *_ended("tests")]
    failed = [each["name"] for each in ended if each["result"] not in ("success", "skipped")]
    sys.stdout.write(f"\n{_closing_line(len(failed))}\n")
    if failed or not ended:
        session.error("failed: " + ", ".join(failed))


def _ended(part: str, output: int | None = None) -> list[dict[str, str]]:
    """Run a session with a separate nox, and return how each of its runs ended.

    If its output is captured, it is printed at the end.
    """
    report = COUNTS / f"{part}.json"
    command = (sys.executable, "-m", "nox", "--report", str(report), "-s", part)
    ran = subprocess.run(
        command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, text=True, check=False
    )
    sys.stdout.write(ran.stdout or "")
    sys.stdout.flush()
    if not report.exists():
        return [{"name": part, "result": "failed"}]
    ended: list[dict[str, str]] = json.loads(report.read_text(encoding="utf-8"))["sessions"]
    return ended


def _closing_line(failed_sessions: int) -> str:
    """Sum up all tests; a session without tests, such as docs, counts only if it fails."""
    counted = [ET.parse(path) for path in COUNTS.rglob("*.xml")]  # noqa: S314  # pytest wrote them
    suites = [suite for each in counted for suite in each.iter("testsuite")]
    total, failures, errors, skipped = (
        sum(int(suite.attrib[name]) for suite in suites)
        for name in ("tests", "failures", "errors", "skipped")
    )
    failed = max(failures + errors, failed_sessions)
    return f"{total - failures - errors - skipped} passed, {failed} failed, {skipped} skipped"


@nox.session
def soak(session: nox.Session) -> None:
    """Run the long series by hand: more examples, faults in pairs, storms, many killed runs."""
    install(session, "-e", ".[all]", groups=("test",))
    chosen = ("-m", "soak or hypothesis", "--hypothesis-profile=soak", "--timeout=7200")
    session.run("pytest", "-n", "auto", *chosen, *session.posargs)


def _minor(version: object) -> int:
    """Return 12 for "3.12"."""
    return int(str(version).rpartition(".")[2])


AXE_CORE = "axe-core@4.14.1"
"""A JavaScript library that finds accessibility problems of a page."""


def fetch_axe(session: nox.Session) -> None:
    """Install axe-core for the tests of the page; without npm these tests are skipped."""
    npm = shutil.which("npm")
    if npm is None:
        return
    # Not create_tmp, which would also move the tests' own temporary files there.
    folder = Path(session.virtualenv.location) / "axe"
    try:
        session.run(npm, "install", "--silent", "--prefix", str(folder), AXE_CORE, external=True)
    except CommandFailed:
        return
    session.env["AXE_CORE"] = str(folder)


@nox.session(python=sorted({*SUPPORTED, THIS}, key=_minor))
def tests(session: nox.Session) -> None:
    """Run the tests; on the interpreter that runs nox, every branch of the tower must be run.

    Slow tests take 1.5 times as long under coverage, so only the quick tests are measured. Every
    fault at every request is by far the longest part, and does not depend on the interpreter.
    """
    install(session, "-e", ".[all]", groups=("browser", "test"))
    if session.posargs:
        session.run("pytest", "-n", "auto", *session.posargs)
    elif session.python == THIS:
        quick_ones: list[tuple[str, ...]] = [
            ("coverage", "erase"),
            ("coverage", "run", "-m", *pytest(session, "quick", "-m", "quick")),
        ]
        if "CI" in os.environ and any(ROOT.glob(".coverage.*")):
            # `quick` has just run and measured them.
            quick_ones = []
        fetch_axe(session)
        run_each(
            session,
            *quick_ones,
            ("coverage", "combine", "-q"),
            ("coverage", "report"),
            # Many of them wait for processes; a third worker uses this time.
            (*pytest(session, "others", "-m", "(slow or matrix) and not soak"), "-n", "3"),
        )
    elif "CI" not in os.environ:
        session.run(*pytest(session, "tests", "-m", "not soak and not matrix"))
    elif any(
        shutil.which(f"python{later}")
        for later in SUPPORTED
        if _minor(later) > _minor(session.python)
    ):
        session.skip("with CI set, only the oldest and the newest run; unset it to run all")
    else:
        # Only quick tests of code that depends on the interpreter's event loop, threads or files.
        chosen = ("testing", "transport/test_http.py", "transport/test_observer.py")
        files = (
            f"test_{name}.py" for name in ("aio", "aio_asyncio", "client", "import", "temporary")
        )
        kept = [f"tests/{name}" for name in (*chosen, *files)]
        session.run(*pytest(session, "tests", "-m", "quick", *kept))


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel and test it where the sources cannot be imported by accident.

    A user of the wheel must also find the type of every name.
    """
    room = Path(session.create_tmp())
    shutil.rmtree(room)
    dist, away = room / "dist", room / "away"
    install(session, groups=("package", "test", "verify"))
    built = build(session, dist)
    install(session, f"newsleopard-async[all] @ {built.as_uri()}")
    session.env["NEWSLEOPARD_WHEEL"] = str(built)
    _copy(away, "docs", "tests", "README.md", "pyproject.toml")
    with session.chdir(away):
        session.run("python", "-P", "-c", _ASSERT_INSTALLED.format(sources=str(ROOT)), log=False)
        # These are tested above; this session tests the packaging.
        inner: tuple[str, ...] = (
            *("checks", "contacts", "downloads", "durable", "emulator", "endpoints"),
            *("faults", "models"),
            *("points", "rehearsal", "storage", "stores", "transport", "webhooks", "workflows"),
        )
        if "CI" in os.environ:
            # `quick` runs these from the sources, and they read nothing from the wheel.
            inner += ("fleet", "testing", "test_layering.py")
        left_out = [f"--ignore=tests/{name}" for name in inner]
        chosen = ("-m", "quick and not source_tree", *left_out, *session.posargs)
        run_each(
            session,
            pytest(session, "tests", *chosen),
            ("pyright", "--verifytypes", "newsleopard_async", "--ignoreexternal"),
        )


def build(session: nox.Session, dist: Path) -> Path:
    """Build the source distribution, and from it the wheel, so that a missing file is noticed."""
    session.run("python", "-m", "build", "--no-isolation", "-o", str(dist), silent=True)
    [built] = dist.glob("*.whl")
    return built.resolve()


def _copy(target: Path, *names: str) -> None:
    """Copy everything that the tests need, except the package."""
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
def release(session: nox.Session) -> None:
    """Build and check in `dist` everything that a release has; ``-- offline`` audits nothing."""
    dist, room = ROOT / "dist", Path(session.create_tmp())
    for folder in (dist, room):
        shutil.rmtree(folder, ignore_errors=True)
    install(session, groups=("release", "test"))
    built = build(session, dist)
    session.run("twine", "check", "--strict", *map(str, dist.iterdir()))
    session.run("check-wheel-contents", "--package", "newsleopard_async", str(built))
    install(session, f"newsleopard-async[all] @ {built.as_uri()}")
    session.env["NEWSLEOPARD_WHEEL"] = str(built)
    session.run("pytest", "-q", "tests/test_packaging.py", "-k", "wheel")
    list_materials(session, built, "", dist / "sbom.cdx.json")
    versions = list_materials(session, built, "[all]", dist / "sbom-all.cdx.json")
    if "offline" in session.posargs:
        session.warn("the versions were not audited, so do not publish this")
    else:
        # Without --strict a version that the service does not know would pass.
        session.run("pip-audit", "--strict", "--no-deps", "--disable-pip", "-r", str(versions))


def list_materials(session: nox.Session, built: Path, extras: str, bill: Path) -> Path:
    """Write the software bill of materials (SBOM) of the wheel with extras.

    Returns: a file with the versions of all packages that come with it.
    """
    version = built.name.split("-")[1]
    place = Path(session.create_tmp()) / f"wheel{extras}"
    session.run("python", "-m", "venv", "--without-pip", str(place))
    pip = ("python", "-m", "pip", "--python", str(place))
    # An address of a file would become a part of the bill.
    wanted = ("--find-links", str(built.parent), f"newsleopard-async{extras}=={version}")
    session.run(*pip, "install", "-q", "-c", str(ROOT / "constraints.txt"), *wanted)
    about = ("--output-reproducible", "--mc-type", "library", "--pyproject", "pyproject.toml")
    session.run("cyclonedx-py", "environment", *about, "-o", str(bill), str(place))
    listed = json.loads(bill.read_text(encoding="utf-8"))
    # pyproject.toml does not have the version.
    listed["metadata"]["component"]["version"] = version
    bill.write_text(json.dumps(listed, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    versions = place / "versions.txt"
    frozen = session.run(*pip, "freeze", "--exclude", "newsleopard-async", silent=True)
    versions.write_text(str(frozen), encoding="utf-8")
    return versions


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation in English and in Chinese; a warning is an error. Try its search."""
    install(session, "-e", ".[all]", "pytest", groups=("browser", "docs"))
    build = ("sphinx-build", "-W", "--keep-going", "-n", "-q")
    session.run(*build, "docs", "docs/_build/html")
    session.run(*build, "-D", "language=zh_TW", "docs", "docs/_build/html/zh-TW")
    session.env["NEWSLEOPARD_SITE"] = str(ROOT / "docs/_build/html")
    # Without the settings and fixtures of the other tests, which need many packages.
    alone = ("--noconftest", "-c", os.devnull, "--rootdir", str(ROOT))
    session.run("pytest", "-q", *alone, "tests/test_site.py")


@nox.session
def links(session: nox.Session) -> None:
    """Follow the links of the documentation to other sites, which needs the internet."""
    install(session, "-e", ".[all]", groups=("docs",))
    session.run("sphinx-build", "-q", "-b", "linkcheck", "docs", "docs/_build/links")


@nox.session
def translate(session: nox.Session) -> None:
    """Write new and changed texts into the catalogues, and README.zh-TW.md from its catalogue.

    The catalogue of the command line is compiled, too. A changed text of a page is marked fuzzy in
    its catalogue until its translation is checked. Names of pages after ``--`` get a catalogue.
    """
    install(session, "-e", ".[all]", groups=("docs", "translate"))
    session.run("python", "-m", "tests.cli_texts")
    session.run("python", "-m", "tests.library_texts")
    docs, templates = ROOT / "docs", "docs/_build/gettext"
    catalogues = docs / "locale" / "zh_TW" / "LC_MESSAGES"
    for page in session.posargs:
        catalogue = catalogues / f"{page}.po"
        catalogue.parent.mkdir(exist_ok=True)
        catalogue.touch()
    found = [path.relative_to(docs) for path in docs.rglob("*.md")]
    pages = [page for page in found if page.parts[0] not in ("_build", "skills")]
    others = [str(page) for page in pages if not (catalogues / page.with_suffix(".po")).exists()]
    shutil.rmtree(templates, ignore_errors=True)
    session.run(
        *("sphinx-build", "-b", "gettext", "-q", "docs", templates),
        *("-D", f"exclude_patterns=_build,skills,{','.join(others)}"),
        *("-D", "suppress_warnings=toc.not_readable,myst.xref_missing"),
    )
    session.run("python", "docs/catalogues.py", "template", templates)
    update = ("sphinx-intl", "update", "--no-obsolete", "-w", "0", "-l", "zh_TW")
    session.run(*update, "-p", templates, "-d", "docs/locale")
    session.run("python", "docs/catalogues.py")
