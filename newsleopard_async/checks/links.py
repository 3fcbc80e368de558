"""Links and images that lead nowhere from a recipient's mail program."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from newsleopard_async.checks.context import CheckContext, FindingDetails, one_finding_for_all
from newsleopard_async.checks.mail_urls import UrlKind
from newsleopard_async.checks.page import Page

__all__ = ["find_bad", "find_empty", "find_local", "find_missing_anchors", "find_relative"]


def find_relative(context: CheckContext) -> Iterator[FindingDetails]:
    """Find URLs that only mean something on a web page."""
    return _find(
        context,
        "relative",
        "has relative links or image paths ({}), which lead nowhere from a mail; write them in "
        "full, from https:// on",
    )


def find_local(context: CheckContext) -> Iterator[FindingDetails]:
    """Find URLs that only mean something on one machine or network."""
    return _find(
        context,
        "local",
        "has links or images on a machine or network that recipients do not reach ({}); put them "
        "on a public server",
    )


def find_bad(context: CheckContext) -> Iterator[FindingDetails]:
    """Find URLs that nothing can be made of."""
    yield from _find(
        context,
        "bad",
        "has links or image paths that are not a URL ({}); write them as https://host/path",
    )
    yield from _find(
        context,
        "stray",
        "has links or image paths with blanks, full-width punctuation or invisible characters in "
        "them ({}); take these out, or percent-encode them, as in %20",
    )


def find_empty(context: CheckContext) -> Iterator[FindingDetails]:
    """Find links that were never filled in."""
    for page in context.pages:
        links = (link for link in page.links if link.kind == "empty")
        yield from one_finding_for_all(
            page.field,
            ((f'href="{link.url}"', link.line) for link in links),
            "has links that lead nowhere ({}); give them an address, or take them out",
        )


def find_missing_anchors(context: CheckContext) -> Iterator[FindingDetails]:
    """Find links to a place in the mail that is not there."""
    for page in context.pages:
        anchors = [link for link in page.links if link.kind == "anchor"]
        places = _places_of(page) if anchors else frozenset()
        yield from one_finding_for_all(
            page.field,
            ((link.url, link.line) for link in anchors if _place_of(link.url).isdisjoint(places)),
            "has links to places that are not in the mail ({}); give the place that id",
        )


def _place_of(url: str) -> frozenset[str]:
    """Return the names that a link may mean: as it stands, and with its escapes resolved."""
    name = url[1:]
    return frozenset({name.lower(), unquote(name).lower()})


def _places_of(page: Page) -> frozenset[str]:
    tags = (*page.attributed, *page.outlook.attributed)
    names = (tag.attributes.get(name, "") for tag in tags for name in ("id", "name"))
    return frozenset({"top", *map(str.lower, names)})


def _find(context: CheckContext, kind: UrlKind, message: str) -> Iterator[FindingDetails]:
    for page in context.pages:
        references = (*page.links, *page.images)
        hits = ((each.url, each.line) for each in references if each.kind == kind)
        yield from one_finding_for_all(page.field, hits, message)
