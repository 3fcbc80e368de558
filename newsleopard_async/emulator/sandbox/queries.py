"""Views of the emulator's state. Each function holds the account's lock, and changes nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

import attrs

from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.platform.addressbook import ContactList
from newsleopard_async.emulator.platform.clock import EmulatorClock
from newsleopard_async.emulator.platform.gateway import RequestRecord
from newsleopard_async.emulator.platform.imports import ImportJob
from newsleopard_async.emulator.platform.webhooks import Delivery
from newsleopard_async.emulator.sandbox.slices import Slices
from newsleopard_async.emulator.sandbox.views import (
    AccountView,
    ClockView,
    ContactRow,
    ContactsFound,
    ContactView,
    ExclusionRow,
    ImportRow,
    ImportView,
    ListRow,
    RequestRow,
    RequestsFound,
    RequestView,
    WebhookRow,
)

__all__ = [
    "account_view",
    "clock_view",
    "contact_view",
    "exclusions",
    "find_contacts",
    "find_requests",
    "import_view",
    "imports",
    "list_row",
    "lists",
    "request_view",
    "webhook_row",
    "webhooks",
]

_SLICE: Final = 4_096
"""Chosen: 4,096 addresses are searched in about 1 ms."""

SHOWN_REJECTED: Final = 200
"""Chosen: 200 rows, as a sample; the download contains all rejected rows."""


def clock_view(account: Account) -> ClockView:
    """Show the clock."""
    clock = account.clock
    if isinstance(clock, EmulatorClock):
        return ClockView(now=clock.now(), is_held=clock.is_held, speed=clock.speed, is_movable=True)
    return ClockView(now=clock.now(), is_held=False, speed=1.0, is_movable=False)


def account_view(account: Account, now: datetime, *, version: str) -> AccountView:
    """Show a summary of the account."""
    with account.lock:
        campaigns = account.campaigns.all.values()
        return AccountView(
            clock=clock_view(account),
            version=version,
            base_url=account.base_url,
            accepts_any_key=account.api_keys is None,
            balance=account.campaigns.balance,
            lists=len(account.book.lists),
            contacts=len(account.book.everyone()),
            excluded=account.book.exclusions.count(now),
            imports=len(account.imports.jobs),
            campaigns=len(campaigns),
            mails=sum(wave.sent(now) for item in campaigns for wave in item.waves),
            requests=account.log.total,
            leaked_keys=len(account.storage.leaked_keys),
        )


def lists(account: Account, now: datetime) -> tuple[ListRow, ...]:
    """Show the lists, the newest first."""
    with account.lock:
        filling = account.imports.filling()
        found = reversed(account.book.lists.values())
        return tuple(_list_row(account, each, filling, now) for each in found)


def list_row(account: Account, list_sn: str, now: datetime) -> ListRow:
    """Show one list.

    Raises:
        LookupError: the account has no list with this code.
    """
    with account.lock:
        found = _list_of(account, list_sn)
        return _list_row(account, found, account.imports.filling(), now)


def _list_of(account: Account, list_sn: str) -> ContactList:
    found = account.book.lists.get(list_sn)
    if found is None:
        raise LookupError(f"list {list_sn!r} does not exist; check the code")
    return found


def _list_row(
    account: Account, found: ContactList, filling: frozenset[str], now: datetime
) -> ListRow:
    subscribed, excluded = account.book.count(found.sn, now)
    return ListRow(
        sn=found.sn,
        name=found.name,
        is_segment=found.is_segment,
        is_importing=found.sn in filling,
        subscribed=subscribed,
        excluded=excluded,
        created=found.created,
        updated=found.updated,
    )


def find_contacts(
    account: Account,
    *,
    text: str = "",
    list_sn: str | None = None,
    limit: int = 50,
    after: str | None = None,
) -> Slices[ContactsFound]:
    """Search contacts by a part of their address, in slices. The caller holds the lock.

    Raises:
        LookupError: the list does not exist, or ``after`` is not a value of ``next``.
    """
    book = account.book
    members = book.everyone() if list_sn is None else _list_of(account, list_sn).members.numbers
    numbers = members.order
    part, found, last = text.strip().lower(), list[int](), None
    for index in range(_index_after(after), len(numbers)):
        if part in book.addresses[numbers[index]]:
            if len(found) == limit:
                last = str(index)
                break
            found.append(numbers[index])
        if index % _SLICE == 0:
            yield
    rows = []
    for number in found:
        rows.append(_contact_row(account, number))
        yield
    return ContactsFound(contacts=tuple(rows), total=len(numbers), next=last)


def _index_after(after: str | None) -> int:
    if after is None:
        return 0
    if not (after.isascii() and after.isdigit() and len(after) < 12):
        raise LookupError(
            f"no page of contacts begins at after={after!r}; use next of the previous answer"
        )
    return int(after)


def _contact_row(account: Account, number: int) -> ContactRow:
    book = account.book
    found = book.contact(number, book.history.version)
    assert found is not None  # each number in a list, or among all numbers, is a contact
    return ContactRow(
        email=found.email,
        name=found.name,
        values=dict(found.values),
        excluded_since=_instant(book.exclusions.since(number)),
    )


def contact_view(account: Account, email: str) -> ContactView:
    """Show one contact.

    Raises:
        LookupError: the account has no contact with this address.
    """
    address = email.strip().lower()
    with account.lock:
        book = account.book
        number = book.number(address)
        if number is None or book.contact(number, book.history.version) is None:
            raise LookupError(f"contact {address!r} does not exist; check the address")
        return ContactView(
            **attrs.asdict(_contact_row(account, number), recurse=False),
            lists=tuple(
                each.sn
                for each in book.lists.values()
                if each.members.numbers.tester(book.top)(number)
            ),
        )


def _instant(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def exclusions(account: Account, now: datetime) -> tuple[ExclusionRow, ...]:
    """Show the addresses that are excluded now, the latest first."""
    with account.lock:
        book = account.book
        found = [(book.exclusions.since(number), number) for number in book.exclusions.by(now)]
        return tuple(
            ExclusionRow(
                email=book.addresses[number], since=datetime.fromtimestamp(since or 0.0, UTC)
            )
            for since, number in sorted(found, key=lambda each: each[0] or 0.0, reverse=True)
        )


def imports(account: Account) -> tuple[ImportRow, ...]:
    """Show the imports, the newest first."""
    with account.lock:
        jobs = reversed(account.imports.jobs.values())
        return tuple(ImportRow(**_import_fields(job)) for job in jobs)


def import_view(account: Account, import_sn: str) -> ImportView:
    """Show one import, with the first of its rejected rows.

    Raises:
        LookupError: the account has no import with this code.
    """
    with account.lock:
        job = account.imports.jobs.get(import_sn)
        if job is None:
            raise LookupError(f"import {import_sn!r} does not exist; check the code")
        columns, *rows = _rejected_lines(job) or [()]
        fitted = tuple(_fit(row, len(columns)) for row in rows)
        return ImportView(**_import_fields(job), rejected_columns=columns, rejected_rows=fitted)


def _fit(row: tuple[str, ...], width: int) -> tuple[str, ...]:
    """Return a rejected row with as many cells as there are columns, the last one with the reason.

    The surplus cells of a longer row are joined in the last cell before the reason.
    """
    *cells, reason = row
    kept, rest = cells[: width - 1], cells[width - 1 :]
    kept += [""] * (width - 1 - len(kept))
    if rest:
        kept[-1] = ",".join([kept[-1], *rest])
    return (*kept, reason)


def _rejected_lines(job: ImportJob) -> list[tuple[str, ...]]:
    if job.result is None or job.result.rejected_file is None:
        return []
    file = io.TextIOWrapper(
        io.BytesIO(job.result.rejected_file.piece(0, 1_000_000)),
        "utf-8",
        errors="replace",
        newline="",
    )
    return [tuple(row) for row in islice(csv.reader(file), SHOWN_REJECTED + 1)]


def _import_fields(job: ImportJob) -> Mapping[str, Any]:
    result = job.result
    rows, duplicates, rejected = (
        (0, 0, 0) if result is None else (result.rows, result.duplicates, result.rejected)
    )
    return {
        "sn": job.sn,
        "list_sn": job.list_sn,
        "status": job.status,
        "rows": rows,
        "inserted": rows - duplicates - rejected,
        "duplicates": duplicates,
        "rejected": rejected,
        "created": job.created,
        "uploaded": job.uploaded,
        "due": job.due,
        "is_stuck": job.stuck,
        "webhook_url": job.webhook_url,
    }


def find_requests(
    account: Account,
    *,
    operation: str | None = None,
    has_fault: bool | None = None,
    status: int | None = None,
    limit: int = 50,
    after: str | None = None,
) -> RequestsFound:
    """Search the requests, the newest first.

    Raises:
        LookupError: the request of ``after`` is not stored any longer.
    """
    kept = list(reversed(account.log.last()))
    begin = 0
    if after is not None:
        begin = next((i + 1 for i, each in enumerate(kept) if each.request_id == after), -1)
        if begin < 0:
            raise LookupError(
                f"request {after!r} is not stored any longer; search again without after"
            )
    found = [
        each
        for each in islice(kept, begin, None)
        if operation in {None, each.operation}
        and status in {None, each.status}
        and has_fault in {None, each.fault is not None}
    ]
    shown = found[:limit]
    return RequestsFound(
        requests=tuple(RequestRow(**_request_fields(each)) for each in shown),
        total=account.log.total,
        next=shown[-1].request_id if len(found) > limit else None,
    )


def request_view(account: Account, request_id: str) -> RequestView:
    """Show one request.

    Raises:
        LookupError: the request does not exist, or is not stored any longer.
    """
    for each in account.log.last():
        if each.request_id == request_id:
            return RequestView(
                **_request_fields(each),
                query=each.query,
                headers=dict(each.headers),
                body=each.body.decode("utf-8", "replace"),
                body_bytes=each.body_bytes,
            )
    raise LookupError(
        f"request {request_id!r} does not exist, or is not stored any longer; check the id"
    )


def _request_fields(record: RequestRecord) -> Mapping[str, Any]:
    return {
        "id": record.request_id,
        "at": record.at,
        "operation": record.operation,
        "method": record.method,
        "path": record.path,
        "status": record.status,
        "fault": record.fault,
        "duration_ms": record.duration_ms,
    }


def webhooks(account: Account) -> tuple[WebhookRow, ...]:
    """Show the webhooks that were tried or refused, the newest first."""
    return tuple(map(webhook_row, reversed(account.webhooks.deliveries)))


def webhook_row(delivery: Delivery) -> WebhookRow:
    """Show one webhook."""
    return WebhookRow(
        url=delivery.url,
        at=delivery.at,
        body=delivery.body.decode("utf-8", "replace"),
        status=delivery.status,
        is_refused=delivery.refused,
    )
