"""Where something small is kept between runs: a file whole after a crash, or the caller's."""

from __future__ import annotations

import contextlib
import glob
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn, Protocol

import attrs

from newsleopard_async.aio import in_thread
from newsleopard_async.errors import ConfigurationError, InUse, InvalidRequest
from newsleopard_async.files import (
    PATH_TYPES,
    AnyPath,
    as_path,
    read_bounded,
    real_path,
    write_durably,
)
from newsleopard_async.locks import FileLock

__all__ = ["FileStore", "Store", "as_store", "held", "real_path"]

_MOST_BYTES: Final = 4 * 1024 * 1024
"""Chosen: a thousand times what a run keeps. A larger file is something else."""


class Store(Protocol):
    """Keeps one thing: the checkpoint of a pipeline's run, or the count of a day.

    What `save` raises before a campaign is submitted keeps it from being submitted. Two
    runs over one store at once are the store's to prevent.
    """

    async def load(self) -> Mapping[str, Any] | None:
        """Return what was saved last, or None."""
        ...

    async def save(self, data: Mapping[str, Any]) -> None:
        """Keep the data; once this returns, a crash must not lose it."""
        ...


@attrs.define(eq=False)
class FileStore:
    """A JSON file, replaced whole and flushed to the disk at every change.

    While a run holds it, a save is a compare: it is refused if the lock or the file is no
    longer what this run locked, loaded or saved. Two runs can then never both store an intent,
    whoever takes the lock away.

    Attributes:
        path: Where it is, absolutely and without links: two names of a file share its lock.
        field: What the caller calls it, for an error.
    """

    path: Path = attrs.field(converter=real_path, on_setattr=attrs.setters.frozen)
    field: str = "checkpoint"
    _lock: FileLock | None = attrs.field(default=None, init=False, repr=False)
    _seen: bytes | None = attrs.field(default=None, init=False, repr=False)

    async def load(self) -> Mapping[str, Any] | None:
        """Return what was saved last, or None.

        Raises:
            InvalidRequest: the file is no JSON object.
            ConfigurationError: it cannot be read.
        """
        content = await in_thread(self._read)
        self._seen = content
        return None if content is None else self._parse(content)

    def _parse(self, content: bytes) -> Mapping[str, Any]:
        try:
            data = json.loads(
                content.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant
            )
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            raise InvalidRequest.of(
                self.field,
                "format",
                f"{self.path} is damaged, or is something else; put it back from a backup, or "
                "find out what it was before you give another path",
            )
        return data

    async def save(self, data: Mapping[str, Any]) -> None:
        """Replace the file in one step.

        Raises:
            ConfigurationError: it cannot be written, or is too large to be read again.
            InUse: another run has taken it over; then nothing was written, or it does not count.
        """
        text = json.dumps(data, ensure_ascii=False, indent=1)
        # Half a character, which UTF-8 cannot hold, becomes JSON's own escape for it.
        content = text.encode(errors="backslashreplace")
        if len(content) > _MOST_BYTES:
            # It could never be read again, and whoever removed it then would begin anew.
            raise ConfigurationError(
                f"{self.path} cannot be used: {len(content):,} bytes were to be kept in it"
            )
        try:
            await in_thread(partial(self._replace, content))
        except OSError as error:
            raise _unusable(self.path, error) from None

    def _replace(self, content: bytes) -> None:
        if self._lock is None:
            write_durably(self.path, content)
            return
        self._check_held(self._lock)
        try:
            write_durably(self.path, content)
        except OSError:
            # It may be in place, and only its folder could not be flushed.
            if self._read() == content:
                self._seen = content
            raise
        self._seen = content
        # Again: between the look and the write another run may have come.
        self._check_held(self._lock)

    def _check_held(self, lock: FileLock) -> None:
        if not lock.is_held:
            raise InUse(
                f"the lock {lock.path} was removed or replaced while this run had it, so another "
                f"run may be using {self.path}; run again with it, and keep cleaners away"
            )
        if self._read() != self._seen:
            raise InUse(f"{self.path} was changed by another run, or by hand, during this one")

    def _read(self) -> bytes | None:
        try:
            return read_bounded(self.path, _MOST_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(self.path, error) from None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others away, and take away what a run left that was killed while it saved."""
        path = self.path.with_name(f".{self.path.name}.lock")
        try:
            # At once and not in a thread: nothing can come between the lock and its release.
            lock = FileLock.take(path)
        except OSError as error:
            raise _unlockable(self.path, path, error) from None
        if lock is None:
            raise InUse(f"another run is using {self.path}; wait until it has ended")
        self._lock = lock
        try:
            with contextlib.suppress(OSError):
                # Eight digits, as `part_of` gives: "a" must not take away a part of "a.json".
                name = f".{glob.escape(self.path.name)}.{'[0-9a-f]' * 8}.part"
                for part in path.parent.glob(name):
                    part.unlink(missing_ok=True)
            yield
        finally:
            self._lock = None
            lock.release()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a name that stands twice in an object: readers differ in which one counts."""
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("a name stands twice")
    return data


def _refuse_constant(text: str) -> NoReturn:
    """Refuse NaN and its like, which are no JSON."""
    raise ValueError(text)


def as_store(source: AnyPath | Store | None, *, field: str) -> Store | None:
    """Take a path, a store, or nothing.

    Raises:
        InvalidRequest: it is none of these.
        ConfigurationError: it is relative to a folder that is gone.
    """
    if source is None:
        return None
    if isinstance(source, str):
        _refuse_what_is_no_path(source, field)
    if isinstance(source, PATH_TYPES):
        return _file_store(source, field)
    if hasattr(source, "load") and hasattr(source, "save"):
        return source
    raise InvalidRequest.of(
        field, "type", "must be a path, or a store with async load() and save()"
    )


def _file_store(path: AnyPath, field: str) -> FileStore:
    try:
        return FileStore(path, field)
    except ValueError:
        pass  # Raised below: the cause may show half a character.
    except OSError as error:
        raise _unusable(as_path(path), error) from None
    raise InvalidRequest.of(field, "path", "is no path: it holds a NUL or half a character")


def _refuse_what_is_no_path(text: str, field: str) -> None:
    """Refuse text that, taken for a path, would begin a new run beside the one that is meant."""
    bare = text.strip().strip("\ufeff\"'").lstrip()
    if bare.startswith("{"):
        raise InvalidRequest.of(
            field, "type", "is the record itself, as JSON; give its path, or Checkpoint.read(…)"
        )
    if not text or text != text.strip().strip("\ufeff") or not text.isprintable():
        raise InvalidRequest.of(
            field, "path", "is empty, or has white space or a mark around it; give the bare path"
        )


@contextlib.asynccontextmanager
async def held(store: object) -> AsyncIterator[None]:
    """Keep other runs away from a file's checkpoint for as long as the context lasts.

    The lock goes with the process: nothing that matters is left behind by a crash.

    Raises:
        InUse: another run holds it.
        ConfigurationError: it cannot be locked.
    """
    with store.locked() if isinstance(store, FileStore) else contextlib.nullcontext():
        yield


def _unusable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(f"{path} cannot be used: {error.strerror}")


def _unlockable(path: Path, lock: Path, error: OSError) -> ConfigurationError:
    folder = path.parent
    if not folder.is_dir():
        return ConfigurationError(f"{path} cannot be used: there is no folder {folder}; make it")
    if not os.access(folder, os.W_OK):
        return ConfigurationError(
            f"{path} cannot be used: nothing can be written into {folder} ({error.strerror})"
        )
    return ConfigurationError(
        f"{path} cannot be used: {lock.name} beside it cannot be locked ({error.strerror}). If "
        "its file system has no locks, as some network file systems, keep it in another folder, "
        "or in a store of your own"
    )
