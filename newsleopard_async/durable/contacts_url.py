"""The URLs of contacts: which of them the database may keep, and which name a file of this host.

The database has neither a contact nor what opens the URL.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import PurePosixPath, PureWindowsPath
from typing import Final
from urllib.parse import parse_qsl, urlsplit
from urllib.request import url2pathname

from newsleopard_async.errors import Problem
from newsleopard_async.models.validation import problems_of_line

__all__ = ["is_whole_path", "local_path_of", "problems_of_sha256", "problems_of_url"]

_LONGEST: Final = 2_000
"""Chosen: what browsers and object stores take for a URL, and no place for contacts."""

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
"""Of two characters at least: ``C:`` is a drive of Windows."""

_AUTHORITY: Final = re.compile(r"[^:]+:[/\\]*([^/\\?#]*)")
"""Where user and password stand, also in a URL whose slashes are forgotten."""

_SECRET: Final = re.compile(
    r"signature|credential|token|secret|passw|accesskey|accessid|apikey|keypairid|"
    r"^(?:sig|key|pwd|auth|authorization|jwt)$"
)
"""Names in a query, without their punctuation, of what grants access: AWS, Google, Azure, others.

Source: Signature Version 4 and 2, the V4 signing of Cloud Storage, shared access signatures.
"""

_HEX: Final = re.compile(r"[0-9a-f]{64}")

_WAY_OUT: Final = (
    "contacts never go into the database; put them where every worker can read them, and give "
    "their URL, or the whole path of the file"
)


def problems_of_url(field: str, value: object) -> Iterator[Problem]:
    """Yield what is wrong with where contacts are, as it is kept in the database.

    What was given is in no message: it may be a contact, or hold a password.
    """
    if isinstance(value, os.PathLike):
        yield Problem(
            field,
            "type",
            "must be text, since it is kept in a database; give str(path), with the whole path",
        )
    elif not isinstance(value, str):
        yield Problem(field, "type", f"must be text, not {type(value).__name__}: {_WAY_OUT}")
    elif "\n" in value or "\r" in value:
        yield Problem(field, "content", f"has several lines, as contacts have; {_WAY_OUT}")
    elif found := list(problems_of_line(field, value)):
        yield from found
    elif len(value) > _LONGEST:
        yield Problem(
            field, "length", f"has {len(value):,} characters, and may have {_LONGEST:,}; {_WAY_OUT}"
        )
    elif not _SCHEME.match(value):
        if not is_whole_path(value):
            yield _relative(field)
    else:
        yield from _problems_of_parts(field, value)


def _problems_of_parts(field: str, url: str) -> Iterator[Problem]:
    try:
        parts = urlsplit(url)
    except ValueError:
        yield Problem(field, "url", "is not a URL that can be read; write it as https://host/path")
        return
    authority = _AUTHORITY.match(url)
    if authority is not None and "@" in authority[1]:
        yield Problem(
            field,
            "secret",
            "is a URL with a user or password, which the database would keep; leave it out, and "
            "let contacts= of Durable add it when it opens the URL",
        )
    if any(_is_secret(name) for name in _names_in(parts.query, parts.fragment)):
        yield Problem(
            field,
            "secret",
            "is a URL that grants access by what stands after its ? or #, which the database would "
            "keep, and which expires; leave it out, and let contacts= of Durable add it when it "
            "opens the URL",
        )
    if parts.scheme == "file" and local_path_of(url) is None:
        yield _relative(field)


def _relative(field: str) -> Problem:
    return Problem(
        field,
        "absolute",
        "is neither a URL nor the whole path of a file, and another process has another folder; "
        "give str(Path(…).resolve()), or a URL",
    )


def _names_in(*parts: str) -> Iterator[str]:
    for part in parts:
        for name, _ in parse_qsl(part.replace(";", "&"), keep_blank_values=True):
            yield name


def _is_secret(name: str) -> bool:
    return _SECRET.search(re.sub(r"[^a-z0-9]", "", name.lower())) is not None


def problems_of_sha256(field: str, value: object, url: object) -> Iterator[Problem]:
    """Yield what is wrong with the hash of what is at a URL."""
    if value is None:
        return
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        yield Problem(field, "sha256", "must be 64 hexadecimal digits, as sha256sum prints them")
    if url is None:
        yield Problem(field, "choice", "is the hash of nothing; give the URL too, or leave it out")


def is_whole_path(text: str) -> bool:
    """Say whether a path needs no working folder; the worker's system may be another one."""
    return PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute()


def local_path_of(url: str) -> str | None:
    """Return the path of a file of this host; None of what only another program can open.

    A file URL that names a host, a query, or no whole path is none of this host's.
    """
    if not _SCHEME.match(url):
        return url
    parts = urlsplit(url)
    is_plain = parts.netloc in ("", "localhost") and not (parts.query or parts.fragment)
    if parts.scheme != "file" or not is_plain or not parts.path.startswith("/"):
        return None
    return url2pathname(parts.path)
