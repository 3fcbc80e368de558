"""The emulator on a real socket."""

from __future__ import annotations

import http.server
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from newsleopard_async.emulator import Emulator, Switches
from newsleopard_async.emulator.server import check_public_url, running, serve
from newsleopard_async.emulator.state import StateFile
from tests.emulator.api import rows
from tests.servers import free_port

KEY = {"x-api-key": "test-key"}
RESET = (httpx.NetworkError, httpx.RemoteProtocolError)
INSERT = "/v1/contacts/lists/insert"


def client(url: str) -> httpx.Client:
    """Return a client that knows nothing of proxies."""
    return httpx.Client(base_url=url, headers=KEY, trust_env=False, timeout=5)


def make(**switches: Any) -> Emulator:
    """Build an emulator on the machine's clock, which is quick at everything."""
    quick: dict[str, Any] = {"requests_per_s": None, "import_base_s": 0.0, "report_delay_s": 0.0}
    return Emulator(switches=Switches(**(quick | switches)))


def test_import_runs_over_real_http() -> None:
    """Presigned URLs point at the server, over plain http on loopback."""
    emulator = make()
    with running(emulator) as url, client(url) as http, httpx.Client(trust_env=False) as storage:
        ticket = http.post("/v1/contacts/imports/file", json={}).json()
        put = storage.put(ticket["url"], content=rows(3).encode())
        time.sleep(0.01)
        result = http.get(f"/v1/contacts/imports/result/{ticket['import_sn']}").json()

    assert url.startswith("http://127.0.0.1:")
    assert ticket["url"].startswith(f"{url}/_storage/")
    assert put.status_code == 200
    assert (result["status"], result["insertCnt"]) == ("COMPLETE", 3)


@pytest.mark.parametrize(
    "host", ["emulator:8025", "Emulator.Test", "my_emulator", "10.1.2.3:80", "[::1]:8025"]
)
def test_presigned_url_names_the_host_that_was_asked(host: str) -> None:
    """A client that uses a name of its own network gets storage URLs with this name."""
    with running(make()) as url, client(url) as http, httpx.Client(trust_env=False) as storage:
        asked = http.post("/v1/contacts/imports/file", json={}, headers={"host": host}).json()
        plain = http.post("/v1/contacts/imports/file", json={}).json()
        reached = asked["url"].replace(f"http://{host}", url)
        put = storage.put(reached, content=rows(1), headers={"host": host})

    assert asked["url"].startswith(f"http://{host}/_storage/")
    assert plain["url"].startswith(f"{url}/_storage/")
    assert put.status_code == 200


@pytest.mark.parametrize(
    "host", ["", "a b", "x/y", "a@b", "host:0", "host:99999", "host:x", "[::1", "[:::]", "é", "a<b"]
)
def test_host_that_no_url_could_hold_is_not_signed_for(host: str) -> None:
    """The server then signs for the address that it listens on."""
    with running(make()) as url:
        place = url.removeprefix("http://").split(":")
        with socket.create_connection((place[0], int(place[1])), timeout=5) as raw:
            raw.sendall(
                b"POST /v1/contacts/imports/file HTTP/1.1\r\nContent-Length: 0\r\nHost: %s\r\n"
                b"x-api-key: test-key\r\nConnection: close\r\n\r\n" % host.encode()
            )
            answer = b"".join(iter(lambda: raw.recv(4096), b"")).decode()

    assert f'"url":"{url}/_storage/' in answer or answer.startswith("HTTP/1.1 400 ")


def test_public_url_goes_before_the_host_that_was_asked() -> None:
    """A proxy can send a host name that clients cannot resolve."""
    emulator = make()
    port = free_port()
    with running(emulator, port=port, public_url="https://emulator.example.com/") as url:
        during = emulator.base_url
        with client(f"http://127.0.0.1:{port}") as http:
            ticket = http.post("/v1/contacts/imports/file", json={}).json()

    assert url == during == "https://emulator.example.com"
    assert ticket["url"].startswith("https://emulator.example.com/_storage/")


