"""Where something small is kept between runs: a file whole after a crash, or the caller's."""

from __future__ import annotations

import contextlib
import glob
import json
from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import attrs

from newsleopard_async.aio import in_thread
from newsleopard_async.errors import ConfigurationError, InUse, InvalidRequest
from newsleopard_async.files import PATH_TYPES, AnyPath, as_path, lock, write_durably

__all__ = ["FileStore", "Store", "as_store", "held"]


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


@attrs.frozen
class FileStore:
    """A JSON file, replaced whole and flushed to the disk at every change.

    Attributes:
        path: Where it is.
        field: What the caller calls it, for an error.
    """

    path: Path = attrs.field(converter=Path)
    field: str = "checkpoint"

    async def load(self) -> Mapping[str, Any] | None:
        """Return what was saved last, or None.

        Raises:
            InvalidRequest: the file is no JSON object.
        """
        try:
            content = await in_thread(self.path.read_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(self.path, error) from None
        try:
            data = json.loads(content)
        except ValueError:
            data = None
        if not isinstance(data, dict):
            raise InvalidRequest.of(
                self.field, "format", f"{self.path} is something else; give another path"
            )
        return data

    async def save(self, data: Mapping[str, Any]) -> None:
        """Replace the file in one step.

        Raises:
            ConfigurationError: it cannot be written.
        """
        content = json.dumps(data, ensure_ascii=False, indent=1).encode()
        try:
            await in_thread(partial(write_durably, self.path, content))
        except OSError as error:
            raise _unusable(self.path, error) from None


def as_store(source: AnyPath | Store | None, *, field: str) -> Store | None:
    """Take a path, a store, or nothing.

    Raises:
        InvalidRequest: it is none of these.
    """
    if source is None:
        return None
    if isinstance(source, str):
        _refuse_what_is_no_path(source, field)
    if isinstance(source, PATH_TYPES):
        return FileStore(as_path(source), field)
    if hasattr(source, "load") and hasattr(source, "save"):
        return source
    raise InvalidRequest.of(
        field, "type", "must be a path, or a store with async load() and save()"
    )


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

    The lock goes with the process: nothing is left behind by a crash.

    Raises:
        InUse: another run holds it.
    """
    if not isinstance(store, FileStore):
        yield
        return
    path = store.path.with_name(f".{store.path.name}.lock")
    try:
        # At once and not in a thread: nothing can come between the lock and its release.
        file = lock(path)
    except OSError as error:
        raise _unusable(path, error) from None
    if file is None:
        raise InUse(f"another run is using {store.path}; wait until it has ended")
    try:
        # A run that was killed while it saved left one behind.
        with contextlib.suppress(OSError):
            # Eight digits, as `part_of` gives: "a" must not take away a part of "a.json".
            for part in path.parent.glob(f".{glob.escape(store.path.name)}.{'[0-9a-f]' * 8}.part"):
                part.unlink(missing_ok=True)
        yield
    finally:
        file.close()


def _unusable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(f"{path} cannot be used: {error.strerror}")
