"""The options about contacts that several commands have."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, get_args

import attrs
import click

from newsleopard_async.cli.shared_options import OptionDecorator
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.models.findings import Fix

__all__ = [
    "ContactsInput",
    "contacts_options",
    "max_rejected_option",
    "part_bytes_option",
    "reuse_list_option",
    "strict_option",
]

Command = Callable[..., Any]


@attrs.frozen(kw_only=True)
class ContactsInput:
    """How contacts are read, as it is on the command line.

    Attributes:
        encoding: The encoding; None detects it.
        columns: Names that replace the names of columns.
        skip: The file of addresses to leave out.
        fix: The corrections to make.
        left_out_to: The file for rows that are left out.
    """

    encoding: str | None
    columns: dict[str, str] | None
    skip: Path | None
    fix: tuple[str, ...]
    left_out_to: Path | None = None

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `check_contacts` and of the pipelines."""
        return attrs.asdict(self, recurse=False)


def _columns(
    _context: click.Context, _parameter: click.Parameter, pairs: tuple[str, ...]
) -> dict[str, str] | None:
    """Parse each pair: the name in the file, and the name to use after the last =."""
    columns: dict[str, str] = {}
    for pair in pairs:
        old, equals, new = pair.rpartition("=")
        if not equals:
            raise click.BadParameter(
                _("{pair} has no =; write it as 電子郵件=EMAIL").format(pair=pair)
            )
        if old in columns:
            raise click.BadParameter(_("{name} is named twice; name it once").format(name=old))
        columns[old] = new
    return columns or None


_OPTIONS: Final = (
    click.option(
        "--encoding",
        help="The encoding of the file, such as big5 or gb18030; detected by default.",
    ),
    click.option(
        "--column",
        "columns",
        multiple=True,
        callback=_columns,
        metavar="NAME=EMAIL",
        help="Use another name for a column of the file; repeatable.",
    ),
    click.option(
        "--skip",
        type=click.Path(path_type=Path),
        help="Leave out the addresses in this file.",
    ),
    click.option(
        "--fix",
        type=click.Choice(get_args(Fix)),
        multiple=True,
        help="A problem to put right; repeatable.",
    ),
)
_LEFT_OUT: Final = click.option(
    "--left-out-to",
    type=click.Path(path_type=Path),
    help="Write bad rows there, instead of into the folder of the file.",
)

strict_option: OptionDecorator = click.option(
    "--strict", is_flag=True, help="Treat warnings as errors."
)

reuse_list_option: OptionDecorator = click.option(
    "--reuse-list",
    is_flag=True,
    help="Import into the list of that name if it exists; otherwise it is refused.",
)

part_bytes_option: OptionDecorator = click.option(
    "--part-bytes",
    type=click.IntRange(min=1),
    metavar="BYTES",
    help="Import larger contacts in parts of this size.",
)


def _max_rejected(_context: click.Context, _parameter: click.Parameter, text: str) -> float | None:
    """Parse a number of rows, a share below 1, or ``any``."""
    if text == "any":
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise click.BadParameter(
            _("{text} is not a number of rows, a share such as 0.01, or any").format(text=text)
        )
    return int(number) if number.is_integer() else number


max_rejected_option: OptionDecorator = click.option(
    "--max-rejected",
    default="0",
    show_default=True,
    metavar="ROWS",
    callback=_max_rejected,
    help="Send even if the platform rejects so many rows: a number, a share such as 0.01, or any.",
)


def contacts_options(*, writes: bool = True) -> Callable[[Command], Command]:
    """Give a command the options about contacts; it receives them as ``how``.

    Args:
        writes: Whether the command can write rows that are left out.
    """
    options = (*_OPTIONS, _LEFT_OUT) if writes else _OPTIONS
    names = [each.name for each in attrs.fields(ContactsInput)]

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def bundled(**given: Any) -> Any:
            mine = {name: given.pop(name) for name in names if name in given}
            return command(how=ContactsInput(**mine), **given)

        for option in reversed(options):
            bundled = option(bundled)
        return bundled

    return decorate
