"""Send campaigns in the background, also across restarts, in any asyncio framework.

A job is a run under a send key, which is the job's id. Its progress and its outcome is in the
client's store. Its input is in a separate folder until it is sent. So any worker of this
host can start, show and continue a job.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

from newsleopard_async import Campaign, InUse, NewsLeopard, from_plain, workflows
from newsleopard_async.webhooks import Webhooks

log = logging.getLogger(__name__)

LARGEST_BODY = 20_000_000
"""Chosen: 10 MB of contacts, the limit of the platform's guide, and space for the mail."""
GRACE_S = float(os.environ.get("GRACE_S", "8"))
"""How long a stop waits for the answers to submits. Docker kills 10 s after SIGTERM."""
LOOK_EVERY_S = float(os.environ.get("LOOK_EVERY_S", "60"))
"""How often a worker searches for unfinished jobs, and for jobs that are due again."""
SHOW_EVERY_S = 1.0
"""How often a stream reads the state of a job of another worker."""
UNDER_WAY = {"new", "running", "interrupted"}
"""States in which a worker has a job, or will have it soon."""


def of_this_address() -> Webhooks | None:
    """Receive the platform's calls at PUBLIC_URL; without it, jobs poll."""
    address, secret = os.environ.get("PUBLIC_URL"), os.environ.get("WEBHOOK_SECRET")
    return Webhooks(f"{address}/newsleopard", secret=secret) if address else None


class Jobs:
    """The jobs of all workers, for one worker.

    Args:
        nl: The client; its store keeps the runs.
        folder: The same folder for all workers. It contains a folder for each unsent job.
        webhooks: Wakes a job when its contacts have been imported.
    """

    def __init__(self, nl: NewsLeopard, folder: Path, webhooks: Webhooks | None = None) -> None:
        self._nl = nl
        self._folder = folder
        self._webhooks = webhooks
        self._feeds: dict[str, workflows.EventFeed] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    async def add(self, campaign: Campaign, *, contacts: str, list_name: str) -> str:
        """Store the input, and start the job; the same input is the same job.

        So a client that got no answer may ask again, any worker. A failed job is tried again.
        """
        asked = {"campaign": campaign.to_dict(), "list_name": list_name}
        text = json.dumps(asked, ensure_ascii=False, sort_keys=True)
        job_id = hashlib.sha256(f"{text}\0{contacts}".encode()).hexdigest()[:32]
        status = await self.status(job_id)
        if status is None or status["state"] == "failed":
            await asyncio.to_thread(store, self._folder / job_id, text, contacts)
            self._start(self._begin(job_id))
        return job_id

    async def status(self, job_id: str) -> dict[str, Any] | None:
        """Return the state of a job of any worker; a name from a URL never becomes a path."""
        if not re.fullmatch("[0-9a-f]{32}", job_id):
            return None
        for run in await workflows.runs(self._nl.store, keys=[job_id]):
            return run.to_dict()
        is_new = (self._folder / job_id / "campaign.json").exists()
        return {"send_key": job_id, "state": "new"} if is_new else None

    async def events(self, job_id: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Yield the events of a job of this worker, and at the end the state of the job."""
        shown = None
        while True:
            feed = self._feeds.get(job_id)
            if feed is not None and feed is not shown:
                shown = feed
                async for event in feed:
                    yield "progress", event.to_dict()
            status = await self.status(job_id) or {}
            if self._is_stopping or status.get("state") not in UNDER_WAY:
                break
            await asyncio.sleep(SHOW_EVERY_S)
        yield "end", status

    def start(self) -> None:
        """Start the work; called once, at the start of each worker."""
        # An unusable folder raises an error here, and not at the first campaign.
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._start(self._work())

    def stop(self) -> None:
        """Cancel all jobs; each stops at its next await, but a submit waits for its answer."""
        self._is_stopping = True
        for task in self._tasks:
            task.cancel()

    async def stopped(self) -> None:
        """Stop, and wait until all jobs have stopped, but at most for the container's grace period.

        A submit without an answer is cancelled. Its run record has the intent: the next run looks
        the campaign up, and does not send it again.
        """
        self.stop()
        if not self._tasks:
            return
        _, cut = await asyncio.wait(self._tasks, timeout=GRACE_S)
        if cut:
            # This ends their requests, so that the log can name the campaigns.
            await self._nl.aclose()
            await asyncio.wait(cut, timeout=1)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        # Stored here, because the event loop itself has only a weak reference to a task.
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        """Start and continue jobs that no worker has, until this worker ends."""
        while True:
            try:
                for asked in list(self._folder.glob("*/campaign.json")):
                    await self._look_after(asked.parent.name)
                for each in await workflows.resume_due(self._nl, self._nl.store, self._input_of):
                    await self._ended(each.run.send_key)
            except Exception:
                log.exception("the jobs could not be read; the next try follows")
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look_after(self, job_id: str) -> None:
        """Continue if a worker died before a run began, or just after its end."""
        status = await self.status(job_id)
        if status is not None and status["state"] == "new":
            self._start(self._begin(job_id))
        elif status is not None and status["state"] in {"done", "abandoned"}:
            await self._forget(job_id)

    async def _begin(self, job_id: str) -> None:
        """Send; the outcome is in the store, and an error stays in this job."""
        try:
            given = self._input(job_id)
            await workflows.send_campaign(self._nl, **given, send_key=job_id)
        except InUse:
            return
        except Exception:
            log.exception("job %s", job_id)
        await self._ended(job_id)

    async def _ended(self, job_id: str) -> None:
        """Remove the input of a job that does not need it any more."""
        status = await self.status(job_id)
        if status is not None and status["state"] in {"done", "failed", "abandoned"}:
            await self._forget(job_id)

    async def _forget(self, job_id: str) -> None:
        await asyncio.to_thread(shutil.rmtree, self._folder / job_id, ignore_errors=True)

    def _input_of(self, run: workflows.RunState) -> dict[str, Any] | None:
        """Return the input of a run; None if the run is not one of these jobs."""
        is_job = (self._folder / run.send_key / "campaign.json").exists()
        return self._input(run.send_key) if is_job else None

    def _input(self, job_id: str) -> dict[str, Any]:
        folder = self._folder / job_id
        asked = json.loads((folder / "campaign.json").read_text("utf-8"))
        # A feed is for one run, and ends with it.
        self._feeds[job_id] = workflows.EventFeed()
        return {
            "campaign": from_plain(Campaign, asked["campaign"]),
            "contacts": folder / "contacts.csv",
            "list_name": asked["list_name"],
            "progress": self._feeds[job_id],
            "webhook": self._webhooks,
        }


def store(folder: Path, asked: str, contacts: str) -> None:
    """Store the input. `campaign.json` is written last, and then the job exists."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(folder / "contacts.csv", contacts)
    write_whole(folder / "campaign.json", asked)


def write_whole(path: Path, text: str) -> None:
    """Write a file atomically; two workers may do this at the same time."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with part.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
