"""The format of a run record in files and stores: strict JSON of a limited size."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from newsleopard_async.errors import ConfigurationError

__all__ = ["MOST_BYTES", "from_json", "key_from_text", "key_to_text", "to_json"]

MOST_BYTES: Final = 4 * 1024 * 1024
"""Chosen: a thousand times the size of a run record. A larger file is not a run record."""


def to_json(data: Mapping[str, Any], *, where: object) -> bytes:
    """Encode data as JSON that people can read as well.

    Args:
        data: The data, JSON-safe.
        where: The file or the key of the data, for the error.

    Raises:
        ConfigurationError: the data is too large to be read again.
    """
    text = json.dumps(data, ensure_ascii=False, indent=1)
    # UTF-8 cannot encode half a character, so it becomes the escape of JSON.
    content = text.encode(errors="backslashreplace")
    if len(content) > MOST_BYTES:
        # `from_json` could not read it again. A user would remove it, and the next run would send
        # again.
        raise ConfigurationError(
            f"{where} cannot be used: the record has {len(content):,} bytes, more than "
            f"{MOST_BYTES:,}"
        )
    return content


def from_json(content: bytes) -> dict[str, Any] | None:
    """Decode a JSON object; return None if the content is damaged or is not an object."""
    try:
        data = json.loads(
            content.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that contains a name twice, because JSON readers use different ones."""
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("a name occurs twice")
    return data


def _refuse_constant(text: str) -> NoReturn:
    """Refuse NaN and Infinity, which JSON does not have."""
    raise ValueError(text)


def key_to_text(key: str) -> str:
    """Return a key as text that all databases accept: without NUL or half characters."""
    return json.dumps(key, ensure_ascii=False).encode(errors="backslashreplace").decode()[1:-1]


def key_from_text(text: str) -> str:
    """Return the key of a text from `key_to_text`."""
    key: str = json.loads(f'"{text}"')
    return key
