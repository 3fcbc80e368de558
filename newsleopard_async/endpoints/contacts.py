"""名單: contact lists and imports."""

from __future__ import annotations

import functools
import html
import re
import unicodedata
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, Final, Literal

import attrs

from newsleopard_async.disclosure import hides_variables, shown
from newsleopard_async.errors import APIError, FieldError, Problem, UnexpectedResponse
from newsleopard_async.files import AnyPath
from newsleopard_async.models import (
    ContactFilter,
    ContactList,
    ImportResult,
    ImportSn,
    ListSn,
    UploadTicket,
)
from newsleopard_async.models.codes import check_code, check_list_code
from newsleopard_async.models.validation import (
    problems_of_count,
    problems_of_line,
    problems_of_type,
    raise_problems,
)
from newsleopard_async.transport.api import Api
from newsleopard_async.transport.body import open_body
from newsleopard_async.transport.observer import Observer
from newsleopard_async.transport.repeating import Kind
from newsleopard_async.transport.request import Request, decode_nothing, path
from newsleopard_async.transport.storage import Storage
from newsleopard_async.transport.wire import answers

__all__ = ["Contacts"]

PAGE_SIZE: Final = 100
"""Rows asked for in one page of lists; a larger one is not documented to work (T59)."""

_MOST_PAGES: Final = 1_000
_MOST: Final = 2**31 - 1
_URL: Final = re.compile(r"https?://[^\s/?#]+([/?#]\S*)?", re.ASCII)
_LIST_HINT: Final = "check that list_sn is the code of one of your lists"


