"""Why a connection failed, as one word, and what to change where the set-up is at fault."""

from __future__ import annotations

import errno
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.abc
import anyio.streams.tls
import httpcore
import httpx
import pytest

from newsleopard_async import ConfigurationError, ConnectionFailed, NewsLeopard, RetryPolicy
from newsleopard_async.transport.connection_causes import cause_of, way_out_of
from newsleopard_async.transport.outcome import Cause
from tests.constants import KEY
from tests.servers import free_port
from tests.transport.loopback import raw_server
from tests.transport.scripted import caused

pytestmark = pytest.mark.anyio


def connect_error(*causes: Exception) -> Exception:
    """Chain the exceptions of a failed connection as httpx does."""
    return caused(httpx.ConnectError("failed"), httpcore.ConnectError(), *causes)


def os_error(number: int) -> OSError:
    """Make what the operating system's number stands for."""
    return OSError(number, "x")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (connect_error(socket.gaierror(-2, "unknown")), "dns"),
        (connect_error(OSError("all failed"), os_error(errno.ECONNREFUSED)), "refused"),
        (connect_error(os_error(errno.ENETUNREACH)), "unreachable"),
        (
            connect_error(
                ExceptionGroup("all", [os_error(errno.ENETUNREACH), os_error(errno.ECONNREFUSED)])
            ),
            "refused",
        ),
        (connect_error(ssl.SSLError(1, "handshake failure")), "tls"),
        (connect_error(anyio.BrokenResourceError()), "reset"),
        (connect_error(anyio.EndOfStream()), "reset"),
        (connect_error(os_error(errno.ETIMEDOUT)), "timeout"),
        (connect_error(), "other"),
        (httpx.ConnectTimeout("x"), "timeout"),
        (httpx.PoolTimeout("x"), "timeout"),
        (httpx.ReadTimeout("x"), "timeout"),
        (httpx.ReadError("x"), "reset"),
        (httpx.RemoteProtocolError("x"), "reset"),
        (httpx.ProxyError("502 Bad Gateway"), "proxy"),
        (httpx.DecodingError("x"), "other"),
        (RuntimeError("x"), "other"),
    ],
    ids=repr,
)
def test_cause_is_found_below_httpx(error: Exception, expected: Cause) -> None:
    """Httpx's own class is the same for all failures to connect."""
    assert cause_of(error) == expected


def test_chain_without_end_ends() -> None:
    """An exception can be its own cause, through other exceptions."""
    error = RuntimeError("x")
    error.__cause__ = OSError("y")
    error.__cause__.__cause__ = error

    assert cause_of(error) == "other"


def test_context_is_a_cause() -> None:
    """Also if it is hidden, as httpcore hides it."""
    error = RuntimeError("x")
    error.__context__ = ConnectionRefusedError()
    error.__suppress_context__ = True

    assert cause_of(error) == "refused"


def test_untrusted_certificate_has_a_way_out() -> None:
    """Trying again changes nothing, and the message names the host and the variable."""
    untrusted = ssl.SSLCertVerificationError("x")
    untrusted.verify_message = "self-signed certificate"

    way_out = way_out_of(connect_error(untrusted), "api.example.com") or ""

    assert "api.example.com is not trusted (self-signed certificate)" in way_out
    assert "SSL_CERT_FILE" in way_out


@pytest.mark.parametrize(
    ("said", "has_way_out"),
    [("407 Proxy Authentication Required", True), ("502 Bad Gateway", False)],
)
def test_proxy_that_wants_a_password_has_a_way_out(said: str, *, has_way_out: bool) -> None:
    """It refuses every request until it gets one."""
    assert (way_out_of(httpx.ProxyError(said), "h") is not None) == has_way_out


def test_other_failure_has_none() -> None:
    """The set-up is not at fault for a server that is down."""
    assert way_out_of(connect_error(ConnectionRefusedError()), "h") is None


ONCE = RetryPolicy(max_attempts=1)


async def failure_at(url: str) -> ConnectionFailed:
    """Return what a client hears that asks for its lists there."""
    async with NewsLeopard(KEY, base_url=url, retry=ONCE) as nl:
        with pytest.raises(ConnectionFailed) as caught:
            await nl.contacts.list_lists()
    return caught.value


