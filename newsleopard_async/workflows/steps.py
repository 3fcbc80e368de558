"""The steps of the pipelines: each is a function of the client and plain data."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, TypeVar, cast
from weakref import WeakKeyDictionary

import anyio
import attrs

from newsleopard_async.aio import in_thread
from newsleopard_async.client import NewsLeopard
from newsleopard_async.clock import moved
from newsleopard_async.contacts.parts import Part, write_part

# Loaded before a pipeline begins: an import error during a run would hide what was done.
from newsleopard_async.contacts.rules import import_text as _text  # noqa: F401 - see above
from newsleopard_async.disclosure import shown
from newsleopard_async.endpoints import campaigns, contacts, reports  # noqa: F401 - see above
from newsleopard_async.errors import (
    APIError,
    InvalidRequest,
    OutcomeUnknown,
    StorageError,
    UnexpectedResponse,
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
    SentCampaign,
    newest_links,
)
from newsleopard_async.plain import Plain
from newsleopard_async.transport import storage  # noqa: F401 - see above
from newsleopard_async.transport.limits.exports import ExportedLately
from newsleopard_async.transport.limits.queue import RequestQueue
from newsleopard_async.transport.observer import Observer
from newsleopard_async.workflows.outcomes import ReportFile, ReportState
from newsleopard_async.workflows.runner import step

__all__ = [
    "LISTED_AFTER",
    "DownloadFiles",
    "FindSent",
    "ImportFile",
    "answer_of",
    "create_list",
    "download_files",
    "export_report",
    "find_earlier",
    "find_list",
    "find_lists",
    "find_sent",
    "get_import",
    "get_report_state",
    "import_text",
    "lists_of",
    "make_folder",
    "ranges_around",
    "says_unknown",
    "submit",
    "upload_file",
    "with_fresh_url",
]

T = TypeVar("T")

_INVALID_SN: Final = 40007
"""無效的 SN. Source: 錯誤代碼對照表; documented."""

_ONE_DAY: Final = timedelta(days=1)
"""How far a search exceeds the range: the meaning of the range is not documented (T106)."""

_ONE_MONTH: Final = timedelta(days=30)
"""Chosen: the answer to one request has no pages (T107), so its range is limited to a month."""

_MOST_RANGES: Final = 36
"""How many requests one search of the finished campaigns can take.

Chosen: 36 requests cover three years month by month (T107). A longer time is divided into 36
longer ranges, so a run that is resumed after ten years does not use up the daily quota.
"""

_LONGEST_SEARCH_S: Final = 30.0
"""How long to search for one list by its code.

Chosen: at ten requests per second, 30 s are 300 pages, or 30,000 lists, and 3 % of the daily
quota.
"""

LISTED_AFTER: Final = timedelta(minutes=2)
"""How long after its creation a list is certainly listed. Chosen: it is not documented; usually a
list appears immediately."""

_FRESH_URLS: Final = 3
"""How many presigned URLs one upload or download can use up.

