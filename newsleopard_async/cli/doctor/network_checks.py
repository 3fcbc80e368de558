"""Checks of the way to the platform: proxy, DNS, TCP, TLS, an answer, its clock, and the key.

Two requests are sent to the API, and both only read: one without the key, which shows whether the
platform answers at all, and one with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.request import proxy_bypass

import anyio
import httpx
from anyio.streams.tls import TLSAttribute

from newsleopard_async import RetryPolicy, Timeouts
from newsleopard_async.cli.accounts.profile_actions import without_password
from newsleopard_async.cli.doctor.diagnosis import (
    Diagnosis,
    Examination,
    failed,
    in_daemon,
    passed,
    skipped,
    warned,
)
from newsleopard_async.cli.failures import ExitStatus
from newsleopard_async.cli.library_messages import error_text, in_users_language
from newsleopard_async.cli.translation import reason_of
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.errors import AuthenticationError, RateLimited
from newsleopard_async.stores import FileStore
from newsleopard_async.transport.connection_causes import cause_of, way_out_of
from newsleopard_async.transport.pools import Pools, Purpose
from newsleopard_async.transport.redact import Secret, excerpt
from newsleopard_async.transport.request_ids import request_id_of
from newsleopard_async.transport.settings import DEFAULT_BASE_URL
from newsleopard_async.transport.urls import is_loopback, proxy_for, proxy_variable, split_url

__all__ = [
    "check_account",
    "check_answer",
    "check_clock",
    "check_dns",
    "check_proxy",
    "check_storage",
    "check_tcp",
    "check_tls",
]

_READ: Final = "/v1/contacts/lists?page=0&size=1"
"""The cheapest documented request."""

_STORAGE_HOST: Final = "s3.amazonaws.com"
"""Source: the URLs for uploads in the documentation (T09)."""

_CONNECT_S: Final = 10.0
"""Chosen: the client's own bound for connecting."""

_TOLERATED_S: Final = 5.0
"""Chosen: a delay of the network, and the fraction of a second that the header does not have."""

_FAST_S: Final = 60.0
"""Chosen: a schedule in a few minutes still works, but the error is a mistake of the machine."""

_SOON_DAYS: Final = 14
"""Chosen: certificates are replaced weeks before they expire."""


async def check_proxy(examination: Examination) -> Diagnosis:
    """Find the proxy that the environment names for the API."""
    scheme, host = examination.scheme, examination.host
    if is_loopback(host):
        return passed(_("none: {host} is this machine").format(host=host))
    proxy = proxy_for(scheme, host)
    name = proxy_variable(scheme)
    if proxy is None:
        is_excepted = name in os.environ and proxy_bypass(host)
        text = _("none: NO_PROXY excepts {host} from {name}") if is_excepted else _("none")
        return passed(text.format(host=host, name=name))
    if split_url(proxy) is None:
        return failed(
            _("{name} is not the URL of a proxy").format(name=name),
            _("Write it as http://host:port, or unset it."),
            ExitStatus.USAGE,
        )
    examination.proxy = proxy
    return passed(_("{url}, from {name}").format(url=without_password(proxy), name=name))


