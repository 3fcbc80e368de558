"""The page on logs, traces and metrics says what the code does."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from newsleopard_async import telemetry
from tests.constants import ROOT

PAGE = ROOT / "docs" / "observability.md"
EXAMPLE = ROOT / "docs" / "examples" / "traced_send.py"
if not PAGE.exists():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)


@pytest.mark.slow
def test_page_shows_what_the_traced_send_prints() -> None:
    """The log and the trace on the page are those of the command beside them."""
    quiet = {name: value for name, value in os.environ.items() if "COV" not in name}
    run = subprocess.run(
        [sys.executable, EXAMPLE],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**quiet, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
    )

    blocks = re.findall(r"^```text\n(.*?)\n```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert run.stdout.rstrip("\n") in blocks


def test_page_lists_every_metric_with_its_unit() -> None:
    """An operator finds each one by its name."""
    rows = re.findall(
        r"^\| `((?:http|newsleopard)\.client\.[\w.]+)` \| `?([^`|]+?)`? \|",
        PAGE.read_text("utf-8"),
        re.MULTILINE,
    )

    assert dict(rows) == {name: made.unit for name, made in telemetry._INSTRUMENTS.items()}
