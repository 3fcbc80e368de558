"""The URLs of contacts: checks before they are stored, and the paths of local files.

The database stores neither contacts nor credentials: backups and other users of the database would
see them.
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
"""In characters. Chosen: the length of URL that browsers and object stores accept. A longer text is
probably the contacts themselves."""

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
"""At least two characters, because ``C:`` is a drive of Windows."""

_AUTHORITY: Final = re.compile(r"[^:]+:[/\\]*([^/\\?#]*)")
"""The part with user and password, even if the slashes of the URL are missing."""

_SECRET: Final = re.compile(
    r"signature|credential|token|secret|passw|accesskey|accessid|apikey|keypairid|"
    r"^(?:sig|key|pwd|auth|authorization|jwt)$"
)
"""Names of credentials in a query, without punctuation: AWS, Google, Azure, others.

Source: Signature Version 4 and 2, the V4 signing of Cloud Storage, shared access signatures.
"""

_HEX: Final = re.compile(r"[0-9a-f]{64}")

_WAY_OUT: Final = (
    "contacts are never stored in the database; put them where all workers can read them, and give "
    "their URL, or the absolute path of the file"
)


def problems_of_url(field: str, value: object) -> Iterator[Problem]:
    """Yield the problems of a URL of contacts before it is stored in the database.

    No message contains the value, because it can be a contact or contain a password.
    """
    if isinstance(value, os.PathLike):
        yield Problem(
            field,
            "type",
            "must be text, because it is stored in a database; give str(path) of an absolute path",
        )
    elif not isinstance(value, str):
        yield Problem(field, "type", f"must be text, not {type(value).__name__}: {_WAY_OUT}")
    elif "\n" in value or "\r" in value:
        yield Problem(
            field,
            "content",
            f"has several lines, so it is probably the contacts themselves; {_WAY_OUT}",
        )
    elif found := list(problems_of_line(field, value)):
        yield from found
    elif len(value) > _LONGEST:
        yield Problem(
            field, "length", f"has {len(value):,} characters, more than {_LONGEST:,}; {_WAY_OUT}"
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
        yield Problem(field, "url", "is not a valid URL; write it as https://host/path")
        return
    authority = _AUTHORITY.match(url)
    if authority is not None and "@" in authority[1]:
        yield Problem(
            field,
            "secret",
            "is a URL with a user or password, which would be stored in the database; leave it "
            "out, and add it in contacts= of Durable when that function opens the URL",
        )
    if any(_is_secret(name) for name in _names_in(parts.query, parts.fragment)):
        yield Problem(
            field,
            "secret",
            "is a URL with credentials after its ? or #, which would be stored in the database and "
            "expire; leave them out, and add them in contacts= of Durable when that function opens "
            "the URL",
        )
    if parts.scheme == "file" and local_path_of(url) is None:
        yield _relative(field)


def _relative(field: str) -> Problem:
    return Problem(
        field,
        "absolute",
        "is neither a URL nor an absolute path, and another process has another working folder; "
        "give str(Path(…).resolve()), or a URL",
    )


def _names_in(*parts: str) -> Iterator[str]:
    for part in parts:
        for name, _ in parse_qsl(part.replace(";", "&"), keep_blank_values=True):
            yield name


def _is_secret(name: str) -> bool:
    return _SECRET.search(re.sub(r"[^a-z0-9]", "", name.lower())) is not None


def problems_of_sha256(field: str, value: object, url: object) -> Iterator[Problem]:
    """Yield the problems of the hash of a URL's content."""
    if value is None:
        return
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        yield Problem(field, "sha256", "must be 64 hexadecimal digits, as sha256sum prints them")
    if url is None:
        yield Problem(
            field, "choice", "is a hash without a URL; give the URL as well, or leave the hash out"
        )


def is_whole_path(text: str) -> bool:
    """Return whether a path is absolute on POSIX or Windows; a worker can have another system."""
    return PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute()


def local_path_of(url: str) -> str | None:
    """Return the path of a file of this host; None if only an opener can open the URL.

    A file URL with a host, a query or a relative path does not name a file of this host.
    """
    if not _SCHEME.match(url):
        return url
    parts = urlsplit(url)
    is_plain = parts.netloc in ("", "localhost") and not (parts.query or parts.fragment)
    if parts.scheme != "file" or not is_plain or not parts.path.startswith("/"):
        return None
    return url2pathname(parts.path)
