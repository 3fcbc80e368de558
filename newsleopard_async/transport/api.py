"""Sends requests to the API: with retries around the attempts, and a model or an error at the end.

Every attempt needs its own slot, so the limiter is inside the retry loop.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import SplitResult, urlsplit

import anyio.lowlevel
import attrs
import httpx

from newsleopard_async import telemetry
from newsleopard_async.clock import Clock, SystemClock
from newsleopard_async.errors import InvalidRequest, NewsLeopardError
from newsleopard_async.log import Log, read_log
from newsleopard_async.models.attempts import OnAttempt
from newsleopard_async.models.options import RateLimits, RetryPolicy, Timeouts
from newsleopard_async.transport.answer_body import read_whole
from newsleopard_async.transport.attempt import Attempt
from newsleopard_async.transport.buffered_request import BufferedRequest
from newsleopard_async.transport.calls import Call
from newsleopard_async.transport.hook import check_hook
from newsleopard_async.transport.http import Exchange, RequestEvents
from newsleopard_async.transport.interpreter import CallResult, OutcomeInterpreter
from newsleopard_async.transport.limits.limiter import Limiter, shared_queue
from newsleopard_async.transport.limits.scope import Quota, check_quota
from newsleopard_async.transport.observer import Observer
from newsleopard_async.transport.offers import KEY_CHECK, Offers
from newsleopard_async.transport.outcome import Failure, Outcome
from newsleopard_async.transport.pools import HttpTransport, Pools, Purpose, check_transport
from newsleopard_async.transport.redact import Secret, redact
from newsleopard_async.transport.repeating import may_have_worked
from newsleopard_async.transport.request import Request
from newsleopard_async.transport.retry import Retrying
from newsleopard_async.transport.settings import read_base_url, read_key
from newsleopard_async.transport.spans import record_day
from newsleopard_async.transport.urls import origin_of
from newsleopard_async.version import __version__

__all__ = ["Api"]

T = TypeVar("T")

_log: Final = Log()

_SYSTEM_CLOCK: Final = SystemClock()


@attrs.frozen(kw_only=True)
class Api:
    """Sends requests to the API and reads its answers.

    Attributes:
        base_url: Scheme, host and any path in front of ``/v1``, without a final slash.
        key: The API key, which is sent to that origin only.
    """

    base_url: str
    key: Secret
    pools: Pools
    limits: RateLimits
    clock: Clock = attrs.field(repr=False)
    retry: RetryPolicy
    timeouts: Timeouts
    on_attempt: OnAttempt | None = attrs.field(default=None, repr=False)
    quota: Quota = attrs.field(default=None, repr=False)
    offers: Offers = attrs.field(repr=False, factory=Offers)
    _limiters: dict[object, Limiter] = attrs.field(init=False, repr=False, factory=dict)
    _unread: dict[str, str] = attrs.field(init=False, repr=False, factory=dict)

    @classmethod
    def opened(
        cls,
        key: Secret | None,
        *,
        base_url: str | None,
        limits: RateLimits | None,
        retry: RetryPolicy | None,
        timeouts: Timeouts | None,
        custom: HttpTransport | None,
        allow_http: bool,
        clock: Clock | None,
        quota: Quota,
        on_attempt: OnAttempt | None,
    ) -> Api:
        """Create it from the arguments of a client, the environment, and the defaults.

        Raises:
            ConfigurationError: the key is missing or cannot be sent in a header; or the URL, the
                transport, the hook, the quota or the log setting of the environment is wrong.
        """
        read_log()
        check_transport(custom)
        check_hook(on_attempt)
        clock = clock or _SYSTEM_CLOCK
        return cls(
            base_url=read_base_url(base_url, allow_http=allow_http),
            key=read_key(key),
            pools=Pools(custom),
            limits=limits or RateLimits.documented(),
            clock=clock,
            retry=retry or RetryPolicy(),
            timeouts=timeouts or Timeouts(),
            on_attempt=on_attempt,
            quota=check_quota(quota, clock, is_ours=custom is None),
        )

    @property
    def limiter(self) -> Limiter:
        """This client's limits over the state that all clients of its key on this event loop share.

        There is one for each event loop; requests can use the first one's only.
        """
        loop = anyio.lowlevel.current_token()
        if loop not in self._limiters:
            origin = origin_of(self.base_url)
            queue = shared_queue(self.key.reveal(), origin, self.clock, self.quota)
            self._limiters[loop] = Limiter(self.limits, queue, self.clock)
        return self._limiters[loop]

    @property
    def account(self) -> str:
        """A hash of origin and key that distinguishes accounts; it reveals neither of them."""
        text = f"newsleopard account {origin_of(self.base_url)} {self.key.reveal()}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    async def leave_limits(self) -> None:
        """Record that this client sends no further request, so that its limits can be dropped."""
        here = anyio.lowlevel.current_token()
        for loop, limiter in self._limiters.items():
            if loop == here:
                await limiter.report()
            limiter.close()

    async def call(self, request: Request[T], *, observer: Observer | None = None) -> T:
        """Send a request, repeat it if the table allows that, and read the answer.

        A request that must not be repeated runs to its answer after it was handed to the socket,
        even if the caller is cancelled. Its outcome then reaches ``observer`` and the log.

        Raises:
            NewsLeopardError: its class says what to do.
        """
        return (await self.result(request, observer=observer)).get()

    async def result(
        self, request: Request[T], *, observer: Observer | None = None
    ) -> CallResult[T]:
        """Do what `call` does, and return the result: the model or the error.

        Raises:
            RateLimited, DailyQuotaExhausted: it will not get a slot.
            ConfigurationError: the set-up is wrong.
            NotOffered: the account is known not to have the endpoint; nothing was sent.
        """
        self.pools.check_usable()
        self.offers.check(request)
        with self._call(request) as call:
            result = await self._result(request, observer, call)
            call.error = result.error
        if telemetry.is_measured():
            record_day(self.base_url, self.limiter.usage)
        return result

    async def _result(
        self, request: Request[T], observer: Observer | None, call: Call
    ) -> CallResult[T]:
        attempt = self._attempt(request, observer, call)
        sleep = functools.partial(self.pools.sleep, self.clock)
        retrying = Retrying(self.retry, self.clock, sleep=sleep, on_retry=call.retry)
        last: CallResult[T] | None = None
        after_loss = was_refused = False

        async def make() -> Outcome:
            nonlocal last, after_loss, was_refused
            after_loss = after_loss or (last is not None and may_have_worked(last.outcome))
            last = await attempt.make(retrying.begin, again=was_refused)
            while retrying.waits_out(last.outcome):
                was_refused = True
                last = await attempt.make(retrying.begin, again=True)
            return last.outcome

        await retrying(make, request.kind, empty_500_once=request.empty_500_once)
        assert last is not None  # there was at least one attempt
        if last.outcome.failure is Failure.REFUSED:
            # "Call again tomorrow" is more useful than "too many requests".
            last = attrs.evolve(last, error=self.limiter.day_error() or last.error)
        self._log_unread(request.name, last.unread)
        if after_loss:
            last = self._reading.after_loss(request, last)
        if self.offers.needs_key_check(request, last.outcome, last.error):
            last = await self._checked_by_key(request, last)
        self.offers.note(request, last.outcome, last.error)
        return last

    async def _checked_by_key(self, request: Request[T], refused: CallResult[T]) -> CallResult[T]:
        """Find out whether the key is refused, or the endpoint does not exist."""
        with contextlib.suppress(NewsLeopardError):
            await self.call(attrs.evolve(KEY_CHECK, urgent=request.urgent))
        error = self._reading.result(request, refused.outcome, self.clock.now()).error
        return attrs.evolve(refused, error=error)

    def _log_unread(self, name: str, unread: str) -> None:
        """Log the unreadable parts of an answer, but not again for each poll of a job."""
        if unread and self._unread.get(name) != unread:
            _log.warning("the answer to %s is not as documented: %s", name, unread)
            self._unread[name] = unread

    # These two are asked for at each call.
    @functools.cached_property
    def _base(self) -> SplitResult:
        return urlsplit(self.base_url)

    @functools.cached_property
    def _reading(self) -> OutcomeInterpreter:
        return OutcomeInterpreter(
            self.key, self.retry.cap_s, self._base.hostname or "", self.offers
        )

    def _call(self, request: Request[Any]) -> Call:
        path = request.path.partition("?")[0]
        return Call(
            operation=request.name,
            method=request.method,
            base_url=self.base_url,
            path=redact(path, self.key) if self._may_show_secrets(request, path) else path,
            clock=self.clock,
        )

    def _may_show_secrets(self, request: Request[Any], path: str) -> bool:
        """Return whether a path can contain secrets: the caller's own path, or an odd code."""
        return request.raw or "%" in path or self.key.reveal() in path

    def _attempt(self, request: Request[T], observer: Observer | None, call: Call) -> Attempt[T]:
        content = None if request.body is None else _encode(request.body)
        reading = self._reading
        purpose = Purpose.of(request.kind)
        return Attempt(
            call=call,
            request=request,
            observer=observer,
            limiter=self.limiter,
            pools=self.pools,
            purpose=purpose,
            clock=self.clock,
            timeouts=self.timeouts,
            hook=self.on_attempt,
            exchange=lambda events: self._exchange(request, content, purpose, events),
            read=lambda outcome: reading.result(request, outcome, self.clock.now()),
        )

    def _exchange(
        self, request: Request[Any], content: bytes | None, purpose: Purpose, events: RequestEvents
    ) -> Exchange:
        scheme, host = self._base.scheme, self._base.hostname or ""
        t = self.timeouts
        steps = {"connect": t.connect_s, "read": t.read_s, "write": t.write_s, "pool": t.pool_s}
        # The wait for a connection comes before, and has its own bound.
        total_s = sum(steps.values()) - t.pool_s
        if purpose is Purpose.ONCE:
            # The answer to a request that cannot be repeated is worth a long wait: one bound on
            # all.
            steps["read"] = steps["write"] = total_s = t.submit_s
        return Exchange(
            transport=self.pools.transport(purpose, scheme, host),
            request=self._http_request(request, content, steps),
            clock=self.clock,
            total_s=total_s,
            read=read_whole,
            events=events,
            pools=self.pools,
            is_proxied=self.pools.is_proxied(scheme, host),
            secret=self.key,
        )

    def _http_request(
        self, request: Request[Any], content: bytes | None, timeout: dict[str, float]
    ) -> BufferedRequest:
        return BufferedRequest(
            request.method,
            # The caller's own path can contain anything, so it must not stay in a cache.
            (httpx.URL if request.raw else _parsed)(self.base_url + request.target),
            headers={
                "Content-Type": "application/json",
                "Accept": "application/json",
                "User-Agent": f"newsleopard-async/{__version__}",
                "x-api-key": self.key.reveal(),
            },
            body=content,
            timeout=timeout,
        )


@functools.lru_cache(maxsize=128)
def _parsed(url: str) -> httpx.URL:
    """Parse a URL. Most are used again, and parsing takes half of the time to build a request."""
    return httpx.URL(url)


def _encode(body: Mapping[str, Any] | Sequence[Any]) -> bytes:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    with contextlib.suppress(UnicodeEncodeError):
        return text.encode()
    # Raised outside of the block above, because its cause would show the text.
    raise InvalidRequest.of(
        "request", "text", "contains half of a surrogate pair, which is not a character; remove it"
    )
