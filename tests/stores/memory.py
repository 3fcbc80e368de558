"""A store of the caller's, as the documentation asks for one: in memory."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any

import attrs

from newsleopard_async import InUse
from newsleopard_async.stores import Kept

__all__ = ["MemoryStore"]


@attrs.define
class MemoryStore:
    """Keeps text and revision under each key; no await is between the look and the write."""

    kept: dict[str, tuple[str, str]] = attrs.field(factory=dict)

    async def load(self, key: str) -> Kept | None:
        """Return what is kept."""
        found = self.kept.get(key)
        return None if found is None else Kept(json.loads(found[0]), found[1])

    async def save(self, key: str, data: Mapping[str, Any], revision: str | None) -> str:
        """Keep the data if nothing was saved since."""
        _, seen = self.kept.get(key, ("", None))
        if seen != revision:
            raise InUse(f"another run has saved {key}")
        new = secrets.token_hex(8)
        self.kept[key] = json.dumps(data), new
        return new

    async def keys(self) -> AsyncIterator[str]:
        """Give one key after another."""
        for key in list(self.kept):
            yield key
