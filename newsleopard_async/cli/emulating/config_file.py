"""Reads options of a command from a TOML file; they have the names of the command line."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import click

from newsleopard_async.cli.translation import reason_of
from newsleopard_async.cli.translation import translated as _

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
        hint = _("did you mean {name}?").format(name=close) if close else ""
        hint = hint or _("--help lists all options")
        raise ValueError(_("no option has the name {name!r}; {hint}").format(name=name, hint=hint))


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = _("cannot be read: {reason}; check the path and its rights")
        raise ValueError(message.format(reason=reason_of(error))) from error
    except ValueError as error:  # includes the UnicodeDecodeError
        raise ValueError(_("must be TOML in UTF-8: {reason}").format(reason=error)) from error


def _value_of(name: str, value: Any, option: click.Option) -> Any:
    """Return a value as a default of an option; click parses it like the command line."""
    if option.multiple:
        values = value if isinstance(value, list) else [value]
        if all(isinstance(each, str) for each in values):
            return tuple(values)
        raise ValueError(_("{name} must be text, or an array of texts").format(name=name))
    if option.is_flag and not isinstance(value, bool):
        raise ValueError(_("{name} must be true or false").format(name=name))
    if isinstance(value, bool) and not option.is_flag:
        message = _("{name} must be text or a number, not true or false")
        raise ValueError(message.format(name=name))
    if isinstance(value, str | int | float):
        return value
    raise ValueError(_("{name} must be text or a number").format(name=name))


def _texts_of(table: Any) -> dict[str, str]:
    """Return the values of switches as texts, like on the command line."""
    if not isinstance(table, dict):
        text = _("{name} must be a table; write [{name}] and first_page = 1 below it")
        raise ValueError(text.format(name=SWITCHES))  # noqa: TRY004 - it is a mistake in a file
    return {name: _text_of(name, value) for name, value in table.items()}


def _text_of(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ",".join(value)
    message = _("{name} must be a bool, a number, text, or an array of texts")
    raise ValueError(message.format(name=f"{SWITCHES}.{name}"))


def _load(
    context: click.Context,
    parameter: click.Parameter,  # noqa: ARG001 - click's signature
    path: Path | None,
) -> ConfigFile | None:
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
