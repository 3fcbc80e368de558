"""``newsleopard emulator``: the emulator as a server of its own."""

from __future__ import annotations

import contextlib
import ipaddress
import sys
from functools import partial

import anyio

from newsleopard_async.emulator import Emulator, Profile
from newsleopard_async.emulator import server as emulator_server

__all__ = ["serve"]


def serve(*, host: str, port: int, api_keys: tuple[str, ...], profile: Profile) -> None:
    """Serve until interrupted.

    Raises:
        OSError: the address cannot be had.
    """
    emulator = Emulator(api_keys=api_keys, profile=profile)
    if not is_loopback(host):
        print(f"Anybody who reaches {host} can use this emulator.", file=sys.stderr)

    def announce(base_url: str) -> None:
        print(f"Emulating NewsLeopard ({profile}) at {base_url} (Ctrl-C stops)", flush=True)

    until_stopped = partial(emulator_server.serve, emulator, host=host, port=port, ready=announce)
    with contextlib.suppress(KeyboardInterrupt):
        anyio.run(until_stopped)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
