"""Runs an example application in a process of its own, on a real server, and talks to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx

from tests.constants import CAMPAIGN, KEY, ROOT
from tests.faults.world import MANY, csv_of

__all__ = ["COMMANDS", "EXAMPLES", "LONGEST_S", "Server", "hearing", "order", "wait_until"]

EXAMPLES = ROOT / "docs" / "examples"
COMMANDS: dict[str, list[str]] = {
    "fastapi": [
        *("-m", "uvicorn", "fastapi_app:app", "--app-dir", str(EXAMPLES)),
        *("--timeout-graceful-shutdown", "1"),
    ],
    "aiohttp": [str(EXAMPLES / "aiohttp_app.py")],
}
"""How the page says that each application is started."""
LONGEST_S = 30.0
"""Chosen: nothing here takes more than a few seconds on a busy machine."""


def order(name: str, **changes: Any) -> dict[str, Any]:
    """Return the body of a POST: a campaign to a list of the same name."""
    campaign = {**CAMPAIGN.to_dict(), "name": name, **changes}
    return {"campaign": campaign, "list_name": name, "contacts": csv_of(MANY)}


def wait_until(is_so: Callable[[], object]) -> None:
    """Wait for something in another process or thread, which is on a clock of its own."""
    give_up_at = time.monotonic() + LONGEST_S
    while not is_so():
        assert time.monotonic() < give_up_at
        time.sleep(0.005)


class Server:
    """An application that runs, and may be stopped and started again.

    Attributes:
        url: Where it is, the same in all its lives.
        http: A client for it.
        said: What it has written, in all its lives.
    """

    def __init__(self, framework: str, platform_url: str, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.said = ""
        self.http = httpx.Client(base_url=self.url, trust_env=False, timeout=LONGEST_S)
        self._command = [sys.executable, *COMMANDS[framework]]
        self._environment = {
            **os.environ,
            "NEWSLEOPARD_API_KEY": KEY,
            "NEWSLEOPARD_BASE_URL": platform_url,
            "PUBLIC_URL": self.url,
            "JOBS_FOLDER": str(folder),
            "PORT": str(port),
            "UVICORN_PORT": str(port),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }

    def start(self, **settings: str) -> None:
        """Start it, and return once it takes requests.

        Args:
            settings: Variables of its environment, for this life.
        """
        self._process = subprocess.Popen(
            self._command,
            env=self._environment | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Its workers, if it has any, can then be ended with it.
            start_new_session=True,
        )
        is_ready = threading.Event()

        def listen() -> None:
            assert self._process.stdout is not None
            for line in self._process.stdout:
                self.said += line
                if "unning on http" in line:
                    is_ready.set()
            is_ready.set()

        self._listening = threading.Thread(target=listen)
        self._listening.start()
        if not is_ready.wait(LONGEST_S):
            self.stop(signal.SIGKILL)
        assert self._process.poll() is None, self.said
        # The parent of several workers says so before one of them listens.
        wait_until(self._listens)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", int(self.http.base_url.port or 0))).close()
        except ConnectionRefusedError:
            return False
        return True

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Send a signal; return how many seconds the process needs to end."""
        begin = time.monotonic()
        self._process.send_signal(number)
        self._process.wait(LONGEST_S)
        took_s = time.monotonic() - begin
        self._listening.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return took_s

    def post(self, name: str, *, alone: bool = False) -> str:
        """Have a campaign sent to a list of the same name; return the job's id.

        Args:
            name: Of both.
            alone: On a connection of its own, which may reach another worker.
        """
        headers = {"Connection": "close"} if alone else {}
        answer = self.http.post("/campaigns", json=order(name), headers=headers)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def events(self, job_id: str) -> Generator[tuple[str, dict[str, Any]]]:
        """Yield the names and data of a job's server-sent events."""
        with self.http.stream("GET", f"/campaigns/{job_id}/events") as stream:
            assert stream.headers["content-type"].partition(";")[0] == "text/event-stream"
            name = ""
            for line in stream.iter_lines():
                field, _, value = line.partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    yield name, json.loads(value)

    def leave(self, job_id: str) -> None:
        """Ask for a job's events, and break the connection before an answer can come."""
        with socket.create_connection(("127.0.0.1", int(self.http.base_url.port or 0))) as browser:
            browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            browser.sendall(f"GET /campaigns/{job_id}/events HTTP/1.1\r\nHost: a\r\n\r\n".encode())

    def end_of(self, job_id: str) -> dict[str, Any]:
        """Wait until a job ends, and return its status."""
        *_, (name, status) = self.events(job_id)
        assert name == "end"
        return status

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, and the client."""
        self.http.close()
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self.stop(signal.SIGKILL)


@contextmanager
def hearing(server: Server, job_id: str, events: list[tuple[str, Any]]) -> Iterator[None]:
    """Listen to a job in a thread while the context lasts, and to the end of its stream."""

    def listen() -> None:
        for each in server.events(job_id):
            events.append(each)  # noqa: PERF402  # it is looked at while the stream goes on

    thread = threading.Thread(target=listen)
    thread.start()
    yield
    thread.join(LONGEST_S)
    assert not thread.is_alive()
