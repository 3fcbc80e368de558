"""An extension of Sphinx: the documentation as programs read it, made from the same pages.

The English site gets ``llms.txt`` (https://llmstxt.org), which lists the pages with their first
sentences, each page as Markdown beside its HTML, and ``SKILL.md``, the sections that an agent must
know before it sends a mail. ``python docs/agents.py`` writes ``SKILL.md`` into ``docs/skills``.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

DOCS = Path(__file__).parent
SITE = "https://newsleopard-async.readthedocs.io/en/latest/"
SKILL_FILE = DOCS / "skills" / "newsleopard-async" / "SKILL.md"

TITLE = "Send mail campaigns with newsleopard-async"
ABOUT = (
    "Send e-mail campaigns, import contacts and fetch reports through the NewsLeopard (電子豹) API "
    "from Python or the command line, without ever sending a campaign twice. Use it when a task "
    "needs newsleopard_async or the command newsleopard, or when the outcome of a send is unknown."
)
SKILL = (
    ("index", "what-it-guarantees"),
    ("quickstart", "see-it-work"),
    ("quickstart", "start-an-emulator"),
    ("quickstart", "send-a-campaign-to-it"),
    ("sending", "send-a-campaign"),
    ("sending", "the-send-key"),
    ("importing", "import-contacts"),
    ("reports", "export-a-report"),
    ("rehearsal", "rehearsals"),
    ("../README", "or-from-a-shell"),
    ("command-line", "for-programs"),
    ("command-line", "exit-status"),
    ("command-line", "continue-and-decide"),
    ("quickstart", "before-your-first-real-campaign"),
    ("quickstart", "when-something-goes-wrong"),
    ("sending", "when-the-reply-to-a-submit-is-lost"),
    ("taking-back", "call-a-campaign-off"),
    ("errors", "what-to-do"),
)
"""The sections of the skill: each is a page and the anchor of a heading."""
OPTIONAL = {"changelog", "contributing", "releasing", "words"}
"""Pages that an agent can leave out, which llms.txt has a name for."""

_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_DIRECTIVE = re.compile(
    r"^```\{(?P<kind>[\w-]+)\} ?(?P<argument>.*?)\n(?P<body>.*?)^```\n", re.MULTILINE | re.DOTALL
)
_LINK = re.compile(
    r"\[(?P<text>[^\]\[]*)\]\((?P<page>[\w./-]*?)(?:\.md)?(?P<hash>#(?P<anchor>[\w-]+))?\)"
)


@attrs.frozen
class Section:
    """A heading with everything up to the next heading, and the anchors that lead to it."""

    level: int
    title: str
    body: str
    anchors: tuple[str, ...]


def read(page: str) -> str:
    """Read a page with the files that it includes, and without what only Sphinx can read."""
    source = DOCS / f"{page}.md"

    def expanded(found: re.Match[str]) -> str:
        if found["kind"] == "toctree":
            return _list_of_pages(found["body"])
        if found["kind"] not in ("include", "literalinclude"):
            return ""
        text = (source.parent / found["argument"]).read_text(encoding="utf-8")
        if found["kind"] == "include":
            return text
        if first := re.search(r":start-at: (.+)", found["body"]):
            text = text[text.index(first[1]) :]
        language = re.search(r":language: (\w+)", found["body"])
        return f"```{language[1] if language else ''}\n{text.rstrip()}\n```\n"

    text = _DIRECTIVE.sub(expanded, source.read_text(encoding="utf-8"))
    return re.sub(r"^<!--.*?-->\n", "", text, flags=re.MULTILINE | re.DOTALL)


def _list_of_pages(toctree: str) -> str:
    caption = re.search(r":caption: (.+)", toctree)
    pages = re.findall(r"^[\w/-]+$", toctree, re.MULTILINE)
    return "\n".join([str(caption and caption[1]), "", *(f"- []({page}.md)" for page in pages), ""])


def sections_of(page: str) -> Iterator[Section]:
    """Divide a page at its headings; a ``#`` in a block of code is not a heading."""
    text = read(page)
    blocks = [found.span() for found in _FENCE.finditer(text)]
    heads = [
        found
        for found in re.finditer(r"^((?:\(.+\)=\n)*)(#+) (.+)\n", text, re.MULTILINE)
        if not any(begin < found.start() < end for begin, end in blocks)
    ]
    ends = [found.start() for found in heads[1:]] + [len(text)]
    for head, end in zip(heads, ends, strict=True):
        targets = re.findall(r"\((.+)\)=", head[1])
        slug = re.sub(r"[^\w\- ]", "", head[3].lower()).replace(" ", "-")
        body = text[head.end() : end].strip()
        yield Section(len(head[2]), head[3].strip(), body, (slug, *targets))


