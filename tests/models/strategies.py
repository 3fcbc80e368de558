"""Hypothesis strategies for every model that a caller can build or the server can send."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
from hypothesis import strategies as st

from newsleopard_async.models import (
    Campaign,
    CampaignSn,
    ContactList,
    ContentTest,
    FooterLanguage,
    GoogleAnalytics,
    ImportResult,
    ImportSn,
    ImportStatus,
    ListSn,
    ReportLink,
    ReportType,
    SendAt,
    Sender,
    SenderTest,
    SendNow,
    SentCampaign,
    SubjectTest,
    Timezone,
)

SHORT = 50
"""Longest sender's name that the vendor's notes allow, in characters."""

lines = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=SHORT
).filter(str.strip)
pages = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
codes = st.text("0123456789abcdef-群組", min_size=1, max_size=32)
addresses = st.from_regex(r"[a-z0-9_+-]{1,20}@[a-z0-9]{1,20}\.(com|tw)", fullmatch=True)
instants = st.integers(0, 4 * 10**15).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)
counts = st.none() | st.integers(0, 10**9)
percents = st.none() | st.floats(0, 100)

senders = st.builds(Sender, lines, addresses)
schedules = st.builds(SendNow) | st.builds(SendAt, instants, st.sampled_from(Timezone))
preheaders = st.none() | lines
tracking = st.builds(GoogleAnalytics, campaign=lines, content=lines, ecommerce=st.booleans())


@st.composite
def _common(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the fields that all mailings share; no list is both selected and excluded."""
    drawn = draw(st.lists(codes, min_size=1, max_size=4, unique=True))
    split = draw(st.integers(1, len(drawn)))
    return {
        "name": draw(lines),
        "lists": [ListSn(code) for code in drawn[:split]],
        "exclude_lists": [ListSn(code) for code in drawn[split:]],
        "schedule": draw(schedules),
        "ga": draw(st.none() | tracking),
        "footer": draw(st.sampled_from(FooterLanguage)),
    }


@st.composite
def campaigns(draw: st.DrawFn) -> Campaign:
    """Draw a campaign."""
    return Campaign(
        **draw(_common()),
        subject=draw(lines),
        sender=draw(senders),
        html=draw(pages),
        preheader=draw(preheaders),
    )


@st.composite
def ab_tests(draw: st.DrawFn) -> SubjectTest | SenderTest | ContentTest:
    """Draw an A/B test of any kind."""
    common = {
        **draw(_common()),
        "proportion": draw(st.integers(1, 99)),
        "wait": timedelta(hours=draw(st.integers(1, 1000))),
    }
    subject, sender, html, preheader = draw(lines), draw(senders), draw(pages), draw(preheaders)
    match draw(st.sampled_from([SubjectTest, SenderTest, ContentTest])):
        case kind if kind is SubjectTest:
            other = draw(lines.filter(lambda text: text != subject))
            return SubjectTest(
                **common,
                subject_a=subject,
                subject_b=other,
                sender=sender,
                html=html,
                preheader_a=preheader,
                preheader_b=draw(preheaders),
            )
        case kind if kind is SenderTest:
            renamed = attrs.evolve(sender, address=f"b.{sender.address}")
            return SenderTest(
                **common,
                subject=subject,
                sender_a=sender,
                sender_b=renamed,
                html=html,
                preheader=preheader,
            )
        case _:
            return ContentTest(
                **common,
                subject=subject,
                sender=sender,
                html_a=html,
                html_b=f"{html}!",
                preheader=preheader,
            )


answers = st.one_of(
    st.builds(
        ContactList,
        sn=codes.map(ListSn),
        name=st.text(),
        subscribed_count=counts,
        excluded_count=counts,
        opened_rate_percent=percents,
        clicked_rate_percent=percents,
        status=st.text(),
        type=counts,
        created=st.none() | instants,
        updated=st.none() | instants,
    ),
    st.builds(
        ImportResult,
        import_sn=codes.map(ImportSn),
        status=st.sampled_from([*ImportStatus.known, "STRANGE"]).map(ImportStatus),
        file_count=counts,
        inserted=counts,
        duplicates=counts,
        errors=counts,
        created=st.none() | instants,
        completed=st.none() | instants,
        error_url=st.none() | st.just("https://storage.example/errors.csv"),
    ),
    st.builds(
        SentCampaign,
        sn=codes.map(CampaignSn),
        name=st.text(),
        sent_begin=st.none() | instants,
        sent_end=st.none() | instants,
    ),
    st.builds(
        ReportLink,
        type=st.sampled_from([*ReportType.known, "strange"]).map(ReportType),
        url=st.just("https://storage.example/report.csv"),
        created=st.none() | instants,
    ),
)
