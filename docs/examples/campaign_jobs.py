"""Campaigns that are sent in the background and go on after a restart, for any asyncio framework.

Each job has a folder of its own: what is to be sent (`campaign.json`, `contacts.csv`), the
checkpoint of the pipeline, and at the end `result.json`. One process owns them all.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from newsleopard_async import (
    Campaign,
    ConnectionFailed,
    InUse,
    NewsLeopard,
    NewsLeopardError,
    OutcomeUnknown,
    RateLimited,
    ServerError,
    from_plain,
    workflows,
)
from newsleopard_async.webhooks import Webhooks

log = logging.getLogger(__name__)

LARGEST_BODY = 20_000_000
"""Bytes of a request: the platform's guide takes 10 MB of contacts, and there is the mail."""
GRACE_S = float(os.environ.get("GRACE_S", "8"))
"""How long a stop waits for answers that matter. Docker kills 10 s after it has asked to stop."""
LONGEST_WAIT_S = 3600
"""A job that waits looks again after an hour at the latest: the machine may have slept."""
UNREACHABLE_WAIT_S = 300
"""A platform that is down for an hour costs a job a dozen tries, and not the day's requests."""
IN_USE_WAIT_S = 10
"""Another process has the job: this one was started before that one has stopped."""


@dataclass
class Job:
    """A campaign to send.

    Attributes:
        folder: Where its files are.
        status: What is known of it, as JSON.
        feed: The events of its present or last run; None if there was none in this process.
    """

    folder: Path
    status: dict[str, Any] = field(default_factory=dict)
    feed: workflows.EventFeed | None = None

    @property
    def id(self) -> str:
        """Its name in URLs."""
        return self.folder.name

    def becomes(self, state: str, **more: Any) -> None:
        """Note its state."""
        self.status = {"id": self.id, "state": state, **more}

    def ends(self, state: str, **more: Any) -> None:
        """Note its end so that it outlives this process, and forget the contacts."""
        if not self.has_ended():
            self.becomes(state, **more)
            try:
                write_whole(self.folder / "result.json", json.dumps(self.status))
            except OSError:
                # The disk may be full. The next process finds it out again, from the checkpoint.
                log.exception("job %s is %s, which cannot be stored", self.id, state)
                return
        (self.folder / "contacts.csv").unlink(missing_ok=True)

    def has_ended(self) -> bool:
        """Look whether an end is noted, by this process or another one, and read it."""
        try:
            self.status = json.loads((self.folder / "result.json").read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return False
        return True

    async def events(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Yield what happens, beginning with what has happened; at last the status."""
        if self.feed is not None:
            async for event in self.feed:
                yield "progress", event.to_dict()
        yield "end", self.status


class Jobs:
    """All jobs of this process.

    Args:
        nl: The client.
        folder: Has a folder for each job.
        webhooks: Wakes a job when its contacts have been imported.
    """

    def __init__(self, nl: NewsLeopard, folder: Path, webhooks: Webhooks | None = None) -> None:
        self._nl = nl
        self._folder = folder
        self._webhooks = webhooks
        self._jobs: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._adding = asyncio.Lock()

    def get(self, job_id: str) -> Job | None:
        """Return a job; a name from a URL never becomes a path."""
        return self._jobs.get(job_id)

    async def add(self, campaign: Campaign, *, contacts: str, list_name: str) -> Job:
        """Store what is to be sent, and begin; the same input is the same job.

        So a client that got no answer may ask again. A job that failed is tried again, with its
        checkpoint.
        """
        asked = {"campaign": campaign.to_dict(), "list_name": list_name}
        text = json.dumps(asked, ensure_ascii=False, sort_keys=True)
        name = hashlib.sha256(f"{text}\0{contacts}".encode()).hexdigest()[:32]
        async with self._adding:
            job = self._jobs.get(name)
            if job is None or job.status["state"] == "failed":
                job = Job(self._folder / name)
                await asyncio.to_thread(store, job.folder, text, contacts)
                self._start(job)
        return job

    def resume(self) -> None:
        """Go on with each job that has not ended; called once, at the start of the process."""
        # A folder that cannot be used is found here, and not by the first campaign.
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for asked in self._folder.glob("*/campaign.json"):
            self._start(Job(asked.parent))

    def stop(self) -> None:
        """Cancel what runs; each job stops at its next await, but a submit waits for its answer."""
        for task in self._tasks:
            task.cancel()

    async def stopped(self) -> None:
        """Stop, and wait until all have stopped, but not longer than the grace of a container.

        What has no answer by then is cut off. Its checkpoint has the intent: the next start looks
        for the campaign, and does not send it again.
        """
        self.stop()
        if not self._tasks:
            return
        _, cut = await asyncio.wait(self._tasks, timeout=GRACE_S)
        if cut:
            # Ends their requests, so that the log can name the campaigns.
            await self._nl.aclose()
            await asyncio.wait(cut, timeout=1)

    def _start(self, job: Job) -> None:
        job.becomes("running")
        self._jobs[job.id] = job
        # Kept here, since the event loop itself keeps only a weak reference to a task.
        task = asyncio.create_task(self._run(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, job: Job) -> None:
        """Try until there is an end; an error stays in this job."""
        try:
            wait_s = await self._send(job)
            while wait_s is not None:
                await asyncio.sleep(min(wait_s, LONGEST_WAIT_S))
                wait_s = await self._send(job)
        except asyncio.CancelledError:
            job.becomes("stopped")
            raise
        except Exception as error:
            log.exception("job %s", job.id)
            job.ends("failed", error={"class": type(error).__name__})

    async def _send(self, job: Job) -> float | None:
        """Send; return after how many seconds the same call makes sense again, or None."""
        if job.has_ended():
            return None
        asked = json.loads((job.folder / "campaign.json").read_text("utf-8"))
        job.becomes("running")
        try:
            campaign = from_plain(Campaign, asked["campaign"])
            # A feed serves one run, and ends with it.
            job.feed = workflows.EventFeed()
            outcome = await workflows.send_campaign(
                self._nl,
                campaign,
                contacts=job.folder / "contacts.csv",
                list_name=asked["list_name"],
                checkpoint=job.folder / "checkpoint.json",
                progress=job.feed,
                webhook=self._webhooks,
            )
        except NewsLeopardError as error:
            wait_s = again_in_s(error)
            shown = {
                "class": type(error).__name__,
                "message": str(error),
                "request_id": error.request_id,
            }
            if wait_s is None:
                job.ends("failed", error=shown)
                return None
            until = datetime.now(UTC) + timedelta(seconds=wait_s)
            job.becomes("waiting", until=until.isoformat(timespec="seconds"), error=shown)
            return wait_s
        job.ends("sent", outcome=outcome.to_dict())
        return None


def again_in_s(error: NewsLeopardError) -> float | None:
    """Return after how many seconds the same call makes sense again; None if a person must act."""
    match error:
        case OutcomeUnknown(look_again_at=datetime() as at):
            # It may have been sent. The same call looks for it, and does not send it again.
            return max((at - datetime.now(UTC)).total_seconds(), 1)
        case RateLimited():
            return error.retry_after_s
        case ConnectionFailed() | ServerError():
            return UNREACHABLE_WAIT_S
        case InUse():
            return IN_USE_WAIT_S
        case _:
            return None


def store(folder: Path, asked: str, contacts: str) -> None:
    """Store what is to be sent; `campaign.json` comes last, and makes it a job."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(folder / "contacts.csv", contacts)
    (folder / "result.json").unlink(missing_ok=True)
    write_whole(folder / "campaign.json", asked)


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a crash leaves all of it or nothing."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
