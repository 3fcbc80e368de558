"""The page is complete in 中文: no text, word or switch is in English only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from jinja2 import Environment
from jinja2.ext import extract_from_ast

from newsleopard_async.emulator import Switches
from newsleopard_async.emulator.sandbox.page import formats, labels, pages, switch_translations
from newsleopard_async.emulator.sandbox.page.translations import CHINESE

NAMES = {
    "Enter",
    "ms",
    "newsleopard",
    "async",
    "emulator",
    "openapi",
    "json",
    "eml",
    "Retry",
    "After",
}
"""Words that are the same in both languages."""
TEMPLATES = sorted(Path(pages.__file__).with_name("templates").glob("*.html"))


def _texts_of(template: Path) -> set[str]:
    tree = Environment(autoescape=True).parse(template.read_text(encoding="utf-8"))
    found = [text for _, _, text in extract_from_ast(tree, gettext_functions=("_",))]
    texts = [each if isinstance(each, tuple) else (each,) for each in found]
    return {text for each in texts for text in each if text is not None}


def _words() -> Iterator[str]:
    for table in (labels.WORDS, labels.EVENTS, labels.READERS, labels.KINDS, labels.MOMENTS):
        yield from table.values()
    yield from formats.UNITS
    yield from labels.FAULTS.values()
    yield from (title for _, _, title in labels.SECTIONS)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_every_text_of_a_template_has_its_chinese(template: Path) -> None:
    """The table contains all texts of the templates."""
    assert _texts_of(template) - set(CHINESE) == set()


def test_every_word_has_its_chinese() -> None:
    """The table contains the labels of tokens, and the sections of the page."""
    assert set(_words()) - set(CHINESE) == set()


def test_no_chinese_is_left_over() -> None:
    """The table contains only texts of the templates and labels."""
    used = set[str](_words()).union(*map(_texts_of, TEMPLATES))

    assert set(CHINESE) - used == set()


def test_values_are_the_same_in_both_languages() -> None:
    """Both texts contain the same values."""
    for english, chinese in CHINESE.items():
        assert re.findall(r"\{\w+\}", english) == re.findall(r"\{\w+\}", chinese)


def test_every_switch_is_described_in_chinese() -> None:
    """The table contains exactly the existing switches, in order."""
    assert list(switch_translations.CHINESE) == [field.name for field in attrs.fields(Switches)]


def test_template_has_no_untranslated_text() -> None:
    """Templates contain no English text between tags."""
    for template in TEMPLATES:
        bare = re.sub(
            r"<(script|style|svg|title|pre)\b.*?</\1>|\{[{%#].*?[}%#]\}|<[^>]*>|&\w+;",
            " ",
            template.read_text(encoding="utf-8"),
            flags=re.DOTALL,
        )
        left = set(re.findall(r"[A-Za-z]{2,}", bare)) - NAMES
        assert left == set(), template.name
