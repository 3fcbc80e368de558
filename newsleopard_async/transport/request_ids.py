"""What the headers of an answer show: the id of the request, and which server answered.

The vendor asks for the id. Each kind of gateway and storage has its own name for it.
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Final

from newsleopard_async.transport.redact import Secret, echoes

__all__ = ["request_id_of", "selected"]

_IDS: Final = ("x-amzn-requestid", "x-request-id", "x-amz-request-id", "apigw-requestid")
"""In the order in which they are believed. The REST gateway of Amazon writes the first, the HTTP
gateway the last, S3 the third, and most proxies the second."""

_SELECTED: Final = (
    *_IDS,
    "x-amz-apigw-id",
    "x-amz-id-2",
    "x-amz-cf-id",
    "x-amz-cf-pop",
    "x-amzn-trace-id",
    "x-amzn-errortype",
    "x-cache",
    "via",
    "server",
    "date",
    "retry-after",
    "content-type",
    "cf-ray",
)
"""None of these is made from what was sent, and none opens anything."""

_LONGEST_CHARACTERS: Final = 128
"""Chosen: the longest in use, ``x-amz-id-2``, has 76 to 100."""

_ID: Final = re.compile(rf"[\w.:;=+/-]{{1,{_LONGEST_CHARACTERS}}}", re.ASCII)
_VALUE: Final = re.compile(rf"[\w.:;=+/\-\x20\",()*]{{1,{_LONGEST_CHARACTERS}}}", re.ASCII)
"""There is no address without ``@`` or ``%``, and no presigned URL without ``?``."""


_PHONE: Final = re.compile(r"\+?\d(?:[-. ]?\d){6,14}")
"""A whole value of so many digits may be a person's phone number."""

_CODED: Final = re.compile(r"[A-Za-z0-9+/_-]{10,}")
_TELLING: Final = re.compile(r"@|://|[?&]\w+=|\d{7}|[^\x00-\x7f]{2}")
"""What is found in a text of addresses, phone numbers, URLs or names, once it is decoded.

Of 200,000 ids of each kind in use this refuses eight at most, which are text by chance (measured).
"""


def request_id_of(headers: Mapping[str, str], secret: Secret | None) -> str | None:
    """Return the id of the request that an answer is to, if it has one that can be shown.

    Args:
        headers: By their names in lower case.
        secret: What a server may echo: the key, or what is signed in a URL.
    """
    for name in _IDS:
        value = headers.get(name)
        if value is not None and _may_be_shown(value, _ID) and not echoes(value, secret):
            return value
    return None


def selected(headers: Mapping[str, str], secret: Secret | None) -> dict[str, str]:
    """Return the headers that show where an answer comes from, without any that may tell more."""
    found = {
        name: value
        for name in _SELECTED
        if (value := headers.get(name)) is not None and _may_be_shown(value, _VALUE)
    }
    if echoes(" ".join(found.values()), secret):
        return {name: value for name, value in found.items() if not echoes(value, secret)}
    return found


def _may_be_shown(value: str, form: re.Pattern[str]) -> bool:
    if not form.fullmatch(value) or _PHONE.fullmatch(value):
        return False
    return not any(text.isprintable() and _TELLING.search(text) for text in _decoded(value))


def _decoded(value: str) -> Iterator[str]:
    """Read what is hexadecimal or base64, if it is text."""
    for piece in _CODED.findall(value):
        with contextlib.suppress(ValueError):
            yield bytes.fromhex(piece).decode()
        with contextlib.suppress(ValueError):
            padded = piece.replace("+", "-").replace("/", "_") + "=" * (-len(piece) % 4)
            yield base64.urlsafe_b64decode(padded).decode()
