"""URLs: taken apart, and which of them stay on this machine."""

from __future__ import annotations

import ipaddress
import urllib.request
from urllib.parse import SplitResult, urlsplit

import httpx

__all__ = ["is_loopback", "proxy_for", "split_url"]


def is_loopback(host: str) -> bool:
    """Say whether a host is this very machine, so that plain http leaks nothing."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def proxy_for(scheme: str, host: str) -> str | None:
    """Return the proxy that the environment asks for, as the standard library reads it."""
    if is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    # The standard library takes "host:port" too.
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy or None


def split_url(url: str, *, is_to_be_sent: bool = True) -> SplitResult | None:
    """Take a URL apart, or return None if the standard library or httpx cannot read it.

    Their errors show the URL, hence go no further.

    Args:
        is_to_be_sent: Whether a request goes there now, so that httpx must be able to read it.
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