Chosen: how long a URL is valid is not documented (T22). If three in a row expire before their use,
the next one will also expire.
"""


@attrs.frozen(kw_only=True)
class ImportFile(Plain):
    """A clean CSV file, or a part of it, and the list to import it into.

    Attributes:
        path: The file.
        list_sn: The list.
        part: The part of the file; None for the whole file.
        columns: The names in its header.
    """

    path: Path
    list_sn: ListSn
    part: Part | None = None
    columns: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class FindSent(Plain):
    """A search for a campaign among the finished ones.

    Attributes:
        text: The text that its name contains.
        since: A time at or before its submit.
        whole_name: Whether the text must be the whole name.
    """

    text: str
    since: datetime
    whole_name: bool = False

    def matches(self, name: str) -> bool:
        """Return whether a campaign with this name is the one."""
        wanted = shown(self.text)  # in the form of the names that were read
        return name == wanted if self.whole_name else wanted in name


@attrs.frozen(kw_only=True)
class DownloadFiles(Plain):
    """A campaign and the folder for its report files."""

    campaign_sn: CampaignSn
    folder: Path


async def with_fresh_url(work: Callable[[], Awaitable[T]]) -> T:
    """Do work that requests a presigned URL and uses it; repeat it if the URL has expired.

    Raises:
        StorageError: it failed in another way, or too many URLs have expired.
    """
    for _ in range(_FRESH_URLS - 1):
        try:
            return await work()
        except StorageError as error:
            if not error.expired:
                raise
    return await work()


@step(gives=tuple[ContactList, ...])
async def find_lists(nl: NewsLeopard, name: str) -> tuple[ContactList, ...]:
    """Return every list of this name, or of a name that looks the same.

    A list that a pipeline has just created is included, because it can be listed later (T53).
    """
    found = {each.sn: each async for each in nl.contacts.iter_lists(name=name)}
    made = _recently_created(nl).get(name)
    if made is not None and nl.clock.monotonic() - made.at_s < LISTED_AFTER.total_seconds():
        found.setdefault(made.sn, ContactList(sn=made.sn, name=shown(name)))
    return tuple(found.values())


@step(gives=ContactList | None)
async def find_list(nl: NewsLeopard, list_sn: ListSn) -> ContactList | None:
    """Return the list of a code, or None if it was not found."""
    return next(iter(await lists_of(nl, (list_sn,))), None)


async def lists_of(nl: NewsLeopard, list_sns: Iterable[ListSn]) -> tuple[ContactList, ...]:
    """Return the lists of codes that are found; the search stops when all are found.

    The search has a time limit, because it only protects against a wrong code, and must not use up
    the daily quota.
    """
    wanted = set(list_sns)
    found: list[ContactList] = []
    with nl.clock.deadline(_LONGEST_SEARCH_S):
        lists = cast("AsyncGenerator[ContactList, None]", nl.contacts.iter_lists())
        async with contextlib.aclosing(lists):
            async for each in lists:
                if each.sn in wanted:
                    found.append(each)
                    wanted.remove(each.sn)
                if not wanted:
                    break
    return tuple(found)


@step(gives=ListSn, request="POST /v1/contacts/lists/insert")
async def create_list(nl: NewsLeopard, name: str, observer: Observer) -> ListSn:
    """Create a list."""
    sn = await nl.contacts.create_list(name, observer=observer)
    _recently_created(nl)[name] = _CreatedList(sn, nl.clock.monotonic())
    return sn


@attrs.frozen
class _CreatedList:
    """A list that was created, and its time on the client's clock."""

    sn: ListSn
    at_s: float


_made: Final[WeakKeyDictionary[RequestQueue, dict[str, _CreatedList]]] = WeakKeyDictionary()
"""By the request queue that the clients of a key share on an event loop, and by the name."""


def _recently_created(nl: NewsLeopard) -> dict[str, _CreatedList]:
    return _made.setdefault(nl._api.limiter.queue, {})  # noqa: SLF001 - as in `list_lock`


@step(gives=ImportSn, writes=True)
async def upload_file(
    nl: NewsLeopard, file: ImportFile, *, webhook_url: str | None = None
) -> ImportSn:
    """Request an upload URL and use it; one step, because the URL expires."""
    path = file.path
    if file.part is not None:
        path = await in_thread(partial(write_part, path, file.part))

    async def upload() -> ImportSn:
        ticket = await nl.contacts.start_file_import(file.list_sn, webhook_url=webhook_url)
        await nl.contacts.upload(ticket, path)
        return ticket.import_sn

    return await with_fresh_url(upload)


@step(gives=ImportSn, writes=True)
async def import_text(nl: NewsLeopard, file: ImportFile) -> ImportSn:
    """Import a small, clean file as text."""
    # Not bound to a name: error reports show the variables of the running frames.
    return await nl.contacts.import_text(
        (await in_thread(file.path.read_bytes)).decode(), file.list_sn
    )


@step(gives=ImportResult)
async def get_import(nl: NewsLeopard, import_sn: ImportSn) -> ImportResult:
    """Return an import's state.

    Raises:
        UnexpectedResponse: the answer contains another import. Its end must not decide about this
            one.
    """
    result = await nl.contacts.get_import(import_sn)
    if result.import_sn != import_sn:
        raise UnexpectedResponse(
            f"the answer to get_import contains another import than {import_sn}", status=200
        )
    return result


def says_unknown(error: APIError) -> bool:
    """Return whether a refusal means that the platform does not know the object (T50)."""
    if error.code is None:
        return error.status in (400, 404, 410)
    return error.code == _INVALID_SN or error.status in (404, 410)


@step(gives=CampaignSn, request="POST /v1/campaign/…/submit")
async def submit(nl: NewsLeopard, campaign: Mailing, observer: Observer) -> CampaignSn:
    """Submit a campaign or an A/B test."""
    if isinstance(campaign, Campaign):
        return await nl.campaigns.submit(campaign, observer=observer)
    return await nl.campaigns.submit_ab_test(campaign, observer=observer)


