"""Links and images that do not work in a recipient's mail program."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from newsleopard_async.checks.context import CheckContext, FindingDetails, one_finding_for_all
from newsleopard_async.checks.mail_urls import UrlKind
from newsleopard_async.checks.page import Page

__all__ = ["find_bad", "find_empty", "find_local", "find_missing_anchors", "find_relative"]


def find_relative(context: CheckContext) -> Iterator[FindingDetails]:
    """Find URLs that work only on a web page."""
    return _find(
        context,
        "relative",
        "has relative links or image paths ({}), which do not work in a mail; write the full "
        "URLs, beginning with https://",
    )


def find_local(context: CheckContext) -> Iterator[FindingDetails]:
    """Find URLs that work only on one machine or network."""
    return _find(
        context,
        "local",
        "has links or images on a machine or network that recipients cannot reach ({}); put them "
        "on a public server",
    )


def find_bad(context: CheckContext) -> Iterator[FindingDetails]:
    """Find links and image paths that are not valid URLs."""
    yield from _find(
        context,
        "bad",
        "has links or image paths that are not a URL ({}); write them as https://host/path",
    )
    yield from _find(
        context,
        "stray",
        "has links or image paths with blanks, full-width punctuation or invisible characters "
        "({}); take these out, or percent-encode them, for example as %20",
    )


def find_empty(context: CheckContext) -> Iterator[FindingDetails]:
    """Find links that were never filled in."""
    for page in context.pages:
        links = (link for link in page.links if link.kind == "empty")
        yield from one_finding_for_all(
            page.field,
            ((f'href="{link.url}"', link.line) for link in links),
            "has links without a target ({}); write the address, or take them out",
        )


def find_missing_anchors(context: CheckContext) -> Iterator[FindingDetails]:
    """Find links to an anchor that the mail does not have."""
    for page in context.pages:
        anchors = [link for link in page.links if link.kind == "anchor"]
        targets = _anchors_of(page) if anchors else frozenset()
        yield from one_finding_for_all(
            page.field,
            (
                (link.url, link.line)
                for link in anchors
                if _anchor_names(link.url).isdisjoint(targets)
            ),
            "has links to places that are not in the mail ({}); give an element this id",
        )


def _anchor_names(url: str) -> frozenset[str]:
    """Return the anchors that a link can mean: as written, and with its escapes resolved."""
    name = url[1:]
    return frozenset({name.lower(), unquote(name).lower()})


def _anchors_of(page: Page) -> frozenset[str]:
    tags = (*page.attributed, *page.outlook.attributed)
    names = (tag.attributes.get(name, "") for tag in tags for name in ("id", "name"))
    return frozenset({"top", *map(str.lower, names)})


def _find(context: CheckContext, kind: UrlKind, message: str) -> Iterator[FindingDetails]:
    for page in context.pages:
        references = (*page.links, *page.images)
        hits = ((each.url, each.line) for each in references if each.kind == kind)
        yield from one_finding_for_all(page.field, hits, message)
