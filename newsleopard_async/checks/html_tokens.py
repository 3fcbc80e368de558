"""HTML cut into tags, texts and comments, by the rules that browsers follow.

The standard library's ``html.parser`` follows them from CPython 3.14 on (gh-135661). Before, it
reads some comments, ``<title>`` and ``</script >`` in ways of its own, so that one mail had other
findings on another interpreter.

- Nothing raises, and nothing is read twice: the time grows with the length.
- What depends on the elements around is left out: ``<svg>`` and ``<math>`` are tags like any other,
  ``<![CDATA[`` begins a comment everywhere, and ``<noscript>`` is read as mail programs read it,
  which run no scripts.

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

# Named tuples, since there are tens of thousands of them in a long mail, and attrs' frozen classes
# take three times as long to build. All have the places in the source that they begin and end at.


class StartTag(NamedTuple):
    """A start tag; names are in lower case, and of two attributes of a name the first counts."""

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
    """What is between two tags, character references resolved if they mean anything there.

    Attributes:
        element: The element around it, if that holds nothing but text: title, style, ….
    """

    begin: int
    end: int
    text: str
    element: str = ""


class Comment(NamedTuple):
    """A comment, and where its own text begins and ends.

    Attributes:
        is_proper: Whether it began with ``<!--``; browsers take faulty tags for comments, too.
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
    """A tag, comment or element that is open at the end; nothing follows it."""

    begin: int
    end: int
    is_tag: bool


Token = StartTag | EndTag | Text | Comment | Doctype | Unclosed

_MARKUP: Final = re.compile(
    # A tag, a comment, or what is taken for one. A "<" before anything else is text.
    r"<(?:/?([A-Za-z][^\t\n\f />]*)|!--|!(?i:doctype)|!|(?=\?)|/(?!\Z))"
)
ATTRIBUTE: Final = re.compile(
    # It matches everywhere, so that each match begins where the last one ended. Only the first
    # character of a name may be "=". A quote that is never closed reaches to the end.
    r"[\t\n\f /]*(?:(>)|\Z|([^\t\n\f />][^\t\n\f />=]*)"
    r"""(?:[\t\n\f ]*=[\t\n\f ]*(?:"([^"]*)"?|'([^']*)'?|([^\t\n\f >]*)))?)"""
)
"""Of a tag behind its name: the tag's end, or a name, and a value by the kind of its quotes."""
_COMMENT_END: Final = re.compile("--!?>")


def tokens_of(source: str) -> Iterator[Token]:
    """Yield the tokens of some HTML, in order; any text with line feeds for line ends will do."""
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
"""What ends the elements that hold nothing but text."""

_TEXT_ONLY: Final = frozenset({*_ENDS, "plaintext", "script"})
_REFERENCES: Final = frozenset({"textarea", "title"})
"""Those in which a character reference means something."""

_SCRIPT_MARK: Final = re.compile(r"<!--|-->|</?script(?=[\t\n\f />])", re.ASCII | re.IGNORECASE)


def _text_end(source: str, tag: StartTag) -> int:
    """Return where the text ends that an element holds, which is the end of all if nothing does."""
    if tag.name == "script":
        return _script_end(source, tag.end)
    closing = _ENDS[tag.name].search(source, tag.end) if tag.name in _ENDS else None
    return len(source) if closing is None else closing.start()


def _script_end(source: str, at: int) -> int:
    """Find the end of a script, which may have a comment inside, and there another script."""
    is_commented = is_nested = False
    while (mark := _SCRIPT_MARK.search(source, at)) is not None:
        at = mark.end()
        if mark[0] == "<!--":
            is_commented = True
            at -= len("--")  # they may be the end of the comment, too
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
"""No character has such a number, and Python refuses to read one of thousands of digits."""

_IN_ATTRIBUTE: Final = re.compile(
    "&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[A-Za-z][A-Za-z0-9]*+(?:;|(?!=)))"
)


def _resolve(text: str) -> str:
    if "&" not in text:
        return text
    return html.unescape(_TOO_LARGE.sub("&#0", _PADDED.sub("&#", text)))


def _resolve_in_attribute(value: str) -> str:
    """Resolve no name that goes on without a semicolon: the & of a URL begins another parameter."""
    if "&" not in value:
        return value
    return _IN_ATTRIBUTE.sub(_reference, value)


def _reference(match: re.Match[str]) -> str:
    shown = match[0]
    return _resolve(shown) if shown[1] == "#" else html5.get(shown[1:], shown)
