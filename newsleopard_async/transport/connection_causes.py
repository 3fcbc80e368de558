"""Why a connection failed: from the exceptions of httpx and what lies below it to one word."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from typing import Final

import anyio
import httpx

from newsleopard_async.transport.outcome import Cause

__all__ = ["cause_of", "way_out_of"]

_UNREACHABLE: Final = {
    errno.EADDRNOTAVAIL,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.ENETUNREACH,
}

_CLASSES: Final[tuple[tuple[Cause, tuple[type[BaseException], ...]], ...]] = (
    ("proxy", (httpx.ProxyError,)),
    ("dns", (socket.gaierror,)),
    ("tls", (ssl.SSLError,)),
    ("refused", (ConnectionRefusedError,)),
    ("timeout", (httpx.TimeoutException, TimeoutError)),
    (
        "reset",
        (
            ConnectionError,
            httpx.NetworkError,
            httpx.RemoteProtocolError,
            anyio.BrokenResourceError,
            anyio.EndOfStream,
        ),
    ),
)
"""In order: of several addresses, one may be unreachable and another refuse. httpx's
``ConnectError`` is a ``NetworkError`` itself, hence does not count by its own class."""

_DEEPEST: Final = 20
"""How many exceptions are looked at. Chosen: httpx, httpcore and anyio make a chain of six."""


def cause_of(error: BaseException) -> Cause:
    """Name why a connection failed, by all exceptions that led to this one."""
    chain = list(_chain(error))
    judged = [each for each in chain if type(each) is not httpx.ConnectError]
    for cause, classes in _CLASSES:
        if any(isinstance(each, classes) for each in judged):
            return cause
    is_unreachable = any(getattr(each, "errno", None) in _UNREACHABLE for each in chain)
    return "unreachable" if is_unreachable else "other"


def way_out_of(error: BaseException, host: str) -> str | None:
    """Say what to change if the set-up is at fault, so that trying again is in vain."""
    for each in _chain(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return (
                f"the certificate of {host} is not trusted ({each.verify_message}); if a proxy or "
                "a company's own authority has issued it, name that authority's certificate in "
                "SSL_CERT_FILE"
            )
        if isinstance(each, httpx.ProxyError) and str(each).startswith("407"):
            return (
                "the proxy wants a user and a password; put them into the proxy variable "
                "(http://user:password@host:port)"
            )
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what led to it, also inside groups.

    httpcore raises ``from None``, so that a hidden context counts, too.
    """
    left = [error]
    for _ in range(_DEEPEST):
        if not left:
            return
        each = left.pop(0)
        yield each
        if isinstance(each, BaseExceptionGroup):
            left.extend(each.exceptions)
        left.extend(filter(None, {each.__cause__, each.__context__}))
