"""Parses switches of the emulator from text."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType, UnionType
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from newsleopard_async.cli.translation import N_
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.emulator import Switches

__all__ = ["read_switches"]


def read_switches(
    pairs: Iterable[str], *, before: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """Read each ``name=value`` as a switch and a value of its type.

    Args:
        pairs: The texts.
        before: Switches of the configuration file; the texts override them.

    Raises:
        ValueError: a switch is wrong; the message names it and what to write.
    """
    switches: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = (part.strip() for part in pair.partition("="))
        if not equals:
            message = _("{name!r} has no value; write it as first_page=1")
            raise ValueError(message.format(name=name))
        if name not in _KINDS:
            message = _("{name!r} is not a switch; {hint}")
            raise ValueError(message.format(name=name, hint=_similar(name)))
        if name in switches:
            raise ValueError(_("{name} is set twice; set it once").format(name=name))
        switches[name] = _read(name, text)
    switches = {**before, **switches}
    Switches(**switches)  # raises ValueError for an invalid value
    return switches


_KINDS: Final = get_type_hints(Switches)


def _similar(name: str) -> str:
    close = difflib.get_close_matches(name, _KINDS, n=1)
    if close:
        return _("did you mean {name}?").format(name=close[0])
    return _("the documentation of the emulator lists all switches")


def _read(name: str, text: str) -> object:
    kind, may_be_none = _KINDS[name], False
    if get_origin(kind) is UnionType:
        kind, may_be_none = get_args(kind)[0], True
    if get_origin(kind) is Literal:
        if text in get_args(kind):
            return text
        message = _("{name} must be one of {names}, not {text!r}")
        raise ValueError(message.format(name=name, names=", ".join(get_args(kind)), text=text))
    if may_be_none and text.lower() == "none":
        return None
    read, expected = _READERS[get_origin(kind) or kind]
    try:
        return read(text)
    except (KeyError, ValueError) as error:
        message = _("{name} must be {kind}, not {text!r}")
        if may_be_none:
            message = _("{name} must be {kind}, or none, not {text!r}")
        kind_name = _(expected)
        raise ValueError(message.format(name=name, kind=kind_name, text=text)) from error


def _read_flag(text: str) -> bool:
    words = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    return words[text.lower()]


def _read_whole_number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError(text)
    return int(text)


def _read_number(text: str) -> float:
    number = float(text)
    if not 0 <= number < math.inf:
        raise ValueError(text)
    return number


def _read_names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


_READERS: Final[Mapping[type, tuple[Callable[[str], object], str]]] = {
    bool: (_read_flag, N_("yes or no")),
    int: (_read_whole_number, N_("a whole number from 0")),
    float: (_read_number, N_("a number from 0")),
    str: (str, N_("text")),
    tuple: (_read_names, N_("names, separated by commas")),
}
"""The parser of each type, and the name of the type in messages; tuples contain text."""
