"""The Chinese pages have every text of the English ones, with its code, links and placeholders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polib
import pytest

from docs import catalogues
from tests.constants import ROOT

pytestmark = pytest.mark.source_tree

if not catalogues.FOLDER.exists():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)

CATALOGUES = sorted(set(catalogues.FOLDER.rglob("*.po")) - {catalogues.FOLDER / "sphinx.po"})
"""All of them except the words of the theme."""
TRANSLATED = (
    *("checkpoints", "emulator", "errors", "glossary", "importing", "index", "progress"),
    *("quickstart", "readme", "reports", "sending", "taking-back"),
)
"""Pages that must have a catalogue."""


@pytest.mark.parametrize("page", TRANSLATED)
def test_page_has_a_catalogue(page: str) -> None:
    """The pages for users of the library and of the emulator exist in Chinese."""
    assert catalogues.FOLDER / f"{page}.po" in CATALOGUES


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda path: path.stem)
def test_catalogue_is_in_step_with_its_page(catalogue: Path) -> None:
    """No text is missing, fuzzy, left over or changed, and no code, link or placeholder is lost."""
    assert catalogues.problems(catalogue) == []


@pytest.mark.parametrize(
    ("english", "chinese", "problem"),
    [
        ("Call `send`.", "", "not translated"),
        ("Call `send`.", "呼叫 send。", "lost ['`send`']"),
        ("See [](a.md#b).", "見[乙](a.md#c)。", "lost ['link to a.md#b']"),
        ("See [](a.md#b).", "見 [](a.md#b)。", "would show the English heading"),
        ("Dear ${NAME}, {n}", "${name}，{n}", "lost ['${NAME}']"),
        ("**Live.** More", "**即時。**更多", "lost ['strong_open']"),
        ("A page", "- 一頁", "added ['bullet_list_open'"),
        ("Call `send`.", "呼叫`send`。", "punctuation at …呼叫x。…"),
        ("Yes, no", "是, 否", "punctuation at …是, 否…"),
        ("A page.", "一頁.", "punctuation at …一頁.…"),
        ("A `b`.", "一 `b` 。", "punctuation at …一 x 。…"),
        ("`a`: b", "`a`: 二", "punctuation at …`x`: 二…"),
    ],
)
def test_damaged_translation_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, english: str, chinese: str, problem: str
) -> None:
    """Each kind of damage is reported with the translation."""
    [found] = _problems_with(english, chinese, tmp_path, monkeypatch)

    assert problem in found


def _problems_with(
    english: str, chinese: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **state: Any
) -> list[str]:
    monkeypatch.setattr(catalogues, "page_of", lambda _: folder / "page.md")
    (folder / "page.md").write_text(f"{english}\n", "utf-8")
    catalogue = polib.POFile()
    catalogue.append(polib.POEntry(msgid=english, msgstr=chinese, **state))
    catalogue.save(str(folder / "page.po"))
    return catalogues.problems(folder / "page.po")


def test_fuzzy_and_obsolete_translations_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text that changed, and one that is gone, are reported."""
    fuzzy = _problems_with("A page", "一頁", tmp_path, monkeypatch, flags=["fuzzy"])
    obsolete = _problems_with("A page", "一頁", tmp_path, monkeypatch, obsolete=True)

    assert fuzzy == ["fuzzy: A page"]
    assert obsolete == ["missing: A page", "obsolete: A page"]


def test_text_that_is_not_in_the_page_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text that was changed in the page only is missing and left over."""
    _problems_with("A page", "一頁", tmp_path, monkeypatch)
    (tmp_path / "page.md").write_text("The page\n", "utf-8")

    assert catalogues.problems(tmp_path / "page.po") == [
        "missing: The page",
        "not in the page: A page",
    ]


def test_chinese_readme_is_in_step() -> None:
    """README.zh-TW.md is README.md with the texts of its catalogue."""
    chinese = ROOT / "README.zh-TW.md"

    assert chinese.read_text("utf-8") == catalogues.chinese_readme()


def test_readmes_link_to_each_other() -> None:
    """The language can be changed in the first lines."""
    english = (ROOT / "README.md").read_text("utf-8")

    assert catalogues.LINK_TO_CHINESE in english
    assert catalogues.LINK_TO_ENGLISH in catalogues.chinese_readme()