@attrs.frozen
class Contacts:
    """Contact lists (群組) and the import of contacts (名單)."""

    _api: Api
    _storage: Storage

    @hides_variables
    async def create_list(self, name: str, *, observer: Observer | None = None) -> ListSn:
        """Create an empty contact list (新增群組) and return its code.

        Not repeatable: a second call makes a second list of the same name.

        Args:
            name: What it is called; the platform takes a name twice.
            observer: Sees it leave and what becomes of it.

        Raises:
            OutcomeUnknown: the reply was lost; look the list up by name.
        Source: POST /v1/contacts/lists/insert; documented
        """
        request = Request(
            name="create_list",
            method="POST",
            path="/v1/contacts/lists/insert",
            kind=Kind.CREATE,
            body={"name": _line("name", name)},
            decode=answers.decode_list_sn,
            look_for=f"for the list {name!r}",
        )
        return await self._api.call(request, observer=observer)

    @hides_variables
    async def list_lists(self, *, page: int = 0, size: int = PAGE_SIZE) -> tuple[ContactList, ...]:
        """Return one page of the contact lists (查詢群組).

        Args:
            page: Counted from 0.
            size: Rows a page, 1 to 100.
        Source: GET /v1/contacts/lists; documented, order and total are not
        """
        _check_page(page, size)
        return await self._page(page, size)

    async def _page(
        self,
        page: int,
        size: int = PAGE_SIZE,
        wanted: answers.Wanted | None = None,
        *,
        null_is_empty: bool = False,
    ) -> tuple[ContactList, ...]:
        return await self._api.call(
            Request(
                name="list_lists",
                method="GET",
                path="/v1/contacts/lists",
                kind=Kind.READ,
                query=(("size", str(size)), ("page", str(page))),
                decode=functools.partial(
                    answers.decode_lists, wanted=wanted, null_is_empty=null_is_empty
                ),
            )
        )

    @hides_variables
    async def iter_lists(self, *, name: str | None = None) -> AsyncIterator[ContactList]:
        """Go through all contact lists, each once, a request a hundred of them.

        An empty page is the end, and a request more than there are lists for; so are two pages in
        a row with nothing new, and a page that is refused because there is none. If there is no
        page 0, pages count from 1 (T58). What is on several pages is read twice, since a list that
        is deleted meanwhile moves another one over the border of two pages.

        Args:
            name: Only lists of this name, and of names that only look different: by blanks around
                them, wide or invisible characters, or ``&amp;``. A list whose code cannot be read
                is left out and logged, but not if it may be one of these.

        Raises:
            UnexpectedResponse: there is no end to the pages; or a list cannot be read that may
                have the name.
        """
        wanted = None if name is None else _wanted(_line("name", name))
        seen: set[ListSn] = set()
        is_stale = False
        first, rows = await self._first_page(wanted)
        # A short page is not the end: the server may give fewer rows than asked for (T59). Nor
        # must there be an empty one: a server that ignores `page` never has it. One page with
        # nothing new may be an answer that came twice, or rows that moved by a whole page.
        for page in range(first, first + _MOST_PAGES):
            if page > first:
                rows = await self._next_page(page, wanted, is_short=len(rows) < PAGE_SIZE)
            fresh = _unseen(rows, seen)
            for row in _called(fresh, name):
                yield row
            if not rows or (is_stale and not fresh):
                break
            is_stale = not fresh
        else:
            raise UnexpectedResponse(
                f"list_lists has no end after {_MOST_PAGES:,} pages", status=200
            )
        for again in range(first, page if page > first + 1 else first):
            for row in _called(_unseen(await self._page(again, wanted=wanted), seen), name):
                yield row

    async def _next_page(
        self, page: int, wanted: answers.Wanted | None, *, is_short: bool
    ) -> tuple[ContactList, ...]:
        """Return the rows of a page after the first; none where there is no such page (T60).

        A refusal that does not say what it is about means this only after a short page, and if
        the page is refused twice: something in between may have refused it once.
        """
        for _ in range(2):
            try:
                return await self._page(page, wanted=wanted, null_is_empty=True)
            except APIError as error:
                says_what = error.code is not None
                if isinstance(error, FieldError):
                    says_what = bool(error.invalid_fields)
                    if says_what and _is_about_the_page(error):
                        break
                if says_what or not is_short or error.status not in (400, 404):
                    raise
        return ()

    async def _first_page(
        self, wanted: answers.Wanted | None
    ) -> tuple[int, tuple[ContactList, ...]]:
        """Return the number of the first page and its rows: 0 as documented, or 1 (T58)."""
        rows: tuple[ContactList, ...] = ()
        try:
            rows = await self._page(0, wanted=wanted)
        except FieldError as error:
            # No other refusal, which may come from something in between: page 0 may have lists.
            if not _is_about_the_page(error):
                raise
        return (0, rows) if rows else (1, await self._page(1, wanted=wanted))

    @hides_variables
    async def start_file_import(
        self, list_sn: ListSn | None = None, *, webhook_url: str | None = None
    ) -> UploadTicket:
        """Ask for a URL to upload a CSV file to (取得檔案上傳連結).

        Nothing is imported until `upload` has succeeded.

        Args:
            list_sn: The list to import into; None imports into none, and no campaign can
                reach contacts that are in no list.
            webhook_url: Called when the import has ended; a hint at most.
        Source: POST /v1/contacts/imports[/{list_sn}]/file; documented
        """
        return await self._api.call(
            Request(
                name="start_file_import",
                method="POST",
                path=_import_path(list_sn, "file"),
                kind=Kind.IMPORT,
                body=webhook_body(webhook_url),
                decode=functools.partial(answers.decode_ticket, base_url=self._api.base_url),
                hint=_LIST_HINT if list_sn else "",
                empty_500_once=list_sn is not None,
            )
        )

    @hides_variables
    async def upload(self, ticket: UploadTicket, source: AnyPath | bytes) -> None:
        """Upload a CSV file to the URL of a ticket; then the import begins.

        The file is streamed, and opened anew for every attempt.

        Args:
            ticket: From `start_file_import`; its URL lives for a short time.
            source: A path, or the content itself.

        Raises:
            StorageError: refused; `.expired` says that a fresh ticket is the way out.
            InvalidRequest: nothing to upload, or the file changed during the upload.
        Source: the flow of 匯入名單檔案; documented, the storage's side is not
        """
        body = await open_body(source)
        del source  # it may be contacts, and frames that run are printed with a log line, too
        await self._storage.put(ticket.url, body)

    @hides_variables
    async def import_text(self, csv_text: str, list_sn: ListSn | None = None) -> ImportSn:
        """Import contacts given as CSV text (匯入名單) and return the import's code.

        Repeatable: contacts are updated by EMAIL.

        Args:
            csv_text: ``EMAIL,NAME,…`` first, then a row a contact; at most 10 MB as JSON.
            list_sn: The list to import into; None imports into none.
        Source: POST /v1/contacts/imports[/{list_sn}]/text; documented
        """
        request = Request(
            name="import_text",
            method="POST",
            path=_import_path(list_sn, "text"),
            kind=Kind.IMPORT,
            body={"contacts": _check_text(csv_text)},
            decode=answers.decode_import_sn,
            hint=_LIST_HINT if list_sn else "",
            empty_500_once=list_sn is not None,
        )
        del csv_text  # as in `upload`
        return await self._api.call(request)

    @hides_variables
    async def get_import(self, import_sn: ImportSn) -> ImportResult:
        """Return the state of an import (查詢匯入狀態), kept for 30 days.

        Raises:
            APIError: status 400 without a code: the import is unknown, or too old.
            UnexpectedResponse: the answer has no state.
        Source: GET /v1/contacts/imports/result/{import_sn}; documented
        """
        check_code("import_sn", import_sn)
        return await self._api.call(
            Request(
                name="get_import",
                method="GET",
                path=path("/v1/contacts/imports/result/{sn}", sn=import_sn),
                kind=Kind.READ,
                polite=True,
                decode=functools.partial(
                    answers.decode_import_result, requested=import_sn, base_url=self._api.base_url
                ),
                hint="the import is unknown, or older than 30 days",
            )
        )

    @hides_variables
    async def remove_contacts(
        self,
        list_sn: ListSn,
        where: ContactFilter,
        *,
        confirm: Literal["remove", "remove all others"] = "remove",
        observer: Observer | None = None,
    ) -> None:
        """Remove contacts from a list (移除聯絡人), by a filter that is always whole.

        Whether they leave the list or the account is not documented. If they leave the account,
        it may forget that they unsubscribed, and the next import would subscribe them again. A new
        list for each mailing does the same without that risk; no pipeline calls this.

        Repeatable with ``EQ``. With any other operator it is not: contacts that come to match
        meanwhile would be removed as well.

        Args:
            list_sn: The list.
            where: Which contacts.
            confirm: ``remove all others`` for ``NOT_EQ`` and ``NOT_LIKE``, which remove everybody
                whom the value does not match.
            observer: Sees it leave and what becomes of it, unless it is repeatable.

        Raises:
            InvalidRequest: a negative operator without its confirmation; nothing was sent.
            OutcomeUnknown: it may or may not have taken effect.
            NotOffered: this account or platform has no such endpoint.
        Source: DELETE /v1/contacts/{list_sn}; notes 2026, the shape of the filter is assumed (T63)
        """
        check_list_code("list_sn", list_sn)
        raise_problems(problems_of_type("where", where, ContactFilter, "ContactFilter(…)"))
        raise_problems(_problems_of_confirmation(where, confirm))
        is_repeatable = where.operator == "EQ"
        request = Request(
            name="remove_contacts",
            method="DELETE",
            path=path("/v1/contacts/{sn}", sn=list_sn),
            kind=Kind.STOP if is_repeatable else Kind.SUBMIT,
            later=True,
            instead="import the contacts that stay into a new list",
            about="the list",
            body={"field": where.field, "operator": where.operator, "value": where.value},
            decode=decode_nothing,
            ignores_answer=True,
            look_for="at the list",
        )
        del where  # it may hold an address
        await self._api.call(request, observer=observer)


