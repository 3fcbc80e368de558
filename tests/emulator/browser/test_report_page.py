"""The page of ``newsleopard report --html`` in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from newsleopard_async.cli.results.report_page.report_html import report_html
from tests.cli.results.report_pages import AB_TEST, CAMPAIGN_DATA, NOTHING

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["campaign", "ab_test", "nothing"])
def test_page_fits_and_is_accessible(
    browser: Any, axe: str | None, tmp_path: Path, name: str
) -> None:
    """From a phone to a wide screen, dark and light: no sideways scrolling, no barrier, no load."""
    data = {"campaign": CAMPAIGN_DATA, "ab_test": AB_TEST, "nothing": NOTHING}[name]
    path = tmp_path / "page.html"
    path.write_text(report_html(data), encoding="utf-8")
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())

    too_wide, barriers = [], []
    for width, scheme in ((320, "light"), (360, "dark"), (1_440, "light")):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        if page.evaluate("document.documentElement.scrollWidth") > width:
            too_wide.append(width)
        if axe is not None and width != 320:
            page.evaluate(axe)
            options = {"resultTypes": ["violations"]}
            found = page.evaluate("(options) => axe.run(document, options)", options)
            barriers += [each["id"] for each in found["violations"]]
    context.close()

    assert too_wide == []
    assert barriers == []
    assert said == []
    assert asked == [path.as_uri()]
