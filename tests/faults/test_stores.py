"""A file that is whole after a crash; and stores that fail, before the submit and after."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import stat
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import anyio
import pytest

from newsleopard_async import (
    ConfigurationError,
    ImportIncomplete,
    ListSn,
    NewsLeopard,
    NewsLeopardError,
    OutcomeUnknown,
    files,
    locks,
    with_lists,
    workflows,
)
from newsleopard_async.stores import Kept, serialization
from newsleopard_async.stores.one_file import OneFile
from tests.constants import CAMPAIGN, KEY
from tests.faults.sending import (
    hold,
    is_done,
    is_intent,
    send,
    stored,
)
from tests.faults.strikes import Gone
from tests.faults.world import MANY, RunStore, World, csv_of


@pytest.mark.parametrize("hang", [False, True])
def test_store_that_fails_before_the_submit_keeps_it_from_being_made(
    at: World, *, hang: bool
) -> None:
    """What cannot be noted is not done."""
    store = RunStore(fail_when=is_intent, hang=hang)

    with pytest.raises(ConfigurationError if hang else RuntimeError, match=r"store|database"):
        send(at, store)

    assert at.emulator.submitted == 0
    assert at.emulator.count("submit_campaign") == 0


@pytest.mark.parametrize("hang", [False, True])
def test_store_that_fails_after_the_submit_hides_nothing(
    at: World, caplog: pytest.LogCaptureFixture, *, hang: bool
) -> None:
    """What is done is done: the code is logged and returned, and a later run looks it up."""
    caplog.set_level(logging.INFO, "newsleopard_async")
    store = RunStore(fail_when=is_done, hang=hang)

    outcome = send(at, store)

    [campaign] = at.emulator.campaigns
    assert outcome.campaign_sn == campaign.sn
    assert campaign.sn in caplog.text
    assert any(each.levelname == "ERROR" for each in caplog.records)
    assert is_intent(store.data)
    at.clock.advance(3_600)
    store.fail_when = lambda _: False
    assert send(at, store).campaign_sn == campaign.sn
    assert at.emulator.submitted == 1


def test_store_that_cannot_forget_the_intent_leaves_it_held(at: World) -> None:
    """If the refusal of a submit was not stored, the campaign is searched for, not sent."""
    store = RunStore()
    store.fail_when = lambda _: bool(store.kept) and is_intent(store.data)
    at.emulator.fail("submit_campaign", status=400, body=b'{"code":"40013","message":"x"}')
    with pytest.raises(NewsLeopardError, match="40013"):
        send(at, store)
    store.fail_when = lambda _: False
    # The hold could not be given up either, and ends by itself.
    at.clock.advance(21)

    with pytest.raises(OutcomeUnknown):
        send(at, store)

    assert at.emulator.submitted == 0


@pytest.mark.parametrize("looks_fail", [False, True])
def test_store_that_fails_after_it_stored_the_intent_holds_nothing(
    at: World, *, looks_fail: bool
) -> None:
    """A load shows that it is stored; without it nothing is sent, and nothing is in doubt."""

    class Deaf(RunStore):
        async def save(self, key: str, data: Mapping[str, Any], revision: str | None) -> str:
            new = await super().save(key, data, revision)
            if is_intent(data):
                raise RuntimeError("the answer of the database was lost")
            return new

        async def load(self, key: str) -> Kept | None:
            if looks_fail and self.kept and is_intent(self.data) and not self.failed:
                self.failed.append(True)
                raise RuntimeError("the database is away")
            return await super().load(key)

        failed: ClassVar[list[bool]] = []

    store = Deaf()
    with pytest.raises(RuntimeError, match="answer") if looks_fail else contextlib.nullcontext():
        send(at, store)
    assert at.emulator.submitted == (0 if looks_fail else 1)

    send(at, store)

    assert at.emulator.submitted == 1


def test_store_that_is_slow_before_the_submit_leaves_no_intent(at: World) -> None:
    """It stored the intent, and said so too late: nothing was sent, so the next run sends."""

    class Slow(RunStore):
        async def save(self, key: str, data: Mapping[str, Any], revision: str | None) -> str:
            """Keep the data; an intent takes too long."""
            new = await super().save(key, data, revision)
            if is_intent(data) and self.hang:
                await anyio.sleep_forever()
            return new

    store = Slow(hang=True)
    with pytest.raises(ConfigurationError, match="did not answer within"):
        send(at, store)
    store.hang = False

    send(at, store)

    assert at.emulator.submitted == 1


def test_answer_of_something_in_between_leaves_the_intent(at: World) -> None:
    """A proxy's page may come after the platform has accepted: the next run sends nothing."""
    at.emulator.fail("submit_campaign", status=403, body=b"<html>Request blocked</html>")
    with pytest.raises(OutcomeUnknown) as caught:
        send(at)

    with pytest.raises(OutcomeUnknown):
        send(at)

    assert (caught.value.status, caught.value.excerpt) == (403, "<html>Request blocked</html>")
    assert at.emulator.count("submit_campaign") == 1


