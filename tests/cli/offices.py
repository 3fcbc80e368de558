"""Runs commands in process against an emulated account, whose time no test waits for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import anyio
import attrs
import pytest
from click.testing import CliRunner, Result

from newsleopard_async import NewsLeopard
from newsleopard_async.cli.command_line import newsleopard
from newsleopard_async.cli.session import Session
from newsleopard_async.emulator import Emulator
from newsleopard_async.stores import FileStore, Store
from newsleopard_async.testing import ManualClock
from tests.constants import KEY

__all__ = ["Office", "an_office"]

T = TypeVar("T")


@attrs.frozen
class Office:
    """An emulated account, and the commands that use it."""

    emulator: Emulator
    clock: ManualClock
    store: FileStore

    def invoke(self, *arguments: str, width: int = 120, **options: Any) -> Result:
        """Run a command as with a profile of this account; see `CliRunner.invoke`."""
        env: Mapping[str, str] = {"COLUMNS": str(width), "TZ": "Asia/Taipei"}
        return CliRunner().invoke(newsleopard, [*arguments], env=env, **options)

    def json(self, *arguments: str) -> Any:
        """Run a command that must succeed, and return its JSON."""
        result = self.invoke(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def client(self, store: Store | None = None) -> NewsLeopard:
        """Return a client of the account."""
        return NewsLeopard(
            KEY,
            http_transport=self.emulator.transport(),
            clock=self.clock,
            store=store or self.store,
        )

    def do(self, work: Callable[[NewsLeopard], Any]) -> Any:
        """Run an async function with a client of the account."""

        async def run() -> Any:
            async with self.client() as nl:
                return await work(nl)

        return anyio.run(run)


def an_office(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    clock: ManualClock | None = None,
    emulator: Emulator | None = None,
    **options: Any,
) -> Office:
    """Return a new account, which all commands of this process use until the test ends.

    Args:
        folder: The folder of the files that a user has.
        monkeypatch: Restores the client of the commands.
        clock: The clock.
        emulator: An account that exists already, with this clock.
        options: The emulator's.
    """
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    clock = clock or ManualClock()
    emulator = emulator or Emulator(api_keys=(KEY,), clock=clock, **options)
    office = Office(emulator, clock, FileStore())
    monkeypatch.setattr(Session, "client", lambda _, store=None: office.client(store))
    return office
