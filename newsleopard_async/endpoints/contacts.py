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
"""Rows per page of lists. Source: a larger page is not documented (T59)."""

_MOST_PAGES: Final = 1_000
"""Pages before the loop ends with an error. Chosen: 100,000 lists, far above a real account."""

_MOST: Final = 2**31 - 1
"""The highest page number. Chosen: a larger number does not fit the server's likely ``int``."""

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
            name: The name of the list; the platform accepts the same name twice.
            observer: Is notified when the request leaves, and of its outcome.

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
            size: Rows per page, 1 to 100.
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
        """Yield all contact lists, each once; one request returns up to 100 lists.

        The end is an empty page, two pages in a row without a new list, or a page that the server
        refuses because it does not exist. Pages count from 1 if page 0 does not exist (T58). If
        there are several pages, they are read twice, because a list that is deleted during the
        reading moves another list across the border of two pages.

        Args:
            name: Yield only the lists with this name, and with names that look the same to a
                person: they differ in blanks around the name, wide or invisible characters, or
                ``&amp;``. A list with an unreadable code is skipped and logged, except if it could
                have this name.

        Raises:
            UnexpectedResponse: the pages do not end, or a list that could have the name cannot be
                read.
        """
        wanted = None if name is None else _wanted(_line("name", name))
        seen: set[ListSn] = set()
        is_stale = False
        first, rows = await self._first_page(wanted)
        # A short page is not the end: the server may return fewer rows than requested (T59). An
        # empty page is not certain to come: a server that ignores `page` never returns one. One
        # page without a new list may be a repeated answer, or rows that moved by a whole page.
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
        """Return the rows of a page after the first, or no rows if the page does not exist (T60).

        A refusal that names no field means this only after a short page, and only if the server
        refuses the page twice: a proxy on the way could have refused it once.
        """
        for _ in range(2):
            try:
                return await self._page(page, wanted=wanted, null_is_empty=True)
            except APIError as error:
                names_field = error.code is not None
                if isinstance(error, FieldError):
                    names_field = bool(error.invalid_fields)
                    if names_field and _is_about_the_page(error):
                        break
                if names_field or not is_short or error.status not in (400, 404):
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
            # Another refusal can come from a proxy on the way, and page 0 can have lists.
            if not _is_about_the_page(error):
                raise
        return (0, rows) if rows else (1, await self._page(1, wanted=wanted))

    @hides_variables
    async def start_file_import(
        self, list_sn: ListSn | None = None, *, webhook_url: str | None = None
    ) -> UploadTicket:
        """Request a URL to upload a CSV file to (取得檔案上傳連結).

        Nothing is imported until `upload` has succeeded.

        Args:
            list_sn: The list to import into; None for no list, but then no campaign can
                reach the contacts.
            webhook_url: The platform calls it when the import has ended; poll nevertheless.
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
        """Upload a CSV file to the URL of a ticket; the platform then begins the import.

        The file is streamed, and opened again for each attempt.

        Args:
            ticket: The result of `start_file_import`; its URL expires soon.
            source: The path of the file, or its content.

        Raises:
            StorageError: the storage refused the file; if `.expired` is true, get a fresh ticket.
            InvalidRequest: the file is empty, or changed during the upload.
        Source: the flow of 匯入名單檔案; documented, the storage's side is not
        """
        body = await open_body(source)
        # It can contain contacts, and tools that report errors print the variables of frames.
        del source
        await self._storage.put(ticket.url, body)

    @hides_variables
    async def import_text(self, csv_text: str, list_sn: ListSn | None = None) -> ImportSn:
        """Import contacts from CSV text (匯入名單) and return the import's code.

        Repeatable: contacts are updated by EMAIL.

        Args:
            csv_text: The header ``EMAIL,NAME,…``, then one row per contact; at most 10 MB as JSON.
            list_sn: The list to import into; None for no list.
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
        """Return the state of an import (查詢匯入狀態), which the platform keeps for 30 days.

        Raises:
            APIError: with status 400 and no code: the import is unknown, or too old.
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
        """Remove the contacts that match a filter from a list (移除聯絡人).

        The platform does not document whether they leave the list or the account. If they leave
        the account, it may lose the record of their unsubscription, and the next import would
        subscribe them again. A new list for each mailing avoids that risk; no pipeline calls this.

        Repeatable with ``EQ``. Not repeatable with any other operator: a second request would also
        remove contacts that match only since the first one.

        Args:
            list_sn: The list.
            where: The filter: a field, an operator and a value.
            confirm: ``remove all others`` for ``NOT_EQ`` and ``NOT_LIKE``, which remove each
                contact that does not match the value.
            observer: Is notified when a request that is not repeatable leaves, and of its
                outcome.

        Raises:
            InvalidRequest: a negative operator has no confirmation; nothing was sent.
            OutcomeUnknown: the request may or may not have taken effect.
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
        del where  # it may contain an address
        await self._api.call(request, observer=observer)


