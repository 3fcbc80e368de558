"""``newsleopard emulator``: serves an emulator on a port, until a signal ends it."""

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

from newsleopard_async.cli.emulating.accesslog import AccessLog
from newsleopard_async.cli.translation import translated as _
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
"""The name of the segment among the sample lists. Chosen: "all contacts"."""
TOKEN_BYTES: Final = 18
"""Chosen: 144 random bits in 24 characters, which cannot be guessed."""


@attrs.frozen(kw_only=True)
class EmulatorOptions:
    """The options of ``newsleopard emulator``, which its ``--help`` describes."""

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
        OSError: the emulator cannot listen on the address.
        StateError: the state cannot be read, or another emulator uses it.
    """
    # Without this, a last garbage collection takes half a second at the end of the process.
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
    """Fill the account from the file of the state, or else with samples."""
    is_kept = state is not None and state.load_into(emulator)
    if is_kept:
        # The file decides about options that the command line does not name.
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
        # A reset empties the account; a restore of this snapshot brings the sample back.
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
    """Return a stopped clock; with a sample it begins earlier, and the sample ends at present."""
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
    """Return the access to the page and the control API, and the token if it was generated."""
    made = None
    if options.control == "network" and options.control_token is None:
        made = secrets.token_urlsafe(TOKEN_BYTES)
    token = options.control_token or made
    return ControlOptions(access=options.control, token=token, origins=options.cors), made


def _announce(
    options: EmulatorOptions, emulator: Emulator, made_token: str | None, base_url: str
) -> None:
    """Print the URLs and the access; the keys are not printed, because one might be real."""
    keys = _("accepts only the given API keys") if options.api_keys else _("accepts any API key")
    text = _("Emulating NewsLeopard ({profile}) at {url} ({keys}; Ctrl-C stops)")
    print(text.format(profile=emulator.profile, url=base_url, keys=keys))
    if options.control != "off":
        query = f"?token={made_token}" if made_token else ""
        print(_("Open it in a browser: {url}").format(url=f"{base_url}/{query}"))
    if options.control == "network" and options.public_url is None:
        text = _("From another machine, use this machine's name or address instead, and {query}.")
        print(text.format(query="?token=TOKEN"))
    sys.stdout.flush()
    if not is_loopback(options.host):
        text = _(
            "Any machine that reaches {host} can use this emulator; use --host 127.0.0.1 for this "
            "machine only."
        )
        print(text.format(host=shown(options.host)), file=sys.stderr)


async def _until_sigterm(serve: Callable[[], Awaitable[object]]) -> None:
    """Serve until SIGTERM, except on Windows, where a process cannot handle it.

    A container runtime sends SIGTERM, and kills a process that does not end soon.
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
            [error] = group.exceptions  # the server's error, for example a port in use
            raise error from None


async def _cancel_at_first(signals: AsyncIterator[object], scope: anyio.CancelScope) -> None:
    await anext(signals)
    scope.cancel()
