"""Send the newsletter of this week; start it as often as you like.

*/10 9-17 * * 1  cd /srv/mail && .venv/bin/python weekly_send.py
"""

import asyncio
import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from newsleopard_async import (
    Campaign,
    ConnectionFailed,
    DeadlineExceeded,
    InUse,
    NewsLeopard,
    NewsLeopardError,
    OutcomeUnknown,
    RateLimited,
    Sender,
    ServerError,
    StorageError,
    UnexpectedResponse,
    workflows,
)
from newsleopard_async.stores import SqlStore

MAY_PASS = (
    *(ConnectionFailed, DeadlineExceeded, OutcomeUnknown),
    *(RateLimited, ServerError, StorageError, UnexpectedResponse),
)
"""Errors after which the next start can succeed; all others need a person."""
RUNS_URL = os.environ.get("RUNS_URL")
"""The database of the runs; on one host none is needed, because a folder of the user is enough."""
QUOTA = os.environ.get("NEWSLEOPARD_QUOTA_URL", "auto")
"""The Redis in which several hosts share the rate limits; one host shares them without."""


async def send(week: str) -> None:
    """Send the mail of a folder such as newsletters/2027-W01, which never changes."""
    task = asyncio.current_task()
    assert task is not None
    # A stop ends the send at its next await; a submit waits for its answer.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    folder = Path("newsletters", week)
    campaign = Campaign(
        name=f"電子報 {week}",
        subject=(folder / "subject.txt").read_text(encoding="utf-8").strip(),
        sender=Sender("電子豹", "service@example.com"),
        html=(folder / "mail.html").read_text(encoding="utf-8"),
    )
    store = SqlStore(RUNS_URL) if RUNS_URL else None
    try:
        async with NewsLeopard(store=store, quota=QUOTA) as nl:
            await workflows.send_campaign(
                nl,
                campaign,
                contacts=folder / "members.csv",
                list_name=campaign.name,
                send_key=f"newsletter-{week}",
            )
    finally:
        if store is not None:
            await store.aclose()


def main() -> int:
    """Return 0 if the newsletter is sent, 75 if the next start continues, 1 for a mistake."""
    year, week, _ = datetime.now(ZoneInfo("Asia/Taipei")).isocalendar()
    try:
        asyncio.run(send(f"{year}-W{week:02}"))
    except InUse:
        return 0  # an earlier start is still sending
    except (*MAY_PASS, asyncio.CancelledError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return os.EX_TEMPFAIL
    except NewsLeopardError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
