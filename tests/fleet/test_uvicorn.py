"""Four workers of an application keep the rate limit together, and go on after a restart."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import anyio
import httpx
import pytest

from newsleopard_async import NewsLeopard, workflows
from newsleopard_async.emulator import Emulator, Switches
from newsleopard_async.emulator.server import running
from newsleopard_async.stores import FileStore
from tests.constants import KEY, LIST_NAME, ROOT
from tests.faults.world import FEW, csv_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="signals, and where runs are kept"),
]

_WORKERS: Final = 4
_SENDS: Final = 80
_LONGEST_S: Final = 60.0


def wait_until(is_so: Callable[[], object]) -> None:
    """Poll a condition of other processes, because no event reports it."""
    give_up_at = time.monotonic() + _LONGEST_S
    while not is_so():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


@contextlib.contextmanager
def application(platform: str, list_sn: str, folder: Path, quota: str) -> Iterator[str]:
    """Run it with its workers; SIGTERM ends it."""
    said = folder / f"said-{time.monotonic_ns()}"
    environment = {
        **os.environ,
        "NEWSLEOPARD_API_KEY": KEY,
        "NEWSLEOPARD_BASE_URL": platform,
        "NEWSLEOPARD_QUOTA": quota,
        "LIST_SN": list_sn,
        "XDG_STATE_HOME": str(folder / "state"),
        "PYTHONPATH": str(ROOT),
    }
    command = ["-m", "uvicorn", "tests.fleet.app:app", "--workers", str(_WORKERS), "--port", "0"]
    with said.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until(lambda: said.read_text().count("startup complete") == _WORKERS)
        [line] = [line for line in said.read_text().splitlines() if "running on" in line]
        yield line.partition("running on ")[2].split()[0]
        process.send_signal(signal.SIGTERM)
        process.wait(_LONGEST_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert "Traceback" not in said.read_text(), said.read_text()


def post(url: str, names: list[str]) -> None:
    """Request campaigns on separate connections, so that all workers get some."""
    headers = {"Connection": "close"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
        for name in names:
            assert client.post(f"/{name}").status_code == 202


@pytest.mark.timeout(150)
@pytest.mark.parametrize("quota", ["auto", pytest.param("process", marks=pytest.mark.soak)])
def test_workers_send_all_once_over_a_restart(quota: str, tmp_path: Path) -> None:
    """The platform refuses none of their requests; without a shared quota it would."""
    quick = Switches(send_base_s=0, import_base_s=0)
    emulator = Emulator(api_keys=(KEY,), switches=quick)
    list_sn = anyio.run(_import, emulator)
    asked = len(emulator.requests)
    names = [f"campaign-{number}" for number in range(_SENDS)]
    store = FileStore(tmp_path / "state" / "newsleopard-async" / "runs")

    with running(emulator) as platform:
        with application(platform, list_sn, tmp_path, quota) as url:
            post(url, names)
            wait_until(lambda: emulator.submitted >= _SENDS // 3)
        before = emulator.submitted
        with application(platform, list_sn, tmp_path, quota):
            wait_until(lambda: emulator.submitted >= _SENDS)
            wait_until(lambda: {each.state for each in anyio.run(_runs, store)} == {"done"})

    sent = [each.body.name.partition(" ")[0] for each in emulator.campaigns]
    assert sorted(sent) == sorted(names)
    assert before < _SENDS, "it was not struck in the middle"
    requests = emulator.requests[asked:]
    refused = sum(each.status == 429 for each in requests)
    most = _most_in_a_second([each.at_s for each in requests])
    figures = f"{len(requests)} requests, {refused} refused, at most {most} in a second"
    print(f"quota={quota}: {figures}")  # noqa: T201 - what a soak is for
    if quota == "auto":
        assert refused == 0


async def _import(emulator: Emulator) -> str:
    async with NewsLeopard(KEY, http_transport=emulator.transport()) as nl:
        report = await workflows.import_contacts(nl, csv_of(FEW), list_name=LIST_NAME)
    return report.list_sn


async def _runs(store: FileStore) -> tuple[workflows.RunState, ...]:
    return await workflows.runs(store)


def _most_in_a_second(times: list[float]) -> int:
    return max(sum(begin <= each < begin + 1 for each in times) for begin in times)
