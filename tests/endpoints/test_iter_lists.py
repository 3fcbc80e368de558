"""Iterating over all lists, with any behaviour of the server's pages."""

from __future__ import annotations

import pytest

from newsleopard_async import APIError, UnexpectedResponse
from newsleopard_async.endpoints import contacts
from tests.clients import Reply, Script, connected, scripted

pytestmark = pytest.mark.anyio


def page(*codes: int) -> Reply:
    """Build a page of lists."""
    return Reply({"Lists": [{"sn": f"list-{code}"} for code in codes]})


def full_page(first: int) -> Reply:
    """Build a page of a hundred lists."""
    return page(*range(first, first + 100))


async def codes_of(script: Script) -> list[int]:
    """Go through all lists."""
    return [int(each.sn.removeprefix("list-")) async for each in script.nl.contacts.iter_lists()]


def asked(script: Script) -> list[int]:
    """Return which pages were asked for."""
    assert all(dict(request.query)["size"] == "100" for request in script.wire.sent)
    return [int(dict(request.query)["page"]) for request in script.wire.sent]


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        ([page(), page()], 0),
        ([page(*range(7)), page()], 7),
        ([full_page(0), page()], 100),
    ],
)
async def test_pages_are_read_until_one_is_empty(pages: list[Reply], expected: int) -> None:
    """Pages count from 0; only an empty one is the last. Without page 0, page 1 is tried (T58)."""
    async with scripted(*pages) as script:
        codes = await codes_of(script)

    assert codes == list(range(expected))
    assert asked(script) == list(range(len(pages)))


@pytest.mark.parametrize("size", [100, 20, 1])
async def test_server_that_gives_fewer_rows_than_asked_is_read_to_the_end(size: int) -> None:
    """The largest page is not documented (T59): a list that is missed would be created again."""
    pages = [page(*range(first, first + size)) for first in (0, size, 2 * size)]
    async with scripted(*pages, page(), *pages) as script:
        codes = await codes_of(script)

    assert codes == list(range(3 * size))
    assert asked(script) == [0, 1, 2, 3, 0, 1, 2]


async def test_list_on_two_pages_comes_once() -> None:
    """A list that moved to the next page meanwhile is not given twice, nor one on a page twice."""
    one, two = page(0, 1, 1, 2), page(2, 3)
    async with scripted(one, two, page(), one, two) as script:
        codes = await codes_of(script)

    assert codes == list(range(4))


async def test_list_that_moved_to_a_page_that_was_read_is_not_missed() -> None:
    """Another one was deleted meanwhile, so that all that follow moved up by one."""
    async with scripted(page(0, 1, 2), page(4, 5), page(), page(1, 2, 3), page(4, 5)) as script:
        codes = await codes_of(script)

    assert sorted(codes) == list(range(6))


@pytest.mark.parametrize("whole", [full_page(0), page(*range(7))])
async def test_server_that_ignores_the_page_is_left(whole: Reply) -> None:
    """Two pages in a row with nothing new are the end, even if they are full."""
    async with scripted(whole, whole, whole, whole, whole) as script:
        codes = await codes_of(script)

    assert codes == list(range(len(whole.content["Lists"])))
    assert asked(script) == [0, 1, 2, 0, 1]


async def test_page_that_comes_twice_is_not_the_end() -> None:
    """Something in between may answer twice, and each page is then that of the request before."""
    one, two = page(0, 1), page(2, 3)
    async with scripted(one, one, two, page(), *[one] * 3) as script:
        codes = await codes_of(script)

    assert codes == list(range(4))


