"""The HTML of a mail, read once by the standard library's parser, for every rule to look at.

The rules of reading:

- line feeds only, as a browser sees it; lines count from 1;
- whatever the parser makes of a fault is taken: nothing raises, and the time grows with the
  length (the parser is never told that the text has ended inside a tag or comment, since
  it would then look for the end again from every later ``<``);
- what nobody sees is no text: comments, and the contents of style, script and title;
- what Outlook alone reads, in comments of its own, is kept apart: it repeats what the others
  are shown, and has tags that are closed in a later comment.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from itertools import accumulate, chain
from typing import Final

import attrs

from newsleopard_async.checks.markup import Content, Piece, Tag
from newsleopard_async.checks.urls import Reference, images_of, links_of

__all__ = ["Page", "Shown", "read_page"]

_UNSEEN: Final = ("script", "style", "title")

# The parser turns the digits into a number, and Python refuses to read one of thousands.
_ENDLESS_REFERENCE: Final = re.compile(r"&#[0-9]{20,}")
_OPENING: Final = re.compile("<(!--|[!/])")
"""How a comment begins; a browser takes a few faulty tags for one, too."""

_CONDITIONAL: Final = re.compile(r"\s*\[if\b", re.IGNORECASE)
"""How a comment begins that Outlook does not take for one."""


@attrs.frozen(kw_only=True)
class Page:
    """A parsed HTML text.

    Attributes:
        field: Where it stands in the campaign.
        size_bytes: Its size as UTF-8.
        source: The HTML without scripts and without what is a comment to every mail program;
            the lines are those of the whole.
        tags: All start tags.
        attributed: Those of them that have attributes.
        named: The same by their name.
        links: Where it leads to, from Outlook too.
        images: What is loaded with it, by Outlook too.
        texts: What is seen, character references resolved.
        shows_text: Whether one of them is displayed, and has more than blanks.
        styles: The contents of the style sheets in it.
        conditionals: Comments for Outlook, with their contents as they stand.
        outlook: The same, parsed.
        unclosed_at: The line of a tag, comment or element that is still open at the end,
            and so hides whatever follows.
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
    outlook: Content
    unclosed_at: int | None

    def all_of(self, *names: str) -> Iterator[Tag]:
        """Yield the tags of these names, name by name."""
        for name in names:
            yield from self.named.get(name, ())


def read_page(field: str, html: str) -> Page:
    """Parse the HTML of a field; any text will do."""
    text = html.replace("\r\n", "\n").replace("\r", "\n")
    reader = _Reader(_ENDLESS_REFERENCE.sub("&#0", text))
    reader.read()
    attributed = reader.attributed()
    outlook = _read_for_outlook(reader.conditionals)
    all_attributed = [*attributed, *outlook.attributed]
    return Page(
        field=field,
        size_bytes=len(html.encode()),
        source=reader.source(),
        tags=reader.tags,
        attributed=attributed,
        named=_by_name(reader.tags),
        links=tuple(links_of(all_attributed)),
        images=tuple(images_of(all_attributed, [*reader.styles, *outlook.styles])),
        texts=reader.texts,
        shows_text=reader.shown.anything,
        styles=reader.styles,
        conditionals=reader.conditionals,
        outlook=outlook,
        unclosed_at=reader.unclosed_at,
    )


def _read_for_outlook(comments: Sequence[Piece]) -> Content:
    """Parse each comment by itself, so that what one leaves open does not swallow the next."""
    readers = [_Reader(comment.text, first_line=comment.line) for comment in comments]
    for reader in readers:
        reader.read()
    return Content(
        texts=list(chain.from_iterable(reader.texts for reader in readers)),
        attributed=list(chain.from_iterable(reader.attributed() for reader in readers)),
        styles=list(chain.from_iterable(reader.styles for reader in readers)),
    )


def _by_name(tags: Sequence[Tag]) -> Mapping[str, Sequence[Tag]]:
    named = defaultdict(list)
    for tag in tags:
        named[tag.name].append(tag)
    return named


