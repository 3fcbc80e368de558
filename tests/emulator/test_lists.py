"""Lists: made, found page by page, and shown in the documented shapes."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from newsleopard_async.emulator.platform.batches import NumberSet
from tests.emulator.api import BODY, Api, changed, make, rows

pytestmark = pytest.mark.asyncio


async def test_new_list_is_shown_as_documented() -> None:
    """The wrapper, text for subscribedCnt, and times without fraction are the sample's."""
    emulator, _ = make()
    async with Api(emulator) as api:
        sn = await api.create_list("VIP會員名單")
        answer = await api.get("/v1/contacts/lists")

    assert re.fullmatch(r"[0-9a-f]{32}", sn)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "Lists": [
            {
                "clickedRate": 0,
                "createDate": "2026-01-05T02:00:00Z",
                "excludeCnt": 0,
                "name": "VIP會員名單",
                "openedRate": 0,
                "sn": sn,
                "status": "GENERAL",
                "subscribedCnt": "0",
                "type": 0,
                "updateDate": "2026-01-05T02:00:00Z",
            }
        ]
    }


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": None}, {"name": 1}, {"name": "\0", "x": 1}]
)
async def test_list_without_a_proper_name_is_a_field_error(body: dict[str, object]) -> None:
    """The name is text and not empty, and nothing else belongs there."""
    emulator, _ = make()
    async with Api(emulator) as api:
        answer = await api.post("/v1/contacts/lists/insert", body)

    assert (answer.status_code, answer.json()["code"]) == (400, "40001")
    assert emulator.lists == ()


async def test_list_is_processing_while_an_import_fills_it() -> None:
    """The state is PROCESSING until the import ends, and the update is then noted (T62)."""
    emulator, clock = make()
    async with Api(emulator) as api:
        sn = await api.create_list()
        await api.import_text(rows(3), sn)
        during = (await api.get("/v1/contacts/lists")).json()["Lists"][0]
        clock.advance(60)
        after = (await api.get("/v1/contacts/lists")).json()["Lists"][0]

    assert (during["status"], during["subscribedCnt"]) == ("PROCESSING", "0")
    assert (after["status"], after["subscribedCnt"]) == ("GENERAL", "3")
    assert after["updateDate"] == "2026-01-05T02:00:08Z"


async def test_excluded_members_are_counted_apart() -> None:
    """A contact that unsubscribed is not an effective member."""
    emulator, _ = make()
    async with Api(emulator) as api:
        await api.filled_list(3)
        emulator.exclude(" U1@example.com")
        row = (await api.get("/v1/contacts/lists")).json()["Lists"][0]

    assert (row["subscribedCnt"], row["excludeCnt"]) == ("2", 1)


@pytest.mark.parametrize(("excluded", "most_asked"), [(3, 8), (90, 91)])
async def test_list_is_counted_by_the_fewer(
    monkeypatch: pytest.MonkeyPatch, excluded: int, most_asked: int
) -> None:
    """A count iterates over members or exclusions, the smaller set, and once per change."""
    emulator, _ = make()
    asked = 0
    tester = NumberSet.tester

    def counting(numbers: NumberSet, top: int) -> Callable[[int], object]:
        is_member = tester(numbers, top)

        def test(number: int) -> object:
            nonlocal asked
            asked += 1
            return is_member(number)

        return test

    async with Api(emulator) as api:
        await api.filled_list(500)
        await api.filled_list(50)
        for number in range(excluded):
            emulator.exclude(f"u{49 + number}@example.com")
        emulator.exclude("other@example.com")
        monkeypatch.setattr(NumberSet, "tester", counting)
        looks = [(await api.get("/v1/contacts/lists")).json()["Lists"] for _ in range(3)]

    assert [[row["excludeCnt"] for row in rows] for rows in looks] == [[1, excluded]] * 3
    assert asked <= most_asked


async def test_segment_fills_itself() -> None:
    """A list of type 1 always contains every contact, and so does a campaign to it (T62)."""
    emulator, clock = make()
    segment = emulator.add_segment("全部")
    async with Api(emulator) as api:
        list_sn = await api.filled_list(2)
        await api.import_text(rows(1, prefix="v"), segment.sn)
        clock.advance(60)
        emulator.exclude("u1@example.com")
        shown = (await api.get("/v1/contacts/lists")).json()["Lists"]
        await api.submit(changed(BODY, {"form.excludeLists": [list_sn]}), segment.sn)
        clock.advance(60)

    counts = [(row["type"], row["subscribedCnt"], row["excludeCnt"]) for row in shown]
    assert counts == [(0, "1", 1), (1, "2", 1)]
    assert list(emulator.lists[0].members) == ["u0@example.com", "u1@example.com", "v0@example.com"]
    assert [mail.to for mail in emulator.outbox] == ["v0@example.com"]
