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
from tests.constants import CAMPAIGN, KEY, LIST_NAME, ROOT
from tests.faults.world import FEW, csv_of

if not (ROOT / "docs").exists():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)

import campaign_jobs
from campaign_jobs import Job, Jobs

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


@asynccontextmanager
async def process(
    emulator: Emulator, folder: Path, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[Jobs]:
    """Live as a process of an application does."""
    async with NewsLeopard(KEY, http_transport=transport or emulator.transport()) as nl:
        jobs = Jobs(nl, folder)
        jobs.resume()
        try:
            yield jobs
        finally:
            await jobs.stopped()


async def posted(jobs: Jobs) -> Job:
    """Have a campaign sent."""
    return await jobs.add(CAMPAIGN, contacts=csv_of(FEW), list_name=LIST_NAME)


async def until(is_so: Callable[[], object]) -> None:
    """Let the jobs go on until something is so."""
    while not is_so():  # noqa: ASYNC110  # a job has no event for each of its states
        await asyncio.sleep(0)


async def becoming(job: Job | None, state: str) -> dict[str, Any]:
    """Wait until a job is in a state."""
    assert job is not None
    await until(lambda: job.status["state"] == state)
    return job.status


async def test_final_refusal_is_kept_and_tried_again_only_if_it_is_posted_again(
    emulator: Emulator, tmp_path: Path
) -> None:
    """A restart leaves it as it is; the same input once more goes on with the checkpoint."""
    emulator.fail("submit_campaign", 400, body=b'{"code":40011,"message":"sender"}')

    async with process(emulator, tmp_path) as jobs:
        failed = await becoming(await posted(jobs), "failed")
    async with process(emulator, tmp_path) as jobs:
        kept = await becoming(jobs.get(failed["id"]), "failed")
        tries = emulator.count("submit_campaign")
        sent = await becoming(await posted(jobs), "sent")

    assert failed["error"]["class"] == "SenderNotVerified"
    assert failed["error"]["request_id"]
    assert (kept, tries) == (failed, 1)
    assert sent["id"] == failed["id"]
    assert len(emulator.lists) == len(emulator.campaigns) == 1
    assert not [*tmp_path.glob("*/contacts.csv")]


async def test_unknown_outcome_is_looked_up_until_it_is_known(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job waits, and says until when; it does not send again."""
    monkeypatch.setattr(campaign_jobs, "LONGEST_WAIT_S", 0.01)
    emulator.lose_reply_to("submit_campaign")
    emulator.fail("list_campaigns", 400, body=b'{"code":"40021"}')  # the first look

    async with process(emulator, tmp_path) as jobs:
        job = await posted(jobs)
        waiting = await becoming(job, "waiting")
        sent = await becoming(job, "sent")

    assert waiting["error"]["class"] == "OutcomeUnknown"
    assert waiting["until"]
    assert sent["outcome"]["campaign_sn"] == emulator.campaigns[0].sn
    assert emulator.count("submit_campaign") == 1


async def test_second_process_takes_over_when_the_first_has_stopped(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a new release starts before the old one is gone: nothing is done twice or lost."""
    monkeypatch.setattr(campaign_jobs, "IN_USE_WAIT_S", 0.01)
    held = HeldSubmit(emulator)

    async with process(emulator, tmp_path, held) as old:
        job = await posted(old)
        await until(lambda: emulator.campaigns)
        async with process(emulator, tmp_path) as new:
            waiting = await becoming(new.get(job.id), "waiting")
            old.stop()
            held.let_go.set()
            await old.stopped()
            sent = await becoming(new.get(job.id), "sent")

    assert waiting["error"]["class"] == "InUse"
    assert job.status["state"] == "stopped"
    assert sent["outcome"]["campaign_sn"] == emulator.campaigns[0].sn
    assert len(emulator.lists) == emulator.count("submit_campaign") == 1


async def test_end_that_cannot_be_stored_stays_known_and_is_found_again(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the disk is full, a campaign that was sent is not said to have failed."""
    store = campaign_jobs.write_whole

    def write(path: Path, text: str) -> None:
        if path.name == "result.json":
            raise OSError(28, "No space left on device")
        store(path, text)

    with monkeypatch.context() as full:
        full.setattr(campaign_jobs, "write_whole", write)
        async with process(emulator, tmp_path) as jobs:
            sent = await becoming(await posted(jobs), "sent")
    (tmp_path / sent["id"] / "result.json").write_text("{")
    async with process(emulator, tmp_path) as jobs:
        again = await becoming(jobs.get(sent["id"]), "sent")

    assert again["outcome"]["campaign_sn"] == sent["outcome"]["campaign_sn"]
    assert emulator.count("submit_campaign") == 1
    assert not [*tmp_path.glob("*/contacts.csv")]


async def test_folder_that_cannot_be_used_is_found_at_the_start(
    emulator: Emulator, tmp_path: Path
) -> None:
    """An application that can store nothing does not begin to take campaigns."""
    (tmp_path / "file").touch()

    with pytest.raises(OSError, match="file"):
        async with process(emulator, tmp_path / "file" / "jobs"):
            pass
