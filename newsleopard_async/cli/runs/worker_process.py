"""``newsleopard worker``: processes durable sends until a signal ends it.

The rules:

- After the first SIGTERM or Ctrl-C, the worker leaves: it takes no more attempts, waits for the
  answer of a submit that is being sent, and gives all other attempts to the next worker.
- The second signal ends the process immediately, and so does a timer if the worker does not leave
  in time.
- The process does not wait for a thread that waits for an unreachable database.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from types import FrameType
from typing import Any, Final, NoReturn

import anyio
import attrs

from newsleopard_async import NewsLeopardError
from newsleopard_async.aio import from_any_thread
from newsleopard_async.cli.display.terminal import write_json
from newsleopard_async.cli.runs.health import Address, HealthServer
from newsleopard_async.cli.runs.locations import URL_VARIABLE, client_of_main, durable_of
from newsleopard_async.cli.translation import ngettext, reason_of
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.disclosure import shown
from newsleopard_async.durable import Durable, Worker
from newsleopard_async.errors import ConfigurationError
from newsleopard_async.log import NAME, read_log

__all__ = [
    "StopSignals",
    "WorkerOptions",
    "end_despite_threads",
    "run_worker",
    "shorten_log_record",
]

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

_BEGINS_WITHIN_S: Final = 15.0
"""Chosen: a worker that has not begun has nothing to give back, and a call to an unreachable
database fails within 10 s."""

_SPARE_S: Final = 5.0
"""Chosen: the time in addition to the longest time that a worker needs to leave. After it, only a
blocked thread can still be running."""

_TRACEBACK: Final = "Traceback (most recent call last):"

_THREADS_S: Final = 2.0
"""The longest wait for threads of the engine after the worker has left. Chosen: a thread that is
not blocked ends within much less."""


@attrs.frozen(kw_only=True)
class WorkerOptions:
    """The command line's options for a worker.

    Attributes:
        app: ``module:name`` of a `Durable`, or of a function that returns one.
        url: The URL of the database, without an ``app``.
        slots: The number of simultaneous attempts; None for the default of `Durable.worker`.
        health: The address of the health server; None for no server.
        as_json: Whether events are written as JSON.
    """

    app: str | None
    url: str | None
    slots: int | None
    health: Address | None
    as_json: bool


def run_worker(options: WorkerOptions) -> None:
    """Process sends until a signal ends it.

    Raises:
        NewsLeopardError: the set-up is wrong, the health server cannot listen on its address, or
            the database is unreachable at the start.
    """
    read_log()
    if not logging.getLogger(NAME).isEnabledFor(logging.DEBUG):
        logging.getLogger("dbos").addFilter(shorten_log_record)
    threads = set(threading.enumerate())
    durable = _durable(options)
    with StopSignals.on_signals() as stop:
        worker_run = _WorkerRun(options, durable, stop)
        anyio.run(worker_run.run)
        end_despite_threads(threads)


def shorten_log_record(record: logging.LogRecord) -> bool:
    """Shorten a log record of the engine, which adds a traceback to each failed database call."""
    text = record.getMessage().partition("\n")[0].removesuffix(_TRACEBACK)
    record.msg, record.args = text.rstrip(": "), ()
    record.exc_info = record.exc_text = None
    return True


def _durable(options: WorkerOptions) -> Durable:
    if options.app is not None:
        return durable_of(options.app)
    if options.url is None:
        message = _(
            "the database of the sends is not set; set {name}, or use --url, or name an APP as "
            "module:name of a Durable"
        )
        raise ConfigurationError(message.format(name=URL_VARIABLE))
    return Durable(options.url, clients=client_of_main)


@attrs.define(eq=False)
class StopSignals:
    """The signals that end a worker.

    Attributes:
        is_requested: Whether a signal has arrived.
        call: Called at the first signal, in the main thread.
        running: Returns the number of running attempts.
        within_s: Returns the longest time in seconds that the worker needs to leave.
    """

    is_requested: bool = False
    call: Callable[[], None] = lambda: None
    running: Callable[[], int] = lambda: 0
    within_s: Callable[[], float] = lambda: _BEGINS_WITHIN_S

    @classmethod
    @contextlib.contextmanager
    def on_signals(cls) -> Iterator[StopSignals]:
        """Handle the signals while the context is open.

        The handlers do not depend on the event loop, so the second signal also ends a worker with
        a blocked loop.
        """
        stop = cls()
        before = {each: signal.signal(each, stop) for each in _SIGNALS}
        try:
            yield stop
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def __call__(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Handle a signal."""
        if self.is_requested:
            _end_now(128 + number, _("ended immediately") + self._under_way())
        self.is_requested = True
        timer = threading.Timer(self.within_s() + _SPARE_S, self._too_long)
        timer.daemon = True
        timer.start()
        self.call()

    def _too_long(self) -> None:
        code = 1 if self.running() else 0
        message = _("did not leave in time; check whether the database is reachable")
        _end_now(code, message + self._under_way())

    def _under_way(self) -> str:
        """Return the clause about unfinished attempts."""
        running = self.running()
        if not running:
            return _("; no attempt was running")
        return ngettext(
            ", with {running} attempt running; the next worker checks whether anything was "
            "submitted, and sends nothing twice",
            ", with {running} attempts running; the next worker checks whether anything was "
            "submitted, and sends nothing twice",
            running,
        ).format(running=running)


