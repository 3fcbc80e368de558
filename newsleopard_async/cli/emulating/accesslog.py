"""The log of a served emulator: one line per request, as words or as JSON.

A line contains no key, body or query, because real keys and contacts can get here by mistake.
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
    """Writes one line for each request that has ended.

    Args:
        stream: The output, for example the standard error.
        as_json: Whether a line is a JSON object, and not words.
    """

    def __init__(self, stream: TextIO, *, as_json: bool = False) -> None:
        self._stream = stream
        self._line_of = _json_of if as_json else _words_of

    def write(self, record: RequestRecord) -> None:
        """Write the line of one request, and flush it, so that a pipe gets it immediately."""
        self._stream.write(self._line_of(record) + "\n")
        self._stream.flush()


def _words_of(record: RequestRecord) -> str:
    fault = f" {record.fault}" if record.fault else ""
    took = f"{record.duration_ms or 0:.0f} ms"
    request = f"{shown(record.method)} {_path_of(record)} {record.operation}"
    return f"{request} {_status_of(record)}{fault} {took}"


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