@pytest.mark.parametrize(
    "url", ["emulator:8025", "ftp://a", "http://", "http://a b", "http://a/?x=1", "http://u@a"]
)
def test_public_url_that_is_none_is_refused(url: str) -> None:
    """The message shows what one looks like."""
    with pytest.raises(ValueError, match="is not a URL such as https"):
        check_public_url(url)


def test_addresses_are_as_before_when_the_server_has_stopped() -> None:
    """A server only borrows the emulator, and its port is free again."""
    emulator = make()
    before = emulator.base_url, emulator.storage_url
    with running(emulator) as url:
        during = emulator.base_url, emulator.storage_url

    port = int(url.rpartition(":")[2])
    assert during == (url, url)
    assert (emulator.base_url, emulator.storage_url) == before
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_server_keeps_the_state_in_a_file(tmp_path: Path) -> None:
    """What the last request changed is there when the server has stopped."""
    with (
        StateFile(tmp_path / "state.db") as state,
        running(make(), state=state) as url,
        client(url) as http,
    ):
        http.post(INSERT, json={"name": "會員"})

    emulator = make()
    with StateFile(tmp_path / "state.db") as state:
        assert state.load_into(emulator)
    assert [each.name for each in emulator.lists] == ["會員"]


def test_server_tells_of_its_requests() -> None:
    """``on_request`` is called for each request, until the server stops."""
    told: list[str] = []
    emulator = make()
    server = running(emulator, on_request=lambda each: told.append(each.operation))
    with server as url, client(url) as http:
        http.get("/v1/contacts/lists")
    with running(emulator) as url, client(url) as http:
        http.get("/v1/contacts/lists")

    assert told == ["list_lists"]


def test_server_stops_when_the_context_raises() -> None:
    """After an exception in the body, no thread remains."""
    threads = threading.active_count()

    with pytest.raises(RuntimeError, match="mine"):
        _fail_while_it_runs()

    assert threading.active_count() == threads


def _fail_while_it_runs() -> None:
    with running(make()) as url, client(url) as http:
        http.get("/v1/contacts/lists")
        raise RuntimeError("mine")


@pytest.mark.parametrize("kind", ["hang", "delay"])
def test_server_stops_while_a_request_hangs(kind: str) -> None:
    """A stop does not wait for a fault; it closes the connection."""
    emulator = make()
    getattr(emulator, kind)("create_list", seconds=60)
    ended: list[Exception] = []

    def ask(url: str) -> None:
        with client(url) as http:
            try:
                http.post(INSERT, json={"name": "x"})
            except httpx.TransportError as error:
                ended.append(error)

    with running(emulator) as url:
        asking = threading.Thread(target=ask, args=(url,))
        asking.start()
        while not emulator.count("create_list"):
            time.sleep(0.01)
        begin = time.monotonic()
    took_s = time.monotonic() - begin
    asking.join()

    assert took_s < 1.5  # a second, and what a busy machine adds
    assert isinstance(ended[0], RESET)


def test_server_stops_during_a_slow_download(caplog: pytest.LogCaptureFixture) -> None:
    """A stop does not wait for an answer that the client does not read, and logs nothing."""
    emulator = make()
    emulator.switch(later_endpoints=True)
    path = f"/v1/templates/{emulator.add_template('大', 'x' * 20_000_000).id}"
    with running(emulator) as url:
        host, port = url.removeprefix("http://").split(":")
        raw = socket.create_connection((host, int(port)), timeout=5)
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nx-api-key: test-key\r\n\r\n".encode())
        raw.recv(1)
        begin = time.monotonic()
    took_s = time.monotonic() - begin
    raw.close()

    assert took_s < 1.5
    assert caplog.records == []


