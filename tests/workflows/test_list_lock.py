"""Imports into one list run one after the other, also after failures and cancellations."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest

from newsleopard_async import (
    DeadlineExceeded,
    ImportFailed,
    InUse,
    InvalidRequest,
    ListSn,
    NewsLeopard,
    Polling,
    with_lists,
    workflows,
)
from newsleopard_async.files import state_folder
from newsleopard_async.locks import FileLock
from newsleopard_async.workflows import list_lock
from tests.clients import Bench, connected, csv_of
from tests.constants import CAMPAIGN

pytestmark = pytest.mark.anyio

MANY = csv_of(101)
"""Too many for a text import."""


@attrs.define
class Watched:
    """The actions of pipelines, in their order."""

    bench: Bench
    seen: list[tuple[str, str]] = attrs.field(factory=list)

    def as_progress(self, name: str) -> workflows.Progress:
        """Record when a pipeline's import is sent, waits for others, and has ended."""

        def note(event: workflows.Event) -> None:
            step = event.step
            # The progress of a transfer is also a wait, and has a result.
            waits = event.state == "waiting" and event.result is None
            if step in ("upload_file", "import_text") and (waits or event.state == "started"):
                self.seen.append((name, event.state))
            if step == "get_import" and event.state == "finished":
                done = getattr(event.result, "get", lambda _: None)("status") == "COMPLETE"
                self.seen.extend([(name, "ended")] * done)

        return note

    async def load(self, name: str, into: ListSn, *, nl: NewsLeopard | None = None) -> None:
        """Import contacts under a name."""
        await workflows.import_contacts(
            nl or self.bench.nl, MANY, list_sn=into, progress=self.as_progress(name)
        )


def in_turn(*names: str) -> list[tuple[str, str]]:
    """Return the record of imports that start together and run one after the other.

    A waiting import is recorded first.
    """
    waits = [(name, "waiting") for name in names[1:]]
    head, *tail = [[(name, "started"), (name, "ended")] for name in names]
    return [head[0], *waits, head[1], *(each for pair in tail for each in pair)]


