"""The state of an emulator in a file, so that it outlives a restart.

The file is an SQLite database. One transaction replaces the old state by the new one, so a
process that is killed leaves the last whole state. The bytes of each file are stored once, by
their digest, and deleted when the state no longer needs them. While the file is open, it is
locked, because two emulators on one file would undo each other's changes.

Only the version that wrote a state can read it, because its format follows the classes. If a file
cannot be used, `StateError` is raised, and the file is never overwritten.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import anyio
import anyio.to_thread
import attrs

from newsleopard_async.emulator import switches
from newsleopard_async.emulator.emulator import Emulator, account_of
from newsleopard_async.emulator.platform.account_state import (
    AccountState,
    BadState,
    capture_state,
    decode_rows,
    encode_rows,
    restore_state,
)
from newsleopard_async.emulator.platform.blobs import Blob, BlobWriter
from newsleopard_async.emulator.platform.clock import MOST_ADVANCE_S, Clock, EmulatorClock

__all__ = ["StateError", "StateFile", "keep_saving"]

APPLICATION_ID: Final = 0x4E4C_656D
"""SQLite's mark of the program that owns a file. Chosen: "NLem" in ASCII."""

TABLES: Final = (
    "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE state (name TEXT, number INTEGER, content BLOB, PRIMARY KEY (name, number))",
    "CREATE TABLE blobs (digest TEXT, number INTEGER, content BLOB, PRIMARY KEY (digest, number))",
)

PART_BYTES: Final = 1_000_000
"""Chosen: a file of any size is stored and read in constant memory; SQLite takes up to 1 GB."""

BUSY_S: Final = 0.5
"""Chosen: enough for an emulator that is about to end to release the file."""

POLL_S: Final = 0.25
"""Chosen: the seconds between two checks for changes; a check only compares two numbers."""

QUIET_S: Final = 1.0
"""Chosen: a change is saved 1 s after the last request, so a burst of requests is saved once."""

LONGEST_S: Final = 30.0
"""Chosen: a change is saved after 30 s at most, even if requests never stop."""

_DISTRIBUTION: Final = "newsleopard-async"

logger: Final = logging.getLogger("newsleopard_async.emulator")


class StateError(Exception):
    """A state file cannot be used; the text has the reason and the way out."""


