"""A server that speaks S3 with the code of OpenStack Swift, run as a program of its own.

``python swift_server.py USER SECRET FOLDER`` prints its port and serves on loopback until
its standard input ends. Each line there is answered with what came in since the last one,
as a line of JSON.

Why Swift: of the packages on PyPI that serve S3, it alone was found to verify presigned
URLs of both versions (moto judges the Authorization header only, others version 4 only or
nothing). The HTTP parser, ``s3api`` (signatures, expiry, S3's errors) and ``tempauth`` are
those of its clusters, unchanged; what stands behind them is not a cluster, but the few
answers of one that a PUT and a GET need.

It knows no session tokens, hence takes them in URLs of version 4 only, where they are a
part of the query like any other. It is installed on Linux only.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

with warnings.catch_warnings():
    # It discourages new projects; this is an old one's own server.
    warnings.simplefilter("ignore")
    import eventlet
    import eventlet.tpool
    import eventlet.wsgi
from swift.common import swob
from swift.common.middleware import tempauth
from swift.common.middleware.s3api import s3api
from swift.common.wsgi import SwiftHttpProtocol

Environ = dict[str, Any]
StartResponse = Callable[..., object]
App = Callable[[Environ, StartResponse], Iterable[bytes]]

_PIECE_BYTES = 256 * 1024


class Backend:
    """The part of Swift behind its middleware: buckets that are simply there, and files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, tuple[Path, str]] = {}
        self._numbers = itertools.count()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request of Swift's own interface."""
        # What the auth middleware leaves behind is for the proxy to ask; else all would pass.
        request = swob.Request(environ)
        refuse = environ.get("swift.authorize")
        refusal = refuse(request) if refuse else None
        answer = refusal or self._answer(request)
        result: Iterable[bytes] = answer(environ, start_response)
        return result

    def _answer(self, request: Any) -> Any:
        is_object = request.environ["PATH_INFO"].count("/") >= 4
        if not is_object:
            return swob.HTTPNoContent(headers={"X-Container-Object-Count": "0"})
        return self._put(request) if request.method == "PUT" else self._get(request)

    def _put(self, request: Any) -> Any:
        if request.content_length is None:
            return swob.HTTPLengthRequired()
        path = self._folder / f"{next(self._numbers)}"
        digest = hashlib.md5(usedforsecurity=False)
        with path.open("wb") as file:
            for piece in _pieces(request.environ["wsgi.input"], request.content_length):
                file.write(piece)
                digest.update(piece)
        if path.stat().st_size != request.content_length:
            return swob.HTTPClientDisconnect()
        self._files[request.environ["PATH_INFO"]] = path, digest.hexdigest()
        return swob.HTTPCreated(headers=_facts(digest.hexdigest()))

    def _get(self, request: Any) -> Any:
        path, digest = self._files.get(request.environ["PATH_INFO"], (None, ""))
        if path is None:
            return swob.HTTPNotFound()
        size_bytes = path.stat().st_size
        headers = {**_facts(digest), "Content-Length": str(size_bytes)}
        return swob.HTTPOk(headers=headers, app_iter=_pieces(path.open("rb"), size_bytes))


def _pieces(source: Any, size_bytes: int) -> Iterator[bytes]:
    while size_bytes and (piece := source.read(min(size_bytes, _PIECE_BYTES))):
        size_bytes -= len(piece)
        yield piece


def _facts(digest: str) -> dict[str, str]:
    return {"Etag": digest, "X-Timestamp": f"{time.time():.5f}"}


class Log:
    """What came over the wire, before anything could change it, and the answer."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._entries: list[dict[str, Any]] = []

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Note a request and pass it on."""
        entry: dict[str, Any] = {
            "method": environ["REQUEST_METHOD"],
            "target": f"{environ['RAW_PATH_INFO']}?{environ['QUERY_STRING']}",
            "headers": environ["headers_raw"],
            "status": None,
        }
        self._entries.append(entry)

        def start(status: str, *rest: Any) -> object:
            entry["status"] = int(status.split(maxsplit=1)[0])
            return start_response(status, *rest)

        return self._app(environ, start)

    def take(self) -> list[dict[str, Any]]:
        """Return the requests since the last time."""
        taken, self._entries = self._entries, []
        return taken


def main(user: str, secret: str, folder: str) -> None:
    """Serve until standard input ends."""
    account, _, name = user.partition(":")
    auth = tempauth.filter_factory({f"user_{account}_{name}": f"{secret} .admin"})
    gate = s3api.filter_factory(
        {"auth_pipeline_check": "false", "location": "us-east-1", "storage_domain": "s3.test"}
    )
    log = Log(gate(auth(Backend(Path(folder)))))
    listener = eventlet.listen(("127.0.0.1", 0))
    eventlet.spawn(
        eventlet.wsgi.server, listener, log, protocol=SwiftHttpProtocol, log_output=False
    )
    print(listener.getsockname()[1], flush=True)  # noqa: T201  # this is how it is spoken to
    while eventlet.tpool.execute(sys.stdin.readline):
        print(json.dumps(log.take()), flush=True)  # noqa: T201  # likewise


if __name__ == "__main__":
    main(*sys.argv[1:])
