"""The built site: its search finds what readers look for, in a real browser.

The session ``docs`` of nox runs this, and gives the folder of the site in NEWSLEOPARD_SITE. It uses
no fixture of the other tests, because that session does not install what they need.
"""

from __future__ import annotations

import functools
import http.server
import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SITE = Path(os.environ.get("NEWSLEOPARD_SITE", "."))
if "NEWSLEOPARD_SITE" not in os.environ:
    pytest.skip("NEWSLEOPARD_SITE does not name a built site", allow_module_level=True)

SEARCHES = {
    "群組": "glossary",
    "名單": "glossary",
    "寄送識別碼": "glossary",
    "lost reply": "repeating",
    "lost replies": "repeating",
    "OutcomeUnknown": "errors",
    "40012": "platform",
}
"""Queries, each with one of the pages that it must find in both languages."""

FIND = "query => Search._performSearch(...Search._parseQuery(query)).map(found => found[0])"
"""Searches without showing the results, which takes much longer."""


@pytest.fixture(params=["", "zh-TW/"], ids=["en", "zh-TW"])
def language(request: pytest.FixtureRequest) -> str:
    """The folder of the site in one language."""
    return str(request.param)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A handler that serves files and logs nothing."""

    def log_message(self, *_details: Any) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a server with the site."""
    handler = functools.partial(Quiet, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    """One page of the Chromium of ``CHROMIUM``, else of the one on the path."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not installed: install it, or set CHROMIUM to its path")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(10_000)
        yield page
        browser.close()


def pages_of(links: list[str]) -> set[str]:
    """Return the names of the pages that links lead to."""
    return {link.partition("#")[0].removesuffix(".html") for link in links}


@pytest.mark.parametrize("query", ["群組", "lost reply"])
def test_reader_finds_a_page(query: str, language: str, address: str, page: Any) -> None:
    """A reader types a query, and sees a link to the page and the number of pages."""
    page.goto(f"{address}{language}search.html")
    page.fill("form.sidebar-search-container input", query)
    page.press("form.sidebar-search-container input", "Enter")
    page.wait_for_function("Search.status && Search.status.innerText")

    links = page.eval_on_selector_all(
        "ul.search li a", "links => links.map(link => link.getAttribute('href'))"
    )

    assert SEARCHES[query] in pages_of(links)
    assert str(len(links)) in page.inner_text(".search-summary")


def test_every_query_finds_its_page(language: str, address: str, page: Any) -> None:
    """The search finds Chinese words, English words in any form, names and numbers."""
    page.goto(f"{address}{language}search.html")
    page.wait_for_function("Search.hasIndex()")

    found = {query: pages_of(page.evaluate(FIND, query)) for query in SEARCHES}

    assert {query: {SEARCHES[query]} & pages for query, pages in found.items()} == {
        query: {page} for query, page in SEARCHES.items()
    }


def test_index_has_chinese_words_and_numbers(language: str) -> None:
    """The index has both also on a machine without a browser."""
    text = (SITE / language / "searchindex.js").read_text("utf-8")
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    words = {*index["terms"], *index["titleterms"]}

    assert {"群組", "名單", "群", "lost", "repli", "40012"} <= words


def test_agents_find_the_pages_as_markdown() -> None:
    """The list of pages and the skill are at the root of the site, with the pages beside them."""
    listed = (SITE / "llms.txt").read_text("utf-8")

    assert "/SKILL.md)" in listed
    assert (SITE / "SKILL.md").exists()
    assert (SITE / "errors.md").read_text("utf-8").startswith("# Errors\n")


@pytest.mark.parametrize("here", ["", "zh-TW/"], ids=["en", "zh-TW"])
def test_page_links_to_itself_in_the_other_language(here: str) -> None:
    """Every page exists in both languages, and each leads to the other, at any depth."""
    there = "" if here else "zh-TW/"
    sources = SITE / here / "_sources"

    for source in sources.rglob("*.txt"):
        name = source.relative_to(sources).as_posix().removesuffix(".md.txt") + ".html"
        page = SITE / here / name
        found = re.search(r'<p class="other-language"><a href="([^"]+)"', page.read_text("utf-8"))
        assert found is not None, page
        assert (page.parent / found[1]).resolve() == (SITE / there / name).resolve()
        assert (SITE / there / name).exists()
