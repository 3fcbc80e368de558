"""Values with the same meaning in all tests: key, sender, campaigns, list, time, folder."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from newsleopard_async.models import (
    Campaign,
    ContentTest,
    Mailing,
    Sender,
    SenderTest,
    SubjectTest,
)

__all__ = [
    "AB_TESTS",
    "CAMPAIGN",
    "CONTENT_TEST",
    "KEY",
    "LIST_NAME",
    "MAILINGS",
    "OTHER_SENDER",
    "ROOT",
    "SENDER",
    "SENDER_TEST",
    "START",
    "SUBJECT_TEST",
]

ROOT: Final = Path(__file__).parents[1]
"""The repository."""
START: Final = datetime(2026, 1, 5, 2, tzinfo=UTC)
"""The time at which the clocks of tests begin."""
KEY: Final = "k3y-Th4t-No-One-May-See"
LIST_NAME: Final = "會員"
SENDER: Final = Sender("電子豹", "service@example.com")
OTHER_SENDER: Final = Sender("電子豹", "news@example.com")

_HTML: Final = "<p>${NAME}</p>"
CAMPAIGN: Final = Campaign(
    name="週年慶", subject="${NAME}，您的專屬優惠", sender=SENDER, html=_HTML
)
_TEST: Final[dict[str, Any]] = {"name": "測試", "proportion": 50, "wait": timedelta(hours=4)}
SUBJECT_TEST: Final = SubjectTest(
    subject_a="甲", subject_b="乙", sender=SENDER, html=_HTML, **_TEST
)
SENDER_TEST: Final = SenderTest(
    subject="主旨", sender_a=SENDER, sender_b=OTHER_SENDER, html=_HTML, **_TEST
)
CONTENT_TEST: Final = ContentTest(
    subject="主旨", sender=SENDER, html_a="<p>甲</p>", html_b="<p>乙</p>", **_TEST
)
AB_TESTS: Final = (SUBJECT_TEST, SENDER_TEST, CONTENT_TEST)
MAILINGS: Final[tuple[Mailing, ...]] = (CAMPAIGN, *AB_TESTS)
