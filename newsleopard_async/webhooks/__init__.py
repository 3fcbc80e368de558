"""Webhooks of the platform, received: what they say."""

from __future__ import annotations

from newsleopard_async.webhooks.notice import WebhookNotice, parse_webhook

__all__ = ["WebhookNotice", "parse_webhook"]
