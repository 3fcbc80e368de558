"""Faults in visible text: lost characters, a wrong decoding, visible HTML code, or no text.

A subject, a preheader and the name of a sender are not HTML, so readers see a tag or a character
reference in them as code. In the HTML, readers see code if it was escaped twice. This is allowed
inside elements that show code.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from typing import Final

from newsleopard_async.checks.context import CheckContext, FindingDetails, Hit, one_finding_for_all
from newsleopard_async.checks.markup import Piece, shorten, with_lines
from newsleopard_async.checks.page import Page
from newsleopard_async.models.damage import (
    LOST,
    MISREAD,
    REFERENCE,
    has_reference,
    is_unseen,
    original_of,
)

__all__ = [
    "find_lost",
    "find_markup",
    "find_misread",
    "find_references",
    "find_unseen",
]

_AROUND: Final = 8
"""Characters on both sides of a lost character that a message shows, so that it can be found.

Chosen: a few words.
"""

_LOST_AT_BEGINNING: Final = re.compile(r"\s*\?{4,}")
"""A text that ASCII or Latin-1 could not encode. No author begins a text with four question
marks."""

_MAYBE_LOST: Final = re.compile(rf"{LOST.pattern}|\?{{4}}")

_TAG: Final = re.compile(
    r"</?(?:a|b|big|br|center|div|em|font|h[1-6]|hr|i|img|ins|li|mark|ol|p|s|small|span|strike|strong"
    r"|style|sub|sup|table|td|tr|u|ul)(?:\s[^<>]{0,200})?/?>",
    re.IGNORECASE,
)

_TWICE: Final = re.compile(
    rf"&(?:amp|AMP|#0*38|#[xX]0*26);(?P<again>(?:amp;)*{REFERENCE.pattern[1:]})"
)
_CODE_OR_TWICE: Final = re.compile(
    rf"<(?P<end>/?)(?i:code|kbd|pre|samp|textarea|xmp)\b|{_TWICE.pattern}"
)
_BARE: Final = re.compile(
    r"(?<!&)#0(?:38|39);|(?<=[A-Za-z])#8(?:21[1267]|22[01]|230);|&nbsp(?![;A-Za-z])"
)
"""A character reference without its ampersand, as WordPress writes it, or without its end."""

_BARE_IN_URL: Final = re.compile(
    r"(?<!&)#(?:0*38|x26);|(?:&|%26)amp%3B|%26amp;|\?amp;", re.IGNORECASE
)


def _lines_of(context: CheckContext) -> Iterator[tuple[str, str]]:
    """Yield the texts outside the HTML by field."""
    yield "name", context.campaign.name
    yield from context.lines.items()
    yield from context.sender_names.items()
    yield from context.ga_values.items()


def _texts_of(page: Page) -> Iterator[Piece]:
    """Yield the texts of a body that are visible or read aloud."""
    yield from page.texts
    yield from page.outlook.texts
    for tag in (*page.attributed, *page.outlook.attributed):
        for name in ("alt", "title"):
            if value := tag.attributes.get(name):
                yield Piece(value, tag.line)


def _find(
    context: CheckContext,
    mark: re.Pattern[str],
    hits_of: Callable[[Piece], Iterator[Hit]],
    message: str,
) -> Iterator[FindingDetails]:
    """Search every text for hits.

    Args:
        mark: A pattern that each text with a hit contains; one search of a whole body is fastest.
    """
    for field, line in _lines_of(context):
        shown = (shown for shown, _ in hits_of(Piece(line, 1)))
        yield from one_finding_for_all(field, ((each, None) for each in shown), message)
    for page in context.pages:
        pieces = list(_texts_of(page))
        if mark.search("\n".join(piece.text for piece in pieces)):
            hits = (hit for piece in pieces for hit in hits_of(piece))
            yield from one_finding_for_all(page.field, hits, message)


def find_unseen(context: CheckContext) -> Iterator[FindingDetails]:
    """Find texts outside the HTML that show nothing."""
    for field, text in _lines_of(context):
        if is_unseen(text):
            yield FindingDetails(
                field,
                f"shows nothing, because {shorten(text)} is invisible; write a visible text",
            )


def find_lost(context: CheckContext) -> Iterator[FindingDetails]:
    """Find characters that a conversion has lost."""
    return _find(
        context,
        _MAYBE_LOST,
        _lost_in,
        "has characters that were lost in a conversion ({}), so readers see a box or a question "
        "mark; write the characters again, or copy the text from its source",
    )


def _lost_in(piece: Piece) -> Iterator[Hit]:
    text = piece.text
    if _LOST_AT_BEGINNING.match(text):
        yield text, piece.line
    for match, line in with_lines(LOST.finditer(text), piece.line):
        # Between Han characters, a sentence may end with a question mark of ASCII.
        if "?" not in match[0]:
            yield text[max(match.start() - _AROUND, 0) : match.end() + _AROUND], line


def find_misread(context: CheckContext) -> Iterator[FindingDetails]:
    """Find texts that were decoded in a wrong encoding."""
    return _find(
        context,
        MISREAD,
        _misread_in,
        "was decoded in a wrong encoding ({}); read it again with the right encoding=",
    )


def _misread_in(piece: Piece) -> Iterator[Hit]:
    if original := original_of(piece.text):
        yield f"{shorten(piece.text, 30)} should be {shorten(original, 30)}", piece.line


def find_references(context: CheckContext) -> Iterator[FindingDetails]:
    """Find character references that readers see as code."""
    for field, line in _lines_of(context):
        yield from one_finding_for_all(
            field,
            ((shown, None) for shown in _references_in(line)),
            "has character references ({}), which readers see as code, because this field is not "
            "HTML; write the characters themselves",
        )
    for page in context.pages:
        yield from one_finding_for_all(
            page.field,
            _escaped_twice_in(page),
            "was escaped twice ({}), so readers see code instead of the character, and links lead "
            "to a wrong address; escape it once",
        )


def _references_in(text: str) -> Iterator[str]:
    for match in REFERENCE.finditer(text):
        # Another rule reports the references in a placeholder.
        if has_reference(match[0]) and html.unescape(match[0]) not in "${}":
            yield match[0]
    yield from _BARE.findall(text)


def _escaped_twice_in(page: Page) -> Iterator[Hit]:
    if _TWICE.search(page.source):
        yield from _outside_code(page)
    for piece in _texts_of(page):
        for match, line in with_lines(_BARE.finditer(piece.text), piece.line):
            yield match[0], line
    for reference in (*page.links, *page.images):
        if _BARE_IN_URL.search(reference.url):
            yield reference.url, reference.line


def _outside_code(page: Page) -> Iterator[Hit]:
    depth = 0
    for match, line in with_lines(_CODE_OR_TWICE.finditer(page.source)):
        if match["again"] is None:
            depth = max(depth - 1, 0) if match["end"] else depth + 1
        elif not depth and has_reference(f"&{match['again']}"):
            yield match[0], line


def find_markup(context: CheckContext) -> Iterator[FindingDetails]:
    """Find tags in texts that are not HTML."""
    for field, line in _lines_of(context):
        yield from one_finding_for_all(
            field,
            ((match[0], None) for match in _TAG.finditer(line)),
            "has HTML tags ({}), which readers see, because this field is not HTML; take them out",
        )
