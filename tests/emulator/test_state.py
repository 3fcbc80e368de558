"""An emulator's state in a file: kept over restarts, and never overwritten by mistake."""

from __future__ import annotations

import logging
import os
import pickle
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest

from newsleopard_async.emulator import Emulator, Switches, state
from newsleopard_async.emulator.platform.account_state import AccountState
from newsleopard_async.emulator.platform.clock import EmulatorClock
from newsleopard_async.emulator.state import StateError, StateFile, keep_saving
from tests.constants import START
from tests.emulator.api import Api, HandClock, make, rows
from tests.emulator.stories import play, state_of
from tests.emulator.test_snapshots import GOING_ON, RICH

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file that is not there yet."""
    return tmp_path / "state.db"


def _save(path: Path, emulator: Emulator) -> None:
    with StateFile(path) as file:
        file.save(emulator)


def _filled() -> Emulator:
    emulator, _ = make()
    emulator.add_sample_lists()
    return emulator


def _edit(path: Path, *statements: tuple[str, tuple[Any, ...]]) -> None:
    """Change a file behind its back."""
    database = sqlite3.connect(path)
    with database:
        for statement, values in statements:
            database.execute(statement, values)
    database.close()


def _refusal(path: Path) -> str:
    """Return why a file is refused, and check that no byte of it changes."""
    before = path.read_bytes() if path.is_file() else b""
    emulator = _filled()

    with pytest.raises(StateError) as caught, StateFile(path) as file:
        file.load_into(emulator)

    assert (path.read_bytes() if path.is_file() else b"") == before
    assert len(emulator.lists) == 4
    assert str(path) in str(caught.value)
    return str(caught.value).replace(str(path), "FILE")


async def test_story_goes_on_after_a_restart(path: Path) -> None:
    """Another process gives the answers that the first one would have given."""
    emulator, clock = make(later_endpoints=True, export_per_campaign_s=10.0, bounce_share=0.1)
    await play(emulator, RICH)
    _save(path, emulator)
    then, then_s = state_of(emulator), clock.elapsed_s
    expected = await play(emulator, GOING_ON)
    other, other_clock = make()
    other_clock.elapsed_s = then_s

    with StateFile(path) as file:
        assert file.load_into(other)

    assert state_of(other) == then
    assert await play(other, GOING_ON) == expected
    assert state_of(other) == state_of(emulator)


def test_new_file_holds_nothing(path: Path) -> None:
    """A new file, and one that is empty, leave the emulator as it is."""
    for make_it in (lambda: None, path.unlink, lambda: path.write_bytes(b"")):
        if path.exists():
            make_it()
        emulator = _filled()
        with StateFile(path) as file:
            assert not file.load_into(emulator)
        assert len(emulator.lists) == 4


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_new_file_is_its_owners_alone(path: Path) -> None:
    """It holds contacts."""
    _save(path, _filled())

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_file_holds_no_key(path: Path) -> None:
    """Neither that of a request, nor one that was sent to the storage by mistake."""
    emulator, _ = make()
    async with Api(emulator) as api, Api(emulator, key="key-of-a-person") as stranger:
        refused = await stranger.get("/v1/contacts/lists")
        ticket = (await api.post("/v1/contacts/imports/file")).json()
        await api.put(ticket["url"], rows(1), headers={"x-api-key": "leaked-key"})
    assert (refused.status_code, emulator.leaked_keys) == (403, ("leaked-key",))

    _save(path, emulator)

    content = path.read_bytes()
    assert b"/v1/contacts/lists" in content
    for key in (b"test-key", b"key-of-a-person", b"leaked-key"):
        assert key not in content


async def test_files_are_stored_once_and_removed_when_unused(path: Path) -> None:
    """What two imports have in common has one place; a reset makes room."""
    emulator, clock = make()
    counts = []
    async with Api(emulator) as api:
        for _ in range(2):
            await api.import_text(rows(2_000))
            clock.advance(60)
    with StateFile(path) as file:
        for change in (lambda: None, emulator.add_sample_lists, emulator.reset):
            change()
            file.save(emulator)
            counts.append(len(file._digests()))

    assert counts == [1, 1, 0]


async def test_empty_and_large_files_are_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is stored in parts, and comes back whole."""
    monkeypatch.setattr(state, "PART_BYTES", 1_000)
    emulator, clock = make()
    async with Api(emulator) as api:
        ticket = (await api.post("/v1/contacts/imports/file")).json()
        await api.put(ticket["url"], b"")
        await api.import_text(rows(500))
    clock.advance(60)
    _save(path, emulator)
    other, other_clock = make()
    other_clock.elapsed_s = clock.elapsed_s

    with StateFile(path) as file:
        file.load_into(other)

    assert state_of(other) == state_of(emulator)
    assert len(other.contacts) == 500


# What is refused


def test_file_of_something_else_is_refused(path: Path) -> None:
    """A text, and the database of another program, stay as they are."""
    path.write_text("dear diary " * 1_000, encoding="utf-8")
    assert _refusal(path).startswith("FILE is not a state of the emulator; ")

    path.unlink()
    _edit(path, ("CREATE TABLE diary (dear TEXT)", ()))
    assert _refusal(path).startswith("FILE is the database of another program; ")


