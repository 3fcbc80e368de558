"""The servers of these tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.storage.wire import WireServer
from tests.storage.wire import running as wire_running

if sys.platform == "linux":
    from tests.storage.s3 import S3Server
    from tests.storage.s3 import running as s3_running

    @pytest.fixture(scope="session")
    def s3_process() -> Iterator[S3Server]:
        """Start the S3 server, once for all tests."""
        with s3_running() as server:
            yield server

    @pytest.fixture
    def s3(s3_process: S3Server) -> S3Server:
        """Give the S3 server with an empty log."""
        s3_process.take_log()
        return s3_process


@pytest.fixture
def wire() -> Iterator[WireServer]:
    """Give a storage that fails as told."""
    with wire_running() as server:
        yield server
