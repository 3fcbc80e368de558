"""Campaigns and A/B tests: T64 to T100."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

from newsleopard_async import (
    APIError,
    Campaign,
    ContentTest,
    FieldError,
    FooterLanguage,
    GoogleAnalytics,
    InsufficientBalance,
    InvalidRequest,
    ListSn,
    Mailing,
    OutcomeUnknown,
    SendAt,
    Sender,
    SenderNotVerified,
    SenderTest,
    SubjectTest,
    Timezone,
    check_campaign,
    with_lists,
    workflows,
)
from newsleopard_async.models.error_codes import ERROR_TEXTS
from tests.clients import Reply, connected, csv_of, scripted
from tests.constants import (
    AB_TESTS,
    CAMPAIGN,
    CONTENT_TEST,
    MAILINGS,
    SENDER,
    SENDER_TEST,
    START,
    SUBJECT_TEST,
)
from tests.emulator.api import AB_BODY, BODY, changed
from tests.emulator.test_validation import HTML_TEST, NESTED
from tests.emulator.test_validation import SENDER_TEST as SENDER_BODY
from tests.faults.world import MemoryStore
from tests.points.cells import point, read
from tests.points.means import SN, codes_of, error_of, field_errors, platform, submit

HOUR = timedelta(hours=1)
QUIET = {"open_share": 0.0, "bounce_share": 0.0}


def evolve(mailing: Any, **changes: Any) -> Any:
    """Copy a campaign or a part of one with changes, also such as no type checker would take."""
    return attrs.evolve(mailing, **changes)


async def body_of(mailing: Mailing, **changes: Any) -> Any:
    """Return what the client sends of a campaign or a test."""
    ready = with_lists(evolve(mailing, **changes), [ListSn(SN)])
    async with scripted(Reply({"sn": "c"})) as script:
        if isinstance(ready, Campaign):
            await script.nl.campaigns.submit(ready)
        else:
            await script.nl.campaigns.submit_ab_test(ready)
        return script.wire.sent[0].json


def rules_of(mailing: Mailing, **known: Any) -> set[str]:
    """Return the rules that the check of a campaign reports."""
    return {each.rule for each in check_campaign(mailing, **known)}


async def judged(body: dict[str, Any], **switches: Any) -> Any:
    """Submit a body to a list of one hundred over the raw wire, and return the answer."""
    async with platform(**switches) as (api, _):
        return await api.submit(body, await api.filled_list(100))


def at(seconds: float) -> str:
    """Write a time as the documentation does, so long after the clock's start."""
    return f"{START + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.000Z"


@point
async def test_t65_client() -> None:
    """The code is stored at once; a campaign in doubt is looked for, and when is said."""
    store = MemoryStore()
    async with connected() as bench:
        options: dict[str, Any] = {"contacts": csv_of(3), "list_name": "會員", "checkpoint": store}
        first = await workflows.send_campaign(bench.nl, CAMPAIGN, **options)
        again = await workflows.send_campaign(bench.nl, CAMPAIGN, **options)
        assert first.campaign_sn == again.campaign_sn == bench.emulator.campaigns[0].sn

        bench.emulator.lose_reply_to("submit_campaign")
        with pytest.raises(OutcomeUnknown) as caught:
            await workflows.send_campaign(
                bench.nl, CAMPAIGN, contacts=csv_of(3), list_name="另", marker="#7f3a"
            )
        look_at = caught.value.look_again_at
        assert look_at is not None
        await bench.clock.sleep((look_at - bench.clock.now()).total_seconds())
        found = await workflows.find_campaign(bench.nl, "#7f3a", since=START)
        assert found is not None
        assert found.sn == bench.emulator.campaigns[1].sn


@point
async def test_t65_emulator() -> None:
    """A campaign is listed once its last mail has gone out."""
    async with platform(send_base_s=10, mails_per_s=10) as (api, clock):
        await api.submit(BODY, await api.filled_list(100))
        clock.advance(19.9)
        early = (await api.get("/v1/report/campaigns")).json()
        clock.advance(0.2)
        late = (await api.get("/v1/report/campaigns")).json()

    assert (len(early), len(late)) == (0, 1)


@point
async def test_t67_client() -> None:
    """``excludeLists`` is always sent."""
    for mailing in MAILINGS:
        assert (await body_of(mailing))["form"]["excludeLists"] == []
    body = await body_of(CAMPAIGN, exclude_lists=[ListSn("out")])
    assert body["form"]["excludeLists"] == ["out"]


