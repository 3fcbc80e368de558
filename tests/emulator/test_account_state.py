"""A stored state can only contain the emulator's own classes, and no functions."""

from __future__ import annotations

import os
import pickle
import random
import subprocess
from pathlib import Path
from typing import Any

import attrs
import pytest

from newsleopard_async.emulator.platform.account_state import (
    AccountState,
    BadState,
    capture_state,
    decode_rows,
    restore_state,
)
from newsleopard_async.emulator.platform.blobs import BlobWriter
from newsleopard_async.emulator.platform.gateway import RequestLog
from newsleopard_async.emulator.platform.pickling import load
from tests.emulator.api import make


def _kept() -> AccountState:
    emulator, _ = make()
    return capture_state(emulator._account)


class Evil:
    """Is pickled as a call of anything."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call[0], self.call[1:]


@pytest.mark.parametrize(
    "call",
    [
        (os.system, "touch {}"),
        (subprocess.check_output, ["touch", "{}"]),
        (eval, "open({!r}, 'w')"),
        (getattr, "text", "upper"),
        (Path, "{}"),
        (open, "{}", "w"),
        (BlobWriter,),
        (pickle.loads, b""),
        (random.Random.seed, random.Random(1), 2),
    ],
    ids=lambda call: getattr(call[0], "__name__", "?"),
)
def test_pickle_that_calls_anything_is_refused(call: tuple[Any, ...], tmp_path: Path) -> None:
    """What is not on the list is refused before it is called."""
    place = str(tmp_path / "done")
    filled = [each.format(place) if isinstance(each, str) else each for each in call]
    content = pickle.dumps(Evil(*filled))

    with pytest.raises(BadState, match="has no place in a state"):
        load(content, {})

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("head", [b"", b"no pickle", pickle.dumps({}), pickle.dumps([1, 2])])
def test_damaged_head_leaves_the_account_as_it_was(head: bytes) -> None:
    """A state is read whole before anything is replaced."""
    emulator, _ = make()
    emulator.add_sample_lists()
    before = emulator._account.parts

    with pytest.raises(BadState):
        restore_state(emulator._account, attrs.evolve(_kept(), head=head))

    assert emulator._account.parts == before
    assert len(emulator.lists) == 4


def test_head_that_is_cut_anywhere_is_refused() -> None:
    """No half of a state is taken for a state."""
    emulator, _ = make()
    kept = _kept()

    for size in range(0, len(kept.head), 97):
        with pytest.raises(BadState):
            restore_state(emulator._account, attrs.evolve(kept, head=kept.head[:size]))


def test_parts_of_other_classes_are_refused() -> None:
    """A log of requests is not a list of templates."""
    emulator, _ = make()
    account = emulator._account
    account.templates = RequestLog()  # type: ignore[assignment]  # on purpose
    wrong = capture_state(account)

    with pytest.raises(BadState, match="has not the parts"):
        restore_state(make()[0]._account, wrong)


def test_rows_of_another_kind_are_refused() -> None:
    """An address is a text."""
    kept = _kept()
    row = pickle.dumps((1, 2))

    with pytest.raises(BadState, match="does not hold str"):
        decode_rows({"addresses": [row]}, blobs={}, now=kept.now, monotonic_s=0.0)


def test_state_that_could_not_be_read_is_not_written() -> None:
    """A function in the state raises an error when the state is captured."""
    emulator, _ = make()
    emulator._account.automation.events.append(print)  # type: ignore[arg-type]  # on purpose

    with pytest.raises(TypeError, match="cannot be stored"):
        capture_state(emulator._account)


def test_state_for_a_file_holds_no_key() -> None:
    """Neither those that were sent to the storage, nor those that requests came with."""
    emulator, clock = make(requests_per_day=5)
    account = emulator._account
    account.storage.leaked_keys.append("leaked-key")
    account.limiter.refuse("secret-key", clock.monotonic())

    kept = capture_state(account, hide_keys=True)
    other, _ = make()
    restore_state(other._account, kept)

    assert b"leaked-key" not in kept.head
    assert b"secret-key" not in kept.head
    assert other.leaked_keys == ("…",)
    assert emulator.leaked_keys == ("leaked-key",)


def _built(target: bytes, attribute: bytes) -> bytes:
    """Write a pickle that sets an attribute of what another pickle makes."""
    state = pickle.dumps((None, {attribute.decode(): "changed"}), 2)[2:-1]
    return b"\x80\x02" + target + state + b"b."


def test_pickle_that_changes_a_class_is_refused() -> None:
    """A state sets attributes of what it made, and of nothing that was there before."""
    for module, name in (("random", "Random"), ("collections", "Counter")):
        content = _built(f"c{module}\n{name}\n".encode(), b"changed")
        with pytest.raises(BadState, match="a state must not change"):
            load(content, {})

    assert not hasattr(random.Random, "changed")


def test_pickle_that_changes_the_switches_in_place_is_refused() -> None:
    """Nothing happens to the emulator before the whole state has been read."""
    emulator, _ = make()
    keeping = b"cnewsleopard_async.emulator.platform.pickling\nshared\n"
    content = _built(keeping + b"(X\x05\x00\x00\x00boardtR", b"on")
    before = emulator.switches

    with pytest.raises(BadState, match="a state must not change"):
        load(content, {("board",): emulator._account.board})

    assert emulator.switches == before