def test_place_where_no_file_can_be_is_refused(tmp_path: Path) -> None:
    """A folder, and a folder that is not there, are named."""
    assert _refusal(tmp_path) == "FILE is a folder; name a file in it, such as emulator.db"
    assert "the folder does not exist" in _refusal(tmp_path / "none" / "state.db")


def test_state_of_another_version_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text names both versions, and the way out."""
    with monkeypatch.context() as patch:
        patch.setattr(state, "_version", lambda: "1.2.3")
        patch.setattr(state, "_code", lambda: "other")
        _save(path, _filled())

    assert "written by another version of newsleopard-async, 1.2.3 (this is " in _refusal(path)
    assert "use that version, or " in _refusal(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE state SET content = zeroblob(9) WHERE name = 'head'", "checksum is wrong"),
        ("DELETE FROM state WHERE name = 'records'", "checksum is wrong"),
        ("UPDATE about SET value = '0.0' WHERE name = 'monotonic_s'", "checksum is wrong"),
        ("DELETE FROM about WHERE name = 'now'", "time of its writing"),
        ("UPDATE blobs SET content = zeroblob(9)", "a file in it is wrong"),
        ("DELETE FROM blobs", "cannot be read"),
        ("DROP TABLE state", "no such table"),
    ],
)
async def test_damaged_state_is_refused(path: Path, change: str, said: str) -> None:
    """Nothing of it is taken, and nothing is lost: it can be repaired, or moved away."""
    emulator, clock = make()
    async with Api(emulator) as api:
        await api.import_text(rows(5))
    clock.advance(60)
    _save(path, emulator)
    _edit(path, (change, ()))

    assert said in _refusal(path)


def test_file_that_was_cut_is_refused(path: Path) -> None:
    """SQLite or the checksum detects it."""
    _save(path, _filled())
    path.write_bytes(path.read_bytes()[:20_000])

    assert _refusal(path)


class _Evil:
    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.place}",)


@pytest.mark.parametrize("name", ["head", "addresses", "records", "batches"])
def test_pickle_made_by_hand_does_nothing(path: Path, tmp_path: Path, name: str) -> None:
    """A manipulated file cannot run anything, even if its checksum is right."""
    _save(path, _filled())
    evil = pickle.dumps((_Evil(tmp_path / "done"),))
    with StateFile(path) as file:
        database = file._database
        database.execute("DELETE FROM state WHERE name = ?", (name,))
        database.execute("INSERT INTO state VALUES (?, 0, ?)", (name, evil))
        check = state._Checksum()
        for row in database.execute("SELECT name, content FROM state ORDER BY rowid"):
            check.take(*row)
        about = dict(database.execute("SELECT name, value FROM about").fetchall())
        now = START + timedelta(0)
        assert about["now"] == now.isoformat()
        database.execute(
            "UPDATE about SET value = ? WHERE name = 'check'", (check.result(now, 0.0),)
        )

    assert "system has no place in a state" in _refusal(path)
    assert not (tmp_path / "done").exists()


# Two at one file, and what happens to it meanwhile


def test_file_in_use_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two emulators at one file would undo what the other did; when one ends, it is free."""
    monkeypatch.setattr(state, "BUSY_S", 0.0)
    with StateFile(path) as file:
        file.save(_filled())
        with pytest.raises(StateError, match="used by another emulator; stop that one"):
            StateFile(path)

    with StateFile(path) as file:
        assert file.load_into(_filled())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a file that is open")
def test_file_that_is_gone_is_noticed(path: Path) -> None:
    """A save to a removed or replaced file raises an error."""
    with StateFile(path) as file:
        path.unlink()
        with pytest.raises(StateError, match="was removed or replaced"):
            file.save(_filled())
    assert not path.exists()