def _problems_of_confirmation(where: ContactFilter, confirm: object) -> Iterator[Problem]:
    wanted = "remove all others" if where.is_negative else "remove"
    if confirm not in ("remove", "remove all others"):
        yield Problem("confirm", "choice", f"must be {wanted!r}")
    elif confirm != wanted:
        does = "all other contacts" if where.is_negative else "the contacts that match"
        message = f"{where.operator} removes {does}; confirm it with confirm={wanted!r}"
        yield Problem("confirm", "required", message)


def _unseen(rows: Iterable[ContactList], seen: set[ListSn]) -> tuple[ContactList, ...]:
    """Return the new lists of a page, each once, and add them to those that were seen."""
    fresh = {row.sn: row for row in rows if row.sn not in seen}
    seen.update(fresh)
    return tuple(fresh.values())


def _wanted(name: str) -> answers.Wanted:
    """Return a function that recognises a name in the form in which the server may return it.

    The platform may store a name without the blanks around it, with ``&amp;`` for ``&``, or as a
    number without its leading zeros. A list that is not recognised would be created again.
    """
    as_read, looks = shown(name), _looks(name)
    digits = looks.lstrip("0") if looks.isdecimal() else None

    def is_wanted(found: str) -> bool:
        alike = _looks(found)
        is_number = alike.isdecimal() and alike.lstrip("0") == digits
        return found == as_read or alike == looks or is_number

    return is_wanted


def _looks(name: str) -> str:
    """Return a name as a person sees it."""
    narrow = unicodedata.normalize("NFKC", html.unescape(name))
    return " ".join("".join(filter(str.isprintable, narrow)).split())


def _called(rows: Iterable[ContactList], name: str | None) -> Iterator[ContactList]:
    if name is None:
        return iter(rows)
    as_read, looks = shown(name), _looks(name)
    return (row for row in rows if row.name == as_read or _looks(row.name) == looks)


def _is_about_the_page(error: FieldError) -> bool:
    """Return whether the page number was refused; 40001 does not always name its fields."""
    return not error.invalid_fields or any("page" in each.lower() for each in error.invalid_fields)


def webhook_body(webhook_url: str | None) -> dict[str, Any]:
    """Build the body of a job with a webhook; ``{}`` without one (T26)."""
    if webhook_url is None:
        return {}
    raise_problems(_problems_of_url("webhook_url", webhook_url))
    return {"webhookUrl": webhook_url}


def _problems_of_url(field: str, value: str) -> Iterator[Problem]:
    found = list(problems_of_line(field, value))
    yield from found
    if not found and not (value.isascii() and _URL.fullmatch(value)):
        yield Problem(
            field,
            "url",
            "must be a URL with https:// or http://, a host, and only ASCII characters",
        )


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
    # Only a client that imports text loads the rules of contacts.
    from newsleopard_async.contacts.rules.import_text import problems_of_csv_text

    raise_problems(problems_of_csv_text(csv_text))
    return csv_text
