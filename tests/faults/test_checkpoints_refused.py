"""A checkpoint of something else, damaged, or in use is refused, and nothing is sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
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
from newsleopard_async.stores import swap
from newsleopard_async.workflows import Checkpoint
from newsleopard_async.workflows.checkpoint import CheckpointLike
from tests.clients import checkpoint_of
from tests.constants import LIST_NAME
from tests.faults.sending import (
    alone,
    damage,
    hold,
    rule_of,
    send,
    sending,
)
from tests.faults.world import FEW, RunStore, World, csv_of


def test_other_pipeline_is_refused(at: World) -> None:
    """A send cannot use the checkpoint of an import."""
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
    damage(at, lambda data: data.update(version=5))

    with pytest.raises(InvalidRequest, match="version 5") as caught:
        send(at)

    assert rule_of(caught) == ("checkpoint", "version")


def as_version_1(data: dict[str, Any]) -> None:
    """Write it as it was written before it had a checksum."""
    for name in ("checksum", "input_parts"):
        data.pop(name, None)
    data["version"] = 1


DAMAGE: dict[str, Callable[[dict[str, Any]], object]] = {
    "no-version": lambda data: data.pop("version"),
    "version-of-another-type": lambda data: data.update(version=True),
    "other-pipeline": lambda data: data.update(pipeline="send_letters"),
    "unknown-step": lambda data: data["records"].update(submyt=data["records"].pop("submit")),
    "step-of-another-pipeline": lambda data: data["records"].update(
        download_files=data["records"]["create_list"]
    ),
    "unknown-state": lambda data: data["records"]["submit"].update(state="doubt"),
    "intent-of-a-read": lambda data: data["records"]["get_import"].update(state="intent"),
    "nested": lambda data: data["records"].update(submit=nested(400)),
    "no-records": lambda data: data.pop("records"),
    "no-token": lambda data: data.pop("token"),
    "unknown-key": lambda data: data.update(more=1),
    "token-of-another-type": lambda data: data.update(token=5),
    "hash-of-another-type": lambda data: data.update(input_hash=None),
    "hold-without-end": lambda data: data.update(held_until="soon"),
    "unknown-end": lambda data: data.update(ended={"state": "gone", "at": "2026-01-05T02:01:00Z"}),
    "writer-of-another-type": lambda data: data["records"]["submit"].update(writer=5),
    "abandoned-of-another-type": lambda data: data.update(abandoned="no"),
    "records-of-another-type": lambda data: data.update(records=[]),
    "record-of-another-type": lambda data: data["records"].update(submit="done"),
    "record-without-state": lambda data: data["records"]["submit"].pop("state"),
    "record-without-time": lambda data: data["records"]["submit"].update(at="yesterday"),
}


def nested(depth: int) -> list[Any]:
    """Make a list in a list in a list."""
    data: list[Any] = []
    for _ in range(depth):
        data = [data]
    return data


@pytest.mark.parametrize("version", [1, 4])
@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE)
def test_damaged_checkpoint_is_refused(
    at: World, change: Callable[[dict[str, Any]], object], version: int
) -> None:
    """What cannot be understood is not gone on from."""
    hold(at)
    if version == 1:
        damage(at, as_version_1)
    damage(at, change)

    with pytest.raises(InvalidRequest) as caught:
        send(at)

    assert rule_of(caught) == ("checkpoint", "format")
    assert at.emulator.submitted == 1


def test_flipped_bit_is_refused_or_harmless(at: World) -> None:
    """Wherever in the file it is."""
    hold(at)
    content = at.checkpoint.read_bytes()

    async def main() -> None:
        before = (await Checkpoint.load(at.checkpoint)).to_dict()
        # One in five, which meets every bit of a byte and every place of a line.
        for place in range(0, len(content), 5):
            flipped = bytes([content[place] ^ (1 << place % 8)])
            at.checkpoint.write_bytes(content[:place] + flipped + content[place + 1 :])
            try:
                read = await Checkpoint.load(at.checkpoint)
            except InvalidRequest:
                continue
            assert read.to_dict() == before, place

    anyio.run(main)


def test_edited_checkpoint_is_refused_and_names_the_way_out(at: World) -> None:
    """A person decides by `resolve`, and is not guessed at."""
    hold(at)
    damage(at, lambda data: data["records"]["submit"].update(state="done", result="C1"))

    with pytest.raises(InvalidRequest, match="resolve") as caught:
        send(at)

    assert rule_of(caught) == ("checkpoint", "format")
    assert at.emulator.submitted == 1


def test_checkpoint_that_the_caller_keeps_is_checked_too(at: World) -> None:
    """`to_dict` has the checksum, and `read` looks at it."""
    kept = checkpoint_of(hold(at, None)).to_dict()
    assert Checkpoint.read(kept).to_dict() == kept

    with pytest.raises(InvalidRequest):
        Checkpoint.read({**kept, "token": "other"})


STRANGE: dict[str, bytes] = {
    "empty": b"",
    "cut-off": b"{",
    "array": b"[]",
    "csv": b"EMAIL,NAME\n",
    "other-encoding": b"\xff",
    "null": b"null",
    "deep-arrays": b"[" * 100_000,
    "deep-objects": b'{"a":' * 100_000,
    "nan": b'{"version": NaN}',
    "huge-number": b'{"version": ' + b"9" * 5_000 + b"}",
    "utf-16": '{"version": 1}'.encode("utf-16"),
    "byte-order-mark": b'\xef\xbb\xbf{"version": 1}',
    "nul": b"\0" * 100,
    "name-that-stands-twice": b'{"version": 2, "version": 1}',
    "half-a-character": b'{"version": 2, "token": "\\ud800"}',
}


@pytest.mark.parametrize("content", STRANGE.values(), ids=STRANGE)
def test_file_of_something_else_is_refused_and_kept(at: World, content: bytes) -> None:
    """A path given by mistake must not cost a file."""
    at.checkpoint.write_bytes(content)

    with pytest.raises(InvalidRequest) as caught:
        send(at)

    assert rule_of(caught) == ("checkpoint", "format")
    assert at.checkpoint.read_bytes() == content
    assert at.emulator.requests == ()


def test_store_that_gives_something_else_is_refused(at: World) -> None:
    """A record from the caller's store is also refused if it is not an object."""
    store: Any = RunStore()
    store.put(["nothing"])

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
    """Used as a path, the text would begin a new run next to the run that it names."""
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
    """The JSON of a checkpoint is not a path: as a path, it would begin a new run."""
    with pytest.raises(InvalidRequest) as caught:
        send(at, given)

    assert rule_of(caught) == ("checkpoint", "type")


