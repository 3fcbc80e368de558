"""The standard output and the standard error of a process, which can be closed, full or unread.

A notice that cannot be written is lost, because a terminal that is gone must not end a send
half-way. A result that cannot be written is an error, because a program waits for it.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import IO, Any

__all__ = ["OutputFailed", "prepare_streams"]


class OutputFailed(Exception):
    """The standard output cannot be written.

    It is not an OSError, because click and rich end the process at a closed pipe.

    Attributes:
        reason: The error of the system.
    """

    def __init__(self, reason: OSError) -> None:
        super().__init__(reason.strerror)
        self.reason = reason

    @property
    def is_closed_pipe(self) -> bool:
        """Whether the reader of the output has ended, as ``head`` does."""
        return self.reason.errno == errno.EPIPE


class _NoticeStream(io.FileIO):
    """The standard error: what cannot be written is lost."""

    def write(self, data: Any) -> int:
        try:
            written = super().write(data)
        except OSError:
            written = None
        return memoryview(data).nbytes if written is None else written


class _ResultStream(io.FileIO):
    """The standard output: the first failure is reported."""

    _has_failed = False

    def write(self, data: Any) -> int:
        if self._has_failed:
            # Python flushes the same data again at its end, and would change the exit status.
            return memoryview(data).nbytes
        try:
            return self._write(data)
        except OSError as error:
            self._has_failed = True
            raise OutputFailed(error) from None

    def _write(self, data: Any) -> int:
        written: int | None = super().write(data)
        while written is None:
            # Some programs hand on a pipe that does not block; it is full.
            select.select([], [self], [])
            written = super().write(data)
        return written


def prepare_streams() -> None:
    """Replace the standard output and error of this process by streams for a command.

    A console that cannot show 中文 shows escapes instead of failing.
    """
    sys.stdout = _prepared(sys.stdout, _ResultStream)
    sys.stderr = _prepared(sys.stderr, _NoticeStream)


def _prepared(stream: Any, kind: type[io.FileIO]) -> Any:
    if stream is None:
        # The caller has closed it, as ``>&-`` of a shell does.
        return _open_nothing()
    stream.reconfigure(errors="backslashreplace")
    raw = getattr(stream.buffer, "raw", stream.buffer)
    if type(raw) is not io.FileIO:
        return stream  # The console of Windows, which fails only if it is gone.
    return io.TextIOWrapper(
        io.BufferedWriter(kind(raw.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _open_nothing() -> IO[str]:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - open until the end
