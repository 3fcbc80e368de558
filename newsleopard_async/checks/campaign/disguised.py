"""Placeholders that a recipient sees as such, and the platform does not.

It reads the HTML as it stands (T83), where an editor has written ``&#36;{NAME}`` or
``%24%7BNAME%7D``, or has put tags between the signs. A whole ``${…}`` with a tag inside is one
that the platform does see, and is judged with the others.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from newsleopard_async.checks.campaign.asked import Asked, Found, each, matches_of
from newsleopard_async.checks.campaign.markup import INLINE_TAG
from newsleopard_async.checks.campaign.texts import shorten

__all__ = ["find_encoded", "find_split"]


def _sign(char: str, *names: str) -> str:
    """Return the pattern of a character that may be written in any way."""
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


def find_encoded(asked: Asked) -> Iterator[Found]:
    """Find placeholders in percent-encoding, as in a link, or in character references."""
    rest = "has {} more encoded placeholders; write them as ${…}"
    for field, matches in matches_of(asked, _DISGUISED):
        hits = (
            (match[0], line)
            for match, line in matches
            if _is_disguised(match[0]) and "<" not in match[0]
        )
        yield from each(field, hits, _say_encoded, rest)


def _say_encoded(shown: str) -> str:
    how = "written in character references" if "&" in shown else "percent-encoded"
    return f"has {shorten(shown)}, which is {how} and will not be replaced; write {_plain(shown)}"


def find_split(asked: Asked) -> Iterator[Found]:
    """Find placeholders with tags between their signs."""
    rest = "has {} more placeholders with tags between their signs; take the tags out"
    for field, matches in matches_of(asked, _DISGUISED):
        hits = (
            (match[0], line)
            for match, line in matches
            if _is_disguised(match[0]) and "<" in match[0]
        )
        yield from each(field, hits, _say_split, rest)


def _say_split(shown: str) -> str:
    return (
        f"has {shorten(shown)} with tags between its signs, as editors put them there, and it "
        f"will not be replaced; write {_plain(shown)}"
    )


def _is_disguised(shown: str) -> bool:
    is_whole = shown.endswith("}") or "<" in shown
    return not (shown.startswith("${") and is_whole)


def _plain(shown: str) -> str:
    """Return a placeholder as it is to be written."""
    plain = unquote(html.unescape(_TAG.sub("", shown)))
    return f"${{{shorten(plain[2:-1])}}}"
