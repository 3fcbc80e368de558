"""The connections: three pools, opened when first used, and closed with the client.

The API has one; requests that must not be repeated have another, which keeps no
connection alive, so that no stale one can make an honest failure look like a lost reply;
the file storage has a third, bare, which keeps none either: what is left of an earlier
answer must not be taken for the answer to an upload. Proxy variables are honoured, never for
loopback.
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
"""What may carry a client's traffic in the place of its own connections."""

T = TypeVar("T")

_CONNECTIONS: Final = 100
_CLOSED: Final = "this client is closed; make a new one"


class Purpose(enum.Enum):
    """Which of the three pools."""

    API = "api"
    ONCE = "once"
    STORAGE = "storage"

    @classmethod
    def of(cls, kind: Kind) -> Purpose:
        """Return the pool of the API that carries requests of a kind."""
        return cls.API if kind.repeatable else cls.ONCE


_BAD_PROXY: Final = "name it as http://host:port, or https:// or socks5:// likewise"
_NO_SOCKS: Final = (
    "a SOCKS proxy needs a package that is not installed: pip install 'httpx[socks]'; or unset the "
    "variable"
)


def check_transport(given: object) -> None:
    """Refuse what is no transport of httpx; it would only be noticed at the first request.

    Raises:
        ConfigurationError: what it is, and what to give in its place.
    """
    if given is None or isinstance(given, httpx.AsyncBaseTransport):
        return
    what = f"http_transport must be an httpx.AsyncBaseTransport, and is {_described(given)}"
    if isinstance(given, (httpx.AsyncClient, httpx.Client)):
        raise ConfigurationError(f"{what}, a client; give a transport: httpx.AsyncHTTPTransport(…)")
    if isinstance(given, httpx.BaseTransport):
        raise ConfigurationError(f"{what}, which is synchronous; httpx.AsyncHTTPTransport is not")
    if isinstance(given, type):
        raise ConfigurationError(f"{what}, a class; give an instance: {given.__name__}(…)")
    if hasattr(given, "handle_async_request"):
        raise ConfigurationError(
            f"{what}, which is of another package, or derives from nothing; its errors and "
            "streams must be those of httpx, so derive it from httpx.AsyncBaseTransport"
        )
    raise ConfigurationError(f"{what}; httpx.AsyncHTTPTransport(…) is one")


def _described(given: object) -> str:
    kind = given if isinstance(given, type) else type(given)
    return f"{kind.__module__}.{kind.__qualname__}"


def _try_to_open(
    purpose: Purpose, proxy: str | None, tls: ssl.SSLContext
) -> httpx.AsyncHTTPTransport | str:
    """Open a pool, or say what is wrong; httpx's error itself shows the proxy's password."""
    if proxy is not None and split_url(proxy) is None:
        return _BAD_PROXY
    limits = httpx.Limits(
        # The gate in front of the pool is the bound; the pool's own queue is never used,
        # since a request cancelled while it waits there can cost the pool a connection.
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
    """Take a place at a gate if there is one, which costs a tenth of waiting for none."""
    try:
        gate.acquire_on_behalf_of_nowait(borrower)
    except anyio.WouldBlock:
        return False
    return True


@attrs.define(eq=False)
class Pools:
    """The open connections of one client and of all that were made from it.

    Attributes:
        custom: A transport of the caller's; it then carries everything, and is not closed.
    """

    custom: httpx.AsyncBaseTransport | None = attrs.field(default=None, repr=False)
    _open: dict[tuple[Purpose, str | None], httpx.AsyncBaseTransport] = attrs.field(
        factory=dict, init=False, repr=False
    )
    _gates: dict[Purpose, anyio.CapacityLimiter] = attrs.field(factory=dict, init=False, repr=False)
    _proxies: dict[tuple[str, str], str | None] = attrs.field(factory=dict, init=False, repr=False)
    _tls: ssl.SSLContext | None = attrs.field(default=None, init=False, repr=False)
    _tls_loading: ThreadWork[ssl.SSLContext] | None = attrs.field(
        default=None, init=False, repr=False
    )
    _loop: object = attrs.field(default=None, init=False, repr=False)
    _closed: bool = attrs.field(default=False, init=False, repr=False)
    _scopes: set[anyio.CancelScope] = attrs.field(factory=set, init=False, repr=False)

    def check_usable(self) -> None:
        """Refuse use after closing, and on another event loop than the first.

        Raises:
            ConfigurationError: which of the two it is.
        """
        self._check_open()
        loop = anyio.lowlevel.current_token()
        self._loop = self._loop or loop
        if self._loop != loop:
            raise ConfigurationError(
                "this client was used on another event loop; make one client for each loop"
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
        """Wait, as `wait` does.

        Raises:
            ConfigurationError: the client is closed.
        """
        await self.wait(clock.sleep(seconds))

    async def wait(self, waiting: Awaitable[T]) -> T:
        """Wait for something, and no longer than the client is open.

        Raises:
            ConfigurationError: it is closed.
        """
        with anyio.CancelScope() as scope, self.closing(scope):
            return await waiting
        raise ConfigurationError(_CLOSED)

    @contextlib.asynccontextmanager
    async def place(
        self, purpose: Purpose, clock: Clock, *, within_s: float
    ) -> AsyncIterator[bool]:
        """Hold one of the connections of a pool; gives False if none came free in time."""
        self._check_open()
        if self._tls is None and self.custom is None:
            await self._load_tls()
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

    async def _load_tls(self) -> None:
        """Load the certificates, once, in a thread: it takes 40 ms, or 130 on a busy machine."""
        self._tls_loading = self._tls_loading or ThreadWork(_tls_context)
        # `transport` tries again, and raises.
        with contextlib.suppress(ConfigurationError):
            self._tls = await self._tls_loading.get()

    def transport(self, purpose: Purpose, scheme: str, host: str) -> httpx.AsyncBaseTransport:
        """Return what carries a request for a purpose to a host.

        Raises:
            ConfigurationError: the environment names a proxy or certificates that cannot be
                used, or the client is closed.
        """
        # Whoever stood in line while the client was closed must not open it again.
        self._check_open()
        if self.custom is not None:
            return self.custom
        # One TLS context for all: building one takes as long as a request.
        self._tls = self._tls or _tls_context()
        found = self._find_or_open(purpose, self._proxy(scheme, host), self._tls)
        if isinstance(found, str):
            name = proxy_variable(scheme)
            raise ConfigurationError(f"the proxy that {name} names cannot be used: {found}")
        return found

    def is_proxied(self, scheme: str, host: str) -> bool:
        """Whether a proxy stands between our own connections and a host."""
        return self.custom is None and self._proxy(scheme, host) is not None

    def _proxy(self, scheme: str, host: str) -> str | None:
        # Looked up once for each host: to read the environment takes 0.2 ms (measured), and a
        # system's settings take longer.
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
        """Close every connection; a caller's own transport stays open.

        Calls that still run end, also those that are connecting: a connection that came up
        later would stay open, since the pool of httpcore does not know that it was closed.
        """
        self._closed = True
        for scope in tuple(self._scopes):
            scope.cancel()
        opened, self._open = list(self._open.values()), {}
        with anyio.CancelScope(shield=True):
            for transport in opened:
                # One that fails to close is no reason to leave the others open.
                with contextlib.suppress(Exception):
                    await transport.aclose()
