"""Going through all lists, whatever the server makes of pages."""

from __future__ import annotations

import pytest

from newsleopard_async import UnexpectedResponse
from newsleopard_async.endpoints import contacts
from tests.clients import Reply, Script, connected, scripted


def page(*codes: int) -> Reply:
    """Build a page of lists."""
    return Reply({"Lists": [{"sn": f"list-{code}"} for code in codes]})


def full_page(first: int) -> Reply:
    """Build a page of a hundred lists."""
    return page(*range(first, first + 100))


async def codes_of(script: Script) -> list[int]:
    """Go through all lists."""
    return [int(each.sn.removeprefix("list-")) async for each in script.nl.contacts.iter_lists()]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        ([page()], 0),
        ([page(*range(7))], 7),
        ([page(*range(99))], 99),
        ([full_page(0), page()], 100),
        ([full_page(0), page(100)], 101),
        ([full_page(0), full_page(100), page()], 200),
    ],
)
async def test_pages_are_read_until_one_is_short(pages: list[Reply], expected: int) -> None:
    """Pages count from 0; a full one is followed by another, a short or empty one is the last."""
    async with scripted(*pages) as script:
        codes = await codes_of(script)

    assert codes == list(range(expected))
    assert [dict(request.query) for request in script.wire.sent] == [
        {"size": "100", "page": str(number)} for number in range(len(pages))
    ]


@pytest.mark.anyio
async def test_list_on_two_pages_comes_once() -> None:
    """A list that moved to the next page meanwhile is not given twice."""
    async with scripted(full_page(0), page(98, 99, 100)) as script:
        codes = await codes_of(script)

    assert codes == list(range(101))


@pytest.mark.anyio
async def test_server_that_ignores_the_page_is_left() -> None:
    """A page of nothing new is the end, even if it is full."""
    async with scripted(full_page(0), full_page(0)) as script:
        codes = await codes_of(script)

    assert codes == list(range(100))


@pytest.mark.anyio
async def test_pages_without_end_fail_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists are not silently cut short: a list that is missed would be created again."""
    monkeypatch.setattr(contacts, "_MOST_PAGES", 3)

    async with scripted(full_page(0), full_page(100), full_page(200)) as script:
        with pytest.raises(UnexpectedResponse, match="no end after 3 pages"):
            await codes_of(script)


@pytest.mark.anyio
async def test_whoever_stops_early_sends_no_more() -> None:
    """Pages are asked for when they are needed."""
    async with scripted(full_page(0)) as script:
        rows = script.nl.contacts.iter_lists()
        first = await anext(rows)
        await rows.aclose()  # type: ignore[attr-defined]  # it is an async generator

    assert first.sn == "list-0"


@pytest.mark.anyio
async def test_all_lists_of_the_platform_are_found() -> None:
    """Two pages and a half of lists come once each."""
    async with connected() as bench:
        made = [each for _ in range(63) for each in bench.emulator.add_sample_lists()]
        found = [each.sn async for each in bench.nl.contacts.iter_lists()]

    assert sorted(found) == sorted(each.sn for each in made)
    assert bench.emulator.count("list_lists") == 3
