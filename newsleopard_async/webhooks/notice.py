"""Reads the content of a webhook, which is only a hint to request the state from the API.

The documentation mentions two webhooks, for the state of an import and for the links of a report,
but not their format (T120). They are not signed, so anyone who knows the URL can send one (T121).
So any body is accepted, and its content is never trusted.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

import attrs

from newsleopard_async.disclosure import hides_variables
from newsleopard_async.models import ImportResult, ImportSn, ReportLink
from newsleopard_async.plain import Plain
from newsleopard_async.transport.settings import DEFAULT_BASE_URL
from newsleopard_async.transport.wire.answers import decode_import_result, decode_links
from newsleopard_async.transport.wire.values import Unread, WireError

__all__ = ["LARGEST_BODY_BYTES", "WebhookNotice", "parse_webhook"]

LARGEST_BODY_BYTES: Final = 65_536
"""Largest body that is read. Chosen: five times six links to report files, each with a presigned
query of 2,000 characters."""

_MOST_FIELDS: Final = 100
"""Fields of a form that are read. Chosen: ten times the nine fields of an import."""


@attrs.frozen(kw_only=True)
class WebhookNotice(Plain):
    """The content of a webhook. Do not trust it, because anyone can send it: request the API.

    ``repr`` and ``to_dict()`` hide the query of each presigned URL.

    Attributes:
        kind: ``import``, ``report``, or ``unknown`` if it cannot be read.
        import_result: The state of an import; its code is empty if the webhook has none.
        links: The links of a report.
    Source: POST to the ``webhookUrl`` of an import or an export; documented without format (T120)
    """

    kind: Literal["import", "report", "unknown"] = "unknown"
    import_result: ImportResult | None = None
    links: tuple[ReportLink, ...] = ()


@hides_variables
def parse_webhook(
    body: bytes | str | Mapping[str, Any] | list[Any], *, base_url: str = DEFAULT_BASE_URL
) -> WebhookNotice:
    """Read the body of a webhook; it never raises an error.

    It reads JSON, a form with JSON or with the fields, and a single URL. A body longer than 64 KiB
    is not read.

    Args:
        body: The body, or the result of a JSON reader.
        base_url: The base URL of the API. A link to this machine is accepted only if the API is
            also on this machine, for example an emulator.

    Returns: The content; its kind is ``unknown`` if nothing could be read.
    """
    for data in _readings(_text(body)):
        notice = _understood(data, base_url)
        if notice is not None:
            return notice
    return WebhookNotice()


def _text(body: object) -> str:
    """Return a body as text; empty if it is too long, or cannot be JSON."""
    if isinstance(body, (Mapping, list)):
        try:
            body = json.dumps(dict(body) if isinstance(body, Mapping) else body)
        except (RecursionError, TypeError, ValueError):
            return ""
    if not isinstance(body, (bytes, str)) or len(body) > LARGEST_BODY_BYTES:
        return ""
    text = body if isinstance(body, str) else body.decode("utf-8", "replace")
    return text.removeprefix("\ufeff").strip()


def _readings(text: str) -> Iterator[object]:
    """Yield the possible readings of a text: JSON, JSON in a form, the form, a URL."""
    with contextlib.suppress(RecursionError, ValueError):
        yield json.loads(text)
        return
    with contextlib.suppress(ValueError):
        form = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        for each in (each for pair in form for each in pair if each.startswith(("{", "["))):
            with contextlib.suppress(RecursionError, ValueError):
                yield json.loads(each)
        yield dict(form)
    yield text


def _understood(data: object, base_url: str) -> WebhookNotice | None:
    """Return the content as a webhook, or None; an import has its code, a report has links."""
    result = _import_result(data, base_url)
    links = _links(data, base_url)
    if links and not (result and result.import_sn):
        return WebhookNotice(kind="report", links=links)
    if result and (result.import_sn or result.status.is_known):
        return WebhookNotice(kind="import", import_result=result)
    return None


def _import_result(data: object, base_url: str) -> ImportResult | None:
    try:
        return decode_import_result(data, Unread(), requested=ImportSn(""), base_url=base_url)
    except WireError:
        return None


def _links(data: object, base_url: str) -> tuple[ReportLink, ...]:
    try:
        return decode_links(data, Unread(), base_url=base_url)
    except WireError:
        return ()