async def test_pages_without_end_fail_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists are not silently cut short: a list that is missed would be created again."""
    monkeypatch.setattr(contacts, "_MOST_PAGES", 3)

    async with scripted(full_page(0), full_page(100), full_page(200)) as script:
        with pytest.raises(UnexpectedResponse, match="no end after 3 pages"):
            await codes_of(script)


async def test_iteration_that_stops_early_sends_no_more() -> None:
    """Pages are asked for when they are needed."""
    async with scripted(full_page(0)) as script:
        rows = script.nl.contacts.iter_lists()
        first = await anext(rows)
        await rows.aclose()  # type: ignore[attr-defined]  # it is an async generator

    assert first.sn == "list-0"


async def test_all_lists_of_the_platform_are_found() -> None:
    """Two pages and a half of lists come once each, though they are read twice."""
    async with connected() as bench:
        made = [each for _ in range(63) for each in bench.emulator.add_sample_lists()]
        found = [each.sn async for each in bench.nl.contacts.iter_lists()]

    assert sorted(found) == sorted(each.sn for each in made)
    assert bench.emulator.count("list_lists") == 7


FIELD = {"code": "40001", "invalidFields": {"page": ["Min"]}}
BEFORE_FIRST = [
    page(),
    Reply(FIELD, 400),
    Reply({"errorCode": 40001, "invalidFields": "page must be at least 1"}, 422),
]


@pytest.mark.parametrize("before", BEFORE_FIRST, ids=["empty", "refused", "refused-in-words"])
async def test_pages_may_count_from_1(before: Reply) -> None:
    """If page 0 is empty or refused, all pages from 1 are read twice (T58)."""
    one, two = page(0, 1), page(2)
    async with scripted(before, one, two, page(), one, two) as script:
        codes = await codes_of(script)

    assert codes == [0, 1, 2]
    assert asked(script) == [0, 1, 2, 3, 1, 2]


@pytest.mark.parametrize("before", BEFORE_FIRST, ids=["empty", "refused", "refused-in-words"])
async def test_no_list_at_all_costs_one_more_page(before: Reply) -> None:
    """Page 1 decides whether the account has no lists, or its pages count from 1."""
    async with scripted(before, page()) as script:
        codes = await codes_of(script)

    assert codes == []
    assert asked(script) == [0, 1]


async def test_first_page_that_comes_as_page_0_and_1_is_read_on() -> None:
    """Some servers take any number below the first page for the first."""
    one, two = page(0, 1), page(2, 3)
    async with scripted(one, one, two, page(), one, one, two) as script:
        codes = await codes_of(script)

    assert codes == [0, 1, 2, 3]


PAST_THE_END = [
    [Reply({"code": "40001", "invalidFields": {"page": ["Max"]}}, 400)],
    [Reply({"errorCode": 40001}, 400)] * 2,
    [Reply(b"", 400)] * 2,
    [Reply({"status": 404, "error": "Not Found"}, 404)] * 2,
    [Reply(b"", 204)],
    [Reply({"Lists": None})],
    [Reply({})],
]


@pytest.mark.parametrize("end", PAST_THE_END, ids=str)
async def test_page_past_the_end_may_be_refused(end: list[Reply]) -> None:
    """After a short page, a refused or null page means the end; accidents are tried twice (T60)."""
    async with scripted(page(*range(7)), *end) as script:
        codes = await codes_of(script)

    assert codes == list(range(7))


@pytest.mark.parametrize(
    "replies",
    [
        (full_page(0), Reply(b"", 404)),
        (full_page(0), Reply({"code": 40001}, 400)),
        (page(0), Reply({"code": 40007}, 400)),
        (page(0), Reply({"code": 40001, "invalidFields": {"size": ["Max"]}}, 400)),
    ],
    ids=["after-a-full-page", "no-field", "another-code", "another-field"],
)
async def test_other_refusal_of_a_page_is_an_error(replies: tuple[Reply, ...]) -> None:
    """A page that may have lists is never skipped."""
    async with scripted(*replies) as script:
        with pytest.raises(APIError):
            await codes_of(script)


async def test_page_that_was_refused_by_chance_is_read() -> None:
    """Something in between refuses once, and the page has lists."""
    one, two = page(0, 1), page(2)
    async with scripted(one, Reply(b"", 400), two, page(), one, two) as script:
        codes = await codes_of(script)

    assert codes == [0, 1, 2]


@pytest.mark.parametrize(
    "refusal",
    [
        Reply({"code": "40001", "invalidFields": {"size": ["Max"]}}, 400),
        Reply(b"", 400),
        Reply(b"<h1>This page is not working</h1>", 400),
        Reply({"code": 40007, "message": "page"}, 400),
    ],
)
async def test_other_refusal_of_page_0_is_an_error(refusal: Reply) -> None:
    """Page 0 may have lists; without them, a list would be created a second time."""
    async with scripted(refusal) as script:
        with pytest.raises(APIError):
            await codes_of(script)


async def test_page_behind_the_last_may_be_refused() -> None:
    """A further page whose number is refused is the end."""
    one, two = page(0, 1), page(2)
    async with scripted(one, two, Reply(FIELD, 400), one, two) as script:
        codes = await codes_of(script)

    assert codes == [0, 1, 2]


async def test_lists_without_names_are_not_searched_for_one() -> None:
    """If no list has the field, it may be under another: "not found" would create it again."""
    async with scripted(Reply([{"sn": "list-1", "listName": "會員"}])) as script:
        with pytest.raises(UnexpectedResponse, match="name is missing, and no other row has one"):
            [each async for each in script.nl.contacts.iter_lists(name="會員")]


async def test_lists_of_one_name_alone() -> None:
    """A bad row with another name is ignored; a bad row with the wanted name is an error."""
    rows = [{"sn": "list-1", "name": "會員"}, {"name": "別的"}, {"sn": "list-2", "name": 412}]
    replies = [Reply(rows), page()]
    async with scripted(
        *replies, *replies, Reply(rows), Reply([*rows, {"name": "會員"}])
    ) as script:
        found = [each.sn async for each in script.nl.contacts.iter_lists(name="會員")]
        none = [each.sn async for each in script.nl.contacts.iter_lists(name="0x19c")]
        for name in ("0412", "會員"):
            with pytest.raises(UnexpectedResponse, match="is possibly the row that was searched"):
                [each async for each in script.nl.contacts.iter_lists(name=name)]

    assert (found, none) == (["list-1"], [])
