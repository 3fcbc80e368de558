"""Endpoints for the sent mails, and for campaigns.

The HTML of a mail runs no script, loads nothing and cannot leave its frame, because it can contain
tracking pixels and links to real servers. The headers do most of it: the ``sandbox`` forbids
scripts, forms, pop-ups and navigation of the page, and the browser loads only the content of the
mail itself. Headers cannot stop a preconnect, a refresh, a base for links, or a frame that loads
another page. So these are removed from the HTML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from starlette.responses import Response

from newsleopard_async.emulator.sandbox import campaigns, queries
from newsleopard_async.emulator.sandbox.bodies import (
    EmptyBody,
    OutboxQuery,
    ReaderBody,
    VariantQuery,
)
from newsleopard_async.emulator.sandbox.control.endpoint import (
    ControlContext,
    ControlRequest,
    Endpoint,
)
from newsleopard_async.emulator.sandbox.eml import encode_eml
from newsleopard_async.emulator.sandbox.mails import find_mails, mail_view
from newsleopard_async.emulator.sandbox.slices import in_slices
from newsleopard_async.emulator.sandbox.views import (
    CampaignRow,
    CampaignView,
    LookView,
    MailsFound,
    MailView,
    WebhookRow,
)

__all__ = ["ENDPOINTS", "FRAME_HEADERS", "framed"]


async def _outbox(context: ControlContext, request: ControlRequest) -> MailsFound:
    now = await context.catch_up()
    found = find_mails(context.account, request.query, now)
    return await in_slices(context.account, found)


async def _mail(context: ControlContext, request: ControlRequest) -> MailView:
    now = await context.catch_up()
    found = mail_view(context.account, request.path["id"], now)
    return await in_slices(context.account, found)


async def _mail_html(context: ControlContext, request: ControlRequest) -> Response:
    mail = await _mail(context, request)
    return _framed(mail.looks, request.query.variant)


def _framed(looks: Sequence[LookView], variant: str | None) -> Response:
    """Show one variant, by default the variant that was sent."""
    if variant is None:
        found = next((each for each in looks if each.is_sent), looks[0])
    else:
        named = {each.variant: each for each in looks}
        if variant not in named:
            raise LookupError(
                f"variant {variant} does not exist, because the campaign is not an A/B test; "
                "leave it out"
            )
        found = named[variant]
    content = framed(found.html).encode("utf-8", "replace")
    return Response(content, headers=FRAME_HEADERS, media_type="text/html")


FRAME_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
        "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
    ),
    "X-DNS-Prefetch-Control": "off",
}
"""The additional headers of an answer with a mail's HTML."""

_TAG: Final = re.compile(
    r"<(?:link|base|meta|i?frame|fencedframe|portal|object|embed)(?=[\s/>])", re.IGNORECASE
)
_HARMLESS_META: Final = re.compile(
    r"""<meta(?:\s+[a-z-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>=`]+))*\s*/?>""", re.IGNORECASE
)
_WAY_OUT: Final = re.compile(r"""\bhref(?=\s*=)(?!\s*=\s*["']?\s*(?:#|data:))""", re.IGNORECASE)
"""The target of a link. Chromium connects to it when the pointer is above the link, and no policy
forbids that. Targets in the mail itself and ``data:`` URLs are harmless."""

_VOID: Final = "<basefont"
"""An element that is allowed in a head and that browsers ignore."""


def framed(html: str) -> str:
    """Return HTML without ``<link>``, ``<base>``, ``<meta http-equiv>`` and frames.

    A link keeps its design but has no target. The target is in ``data-href``.

    The function replaces text, not the elements that a parser finds. So a browser cannot find the
    beginning of such a tag, even if the HTML around it is broken.
    """
    return _WAY_OUT.sub('href="#" data-href', _TAG.sub(_replacement, html))


def _replacement(found: re.Match[str]) -> str:
    meta = _HARMLESS_META.match(found.string, found.start())
    is_harmless = meta is not None and "http-equiv" not in meta[0].lower()
    return found[0] if is_harmless else _VOID


