"""Tags that go on behind their end: a quote or a ``>`` is missing, doubled or of the wrong kind.

A browser reads a value up to the next quote of its kind, and a tag up to the next ``>``. Text and
links up to there are gone, and what follows the quote is read as names of attributes. That leaves
signs that a tag in order does not have, whatever it holds on purpose: ``alt="a > b"``, a piece of
HTML in ``srcdoc`` or ``data-…``, a comparison in ``onclick``, another product's commands.
"""

from __future__ import annotations

import html
import re
from typing import Final

from newsleopard_async.checks.html_tokens import ATTRIBUTE

__all__ = ["is_broken"]

_CURLY: Final = "“”„‟‘’‚‛″′＂＇"
"""What editors make of quotes. 「」 and «» are none: they are put around words on purpose."""

_IN_ORDER: Final = re.compile(
    r"</?[A-Za-z][^\s/<>\"']*+"
    rf"(?:[\s/]*+[^\s/<>\"'={_CURLY}＝]++"
    rf"(?:\s*+=\s*+(?:\"[^\"<>]*+(?<![=\s])\"|'[^'<>]*+(?<![=\s])'|[^\s\"'<>=`\\&{_CURLY}]++))?+)*+[\s/]*+>"
)
"""Nothing to look at: most tags, at little cost."""

_TEMPLATE: Final = re.compile(
    # A command stops at the next opening, too: else its end would be looked for from each of them.
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
"""Another product's commands, which have quotes of their own; another rule reports them."""

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
"""Attributes whose values never hold a tag."""

_BEHIND_TAG: Final = re.compile(r"[^<>]*>[^<]*</?[A-Za-z!]")
"""The end of the tag itself, and then another tag. Markup on purpose begins with its own."""

_UP_TO_NEXT: Final = re.compile(
    r"(?:>[^<]*<[A-Za-z][^<>]*|\s(?:alt|class|height|href|id|src|style|target|title|width))\s*=\s*\Z",
    re.IGNORECASE,
)
_END_CHARS: Final = 300
"""How much of a value's end is looked at: chosen, a sentence and the begin of a tag."""

_OPENED: Final = re.compile(rf"""\\["']|["'`{_CURLY}]""")
"""How an unquoted value begins that was meant to be quoted; JSON has a backslash before quotes."""

_LONGEST_QUOTE: Final = len("&ldquo;")


def is_broken(tag: str) -> bool:
    """Tell whether a tag goes on behind the place where its author meant to end it.

    Args:
        tag: As it stands in the HTML, from ``<`` to ``>``.
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
    holds_tags = name.lower() in _NO_MARKUP and _BEHIND_TAG.match(value)
    return bool(holds_tags or _UP_TO_NEXT.search(value[-_END_CHARS:]))


def _is_half_quoted(bare: str) -> bool:
    """Tell whether an unquoted value has a quote at one end, or a tag behind it."""
    has_half = bare.count('"') % 2 == 1 or (bare.endswith("'") and bare.count("'") % 2 == 1)
    return has_half or "<" in bare or bool(_OPENED.match(html.unescape(bare[:_LONGEST_QUOTE])))
