"""A stream is checked like a file, and Ctrl-C does not wait for its writer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner, Result

from newsleopard_async import InvalidRequest, check_contacts
from newsleopard_async.cli.command_line import newsleopard
from newsleopard_async.cli.contacts import streams

CSV = b"EMAIL,NAME\na@example.com,A\n"

no_descriptors = pytest.mark.skipif(sys.platform == "win32", reason="there is no /dev/fd")


def check(*arguments: str, given: bytes | None = None) -> Result:
    """Run the command."""
    return CliRunner().invoke(
        newsleopard, ["check", *arguments], input=given, env={"COLUMNS": "200"}
    )


@pytest.fixture
def pipe() -> Iterator[tuple[int, Any]]:
    """Yield both ends of a pipe, the end for writing as a file."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb", buffering=0) as file:
        yield reading, file
    os.close(reading)


def test_dash_is_the_standard_input() -> None:
    """The output contains a message about it."""
    result = check("-", given=CSV)

    assert result.exit_code == 0, result.output
    assert "standard input" in result.output
    assert "1 different" in result.output


@no_descriptors
def test_pipe_of_a_shell_is_read(pipe: tuple[int, Any]) -> None:
    """As bash gives one for <(…), under the name that it has."""
    reading, file = pipe
    file.write(CSV)
    file.close()

    result = check(f"/dev/fd/{reading}")

    assert result.exit_code == 0, result.output
    assert f"/dev/fd/{reading}" in result.output


@no_descriptors
@pytest.mark.parametrize("kind", ["pipe", "file", "device"])
def test_standard_input_may_be_anything(kind: str, tmp_path: Path) -> None:
    """A pipe, a file, or a device that gives nothing."""
    (tmp_path / "a.csv").write_bytes(CSV if kind == "file" else b"")
    given: dict[str, Any] = {"input": CSV} if kind == "pipe" else {}
    with (tmp_path / "a.csv").open("rb") as file:
        if kind != "pipe":
            given["stdin"] = file if kind == "file" else subprocess.DEVNULL
        run = subprocess.run(
            [sys.executable, "-m", "newsleopard_async.cli", "check", "-"],
            **given,
            check=False,
            capture_output=True,
            timeout=60,
        )

    assert (run.returncode, b"1 different" in run.stdout) == (
        (1, False) if kind == "device" else (0, True)
    )
    assert (b"empty-file" in run.stdout) == (kind == "device")


def test_closed_standard_input_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message reports it, and no other file is read instead."""
    monkeypatch.setattr(sys, "stdin", None)

    with (
        pytest.raises(InvalidRequest, match="standard input is closed"),
        streams.open_contacts(Path("-")),
    ):
        pass


def test_reading_a_terminal_is_announced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The output explains why the command waits."""

    class Terminal:
        buffer = property(lambda self: self)

        def isatty(self) -> bool:
            return True

        def fileno(self) -> int:
            return 99

    monkeypatch.setattr(sys, "stdin", Terminal())

    with streams.open_contacts(Path("-")):
        pass

    assert "Ctrl-D" in capsys.readouterr().err


@no_descriptors
@pytest.mark.parametrize("what", ["open", "read"])
def test_stream_that_cannot_be_read_is_refused(
    what: str, pipe: tuple[int, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is like for a file that cannot be read."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    reading, file = pipe
    file.close()
    target: Any = Path if what == "open" else os
    monkeypatch.setattr(target, what, fail)

    result = check(f"/dev/fd/{reading}")

    assert result.exit_code == 1
    assert "Input/output error" in result.output


@no_descriptors
@pytest.mark.anyio
async def test_cancellation_does_not_wait_for_a_silent_writer(pipe: tuple[int, Any]) -> None:
    """Ctrl-C ends a check immediately, even if nothing was written."""
    reading, _ = pipe

    with streams.open_contacts(Path(f"/dev/fd/{reading}")) as (contacts, _):
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(check_contacts, contacts)
                await anyio.wait_all_tasks_blocked()
                scope.cancel()

    assert scope.cancelled_caught


@no_descriptors
def test_rows_that_are_left_out_of_a_stream_need_a_file(pipe: tuple[int, Any]) -> None:
    """The message names the option of the command line."""
    reading, file = pipe
    file.close()

    result = check(f"/dev/fd/{reading}", "--fix", "leave-out-bad-rows")

    assert result.exit_code == 1
    assert "--left-out-to" in result.output
    assert "left_out_to" not in result.output
