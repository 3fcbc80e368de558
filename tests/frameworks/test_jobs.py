"""The jobs of the example applications, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from newsleopard_async import NewsLeopard
from newsleopard_async.emulator import Emulator, Switches
from newsleopard_async.stores import FileStore
from tests.constants import CAMPAIGN, KEY, LIST_NAME, ROOT
from tests.faults.world import FEW, csv_of

if not (ROOT / "docs").exists():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)

import campaign_jobs
from campaign_jobs import Jobs

pytestmark = pytest.mark.asyncio


@pytest.fixture
def emulator() -> Emulator:
    """Build a platform whose imports end, and whose campaigns are sent and listed, at once."""
    quick = Switches(import_base_s=0, import_rows_per_s=1e9, send_base_s=0, requests_per_s=None)
    return Emulator(api_keys=(KEY,), switches=quick)


class HeldSubmit(httpx.AsyncBaseTransport):
    """Keeps the answer to a submit until it is let go; the platform has the campaign by then."""

    def __init__(self, emulator: Emulator) -> None:
        self._inner = emulator.transport()
        self.let_go = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        response = await self._inner.handle_async_request(request)
        if request.url.path.endswith("/submit"):
            await self.let_go.wait()
        return response


@pytest.fixture(autouse=True)
def _looks_follow_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test wait a minute for the next look."""
    monkeypatch.setattr(campaign_jobs, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(campaign_jobs, "SHOW_EVERY_S", 0.01)


@asynccontextmanager
async def process(
    emulator: Emulator, folder: Path, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[Jobs]:
    """Live as a worker of an application does."""
    carries = transport or emulator.transport()
    async with NewsLeopard(KEY, http_transport=carries, store=FileStore(folder / "runs")) as nl:
        jobs = Jobs(nl, folder)
        jobs.start()
        try:
            yield jobs
        finally:
            await jobs.stopped()


async def posted(jobs: Jobs) -> str:
    """Have a campaign sent."""
    return await jobs.add(CAMPAIGN, contacts=csv_of(FEW), list_name=LIST_NAME)


async def until(is_so: Callable[[], object]) -> None:
    """Let the jobs go on until something is so."""
    while not is_so():  # noqa: ASYNC110  # neither the disk nor the platform has an event for it
        await asyncio.sleep(0)


async def becoming(jobs: Jobs, job_id: str, state: str) -> dict[str, Any]:
    """Wait until a job is in a state, as a worker sees it."""
    status = await jobs.status(job_id)
    while status is None or status["state"] != state:
        await asyncio.sleep(0)
        status = await jobs.status(job_id)
    return status


async def forgotten(folder: Path) -> None:
    """Wait until no contacts are left."""
    await until(lambda: not [*folder.glob("*/contacts.csv")])


async def test_final_refusal_is_kept_and_tried_again_only_if_it_is_posted_again(
    emulator: Emulator, tmp_path: Path
) -> None:
    """A restart leaves it as it is; the same input once more goes on with the run."""
    emulator.fail("submit_campaign", 400, body=b'{"code":40011,"message":"sender"}')

    async with process(emulator, tmp_path) as jobs:
        job_id = await posted(jobs)
        failed = await becoming(jobs, job_id, "failed")
        await forgotten(tmp_path)
    async with process(emulator, tmp_path) as jobs:
        kept = await becoming(jobs, job_id, "failed")
        tries = emulator.count("submit_campaign")
        again = await posted(jobs)
        sent = await becoming(jobs, job_id, "done")
        await forgotten(tmp_path)

    assert failed["error"] == "SenderNotVerified"
    assert (kept, tries, again) == (failed, 1, job_id)
    assert sent["campaign_sn"] == emulator.campaigns[0].sn
    assert len(emulator.lists) == len(emulator.campaigns) == 1


async def test_unknown_outcome_is_held_and_says_when_it_is_looked_up(
    emulator: Emulator, tmp_path: Path
) -> None:
    """The job does not send again, and its contacts stay until it is known."""
    emulator.switch(send_base_s=3600)
    emulator.lose_reply_to("submit_campaign")

    async with process(emulator, tmp_path) as jobs:
        held = await becoming(jobs, await posted(jobs), "held")

    assert held["error"] == "OutcomeUnknown"
    assert held["look_again_at"]
    assert emulator.count("submit_campaign") == 1
    assert [*tmp_path.glob("*/contacts.csv")]


async def test_one_worker_takes_a_job_that_is_posted_to_all(
    emulator: Emulator, tmp_path: Path
) -> None:
    """A client that got no answer asks another worker; each of them shows the job."""
    async with process(emulator, tmp_path) as one, process(emulator, tmp_path) as other:
        first, second = await asyncio.gather(posted(one), posted(other))
        events = [[each async for each in jobs.events(first)] for jobs in (one, other)]
        done = await becoming(other, first, "done")
        unknown = await one.status("../" + first)
        await forgotten(tmp_path)

    assert first == second
    assert [each[-1] for each in events] == [("end", done), ("end", done)]
    assert sum(len(each) > 1 for each in events) >= 1
    assert unknown is None
    assert len(emulator.lists) == emulator.count("submit_campaign") == 1


async def test_second_worker_takes_over_when_the_first_has_stopped(
    emulator: Emulator, tmp_path: Path
) -> None:
    """As when a new release starts before the old one is gone: nothing is done twice or lost."""
    held = HeldSubmit(emulator)

    async with process(emulator, tmp_path, held) as old:
        job_id = await posted(old)
        await until(lambda: emulator.campaigns)
        async with process(emulator, tmp_path) as new:
            running = await becoming(new, job_id, "running")
            old.stop()
            held.let_go.set()
            await old.stopped()
            sent = await becoming(new, job_id, "done")

    assert running["step"] == "submit"
    assert sent["campaign_sn"] == emulator.campaigns[0].sn
    assert len(emulator.lists) == emulator.count("submit_campaign") == 1


async def test_job_whose_worker_died_before_it_began_is_begun(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is on the disk, and no run knows of it yet."""
    async with process(emulator, tmp_path) as jobs:
        with monkeypatch.context() as dying:
            dying.setattr(Jobs, "_start", lambda *_: _[1].close())
            job_id = await posted(jobs)
        new = await jobs.status(job_id)
        await becoming(jobs, job_id, "done")

    assert new is not None
    assert new["state"] == "new"
    assert len(emulator.campaigns) == 1


async def test_folder_that_cannot_be_used_is_found_at_the_start(
    emulator: Emulator, tmp_path: Path
) -> None:
    """An application that can store nothing does not begin to take campaigns."""
    (tmp_path / "file").touch()

    with pytest.raises(OSError, match="file"):
        async with process(emulator, tmp_path / "file" / "jobs"):
            pass
