"""Folders for contacts: private, and always removed at the end of their run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from newsleopard_async import temporary as folders
from newsleopard_async.temporary import private_folder
from tests.clients import files_in

pytestmark = pytest.mark.usefixtures("temporary")

fcntl = pytest.importorskip("fcntl", reason="Windows has neither such locks nor forks")

PROGRAM = """
import os, sys, time
from newsleopard_async.temporary import private_folder

with private_folder() as folder:
    (folder / "contacts.csv").write_text("EMAIL,NAME")
    (folder / "inner").mkdir()
    {then}
"""
WAIT = "print('ready', flush=True); sys.stdin.read()"
FORK = """
    pid = os.fork()
    if pid == 0:
        {child}
    print(pid, flush=True)
    sys.stdin.read()
"""


def start(then: str, temporary: Path) -> subprocess.Popen[bytes]:
    """Start a process that has a folder, and wait until the folder exists."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(then=then)],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process, so that it cannot clean up."""
    process.kill()
    process.communicate()


def sweep() -> None:
    """Do what the next run does."""
    with private_folder():
        pass


def test_folder_of_a_killed_run_is_removed_by_the_next(temporary: Path) -> None:
    """Contacts do not stay on the disk."""
    kill(start(WAIT, temporary))
    assert len(files_in(temporary)) == 1

    sweep()

    assert files_in(temporary) == []


def test_folder_of_a_living_run_stays(temporary: Path) -> None:
    """This includes folders of another process and of this one."""
    process = start(WAIT, temporary)

    with private_folder() as mine:
        sweep()

        assert mine.exists()
        assert len(files_in(temporary)) == 2

    process.communicate()
    assert files_in(temporary) == []


def test_forked_child_does_not_keep_the_folder(temporary: Path) -> None:
    """A worker that runs longer has inherited the open files, but not the contacts."""
    # It ends with the test, which has the other end of its input open.
    process = start(FORK.format(child="sys.stdin.read(); os._exit(0)"), temporary)
    process.kill()
    process.wait()

    sweep()

    assert files_in(temporary) == []
    process.communicate()


@pytest.mark.parametrize("child", ["os._exit(0)", "sys.exit(0)"])
def test_forked_child_does_not_remove_the_folder(child: str, temporary: Path) -> None:
    """Its end and leaving the context do not remove the folder, and do not release the lock."""
    process = start(FORK.format(child=f"os.close(1); {child}"), temporary)
    [folder] = temporary.iterdir()

    sweep()

    assert "contacts.csv" in files_in(folder)
    process.communicate()
    assert files_in(temporary) == []


def test_foreign_folder_stays(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link, a folder that other users may read, one without an owner's file, and other names."""
    for number in range(4):
        (temporary / f"newsleopard-{number}").mkdir(0o700)
        (temporary / f"newsleopard-{number}" / ".owner").touch()
    (temporary / "newsleopard-1").chmod(0o755)
    (temporary / "newsleopard-2" / ".owner").unlink()
    (temporary / "newsleopard-3" / ".owner").unlink()
    (temporary / "newsleopard-3" / ".owner").symlink_to("/dev/null")
    (temporary / "other").mkdir(0o700)
    (temporary / "newsleopard-link").symlink_to(temporary / "other")
    (temporary / "newsleopard-file").touch()
    before = files_in(temporary)

    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    sweep()
    assert files_in(temporary) == before

    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    sweep()
    assert files_in(temporary) == [each for each in before if each != "newsleopard-0"]


def test_removing_takes_a_short_time(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The temporary folder never blocks the loop; the next run removes the rest."""
    for number in range(3):
        (temporary / f"newsleopard-{number}").mkdir(0o700)
        (temporary / f"newsleopard-{number}" / ".owner").touch()
    monkeypatch.setattr(folders, "_SWEEP_S", -1.0)

    for left in (2, 1, 0):
        sweep()
        assert len(files_in(temporary)) == left


@pytest.mark.parametrize("missing", ["locks", "owner", "anything of the kind, on Windows"])
def test_folder_without_a_lock_is_removed_by_its_own_run(
    missing: str, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a file system without locks, no folder counts as abandoned."""

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(37, "No locks available")

    with monkeypatch.context() as patch:
        if missing == "locks":
            patch.setattr(fcntl, "lockf", fail)
        elif missing == "owner":
            patch.setattr(Path, "open", fail)
        else:
            patch.setattr(sys, "platform", "win32")
        with private_folder() as folder:
            with private_folder():
                pass
            assert folder.exists()

    assert files_in(temporary) == []


def test_kill_while_removing_leaves_it_findable(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner's file is removed last, so the rest still counts as abandoned."""
    order: list[str] = []
    monkeypatch.setattr(shutil, "rmtree", lambda path, **_: order.append(str(files_in(Path(path)))))

    with private_folder() as folder:
        (folder / "contacts.csv").touch()

    assert order == ["['.owner']"]


def test_runs_among_others_look_for_abandoned_folders_once_a_minute(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand that begin together do not search a thousand times, and none is forgotten."""
    with private_folder() as folder:
        kill(start(WAIT, temporary))
        sweep()
        assert len(files_in(temporary)) == 2
        monkeypatch.setattr(folders, "_SWEEP_EVERY_S", 0.0)
        sweep()
        assert files_in(temporary) == [folder.name]