class _Reader(HTMLParser):
    """Collects what the rules look at; for one use.

    Args:
        first_line: The line that the HTML begins in.
    """

    def __init__(self, html: str, *, first_line: int = 1) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[Tag] = []
        self.texts: list[Piece] = []
        self.styles: list[Piece] = []
        self.conditionals: list[Piece] = []
        self.unclosed_at: int | None = None
        self.shown = Shown()
        self._html = html
        self._lines_before = first_line - 1
        self._line_starts = [0, *accumulate(len(line) + 1 for line in html.split("\n"))]
        self._hidden: list[tuple[int, int]] = []
        self._unseen: Tag | None = None

    def read(self) -> None:
        """Parse everything, and note what is open at the end."""
        self.feed(self._html)
        rest = self.rawdata
        if self._unseen is not None:
            self.unclosed_at = self._unseen.line
        elif rest.startswith("<") and rest != "<":
            self.unclosed_at = self._line
        else:
            self.close()

    def source(self) -> str:
        """Return the HTML with nothing but line feeds where it is hidden."""
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

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Where an attribute is there twice, the first one counts.
        attributes = {name: value or "" for name, value in reversed(attrs)}
        found = Tag(tag, self._line, attributes)
        self.tags.append(found)
        self.shown.open(found)
        if tag in _UNSEEN:
            self._unseen = self._unseen or found

    def handle_endtag(self, tag: str) -> None:
        self.shown.close(tag)
        if self._unseen is not None and self._unseen.name == tag:
            self._unseen = None

    def handle_data(self, data: str) -> None:
        if self._unseen is not None:
            self._handle_unseen(self._unseen.name, data)
        elif not data.isspace():
            self.texts.append(Piece(data, self._line))
            self.shown.take(data)

    def handle_comment(self, data: str) -> None:
        if _CONDITIONAL.match(data):
            self.conditionals.append(Piece(data, self._line))
        else:
            self._hide(len(data))

    def parse_html_declaration(self, i: int) -> int:
        """Read ``<!…>``; the parser raises where ``<![`` begins no section that it knows."""
        try:
            return super().parse_html_declaration(i)
        except AssertionError:
            return self.parse_bogus_comment(i)

    @property
    def _line(self) -> int:
        return self.getpos()[0] + self._lines_before

    def _handle_unseen(self, name: str, data: str) -> None:
        if name == "style":
            self.styles.append(Piece(data, self._line))
        elif name == "script":
            self._hide(len(data))

    def _hide(self, length: int) -> None:
        """Take the script or comment that begins here out of the source."""
        line, column = self.getpos()
        begin = self._line_starts[line - 1] + column
        opening = _OPENING.match(self._html, begin) if self._unseen is None else None
        begin = opening.end() if opening else begin
        self._hidden.append((begin, begin + length))


_NOT_DISPLAYED: Final = re.compile(r"\bdisplay\s*:\s*none\b", re.IGNORECASE)

_VOID: Final = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
)
"""Elements that have no end tag and no text."""

_JOINER: Final = "\u034f"
"""Takes no room, and is no format character to Unicode."""


class Shown:
    """Follows a mail's tags and texts, and remembers whether one was shown; for one use."""

    def __init__(self) -> None:
        self._has_shown = False
        self._has_hidden = False
        self._hiding: str | None = None
        self._depth = 0

    @property
    def anything(self) -> bool:
        """Whether there was text; an element that is never closed is not trusted to hide it."""
        return self._has_shown or (self._hiding is not None and self._has_hidden)

    def open(self, tag: Tag) -> None:
        """Note a start tag."""
        if self._hiding is None and _hides(tag):
            self._hiding = tag.name
        if self._hiding == tag.name:
            self._depth += 1

    def close(self, name: str) -> None:
        """Note an end tag."""
        if self._hiding == name:
            self._depth -= 1
            self._hiding = name if self._depth else None

    def take(self, text: str) -> None:
        """Note a text."""
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
