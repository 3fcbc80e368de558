"""The command that uvx finds by the name of the package."""

from __future__ import annotations

import os
import sys
from importlib import metadata
from typing import Any

import pytest

from newsleopard_async.cli import uvx


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record which command line runs: of this process, or the one that replaces it."""
    ran: list[str] = []

    def replace(path: str, command: tuple[str, ...]) -> None:
        assert path == command[0]
        ran.append(" ".join(command))
        raise SystemExit

    monkeypatch.setattr(uvx, "main", lambda: ran.append("main"))
    monkeypatch.setattr(os, "execv", replace)
    monkeypatch.setattr(sys, "argv", ["newsleopard-async", "demo", "--json"])
    return ran


def install(monkeypatch: pytest.MonkeyPatch, *, click: bool, origin: str | None = None) -> None:
    """Pretend that version 1.2 was installed, with or without click, from an index or a file."""

    class Installed:
        version = "1.2"

        def read_text(self, name: str) -> str | None:
            return origin if name == "direct_url.json" else None

    def find(name: str) -> Any:
        return object() if click else None

    monkeypatch.setattr(uvx, "find_spec", find)
    monkeypatch.setattr(metadata, "distribution", lambda name: Installed())


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot replace a process")
def test_uv_is_asked_for_the_extra(
    command_line: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra, uv runs the same version again with it, and with all arguments."""
    install(monkeypatch, click=False)
    monkeypatch.setenv("UV", "/bin/uv")

    with pytest.raises(SystemExit):
        uvx.run()

    assert command_line == [
        "/bin/uv tool run --from newsleopard-async[cli]==1.2 newsleopard demo --json"
    ]


@pytest.mark.parametrize(("click", "uv"), [(True, "/bin/uv"), (False, "")])
def test_command_line_runs_here(
    click: bool, uv: str, command_line: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the extra is installed, or uv did not start this, the command line runs here."""
    install(monkeypatch, click=click)
    monkeypatch.setenv("UV", uv)

    uvx.run()

    assert command_line == ["main"]


def test_extra_comes_from_where_the_package_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package from a file is run again from this file, not from an index."""
    install(monkeypatch, click=False, origin='{"url": "file:///dist/n.whl", "archive_info": {}}')

    assert uvx.requirement() == "newsleopard-async[cli] @ file:///dist/n.whl"