def test_wrong_setup_leaves_no_intent(at: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails before anything could be sent is not noted as perhaps sent."""
    monkeypatch.setenv("https_proxy", "socks9://nowhere")
    ready = with_lists(CAMPAIGN, [ListSn("list")])

    async def main() -> None:
        async with NewsLeopard(KEY, clock=at.clock) as nl:
            await workflows.send_campaign(nl, ready, checkpoint=at.checkpoint)

    with pytest.raises(ConfigurationError, match="proxy"):
        anyio.run(main)

    assert not at.checkpoint.exists() or "submit" not in stored(at)["records"]


def test_crash_between_write_and_rename_leaves_the_old_file(
    at: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is never half written."""
    store = OneFile(at.checkpoint)
    old = anyio.run(store.save, "", {"old": True}, None)

    def crash(self: Path, target: Path) -> None:
        raise Gone

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(Gone):
        anyio.run(store.save, "", {"new": "x" * 100_000}, old)
    monkeypatch.undo()

    assert anyio.run(store.load, "") == Kept({"old": True}, old)
    new = anyio.run(store.save, "", {"new": 1}, old)
    assert anyio.run(store.load, "") == Kept({"new": 1}, new)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such modes")
def test_file_is_for_its_owner_only(at: World) -> None:
    """It names lists and campaigns."""
    hold(at)

    assert stat.S_IMODE(at.checkpoint.stat().st_mode) == 0o600


def test_checkpoint_holds_no_secret(at: World) -> None:
    """Neither key nor contact nor presigned query is in it, though rows were rejected."""
    contacts = csv_of(MANY) + ",ohne Adresse\n"
    with pytest.raises(ImportIncomplete) as caught:
        send(at, contacts=contacts, check=False)
    assert caught.value.result.error_url is not None
    told = [repr(caught.value.checkpoint), str(caught.value)]
    send(at, contacts=contacts, check=False, max_rejected=1)

    texts = [at.checkpoint.read_text(), *told]

    assert "?…" in texts[0]
    for text in texts:
        assert KEY not in text
        assert "@contacts.example" not in text
        assert "Signature" not in text
        assert "X-Amz" not in text


def test_windows_has_locks_and_flushes_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There a file's first byte is locked, and no folder can be flushed."""
    locked: list[int] = []

    def locking(descriptor: int, mode: int, size_bytes: int) -> None:
        if mode == 0:
            locked.remove(size_bytes)
        elif locked:
            raise OSError(errno.EACCES, "Permission denied")
        else:
            locked.append(size_bytes)

    msvcrt = types.SimpleNamespace(locking=locking, LK_NBLCK=2, LK_UNLCK=0)
    monkeypatch.setitem(sys.modules, "msvcrt", msvcrt)
    monkeypatch.setattr(sys, "platform", "win32")

    first, second = (locks.FileLock.acquire(tmp_path / "lock") for _ in range(2))
    files.write_durably(tmp_path / "checkpoint.json", b"{}")

    assert first is not None
    assert first.is_held
    first.release()
    assert second is None
    assert (tmp_path / "checkpoint.json").read_bytes() == b"{}"
    with (tmp_path / "checkpoint.json").open("rb") as file:
        locks.unlock(file.fileno())
        assert locks.try_lock(file.fileno())


@pytest.mark.skipif(sys.platform == "win32", reason="a folder cannot be flushed there")
def test_folder_that_cannot_be_flushed_spoils_no_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other files can be created again, but a power failure must not lose a checkpoint."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"rows")
    flush = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(22, "Invalid argument")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    files.copy_durably(source, target)

    assert target.read_bytes() == b"rows"
    with pytest.raises(OSError, match="Invalid argument"):
        files.write_durably(target, b"{}")


def test_what_could_not_be_read_again_is_not_kept(
    at: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that no run can read would be removed by a person, and then all begins anew."""
    monkeypatch.setattr(serialization, "MOST_BYTES", 4_000)
    code = b'{"sn": "%s"}' % (b"c" * 4_000)
    at.emulator.fail("submit_campaign", status=200, body=code)

    send(at)

    assert is_intent(stored(at))
    assert "no checkpoint could be stored after submit" in caplog.text
