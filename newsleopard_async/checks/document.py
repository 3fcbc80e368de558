"""Whether the HTML is a whole document that mail programs display completely."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from newsleopard_async.checks.context import CheckContext, FindingDetails, Hit, one_finding_for_all
from newsleopard_async.checks.markup import Tag, with_lines
from newsleopard_async.checks.page import Page

__all__ = [
    "find_broken_tags",
    "find_clipped",
    "find_fragment",
    "find_no_alt",
    "find_no_charset",
    "find_no_source",
    "find_no_text",
    "find_other_charset",
    "find_own_unsubscribe",
    "find_unclosed",
]

CLIPPED_BYTES: Final = 102 * 1024
"""Gmail shows this much of a mail, and a link to the rest."""

_CHARSET: Final = re.compile(r"charset\s*=\s*['\"]?\s*([\w-]+)", re.IGNORECASE)
_UTF8: Final = frozenset({"utf-8", "utf8"})
_UNSUBSCRIBE: Final = re.compile(
    r"(?<!\$\{)(?<!\$\{ )unsubscribe|取消訂閱|取消订阅|退[訂订](?![房票位單单金費费])",
    re.IGNORECASE,
)
"""退訂 also means to cancel a room, a ticket or a deposit, so these are excluded."""


def find_fragment(context: CheckContext) -> Iterator[FindingDetails]:
    """Find HTML that is not a full document."""
    for page in context.pages:
        missing = [f"<{name}>" for name in ("html", "body") if name not in page.named]
        if missing:
            yield FindingDetails(
                page.field,
                f"has no {' and no '.join(missing)}; write a full document, "
                "<html><body>…</body></html>",
            )


def find_unclosed(context: CheckContext) -> Iterator[FindingDetails]:
    """Find a tag, comment or element that hides the end of the mail."""
    for page in context.pages:
        if page.unclosed_at is not None:
            yield FindingDetails(
                page.field,
                f"ends inside a tag, comment or element that begins in line {page.unclosed_at}, "
                "and everything after it is hidden; close it, or the open quote in it",
                (page.unclosed_at,),
            )


def find_broken_tags(context: CheckContext) -> Iterator[FindingDetails]:
    """Find tags that hide the text and links after them."""
    for page in context.pages:
        yield from one_finding_for_all(
            page.field,
            ((piece.text, piece.line) for piece in page.broken),
            "has tags with a quote or > that is missing, doubled or of the wrong kind ({}), so "
            "the text and links after it are lost; write each value between two straight quotes, "
            "and end the tag with >",
        )


def find_no_text(context: CheckContext) -> Iterator[FindingDetails]:
    """Find mails without visible text."""
    for page in context.pages:
        if not page.shows_text:
            yield FindingDetails(
                page.field,
                "has no text, so it is empty if images are blocked, and spam filters "
                "distrust it; write the main message as text",
            )


def find_clipped(context: CheckContext) -> Iterator[FindingDetails]:
    """Find mails that Gmail cuts off."""
    for page in context.pages:
        if page.size_bytes > CLIPPED_BYTES:
            yield FindingDetails(
                page.field,
                f"has {page.size_bytes:,} bytes, and Gmail cuts a mail off after about "
                f"{CLIPPED_BYTES:,} bytes, before the footer; shorten it",
            )


def find_no_charset(context: CheckContext) -> Iterator[FindingDetails]:
    """Find text outside ASCII in HTML that does not declare its character set."""
    for page in context.pages:
        if not page.source.isascii() and not list(_charsets_of(page)):
            yield FindingDetails(
                page.field,
                'declares no character set, so programs guess it; put <meta charset="utf-8"> into '
                "the head",
            )


def find_other_charset(context: CheckContext) -> Iterator[FindingDetails]:
    """Find HTML that declares another character set than UTF-8, in which it is sent."""
    for page in context.pages:
        hits = (hit for hit in _charsets_of(page) if hit[0].lower() not in _UTF8)
        yield from one_finding_for_all(
            page.field, hits, "declares the character set {}, but is sent as UTF-8; write utf-8"
        )


def _charsets_of(page: Page) -> Iterator[Hit]:
    for tag in page.all_of("meta"):
        if charset := tag.attributes.get("charset", "").strip():
            yield charset, tag.line
        elif tag.attributes.get("http-equiv", "").strip().lower() == "content-type":
            yield from (
                (name, tag.line) for name in _CHARSET.findall(tag.attributes.get("content", ""))
            )


def find_no_alt(context: CheckContext) -> Iterator[FindingDetails]:
    """Find images without a text that is shown if images are blocked."""
    for page in context.pages:
        yield from one_finding_for_all(
            page.field,
            ((_source_of(tag), tag.line) for tag in page.all_of("img") if _has_no_alt(tag)),
            'has images without alt ({}); give each a text, or alt="" if it is only decoration',
        )


def _has_no_alt(tag: Tag) -> bool:
    return "alt" not in tag.attributes


def find_no_source(context: CheckContext) -> Iterator[FindingDetails]:
    """Find images that show nothing."""
    for page in context.pages:
        yield from one_finding_for_all(
            page.field,
            (
                (_source_of(tag), tag.line)
                for tag in page.all_of("img")
                if not tag.attributes.get("src", "").strip()
            ),
            "has images whose src is missing or empty; write the address, or take them out",
        )


def _source_of(tag: Tag) -> str:
    return tag.attributes.get("src", "").strip() or "no src"


def find_own_unsubscribe(context: CheckContext) -> Iterator[FindingDetails]:
    """Find an unsubscribe footer in addition to the platform's (T85)."""
    for page in context.pages:
        yield from one_finding_for_all(
            page.field,
            _unsubscribes_of(page),
            "has its own unsubscribe link or footer ({}), but the platform also adds one; check a "
            "test mail, and keep one of the two",
        )


def _unsubscribes_of(page: Page) -> Iterator[Hit]:
    for piece in page.texts:
        for match, line in with_lines(_UNSUBSCRIBE.finditer(piece.text), piece.line):
            yield match[0], line
    for link in page.links:
        yield from ((match, link.line) for match in _UNSUBSCRIBE.findall(link.url))
