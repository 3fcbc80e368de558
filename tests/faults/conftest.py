"""What the tests of faults share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from newsleopard_async.transport.api import Api
from tests.faults.world import World, unflushed
from tests.requests_schema import RequestMismatch, RequestSchema

_SCHEMA = RequestSchema()


@pytest.fixture(autouse=True)
def _every_request_is_documented(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hold whatever a client builds against openapi.yaml, in whichever fault it ends."""
    build, mismatches = Api._http_request, list[RequestMismatch]()

    def build_and_check(self: Api, *args: Any) -> httpx.Request:
        built = build(self, *args)
        body = args[1] or b""
        try:
            _SCHEMA.check(built.method, str(built.url), built.headers.multi_items(), body)
        except RequestMismatch as mismatch:
            mismatches.append(mismatch)
        return built

    monkeypatch.setattr(Api, "_http_request", build_and_check)
    yield
    assert mismatches == []


@pytest.fixture
def at(tmp_path: Path) -> Iterator[World]:
    """Make a world whose files are the test's."""
    with unflushed():
        yield World(tmp_path)
