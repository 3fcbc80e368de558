"""Real processes that share a file; one is killed, and one is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.server import running
from tests.constants import KEY

pytestmark = pytest.mark.slow

REQUESTS: Final = 15
PROCESS: Final = f"""
import anyio, sys
from newsleopard_async import NewsLeopard

async def main():
    async with NewsLeopard({KEY!r}, base_url=sys.argv[1], quota="host") as nl:
        async with anyio.create_task_group() as tasks:
            for _ in range({REQUESTS}):
                tasks.start_soon(nl.contacts.list_lists)

anyio.run(main)
"""


def test_killed_and_stopped_processes_delay_the_others_briefly(tmp_path: Path) -> None:
    """No eleventh request arrives within a second, none is refused, and the others all end."""
    emulator = Emulator(api_keys=(KEY,))
    with running(emulator) as url:
        environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
        killed, stopped, *others = (
            subprocess.Popen([sys.executable, "-c", PROCESS, url], env=environment)
            for _ in range(4)
        )
        while len(emulator.requests) < 12:
            time.sleep(0.02)
        killed.kill()
        stopped.send_signal(signal.SIGSTOP)
        time.sleep(3)
        stopped.send_signal(signal.SIGCONT)
        ends = [process.wait(60) for process in (killed, stopped, *others)]

    times = sorted(each.at_s for each in emulator.requests)
    assert ends == [-signal.SIGKILL, 0, 0, 0]
    assert len(times) >= 3 * REQUESTS
    assert {each.status for each in emulator.requests} == {200}
    assert all(later - at >= 1 for at, later in zip(times, times[10:], strict=False))
