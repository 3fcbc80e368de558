"""A checkpoint of something else, damaged, or in use is refused, and nothing is sent."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest

from newsleopard_async import (
    ConfigurationError,
    ConnectionFailed,
    InUse,
    InvalidRequest,
    NewsLeopard,
    files,
    workflows,
)
from newsleopard_async import store as stores
from newsleopard_async.workflows.checkpoint import CheckpointLike
from tests.clients import checkpoint_of
from tests.constants import CAMPAIGN, LIST_NAME
from tests.faults.sending import (
    alone,
    damage,
    hold,
    rule_of,
    send,
    sending,
)
from tests.faults.world import FEW, MemoryStore, World, csv_of

OTHER_INPUT: dict[str, dict[str, Any]] = {
    "campaign": {"campaign": attrs.evolve(CAMPAIGN, subject="另一個")},
    "contacts": {"contacts": csv_of(FEW + 1)},
    "list": {"list_name": "另一個"},
    "choice": {"if_list_exists": "reuse"},
    "marker": {"marker": "own"},
    "no-marker": {"marker": None},
}


@pytest.mark.parametrize("options", OTHER_INPUT.values(), ids=OTHER_INPUT)
def test_other_input_is_refused(at: World, options: dict[str, Any]) -> None:
    """A checkpoint is of what was asked for first."""
    hold(at)

    with pytest.raises(InvalidRequest, match="was made for other input") as caught:
        send(at, **options)

    assert rule_of(caught) == ("checkpoint", "other-input")


def test_other_pipeline_is_refused(at: World) -> None:
    """The checkpoint of an import is no use to a send."""
    alone(
        at,
        lambda nl: workflows.import_contacts(
            nl, csv_of(FEW), list_name=LIST_NAME, checkpoint=at.checkpoint
        ),
    )

    with pytest.raises(InvalidRequest) as caught:
        send(at)

    assert rule_of(caught) == ("checkpoint", "pipeline")


def test_other_version_is_refused(at: World) -> None:
    """A checkpoint of a later library is not guessed at."""
    hold(at)
    damage(at, lambda data: data.update(version=2))

    with pytest.raises(InvalidRequest, match="version 2") as caught:
        send(at)

    assert rule_of(caught) == ("checkpoint", "version")


DAMAGE: dict[str, Callable[[dict[str, Any]], object]] = {
    "no-records": lambda data: data.pop("records"),
    "no-token": lambda data: data.pop("token"),
    "unknown-key": lambda data: data.update(more=1),
    "token-of-another-type": lambda data: data.update(token=5),
    "hash-of-another-type": lambda data: data.update(input_hash=None),
    "abandoned-of-another-type": lambda data: data.update(abandoned="no"),
    "records-of-another-type": lambda data: data.update(records=[]),
    "record-of-another-type": lambda data: data["records"].update(submit="done"),
    "record-without-state": lambda data: data["records"]["submit"].pop("state"),
    "record-without-time": lambda data: data["records"]["submit"].update(at="yesterday"),
}


@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE)
def test_damaged_checkpoint_is_refused(
    at: World, change: Callable[[dict[str, Any]], object]
) -> None:
    """What cannot be understood is not gone on from."""
    hold(at)
    damage(at, change)

    with pytest.raises(InvalidRequest) as caught:
        send(at)

    assert rule_of(caught) == ("checkpoint", "format")
    assert at.emulator.submitted == 1


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"EMAIL,NAME\n", b"\xff", b"null"])
def test_file_of_something_else_is_refused_and_kept(at: World, content: bytes) -> None:
    """A path given by mistake must not cost a file."""
    at.checkpoint.write_bytes(content)

    with pytest.raises(InvalidRequest) as caught:
        send(at)

    assert rule_of(caught) == ("checkpoint", "format")
    assert at.checkpoint.read_bytes() == content
    assert at.emulator.requests == ()


def test_store_that_gives_something_else_is_refused(at: World) -> None:
    """So is what a store of one's own gives, if it is no object."""
    store: Any = MemoryStore()
    store.data = ["nothing"]

    with pytest.raises(InvalidRequest) as caught:
        send(at, store)

    assert rule_of(caught) == ("checkpoint", "format")


def test_damaged_result_is_refused(at: World) -> None:
    """A result that does not fit its step is not gone on with."""
    hold(at)
    damage(at, lambda data: data["records"]["create_list"].update(result=5))

    with pytest.raises(InvalidRequest):
        send(at)

    assert at.emulator.submitted == 1


