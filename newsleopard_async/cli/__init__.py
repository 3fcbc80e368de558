"""The command ``newsleopard``, behind the extra ``cli``."""

from __future__ import annotations

import sys

__all__ = ["main"]

_EXTRA = frozenset({"click", "rich", "starlette", "uvicorn"})


def main() -> None:
    """Run the command line; without its extra, say in one line how to get it."""
    try:
        from newsleopard_async.cli.commands import newsleopard
    except ModuleNotFoundError as missing:
        library = (missing.name or "").partition(".")[0]
        if library not in _EXTRA:
            raise
        sys.exit(
            f"newsleopard: the command line needs {library}, which its extra brings: "
            'pip install "newsleopard-async[cli]"'
        )
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show 中文 shows a question mark; that is no reason to fail.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # typed as any TextIO
    newsleopard()
