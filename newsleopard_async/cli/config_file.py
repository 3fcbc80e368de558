"""Reads options of a command from a TOML file; they have the names of the command line."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import click

__all__ = ["ConfigFile", "config_option"]

SWITCHES: Final = "set"
"""The name of the table of switches."""


class ConfigFile:
    """The content of a file: the defaults of options, and the switches.

    Raises:
        ValueError: the file cannot be read, or has a name or a value that the command does not
            support.
    """

    def __init__(self, path: Path, command: click.Command) -> None:
        self._options = {
            name.removeprefix("--"): each
            for each in command.params
            if isinstance(each, click.Option)
            for name in each.opts
            if name.startswith("--") and name not in {"--config", "--switch", "--help"}
        }
        found = dict(_read(path))
        self.switches: Mapping[str, str] = _texts_of(found.pop(SWITCHES, {}))
        self.defaults: dict[str, Any] = {}
        for name, value in found.items():
            option = self._option(name)
            assert option.name is not None
            self.defaults[option.name] = _value_of(name, value, option)

    def _option(self, name: str) -> click.Option:
        if name in self._options:
            return self._options[name]
        [close] = difflib.get_close_matches(name, [*self._options, SWITCHES], n=1) or [""]
        hint = f"did you mean {close}?" if close else "--help lists all options"
        raise ValueError(f"there is no option {name!r}; {hint}")


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(
            f"cannot be read: {error.strerror}; check the path and its rights"
        ) from error
    except ValueError as error:  # includes the UnicodeDecodeError
        raise ValueError(f"must be TOML in UTF-8: {error}") from error


def _value_of(name: str, value: Any, option: click.Option) -> Any:
    """Return a value as a default of an option; click parses it like the command line."""
    if option.multiple:
        values = value if isinstance(value, list) else [value]
        if all(isinstance(each, str) for each in values):
            return tuple(values)
        raise ValueError(f"{name} must be text, or an array of texts")
    if option.is_flag != isinstance(value, bool):
        expected = "true or false" if option.is_flag else "text or a number, not true or false"
        raise ValueError(f"{name} must be {expected}")
    if isinstance(value, str | int | float):
        return value
    raise ValueError(f"{name} must be text or a number")


def _texts_of(table: Any) -> dict[str, str]:
    """Return the values of switches as texts, like on the command line."""
    if not isinstance(table, dict):
        text = f"{SWITCHES} must be a table; write [{SWITCHES}] and first_page = 1 below it"
        raise ValueError(text)  # noqa: TRY004 - it is a mistake in a file
    return {name: _text_of(name, value) for name, value in table.items()}


def _text_of(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ",".join(value)
    raise ValueError(f"{SWITCHES}.{name} must be a bool, a number, text, or an array of texts")


def _load(context: click.Context, _: click.Parameter, path: Path | None) -> ConfigFile | None:
    """Use the values of a file as defaults for options that the command line does not name."""
    if path is None:
        return None
    try:
        file = ConfigFile(path, context.command)
    except ValueError as error:
        raise click.BadParameter(f"{path}: {error}") from error
    context.default_map = file.defaults
    return file


config_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--config",
    type=click.Path(path_type=Path),
    is_eager=True,
    callback=_load,
    metavar="FILE",
    help="Read options from a TOML file; the command line overrides them.",
)