async def check_dns(examination: Examination) -> Diagnosis:
    """Resolve the first host on the way."""
    host, port = examination.next_hop
    try:
        found = await in_daemon(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except OSError as error:
        return failed(
            _("{host} has no address: {reason}").format(host=host, reason=reason_of(error)),
            _("Check the base URL, the network, and the DNS server of this machine."),
            ExitStatus.UNREACHABLE,
        )
    examination.addresses = tuple(dict.fromkeys(str(each[4][0]) for each in found))
    addresses = ", ".join(examination.addresses[:3])
    return passed(_("{host} is at {addresses}").format(host=host, addresses=addresses))


async def check_tcp(examination: Examination) -> Diagnosis:
    """Connect to the first host on the way."""
    host, port = examination.next_hop
    began = time.monotonic()
    try:
        stream = await _connected(examination)
    except OSError as error:
        return failed(
            _("{host}:{port} cannot be reached: {reason}").format(
                host=host, port=port, reason=reason_of(error)
            ),
            _("Check the base URL and the network. A firewall or VPN possibly blocks it."),
            ExitStatus.UNREACHABLE,
        )
    await anyio.aclose_forcefully(stream)
    took = 1_000 * (time.monotonic() - began)
    return passed(
        _("{host}:{port} accepts connections ({count:.0f} ms)").format(
            host=host, port=port, count=took
        )
    )


async def _connected(examination: Examination, tls: ssl.SSLContext | None = None) -> Any:
    """Connect to one of the addresses.

    Raises:
        OSError: none of them can be reached, or the certificate is not trusted.
    """
    _host, port = examination.next_hop
    last: BaseException = OSError(_("no address"))
    for address in examination.addresses:
        try:
            with anyio.fail_after(_CONNECT_S):
                if tls is None:
                    return await anyio.connect_tcp(address, port)
                return await anyio.connect_tcp(
                    address, port, tls_hostname=examination.host, ssl_context=tls
                )
        except ssl.SSLError:
            raise
        except (OSError, TimeoutError) as error:
            last = error.__cause__ if isinstance(error.__cause__, OSError) else error
    number = getattr(last, "errno", None)
    raise OSError(number, os.strerror(number) if number else _("it does not answer")) from last


async def check_tls(examination: Examination) -> Diagnosis:
    """Check the certificate of the API."""
    if examination.scheme == "http":
        return skipped(_("plain http, which the base URL asks for"))
    if examination.proxy is not None:
        return skipped(_("the proxy is in between; the next check shows it"))
    source = next(
        (f"${name}" for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)),
        _("the list of the package certifi"),
    )
    try:
        context = await in_daemon(httpx.create_ssl_context)
        stream = await _connected(examination, context)
    except OSError as error:
        way_out = _way_out(error, examination.host)
        return failed(
            _("the TLS handshake failed: {reason} (authorities: {source})").format(
                reason=getattr(error, "verify_message", "") or reason_of(error),
                source=source,
            ),
            way_out or _("A proxy or firewall possibly interrupts it."),
            ExitStatus.USAGE if way_out else ExitStatus.UNREACHABLE,
        )
    version = stream.extra(TLSAttribute.tls_version)
    certificate = stream.extra(TLSAttribute.peer_certificate)
    await anyio.aclose_forcefully(stream)
    return _diagnosis_of(certificate, version, source)


def _diagnosis_of(certificate: Any, version: str, source: str) -> Diagnosis:
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    issuer = {name: value for part in certificate.get("issuer", ()) for name, value in part}
    found = _("{version}; certificate of {issuer}, until {date} (authorities: {source})").format(
        version=version,
        issuer=issuer.get("organizationName") or issuer.get("commonName") or "–",
        date=f"{ends:%Y-%m-%d}",
        source=source,
    )
    if (ends - datetime.now(UTC)).days < _SOON_DAYS:
        return warned(found, _("It expires soon; only the owner of the server can replace it."))
    return passed(found)


async def check_answer(examination: Examination) -> Diagnosis:
    """Send a request without the key; the platform refuses it, and so shows that it answers."""
    url = examination.base_url + _READ
    began = time.monotonic()
    examination.requests += 1
    try:
        answer = await _fetched("GET", url)
    except httpx.HTTPError as error:
        return _unanswered(error, examination.host)
    with contextlib.suppress(ValueError, TypeError, KeyError):
        sent = parsedate_to_datetime(answer.headers["date"])
        examination.server_time = (sent, datetime.now(UTC))
    took = 1_000 * (time.monotonic() - began)
    request_id = request_id_of({k.lower(): v for k, v in answer.headers.items()}, None)
    found = _(
        "HTTP {status} without the key, as expected ({count:.0f} ms, request id {id})"
    ).format(status=answer.status_code, count=took, id=request_id or "–")
    if _is_of_platform(answer):
        return passed(found)
    if answer.status_code >= 500:
        return failed(
            _("HTTP {status}: the platform has an error").format(status=answer.status_code),
            _("Try again later; ask the vendor with the request id {id}.").format(
                id=request_id or "–"
            ),
            ExitStatus.UNREACHABLE,
        )
    said = excerpt(answer.content, Secret(""))
    return failed(
        _("HTTP {status}, which is not the platform's answer: {text}").format(
            status=answer.status_code, text=said or "–"
        ),
        _("Check the base URL. A proxy, a firewall or a login page of the network may answer."),
        ExitStatus.UNREACHABLE,
    )


