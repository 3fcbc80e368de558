"""What is in a webhook, as far as it can be read: a reason to ask the API, and no more.

The documentation names two webhooks, the state of an import and the links of a report, but not
the form of either (T120). They are not signed: anyone who knows the URL can send one (T121). So any
body is accepted, and none is believed.
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
"""How long a body is read. Chosen: six links to report files, each with a presigned query of
2,000 characters, take a fifth of it."""

_MOST_FIELDS: Final = 100
"""How many fields of a form are read. Chosen: an import has nine."""


@attrs.frozen(kw_only=True)
class WebhookNotice(Plain):
    """What is in a webhook. Do not believe it: anyone may have sent it, so ask the API.

    ``repr`` and ``to_dict()`` hide the query of each presigned URL.

    Attributes:
        kind: ``import``, ``report``, or ``unknown`` if it can be read as neither.
        import_result: The state of an import; its code is empty if the webhook does not name it.
        links: The links of a report.
    Source: POST to the ``webhookUrl`` of an import or an export; documented, its form is not (T120)
    """

    kind: Literal["import", "report", "unknown"] = "unknown"
    import_result: ImportResult | None = None
    links: tuple[ReportLink, ...] = ()


@hides_variables
def parse_webhook(
    body: bytes | str | Mapping[str, Any] | list[Any], *, base_url: str = DEFAULT_BASE_URL
) -> WebhookNotice:
    """Read the body of a webhook; it never raises.

    It reads JSON, a form that has JSON or the fields themselves, and a URL alone. A body that is
    longer than 64 KiB is not read.

    Args:
        body: The body as it came, or what a JSON reader made of it.
        base_url: Of the API. A link to this machine is taken only if the API is here too, as an
            emulator is.

    Returns: What could be read; its kind is ``unknown`` if that is nothing.
    """
    for data in _readings(_text(body)):
        notice = _understood(data, base_url)
        if notice is not None:
            return notice
    return WebhookNotice()


def _text(body: object) -> str:
    """Return a body as text, and none if it is too long, or nothing that JSON can be."""
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
    """Yield what a text may mean: itself as JSON, the JSON in a form, the form, a URL."""
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
    """Take data as a webhook; an import names itself, a report has links."""
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
