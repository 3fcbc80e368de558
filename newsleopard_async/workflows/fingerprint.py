"""The fingerprint of what a pipeline is asked to do, by which a run knows it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import attrs

from newsleopard_async.plain import to_plain

__all__ = ["Input"]


@attrs.frozen
class Input:
    """What a pipeline is asked to do, as hashes, by which it is known again.

    Attributes:
        whole: Of all of it.
        parts: Of each part, by the name that the caller knows.
    """

    whole: str
    parts: Mapping[str, str]

    @classmethod
    def of(cls, *whole: Any, **parts: Any) -> Input:
        """Hash it; a campaign among the parts is one part a field.

        Args:
            whole: All of it, as version 1 of checkpoints hashed it.
            parts: The same, by name.
        """
        named = {name: to_plain(part) for name, part in parts.items()}
        fields = named.pop("campaign", {})
        named |= {f"campaign.{name}": value for name, value in fields.items()}
        return cls(_hash_of(*whole), {name: _hash_of(value) for name, value in named.items()})


def _hash_of(*parts: Any) -> str:
    """Hash what a pipeline is asked to do, whatever order its fields are in."""
    text = json.dumps([to_plain(part) for part in parts], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
