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


async def test_lists_of_the_same_name_are_two() -> None:
    """Names are not unique (T53)."""
    emulator, _ = make()
    async with Api(emulator) as api:
        codes = {await api.create_list("same") for _ in range(2)}

    assert len(codes) == 2
    assert [item.name for item in emulator.lists] == ["same", "same"]


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


async def test_unknown_member_is_ignored_when_lenient() -> None:
    """A lenient server takes what it knows (T86)."""
    emulator, _ = make(strict=False)
    async with Api(emulator) as api:
        answer = await api.post("/v1/contacts/lists/insert", {"name": "a", "colour": "red"})

    assert answer.status_code == 200


async def test_pages_count_from_zero_and_begin_with_the_newest() -> None:
    """page=0 is the first page; the newest list comes first (T58, T60)."""
    emulator, _ = make()
    async with Api(emulator) as api:
        for number in range(5):
            await api.create_list(str(number))
        pages = [
            (await api.get("/v1/contacts/lists", params={"size": "2", "page": str(page)})).json()
            for page in range(4)
        ]

    names = [[item["name"] for item in page["Lists"]] for page in pages]
    assert names == [["4", "3"], ["2", "1"], ["0"], []]


async def test_page_holds_twenty_when_the_request_does_not_say() -> None:
    """An empty parameter counts as absent (T11, T59)."""
    emulator, _ = make()
    async with Api(emulator) as api:
        for number in range(25):
            await api.create_list(str(number))
        answer = await api.get("/v1/contacts/lists?size=&page=")

    assert len(answer.json()["Lists"]) == 20


@pytest.mark.parametrize(
    "query",
    ["size=x", "size=0", "size=-1", "page=-1", "page=1.0", "page=%D9%A1", "page=" + "9" * 99],
)
async def test_page_that_is_no_number_is_refused(query: str) -> None:
    """Anything but decimal digits answers 400 (T59)."""
    emulator, _ = make()
    async with Api(emulator) as api:
        answer = await api.get(f"/v1/contacts/lists?{query}")

    assert (answer.status_code, answer.json()["code"]) == (400, "40001")


async def test_array_and_numbers_can_be_switched_on() -> None:
    """The other documented shape is a bare array with segVersion and numbers (T54 to T57)."""
    emulator, _ = make(lists_as_array=True, counts_as_numbers=True)
    async with Api(emulator) as api:
        await api.create_list()
        answer = await api.get("/v1/contacts/lists")

    (row,) = answer.json()
    assert (row["segVersion"], row["subscribedCnt"]) == (-1, 0)


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
    """Who unsubscribed is no effective member any more."""
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
    """A look asks about members or about the excluded, whoever are fewer, and once a change."""
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
        emulator.exclude("nobody@example.com")
        monkeypatch.setattr(NumberSet, "tester", counting)
        looks = [(await api.get("/v1/contacts/lists")).json()["Lists"] for _ in range(3)]

    assert [[row["excludeCnt"] for row in rows] for rows in looks] == [[1, excluded]] * 3
    assert asked <= most_asked


async def test_rates_are_percent_with_four_decimals() -> None:
    """Opened and clicked rates are shares of the delivered mails, in percent (T61)."""
    emulator, clock = make(open_share=0.5, click_share=1.0, bounce_share=0.0)
    async with Api(emulator) as api:
        sn = await api.filled_list(300)
        await api.submit(BODY, sn)
        clock.advance(10 * 86_400)
        row = (await api.get("/v1/contacts/lists")).json()["Lists"][0]

    assert 40 < row["openedRate"] < 60
    assert row["openedRate"] == round(row["openedRate"], 4)
    assert row["clickedRate"] == row["openedRate"]


async def test_segment_fills_itself() -> None:
    """A list of type 1 holds every contact at each look, as does what is sent to it (T62)."""
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


async def test_sample_lists_have_names_that_look_like_dates() -> None:
    """Names such as a timestamp and ``0412`` occur in the documentation (T56)."""
    emulator, _ = make()

    names = [item.name for item in emulator.add_sample_lists()]

    assert "0412" in names
    assert "2019-04-01T08:38:32.569Z" in names
