"""Bad input is refused by field and rule, and nothing is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import attrs
import pytest

from newsleopard_async import (
    AutomationEvent,
    CampaignSn,
    ContactFilter,
    InvalidRequest,
    ListSn,
    NewsLeopard,
    Recipient,
    SendAt,
    with_lists,
)
from tests.clients import csv_of, refused, scripted
from tests.constants import AB_TESTS, CAMPAIGN

pytestmark = pytest.mark.anyio

Call = Callable[[NewsLeopard, Any], Awaitable[object]]

CODES: list[tuple[Any, str]] = [
    ("", "required"),
    (".", "code"),
    ("..", "code"),
    ("a/b", "code"),
    ("a\\b", "code"),
    ("a?b", "code"),
    ("a#b", "code"),
    ("a b", "code"),
    ("a\n", "code"),
    *((f"a{character}b", "code") for character in "\u3000\x00\x85\u202e"),
    ("a" * 201, "code"),
    ("\ud800", "encoding"),
    *((value, "type") for value in (7, b"a")),
]
MEMBER = ContactFilter("MAIL_ADDRESS", "EQ", "a@example.com")
CODE_CALLS: dict[str, tuple[str, Call]] = {
    "file": ("list_sn", lambda nl, code: nl.contacts.start_file_import(code)),
    "text": ("list_sn", lambda nl, code: nl.contacts.import_text(csv_of(1), code)),
    "result": ("import_sn", lambda nl, code: nl.contacts.get_import(code)),
    "export": ("campaign_sn", lambda nl, code: nl.reports.export(code)),
    "link": ("campaign_sn", lambda nl, code: nl.reports.get_links(code)),
    "status": ("campaign_sn", lambda nl, code: nl.campaigns.get_status(code)),
    "pause": ("campaign_sn", lambda nl, code: nl.campaigns.pause(code)),
    "delete": ("campaign_sns[1]", lambda nl, code: nl.campaigns.delete([CampaignSn("a"), code])),
    "metrics": ("campaign_sns[0]", lambda nl, code: nl.reports.get_metrics([code])),
    "template": ("template_id", lambda nl, code: nl.templates.get_template(code)),
    "remove": ("list_sn", lambda nl, code: nl.contacts.remove_contacts(code, MEMBER)),
}


@pytest.mark.parametrize("name", CODE_CALLS)
async def test_bad_code_is_refused(name: str) -> None:
    """A code that would change the path never gets into one (T12)."""
    field, call = CODE_CALLS[name]
    async with scripted() as script:
        for code, rule in CODES:
            async with refused(script.wire, (field, rule)):
                await call(script.nl, code)


@pytest.mark.parametrize("name", ["file", "text", "remove"])
@pytest.mark.parametrize("code", ["file", "text", "result", "lists"])
async def test_reserved_word_is_no_list(name: str, code: str) -> None:
    """The words that stand in a list's place in a path are refused as its code."""
    async with scripted() as script, refused(script.wire, ("list_sn", "reserved")):
        await CODE_CALLS[name][1](script.nl, code)


APRIL = datetime(2026, 4, 1, tzinfo=UTC)
TAIPEI = timezone(timedelta(hours=8))


class _NoOffset(tzinfo):
    """A zone without an offset, so its times are naive."""

    def utcoffset(self, when: datetime | None) -> timedelta | None:
        return None

    def dst(self, when: datetime | None) -> timedelta | None:
        return None

    def tzname(self, when: datetime | None) -> str | None:
        return None


Rules = list[tuple[str, str]]

NAMES: list[tuple[Any, list[str]]] = [
    ("", ["required"]),
    (" \t", ["required", "one-line"]),
    ("a\nb", ["one-line"]),
    (None, ["type"]),
    ("\udc00", ["encoding"]),
]
PAGES: list[tuple[dict[str, Any], Rules]] = [
    ({"page": -1}, [("page", "range")]),
    ({"page": "0"}, [("page", "type")]),
    ({"page": 0.5}, [("page", "type")]),
    ({"page": True}, [("page", "type")]),
    ({"page": None}, [("page", "type")]),
    ({"size": 0}, [("size", "range")]),
    ({"size": 101}, [("size", "range")]),
    ({"page": -1, "size": 0}, [("page", "range"), ("size", "range")]),
]
NAIVE = APRIL.replace(tzinfo=None)
DATES: list[tuple[dict[str, Any], Rules]] = [
    ({"start": APRIL}, [("end", "required")]),
    ({"end": APRIL}, [("start", "required")]),
    ({"start": NAIVE, "end": APRIL}, [("start", "aware")]),
    ({"end": NAIVE}, [("start", "required"), ("end", "aware")]),
    ({"start": APRIL, "end": APRIL.replace(tzinfo=_NoOffset())}, [("end", "aware")]),
    ({"start": "2026-04-01", "end": APRIL.date()}, [("start", "type"), ("end", "type")]),
    ({"start": APRIL, "end": APRIL - timedelta(seconds=1)}, [("end", "order")]),
    ({"start": APRIL, "end": NAIVE.replace(tzinfo=TAIPEI)}, [("end", "order")]),
]
CSVS: list[tuple[Any, list[str]]] = [
    (b"EMAIL,NAME\n", ["type"]),
    ("", ["empty-file"]),
    ("EMAIL,NAME\n", ["no-rows"]),
    ("a@example.com,A\nb@example.com,B", ["header-order"]),
    ("NAME,EMAIL\nA,a@example.com", ["header-order"]),
    ("email,name\na@example.com,A", ["header-order"]),
    ("EMAIL,NAME,City,city \na@example.com,A,B,C", ["duplicate-header"]),
    ("EMAIL,NAME\r\na@example.com,A\r\n", ["line-break"]),
]


