"""One browser, one server and one account for each file of these tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.server import running
from tests.emulator.page.account import fill, make

ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The Chromium of ``CHROMIUM``, else the one on the path."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install --group browser"
    )
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        # In CI, .ci/run has installed it. A skip would hide a failed installation.
        give_up = pytest.fail if "CI" in os.environ else pytest.skip
        give_up("Chromium is not installed: install it, or set CHROMIUM to its path")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield found
        found.close()


@pytest.fixture(scope="module")
def axe() -> str | None:
    """The source of axe-core, which finds barriers for users; None if it is not installed."""
    path = Path(os.environ.get("AXE_CORE", ""), "node_modules", "axe-core", "axe.min.js")
    return path.read_text(encoding="utf-8") if path.is_file() else None


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Any]:
    """Another server on another port, which records all connections."""
    from tests.emulator.browser.elsewhere import Elsewhere

    with Elsewhere() as place:
        yield place


@pytest.fixture(scope="module")
def account(elsewhere: Any) -> tuple[Emulator, dict[str, str]]:
    """An account with one example of everything, and a hostile mail, shared by a test file."""
    emulator = make()
    # In another thread, because playwright runs its own event loop in this one.
    with start_blocking_portal() as portal:
        return emulator, portal.call(_filled, emulator, elsewhere.url)


async def _filled(emulator: Emulator, hostile: str) -> dict[str, str]:
    return await fill(emulator, hostile=hostile)


@pytest.fixture(scope="module")
def url(account: tuple[Emulator, dict[str, str]]) -> Iterator[str]:
    """The base URL of the page."""
    with running(account[0]) as base_url:
        yield base_url


@pytest.fixture
def page(browser: Any, url: str) -> Iterator[Any]:
    """A separate page, in English, with the width of a laptop."""
    context = browser.new_context(
        base_url=url, locale="en-US", viewport={"width": 1280, "height": 900}
    )
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()
