"""Campaigns that are fine, for tests that break one thing at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from newsleopard_async.checks.check import check_campaign
from newsleopard_async.models import (
    Campaign,
    ContentTest,
    GoogleAnalytics,
    Mailing,
    Sender,
    SenderTest,
    SubjectTest,
)
from newsleopard_async.models.findings import Finding
from tests.constants import SENDER

__all__ = [
    "COLUMNS",
    "NOW",
    "campaign",
    "content_test",
    "finding_of",
    "html",
    "rules_of",
    "sender_test",
    "subject_test",
    "with_text",
]

NOW: Final = datetime(2027, 3, 1, 2, tzinfo=UTC)
COLUMNS: Final = ("EMAIL", "NAME", "CITY", "會員等級", "Birth Day")


def html(body: str, *, head: str = '<meta charset="utf-8">') -> str:
    """Return a full document around a body, which begins in line 2."""
    return f"<!doctype html><html><head>{head}</head><body><p>文字</p>\n{body}\n</body></html>"


def campaign(**changes: Any) -> Campaign:
    """Build a campaign without fault but for the changes."""
    fields = {"name": "週年慶", "subject": "主旨", "sender": SENDER, "html": html("")}
    return Campaign(**{**fields, **changes})


def with_text(field: str, text: str) -> Campaign:
    """Build a campaign without fault but for one text of one line."""
    tracked = {"campaign": "a", "content": "b", field.partition(".")[2]: text}
    changes: dict[str, Any] = {
        "sender.name": {"sender": Sender(text, "a@a.example")},
        "ga.campaign": {"ga": GoogleAnalytics(tracked["campaign"], tracked["content"])},
    }
    changes["ga.content"] = changes["ga.campaign"]
    link = html('<a href="https://www.example.com/">x</a>')
    return campaign(html=link, **changes.get(field, {field: text}))


def _ab_test(**changes: Any) -> dict[str, Any]:
    fields = {"name": "週年慶", "subject": "主旨", "sender": SENDER, "html": html("")}
    share = {"proportion": 10, "wait": timedelta(hours=4)}
    return {**fields, **share, **changes}


def subject_test(a: str = "主旨", b: str = "另一個", **changes: Any) -> SubjectTest:
    """Build a test of the subject."""
    fields = _ab_test(**changes)
    del fields["subject"]
    return SubjectTest(**fields, subject_a=a, subject_b=b)


def sender_test(a: Sender, b: Sender, **changes: Any) -> SenderTest:
    """Build a test of the sender."""
    fields = _ab_test(**changes)
    del fields["sender"]
    return SenderTest(**fields, sender_a=a, sender_b=b)


def content_test(a: str, b: str, **changes: Any) -> ContentTest:
    """Build a test of the body."""
    fields = _ab_test(**changes)
    del fields["html"]
    return ContentTest(**fields, html_a=a, html_b=b)


def rules_of(mailing: Mailing, **known: Any) -> list[tuple[str, str, str, int | None]]:
    """Check, and return level, rule, field and line of everything that is found."""
    report = check_campaign(mailing, **known)
    return [(each.level, each.rule, each.field, each.line) for each in report]


def finding_of(rule: str, mailing: Mailing, **known: Any) -> Finding:
    """Check, and return the one finding of a rule."""
    [finding] = [each for each in check_campaign(mailing, **known) if each.rule == rule]
    return finding
