"""``newsleopard emulator``: an emulator on a port, until a signal ends it."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

import anyio
import attrs

from newsleopard_async.cli.accesslog import AccessLog
from newsleopard_async.disclosure import shown
from newsleopard_async.emulator import Emulator, Profile
from newsleopard_async.emulator import server as emulator_server
from newsleopard_async.transport.urls import is_loopback

__all__ = ["EmulatorOptions", "run_emulator"]


SEGMENT: Final = "全部聯絡人"
"""The segment among the sample lists; chosen: "all contacts"."""


@attrs.frozen(kw_only=True)
class EmulatorOptions:
    """What the command line says about an emulator.

    Attributes:
        host: Address to listen on.
        port: Port to listen on; 0 for any that is free.
        api_keys: The keys that it accepts.
        profile: Which description of the platform it follows.
        switches: What is changed of that, by the names of ``Switches``.
        sample_lists: Whether it begins with the lists of the documentation's examples, and a
            segment.
        quiet: Whether no line is written for each request.
        json_log: Whether such a line is an object of JSON.
    """

    host: str
    port: int
    api_keys: tuple[str, ...]
    profile: Profile
    switches: Mapping[str, Any]
    sample_lists: bool
    quiet: bool = False
    json_log: bool = False


def run_emulator(options: EmulatorOptions) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Raises:
        OSError: the address cannot be had.
    """
    emulator = Emulator(api_keys=options.api_keys, profile=options.profile)
    emulator.switch(**options.switches)
    if options.sample_lists:
        emulator.add_sample_lists()
        emulator.add_segment(SEGMENT)
    if not is_loopback(options.host):
        print(f"Anybody who reaches {shown(options.host)} can use this emulator.", file=sys.stderr)

    def announce(base_url: str) -> None:
        print(f"Emulating NewsLeopard ({options.profile}) at {base_url} (Ctrl-C stops)", flush=True)

    log = AccessLog(sys.stderr, as_json=options.json_log)
    until_stopped = partial(
        emulator_server.serve,
        emulator,
        host=options.host,
        port=options.port,
        ready=announce,
        on_request=None if options.quiet else log.write,
    )
    with contextlib.suppress(KeyboardInterrupt):
        anyio.run(_until_sigterm, until_stopped)


async def _until_sigterm(serve: Callable[[], Awaitable[object]]) -> None:
    """Serve until SIGTERM; Windows has none that a process could answer.

    Whoever stops a container waits for this, and kills the process if it takes long.
    """
    if sys.platform == "win32":
        await serve()
        return
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_cancel_at_first, signals, tasks.cancel_scope)
                await serve()
        except ExceptionGroup as group:
            [error] = group.exceptions  # of the server, such as a port that is taken
            raise error from None


async def _cancel_at_first(signals: AsyncIterator[object], scope: anyio.CancelScope) -> None:
    await anext(signals)
    scope.cancel()