@point
async def test_t67_emulator() -> None:
    """If it is missing, it is 40001; an unknown code is 40007."""
    missing = await judged(changed(BODY, {"form.excludeLists": ...}))
    unknown = await judged(changed(BODY, {"form.excludeLists": [SN]}))

    assert list(field_errors(missing)) == ["form.excludeLists"]
    assert codes_of(unknown) == (400, 40007)


@point
async def test_t68_client() -> None:
    """At least one list is wanted, each once, and none that is excluded too."""
    async with scripted() as script:
        with pytest.raises(InvalidRequest, match="lists"):
            await script.nl.campaigns.submit(CAMPAIGN)
    twice = with_lists(CAMPAIGN, [ListSn("a"), ListSn("b"), ListSn("a")])
    assert twice.lists == ("a", "b")
    with pytest.raises(InvalidRequest, match="exclude_lists"):
        evolve(twice, exclude_lists=[ListSn("b")])


@point
async def test_t68_emulator() -> None:
    """Each address of the union gets one mail, without the excluded; nobody at all is 40013."""
    async with platform(**QUIET) as (api, clock):
        one, two, out = [await api.filled_list(count) for count in (2, 4, 1)]
        await api.submit(changed(BODY, {"form.excludeLists": [out]}), one, two, one)
        assert codes_of(
            await api.submit(changed(BODY, {"form.excludeLists": [two]}), one, two)
        ) == (400, 40013)
        clock.advance(60)

    assert [mail.to for mail in api.emulator.outbox] == [f"u{n}@example.com" for n in (1, 2, 3)]


@point
async def test_t69_client() -> None:
    """All three fields of the schedule are always sent."""
    for schedule in ({}, {"schedule": SendAt(START + HOUR)}):
        for mailing in MAILINGS:
            sent = (await body_of(mailing, **schedule))["config"]["schedule"]
            assert sent.keys() == {"type", "timezone", "scheduleDate"}


@point
async def test_t69_emulator() -> None:
    """A missing field is 40001; without ``strict`` an immediate send needs its type only."""
    for name in ("type", "timezone", "scheduleDate"):
        answer = await judged(changed(BODY, {f"config.schedule.{name}": ...}))
        assert list(field_errors(answer)) == [f"config.schedule.{name}"]
    for kind, status in ((0, 200), (1, 400)):
        bare = changed(BODY, {"config.schedule": {"type": kind}})
        assert (await judged(bare, strict=False)).status_code == status


@point
async def test_t70_client() -> None:
    """An immediate send has the present time and TAIPEI's code."""
    for mailing in MAILINGS:
        assert (await body_of(mailing))["config"]["schedule"] == {
            "type": 0,
            "timezone": 21,
            "scheduleDate": at(0),
        }


@point
async def test_t70_emulator() -> None:
    """Only the form of the date counts, not its value."""
    path = "config.schedule.scheduleDate"
    old = await judged(changed(BODY, {path: "2019-07-05T06:00:28.000Z"}))
    bad = await judged(changed(BODY, {path: "now"}))

    assert (old.status_code, codes_of(bad)) == (200, (400, 40020))


@point
@pytest.mark.parametrize(
    ("zone", "code"),
    [
        (ZoneInfo("Asia/Tokyo"), Timezone.TOKYO.code),
        (ZoneInfo("Antarctica/Troll"), 21),
        (timezone(timedelta(hours=3)), 21),
        (UTC, 21),
    ],
)
async def test_t71_client(zone: Any, code: int) -> None:
    """The instant goes out in UTC, with the code of its zone, or TAIPEI's; the check shows both."""
    schedule = SendAt((START + HOUR).astimezone(zone))
    sent = (await body_of(CAMPAIGN, schedule=schedule))["config"]["schedule"]

    assert sent == {"type": 1, "timezone": code, "scheduleDate": at(3_600)}
    report = check_campaign(evolve(CAMPAIGN, schedule=schedule), now=START)
    [shown] = [each.message for each in report if each.rule == "send-time"]
    assert schedule.timezone.name in shown
    assert "2026-01-05 03:00:00 UTC" in shown


