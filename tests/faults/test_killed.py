"""A process that is killed, for real, at any boundary of a step, is gone on from by another."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.server import running
from newsleopard_async.emulator.switches import Switches
from tests.constants import KEY, LIST_NAME, ROOT
from tests.faults.world import FEW, addresses

pytestmark = pytest.mark.slow

STEPS = ("find_lists", "create_list", "import_text", "get_import", "submit")
BOUNDARIES = [f"{step} {state}" for step in STEPS for state in ("started", "finished")]
IN_FLIGHT: dict[str, tuple[str, str, Callable[[Emulator], object]]] = {
    "submit in flight": ("submit_campaign", "submit", lambda emulator: emulator.campaigns),
    "upload in flight": ("upload_once", "upload_once", lambda emulator: emulator.outbox),
}
"""The operation, its step, and what shows that the whole request has arrived: one that is counted
may still be without its body, and is then lost with the process."""
ONCE = ["submit_once finished", "upload_once started", "upload in flight", "upload_once finished"]


class Victim:
    """A process that can be killed; it has loaded all it needs, and waits."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.victim"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, text: str = "") -> None:
        """Let it continue."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        """Wait until it says something; empty once it has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def send(self, url: str, checkpoint: Path, *, once: bool = False) -> None:
        """Let it begin."""
        self.tell(json.dumps({"url": url, "checkpoint": str(checkpoint), "once": once}))

    def go_to(self, boundary: str) -> None:
        """Let it continue until it reports this boundary."""
        while (heard := self.hear()) != boundary:
            assert heard, "it ended too early"
            self.tell()

    def finish(self) -> str:
        """Let it continue to the end; return the campaign's code."""
        while not (heard := self.hear()).startswith("done "):
            assert heard, "it failed"
            self.tell()
        return heard.removeprefix("done ")

    def end(self) -> None:
        """Kill it, which nothing in it can notice."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


@contextmanager
def victims(count: int) -> Iterator[list[Victim]]:
    """Start processes that load at the same time, and leave none behind."""
    with ExitStack() as stack:
        started = []
        for _ in range(count):
            started.append(Victim())
            stack.callback(started[-1].end)
        yield started


def kill_at(victim: Victim, boundary: str, emulator: Emulator) -> None:
    """Let it continue to a boundary, and kill it there."""
    if boundary not in IN_FLIGHT:
        victim.go_to(boundary)
    else:
        operation, step, has_arrived = IN_FLIGHT[boundary]
        emulator.delay(operation, seconds=30)
        victim.go_to(f"{step} started")
        victim.tell()
        give_up_at = time.monotonic() + 10
        while not has_arrived(emulator):
            assert time.monotonic() < give_up_at, boundary
            time.sleep(0.005)  # the other process is on a clock of its own
    victim.process.kill()
    victim.process.wait()


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    "number", [0, *(pytest.param(each, marks=pytest.mark.soak) for each in range(1, 20))]
)
def test_killed_anywhere_is_gone_on_from_by_another_process(number: int, tmp_path: Path) -> None:
    """At most one campaign, and every contact, whenever SIGKILL strikes."""
    moments = [*BOUNDARIES, "submit in flight"]
    quick = Switches(import_base_s=0.05, send_base_s=0, requests_per_s=None)
    with victims(len(moments) + 1) as [other, *killed]:
        for moment, boundary in enumerate(moments):
            emulator = Emulator(api_keys=(KEY,), switches=quick)
            checkpoint = tmp_path / f"{moment}.json"
            with running(emulator) as url:
                killed[moment].send(url, checkpoint)
                kill_at(killed[moment], boundary, emulator)
                other.send(url, checkpoint)
                code = other.finish()

            [campaign] = emulator.campaigns
            assert campaign.sn == code, boundary
            [made] = [each for each in emulator.lists if each.name == LIST_NAME]
            assert sorted(made.members) == sorted(addresses(FEW)), boundary
            assert emulator.count("create_list") == 1, boundary
            assert emulator.count("submit_campaign") == 1, boundary


@pytest.mark.timeout(90)
def test_killed_while_it_sends_once_is_gone_on_from_by_another_process(tmp_path: Path) -> None:
    """One mailing, whenever SIGKILL strikes; a campaign without its upload is deleted."""
    quick = Switches(import_base_s=0.05, send_base_s=0, requests_per_s=None, later_endpoints=True)
    with victims(len(ONCE) + 1) as [other, *killed]:
        for moment, boundary in enumerate(ONCE):
            emulator = Emulator(api_keys=(KEY,), switches=quick)
            checkpoint = tmp_path / f"{moment}.json"
            with running(emulator) as url:
                killed[moment].send(url, checkpoint, once=True)
                kill_at(killed[moment], boundary, emulator)
                other.send(url, checkpoint, once=True)
                code = other.finish()

            *orphans, campaign = emulator.campaigns
            assert campaign.sn == code, boundary
            assert all(each.deleted for each in orphans), boundary
            assert emulator.count("upload_once") == 1, boundary
            assert sorted(mail.to for mail in emulator.outbox) == addresses(FEW), boundary
