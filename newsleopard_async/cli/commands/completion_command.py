"""``newsleopard completion``: prints the script with which a shell completes the command."""

from __future__ import annotations

import re
from typing import Final

import click
from click.shell_completion import get_completion_class

__all__ = ["completion"]

_FILE_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_SHELLS: Final = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS), metavar="bash|zsh|fish")
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script with which a shell completes commands, options and names.

    It completes commands, options and their values, files, profiles, and the send keys of your
    runs. It needs no network. Write it to a file that your shell reads, once:

    \b
    bash, with the package bash-completion:
      cd ~/.local/share/bash-completion/completions
      newsleopard completion bash > newsleopard
    \b
    zsh, with a folder that is in fpath before compinit runs:
      newsleopard completion zsh > ~/.zfunc/_newsleopard
    \b
    fish:
      cd ~/.config/fish/completions
      newsleopard completion fish > newsleopard.fish

    Then start a new shell.
    """  # noqa: D301 - click needs the character, to keep the lines
    root = context.find_root()
    name = (root.info_name or "").removesuffix(".exe")
    if not _FILE_NAME.fullmatch(name):
        name = "newsleopard"  # it runs as `python -m`
    # click reads this variable.
    variable = f"_{name.replace('-', '_').replace('.', '_')}_COMPLETE".upper()
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(root.command, {}, name, variable).source()
    # A description can contain a comma.
    click.echo(script.replace('string split ","', 'string split --max 1 ","'), nl=False)