@pytest.mark.parametrize(("name", "rules"), NAMES)
async def test_bad_name_of_a_list_is_refused(name: Any, rules: list[str]) -> None:
    """A list's name is one line of text that is not empty."""
    async with scripted() as script, refused(script.wire, *(("name", rule) for rule in rules)):
        await script.nl.contacts.create_list(name)


@pytest.mark.parametrize(("arguments", "expected"), PAGES)
async def test_bad_page_is_refused(arguments: dict[str, Any], expected: Rules) -> None:
    """Pages count from 0 and have 1 to 100 rows, both whole numbers (T58, T59)."""
    async with scripted() as script, refused(script.wire, *expected):
        await script.nl.contacts.list_lists(**arguments)


@pytest.mark.parametrize(("arguments", "expected"), DATES)
async def test_bad_range_is_refused(arguments: dict[str, Any], expected: Rules) -> None:
    """One date alone, which the platform ignores silently, and any other bad range (T103, T104)."""
    async with scripted() as script, refused(script.wire, *expected):
        await script.nl.reports.list_campaigns(**arguments)


@pytest.mark.parametrize(("csv_text", "rules"), CSVS)
async def test_bad_csv_text_is_refused(csv_text: Any, rules: list[str]) -> None:
    """A CSV that the platform would accept and fail to import later is refused now (T31 to T34)."""
    expected = [("csv_text", rule) for rule in rules]
    async with scripted() as script, refused(script.wire, *expected):
        await script.nl.contacts.import_text(csv_text)


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("", "required"),
        ("yours.webhook.com.tw", "url"),
        ("ftp://yours.webhook.com.tw", "url"),
        ("https://", "url"),
        ("https:///path", "url"),
        ("https://yours.webhook.com.tw/a b", "url"),
        ("https://電子豹.tw/", "url"),
        ("https://yours.webhook.com.tw/\n", "one-line"),
        (443, "type"),
    ],
)
async def test_bad_webhook_is_refused(url: Any, rule: str) -> None:
    """A webhook needs http or https, a host, and nothing that no URL may hold."""
    async with scripted() as script:
        async with refused(script.wire, ("webhook_url", rule)):
            await script.nl.contacts.start_file_import(webhook_url=url)
        async with refused(script.wire, ("webhook_url", rule)):
            await script.nl.reports.export(CampaignSn("a"), webhook_url=url)


async def test_campaign_without_list_is_refused() -> None:
    """A campaign without recipients is not sent."""
    async with scripted() as script:
        async with refused(script.wire, ("lists", "required")):
            await script.nl.campaigns.submit(CAMPAIGN)
        async with refused(script.wire, ("lists", "required")):
            await script.nl.campaigns.submit_ab_test(AB_TESTS[0])


async def test_everything_wrong_with_a_campaign_is_said_at_once() -> None:
    """Both what is missing and what is past are named."""
    async with scripted() as script:
        ready = attrs.evolve(CAMPAIGN, schedule=SendAt(script.clock.now()))

        async with refused(script.wire, ("lists", "required"), ("schedule.when", "future")):
            await script.nl.campaigns.submit(ready)


async def test_each_kind_goes_to_its_own_endpoint() -> None:
    """A test passed as a campaign, or a campaign passed as a test, is refused."""
    lists = [ListSn("a")]
    as_campaign: Any = with_lists(AB_TESTS[0], lists)
    as_test: Any = with_lists(CAMPAIGN, lists)
    async with scripted() as script:
        async with refused(script.wire, ("campaign", "type")):
            await script.nl.campaigns.submit(as_campaign)
        async with refused(script.wire, ("ab_test", "type")):
            await script.nl.campaigns.submit_ab_test(as_test)


