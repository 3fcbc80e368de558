"""What agents read is made from the pages, and leads to pages that exist."""

from __future__ import annotations

import re

import pytest

from docs import agents
from tests.constants import ROOT

pytestmark = pytest.mark.source_tree

if not (agents.DOCS / "index.md").exists():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)

PAGES = {
    path.relative_to(agents.DOCS).with_suffix("").as_posix()
    for path in agents.DOCS.rglob("*.md")
    if not {"_build", "skills"} & {*path.parts}
}


def test_skill_is_in_step_with_the_pages() -> None:
    """The file is what ``python docs/agents.py`` writes."""
    assert agents.SKILL_FILE.read_text("utf-8") == agents.skill()


def test_skill_has_what_makes_a_send_safe() -> None:
    """An agent reads of the emulator, the checks, the send key and the unknown outcome."""
    text = agents.skill()

    head = re.match(r"---\nname: ([a-z-]+)\ndescription: (.+)\n---\n", text)
    assert head
    assert head[1] == agents.SKILL_FILE.parent.name
    # The limit of the format; a tool loads all descriptions, but only the skills that it needs.
    assert len(head[2]) <= 1024
    for command in ("check", "emulator", "rehearse", "send"):
        assert f"newsleopard {command}" in text
    assert "rehearse(" in text
    assert "send_key=" in text
    assert "OutcomeUnknown" in text
    assert "do not send it again" in text


def test_list_of_pages_has_every_page_with_its_purpose() -> None:
    """Each page is listed once, below the title and the summary of the project."""
    text = agents.llms_txt()

    listed = re.findall(rf"^- \[.+?\]\({agents.SITE}(.+?)\.(?:md|html)\)", text, re.MULTILINE)
    assert re.match(r"# newsleopard-async\n\n> An async Python client .+\n\n## Skill\n", text)
    assert sorted(listed) == sorted({*PAGES - {"index"}, "SKILL"})
    assert text.count("\n## Optional\n") == 1


def test_pages_are_plain_markdown() -> None:
    """No page has a link without a text, a directive of Sphinx, or a relative link to a page."""
    for page in PAGES - {"api"}:
        text = agents.as_markdown(page)

        left = re.findall(r"\[\]\(.*|^```\{.*|\]\((?!http)[\w/-]+\.md.*", text, re.MULTILINE)

        assert left == [], page


def test_front_page_lists_all_pages() -> None:
    """The tree of the site is a list of links with the titles of the pages."""
    text = agents.as_markdown("index")

    listed = re.findall(rf"^- \[.+\]\({agents.SITE}(.+)\.(?:md|html)\)$", text, re.MULTILINE)
    assert sorted(listed) == sorted(PAGES - {"index"})


def test_part_of_a_program_begins_where_the_site_begins_it() -> None:
    """A page that shows only the end of a program does so as Markdown, too."""
    text = agents.as_markdown("recipes/kubernetes-cronjob")

    assert "```python\nasync def send(" in text


def test_code_is_not_changed() -> None:
    """What looks like a link in a block of code stays."""
    code = "```python\nrows[0](index)\n```\n"

    assert agents.resolved(f"See [](errors.md).\n\n{code}", "index") == (
        f"See [Errors]({agents.SITE}errors.md).\n\n{code}"
    )


def test_links_of_the_readme_lead_to_the_site() -> None:
    """A section of the README can be a part of the skill, too."""
    assert agents.resolved("[errors](docs/errors.md)", "../README") == (
        f"[errors]({agents.SITE}errors.md)"
    )


def test_heading_that_is_gone_is_reported() -> None:
    """A section of the skill cannot be lost by a new heading."""
    with pytest.raises(LookupError, match=r"quickstart\.md has no heading with the anchor gone"):
        agents.section("quickstart", "gone")


def test_address_of_the_site_is_that_of_the_project() -> None:
    """The links lead to the documentation that pyproject.toml names."""
    project = (ROOT / "pyproject.toml").read_text("utf-8")

    [site] = re.findall(r'^Documentation = "(.+)"$', project, re.MULTILINE)

    assert agents.SITE.startswith(f"{site}/")
