"""What an answer says of itself in its headers: the id of the request, and who answered.

The vendor asks for the id. Every gateway and storage gives it another name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
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


def request_id_of(headers: Mapping[str, str], secret: Secret | None) -> str | None:
    """Return the id of the request that an answer is to, if it has one that can be shown.

    Args:
        headers: By their names in lower case.
        secret: The key, which a server may echo.
    """
    for name in _IDS:
        value = headers.get(name)
        if value is not None and _ID.fullmatch(value) and not echoes(value, secret):
            return value
    return None


def selected(headers: Mapping[str, str], secret: Secret | None) -> dict[str, str]:
    """Return the headers that say where an answer comes from, without what cannot be shown."""
    found = {
        name: value
        for name in _SELECTED
        if (value := headers.get(name)) is not None and _VALUE.fullmatch(value)
    }
    if echoes(" ".join(found.values()), secret):
        return {name: value for name, value in found.items() if not echoes(value, secret)}
    return found