@point
@pytest.mark.parametrize("zone", [0, 21, 87])
async def test_t71_emulator(zone: int) -> None:
    """The date is the instant, whatever the zone."""
    schedule = {"type": 1, "timezone": zone, "scheduleDate": at(3_600)}
    async with platform() as (api, clock):
        await api.submit(changed(BODY, {"config.schedule": schedule}), await api.filled_list(1))
        clock.advance(7_200)

    assert api.emulator.campaigns[0].sent_begin == START + HOUR


@point
def test_t72_client() -> None:
    """Zones are found by their names, never by numbers."""
    assert Timezone.of("Asia/Taipei") is Timezone.of("TAIPEI") is Timezone.of("taipei")
    assert (Timezone.TAIPEI.code, Timezone.SYDNEY.code) == (21, 8)
    for number in (8, "8", "+8", "UTC+8"):
        with pytest.raises(InvalidRequest):
            Timezone.of(number)  # type: ignore[arg-type]  # which is what is refused


@point
@pytest.mark.parametrize(("code", "status"), [(0, 200), (87, 200), (88, 400), (-1, 400)])
async def test_t72_emulator(code: int, status: int) -> None:
    """A code outside 0 to 87 is 40001."""
    answer = await judged(changed(BODY, {"config.schedule.timezone": code}))

    assert answer.status_code == status
    if status == 400:
        assert list(field_errors(answer)) == ["config.schedule.timezone"]


@point
async def test_t73_client() -> None:
    """Each of the 88 zones is one of the IANA database, and an old rule moves no instant."""
    assert sorted(each.code for each in Timezone) == list(range(88))
    for each in Timezone:
        assert START.astimezone(each.zone).utcoffset() is not None
        schedule = SendAt(START + HOUR, timezone=each)
        sent = (await body_of(CAMPAIGN, schedule=schedule))["config"]["schedule"]
        assert (sent["timezone"], sent["scheduleDate"]) == (each.code, at(3_600))
    assert Timezone.RANGOON.zone.key == "Asia/Yangon"


read("T73", "emulator", "that it knows no more than the range of the codes; T72 tries the range")


@point
async def test_t74_client() -> None:
    """Three digits and ``Z`` are sent."""
    when = START + HOUR + timedelta(microseconds=123_456)
    sent = (await body_of(CAMPAIGN, schedule=SendAt(when)))["config"]["schedule"]

    assert sent["scheduleDate"] == "2026-01-05T03:00:00.123Z"


@point
@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("2026-01-05T02:00:00.00Z", 200),
        ("2026-01-05T02:00:00.000Z", 200),
        ("2026-01-05T02:00:00Z", 400),
        ("2026-01-05T02:00:00.0Z", 400),
        ("2026-01-05T02:00:00.000+00:00", 400),
        ("2026-01-05 02:00:00.000Z", 400),
        ("2026-02-30T02:00:00.000Z", 400),
    ],
)
async def test_t74_emulator(text: str, status: int) -> None:
    """Two or three digits with ``Z`` are taken; any other form is 40020."""
    answer = await judged(changed(BODY, {"config.schedule.scheduleDate": text}))

    assert codes_of(answer) == (status, None if status == 200 else 40020)


@point
async def test_t75_client() -> None:
    """A time that is not after now is refused and never moved; a short lead is a warning."""
    for seconds in (-1, 0):
        late = evolve(CAMPAIGN, schedule=SendAt(START + timedelta(seconds=seconds)))
        async with scripted() as script:
            with pytest.raises(InvalidRequest, match="not after now"):
                await script.nl.campaigns.submit(with_lists(late, [ListSn(SN)]))
    for minutes, warns in ((9, True), (11, False)):
        soon = evolve(CAMPAIGN, schedule=SendAt(START + timedelta(minutes=minutes)))
        assert ("short-lead" in rules_of(soon, now=START)) is warns


@point
@pytest.mark.parametrize(("seconds", "status"), [(59, 400), (60, 400), (61, 200), (10**9, 200)])
async def test_t75_emulator(seconds: float, status: int) -> None:
    """Any time in the future will do, otherwise it is 40019; filling the list took a minute."""
    schedule = {"type": 1, "timezone": 21, "scheduleDate": at(seconds)}
    answer = await judged(changed(BODY, {"config.schedule": schedule}))

    assert codes_of(answer) == (status, None if status == 200 else 40019)


GA = GoogleAnalytics(campaign="spring", content="logo")


