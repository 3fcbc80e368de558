"""Our own folders: at the place of the system, private, and owned by the user."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from newsleopard_async import files

posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such modes or owners")


@pytest.mark.parametrize(
    ("platform", "variables", "below"),
    [
        ("linux", {}, "home/.local/state"),
        ("linux", {"XDG_STATE_HOME": "{}/state"}, "state"),
        ("linux", {"XDG_STATE_HOME": "relative"}, "home/.local/state"),
        ("darwin", {"XDG_STATE_HOME": "{}/state"}, "home/Library/Application Support"),
        ("win32", {"LOCALAPPDATA": "{}/Local"}, "Local"),
        ("win32", {}, "home/AppData/Local"),
    ],
)
def test_state_is_kept_where_the_system_wants_it(
    platform: str,
    variables: dict[str, str],
    below: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each system has a folder for the state of a user's programs."""
    for name in ("XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setattr(sys, "platform", platform)

    assert files.state_folder() == tmp_path / below / "newsleopard-async"


def test_user_without_a_home_folder_has_no_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which variable is missing."""

    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", home)

    with pytest.raises(FileNotFoundError, match="set HOME"):
        files.state_folder()


def test_home_folder_that_depends_on_the_working_folder_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise a command in another folder has another store, and sends a second time."""
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: Path("home"))

    with pytest.raises(FileNotFoundError, match="not an absolute path"):
        files.state_folder()


@posix
def test_folders_that_are_made_are_for_their_owner_only(tmp_path: Path) -> None:
    """Parent folders are also private; an existing folder does not change."""
    tmp_path.chmod(0o755)

    for _ in range(2):
        files.make_private_folder(tmp_path / "a" / "b")

    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("", "a", "a/b")]
    assert modes == [0o755, 0o700, 0o700]


@posix
def test_link_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    """It can lead to a folder of another user."""
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)

    with pytest.raises(NotADirectoryError, match="it is a link"):
        files.make_private_folder(tmp_path / "link")


@posix
def test_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner could replace each file in it."""
    status = os.stat_result((0o40777, 1, 1, 1, 4711, 0, 0, 0, 0, 0))
    monkeypatch.setattr(Path, "lstat", lambda _: status)

    with pytest.raises(PermissionError, match=r"another user \(uid 4711\)"):
        files.make_private_folder(tmp_path)