def section(page: str, anchor: str) -> Section:
    """Find a section by the page and the anchor.

    Raises:
        LookupError: the page has no such heading.
    """
    for each in sections_of(page):
        if anchor in each.anchors:
            return each
    raise LookupError(f"{page}.md has no heading with the anchor {anchor}")


def resolved(text: str, page: str) -> str:
    """Make each relative link absolute, and give a link without a text the title of its target."""

    def link(found: re.Match[str]) -> str:
        named = (Path(page).parent / found["page"]).as_posix() if found["page"] else page
        target = posixpath.normpath(named).removeprefix("../docs/")
        if not (DOCS / f"{target}.md").exists():
            return found[0]
        title = found["text"] or _title(target, found["anchor"])
        return f"[{title}]({address(target)}{found['hash'] or ''})"

    pieces = re.split(f"({_FENCE.pattern})", text, flags=_FENCE.flags)
    # Every second piece is a block of code.
    return "".join(_LINK.sub(link, each) if not at % 2 else each for at, each in enumerate(pieces))


def _title(page: str, anchor: str | None) -> str:
    return section(page, anchor).title if anchor else next(sections_of(page)).title


def address(page: str) -> str:
    """Return where the site has a page as Markdown; the reference exists only as HTML."""
    return f"{SITE}{page}.{'html' if page == 'api' else 'md'}"


def as_markdown(page: str) -> str:
    """Write a page as plain Markdown."""
    return resolved(re.sub(r"^\(.+\)=\n", "", read(page), flags=re.MULTILINE), page)


def summary(page: str) -> str:
    """Return the first paragraph of a page in one line and without links."""
    first = next(sections_of(page)).body.partition("\n\n")[0]
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", resolved(first, page))
    # A last sentence that ends with a colon leads to an example.
    said = re.sub(r"(?<=\.) [^.]*:$", "", " ".join(text.split()))
    return "" if said.startswith(("|", "```", "- ")) else said


def llms_txt() -> str:
    """List all pages under the captions of the front page."""
    source = (DOCS / "index.md").read_text(encoding="utf-8")
    groups: dict[str, list[str]] = {}
    for found in _DIRECTIVE.finditer(source):
        caption = re.search(r":caption: (.+)", found["body"])
        for page in re.findall(r"^[\w/-]+$", found["body"], re.MULTILINE):
            name = "Optional" if page in OPTIONAL else str(caption and caption[1])
            groups.setdefault(name, []).append(page)
    lines = [f"# {next(sections_of('index')).title}", "", f"> {summary('index')}", ""]
    lines += ["## Skill", "", f"- [{TITLE}]({SITE}SKILL.md): {ABOUT}", ""]
    # The specification gives the name Optional a meaning, and wants it last.
    for name in sorted(groups, key="Optional".__eq__):
        lines += [f"## {name}", ""]
        for page in groups[name]:
            said = summary(page)
            entry = f"- [{_title(page, None)}]({address(page)})"
            lines.append(f"{entry}: {said}" if said else entry)
        lines.append("")
    return "\n".join(lines)


def skill() -> str:
    """Put the skill together from its sections."""
    head = f"---\nname: {SKILL_FILE.parent.name}\ndescription: {ABOUT}\n---\n\n# {TITLE}\n"
    parts = [head]
    for page, anchor in SKILL:
        found = section(page, anchor)
        parts.append(f"\n## {found.title}\n\n{resolved(found.body, page)}\n")
    parts.append(f"\nAll pages: {SITE}llms.txt\n")
    return "".join(parts)


def write(app: Any, failure: Exception | None) -> None:
    """Write the files onto the English site."""
    if failure or app.builder.name != "html" or app.config.language != "en":
        return
    for page in app.env.found_docs:
        (Path(app.outdir) / f"{page}.md").write_text(as_markdown(page), encoding="utf-8")
    (Path(app.outdir) / "llms.txt").write_text(llms_txt(), encoding="utf-8")
    (Path(app.outdir) / "SKILL.md").write_text(skill(), encoding="utf-8")


def setup(app: Any) -> dict[str, Any]:
    """Write the files when the site is built.

    Returns: what Sphinx may do: the files depend on no other extension.
    """
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    SKILL_FILE.parent.mkdir(parents=True, exist_ok=True)
    SKILL_FILE.write_text(skill(), encoding="utf-8")
