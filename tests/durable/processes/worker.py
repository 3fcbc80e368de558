"""The processes of durable workers, each of which can be struck at any point of its work.

They work as `Durable.work` does, with leases of two seconds in the place of twenty.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import anyio
import attrs

from newsleopard_async import NewsLeopard
from newsleopard_async.durable import Durable, attempt_runner, engine, roster, worker
from newsleopard_async.durable.attempt_runner import AttemptRunner
from newsleopard_async.durable.engine import Engine
from newsleopard_async.durable.guard import GuardedStore
from newsleopard_async.durable.ledger import Ledger
from newsleopard_async.stores import database
from newsleopard_async.transport import http, observer
from newsleopard_async.workflows import checkpoint, lease, reconcile, run_record, sending, steps
from tests.constants import KEY
from tests.fleet.worker import say, serve

__all__ = ["LEASE_S", "Job"]

LEASE_S: Final = 2.0
"""Chosen: a take-over is seen in three seconds. What renews does so four times, as in life."""

_LOADED: Final = (
    *("anyio._backends._asyncio", "certifi", "h11", "httpcore", "psycopg", "trio", "dbos"),
    *("sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite"),
    *("newsleopard_async.transport.api", "newsleopard_async.durable.durable"),
)

_CODE: Final = re.compile("[0-9]|[^/]{20,}")


@attrs.frozen(kw_only=True)
class Job:
    """What a worker does.

    Attributes:
        number: Its number among the workers.
        url: Where the platform is.
        database: Where the sends are.
        folder: Where their contacts are.
        strikes: The signal that it gives itself at a point, once for each.
        says_points: Whether it says at which points it is.
        lease_s: How long a worker and a run may be silent.
        slots: How many sends it runs at the same time.
        version: Of what the engine takes the application for; "" for the library's.
        has_more_steps: Whether its pipeline has one more step before the submit.
        backend: The event loop.
    """

    number: int
    url: str
    database: str
    folder: str
    strikes: Mapping[str, str] = attrs.field(factory=dict)
    says_points: bool = False
    lease_s: float = LEASE_S
    slots: int = 4
    version: str = ""
    has_more_steps: bool = False
    backend: str = "asyncio"


class _Points:
    """Where a worker is, and what strikes it there."""

    def __init__(self, job: Job) -> None:
        self._strikes = dict(job.strikes)
        self._seen: set[str] = set()
        self._says = job.says_points

    def at(self, point: str) -> None:
        """Say so, and give itself the signal, if it is here for the first time."""
        if point in self._seen:
            return
        self._seen.add(point)
        strike = self._strikes.get(point)
        if self._says or strike is not None:
            say("moment", moment=point)
        if strike is not None:
            os.kill(os.getpid(), signal.Signals[strike])


def _replace(owner: Any, name: str, new: object) -> None:
    assert hasattr(owner, name), name
    setattr(owner, name, new)


def _hasten(job: Job) -> None:
    """Make the leases short, and all that must fit into them."""
    quarter_s, modules = job.lease_s / 4, (roster, worker)
    changes: list[tuple[Any, str, object]] = [
        *((module, "LEASE_S", job.lease_s) for module in modules),
        *((module, "LEASE", timedelta(seconds=job.lease_s)) for module in (run_record, checkpoint)),
        (lease, "_RENEWED_EVERY_S", quarter_s),
        (lease, "_LONGEST_RENEWAL_S", 2 * quarter_s),
        (worker, "_BEATS_EVERY_S", quarter_s),
        (engine, "_POLLS_EVERY_S", 0.1),
        (attempt_runner, "_AFTER_OTHER_S", job.lease_s),
        (attempt_runner, "_SHORTEST_PAUSE_S", job.lease_s),
        # A list that may have been created is looked for at once; none is listed late here.
        (steps, "LISTED_AFTER", timedelta(seconds=job.lease_s)),
        # A worker that was taken over and wakes again sends nothing by an intent from before.
        (observer, "INTENT_S", job.lease_s / 2),
    ]
    bound, prepare = database._BOUND, database._PREPARE
    short = bound.replace("10s", f"{int(500 * job.lease_s)}ms")
    changes += [
        (database, "_BOUND", short),
        (database, "_PREPARE", {n: each.replace(bound, short) for n, each in prepare.items()}),
    ]
    for change in changes:
        _replace(*change)
    if job.version:
        _replace(engine, "_VERSION", job.version)


def _watch_engine(points: _Points) -> None:
    launch = Engine.launch

    def launching(
        self: Engine, name: str, run_attempt: Callable[[str, int], str], **more: Any
    ) -> None:
        def carrying(send_key: str, number: int) -> str:
            points.at("engine: attempt begins")
            try:
                return run_attempt(send_key, number)
            finally:
                points.at("engine: attempt has ended")

        launch(self, name, carrying, **more)

    _replace(Engine, "launch", launching)


def _watch_ledger(points: _Points) -> None:
    save_result, made = Ledger.save_result, AttemptRunner._result_of

    async def settling(self: Ledger, *args: Any) -> None:
        points.at("ledger: before it is settled")
        await save_result(self, *args)
        points.at("ledger: after it is settled")

    async def making(self: AttemptRunner, row: Any) -> Any:
        points.at("attempt: row read")
        return await made(self, row)

    _replace(Ledger, "save_result", settling)
    _replace(AttemptRunner, "_result_of", making)


def _watch_store(points: _Points) -> None:
    save = GuardedStore.save

    async def saving(
        self: GuardedStore, key: str, data: Mapping[str, Any], revision: str | None
    ) -> str:
        name = _name_of(data)
        points.at(f"save: before {name}")
        new = await save(self, key, data, revision)
        points.at(f"save: after {name}")
        return new

    _replace(GuardedStore, "save", saving)


def _name_of(data: Mapping[str, Any]) -> str:
    if data.get("ended") is not None:
        return f"end {data['ended']['state']}"
    *_, (step, last) = {"claim": {"state": "held"}, **data["records"]}.items()
    return f"{step} {last['state']}"


def _watch_wire(points: _Points) -> None:
    trace = http._Trace.__call__

    async def tracing(self: Any, event: str, info: Mapping[str, Any]) -> None:
        if event == "http11.send_request_headers.started":
            request = info["request"]
            words = request.url.target.decode().partition("?")[0].split("/")
            path = "/".join("…" if _CODE.search(word) else word for word in words)
            self.name = f"wire: {request.method.decode()} {path}"
            points.at(f"{self.name} leaves")
        await trace(self, event, info)
        if event == "http11.send_request_body.complete":
            points.at(f"{self.name} has left")
        elif event == "http11.receive_response_headers.complete":
            points.at(f"{self.name} is answered")

    _replace(http._Trace, "__call__", tracing)


def _add_a_step() -> None:
    """Let the pipeline have one more step, as a later version of it might have."""
    submit = reconcile.submit_or_find

    async def later(run: Any, *args: Any) -> Any:
        await run.step(steps.find_sent, steps.FindSent(text="nothing", since=run.now()), keep=False)
        return await submit(run, *args)

    _replace(sending, "submit_or_find", later)


def _watch_readiness() -> None:
    launch = worker.Worker._launch

    def watch(made: worker.Worker) -> None:
        was = None
        while True:
            if made.is_ready is not was:
                was = made.is_ready
                say("moment", moment="ready" if was else "not ready")
            time.sleep(0.02)

    async def launching(self: worker.Worker, *args: Any) -> None:
        threading.Thread(target=watch, args=(self,), daemon=True).start()
        await launch(self, *args)

    _replace(worker.Worker, "_launch", launching)


async def _carry(job: Job) -> None:
    def clients(_: str) -> NewsLeopard:
        return NewsLeopard(KEY, base_url=job.url)

    async with Durable(job.database, clients=clients, shared_folder=Path(job.folder)) as durable:
        await durable.work(slots=job.slots)


def _work(told: dict[str, Any]) -> None:
    job = Job(**told)
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format=f"%(asctime)s {job.number} %(name)s %(message)s",
        force=True,
    )
    for noisy in ("httpx", "httpcore", "dbos"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    _hasten(job)
    points = _Points(job)
    for watch in (_watch_engine, _watch_ledger, _watch_store, _watch_wire):
        watch(points)
    _watch_readiness()
    if job.has_more_steps:
        _add_a_step()
    try:
        anyio.run(_carry, job, backend=job.backend)
    except BaseException as error:
        say("end", error=type(error).__name__, message=repr(error)[:500], odd=True)
        raise
    say("end")
    # So every process ends: what is left of its threads is waited for.
    threading._shutdown()  # type: ignore[attr-defined]


if __name__ == "__main__":
    serve(_LOADED, _work)
