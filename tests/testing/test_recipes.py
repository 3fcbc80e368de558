"""The page for users' own tests: its file and its recipes run as they stand, on both loops."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from newsleopard_async.testing import plugin
from tests.constants import ROOT
from tests.testing.inner_runs import run

pytestmark = pytest.mark.source_tree
pytest_plugins = ("pytester",)

PAGE = ROOT / "docs" / "testing.md"
if not PAGE.exists():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)

TEXT = PAGE.read_text("utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
BEGIN = BLOCK.findall(TEXT.partition("## The fixtures")[0])[0].partition("\n\n\nasync def")[0]
"""What the file of tests begins with, and each recipe stands below."""


def _recipes() -> Iterator[Any]:
    """Find the recipes by their headings; those that start a process are slow."""
    recipes = TEXT.partition("## Ten recipes")[2].partition("\n## ")[0]
    for recipe in recipes.split("\n### ")[1:]:
        title = recipe.partition("\n")[0]
        [code] = BLOCK.findall(recipe)
        marks = [pytest.mark.slow] if "subprocess" in code else []
        yield pytest.param(code, id=title.replace(" ", "-"), marks=marks)


RECIPES = list(_recipes())


@pytest.mark.parametrize("code", RECIPES)
def test_recipe_passes_as_it_stands(pytester: pytest.Pytester, code: str) -> None:
    """Pasted below the first lines, it passes without a warning: on both loops if it is async."""
    result = run(pytester, f"{BEGIN}\n\n\n{code}", "-p", "no:asyncio")

    result.assert_outcomes(passed=2 if "async def test_" in code else 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "begin"),
    [
        ("strict", BEGIN.replace("pytest.mark.anyio", "pytest.mark.asyncio")),
        ("auto", BEGIN.replace("pytestmark = pytest.mark.anyio", "")),
    ],
)
def test_recipes_pass_with_pytest_asyncio(pytester: pytest.Pytester, mode: str, begin: str) -> None:
    """A whole file of them passes in both of its modes."""
    codes = [each.values[0] for each in RECIPES if not each.marks]

    result = run(pytester, "\n\n\n".join([begin, *codes]), "-o", f"asyncio_mode={mode}")

    result.assert_outcomes(passed=len(codes))


def test_file_of_tests_passes_as_it_stands(pytester: pytest.Pytester) -> None:
    """The first thing that a reader pastes."""
    [first, *_] = BLOCK.findall(TEXT)

    result = run(pytester, first, "-p", "no:asyncio")

    result.assert_outcomes(passed=2)


def test_fixtures_of_the_last_section_pass_as_they_stand(pytester: pytest.Pytester) -> None:
    """A client works with the fixtures that the page offers for use without the plugin."""
    [*_, last] = BLOCK.findall(TEXT)
    test = "def test_list(nl):\n    anyio.run(nl.contacts.create_list, '會員')\n"

    result = run(pytester, f"{last}\nimport anyio\n\n{test}", "-p", "no:asyncio")

    result.assert_outcomes(passed=1)


def test_there_are_ten_recipes() -> None:
    """As the heading says."""
    assert len(RECIPES) == 10


@pytest.mark.parametrize(
    "name", [*(each for each in plugin.__all__ if each.islower()), *plugin.OPTIONS]
)
def test_fixture_and_option_are_named_on_the_page(name: str) -> None:
    """The page names all fixtures and options."""
    assert re.search(rf"`{name}`|\b{name}=", TEXT)
