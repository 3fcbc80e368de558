"""Only one run changes a record in a store, after any failure, delay or suspension."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import anyio
import attrs
import pytest

from newsleopard_async import InUse
from newsleopard_async.stores import Kept
from newsleopard_async.workflows.record_access import RecordAccess
from newsleopard_async.workflows.run_record import RunRecord, StepRecord
from tests.constants import START
from tests.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

KEY = "k"
DONE = StepRecord(state="done", at=START, result="C1")


def intent(writer: str | None) -> StepRecord:
    """Build the intent of a run."""
    return StepRecord(state="intent", at=START, writer=writer)


@attrs.define
class Script(MemoryStore):
    """A store with calls that can fail, before or after they have taken effect.

    Attributes:
        before: Called before a save with its number, from 1; it can raise, or write.
        after: As ``before``, after the save.
        on_load: Called before each load.
        saves: The number of saves.
        sticks: Whether a save never returns.
    """

    before: Callable[[int], object] = lambda _: None
    after: Callable[[int], object] = lambda _: None
    on_load: Callable[[], object] = lambda: None
    saves: int = 0
    sticks: bool = False

    async def load(self, key: str) -> Kept | None:
        """Return the stored record."""
        self.on_load()
        return await super().load(key)

    async def save(self, key: str, data: Any, revision: str | None) -> str:
        """Keep it if nothing was saved since."""
        self.saves += 1
        self.before(self.saves)
        new = await super().save(key, data, revision)
        self.after(self.saves)
        if self.sticks:
            await anyio.sleep_forever()
        return new

    def write(self, stored: RunRecord, revision: str = "of another") -> None:
        """Write a record from outside."""
        self.kept[KEY] = json.dumps(stored.to_dict()), revision

    @property
    def now(self) -> dict[str, Any]:
        """The record."""
        return dict(json.loads(self.kept[KEY][0]))


class Locking(Script):
    """A store with locks, for example of files."""

    def locked(self, key: str) -> AbstractContextManager[None]:
        """Lock nothing: the code only checks whether the store has locks."""

        @contextmanager
        def lock() -> Any:
            yield

        return lock()


@attrs.define
class Run:
    """A run with access to its record.

    Attributes:
        store: The store.
        records: The records that the run knows.
    """

    store: Script
    records: dict[str, StepRecord] = attrs.field(factory=dict)
    access: RecordAccess = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.access = RecordAccess(store=self.store, key=KEY, name="the run", learn=self.learn)

    def learn(self, step: str, known: StepRecord, now: StepRecord | None) -> None:
        """Accept the outcome that another run has found out, as a checkpoint does."""
        assert self.records[step] == known
        del self.records[step]
        if now is not None:
            self.records[step] = now

    def build(self, writer: str | None = None) -> RunRecord:
        """Build the record to save."""
        return RunRecord(
            pipeline="send_campaign",
            input_hash="x",
            input_parts={},
            token="t",
            records=dict(self.records),
            abandoned=False,
            writer=writer or self.access.writer,
        )

    async def save(self, step: str | None = None, record: StepRecord | None = None) -> None:
        """Save the records, with one more record if it is passed."""
        if step is not None and record is not None:
            self.records[step] = record
        await self.access.save(self.build)

    async def begin(self) -> None:
        """Read the record, and save it as a run of its own."""
        stored = await self.access.load()
        self.records = {} if stored is None else dict(stored.records)
        await self.save()


def lost(_: int) -> None:
    """Lose the answer of a database."""
    raise RuntimeError("lost")


async def test_save_whose_answer_was_lost_is_found() -> None:
    """A record with this run's own id was saved."""
    run = Run(Script(after=lost))

    await run.begin()
    await run.save("submit", intent(run.access.writer))

    assert list(run.store.now["records"]) == ["submit"]


async def test_save_that_failed_is_an_error() -> None:
    """A record that is not in the store was not saved, and the error is raised."""
    run = Run(Script())
    await run.begin()
    run.store.before = lost

    with pytest.raises(RuntimeError, match="lost"):
        await run.save("submit", DONE)

    assert run.store.now["records"] == {}


async def test_save_that_cannot_be_read_is_an_error_and_is_looked_up_later() -> None:
    """The error of the save is raised; the next save begins by reading."""
    run = Run(Script(after=lost))

    def away() -> None:
        raise OSError("away")

    await run.begin()
    run.store.on_load = away
    with pytest.raises(RuntimeError, match="lost"):
        await run.save("create_list", DONE)
    with pytest.raises(OSError, match="away"):
        await run.save("submit", DONE)
    run.store.on_load, run.store.after = (lambda: None), (lambda _: None)
    await run.save()

    assert list(run.store.now["records"]) == ["create_list", "submit"]


async def test_run_continues_from_a_cancelled_save_that_was_stored() -> None:
    """After a cancellation it is unknown whether it was saved; reading finds out."""
    run = Run(Script())
    await run.begin()
    run.store.sticks = True

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run.save, "create_list", DONE)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    run.store.sticks = False
    await run.save("submit", DONE)

    assert list(run.store.now["records"]) == ["create_list", "submit"]