class StateFile:
    """The state of one emulator in a file.

    Contacts, mails and requests are stored in plain form, API keys are not stored. Only its owner
    can read and write a new file.

    Args:
        path: The file; it is created if it does not exist.

    Attributes:
        saved: The emulator's activity at the last save or load; None before that.

    Raises:
        StateError: the file is not a state, or another emulator uses it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: Path = Path(path).absolute()
        self.saved: _Activity | None = None
        self._lock = threading.Lock()
        with self._refusing():
            self._make()
            self._identity = _identity(self.path)
            self._database = sqlite3.connect(
                self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            try:
                self._open()
            except BaseException:
                self._database.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file for other emulators."""
        with self._lock:
            self._database.close()

    def load_into(self, emulator: Emulator) -> bool:
        """Load the state of the file into an emulator; return False if the file is new.

        An `EmulatorClock` that is behind the state moves forward to it.

        Raises:
            StateError: the state is damaged, or another version wrote it.
        """
        with self._lock, self._refusing():
            about = dict(self._database.execute("SELECT name, value FROM about"))
            if not about:
                return False
            self._check_version(about)
            kept = self._read(about)
            _bring_up(emulator.clock, kept.now)
            restore_state(account_of(emulator), kept, from_file=True)
            self.saved = _activity_of(emulator)
            return True

    def save(self, emulator: Emulator) -> None:
        """Replace the state in the file by the emulator's present one.

        It may be called in any thread. The emulator is blocked while its state is captured, but
        not while the file is written.

        Raises:
            StateError: the file cannot be written, for example because the disk is full.
        """
        activity = _activity_of(emulator)
        kept = capture_state(account_of(emulator), hide_keys=True)
        with self._lock, self._refusing():
            if _identity(self.path) != self._identity:
                raise StateError(
                    f"{self.path} was removed or replaced, so the state is no longer saved; "
                    "start the emulator again"
                )
            with self._transaction("IMMEDIATE"):
                self._write(kept)
            self.saved = activity

    # The database

    def _make(self) -> None:
        """Create a file that only its owner can read, unless the file exists."""
        if not self.path.parent.is_dir():
            raise StateError(f"{self.path}: the folder does not exist; create {self.path.parent}")
        if self.path.is_dir():
            raise StateError(f"{self.path} is a folder; name a file in it, such as emulator.db")
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

    def _open(self) -> None:
        """Lock the file until it is closed, and check that it is a state."""
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        with self._transaction("EXCLUSIVE"):
            (mark,) = self._database.execute("PRAGMA application_id").fetchone()
            if mark == APPLICATION_ID:
                return
            (tables,) = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if mark or tables:
                raise StateError(f"{self.path} is the database of another program; {_WAY_OUT}")
            self._database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            for table in TABLES:
                self._database.execute(table)

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[None]:
        self._database.execute(f"BEGIN {kind}")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """Turn each failure into a `StateError` with the way out."""
        try:
            yield
        except sqlite3.Error as error:
            raise StateError(_explained(self.path, error)) from error
        except BadState as error:
            raise StateError(f"{self.path} is damaged ({error}); {_WAY_OUT}") from error
        except OSError as error:
            raise StateError(f"{self.path}: {error.strerror}; {_WAY_OUT}") from error

    # The state

    def _check_version(self, about: dict[str, str]) -> None:
        here, there = _version(), about.get("version", "unknown")
        if about.get("code") != _code():
            raise StateError(
                f"{self.path} was written by another version of newsleopard-async, {there} (this "
                f"is {here}); use that version, or {_WAY_OUT}"
            )

    def _write(self, kept: AccountState) -> None:
        self._database.execute("DELETE FROM state")
        check = _Checksum()
        for name, content in encode_rows(kept):
            number = check.take(name, content)
            self._database.execute("INSERT INTO state VALUES (?, ?, ?)", (name, number, content))
        self._write_blobs(kept)
        about = {
            "version": _version(),
            "code": _code(),
            "check": check.result(kept.now, kept.monotonic_s),
            "now": kept.now.isoformat(),
            "monotonic_s": repr(kept.monotonic_s),
        }
        self._database.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", about.items())

    def _write_blobs(self, kept: AccountState) -> None:
        there = self._digests()
        for digest in there - kept.blobs.keys():
            self._database.execute("DELETE FROM blobs WHERE digest = ?", (digest,))
        for digest in kept.blobs.keys() - there:
            # An empty file has one empty part, so that its digest is stored.
            parts = kept.blobs[digest].read_chunks(PART_BYTES) if kept.blobs[digest].size else [b""]
            for number, part in enumerate(parts):
                self._database.execute("INSERT INTO blobs VALUES (?, ?, ?)", (digest, number, part))

    def _digests(self) -> set[str]:
        found = self._database.execute("SELECT DISTINCT digest FROM blobs")
        return {digest for (digest,) in found}

    def _read(self, about: dict[str, str]) -> AccountState:
        check, rows = _Checksum(), dict[str, list[bytes]]()
        found = self._database.execute("SELECT name, content FROM state ORDER BY rowid")
        for name, content in found:
            check.take(name, content)
            rows.setdefault(name, []).append(content)
        try:
            now = datetime.fromisoformat(about["now"])
            monotonic_s = float(about["monotonic_s"])
        except (KeyError, ValueError) as error:
            raise BadState("the time of its writing is missing") from error
        if check.result(now, monotonic_s) != about.get("check"):
            raise BadState("its checksum is wrong")
        blobs = {digest: self._read_blob(digest) for digest in self._digests()}
        return decode_rows(rows, blobs=blobs, now=now, monotonic_s=monotonic_s)

    def _read_blob(self, digest: str) -> Blob:
        writer = BlobWriter()
        query = "SELECT content FROM blobs WHERE digest = ? ORDER BY number"
        for (content,) in self._database.execute(query, (digest,)):
            writer.write(content)
        blob = writer.close()
        if blob.digest != digest:
            raise BadState("the checksum of a file in it is wrong")
        return blob


