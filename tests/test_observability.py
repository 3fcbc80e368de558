"""The page on logs, traces and metrics agrees with the code."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys

import pytest

from newsleopard_async import telemetry
from newsleopard_async.transport import calls, spans
from newsleopard_async.workflows import pipeline, progress
from tests.constants import ROOT

PAGE = ROOT / "docs" / "observability.md"
EXAMPLE = ROOT / "docs" / "examples" / "traced_send.py"
if not PAGE.exists():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)


@pytest.mark.slow
def test_page_shows_the_output_of_the_traced_send() -> None:
    """The command on the page prints the log and the trace on the page."""
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


def _first_cells(head: str) -> set[str]:
    """Return the names in the first column of a table of the page."""
    page = PAGE.read_text("utf-8")
    [rows] = re.findall(rf"^\| {head} \|.*\n((?:\|.*\n)+)", page, re.MULTILINE)
    return {name for row in rows.splitlines() for name in re.findall("`(.+?)`", row.split("|")[1])}


def test_page_lists_every_field_of_the_log() -> None:
    """Exactly the fields of records are documented."""
    assert _first_cells("field") == set(re.findall(r'"(nl_\w+)"', inspect.getsource(calls)))


def test_page_lists_every_attribute_of_spans() -> None:
    """Exactly the attributes of spans and their events are documented."""
    sources = "".join(inspect.getsource(each) for each in (telemetry, spans, progress))
    names = re.findall(r'"((?:error|http|newsleopard|server|url)\.[\w.]+)"', sources)

    assert _first_cells("attribute") == {
        *(set(names) - set(telemetry._INSTRUMENTS) - {"newsleopard.attempt"}),
        *(f"newsleopard.{code}" for code in pipeline._CODES),
    }


def test_page_lists_every_metric_with_its_unit() -> None:
    """An operator finds each one by its name."""
    rows = re.findall(
        r"^\| `((?:http|newsleopard)\.client\.[\w.]+)` \| `?([^`|]+?)`? \|",
        PAGE.read_text("utf-8"),
        re.MULTILINE,
    )

    assert dict(rows) == {name: made.unit for name, made in telemetry._INSTRUMENTS.items()}
