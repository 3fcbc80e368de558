"""A rehearsal shows the result of a send, and sends nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from newsleopard_async import (
    ContentTest,
    GoogleAnalytics,
    InvalidRequest,
    ListSn,
    Mailing,
    SendAt,
    Sender,
    from_plain,
)
from newsleopard_async.checks import context
from newsleopard_async.checks.page import Page, parse_page
from newsleopard_async.rehearsal import Rehearsal, rehearse
from tests.clients import csv_of
from tests.constants import AB_TESTS, CAMPAIGN
from tests.plainness import assert_exactly_plain
from tests.rehearsal.rehearsing import IN_A_YEAR, NOW, changed, rehearsed

pytestmark = pytest.mark.anyio


PAGE = "<!DOCTYPE html><html><head><title>a</title></head><body><p>${NAME}</p></body></html>"
REQUESTS = {"list_lists": 2, "create_list": 1, "submit_campaign": 1, "export_report": 1}


async def test_campaign_is_shown_as_it_would_go() -> None:
    """A rehearsal shows the number of mails, their time, and the cost."""
    shown = await rehearsed(changed(schedule=IN_A_YEAR), csv_of(150))

    assert (shown.ok, shown.problem) == (True, None)
    assert (shown.recipients, shown.duplicates, shown.rejected) == (150, 0, 0)
    assert (shown.contacts.rows, shown.contacts.unique) == (150, 150)
    assert shown.goes_out_at == IN_A_YEAR.when
    assert (shown.is_scheduled, shown.timezone) == (True, "Asia/Taipei")
    assert shown.requests.items() >= REQUESTS.items()
    assert shown.requests["upload"] == 1
    assert shown.requests_total == sum(shown.requests.values())


async def test_each_body_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shown findings are the findings that decided about the campaign."""
    parsed: list[str] = []

    def count(field: str, html: str) -> Page:
        parsed.append(field)
        return parse_page(field, html)

    monkeypatch.setattr(context, "parse_page", count)

    await rehearsed(CAMPAIGN)
    await rehearsed(AB_TESTS[2])

    assert parsed == ["html", "html_a", "html_b"]


async def test_mails_are_filled_with_the_first_rows() -> None:
    """The first three mails belong to the first three rows."""
    shown = await rehearsed(CAMPAIGN, csv_of(9))

    assert [mail.to for mail in shown.mails] == [f"user{n}@example.com" for n in range(3)]
    assert [mail.subject for mail in shown.mails] == [f"會員{n}，您的專屬優惠" for n in range(3)]
    assert [mail.html for mail in shown.mails] == [f"<p>會員{n}</p>" for n in range(3)]
    assert {mail.sender for mail in shown.mails} == {"電子豹 <service@example.com>"}


@pytest.mark.parametrize("mails", [0, 1, 5])
async def test_requested_number_of_mails_is_rendered(mails: int) -> None:
    """The number of mails can be chosen, and is never more than there are."""
    shown = await rehearsed(CAMPAIGN, csv_of(3), mails=mails)

    assert len(shown.mails) == min(mails, 3)


@pytest.mark.parametrize("test", AB_TESTS, ids=lambda each: each.plain_kind)
async def test_ab_test_is_shown_with_both_variants(test: Mailing) -> None:
    """Of a test there are the halves, the rest with its time, and mails of each variant."""
    shown = await rehearsed(changed(test, schedule=IN_A_YEAR), csv_of(100))

    assert shown.test is not None
    assert (shown.test.a, shown.test.b, shown.test.rest, shown.recipients) == (25, 25, 50, 100)
    assert shown.test.rest_goes_out_at == IN_A_YEAR.when + timedelta(hours=4)
    assert [mail.variant for mail in shown.mails] == ["A"] * 3 + ["B"] * 3
    assert shown.requests["submit_ab_test"] == 1
    assert shown.sent_by is not None
    assert shown.sent_by > shown.test.rest_goes_out_at


