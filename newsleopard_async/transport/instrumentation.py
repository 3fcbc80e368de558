"""What other libraries log and trace of our requests: no header, no presigned URL.

Both are done for our own requests only, which a context variable tells: the logs and spans
of any other client in the process stay as they are.

- httpcore logs the headers of every answer at DEBUG. A redirect's ``Location`` is a presigned
  URL, and a server may echo the key. A filter on its loggers (those of a parent logger do not
  see the records of its children) leaves the name of each event.
- OpenTelemetry's instrumentation of httpx writes whole URLs into its spans and adds
  ``traceparent``, which the storage must not get, since it was not signed. Its own switch
  keeps it out, if it was loaded at all.
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
    # Those of transports of the caller's.
    "httpx",
    "hpack.hpack",
    "hpack.table",
)

_is_ours: Final = ContextVar("newsleopard_async_is_ours", default=False)


class _NameOnly(logging.Filter):
    """Leaves the first word of what is logged about our requests."""

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
    """Keep other libraries from showing what is sent and received inside."""
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
        lambda: loaded.suppress_http_instrumentation()  # noqa: PLW0108 - looked up where it is harmless
    )
