"""Contacts removed from a list by a filter (T63)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.platform import batches
from tests.emulator.api import AB_BODY, BODY, Api, HandClock, changed, make

pytestmark = pytest.mark.asyncio

QUIET = {"later_endpoints": True, "bounce_share": 0.0, "open_share": 0.0}
FILE = "EMAIL,NAME,CITY\na@b.cc,小華,Taipei\nc@b.cc,小明,\nd@e.ff,Amy,New Taipei\n"
WHOLE = {"field": "MAIL_ADDRESS", "operator": "EQ", "value": "a@b.cc"}


async def remove(api: Api, list_sn: str, body: Mapping[str, Any]) -> httpx.Response:
    """Ask for a removal."""
    return await api.request("DELETE", f"/v1/contacts/{list_sn}", json=body)


async def filled(api: Api, clock: HandClock, file: str = FILE) -> str:
    """Make a list with these members, and let the time pass that this takes."""
    list_sn = await api.create_list()
    await api.import_text(file, list_sn)
    clock.advance(60)
    return list_sn


def members(emulator: Emulator, place: int = 0) -> str:
    """Return the first letters of a list's members."""
    return "".join(email[0] for email in emulator.lists[place].members)


@pytest.mark.parametrize(
    ("field", "operator", "value", "left"),
    [
        ("MAIL_ADDRESS", "EQ", " A@B.cc", "cd"),
        ("MAIL_ADDRESS", "EQ", "a@b", "acd"),
        ("MAIL_ADDRESS", "NOT_EQ", "a@b.cc", "a"),
        ("MAIL_ADDRESS", "LIKE", "@B.", "d"),
        ("MAIL_ADDRESS", "NOT_LIKE", "@b.", "ac"),
        ("DOMAIN", "EQ", "b.cc", "d"),
        ("DOMAIN", "LIKE", "ff", "ac"),
        ("NAME", "EQ", "小華", "cd"),
        ("NAME", "LIKE", "小", "d"),
        ("NAME", "EQ", "amy", "ac"),
        ("city", "EQ", "taipei", "cd"),
        ("CITY", "LIKE", "Taipei", "c"),
        ("CITY", "NOT_LIKE", "New", "d"),
        ("LISTSN", "EQ", "{other}", "cd"),
        ("LISTSN", "NOT_EQ", "{other}", "a"),
        ("LISTSN", "EQ", "unknown", "acd"),
    ],
)
async def test_filter_finds_members(field: str, operator: str, value: str, left: str) -> None:
    """A value is compared trimmed and in lower case, whole or in part; NOT finds the rest (T63)."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        list_sn = await filled(api, clock)
        other = await filled(api, clock, "EMAIL,NAME\na@b.cc,小華\nx@y.zz,老王\n")
        body = {"field": field, "operator": operator, "value": value.format(other=other)}
        answer = await remove(api, list_sn, body)

    assert (answer.status_code, answer.json()) == (200, {})
    assert (members(emulator), members(emulator, 1)) == (left, "ax")


async def test_only_the_membership_goes() -> None:
    """The contact stays in the account and excluded; the list has a new count and date (T63)."""
    emulator, clock = make(**QUIET)
    emulator.exclude("a@b.cc")
    async with Api(emulator) as api:
        list_sn = await filled(api, clock)
        await remove(api, list_sn, WHOLE)
        [row] = (await api.get("/v1/contacts/lists")).json()["Lists"]
        left = set(emulator.contacts)
        await api.import_text(FILE, list_sn)
        clock.advance(60)
        [again] = (await api.get("/v1/contacts/lists")).json()["Lists"]

    assert (row["subscribedCnt"], row["excludeCnt"]) == ("2", 0)
    assert row["updateDate"] == "2026-01-05T02:01:00Z"
    assert left == {"a@b.cc", "c@b.cc", "d@e.ff"}
    assert (again["subscribedCnt"], again["excludeCnt"]) == ("2", 1)


async def test_removal_from_the_account_forgets_an_exclusion() -> None:
    """With ``removal_from``, the next import subscribes the person again: the trap (T63)."""
    emulator, clock = make(**QUIET, removal_from="account")
    emulator.exclude("a@b.cc")
    emulator.exclude("c@b.cc")
    segment = emulator.add_segment("全部")
    async with Api(emulator) as api:
        list_sn = await filled(api, clock)
        other = await filled(api, clock, "EMAIL,NAME\na@b.cc,小華\nx@y.zz,老王\n")
        await remove(api, list_sn, WHOLE)
        gone = (set(emulator.contacts), members(emulator, 1), members(emulator, 2))
        counts = (len(segment.members), set(emulator.excluded))
        await api.import_text("EMAIL,NAME\na@b.cc,小華\n", other)
        clock.advance(60)
        await api.submit(BODY, other)
        clock.advance(60)

    assert gone == ({"c@b.cc", "d@e.ff", "x@y.zz"}, "cd", "x")
    assert counts == (3, {"c@b.cc"})
    assert "a@b.cc" not in emulator.excluded
    assert sorted(mail.to for mail in emulator.outbox) == ["a@b.cc", "x@y.zz"]
    assert emulator.contacts["a@b.cc"].values == {}


async def test_mails_stay_as_they_were_sent() -> None:
    """Neither removal changes a mail that went out (T63, T83)."""
    emulator, clock = make(**QUIET, removal_from="account")
    async with Api(emulator) as api:
        list_sn = await filled(api, clock)
        await api.submit(BODY, list_sn)
        clock.advance(60)
        await remove(api, list_sn, WHOLE)
        await filled(api, clock, "EMAIL,NAME\na@b.cc,別人\n")

    assert [mail.name for mail in emulator.outbox] == ["小華", "小明", "Amy"]
    assert emulator.contacts["a@b.cc"].name == "別人"


async def test_member_of_a_large_list_leaves_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removal works the same for many members, which are stored in another form (T63)."""
    monkeypatch.setattr(batches, "MANY", 1)
    emulator, clock = make(**QUIET, removal_from="account")
    async with Api(emulator) as api:
        list_sn = await filled(api, clock)
        await filled(api, clock, "EMAIL,NAME\nx@y.zz,老王\n")
        await remove(api, list_sn, WHOLE)
        left = members(emulator)
        await filled(api, clock, "EMAIL,NAME\nz@y.zz,老李\n")
        await api.import_text("EMAIL,NAME\na@b.cc,小華\n", list_sn)
        clock.advance(60)

    assert (left, members(emulator)) == ("cd", "cda")
    assert "".join(email[0] for email in emulator.contacts) == "cdxza"