async def test_variants_show_what_is_tested() -> None:
    """The mails of a content test have one of the two bodies."""
    test = next(each for each in AB_TESTS if isinstance(each, ContentTest))

    shown = await rehearsed(test, csv_of(8), mails=1)

    assert [mail.html for mail in shown.mails] == ["<p>甲</p>", "<p>乙</p>"]


async def test_halves_can_be_smaller_than_requested() -> None:
    """Two mails of each variant are shown, under the right variant."""
    shown = await rehearsed(AB_TESTS[2], csv_of(8), mails=3)

    assert [mail.variant for mail in shown.mails] == ["A", "A", "B", "B"]


async def test_test_of_too_few_is_explained() -> None:
    """A test with two empty halves would be accepted, and end without a mail."""
    shown = await rehearsed(changed(AB_TESTS[0], proportion=99), csv_of(2))

    assert shown.problem is not None
    assert "INSUFFICIENT_RECIPIENT_FOR_TESTING" in shown.problem
    assert (shown.ok, shown.goes_out_at, shown.mails) == (False, None, ())


async def test_time_is_held() -> None:
    """A campaign of next year is rehearsed now; its whole duration is on another clock."""
    shown = await rehearsed(changed(schedule=IN_A_YEAR), csv_of(2))

    assert shown.duration is not None
    assert shown.duration > timedelta(days=365)
    assert shown.accepted_after is not None
    assert shown.accepted_after < timedelta(minutes=5)


async def test_time_begins_at_the_present() -> None:
    """Without ``now``, a rehearsal begins at the present time."""
    before = datetime.now(UTC)

    shown = await rehearse(CAMPAIGN, csv_of(2))

    assert before <= shown.began <= datetime.now(UTC)
    assert shown.goes_out_at is not None
    assert shown.began <= shown.goes_out_at
    assert not shown.is_scheduled


async def test_time_is_shown_on_the_clocks_of_its_zone() -> None:
    """The time is shown in UTC and in the time zone of the campaign."""
    when = datetime(2026, 7, 4, 9, 30, tzinfo=ZoneInfo("America/New_York"))

    shown = await rehearsed(changed(schedule=SendAt(when)), csv_of(2))

    assert shown.goes_out_local == when
    assert str(shown.goes_out_local) == "2026-07-04 09:30:00-04:00"
    assert "2026-07-04 09:30 America/New_York (2026-07-04 13:30 UTC)" in str(shown)


async def test_past_schedule_goes_nowhere() -> None:
    """A schedule in the past is an error of the check, and no mail is sent."""
    shown = await rehearsed(changed(schedule=SendAt(NOW - timedelta(days=1))))

    assert not shown.ok
    assert not shown.campaign.ok
    assert shown.problem is not None
    assert (shown.goes_out_at, shown.recipients, shown.mails) == (None, 0, ())


@pytest.mark.parametrize(
    "campaign",
    [
        changed(schedule=SendAt(datetime(9998, 12, 31, 23, tzinfo=UTC))),
        changed(AB_TESTS[0], schedule=IN_A_YEAR, wait=timedelta(days=365 * 8_000)),
        changed(AB_TESTS[0], wait=timedelta(days=900_000_000)),
    ],
)
async def test_time_beyond_the_calendar_is_a_problem(campaign: Mailing) -> None:
    """A schedule near the end of the calendar is a problem, not a traceback."""
    shown = await rehearsed(campaign)

    assert (shown.ok, shown.goes_out_at) == (False, None)
    assert shown.problem == "it would go out after the year 9000; nothing was tried"


async def test_unknown_placeholder_is_found_and_seen() -> None:
    """The check names it, and the mail shows it as it would arrive."""
    shown = await rehearsed(changed(html="<p>${NMAE}</p>"))

    assert not shown.ok
    assert shown.unfilled == ("NMAE",)
    assert {mail.html for mail in shown.mails} == {"<p>${NMAE}</p>"}


