"""Contact lists: T53 to T62."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from newsleopard_async import InvalidRequest, OutcomeUnknown, UnexpectedResponse, workflows
from newsleopard_async.endpoints import contacts
from tests.clients import Reply, connected, scripted
from tests.emulator.api import BODY, rows
from tests.points.cells import point
from tests.points.means import (
    CSV,
    LIST_ROW,
    SN,
    codes_of,
    error_of,
    field_errors,
    get_import,
    get_links,
    list_campaigns,
    list_lists,
    platform,
    result_of,
    submit,
    switched,
)


@point
async def test_t53_client() -> None:
    """The pipelines look for the exact name first, and after a lost reply; create_list does not."""
    async with connected() as bench:
        there = await bench.nl.contacts.create_list("會員")
        await bench.nl.contacts.create_list("會員2")
        assert bench.emulator.count("list_lists") == 0
        report = await workflows.import_contacts(
            bench.nl, CSV, list_name="會員", if_list_exists="reuse"
        )
        assert report.list_sn == there
        bench.emulator.lose_reply_to("create_list")
        await workflows.import_contacts(bench.nl, CSV, list_name="新")
        assert [each.name for each in bench.emulator.lists] == ["會員", "會員2", "新"]
        bench.emulator.lose_reply_to("create_list")
        with pytest.raises(OutcomeUnknown):
            await bench.nl.contacts.create_list("會員")


@point
async def test_t53_emulator() -> None:
    """Names are not unique; a switch shows a new list later."""
    async with platform() as (api, clock):
        codes = {await api.create_list("會員") for _ in range(2)}
        assert len(codes) == len(api.emulator.lists) == 2
        clock.advance(60)
        api.emulator.switch(list_delay_s=30.0)
        await api.create_list("晚")
        counts = []
        for _ in range(2):
            counts.append(len((await api.get("/v1/contacts/lists")).json()["Lists"]))
            clock.advance(31)

    assert counts == [2, 3]


SHAPES: list[Any] = [
    [LIST_ROW],
    {"Lists": [LIST_ROW]},
    {"lists": [LIST_ROW]},
    {"groups": [LIST_ROW], "pageInfo": {"page": 1, "total": 1}},
    {"data": {"groups": [LIST_ROW]}},
    [{"name": "without a code"}, LIST_ROW],
]


@point
@pytest.mark.parametrize("answer", SHAPES)
async def test_t54_client(answer: Any) -> None:
    """The only array of lists is read with any name; a row without a code is left out."""
    assert [each.sn for each in await result_of(list_lists, answer)] == [SN]
    assert await result_of(list_lists, {"groups": []}) == ()
    for strange in ({"a": [LIST_ROW], "b": [LIST_ROW]}, {"total": 3}, "nothing", 5):
        error = await error_of(list_lists, strange)
        assert isinstance(error, UnexpectedResponse)
        assert error.excerpt


@point
async def test_t54_emulator() -> None:
    """It is the wrapper, the array, or a wrapper of another name beside a ``pageInfo``."""
    async with platform() as (api, _):
        sn = await api.create_list()
        shapes = []
        for switches in ({}, {"lists_wrapper": "groups"}, {"lists_as_array": True}):
            api.emulator.switch(**switches)
            shapes.append((await api.get("/v1/contacts/lists")).json())

    assert list(shapes[0]) == ["Lists"]
    assert shapes[1].keys() == {"groups", "pageInfo"}
    assert shapes[1]["pageInfo"] == {"page": 0, "size": 20, "total": 1}
    assert shapes[1]["groups"][0]["sn"] == shapes[2][0]["sn"] == sn


@point
@pytest.mark.parametrize(
    ("count", "read_as"),
    [
        (4963, 4963),
        ("4963", 4963),
        ("0", 0),
        (..., None),
        (None, None),
        ("", None),
        ("1,000", 1_000),
        (" 4963 ", 4963),
        ("4963.0", 4963),
        (0.5, None),
        ("many", None),
        (-1, None),
    ],
)
async def test_t55_client(count: object, read_as: int | None) -> None:
    """A count is a number or text of digits; one that is absent or unreadable is unknown."""
    row = {**LIST_ROW} if count is ... else {**LIST_ROW, "subscribedCnt": count}
    [found] = await result_of(list_lists, [row])

    assert found.subscribed_count == read_as


@point
@pytest.mark.parametrize(
    ("switches", "subscribed", "excluded"),
    [
        ({}, "1200", 0),
        ({"counts_as_numbers": True}, 1200, 0),
        ({"count_form": "number"}, 1200, 0),
        ({"count_form": "text"}, "1200", "0"),
        ({"count_form": "grouped"}, "1,200", "0"),
        ({"count_form": "blank"}, "", ""),
    ],
)
async def test_t55_emulator(switches: dict[str, Any], subscribed: object, excluded: object) -> None:
    """The one count of the sample is text; a switch changes it, and another one all counts."""
    async with platform(**switches) as (api, clock):
        await api.import_text(rows(1_200), await api.create_list())
        clock.advance(60)
        [row] = (await api.get("/v1/contacts/lists")).json()["Lists"]

    assert (row["subscribedCnt"], row["excludeCnt"]) == (subscribed, excluded)


@point
@pytest.mark.parametrize("name", ["2019-04-01T08:38:32.569Z", "0412", "1e3", "null", " 測試 "])
async def test_t56_client(name: str) -> None:
    """A name is text, and never converted."""
    [row, number] = await result_of(
        list_lists, [{**LIST_ROW, "name": name}, {"sn": "b", "name": 412}]
    )

    assert (row.name, number.name) == (name, "412")


@point
async def test_t56_emulator() -> None:
    """There are sample lists of such names."""
    async with platform() as (api, _):
        api.emulator.add_sample_lists()
        found = (await api.get("/v1/contacts/lists")).json()["Lists"]

    assert {"2019-04-01T08:38:32.569Z", "0412"} <= {each["name"] for each in found}


@point
async def test_t57_client() -> None:
    """Unknown fields are ignored, everywhere."""
    more = {"segVersion": -1, "新": {"a": [1]}, "x": None}

    [row] = await result_of(list_lists, {"Lists": [{**LIST_ROW, **more}]})
    assert row.sn == SN
    assert await result_of(submit, {"sn": "c", **more}) == "c"
    result = await result_of(get_import, {"import_sn": SN, "status": "COMPLETE", **more})
    assert result.status.is_success
    [campaign] = await result_of(list_campaigns, [{"sn": "c", **more}])
    assert campaign.sn == "c"
    link = {"reportType": "open", "link": "https://a.example/x", **more}
    assert len(await result_of(get_links, {"Reports": [link]})) == 1


@point
async def test_t57_emulator() -> None:
    """``segVersion`` is sent with the array only."""
    async with platform() as (api, _):
        await api.create_list()
        [plain] = (await api.get("/v1/contacts/lists")).json()["Lists"]
        api.emulator.switch(lists_as_array=True)
        [row] = (await api.get("/v1/contacts/lists")).json()

    assert ("segVersion" in plain, row["segVersion"]) == (False, -1)


async def found_through_pages(count: int, **switches: Any) -> tuple[set[str], list[str]]:
    """Have so many lists, and return their codes and those that a client goes through."""
    async with switched(**switches) as bench:
        for _ in range(count // 4):
            bench.emulator.add_sample_lists()
        made = {each.sn for each in bench.emulator.lists}
        return made, [each.sn async for each in bench.nl.contacts.iter_lists()]


@point
@pytest.mark.parametrize("before", ["first", "empty", "refused"])
@pytest.mark.parametrize("count", [0, 4, 128])
async def test_t58_client(before: str, count: int) -> None:
    """Pages are read from 0, and all lists are found if they count from 1."""
    made, found = await found_through_pages(count, first_page=1, page_before_first=before)

    assert (set(found), len(found)) == (made, len(made))


@point
@pytest.mark.parametrize(
    ("switches", "first", "second"),
    [
        ({}, ["c", "b"], ["a"]),
        ({"first_page": 1}, ["c", "b"], ["c", "b"]),
        ({"first_page": 1, "page_before_first": "empty"}, [], ["c", "b"]),
        ({"first_page": 1, "page_before_first": "refused"}, None, ["c", "b"]),
    ],
)
async def test_t58_emulator(
    switches: dict[str, Any], first: list[str] | None, second: list[str]
) -> None:
    """Pages count from 0 or ``first_page``; another switch decides about earlier numbers."""
    async with platform(**switches) as (api, _):
        for name in "abc":
            await api.create_list(name)
        pages = [await api.get(f"/v1/contacts/lists?size=2&page={page}") for page in (0, 1)]

    assert codes_of(pages[0]) == ((400, 40001) if first is None else (200, None))
    for answer, names in zip(pages, (first, second), strict=True):
        assert [each["name"] for each in answer.json().get("Lists", ())] == (names or [])


@point
@pytest.mark.parametrize("cap", [10, 50, 100, None])
async def test_t59_client(cap: int | None) -> None:
    """``size`` and ``page`` are sent in digits, and a lower cap of the platform hides no list."""
    made, found = await found_through_pages(128, most_lists_on_page=cap)
    assert (set(found), len(found)) == (made, len(made))

    async with scripted(Reply([])) as script:
        await script.nl.contacts.list_lists()
        assert dict(script.wire.sent[0].query) == {"size": "100", "page": "0"}
        for size in (0, 101):
            with pytest.raises(InvalidRequest):
                await script.nl.contacts.list_lists(size=size)


@point
async def test_t59_emulator() -> None:
    """There are 20 on a page or what ``size`` says, up to a cap; other text is 40001."""
    async with platform() as (api, _):
        for number in range(25):
            await api.create_list(str(number))

        async def count(query: str, **switches: Any) -> int:
            api.emulator.switch(**switches)
            return len((await api.get(f"/v1/contacts/lists?{query}")).json()["Lists"])

        assert [await count(""), await count("size=25")] == [20, 25]
        for field, value in itertools.product(("size", "page"), ("x", "-1", "1.5", "１", "9" * 99)):
            answer = await api.get(f"/v1/contacts/lists?{field}={value}")
            assert list(field_errors(answer)) == [field]
        assert list(field_errors(await api.get("/v1/contacts/lists?size=0"))) == ["size"]
        assert await count("", default_page_size=7) == 7
        assert await count("size=25", most_lists_on_page=10) == 10


@point
async def test_t60_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are read to an empty one or two without news, each list once, with an end."""
    row = [[{"sn": f"{page}-{number}"} for number in range(100)] for page in range(3)]
    moved = [*row[1][1:], row[0][-1]]
    async with scripted(
        *(Reply(each) for each in (row[0], moved, row[2], [])),
        *(Reply(each) for each in (row[0], row[1], row[2])),
    ) as script:
        found = [each.sn async for each in script.nl.contacts.iter_lists()]
    assert len(found) == len(set(found)) == 300

    assert contacts._MOST_PAGES == 1_000
    monkeypatch.setattr(contacts, "_MOST_PAGES", 9)
    async with scripted(*(Reply([{"sn": f"{number}"}]) for number in range(9))) as script:
        with pytest.raises(UnexpectedResponse, match="no end"):
            assert [each async for each in script.nl.contacts.iter_lists()]


