"""What the checks of the points share: calls of a client, and an emulator's raw wire."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import attrs
import pytest

from newsleopard_async import (
    Campaign,
    CampaignSn,
    ImportSn,
    ListSn,
    Mailing,
    NewsLeopard,
    NewsLeopardError,
    RetryPolicy,
    check_campaign,
    check_contacts,
    with_lists,
    workflows,
)
from newsleopard_async.emulator import Emulator, Switches
from newsleopard_async.testing import ManualClock
from tests.clients import Bench, Reply, connected, scripted
from tests.constants import CAMPAIGN, KEY, START
from tests.emulator.api import BODY, Api, HandClock, changed, make
from tests.requests_schema import Profile
from tests.transport.scripted import Scripted, json_answer

__all__ = [
    "CSV",
    "DAY_S",
    "HOUR",
    "LIST_ROW",
    "QUIET",
    "SN",
    "Call",
    "at",
    "body_of",
    "campaign_rules",
    "codes_of",
    "contact_rules",
    "create_list",
    "error_of",
    "evolve",
    "export",
    "field_errors",
    "get_import",
    "get_links",
    "import_text",
    "imported",
    "judged",
    "links_of",
    "list_campaigns",
    "list_lists",
    "names_of",
    "platform",
    "result_of",
    "sent_campaign",
    "start_file_import",
    "submit",
    "submitted",
    "switched",
    "twelve_campaigns",
    "uploaded",
]

Call = Callable[[NewsLeopard], Awaitable[Any]]

DAY_S = 86_400
HOUR = timedelta(hours=1)
QUIET: dict[str, Any] = {"open_share": 0.0, "bounce_share": 0.0}
"""Readers who do nothing."""
SN = "40280a3c6a0cb8c5016a10142a230002"
CSV = "EMAIL,NAME\na@example.com,A"
LIST_ROW = {"sn": SN, "name": "會員"}


def at(seconds: float) -> str:
    """Write a time as the documentation does, so long after the clock's start."""
    return f"{START + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.000Z"


async def list_lists(nl: NewsLeopard) -> Any:
    """Ask for the lists."""
    return await nl.contacts.list_lists()


async def create_list(nl: NewsLeopard) -> Any:
    """Make a list."""
    return await nl.contacts.create_list("會員")


async def import_text(nl: NewsLeopard) -> Any:
    """Import a contact into a list."""
    return await nl.contacts.import_text(CSV, ListSn(SN))


async def start_file_import(nl: NewsLeopard) -> Any:
    """Ask for a URL to upload to."""
    return await nl.contacts.start_file_import()


async def get_import(nl: NewsLeopard) -> Any:
    """Ask for the result of an import."""
    return await nl.contacts.get_import(ImportSn(SN))


async def submit(nl: NewsLeopard) -> Any:
    """Submit a campaign."""
    return await nl.campaigns.submit(with_lists(CAMPAIGN, [ListSn(SN)]))


async def list_campaigns(nl: NewsLeopard) -> Any:
    """Ask for the latest campaigns."""
    return await nl.reports.list_campaigns()


async def export(nl: NewsLeopard) -> Any:
    """Export a report."""
    return await nl.reports.export(CampaignSn(SN))


async def get_links(nl: NewsLeopard) -> Any:
    """Ask for the links of a report."""
    return await nl.reports.get_links(CampaignSn(SN))


async def result_of(
    call: Call, content: Any, status: int = 200, *, profile: Profile = "documented"
) -> Any:
    """Return what a call makes of an answer."""
    async with scripted(Reply(content, status), profile=profile) as script:
        return await call(script.nl)


async def error_of(call: Call, content: Any, status: int = 200) -> NewsLeopardError:
    """Return the error that a call makes of an answer, without a retry."""
    async with scripted(Reply(content, status), retry=RetryPolicy(max_attempts=1)) as script:
        with pytest.raises(NewsLeopardError) as caught:
            await call(script.nl)
    return caught.value


@asynccontextmanager
async def switched(**switches: Any) -> AsyncIterator[Bench]:
    """Connect a client to an emulator with switches set."""
    async with connected(switches=Switches(**switches)) as bench:
        yield bench


