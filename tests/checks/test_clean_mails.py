"""Mails as they are really sent: nothing in them is worth a warning."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from newsleopard_async.checks.check import check_campaign
from newsleopard_async.models import GoogleAnalytics, SendAt
from tests.checks.examples import NOW, campaign

MAILS = sorted((Path(__file__).parent / "mails").glob("*.html"))
COLUMNS = (
    "EMAIL",
    "NAME",
    "POINTS",
    "到期日",
    "訂單編號",
    "訂單金額",
    "出貨日",
    "活動網址",
    "圖片網址",
)


def test_there_are_mails() -> None:
    """An empty folder would let everything pass."""
    assert len(MAILS) >= 9


@pytest.mark.parametrize("mail", MAILS, ids=lambda mail: mail.stem)
def test_real_mail_raises_no_alarm(mail: Path) -> None:
    """A check that cries wolf is switched off, so these have neither error nor warning."""
    mailing = campaign(
        html=mail.read_text(encoding="utf-8"),
        subject="${NAME}，會員日 50% off，再享 20% [限時]",
        schedule=SendAt(NOW + timedelta(days=3)),
        ga=GoogleAnalytics("member-day", "edm"),
    )

    report = check_campaign(mailing, columns=COLUMNS, recipients=20_000, now=NOW)

    assert [str(each) for each in report if each.level != "note"] == []
    assert report.ok


@pytest.mark.parametrize("mail", MAILS, ids=lambda mail: mail.stem)
def test_real_mail_is_noted_only_where_there_is_something_to_note(mail: Path) -> None:
    """A note too is for what is there."""
    report = check_campaign(campaign(html=mail.read_text(encoding="utf-8")), columns=COLUMNS)

    assert [each.rule for each in report] == []