async def test_refused_connection_has_its_cause() -> None:
    """There is no server on the port."""
    error = await failure_at(f"http://127.0.0.1:{free_port()}")

    assert (error.reason, error.host) == ("refused", "127.0.0.1")
    assert "127.0.0.1: it refuses connections" in str(error)


async def test_host_without_an_address_has_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is wrong, or the resolver is not there."""

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", fail)

    error = await failure_at("https://api.example.invalid")

    assert (error.reason, error.host) == ("dns", "api.example.invalid")


async def test_closed_connection_has_its_cause() -> None:
    """The server took the request, and hung up."""

    async def hang_up(stream: anyio.abc.SocketStream) -> None:
        await stream.receive()
        await stream.aclose()

    async with raw_server(hang_up) as url:
        error = await failure_at(url)

    assert error.reason == "reset"


async def test_plain_http_on_a_tls_port_has_its_cause() -> None:
    """The port is another one than was meant."""

    async def speak_plainly(stream: anyio.abc.SocketStream) -> None:
        await stream.send(b"HTTP/1.1 400 X\r\n\r\n")
        await stream.receive()
        await stream.aclose()

    async with raw_server(speak_plainly) as url:
        error = await failure_at(url.replace("http:", "https:"))

    assert error.reason == "tls"


async def test_unreachable_proxy_has_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the server's host, because the caller knows that one."""
    monkeypatch.setenv("https_proxy", f"http://user:pa55@127.0.0.1:{free_port()}")

    error = await failure_at("https://api.example.com")

    assert (error.reason, error.host) == ("proxy", "api.example.com")
    assert "pa55" not in str(error)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"])
async def test_proxy_that_fails_to_connect_has_sent_nothing(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request to the proxy does not count, so even a submit can be called again."""

    async def answer(stream: anyio.abc.SocketStream) -> None:
        await stream.receive()
        if said:
            await stream.send(said)
        await stream.aclose()

    async with raw_server(answer) as url:
        monkeypatch.setenv("https_proxy", url)
        async with NewsLeopard(KEY, base_url="https://api.example.com", retry=ONCE) as nl:
            with pytest.raises(ConnectionFailed) as caught:
                await nl.contacts.create_list("x")

    assert caught.value.reason == "proxy"


async def test_proxy_that_wants_a_password_is_the_set_ups_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is not asked again."""
    asked = []

    async def refuse(stream: anyio.abc.SocketStream) -> None:
        asked.append(await stream.receive())
        await stream.send(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
        await stream.aclose()

    async with raw_server(refuse) as url:
        monkeypatch.setenv("https_proxy", url)
        async with NewsLeopard(KEY, base_url="https://api.example.com") as nl:
            with pytest.raises(ConfigurationError, match="user and a password"):
                await nl.contacts.list_lists()

    assert len(asked) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a self-signed certificate, with its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    what = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(path), "-out", str(path.with_suffix(".crt")), "-days", "2"]
    subprocess.run([openssl, *what, *names, *files], check=True, capture_output=True)
    with path.open("ab") as file:
        file.write(path.with_suffix(".crt").read_bytes())
    return path


@pytest.fixture
async def tls_url(certificate: Path) -> AsyncIterator[str]:
    """Serve TLS on the loopback with that certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def shake_hands(stream: anyio.abc.SocketStream) -> None:
        try:
            await anyio.streams.tls.TLSStream.wrap(stream, ssl_context=context, server_side=True)
        except (ssl.SSLError, anyio.BrokenResourceError, anyio.EndOfStream):
            await stream.aclose()

    async with raw_server(shake_hands) as url:
        yield url.replace("http://127.0.0.1", "https://localhost")


async def test_untrusted_certificate_is_the_set_ups_fault(
    tls_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way out is named, nothing is tried again, and a submit is certainly not sent."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)

    async with NewsLeopard(KEY, base_url=tls_url) as nl:
        with pytest.raises(ConfigurationError, match="SSL_CERT_FILE") as caught:
            await nl.contacts.create_list("x")

    assert "localhost" in str(caught.value)
