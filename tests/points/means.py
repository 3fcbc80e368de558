"""What the checks of the points share: calls of a client, and an emulator's raw wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from newsleopard_async import (
    CampaignSn,
    ImportSn,
    ListSn,
    NewsLeopard,
    NewsLeopardError,
    RetryPolicy,
    with_lists,
)
from newsleopard_async.emulator import Switches
from tests.clients import Bench, Reply, connected, scripted
from tests.constants import CAMPAIGN
from tests.emulator.api import Api, HandClock, make

__all__ = [
    "CSV",
    "LIST_ROW",
    "SN",
    "Call",
    "codes_of",
    "create_list",
    "error_of",
    "export",
    "field_errors",
    "get_import",
    "get_links",
    "import_text",
    "list_campaigns",
    "list_lists",
    "platform",
    "result_of",
    "start_file_import",
    "submit",
    "switched",
]

Call = Callable[[NewsLeopard], Awaitable[Any]]

SN = "40280a3c6a0cb8c5016a10142a230002"
CSV = "EMAIL,NAME\na@example.com,A"
LIST_ROW = {"sn": SN, "name": "會員"}


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


async def result_of(call: Call, content: Any, status: int = 200) -> Any:
    """Return what a call makes of an answer."""
    async with scripted(Reply(content, status)) as script:
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
