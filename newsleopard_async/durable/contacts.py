"""Contacts by URL and hash: the database has neither a contact nor what opens the URL.

A worker opens the URL, and compares the hash of the bytes as it reads them. They are used only
after that, out of a temporary file of this library's, so that nothing can come in between.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import parse_qsl, urlsplit
from urllib.request import url2pathname

import anyio
import attrs

from newsleopard_async.aio import in_thread
from newsleopard_async.contacts.sources import (
    BinaryFileSource,
    Contacts,
    ContactsSource,
    PathSource,
    as_source,
    is_decoded,
)
from newsleopard_async.contacts.spool import in_pieces, spool
from newsleopard_async.errors import InvalidRequest, NewsLeopardError, Problem
from newsleopard_async.files import real_path
from newsleopard_async.models.validation import problems_of_line
from newsleopard_async.plain import redact_url
from newsleopard_async.temporary import private_folder

__all__ = [
    "ContactsOpener",
    "ContactsUnavailable",
    "HashedSource",
    "Opener",
    "in_file",
    "is_whole_path",
    "local_path_of",
    "problems_of_sha256",
    "problems_of_url",
]

T = TypeVar("T")

Opener: TypeAlias = Callable[[str], Contacts | Awaitable[Contacts]]
"""What opens a URL, async or not, and adds what grants access; called in a thread if it is not.

An open file that it returns is closed when it has been read.
"""

_LONGEST_WAIT_S: Final = 600.0
"""Chosen: a query may take minutes before its first row; what takes longer would keep a worker."""

_CLOSES_S: Final = 5.0
"""Chosen: what was read is of no more use, so that its end is not worth a longer wait."""

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


class ContactsUnavailable(Exception):
    """Contacts cannot be read here, now: the run tries again later, and has not failed.

    Its text has neither contacts nor what grants access to them.

    Attributes:
        field: ``contacts`` or ``skip``.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@attrs.frozen(kw_only=True)
class ContactsOpener:
    """Opens the URLs of contacts in this process.

    Attributes:
        opener: Opens every URL; None opens files of this host only.
        shared_folder: The folder that all hosts have, under the same path.
        is_fleet: Whether workers of several hosts read the same database: then a file must be in
            the shared folder, even if an opener opens it.
    """

    opener: Opener | None = None
    shared_folder: Path | None = None
    is_fleet: bool = False

    async def open(self, url: str, sha256: str | None, *, field: str = "contacts") -> HashedSource:
        """Open contacts; what they are is compared as they are read.

        Args:
            url: Where they are.
            sha256: Of their bytes; None compares nothing.
            field: How errors call them.

        Raises:
            InvalidRequest: no worker can open such a URL, or the opener gave no contacts.
            ContactsUnavailable: they are not there, here and now.
        """
        return HashedSource(self, url, sha256, field, await self.source(url, field))

    @contextlib.asynccontextmanager
    async def open_skip(self, url: str, sha256: str | None) -> AsyncIterator[Path]:
        """Read a list of addresses to leave out into a file, which is there within the context.

        Raises:
            InvalidRequest: as `open` does; or it is not the list that it was.
            ContactsUnavailable: it is not there, here and now.
        """
        async with in_file(await self.open(url, sha256, field="skip")) as path:
            yield path

    async def digest(self, url: str, *, field: str = "contacts") -> str:
        """Read contacts to their end, and return the SHA-256 of their bytes.

        Raises:
            InvalidRequest: as `open` does.
            ContactsUnavailable: they are not there, here and now.
        """
        source = await self.open(url, None, field=field)
        async for _ in source.csv_pieces():
            pass
        assert source.sha256 is not None
        return source.sha256

    async def source(self, url: str, field: str) -> ContactsSource:
        """Open a URL, without a look at what is there."""

        async def opened() -> ContactsSource:
            path = await in_thread(partial(self._local, url, field))
            if self.opener is None:
                assert path is not None
                return PathSource(path)
            return as_source(await _called(self.opener, url))

        return await _tried(opened, url, field)

    def _local(self, url: str, field: str) -> Path | None:
        """Return the file of this host that a URL names, if there may be one."""
        text = local_path_of(url)
        if text is None:
            if self.opener is None:
                raise InvalidRequest.of(
                    field,
                    "opener",
                    f"{redact_url(url)} is not a file of this host, and nothing here opens such a "
                    "URL; give Durable(…, contacts=…), a function that takes the URL and returns "
                    "the contacts; docs/durable.md has some",
                )
            return None
        if not self.is_fleet:
            return Path(text)
        # By their real names: neither a link nor .. leads out of the folder.
        path = real_path(text)
        if self.shared_folder is None or not path.is_relative_to(real_path(self.shared_folder)):
            raise InvalidRequest.of(
                field,
                "local-path",
                f"{text} is a file of one host, and a worker of another one would not find it; put "
                "it into a folder that all hosts have, and name that as Durable(…, "
                "shared_folder=…), or give a URL and contacts=",
            )
        return path