@step(gives=SentCampaign | None)
async def find_sent(nl: NewsLeopard, search: FindSent) -> SentCampaign | None:
    """Search for a finished campaign by its name, month by month.

    The range is from a day before the submit to a day after now. An unsent campaign is in no list.
    """
    for begin, end in ranges_around(search.since, nl.clock.now()):
        for each in await nl.reports.list_campaigns(start=begin, end=end, wanted=search.matches):
            if search.matches(each.name):
                return each
    return None


@step(gives=SentCampaign | None)
async def find_earlier(nl: NewsLeopard, search: FindSent) -> SentCampaign | None:
    """Search for a campaign that an earlier run of the same send key has sent."""
    return await find_sent.run(nl, search)


def ranges_around(since: datetime, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Divide the time from a day before ``since`` to a day after now, month by month."""
    return _ranges(moved(since.astimezone(UTC), -_ONE_DAY), moved(now, _ONE_DAY))


def _ranges(begin: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Divide a time into ranges that overlap by a day.

    Without the overlap, a campaign that is sent across the border of two ranges, or begins exactly
    at it, could be in neither (T106).
    """
    length = max(_ONE_MONTH, (until - begin) / _MOST_RANGES)
    overlap = timedelta(0)
    while begin < until:
        end = until if until - begin <= length else begin + length
        yield begin - overlap, end
        begin, overlap = end, _ONE_DAY


@step(gives=tuple[ReportState, ...])
async def get_report_state(nl: NewsLeopard, campaign_sn: CampaignSn) -> tuple[ReportState, ...]:
    """Return the types and the times of the report files that exist."""
    links = newest_links(await nl.reports.get_links(campaign_sn))
    return tuple(ReportState(type=link.type, created=link.created) for link in links)


def answer_of(unknown: OutcomeUnknown) -> str:
    """Describe in a few words the answer to a request whose outcome is unknown."""
    if unknown.status is None:
        return "no answer came"
    return f"the answer was HTTP {unknown.status}" + (unknown.excerpt and f" ({unknown.excerpt})")


@step(gives=bool | float | str)
async def export_report(
    nl: NewsLeopard, campaign_sn: CampaignSn, *, webhook_url: str | None = None
) -> bool | float | str:
    """Begin an export.

    Neither the hourly limit nor a lost reply is an error here, because the links show the outcome.
    A refusal raises: nothing was exported.

    Returns: True if it began; a text with the reason if that is unknown; if another one began
        within the hour, how many seconds ago.
    """
    try:
        await nl.reports.export(campaign_sn, webhook_url=webhook_url)
    except ExportedLately as late:
        return late.ago_s
    except OutcomeUnknown as unknown:
        return answer_of(unknown)
    return True


@step(gives=tuple[ReportFile, ...])
async def download_files(nl: NewsLeopard, target: DownloadFiles) -> tuple[ReportFile, ...]:
    """Download every report file; the links are fetched here, because they expire."""
    await make_folder(target.folder)
    done: dict[str, ReportFile] = {}

    async def download() -> tuple[ReportFile, ...]:
        for link in newest_links(await nl.reports.get_links(target.campaign_sn)):
            if link.type not in done:
                done[link.type] = await _download(nl, target, link)
        return tuple(done.values())

    return await with_fresh_url(download)


async def _download(nl: NewsLeopard, target: DownloadFiles, link: ReportLink) -> ReportFile:
    path = target.folder / f"{_file_part(target.campaign_sn)}-{_file_part(link.type)}.csv"
    size_bytes = await nl.reports.download(link, path)
    return ReportFile(type=link.type, path=path, size_bytes=size_bytes, created=link.created)


def _file_part(text: str) -> str:
    """Return a text of the platform, which can be anything, as a part of a file name."""
    if re.fullmatch(r"[a-z0-9_-]{1,64}", text):
        return text
    # Types that look the same, or differ only in case, must not become one file.
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', text)[:48]}-{mark}"


async def make_folder(folder: Path) -> Path:
    """Create a folder for downloads if it does not exist.

    Returns: The absolute path of the folder, so a later `chdir` does not change it.

    Raises:
        InvalidRequest: the path is a file, or the folder cannot be created.
    """
    try:
        there = await anyio.Path(folder).absolute()
        await there.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidRequest.of(
            "download_to",
            "folder",
            f"{folder} cannot be created: {error.strerror}; choose another folder",
        ) from None
    return Path(there)
