"""The options of ``newsleopard emulator``."""

from __future__ import annotations

import errno
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import click

from newsleopard_async.cli.emulating.config_file import ConfigFile, config_option
from newsleopard_async.cli.emulating.emulator_server import EmulatorOptions, run_emulator
from newsleopard_async.cli.emulating.switch_values import read_switches
from newsleopard_async.cli.library_messages import in_users_language
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.emulator.platform.clock import MOST_SPEED
from newsleopard_async.emulator.platform.webhooks import check_hosts
from newsleopard_async.emulator.sandbox.access import (
    LEAST_TOKEN_CHARS,
    ControlAccess,
    ControlOptions,
)
from newsleopard_async.emulator.server import check_public_url
from newsleopard_async.emulator.state import StateError
from newsleopard_async.errors import ConfigurationError

__all__ = ["emulator"]


def _checked(
    check: Callable[[Any], object],
) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Return a callback that reports the emulator's ValueError as an error of the option."""

    def checked(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        del context, parameter
        try:
            return None if value is None else check(value)
        except ValueError as error:
            raise click.BadParameter(in_users_language(str(error))) from error

    return checked


def _check_keys(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a key that no client can send, for example the empty key of an unset variable."""
    if not all(key.strip() for key in keys):
        raise ValueError(_("a key is empty; check that its variable is set, or remove the option"))
    if not all(key.isascii() and key.isprintable() for key in keys):
        # The key is not shown, because it might be real.
        raise ValueError(
            _("a key has characters outside of ASCII, which a header cannot contain; copy it again")
        )
    return keys


def _check_senders(senders: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse text that equals no sender: every campaign would be refused without visible reason."""
    for sender in senders:
        if sender.count("@") != 1 or sender.endswith("@") or sender != sender.strip():
            message = _(
                "{sender!r} is not an address or a domain; write service@example.com, or "
                "@example.com for all addresses of a domain"
            )
            raise ValueError(message.format(sender=sender))
    return senders


def _check_host(host: str) -> str:
    """Refuse a URL or an address in brackets, which the system would report as an unknown name."""
    if not re.fullmatch(r"[^\s/\[\]]+", host):
        message = _(
            "{host!r} is not an address or a name; write 127.0.0.1 or ::1, and the port by --port"
        )
        raise ValueError(message.format(host=host))
    return host


def _check_speed(speed: float) -> float:
    """Refuse NaN, which click accepts in every range."""
    if math.isnan(speed):
        raise ValueError(
            _("must be above 0 and at most {most:,.0f}, not nan").format(most=MOST_SPEED)
        )
    return speed


def _check_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    for origin in origins:
        if origin.count("/") != 2 or check_public_url(origin) != origin:
            message = _("{origin!r} is not an origin; write it as {example}")
            raise ValueError(message.format(origin=origin, example="http://localhost:3000"))
    return origins


def _check_token(token: str) -> str:
    try:
        ControlOptions(token=token)
    except ValueError:
        message = _("token: must have at least {count} ASCII characters and no spaces")
        raise ValueError(message.format(count=LEAST_TOKEN_CHARS)) from None
    return token


def _read_all_switches(
    context: click.Context,
    parameter: click.Parameter,  # noqa: ARG001 - click's signature
    pairs: tuple[str, ...],
) -> Mapping[str, object]:
    """Read the switches of the command line, which override those of the file."""
    file = context.params.get("config")
    try:
        kept = {} if file is None else read_switches(map("=".join, file.switches.items()))
        return read_switches(pairs, before=kept)
    except ValueError as error:
        raise click.BadParameter(in_users_language(str(error))) from error


@click.command()
@config_option
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    callback=_checked(_check_host),
    help="The address or name to listen on.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8025,
    show_default=True,
    help="The port to listen on; 0 for any free port.",
)
@click.option(
    "--public-url",
    callback=_checked(check_public_url),
    metavar="URL",
    help="The URL for clients, such as a proxy's; by default the host of each request.",
)
@click.option(
    "--api-key",
    "api_keys",
    multiple=True,
    callback=_checked(_check_keys),
    metavar="KEY",
    help="A key to accept; repeatable. Without any, all keys are accepted.",
)
@click.option(
    "--profile",
    type=click.Choice(["documented", "vendor-2026"]),
    default="documented",
    show_default=True,
    help="The description of the platform to follow.",
)
@click.option(
    "--set",
    "--switch",
    "switches",
    multiple=True,
    callback=_read_all_switches,
    metavar="NAME=VALUE",
    help="Set a switch of the emulator, such as first_page=1; repeatable.",
)
@click.option(
    "--verified-sender",
    "verified_senders",
    multiple=True,
    callback=_checked(_check_senders),
    metavar="ADDRESS",
    help="An address, or a domain with its @, that can send; repeatable. By default all can.",
)
@click.option(
    "--balance",
    type=click.IntRange(min=0),
    default=1_000_000,
    show_default=True,
    help="The number of mails that can be sent.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="The seed for codes and for the readers."
)
@click.option(
    "--speed",
    type=click.FloatRange(0, MOST_SPEED, min_open=True),
    callback=_checked(_check_speed),
    default=1.0,
    show_default=True,
    help="The seconds of its time that pass in one second.",
)
@click.option("--hold-clock", is_flag=True, help="Begin with its time stopped.")
@click.option(
    "--webhook-host",
    "webhook_hosts",
    multiple=True,
    callback=_checked(check_hosts),
    metavar="HOST",
    help="A host that can receive webhooks, in addition to this machine; repeatable.",
)
@click.option(
    "--control",
    type=click.Choice(get_args(ControlAccess)),
    default="loopback",
    show_default=True,
    help="From where its page and control API can be used.",
)
@click.option(
    "--control-token",
    envvar="NEWSLEOPARD_EMULATOR_TOKEN",
    show_envvar=True,
    callback=_checked(_check_token),
    metavar="TOKEN",
    help="The token that other machines need for them; by default one is generated and printed.",
)
@click.option(
    "--cors",
    multiple=True,
    callback=_checked(_check_origins),
    metavar="ORIGIN",
    help="An origin whose pages can use the control API; repeatable.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Store the state in a file, and begin with the state in it.",
)
@click.option("--sample", is_flag=True, help="Begin with the events of one day of a shop.")
@click.option(
    "--sample-lists", is_flag=True, help="Begin with lists of unusual names and a segment."
)
@click.option("--quiet", is_flag=True, help="Do not log requests.")
@click.option("--json-log", is_flag=True, help="Log each request as a JSON object.")
def emulator(
    *,
    config: ConfigFile | None,
    switches: Mapping[str, object],
    verified_senders: tuple[str, ...],
    **options: Any,
) -> None:
    """Serve an emulated NewsLeopard until Ctrl-C or SIGTERM."""
    del config  # its values are in the other options
    if verified_senders and "verified_senders" in switches:
        raise click.UsageError(_("use --verified-sender or --set verified_senders=…, not both"))
    if verified_senders:
        switches = {**switches, "verified_senders": verified_senders}
    chosen = EmulatorOptions(switches=switches, **options)
    try:
        run_emulator(chosen)
    except StateError as error:
        raise ConfigurationError(str(error)) from None
    except OSError as error:
        raise ConfigurationError(_why_not_listening(chosen, error)) from None


def _why_not_listening(options: EmulatorOptions, error: OSError) -> str:
    """Return the system's reason, and the way out."""
    reason = _(str(error.strerror).partition(" (while")[0])  # asyncio repeats the address there
    ways = {
        errno.EADDRINUSE: _("choose another --port, or 0 for any free port"),
        errno.EACCES: _("choose a --port from 1024, which needs no special right"),
    }
    way = ways.get(error.errno or 0, _("--host must be an address or a name of this machine"))
    message = _("Cannot listen on {address}: {reason}; {way}")
    address = f"{options.host}:{options.port}"
    return message.format(address=address, reason=reason, way=way)
