"""What every store does: it compares before it sets, and gives back what it was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from newsleopard_async import InUse
from newsleopard_async.stores.protocol import check_store, keys_of
from tests.stores.conftest import Opening

pytestmark = pytest.mark.anyio

KEYS = (
    *(
        "anniversary-2027",
        "Anniversary-2027",
        "週年慶",
        "../../etc/passwd",
        "a/b",
        "a b",
        "A" * 200,
    ),
    *("nul\0", "half \ud800", 'quote" and \\ud800', "%", "_", "line\nbreak", "con", "."),
)

DATA: Mapping[str, Any] = {
    "text": '週年慶 😀 "quoted" \\u0000 \0 \n half \ud800',
    "nested": {"list": [1, 2.5, None, True, {"": ""}], "empty": {}},
    "large": 2**53,
}


async def test_nothing_is_kept_under_a_new_key(any_opening: Opening) -> None:
    """To load changes nothing."""
    store = any_opening()

    assert await store.load("") is None
    assert await keys_of(store) == ()


async def test_what_is_saved_is_loaded_by_another_process(any_opening: Opening) -> None:
    """The revision is the one that the save gave."""
    revision = await any_opening().save("", DATA, None)

    kept = await any_opening().load("")

    assert kept is not None
    assert (kept.data, kept.revision) == (DATA, revision)


async def test_each_save_has_a_revision_of_its_own(opening: Opening) -> None:
    """This is also true for the same data: the first revision is not the third one."""
    store = opening()
    first = await store.save("key", {"state": 1}, None)
    second = await store.save("key", {"state": 2}, first)
    third = await store.save("key", {"state": 1}, second)

    assert len({first, second, third}) == 3
    with pytest.raises(InUse):
        await opening().save("key", {"state": 3}, first)


@pytest.mark.parametrize("stale", [True, False])
async def test_save_over_what_another_run_saved_is_refused(
    any_opening: Opening, *, stale: bool
) -> None:
    """Whether this run has seen an older state, or none, nothing is changed."""
    seen = await any_opening().save("", {"by": "this run"}, None)
    other = await any_opening().save("", {"by": "another"}, seen)

    with pytest.raises(InUse):
        await any_opening().save("", {"by": "this run again"}, seen if stale else None)

    kept = await any_opening().load("")
    assert kept is not None
    assert (kept.data, kept.revision) == ({"by": "another"}, other)


async def test_revision_of_what_is_not_there_is_refused(any_opening: Opening) -> None:
    """The record was removed: a run that continues would begin again."""
    with pytest.raises(InUse):
        await any_opening().save("", {}, "0123")

    assert await any_opening().load("") is None


async def test_of_runs_that_begin_at_once_one_saves(any_opening: Opening) -> None:
    """Each has seen that there is nothing."""
    saved, refused = [], []

    async def begin(number: int) -> None:
        store = any_opening()
        try:
            await store.save("", {"run": number}, None)
            saved.append(number)
        except InUse:
            refused.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(begin, number)

    kept = await any_opening().load("")
    assert kept is not None
    assert [kept.data["run"]] == saved
    assert len(refused) == 7


async def test_of_runs_that_go_on_at_once_no_save_is_lost(any_opening: Opening) -> None:
    """Each counts up what it has seen, until its save is taken."""

    async def count_up() -> None:
        store = any_opening()
        while True:
            kept = await store.load("")
            count, seen = (0, None) if kept is None else (kept.data["count"], kept.revision)
            try:
                await store.save("", {"count": count + 1}, seen)
            except InUse:
                continue
            return

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(count_up)

    kept = await any_opening().load("")
    assert kept is not None
    assert kept.data == {"count": 8}


async def test_any_text_is_a_key(opening: Opening) -> None:
    """Keys that differ in anything are different keys."""
    store = opening()
    for number, key in enumerate(KEYS):
        await store.save(key, {"number": number}, None)

    kept = [await opening().load(key) for key in KEYS]

    assert [each.data["number"] for each in kept if each is not None] == list(range(len(KEYS)))
    assert await keys_of(store) == tuple(sorted(KEYS))
    assert sorted([key async for key in keys_of(store)]) == sorted(KEYS)


async def test_large_record_is_kept(any_opening: Opening) -> None:
    """A run of a thousand parts is far from what is refused."""
    data = {"records": {f"part/{number}": "x" * 1_000 for number in range(1_000)}}

    await any_opening().save("", data, None)

    kept = await any_opening().load("")
    assert kept is not None
    assert kept.data == data


async def test_every_store_is_a_store(any_opening: Opening) -> None:
    """It is not refused in the place of one."""
    check_store(any_opening())


@pytest.mark.parametrize("after", range(4))
async def test_cancelled_save_took_place_or_did_not(after: int, any_opening: Opening) -> None:
    """The next load shows which, and a run continues from there; nothing is in doubt."""
    store = any_opening()
    seen = await store.save("", {"state": 0}, None)

    async def save(scope: anyio.CancelScope) -> None:
        with scope:
            await store.save("", {"state": 1}, seen)

    async with anyio.create_task_group() as tasks:
        scope = anyio.CancelScope()
        tasks.start_soon(save, scope)
        for _ in range(after):
            await anyio.lowlevel.checkpoint()
        scope.cancel()

    kept = await any_opening().load("")
    assert kept is not None
    assert kept.data["state"] in (0, 1)
    assert (kept.revision == seen) == (kept.data["state"] == 0)
    await any_opening().save("", {"state": 2}, kept.revision)


async def test_one_store_serves_several_event_loops(any_opening: Opening) -> None:
    """As a web server's, and those of threads beside it."""
    store = any_opening()
    await store.save("", {"state": 1}, None)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(anyio.to_thread.run_sync, anyio.run, store.load, "")

    kept = await anyio.to_thread.run_sync(anyio.run, store.load, "")
    assert kept is not None
    assert kept.data == {"state": 1}
