"""A mail's HTML as it may be shown in a browser: it runs nothing, loads nothing, and stays put.

The headers do most of it: the ``sandbox`` takes scripts, forms, pop-ups and the way out of the
frame, and nothing but what the mail itself contains may be loaded. What no header stops (a
preconnect, a refresh, a base for links, a frame that begins to go elsewhere) is taken out of the
HTML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["FRAME_HEADERS", "framed"]

FRAME_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
        "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
    ),
    "X-DNS-Prefetch-Control": "off",
}
"""What the answer that shows a mail has beside what every answer has."""

_TAG: Final = re.compile(
    r"<(?:link|base|meta|i?frame|fencedframe|portal|object|embed)(?=[\s/>])", re.IGNORECASE
)
_HARMLESS_META: Final = re.compile(
    r"""<meta(?:\s+[a-z-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>=`]+))*\s*/?>""", re.IGNORECASE
)
_WAY_OUT: Final = re.compile(r"""\bhref(?=\s*=)(?!\s*=\s*["']?\s*(?:#|data:))""", re.IGNORECASE)
"""Where a link leads. Chromium connects to that place when the pointer is above the link, which no
policy forbids; what leads to the mail itself, or is data of its own, stays."""

_VOID: Final = "<basefont"
"""An element that no browser does anything with any longer, and that may stand in a head."""


def framed(html: str) -> str:
    """Return HTML without ``<link>``, ``<base>``, ``<meta http-equiv>`` and frames of its own.

    A link looks as it does, and leads nowhere; where it would lead is in ``data-href``.

    It is done to the text and not to the elements that some parser finds. No browser can then
    read the beginning of such a tag anywhere, however the HTML around it is broken.
    """
    return _WAY_OUT.sub('href="#" data-href', _TAG.sub(_replaced, html))


def _replaced(found: re.Match[str]) -> str:
    meta = _HARMLESS_META.match(found.string, found.start())
    is_harmless = meta is not None and "http-equiv" not in meta[0].lower()
    return found[0] if is_harmless else _VOID
