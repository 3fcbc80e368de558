"""HTML, divided into tags, texts and comments by the rules that browsers follow.

The standard library's ``html.parser`` follows these rules only since CPython 3.14 (gh-135661).
Before, it reads some comments, ``<title>`` and ``</script >`` differently, so the same mail would
have other findings on an older interpreter.

- No input raises an error, and nothing is read twice, so the time grows linearly with the length.
- The surrounding elements do not matter: ``<svg>`` and ``<math>`` are ordinary tags, ``<![CDATA[``
  always begins a comment, and ``<noscript>`` is read like a mail program that runs no scripts.

Source: https://html.spec.whatwg.org/multipage/parsing.html#tokenization
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from html.entities import html5
from typing import Final, NamedTuple

__all__ = [
    "ATTRIBUTE",
    "Comment",
    "Doctype",
    "EndTag",
    "StartTag",
    "Text",
    "Token",
    "Unclosed",
    "tokens_of",
]

# Named tuples, because a long mail has tens of thousands of tokens, and frozen attrs classes take
# three times as long to build. Each token has the indexes of its begin and end in the source.


class StartTag(NamedTuple):
    """A start tag; names are in lower case, and of equal attributes the first counts."""

    begin: int
    end: int
    name: str
    attributes: Mapping[str, str]


class EndTag(NamedTuple):
    """An end tag."""

    begin: int
    end: int
    name: str


class Text(NamedTuple):
    """The text between two tags, with its character references resolved if HTML does so there.

    Attributes:
        element: The element around the text, if it can contain only text: title, style, ….
    """

    begin: int
    end: int
    text: str
    element: str = ""


class Comment(NamedTuple):
    """A comment, and the begin and end of its text.

    Attributes:
        is_proper: Whether it began with ``<!--``; browsers also read faulty tags as comments.
    """

    begin: int
    end: int
    text_begin: int
    text_end: int
    is_proper: bool


class Doctype(NamedTuple):
    """The declaration of the document's type."""

    begin: int
    end: int


class Unclosed(NamedTuple):
    """A tag, comment or element that is still open at the end; it is the last token."""

    begin: int
    end: int
    is_tag: bool


Token = StartTag | EndTag | Text | Comment | Doctype | Unclosed

_MARKUP: Final = re.compile(
    # A tag, a comment, or a faulty tag that is read as one. Any other "<" is text.
    r"<(?:/?([A-Za-z][^\t\n\f />]*)|!--|!(?i:doctype)|!|(?=\?)|/(?!\Z))"
)
ATTRIBUTE: Final = re.compile(
    # It matches everywhere, so that each match begins where the last one ended. Only the first
    # character of a name may be "=". A quote that is never closed reaches to the end.
    r"[\t\n\f /]*(?:(>)|\Z|([^\t\n\f />][^\t\n\f />=]*)"
    r"""(?:[\t\n\f ]*=[\t\n\f ]*(?:"([^"]*)"?|'([^']*)'?|([^\t\n\f >]*)))?)"""
)
"""A part of a tag after its name: the end of the tag, or an attribute's name and value."""
_COMMENT_END: Final = re.compile("--!?>")


def tokens_of(source: str) -> Iterator[Token]:
    """Yield the tokens of HTML in order; line ends must be line feeds."""
    at = 0
    while (markup := _MARKUP.search(source, at)) is not None:
        begin = markup.start()
        if begin > at:
            yield Text(at, begin, _resolve(source[at:begin]))
        token = _tag(source, markup) if markup[1] else _comment(source, markup)
        yield token
        at = token.end
        if isinstance(token, StartTag) and token.name in _TEXT_ONLY:
            at = _text_end(source, token)
            if at > token.end:
                text = source[token.end : at]
                resolved = _resolve(text) if token.name in _REFERENCES else text
                yield Text(token.end, at, resolved, token.name)
            if at == len(source):
                yield Unclosed(begin, at, is_tag=False)
    if at < len(source):
        yield Text(at, len(source), _resolve(source[at:]))