def _problems_of_confirmation(where: ContactFilter, confirm: object) -> Iterator[Problem]:
    wanted = "remove all others" if where.is_negative else "remove"
    if confirm not in ("remove", "remove all others"):
        yield Problem("confirm", "choice", f"must be {wanted!r}")
    elif confirm != wanted:
        does = "removes all others" if where.is_negative else "removes those that match"
        yield Problem("confirm", "required", f"{where.operator} {does}; confirm={wanted!r} says so")


def _unseen(rows: Iterable[ContactList], seen: set[ListSn]) -> tuple[ContactList, ...]:
    """Return what is new on a page, each list once, and note that it was seen."""
    fresh = {row.sn: row for row in rows if row.sn not in seen}
    seen.update(fresh)
    return tuple(fresh.values())


def _wanted(name: str) -> answers.Wanted:
    """Recognise a name as it is read; of one that came as a number, the zeros in front are lost.

    The platform may keep a name in another form than was sent: without the blanks around it, or
    with ``&amp;`` for ``&``. One that is not recognised would be created a second time.
    """
    as_read, looks = shown(name), _looks(name)
    digits = looks.lstrip("0") if looks.isdecimal() else None

    def is_wanted(found: str) -> bool:
        alike = _looks(found)
        is_number = alike.isdecimal() and alike.lstrip("0") == digits
        return found == as_read or alike == looks or is_number

    return is_wanted


def _looks(name: str) -> str:
    """Return what a person sees of a name."""
    narrow = unicodedata.normalize("NFKC", html.unescape(name))
    return " ".join("".join(filter(str.isprintable, narrow)).split())


def _called(rows: Iterable[ContactList], name: str | None) -> Iterator[ContactList]:
    # Names are read as they may be shown.
    if name is None:
        return iter(rows)
    as_read, looks = shown(name), _looks(name)
    return (row for row in rows if row.name == as_read or _looks(row.name) == looks)


def _is_about_the_page(error: FieldError) -> bool:
    """Say whether the number of the page was refused; 40001 need not name its fields."""
    return not error.invalid_fields or any("page" in each.lower() for each in error.invalid_fields)


def webhook_body(webhook_url: str | None) -> dict[str, Any]:
    """Build the body of a job that may call a webhook; ``{}`` where none is asked for (T26)."""
    if webhook_url is None:
        return {}
    raise_problems(_problems_of_url("webhook_url", webhook_url))
    return {"webhookUrl": webhook_url}


def _problems_of_url(field: str, value: str) -> Iterator[Problem]:
    found = list(problems_of_line(field, value))
    yield from found
    if not found and not (value.isascii() and _URL.fullmatch(value)):
        yield Problem(field, "url", "must be https:// or http://, a host, and ASCII throughout")


def _import_path(list_sn: ListSn | None, form: str) -> str:
    if list_sn is None:
        return f"/v1/contacts/imports/{form}"
    check_list_code("list_sn", list_sn)
    return path(f"/v1/contacts/imports/{{sn}}/{form}", sn=list_sn)


def _line(field: str, value: str) -> str:
    raise_problems(problems_of_line(field, value))
    return value


def _check_page(page: int, size: int) -> None:
    raise_problems(
        [
            *problems_of_count("page", page, low=0, high=_MOST),
            *problems_of_count("size", size, low=1, high=PAGE_SIZE),
        ]
    )


def _check_text(csv_text: str) -> str:
    # A client that imports no text has no need of the rules of contacts.
    from newsleopard_async.contacts.rules.import_text import problems_of_csv_text

    raise_problems(problems_of_csv_text(csv_text))
    return csv_text
