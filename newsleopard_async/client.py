"""`NewsLeopard`: builds the parts, and owns their lifetime."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import attrs

from newsleopard_async.disclosure import hides_variables
from newsleopard_async.transport.redact import Secret

if TYPE_CHECKING:
    from newsleopard_async.clock import Clock
    from newsleopard_async.endpoints.account import Account, Templates
    from newsleopard_async.endpoints.automation import Automation
    from newsleopard_async.endpoints.campaigns import Campaigns
    from newsleopard_async.endpoints.contacts import Contacts
    from newsleopard_async.endpoints.reports import Reports
    from newsleopard_async.models.attempts import OnAttempt
    from newsleopard_async.models.options import RateLimits, RetryPolicy, Timeouts, Usage
    from newsleopard_async.models.raw import RawAnswer
    from newsleopard_async.stores.protocol import Store
    from newsleopard_async.transport.api import Api
    from newsleopard_async.transport.limits.scope import Quota
    from newsleopard_async.transport.pools import HttpTransport
    from newsleopard_async.transport.storage import Storage

__all__ = ["NewsLeopard"]


class NewsLeopard:
    """A client of the Campaign API.

    Use it with ``async with``, or call `aclose` at the end. It opens no connection before
    the first call, and belongs to the event loop of that call. Clients of the same key share
    its rate limits, by default also with those of the other processes of this host.

    Args:
        api_key: The key (金鑰); else from ``NEWSLEOPARD_API_KEY``, then ``NL_EDM_API_KEY``.
        base_url: Where the API is; else from ``NEWSLEOPARD_BASE_URL``, then the platform.
        rate_limits: How fast requests may go.
        retry: How requests that may be repeated are repeated.
        timeouts: How long each wait may last.
        http_transport: Carries all traffic in the place of our own connections; it is not
            closed, and fresh connections for what must not be repeated are its duty.
        allow_http: Allow plain http to a host other than loopback; the key is then readable
            on the way. ``NEWSLEOPARD_ALLOW_HTTP=1`` in the environment does the same.
        clock: Where time comes from.
        store: Where the pipelines keep the runs of a ``send_key``: a store of
            `newsleopard_async.stores`, or your own `Store`. By default a folder of files below this
            user's state folder, for all processes of this host. It is not closed.
        quota: Who keeps the rate limits together. ``"auto"``: the processes of this host and user,
            by a file, if our own connections and the system's clock are used; if no file can be
            kept, this event loop alone, with one warning. ``"host"``: the same, required. None:
            this event loop alone. The URL of a Redis, or a client of redis-py: all hosts that name
            it. ``NEWSLEOPARD_QUOTA=process`` in the environment makes None of ``"auto"``.
        on_attempt: An async function around each attempt at a request of the API, within the
            retries, and never around the file storage. It receives an `ApiAttempt`, to which it may
            add headers, and ``call_next``, which sends it and returns an `AttemptOutcome`. An error
            that it raises before it sends goes to the caller, and nothing was sent; one that it
            raises afterwards is logged. It may take ``Timeouts.submit_s`` before, and again after.

    ``NEWSLEOPARD_LOG=debug`` in the environment switches the log on.

    Raises:
        ConfigurationError: no key, a key that no header can carry, a bad base URL, an
            `http_transport` that is none of httpx, an `on_attempt` that is not an async function of
            two arguments, a ``quota`` that is none of these, or an unknown word in
            ``NEWSLEOPARD_LOG``, ``NEWSLEOPARD_QUOTA`` or ``NEWSLEOPARD_ALLOW_HTTP``.
        InvalidRequest: ``store`` does not compare before it sets.
    """

    @hides_variables
    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        rate_limits: RateLimits | None = None,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        http_transport: HttpTransport | None = None,
        allow_http: bool = False,
        clock: Clock | None = None,
        store: Store | None = None,
        quota: Quota = "auto",
        on_attempt: OnAttempt | None = None,
    ) -> None:
        # Reporters of errors print the variables of each frame.
        given = None if api_key is None else Secret(api_key)
        del api_key
        # The transport is loaded with the first client, and httpx with it.
        from newsleopard_async.transport import api

        if store is not None:
            from newsleopard_async.stores.protocol import check_store

            check_store(store)
        opened = api.Api.opened(
            given,
            base_url=base_url,
            limits=rate_limits,
            retry=retry,
            timeouts=timeouts,
            custom=http_transport,
            allow_http=allow_http,
            clock=clock,
            quota=quota,
            on_attempt=on_attempt,
        )
        self._build(opened, owner=True, store=store)

    def _build(self, api: Api, *, owner: bool, store: Store | None) -> None:
        self._api = api
        self._owner = owner
        self._store = store

    # Each is loaded when it is first used: few programs use them all.
    @functools.cached_property
    def contacts(self) -> Contacts:
        """Contact lists (群組) and the import of contacts (名單)."""
        from newsleopard_async.endpoints import contacts

        return contacts.Contacts(self._api, self._storage)

    @functools.cached_property
    def campaigns(self) -> Campaigns:
        """Campaigns (活動): sent or scheduled by being submitted, looked at, stopped."""
        from newsleopard_async.endpoints import campaigns

        return campaigns.Campaigns(self._api, self._storage)

    @functools.cached_property
    def reports(self) -> Reports:
        """Finished campaigns (查詢活動代碼) and their reports (報表)."""
        from newsleopard_async.endpoints import reports

        return reports.Reports(self._api, self._storage)

    @functools.cached_property
    def account(self) -> Account:
        """What the account may still send (餘額); an account may not have this."""
        from newsleopard_async.endpoints import account

        return account.Account(self._api)

    @functools.cached_property
    def templates(self) -> Templates:
        """Templates (範本); an account may not have these."""
        from newsleopard_async.endpoints import account

        return account.Templates(self._api)

    @functools.cached_property
    def automation(self) -> Automation:
        """Automation (自動化); an account may not have this."""
        from newsleopard_async.endpoints import automation

        return automation.Automation(self._api)

    @functools.cached_property
    def _storage(self) -> Storage:
        from newsleopard_async.transport import storage

        api = self._api
        return storage.Storage(
            pools=api.pools,
            clock=api.clock,
            retry=api.retry,
            timeouts=api.timeouts,
            base_url=api.base_url,
        )

    def __repr__(self) -> str:
        # Asked for by reporters of errors even where the constructor did not get far.
        api: Api | None = getattr(self, "_api", None)
        return "<NewsLeopard>" if api is None else f"<NewsLeopard {api.base_url}>"

    @property
    def clock(self) -> Clock:
        """Where this client's time comes from."""
        return self._api.clock

    @property
    def store(self) -> Store:
        """Where the runs of a ``send_key`` are kept.

        Raises:
            ConfigurationError: none was given, and this user has no folder for one.
        """
        if self._store is None:
            from newsleopard_async.stores.folder import FileStore

            self._store = FileStore()
        return self._store

    @property
    def usage(self) -> Usage:
        """The day's requests of all who share the limits, as last seen here; an estimate."""
        return self._api.limiter.usage

    @hides_variables
    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | Sequence[Any] | None = None,
        repeat: Literal["never", "read"] = "never",
    ) -> RawAnswer:
        """Send a request of your own, to an endpoint that this library does not know yet.

        It waits for its turn, is repeated and judged as all others are, and the key is in no
        error. ``base_url`` comes before the path.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: Begins with one ``/``, percent-encoded, perhaps with a query.
            body: What is sent as JSON.
            repeat: ``"never"`` if a second request might do a second thing; it is then treated as a
                submit. ``"read"`` if it changes nothing.

        Raises:
            InvalidRequest: the path leads elsewhere, or an argument is of no use; nothing was
                sent.
            OutcomeUnknown: what must not be repeated may or may not have taken effect.
            APIError: refused; and the other errors of any call.
        """
        from newsleopard_async.endpoints import raw

        return await raw.request(self._api, method, path, body=body, repeat=repeat)

    def with_options(
        self,
        *,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        store: Store | None = None,
    ) -> NewsLeopard:
        """Return a client with other options over the same connections and limits.

        It lives as long as the client that it was made from; closing it closes nothing.

        Raises:
            InvalidRequest: ``store`` does not compare before it sets.
        """
        if store is not None:
            from newsleopard_async.stores.protocol import check_store

            check_store(store)
        derived = object.__new__(NewsLeopard)
        derived._build(
            attrs.evolve(
                self._api,
                retry=retry or self._api.retry,
                timeouts=timeouts or self._api.timeouts,
            ),
            owner=False,
            store=self._store if store is None else store,
        )
        return derived

    async def aclose(self) -> None:
        """Close the connections; a transport of the caller's stays open."""
        if not self._owner:
            return
        try:
            await self._api.leave_limits()
        finally:
            await self._api.pools.aclose()

    async def __aenter__(self) -> Self:
        # So that `usage` shows from the start what was counted before.
        await self._api.limiter.learn_day()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
