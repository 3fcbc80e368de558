"""Why a connection failed: converts the exceptions of httpx and its layers to one word."""

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
"""The order counts: of several addresses, one can be unreachable and another one refuse. httpx's
``ConnectError`` is a ``NetworkError`` too, so it does not count by its own class."""

_DEEPEST: Final = 20
"""The number of exceptions that are inspected. Chosen: the chain of httpx, httpcore and anyio has
six."""


def cause_of(error: BaseException) -> Cause:
    """Return why a connection failed, by the whole chain of exceptions."""
    chain = list(_chain(error))
    considered = [each for each in chain if type(each) is not httpx.ConnectError]
    for cause, classes in _CLASSES:
        if any(isinstance(each, classes) for each in considered):
            return cause
    is_unreachable = any(getattr(each, "errno", None) in _UNREACHABLE for each in chain)
    return "unreachable" if is_unreachable else "other"


def way_out_of(error: BaseException, host: str) -> str | None:
    """Return what to change if the set-up is wrong, else None."""
    for each in _chain(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return (
                f"the certificate of {host} is not trusted ({each.verify_message}); if a proxy or "
                "a company's own authority has issued it, name that authority's certificate in "
                "SSL_CERT_FILE"
            )
        if isinstance(each, httpx.ProxyError) and str(each).startswith("407"):
            return (
                "the proxy requires a user and a password; add them to the proxy variable "
                "(http://user:password@host:port)"
            )
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and its causes, including those in groups.

    httpcore raises ``from None``, so hidden contexts count as well.
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