@asynccontextmanager
async def platform(**switches: Any) -> AsyncIterator[tuple[Api, HandClock]]:
    """Open an emulator's raw wire, without rate limits."""
    emulator, clock = make(**switches)
    async with Api(emulator) as api:
        yield api, clock


def codes_of(answer: Any) -> tuple[int, int | None]:
    """Return the status of an answer, and its code."""
    code = answer.json().get("code") if answer.content and answer.status_code >= 400 else None
    return answer.status_code, None if code is None else int(code)


def field_errors(answer: Any) -> dict[str, list[str]]:
    """Return the fields that a refusal names, by path."""
    assert codes_of(answer) == (400, 40001)
    fields: dict[str, list[str]] = answer.json()["invalidFields"]
    return fields


async def imported(csv: str | bytes, **switches: Any) -> tuple[dict[str, Any], Emulator]:
    """Import a file into a list over the raw wire, and return how it ends."""
    async with platform(**switches) as (api, clock):
        list_sn = await api.create_list()
        ticket = (await api.post(f"/v1/contacts/imports/{list_sn}/file", {})).json()
        await api.put(ticket["url"], csv)
        clock.advance(60)
        return await api.result(ticket["import_sn"]), api.emulator


async def contact_rules(contacts: Any, **options: Any) -> set[str]:
    """Return the rules that a check of contacts reports."""
    return {each.rule for each in await check_contacts(contacts, **options)}


async def uploaded(contacts: Any, **options: Any) -> bytes:
    """Import contacts by the pipeline and return what reaches the platform."""
    async with connected() as bench:
        await workflows.import_contacts(bench.nl, contacts, list_name="會員", **options)
        [job] = bench.emulator.imports
        assert job.blob is not None
        return b"".join(job.blob.read_chunks())


def evolve(mailing: Any, **changes: Any) -> Any:
    """Copy a campaign or a part of one with changes, also such as no type checker would take."""
    return attrs.evolve(mailing, **changes)


async def submitted(nl: NewsLeopard, mailing: Mailing, **changes: Any) -> None:
    """Submit a campaign or a test to a list."""
    ready = with_lists(evolve(mailing, **changes), [ListSn(SN)])
    if isinstance(ready, Campaign):
        await nl.campaigns.submit(ready)
    else:
        await nl.campaigns.submit_ab_test(ready)


async def body_of(mailing: Mailing, **changes: Any) -> Any:
    """Return what the client sends of a campaign or a test."""
    transport = Scripted(json_answer(200, {"sn": "c"}))
    async with NewsLeopard(KEY, http_transport=transport, clock=ManualClock()) as nl:
        await submitted(nl, mailing, **changes)
    return json.loads(transport.sent[0].body)


def campaign_rules(mailing: Mailing, **known: Any) -> set[str]:
    """Return the rules that the check of a campaign reports."""
    return {each.rule for each in check_campaign(mailing, **known)}


async def judged(body: dict[str, Any], **switches: Any) -> Any:
    """Submit a body to a list of one hundred over the raw wire, and return the answer."""
    async with platform(**switches) as (api, _):
        return await api.submit(body, await api.filled_list(100))


async def sent_campaign(api: Api, clock: HandClock, count: int = 20, days: float = 1) -> str:
    """Send a campaign over the raw wire, and let time pass."""
    answer = await api.submit(BODY, await api.filled_list(count))
    clock.advance(days * DAY_S)
    return str(answer.json()["sn"])


async def links_of(api: Api, sn: str) -> list[dict[str, Any]]:
    """Return the links of a report."""
    found: list[dict[str, Any]] = (await api.get(f"/v1/report/{sn}/link")).json()["Reports"]
    return found


@asynccontextmanager
async def twelve_campaigns(**switches: Any) -> AsyncIterator[Api]:
    """Send twelve campaigns, an hour apart, called by their number."""
    async with platform(**{**QUIET, **switches}) as (api, clock):
        clock.elapsed_s = -60  # which filling the list takes
        sn = await api.filled_list(1)
        for number in range(12):
            await api.submit(changed(BODY, {"form.name": str(number)}), sn)
            clock.advance(3_600)
        yield api


async def names_of(api: Api, query: str = "") -> list[str]:
    """Return the names of the campaigns that are listed."""
    return [row["name"] for row in (await api.get(f"/v1/report/campaigns{query}")).json()]
