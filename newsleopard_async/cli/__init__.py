"""The command ``newsleopard``, behind the extra ``cli``."""

from __future__ import annotations

import sys

__all__ = ["main"]

_EXTRA = frozenset({"click", "rich", "starlette", "uvicorn"})


def main() -> None:
    """Run the command line; if its extra is not installed, print how to install it."""
    try:
        from newsleopard_async.cli.commands import newsleopard
    except ModuleNotFoundError as missing:
        library = (missing.name or "").partition(".")[0]
        if library not in _EXTRA:
            raise
        sys.exit(
            f"newsleopard: the command line needs {library}; install its extra: "
            'pip install "newsleopard-async[cli]"'
        )
    for stream in (sys.stdout, sys.stderr):
        # A console that cannot show 中文 shows the escape \u4e2d\u6587 instead of failing.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # typed as any TextIO
    newsleopard()
