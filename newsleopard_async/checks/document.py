"""Whether the HTML is a whole document that mail programs show in full."""

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
"""Gmail shows no more of a mail than this, and a link to the rest."""

_CHARSET: Final = re.compile(r"charset\s*=\s*['\"]?\s*([\w-]+)", re.IGNORECASE)
_UTF8: Final = frozenset({"utf-8", "utf8"})
_UNSUBSCRIBE: Final = re.compile(
    r"(?<!\$\{)(?<!\$\{ )unsubscribe|取消訂閱|取消订阅|退[訂订](?![房票位單单金費费])",
    re.IGNORECASE,
)
"""Rooms, tickets and deposits are cancelled with the same word."""


def find_fragment(context: CheckContext) -> Iterator[FindingDetails]:
    """Find HTML that is no full document."""
    for page in context.pages:
        missing = [f"<{name}>" for name in ("html", "body") if name not in page.named]
        if missing:
            yield FindingDetails(
                page.field,
                f"has no {' and no '.join(missing)}; give a full document, "
                "<html><body>…</body></html>",
            )


def find_unclosed(context: CheckContext) -> Iterator[FindingDetails]:
    """Find a tag, comment or element that swallows the end of the mail."""
    for page in context.pages:
        if page.unclosed_at is not None:
            yield FindingDetails(
                page.field,
                f"ends inside a tag, comment or element that begins in line {page.unclosed_at}, "
                "and nothing is shown from there on; close it, or the quote that is open in it",
                (page.unclosed_at,),
            )


def find_broken_tags(context: CheckContext) -> Iterator[FindingDetails]:
    """Find tags that swallow what follows them."""
    for page in context.pages:
        yield from one_finding_for_all(
            page.field,
            ((piece.text, piece.line) for piece in page.broken),
            "has tags with a quote or > that is missing, doubled or of the wrong kind ({}), and "
            "text and links behind it are lost; write each value between two straight quotes, and "
            "end the tag with >",
        )


def find_no_text(context: CheckContext) -> Iterator[FindingDetails]:
    """Find mails of images only, or of nothing."""
    for page in context.pages:
        if not page.shows_text:
            yield FindingDetails(
                page.field,
                "has no text, so that nothing is read where images are blocked, and spam filters "
                "distrust it; say the main thing in words",
            )


def find_clipped(context: CheckContext) -> Iterator[FindingDetails]:
    """Find mails that Gmail clips."""
    for page in context.pages:
        if page.size_bytes > CLIPPED_BYTES:
            yield FindingDetails(
                page.field,
                f"has {page.size_bytes:,} bytes, and Gmail clips a mail after about "
                f"{CLIPPED_BYTES:,}, the footer with it; shorten it",
            )


def find_no_charset(context: CheckContext) -> Iterator[FindingDetails]:
    """Find text outside ASCII in HTML that names no character set."""
    for page in context.pages:
        if not page.source.isascii() and not list(_charsets_of(page)):
            yield FindingDetails(
                page.field,
                'names no character set; put <meta charset="utf-8"> into the head, for programs '
                "that guess",
            )


def find_other_charset(context: CheckContext) -> Iterator[FindingDetails]:
    """Find HTML that names another character set than the one it goes out in."""
    for page in context.pages:
        hits = (hit for hit in _charsets_of(page) if hit[0].lower() not in _UTF8)
        yield from one_finding_for_all(
            page.field, hits, "names the character set {}, and goes out as UTF-8; name utf-8"
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
    """Find images without a text for where they are blocked."""
    for page in context.pages:
        yield from one_finding_for_all(
            page.field,
            ((_source_of(tag), tag.line) for tag in page.all_of("img") if _has_no_alt(tag)),
            'has images without alt ({}); give each a text, or alt="" where it only decorates',
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
            "has images whose src is missing or empty; give the address, or take them out",
        )


def _source_of(tag: Tag) -> str:
    return tag.attributes.get("src", "").strip() or "no src"


def find_own_unsubscribe(context: CheckContext) -> Iterator[FindingDetails]:
    """Find a footer of its own beside the platform's (T85)."""
    for page in context.pages:
        yield from one_finding_for_all(
            page.field,
            _unsubscribes_of(page),
            "has an unsubscribe link or footer of its own ({}), and the platform adds one; look "
            "at a test mail, and keep one of the two",
        )


def _unsubscribes_of(page: Page) -> Iterator[Hit]:
    for piece in page.texts:
        for match, line in with_lines(_UNSUBSCRIBE.finditer(piece.text), piece.line):
            yield match[0], line
    for link in page.links:
        yield from ((match, link.line) for match in _UNSUBSCRIBE.findall(link.url))