@point
async def test_t76_client() -> None:
    """Flags are text."""
    off = (await body_of(CAMPAIGN))["config"]["ga"]
    on = (await body_of(CAMPAIGN, ga=GA))["config"]["ga"]

    assert (off["enable"], off["ecommerceEnable"]) == ("false", "false")
    assert (on["enable"], on["ecommerceEnable"]) == ("true", "false")


@point
@pytest.mark.parametrize(
    ("flag", "only_text", "status"),
    [("true", False, 200), (True, False, 200), ("true", True, 200), (True, True, 400)],
)
async def test_t76_emulator(flag: object, only_text: bool, status: int) -> None:
    """Text and booleans are taken, or text only."""
    body = changed(BODY, {"config.ga.enable": flag})

    assert (await judged(body, ga_strings_only=only_text)).status_code == status


@point
async def test_t77_client() -> None:
    """``ga`` is always sent, and its values cannot be empty."""
    sent = (await body_of(CAMPAIGN, ga=GA))["config"]["ga"]
    assert (sent["utmCampaign"], sent["utmContent"]) == ("spring", "logo")
    assert "ga" in (await body_of(CAMPAIGN))["config"]
    for values in (("", "logo"), ("spring", ""), (" ", "logo")):
        with pytest.raises(InvalidRequest):
            GoogleAnalytics(*values)


@point
@pytest.mark.parametrize("value", ["", None, ...])
@pytest.mark.parametrize("path", ["config.ga.utmCampaign", "config.ga.utmContent"])
async def test_t77_emulator(path: str, value: object) -> None:
    """A missing or empty value is 40001, with its field."""
    assert list(field_errors(await judged(changed(BODY, {path: value})))) == [path]


@point
async def test_t78_client() -> None:
    """``ecommerceEnable`` is always sent, and is true only with Google Analytics."""
    both = evolve(GA, ecommerce=True)

    assert (await body_of(CAMPAIGN, ga=both))["config"]["ga"]["ecommerceEnable"] == "true"
    assert (await body_of(CAMPAIGN))["config"]["ga"]["ecommerceEnable"] == "false"
    assert "ecommerce" not in attrs.fields_dict(Campaign)


@point
async def test_t78_emulator() -> None:
    """If it is missing, it is 40001."""
    answer = await judged(changed(BODY, {"config.ga.ecommerceEnable": ...}))

    assert list(field_errors(answer)) == ["config.ga.ecommerceEnable"]


@point
async def test_t79_client() -> None:
    """There are English and Chinese, 0 and 1."""
    assert {each.name: int(each) for each in FooterLanguage} == {"ENGLISH": 0, "CHINESE": 1}
    for footer in FooterLanguage:
        assert (await body_of(CAMPAIGN, footer=footer))["content"]["footerLang"] == footer


@point
@pytest.mark.parametrize(("value", "status"), [(0, 200), (1, 200), (2, 400), (-1, 400)])
async def test_t79_emulator(value: int, status: int) -> None:
    """Any other value is 40001."""
    answer = await judged(changed(BODY, {"content.footerLang": value}))

    assert codes_of(answer) == (status, None if status == 200 else 40001)


@point
async def test_t80_client() -> None:
    """The form of the address is checked; the three refusals arrive with their meaning."""
    for address in ("", "nobody", "a b@example.com", "a@"):
        with pytest.raises(InvalidRequest):
            Sender("電子豹", address)
    for code, kind in ((40011, SenderNotVerified), (40003, APIError), (40004, APIError)):
        error = await error_of(submit, {"code": str(code)}, 400)
        assert type(error) is kind
        assert ERROR_TEXTS[code].english in str(error)


@point
@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("nobody", 40003),
        ("a@denied.example", 40004),
        ("unverified@example.com", 40011),
        ("b@shop.tw", 40011),
        ("me@shop.tw", None),
    ],
)
async def test_t80_emulator(address: str, code: int | None) -> None:
    """Form, domain and verification are checked, of each address of a test."""
    listed = ("me@shop.tw", "@example.com") if "shop" in address else None
    for body, field in (
        (BODY, "fromAddress"),
        (SENDER_BODY, "fromAddressA"),
        (SENDER_BODY, "fromAddressB"),
    ):
        answer = await judged(changed(body, {f"content.{field}": address}), verified_senders=listed)
        assert codes_of(answer) == (200 if code is None else 400, code)


