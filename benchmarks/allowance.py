"""The number of sends per day that one key allows: ``python -m benchmarks.allowance``.

Each kind of send is run once against the emulator, and its requests are counted. Time is held, so
an import takes the emulator's time: 10 s, and 1 s for each 2,000 rows.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

import anyio
import attrs

from newsleopard_async import (
    ApiAttempt,
    CallNext,
    Campaign,
    NewsLeopard,
    Polling,
    Sender,
    workflows,
)
from newsleopard_async.emulator import Emulator
from newsleopard_async.stores import FileStore
from newsleopard_async.testing import ManualClock
from newsleopard_async.transport.limits.day import day_allowance

A_SECOND: Final = 10
A_DAY: Final = day_allowance(10_000, polite=False)
"""The limits of one key in the documentation of the platform, and what the client sends of them."""

ROWS: Final = 10_000

CAMPAIGN: Final = Campaign(
    name="週年慶",
    subject="您好",
    sender=Sender("電子豹", "service@example.com"),
    html="<html><body><p>${NAME} 您好</p></body></html>",
)


async def requests_of(**options: Any) -> Counter[str]:
    """Count the requests of one send."""
    counted: Counter[str] = Counter()

    async def on_attempt(attempt: ApiAttempt, call_next: CallNext) -> None:
        counted[attempt.operation] += 1
        await call_next(attempt)

    clock = ManualClock()
    emulator = Emulator(api_keys=["test-key"], clock=clock)
    rows = "".join(f"m{number}@example.com,Ming\n" for number in range(ROWS))
    with tempfile.TemporaryDirectory() as folder:
        contacts = Path(folder, "members.csv")
        contacts.write_text(f"EMAIL,NAME\n{rows}", encoding="utf-8")
        async with NewsLeopard(
            "test-key",
            http_transport=emulator.transport(),
            clock=clock,
            store=FileStore(folder),
            on_attempt=on_attempt,
        ) as nl:
            campaign = CAMPAIGN
            if options.pop("is_imported", False):
                done = await workflows.import_contacts(nl, contacts, list_name="週年慶會員")
                campaign = attrs.evolve(CAMPAIGN, lists=(done.list_sn,))
                counted.clear()
            else:
                options |= {"contacts": contacts, "list_name": "週年慶會員"}
            await workflows.send_campaign(nl, campaign, send_key="a", **options)
    return counted


KINDS: Final[dict[str, dict[str, Any]]] = {
    "contacts into a new list": {},
    "the same, `polling=Polling(first_s=30)`, `balance=None`": {
        "polling": Polling(first_s=30),
        "balance": None,
    },
    'the same as the first, `wait="sent"`': {"wait": "sent"},
    "to existing lists": {"is_imported": True},
    "the same, `balance=None`": {"is_imported": True, "balance": None},
}


async def table() -> list[str]:
    """Send each kind once; return the lines of the table."""
    lines = ["| a send | requests | per day | at most |", "|---|---|---|---|"]
    for name, options in KINDS.items():
        number = (await requests_of(**options)).total()
        lines.append(
            f"| {name} | {number} | {A_DAY // number:,} | {A_SECOND / number:.1f} per second |"
        )
    return lines


if __name__ == "__main__":
    print("\n".join(anyio.run(table)))