async def _mail_text(context: ControlContext, request: ControlRequest) -> Response:
    mail = await _mail(context, request)
    return Response(mail.text.encode("utf-8", "replace"), media_type="text/plain")


async def _mail_file(context: ControlContext, request: ControlRequest) -> Response:
    mail = await _mail(context, request)
    headers = {"Content-Disposition": f'attachment; filename="{mail.id}.eml"'}
    return Response(encode_eml(mail), media_type="message/rfc822", headers=headers)


async def _campaigns(context: ControlContext, request: ControlRequest) -> tuple[CampaignRow, ...]:
    del request
    return campaigns.campaigns(context.account, await context.catch_up())


async def _campaign(context: ControlContext, request: ControlRequest) -> CampaignView:
    now = await context.catch_up()
    return campaigns.campaign_view(context.account, request.path["sn"], now)


async def _campaign_html(context: ControlContext, request: ControlRequest) -> Response:
    campaign = await _campaign(context, request)
    return _framed(campaign.looks, request.query.variant)


async def _react(context: ControlContext, request: ControlRequest) -> None:
    await context.catch_up()
    body: ReaderBody = request.body
    context.emulator.react(body.email, body.action, campaign_sn=body.campaign_sn)


async def _webhooks(context: ControlContext, request: ControlRequest) -> tuple[WebhookRow, ...]:
    del request
    return queries.webhooks(context.account)


async def _deliver(context: ControlContext, request: ControlRequest) -> tuple[WebhookRow, ...]:
    del request
    await context.catch_up()
    return tuple(map(queries.webhook_row, await context.emulator.deliver_webhooks()))


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/outbox",
        name="outbox",
        summary="Search the sent mails, the newest first.",
        run=_outbox,
        query=OutboxQuery,
        answers=MailsFound,
        may_be_missing=True,
    ),
    Endpoint(
        method="GET",
        path="/outbox/{id}",
        name="mail",
        summary="Show one mail with its content.",
        run=_mail,
        answers=MailView,
    ),
    Endpoint(
        method="GET",
        path="/outbox/{id}/html",
        name="mail_html",
        summary="Show a mail's HTML; it runs nothing and loads nothing.",
        run=_mail_html,
        query=VariantQuery,
        answers="text/html",
    ),
    Endpoint(
        method="GET",
        path="/outbox/{id}/text",
        name="mail_text",
        summary="Show a mail as plain text.",
        run=_mail_text,
        answers="text/plain",
    ),
    Endpoint(
        method="GET",
        path="/outbox/{id}/eml",
        name="mail_file",
        summary="Download a mail as a file that mail programs open.",
        run=_mail_file,
        answers="message/rfc822",
    ),
    Endpoint(
        method="GET",
        path="/campaigns",
        name="campaigns",
        summary="Show the campaigns, the newest first.",
        run=_campaigns,
        answers=tuple[CampaignRow, ...],
    ),
    Endpoint(
        method="GET",
        path="/campaigns/{sn}",
        name="campaign",
        summary="Show one campaign with its timeline.",
        run=_campaign,
        answers=CampaignView,
    ),
    Endpoint(
        method="GET",
        path="/campaigns/{sn}/html",
        name="campaign_html",
        summary="Show a campaign's HTML with its placeholders.",
        run=_campaign_html,
        query=VariantQuery,
        answers="text/html",
    ),
    Endpoint(
        method="POST",
        path="/readers",
        name="react",
        summary="Record a reader's action on the latest mail to an address, or a bounce.",
        run=_react,
        body=ReaderBody,
        status=204,
        may_be_missing=True,
    ),
    Endpoint(
        method="GET",
        path="/webhooks",
        name="webhooks",
        summary="Show the webhooks that were tried or refused, the newest first.",
        run=_webhooks,
        answers=tuple[WebhookRow, ...],
    ),
    Endpoint(
        method="POST",
        path="/webhooks/deliver",
        name="deliver_webhooks",
        summary="Deliver the webhooks that are due now.",
        run=_deliver,
        body=EmptyBody,
        answers=tuple[WebhookRow, ...],
    ),
)
