"""Receives the platform's webhooks, reads them, and wakes the polls that wait for them.

The routes for web frameworks are in `newsleopard_async.webhooks.starlette` and
`newsleopard_async.webhooks.aiohttp`. Each of the two imports its framework.
"""

from __future__ import annotations

from newsleopard_async.webhooks.notice import WebhookNotice, parse_webhook
from newsleopard_async.webhooks.receiver import ExpectedWebhook, Webhooks

__all__ = ["ExpectedWebhook", "WebhookNotice", "Webhooks", "parse_webhook"]
