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
"""What the caller calls it, for an error."""


@attrs.define(eq=False)
class OneFile:
    """A JSON file, replaced whole and flushed to the disk at every change.

    It has one key, the empty one, and holds the data alone. Its revision is a hash of it.

    Attributes:
        path: Where it is, absolutely and without links: two names of a file share its lock.
    """

    path: Path = attrs.field(converter=real_path, on_setattr=attrs.setters.frozen)
    _file: SwapFile = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._file = SwapFile(self.path)

    @classmethod
    def at(cls, path: object) -> Self:
        """Take a path in any form.

        Raises:
            InvalidRequest: it is not a path; or it is text that would name another file than the
                caller means.
            ConfigurationError: it is relative to a folder that is gone.
        """
        if isinstance(path, str):
            _refuse_what_is_no_path(path)
        if not isinstance(path, PATH_TYPES):
            raise InvalidRequest.of(_FIELD, "type", "must be a path")
        try:
            return cls(path)
        except ValueError:
            pass  # Raised below: the cause may show half a character.
        except OSError as error:
            raise unusable(as_path(path), error) from None
        raise InvalidRequest.of(_FIELD, "path", "is not a path: it holds a NUL or half a character")

    async def load(self, key: str) -> Kept | None:  # noqa: ARG002 - there is one
        """Return what was saved last, or None.

        Raises:
            InvalidRequest: the file is not a JSON object.
            ConfigurationError: it cannot be read.
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
                f"{self.path} is damaged, or is something else; put it back from a backup, or "
                "find out what it was before you give another path",
            )
        return Kept(data, revision)

    async def save(
        self,
        key: str,  # noqa: ARG002 - there is one
        data: Mapping[str, Any],
        revision: str | None,
    ) -> str:
        """Replace the file in one step, if it is as it was seen.

        Raises:
            ConfigurationError: it cannot be written, or is too large to be read again.
            InUse: another run has taken it over; then nothing was written, or it does not count.
        """
        content = to_json(data, where=self.path)
        return await in_thread(partial(self._file.swap, content, revision))

    def locked(self, key: str) -> AbstractContextManager[None]:  # noqa: ARG002 - there is one
        """Keep other runs away for as long as the context lasts, or the process.

        Raises:
            InUse: another run has it.
            ConfigurationError: it cannot be locked.
        """
        return self._file.locked()

    def keys(self) -> Listing[str]:
        """List the one key, if there is something under it."""

        async def keys() -> AsyncGenerator[str, None]:
            if await in_thread(self.path.exists):
                yield ""

        return Listing(keys)


def _refuse_what_is_no_path(text: str) -> None:
    """Refuse text that, taken for a path, would begin a new run beside the one that is meant."""
    bare = text.strip().strip("\ufeff\"'").lstrip()
    if bare.startswith("{"):
        raise InvalidRequest.of(
            _FIELD, "type", "is the record itself, as JSON; give its path, or Checkpoint.read(…)"
        )
    if not text or text != text.strip().strip("\ufeff") or not text.isprintable():
        raise InvalidRequest.of(
            _FIELD, "path", "is empty, or has white space or a mark around it; give the bare path"
        )
