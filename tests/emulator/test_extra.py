"""Without its extra, the emulator says in one sentence how to get it."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

WAY_OUT = (
    "the emulator and rehearsals need starlette; install it with "
    'pip install "newsleopard-async[emulator]"'
)
SHOW = """
import sys
sys.modules[{library!r}] = None
try:
    import {room}
except ModuleNotFoundError as missing:
    print(type(missing).__name__, missing.name.partition(".")[0], missing, sep="|")
"""


def _told(room: str, *, without: str) -> list[str]:
    """Import in a fresh interpreter that lacks a library; return the error in three parts."""
    run = subprocess.run(
        [sys.executable, "-c", SHOW.format(room=room, library=without)],
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=60,
    )
    return run.stdout.strip().split("|")


@pytest.mark.parametrize("room", ["newsleopard_async.emulator", "newsleopard_async.rehearsal"])
def test_missing_extra_is_told_with_the_way_out(room: str) -> None:
    """It is still a ``ModuleNotFoundError`` with the name of the missing module."""
    assert _told(room, without="starlette") == [
        "ModuleNotFoundError",
        "starlette",
        WAY_OUT,
    ]


def test_page_without_its_templates_is_told_with_the_way_out() -> None:
    """Only a server with the page needs them."""
    kind, name, message = _told("newsleopard_async.emulator.sandbox.page.pages", without="jinja2")

    assert (kind, name) == ("ModuleNotFoundError", "jinja2")
    assert 'pip install "newsleopard-async[emulator]"' in message


@pytest.mark.parametrize("room", ["newsleopard_async.emulator.server", "newsleopard_async.cli"])
def test_templates_are_loaded_by_the_page_only(room: str) -> None:
    """They take longer to load than the rest of the emulator."""
    code = f"import sys, {room}; print('jinja2' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, timeout=60
    )

    assert run.stdout.strip() == "False"


def test_other_missing_module_is_told_as_it_is() -> None:
    """If another module is missing, the message does not name the extra."""
    kind, name, message = _told("newsleopard_async.emulator", without="h11")

    assert (kind, name) == ("ModuleNotFoundError", "h11")
    assert "pip install" not in message
