"""Answers of the endpoints that only the vendor's notes have, in every form that may come."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from newsleopard_async.models import (
    Balance,
    CampaignMetrics,
    CampaignSn,
    CampaignState,
    CampaignStatus,
    DeleteOutcome,
    EventOutcome,
    OnceTicket,
    Template,
)
from newsleopard_async.transport.wire import later_answers
from newsleopard_async.transport.wire.values import Unread, WireError

SN = CampaignSn("402810c26cb86ad7016cb8b2414a0003")
OTHER = CampaignSn("402810c26cb86ad7016cb8b2414a0004")
THIRD = CampaignSn("402810c26cb86ad7016cb8b2414a0005")
URL = "https://s3.amazonaws.com/once.csv?X-Amz-Signature=1"
WHEN = datetime(2019, 4, 1, 8, 38, 32, tzinfo=UTC)
WRITTEN = "2019-04-01T08:38:32Z"

decode_status = functools.partial(later_answers.decode_status, requested=SN)
decode_deleted = functools.partial(later_answers.decode_deleted, requested=(SN, OTHER, THIRD))
decode_template = functools.partial(later_answers.decode_template, requested="7")


def read(decode: Any, answer: object) -> tuple[Any, str]:
    """Decode an answer, and return what could not be read of it as well."""
    unread = Unread()
    return decode(answer, unread), str(unread)


def problem_of(decode: Any, answer: object) -> str:
    """Return what is wrong with an answer that decides something."""
    with pytest.raises(WireError) as caught:
        decode(answer, Unread())
    return str(caught.value)


@pytest.mark.parametrize(
    ("answer", "expected", "unread"),
    [
        ({"email": 10, "sms": 20}, Balance(mails=10, sms=20), ""),
        ({"email": "1,000", "sms": "0"}, Balance(mails=1000, sms=0), ""),
        ({"email": 10.0, "sms": None}, Balance(mails=10), ""),
        ({"data": {"email": 10, "sms": 20}}, Balance(mails=10, sms=20), ""),
        ({"email": 10, "sms": 20, "data": {}}, Balance(mails=10, sms=20), ""),
        ({"data": {"sms": 20}, "result": {}}, Balance(sms=20), ""),
        ({"email": -1, "sms": "many"}, Balance(), "$.email is below 0, $.sms is not a number"),
        ({}, Balance(), "$ has neither email nor sms"),
        ({"credits": {"email": 10}}, Balance(), "$ has neither email nor sms"),
        (10, Balance(mails=10), ""),
        ("10", Balance(mails=10), ""),
    ],
)
def test_balance_is_read(answer: object, expected: Balance, unread: str) -> None:
    """Numbers can be text, a single number is that of mails, and a missing value is unknown."""
    assert read(later_answers.decode_balance, answer) == (expected, unread)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"sendTimeType": "NOW", "type": "REGULAR", "channel": 0},
            {"send_time": "NOW", "kind": "REGULAR", "channel": "MAIL"},
        ),
        (
            {"sendTimeType": 1, "type": "1", "channel": "1"},
            {"send_time": "SCHEDULED", "kind": "A_B_TEST", "channel": "SMS"},
        ),
        (
            {"sendTimeType": 7, "type": "drip", "channel": "email"},
            {"send_time": "7", "kind": "DRIP", "channel": "EMAIL"},
        ),
        ({"sendTimeType": "", "type": None, "channel": " "}, {}),
        ({"hasContent": [True, False]}, {"has_content": (True, False)}),
        ({"hasContent": True}, {"has_content": (True,)}),
        ({"hasContent": None}, {}),
        ({"name": 618, "proportion": "20"}, {"name": "618", "proportion": 20}),
        (
            {"scheduledDate": WRITTEN, "sentBeginDate": WRITTEN},
            {"scheduled": WHEN, "sent_begin": WHEN},
        ),
        (
            {"scheduleDate": WRITTEN, "sentStartAt": WRITTEN, "sentEndAt": WRITTEN},
            {"scheduled": WHEN, "sent_begin": WHEN, "sent_end": WHEN},
        ),
        (
            {"sentEndDate": WRITTEN, "updateDate": WRITTEN},
            {"sent_end": WHEN, "updated": WHEN},
        ),
        ({"sn": SN, "campaignSn": SN}, {}),
    ],
)
def test_status_is_read(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    """Words may be numbers, and numbers text; other documents have other names (T125)."""
    status = CampaignStatus(sn=SN, state=CampaignState.SENDING, **expected)

    assert read(decode_status, {"status": "SENDING", **fields}) == (status, "")


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("SENT", CampaignState.COMPLETE),
        (" sending ", CampaignState.SENDING),
        ("QUEUED", CampaignState("QUEUED")),
    ],
)
def test_state_is_an_open_word(word: str, state: CampaignState) -> None:
    """``SENT`` is the end, and an unknown word is not (T124)."""
    status, unread = read(decode_status, {"status": word})

    assert (status.state, unread) == (state, "")
    assert status.state.is_final == (word == "SENT")


def test_status_beside_a_wrapper_is_not_that_of_the_campaign() -> None:
    """An answer may be wrapped, and say of itself how it went."""
    answer = {"status": "OK", "data": {"sn": SN, "status": "STOP", "name": "週年慶"}}

    status, _ = read(decode_status, answer)

    assert (status.state, status.name) == (CampaignState.STOP, "週年慶")


def test_status_of_another_campaign_is_noticed() -> None:
    """The model names the campaign that the answer names."""
    status, unread = read(decode_status, {"sn": OTHER, "status": "STOP"})

    assert status.sn == OTHER
    assert unread == "$.sn names another campaign than the requested one"


def test_what_decides_nothing_of_a_status_may_be_unreadable() -> None:
    """A campaign is known to be sending, with any dates."""
    answer = {
        "status": "SENDING",
        "sn": "a/b",
        "hasContent": ["yes"],
        "channel": [],
        "scheduledDate": "soon",
    }

    status, unread = read(decode_status, answer)

    assert status == CampaignStatus(sn=SN, state=CampaignState.SENDING)
    assert unread == (
        "$.sn is a code that cannot be part of a request, $.channel is not a number, "
        "$.scheduledDate is not a time, $.hasContent is not an array of flags"
    )


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({}, "$.status is missing"),
        ({"status": 3}, "$.status is not text"),
        ({"status": " "}, "$.status is empty"),
        ({"data": {}}, "$.data.status is missing"),
        ([], "$ is not an object"),
    ],
)
def test_state_is_never_guessed(answer: object, problem: str) -> None:
    """Without a state the answer says nothing."""
    assert problem_of(decode_status, answer) == problem


@pytest.mark.parametrize(
    ("answer", "expected", "unread"),
    [
        (
            {"success": [SN], "sendingCampaign": [OTHER], "badCampaigns": [THIRD]},
            DeleteOutcome(deleted=(SN,), still_sending=(OTHER,), refused=(THIRD,)),
            "",
        ),
        (
            {"success": [SN, OTHER], "sendingCampaign": None},
            DeleteOutcome(deleted=(SN, OTHER), unmentioned=(THIRD,)),
            "",
        ),
        (
            {"data": {"success": [{"sn": SN}], "badCampaigns": [{"campaignSn": OTHER}]}},
            DeleteOutcome(deleted=(SN,), refused=(OTHER,), unmentioned=(THIRD,)),
            "",
        ),
        (
            {
                "success": [SN, OTHER, THIRD],
                "sendingCampaign": [OTHER],
                "badCampaigns": [THIRD, OTHER],
            },
            DeleteOutcome(deleted=(SN,), still_sending=(OTHER,), refused=(THIRD,)),
            "",
        ),
        (
            {"success": [SN, "another-code", {"name": "x"}, 1.5], "badCampaigns": "none"},
            DeleteOutcome(deleted=(SN,), unmentioned=(OTHER, THIRD)),
            "$.success[2] is missing, $.success[3] is not text, $.badCampaigns is not an array",
        ),
        ({}, DeleteOutcome(unmentioned=(SN, OTHER, THIRD)), ""),
    ],
)
def test_outcome_of_a_deletion_is_read(
    answer: object, expected: DeleteOutcome, unread: str
) -> None:
    """Only what is in ``success``, and in no other list, is deleted (T128)."""
    assert read(decode_deleted, answer) == (expected, unread)


def test_deletion_compares_codes_as_text() -> None:
    """A code that came as a number is its digits (T16)."""
    found, _ = read(
        functools.partial(later_answers.decode_deleted, requested=(CampaignSn("12"),)),
        {"success": [12]},
    )

    assert found == DeleteOutcome(deleted=(CampaignSn("12"),))


@pytest.mark.parametrize(
    "answer",
    [
        {"sn": SN, "url": URL},
        {"campaignSn": SN, "url": URL},
        {"data": {"campaign_sn": SN, "url": URL}},
    ],
)
def test_ticket_is_read(answer: object) -> None:
    """The code of the campaign has three names, and both may be wrapped (T64)."""
    assert read(later_answers.decode_once_ticket, answer) == (
        OnceTicket(campaign_sn=SN, url=URL),
        "",
    )


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"sn": SN}, "$.url is missing"),
        ({"sn": SN, "url": "ftp://x.example"}, "$.url is not an https URL"),
        ({"url": URL}, "$.sn is missing"),
    ],
)
def test_ticket_without_its_parts_is_refused(answer: object, problem: str) -> None:
    """Without a URL nothing can be sent (T122)."""
    assert problem_of(later_answers.decode_once_ticket, answer) == problem


ROW = {"campaignSn": SN, "reportType": "TOTAL", "recipientCnt": 100}
METRICS = CampaignMetrics(sn=SN, part="TOTAL", recipients=100)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([ROW], (METRICS,)),
        ({"campaigns": [ROW]}, (METRICS,)),
        ({"data": [ROW]}, (METRICS,)),
        (ROW, (METRICS,)),
        ([{"sn": SN, "reportType": " total ", "recipientCnt": "100"}], (METRICS,)),
        ([{"campaign_sn": SN}], (CampaignMetrics(sn=SN),)),
        ([{"campaignSn": 12, "reportType": None}], (CampaignMetrics(sn=CampaignSn("12")),)),
        ([], ()),
        ({"campaigns": []}, ()),
        (None, ()),
    ],
)
def test_rows_of_figures_are_found(answer: object, expected: object) -> None:
    """The rows are an array, in an object or not; none are none (T131)."""
    assert read(later_answers.decode_metrics, answer) == (expected, "")


def test_every_figure_is_read() -> None:
    """What is missing stays unknown, and is not 0."""
    row = {
        "campaignSn": SN,
        "name": "週年慶",
        "channel": "MAIL",
        "subject": "主旨",
        "sentStartAt": WRITTEN,
        "sentEndAt": WRITTEN,
        "reportType": "TEST_A",
        "recipientCnt": 1,
        "delivered": 2,
        "bounced": 3,
        "opened": 4,
        "clicked": 5,
        "distinctClickCnt": 6,
        "duplicateClickCnt": 7,
        "complained": 8,
        "unsubscribed": 0,
        "transactions": 9,
        "transactionRevenue": 1234.1,
    }
    expected = CampaignMetrics(
        sn=SN,
        part="TEST_A",
        name="週年慶",
        channel="MAIL",
        subject="主旨",
        sent_begin=WHEN,
        sent_end=WHEN,
        recipients=1,
        delivered=2,
        bounced=3,
        opened=4,
        clicked=5,
        distinct_clicks=6,
        duplicate_clicks=7,
        complained=8,
        unsubscribed=0,
        transactions=9,
        revenue=Decimal("1234.1"),
    )

    assert read(later_answers.decode_metrics, [row]) == ((expected,), "")


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        (12, "12"),
        (12.10, "12.1"),
        (" 0.10 ", "0.10"),
        ("-5", "-5"),
        ("12345678901234567.89", "12345678901234567.89"),
        ("", None),
        (None, None),
    ],
)
def test_money_is_read_as_it_is_written(written: object, amount: str | None) -> None:
    """A binary fraction would change the cents."""
    [row], unread = read(
        later_answers.decode_metrics, [{"campaignSn": SN, "transactionRevenue": written}]
    )

    assert (row.revenue, unread) == (None if amount is None else Decimal(amount), "")


def test_row_that_cannot_be_read_is_left_out_and_noted() -> None:
    """One odd row does not hide the others."""
    answer = [ROW, "odd", {"name": "no code"}, {"campaignSn": OTHER, "transactionRevenue": "NT$5"}]

    found, unread = read(later_answers.decode_metrics, answer)

    assert found == (METRICS, CampaignMetrics(sn=OTHER))
    assert unread == (
        "$[1] is not an object, $[2].campaignSn is missing, $[3].transactionRevenue is not a number"
    )


HTML = "<p>\u200b${NAME}</p>\n"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([{"id": "7", "name": "範本"}], (Template(id="7", name="範本"),)),
        ({"templates": [{"id": 7, "name": 618}]}, (Template(id="7", name="618"),)),
        ([{"sn": "t", "title": "範本", "html": " "}], (Template(id="t", name="範本"),)),
        ([{"templateSn": "t", "htmlContent": HTML}], (Template(id="t", html=HTML),)),
        ([{"templateId": "t", "content": HTML}], (Template(id="t", html=HTML),)),
        ([], ()),
        (None, ()),
    ],
)
def test_templates_are_read(answer: object, expected: object) -> None:
    """The names are those of the command line, or of the notes' other endpoints (T132)."""
    assert read(later_answers.decode_templates, answer) == (expected, "")


