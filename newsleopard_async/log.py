"""The log of the library: an environment variable enables it, and its errors stop no request.

In the standard library, the code that logs receives an error of a handler, a filter or a record
factory. Here it must not: a failed log line would hide that a campaign was accepted.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from typing import Any, Final

from newsleopard_async.errors import ConfigurationError

__all__ = ["NAME", "Log", "read_log"]

NAME: Final = "newsleopard_async"
"""The name of the one logger."""

_VARIABLE: Final = "NEWSLEOPARD_LOG"
_LEVELS: Final[Mapping[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


class Log(logging.LoggerAdapter[logging.Logger]):
    """The logger of the library."""

    def __init__(self) -> None:
        super().__init__(logging.getLogger(NAME))

    def log(self, level: int, msg: object, *args: object, **more: Any) -> None:
        """Log a line; print an error to stderr, as `logging.Handler.handleError` does."""
        if not self.isEnabledFor(level):
            return
        try:
            # The record then names the caller's line, and not this one.
            self.logger.log(level, msg, *args, stacklevel=2, **more)
        except Exception:  # noqa: BLE001 - of the program's handler, filter or factory
            if logging.raiseExceptions and sys.stderr is not None:
                # stderr may be closed.
                with contextlib.suppress(Exception):
                    traceback.print_exc()


def read_log() -> None:
    """Enable the log if the environment variable is set; a second call changes nothing.

    Raises:
        ConfigurationError: the value is not a level.
    """
    word = os.environ.get(_VARIABLE, "").strip().lower()
    if not word:
        return
    if word not in _LEVELS:
        raise ConfigurationError(f"{_VARIABLE} must be one of {', '.join(_LEVELS)}")
    logger = logging.getLogger(NAME)
    logger.setLevel(_LEVELS[word])
    # By default, `logging.config` disables every logger that it does not name.
    logger.disabled = False
    logger.addHandler(_FALLBACK)


class _Fallback(logging.Handler):
    """Writes records to stderr if no other handler writes them.

    It searches for other handlers at each record, because a program that configures logging later
    must not get a line twice.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        if any(record.levelno >= each.level for each in self._others(record.name)):
            return
        try:
            sys.stderr.write(f"{self.format(record)}\n")
        except Exception:  # noqa: BLE001 - a log that cannot be written breaks nothing
            self.handleError(record)

    def _others(self, name: str) -> Iterator[logging.Handler]:
        logger: logging.Logger | None = logging.getLogger(name)
        while logger is not None:
            yield from (
                each
                for each in logger.handlers
                if each is not self and not isinstance(each, logging.NullHandler)
            )
            logger = logger.parent if logger.propagate else None


_FALLBACK: Final = _Fallback()
"""There is only one, because each of two would leave the records to the other one."""
