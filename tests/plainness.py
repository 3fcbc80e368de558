"""Check that data is plain: values that ``json.dumps`` accepts, of exactly these types."""

from __future__ import annotations

import json

__all__ = ["assert_exactly_plain"]

_SCALARS = (str, int, float, bool, type(None))


def assert_exactly_plain(data: object, path: str = "$") -> None:
    """Fail on a value that is not JSON, or has a subclass of JSON's types."""
    if path == "$":
        json.dumps(data, allow_nan=False)
    if type(data) is dict:
        for name, value in data.items():
            assert type(name) is str, f"{path}: the name {name!r} is a {type(name).__name__}"
            assert_exactly_plain(value, f"{path}.{name}")
    elif type(data) is list:
        for place, value in enumerate(data):
            assert_exactly_plain(value, f"{path}[{place}]")
    else:
        assert type(data) in _SCALARS, f"{path} is a {type(data).__name__}"
