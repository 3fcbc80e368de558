"""How data of a run is written and read: strict JSON, of a size that can be read again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from newsleopard_async.errors import ConfigurationError

__all__ = ["MOST_BYTES", "from_json", "key_from_text", "key_to_text", "to_json"]

MOST_BYTES: Final = 4 * 1024 * 1024
"""Chosen: a thousand times what a run keeps. What is larger is something else."""


def to_json(data: Mapping[str, Any], *, where: object) -> bytes:
    """Write data as JSON, for people too.

    Args:
        data: JSON-safe.
        where: The file or the key that it is for, for the error.

    Raises:
        ConfigurationError: it is too large to be read again.
    """
    text = json.dumps(data, ensure_ascii=False, indent=1)
    # Half a character, which UTF-8 cannot hold, becomes JSON's own escape for it.
    content = text.encode(errors="backslashreplace")
    if len(content) > MOST_BYTES:
        # It could never be read again, and whoever removed it then would begin anew.
        raise ConfigurationError(
            f"{where} cannot be used: {len(content):,} bytes were to be kept in it"
        )
    return content


def from_json(content: bytes) -> dict[str, Any] | None:
    """Read an object of JSON; None if it is anything else, or damaged."""
    try:
        data = json.loads(
            content.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a name that stands twice in an object: readers differ in which one counts."""
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("a name stands twice")
    return data


def _refuse_constant(text: str) -> NoReturn:
    """Refuse NaN and its like, which are no JSON."""
    raise ValueError(text)


def key_to_text(key: str) -> str:
    """Write a key as text that any database takes: without NUL or half characters."""
    return json.dumps(key, ensure_ascii=False).encode(errors="backslashreplace").decode()[1:-1]


def key_from_text(text: str) -> str:
    """Read what `key_to_text` wrote."""
    key: str = json.loads(f'"{text}"')
    return key