def _tag(source: str, markup: re.Match[str]) -> StartTag | EndTag | Unclosed:
    begin, end = markup.span()
    attributes: dict[str, str] = {}
    matches = ATTRIBUTE.finditer(source, end)
    match = next(matches)
    while match[2] is not None:
        value = match[3] or match[4] or match[5] or ""
        attributes.setdefault(match[2].lower(), _resolve_in_attribute(value))
        match = next(matches)
    if match[1] is None:
        return Unclosed(begin, len(source), is_tag=True)
    end = match.end()
    if source[begin + 1] == "/":
        return EndTag(begin, end, markup[1].lower())
    return StartTag(begin, end, markup[1].lower(), attributes)


def _comment(source: str, markup: re.Match[str]) -> Comment | Doctype | Unclosed:
    begin, text_begin = markup.span()
    is_proper = markup[0] == "<!--"
    if is_proper and not source.startswith((">", "->"), text_begin):
        if (closing := _COMMENT_END.search(source, text_begin)) is None:
            return Unclosed(begin, len(source), is_tag=False)
        return Comment(begin, closing.end(), text_begin, closing.start(), is_proper)
    text_end = source.find(">", text_begin)
    if text_end < 0:
        return Unclosed(begin, len(source), is_tag=False)
    if len(markup[0]) > len("<!--"):
        return Doctype(begin, text_end + 1)
    return Comment(
        begin, text_end + 1, text_begin, text_begin if is_proper else text_end, is_proper
    )


_ENDS: Final = {
    name: re.compile(rf"</{name}(?=[\t\n\f />])", re.ASCII | re.IGNORECASE)
    for name in ("iframe", "noembed", "noframes", "style", "textarea", "title", "xmp")
}
"""The ends of the elements that contain only text."""

_TEXT_ONLY: Final = frozenset({*_ENDS, "plaintext", "script"})
_REFERENCES: Final = frozenset({"textarea", "title"})
"""Text-only elements in which character references are resolved."""

_SCRIPT_MARK: Final = re.compile(r"<!--|-->|</?script(?=[\t\n\f />])", re.ASCII | re.IGNORECASE)


def _text_end(source: str, tag: StartTag) -> int:
    """Return the end of the text in an element; without an end tag, the end of the source."""
    if tag.name == "script":
        return _script_end(source, tag.end)
    closing = _ENDS[tag.name].search(source, tag.end) if tag.name in _ENDS else None
    return len(source) if closing is None else closing.start()


def _script_end(source: str, at: int) -> int:
    """Find the end of a script, which can contain a comment with another script inside."""
    is_commented = is_nested = False
    while (mark := _SCRIPT_MARK.search(source, at)) is not None:
        at = mark.end()
        if mark[0] == "<!--":
            is_commented = True
            at -= len("--")  # they can also be the end of the comment
        elif mark[0] == "-->":
            is_commented = is_nested = False
        elif mark[0][1] != "/":
            is_nested = is_commented
        elif is_nested:
            is_nested = False
        else:
            return mark.start()
    return len(source)


_PADDED: Final = re.compile("&#0+(?=[0-9])")
_TOO_LARGE: Final = re.compile("&#[0-9]{8,}")
"""No character has such a number, and Python does not parse one with thousands of digits."""

_IN_ATTRIBUTE: Final = re.compile(
    "&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[A-Za-z][A-Za-z0-9]*+(?:;|(?!=)))"
)


def _resolve(text: str) -> str:
    if "&" not in text:
        return text
    return html.unescape(_TOO_LARGE.sub("&#0", _PADDED.sub("&#", text)))


def _resolve_in_attribute(value: str) -> str:
    """Resolve references, but not ``&copy=`` without semicolon: it is a parameter of a URL."""
    if "&" not in value:
        return value
    return _IN_ATTRIBUTE.sub(_reference, value)


def _reference(match: re.Match[str]) -> str:
    shown = match[0]
    return _resolve(shown) if shown[1] == "#" else html5.get(shown[1:], shown)
