"""The HTML of a mail, parsed once for all rules.

- Line ends become line feeds, as in a browser; lines count from 1.
- Faulty HTML is read as a browser reads it (see `html_tokens`).
- Comments and the contents of style, script, title and frames are not text: they are never shown.
- Conditional comments, which only Outlook reads, are parsed separately. They repeat the visible
  content, and have tags that are closed in a later comment.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

import attrs

from newsleopard_async.checks.broken_tags import is_broken
from newsleopard_async.checks.html_tokens import (
    Comment,
    EndTag,
    StartTag,
    Text,
    Token,
    Unclosed,
    tokens_of,
)
from newsleopard_async.checks.mail_urls import Reference, images_of, links_of
from newsleopard_async.checks.markup import OutlookContent, Piece, Tag

__all__ = ["Page", "Visibility", "parse_page"]

_UNSEEN: Final = frozenset({"iframe", "noembed", "noframes", "script", "style", "title"})

_CONDITIONAL: Final = re.compile(r"\s*\[if\b", re.IGNORECASE)
"""How a conditional comment begins, which Outlook reads as HTML."""


@attrs.frozen(kw_only=True)
class Page:
    """A parsed HTML text.

    Attributes:
        field: The field of the campaign.
        size_bytes: The size of the HTML as UTF-8.
        source: The HTML without scripts and ordinary comments; the line numbers are unchanged.
        tags: All start tags.
        attributed: The start tags with attributes.
        named: All start tags by name.
        links: The links, including those for Outlook.
        images: The images, including those for Outlook.
        texts: The visible texts, with character references resolved.
        shows_text: Whether a visible text contains more than blanks.
        styles: The contents of the style sheets.
        conditionals: The source of the conditional comments.
        outlook: The parsed conditional comments.
        broken: The source of tags that continue after their intended end, also for Outlook.
        unclosed_at: The line of a tag, comment or element that is still open at the end, so that
            the rest is hidden.
    """

    field: str
    size_bytes: int
    source: str
    tags: Sequence[Tag]
    attributed: Sequence[Tag]
    named: Mapping[str, Sequence[Tag]]
    links: Sequence[Reference]
    images: Sequence[Reference]
    texts: Sequence[Piece]
    shows_text: bool
    styles: Sequence[Piece]
    conditionals: Sequence[Piece]
    outlook: OutlookContent
    broken: Sequence[Piece]
    unclosed_at: int | None

    def all_of(self, *names: str) -> Iterator[Tag]:
        """Yield the tags with these names, name by name."""
        for name in names:
            yield from self.named.get(name, ())


def parse_page(field: str, html: str) -> Page:
    """Parse the HTML of a field; any text is accepted."""
    text = html.replace("\r\n", "\n").replace("\r", "\n")
    parser = _PageParser(text)
    attributed = parser.attributed()
    outlook = _parse_for_outlook(parser.conditionals)
    all_attributed = [*attributed, *outlook.attributed]
    return Page(
        field=field,
        size_bytes=len(html.encode()),
        source=parser.source(),
        tags=parser.tags,
        attributed=attributed,
        named=_by_name(parser.tags),
        links=tuple(links_of(all_attributed)),
        images=tuple(images_of(all_attributed, [*parser.styles, *outlook.styles])),
        texts=parser.texts,
        shows_text=parser.shown.anything,
        styles=parser.styles,
        conditionals=parser.conditionals,
        outlook=outlook,
        broken=[*parser.broken, *outlook.broken],
        unclosed_at=parser.unclosed_at,
    )


def _parse_for_outlook(comments: Sequence[Piece]) -> OutlookContent:
    """Parse each comment separately, so that an open tag does not hide the next comment."""
    parsers = [_PageParser(comment.text, first_line=comment.line) for comment in comments]
    return OutlookContent(
        texts=list(chain.from_iterable(parser.texts for parser in parsers)),
        attributed=list(chain.from_iterable(parser.attributed() for parser in parsers)),
        styles=list(chain.from_iterable(parser.styles for parser in parsers)),
        broken=list(
            chain.from_iterable([*parser.broken, *parser.open_quote] for parser in parsers)
        ),
    )


def _by_name(tags: Sequence[Tag]) -> Mapping[str, Sequence[Tag]]:
    named = defaultdict(list)
    for tag in tags:
        named[tag.name].append(tag)
    return named


class _PageParser:
    """Collects the tags and texts for the rules.

    Args:
        first_line: The line in which the HTML begins.
    """

    def __init__(self, html: str, *, first_line: int = 1) -> None:
        self.tags: list[Tag] = []
        self.texts: list[Piece] = []
        self.styles: list[Piece] = []
        self.conditionals: list[Piece] = []
        self.broken: list[Piece] = []
        self.open_quote: list[Piece] = []
        self.unclosed_at: int | None = None
        self.shown = Visibility()
        self._html = html
        self._first_line = first_line
        self._hidden: list[tuple[int, int]] = []
        line, at = first_line, 0
        for token in tokens_of(html):
            line += html.count("\n", at, token.begin)
            at = token.begin
            self._take(token, line)

    def source(self) -> str:
        """Return the HTML, with only the line feeds of its hidden parts."""
        kept = []
        done = 0
        for begin, end in self._hidden:
            kept.append(self._html[done:begin])
            kept.append("\n" * self._html.count("\n", begin, end))
            done = end
        return "".join([*kept, self._html[done:]])

    def attributed(self) -> list[Tag]:
        """Return the tags that have attributes."""
        return [tag for tag in self.tags if tag.attributes]

    def _take(self, token: Token, line: int) -> None:
        if isinstance(token, StartTag):
            tag = Tag(token.name, line, token.attributes)
            self.tags.append(tag)
            self.shown.open(tag)
            self._take_source(token, line)
        elif isinstance(token, EndTag):
            self.shown.close(token.name)
            self._take_source(token, line)
        elif isinstance(token, Text):
            self._take_text(token, line)
        elif isinstance(token, Comment):
            self._take_comment(token, line)
        elif isinstance(token, Unclosed):
            # An open element begins before its text, which the token before this one has counted.
            self.unclosed_at = self._first_line + self._html.count("\n", 0, token.begin)
            source = self._html[token.begin :]
            if token.is_tag and (source.count('"') % 2 or source.count("'") % 2):
                self.open_quote = [Piece(source, line)]

    def _take_source(self, tag: StartTag | EndTag, line: int) -> None:
        is_bare = tag.end - tag.begin <= len(tag.name) + len("</>") and "<" not in tag.name
        if not is_bare and is_broken(source := self._html[tag.begin : tag.end]):
            self.broken.append(Piece(source, line))

    def _take_text(self, token: Text, line: int) -> None:
        if token.element == "style":
            self.styles.append(Piece(token.text, line))
        elif token.element == "script":
            self._hidden.append((token.begin, token.end))
        elif token.element not in _UNSEEN and not token.text.isspace():
            self.texts.append(Piece(token.text, line))
            self.shown.take(token.text)

    def _take_comment(self, token: Comment, line: int) -> None:
        text = self._html[token.text_begin : token.text_end]
        if token.is_proper and _CONDITIONAL.match(text):
            self.conditionals.append(Piece(text, line))
        else:
            self._hidden.append((token.text_begin, token.text_end))


_NOT_DISPLAYED: Final = re.compile(r"\bdisplay\s*:\s*none\b", re.IGNORECASE)

_VOID: Final = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
)
"""Elements that have no end tag and no text."""

_JOINER: Final = "\u034f"
"""An invisible character that Unicode does not list as a format character."""


class Visibility:
    """Follows the tags and texts of one mail, and remembers whether a text was shown."""

    def __init__(self) -> None:
        self._has_shown = False
        self._has_hidden = False
        self._hiding: str | None = None
        self._depth = 0

    @property
    def anything(self) -> bool:
        """Whether a text was shown; an element that is never closed does not hide its text."""
        return self._has_shown or (self._hiding is not None and self._has_hidden)

    def open(self, tag: Tag) -> None:
        """Record a start tag."""
        if self._hiding is None and _hides(tag):
            self._hiding = tag.name
        if self._hiding == tag.name:
            self._depth += 1

    def close(self, name: str) -> None:
        """Record an end tag."""
        if self._hiding == name:
            self._depth -= 1
            self._hiding = name if self._depth else None

    def take(self, text: str) -> None:
        """Record a text."""
        if self._hiding is None:
            self._has_shown = self._has_shown or _is_visible(text)
        else:
            self._has_hidden = self._has_hidden or _is_visible(text)


def _hides(tag: Tag) -> bool:
    style = tag.attributes.get("style", "")
    return tag.name not in _VOID and _NOT_DISPLAYED.search(style) is not None


def _is_visible(text: str) -> bool:
    return not all(
        char.isspace() or char == _JOINER or unicodedata.category(char) == "Cf" for char in text
    )