async def test_campaign_that_is_sent_once_is_judged_as_it_is_made() -> None:
    """It must have no list, because its contacts are uploaded; its schedule is checked."""
    lists = [ListSn("a")]
    as_campaign: Any = AB_TESTS[0]
    as_test: Any = CAMPAIGN
    async with scripted() as script:
        campaigns = script.nl.campaigns
        past = attrs.evolve(CAMPAIGN, schedule=SendAt(script.clock.now()))
        async with refused(script.wire, ("lists", "once")):
            await campaigns.submit_once(with_lists(CAMPAIGN, lists))
        async with refused(script.wire, ("lists", "once"), ("schedule.when", "future")):
            await campaigns.submit_once(attrs.evolve(past, lists=lists))
        async with refused(script.wire, ("lists", "once")):
            await campaigns.submit_ab_test_once(with_lists(AB_TESTS[0], lists))
        async with refused(script.wire, ("campaign", "type")):
            await campaigns.submit_once(as_campaign)
        async with refused(script.wire, ("ab_test", "type")):
            await campaigns.submit_ab_test_once(as_test)


SEVERAL: list[tuple[Any, Rules]] = [
    ([], [("campaign_sns", "required")]),
    ([f"c{number}" for number in range(51)], [("campaign_sns", "too-many")]),
    ("abc", [("campaign_sns", "type")]),
    (b"abc", [("campaign_sns", "type")]),
    (None, [("campaign_sns", "type")]),
    (["a", "", "b/c"], [("campaign_sns[1]", "required"), ("campaign_sns[2]", "code")]),
]


@pytest.mark.parametrize(("codes", "expected"), SEVERAL)
async def test_bad_codes_of_several_campaigns_are_refused(codes: Any, expected: Rules) -> None:
    """1 to 50 codes, none of which is a part of another (T127, T131)."""
    async with scripted() as script:
        for call in (script.nl.campaigns.delete, script.nl.reports.get_metrics):
            async with refused(script.wire, *expected):
                await call(codes)


def people(count: int) -> list[Recipient]:
    """Make recipients."""
    return [Recipient("", f"user{number}@example.com") for number in range(count)]


TRIGGER = AutomationEvent.TRIGGER
EVENTS: dict[str, tuple[tuple[Any, ...], Rules]] = {
    "no script": ((" ", TRIGGER, people(1)), [("workflow", "required")]),
    "two lines": (("a\nb", TRIGGER, people(1)), [("workflow", "one-line")]),
    "a word": (("script", "TRIGGER", people(1)), [("event", "type")]),
    "no recipients": (("script", TRIGGER, []), [("recipients", "required")]),
    "101": (("script", TRIGGER, people(101)), [("recipients", "too-many")]),
    "text": (("script", TRIGGER, "a@example.com"), [("recipients", "type")]),
    "one": (("script", TRIGGER, people(1)[0]), [("recipients", "type")]),
    "addresses": (("script", TRIGGER, ["a@example.com"]), [("recipients[0]", "type")]),
    "twice": (
        ("script", TRIGGER, [*people(2), Recipient("B", " User1@Example.com")]),
        [("recipients[2].address", "unique")],
    ),
    "all of it": (
        ("", None, None),
        [("workflow", "required"), ("event", "type"), ("recipients", "type")],
    ),
}


@pytest.mark.parametrize("name", EVENTS)
async def test_bad_event_is_refused(name: str) -> None:
    """An event has a script, one of two kinds, and 1 to 100 people, each once (T133, T134)."""
    arguments, expected = EVENTS[name]
    async with scripted() as script:
        with pytest.raises(InvalidRequest) as caught:
            await script.nl.automation.send_event(*arguments)

        assert [(each.field, each.rule) for each in caught.value.problems] == expected
        assert "@" not in str(caught.value)
        assert script.wire.all_requests == 0


REMOVALS: list[tuple[Any, Any, tuple[str, str]]] = [
    ("NOT_EQ", "remove", ("confirm", "required")),
    ("NOT_LIKE", "remove", ("confirm", "required")),
    ("EQ", "remove all others", ("confirm", "required")),
    ("LIKE", "remove all others", ("confirm", "required")),
    ("EQ", True, ("confirm", "choice")),
    ("NOT_EQ", "yes", ("confirm", "choice")),
    ("EQ", None, ("confirm", "choice")),
]


@pytest.mark.parametrize(("operator", "confirm", "expected"), REMOVALS)
async def test_removal_is_confirmed_for_what_it_does(
    operator: Any, confirm: Any, expected: tuple[str, str]
) -> None:
    """The caller must confirm whether matching or all other contacts are removed (T63)."""
    where = ContactFilter("MAIL_ADDRESS", operator, "a@example.com")
    async with scripted() as script, refused(script.wire, expected):
        await script.nl.contacts.remove_contacts(ListSn("a"), where, confirm=confirm)


async def test_removal_needs_a_filter() -> None:
    """A filter that is no `ContactFilter` may not be whole (T63)."""
    no_filter: Any = {"field": "NAME", "operator": "EQ", "value": "A"}
    async with scripted() as script, refused(script.wire, ("where", "type")):
        await script.nl.contacts.remove_contacts(ListSn("a"), no_filter)
