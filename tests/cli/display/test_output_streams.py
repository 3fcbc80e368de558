"""Outputs of a command that are closed, full, or without a reader."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from newsleopard_async.cli.command_line import newsleopard
from newsleopard_async.cli.display.output_streams import OutputFailed, prepare_streams

posix_only = pytest.mark.skipif(os.name == "nt", reason="a pipe of Windows fails otherwise")


@contextmanager
def broken_pipe() -> Iterator[io.TextIOWrapper]:
    """Open a pipe whose reader has ended."""
    reader, writer = os.pipe()
    os.close(reader)
    file = io.TextIOWrapper(io.BufferedWriter(io.FileIO(writer, "w")), encoding="utf-8")
    try:
        yield file
    finally:
        file.detach().detach().close()


@posix_only
def test_notice_that_cannot_be_written_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed terminal does not end a send half-way."""
    with broken_pipe() as file:
        monkeypatch.setattr(sys, "stderr", file)
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO()))
        prepare_streams()

        sys.stderr.write("✓ 1/7\n")
        sys.stderr.flush()


@posix_only
def test_result_that_cannot_be_written_fails_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The flush at the end of Python does not fail again, so the exit status is ours."""
    with broken_pipe() as file:
        monkeypatch.setattr(sys, "stdout", file)
        monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO()))
        prepare_streams()

        sys.stdout.write("{}")
        with pytest.raises(OutputFailed) as caught:
            sys.stdout.flush()
        sys.stdout.flush()

    assert caught.value.is_closed_pipe


def test_closed_streams_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cron without outputs sends all the same."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)

    prepare_streams()

    for stream in (sys.stdout, sys.stderr):
        with stream:
            stream.write("✓")


def raising(error: OSError) -> Callable[[object], None]:
    """Return a function that cannot write."""

    def write(_: object) -> None:
        raise OutputFailed(error)

    return write


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (OSError(28, "No space left on device"), 6, "What the command has done is done"),
        (OSError(32, "Broken pipe"), 141, ""),
    ],
    ids=["full", "no reader"],
)
def test_exit_status_of_a_lost_result(
    monkeypatch: pytest.MonkeyPatch, error: OSError, status: int, text: str
) -> None:
    """It is not "refused" and not "usage": the command has done its work."""
    writes = "newsleopard_async.cli.commands.timezones_command.write_json"
    monkeypatch.setattr(writes, raising(error))

    result = CliRunner().invoke(newsleopard, ["timezones", "--json"])

    assert result.exit_code == status
    assert text in result.stderr
    assert bool(result.stderr) == bool(text)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_process_with_full_outputs_ends_with_its_status() -> None:
    """Both outputs are full: Python itself reports neither."""
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(
            [sys.executable, "-m", "newsleopard_async.cli", "timezones", "--json"],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=full,
            timeout=60,
        )

    assert run.returncode == 6
