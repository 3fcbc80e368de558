"""Send a campaign at a time with APScheduler, and continue it after a restart.

python apscheduler_send.py 2027-01-05T10:00+08:00
"""

import asyncio
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from newsleopard_async import Campaign, NewsLeopard, Sender, workflows

SEND_KEY = "apscheduler-2027"


def order() -> dict[str, Any]:
    """Return what to send, and to whom: the same at each start of the program."""
    html = Path("anniversary.html").read_text(encoding="utf-8")
    sender = Sender("電子豹", "service@example.com")
    return {
        "campaign": Campaign(name="週年慶", subject="${NAME}，您好", sender=sender, html=html),
        "contacts": Path("members.csv"),
        "list_name": "週年慶會員",
    }


async def send(nl: NewsLeopard) -> None:
    """Send; APScheduler logs an error, and `resume` tries again if it was temporary."""
    await workflows.send_campaign(nl, **order(), send_key=SEND_KEY)


async def resume(nl: NewsLeopard) -> None:
    """Continue the send of an earlier process, or one that failed for now."""
    await workflows.resume_due(nl, nl.store, {SEND_KEY: order()})


async def main(at: datetime) -> None:
    """Run until the process ends."""
    async with NewsLeopard() as nl:
        scheduler = AsyncIOScheduler(timezone=UTC)
        # Up to an hour late if the process was down at its time; by default it is one second.
        scheduler.add_job(send, "date", run_date=at, args=[nl], misfire_grace_time=3600)
        scheduler.add_job(resume, "interval", minutes=1, args=[nl], coalesce=True, max_instances=1)
        scheduler.start()
        try:
            await asyncio.Event().wait()
        finally:
            scheduler.shutdown()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main(datetime.fromisoformat(sys.argv[1])))
