"""The default store: a folder with one file per run, for all processes of this host."""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs

from newsleopard_async.aio import Listing, in_thread
from newsleopard_async.errors import ConfigurationError, InvalidRequest
from newsleopard_async.files import AnyPath, make_private_folder, real_path, state_folder
from newsleopard_async.log import Log
from newsleopard_async.stores.protocol import Kept
from newsleopard_async.stores.serialization import from_json, to_json
from newsleopard_async.stores.swap import SwapFile, in_use, revision_of

__all__ = ["FileStore"]

_log: Final = Log()

_NAME: Final = re.compile(r"(?:[a-z0-9-]+-)?[0-9a-f]{32}\.json")

_SLUG_CHARACTERS: Final = 40
"""Chosen: enough for a person to recognise a run, and with the hash far below the 255 bytes of a
file name."""

_AT_ONCE: Final = 100
"""The number of files that a thread reads at a time. Chosen: this takes about 10 ms."""


def _folder(folder: AnyPath | None) -> Path:
    try:
        return state_folder() / "runs" if folder is None else real_path(folder)
    except OSError as error:
        raise _no_folder("the folder of the runs", error) from None
    except ValueError:
        pass  # Raised below: the cause can contain half a character.
    raise InvalidRequest.of(
        "folder",
        "path",
        "contains a NUL or half a character, so it is not a path; give another path",
    )


@attrs.define(eq=False)
class FileStore:
    """Stores each run in a JSON file of a folder, for one host and a local disk.

    Each change replaces the whole file and flushes it to the disk. The file is locked as long as a
    run lasts. The lock ends with the process, so a crash leaves no lock behind.

    Args:
        folder: The folder; the default is ``newsleopard-async/runs`` in the system's folder for
            the state of programs. A missing folder is created, readable only by its owner.

    Attributes:
        folder: The folder as an absolute path without links.

    Raises:
        ConfigurationError: this user has no home folder.
    """

    folder: Path = attrs.field(default=None, converter=_folder, on_setattr=attrs.setters.frozen)
    _locked: dict[str, SwapFile] = attrs.field(factory=dict, init=False, repr=False)

    async def load(self, key: str) -> Kept | None:
        """Return the record that is stored under this key, or None.

        Raises:
            InvalidRequest: the file is damaged, or belongs to another key.
            ConfigurationError: the file cannot be read.
        """
        path = self.path_of(key)
        content = await in_thread(SwapFile(path).read)
        revision = revision_of(content)
        if content is None or revision is None:
            return None
        found = _read(content)
        if found is None or found[0] != key:
            raise InvalidRequest.of(
                "store",
                "format",
                f"{path} is damaged or is not a run; restore it from a backup, or check in the "
                "console what its run has done before you remove it",
            )
        return Kept(found[1], revision)

    async def save(self, key: str, data: Mapping[str, Any], revision: str | None) -> str:
        """Store the data if no other run has saved since; return its new revision.

        Raises:
            ConfigurationError: the file cannot be written, or the data is too large.
            InUse: another run has saved under this key since, or possibly has.
        """
        path = self.path_of(key)
        # Random, so that two saves of the same data have different revisions.
        content = to_json({"key": key, "save": secrets.token_hex(8), "data": data}, where=path)
        file = self._locked.get(key) or SwapFile(path)
        return await in_thread(partial(self._swap, file, content, revision))

    def _swap(self, file: SwapFile, content: bytes, revision: str | None) -> str:
        self._make_folder()
        return file.swap(content, revision)

    @contextlib.contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Lock a key for as long as the context lasts, or the process.

        Raises:
            InUse: another run has locked the key.
            ConfigurationError: the file cannot be locked.
        """
        self._make_folder()
        file = SwapFile(self.path_of(key))
        if key in self._locked:
            # As in SwapFile.locked, which each run has one of.
            raise in_use(file.path)
        with file.locked():
            self._locked[key] = file
            try:
                yield
            finally:
                del self._locked[key]

    async def is_locked(self, key: str) -> bool:
        """Return whether a run in any process of this host has locked a key.

        Raises:
            ConfigurationError: the lock cannot be read.
        """
        return await in_thread(SwapFile(self.path_of(key)).is_locked)

    def keys(self) -> Listing[str]:
        """List the keys: ``await`` gives all, sorted; ``async for`` gives one after another.

        A damaged file is logged and skipped; `load` refuses it.

        Raises:
            ConfigurationError: the folder cannot be read.
        """
        return Listing(self._keys, order=sorted)

    async def _keys(self) -> AsyncGenerator[str, None]:
        paths = await in_thread(self._paths)
        for begin in range(0, len(paths), _AT_ONCE):
            for key in await in_thread(partial(_keys_in, paths[begin : begin + _AT_ONCE])):
                yield key

    def _paths(self) -> Sequence[Path]:
        try:
            return [path for path in self.folder.iterdir() if _NAME.fullmatch(path.name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _no_folder(self.folder, error) from None

    def path_of(self, key: str) -> Path:
        """Return the path of a key: a readable name, with a hash that makes it unique."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        slug = re.sub("[^a-z0-9]+", "-", key.lower())[:_SLUG_CHARACTERS].strip("-")
        return self.folder / f"{slug}{'-' if slug else ''}{digest}.json"

    def _make_folder(self) -> None:
        try:
            make_private_folder(self.folder)
        except OSError as error:
            raise _no_folder(self.folder, error) from None


def _no_folder(where: object, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"{where} cannot be used: {error.strerror}; it stores the runs, so give a folder that "
        'this user can write to: store=FileStore("…")'
    )


def _read(content: bytes) -> tuple[str, dict[str, Any]] | None:
    """Return the key and the data of a file; None if the file is not a run."""
    match from_json(content):
        case {"key": str(key), "save": str(), "data": dict(data)}:
            return key, data
        case _:
            return None


def _keys_in(paths: Sequence[Path]) -> list[str]:
    keys = []
    for path in paths:
        try:
            content = SwapFile(path).read()
        except ConfigurationError as error:
            _log.warning("a run is skipped: %s", error)
            continue
        found = None if content is None else _read(content)
        if found is not None:
            keys.append(found[0])
        elif content is not None:
            _log.warning("a run is skipped: %s is damaged or is not a run", path)
    return keys