def test_save_that_fails_leaves_the_state_before(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk loses what is new, and nothing else."""
    other, _ = make()

    def full(kept: AccountState) -> Iterator[tuple[str, bytes]]:
        yield "head", kept.head
        raise sqlite3.OperationalError("database or disk is full")

    with StateFile(path) as file:
        file.save(_filled())
        with monkeypatch.context() as patch:
            patch.setattr(state, "encode_rows", full)
            with pytest.raises(StateError, match=r"disk is full.; free disk space"):
                file.save(other)

        assert file.load_into(other)

    assert len(other.lists) == 4


CHILD = """
import sys, time
from newsleopard_async.emulator import Emulator, state
emulator = Emulator()
file = state.StateFile(sys.argv[1])
file.load_into(emulator)
emulator.add_sample_lists()
file.save(emulator)
rows = state.encode_rows
def hanging(kept):
    yield from list(rows(kept))[:1]
    print("writing", flush=True)
    time.sleep(60)
state.encode_rows = hanging
emulator.reset()
file.save(emulator)
"""


@pytest.mark.slow
def test_process_that_is_killed_leaves_the_last_whole_state(path: Path) -> None:
    """A running process locks the file; killed during a write, it leaves a whole state."""
    for lists in (4, 8):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "writing\n"
            with pytest.raises(StateError, match="used by another emulator"):
                StateFile(path)
            child.kill()
        emulator, _ = make()
        with StateFile(path) as file:
            assert file.load_into(emulator)
        assert len(emulator.lists) == lists


# Clocks


def test_clock_that_is_behind_moves_to_the_state(path: Path) -> None:
    """Else nothing would happen until the clock has caught up."""
    late = EmulatorClock(START, is_held=True)
    for _ in range(3):
        late.advance(3_650 * 86_400.0)
    _save(path, Emulator(clock=late))
    clock = EmulatorClock(START, is_held=True)

    with StateFile(path) as file:
        file.load_into(Emulator(clock=clock))

    assert clock.now() == late.now()


async def test_limits_go_on_by_the_time_that_has_passed(path: Path) -> None:
    """An exhausted day resets at the same instant, although clocks of the new process differ."""
    unlimited = Switches(requests_per_s=None)
    clock = HandClock()
    clock.elapsed_s = 1_000_000.0
    emulator = Emulator(clock=clock, switches=unlimited)
    async with Api(emulator) as api:
        await api.get("/v1/contacts/lists")
    emulator.exhaust_day(resets_in_s=100.0)
    _save(path, emulator)
    later = HandClock()
    later.elapsed_s, later.wall_behind_s = 5.0, 5.0 - 1_000_060.0
    other = Emulator(clock=later, switches=unlimited)

    with StateFile(path) as file:
        file.load_into(other)
    codes = []
    async with Api(other) as api:
        for seconds in (0, 39, 2):
            later.advance(seconds)
            codes.append((await api.get("/v1/contacts/lists")).status_code)

    assert codes == [429, 429, 200]
    assert [each.at_s for each in other.requests] == [-55.0, 5.0, 44.0, 46.0]


# Saving while it runs


def _activity(changes: int, requests: int = 0) -> Any:
    return state._Activity(changes, requests)


def test_pace_waits_until_it_is_quiet() -> None:
    """A burst is saved once, a second after its last request; reads alone are not saved."""
    schedule = state._SaveSchedule()
    looks = [
        (0.0, _activity(1, 1), False),
        (0.9, _activity(2, 2), False),
        (1.8, _activity(2, 3), False),
        (2.7, _activity(2, 3), False),
        (2.9, _activity(2, 3), True),
    ]

    for now_s, mark, is_due in looks:
        assert schedule.is_due(mark, None, now_s) is is_due
    assert not schedule.is_due(_activity(2, 9), _activity(2, 3), 60.0)
    assert not schedule.is_due(_activity(2, 9), _activity(2, 3), 90.0)


def test_pace_does_not_wait_for_ever() -> None:
    """While requests go on coming, a change is saved after half a minute."""
    schedule, saved = state._SaveSchedule(), _activity(0)

    due = [
        second
        for second in range(95)
        if schedule.is_due(_activity(1 + second), saved, float(second))
    ]

    assert due == [30, 61, 92]


async def test_changes_are_saved_while_it_runs_and_at_the_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the state that it begins with, then each change once it is quiet."""
    monkeypatch.setattr(state, "POLL_S", 0.0)
    monkeypatch.setattr(state, "QUIET_S", 0.0)
    emulator, _ = make()
    saved: list[int] = []

    class Counted(StateFile):
        def save(self, emulator: Emulator) -> None:
            super().save(emulator)
            saved.append(len(emulator.lists))

    async def until(condition: Callable[[], bool]) -> None:
        with anyio.fail_after(10):
            while not condition():  # noqa: ASYNC110
                await anyio.sleep(0.001)

    with Counted(path) as file:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(keep_saving, emulator, file)
            await until(lambda: saved == [0])
            emulator.add_segment("所有人")
            await until(lambda: saved == [0, 1])
            monkeypatch.setattr(state, "QUIET_S", 60.0)
            emulator.add_segment("所有人")
            tasks.cancel_scope.cancel()
        assert saved == [0, 1, 2]

        other, _ = make()
        assert file.load_into(other)
    assert len(other.lists) == 2


async def test_nothing_is_saved_twice(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state that is in the file already is not written at the end."""
    emulator = _filled()

    class Failing(StateFile):
        def save(self, emulator: Emulator) -> None:
            raise AssertionError

    _save(path, emulator)
    with Failing(path) as file:
        file.load_into(emulator)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(keep_saving, emulator, file)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a file that is open")
async def test_save_that_fails_is_logged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The emulator goes on, and says so."""
    emulator = _filled()
    with StateFile(path) as file:
        path.unlink()
        with caplog.at_level(logging.ERROR):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(keep_saving, emulator, file)
                await anyio.wait_all_tasks_blocked()
                tasks.cancel_scope.cancel()

    assert "the state is not saved" in caplog.text
    assert "was removed or replaced" in caplog.text


def test_mark_is_a_value() -> None:
    """Two looks at an emulator that did nothing between are the same."""
    emulator = _filled()

    assert state._activity_of(emulator) == state._activity_of(emulator)
    assert attrs.asdict(state._activity_of(emulator)) == {
        "changes": emulator.changes,
        "requests": 0,
    }
