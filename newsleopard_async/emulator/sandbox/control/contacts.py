"""Endpoints for lists, contacts, imports, excluded addresses and templates."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import anyio.lowlevel
import attrs
from starlette.responses import Response, StreamingResponse

from newsleopard_async.emulator.platform.blobs import Blob
from newsleopard_async.emulator.sandbox import queries
from newsleopard_async.emulator.sandbox.bodies import (
    ContactsQuery,
    ExclusionBody,
    ListBody,
    TemplateBody,
)
from newsleopard_async.emulator.sandbox.control.endpoint import (
    ControlContext,
    ControlRequest,
    Endpoint,
)
from newsleopard_async.emulator.sandbox.slices import in_slices
from newsleopard_async.emulator.sandbox.views import (
    ContactsFound,
    ContactView,
    ExclusionRow,
    ImportRow,
    ImportView,
    ListRow,
    TemplateView,
)

__all__ = ["ENDPOINTS"]


async def _lists(context: ControlContext, request: ControlRequest) -> tuple[ListRow, ...]:
    del request
    return queries.lists(context.account, await context.catch_up())


async def _list(context: ControlContext, request: ControlRequest) -> ListRow:
    return queries.list_row(context.account, request.path["sn"], await context.catch_up())


async def _add_list(context: ControlContext, request: ControlRequest) -> ListRow:
    await context.catch_up()
    body: ListBody = request.body
    account = context.account
    with account.changing():
        made = account.book.create_list(
            account.codes.sn(), body.name, account.present(), is_segment=body.is_segment
        )
    return queries.list_row(account, made.sn, await context.catch_up())


async def _contacts(context: ControlContext, request: ControlRequest) -> ContactsFound:
    await context.catch_up()
    query: dict[str, Any] = attrs.asdict(request.query)
    found = queries.find_contacts(context.account, list_sn=request.path.get("sn"), **query)
    return await in_slices(context.account, found)


async def _contact(context: ControlContext, request: ControlRequest) -> ContactView:
    await context.catch_up()
    return queries.contact_view(context.account, request.path["email"])


async def _imports(context: ControlContext, request: ControlRequest) -> tuple[ImportRow, ...]:
    del request
    await context.catch_up()
    return queries.imports(context.account)


async def _import(context: ControlContext, request: ControlRequest) -> ImportView:
    await context.catch_up()
    return queries.import_view(context.account, request.path["sn"])


async def _rejected(context: ControlContext, request: ControlRequest) -> Response:
    sn = request.path["sn"]
    await context.catch_up()
    with context.account.lock:
        job = context.account.imports.jobs.get(sn)
        file = None if job is None or job.result is None else job.result.rejected_file
    if file is None:
        raise LookupError(
            f"import {sn!r} does not exist, has not ended, or has no rejected rows; check its state"
        )
    headers = {
        "Content-Disposition": f'attachment; filename="{sn}-rejected.csv"',
        "Content-Length": str(file.size),
    }
    return StreamingResponse(_pieces(file), media_type="text/csv", headers=headers)


async def _pieces(file: Blob) -> AsyncIterator[bytes]:
    for piece in file.read_chunks():
        yield piece
        await anyio.lowlevel.checkpoint()


async def _exclusions(context: ControlContext, request: ControlRequest) -> tuple[ExclusionRow, ...]:
    del request
    return queries.exclusions(context.account, await context.catch_up())


async def _exclude(context: ControlContext, request: ControlRequest) -> None:
    await context.catch_up()
    context.emulator.exclude(request.body.email)


async def _templates(context: ControlContext, request: ControlRequest) -> tuple[TemplateView, ...]:
    del request
    with context.account.lock:
        found = context.account.templates.all.values()
        return tuple(TemplateView(id=each.id, name=each.name, html=each.html) for each in found)


async def _add_template(context: ControlContext, request: ControlRequest) -> TemplateView:
    await context.catch_up()
    made = context.emulator.add_template(request.body.name, request.body.html)
    return TemplateView(id=made.id, name=made.name, html=made.html)


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/lists",
        name="lists",
        summary="Show the lists (群組), the newest first.",
        run=_lists,
        answers=tuple[ListRow, ...],
    ),
    Endpoint(
        method="POST",
        path="/lists",
        name="add_list",
        summary="Create an empty list, or a segment, which always contains all contacts.",
        run=_add_list,
        body=ListBody,
        answers=ListRow,
        status=201,
    ),
    Endpoint(
        method="GET",
        path="/lists/{sn}",
        name="list",
        summary="Show one list.",
        run=_list,
        answers=ListRow,
    ),
    Endpoint(
        method="GET",
        path="/lists/{sn}/contacts",
        name="list_contacts",
        summary="Search the contacts of one list.",
        run=_contacts,
        query=ContactsQuery,
        answers=ContactsFound,
    ),
    Endpoint(
        method="GET",
        path="/contacts",
        name="contacts",
        summary="Search the contacts of the account.",
        run=_contacts,
        query=ContactsQuery,
        answers=ContactsFound,
        may_be_missing=True,
    ),
    Endpoint(
        method="GET",
        path="/contacts/{email}",
        name="contact",
        summary="Show one contact with the codes of its lists.",
        run=_contact,
        answers=ContactView,
    ),
    Endpoint(
        method="GET",
        path="/imports",
        name="imports",
        summary="Show the imports, the newest first.",
        run=_imports,
        answers=tuple[ImportRow, ...],
    ),
    Endpoint(
        method="GET",
        path="/imports/{sn}",
        name="import",
        summary="Show one import, and the first of its rejected rows.",
        run=_import,
        answers=ImportView,
    ),
    Endpoint(
        method="GET",
        path="/imports/{sn}/rejected.csv",
        name="rejected_rows",
        summary="Download the rejected rows of an import.",
        run=_rejected,
        answers="text/csv",
    ),
    Endpoint(
        method="GET",
        path="/exclusions",
        name="exclusions",
        summary="Show the excluded addresses (無效會員), the latest first.",
        run=_exclusions,
        answers=tuple[ExclusionRow, ...],
    ),
    Endpoint(
        method="POST",
        path="/exclusions",
        name="exclude",
        summary="Exclude an address: it gets no further mail.",
        run=_exclude,
        body=ExclusionBody,
        status=204,
    ),
    Endpoint(
        method="GET",
        path="/templates",
        name="templates",
        summary="Show the templates (範本), the oldest first.",
        run=_templates,
        answers=tuple[TemplateView, ...],
    ),
    Endpoint(
        method="POST",
        path="/templates",
        name="add_template",
        summary="Add a template.",
        run=_add_template,
        body=TemplateBody,
        answers=TemplateView,
        status=201,
    ),
)
