"""The log of the library: a handler that fails breaks nothing.

In the standard library an error of a handler, a filter or a factory of records goes to the code
that logs. But a line about a campaign that was accepted must not hide that it was.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback
from typing import Any, Final

__all__ = ["NAME", "Log"]

NAME: Final = "newsleopard_async"
"""The name of the one logger."""


class Log(logging.LoggerAdapter[logging.Logger]):
    """The logger of the library."""

    def __init__(self) -> None:
        super().__init__(logging.getLogger(NAME))

    def log(self, level: int, msg: object, *args: object, **more: Any) -> None:
        """Log a line; an error is printed to stderr, as `logging.Handler.handleError` does."""
        if not self.isEnabledFor(level):
            return
        try:
            # The record names the line that logs, and not this one.
            self.logger.log(level, msg, *args, stacklevel=2, **more)
        except Exception:  # noqa: BLE001 - of a handler, a filter or a factory of the program's
            if logging.raiseExceptions and sys.stderr is not None:
                # It may be closed.
                with contextlib.suppress(Exception):
                    traceback.print_exc()
