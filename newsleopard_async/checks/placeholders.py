"""Whether each ``${…}`` will be replaced.

The platform replaces placeholders by the names of the contacts' columns. It does not describe case,
missing values, defaults and escaping (T83, T84). The rules read the HTML source, like the platform,
but without scripts and comments, which are invisible.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final
from urllib.parse import unquote

from newsleopard_async.checks.context import (
    CheckContext,
    FindingDetails,
    Hit,
    matches_of,
    one_finding_each,
)
from newsleopard_async.checks.markup import INLINE_TAG, shorten, write_out
from newsleopard_async.checks.page import Page
from newsleopard_async.checks.placeholder_names import Kind, KnownNames

__all__ = [
    "find_encoded",
    "find_full_width",
    "find_in_ga",
    "find_in_preheader",
    "find_in_sender",
    "find_in_url",
    "find_malformed",
    "find_of_other_case",
    "find_of_platform",
    "find_split",
    "find_unknown",
]

_PLACEHOLDER: Final = re.compile(r"\$\{((?:[^{}$]|\$(?!\{)){0,200})(\}?)")
_FULL_WIDTH: Final = re.compile(r"[$＄﹩][{｛﹛]([^{}｛｝﹛﹜\n<>]{1,100})[}｝﹜]")
_TAG_OR_BREAK: Final = re.compile(r"[<>\n]")
_ASCII_MARKS: Final = ("$", "{", "}")


def find_unknown(context: CheckContext) -> Iterator[FindingDetails]:
    """Find placeholders that no column fills."""
    rest = "has {} more placeholders that no column fills; add the columns, or take them out"
    return _of_kind(context, "unknown", _say_unknown, rest)


def _say_unknown(known: KnownNames, name: str) -> str:
    nearest = known.nearest(name)
    way_out = (
        f"did you mean {_braced(nearest)}?"
        if nearest
        else "add it to the contacts, or take the placeholder out"
    )
    return f"has {_braced(name)}, but the contacts have no such column; {way_out}"


def find_of_other_case(context: CheckContext) -> Iterator[FindingDetails]:
    """Find placeholders that differ from their column in case or surrounding spaces only."""
    rest = "has {} more placeholders that differ from a column in case or spaces; copy the name"
    return _of_kind(context, "case", _say_of_other_case, rest)


def _say_of_other_case(known: KnownNames, name: str) -> str:
    column = known.same_but_for_case(name) or name
    return (
        f"has ${{{write_out(name)}}}, but the column is {shorten(column)}; write "
        f"{_braced(column)}, because the platform possibly distinguishes case and spaces"
    )


def find_of_platform(context: CheckContext) -> Iterator[FindingDetails]:
    """Find placeholders with a name that the platform reserves and the contacts do not have."""
    rest = "has {} more placeholders with names that the platform reserves; check a test mail"
    return _of_kind(context, "reserved", _say_of_platform, rest)


def _say_of_platform(_: KnownNames, name: str) -> str:
    return (
        f"has {_braced(name)}, a name that the platform reserves, and the contacts have no such "
        "column; the value is not documented, so check a test mail"
    )


def find_malformed(context: CheckContext) -> Iterator[FindingDetails]:
    """Find placeholders without a name or an end, or with something else inside."""
    rest = "has {} more faulty placeholders; write a column's name between the braces"
    for field, matches in matches_of(context, _PLACEHOLDER):
        hits = ((match[0], line) for match, line in matches if not _is_well_formed(match))
        yield from one_finding_each(field, hits, _say_malformed, rest)
    yield from find_split(context)


def _say_malformed(shown: str) -> str:
    if not shown.endswith("}"):
        return f"has {shorten(shown, 30)} without a closing brace; close it after the name"
    if not shown[2:-1].strip():
        return f"has {shorten(shown)} without a name; write a column's name between the braces"
    return (
        f"has {shorten(shown)} with a tag or line break inside, which editors insert; write only "
        "the column's name between the braces"
    )


def find_full_width(context: CheckContext) -> Iterator[FindingDetails]:
    """Find placeholders in full-width characters."""
    rest = "has {} more placeholders in full-width characters; write ${…} in half-width characters"
    for field, matches in matches_of(context, _FULL_WIDTH):
        hits = ((match[0], line) for match, line in matches if not _is_plain(match))
        yield from one_finding_each(field, hits, _say_full_width, rest)


def _say_full_width(shown: str) -> str:
    return (
        f"has {write_out(shown)} in full-width characters, which will not be replaced; write "
        f"{_braced(shown[2:-1].strip())}"
    )


def find_in_url(context: CheckContext) -> Iterator[FindingDetails]:
    """Find placeholders inside a URL, because a value can break the URL."""
    rest = "has {} more placeholders inside a URL; percent-encode the values of these columns"
    for page in context.pages:
        yield from one_finding_each(page.field, _names_in_urls(page), _say_in_url, rest)


def _names_in_urls(page: Page) -> Iterator[Hit]:
    for reference in (*page.links, *page.images):
        if reference.url[:4].lower() == "http":
            for match in _PLACEHOLDER.finditer(reference.url):
                yield match[1], reference.line


def _say_in_url(name: str) -> str:
    return (
        f"has {_braced(name)} inside a URL, and the platform possibly does not encode its value; "
        "percent-encode the values of this column"
    )


def find_in_preheader(context: CheckContext) -> Iterator[FindingDetails]:
    """Find placeholders in a preheader, which the platform does not describe."""
    for field, preheader in context.preheaders.items():
        if match := _PLACEHOLDER.search(preheader):
            yield FindingDetails(
                field,
                f"has {shorten(match[0])}, but the platform describes placeholders for subject "
                "and HTML only; check a test mail",
            )


def find_in_sender(context: CheckContext) -> Iterator[FindingDetails]:
    """Find placeholders in a sender's name, in any writing."""
    return _unfilled(context.sender_names)


