"""One request's way to the platform and back: retry, limit, send, decode."""

from __future__ import annotations

import sys


def _import_httpx_without_its_command_line() -> None:
    """Keep rich, click and pygments out of our import: httpx loads its command line if it can.

    It is made for their absence, so that is what it is shown; the module itself stays
    importable by whoever wants it.
    """
    if "httpx" in sys.modules:
        return
    sys.modules["httpx._main"] = None  # type: ignore[assignment]  # "cannot be imported"
    try:
        import httpx  # noqa: F401 - to have it loaded in this moment
    finally:
        del sys.modules["httpx._main"]


_import_httpx_without_its_command_line()