@attrs.define(eq=False)
class HashedSource:
    """Contacts whose hash is compared at the end of each reading: it ends well, or not at all.

    Attributes:
        sha256: Of what was read last, once it was read to its end.
    """

    _opener: ContactsOpener = attrs.field(repr=False)
    _url: str = attrs.field(repr=redact_url)
    _expected: str | None
    _field: str
    _opened: ContactsSource | None = attrs.field(repr=False)
    sha256: str | None = attrs.field(default=None, init=False)
    is_decoded: bool = attrs.field(init=False)

    @is_decoded.default
    def _is_decoded(self) -> bool:
        return self._opened is not None and is_decoded(self._opened)

    async def csv_pieces(self) -> AsyncGenerator[bytes, None]:
        """Read them once; a further reading opens them anew.

        Raises:
            InvalidRequest: their hash is another one (rule ``changed``), or they are none.
            ContactsUnavailable: they cannot be read, here and now.
        """
        source, self._opened = self._opened, None
        if source is None:
            source = await self._opener.source(self._url, self._field)
        digest = hashlib.sha256()
        async with contextlib.aclosing(_read(source)) as pieces:
            while piece := await _tried(partial(anext, pieces, b""), self._url, self._field):
                await in_thread(partial(digest.update, piece))
                yield piece
        self.sha256 = digest.hexdigest()
        if self._expected not in (None, self.sha256):
            raise InvalidRequest.of(
                self._field,
                "changed",
                f"what is at {redact_url(self._url)} is not what it was when the send was started; "
                "put the file back, or start the send under another send key",
            )


async def _read(source: ContactsSource) -> AsyncGenerator[bytes, None]:
    """Read a source once, and close the file that was opened for it."""
    try:
        async with in_pieces(source) as pieces:
            async for piece in pieces:
                yield piece
    finally:
        if isinstance(source, BinaryFileSource):
            await _close(source.file)


async def _close(file: Any) -> None:
    close = getattr(file, "aclose", None) or getattr(file, "close", None)
    if close is None:
        return
    # It has been read, so that an error of its end does not matter.
    with anyio.move_on_after(_CLOSES_S, shield=True), contextlib.suppress(Exception):
        await _called(close)


async def _called(function: Callable[..., Any], *args: Any) -> Any:
    """Call what may be async, or may block."""
    if inspect.iscoroutinefunction(function):
        return await function(*args)
    result, error = await in_thread(partial(_outcome, function, *args))
    if error is not None:
        raise error
    return await result if inspect.isawaitable(result) else result


def _outcome(function: Callable[..., Any], *args: Any) -> tuple[Any, Exception | None]:
    """Return what comes of a call; no thread may end with StopIteration."""
    try:
        return function(*args), None
    except Exception as error:  # noqa: BLE001 - a caller's function may raise anything
        return None, error


async def _tried(work: Callable[[], Awaitable[T]], url: str, field: str) -> T:
    """Do some of the opening or reading; what is not there, here and now, is told apart.

    Raises:
        ContactsUnavailable: it took too long, or anything but this library raised.
    """
    failure: Exception
    try:
        with anyio.fail_after(_LONGEST_WAIT_S):
            return await work()
    except InvalidRequest as error:
        failure = _of_ours(error, field)
    except NewsLeopardError:
        raise
    except Exception as error:  # noqa: BLE001 - a caller's source may raise anything
        failure = ContactsUnavailable(field, f"{redact_url(url)} cannot be read: {_why(error)}")
    # Raised out here: the other error may hold contacts, or what grants access to them.
    raise failure


def _of_ours(error: InvalidRequest, field: str) -> Exception:
    """Tell a file that cannot be read now from what is wrong with what was given."""
    if all(each.field == "contacts" and each.rule in _PASSING for each in error.problems):
        return ContactsUnavailable(field, "; ".join(each.message for each in error.problems))
    return InvalidRequest(attrs.evolve(each, field=field) for each in error.problems)


_PASSING: Final = ("readable", "unchanged")
"""Rules of files that are missing, or are being written."""


def _why(error: Exception) -> str:
    """Return why it cannot be read, without the text of another library's error."""
    if isinstance(error, OSError) and isinstance(error.errno, int) and error.errno > 0:
        return os.strerror(error.errno)
    return type(error).__name__


@contextlib.asynccontextmanager
async def in_file(source: ContactsSource) -> AsyncIterator[Path]:
    """Read a source into a file for this user alone, which is removed after the context."""
    with private_folder() as folder:
        file = await spool(source, folder / "skip.csv", lambda _: True)
        yield file.path
