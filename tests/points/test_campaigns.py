"""Campaigns: T64 to T92."""

from __future__ import annotations

import json
from datetime import UTC, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import httpx
import pytest

from newsleopard_async import (
    APIError,
    Campaign,
    CampaignFailed,
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
    Timezone,
    check_campaign,
    check_contacts,
    with_lists,
    workflows,
)
from newsleopard_async.emulator import Emulator
from newsleopard_async.models.error_codes import ERROR_TEXTS
from tests.clients import Reply, connected, csv_of, scripted
from tests.constants import (
    CAMPAIGN,
    CONTENT_TEST,
    MAILINGS,
    SENDER_TEST,
    START,
    SUBJECT_TEST,
)
from tests.emulator.api import AB_BODY, BODY, changed
from tests.emulator.test_validation import SENDER_TEST as SENDER_BODY
from tests.points.cells import point
from tests.points.means import (
    HOUR,
    QUIET,
    SN,
    at,
    body_of,
    campaign_rules,
    codes_of,
    error_of,
    evolve,
    field_errors,
    judged,
    list_lists,
    platform,
    result_of,
    submit,
    submitted,
)


@point
async def test_t64_client() -> None:
    """A submit in doubt is never repeated; a code in one clear place is taken, else it is doubt."""
    for fault in ("lose_reply_to", "cut_body", "garbage", "drop_request", "fail"):
        async with connected() as bench:
            getattr(bench.emulator, fault)("submit_campaign")
            with pytest.raises(OutcomeUnknown):
                await bench.nl.campaigns.submit(with_lists(CAMPAIGN, [await bench.make_list()]))
            assert bench.emulator.count("submit_campaign") == 1

    clear: list[Any] = [{"sn": "c"}, {"campaignSn": "c"}, {"data": {"sn": "c"}}, {"sn": 7}]
    clear += [{"campaign_sn": "c"}, {"result": {"sn": "c"}}, {"sn": "c", "campaignSn": "c"}]
    codes = [await result_of(submit, answer) for answer in clear]
    assert codes == ["c", "c", "c", "7", "c", "c", "c"]
    doubtful: list[Any] = [{}, {"sn": None}, {"sn": "a", "campaignSn": "b"}, {"id": "c"}, []]
    for answer in doubtful:
        error = await error_of(submit, answer)
        assert isinstance(error, OutcomeUnknown)
        assert error.status == 200
        assert error.excerpt == json.dumps(answer)

    async with connected() as bench:
        bench.emulator.lose_reply_to("submit_campaign")
        with pytest.raises(OutcomeUnknown, match=r"\[nl-[0-9a-f]{8}\]"):
            await workflows.send_campaign(bench.nl, CAMPAIGN, contacts=csv_of(3), list_name="a")
        assert bench.emulator.campaigns[0].body.name.startswith("週年慶 [nl-")


@point
async def test_t64_emulator() -> None:
    """Every accepted submit is a new campaign; a switch puts its code elsewhere."""
    async with platform() as (api, _):
        list_sn = await api.filled_list(1)
        answers = []
        for shape in ("sn", "campaignSn", "data"):
            api.emulator.switch(submit_shape=shape)
            answers.append((await api.submit(BODY, list_sn)).json())
        api.emulator.lose_reply_to("submit_campaign")
        with pytest.raises(httpx.RemoteProtocolError):
            await api.submit(BODY, list_sn)
        codes = [each.sn for each in api.emulator.campaigns]

    assert len(set(codes)) == 4
    assert answers == [{"sn": codes[0]}, {"campaignSn": codes[1]}, {"data": {"sn": codes[2]}}]


