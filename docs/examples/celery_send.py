"""Send campaigns from Celery.

celery -A celery_send worker
python celery_send.py
"""

import asyncio
import os
from pathlib import Path
from typing import Any

from celery import Celery

from newsleopard_async import (
    Campaign,
    ConnectionFailed,
    DeadlineExceeded,
    InUse,
    NewsLeopard,
    OutcomeUnknown,
    RateLimited,
    Sender,
    ServerError,
    StorageError,
    UnexpectedResponse,
    from_plain,
    workflows,
)

MAY_PASS = (
    *(ConnectionFailed, DeadlineExceeded, InUse, OutcomeUnknown),
    *(RateLimited, ServerError, StorageError, UnexpectedResponse),
)
"""Errors after which the same job can succeed later; all others need a person."""

app = Celery("celery_send", broker=os.environ.get("BROKER_URL", "redis://127.0.0.1:6379/0"))
app.conf.update(
    task_acks_late=True,  # the broker keeps a job until it has ended
    task_reject_on_worker_lost=True,  # also if the child process is killed
    worker_prefetch_multiplier=1,  # a send takes minutes: leave the next job to another worker
    # After a kill of the whole worker, Redis delivers the job again when this has passed.
    broker_transport_options={"visibility_timeout": 3600},
    worker_soft_shutdown_timeout=5,  # then the job goes back; Docker kills after 10 s
)


@app.task(
    autoretry_for=MAY_PASS,
    max_retries=None,
    retry_backoff=60,  # the next tries follow after 1, 2, 4 … 30 minutes
    retry_backoff_max=1800,  # less than the visibility timeout
    retry_jitter=False,
)
def send(send_key: str, order: dict[str, Any]) -> str:
    """Send a campaign; a second delivery of the job sends nothing."""
    return asyncio.run(sent(send_key, order))


async def sent(send_key: str, order: dict[str, Any]) -> str:
    """Send, with a client that belongs to the event loop of this job."""
    async with NewsLeopard() as nl:
        outcome = await workflows.send_campaign(
            nl,
            from_plain(Campaign, order["campaign"]),
            contacts=Path(order["contacts"]),
            list_name=order["list_name"],
            send_key=send_key,
        )
    return outcome.campaign_sn


if __name__ == "__main__":
    html = Path("anniversary.html").read_text(encoding="utf-8")
    sender = Sender("電子豹", "service@example.com")
    campaign = Campaign(name="週年慶", subject="${NAME}，您好", sender=sender, html=html)
    order = {
        "campaign": campaign.to_dict(),
        "contacts": str(Path("members.csv").resolve()),
        "list_name": "週年慶會員",
    }
    send.delay("celery-2027", order)