def test_taken_port_is_an_os_error() -> None:
    """The reason comes out, not an exit of the process."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(OSError, match=r"."), running(make(), port=port):
            pass


@pytest.mark.asyncio
async def test_cancelled_server_stops_in_good_order_and_leaves_the_signals() -> None:
    """The embedding program cancels the server, and keeps its own signal handlers."""
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    emulator = make()
    urls: list[str] = []

    async with anyio.create_task_group() as tasks:
        listening = anyio.Event()

        def ready(url: str) -> None:
            urls.append(url)
            listening.set()

        async def task() -> None:
            await serve(emulator, port=0, ready=ready)

        tasks.start_soon(task)
        await listening.wait()
        during = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        async with httpx.AsyncClient(base_url=urls[0], trust_env=False) as http:
            answer = await http.get("/v1/contacts/lists")
        tasks.cancel_scope.cancel()

    assert answer.status_code == 403
    assert during == handlers


@pytest.mark.parametrize(
    ("fault", "error", "made"),
    [
        ("not_sent", RESET, 0),
        ("drop_request", RESET, 0),
        ("lose_reply_to", httpx.RemoteProtocolError, 1),
        ("cut_body", httpx.RemoteProtocolError, 1),
    ],
)
def test_dropped_connection_is_one_over_a_socket_too(fault: str, error: Any, made: int) -> None:
    """A server cannot refuse a connection afterwards, so it resets it unprocessed instead."""
    emulator = make()
    getattr(emulator, fault)("create_list")
    with running(emulator) as url, client(url) as http:
        with pytest.raises(error):
            http.post(INSERT, json={"name": "x"})
        after = http.post(INSERT, json={"name": "y"})

    assert after.status_code == 200
    assert len(emulator.lists) == made + 1


def test_silence_and_delay_are_real_over_a_socket() -> None:
    """Their seconds are those of the emulator's clock, here the machine's."""
    emulator = make()
    emulator.delay("create_list", seconds=0.1)
    emulator.hang("create_list", seconds=0.1)
    with running(emulator) as url, client(url) as http:
        begin = time.monotonic()
        answer = http.post(INSERT, json={"name": "x"})
        took_s = time.monotonic() - begin
        with pytest.raises(httpx.RemoteProtocolError):
            http.post(INSERT, json={"name": "x"})

    assert answer.status_code == 200
    assert took_s >= 0.1


def test_chunked_upload_is_501_over_a_socket_too() -> None:
    """The server reads the framing, not the client's intentions."""
    emulator = make()
    with running(emulator) as url, client(url) as http, httpx.Client(trust_env=False) as storage:
        ticket = http.post("/v1/contacts/imports/file", json={}).json()
        answer = storage.put(ticket["url"], content=iter([b"EMAIL,NAME\n"]))

    assert answer.status_code == 501
    assert emulator.imports[0].blob is None


def test_put_without_length_is_411() -> None:
    """A bare PUT announces nothing."""
    with running(make()) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as raw:
            raw.sendall(b"PUT /_storage/imports/x.csv HTTP/1.1\r\nHost: x\r\n\r\n")
            head = raw.recv(4096)

    assert head.startswith(b"HTTP/1.1 411 ")


@contextmanager
def receiver() -> Iterator[tuple[str, list[bytes], threading.Event]]:
    """Run a server that takes one webhook."""
    bodies: list[bytes] = []
    arrived = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(204)
            self.end_headers()
            arrived.set()

        def log_message(self, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", bodies, arrived
        finally:
            server.shutdown()
            thread.join()


def test_server_delivers_webhooks_by_itself() -> None:
    """A task of the application's lifespan delivers the webhooks that are due."""
    emulator = make()
    with receiver() as (hook, bodies, arrived), running(emulator) as url, client(url) as http:
        ticket = http.post("/v1/contacts/imports/file", json={"webhookUrl": hook}).json()
        httpx.put(ticket["url"], content=rows(1).encode(), trust_env=False)
        assert arrived.wait(5)
        result = http.get(f"/v1/contacts/imports/result/{ticket['import_sn']}")

    assert [json.loads(body) for body in bodies] == [result.json()]