def find_in_ga(context: CheckContext) -> Iterator[FindingDetails]:
    """Find placeholders in a Google Analytics value, in any writing."""
    return _unfilled(context.ga_values)


def _unfilled(texts: Mapping[str, str]) -> Iterator[FindingDetails]:
    for field, text in texts.items():
        found = (pattern.search(text) for pattern in (_PLACEHOLDER, _FULL_WIDTH, _DISGUISED))
        if match := next(filter(None, found), None):
            yield FindingDetails(
                field,
                f"has {shorten(match[0])}, but the platform describes placeholders for subject "
                "and HTML only; write the text instead",
            )


def _of_kind(
    context: CheckContext, kind: Kind, say: Callable[[KnownNames, str], str], rest: str
) -> Iterator[FindingDetails]:
    """Yield findings for the placeholders of a kind; without the columns, none."""
    if context.columns is None:
        return
    known = KnownNames.of(context.columns)
    for field, matches in matches_of(context, _PLACEHOLDER):
        hits = (
            (match[1], line)
            for match, line in matches
            if _is_well_formed(match) and known.kind_of(match[1]) == kind
        )
        yield from one_finding_each(field, hits, partial(say, known), rest)


def _is_well_formed(match: re.Match[str]) -> bool:
    name, end = match.groups()
    return bool(end and name.strip()) and not _TAG_OR_BREAK.search(name)


def _is_plain(match: re.Match[str]) -> bool:
    shown = match[0]
    return (shown[0], shown[1], shown[-1]) == _ASCII_MARKS


def _braced(name: str) -> str:
    return f"${{{shorten(name)}}}"


# Placeholders that a recipient sees, but that the platform does not find.
#
# The platform reads the HTML source (T83). An editor can write ``&#36;{NAME}`` or ``%24%7BNAME%7D``
# there, or put tags between the signs. The platform does find a whole ``${…}`` with a tag inside,
# so `find_malformed` checks it.


def _sign(char: str, *names: str) -> str:
    """Return the pattern of a character, plain or encoded."""
    code = ord(char)
    number = rf"&#(?:0{{0,8}}{code}(?![0-9])|x0{{0,8}}{code:x}(?![0-9a-f]));?"
    return rf"(?:{re.escape(char)}|%{code:x}|{number}|&(?:{'|'.join(names)});)"


_IN_NAME: Final = rf"[\w .:|-]|%[0-9a-f]{{2}}|&[#\w]{{1,30}};|{INLINE_TAG}"

_DISGUISED: Final = re.compile(
    rf"{_sign('$', 'dollar')}(?:{INLINE_TAG}){{0,10}}{_sign('{', 'lcub', 'lbrace')}"
    rf"((?:{_IN_NAME}){{1,80}}?){_sign('}', 'rcub', 'rbrace')}",
    re.IGNORECASE,
)
_TAG: Final = re.compile(INLINE_TAG, re.IGNORECASE)


def find_encoded(context: CheckContext) -> Iterator[FindingDetails]:
    """Find placeholders that are percent-encoded or written in character references."""
    rest = "has {} more encoded placeholders; write them as ${…}"
    for field, matches in matches_of(context, _DISGUISED):
        hits = (
            (match[0], line)
            for match, line in matches
            if _is_disguised(match[0]) and "<" not in match[0]
        )
        yield from one_finding_each(field, hits, _say_encoded, rest)


def _say_encoded(shown: str) -> str:
    how = "is written in character references" if "&" in shown else "is percent-encoded"
    return f"has {shorten(shown)}, which {how} and will not be replaced; write {_plain(shown)}"


def find_split(context: CheckContext) -> Iterator[FindingDetails]:
    """Find placeholders with tags between their signs."""
    rest = "has {} more placeholders with tags between their signs; take the tags out"
    for field, matches in matches_of(context, _DISGUISED):
        hits = (
            (match[0], line)
            for match, line in matches
            if _is_disguised(match[0]) and "<" in match[0]
        )
        yield from one_finding_each(field, hits, _say_split, rest)


def _say_split(shown: str) -> str:
    return (
        f"has {shorten(shown)} with tags between its signs, which editors insert, so it will not "
        f"be replaced; write {_plain(shown)}"
    )


def _is_disguised(shown: str) -> bool:
    is_whole = shown.endswith("}") or "<" in shown
    return not (shown.startswith("${") and is_whole)


def _plain(shown: str) -> str:
    """Return a placeholder in the syntax of the platform."""
    plain = unquote(html.unescape(_TAG.sub("", shown)))
    return f"${{{shorten(plain[2:-1])}}}"