@point
async def test_t83_client() -> None:
    """Each placeholder is compared with the columns, and other products' syntax is a warning."""
    columns = ["EMAIL", "NAME", "CITY"]

    assert "unknown-placeholder" not in rules_of(CAMPAIGN, columns=columns)
    for change in ({"subject": "${CIYT}"}, {"html": "<p>${CIYT}</p>"}):
        assert "unknown-placeholder" in rules_of(evolve(CAMPAIGN, **change), columns=columns)
    others: list[dict[str, Any]] = [
        {"subject": "{{NAME}}"},
        {"html": "<p>{{NAME}}</p>"},
        {"html": '<a href="https://example.com/?n={{NAME}}">x</a>'},
        {"sender": Sender("{{NAME}}", "a@example.com")},
    ]
    for change in others:
        assert "foreign-placeholder" in rules_of(evolve(CAMPAIGN, **change), columns=columns)


@point
async def test_t85_client() -> None:
    """Empty and very large HTML are refused; a fragment and a link to unsubscribe are noticed."""
    for html in ("", "x" * 10_000_001):
        with pytest.raises(InvalidRequest):
            evolve(CAMPAIGN, html=html)
    fragment = evolve(CAMPAIGN, html='<p><a href="https://a.example/unsubscribe">x</a></p>')

    assert rules_of(fragment) >= {"html-fragment", "own-unsubscribe"}


@point
async def test_t85_emulator() -> None:
    """Empty HTML is 40001, and a marker makes it 40014."""
    empty = await judged(changed(BODY, {"content.htmlContent": ""}))
    marked = changed(BODY, {"content.htmlContent": "<p><!-- 40014 --></p>"})
    other = changed(BODY, {"content.htmlContent": "<p>bad</p>"})

    assert list(field_errors(empty)) == ["content.htmlContent"]
    assert codes_of(await judged(marked)) == (400, 40014)
    assert codes_of(await judged(other, invalid_content_marker="bad")) == (400, 40014)
    assert (await judged(marked, invalid_content_marker="bad")).status_code == 200


@point
@pytest.mark.parametrize("mailing", MAILINGS, ids=lambda each: each.plain_kind)
async def test_t86_client(mailing: Mailing) -> None:
    """No field is sent that is not documented: the schema of the description has no other."""
    body = await body_of(mailing, ga=GA, exclude_lists=[ListSn("out")])

    assert body.keys() == {"form", "content", "config"}
    assert body["form"].keys() == {"name", "selectedLists", "excludeLists"}
    assert body["config"].keys() == {"schedule", "ga"}


@point
async def test_t86_emulator() -> None:
    """An unknown field is 40001, or ignored without ``strict``."""
    body = changed(BODY, {"form.channel": 1, "colour": "red"})

    assert field_errors(await judged(body)) == {
        "colour": ["UnknownField"],
        "form.channel": ["UnknownField"],
    }
    assert (await judged(body, strict=False)).status_code == 200


@point
@pytest.mark.parametrize("mailing", MAILINGS, ids=lambda each: each.plain_kind)
async def test_t87_client(mailing: Mailing) -> None:
    """Codes are JSON integers."""
    body = await body_of(mailing)
    schedule, content = body["config"]["schedule"], body["content"]
    codes = [schedule["type"], schedule["timezone"], content["footerLang"]]
    if mailing is not CAMPAIGN:
        codes += [content["testingOn"], *content["testing"].values()]

    assert {type(code) for code in codes} == {int}


@point
@pytest.mark.parametrize("value", ["0", 0.5, True, None])
@pytest.mark.parametrize(
    "path", ["config.schedule.type", "config.schedule.timezone", "content.footerLang"]
)
async def test_t87_emulator(path: str, value: object) -> None:
    """Text, fractions and booleans are refused."""
    assert list(field_errors(await judged(changed(BODY, {path: value})))) == [path]


@point
async def test_t89_client() -> None:
    """Paths and rules are given and shown, of very many the first; text is the message."""
    fields = {f"content.field{number}": ["NotEmpty", "NotNull"] for number in range(60)}
    error = await error_of(submit, {"code": "40001", "invalidFields": fields}, 400)
    assert isinstance(error, FieldError)
    assert error.invalid_fields["content.field0"] == ("NotEmpty", "NotNull")
    assert (len(error.invalid_fields), error.omitted_fields) == (50, 10)
    assert "content.field4: NotEmpty, NotNull" in str(error)
    assert "and 55 more" in str(error)

    text = await error_of(submit, {"code": "40001", "invalidFields": "欄位相關錯誤訊息"}, 400)
    assert isinstance(text, FieldError)
    assert (text.invalid_fields, text.message) == ({}, "欄位相關錯誤訊息")


