"""The views of imports and contacts."""

from __future__ import annotations

import time
from collections.abc import Generator

import anyio
import anyio.lowlevel
import pytest

from newsleopard_async.emulator.emulator import account_of
from newsleopard_async.emulator.sandbox import campaigns, queries
from newsleopard_async.emulator.sandbox.slices import catch_up, in_slices
from newsleopard_async.emulator.sandbox.views import ContactRow
from tests.emulator.api import Api, make
from tests.emulator.sandbox.control_api import ControlApi
from tests.emulator.sandbox.world import filled

pytestmark = pytest.mark.anyio


async def test_reason_of_a_rejected_row_is_in_its_column() -> None:
    """A row with too few or too many cells has one cell per column, the last one the reason."""
    emulator, clock = make()
    account = account_of(emulator)
    api = Api(emulator)
    csv = "EMAIL,NAME,CITY\nabsent,A,Taipei\nshort@example.com,B\nlong@example.com,C,Taipei,1,2\n"
    import_sn = await api.import_text(csv)
    clock.advance(60)
    await catch_up(account)

    seen = queries.import_view(account, import_sn)

    assert seen.rejected_columns == ("EMAIL", "NAME", "CITY", "REASON")
    assert seen.rejected_rows == (
        ("absent", "A", "Taipei", "INVALID_EMAIL"),
        ("short@example.com", "B", "", "WRONG_COLUMN_COUNT"),
        ("long@example.com", "C", "Taipei,1,2", "WRONG_COLUMN_COUNT"),
    )


async def test_pages_contain_each_contact_one_time() -> None:
    """The contacts of a list or of the account are in the order in which they were added."""
    world = await filled()
    await world.api.import_text("EMAIL,NAME\nother@example.com,O\n")
    world.clock.advance(60)
    await world.now()

    async def every(list_sn: str | None) -> list[ContactRow]:
        found = await in_slices(
            world.account, queries.find_contacts(world.account, list_sn=list_sn, limit=7)
        )
        contacts = [*found.contacts]
        while found.next is not None:
            found = await in_slices(
                world.account,
                queries.find_contacts(world.account, list_sn=list_sn, limit=7, after=found.next),
            )
            contacts += found.contacts
        return contacts

    members = [f"u{number}@example.com" for number in range(40)]
    assert [each.email for each in await every(world.list_sn)] == members
    assert [each.email for each in await every(None)] == [*members, "other@example.com"]


async def test_contact_is_found_by_a_part_of_its_address() -> None:
    """Upper and lower case are the same."""
    world = await filled()

    found = await in_slices(world.account, queries.find_contacts(world.account, text="U3"))

    assert [each.email for each in found.contacts][:3] == [
        *("u3@example.com", "u30@example.com", "u31@example.com")
    ]
    assert (found.total, found.next) == (40, None)


async def test_many_searches_do_not_block_other_requests() -> None:
    """A short request does not wait for a slice of each of many searches."""
    account = account_of(make()[0])
    slices = [0] * 20

    def search(number: int) -> Generator[None, None, None]:
        while True:
            end = time.perf_counter() + 0.001
            while time.perf_counter() < end:
                pass
            slices[number] += 1
            yield

    async with anyio.create_task_group() as tasks:
        for number in range(len(slices)):
            tasks.start_soon(in_slices, account, search(number))
        while not all(slices):
            await anyio.lowlevel.checkpoint()
        before = sum(slices)
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()

    assert sum(slices) - before < 10 * len(slices)


async def test_single_search_does_not_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next slice follows as soon as other tasks have run."""
    account = account_of(make()[0])

    def search() -> Generator[None, None, str]:
        yield
        return "found"

    with monkeypatch.context() as patch:
        patch.delattr(anyio, "sleep")
        assert await in_slices(account, search()) == "found"


async def test_contact_with_a_slash_in_its_address_has_a_path() -> None:
    """An address can contain a slash, and a proxy can decode an escaped slash."""
    emulator, clock = make()
    async with Api(emulator) as api:
        await api.import_text("EMAIL,NAME\na/b@example.com,A\n")
    clock.advance(60)

    found = await ControlApi(emulator).get("/contacts/a/b@example.com")

    assert found["email"] == "a/b@example.com"


async def test_timeline_contains_a_test_and_a_deletion() -> None:
    """The entries are in the order of their times."""
    world = await filled()
    world.api.emulator.switch(later_endpoints=True)
    sn = world.campaigns[2]
    await world.api.delete("/v1/campaign/normal", {"campaignSnList": [sn]})

    seen = campaigns.campaign_view(world.account, sn, await world.now())

    assert [each.what for each in seen.timeline] == [
        *("accepted", "begin", "decision", "end", "delete")
    ]


async def test_key_that_was_sent_to_the_storage_is_counted() -> None:
    """The page warns of the leak, and does not show the key."""
    emulator, _ = make()
    async with Api(emulator) as api:
        ticket = (await api.post("/v1/contacts/imports/file", {})).json()
        await api.put(ticket["url"], "x", headers={"x-api-key": "test-key"})

    seen = queries.account_view(account_of(emulator), emulator.clock.now(), version="1")

    assert seen.leaked_keys == 1
