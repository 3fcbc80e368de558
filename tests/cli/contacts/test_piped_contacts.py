"""The copy of contacts from a pipe does not stay on the disk if it is not whole."""

from __future__ import annotations

import errno
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import attrs
import pytest

from newsleopard_async import InvalidRequest
from newsleopard_async.cli.contacts import piped_contacts
from newsleopard_async.cli.contacts.piped_contacts import copy_from_pipe
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.translation import users_language


@attrs.frozen
class BreakingSource:
    """A source that breaks off after its first piece."""

    end: Callable[[], None]

    async def csv_pieces(self) -> AsyncIterator[bytes]:
        """Yield the first piece, and end."""
        yield b"EMAIL,NAME\nming@example.com,\n"
        self.end()
        await anyio.sleep_forever()


def refuse() -> None:
    """Fail as a source that cannot be read."""
    raise InvalidRequest.of("contacts", "readable", "cannot be read to its end")


def fill_the_disk() -> None:
    """Fail as a full disk."""
    raise OSError(errno.ENOSPC, "No space left on device")


def press_ctrl_c() -> None:
    """Interrupt the command."""
    signal.raise_signal(signal.SIGINT)


def open_breaking(monkeypatch: pytest.MonkeyPatch, end: Callable[[], None]) -> None:
    """Let contacts break off."""

    @contextmanager
    def opened(_path: Path) -> Iterator[tuple[BreakingSource, str]]:
        yield BreakingSource(end), "a pipe"

    monkeypatch.setattr(piped_contacts, "open_contacts", opened)


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (refuse, InvalidRequest),
        (fill_the_disk, InvalidRequest),
        (press_ctrl_c, KeyboardInterrupt),
    ],
)
def test_copy_that_is_not_whole_is_removed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    end: Callable[[], None],
    error: type[BaseException],
) -> None:
    """It has personal data, and nothing would ever use it."""
    open_breaking(monkeypatch, end)
    copy = tmp_path / "copy.csv"

    with pytest.raises(error):
        copy_from_pipe(Session(), Path("-"), copy)

    assert not copy.exists()


def test_reason_of_the_system_is_in_the_language_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is in 中文, so its reason is, too."""
    open_breaking(monkeypatch, fill_the_disk)
    monkeypatch.setenv("LC_ALL", "zh_TW.UTF-8")
    monkeypatch.delenv("LANGUAGE", raising=False)

    with users_language(), pytest.raises(InvalidRequest) as caught:
        copy_from_pipe(Session(), Path("-"), tmp_path / "copy.csv")

    assert "磁碟空間不足" in str(caught.value)
