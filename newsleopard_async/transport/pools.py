"""The connections: three pools, opened at their first use, and closed with the client.

- The pool of the API keeps its connections alive.
- Requests that must not be repeated have a pool without kept connections, because the failure of a
  stale connection would look like a lost reply.
- The file storage has a pool without kept connections, because the rest of an earlier answer must
  not be read as the answer to an upload.

Proxy variables are observed, except for loopback.
"""

from __future__ import annotations

import contextlib
import enum
import ssl
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Final, TypeVar

import anyio
import anyio.lowlevel
import attrs
import httpx

from newsleopard_async.aio import ThreadWork
from newsleopard_async.clock import Clock
from newsleopard_async.errors import ConfigurationError
from newsleopard_async.transport.repeating import Kind
from newsleopard_async.transport.urls import proxy_for, proxy_variable, split_url

__all__ = ["HttpTransport", "Pools", "Purpose", "check_transport"]

HttpTransport = httpx.AsyncBaseTransport
"""A transport that can replace a client's own connections."""

T = TypeVar("T")

_CONNECTIONS: Final = 100
"""The connections of a pool. Chosen: as many as a client of httpx has by default."""

_LOADING_S: Final = 1.0
"""The longest wait for the thread that loads the certificates. Chosen: several times as long as it
takes on a busy machine; all threads can be taken by the caller's own work."""

_CLOSED: Final = "this client is closed; make a new one"


class Purpose(enum.Enum):
    """The three pools."""

    API = "api"
    ONCE = "once"
    STORAGE = "storage"

    @classmethod
    def of(cls, kind: Kind) -> Purpose:
        """Return the pool of the API for requests of a kind."""
        return cls.API if kind.repeatable else cls.ONCE


_BAD_PROXY: Final = "write it as http://host:port, https://host:port or socks5://host:port"
_NO_SOCKS: Final = (
    "a SOCKS proxy needs a package that is not installed: pip install 'httpx[socks]'; or unset the "
    "variable"
)


def check_transport(given: object) -> None:
    """Check for a transport of httpx, so that a wrong one is found before the first request.

    Raises:
        ConfigurationError: names the type of the argument, and the way out.
    """
    if given is None or isinstance(given, httpx.AsyncBaseTransport):
        return
    what = f"http_transport must be an httpx.AsyncBaseTransport, not {_described(given)}"
    if isinstance(given, (httpx.AsyncClient, httpx.Client)):
        raise ConfigurationError(f"{what}, which is a client; use httpx.AsyncHTTPTransport(…)")
    if isinstance(given, httpx.BaseTransport):
        raise ConfigurationError(f"{what}, which is synchronous; use httpx.AsyncHTTPTransport(…)")
    if isinstance(given, type):
        raise ConfigurationError(f"{what}, which is a class; pass an instance: {given.__name__}(…)")
    if hasattr(given, "handle_async_request"):
        raise ConfigurationError(
            f"{what}, which does not derive from it; its errors and streams must be those of "
            "httpx, so derive it from httpx.AsyncBaseTransport"
        )
    raise ConfigurationError(f"{what}; pass for example httpx.AsyncHTTPTransport(…)")


def _described(given: object) -> str:
    kind = given if isinstance(given, type) else type(given)
    return f"{kind.__module__}.{kind.__qualname__}"


def _try_to_open(
    purpose: Purpose, proxy: str | None, tls: ssl.SSLContext
) -> httpx.AsyncHTTPTransport | str:
    """Open a pool, or return what is wrong: httpx's own error shows the proxy's password."""
    if proxy is not None and split_url(proxy) is None:
        return _BAD_PROXY
    limits = httpx.Limits(
        # The limiter below bounds the connections. The pool's own queue is never used, because a
        # request that is cancelled in it can cost the pool a connection.
        max_connections=_CONNECTIONS,
        max_keepalive_connections=20 if purpose is Purpose.API else 0,
        keepalive_expiry=15.0,
    )
    try:
        return httpx.AsyncHTTPTransport(verify=tls, limits=limits, proxy=proxy)
    except ValueError:
        return _BAD_PROXY
    except ImportError:
        return _NO_SOCKS


def _tls_context() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        raise ConfigurationError(
            f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR name cannot be used: {error}"
        ) from None


def _is_free(gate: anyio.CapacityLimiter, borrower: object) -> bool:
    """Take a connection if one is free, which costs a tenth of the wait below."""
    try:
        gate.acquire_on_behalf_of_nowait(borrower)
    except anyio.WouldBlock:
        return False
    return True