def _end_now(code: int, message: str) -> NoReturn:
    # Only system calls are safe here: this thread possibly holds a lock. Earlier output has been
    # flushed.
    with contextlib.suppress(OSError):
        text = _("newsleopard: {message}.").format(message=message) + "\n"
        os.write(2, text.encode(sys.stderr.encoding or "utf-8", "backslashreplace"))
    os._exit(code)


def end_despite_threads(before: set[threading.Thread]) -> None:
    """End the process even if newer threads than ``before`` are still running."""
    until = time.monotonic() + _THREADS_S
    for thread in set(threading.enumerate()) - before:
        if not thread.daemon:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                message = _("ended without waiting for the thread {name}")
                _end_now(0, message.format(name=thread.name))


class _WorkerRun:
    """The run of one worker.

    Args:
        options: The options of the command line.
        durable: The durable sends.
        stop: The signals that end the worker.
    """

    def __init__(self, options: WorkerOptions, durable: Durable, stop: StopSignals) -> None:
        self._options = options
        self._durable = durable
        self._stop = stop
        self._worker: Worker | None = None

    async def run(self) -> None:
        """Process sends until a signal arrives.

        Raises: as `run_worker`.
        """
        if self._options.app is None:
            # A missing key is reported now, and not at the first send.
            await client_of_main("main").aclose()
        async with self._durable, self._answering():
            raised = await self._until_stopped()
        if raised is not None:
            raise raised

    @contextlib.asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        """Run the health server, if it is requested."""
        if self._options.health is None:
            yield
            return
        server = self._health_server(self._options.health)
        text = _("Health at {url} and /ready").format(url=f"{server.url}/live")
        self._report("answers", text, url=server.url)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.answer)
            yield
            server.should_exit = True

    def _health_server(self, address: Address) -> HealthServer:
        try:
            return HealthServer(address, self._state)
        except OSError as error:
            message = _("Cannot listen on {address}: {reason}; choose another --health")
            message = message.format(address=address, reason=reason_of(error))
            raise ConfigurationError(message) from None

    def _state(self) -> dict[str, Any]:
        worker = self._worker
        return {
            "id": None if worker is None else worker.id,
            "ready": worker is not None and worker.is_ready and not self._stop.is_requested,
            "running": 0 if worker is None else worker.running,
            "ended": 0 if worker is None else worker.ended,
        }

    async def _until_stopped(self) -> NewsLeopardError | None:
        """Process sends; return the error of the start, because a task group would wrap it."""
        with anyio.CancelScope() as scope:
            self._stop.call = from_any_thread(lambda: self._leave(scope))
            if self._stop.is_requested:
                scope.cancel()
            slots = {} if self._options.slots is None else {"slots": self._options.slots}
            try:
                async with self._durable.worker(**slots) as self._worker:
                    self._begin(self._worker)
                    await anyio.sleep_forever()
            except NewsLeopardError as error:
                return error
        if self._worker is None:
            self._report("has-not-begun", _("Ended before it took any attempts"))
        else:
            self._end(self._worker)
        return None

    def _begin(self, worker: Worker) -> None:
        self._stop.running = lambda: worker.running
        self._stop.within_s = lambda: worker.leaves_within_s
        where = self._durable._database.where  # noqa: SLF001 - no public name says it
        text = _("Worker {worker} takes attempts from {where} (Ctrl-C stops)")
        text = text.format(worker=worker.id, where=where)
        self._report("takes-attempts", text, id=worker.id)

    def _leave(self, scope: anyio.CancelScope) -> None:
        worker = self._worker
        if worker is not None:
            text = _("Worker {worker} leaves").format(worker=worker.id)
            if worker.running:
                text = ngettext(
                    "Worker {worker} leaves; it has {running} attempt, and waits at most "
                    "{seconds:.0f} s for answers (press Ctrl-C again to end it now)",
                    "Worker {worker} leaves; it has {running} attempts, and waits at most "
                    "{seconds:.0f} s for answers (press Ctrl-C again to end it now)",
                    worker.running,
                ).format(worker=worker.id, running=worker.running, seconds=worker.leaves_within_s)
            self._report("leaves", text, id=worker.id, running=worker.running)
        scope.cancel()

    def _end(self, worker: Worker) -> None:
        facts = {"id": worker.id, "ended": worker.ended, "given_back": worker.given_back}
        text = ngettext(
            "Worker {id} has left; it has ended {ended:,} attempt, and given {given_back} back to "
            "the next worker",
            "Worker {id} has left; it has ended {ended:,} attempts, and given {given_back} back to "
            "the next worker",
            worker.ended,
        ).format(**facts)
        self._report("has-left", text, **facts)

    def _report(self, event: str, text: str, **facts: Any) -> None:
        # If the reader of the output has ended, the worker continues.
        with contextlib.suppress(OSError):
            if self._options.as_json:
                write_json({"event": event, "at": datetime.now(UTC).isoformat(), **facts})
            else:
                print(shown(text), file=sys.stderr, flush=True)
