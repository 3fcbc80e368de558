"""The command ``newsleopard-async``, for ``uvx newsleopard-async``.

uvx runs the script that is named like the package, and installs the package without extras. The
core does not require the libraries of the command line, so the first run asks uv to run the
command ``newsleopard`` with the extra. uv keeps that environment for the next run.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from typing import NoReturn

from newsleopard_async.cli import main

__all__ = ["run"]

_DISTRIBUTION = "newsleopard-async"


def run() -> None:
    """Run the command line; if its extra is missing and uv runs this, install the extra first."""
    # uv passes its own path to the programs that it starts.
    uv = os.environ.get("UV")
    if uv and find_spec("click") is None:
        _replace(uv, "tool", "run", "--from", requirement(), "newsleopard", *sys.argv[1:])
    main()


def requirement() -> str:
    """Return the installed version of this package with its extra, from where it was installed."""
    installed = metadata.distribution(_DISTRIBUTION)
    name = f"{_DISTRIBUTION}[cli]"
    # PEP 610: this file exists only if the package was installed from an address or a file.
    origin = installed.read_text("direct_url.json")
    return f"{name} @ {json.loads(origin)['url']}" if origin else f"{name}=={installed.version}"


def _replace(*command: str) -> NoReturn:
    """Replace this process, so that signals and the exit code are those of the command."""
    if os.name != "nt":
        os.execv(command[0], command)  # noqa: S606  # the path is uv's own
    # Windows cannot replace a process. Ctrl-C reaches both; only the command decides how to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(subprocess.call(command))  # noqa: S603  # the path is uv's own
