"""The states of runs are derived from their records, in any worker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from newsleopard_async import ConfigurationError, ConnectionFailed, InvalidRequest
from newsleopard_async.stores import FileStore, Store
from newsleopard_async.workflows import RunState, runs
from newsleopard_async.workflows.resuming import state_of
from newsleopard_async.workflows.run_record import RunEnd, RunRecord, StepRecord
from tests.plainness import assert_exactly_plain
from tests.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 5, 2, tzinfo=UTC)


def at(minutes: float) -> datetime:
    """Return a time, counted from now."""
    return NOW + timedelta(minutes=minutes)


def done(minutes: float, result: Any = None) -> StepRecord:
    """Note that a step was finished."""
    return StepRecord(state="done", at=at(minutes), result=result)


def intent(minutes: float) -> StepRecord:
    """Note that a step was begun."""
    return StepRecord(state="intent", at=at(minutes))


def stored(records: dict[str, StepRecord] | None = None, **fields: Any) -> RunRecord:
    """Build the record of a run."""
    whole: dict[str, Any] = {
        "pipeline": "send_campaign",
        "input_hash": "h",
        "input_parts": {},
        "token": "0123abcd",
        "records": records or {},
        "abandoned": False,
    }
    return RunRecord(**(whole | fields))


def ended(state: Any, **fields: Any) -> RunEnd:
    """Note how the last run ended."""
    return RunEnd(state=state, at=at(-1), **fields)


IMPORTED = {
    "find_lists": done(-9, []),
    "create_list": done(-8, "list"),
    "upload_file": done(-7, "import-1"),
    "get_import": done(-6),
    "upload_file.2": done(-5, "import-2"),
    "get_import.2": done(-4),
}
HELD = IMPORTED | {"submit": intent(-3)}
SENT = IMPORTED | {"submit": done(-3, "c0de")}


STATES: dict[str, tuple[RunRecord, str, str | None]] = {
    "due: begun, and nothing noted": (stored(), "interrupted", None),
    "due: killed in between": (stored(IMPORTED), "interrupted", "get_import"),
    "due: killed": (stored({"create_list": intent(-8)}), "interrupted", "create_list"),
    "due: killed while it submitted": (stored(HELD), "interrupted", "submit"),
    "another has it": (stored(HELD, held_until=at(0.1)), "running", "submit"),
    "due: held too far": (stored(HELD, held_until=at(1)), "interrupted", "submit"),
    "due: hold over": (stored(HELD, held_until=at(0)), "interrupted", "submit"),
    "held": (stored(HELD, ended=ended("held", look_again_at=at(1))), "held", "submit"),
    "due: look": (stored(HELD, ended=ended("held", look_again_at=at(0))), "held", "submit"),
    "decide": (stored(HELD, ended=ended("held")), "held", "submit"),
    "due: decided since": (stored(SENT, ended=ended("held")), "interrupted", "submit"),
    "nothing is left to do": (stored(SENT, ended=ended("done")), "done", None),
    "passes": (stored(IMPORTED, ended=ended("waiting")), "waiting", "get_import"),
    "no requests left today": (
        stored(IMPORTED, ended=ended("waiting", look_again_at=at(60))), "waiting", "get_import"
    ),
    "due: a list may have been created": (
        stored({"create_list": intent(-8)}, ended=ended("checking", look_again_at=at(0))),
        "checking",
        "create_list",
    ),
    "refused": (stored(IMPORTED, ended=ended("failed")), "failed", "get_import"),
    "a person gave it up": (
        stored(HELD, abandoned=True, ended=ended("held", look_again_at=at(-1))),
        "abandoned",
        "submit",
    ),
}  # fmt: skip
"""What is stored, and what it says; only a run that is due can go on without a person."""


@pytest.mark.parametrize("case", STATES)
def test_state_is_read_off_the_record(case: str) -> None:
    """Only a run that needs no person is due."""
    record, state, step = STATES[case]
    run = state_of("k", record, NOW)

    assert (run.state, run.step, run.is_due(NOW)) == (state, step, case.startswith("due: "))
    assert run.pipeline == "send_campaign"


@pytest.mark.parametrize("state", ["waiting", "checking"])
def test_what_passes_by_itself_is_tried_again_after_a_while(state: Any) -> None:
    """A platform that is down must not cost the day's requests."""
    run = state_of("k", stored(IMPORTED, ended=ended(state)), NOW)

    assert run.look_again_at == at(4)
    assert [run.is_due(at(minutes)) for minutes in (3.9, 4)] == [False, True]


def test_run_that_has_a_lock_is_running() -> None:
    """A lock is not in the record, which can contain the end of an earlier run."""
    record = stored(HELD, ended=ended("held", look_again_at=at(-1)))

    run = state_of("k", record, NOW, is_locked=True)

    assert (run.state, run.look_again_at, run.is_due(NOW)) == ("running", None, False)


