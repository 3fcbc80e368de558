"""An extension of Sphinx: the site in English, and in Chinese below ``zh-TW/`` of the same site.

Each page links to itself in the other language. A page without a catalogue in ``locale`` appears in
English on the Chinese site, with a line that says so. ``-D language=zh_TW`` builds the Chinese one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

CHINESE = "zh_TW"
FOLDER = "zh-TW/"
"""Where the Chinese site is inside the English one."""
ENGLISH_ONLY = {"api": "API 參考", "changelog": "版本紀錄"}
"""Long pages without a translation: the Chinese site links to the English ones.

Reading the docstrings for the API reference takes twice as long as everything else.
"""
CATALOGUES = Path(__file__).parent / "locale" / CHINESE / "LC_MESSAGES"

logger = logging.getLogger(__name__)


def is_translated(page: str) -> bool:
    """Return whether a page has a catalogue."""
    return (CATALOGUES / f"{page}.po").exists()


def replace_english_only(app: Sphinx, page: str, source: list[str]) -> None:
    """Replace a page that exists only in English by a link to it."""
    if app.config.language == CHINESE and page in ENGLISH_ONLY:
        source[0] = (
            f"# {ENGLISH_ONLY[page]}\n\n這一頁只有英文：<a href='../{page}.html'>{page}</a>。\n"
        )


def warn_of_missing(app: Sphinx, doctree: Any) -> None:
    """Warn of a translated page with texts that its catalogue does not have."""
    page = app.env.docname
    if app.config.language == CHINESE and is_translated(page):
        for node in doctree.findall(is_missing):
            logger.warning("not translated: %s", node.rawsource, location=page)


def is_missing(node: Any) -> bool:
    """Return whether Sphinx found no translation of a node.

    It marks the captions of a toctree as missing even after it has translated them.
    """
    return (
        node.__class__.__name__ != "toctree"
        and getattr(node, "attributes", {}).get("translated") is False
    )


def link_languages(
    app: Sphinx, page: str, _template: str, context: dict[str, Any], _doctree: Any
) -> None:
    """Give the template the URL of the page in the other language, and whether it is in English."""
    is_chinese = app.config.language == CHINESE
    # Other pages, such as the index of Python's modules, exist on the English site only.
    target = page if page in {*app.env.found_docs, "search", "genindex"} else app.config.root_doc
    step = "../" if is_chinese else FOLDER
    up = "../" * page.count("/")
    context["is_chinese"] = is_chinese
    context["other_language"] = up + step + app.builder.get_target_uri(target)
    context["lacks_translation"] = (
        is_chinese
        and page in app.env.found_docs
        and page not in ENGLISH_ONLY
        and not is_translated(page)
    )


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the functions.

    Returns: what Sphinx may do: each page is read separately.
    """
    app.connect("source-read", replace_english_only)
    app.connect("doctree-read", warn_of_missing)
    app.connect("html-page-context", link_languages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
