"""A reader meets plain English, one name for one thing, and the reason beside each number."""

from __future__ import annotations

import ast
import functools
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.constants import ROOT

pytestmark = pytest.mark.source_tree

PACKAGE = ROOT / "newsleopard_async"
MODULES = sorted(PACKAGE.rglob("*.py"))

RULED_OUT = re.compile(
    r"\b(?:whatever|whoever|nobody(?!@)|somebody|in vain"
    r"|(?<!there )(?:is|are|was|were) no (?!(?:longer|more|less|fewer)\b)\w+)",
    re.IGNORECASE,
)
"""Words that a reader whose second language is English has to translate first."""

MIRRORS = ("endpoints", "models", "emulator/platform", "emulator/sandbox")
"""Folders that describe the same things of the platform, each from its own side."""

TWINS = {
    # The emulator imports nothing of the tower, so it has its own.
    *("Clock", "ReportFile", "Storage", "Webhooks", "clock", "storage"),
    # A pipeline, a check or a durable send beside the endpoint or the model of its subject.
    *("automation", "contacts", "once", "schedule"),
    # The routes of the control API, beside the views that they return.
    *("emulator", "mails"),
}
"""Names that occur twice for another reason."""

UNITS = {"DAY", "DAY_S", "EPOCH", "HOUR", "MIB", "MILLISECOND", "ONE_MONTH", "TAIPEI"}
"""Constants whose name gives the reason."""


def texts() -> Iterator[Path]:
    """Yield all that a person reads in the repository, except the changelog and a built site."""
    for folder in ("newsleopard_async", "tests", "benchmarks", "docs"):
        for suffix in ("py", "md", "html", "lua"):
            found = (ROOT / folder).rglob(f"*.{suffix}")
            yield from (path for path in found if "_build" not in path.parts)
    yield from (ROOT / "README.md", ROOT / "noxfile.py")


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """Parse a module."""
    return ast.parse(path.read_text(encoding="utf-8"))


def number(node: ast.expr) -> bool:
    """Return whether an expression is a chosen number, or is computed from one."""
    if isinstance(node, ast.Constant):
        return type(node.value) in (int, float)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "timedelta"
    return isinstance(node, ast.BinOp | ast.UnaryOp) and any(
        number(each) for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr)
    )


def without_reason(path: Path) -> Iterator[str]:
    """Yield the chosen numbers of a module that have no reason above, beside or below them."""
    lines = path.read_text(encoding="utf-8").splitlines()
    body = tree_of(path).body
    for node, following in zip(body, [*body[1:], None], strict=True):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case _:
                continue
        if not name.isupper() or name.strip("_") in UNITS or not number(value):
            continue
        is_above = lines[node.lineno - 2].startswith("#")
        is_beside = "  # " in lines[value.lineno - 1]
        # Constants on consecutive lines share the reason below the last one.
        is_below = following is not None and following.lineno == (node.end_lineno or 0) + 1
        if not (is_above or is_beside or is_below):
            yield f"{path.relative_to(ROOT)}:{node.lineno}: {name}"


def side_of(path: Path) -> str:
    """Return the folder of a module, one name for all that mirror the platform."""
    folder = path.parent.relative_to(PACKAGE).as_posix()
    return next((folder for each in MIRRORS if folder.startswith(each)), "elsewhere")


def twins(names: dict[str, list[Path]]) -> dict[str, list[str]]:
    """Return the names that occur more than once on a side, or on one that mirrors nothing."""
    found = {}
    for name, paths in names.items():
        sides = {side_of(path) for path in paths}
        if len(paths) > len(sides) or (len(paths) > 1 and "elsewhere" in sides):
            found[name] = sorted(str(path.relative_to(PACKAGE)) for path in paths)
    return {name: paths for name, paths in found.items() if name not in TWINS}


def test_no_text_has_a_word_that_is_ruled_out() -> None:
    """Docstrings, comments, messages and pages are in plain English."""
    found = [
        f"{path.relative_to(ROOT)}:{place}: {line.strip()}"
        for path in texts()
        for place, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if path != Path(__file__) and RULED_OUT.search(line)
    ]

    assert found == []


@pytest.mark.parametrize("text", ["no row is no CSV", "Nobody answers", "whatever comes"])
def test_planted_word_is_found(text: str) -> None:
    """The search finds what it is for."""
    assert RULED_OUT.search(text)


def test_no_class_has_the_name_of_another() -> None:
    """One class name stands for one thing, except where two rooms describe the same thing."""
    names: dict[str, list[Path]] = defaultdict(list)
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef):
                names[node.name.lstrip("_")].append(path)

    assert twins(names) == {}


def test_no_module_has_the_name_of_another() -> None:
    """One module name stands for one subject, except where two rooms describe the same one."""
    names: dict[str, list[Path]] = defaultdict(list)
    for path in MODULES:
        if path.name != "__init__.py":
            names[path.stem].append(path)

    assert twins(names) == {}


def test_every_chosen_number_has_its_reason() -> None:
    """A constant has a measurement, a source or the reason of the choice beside it."""
    assert [each for path in MODULES for each in without_reason(path)] == []


def test_rules_are_in_kebab_case() -> None:
    """The ids that programs rely on have one spelling."""
    rules = {
        node.args[1].value
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "Problem"
        and len(node.args) > 1
        and isinstance(node.args[1], ast.Constant)
    }

    assert len(rules) > 30
    assert [each for each in rules if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", str(each))] == []