@point
async def test_t65_client(tmp_path: Path) -> None:
    """The code is stored immediately; a campaign in doubt is searched for at a named time."""
    store = tmp_path / "run.json"
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
async def test_t66_client() -> None:
    """What is reported is "accepted"; a later failure is a state, if the account shows any."""
    async with connected(profile="vendor-2026") as bench:
        bench.emulator.script_campaign("OVER_LIMIT")
        outcome = await workflows.send_campaign(
            bench.nl, CAMPAIGN, contacts=csv_of(3), list_name="會員"
        )
        await bench.clock.sleep(86_400)
        assert outcome.campaign_sn == bench.emulator.campaigns[0].sn
        assert len(bench.emulator.outbox) == 0
        assert await bench.nl.reports.list_campaigns() == ()
        with pytest.raises(CampaignFailed) as caught:
            await workflows.wait_for_campaign(bench.nl, outcome.campaign_sn)
        assert caught.value.status.state == "OVER_LIMIT"


@point
@pytest.mark.parametrize(
    ("state", "change"),
    [
        ("EMPTY_RECIPIENT", lambda emulator: emulator.exclude("u0@example.com")),
        (
            "UNAUTHENTICATED_SENDER",
            lambda emulator: emulator.switch(verified_senders=("a@b.cc",)),
        ),
        ("OVER_LIMIT", lambda emulator: setattr(emulator, "balance", 0)),
        ("COMPLETE", lambda emulator: None),
    ],
)
async def test_t66_emulator(state: str, change: Any) -> None:
    """What fails at the time of sending ends in a state of the notes; any can be scripted."""
    schedule = {"type": 1, "timezone": 21, "scheduleDate": at(7_200)}
    async with platform(**QUIET) as (api, clock):
        list_sn = await api.filled_list(1)
        await api.submit(changed(BODY, {"config.schedule": schedule}), list_sn)
        if state == "OVER_LIMIT":
            await api.import_text("EMAIL,NAME\nlate@example.com,x\n", list_sn)
        change(api.emulator)
        clock.advance(86_400)
        assert api.emulator.campaigns[0].state(clock.now()) == state
        assert len(api.emulator.outbox) == (state == "COMPLETE")
        assert bool((await api.get("/v1/report/campaigns")).json()) is (state == "COMPLETE")

    async with platform() as (api, clock):
        api.emulator.script_campaign("PAUSED")
        await api.submit(BODY, await api.filled_list(1))
        clock.advance(60)
        assert api.emulator.campaigns[0].state(clock.now()) == "PAUSED"


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
    """At least one list is required; no list occurs twice or is also excluded."""
    async with scripted() as script:
        with pytest.raises(InvalidRequest, match="lists"):
            await script.nl.campaigns.submit(CAMPAIGN)
    twice = with_lists(CAMPAIGN, [ListSn("a"), ListSn("b"), ListSn("a")])
    assert twice.lists == ("a", "b")
    with pytest.raises(InvalidRequest, match="exclude_lists"):
        evolve(twice, exclude_lists=[ListSn("b")])


@point
async def test_t68_emulator() -> None:
    """Each address of the union gets one mail, without the excluded; no address at all is 40013."""
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
        assert (await judged(bare, schedule_may_be_short=True)).status_code == status
    assert Emulator(profile="vendor-2026").switches.schedule_may_be_short


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
    old = await judged(changed(BODY, {path: "0001-01-01T00:00:00.00Z"}))
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
    """The date is the same instant in any zone."""
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
    for each in (Timezone.KIRITIMATI, Timezone.RANGOON, Timezone.ENDERBURY):
        schedule = SendAt(START + HOUR, timezone=each)
        sent = (await body_of(CAMPAIGN, schedule=schedule))["config"]["schedule"]
        assert (sent["timezone"], sent["scheduleDate"]) == (each.code, at(3_600))
    assert Timezone.RANGOON.zone.key == "Asia/Yangon"


