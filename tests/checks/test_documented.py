"""The documentation prints the tables of the rules as they are in the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from newsleopard_async.checks.rules import CAMPAIGN_RULES
from newsleopard_async.contacts.rules import CONTACT_RULES
from newsleopard_async.models.findings import RuleInfo, rules_table

DOCUMENT = Path(__file__).parents[2] / "docs" / "checks.md"


@pytest.mark.source_tree
@pytest.mark.parametrize(
    ("name", "rules"), [("contact", CONTACT_RULES), ("campaign", CAMPAIGN_RULES)]
)
def test_page_prints_the_rules(name: str, rules: tuple[RuleInfo, ...]) -> None:
    """The page lists each rule with its level and text."""
    page = DOCUMENT.read_text(encoding="utf-8")

    [printed] = re.findall(rf"<!-- {name} rules -->\n(.*?)\n<!-- end -->", page, re.DOTALL)

    assert printed == rules_table(rules)