def test_template_of_a_list_may_have_unreadable_parts() -> None:
    """One odd template does not hide the others."""
    answer = [{"id": "7", "html": ["<p>"]}, {"id": "a/b"}, 5]

    found, unread = read(later_answers.decode_templates, answer)

    assert found == (Template(id="7"),)
    assert unread == (
        "$[0].html is not text, $[1].id is a code that cannot be part of a request, "
        "$[2] is not an object"
    )


@pytest.mark.parametrize(
    ("answer", "unread"),
    [
        ({"id": 7, "html": HTML}, ""),
        ({"html": HTML}, "$.id is missing"),
        ({"sn": "7", "html": "", "htmlContent": HTML}, ""),
        ({"data": {"id": "7", "content": HTML}}, ""),
    ],
)
def test_template_is_read_with_its_html_as_it_is(answer: object, unread: str) -> None:
    """No character of it is changed; without a code it gets the requested one."""
    assert read(decode_template, answer) == (Template(id="7", html=HTML), unread)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"id": 7, "name": "範本"}, "$.html is missing"),
        ({"id": 7, "html": " ", "content": None}, "$.html is missing"),
        ({"id": 7, "htmlContent": ["<p>"]}, "$.htmlContent is not text"),
        ({"data": {"id": 7}}, "$.data.html is missing"),
        ([], "$ is not an object"),
    ],
)
def test_template_without_html_is_refused(answer: object, problem: str) -> None:
    """A template that cannot be sent is none."""
    assert problem_of(decode_template, answer) == problem


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            {"success": ["a@example.com"], "failure": {"odd": "Invalid: address"}},
            EventOutcome(accepted=("a@example.com",), refused={"odd": "Invalid: address"}),
        ),
        ({"success": [], "failure": {"b": None}}, EventOutcome(refused={"b": ""})),
        ({"success": [], "failure": []}, EventOutcome()),
        ({"data": {"success": ["a"], "failure": {}}}, EventOutcome(accepted=("a",))),
    ],
)
def test_outcome_of_an_event_is_read(answer: object, expected: EventOutcome) -> None:
    """Each address has its reason, and a 200 may hold only failures (T134)."""
    assert read(later_answers.decode_event, answer) == (expected, "")


def test_reason_that_cannot_be_read_is_noted_without_the_address() -> None:
    """An address is in no log."""
    found, unread = read(
        later_answers.decode_event, {"success": [], "failure": {"b@example.com": 5}}
    )

    assert found == EventOutcome(refused={"b@example.com": ""})
    assert unread == "$.failure.… is not text"


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"status": "ok"}, "$.success is not an array of texts"),
        ({"success": ["a"]}, "$.failure is not an object"),
        ({"failure": {}}, "$.success is not an array of texts"),
        ({"success": [{"address": "a"}], "failure": {}}, "$.success is not an array of texts"),
        ({"success": [], "failure": ["b"]}, "$.failure is not an object"),
        ("ok", "$ is not an object"),
    ],
)
def test_outcome_of_an_event_needs_both_lists(answer: object, problem: str) -> None:
    """The fate of a mail is never guessed, and the problem contains no address."""
    assert problem_of(later_answers.decode_event, answer) == problem
