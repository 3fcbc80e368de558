"""Send campaigns from taskiq.

taskiq worker taskiq_send:broker
taskiq scheduler taskiq_send:scheduler
python taskiq_send.py
"""

import asyncio
import os
from pathlib import Path
from typing import Any

from taskiq import (
    AsyncBroker,
    InMemoryBroker,
    SmartRetryMiddleware,
    TaskiqEvents,
    TaskiqScheduler,
    TaskiqState,
)
from taskiq.schedule_sources import LabelScheduleSource
from taskiq.serializers import JSONSerializer
from taskiq_redis import ListRedisScheduleSource, RedisStreamBroker

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

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
later = ListRedisScheduleSource(REDIS_URL, serializer=JSONSerializer())
broker: AsyncBroker = RedisStreamBroker(REDIS_URL, unacknowledged_lock_timeout=60)
if os.environ.get("ENVIRONMENT") == "pytest":
    broker = InMemoryBroker(await_inplace=True)
broker.add_middlewares(
    SmartRetryMiddleware(
        default_retry_label=True,
        default_retry_count=1000,
        default_delay=60,
        use_delay_exponent=True,  # the next tries follow after 1, 2, 3 … 30 minutes
        max_delay_exponent=1800,
        types_of_exceptions=MAY_PASS,
        schedule_source=later,
    )
)
scheduler = TaskiqScheduler(broker, [later, LabelScheduleSource(broker)])


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def open_client(state: TaskiqState) -> None:
    """Open one client for all jobs of this worker, in its event loop."""
    state.nl = NewsLeopard()


@broker.on_event(TaskiqEvents.WORKER_SHUTDOWN)
async def close_client(state: TaskiqState) -> None:
    """Close the client."""
    await state.nl.aclose()


@broker.task
async def send(send_key: str, order: dict[str, Any]) -> str:
    """Send a campaign; a second delivery of the job sends nothing."""
    outcome = await workflows.send_campaign(
        broker.state.nl,
        from_plain(Campaign, order["campaign"]),
        contacts=Path(order["contacts"]),
        list_name=order["list_name"],
        send_key=send_key,
    )
    return outcome.campaign_sn


@broker.task(schedule=[{"cron": "* * * * *"}])
async def tick() -> None:
    """Do nothing: the broker looks for jobs of killed workers only after a new message."""


def example_order() -> dict[str, Any]:
    """Return what to send, and to whom, as JSON can hold it."""
    html = Path("anniversary.html").read_text(encoding="utf-8")
    sender = Sender("電子豹", "service@example.com")
    campaign = Campaign(name="週年慶", subject="${NAME}，您好", sender=sender, html=html)
    return {
        "campaign": campaign.to_dict(),
        "contacts": str(Path("members.csv").resolve()),
        "list_name": "週年慶會員",
    }


async def main() -> None:
    """Put a job into the queue, as a web application does."""
    await broker.startup()
    await send.kiq("taskiq-2027", example_order())
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
