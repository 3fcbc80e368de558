"""The screens of the page: for each path, a function from account and request to its values."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import attrs
from starlette.requests import Request

from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.platform.gateway import OPERATIONS
from newsleopard_async.emulator.sandbox import campaigns, mails, queries
from newsleopard_async.emulator.sandbox.bodies import OutboxQuery
from newsleopard_async.emulator.sandbox.page import labels
from newsleopard_async.emulator.sandbox.slices import in_slices
from newsleopard_async.emulator.sandbox.views import MailsFound

__all__ = ["SCREENS", "Screen", "ScreenContent"]

SHOWN_LATEST: Final = 5
"""Chosen: 5 mails, campaigns and requests each, so that the overview fits on one screen."""
SHOWN_MAILS_OF_CONTACT: Final = 20
"""Chosen: 20 mails, about one screen; the search for mails shows the others."""

MAIL_TABS: Final = ("preview", "text", "source", "headers")
"""The tabs of a mail; the first one is the default."""


@attrs.frozen
class ScreenContent:
    """The content of a screen.

    Attributes:
        template: File name of the template.
        section: Name of the section in the navigation.
        values: Values of the template, in addition to those that all templates have.
    """

    template: str
    section: str
    values: Mapping[str, Any]


Screen = Callable[[Account, Request], Awaitable[ScreenContent]]


async def overview(account: Account, request: Request) -> ScreenContent:
    """Show the latest mails, campaigns and requests."""
    del request
    now = account.present()
    latest = OutboxQuery(limit=SHOWN_LATEST)
    found = await in_slices(account, mails.find_mails(account, latest, now))
    return ScreenContent(
        "overview.html",
        "overview",
        {
            "mails": found.mails,
            "campaigns": campaigns.campaigns(account, now)[:SHOWN_LATEST],
            "requests": queries.find_requests(account, limit=SHOWN_LATEST).requests,
        },
    )


async def mail_list(account: Account, request: Request) -> ScreenContent:
    """Show mails, by a search and filters."""
    now = account.present()
    search = _filter_of(request)
    found = await in_slices(account, mails.find_mails(account, search, now))
    values = {
        "found": found,
        "search": search,
        "campaigns": campaigns.campaigns(account, now),
        "kept": _kept_query(search),
    }
    return ScreenContent("mails.html", "mails", values)


def _filter_of(request: Request, **changes: Any) -> OutboxQuery:
    """Return the search and the filters of a URL, without an unknown event or variant."""
    query = request.query_params
    event: Any = query.get("event")
    variant: Any = query.get("variant")
    search = OutboxQuery(
        text=query.get("q", ""),
        campaign_sn=query.get("campaign") or None,
        variant=variant if variant in {"A", "B"} else None,
        event=event if event in labels.EVENTS else None,
        after=query.get("after") or None,
    )
    return attrs.evolve(search, **changes)


def _kept_query(search: OutboxQuery) -> dict[str, str]:
    """Return the query for the link to a mail, so that the search determines its neighbours."""
    query = {
        "q": search.text,
        "campaign": search.campaign_sn,
        "variant": search.variant,
        "event": search.event,
    }
    return {name: value for name, value in query.items() if value}


async def one_mail(account: Account, request: Request) -> ScreenContent:
    """Show one mail, with links to its neighbours."""
    now = account.present()
    name = request.path_params["id"]
    mail = await in_slices(account, mails.mail_view(account, name, now))

    async def neighbours(*, is_oldest_first: bool) -> MailsFound:
        search = _filter_of(request, after=name, limit=1, is_oldest_first=is_oldest_first)
        return await in_slices(account, mails.find_mails(account, search, now))

    newer = (await neighbours(is_oldest_first=True)).mails
    older = (await neighbours(is_oldest_first=False)).mails
    tab = request.query_params.get("show")
    values = {
        "mail": mail,
        "newer": newer[0].id if newer else None,
        "older": older[0].id if older else None,
        "kept": _kept_query(_filter_of(request)),
        "tab": tab if tab in MAIL_TABS else MAIL_TABS[0],
    }
    return ScreenContent("mail.html", "mails", values)


async def campaign_list(account: Account, request: Request) -> ScreenContent:
    """Show the campaigns."""
    del request
    found = campaigns.campaigns(account, account.present())
    return ScreenContent("campaigns.html", "campaigns", {"campaigns": found})


async def one_campaign(account: Account, request: Request) -> ScreenContent:
    """Show one campaign, and the names of its lists."""
    now = account.present()
    found = campaigns.campaign_view(account, request.path_params["sn"], now)
    names = _list_names(account)
    return ScreenContent("campaign.html", "campaigns", {"campaign": found, "names": names})


def _list_names(account: Account) -> dict[str, str]:
    with account.lock:
        return {each.sn: each.name for each in account.book.lists.values()}


async def list_list(account: Account, request: Request) -> ScreenContent:
    """Show the lists."""
    del request
    return ScreenContent(
        "lists.html", "lists", {"lists": queries.lists(account, account.present())}
    )


async def one_list(account: Account, request: Request) -> ScreenContent:
    """Show one list with its contacts."""
    sn = request.path_params["sn"]
    row = queries.list_row(account, sn, account.present())
    values = await _contacts(account, request, list_sn=sn)
    return ScreenContent("list.html", "lists", {**values, "list": row})


async def contact_list(account: Account, request: Request) -> ScreenContent:
    """Show the contacts, by a search."""
    return ScreenContent(
        "contacts.html", "contacts", await _contacts(account, request, list_sn=None)
    )


async def _contacts(account: Account, request: Request, *, list_sn: str | None) -> dict[str, Any]:
    query = request.query_params
    work = queries.find_contacts(
        account, text=query.get("q", ""), list_sn=list_sn, after=query.get("after") or None
    )
    return {"found": await in_slices(account, work), "now": account.present()}


async def one_contact(account: Account, request: Request) -> ScreenContent:
    """Show one contact, and the last mails to it."""
    now = account.present()
    contact = queries.contact_view(account, request.path_params["email"])
    to = OutboxQuery(to=contact.email, limit=SHOWN_MAILS_OF_CONTACT)
    found = await in_slices(account, mails.find_mails(account, to, now))
    values = {
        "contact": contact,
        "now": now,
        "names": _list_names(account),
        "mails": [mail for mail in found.mails if mail.to == contact.email],
    }
    return ScreenContent("contact.html", "contacts", values)


async def import_list(account: Account, request: Request) -> ScreenContent:
    """Show the imports."""
    del request
    values = {"imports": queries.imports(account), "names": _list_names(account)}
    return ScreenContent("imports.html", "imports", values)


async def one_import(account: Account, request: Request) -> ScreenContent:
    """Show one import, with the rows that it rejected."""
    found = queries.import_view(account, request.path_params["sn"])
    return ScreenContent("import.html", "imports", {"job": found, "names": _list_names(account)})


async def request_list(account: Account, request: Request) -> ScreenContent:
    """Show the requests, by operation, status, and whether they had a fault."""
    query = request.query_params
    status = query.get("status", "")
    operation = query.get("operation") or None
    found = queries.find_requests(
        account,
        operation=operation,
        has_fault=True if query.get("fault") else None,
        status=int(status) if re.fullmatch("[0-9]{1,3}", status) else None,
        after=query.get("after") or None,
    )
    values = {"found": found, "operations": (*OPERATIONS, "unknown"), "operation": operation}
    return ScreenContent("requests.html", "requests", values)


async def one_request(account: Account, request: Request) -> ScreenContent:
    """Show one request."""
    found = queries.request_view(account, request.path_params["id"])
    return ScreenContent("request.html", "requests", {"request": found})


async def webhook_list(account: Account, request: Request) -> ScreenContent:
    """Show the webhooks that were tried or refused."""
    del request
    return ScreenContent("webhooks.html", "webhooks", {"webhooks": queries.webhooks(account)})


SCREENS: Final[Mapping[str, Screen]] = {
    "/": overview,
    "/_emulator/ui/mails": mail_list,
    "/_emulator/ui/mails/{id}": one_mail,
    "/_emulator/ui/campaigns": campaign_list,
    "/_emulator/ui/campaigns/{sn}": one_campaign,
    "/_emulator/ui/lists": list_list,
    "/_emulator/ui/lists/{sn}": one_list,
    "/_emulator/ui/contacts": contact_list,
    "/_emulator/ui/contacts/{email:path}": one_contact,
    "/_emulator/ui/imports": import_list,
    "/_emulator/ui/imports/{sn}": one_import,
    "/_emulator/ui/requests": request_list,
    "/_emulator/ui/requests/{id}": one_request,
    "/_emulator/ui/webhooks": webhook_list,
}
"""The screen of each path."""
