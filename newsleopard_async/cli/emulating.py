"""What ``newsleopard emulator`` understands."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console

from newsleopard_async.cli.serving import EmulatorOptions, run_emulator
from newsleopard_async.cli.switching import read_switches
from newsleopard_async.cli.terminal import said

__all__ = ["emulator"]


def _keys(_: click.Context, __: click.Parameter, keys: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a key that no client can send, as the empty one of an unset variable."""
    if not all(key.strip() for key in keys):
        raise click.BadParameter("a key is empty")
    return keys


def _switches(
    _: click.Context, __: click.Parameter, pairs: tuple[str, ...]
) -> Mapping[str, object]:
    try:
        return read_switches(pairs)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8025, show_default=True, help="0 for any."
)
@click.option(
    "--api-key",
    "api_keys",
    multiple=True,
    required=True,
    callback=_keys,
    help="A key to accept; repeatable.",
)
@click.option(
    "--profile",
    type=click.Choice(["documented", "vendor-2026"]),
    default="documented",
    show_default=True,
    help="Which description of the platform to follow.",
)
@click.option(
    "--switch",
    "switches",
    multiple=True,
    callback=_switches,
    metavar="NAME=VALUE",
    help="Set a switch of the emulator, such as first_page=1; repeatable.",
)
@click.option("--sample-lists", is_flag=True, help="Begin with lists of odd names and a segment.")
@click.option("--quiet", is_flag=True, help="Write no line for each request.")
@click.option("--json-log", is_flag=True, help="Write that line as an object of JSON.")
def emulator(**options: Any) -> None:
    """Serve an emulated NewsLeopard until Ctrl-C."""
    chosen = EmulatorOptions(**options)
    try:
        run_emulator(chosen)
    except OSError as error:
        text = f"Cannot listen on {chosen.host}:{chosen.port}: {error.strerror}"
        Console(stderr=True).print(said(text, "red"), soft_wrap=True)
        sys.exit(1)