def _bring_up(clock: Clock, now: datetime) -> None:
    """Move an `EmulatorClock` forward to an instant; before it, the state would not change."""
    while isinstance(clock, EmulatorClock) and clock.now() < now:
        clock.advance(min(MOST_ADVANCE_S, (now - clock.now()).total_seconds()))


_WAY_OUT: Final = "to start with an empty state, move the file away or name another one"


def _explained(path: Path, error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorname", "")
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return f"{path} is used by another emulator; stop that one, or name another file"
    if code.startswith("SQLITE_NOTADB"):
        return f"{path} is not a state of the emulator; {_WAY_OUT}"
    if code.startswith("SQLITE_CORRUPT"):
        return f"{path} is damaged ({error}); {_WAY_OUT}"
    return f"{path} cannot be used (SQLite: {error}); free disk space, or name another file"


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what identifies a file independently of its name; None if it does not exist."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


class _Checksum:
    """Numbers the rows of a state, and computes their checksum."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()
        self._numbers: dict[str, int] = {}

    def take(self, name: str, content: bytes) -> int:
        """Add a row, and return its number among the rows of the same name."""
        number = self._numbers.get(name, 0)
        self._numbers[name] = number + 1
        self._sum.update(f"{name} {number} {len(content)}\n".encode())
        self._sum.update(content)
        return number

    def result(self, now: datetime, monotonic_s: float) -> str:
        """Return the checksum of all rows and both times."""
        whole = self._sum.copy()
        whole.update(f"{now.isoformat()} {monotonic_s!r}".encode())
        return whole.hexdigest()


@cache
def _version() -> str:
    try:
        return metadata.version(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "unknown"


@cache
def _code() -> str:
    """Return a digest of the code that defines the classes of a state."""
    found = hashlib.sha256(_version().encode())
    package = Path(switches.__file__).parent
    for path in sorted([*package.glob("platform/*.py"), Path(switches.__file__)]):
        if path.suffix == ".py":
            found.update(path.read_bytes())
    return found.hexdigest()


# Saving while it runs


@attrs.frozen
class _Activity:
    """How active an emulator has been.

    Attributes:
        changes: The number of changes so far.
        requests: The number of requests so far.
    """

    changes: int
    requests: int


def _activity_of(emulator: Emulator) -> _Activity:
    return _Activity(emulator.changes, account_of(emulator).log.total)


@attrs.define
class _SaveSchedule:
    """Decides when to save: after the requests pause, and every 30 s if they never do."""

    seen: _Activity | None = None
    seen_s: float = 0.0
    waits_since_s: float | None = None

    def is_due(self, activity: _Activity, saved: _Activity | None, now_s: float) -> bool:
        """Return whether to save now; ``now_s`` is the time of a monotonic clock."""
        if activity != self.seen:
            self.seen, self.seen_s = activity, now_s
        if saved is not None and activity.changes == saved.changes:
            self.waits_since_s = None
            return False
        if self.waits_since_s is None:
            self.waits_since_s = now_s
        is_due = now_s - self.seen_s >= QUIET_S or now_s - self.waits_since_s >= LONGEST_S
        if is_due:
            self.waits_since_s = None
        return is_due


async def keep_saving(emulator: Emulator, state: StateFile) -> None:
    """Save changes until cancelled, and a last time when cancelled.

    A state is saved after one second without requests, and at most 30 s after a change. A process
    that is killed loses the changes since then. A save that fails is logged, and tried again.
    """
    schedule = _SaveSchedule()
    try:
        while True:
            await anyio.sleep(POLL_S)
            if schedule.is_due(_activity_of(emulator), state.saved, time.monotonic()):
                await _save(emulator, state)
    finally:
        with anyio.CancelScope(shield=True):
            if state.saved != _activity_of(emulator):
                await _save(emulator, state)


async def _save(emulator: Emulator, state: StateFile) -> None:
    try:
        await anyio.to_thread.run_sync(state.save, emulator)
    except StateError as error:
        logger.error("the state is not saved: %s", error)  # noqa: TRY400 - the text has the reason
