"""The processes of a fleet: one has loaded everything, and forks a worker for each job.

So a worker costs milliseconds, and is a process like any other: it can be killed and stopped. It
reads a `Job` and writes lines of JSON. It ends with its parent, and after `_LONGEST_S` in any case.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import anyio
import attrs

from newsleopard_async import NewsLeopard, NewsLeopardError, OutcomeUnknown, workflows
from newsleopard_async.models import Polling
from newsleopard_async.stores import FileStore, RedisStore, SqlStore, Store
from tests.constants import CAMPAIGN

__all__ = ["INTENT_STORED", "FastClock", "Job", "say", "serve", "store_of"]

_LONGEST_S: Final = 240
"""Chosen: longer than any run, so that a run without an end is found before."""

INTENT_STORED: Final = "intent stored"
"""A moment between the intent of the submit and its first byte."""

_PR_SET_PDEATHSIG: Final = 1

_LOADED: Final = (
    *("anyio._backends._asyncio", "certifi", "h11", "httpcore", "psycopg", "redis", "trio"),
    *("sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite"),
    *("newsleopard_async.transport.api", "newsleopard_async.workflows.sending"),
)
"""What each worker would load by itself, which takes longer than its work."""


@attrs.frozen
class FastClock:
    """A clock that runs several times as fast, so that leases and intents end sooner.

    Attributes:
        speed: How fast.
        since: When it was right, in seconds since 1970. All processes have the same.
    """

    speed: float
    since: float

    def now(self) -> datetime:
        """Return its wall clock's time."""
        passed_s = (time.time() - self.since) * self.speed
        return datetime.fromtimestamp(self.since, UTC) + timedelta(seconds=passed_s)

    def monotonic(self) -> float:
        """Return its seconds."""
        return time.monotonic() * self.speed

    def uptime(self) -> float:
        """Return its seconds; no machine of a test is suspended."""
        return self.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for so many of its seconds."""
        await anyio.sleep(max(0.0, seconds / self.speed))

    def deadline(self, seconds: float) -> AbstractContextManager[anyio.CancelScope, bool]:
        """Cancel what runs inside after so many of its seconds."""
        return anyio.move_on_after(seconds / self.speed)


@attrs.frozen(kw_only=True)
class Job:
    """What a worker does.

    Attributes:
        number: Its number in its fleet.
        url: Where the platform is.
        key: The API key.
        store: A path, or a URL.
        send_key: Of the campaign.
        contacts: The file.
        list_name: Where they go.
        wait_s: How long another run is waited for.
        speed: Of its clock.
        since: When that was right.
        stops_at: The moment at which it stops itself for once, as SIGSTOP does: "submit started"
            or the like, or `INTENT_STORED`; or none.
    """

    number: int
    url: str
    key: str
    store: str
    send_key: str
    contacts: str
    list_name: str
    wait_s: float
    speed: float
    since: float
    stops_at: str = ""


def store_of(place: str) -> FileStore | RedisStore | SqlStore:
    """Open the store of a path or URL."""
    if "://" not in place:
        return FileStore(place)
    return RedisStore(place) if place.startswith("redis") else SqlStore(place)


def _stopping_store_of(place: str, stand_still: Callable[[str], None]) -> Store:
    kind: Any = type(store_of(place))

    class Stopping(kind):  # type: ignore[misc]  # the class is chosen when it runs
        async def save(self, key: str, data: Mapping[str, Any], revision: str | None) -> str:
            """Keep it, and stand still if it is the intent to submit."""
            new: str = await super().save(key, data, revision)
            if data["records"].get("submit", {}).get("state") == "intent":
                stand_still(INTENT_STORED)
            return new

    store: Store = Stopping(place)
    return store


def say(what: str, **more: Any) -> None:
    """Tell the nursery something of this process."""
    # One write below the size of a pipe's buffer is never mixed with another's.
    line = json.dumps({"what": what, "pid": os.getpid(), **more}) + "\n"
    os.write(1, line.encode()[:4_000])


async def _send(job: Job) -> None:
    reached: list[str] = []

    def stand_still(moment: str) -> None:
        if moment == job.stops_at and not reached:
            reached.append(moment)
            say("moment", moment=moment)
            os.kill(os.getpid(), signal.SIGSTOP)

    clock = None if job.speed == 1 else FastClock(job.speed, job.since)
    try:
        async with NewsLeopard(
            job.key, base_url=job.url, store=_stopping_store_of(job.store, stand_still), clock=clock
        ) as nl:
            outcome = await workflows.send_campaign(
                nl,
                CAMPAIGN,
                contacts=Path(job.contacts),
                list_name=job.list_name,
                send_key=job.send_key,
                wait_for_other=job.wait_s,
                polling=Polling(first_s=0.1, max_s=0.5, deadline_s=120),
                progress=lambda event: stand_still(f"{event.step} {event.state}"),
            )
    except NewsLeopardError as error:
        held = isinstance(error, OutcomeUnknown)
        say("end", error=type(error).__name__, message=str(error)[:500], held=held)
    else:
        say("end", campaign_sn=outcome.campaign_sn)


def _work(told: dict[str, Any]) -> None:
    job = Job(**told)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, force=True)
    try:
        anyio.run(_send, job)
    except KeyboardInterrupt:
        say("end", error="cancelled")
    except BaseException as error:
        say("end", error=type(error).__name__, message=repr(error)[:500], odd=True)
        raise


def _reap() -> None:
    with_children = True
    while with_children:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        with_children = pid != 0
        if pid:
            say("gone", of=pid, code=os.waitstatus_to_exitcode(status))


def serve(loaded: Iterable[str], work: Callable[[dict[str, Any]], object]) -> None:
    """Fork a worker for each line; report its id, and when it has ended.

    Args:
        loaded: The modules that each would load by itself.
        work: The function of a worker; it receives the content of the line.
    """
    for name in loaded:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, lambda *_: _reap())
    say("ready")
    for line in sys.stdin:
        job = json.loads(line)
        parent = os.getpid()
        # What it says comes after who it is, since it waits until that was said.
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() == parent:
                os.close(writing)
                os.read(reading, 1)
                signal.alarm(_LONGEST_S)
                work(job)
            os._exit(0)
        os.close(reading)
        say("born", of=pid, number=job["number"])
        os.close(writing)


if __name__ == "__main__":
    serve(_LOADED, _work)
