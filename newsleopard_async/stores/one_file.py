"""The store of one run: a file that the caller names."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

import attrs

from newsleopard_async.aio import Listing, in_thread
from newsleopard_async.errors import InvalidRequest
from newsleopard_async.files import PATH_TYPES, as_path, real_path
from newsleopard_async.stores.protocol import Kept
from newsleopard_async.stores.serialization import from_json, to_json
from newsleopard_async.stores.swap import SwapFile, revision_of, unusable

__all__ = ["OneFile"]

_FIELD: Final = "checkpoint"
"""The name of the argument, for errors."""


@attrs.define(eq=False)
class OneFile:
    """A JSON file; each change replaces the whole file and flushes it to the disk.

    Its only key is the empty text, and the file contains only the data. The revision is a hash of
    the file.

    Attributes:
        path: The absolute path without links, so that two names of a file share its lock.
    """

    path: Path = attrs.field(converter=real_path, on_setattr=attrs.setters.frozen)
    _file: SwapFile = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._file = SwapFile(self.path)

    @classmethod
    def at(cls, path: object) -> Self:
        """Return the store of a path in any form.

        Raises:
            InvalidRequest: the value is not a path; or it is text that probably names another file
                than the caller intends.
            ConfigurationError: the path is relative to a folder that was deleted.
        """
        if isinstance(path, str):
            _check_text(path)
        if not isinstance(path, PATH_TYPES):
            raise InvalidRequest.of(_FIELD, "type", "must be a path")
        try:
            return cls(path)
        except ValueError:
            pass  # Raised below: the cause can contain half a character.
        except OSError as error:
            raise unusable(as_path(path), error) from None
        raise InvalidRequest.of(
            _FIELD,
            "path",
            "contains a NUL or half a character, so it is not a path; give another path",
        )

    async def load(self, key: str) -> Kept | None:  # noqa: ARG002 - there is one key
        """Return the record that was saved last, or None.

        Raises:
            InvalidRequest: the file is not a JSON object.
            ConfigurationError: the file cannot be read.
        """
        content = await in_thread(self._file.read)
        revision = revision_of(content)
        if content is None or revision is None:
            return None
        data = from_json(content)
        if data is None:
            raise InvalidRequest.of(
                _FIELD,
                "format",
                f"{self.path} is damaged or is not a checkpoint; restore it from a backup, or "
                "check in the console what its run has done before you give another path",
            )
        return Kept(data, revision)

    async def save(
        self,
        key: str,  # noqa: ARG002 - there is one key
        data: Mapping[str, Any],
        revision: str | None,
    ) -> str:
        """Replace the file in one step, if it still has this revision.

        Raises:
            ConfigurationError: the file cannot be written, or the data is too large.
            InUse: another run has taken the file over; nothing was written, or it does not count.
        """
        content = to_json(data, where=self.path)
        return await in_thread(partial(self._file.swap, content, revision))

    def locked(self, key: str) -> AbstractContextManager[None]:  # noqa: ARG002 - there is one key
        """Lock the file for as long as the context lasts, or the process.

        Raises:
            InUse: another run has locked the file.
            ConfigurationError: the file cannot be locked.
        """
        return self._file.locked()

    def keys(self) -> Listing[str]:
        """List the one key, if the file exists."""

        async def keys() -> AsyncGenerator[str, None]:
            if await in_thread(self.path.exists):
                yield ""

        return Listing(keys)


def _check_text(text: str) -> None:
    """Refuse text that probably names another file, because it would begin a new run there."""
    bare = text.strip().strip("\ufeff\"'").lstrip()
    if bare.startswith("{"):
        raise InvalidRequest.of(
            _FIELD, "type", "is the record itself, as JSON; give its path, or Checkpoint.read(…)"
        )
    if not text or text != text.strip().strip("\ufeff") or not text.isprintable():
        raise InvalidRequest.of(
            _FIELD, "path", "is empty, or has white space or a mark around it; give only the path"
        )
