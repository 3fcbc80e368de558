"""The commands about one run, as a person copies them into a shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Final

import attrs

__all__ = ["RunCommands", "shell_quote"]

_WORD: Final = re.compile(r"[\w@%+=:,./-]+")


def shell_quote(value: str) -> str:
    """Quote text that a shell would not read as one word; unlike shlex, 中文 is not quoted."""
    return value if _WORD.fullmatch(value) else shlex.quote(value)


@attrs.frozen
class RunCommands:
    """Writes the commands about one run.

    Attributes:
        target: Its send key, or the path of its checkpoint.
        options: The options that lead to it: of its profile, or of its store.
    """

    target: str
    options: tuple[str, ...] = ()

    def __call__(self, name: str, *arguments: str, options: Sequence[str] = ()) -> str:
        """Return a command.

        Args:
            name: The name of the command.
            arguments: Its arguments after the target.
            options: Its options, each with its value.
        """
        words = (shell_quote(self.target), *arguments)
        options = (*options, *self.options)
        if self.target.startswith("-"):
            # After two dashes, the target is not read as an option.
            return " ".join(("newsleopard", name, *options, "--", *words))
        return " ".join(("newsleopard", name, *words, *options))
