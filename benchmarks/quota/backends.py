"""The backends that share a fleet's quota, and their failures."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from benchmarks.quota.worker import PYRATE
from tests.servers import Server, start_redis

__all__ = ["BACKENDS", "Backend", "opened"]

ALONE: Final = "process"
HOST: Final = "host"
REDIS: Final = "redis"
PYRATE_ON_REDIS: Final = "pyrate-limiter"
BACKENDS: Final = (ALONE, HOST, REDIS, PYRATE_ON_REDIS)


@attrs.frozen
class Backend:
    """One of `BACKENDS`, in a separate folder.

    Attributes:
        quota: The argument `quota=` of a worker.
        env: Additional environment variables of a worker.
    """

    name: str
    folder: Path
    quota: str | None
    env: Mapping[str, str]
    redis: Server | None

    async def away(self, for_s: float) -> None:
        """Block the quota for every process: the server is stopped, or the file's lock is held."""
        if self.redis is not None:
            with self.redis.away():
                await asyncio.sleep(for_s)
            return
        with contextlib.ExitStack() as held:
            for path in self._files():
                file = held.enter_context(path.open("rb"))
                await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
            await asyncio.sleep(for_s)

    def forget(self) -> None:
        """Remove the files."""
        for path in self._files():
            path.unlink()

    def set_clock(self, by_s: int) -> None:
        """Change the wall clock of the quota, if libfaketime is installed."""
        (self.folder / "clock").write_text(f"{by_s:+d}")

    def _files(self) -> list[Path]:
        found = [path for path in (self.folder / "home").rglob("*") if path.is_file()]
        assert found, "the quota of this host has no file"
        return found


@contextlib.asynccontextmanager
async def opened(name: str, *, faked_clock: Path | None = None) -> AsyncIterator[Backend]:
    """Create the folder or the server of a backend.

    Args:
        faked_clock: The library libfaketime, if the wall clock will be changed.
    """
    with tempfile.TemporaryDirectory(prefix="quota-") as made:
        folder = Path(made)
        home = folder / "home"
        home.mkdir(0o700)
        env = dict.fromkeys(("HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"), str(home))
        clock = {} if faked_clock is None else _faked(faked_clock, folder / "clock")
        if name == HOST:
            # Only here: it makes threads of Python wait too long, and Redis has its own clock.
            env |= clock
        if name == ALONE:
            env["NEWSLEOPARD_QUOTA"] = "process"
        with contextlib.ExitStack() as running:
            redis, url = None, ""
            if name in (REDIS, PYRATE_ON_REDIS):
                with _environment(clock):
                    redis = running.enter_context(start_redis())
                url = f"redis://127.0.0.1:{redis.port}/0"
            quota = {ALONE: None, HOST: HOST, REDIS: url, PYRATE_ON_REDIS: PYRATE + url}[name]
            yield Backend(name, folder, quota, env, redis)


def _faked(library: Path, offset: Path) -> dict[str, str]:
    offset.write_text("+0")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


@contextlib.contextmanager
def _environment(env: Mapping[str, str]) -> Iterator[None]:
    """Set this environment for processes that start inside the context."""
    before = dict(os.environ)
    os.environ |= env
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before
