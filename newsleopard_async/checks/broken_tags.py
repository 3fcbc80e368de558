"""Tags that continue after their intended end, because a quote or ``>`` is missing or wrong.

A browser reads a value up to the next quote of its kind, and a tag up to the next ``>``. So the
text and the links up to there are lost, and the words after the quote become names of attributes.
Such names are the sign of a broken tag. A correct tag does not have them, even if it contains
``alt="a > b"``, HTML in ``srcdoc`` or ``data-…``, a comparison in ``onclick``, or commands of
another product.
"""

from __future__ import annotations

import html
import re
from typing import Final

from newsleopard_async.checks.html_tokens import ATTRIBUTE

__all__ = ["is_broken"]

_CURLY: Final = "“”„‟‘’‚‛″′＂＇"
"""Characters that editors write for quotes. 「」 and «» do not count: authors write them."""

_IN_ORDER: Final = re.compile(
    r"</?[A-Za-z][^\s/<>\"']*+"
    rf"(?:[\s/]*+[^\s/<>\"'={_CURLY}＝]++"
    rf"(?:\s*+=\s*+(?:\"[^\"<>]*+(?<![=\s])\"|'[^'<>]*+(?<![=\s])'|[^\s\"'<>=`\\&{_CURLY}]++))?+)*+[\s/]*+>"
)
"""A correct tag. Most tags match, which is cheaper than a check of each attribute."""

_TEMPLATE: Final = re.compile(
    # A command also stops at the next opening; else each opening would start a search for its end.
    "|".join(
        f"{begin}(?:(?!{end}|{begin}).)*+{end}"
        for begin, end in (
            (r"\{\{", r"\}\}"),
            (r"\{%", r"%\}"),
            ("<%", "%>"),
            (r"<\?", r"\?>"),
            (r"\*\|", r"\|\*"),
            ("%%", "%%"),
        )
    ),
    re.DOTALL,
)
"""Commands of other products, which contain quotes; another rule reports them."""

_TEMPLATE_OPENING: Final = re.compile(r"\{\{|\{%|<[%?#]|\*\||%%")
_TAG_NAME: Final = re.compile(r"</?([^\s/>]+)")
_NOT_IN_NAME: Final = re.compile(rf"[\"'<＝{_CURLY}]")

_NO_MARKUP: Final = frozenset(
    {
        *("align", "background", "bgcolor", "border", "cellpadding", "cellspacing", "class"),
        *("color", "colspan", "face", "height", "href", "id", "lang", "name", "rel", "role"),
        *("rowspan", "size", "src", "srcset", "style", "target", "type", "valign", "width"),
    }
)
"""Attributes that never contain a tag."""

_BEHIND_TAG: Final = re.compile(r"[^<>]*>[^<]*</?[A-Za-z!]")
"""The end of the tag, then another tag. Intended HTML in a value begins with a tag instead."""

_UP_TO_NEXT: Final = re.compile(
    r"(?:>[^<]*<[A-Za-z][^<>]*|\s(?:alt|class|height|href|id|src|style|target|title|width))\s*=\s*\Z",
    re.IGNORECASE,
)
_END_CHARS: Final = 300
"""Characters at the end of a value that are checked. Chosen: a sentence and a tag's begin."""

_OPENED: Final = re.compile(rf"""\\["']|["'`{_CURLY}]""")
"""The begin of an unquoted value with a half quote; JSON writes a backslash before quotes."""

_LONGEST_QUOTE: Final = len("&ldquo;")


def is_broken(tag: str) -> bool:
    """Return whether a tag continues after its intended end.

    Args:
        tag: The tag in the HTML, from ``<`` to ``>``.
    """
    if _IN_ORDER.fullmatch(tag):
        return False
    plain = _TEMPLATE.sub("x", tag)
    name = _TAG_NAME.match(plain)
    if name is None or _TEMPLATE_OPENING.search(plain):
        return False
    if plain[1] == "/":
        return "<" in plain[1:]
    return "<" in name[1] or any(
        _shows_fault(attribute) for attribute in ATTRIBUTE.finditer(plain, name.end())
    )


def _shows_fault(attribute: re.Match[str]) -> bool:
    _, name, double, single, bare = attribute.groups()
    if name is None:
        return False
    if _NOT_IN_NAME.search(name):
        return True
    if bare is not None:
        return _is_half_quoted(bare)
    value = double or single or ""
    has_tag = name.lower() in _NO_MARKUP and _BEHIND_TAG.match(value)
    return bool(has_tag or _UP_TO_NEXT.search(value[-_END_CHARS:]))


def _is_half_quoted(bare: str) -> bool:
    """Return whether an unquoted value has a quote at one end only, or contains a tag."""
    has_half = bare.count('"') % 2 == 1 or (bare.endswith("'") and bare.count("'") % 2 == 1)
    return has_half or "<" in bare or bool(_OPENED.match(html.unescape(bare[:_LONGEST_QUOTE])))
