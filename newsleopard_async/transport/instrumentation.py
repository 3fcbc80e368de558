"""Keeps headers and presigned URLs out of the logs and traces of other libraries.

Both are done for our own requests only, which a context variable marks. The logs and spans of other
clients in the process do not change.

- httpcore logs the headers of every answer at DEBUG. The ``Location`` of a redirect is a presigned
  URL, and a server can echo the key. A filter on httpcore's loggers leaves only the name of each
  event. A filter on a parent logger does not apply to the records of its children.
- OpenTelemetry's instrumentation of httpx writes whole URLs into its spans and adds
  ``traceparent``, which the storage must not get because it was not signed. The instrumentation's
  own switch turns it off, if it was imported at all.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, Final

from newsleopard_async import telemetry

__all__ = ["kept_out"]

_LOGGERS: Final = (
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
    # For the caller's own transports.
    "httpx",
    "hpack.hpack",
    "hpack.table",
)

_is_ours: Final = ContextVar("newsleopard_async_is_ours", default=False)


class _NameOnly(logging.Filter):
    """Keeps only the first word of each record about our requests."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _is_ours.get():
            record.msg, record.args = str(record.msg).partition(" ")[0], None
            record.exc_info = record.exc_text = None
        return True


_name_only: Final = _NameOnly()
for _logger in _LOGGERS:
    logging.getLogger(_logger).addFilter(_name_only)


@contextlib.contextmanager
def kept_out() -> Iterator[None]:
    """Prevent other libraries from showing the requests and answers inside this context."""
    token = _is_ours.set(True)
    try:
        with _untraced():
            yield
    finally:
        _is_ours.reset(token)


def _untraced() -> AbstractContextManager[Any]:
    loaded = sys.modules.get("opentelemetry.instrumentation.utils")
    if loaded is None:
        return contextlib.nullcontext()
    return telemetry.suppress_errors(
        lambda: loaded.suppress_http_instrumentation()  # noqa: PLW0108 - the lookup can fail, too
    )
