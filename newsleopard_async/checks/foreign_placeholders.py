"""Placeholders in the syntax of other products, which the platform does not replace.

The rule searches visible text and attributes, but not style sheets and scripts. A percent sign
alone is not a mark of another product: it also occurs in ``width:100%``, in ``%20`` of a URL, and
in "50% off, 20% more".
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final
from urllib.parse import unquote

from newsleopard_async.checks.context import CheckContext, FindingDetails, Hit, one_finding_each
from newsleopard_async.checks.markup import INLINE_TAG, Piece, shorten, with_lines
from newsleopard_async.checks.page import Page
from newsleopard_async.checks.placeholder_names import COMMON, KnownNames
from newsleopard_async.checks.placeholder_syntaxes import Syntaxes, TextPlace

__all__ = ["find_foreign"]

_MARKS: Final = "{}%*|[]$＄﹩｛｝﹛﹜％«»‹›<>＜＞【】〔〕［］〖〗《》〈〉()#@!?=~_- \n\xa0"
_TAG: Final = re.compile(INLINE_TAG, re.IGNORECASE)
_SPLIT: Final = re.compile(
    rf"\{{\{{(?=[^{{}}]{{0,80}}<)(?:[^{{}}<>]|{INLINE_TAG}){{1,80}}\}}\}}", re.IGNORECASE
)
"""A placeholder with tags inside, which is in one piece only in the HTML source."""

_TAGS: Final = rf"(?i:{INLINE_TAG}){{1,5}}"
_PARTED: Final = re.compile(
    # Each alternative begins with another sign, because Python searches for this sign first.
    r"(?:\[|\{(?<![${>].)|«|【|&laquo;|\*\||%%|&lt;&lt;)"
    rf"(?:{_TAGS}[^<>{{}}\[\]]{{1,60}}(?:{_TAGS})?|[^<>{{}}\[\]]{{1,60}}{_TAGS})"
    r"(?:\]|\}|»|】|&raquo;|\|\*|%%|&gt;&gt;)"
)
"""A possible placeholder with tags between its marks and the name."""

_LIKE_TAG: Final = re.compile(rf"<<(?P<name>[^<>\n]{{1,60}})>>|<(?:NAME|EMAIL|(?i:{COMMON}))>")
"""A placeholder that a browser reads as a tag, so it is invisible."""

_PLACES: Final[Mapping[str, TextPlace]] = {
    "style": "style",
    **dict.fromkeys(("action", "background", "href", "poster", "src", "srcset"), "url"),
}
"""The kind of an attribute's value, if it is not text."""

_BYTE: Final = "%[89ABab][0-9A-Fa-f]"
_SIGN: Final = re.compile(
    rf"%[2-7][0-9A-Fa-f]|%[CDcd][0-9A-Fa-f]{_BYTE}|%[Ee][0-9A-Fa-f](?:{_BYTE}){{2}}|.", re.DOTALL
)
"""A character of a URL, plain or percent-encoded."""

_ENCODED_MARK: Final = re.compile(
    "%(?:2[3-5AD]|3C|40|5[BF]|7[BCE]|C2%AB|E2%80%B9|E3%80|EF%B[9CD])", re.IGNORECASE
)
"""The first sign of a placeholder, percent-encoded. Most links do not contain one."""


def find_foreign(context: CheckContext) -> Iterator[FindingDetails]:
    """Find placeholders in the syntax of other products."""
    syntaxes = Syntaxes.of(context.columns or ())
    say = partial(_say, syntaxes.known)
    rest = "has {} more placeholders in the syntax of other products; write them as ${…}"
    for field, line in context.lines.items():
        yield from one_finding_each(field, _hits_of_line(line, syntaxes), say, rest)
    for field, text in (*context.sender_names.items(), *context.ga_values.items()):
        yield from one_finding_each(field, _hits_of_line(text, syntaxes), _say_unfilled, rest)
    for page in context.pages:
        yield from one_finding_each(page.field, _hits_of_page(page, syntaxes), say, rest)


def _say(known: KnownNames, shown: str) -> str:
    nearest = known.nearest(unquote(_TAG.sub("", shown)).strip(_MARKS))
    name = shorten(nearest) if nearest else "…"
    return (
        f"has {shorten(shown)}, which is not the platform's syntax and will not be replaced; "
        f"write ${{{name}}}" + ("" if nearest else " with the name of a column")
    )


def _say_unfilled(shown: str) -> str:
    return (
        f"has {shorten(shown)}, which will not be replaced: the platform describes placeholders "
        "for subject and HTML only; write the text instead"
    )


def _hits_of_line(line: str, syntaxes: Syntaxes) -> Iterator[Hit]:
    return ((match[0], None) for match in syntaxes.in_field(line).matches(line))


def _hits_of_page(page: Page, syntaxes: Syntaxes) -> Iterator[Hit]:
    syntaxes = syntaxes.in_field(page.source)
    yield from _hits_with_tags(page.source, syntaxes)
    yield from _hits_of_texts(page.texts, syntaxes)
    yield from _hits_of_texts(page.outlook.texts, syntaxes)
    for tag in (*page.attributed, *page.outlook.attributed):
        values = "\n".join(tag.attributes.values())
        if not syntaxes.may_be_in(values) and not _ENCODED_MARK.search(values):
            continue
        for name, value in tag.attributes.items():
            for shown in _shown_of_attribute(name, value, syntaxes):
                yield shown, tag.line


def _hits_with_tags(source: str, syntaxes: Syntaxes) -> Iterator[Hit]:
    """Yield placeholders in the HTML source that have tags inside, or are read as tags."""
    for match, line in with_lines(_SPLIT.finditer(source)):
        yield match[0], line
    for match, line in with_lines(_PARTED.finditer(source)):
        if any(syntaxes.matches(html.unescape(_TAG.sub("", match[0])))):
            yield match[0], line
    for match, line in with_lines(_LIKE_TAG.finditer(source)):
        if match["name"] is None or syntaxes.is_known(match["name"]):
            yield match[0], line


def _hits_of_texts(pieces: Sequence[Piece], syntaxes: Syntaxes) -> Iterator[Hit]:
    """Yield placeholders in texts that follow one another."""
    if not syntaxes.may_be_in("\n".join(piece.text for piece in pieces)):
        return
    texts = ["", *(piece.text for piece in pieces), ""]
    for piece, previous, following in zip(pieces, texts, texts[2:], strict=False):
        matches = syntaxes.matches(piece.text, around=(previous, following))
        for match, line in with_lines(matches, piece.line):
            yield match[0], line


def _shown_of_attribute(name: str, value: str, syntaxes: Syntaxes) -> Iterable[str]:
    """Return placeholders in the value of an attribute; in a URL, also percent-encoded ones."""
    place = _PLACES.get(name, "text")
    if place == "url" and "%" in value:
        signs = _SIGN.findall(value)
        matches = syntaxes.matches("".join(map(_decoded, signs)), place)
        return ("".join(signs[match.start() : match.end()]) for match in matches)
    return [match[0] for match in syntaxes.matches(value, place)]


def _decoded(sign: str) -> str:
    return sign if len(sign) == 1 else unquote(sign)[0]
