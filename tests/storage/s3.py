"""The S3 server of these tests, and URLs for it from Amazon's own signer."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import botocore.session
from botocore.client import Config

__all__ = ["BUCKET", "VERSIONS", "Logged", "S3Server", "running"]

VERSIONS = {"version 2": "s3", "version 4": "s3v4"}
"""The two ways to sign, by botocore's names."""

BUCKET = "members"

_USER, _SECRET = "newsletters:writer", "secret-of-the-bucket"


@attrs.frozen
class Logged:
    """A request as the server saw it."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    status: int

    def header(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def header_names(self) -> list[str]:
        """The names of the headers, as often as they came, in order."""
        return sorted(key.lower() for key, _ in self.headers)


@attrs.frozen
class S3Server:
    """A running server."""

    port: int
    _process: subprocess.Popen[str]

    def presign(
        self,
        method: str,
        key: str,
        *,
        version: str = "s3v4",
        endpoint: str | None = None,
        style: str = "path",
        secret: str = _SECRET,
        token: str | None = None,
        expires_s: int = 300,
        content_type: str | None = None,
    ) -> str:
        """Let botocore make a URL for one method on one key."""
        client = _client(endpoint or f"http://127.0.0.1:{self.port}", version, style, secret, token)
        signed = {"ContentType": content_type} if content_type else {}
        url: str = client.generate_presigned_url(
            {"PUT": "put_object", "GET": "get_object"}[method],
            Params={"Bucket": BUCKET, "Key": key, **signed},
            ExpiresIn=expires_s,
        )
        return url

    def take_log(self) -> list[Logged]:
        """Return the requests since the last time."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return [
            Logged(entry["method"], entry["target"], tuple(map(tuple, entry["headers"])), status)
            for entry in json.loads(self._process.stdout.readline())
            for status in [entry["status"]]
        ]


@functools.cache
def _client(endpoint: str, version: str, style: str, secret: str, token: str | None) -> Any:
    """Build one of botocore's clients, which takes it a while."""
    return botocore.session.Session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id=_USER,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(signature_version=version, s3={"addressing_style": style}),
    )


@contextmanager
def running() -> Iterator[S3Server]:
    """Run a server in a process of its own for as long as the context lasts."""
    program = Path(__file__).with_name("swift_server.py")
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, str(program), _USER, _SECRET, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout
        try:
            yield S3Server(int(process.stdout.readline()), process)
        finally:
            process.kill()
