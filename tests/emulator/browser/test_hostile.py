"""The content of a mail cannot run scripts, load files or leave its frame."""

from __future__ import annotations

from typing import Any

import pytest

from newsleopard_async.emulator import Emulator
from tests.emulator.browser.elsewhere import Elsewhere

expect = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: pip install --group browser"
).expect
pytestmark = pytest.mark.slow

LINKS = ("#leave", "#top", "#new", "#submit")
SETTLED_MS = 300
"""Chosen: after 300 ms, a browser on this machine has begun all its requests."""


def hostile_mail(account: tuple[Emulator, dict[str, str]]) -> str:
    """Return the id of a hostile mail."""
    return f"{account[1]['hostile']}-0-0"


def test_mail_in_its_frame_is_text(
    page: Any, account: tuple[Emulator, dict[str, str]], elsewhere: Elsewhere
) -> None:
    """The mail is shown, and no click in it causes a request or a navigation."""
    page.goto(f"/_emulator/ui/mails/{hostile_mail(account)}")
    title, address = page.title(), page.url
    frame = page.frame_locator("figure.wide iframe")
    expect(frame.get_by_text("Hello from a hostile mail")).to_be_visible()

    for link in LINKS:
        page.goto(address)
        target = page.frame_locator("figure.wide iframe").locator(link)
        target.hover(force=True)
        target.click(force=True)
        page.wait_for_timeout(SETTLED_MS)
        assert page.url == address
        assert page.title() == title

    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert len(page.context.pages) == 1
    assert elsewhere.arrived == []


@pytest.mark.parametrize("path", ["outbox/{mail}/html", "campaigns/{campaign}/html"])
def test_mail_on_its_own_is_text(
    page: Any, account: tuple[Emulator, dict[str, str]], elsewhere: Elsewhere, path: str
) -> None:
    """This is also true if its HTML is opened without the page."""
    names = {"mail": hostile_mail(account), "campaign": account[1]["hostile"]}
    page.goto("/_emulator/" + path.format(**names))
    address = page.url

    expect(page.get_by_text("Hello from a hostile mail")).to_be_visible()
    for link in LINKS:
        page.locator(link).hover()
        page.locator(link).click()
        page.wait_for_timeout(SETTLED_MS)

    assert page.url.removesuffix("#") == address
    assert page.title() != "ran"
    assert len(page.context.pages) == 1
    assert elsewhere.arrived == []


@pytest.mark.parametrize("show", ["text", "source", "headers"])
def test_mail_as_text_is_text(
    page: Any, account: tuple[Emulator, dict[str, str]], elsewhere: Elsewhere, show: str
) -> None:
    """Its source is escaped."""
    page.goto(f"/_emulator/ui/mails/{hostile_mail(account)}?show={show}")
    page.wait_for_timeout(SETTLED_MS)

    expect(page.locator("main img, main script, main iframe")).to_have_count(0)
    assert elsewhere.arrived == []
