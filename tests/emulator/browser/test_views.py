"""All views in a real browser: narrow and wide, dark and light, English and 中文."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.sandbox.page.labels import SECTIONS

pytestmark = pytest.mark.slow
UI = "/_emulator/ui/"
WIDTHS = (320, 375, 768, 1_440)
Codes = dict[str, str]

VIEWS: dict[str, Callable[[Codes], str]] = {
    **{name: lambda _, path=path: path for name, path, _ in SECTIONS},  # type: ignore[misc]
    "mail": lambda codes: f"{UI}mails/{codes['sent']}-0-4",
    "mail of a test": lambda codes: f"{UI}mails/{codes['test']}-0-3",
    "text": lambda codes: f"{UI}mails/{codes['sent']}-0-4?show=text",
    "source": lambda codes: f"{UI}mails/{codes['sent']}-0-4?show=source",
    "headers": lambda codes: f"{UI}mails/{codes['sent']}-0-4?show=headers",
    "no mails": lambda _: f"{UI}mails?q=absent",
    "campaign": lambda codes: f"{UI}campaigns/{codes['sent']}",
    "test": lambda codes: f"{UI}campaigns/{codes['test']}",
    "planned": lambda codes: f"{UI}campaigns/{codes['planned']}",
    "list": lambda codes: f"{UI}lists/{codes['list']}",
    "contact": lambda _: f"{UI}contacts/member03@example.com",
    "import": lambda codes: f"{UI}imports/{codes['import']}",
    "request": lambda codes: f"{UI}requests/{codes['request']}",
    "nothing": lambda _: f"{UI}nothing",
}


@pytest.fixture(scope="module")
def codes(account: tuple[Emulator, Codes]) -> Codes:
    """The codes of the views, of an account with a fault and a script."""
    emulator, codes = account
    emulator.delay("submit_campaign", seconds=90, times=3)
    emulator.script_import("ERROR")
    emulator.exhaust_day()
    emulator.snapshot("before the sale")
    emulator.switch(first_page=1, verified_senders=("service@example.com",))
    return {**codes, "request": emulator.requests[-1].request_id}


class View:
    """A page that opens the views, with its console messages and requests."""

    def __init__(self, browser: Any, url: str, language: str) -> None:
        context = browser.new_context(base_url=url, locale=language)
        context.set_default_timeout(10_000)
        self.url = url
        self.page = context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def open(self, path: str) -> None:
        """Open a view, and clear the records of the previous one."""
        self.said.clear()
        self.asked.clear()
        self.page.goto(path)


@pytest.fixture(scope="module")
def views(browser: Any, url: str) -> Iterator[dict[str, View]]:
    """A page for each language."""
    opened = {language: View(browser, url, language) for language in ("en-US", "zh-TW")}
    yield opened
    for each in opened.values():
        each.page.context.close()


@pytest.mark.parametrize("language", ["en-US", "zh-TW"])
@pytest.mark.parametrize("view", VIEWS)
def test_view_is_accessible(
    views: dict[str, View], codes: Codes, axe: str | None, view: str, language: str
) -> None:
    """No sideways scrolling, no problem in the browser or axe-core, and no foreign request."""
    shown, page = views[language], views[language].page

    shown.open(VIEWS[view](codes))
    too_wide, faults = _looked_at(page, axe, is_dark_first=language == "en-US")

    assert too_wide == {}
    assert faults == []
    assert [each for each in shown.said if "404 (Not Found)" not in each or view != "nothing"] == []
    assert [each for each in shown.asked if not each.startswith((f"{shown.url}/", "data:"))] == []
    lang = "zh-Hant-TW" if language == "zh-TW" else "en"
    assert page.locator("html").get_attribute("lang") == lang


def _looked_at(
    page: Any, axe: str | None, *, is_dark_first: bool
) -> tuple[dict[int, int], list[tuple[str, str]]]:
    """Check a page at each width, in colour schemes that alternate with width and language."""
    too_wide = {}
    for place, width in enumerate(WIDTHS):
        scheme = ("dark", "light")[(place + (not is_dark_first)) % 2]
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            too_wide[width] = wide
    if axe is None:
        return too_wide, []
    page.evaluate(axe)  # not a script of the page, so its policy does not apply
    options: dict[str, Any] = {"iframes": False, "resultTypes": ["violations"]}
    if not is_dark_first:
        # The other language has the same elements. Only the colours differ in the dark scheme.
        options["runOnly"] = ["color-contrast"]
    found = page.evaluate("(options) => axe.run(document, options)", options)
    return too_wide, [
        (each["id"], _where(each))
        for each in found["violations"]
        if each["impact"] in {"serious", "critical"}
    ]


def test_axe_core_is_installed(axe: str | None) -> None:
    """axe-core finds problems of contrast, names and roles; without it they are not checked."""
    if axe is None:
        pytest.skip("axe-core is not installed: npm install --prefix DIR axe-core; AXE_CORE=DIR")

    assert "axe" in axe


def _where(violation: dict[str, Any]) -> str:
    return json.dumps([node["html"][:200] for node in violation["nodes"]][:3], ensure_ascii=False)


def test_buttons_are_large_enough_for_a_finger(browser: Any, url: str) -> None:
    """Buttons are at least 44 pixels high and wide on a touch screen."""
    context = browser.new_context(
        base_url=url, has_touch=True, is_mobile=True, viewport={"width": 375, "height": 800}
    )
    page = context.new_page()
    small = []
    for path in ("/", f"{UI}controls", f"{UI}switches?q=list", f"{UI}mails"):
        page.goto(path)
        small += page.evaluate(
            """[...document.querySelectorAll('button, .button, select, .sections a')]
            .filter((each) => each.checkVisibility())
            .map((each) => [each.textContent.slice(0, 20), each.getBoundingClientRect()])
            .filter(([, box]) => box.height < 44 || box.width < 44)
            .map(([text, box]) => `${text} ${box.width} x ${box.height}`)"""
        )
    context.close()

    assert small == []
