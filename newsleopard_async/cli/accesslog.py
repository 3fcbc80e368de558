"""The log of a served emulator: a line for each request, for people or for programs.

A line has neither key, body nor query: keys that are real come here by mistake, and contacts are
anybody's.
"""

from __future__ import annotations

import json
from datetime import UTC
from typing import Final, TextIO

from newsleopard_async.disclosure import shown
from newsleopard_async.emulator import RequestRecord

__all__ = ["AccessLog"]

_LONGEST_PATH: Final = 200
"""Chosen: no path of the API or its storage is half as long."""


class AccessLog:
    """Writes a line for each request that has ended.

    Args:
        stream: Where to, such as the standard error.
        as_json: Whether a line is an object of JSON, or words.
    """

    def __init__(self, stream: TextIO, *, as_json: bool = False) -> None:
        self._stream = stream
        self._line_of = _json_of if as_json else _words_of

    def write(self, record: RequestRecord) -> None:
        """Write the line of one request at once, so that a pipe has it, too."""
        self._stream.write(self._line_of(record) + "\n")
        self._stream.flush()


def _words_of(record: RequestRecord) -> str:
    fault = f" {record.fault}" if record.fault else ""
    took = f"{record.duration_ms or 0:.0f} ms"
    what = f"{shown(record.method)} {_path_of(record)} {record.operation}"
    return f"{what} {_status_of(record)}{fault} {took}"


def _json_of(record: RequestRecord) -> str:
    time = record.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps(
        {
            "time": time,
            "request_id": record.request_id,
            "method": record.method,
            "path": record.path,
            "operation": record.operation,
            "status": record.status,
            "fault": record.fault,
            "duration_ms": round(record.duration_ms or 0, 3),
        }
    )


def _status_of(record: RequestRecord) -> str:
    return "dropped" if record.status is None else str(record.status)


def _path_of(record: RequestRecord) -> str:
    path = shown(record.path)
    return path if len(path) <= _LONGEST_PATH else path[:_LONGEST_PATH] + "…"
