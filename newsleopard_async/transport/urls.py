"""URLs: their parts, whether they lead to this machine, and whether the storage can have them."""

from __future__ import annotations

import ipaddress
import os
import re
import urllib.request
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import httpx

__all__ = [
    "OWN_PORTS",
    "PLAIN_HTTP",
    "is_loopback",
    "origin_of",
    "problem_of_storage_url",
    "proxy_for",
    "proxy_variable",
    "split_url",
]

_NUMBER: Final = re.compile(r"0x[0-9a-f]*|[0-9]+")
OWN_PORTS: Final = {"http": 80, "https": 443}
"""The port of a URL that does not contain one."""

PLAIN_HTTP: Final = "is a plain http URL, which shows its content to anyone on the way; use https"

_HERE: Final = tuple(
    ipaddress.ip_network(each)
    for each in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "::/128", "::1/128", "fe80::/10")
)
"""This machine and its local link. On Linux 0.0.0.0 is the loopback, too (RFC 6890)."""

_CARRIES_IPV4: Final = tuple(
    ipaddress.IPv6Network(each) for each in ("::/96", "::ffff:0:0/96", "64:ff9b::/96")
)
"""IPv6 addresses that contain an IPv4 address in their last 32 bits (RFC 4291, 2.5.5; RFC 6052)."""


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, so that plain http leaks nothing."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_here(host: str) -> bool:
    """Return whether a host, in any notation, is this machine or on its local link."""
    name = unquote(host).strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    found = _address(name.partition("%")[0])
    if found is None:
        return False
    forms = [found]
    if isinstance(found, ipaddress.IPv6Address):
        if any(found in network for network in _CARRIES_IPV4):
            forms.append(ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF))
        if found.sixtofour is not None:
            forms.append(found.sixtofour)
    return any(form in network for form in forms for network in _HERE)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address; IPv4 also in the short, hexadecimal or octal form of inet_aton."""
    if ":" in name:
        try:
            return ipaddress.IPv6Address(name)
        except ValueError:
            return None
    parts = name.split(".")
    if len(parts) > 4 or not all(map(_NUMBER.fullmatch, parts)):
        return None
    try:
        *first, last = map(_number, parts)
        if max(first, default=0) > 255:
            return None
        # The last number contains all bytes that are left.
        high = sum(byte << 8 * (3 - index) for index, byte in enumerate(first))
        return ipaddress.IPv4Address(high + last)
    except ValueError:
        return None


def _number(text: str) -> int:
    if text.startswith("0x"):
        return int(text[2:] or "0", 16)
    return int(text, 8 if text.startswith("0") else 10)


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL; equivalent origins have the same text."""
    scheme, host, port = _origin_of(urlsplit(url))
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _origin_of(parts: SplitResult) -> tuple[str, str, int | None]:
    """Return the parts that two URLs of the same server have in common."""
    try:
        port = parts.port or OWN_PORTS.get(parts.scheme)
    except ValueError:
        port = None
    return parts.scheme, (parts.hostname or "").rstrip("."), port


def problem_of_storage_url(parts: SplitResult, base_url: str) -> str | None:
    """Return why a client of an API at ``base_url`` does not use a storage URL, or None.

    The URL comes from an answer, which is not trusted: it could expose a file with personal data
    on the way, or read from a service that only this machine can reach.
    """
    base = urlsplit(base_url)
    host = parts.hostname or ""
    if _origin_of(parts) == _origin_of(base):
        return None
    is_local = is_loopback(base.hostname or "")
    if not is_local and _is_here(host):
        return "is a URL of this machine or its own network, where no file storage can be"
    if parts.scheme == "http" and not (is_local and _is_here(host)):
        return PLAIN_HTTP
    return "is a URL with a user or password" if "@" in parts.netloc and not is_local else None


def proxy_for(scheme: str, host: str) -> str | None:
    """Return the proxy of the environment, as the standard library reads it."""
    if is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    # The standard library accepts "host:port" too.
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy or None


def proxy_variable(scheme: str) -> str:
    """Return the name of the variable that contains the proxy of a scheme, for an error."""
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    return next((name for name in names if os.environ.get(name)), "the system's setting")


def split_url(url: str, *, is_to_be_sent: bool = True) -> SplitResult | None:
    """Split a URL; return None if the standard library or httpx cannot read it.

    Their errors show the URL, so they are not raised.

    Args:
        is_to_be_sent: Whether a request is sent there now, so that httpx must be able to read it.
    """
    try:
        parts = urlsplit(url)
        _ = parts.hostname
        if is_to_be_sent:
            _ = parts.port
            httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        return None
    return parts
