"""A/B tests: T93 to T100."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from newsleopard_async import (
    ContentTest,
    InsufficientBalance,
    InvalidRequest,
    ListSn,
    SendAt,
    SenderTest,
    SubjectTest,
    check_campaign,
    with_lists,
)
from tests.clients import Reply, scripted
from tests.constants import (
    AB_TESTS,
    CONTENT_TEST,
    SENDER,
    SENDER_TEST,
    START,
    SUBJECT_TEST,
)
from tests.emulator.api import AB_BODY, changed
from tests.emulator.test_validation import HTML_TEST, NESTED
from tests.emulator.test_validation import SENDER_TEST as SENDER_BODY
from tests.points.cells import point, read
from tests.points.means import (
    HOUR,
    QUIET,
    SN,
    body_of,
    campaign_rules,
    codes_of,
    evolve,
    field_errors,
    judged,
    platform,
)


@point
@pytest.mark.parametrize("ab_test", AB_TESTS, ids=lambda each: each.plain_kind)
async def test_t93_client(ab_test: Any) -> None:
    """A refusal with status 400 is understood for all three kinds."""
    async with scripted(Reply({"code": "40017"}, 400)) as script:
        with pytest.raises(InsufficientBalance):
            await script.nl.campaigns.submit_ab_test(with_lists(ab_test, [ListSn(SN)]))


@point
@pytest.mark.parametrize("body", [AB_BODY, SENDER_BODY, HTML_TEST])
async def test_t93_emulator(body: dict[str, Any]) -> None:
    """All three kinds are refused alike."""
    wrong_date = changed(body, {"config.schedule.scheduleDate": "now"})
    unknown = changed(body, {"form.excludeLists": [SN]})
    missing = changed(body, {"form.name": ...})
    answers = [await judged(each) for each in (wrong_date, unknown, missing)]

    assert [codes_of(each) for each in answers] == [(400, 40020), (400, 40007), (400, 40001)]


@point
@pytest.mark.parametrize(
    ("wait", "time", "unit"), [(4 * HOUR, 4, 0), (24 * HOUR, 1, 1), (25 * HOUR, 25, 0)]
)
async def test_t94_client(wait: timedelta, time: int, unit: int) -> None:
    """``proportion``, ``time`` and ``unit`` are always sent."""
    for ab_test in AB_TESTS:
        testing = (await body_of(ab_test, wait=wait))["content"]["testing"]
        assert testing == {"proportion": 50, "time": time, "unit": unit}


@point
@pytest.mark.parametrize("name", ["proportion", "time", "unit"])
async def test_t94_emulator(name: str) -> None:
    """If one is missing, it is 40001."""
    path = f"content.testing.{name}"

    assert list(field_errors(await judged(changed(AB_BODY, {path: ...})))) == [path]


@point
async def test_t95_client() -> None:
    """``content`` stands at the top level, of every kind of test."""
    for ab_test in AB_TESTS:
        body = await body_of(ab_test)
        assert "content" in body
        assert "content" not in body["config"]


@point
async def test_t95_emulator() -> None:
    """Of a test of the content either place is taken, never both; a switch takes the top only."""
    both = changed(HTML_TEST, {"config.content": HTML_TEST["content"]})

    statuses = [(await judged(body)).status_code for body in (HTML_TEST, NESTED, both)]
    assert statuses == [200, 200, 400]
    for body, status in ((HTML_TEST, 200), (NESTED, 400)):
        assert (await judged(body, refuse_nested_content=True)).status_code == status


@point
async def test_t96_client() -> None:
    """Each kind has its own class, and their fields cannot be mixed."""
    variants: list[tuple[Any, set[str]]] = [
        (SUBJECT_TEST, {"subjectA", "subjectB"}),
        (SENDER_TEST, {"fromNameA", "fromNameB", "fromAddressA", "fromAddressB"}),
        (CONTENT_TEST, {"htmlContentA", "htmlContentB"}),
    ]
    for ab_test, names in variants:
        content = (await body_of(ab_test))["content"]
        assert {name for name in content if name[-1] in "AB"} == names
    with pytest.raises(TypeError):
        evolve(SUBJECT_TEST, html_a="x")
    assert len({SubjectTest, SenderTest, ContentTest}) == 3


@point
async def test_t96_emulator() -> None:
    """A field of another kind is ``InvalidTestingOnFields``, or ignored without ``strict``."""
    body = changed(AB_BODY, {"content.htmlContentA": "<p>A</p>"})

    assert set(field_errors(await judged(body))) == {"content", "content.htmlContentA"}
    assert (await judged(body, strict=False)).status_code == 200


@point
def test_t97_client() -> None:
    """The share is 1 to 99 whole percent; a half without recipients is refused by the check."""
    for proportion in (0, 100, 10.5, "10"):
        with pytest.raises(InvalidRequest):
            evolve(SUBJECT_TEST, proportion=proportion)
    small = evolve(SUBJECT_TEST, proportion=1)

    assert "test-too-small" in campaign_rules(small, recipients=199)
    assert "test-too-small" not in campaign_rules(small, recipients=200)


@point
@pytest.mark.parametrize(("proportion", "tested"), [(3.9, 2), (0, 0), (2, 2), (1, 0), (100, 100)])
async def test_t97_emulator(proportion: float, tested: int) -> None:
    """Each half is rounded down, and too few end in a state of their own."""
    async with platform(**QUIET) as (api, clock):
        body = changed(AB_BODY, {"content.testing.proportion": proportion})
        await api.submit(body, await api.filled_list(100))
        clock.advance(60)
        sent = len(api.emulator.outbox)
        clock.advance(7_200)

    state = api.emulator.campaigns[0].state(clock.now())
    assert sent == tested
    assert state == ("COMPLETE" if tested else "INSUFFICIENT_RECIPIENT_FOR_TESTING")


@point
def test_t98_client() -> None:
    """The wait is whole hours, and the check shows when the rest goes out."""
    for wait in (timedelta(), -HOUR, timedelta(minutes=90), 4):
        with pytest.raises(InvalidRequest):
            evolve(SUBJECT_TEST, wait=wait)
    report = check_campaign(evolve(SUBJECT_TEST, schedule=SendAt(START + HOUR)), now=START)

    [shown] = [each.message for each in report if each.rule == "main-send-time"]
    assert "2026-01-05 07:00:00 UTC" in shown


@point
@pytest.mark.parametrize(("unit", "wait_s"), [(1, 86_400), (0, 3_600)])
async def test_t98_emulator(unit: int, wait_s: float) -> None:
    """The wait begins with the test, and counts in hours or days."""
    async with platform(**QUIET) as (api, clock):
        body = changed(AB_BODY, {"content.testing.unit": unit})
        await api.submit(body, await api.filled_list(100))
        clock.advance(wait_s - 1)
        before = len(api.emulator.outbox)
        clock.advance(60)

    assert (before, len(api.emulator.outbox)) == (10, 100)


read("T99", "client", "that no measure is promised")


@point
@pytest.mark.parametrize(("a", "b", "winner"), [(0.0, 0.0, "A"), (0.0, 1.0, "B"), (1.0, 0.0, "A")])
async def test_t99_emulator(a: float, b: float, winner: str) -> None:
    """More opens win; a tie goes to A."""
    shares = {"open_share": a, "open_share_b": b, "bounce_share": 0.0, "open_delay_s": 60.0}
    async with platform(**shares) as (api, clock):
        await api.submit(AB_BODY, await api.filled_list(100))
        clock.advance(7_200)

    assert api.emulator.campaigns[0].winner == winner


@point
def test_t100_client() -> None:
    """Identical values are refused; values that only look different to a program are a warning."""
    for ab_test, change in (
        (SUBJECT_TEST, {"subject_b": "甲"}),
        (SENDER_TEST, {"sender_b": SENDER}),
        (CONTENT_TEST, {"html_b": "<p>甲</p>"}),
    ):
        with pytest.raises(InvalidRequest):
            evolve(ab_test, **change)
    for a, b in (("Sale", "sale"), ("Sale", " Sale "), ("Sale", "Sa\u200ble"), ("é", "e\u0301")):
        assert "same-variants" in campaign_rules(evolve(SUBJECT_TEST, subject_a=a, subject_b=b))


@point
async def test_t100_emulator() -> None:
    """Identical variants are taken."""
    body = changed(AB_BODY, {"content.subjectB": AB_BODY["content"]["subjectA"]})

    assert (await judged(body)).status_code == 200
