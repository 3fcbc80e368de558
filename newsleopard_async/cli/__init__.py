"""The command ``newsleopard``, behind the extra ``cli``."""

from __future__ import annotations

import sys

from newsleopard_async.cli.display.output_streams import prepare_streams
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.cli.translation import users_language

__all__ = ["main"]

_EXTRA = frozenset({"click", "jinja2", "platformdirs", "rich", "starlette", "uvicorn"})


def main() -> None:
    """Run the command line; if its extra is not installed, print how to install it."""
    try:
        try:
            from newsleopard_async.cli.command_line import newsleopard
        except KeyboardInterrupt:
            # Before the command itself: nothing was done that could be reported.
            sys.exit(130)

        prepare_streams()
        newsleopard()
    except ModuleNotFoundError as missing:
        # A command loads its libraries when it is used.
        library = (missing.name or "").partition(".")[0]
        if library not in _EXTRA:
            raise
        with users_language():
            message = _("the command line needs {library}; install its extra: {command}")
        command = 'pip install "newsleopard-async[cli]"'
        sys.exit("newsleopard: " + message.format(library=library, command=command))
