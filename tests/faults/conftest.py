"""What the tests of faults share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from newsleopard_async.emulator.platform.gateway import LATER_PATHS, operation_of
from newsleopard_async.transport.api import Api
from tests.faults.world import World, unflushed
from tests.requests_schema import RequestMismatch, RequestSchema

_PUBLISHED = RequestSchema()
_NOTED = RequestSchema("vendor-2026")
_LATER = {operation for _, _, operation in LATER_PATHS}


@pytest.fixture(autouse=True)
def _every_request_is_documented(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Check all requests of a client against openapi.yaml, with any fault."""
    build, mismatches = Api._http_request, list[RequestMismatch]()

    def build_and_check(self: Api, *args: Any) -> httpx.Request:
        built = build(self, *args)
        body = args[1] or b""
        is_later = operation_of(built.method, built.url.path) in _LATER
        try:
            (_NOTED if is_later else _PUBLISHED).check(
                built.method, str(built.url), built.headers.multi_items(), body
            )
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