async def _fetched(method: str, url: str) -> httpx.Response:
    """Send a request as the client would: through the same proxy, with the same certificates."""
    parts = httpx.URL(url)
    pools = Pools()
    try:
        transport = pools.transport(Purpose.API, parts.scheme, parts.host)
        async with httpx.AsyncClient(transport=transport, timeout=_CONNECT_S) as http:
            return await http.request(method, url, headers={"Accept": "application/json"})
    finally:
        await pools.aclose()


def _is_of_platform(answer: httpx.Response) -> bool:
    """Return whether an answer is the refusal of a missing key, or another one in JSON."""
    if answer.status_code not in (200, 400, 401, 403, 429):
        return False
    try:
        return isinstance(json.loads(answer.content), dict | list)
    except ValueError:
        return not answer.content.strip()


def _unanswered(error: httpx.HTTPError, host: str) -> Diagnosis:
    way_out = _way_out(error, host)
    cause = cause_of(error)
    return failed(
        _("no answer from {host}: {cause}").format(host=host, cause=cause),
        way_out or _("Try again later. A proxy or firewall possibly blocks it."),
        ExitStatus.USAGE if way_out else ExitStatus.UNREACHABLE,
    )


def _way_out(error: BaseException, host: str) -> str:
    """Return what to change in the set-up; empty if it is not known to be wrong."""
    return in_users_language(way_out_of(error, host) or "")


async def check_clock(examination: Examination) -> Diagnosis:
    """Compare the clock of this machine with the platform's, because a schedule depends on it."""
    if examination.server_time is None:
        return skipped(_("the answer has no Date header"))
    theirs, ours = examination.server_time
    # The header has no fraction of the second.
    ahead = (ours - theirs).total_seconds() - 0.5
    if abs(ahead) <= _TOLERATED_S:
        return passed(_("as the platform's, to the second"))
    text = (
        _("{count:.0f} s ahead of the platform")
        if ahead > 0
        else _("{count:.0f} s behind the platform")
    )
    found = text.format(count=abs(ahead))
    advice = _("Set the clock of this machine (NTP): schedules are sent at the wrong time.")
    if abs(ahead) <= _FAST_S:
        return warned(found, advice)
    return failed(found, advice, ExitStatus.USAGE)


async def check_account(examination: Examination) -> Diagnosis:
    """Send one request with the key; it is not repeated, even if the rate limit refuses it."""
    examination.requests += 1
    async with examination.session.client(FileStore()) as nl:
        once = nl.with_options(
            retry=RetryPolicy(max_attempts=1), timeouts=Timeouts(connect_s=_CONNECT_S, read_s=10)
        )
        try:
            await once.contacts.list_lists(size=1)
        except AuthenticationError as error:
            return failed(
                _("the platform refuses it (HTTP {status})").format(status=error.status),
                _("Copy the key again from the console; it is wrong, expired or revoked."),
                ExitStatus.REFUSED,
            )
        except RateLimited as error:
            return failed(
                _("the rate limit refuses it: {error}").format(error=error_text(error)),
                _("Another program possibly uses it up. Run the same command again later."),
                ExitStatus.QUOTA,
            )
    return passed(_("accepted"))


async def check_storage(examination: Examination) -> Diagnosis:
    """Connect to the documented host of the file storage; only an upload shows the real one."""
    if examination.base_url != DEFAULT_BASE_URL:
        return skipped(_("not tried: its host is known only during an upload"))
    try:
        answer = await _fetched("HEAD", f"https://{_STORAGE_HOST}/")
    except httpx.HTTPError as error:
        return warned(
            _("{host} does not answer: {cause}").format(host=_STORAGE_HOST, cause=cause_of(error)),
            _way_out(error, _STORAGE_HOST)
            or _("Uploads of contacts need it. Allow it in the proxy or firewall."),
        )
    return passed(
        _("{host}, the documented host, answers (HTTP {status})").format(
            host=_STORAGE_HOST, status=answer.status_code
        )
    )