@point
async def test_t89_emulator() -> None:
    """An object maps paths to rules, the parent among them; a switch makes it text."""
    body = changed(AB_BODY, {"content.subjectA": ...})

    assert field_errors(await judged(body)) == {
        "content": ["InvalidTestingOnFields"],
        "content.subjectA": ["InvalidTestingOnFields"],
    }
    as_text = await judged(body, invalid_fields_as_text=True)
    assert isinstance(as_text.json()["invalidFields"], str)


@point
@pytest.mark.parametrize(
    ("recipients", "remaining", "read_as"),
    [(100, 30, (100, 30)), ("100", "30", (100, 30)), (None, "many", (None, None))],
)
async def test_t90_client(recipients: object, remaining: object, read_as: object) -> None:
    """Both numbers are read from number or text, or are None, and the text shows them."""
    answer = {"code": 40012, "recipients": recipients, "remaining": remaining}
    error = await error_of(submit, answer, 400)

    assert isinstance(error, InsufficientBalance)
    assert (error.recipients, error.remaining) == read_as
    assert ("100 mails to send, 30 left" in str(error)) is (read_as == (100, 30))


@point
async def test_t90_emulator() -> None:
    """Both are integers."""
    async with platform() as (api, _):
        api.emulator.balance = 30
        answer = await api.submit(BODY, await api.filled_list(100))

    assert answer.json() == {"code": 40012, "recipients": 100, "remaining": 30}


@point
async def test_t91_client() -> None:
    """Each code has a text of its own, in English and Chinese."""
    for code, text in ERROR_TEXTS.items():
        error = await error_of(submit, {"code": str(code)}, 400)
        assert text.english in str(error)
        assert text.chinese in str(error)


@point
async def test_t91_emulator() -> None:
    """A 400 has no ``message``; a 403 has one."""
    refused = await judged(changed(BODY, {"content.fromAddress": "nobody"}))
    async with platform() as (api, _):
        unknown = await api.get(f"/v1/report/{SN}/link")

    assert refused.json().keys() == {"code"}
    assert unknown.json().keys() == {"code", "message"}


@point
async def test_t92_client() -> None:
    """A code that is in no table is a refusal like any other."""
    error = await error_of(submit, {"code": "40099", "message": "新的"}, 400)

    assert type(error) is APIError
    assert error.code == 40099
    assert "新的" in str(error)


@point
async def test_t92_emulator() -> None:
    """Several faults at once are refused by the first code of a fixed order."""
    faults: list[tuple[int, dict[str, Any]]] = [
        (40001, {"content.subject": ""}),
        (40020, {"config.schedule.scheduleDate": "now"}),
        (40019, {"config.schedule.type": 1}),
        (40003, {"content.fromAddress": "nobody"}),
        (40014, {"content.htmlContent": "<!-- 40014 -->"}),
        (40007, {"form.excludeLists": [SN]}),
    ]
    for place, (code, _) in enumerate(faults):
        changes = {path: value for _, each in faults[place:] for path, value in each.items()}
        assert codes_of(await judged(changed(BODY, changes))) == (400, code)


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
    """Each kind is a class of its own, whose fields cannot be mixed."""
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

    assert "test-too-small" in rules_of(small, recipients=199)
    assert "test-too-small" not in rules_of(small, recipients=200)


@point
@pytest.mark.parametrize(("proportion", "tested"), [(0, 0), (1, 0), (5, 4), (100, 100)])
async def test_t97_emulator(proportion: int, tested: int) -> None:
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
@pytest.mark.parametrize(("unit", "wait_s"), [(0, 3_600), (1, 86_400)])
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
@pytest.mark.parametrize(("a", "b", "winner"), [(0.0, 1.0, "B"), (1.0, 0.0, "A"), (0.0, 0.0, "A")])
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
        assert "same-variants" in rules_of(evolve(SUBJECT_TEST, subject_a=a, subject_b=b))


@point
async def test_t100_emulator() -> None:
    """Identical variants are taken."""
    body = changed(AB_BODY, {"content.subjectB": AB_BODY["content"]["subjectA"]})

    assert (await judged(body)).status_code == 200
