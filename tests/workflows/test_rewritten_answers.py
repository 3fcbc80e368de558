"""A mailing with the answers of one operation rewritten: it passes, or the error says why not.

Parsing does not depend on the event loop, so these tests run only on asyncio.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.constants import ROOT
from tests.workflows.rewrites import REWRITES, Rewrite, outcome_of, printed

PAGE = ROOT / "docs" / "platform.md"
BEGIN, END = "<!-- rewritten answers -->\n\n", "\n\n<!-- end of rewritten answers -->"


@pytest.mark.matrix
@pytest.mark.asyncio
@pytest.mark.parametrize(
    "rewrite", REWRITES, ids=lambda each: f"{each.operations.partition(' ')[0]}-{each.name}"
)
async def test_rewritten_answer_stops_nothing_without_a_reason(
    rewrite: Rewrite, tmp_path: Path
) -> None:
    """Small differences stop nothing, and no list or campaign is created twice."""
    assert re.match(rewrite.wanted, await outcome_of(rewrite, tmp_path))


@pytest.mark.source_tree
@pytest.mark.skipif(not PAGE.exists(), reason="the documentation is not beside the tests")
def test_documentation_has_the_table() -> None:
    """The page lists the outcome of a mailing for each rewritten answer."""
    table = PAGE.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]

    assert table == printed({each: each.wanted for each in REWRITES})