def test_path_may_be_text(at: World) -> None:
    """As everywhere where a path is taken."""
    send(at, str(at.checkpoint))

    assert at.checkpoint.is_file()
    assert at.emulator.submitted == 1


@pytest.mark.parametrize(
    "text", ["", "c.json\n", " c.json", "c.json\t", "\ufeffc.json", "a\0b", "a\nb"]
)
def test_text_that_may_mean_another_path_is_refused(at: World, text: str) -> None:
    """Taken as it is, it would begin a new run beside the one whose path it was read from."""
    with pytest.raises(InvalidRequest) as caught:
        send(at, text)

    assert rule_of(caught) == ("checkpoint", "path")
    assert not at.emulator.requests


@pytest.mark.parametrize(
    "given",
    [
        '{"version": 1}',
        ' {"version": 1}',
        '\ufeff{"version": 1}',
        json.dumps('{"version": 1}'),
        5,
        object(),
    ],
)
def test_other_types_are_refused(at: World, given: Any) -> None:
    """The JSON of a checkpoint is no path: a run that took it for one would begin anew."""
    with pytest.raises(InvalidRequest) as caught:
        send(at, given)

    assert rule_of(caught) == ("checkpoint", "type")


def test_checkpoint_in_no_folder_keeps_from_beginning(at: World) -> None:
    """Where nothing can be written, nothing is sent."""
    with pytest.raises(ConfigurationError, match="cannot be used"):
        send(at, at.folder / "nowhere" / "checkpoint.json")

    assert at.emulator.requests == ()


def test_checkpoint_that_is_a_folder_keeps_from_beginning(at: World) -> None:
    """Nor where a folder is in the way."""
    with pytest.raises(ConfigurationError, match="cannot be used"):
        send(at, at.folder)

    assert at.emulator.requests == ()


@pytest.mark.skipif(sys.platform == "win32", reason="folders are not made read-only so")
def test_file_that_cannot_be_replaced_keeps_from_sending(
    at: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk before the submit keeps it from being made."""

    def full(path: Path, content: bytes) -> None:
        if b'"submit"' in content:
            raise OSError(28, "No space left on device")
        write(path, content)

    write = files.write_durably
    monkeypatch.setattr(stores, "write_durably", full)

    with pytest.raises(ConfigurationError, match="No space left"):
        send(at)

    assert at.emulator.submitted == 0


@pytest.mark.parametrize("given", ["path", "checkpoint"])
def test_second_run_in_this_process_is_refused(at: World, given: str) -> None:
    """Two runs at once would both find nothing done."""
    shared: CheckpointLike = at.checkpoint
    if given == "checkpoint":
        at.emulator.not_sent("list_lists", 5)
        with pytest.raises(ConnectionFailed) as first:
            send(at, None)
        shared = checkpoint_of(first.value)
    refused: list[InUse] = []

    async def twice(nl: NewsLeopard) -> None:
        async def run() -> None:
            try:
                await sending(at, shared, nl)
            except InUse as error:
                refused.append(error)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            tasks.start_soon(run)

    alone(at, twice)

    [error] = refused
    assert not isinstance(error, InvalidRequest)
    assert "another run is using" in str(error)
    assert at.emulator.submitted == 1


_HOLDER = """
import sys, anyio
from pathlib import Path
from newsleopard_async.store import FileStore, held

async def main():
    async with held(FileStore(Path(sys.argv[1]))):
        print("held", flush=True)
        sys.stdin.readline()

anyio.run(main)
"""


@pytest.mark.slow
def test_run_in_another_process_is_refused_until_it_is_gone(at: World) -> None:
    """A lock goes with its process, however that ends."""
    command = [sys.executable, "-c", _HOLDER, str(at.checkpoint)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == b"held"
        with pytest.raises(InUse):
            send(at)
        other.kill()

    send(at)

    assert at.emulator.submitted == 1


def test_decision_during_a_run_is_refused(at: World) -> None:
    """Nobody decides about what is just being looked up."""
    error = hold(at)
    at.emulator.delay("list_campaigns", 5)

    async def meanwhile(nl: NewsLeopard) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(sending, at, ..., nl))
            await at.clock.sleep(1)
            with pytest.raises(InUse):
                await checkpoint_of(error).resolve("resubmit")

    at.clock.advance(3_600)
    alone(at, meanwhile)

    assert at.emulator.submitted == 1