async def test_rest_of_a_test_goes_to_those_who_are_still_there() -> None:
    """Who was removed from the account during an A/B test gets nothing after it (T63, T99)."""
    emulator, clock = make(**QUIET, removal_from="account")
    body = changed(AB_BODY, {"content.testing.proportion": 50})
    async with Api(emulator) as api:
        list_sn = await api.filled_list(8)
        await api.submit(body, list_sn)
        clock.advance(60)
        tested = {mail.to for mail in emulator.outbox}
        gone, *others = [email for email in emulator.lists[0].members if email not in tested]
        await remove(api, list_sn, WHOLE | {"value": gone})
        clock.advance(7_200)

    assert {mail.to for mail in emulator.outbox} == tested | set(others)


async def test_segment_keeps_its_members() -> None:
    """A segment contains all contacts, so no contact leaves it (T62, T63)."""
    emulator, clock = make(**QUIET)
    segment = emulator.add_segment("全部")
    async with Api(emulator) as api:
        await filled(api, clock)
        answer = await remove(api, segment.sn, WHOLE)

    assert answer.status_code == 200
    assert members(emulator, 0) == "acd"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"field", "operator", "value"}),
        (WHOLE | {"field": ""}, {"field"}),
        (WHOLE | {"field": "SIZE"}, {"field"}),
        (WHOLE | {"field": "mail_address"}, {"field"}),
        (WHOLE | {"operator": "eq"}, {"operator"}),
        (WHOLE | {"operator": "IN"}, {"operator"}),
        (WHOLE | {"value": " "}, {"value"}),
        (WHOLE | {"value": 7}, {"value"}),
        (WHOLE | {"confirm": True}, {"confirm"}),
    ],
)
async def test_filter_that_is_not_complete_is_refused(
    body: Mapping[str, Any], fields: set[str]
) -> None:
    """An incomplete or unknown filter removes no contact (T63)."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        answer = await remove(api, await filled(api, clock), body)

    assert (answer.status_code, answer.json()["code"]) == (400, "40001")
    assert answer.json()["invalidFields"].keys() == fields
    assert members(emulator) == "acd"


async def test_unknown_list_is_refused() -> None:
    """A removal from a list that is not there is 40007 (T63)."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        await filled(api, clock)
        answer = await remove(api, "unknown", WHOLE)
        bare = await api.request("DELETE", "/v1/contacts/unknown")

    assert (answer.status_code, answer.json()) == (400, {"code": "40007"})
    assert (bare.status_code, bare.json()["code"]) == (400, "40001")


async def test_search_is_done_again_if_an_import_came_between() -> None:
    """What a removal finds is what is there when it happens (T63)."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        list_sn = await filled(api, clock)
        account = emulator._account
        target = account.book.lists[list_sn]
        account.removals.remove(
            b'{"field":"DOMAIN","operator":"EQ","value":"b.cc"}', list_sn, clock.now()
        )
        *_, change = account.timeline._changes[0]
        for _ in change.preparing(clock.now()):
            pass
        target.members.numbers.remove([0])

    assert members(emulator) == "d"
