"""``newsleopard emulator``: an emulator on a port, with switches that are given as text."""

from __future__ import annotations

import contextlib
import difflib
import math
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from functools import partial
from types import UnionType
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import anyio
import attrs

from newsleopard_async.disclosure import shown
from newsleopard_async.emulator import Emulator, Profile, Switches
from newsleopard_async.emulator import server as emulator_server
from newsleopard_async.transport.urls import is_loopback

__all__ = ["EmulatorOptions", "read_switches", "run_emulator"]


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
    """

    host: str
    port: int
    api_keys: tuple[str, ...]
    profile: Profile
    switches: Mapping[str, Any]
    sample_lists: bool


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

    until_stopped = partial(
        emulator_server.serve, emulator, host=options.host, port=options.port, ready=announce
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


def read_switches(pairs: Iterable[str]) -> dict[str, Any]:
    """Read each ``name=value`` as a switch and a value of its type.

    Raises:
        ValueError: it says which switch is wrong, and what to write.
    """
    switches: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = (part.strip() for part in pair.partition("="))
        if not equals:
            raise ValueError(f"{name!r} has no value; write it as first_page=1")
        if name not in _KINDS:
            raise ValueError(f"there is no switch {name!r}{_similar(name)}")
        if name in switches:
            raise ValueError(f"{name} is given twice")
        switches[name] = _read(name, text)
    Switches(**switches)  # which refuses what a switch cannot be
    return switches


_KINDS: Final = get_type_hints(Switches)


def _similar(name: str) -> str:
    close = difflib.get_close_matches(name, _KINDS, n=1)
    return f"; do you mean {close[0]}?" if close else "; the documentation of the emulator has all"


def _read(name: str, text: str) -> object:
    kind, may_be_none = _KINDS[name], False
    if get_origin(kind) is UnionType:
        (kind, _), may_be_none = get_args(kind), True
    if get_origin(kind) is Literal:
        if text in get_args(kind):
            return text
        raise ValueError(f"{name} is one of {', '.join(get_args(kind))}, not {text!r}")
    if may_be_none and text.lower() == "none":
        return None
    read, wanted = _READERS[get_origin(kind) or kind]
    try:
        return read(text)
    except (KeyError, ValueError) as error:
        also = ", or none" if may_be_none else ""
        raise ValueError(f"{name} is {wanted}{also}, not {text!r}") from error


def _read_flag(text: str) -> bool:
    words = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    return words[text.lower()]


def _read_whole_number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError(text)
    return int(text)


def _read_number(text: str) -> float:
    number = float(text)
    if not 0 <= number < math.inf:
        raise ValueError(text)
    return number


def _read_names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


_READERS: Final[Mapping[type, tuple[Callable[[str], object], str]]] = {
    bool: (_read_flag, "yes or no"),
    int: (_read_whole_number, "a whole number from 0"),
    float: (_read_number, "a number from 0"),
    str: (str, "text"),
    tuple: (_read_names, "names with commas between them"),
}
"""How a value of each type is read, and what it is called; tuples are of text."""
