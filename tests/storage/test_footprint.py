"""Large files: what they take of memory and of the event loop."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import newsleopard_async

if sys.platform != "linux":
    pytest.skip("Swift is installed on Linux only", allow_module_level=True)

from tests.storage.s3 import S3Server

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
SIZE_BYTES = 256 * MIB
TRIES = 3
"""A busy machine can delay any run; one fast run of several proves that the code does not."""


def write_large(path: Path) -> None:
    """Write a file of which every MiB is different, without writing most of it."""
    with path.open("wb") as file:
        for number in range(SIZE_BYTES // MIB):
            file.seek(number * MIB)
            file.write(f"row {number}\n".encode())
        file.truncate(SIZE_BYTES)


def sha256(path: Path) -> str:
    """Return a file's digest."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def footprint(s3: S3Server, source: Path, destination: Path) -> dict[str, dict[str, Any]]:
    """Upload and download in a separate process; return the cost of each direction."""
    urls = [s3.presign(method, "large.csv") for method in ("PUT", "GET")]
    run = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("footprint.py")), *urls, source, destination],
        check=True,
        stdout=subprocess.PIPE,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(newsleopard_async.__file__).parent.parent)},
    )
    return {entry["what"]: entry for entry in map(json.loads, run.stdout.splitlines())}


def test_large_file_is_streamed_both_ways(s3: S3Server, tmp_path: Path) -> None:
    """256 MiB take at most 32 MiB of memory and never hold the event loop up for 100 ms."""
    source, destination = tmp_path / "contacts.csv", tmp_path / "report.csv"
    write_large(source)

    for _ in range(TRIES):
        took = footprint(s3, source, destination)
        if all(way["held_s"] < 0.1 for way in took.values()):
            break

    assert {what: way["grown_bytes"] < 32 * MIB for what, way in took.items()} == {
        "upload": True,
        "download": True,
    }, took
    assert max(way["held_s"] for way in took.values()) < 0.1, took
    assert destination.stat().st_size == SIZE_BYTES
    assert sha256(destination) == sha256(source)
