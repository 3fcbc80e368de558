"""The content of a line for each request, and what it never contains."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from newsleopard_async.cli.emulating.accesslog import AccessLog
from newsleopard_async.emulator import RequestRecord


def record(**changes: Any) -> RequestRecord:
    """Return a request that contained a key, a query and a contact."""
    facts: dict[str, Any] = {
        "operation": "import_text",
        "method": "POST",
        "path": "/v1/contacts/imports/text",
        "query": "secret=1",
        "at": datetime(2026, 1, 5, 2, 0, 0, 1_000, tzinfo=UTC),
        "at_s": 1.0,
        "headers": {"x-api-key": "k3y"},
        "body": b"ming@example.com",
        "status": 200,
        "request_id": "b0f7",
        "duration_ms": 12.3456,
    }
    return RequestRecord(**(facts | changes))


def line_of(each: RequestRecord, *, as_json: bool = False) -> str:
    """Return what is written of a request."""
    stream = io.StringIO()
    AccessLog(stream, as_json=as_json).write(each)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "POST /v1/contacts/imports/text import_text 200 12 ms\n"),
        (
            {"status": None, "fault": "lose_reply"},
            "POST /v1/contacts/imports/text import_text dropped lose_reply 12 ms\n",
        ),
        (
            {"status": 503, "fault": "answer", "duration_ms": 0.4},
            "POST /v1/contacts/imports/text import_text 503 answer 0 ms\n",
        ),
        (
            {"path": "/\x1b[2J\n會員", "operation": "unknown", "status": 404},
            "POST /\\x1b[2J\\n會員 unknown 404 12 ms\n",
        ),
        (
            {"method": "\x1b[2J\nGET", "operation": "unknown", "status": 404},
            "\\x1b[2J\\nGET /v1/contacts/imports/text unknown 404 12 ms\n",
        ),
    ],
)
def test_line_has_the_request_and_its_outcome(changes: dict[str, Any], line: str) -> None:
    """For any method and path it is one line without effect on a terminal."""
    assert line_of(record(**changes)) == line


def test_line_of_json_has_the_time_and_the_id() -> None:
    """Programs get the same facts, and what they can join other logs by."""
    line = line_of(record(path="/會\n員"), as_json=True)

    assert line.count("\n") == 1
    assert line.isascii()
    assert json.loads(line) == {
        "time": "2026-01-05T02:00:00.001Z",
        "request_id": "b0f7",
        "method": "POST",
        "path": "/會\n員",
        "operation": "import_text",
        "status": 200,
        "fault": None,
        "duration_ms": 12.346,
    }


@pytest.mark.parametrize("as_json", [False, True])
def test_line_has_no_key_query_or_body(as_json: bool) -> None:
    """Real keys and contacts can be sent to an emulator by mistake."""
    line = line_of(record(), as_json=as_json)

    assert not any(secret in line for secret in ("k3y", "secret", "ming"))


def test_long_path_is_cut() -> None:
    """A very long path does not fill the log."""
    assert len(line_of(record(path="/" + "x" * 10_000))) < 300


def test_line_reaches_a_pipe_immediately() -> None:
    """The log of a container has each request as soon as it has ended."""
    pipe = io.BytesIO()
    log = AccessLog(io.TextIOWrapper(pipe, encoding="utf-8"))

    log.write(record())

    assert pipe.getvalue().endswith(b"12 ms\n")
