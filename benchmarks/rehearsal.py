"""Rehearse a campaign to 20,000 contacts: seconds, requests, sockets, memory.

``python -m benchmarks.rehearsal [contacts]``, each run in a separate process. Sockets are counted
by an audit hook from the first line of ``rehearse`` to its last; "held" is the longest time that
the event loop was blocked, and memory the growth of the process at its peak.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import anyio

from benchmarks.measuring import MIB, heading, peak_bytes, run_again, watched
from newsleopard_async import Campaign, SendAt, Sender
from newsleopard_async.rehearsal import rehearse

CONTACTS: Final = 20_000
ROUNDS: Final = 3
HEADER: Final = "EMAIL,NAME,CITY,POINTS,PHONE,MEMBER_SINCE\n"
HTML: Final = (
    '<!DOCTYPE html><html><head><meta charset="utf-8"></head><body>'
    "<p>${NAME} 您好，您在${CITY}的 ${POINTS} 點可折抵消費。</p></body></html>"
)


def write_contacts(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER)
        for number in range(count):
            file.write(
                f"reader{number}@example.com,會員{number},台北市,{number % 5000},"
                f"+8869{number:08},2024-01-{1 + number % 28:02}\n"
            )


async def measure(path: Path) -> None:
    sockets = 0
    counting = False

    def hook(event: str, _: object) -> None:
        nonlocal sockets
        sockets += counting and event == "socket.__new__"

    sys.addaudithook(hook)
    campaign = Campaign(
        name="週年慶",
        subject="${NAME}，您的專屬優惠",
        sender=Sender("電子豹", "service@example.com"),
        html=HTML,
        schedule=SendAt(datetime.now(UTC) + timedelta(days=365)),
    )
    before_bytes, began_s = peak_bytes(), time.perf_counter()
    async with watched() as held_s:
        counting = True
        shown = await rehearse(campaign, path, folder=path.parent / "mails")
        counting = False
    took_s = time.perf_counter() - began_s
    assert shown.ok, str(shown)
    figures = [took_s, peak_bytes() - before_bytes, max(held_s)]
    print(json.dumps([*figures, shown.requests_total, sockets, shown.recipients]))


def compare(contacts: int) -> None:
    print(f"{heading()}\nmedians of {ROUNDS} rounds")
    print(f"{contacts:,} contacts of 6 columns, to be sent in a year\n")
    print(
        f"{'':10}{'seconds':>9}{'memory MiB':>12}{'held ms':>9}{'requests':>10}{'sockets':>9}"
        f"{'mails':>11}"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "members.csv"
        write_contacts(path, contacts)
        for backend in ("asyncio", "trio"):
            rounds = [json.loads(run_again(backend, str(path))) for _ in range(ROUNDS)]
            took_s, grown_bytes, held_s, requests, sockets, mails = map(
                statistics.median, zip(*rounds, strict=True)
            )
            print(
                f"{backend:10}{took_s:9.2f}{grown_bytes / MIB:12.1f}{held_s * 1000:9.0f}"
                f"{requests:10.0f}{sockets:9.0f}{mails:11,.0f}"
            )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        anyio.run(measure, Path(sys.argv[2]), backend=sys.argv[1])
    else:
        compare(int(sys.argv[1]) if len(sys.argv) > 1 else CONTACTS)
