"""A process that sends a campaign, and says before each step of the way where it is.

It reads from its input where to send to, where the checkpoint is, and whether to send without a
list; then it writes a line at each boundary of a step, and waits for one before it goes on. Then
it waits for more.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import anyio

from newsleopard_async import NewsLeopard, workflows
from newsleopard_async.models import Polling
from newsleopard_async.workflows import Event
from tests.constants import CAMPAIGN, KEY, LIST_NAME
from tests.faults.world import FEW, csv_of

__all__ = ["POLLING", "main"]

POLLING = Polling(first_s=0.02, max_s=0.1)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _halt(event: Event) -> None:
    if event.state in ("started", "finished"):
        _say(f"{event.step} {event.state}")
        sys.stdin.readline()


async def main(url: str, checkpoint: Path, *, once: bool) -> None:
    """Send the campaign, to a list or without one, and say its code."""
    async with NewsLeopard(KEY, base_url=url) as nl:
        ready = partial(
            workflows.send_once if once else partial(workflows.send_campaign, list_name=LIST_NAME),
            polling=POLLING,
            progress=_halt,
            checkpoint=checkpoint,
        )
        outcome = await ready(nl, CAMPAIGN, contacts=csv_of(FEW))
    _say(f"done {outcome.campaign_sn}")


if __name__ == "__main__":
    while _line := sys.stdin.readline():
        _given = json.loads(_line)
        _run = partial(main, once=_given["once"])
        anyio.run(_run, _given["url"], Path(_given["checkpoint"]))