def test_checkpoint_that_is_a_folder_keeps_from_beginning(at: World) -> None:
    """The same is true if a folder has the name of the file."""
    with pytest.raises(ConfigurationError, match="cannot be used"):
        send(at, at.folder)

    assert at.emulator.requests == ()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such files")
@pytest.mark.parametrize("kind", ["pipe", "device", "large"])
def test_file_that_is_no_checkpoint_of_any_size_keeps_from_beginning(at: World, kind: str) -> None:
    """Nothing waits for a pipe, and nothing reads without end."""
    match kind:
        case "pipe":
            os.mkfifo(at.checkpoint)
        case "device":
            at.checkpoint.symlink_to("/dev/zero")
        case _:
            with at.checkpoint.open("wb") as file:
                file.truncate(2**30)

    with pytest.raises(ConfigurationError, match="cannot be used"):
        send(at)

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
    monkeypatch.setattr(swap, "write_durably", full)

    with pytest.raises(ConfigurationError, match="No space left"):
        send(at)

    assert at.emulator.submitted == 0


@pytest.mark.parametrize("given", ["path", "checkpoint"])
def test_second_run_in_this_process_is_refused(at: World, given: str) -> None:
    """Two runs at once would both find nothing done."""
    shared: CheckpointLike = at.checkpoint
    if given == "checkpoint":
        at.emulator.not_sent("list_lists", times=5)
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
from newsleopard_async.stores.one_file import OneFile

async def main():
    with OneFile(Path(sys.argv[1])).locked(""):
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
    """A person cannot decide while a run searches for the campaign."""
    error = hold(at)
    at.emulator.delay("list_campaigns", seconds=5)

    async def meanwhile(nl: NewsLeopard) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(sending, at, ..., nl))
            await at.clock.sleep(1)
            with pytest.raises(InUse):
                await checkpoint_of(error).resolve("resubmit")

    at.clock.advance(3_600)
    alone(at, meanwhile)

    assert at.emulator.submitted == 1