@point
async def test_t73_emulator() -> None:
    """A zone is the number that was sent: of the codes the range is known, and nothing else."""
    async with platform() as (api, _):
        list_sn = await api.filled_list(1)
        for code in (0, 8, 87):
            await api.submit(changed(BODY, {"config.schedule.timezone": code}), list_sn)
        sent = [each.json["config"]["schedule"] for each in api.emulator.requests[-3:]]

    assert [each["timezone"] for each in sent] == [0, 8, 87]
    assert len({each.begins for each in api.emulator.campaigns}) == 1


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
        ("2026-01-05T02:00:00.0000Z", 400),
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
        assert ("short-lead" in campaign_rules(soon, now=START)) is warns


@point
@pytest.mark.parametrize(("seconds", "status"), [(60, 400), (59, 400), (10**9, 200), (61, 200)])
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
    for address in ("", "no-address", "a b@example.com", "a@"):
        with pytest.raises(InvalidRequest):
            Sender("電子豹", address)
    for code, kind in ((40011, SenderNotVerified), (40003, APIError), (40004, APIError)):
        error = await error_of(submit, {"code": str(code)}, 400)
        assert type(error) is kind
        assert ERROR_TEXTS[code].english in str(error)


@point
@pytest.mark.parametrize(
    ("body", "field"),
    [(SENDER_BODY, "fromAddressB"), (SENDER_BODY, "fromAddressA"), (BODY, "fromAddress")],
)
async def test_t80_emulator(body: dict[str, Any], field: str) -> None:
    """Form, domain and verification are checked, of each address of a test."""
    for address, code in (
        ("no-address", 40003),
        ("a@denied.example", 40004),
        ("unverified@example.com", 40011),
        ("b@shop.tw", 40011),
        ("me@shop.tw", None),
    ):
        listed = ("Me@shop.tw", "@example.com") if "shop" in address else None
        answer = await judged(changed(body, {f"content.{field}": address}), verified_senders=listed)
        assert codes_of(answer) == (200 if code is None else 400, code)


@point
def test_t81_client() -> None:
    """More than 150, 50 and 60 code points are a warning."""
    for number, rule, change in (
        (150, "subject-length", lambda text: {"subject": text}),
        (50, "sender-name-length", lambda text: {"sender": Sender(text, "a@example.com")}),
        (60, "preheader-length", lambda text: {"preheader": text}),
    ):
        for count, warns in ((number, False), (number + 1, True)):
            mailing = evolve(CAMPAIGN, **change("\U0001f642" * count))
            assert (rule in campaign_rules(mailing)) is warns


@point
@pytest.mark.parametrize(
    ("path", "most"),
    [("content.subject", 150), ("content.fromName", 50), ("content.preheader", 60)],
)
async def test_t81_emulator(path: str, most: int) -> None:
    """Lengths are checked with ``vendor_limits``, which the profile sets, and not otherwise."""
    for count, status in ((most, 200), (most + 1, 400)):
        body = changed(BODY, {path: "主" * count})
        assert (await judged(body, vendor_limits=True)).status_code == status
        if "preheader" not in path:
            assert (await judged(body)).status_code == 200
    assert Emulator(profile="vendor-2026").switches.vendor_limits


@point
async def test_t82_client() -> None:
    """A preheader is sent only if it was given, to each variant of a test of the subject."""
    for mailing in (CAMPAIGN, SENDER_TEST, CONTENT_TEST):
        assert "preheader" not in (await body_of(mailing))["content"]
        assert (await body_of(mailing, preheader="預覽"))["content"]["preheader"] == "預覽"
    assert not [name for name in (await body_of(SUBJECT_TEST))["content"] if "preheader" in name]
    content = (await body_of(SUBJECT_TEST, preheader_a="甲", preheader_b="乙"))["content"]
    assert (content["preheaderA"], content["preheaderB"]) == ("甲", "乙")
    alone = evolve(SUBJECT_TEST, preheader_a="甲")
    assert "preheaderB" not in (await body_of(alone))["content"]
    assert "lone-preheader" in campaign_rules(alone)
    ticket = Reply({"sn": SN, "url": "https://x.example"})
    async with scripted(ticket, profile="vendor-2026") as script:
        await script.nl.campaigns.submit_once(evolve(CAMPAIGN, preheader="預覽"))
        assert script.wire.sent[0].json["content"]["preheader"] == "預覽"
    with pytest.raises(InvalidRequest):
        evolve(CAMPAIGN, preheader="")

    async with connected() as bench:
        ready = with_lists(evolve(CAMPAIGN, preheader="預覽"), [await bench.make_list()])
        with pytest.raises(FieldError, match="preheader") as caught:
            await bench.unchecked().campaigns.submit(ready)
        assert "leave" in str(caught.value)


