"""The client of a served emulator: the methods of ``Emulator``, as coroutines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

import anyio
import httpx

from newsleopard_async.emulator.platform.reactions import Action
from newsleopard_async.emulator.sandbox.bodies import MOST_ON_PAGE
from newsleopard_async.emulator.sandbox.connection import Connection
from newsleopard_async.emulator.sandbox.views import (
    AccountView,
    BalanceView,
    CampaignRow,
    CampaignView,
    ClockView,
    ContactRow,
    ContactsFound,
    ContactView,
    ExclusionRow,
    FaultRow,
    HealthView,
    ImportRow,
    ImportView,
    ListRow,
    MailRow,
    MailsFound,
    MailView,
    RequestRow,
    RequestsFound,
    RequestView,
    ScriptsView,
    SwitchView,
    TemplateView,
    WebhookRow,
)

__all__ = ["EmulatorControl"]

T = TypeVar("T")

POLL_S: Final = 0.1
"""Chosen: 10 searches per second of the machine, while a test waits for a mail."""


class EmulatorControl:
    """Controls an emulator that another process serves, by its control API.

    A context manager, on asyncio and on trio. Its methods return plain, frozen objects.

    Args:
        url: URL of the server, such as ``http://127.0.0.1:8025``; it can contain ``/?token=…``.
        token: The server's token, which requests from other machines need.
        transport: The HTTP transport of the requests; sockets by default.

    Raises:
        ValueError: the scheme of the URL is not http or https, or it has no host.
        EmulatorControlError: no emulator answers when the context is entered.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._api = Connection(url, token=token, transport=transport)

    async def __aenter__(self) -> Self:
        try:
            await self._api.check()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._api.http.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        with anyio.CancelScope(shield=True):
            await self._api.http.aclose()

    # The emulator.

    async def health(self) -> HealthView:
        """Return the version, the profile and the time of the emulator that answers."""
        return await self._api.check()

    async def account(self) -> AccountView:
        """Return a summary of the account."""
        return await self._get(AccountView, "/")

    async def reset(self) -> None:
        """Reset the emulator to its initial state. The clock does not change."""
        await self._api.ask(None, "POST", "/reset")

    async def snapshots(self) -> tuple[str, ...]:
        """Return the names of the snapshots."""
        return await self._get(tuple[str, ...], "/snapshots")

    async def snapshot(self, name: str) -> None:
        """Save the state as a snapshot. It replaces a snapshot with the same name."""
        await self._api.ask(None, "POST", "/snapshots", body={"name": name})

    async def restore(self, name: str) -> None:
        """Restore the state of a snapshot. The snapshot remains."""
        await self._api.ask(None, "POST", f"/snapshots/{_quoted(name)}/restore")

    async def forget_snapshot(self, name: str) -> None:
        """Delete a snapshot."""
        await self._api.ask(None, "DELETE", f"/snapshots/{_quoted(name)}")

    async def switches(self) -> tuple[SwitchView, ...]:
        """Return the switches with their values and their allowed values."""
        return await self._get(tuple[SwitchView, ...], "/switches")

    async def switch(self, **changes: Any) -> None:
        """Change switches, by the names of ``Switches``. The change applies to later requests."""
        await self._api.ask(None, "PATCH", "/switches", body=changes)

    # Its time.

    async def clock(self) -> ClockView:
        """Return the time, and the state of the clock."""
        return await self._get(ClockView, "/clock")

    async def hold(self) -> ClockView:
        """Stop the clock."""
        return await self._post(ClockView, "/clock/hold")

    async def run(self, *, speed: float | None = None) -> ClockView:
        """Start the clock, at its previous speed or at a new one."""
        return await self._post(ClockView, "/clock/run", speed=speed)

    async def advance(
        self, seconds: float | None = None, *, until: datetime | None = None
    ) -> ClockView:
        """Move time forward, by seconds or to an instant, and process all that is due."""
        return await self._post(ClockView, "/clock/advance", seconds=seconds, until=until)

    # Faults and scripts.

    async def pending_faults(self) -> tuple[FaultRow, ...]:
        """Return the faults that have not occurred yet."""
        return await self._get(tuple[FaultRow, ...], "/faults")

    async def not_sent(self, operation: str, *, times: int = 1) -> None:
        """Make requests fail before they arrive."""
        await self._fault("not_sent", operation, times)

    async def drop_request(self, operation: str, *, times: int = 1) -> None:
        """Reset the connection of requests that arrived, and do not process them."""
        await self._fault("drop_request", operation, times)

    async def lose_reply_to(self, operation: str, *, times: int = 1) -> None:
        """Process requests, and drop the connection instead of an answer."""
        await self._fault("lose_reply", operation, times)

    async def delay(self, operation: str, *, seconds: float, times: int = 1) -> None:
        """Process requests, and answer late."""
        await self._fault("delay", operation, times, seconds=seconds)

    async def hang(
        self, operation: str, *, seconds: float = 60.0, processed: bool = True, times: int = 1
    ) -> None:
        """Send no answer to requests, and drop the connection after some seconds."""
        await self._fault("hang", operation, times, seconds=seconds, processed=processed)

    async def fail(
        self,
        operation: str,
        status: int = 500,
        *,
        body: str | bytes = b"",
        processed: bool = False,
        times: int = 1,
    ) -> None:
        """Answer requests with this status, processed or not.

        Raises:
            UnicodeDecodeError: the body is not UTF-8, which the control API requires.
        """
        text = body.decode() if isinstance(body, bytes) else body
        await self._fault("answer", operation, times, status=status, body=text, processed=processed)

    async def throttle(
        self,
        operation: str | None = None,
        *,
        message: str = "Limit Exceeded",
        status: int = 429,
        retry_after: float | str | None = None,
        times: int = 1,
    ) -> None:
        """Refuse requests of one operation, or of any, as too fast."""
        await self._fault(
            "throttle", operation, times, message=message, status=status, retry_after=retry_after
        )

    async def cut_body(self, operation: str, *, times: int = 1) -> None:
        """Process requests, announce the length of the whole answer, and send half of it."""
        await self._fault("cut_body", operation, times)

    async def garbage(self, operation: str, *, times: int = 1) -> None:
        """Process requests, and answer 200 with bytes that are not JSON."""
        await self._fault("garbage", operation, times)

    async def scripts(self) -> ScriptsView:
        """Return the results that were set in advance."""
        return await self._get(ScriptsView, "/scripts")

    async def exhaust_day(self, *, resets_in_s: float = 86_400.0) -> None:
        """Use up the daily quota: refuse all requests until it is available again."""
        await self._post(ScriptsView, "/scripts", kind="exhaust_day", resets_in_s=resets_in_s)

    async def stick_import(self, times: int = 1) -> None:
        """Make the next uploaded imports stay PROCESSING without end."""
        await self._post(ScriptsView, "/scripts", kind="stick_import", times=times)

    async def script_import(self, status: str) -> None:
        """Make the next uploaded import end in this state."""
        await self._post(ScriptsView, "/scripts", kind="script_import", state=status)

    async def script_campaign(self, state: str) -> None:
        """Make the next accepted campaign end in this state without a mail."""
        await self._post(ScriptsView, "/scripts", kind="script_campaign", state=state)

    async def clear_faults(self) -> None:
        """Delete the faults that have not occurred yet, and the scripts."""
        await self._api.ask(None, "DELETE", "/faults")

    # Mails and campaigns.

    async def outbox(
        self,
        *,
        to: str = "",
        text: str = "",
        campaign_sn: str | None = None,
        variant: str | None = None,
        event: str | None = None,
        is_oldest_first: bool = False,
    ) -> tuple[MailRow, ...]:
        """Return all sent mails that match, the newest first."""
        query = {
            "to": to,
            "text": text,
            "campaign_sn": campaign_sn,
            "variant": variant,
            "event": event,
            "is_oldest_first": is_oldest_first,
        }
        return await self._all(MailsFound, "/outbox", "mails", query)

    async def mail(self, mail_id: str) -> MailView:
        """Return one mail with its content."""
        return await self._get(MailView, f"/outbox/{_quoted(mail_id)}")

    async def mail_file(self, mail_id: str) -> bytes:
        """Return one mail as a file (.eml) that mail programs open."""
        return await self._get(bytes, f"/outbox/{_quoted(mail_id)}/eml")

    async def wait_for_mail(
        self,
        *,
        to: str = "",
        text: str = "",
        campaign_sn: str | None = None,
        timeout_s: float = 10.0,
    ) -> MailView:
        """Wait until a matching mail was sent, and return the newest one.

        Args:
            to: Part of the recipient's address.
            text: Part of address, name, subject or HTML.
            campaign_sn: Code of the campaign; any by default.
            timeout_s: Longest wait, by this machine's time, because the emulator's clock can be
                held.

        Raises:
            TimeoutError: no matching mail was sent; the message has the emulator's time.
        """
        query = {"to": to, "text": text, "campaign_sn": campaign_sn, "limit": 1}
        end = anyio.current_time() + timeout_s
        while True:
            found = await self._get(MailsFound, "/outbox", **query)
            if found.mails:
                return await self.mail(found.mails[0].id)
            if anyio.current_time() >= end:
                raise TimeoutError(await self._why_none(found, timeout_s))
            await anyio.sleep(POLL_S)

    async def _why_none(self, found: MailsFound, timeout_s: float) -> str:
        clock = await self.clock()
        pace = "is held; advance it" if clock.is_held else f"runs at {clock.speed:g} x"
        others = (
            f"{found.total} mails in all were sent"
            if found.why_none is None
            else f"no mail at all was sent: {found.why_none}"
        )
        return (
            f"no matching mail was sent within {timeout_s:g} s, and {others}; "
            f"the emulator's clock shows {clock.now:%Y-%m-%dT%H:%M:%SZ} and {pace}"
        )

    async def react(self, email: str, action: Action, *, campaign_sn: str | None = None) -> None:
        """Record an action of the reader of the latest mail that was sent to an address."""
        body = {"email": email, "action": action, "campaign_sn": campaign_sn}
        await self._api.ask(None, "POST", "/readers", body=body)

    async def campaigns(self) -> tuple[CampaignRow, ...]:
        """Return the campaigns, the newest first."""
        return await self._get(tuple[CampaignRow, ...], "/campaigns")

    async def campaign(self, campaign_sn: str) -> CampaignView:
        """Return one campaign with its timeline."""
        return await self._get(CampaignView, f"/campaigns/{_quoted(campaign_sn)}")

    async def webhooks(self) -> tuple[WebhookRow, ...]:
        """Return the webhooks that were tried or refused, the newest first."""
        return await self._get(tuple[WebhookRow, ...], "/webhooks")

    async def deliver_webhooks(self) -> tuple[WebhookRow, ...]:
        """Deliver the webhooks that are due now."""
        return await self._post(tuple[WebhookRow, ...], "/webhooks/deliver")

    # Contacts.

    async def lists(self) -> tuple[ListRow, ...]:
        """Return the lists, the newest first."""
        return await self._get(tuple[ListRow, ...], "/lists")

    async def add_list(self, name: str, *, is_segment: bool = False) -> ListRow:
        """Create an empty list, or a segment, which always contains all contacts."""
        return await self._post(ListRow, "/lists", name=name, is_segment=is_segment)

    async def contacts(
        self, *, text: str = "", list_sn: str | None = None
    ) -> tuple[ContactRow, ...]:
        """Return all contacts with a matching address, of one list or of the account."""
        path = "/contacts" if list_sn is None else f"/lists/{_quoted(list_sn)}/contacts"
        return await self._all(ContactsFound, path, "contacts", {"text": text})

    async def contact(self, email: str) -> ContactView:
        """Return one contact with the codes of its lists."""
        return await self._get(ContactView, f"/contacts/{_quoted(email)}")

    async def imports(self) -> tuple[ImportRow, ...]:
        """Return the imports, the newest first."""
        return await self._get(tuple[ImportRow, ...], "/imports")

    async def import_job(self, import_sn: str) -> ImportView:
        """Return one import, and the first of its rejected rows."""
        return await self._get(ImportView, f"/imports/{_quoted(import_sn)}")

    async def rejected_rows(self, import_sn: str) -> bytes:
        """Return all rejected rows of an import, as CSV."""
        return await self._get(bytes, f"/imports/{_quoted(import_sn)}/rejected.csv")

    async def exclusions(self) -> tuple[ExclusionRow, ...]:
        """Return the excluded addresses, the latest first."""
        return await self._get(tuple[ExclusionRow, ...], "/exclusions")

    async def exclude(self, email: str) -> None:
        """Exclude an address (無效會員): it gets no further mail."""
        await self._api.ask(None, "POST", "/exclusions", body={"email": email})

    async def templates(self) -> tuple[TemplateView, ...]:
        """Return the templates, the oldest first."""
        return await self._get(tuple[TemplateView, ...], "/templates")

    async def add_template(self, name: str, html: str) -> TemplateView:
        """Add a template."""
        return await self._post(TemplateView, "/templates", name=name, html=html)

    # The rest of the account.

    async def balance(self) -> int:
        """Return the number of mails that the account can still send."""
        return (await self._get(BalanceView, "/balance")).balance

    async def set_balance(self, mails: int) -> None:
        """Set the balance."""
        await self._api.ask(None, "PUT", "/balance", body={"balance": mails})

    async def requests(
        self,
        *,
        operation: str | None = None,
        has_fault: bool | None = None,
        status: int | None = None,
    ) -> tuple[RequestRow, ...]:
        """Return the matching requests among the last 10,000, the newest first."""
        query = {"operation": operation, "has_fault": has_fault, "status": status}
        return await self._all(RequestsFound, "/requests", "requests", query)

    async def request(self, request_id: str) -> RequestView:
        """Return one request."""
        return await self._get(RequestView, f"/requests/{_quoted(request_id)}")

    # Requests to the control API.

    async def _get(self, kind: type[T], path: str, /, **query: Any) -> T:
        found: T = await self._api.ask(kind, "GET", path, query=query)
        return found

    async def _post(self, kind: type[T], path: str, /, **body: Any) -> T:
        present = {name: value for name, value in body.items() if value is not None}
        found: T = await self._api.ask(kind, "POST", path, body=present)
        return found

    async def _fault(self, kind: str, operation: str | None, times: int, **more: Any) -> None:
        body = {"kind": kind, "operation": operation, "times": times, **more}
        await self._api.ask(None, "POST", "/faults", body=body)

    async def _all(
        self, kind: type[Any], path: str, name: str, query: Mapping[str, Any]
    ) -> tuple[Any, ...]:
        """Return the items of all pages."""
        found: list[Any] = []
        after: str | None = None
        while True:
            page = await self._get(kind, path, **query, limit=MOST_ON_PAGE, after=after)
            found.extend(getattr(page, name))
            after = page.next
            if after is None:
                return tuple(found)


def _quoted(name: str) -> str:
    """Return a name as one part of a path."""
    return quote(name, safe="@")