@attrs.define(eq=False)
class Pools:
    """The open connections of one client and of all its copies.

    Attributes:
        custom: The caller's transport, which then sends everything and is not closed.
    """

    custom: httpx.AsyncBaseTransport | None = attrs.field(default=None, repr=False)
    _open: dict[tuple[Purpose, str | None], httpx.AsyncBaseTransport] = attrs.field(
        factory=dict, init=False, repr=False
    )
    _gates: dict[Purpose, anyio.CapacityLimiter] = attrs.field(factory=dict, init=False, repr=False)
    _proxies: dict[tuple[str, str], str | None] = attrs.field(factory=dict, init=False, repr=False)
    _tls: ssl.SSLContext | None = attrs.field(default=None, init=False, repr=False)
    _tls_loading: ThreadWork[None] | None = attrs.field(default=None, init=False, repr=False)
    _loop: object = attrs.field(default=None, init=False, repr=False)
    _closed: bool = attrs.field(default=False, init=False, repr=False)
    _scopes: set[anyio.CancelScope] = attrs.field(factory=set, init=False, repr=False)

    def check_usable(self) -> None:
        """Refuse use after closing, and on another event loop than the first.

        Raises:
            ConfigurationError: the client is closed, or was used on another event loop.
        """
        self._check_open()
        loop = anyio.lowlevel.current_token()
        self._loop = self._loop or loop
        if self._loop != loop:
            raise ConfigurationError(
                "this client was used on another event loop; make one client for each event loop"
            )

    @property
    def is_closed(self) -> bool:
        """Whether the client is closed."""
        return self._closed

    @contextlib.contextmanager
    def closing(self, scope: anyio.CancelScope) -> Iterator[None]:
        """Cancel a scope as soon as the client is closed."""
        self._scopes.add(scope)
        if self._closed:
            scope.cancel()
        try:
            yield
        finally:
            self._scopes.discard(scope)

    async def sleep(self, clock: Clock, seconds: float) -> None:
        """Sleep until the client is closed.

        Raises:
            ConfigurationError: the client is closed.
        """
        await self.wait(clock.sleep(seconds))

    async def wait(self, waiting: Awaitable[T]) -> T:
        """Wait for an awaitable until the client is closed.

        Raises:
            ConfigurationError: the client is closed.
        """
        with anyio.CancelScope() as scope, self.closing(scope):
            return await waiting
        raise ConfigurationError(_CLOSED)

    @contextlib.asynccontextmanager
    async def connection(
        self, purpose: Purpose, clock: Clock, *, within_s: float
    ) -> AsyncIterator[bool]:
        """Hold one of the connections of a pool; yield False if none became free in time."""
        self._check_open()
        if self._tls is None and self.custom is None:
            await self._load_tls(clock)
        if purpose not in self._gates:
            self._gates[purpose] = anyio.CapacityLimiter(_CONNECTIONS)
        gate, borrower = self._gates[purpose], object()
        if not _is_free(gate, borrower):
            with clock.deadline(within_s) as scope:
                await self.wait(gate.acquire_on_behalf_of(borrower))
            if scope.cancelled_caught:
                yield False
                return
        try:
            yield True
        finally:
            gate.release_on_behalf_of(borrower)

    async def _load_tls(self, clock: Clock) -> None:
        """Load the certificates, once, in a thread: it takes 40 ms, or 130 on a busy machine."""
        if self._tls_loading is None or self._tls_loading.ended.is_set():
            self._tls_loading = ThreadWork(self._set_tls)
        # `transport` tries again, and raises the error; it also loads them if no thread is free.
        with contextlib.suppress(Exception), clock.deadline(_LOADING_S):
            await self.wait(self._tls_loading.get())

    def _set_tls(self) -> None:
        self._tls = _tls_context()

    def transport(self, purpose: Purpose, scheme: str, host: str) -> httpx.AsyncBaseTransport:
        """Return the transport that sends a request for a purpose to a host.

        Raises:
            ConfigurationError: the environment names a proxy or certificates that cannot be used,
                or the client is closed.
        """
        # A request that waited in the queue while the client was closed must not open it again.
        self._check_open()
        if self.custom is not None:
            return self.custom
        # One TLS context for all, because creating one takes as long as a request.
        self._tls = self._tls or _tls_context()
        found = self._find_or_open(purpose, self._proxy(scheme, host), self._tls)
        if isinstance(found, str):
            name = proxy_variable(scheme)
            raise ConfigurationError(f"the proxy that {name} names cannot be used: {found}")
        return found

    def is_proxied(self, scheme: str, host: str) -> bool:
        """Return whether a proxy is between our own connections and a host."""
        return self.custom is None and self._proxy(scheme, host) is not None

    def _proxy(self, scheme: str, host: str) -> str | None:
        # Read once for each host. Measured: reading the environment takes 0.2 ms, and the system's
        # settings take longer.
        if (scheme, host) not in self._proxies:
            self._proxies[scheme, host] = proxy_for(scheme, host)
        return self._proxies[scheme, host]

    def _check_open(self) -> None:
        if self._closed:
            raise ConfigurationError(_CLOSED)

    def _find_or_open(
        self, purpose: Purpose, proxy: str | None, tls: ssl.SSLContext
    ) -> httpx.AsyncBaseTransport | str:
        if (purpose, proxy) not in self._open:
            opened = _try_to_open(purpose, proxy, tls)
            if isinstance(opened, str):
                return opened
            self._open[purpose, proxy] = opened
        return self._open[purpose, proxy]

    async def aclose(self) -> None:
        """Close every connection; the caller's own transport stays open.

        Running calls end, including those that are connecting: the pool of httpcore does not know
        that it is closed, so a connection that is opened later would stay open.
        """
        self._closed = True
        for scope in tuple(self._scopes):
            scope.cancel()
        opened, self._open = list(self._open.values()), {}
        with anyio.CancelScope(shield=True):
            for transport in opened:
                # If one transport fails to close, the others are closed nevertheless.
                with contextlib.suppress(Exception):
                    await transport.aclose()
