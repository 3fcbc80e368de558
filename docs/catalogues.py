"""The texts of the pages and their Chinese: what a catalogue must have, and README.zh-TW.md.

``nox -s translate`` writes new texts into the catalogues, and README.zh-TW.md from its catalogue.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polib
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "locale" / "zh_TW" / "LC_MESSAGES"
CHINESE_README = ROOT / "README.zh-TW.md"

LINK_TO_CHINESE = "English · [中文](README.zh-TW.md)\n"
LINK_TO_ENGLISH = """[English](README.md) · 中文

以下連結的文件是英文原稿。中文版請看[文件網站](https://newsleopard-async.readthedocs.io)，每一頁的右上角都能切換成\
中文（較深入的頁面只有英文）；也可以執行 `nox -s docs`，再開啟 `docs/_build/html/zh-TW/index.html`。
"""
"""The second paragraphs of both READMEs; everything else of them is translated."""

MARKDOWN = MarkdownIt("commonmark").enable("table")
TARGET = re.compile(r"^\([^()\s]+\)=\n?", re.MULTILINE)
"""An anchor of MyST, such as ``(in-use)=``."""
CAPTION = re.compile(r"^:caption: (.+)$", re.MULTILINE)
PLACEHOLDER = re.compile(r"\$?\{\w+\}")
HAN = "[\u3400-\u9fff]"
LATIN = "[A-Za-z0-9]"
UNTIDY = re.compile(
    f"{HAN}{LATIN}|{LATIN}{HAN}"
    f"|{HAN}[,:;?!()]|[,;?!()]{HAN}|{HAN}\\.(?!\\w)"
    r"|[\u3001\u3002\uff01-\uff1f] | (?=[\u3001\u3002\uff01-\uff1f])"
)
"""Half-width punctuation or a missing space beside Chinese, or a space beside full-width signs."""


ENGLISH_HEADING = re.compile(r"\[\]\([^)]*#[^)]*\)")
"""A link to a heading without a text: MyST puts the English heading there, in Chinese too."""

CODE = re.compile("`[^`]*`")
HALF_WIDTH = re.compile(r"[`)][,:;] ")
"""Half-width punctuation after code or a link."""


def page_of(catalogue: Path) -> Path:
    """Return the file whose texts a catalogue translates."""
    name = catalogue.relative_to(FOLDER).with_suffix(".md")
    return ROOT / "README.md" if name == Path("readme.md") else ROOT / "docs" / name


def texts(page: str) -> list[str]:
    """Return the texts of a page as Sphinx finds them, each once: paragraphs, cells, headings."""
    found = []
    for token in MARKDOWN.parse(page.replace(LINK_TO_CHINESE, "")):
        if token.type == "inline":
            found.append(_text(token))
        elif token.type == "fence" and token.info == "{toctree}":
            found += CAPTION.findall(token.content)
    return list(dict.fromkeys(filter(None, found)))


def _text(token: Token) -> str:
    """Return the text of a token in one line, without an anchor before it."""
    return " ".join(line.strip() for line in TARGET.sub("", token.content).splitlines())


def parts(text: str) -> Counter[str]:
    """Count what a translation must keep: code, links with their anchors, bold, placeholders.

    Italics are not among them, because Chinese has quotation marks instead.
    """
    tokens = MARKDOWN.parse(text)
    # A translation must not become a list or a heading by its first characters.
    found = Counter(token.type for token in tokens if token.type.endswith("_open"))
    for token in tokens:
        found.update(_inline_parts(token.children or []))
    return found


def _inline_parts(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type == "code_inline":
            yield f"`{token.content}`"
        elif token.type == "text":
            yield from PLACEHOLDER.findall(token.content)
        elif token.type in {"link_open", "image"}:
            yield f"link to {token.attrGet('href') or token.attrGet('src')}"
        elif token.type in {"strong_open", "html_inline"}:
            yield token.type


def prose(text: str) -> str:
    """Return a text without its markup, with a Latin letter for code and for a page's title."""
    [inline] = MARKDOWN.parseInline(re.sub(r"\[\]\([^)]*\)", "x", text))
    return "".join(
        "x" if token.type == "code_inline" else token.content for token in inline.children or []
    )


def problems(catalogue: Path) -> list[str]:
    """Return what is wrong with a catalogue: nothing may be missing, left over or damaged."""
    entries = _entries(catalogue)
    current = {entry.msgid: entry for entry in entries if not entry.obsolete}
    wanted = texts(page_of(catalogue).read_text("utf-8"))
    return [
        *(f"missing: {text}" for text in wanted if text not in current),
        *(f"not in the page: {text}" for text in current if text not in wanted),
        *(f"obsolete: {entry.msgid}" for entry in entries.obsolete_entries()),
        *(line for entry in current.values() for line in _problems_of(entry)),
    ]


def _problems_of(entry: polib.POEntry) -> Iterator[str]:
    original, translation = entry.msgid, entry.msgstr
    if entry.fuzzy:
        yield f"fuzzy: {original}"
    if not translation:
        yield f"not translated: {original}"
    elif parts(original) != parts(translation):
        lost, added = parts(original) - parts(translation), parts(translation) - parts(original)
        yield f"lost {sorted(lost)}, added {sorted(added)}: {translation}"
    for link in ENGLISH_HEADING.findall(translation):
        yield f"a link that would show the English heading, {link}: {translation}"
    text, markup = prose(translation), CODE.sub("`x`", translation)
    for untidy in (*UNTIDY.finditer(text), *HALF_WIDTH.finditer(markup)):
        around = untidy.string[max(untidy.start() - 8, 0) : untidy.end() + 8]
        yield f"spaces or punctuation at …{around}…: {translation}"


def chinese_readme() -> str:
    """Return README.md with the texts of its catalogue.

    A paragraph becomes one line, because a line break between two Chinese words would be a space.
    """
    page = (ROOT / "README.md").read_text("utf-8").replace(LINK_TO_CHINESE, LINK_TO_ENGLISH)
    chinese = {entry.msgid: entry.msgstr for entry in _entries(FOLDER / "readme.po")}
    lines = page.splitlines()
    for token in reversed(MARKDOWN.parse(page)):
        translation = chinese.get(_text(token)) if token.type == "inline" else None
        if translation and token.map:
            first, end = token.map
            start = lines[first].index(token.content.splitlines()[0])
            lines[first:end] = [lines[first][:start] + translation]
    return "\n".join(lines) + "\n"


def _entries(catalogue: Path) -> polib.POFile:
    return polib.pofile(str(catalogue), encoding="utf-8")


def write_template(folder: Path) -> None:
    """Write the texts of README.md as a template, as Sphinx does it for the pages."""
    template = polib.POFile(encoding="utf-8", wrapwidth=0)
    template.metadata = {"Content-Type": "text/plain; charset=UTF-8"}
    for text in texts((ROOT / "README.md").read_text("utf-8")):
        template.append(polib.POEntry(msgid=text))
    template.save(str(folder / "readme.pot"))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["template", folder]:
            write_template(Path(folder))
        case _:
            CHINESE_README.write_text(chinese_readme(), "utf-8")