@point
async def test_t82_emulator() -> None:
    """It is taken with ``vendor_limits``, filled in, and an unknown field otherwise."""
    body = changed(BODY, {"content.preheader": "${NAME} 您好"})
    assert field_errors(await judged(body)) == {"content.preheader": ["UnknownField"]}
    async with platform(vendor_limits=True, **QUIET) as (api, clock):
        await api.submit(body, await api.filled_list(1))
        clock.advance(60)

        assert api.emulator.outbox[0].preheader == "會員0 您好"


@point
async def test_t83_client() -> None:
    """Each placeholder is compared with the columns, and other products' syntax is a warning."""
    columns = ["EMAIL", "NAME", "CITY"]

    assert "unknown-placeholder" not in campaign_rules(CAMPAIGN, columns=columns)
    for change in ({"subject": "${CIYT}"}, {"html": "<p>${CIYT}</p>"}):
        assert "unknown-placeholder" in campaign_rules(evolve(CAMPAIGN, **change), columns=columns)
    others: list[dict[str, Any]] = [
        {"subject": "{{NAME}}"},
        {"html": "<p>{{NAME}}</p>"},
        {"html": '<a href="https://example.com/?n={{NAME}}">x</a>'},
        {"sender": Sender("{{NAME}}", "a@example.com")},
    ]
    for change in others:
        assert "foreign-placeholder" in campaign_rules(evolve(CAMPAIGN, **change), columns=columns)


@point
async def test_t83_emulator() -> None:
    """Placeholders are replaced at the sending; an unknown one stays and is noted."""
    body = changed(
        BODY, {"content.htmlContent": "${NAME}|${ city }|${LATER}", "content.subject": "${NAME}"}
    )
    async with platform(**QUIET) as (api, clock):
        list_sn = await api.create_list()
        await api.import_text("EMAIL,NAME,CITY\na@b.cc,甲,台北\n", list_sn)
        clock.advance(60)
        await api.submit(body, list_sn)
        clock.advance(60)
        [mail] = api.emulator.outbox
        await api.import_text("EMAIL,NAME,LATER\na@b.cc,乙,x\n", list_sn)
        clock.advance(60)

        assert list(api.emulator.outbox) == [mail]
    assert (mail.subject, mail.html) == ("甲", "甲|台北|${LATER}")
    assert api.emulator.campaigns[0].unknown_placeholders == ("LATER",)


@point
async def test_t84_client() -> None:
    """Values are sent as they are; markup, references and placeholders in them are warnings."""
    contacts = "EMAIL,NAME,X\n" + "".join(
        f"u{number}@example.com,A,{value}\n"
        for number, value in enumerate(("<b>bold</b>", "Tom &amp; Jerry", "${NAME}", "A < B & C"))
    )
    found = {each.rule for each in await check_contacts(contacts)}
    assert found >= {"markup", "character-reference", "placeholder-in-value"}
    async with connected() as bench:
        await workflows.import_contacts(bench.nl, contacts, list_name="會員")
        values = [each.values["x"] for each in bench.emulator.contacts.values()]

    assert values == ["<b>bold</b>", "Tom &amp; Jerry", "${NAME}", "A < B & C"]


