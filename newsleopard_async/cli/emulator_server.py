"""``newsleopard emulator``: an emulator on a port, until a signal ends it."""

from __future__ import annotations

import atexit
import contextlib
import gc
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
import attrs

from newsleopard_async.cli.accesslog import AccessLog
from newsleopard_async.disclosure import shown
from newsleopard_async.emulator import Emulator, EmulatorClock, Profile
from newsleopard_async.emulator.sample import SAMPLE_S, build_sample
from newsleopard_async.emulator.sandbox.access import ControlAccess, ControlOptions
from newsleopard_async.emulator.server import serve
from newsleopard_async.emulator.state import StateFile
from newsleopard_async.emulator.switches import PROFILES
from newsleopard_async.transport.urls import is_loopback

__all__ = ["EmulatorOptions", "run_emulator"]


SEGMENT: Final = "全部聯絡人"
"""The segment among the sample lists; chosen: "all contacts"."""
TOKEN_BYTES: Final = 18
"""Chosen: 24 characters, too many to guess."""


@attrs.frozen(kw_only=True)
class EmulatorOptions:
    """What the command line says about an emulator.

    Attributes:
        host: Address to listen on.
        port: Port to listen on; 0 for any that is free.
        public_url: What it is reached by, if not by the host that is asked.
        api_keys: The keys that it accepts; without any, it accepts all.
        profile: Which description of the platform it follows.
        switches: What is changed of that, by the names of ``Switches``.
        balance: Mails that the account may send.
        seed: What codes and readers' behaviour are drawn from.
        speed: Seconds of its time in one second of the machine.
        hold_clock: Whether its time stands still at first.
        webhook_hosts: Hosts that webhooks go to, beside loopback.
        control: From where its page and control API may be used.
        control_token: What others than this machine show there; None for one that is made.
        cors: Origins whose pages may use the control API.
        state: The file that keeps the state over a restart, or None.
        sample: Whether it begins with a day of a shop.
        sample_lists: Whether it begins with the lists of the documentation's examples, and a
            segment.
        quiet: Whether no line is written for each request.
        json_log: Whether such a line is an object of JSON.
    """

    host: str
    port: int
    public_url: str | None
    api_keys: tuple[str, ...]
    profile: Profile
    switches: Mapping[str, Any]
    balance: int
    seed: int
    speed: float
    hold_clock: bool
    webhook_hosts: Collection[str]
    control: ControlAccess
    control_token: str | None
    cors: tuple[str, ...]
    state: Path | None
    sample: bool
    sample_lists: bool
    quiet: bool
    json_log: bool


def run_emulator(options: EmulatorOptions) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Raises:
        OSError: the address cannot be had.
        StateError: the state cannot be read, or another emulator uses it.
    """
    # Python looks for circles among all that there is before it ends, which takes half a second.
    atexit.register(gc.freeze)
    clock = _clock_of(options)
    emulator = _build(options, clock)
    with contextlib.ExitStack() as stack:
        state = None if options.state is None else stack.enter_context(StateFile(options.state))
        prepare = partial(_prepare, options, emulator, clock, state)
        _serve(options, emulator, prepare, state)


async def _prepare(
    options: EmulatorOptions, emulator: Emulator, clock: EmulatorClock, state: StateFile | None
) -> None:
    """Fill the account: with what is in the file, or else with samples."""
    is_kept = state is not None and state.load_into(emulator)
    if is_kept:
        # Of an option that was not given, what is in the file counts.
        emulator.switch(**options.switches)
    else:
        if options.sample_lists:
            emulator.add_sample_lists()
            emulator.add_segment(SEGMENT)
        if options.sample:
            await build_sample(emulator, api_key=[*options.api_keys, "sample"][0])
    behind = (datetime.now(UTC) - clock.now()).total_seconds()
    clock.advance(max(0.0, behind))
    if options.sample and not is_kept:
        # A reset empties the account; this is the way back.
        emulator.snapshot("sample")
    if not options.hold_clock:
        clock.run()


def _serve(
    options: EmulatorOptions,
    emulator: Emulator,
    prepare: Callable[[], Awaitable[object]],
    state: StateFile | None,
) -> None:
    control, made_token = _control_of(options)
    log = AccessLog(sys.stderr, as_json=options.json_log)
    serving = partial(
        serve,
        emulator,
        host=options.host,
        port=options.port,
        public_url=options.public_url,
        ready=partial(_announce, options, emulator, made_token),
        control=control,
        state=state,
        on_request=None if options.quiet else log.write,
    )

    async def until_stopped() -> None:
        await prepare()
        await serving()

    with contextlib.suppress(KeyboardInterrupt):
        anyio.run(_until_sigterm, until_stopped)


def _clock_of(options: EmulatorOptions) -> EmulatorClock:
    """Return a clock that stands still until all is there; the sample takes it to the present."""
    past = timedelta(seconds=SAMPLE_S if options.sample else 0)
    return EmulatorClock(datetime.now(UTC) - past, speed=options.speed, is_held=True)


def _build(options: EmulatorOptions, clock: EmulatorClock) -> Emulator:
    return Emulator(
        api_keys=options.api_keys or None,
        profile=options.profile,
        switches=attrs.evolve(PROFILES[options.profile], **options.switches),
        clock=clock,
        seed=options.seed,
        balance=options.balance,
        webhook_hosts=options.webhook_hosts,
    )


def _control_of(options: EmulatorOptions) -> tuple[ControlOptions, str | None]:
    """Return who may use page and control API, and the token if one had to be made."""
    made = None
    if options.control == "network" and options.control_token is None:
        made = secrets.token_urlsafe(TOKEN_BYTES)
    token = options.control_token or made
    return ControlOptions(access=options.control, token=token, origins=options.cors), made


def _announce(
    options: EmulatorOptions, emulator: Emulator, made_token: str | None, base_url: str
) -> None:
    """Say where it is, and what it accepts; the keys are not shown, since one may be real."""
    keys = "accepts the API keys that were given" if options.api_keys else "accepts any API key"
    print(f"Emulating NewsLeopard ({emulator.profile}) at {base_url} ({keys}; Ctrl-C stops)")
    if options.control != "off":
        query = f"?token={made_token}" if made_token else ""
        print(f"Look at it in a browser: {base_url}/" + query)
    if options.control == "network" and options.public_url is None:
        print(
            "From another machine, open it by the name or address of this one, with ?token=TOKEN."
        )
    sys.stdout.flush()
    if not is_loopback(options.host):
        print(f"Anybody who reaches {shown(options.host)} can use this emulator.", file=sys.stderr)


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
                tasks.cancel_scope.cancel()
        except ExceptionGroup as group:
            [error] = group.exceptions  # of the server, such as a port that is taken
            raise error from None


async def _cancel_at_first(signals: AsyncIterator[object], scope: anyio.CancelScope) -> None:
    await anext(signals)
    scope.cancel()
