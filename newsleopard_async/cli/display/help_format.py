"""The help of a command in the user's language, in lines that fit the terminal."""

from __future__ import annotations

import inspect
import re
import shutil
from collections.abc import Iterable
from copy import copy
from typing import Final

import click
from click.formatting import wrap_text
from rich.cells import cell_len

from newsleopard_async.cli.display.line_breaks import has_wide, wrapped_lines
from newsleopard_async.cli.translation import translated as _

__all__ = ["HelpContext", "in_users_language", "parameter_in_users_language", "translated_help"]

_MOST_COLUMNS: Final = 80
"""click's choice: longer lines are hard to read."""
_TERM_COLUMNS: Final = 30
"""click's choice: a longer option has its help below it."""
_NARROW_COLUMNS: Final = 60
"""Chosen: in fewer columns, help beside the options would be very narrow."""


class HelpContext(click.Context):
    """Writes help for wide letters and for narrow terminals, which click does not support."""

    def make_formatter(self) -> click.HelpFormatter:
        """Return the formatter; click calls this."""
        columns = self.terminal_width or shutil.get_terminal_size().columns
        return _HelpFormatter(width=max(20, min(columns, _MOST_COLUMNS) - 2))


class _HelpFormatter(click.HelpFormatter):
    """Measures columns of the terminal, and not letters."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the usage; a colon of full width needs no space."""
        prefix = prefix or _("Usage:")
        start = f"{prefix} {prog} " if prefix.isascii() else f"{prefix}{prog} "
        indent = cell_len(start) if cell_len(start) + 20 <= self.width else 4
        lines = _lines(args, self.width - indent)
        first = start if indent == cell_len(start) else f"{start.rstrip()}\n{' ' * indent}"
        self.write((first + f"\n{' ' * indent}".join(lines)).rstrip() + "\n")

    def write_heading(self, heading: str) -> None:
        """Write a heading."""
        self.write(f"{'':{self.current_indent}}{_('{title}:').format(title=heading)}\n")

    def write_text(self, text: str) -> None:
        """Write paragraphs."""
        indent = " " * self.current_indent
        lines = _lines(text, self.width - self.current_indent)
        self.write("".join(f"{indent}{line}".rstrip() + "\n" for line in lines))

    def write_dl(
        self,
        rows: Iterable[tuple[str, str]],
        col_max: int = _TERM_COLUMNS,
        col_spacing: int = 2,
    ) -> None:
        """Write options or commands; on a narrow terminal, the help is below each."""
        rows = list(rows)
        indent = " " * self.current_indent
        beside = min(max(cell_len(term) for term, _help in rows), col_max) + col_spacing
        is_narrow = self.width < _NARROW_COLUMNS and beside > self.width / 3
        start = self.current_indent + (4 if is_narrow else beside)
        for term, text in rows:
            lines = _lines(text, self.width - start)
            fits = not is_narrow and cell_len(term) + col_spacing <= beside
            first = term + " " * (beside - cell_len(term)) + lines.pop(0) if fits else term
            following = "".join(f"{' ' * start}{line}".rstrip() + "\n" for line in lines)
            self.write(f"{indent}{first}".rstrip() + "\n" + following)


def _lines(text: str, width: int) -> list[str]:
    r"""Return the lines of paragraphs; one that begins with ``\b`` keeps its own lines."""
    if not has_wide(text):
        lines = wrap_text(text, width, preserve_paragraphs=True).replace("\b", "").splitlines()
        return lines or [""]
    lines = []
    for paragraph in text.split("\n\n"):
        if paragraph.startswith("\b\n"):
            lines += ["", *paragraph.replace("\b", "").splitlines()[1:]]
        else:
            lines += ["", *wrapped_lines(" ".join(paragraph.splitlines()), width)]
    return lines[1:]


def in_users_language(command: click.Command) -> click.Command:
    """Return a copy of a command with its help in the user's language."""
    command = copy(command)
    # click keeps the first --help that it made, in the language and with the names of that time.
    vars(command)["_help_option"] = None
    command.context_class = HelpContext
    command.help = translated_help(command.help or "")
    command.params = list(map(parameter_in_users_language, command.params))
    command.options_metavar = _(command.options_metavar or "")
    if isinstance(command, click.Group):
        command.subcommand_metavar = _(command.subcommand_metavar)
        command.commands = {
            name: in_users_language(each) for name, each in command.commands.items()
        }
    return command


def translated_help(text: str) -> str:
    """Return the help of a command in the user's language."""
    return "\n\n".join(map(_, paragraphs_of(text)))


def paragraphs_of(text: str) -> list[str]:
    r"""Return the paragraphs of a help, each as one line; one with ``\b`` keeps its own lines."""
    return [
        paragraph if paragraph.startswith("\b") else " ".join(paragraph.split())
        for paragraph in re.split(r"\n\n+", inspect.cleandoc(text).strip("\n"))
    ]


def parameter_in_users_language(parameter: click.Parameter) -> click.Parameter:
    """Return a copy of an option or an argument with its help in the user's language."""
    translation = copy(parameter)
    translation.metavar = None if parameter.metavar is None else _(parameter.metavar)
    translation.type = copy(parameter.type)
    translation.type.name = _(parameter.type.name)
    if isinstance(translation, click.Option):
        translation.help = _(translation.help or "")
    return translation
