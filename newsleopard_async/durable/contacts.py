"""Contacts by URL and hash: a worker opens the URL, and checks the hash of the bytes as it reads.

The contacts are used only after that check, from a temporary file of this library. So a change of
the source after the check cannot send a mail to other contacts.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

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
from newsleopard_async.durable.contacts_url import local_path_of
from newsleopard_async.errors import InvalidRequest, NewsLeopardError
from newsleopard_async.files import real_path
from newsleopard_async.plain import redact_url
from newsleopard_async.temporary import private_folder

__all__ = [
    "ContactsOpener",
    "ContactsUnavailable",
    "HashedSource",
    "Opener",
    "in_file",
]

T = TypeVar("T")

Opener: TypeAlias = Callable[[str], Contacts | Awaitable[Contacts]]
"""A function that opens a URL and adds the credentials; it runs in a thread if it is not async.

An open file that it returns is closed after it has been read.
"""

_LONGEST_WAIT_S: Final = 600.0
"""Chosen: a query can take minutes until its first row. A longer wait would block a slot of the
worker."""

_CLOSES_S: Final = 5.0
"""Chosen: the content has been read, so a slow close is not worth a longer wait."""


class ContactsUnavailable(Exception):
    """Contacts cannot be read on this host now: the send is not failed, and the run retries later.

    The message contains neither contacts nor credentials.

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
        opener: Opens all URLs; None opens only files of this host.
        shared_folder: The folder that all hosts have, with the same path.
        is_fleet: Whether workers of several hosts use the same database. If so, a file must be in
            the shared folder, even if an opener opens it.
    """

    opener: Opener | None = None
    shared_folder: Path | None = None
    is_fleet: bool = False

    async def open(self, url: str, sha256: str | None, *, field: str = "contacts") -> HashedSource:
        """Open contacts; their hash is compared as they are read.

        Args:
            url: The URL of the contacts.
            sha256: The expected SHA-256 of their bytes; None compares nothing.
            field: The name of the field in errors.

        Raises:
            InvalidRequest: no worker can open such a URL, or the opener did not return contacts.
            ContactsUnavailable: the contacts cannot be read on this host now.
        """
        return HashedSource(self, url, sha256, field, await self.source(url, field))

    @contextlib.asynccontextmanager
    async def open_skip(self, url: str, sha256: str | None) -> AsyncIterator[Path]:
        """Read a list of addresses to leave out into a file that exists within the context.

        Raises:
            InvalidRequest: as `open`; or the list has changed.
            ContactsUnavailable: the list cannot be read on this host now.
        """
        async with in_file(await self.open(url, sha256, field="skip")) as path:
            yield path

    async def digest(self, url: str, *, field: str = "contacts") -> str:
        """Read contacts to their end, and return the SHA-256 of their bytes.

        Raises:
            InvalidRequest: as `open`.
            ContactsUnavailable: the contacts cannot be read on this host now.
        """
        source = await self.open(url, None, field=field)
        async for _ in source.csv_pieces():
            pass
        assert source.sha256 is not None
        return source.sha256

    async def source(self, url: str, field: str) -> ContactsSource:
        """Open a URL without reading its content."""

        async def opened() -> ContactsSource:
            path = await in_thread(partial(self._local, url, field))
            if self.opener is None:
                assert path is not None
                return PathSource(path)
            return as_source(await _called(self.opener, url))

        return await _tried(opened, url, field)

    def _local(self, url: str, field: str) -> Path | None:
        """Return the file of this host that a URL names; None if the opener must open the URL."""
        text = local_path_of(url)
        if text is None:
            if self.opener is None:
                raise InvalidRequest.of(
                    field,
                    "opener",
                    f"{redact_url(url)} is not a file of this host, and no function opens such a "
                    "URL; give Durable(…, contacts=…) a function that takes the URL and returns "
                    "the contacts, as in docs/durable.md",
                )
            return None
        if not self.is_fleet:
            return Path(text)
        # With resolved paths, neither a link nor ".." can lead out of the folder.
        path = real_path(text)
        if self.shared_folder is None or not path.is_relative_to(real_path(self.shared_folder)):
            raise InvalidRequest.of(
                field,
                "local-path",
                f"{text} is a file of one host, and a worker of another host cannot open it; put "
                "it into a folder that all hosts have, and name the folder as Durable(…, "
                "shared_folder=…), or give a URL and contacts=",
            )
        return path


@attrs.define(eq=False)
class HashedSource:
    """Contacts whose hash is compared at the end of each reading; another hash raises an error.

    Attributes:
        sha256: The SHA-256 of the last complete reading.
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
        """Read the contacts once; a further reading opens them again.

        Raises:
            InvalidRequest: the hash differs (rule ``changed``), or the source is not contacts.
            ContactsUnavailable: the contacts cannot be read on this host now.
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
                f"the file at {redact_url(self._url)} has changed since the send was started; "
                "restore the file, or start the send with another send key",
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
    # The file has been read, so an error of its close does not matter.
    with anyio.move_on_after(_CLOSES_S, shield=True), contextlib.suppress(Exception):
        await _called(close)


async def _called(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function that is async or can block."""
    if inspect.iscoroutinefunction(function):
        return await function(*args)
    result, error = await in_thread(partial(_outcome, function, *args))
    if error is not None:
        raise error
    return await result if inspect.isawaitable(result) else result


def _outcome(function: Callable[..., Any], *args: Any) -> tuple[Any, Exception | None]:
    """Return the result and the error of a call; a thread cannot raise StopIteration."""
    try:
        return function(*args), None
    except Exception as error:  # noqa: BLE001 - a caller's function may raise anything
        return None, error


async def _tried(work: Callable[[], Awaitable[T]], url: str, field: str) -> T:
    """Open or read, and convert the errors.

    Raises:
        ContactsUnavailable: it took too long, or raised an error that is not a NewsLeopardError.
    """
    failure: Exception
    try:
        with anyio.fail_after(_LONGEST_WAIT_S):
            return await work()
    except InvalidRequest as error:
        failure = _converted(error, field)
    except NewsLeopardError:
        raise
    except Exception as error:  # noqa: BLE001 - a caller's source may raise anything
        failure = ContactsUnavailable(field, f"{redact_url(url)} cannot be read: {_why(error)}")
    # Raised outside of the handler: the other error can contain contacts or credentials.
    raise failure


def _converted(error: InvalidRequest, field: str) -> Exception:
    """Distinguish a file that cannot be read now from an invalid source."""
    if all(each.field == "contacts" and each.rule in _PASSING for each in error.problems):
        return ContactsUnavailable(field, "; ".join(each.message for each in error.problems))
    return InvalidRequest(attrs.evolve(each, field=field) for each in error.problems)


_PASSING: Final = ("readable", "unchanged")
"""Rules of files that are missing or are being written."""


def _why(error: Exception) -> str:
    """Return why the source cannot be read, without the text of another library's error."""
    if isinstance(error, OSError) and isinstance(error.errno, int) and error.errno > 0:
        return os.strerror(error.errno)
    return type(error).__name__


@contextlib.asynccontextmanager
async def in_file(source: ContactsSource) -> AsyncIterator[Path]:
    """Read a source into a file that only this user can read; it is removed after the context."""
    with private_folder() as folder:
        file = await spool(source, folder / "skip.csv", lambda _: True)
        yield file.path
