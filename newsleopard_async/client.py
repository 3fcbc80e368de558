"""`NewsLeopard`: builds the parts, and owns their lifetime."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
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
    from newsleopard_async.models.attempts import OnAttempt, RawAnswer
    from newsleopard_async.models.options import RateLimits, RetryPolicy, Timeouts, Usage
    from newsleopard_async.stores.protocol import Store
    from newsleopard_async.transport.api import Api
    from newsleopard_async.transport.limits.scope import Quota
    from newsleopard_async.transport.pools import HttpTransport
    from newsleopard_async.transport.storage import Storage

__all__ = ["NewsLeopard"]


class NewsLeopard:
    """A client of the Campaign API.

    Use it with ``async with``, or call `aclose` at the end. It opens its connections at the first
    call, and belongs to the event loop of that call. Clients of the same key share its rate
    limits, by default across all processes of this host.

    Args:
        api_key: The key (金鑰); by default from ``NEWSLEOPARD_API_KEY``, then ``NL_EDM_API_KEY``.
        base_url: The URL of the API; by default from ``NEWSLEOPARD_BASE_URL``, then the platform's.
        rate_limits: The limits that requests keep.
        retry: How often, and after which pauses, repeatable requests are repeated.
        timeouts: The longest wait of each kind.
        http_transport: An httpx async transport for all traffic, instead of our own connections.
            It is not closed. It must open a fresh connection for each request that must not be
            repeated.
        allow_http: Allow plain http to a host other than loopback; everyone on the network path
            can then read the key. ``NEWSLEOPARD_ALLOW_HTTP=1`` in the environment does the same.
        clock: The source of time.
        store: The store for the runs of a ``send_key``: one of `newsleopard_async.stores`, or your
            own `Store`. By default a folder of files below this user's state folder, for all
            processes of this host. It is not closed.
        quota: Who shares the rate limits. ``"auto"``: the processes of this host and user share
            them through a file, if our own connections and the system's clock are used; if the file
            cannot be written, one warning is logged and only this event loop shares them.
            ``"host"``: the same, but an error without the file. None: only this event loop. The URL
            of a Redis, or a client of redis-py: all hosts that name it.
            ``NEWSLEOPARD_QUOTA=process`` in the environment turns ``"auto"`` into None.
        on_attempt: An async function that runs around each attempt at a request of the API, but not
            of the file storage. It receives an `ApiAttempt`, to which it can add headers, and
            ``call_next``, which sends the attempt and returns an `AttemptOutcome`. The caller gets
            an error that it raises before ``call_next``, and nothing is sent; an error after
            ``call_next`` is logged. It has ``Timeouts.submit_s`` before, and again after.

    ``NEWSLEOPARD_LOG=debug`` in the environment switches the log on.

    Raises:
        ConfigurationError: the key is missing or malformed, or ``base_url``, ``http_transport``,
            ``on_attempt``, ``quota``, or a word in ``NEWSLEOPARD_LOG``, ``NEWSLEOPARD_QUOTA`` or
            ``NEWSLEOPARD_ALLOW_HTTP`` is not one of those above.
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
        # Tools that report errors print the variables of each frame.
        given = None if api_key is None else Secret(api_key)
        del api_key
        # The first client loads the transport, and httpx with it.
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

    # Each group is imported at its first use, because few programs use all of them.
    @functools.cached_property
    def contacts(self) -> Contacts:
        """Contact lists (群組) and the import of contacts (名單)."""
        from newsleopard_async.endpoints import contacts

        return contacts.Contacts(self._api, self._storage)

    @functools.cached_property
    def campaigns(self) -> Campaigns:
        """Campaigns (活動): submit, schedule, read the status, pause, delete."""
        from newsleopard_async.endpoints import campaigns

        return campaigns.Campaigns(self._api, self._storage)

    @functools.cached_property
    def reports(self) -> Reports:
        """Finished campaigns (查詢活動代碼) and their reports (報表)."""
        from newsleopard_async.endpoints import reports

        return reports.Reports(self._api, self._storage)

    @functools.cached_property
    def account(self) -> Account:
        """The balance (餘額) of the account; not every account has this."""
        from newsleopard_async.endpoints import account

        return account.Account(self._api)

    @functools.cached_property
    def templates(self) -> Templates:
        """Templates (範本); not every account has these."""
        from newsleopard_async.endpoints import account

        return account.Templates(self._api)

    @functools.cached_property
    def automation(self) -> Automation:
        """Automation (自動化); not every account has this."""
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
        # Tools that report errors call this even if the constructor failed.
        api: Api | None = getattr(self, "_api", None)
        return "<NewsLeopard>" if api is None else f"<NewsLeopard {api.base_url}>"

    @property
    def clock(self) -> Clock:
        """The source of this client's time."""
        return self._api.clock

    @property
    def store(self) -> Store:
        """The store of the runs of a ``send_key``.

        Raises:
            ConfigurationError: no store was passed, and this user has no folder for one.
        """
        if self._store is None:
            from newsleopard_async.stores.folder import FileStore

            self._store = FileStore()
        return self._store

    @property
    def usage(self) -> Usage:
        """An estimate of the day's requests by all clients that share the limits."""
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
        """Send a request to an endpoint that this library has no method for.

        The rate limits, the retries and the errors are those of all other requests.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: The path below ``base_url``, percent-encoded: begins with one ``/``, perhaps with
                a query.
            body: The data to send as JSON.
            repeat: ``"never"`` if a second request could have a second effect; it is then treated
                as a submit. ``"read"`` if the request changes nothing.

        Raises:
            InvalidRequest: the path leads to another host, or an argument is wrong; nothing was
                sent.
            OutcomeUnknown: a request with ``repeat="never"`` may or may not have taken effect.
            APIError: the server refused the request; also the other errors of any call.
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
        """Return a client with other options, which shares connections and limits with this one.

        It is usable until this client is closed; closing the new client closes nothing.

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
        """Close the connections, but not an ``http_transport`` of the caller."""
        if not self._owner:
            return
        try:
            await self._api.leave_limits()
        finally:
            await self._api.pools.aclose()

    async def __aenter__(self) -> Self:
        # `usage` then shows from the start what other processes have counted.
        await self._api.limiter.learn_day()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
