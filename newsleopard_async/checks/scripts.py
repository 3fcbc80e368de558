"""Parts of the HTML that mail programs remove, block or do not run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from newsleopard_async.checks.context import CheckContext, FindingDetails, Hit, one_finding_for_all
from newsleopard_async.checks.mail_urls import classify_url
from newsleopard_async.checks.markup import Tag
from newsleopard_async.checks.page import Page

__all__ = [
    "find_data_images",
    "find_embedded",
    "find_forms",
    "find_handlers",
    "find_script_links",
    "find_scripts",
    "find_style_links",
]

_HANDLER: Final = re.compile(r"on[a-z]{3,}")
_FONTS: Final = re.compile(
    r"(?:https?:)?//(?:fonts\.googleapis\.com|fonts\.gstatic\.com|use\.typekit\.net"
    r"|fonts\.bunny\.net)(?:[/?#:]|$)",
    re.IGNORECASE,
)
"""Hosts of style sheets that contain only fonts; a mail is still readable without them."""

_LINKING: Final = ("href", "src", "action", "formaction", "background")


def find_scripts(context: CheckContext) -> Iterator[FindingDetails]:
    """Find scripts, except data for search engines and mail programs."""
    for page in context.pages:
        yield from one_finding_for_all(
            page.field,
            ((tag.name, tag.line) for tag in page.all_of("script") if _runs(tag)),
            "has a <script>, which mail programs remove and spam filters punish; take it out",
        )


def _runs(tag: Tag) -> bool:
    return tag.attributes.get("type", "").strip().lower() != "application/ld+json"


def find_handlers(context: CheckContext) -> Iterator[FindingDetails]:
    """Find attributes that contain a script."""
    for page in context.pages:
        yield from one_finding_for_all(
            page.field,
            (
                (name, tag.line)
                for tag in page.attributed
                for name in tag.attributes
                if _HANDLER.fullmatch(name)
            ),
            "has scripts in attributes ({}), which mail programs remove; take them out",
        )


def find_script_links(context: CheckContext) -> Iterator[FindingDetails]:
    """Find links that run a script."""
    for page in context.pages:
        yield from one_finding_for_all(
            page.field,
            _script_links_of(page),
            "has links that run a script ({}), which mail programs remove; link to a page",
        )


def _script_links_of(page: Page) -> Iterator[Hit]:
    for tag in page.attributed:
        for name in _LINKING:
            url = tag.attributes.get(name, "").strip()
            if url and classify_url(url) == "script":
                yield url, tag.line


def find_forms(context: CheckContext) -> Iterator[FindingDetails]:
    """Find forms and their fields."""
    return _find_tags(
        context,
        ("form", "input", "select", "textarea", "button"),
        "has a form ({}), which most mail programs do not send; link to a page with the form",
    )


def find_embedded(context: CheckContext) -> Iterator[FindingDetails]:
    """Find frames, plug-ins and media."""
    return _find_tags(
        context,
        ("iframe", "frame", "object", "embed", "applet", "video", "audio"),
        "embeds {}, which most mail programs do not show; use an image that links to it",
    )


def _find_tags(
    context: CheckContext, names: tuple[str, ...], message: str
) -> Iterator[FindingDetails]:
    for page in context.pages:
        hits = ((f"<{tag.name}>", tag.line) for tag in page.all_of(*names))
        yield from one_finding_for_all(page.field, hits, message)


def find_style_links(context: CheckContext) -> Iterator[FindingDetails]:
    """Find style sheets that are linked instead of written into the HTML."""
    for page in context.pages:
        yield from one_finding_for_all(
            page.field,
            (
                (tag.attributes.get("href", ""), tag.line)
                for tag in page.all_of("link")
                if _is_style_sheet(tag)
            ),
            "has an external style sheet ({}), which many mail programs do not load; write the "
            "styles into the HTML",
        )


def _is_style_sheet(tag: Tag) -> bool:
    is_sheet = "stylesheet" in tag.attributes.get("rel", "").lower().split()
    return is_sheet and not _FONTS.match(tag.attributes.get("href", "").strip())


def find_data_images(context: CheckContext) -> Iterator[FindingDetails]:
    """Find images that are written into the HTML."""
    for page in context.pages:
        images = (image for image in page.images if image.kind == "data")
        yield from one_finding_for_all(
            page.field,
            ((_kind_of(image.url), image.line) for image in images if _is_image(image.url)),
            "has images written into the HTML ({}), which Gmail and Outlook block; put them on a "
            "server and link to them",
        )


def _is_image(url: str) -> bool:
    return url[:11].lower() == "data:image/"


def _kind_of(url: str) -> str:
    return url[:100].partition(",")[0]