async def test_own_save_that_arrives_late_is_not_another_run() -> None:
    """It conflicts with the next save, which repeats on top of it."""
    run = Run(Script())
    await run.begin()
    late = run.build()

    def arrive(number: int) -> None:
        if number == 2:
            run.store.write(late, "late")

    run.store.before = arrive
    await run.save("submit", DONE)

    assert list(run.store.now["records"]) == ["submit"]
    assert run.store.saves == 3


async def test_run_that_was_taken_over_saves_nothing_more() -> None:
    """It does not read the store."""
    run = Run(Script())
    await run.begin()
    run.store.write(run.build("another"))

    with pytest.raises(InUse, match="another run has taken over"):
        await run.save("submit", DONE)
    saves = run.store.saves
    with pytest.raises(InUse):
        await run.save("submit", DONE)

    assert run.store.saves == saves
    assert run.store.now["records"] == {}


async def test_record_that_was_removed_is_not_created_again() -> None:
    """The process that removed it possibly began a new run."""
    run = Run(Script())
    await run.begin()
    run.store.kept.clear()

    with pytest.raises(InUse):
        await run.save()

    assert not run.store.kept


async def test_store_that_always_refuses_ends_the_run() -> None:
    """Nothing is tried without end."""
    run = Run(Script())
    await run.begin()

    def refuse(_: int) -> None:
        raise InUse("no")

    run.store.before = refuse
    with pytest.raises(InUse, match="no"):
        await run.save()

    assert run.store.saves == 5


async def test_errors_of_a_store_with_locks_count() -> None:
    """The content is possibly not on the disk yet; the run continues, but does not rely on it."""
    run = Run(Locking())
    await run.begin()
    run.store.after = lost

    with pytest.raises(RuntimeError, match="lost"):
        await run.save("submit", intent(run.access.writer))
    run.store.after = lambda _: None
    del run.records["submit"]
    await run.save()

    assert run.store.now["records"] == {}


async def test_lock_that_was_lost_ends_the_run_though_no_run_wrote() -> None:
    """Another run possibly began, and is not visible yet."""
    run = Run(Locking())
    await run.begin()

    def refuse(_: int) -> None:
        raise InUse("the lock was removed")

    run.store.before = refuse
    for _ in range(2):
        with pytest.raises(InUse, match="the lock was removed"):
            await run.save()

    assert run.store.saves == 2


# Outcomes that are added to the record of another run


async def overtaken(store: Script) -> tuple[Run, Run]:
    """One run stores an intent, and another one takes over."""
    first, second = Run(store), Run(store)
    await first.begin()
    await first.save("submit", intent(first.access.writer))
    await second.begin()
    return first, second


@pytest.mark.parametrize("result", [DONE, None])
async def test_outcome_of_a_request_is_added_and_accepted(
    result: StepRecord | None,
) -> None:
    """A suspended run continues: its answer is the outcome for both runs."""
    first, second = await overtaken(Script())
    with pytest.raises(InUse):
        await first.save("submit", DONE)

    assert await first.access.report("submit", result)
    await second.save("get_status", DONE)

    known = {"get_status": DONE} | ({} if result is None else {"submit": result})
    assert second.records == known
    assert second.store.now["writer"] == second.access.writer
    assert second.store.now["records"].keys() == known.keys()


async def test_result_of_another_run_is_found_by_a_refresh() -> None:
    """The other run reads this record after its own lookups fail."""
    first, second = await overtaken(Script())

    await second.access.refresh()
    assert second.records["submit"] == intent(first.access.writer)
    await first.access.report("submit", DONE)
    await second.access.refresh()

    assert second.records["submit"] == DONE


async def test_refresh_of_a_run_that_was_taken_over_raises() -> None:
    """This run must not report it."""
    first, _ = await overtaken(Script())

    with pytest.raises(InUse):
        await first.access.refresh()


async def test_second_report_finds_the_first() -> None:
    """The record already has the outcome."""
    first, _ = await overtaken(Script())

    assert await first.access.report("submit", DONE)
    saves = first.store.saves
    assert await first.access.report("submit", DONE)

    assert first.store.saves == saves


@pytest.mark.parametrize(
    "there", [None, intent("a third"), DONE], ids=["gone", "another's", "done"]
)
async def test_report_never_replaces_the_outcome_of_another_run(there: StepRecord | None) -> None:
    """A person possibly decided, or a lookup found the outcome."""
    first, second = await overtaken(Script())
    second.records.pop("submit")
    await second.save("submit", there)

    assert not await first.access.report("submit", attrs.evolve(DONE, result="C2"))

    assert second.store.now["records"] == second.build().to_dict()["records"]


async def test_report_about_a_record_that_is_gone_makes_none() -> None:
    """It would be a record of nothing else."""
    first, _ = await overtaken(Script())
    first.store.kept.clear()

    assert not await first.access.report("submit", DONE)

    assert not first.store.kept


@pytest.mark.parametrize("lands", [False, True])
async def test_report_is_tried_again_and_not_without_end(*, lands: bool) -> None:
    """The other run saves at the same time, and the store can fail."""
    first, second = await overtaken(Script())
    begun = first.store.saves

    def fail(number: int) -> None:
        if number == begun + 1:
            first.store.write(attrs.evolve(second.build(), abandoned=True))
        elif not lands or number == begun + 2:
            raise RuntimeError("away")

    first.store.before = fail
    assert await first.access.report("submit", DONE) is lands

    assert first.store.saves == begun + (3 if lands else 4)
    assert first.store.now["abandoned"]