@point
async def test_t60_emulator() -> None:
    """The newest list comes first, and the answer has no total."""
    async with platform() as (api, _):
        for name in "abc":
            await api.create_list(name)
        answer = (await api.get("/v1/contacts/lists")).json()

    assert [each["name"] for each in answer["Lists"]] == ["c", "b", "a"]
    assert answer.keys() == {"Lists"}


@point
async def test_t61_client() -> None:
    """Rates are percent, as they come."""
    [row] = await result_of(list_lists, [{**LIST_ROW, "openedRate": 66.6667, "clickedRate": 0.5}])

    assert (row.opened_rate_percent, row.clicked_rate_percent) == (66.6667, 0.5)


@point
async def test_t61_emulator() -> None:
    """Rates are percent of the delivered mails, with four decimals."""
    async with platform(open_share=0.5, click_share=1.0, bounce_share=0.0) as (api, clock):
        await api.submit(BODY, await api.filled_list(300))
        clock.advance(10 * 86_400)
        [row] = (await api.get("/v1/contacts/lists")).json()["Lists"]
        opened = api.emulator.campaigns[0].count("open", clock.now())

    assert row["openedRate"] == row["clickedRate"] == round(100 * opened / 300, 4)
    assert 40 < row["openedRate"] < 60


@point
async def test_t62_client() -> None:
    """Unknown values are kept; a segment is refused as a target, by its name and by its code."""
    [row] = await result_of(list_lists, [{**LIST_ROW, "status": "NEW", "type": 7}])
    assert (row.status, row.type, row.is_segment) == ("NEW", 7, False)

    segment = json.dumps([{**LIST_ROW, "name": "分眾", "type": 1}]).encode()
    async with connected() as bench:
        bench.emulator.fail("list_lists", 200, body=segment, times=2)
        targets: list[dict[str, Any]] = [
            {"list_sn": SN},
            {"list_name": "分眾", "if_list_exists": "reuse"},
        ]
        for target in targets:
            with pytest.raises(InvalidRequest, match="fills itself"):
                await workflows.import_contacts(bench.nl, CSV, **target)
        assert bench.emulator.imports == ()
        bench.emulator.clear_faults()
        ordinary = await bench.nl.contacts.create_list("會員")
        report = await workflows.import_contacts(bench.nl, CSV, list_sn=ordinary)
        assert report.list_sn == ordinary


@point
async def test_t62_emulator() -> None:
    """A list is PROCESSING while it is imported into, and of type 0; a segment is of type 1."""
    async with platform() as (api, clock):
        list_sn = await api.create_list("會員")
        api.emulator.add_segment("分眾")
        await api.import_text(CSV, list_sn)

        async def states() -> dict[str, tuple[str, int]]:
            found = (await api.get("/v1/contacts/lists")).json()["Lists"]
            return {each["name"]: (each["status"], each["type"]) for each in found}

        assert await states() == {"會員": ("PROCESSING", 0), "分眾": ("GENERAL", 1)}
        clock.advance(60)
        assert (await states())["會員"] == ("GENERAL", 0)
        assert len(api.emulator.lists[1].members) == 1
