"""Placeholders in the syntax of other products, which go out as they stand.

Looked for in what is seen and in attributes, and never in style sheets and scripts. A percent
sign is no mark of another product by itself: not in ``width:100%``, nor in ``%20`` of a URL,
nor in "50% off, 20% more".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

import attrs

from newsleopard_async.checks.context import Asked, Found, Hit, each
from newsleopard_async.checks.markup import INLINE_TAG, shorten, with_lines
from newsleopard_async.checks.names import OBLIGATORY, KnownNames, likely_name
from newsleopard_async.checks.page import Page

__all__ = ["find_foreign"]

_UNMISTAKABLE: Final = r"\{\{[^{}]{0,80}\}\}|\{%[^{}%]{1,80}%\}|\*\|[^|*<>]{1,60}\|\*"
_MARKS: Final = "{}%*|[]$＄﹩｛｝﹛﹜％ \n\xa0"
_TAG: Final = re.compile(INLINE_TAG, re.IGNORECASE)
_SPLIT: Final = re.compile(
    rf"\{{\{{(?=[^{{}}]{{0,80}}<)(?:[^{{}}<>]|{INLINE_TAG}){{1,80}}\}}\}}", re.IGNORECASE
)
"""What has tags inside, which only the HTML as it stands has in one piece."""

_URLS_AND_STYLES: Final = frozenset(
    {"action", "background", "href", "poster", "src", "srcset", "style"}
)


@attrs.frozen
class _Patterns:
    """What is looked for, in text and in URLs, where a single ``%`` is an escape."""

    text: re.Pattern[str]
    url: re.Pattern[str]

    @classmethod
    def of(cls, columns: Iterable[str]) -> _Patterns:
        name = likely_name(columns)
        url = rf"{_UNMISTAKABLE}|\[\[ ?(?:{name}) ?\]\]|%%(?:{name})%%"
        text = rf"{url}|(?<![0-9%])%(?:{name})%(?![0-9A-Za-z%])|{_around_columns(columns)}"
        return cls(re.compile(text), re.compile(url))


def _around_columns(columns: Iterable[str]) -> str:
    """Return the pattern of marks that are no more than marks around any other word."""
    known = sorted({*OBLIGATORY, *map(str.strip, columns)} - {""}, key=len, reverse=True)
    name = rf"(?i:{'|'.join(map(re.escape, known))})"
    # Right behind a dollar sign, in any writing, it is another rule's.
    no_dollar = "(?<![$＄﹩])(?<!%24)(?<!&#36;)"
    braces = rf"(?:[$＄﹩]\s{{1,3}})?{no_dollar}[{{｛﹛] ?{name} ?[}}｝﹜]"
    return rf"{braces}|％{name}％"


def find_foreign(asked: Asked) -> Iterator[Found]:
    """Find placeholders of other products."""
    columns = asked.columns or ()
    patterns = _Patterns.of(columns)
    say = partial(_say, KnownNames.of(columns))
    rest = "has {} more placeholders in the syntax of other products; write them as ${…}"
    for field, subject in asked.subjects.items():
        hits: Iterator[Hit] = ((shown, None) for shown in patterns.text.findall(subject))
        yield from each(field, hits, say, rest)
    for page in asked.pages:
        yield from each(page.field, _hits_of_page(page, patterns), say, rest)


def _say(known: KnownNames, shown: str) -> str:
    nearest = known.nearest(_TAG.sub("", shown).strip(_MARKS))
    name = shorten(nearest) if nearest else "…"
    return (
        f"has {shorten(shown)}, which is not the platform's syntax and goes out as it stands; "
        f"write ${{{name}}}" + ("" if nearest else " with the name of a column")
    )


def _hits_of_page(page: Page, patterns: _Patterns) -> Iterator[Hit]:
    for match, line in with_lines(_SPLIT.finditer(page.source)):
        yield match[0], line
    for piece in (*page.texts, *page.outlook.texts):
        for match, line in with_lines(patterns.text.finditer(piece.text), piece.line):
            yield match[0], line
    for tag in (*page.attributed, *page.outlook.attributed):
        for name, value in tag.attributes.items():
            pattern = patterns.url if name in _URLS_AND_STYLES else patterns.text
            yield from ((shown, tag.line) for shown in pattern.findall(value))
