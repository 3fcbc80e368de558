"""The demonstration can leave its page open, so that a user can look at the mails."""

from __future__ import annotations

import io
import re

import httpx
import pytest
from rich.console import Console

from newsleopard_async.cli.emulating.demo import run_demo

pytestmark = pytest.mark.slow


def test_kept_demo_serves_the_page_with_its_mails() -> None:
    """The last line has the address of the page, which answers until the end."""
    output = io.StringIO()
    pages: list[str] = []

    def look() -> None:
        [url] = re.findall(r"The mails are at (\S+) until Ctrl-C", output.getvalue())
        pages.append(httpx.get(url).raise_for_status().text)

    run_demo(Console(file=output, width=80), 20, pace=0.05, until=look)

    [page] = pages
    assert "您的專屬優惠" in page