async def test_lists_of_the_account_are_not_known_here() -> None:
    """A campaign that names lists is rehearsed without them, and an assumption says so."""
    campaign = changed(lists=(ListSn("a"),), exclude_lists=(ListSn("b"),))

    shown = await rehearsed(campaign)

    assert shown.recipients == 3
    assert any("lists that the campaign itself names" in each for each in shown.assumed)


@pytest.mark.parametrize("address", ["unverified@example.com", "a@denied.example"])
async def test_any_sender_is_taken_for_verified(address: str) -> None:
    """The emulator's own refusals are not the platform's."""
    shown = await rehearsed(changed(sender=Sender("誰", address), html="<!-- 40014 -->\0${NAME}"))

    assert shown.problem is None
    assert shown.recipients == 3


async def test_warning_stops_only_the_strict() -> None:
    """A warning prevents the send if the caller is strict."""
    campaign, text = changed(html=PAGE), "EMAIL,NAME\na@example.com,\n"

    loose = await rehearsed(campaign, text)
    strict = await rehearsed(campaign, text, strict=True)

    assert (loose.ok, loose.problem) == (True, None)
    assert (strict.ok, strict.problem) == (False, "1 warning, which strict=True makes an error")
    assert "\nProblem     1 warning, which strict=True" in str(strict)


async def test_warnings_of_both_checks_are_counted_for_the_strict() -> None:
    """Findings of the contacts and of the campaign are counted together."""
    html = PAGE.replace("<p>", "<p><script>x</script>")

    shown = await rehearsed(changed(html=html), "EMAIL,NAME\na@example.com,\n", strict=True)

    assert (shown.contacts.ok, shown.campaign.ok) == (True, True)
    assert len(shown.contacts.warnings) == 1
    count = 1 + len(shown.campaign.warnings)
    assert count > 1
    assert shown.problem == f"{count} warnings, which strict=True makes errors"


async def test_strict_without_a_warning_is_not_a_problem() -> None:
    """A note never prevents the send, even with ``strict``."""
    shown = await rehearsed(changed(html=PAGE), csv_of(3).encode("utf-8-sig"), strict=True)

    assert [each.level for each in shown.contacts] == ["note"]
    assert (shown.ok, shown.problem) == (True, None)


async def test_limits_are_those_of_the_profile() -> None:
    """With the vendor's profile, the daily quota is larger, and an assumption names the notes."""
    shown = await rehearsed(CAMPAIGN, csv_of(120), profile="vendor-2026")

    assert (shown.ok, shown.quota_limit) == (True, 300_000)
    assert any("vendor's notes" in each for each in shown.assumed)


async def test_preheader_is_shown(tmp_path: Path) -> None:
    """It is part of the mail, and of the block above it, with the reader's values."""
    campaign = changed(preheader="預覽，${NAME}")

    shown = await rehearsed(campaign, csv_of(3), profile="vendor-2026", folder=tmp_path)

    assert shown.ok
    assert [mail.preheader for mail in shown.mails] == [f"預覽，會員{n}" for n in range(3)]
    assert "預覽" not in repr(shown)
    assert "Preheader:  預覽，會員0\n" in (tmp_path / "mail-1.html").read_text("utf-8-sig")
    assert not any("preheader" in each for each in shown.assumed)


async def test_placeholder_of_a_preheader_that_stays_is_named() -> None:
    """A name without a column is shown in the preheader as in any text."""
    shown = await rehearsed(changed(preheader="${NMAE}"), csv_of(3), profile="vendor-2026")

    assert shown.unfilled == ("NMAE",)
    assert {mail.preheader for mail in shown.mails} == {"${NMAE}"}


async def test_preheader_needs_the_profile_that_knows_it() -> None:
    """The documented platform refuses it, and the rehearsal shows the way out."""
    shown = await rehearsed(changed(preheader="預覽"), csv_of(3))

    assert not shown.ok
    assert "content.preheader" in (shown.problem or "")
    assert any('profile="vendor-2026" accept it' in each for each in shown.assumed)


