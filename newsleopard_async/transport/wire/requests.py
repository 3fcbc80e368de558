"""Bodies of submits, written from models.

Flat campaigns become ``form``, ``content`` and ``config``. The documents contradict each other in
some fields; these bodies follow the published documentation:

- ``content`` is at the top level for every kind of A/B test (T95);
- ``excludeLists`` and all three fields of the schedule are always present (T67, T69);
- the flags of Google Analytics are text (T76), codes are integers (T87);
- times are UTC with ``Z`` (T71, T74);
- a preheader is present only if the caller has set it: the published documentation has none (T82).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, assert_never

from newsleopard_async.models.ab_test import (
    ABTest,
    ContentTest,
    Mailing,
    SenderTest,
    SubjectTest,
)
from newsleopard_async.models.campaign import BaseMailing, Campaign, GoogleAnalytics, Sender
from newsleopard_async.models.schedule import Schedule, SendAt
from newsleopard_async.models.timezones import Timezone

__all__ = [
    "encode_ab_test",
    "encode_campaign",
    "encode_once",
    "encode_submission",
    "format_query_date",
    "format_schedule_date",
]

Json = dict[str, Any]

# The documented values of three fields (T69, T93 to T98).
_NOW: Final = 0  # config.schedule.type
_SCHEDULED: Final = 1  # config.schedule.type
_ON_SUBJECT: Final = 1  # content.testingOn
_ON_SENDER: Final = 2  # content.testingOn
_ON_CONTENT: Final = 3  # content.testingOn
_HOURS: Final = 0  # content.testing.unit
_DAYS: Final = 1  # content.testing.unit
_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)


def encode_submission(mailing: Mailing, now: datetime) -> Json:
    """Write the body of a submit, of a campaign or of an A/B test."""
    if isinstance(mailing, Campaign):
        return encode_campaign(mailing, now)
    return encode_ab_test(mailing, now)


def encode_once(mailing: Mailing, now: datetime) -> Json:
    """Write the body of a campaign with uploaded recipients: it selects no lists.

    Source: POST /v1/campaign/normal/once and …/testing/once; notes 2026, the body is assumed
    (T122).
    """
    body = encode_submission(mailing, now)
    form = {name: value for name, value in body["form"].items() if name != "selectedLists"}
    return {**body, "form": form}


def encode_campaign(campaign: Campaign, now: datetime) -> Json:
    """Write the body of a submit.

    Args:
        now: The time that ``SendNow`` sends; timezone-aware.

    Source: POST /v1/campaign/normal/submit; documented.
    """
    content = {
        "subject": campaign.subject,
        **_sender(campaign.sender),
        "htmlContent": campaign.html,
        **_preheader(campaign.preheader),
    }
    return _body(campaign, now, content)


def encode_ab_test(ab_test: ABTest, now: datetime) -> Json:
    """Write the body of an A/B submit.

    Args:
        now: The time that ``SendNow`` sends; timezone-aware.

    Source: POST /v1/campaign/testing/submit; documented, see T93 to T98.
    """
    content = {**_tested_content(ab_test), "testing": _testing(ab_test)}
    return _body(ab_test, now, content)


def format_query_date(when: datetime) -> str:
    """Write a time for a query, with two fraction digits, as in the documentation (T105)."""
    return f"{_milliseconds(when)[:-1]}Z"


def format_schedule_date(when: datetime) -> str:
    """Write a time for a body, with three fraction digits, as in the samples (T74)."""
    return f"{_milliseconds(when)}Z"


def _milliseconds(when: datetime) -> str:
    if when.utcoffset() is None:
        raise ValueError("a naive datetime names no instant")
    return when.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")


def _body(mailing: BaseMailing, now: datetime, content: Json) -> Json:
    return {
        "form": {
            "name": mailing.name,
            "selectedLists": list(mailing.lists),
            "excludeLists": list(mailing.exclude_lists),
        },
        "content": {**content, "footerLang": int(mailing.footer)},
        "config": {"schedule": _schedule(mailing.schedule, now), "ga": _ga(mailing.ga)},
    }


def _schedule(schedule: Schedule, now: datetime) -> Json:
    if isinstance(schedule, SendAt):
        kind, timezone, when = _SCHEDULED, schedule.timezone, schedule.when
    else:
        kind, timezone, when = _NOW, Timezone.TAIPEI, now
    return {"type": kind, "timezone": timezone.code, "scheduleDate": format_schedule_date(when)}


def _ga(ga: GoogleAnalytics | None) -> Json:
    """Write the options of Google Analytics; flags are text, as documented (T76)."""
    if ga is None:
        return {"enable": "false", "ecommerceEnable": "false"}
    return {
        "enable": "true",
        "ecommerceEnable": "true" if ga.ecommerce else "false",
        "utmCampaign": ga.campaign,
        "utmContent": ga.content,
    }


def _sender(sender: Sender, variant: str = "") -> Json:
    return {f"fromName{variant}": sender.name, f"fromAddress{variant}": sender.address}


def _preheader(text: str | None, variant: str = "") -> Json:
    return {} if text is None else {f"preheader{variant}": text}


def _tested_content(ab_test: ABTest) -> Json:
    """Write only the fields of this kind of test (T96)."""
    match ab_test:
        case SubjectTest():
            return {
                "testingOn": _ON_SUBJECT,
                "subjectA": ab_test.subject_a,
                "subjectB": ab_test.subject_b,
                **_sender(ab_test.sender),
                "htmlContent": ab_test.html,
                **_preheader(ab_test.preheader_a, "A"),
                **_preheader(ab_test.preheader_b, "B"),
            }
        case SenderTest():
            return {
                "testingOn": _ON_SENDER,
                "subject": ab_test.subject,
                **_sender(ab_test.sender_a, "A"),
                **_sender(ab_test.sender_b, "B"),
                "htmlContent": ab_test.html,
                **_preheader(ab_test.preheader),
            }
        case ContentTest():
            return {
                "testingOn": _ON_CONTENT,
                "subject": ab_test.subject,
                **_sender(ab_test.sender),
                "htmlContentA": ab_test.html_a,
                "htmlContentB": ab_test.html_b,
                **_preheader(ab_test.preheader),
            }
        case _:
            assert_never(ab_test)


def _testing(ab_test: ABTest) -> Json:
    whole_days = not ab_test.wait % _DAY
    return {
        "proportion": ab_test.proportion,
        "time": ab_test.wait // (_DAY if whole_days else _HOUR),
        "unit": _DAYS if whole_days else _HOURS,
    }
