"""The base URL and the key of the API, from arguments or the environment."""

from __future__ import annotations

import os
from typing import Final

from newsleopard_async.errors import ConfigurationError
from newsleopard_async.transport.redact import Secret
from newsleopard_async.transport.urls import is_loopback, split_url

__all__ = ["DEFAULT_BASE_URL", "KEY_VARIABLES", "read_base_url", "read_key"]

DEFAULT_BASE_URL: Final = "https://api.newsleopard.com"
KEY_VARIABLES: Final = ("NEWSLEOPARD_API_KEY", "NL_EDM_API_KEY")
_URL_VARIABLE: Final = "NEWSLEOPARD_BASE_URL"
_HTTP_VARIABLE: Final = "NEWSLEOPARD_ALLOW_HTTP"
_HTTP_WORDS: Final = {"": False, "0": False, "1": True}


def read_key(given: Secret | None) -> Secret:
    """Return the key, and refuse one that a header cannot contain, without showing it.

    Raises:
        ConfigurationError: the key is missing, or a header cannot contain it.
    """
    key = _trimmed(given)
    if not key.reveal():
        raise ConfigurationError("the API key is missing: pass api_key, or set NEWSLEOPARD_API_KEY")
    if not key.is_visible_ascii:
        raise ConfigurationError(
            "the API key contains a character other than visible ASCII; copy the key alone, "
            "without any text around it"
        )
    return key


def _trimmed(given: Secret | None) -> Secret:
    if given is not None:
        if not isinstance(given.reveal(), str):
            raise ConfigurationError("api_key must be text")
        return Secret(given.reveal().strip())
    found = (os.environ.get(name, "").strip() for name in KEY_VARIABLES)
    return Secret(next(filter(None, found), ""))


def read_base_url(given: str | None, *, allow_http: bool) -> str:
    """Check the base URL, which decides where the key is sent.

    Raises:
        ConfigurationError: it is not a base URL, or shows the key; or ``NEWSLEOPARD_ALLOW_HTTP``
            has an unknown value.
    """
    url = given or os.environ.get(_URL_VARIABLE) or DEFAULT_BASE_URL
    url = url.strip()
    parts = split_url(url)
    if parts is None:
        raise ConfigurationError("base_url cannot be read as a URL; write for example https://host")
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ConfigurationError("base_url must begin with https:// and name a host")
    # An empty query counts too: all paths would become a part of the query of "https://host?".
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise ConfigurationError("base_url must have no user, query or fragment")
    is_open = parts.scheme == "http" and not is_loopback(parts.hostname)
    if is_open and not (allow_http or _is_http_allowed()):
        raise ConfigurationError(
            "base_url must be https, because plain http shows the key to anyone on the way; to use "
            f"http nevertheless, pass allow_http=True or set {_HTTP_VARIABLE}=1"
        )
    return url.rstrip("/")


def _is_http_allowed() -> bool:
    """Read the environment, for a program that is tested against an emulator on another host."""
    word = os.environ.get(_HTTP_VARIABLE, "").strip()
    if word not in _HTTP_WORDS:
        raise ConfigurationError(f"{_HTTP_VARIABLE} is {word!r}; set it to 1 or 0")
    return _HTTP_WORDS[word]