async def test_quota_is_that_of_the_busiest_day() -> None:
    """Requests to the storage and requests of other days do not count."""
    shown = await rehearsed(changed(schedule=IN_A_YEAR), csv_of(150))

    of_sending = (
        "list_lists",
        "create_list",
        "start_file_import",
        "get_import",
        "get_balance",
        "submit_campaign",
    )
    of_report = ("get_links", "export_report")
    assert shown.quota_limit == 10_000
    assert shown.quota_used == max(
        sum(shown.requests[name] for name in names) for names in (of_sending, of_report)
    )


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"mails": -1}, "mails", "range"),
    ({"mails": True}, "mails", "type"),
    ({"mails": "3"}, "mails", "type"),
    ({"now": datetime(2026, 1, 1)}, "now", "aware"),  # noqa: DTZ001 - the point
    ({"now": "today"}, "now", "type"),
    ({"now": datetime(1, 1, 1, tzinfo=UTC)}, "now", "range"),
    ({"now": datetime.max.replace(tzinfo=UTC)}, "now", "range"),
    ({"strict": 1}, "strict", "type"),
    ({"folder": 5}, "folder", "type"),
    ({"profile": "secret"}, "profile", "choice"),
    ({"max_rejected": -1}, "max_rejected", "range"),
    ({"max_rejected": "all"}, "max_rejected", "type"),
    ({"fix": "everything"}, "fix", "choice"),
    ({"fix": 3}, "fix", "choice"),
    ({"polling": 3}, "polling", "type"),
    ({"progress": 3}, "progress", "type"),
    ({"campaign": "a campaign"}, "campaign", "type"),
    ({"contacts": 3}, "contacts", "type"),
    ({"contacts": Path("not-there.csv")}, "contacts", "readable"),
]


@pytest.mark.parametrize(("options", "field", "rule"), WRONG)
async def test_wrong_argument_is_refused(options: dict[str, Any], field: str, rule: str) -> None:
    """An argument that cannot be used raises InvalidRequest."""
    given: dict[str, Any] = {"campaign": CAMPAIGN, "contacts": csv_of(1), "now": NOW, **options}

    with pytest.raises(InvalidRequest) as caught:
        await rehearse(given.pop("campaign"), given.pop("contacts"), **given)

    assert [(each.field, each.rule) for each in caught.value.problems] == [(field, rule)]


async def test_plain_data_is_json() -> None:
    """A pipeline can have all of it as JSON."""
    campaign = changed(AB_TESTS[0], schedule=IN_A_YEAR, ga=GoogleAnalytics("a", "b"))
    shown = await rehearsed(campaign, csv_of(40) + "nowhere,無\n", max_rejected=None)

    data = shown.to_dict()

    assert_exactly_plain(data)
    assert json.loads(json.dumps(data)) == data
    assert data["goes_out_at"] == "2027-06-01T02:00:00Z"
    assert data["goes_out_local"] == "2027-06-01T10:00:00+08:00"
    assert data["contacts"]["ok"] is False
    assert data["requests_total"] == shown.requests_total
    assert from_plain(Rehearsal, data).to_dict() == data


async def test_neither_repr_nor_text_shows_a_contact() -> None:
    """The log and the output contain no address, no name and no mail."""
    text = "EMAIL,NAME,CITY\nsecret@example.com,王小明,秘密市\nsecret-nowhere,陳大文,秘密市\n"
    campaign = changed(html="<p>${NAME} ${CITY}</p>")

    shown = await rehearsed(campaign, text, max_rejected=None)

    assert "王小明" in shown.mails[0].html
    for written in (repr(shown), str(shown), repr(shown.mails)):
        assert not any(secret in written for secret in ("secret", "王小明", "陳大文", "秘密市"))