@point
async def test_t84_emulator() -> None:
    """Nothing is escaped, and a missing value is empty text."""
    async with platform(**QUIET) as (api, clock):
        list_sn = await api.create_list()
        await api.import_text("EMAIL,NAME,X\na@b.cc,<b>A & B</b>,1\n", list_sn)
        await api.import_text("EMAIL,NAME\nb@b.cc,B\n", list_sn)
        clock.advance(60)
        await api.submit(changed(BODY, {"content.htmlContent": "${NAME}|${X}|"}), list_sn)
        clock.advance(60)

        assert [mail.html for mail in api.emulator.outbox] == ["<b>A & B</b>|1|", "B||"]


@point
async def test_t85_client() -> None:
    """Empty and very large HTML are refused; a fragment and a link to unsubscribe are noticed."""
    for html in ("", "x" * 10_000_001):
        with pytest.raises(InvalidRequest):
            evolve(CAMPAIGN, html=html)
    fragment = evolve(CAMPAIGN, html='<p><a href="https://a.example/unsubscribe">x</a></p>')

    assert campaign_rules(fragment) >= {"html-fragment", "own-unsubscribe"}


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
    """No field is sent that is not documented: the script checks what it gets by the schemas."""
    async with scripted(Reply({"sn": "c"})) as script:
        await submitted(script.nl, mailing, ga=GA, exclude_lists=[ListSn("out")])
        body = script.wire.sent[0].json

    assert body.keys() == {"form", "content", "config"}


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
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"code": "40011"}, 40011),
        ({"code": 40011}, 40011),
        ({"errorCode": "40011"}, 40011),
        ({"errorCode": 40011}, 40011),
        ({"code": "40011", "errorCode": "40012"}, 40011),
        ({"code": 400, "message": "bad"}, None),
        ({"error": {"code": "40011"}}, None),
        ({"code": "599", "message": "bad"}, None),
    ],
)
async def test_t88_client(answer: Any, code: int | None) -> None:
    """A code is text or number, under either name; the status of HTTP is none."""
    error = await error_of(list_lists, answer, 400)

    assert isinstance(error, APIError)
    assert error.code == code
    assert isinstance(error, SenderNotVerified) is (code is not None)


@point
async def test_t88_emulator() -> None:
    """Codes are text, and 40012 a number; switches make all numbers, and change the name."""
    wrong = changed(BODY, {"content.fromAddress": "no-address"})
    shapes = [
        (await judged(wrong, **switches)).json()
        for switches in ({}, {"codes_as_integers": True}, {"code_field": "errorCode"})
    ]
    async with platform() as (api, _):
        list_sn = await api.filled_list(2)
        api.emulator.balance = 1
        poor = (await api.submit(BODY, list_sn)).json()

    assert shapes == [{"code": "40003"}, {"code": 40003}, {"errorCode": "40003"}]
    assert poor["code"] == 40012


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

    rows = [{"field": "content.subject", "rule": "NotEmpty"}]
    listed = await error_of(submit, {"code": "40001", "invalidFields": rows}, 400)
    assert isinstance(listed, FieldError)
    assert listed.invalid_fields == {"content.subject": ("NotEmpty",)}


@point
async def test_t89_emulator() -> None:
    """An object maps paths to rules, the parent among them; a switch makes it text."""
    body = changed(AB_BODY, {"content.subjectA": ...})

    assert field_errors(await judged(body)) == {
        "content": ["InvalidTestingOnFields"],
        "content.subjectA": ["InvalidTestingOnFields"],
    }
    as_text = await judged(body, invalid_fields_as_text=True)
    assert as_text.json()["invalidFields"] == "欄位相關錯誤訊息"


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
    refused = await judged(changed(BODY, {"content.fromAddress": "no-address"}))
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
        (40003, {"content.fromAddress": "no-address"}),
        (40014, {"content.htmlContent": "<!-- 40014 -->"}),
        (40007, {"form.excludeLists": [SN]}),
    ]
    for place, (code, _) in enumerate(faults):
        changes = {path: value for _, each in faults[place:] for path, value in each.items()}
        assert codes_of(await judged(changed(BODY, changes))) == (400, code)
