"""The description of the platform's requests and answers, read once."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import yaml

__all__ = ["openapi"]

_PATH = Path(__file__).with_name("openapi.yaml")


@functools.cache
def openapi() -> Any:
    """Return the whole of openapi.yaml; copy it before you change it."""
    # libyaml reads it five times as fast, if it is installed.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(_PATH.read_text(encoding="utf-8"), loader)  # noqa: S506  # both are safe
