"""The headers of an answer that can be shown: the id of the request, and which server answered.

The vendor asks for the id. Each kind of gateway and storage has its own header for it.
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
"""The first header of these counts. Amazon's REST gateway writes the first, its HTTP gateway the
last, S3 the third, and most proxies the second."""

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
"""No server derives these from the request, and none of them grants access."""

_LONGEST_CHARACTERS: Final = 128
"""Chosen: the longest id in use, ``x-amz-id-2``, has 76 to 100 characters."""

_ID: Final = re.compile(rf"[\w.:;=+/-]{{1,{_LONGEST_CHARACTERS}}}", re.ASCII)
_VALUE: Final = re.compile(rf"[\w.:;=+/\-\x20\",()*]{{1,{_LONGEST_CHARACTERS}}}", re.ASCII)
"""An address needs ``@`` or ``%``, and a presigned URL needs ``?``."""


_PHONE: Final = re.compile(r"\+?\d(?:[-. ]?\d){6,14}")
"""A value of only so many digits can be a phone number."""

_CODED: Final = re.compile(r"[A-Za-z0-9+/_-]{10,}")
_TELLING: Final = re.compile(r"@|://|[?&]\w+=|\d{7}|[^\x00-\x7f]{2}")
"""The marks of addresses, phone numbers, URLs and names in a decoded text.

Measured: of 200,000 ids of each kind in use, at most eight are refused, which are text by chance.
"""


def request_id_of(headers: Mapping[str, str], secret: Secret | None) -> str | None:
    """Return the id of the request that an answer is for, if it can be shown.

    Args:
        headers: By their names in lower case.
        secret: A text that a server can echo: the key, or what is signed in a URL.
    """
    for name in _IDS:
        value = headers.get(name)
        if value is not None and _may_be_shown(value, _ID) and not echoes(value, secret):
            return value
    return None


def selected(headers: Mapping[str, str], secret: Secret | None) -> dict[str, str]:
    """Return the headers that show which server answered, without personal data and secrets."""
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
    """Decode hexadecimal and base64 pieces, if they contain text."""
    for piece in _CODED.findall(value):
        with contextlib.suppress(ValueError):
            yield bytes.fromhex(piece).decode()
        with contextlib.suppress(ValueError):
            padded = piece.replace("+", "-").replace("/", "_") + "=" * (-len(piece) % 4)
            yield base64.urlsafe_b64decode(padded).decode()
