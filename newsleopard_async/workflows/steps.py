"""The steps that pipelines are made of: each a function of the client and plain data."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.errors import (
    APIError,
    DailyQuotaExhausted,
    InvalidRequest,
    OutcomeUnknown,
    RateLimited,
    StorageError,
)
from newsleopard_async.models import (
    Campaign,
    CampaignSn,
    ContactList,
    ImportResult,
    ImportSn,
    ListSn,
    Mailing,
    ReportLink,
    newest_links,
)
from newsleopard_async.plain import Plain
from newsleopard_async.workflows.outcomes import ReportFile, ReportState
from newsleopard_async.workflows.runner import step
from newsleopard_async.workflows.source import csv_text

__all__ = [
    "DownloadFiles",
    "ImportFile",
    "create_list",
    "download_files",
    "export_report",
    "find_lists",
    "get_import",
    "get_report_state",
    "import_text",
    "make_folder",
    "submit",
    "upload_file",
]

_FRESH_URLS: Final = 3
"""How many presigned URLs one upload or download may use up."""


@attrs.frozen(kw_only=True)
class ImportFile(Plain):
    """A CSV file and the list that it goes into."""

    path: Path
    list_sn: ListSn


@attrs.frozen(kw_only=True)
class DownloadFiles(Plain):
    """A campaign's report files and the folder that they go into."""

    campaign_sn: CampaignSn
    folder: Path


@step(gives=tuple[ContactList, ...])
async def find_lists(nl: NewsLeopard, name: str) -> tuple[ContactList, ...]:
    """Return every list of exactly this name."""
    return tuple([each async for each in nl.contacts.iter_lists() if each.name == name])


@step(gives=ListSn)
async def create_list(nl: NewsLeopard, name: str) -> ListSn:
    """Create a list."""
    return await nl.contacts.create_list(name)


@step(gives=ImportSn)
async def upload_file(nl: NewsLeopard, given: ImportFile) -> ImportSn:
    """Ask for an upload URL and use it; one step, since the URL expires.

    Where it expired all the same, a fresh one is asked for, a few times.
    """
    left = _FRESH_URLS
    while True:
        left -= 1
        ticket = await nl.contacts.start_file_import(given.list_sn)
        try:
            await nl.contacts.upload(ticket, given.path)
        except StorageError as error:
            if not (error.expired and left):
                raise
        else:
            return ticket.import_sn


@step(gives=ImportSn)
async def import_text(nl: NewsLeopard, given: ImportFile) -> ImportSn:
    """Import a small file as text, with the line ends that the platform asks for."""
    text = csv_text(await anyio.Path(given.path).read_bytes())
    return await nl.contacts.import_text(text, given.list_sn)


@step(gives=ImportResult)
async def get_import(nl: NewsLeopard, import_sn: ImportSn) -> ImportResult | None:
    """Return an import's state, or None where the platform does not know it (yet)."""
    try:
        return await nl.contacts.get_import(import_sn)
    except APIError as error:
        if error.status == 400 and error.code is None:
            return None
        raise


@step(gives=CampaignSn)
async def submit(nl: NewsLeopard, campaign: Mailing) -> CampaignSn:
    """Submit a campaign or an A/B test."""
    if isinstance(campaign, Campaign):
        return await nl.campaigns.submit(campaign)
    return await nl.campaigns.submit_ab_test(campaign)


@step(gives=tuple[ReportState, ...])
async def get_report_state(nl: NewsLeopard, campaign_sn: CampaignSn) -> tuple[ReportState, ...]:
    """Return which report files there are, and how old."""
    links = newest_links(await nl.reports.get_links(campaign_sn))
    return tuple(ReportState(type=link.type, created=link.created) for link in links)


@step(gives=bool)
async def export_report(nl: NewsLeopard, campaign_sn: CampaignSn) -> bool:
    """Begin an export; False where it is not known to have begun.

    Neither the hour's limit nor a lost reply is the end: the links tell.
    """
    try:
        await nl.reports.export(campaign_sn)
    except DailyQuotaExhausted:
        raise
    except (RateLimited, OutcomeUnknown):
        return False
    return True


@step(gives=tuple[ReportFile, ...])
async def download_files(nl: NewsLeopard, given: DownloadFiles) -> tuple[ReportFile, ...]:
    """Download every report file; links are fetched here, since they expire."""
    await make_folder(given.folder)
    done: dict[str, ReportFile] = {}
    left = _FRESH_URLS
    while True:
        left -= 1
        links = newest_links(await nl.reports.get_links(given.campaign_sn))
        try:
            for link in links:
                if link.type not in done:
                    done[link.type] = await _download(nl, given, link)
        except StorageError as error:
            if not (error.expired and left):
                raise
        else:
            return tuple(done.values())


async def _download(nl: NewsLeopard, given: DownloadFiles, link: ReportLink) -> ReportFile:
    path = given.folder / f"{_file_part(given.campaign_sn)}-{_file_part(link.type)}.csv"
    size_bytes = await nl.reports.download(link, path)
    return ReportFile(type=link.type, path=path, size_bytes=size_bytes, created=link.created)


def _file_part(text: str) -> str:
    """Make a part of a file name of what the server says, which may be anything."""
    if re.fullmatch(r"[a-z0-9_-]{1,64}", text):
        return text
    # Two that look alike, or differ only in case, must not become one file.
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', text)[:48]}-{mark}"


async def make_folder(folder: Path) -> None:
    """Make a folder for downloads, unless it is there.

    Raises:
        InvalidRequest: a file is in its place, or it may not be made.
    """
    try:
        await anyio.Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidRequest.of(
            "download_to", "folder", f"{folder} cannot be made a folder: {error.strerror}"
        ) from None