async def together(*work: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Start some work together, in this order."""
    async with anyio.create_task_group() as tasks:
        for each in work:
            tasks.start_soon(each)


@pytest.mark.parametrize("contacts", [csv_of(3), MANY], ids=["text", "file"])
async def test_second_campaign_uploads_after_the_first_import_has_ended(contacts: str) -> None:
    """The effect of several imports at a time is not documented (T48)."""
    async with connected() as bench:
        watched, sn = Watched(bench), await bench.make_list(0)

        async def send(name: str) -> None:
            await workflows.send_campaign(
                bench.nl,
                attrs.evolve(CAMPAIGN, name=name),
                contacts=contacts,
                list_sn=sn,
                progress=watched.as_progress(name),
            )

        await together(lambda: send("a"), lambda: send("b"), lambda: send("c"))

    order = [name for name, state in watched.seen if state == "started"]
    assert sorted(watched.seen) == sorted(in_turn(*order))
    assert [each for each in watched.seen if each[1] != "waiting"] == [
        (name, state) for name in order for state in ("started", "ended")
    ]
    assert len(bench.emulator.campaigns) == 3
    assert not list_lock._queues[bench.nl._api.limiter.queue]


async def test_clients_of_one_key_share_the_lock() -> None:
    """The lock belongs to the list at the platform, not to a client."""
    async with connected() as bench, bench.unchecked() as other:
        watched, sn = Watched(bench), await bench.make_list(0)
        await together(lambda: watched.load("a", sn), lambda: watched.load("b", sn, nl=other))

    assert [state for _, state in watched.seen] == [
        "started", "waiting", "ended", "started", "ended"
    ]  # fmt: skip


async def test_imports_into_other_lists_overlap() -> None:
    """A list waits only for its own imports."""
    async with connected() as bench:
        watched = Watched(bench)
        lists = [await bench.make_list(0, name) for name in ("a", "b")]
        await together(*(partial(watched.load, sn, sn) for sn in lists))

    states = [state for _, state in watched.seen]
    assert states[:2] == ["started", "started"]
    assert "waiting" not in states


async def test_parts_of_one_import_are_not_divided_by_another() -> None:
    """The lock is held until the last part has ended."""
    async with connected() as bench:
        watched, sn = Watched(bench), await bench.make_list(0)
        await together(
            lambda: workflows.import_contacts(
                bench.nl,
                MANY,
                list_sn=sn,
                part_bytes=2_000,
                progress=watched.as_progress("a"),
            ),
            lambda: watched.load("b", sn),
        )

    names = [name for name, state in watched.seen if state != "waiting"]
    assert names.count("a") > 2
    assert names in (sorted(names), sorted(names, reverse=True))


@pytest.mark.quick
async def test_cancelled_pipeline_releases_the_list() -> None:
    """The next import starts, in order, whether or not the cancelled one had the lock."""
    async with connected() as bench:
        watched, sn = Watched(bench), await bench.make_list(0)
        scopes = {name: anyio.CancelScope() for name in "abcd"}

        async def load(name: str) -> None:
            with scopes[name]:
                await watched.load(name, sn)

        async def cancel() -> None:
            while [state for _, state in watched.seen].count("waiting") < 3:
                await bench.clock.sleep(0.5)
            scopes[watched.seen[0][0]].cancel()
            waiting = [name for name, state in watched.seen if state == "waiting"]
            scopes[waiting[1]].cancel()

        await together(*(partial(load, name) for name in "abcd"), cancel)

    began = [name for name, state in watched.seen if state == "started"]
    waited = [name for name, state in watched.seen if state == "waiting"]
    assert began[1:] == [waited[0], waited[2]]
    assert [each for each in watched.seen if each[1] == "ended"] == [
        (name, "ended") for name in began[1:]
    ]
    assert not list_lock._queues[bench.nl._api.limiter.queue]


async def test_failed_import_releases_the_list() -> None:
    """A failed import does not block the next one."""
    async with connected() as bench:
        watched, sn = Watched(bench), await bench.make_list(0)
        bench.emulator.script_import("ERROR")
        failed: list[ImportFailed] = []

        async def load(name: str) -> None:
            try:
                await watched.load(name, sn)
            except ImportFailed as error:
                failed.append(error)

        await together(lambda: load("a"), lambda: load("b"))

    assert len(failed) == 1
    assert [state for _, state in watched.seen] == ["started", "waiting", "started", "ended"]


async def test_wait_for_the_list_has_an_end(tmp_path: Path) -> None:
    """The error names the lock; the next run with the checkpoint resumes."""
    polling = Polling(deadline_s=60)
    async with connected() as bench:
        sn = await bench.make_list(0)
        bench.emulator.stick_import()
        late: list[DeadlineExceeded] = []

        async def wait() -> None:
            await bench.clock.sleep(10)
            with pytest.raises(DeadlineExceeded, match="other imports into the list") as caught:
                await workflows.import_contacts(
                    bench.nl, MANY, list_sn=sn, polling=polling, checkpoint=tmp_path / "b"
                )
            late.append(caught.value)
            assert bench.emulator.count("upload") == 1

        async def stick() -> None:
            with pytest.raises(DeadlineExceeded, match="not ready within 100 s"):
                await workflows.import_contacts(
                    bench.nl, MANY, list_sn=sn, polling=Polling(deadline_s=100)
                )

        await together(stick, wait)
        assert sn in str(late[0])
        assert "imported nothing" in str(late[0])
        assert bench.clock.monotonic() == pytest.approx(100, abs=5)
        assert late[0].checkpoint is not None


async def test_resumed_run_holds_the_list_while_it_waits(tmp_path: Path) -> None:
    """Its import is running at the platform: it is polled, and not repeated."""
    store = tmp_path / "run.json"
    async with connected() as bench:
        watched, sn = Watched(bench), await bench.make_list(0)

        async def go_on() -> None:
            await workflows.import_contacts(
                bench.nl, MANY, list_sn=sn, checkpoint=store, progress=watched.as_progress("a")
            )

        with pytest.raises(DeadlineExceeded):
            await workflows.import_contacts(
                bench.nl, MANY, list_sn=sn, checkpoint=store, polling=Polling(deadline_s=1)
            )

        async def come_later() -> None:
            await bench.clock.sleep(0.1)
            await watched.load("b", sn)

        await together(go_on, come_later)

    assert bench.emulator.count("upload") == 2
    assert watched.seen == [("b", "waiting"), ("a", "ended"), ("b", "started"), ("b", "ended")]


async def test_run_whose_import_has_ended_waits_for_no_one(tmp_path: Path) -> None:
    """A finished run imports nothing, so it does not wait."""
    store = tmp_path / "run.json"

    async def again(bench: Bench, sn: ListSn) -> None:
        await workflows.import_contacts(bench.nl, MANY, list_sn=sn, checkpoint=store)

    async with connected() as bench:
        sn = await bench.make_list(0)
        await again(bench, sn)
        bench.emulator.stick_import()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Watched(bench).load, "b", sn)
            await bench.clock.sleep(30)
            before_s = bench.clock.monotonic()
            await again(bench, sn)
            assert bench.clock.monotonic() - before_s < 1
            tasks.cancel_scope.cancel()


async def test_checkpoint_in_use_is_refused_and_not_waited_for() -> None:
    """Two runs of one checkpoint never wait for each other, nor for a third one."""
    async with connected() as bench:
        sn = await bench.make_list(0)
        ready = with_lists(CAMPAIGN, [sn])
        bench.emulator.stick_import()
        refused: list[InUse] = []
        with pytest.raises(DeadlineExceeded) as caught:
            await workflows.send_campaign(
                bench.nl, ready, contacts=MANY, list_sn=sn, polling=Polling(deadline_s=20)
            )
        checkpoint = caught.value.checkpoint

        async def go_on() -> None:
            try:
                await workflows.send_campaign(
                    bench.nl,
                    ready,
                    contacts=MANY,
                    list_sn=sn,
                    checkpoint=checkpoint,
                    polling=Polling(deadline_s=20),
                )
            except InUse as error:
                refused.append(error)
            except DeadlineExceeded:
                pass

        await together(go_on, go_on)

    assert len(refused) == 1


async def test_pipelines_that_name_one_list_create_it_once() -> None:
    """The second one finds the list of the first one (T53)."""
    async with connected() as bench:

        async def load(number: int) -> None:
            await workflows.import_contacts(
                bench.nl,
                f"EMAIL,NAME\nuser{number}@example.com,會員\n",
                list_name="會員",
                if_list_exists="reuse",
            )

        await together(*(partial(load, number) for number in range(4)))

    [made] = bench.emulator.lists
    assert len(made.members) == 4
    assert bench.emulator.count("create_list") == 1


async def test_second_pipeline_that_would_create_the_list_is_refused() -> None:
    """Without "reuse" it is refused, as if it had come later."""
    async with connected() as bench:
        refused: list[InvalidRequest] = []

        async def load() -> None:
            try:
                await workflows.import_contacts(bench.nl, csv_of(3), list_name="會員")
            except InvalidRequest as error:
                refused.append(error)

        await together(load, load)

    assert [each.problems[0].rule for each in refused] == ["exists"]
    assert len(bench.emulator.lists) == 1


def share_with_host(nl: NewsLeopard) -> None:
    """Share the locks of the host, which a client with its own clock does not share."""
    nl._api = attrs.evolve(nl._api, quota="host")


@contextlib.contextmanager
def other_process(nl: NewsLeopard, what: str) -> Iterator[None]:
    """Be another process of this host that does the same."""
    path = list_lock._file_of_lock(nl, what)
    assert path is not None
    lock = FileLock.acquire(path)
    assert lock is not None
    try:
        yield
    finally:
        lock.release()


async def test_processes_of_a_host_also_exclude_each_other() -> None:
    """Each waits for the import of another process into the same list, and emits that it waits."""
    async with connected() as bench:
        watched, into = Watched(bench), await bench.make_list(0)
        share_with_host(bench.nl)

        async with anyio.create_task_group() as tasks:
            with other_process(bench.nl, f"imports into the list {into}"):
                tasks.start_soon(watched.load, "a", into)
                await bench.clock.sleep(30)
                assert watched.seen == [("a", "waiting")]

    assert watched.seen[1:] == [("a", "started"), ("a", "ended")]
    assert not list((state_folder() / "turns").iterdir())


async def test_wait_for_a_process_that_does_not_end_has_a_deadline() -> None:
    """A suspended process keeps the lock, and the wait has a deadline."""
    async with connected() as bench:
        into = await bench.make_list(0)
        share_with_host(bench.nl)

        with (
            other_process(bench.nl, f"imports into the list {into}"),
            pytest.raises(DeadlineExceeded, match="imported nothing"),
        ):
            await workflows.import_contacts(
                bench.nl, MANY, list_sn=into, polling=Polling(deadline_s=60)
            )

    assert bench.emulator.count("upload_file") == 0


async def test_list_lock_works_without_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """If no file can be created, the pipelines of an event loop still exclude each other."""
    async with connected() as bench:
        into = await bench.make_list(0)
        share_with_host(bench.nl)
        assert bench.nl.usage.used == 0
        (tmp_path / "file").touch()
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))

        report = await workflows.import_contacts(bench.nl, csv_of(3), list_sn=into)

    assert report.result.file_count == 3