def test_state_has_the_codes_and_the_end_of_the_last_run() -> None:
    """A worker can show the states, also as plain data."""
    last = ended("held", error="OutcomeUnknown", message="lost", look_again_at=at(30))
    run = state_of("k", stored(HELD, ended=last), NOW)

    assert (run.list_sn, run.import_sn, run.campaign_sn) == ("list", "import-2", None)
    assert (run.error, run.message, run.look_again_at) == ("OutcomeUnknown", "lost", at(30))
    assert run.updated_at == at(-1)
    assert_exactly_plain(run.to_dict())
    assert state_of("k", stored(SENT), NOW).campaign_sn == "c0de"
    once = stored({"submit_once": done(-3, "once")}, pipeline="send_once")
    assert state_of("k", once, NOW).campaign_sn == "once"
    assert state_of("k", stored(), NOW).updated_at is None
    held = state_of("k", stored(held_until=at(0.3)), NOW)
    assert held.held_until == at(0.3)


@pytest.mark.parametrize(
    ("lists", "list_sn"), [([{"sn": "old"}], "old"), ([{"sn": "a"}, {"sn": "b"}], None)]
)
def test_list_that_was_there_is_known_if_there_is_one(lists: Any, list_sn: str | None) -> None:
    """With several lists of one name, the record does not show which one was chosen."""
    run = state_of("k", stored({"find_lists": done(-9, lists)}), NOW)

    assert run.list_sn == list_sn


@pytest.mark.parametrize(
    ("records", "part"),
    [
        ({"upload_file": done(-2)}, None),
        ({"get_import.2": done(-3), "get_import": done(-2)}, 1),
        (IMPORTED, 2),
        ({"send_event": done(-3), "send_event.117": intent(-2)}, 117),
    ],
)
def test_part_is_named_if_the_contacts_are_divided(
    records: dict[str, StepRecord], part: int | None
) -> None:
    """A step without a number is the first part only if there is a second part."""
    assert state_of("k", stored(records), NOW).part == part


@pytest.fixture(params=["memory", "files"])
def store(request: Any, tmp_path: Path) -> Store:
    """Return a store with locks, and a store without."""
    return MemoryStore() if request.param == "memory" else FileStore(tmp_path)


async def test_run_that_cannot_be_read_does_not_hide_the_others(store: Store) -> None:
    """It is one state among others, and names the problem."""
    await store.save("a", stored().to_dict(), None)
    await store.save("b", {"version": 4}, None)
    await store.save("c", {"version": 5}, None)
    await store.save("d", stored(SENT, ended=ended("done")).to_dict(), None)

    states = await runs(store, now=NOW)

    assert [(run.send_key, run.state) for run in states] == [
        ("a", "interrupted"),
        ("b", "unreadable"),
        ("c", "unreadable"),
        ("d", "done"),
    ]
    assert "damaged" in states[1].message
    assert "version 5" in states[2].message
    assert not states[1].is_due(NOW)
    assert [run.send_key async for run in runs(store)] == ["a", "b", "c", "d"]


async def test_lock_of_a_run_is_seen_by_another_process(tmp_path: Path) -> None:
    """A run that locks a file's key is running, even if the record has an earlier end."""
    store, other = FileStore(tmp_path), FileStore(tmp_path)
    await store.save("k", stored(HELD, ended=ended("held")).to_dict(), None)

    with store.locked("k"):
        [run] = await runs(other)
    [left] = await runs(other)

    assert (run.state, left.state) == ("running", "held")


class Torn(MemoryStore):
    """A store with one key that is deleted before it is read, and one unreadable key."""

    async def load(self, key: str) -> Any:
        """Fail according to the key."""
        match key:
            case "gone":
                return None
            case "unreadable":
                raise ConfigurationError("it cannot be read")
            case "away":
                raise ConnectionFailed("the store is away", reason="refused", host="h")
            case _:
                return await super().load(key)


async def test_run_that_goes_away_meanwhile_is_left_out() -> None:
    """An unreachable store hides all runs, so it raises."""
    store = Torn()
    for key in ("gone", "unreadable", "k"):
        await store.save(key, stored().to_dict(), None)

    states = await runs(store)

    assert [(run.send_key, run.state) for run in states] == [
        ("k", "interrupted"),
        ("unreadable", "unreadable"),
    ]
    await store.save("away", stored().to_dict(), None)
    with pytest.raises(ConnectionFailed):
        await runs(store)


@pytest.mark.parametrize("given", [None, Path("runs"), MemoryStore])
def test_value_that_is_not_a_store_is_refused(given: Any) -> None:
    """At once, and not when the listing is used."""
    with pytest.raises(InvalidRequest, match="store"):
        _ = runs(given)


def test_state_can_be_made_by_hand() -> None:
    """A test of the caller needs no store."""
    assert RunState(send_key="k", state="failed").to_dict()["state"] == "failed"
