"""The points that a send passes in a worker, by the names that a worker has for them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

__all__ = ["IN_DOUBT", "LEFT", "POINTS", "from_intent", "print_table"]


def _around(*saves: str) -> tuple[str, ...]:
    return tuple(f"save: {when} {save}" for save in saves for when in ("before", "after"))


def _on_the_wire(*requests: str) -> tuple[str, ...]:
    moments = ("leaves", "has left", "is answered")
    return tuple(f"wire: {request} {moment}" for request in requests for moment in moments)


_BEGIN: Final = (
    *("engine: attempt begins", "attempt: row read", *_around("claim held")),
    *(*_on_the_wire("GET /…/report/campaigns"), *_around("find_earlier done")),
)
_OF_CONTACTS: Final = (
    *_on_the_wire("GET /…/contacts/lists"),
    *(*_around("create_list intent"), *_on_the_wire("POST /…/contacts/lists/insert")),
    *(*_around("create_list done"), *_around("import_text intent")),
    *(*_on_the_wire("POST /…/contacts/imports/…/text"), *_around("import_text done")),
    *(*_on_the_wire("GET /…/contacts/imports/result/…"), *_around("get_import done")),
    *_on_the_wire("GET /…/balance"),
)
_SUBMIT: Final = (
    *(*_around("submit intent"), *_on_the_wire("POST /…/campaign/normal/submit")),
    *(*_around("submit done"), *_around("end done")),
    *("ledger: before it is settled", "ledger: after it is settled"),
    "engine: attempt has ended",
)
POINTS: Final = {True: (*_BEGIN, *_OF_CONTACTS, *_SUBMIT), False: (*_BEGIN, *_SUBMIT)}
"""All points that a send passes, with contacts and without."""

IN_DOUBT: Final = (
    "save: after submit intent",
    *(*_on_the_wire("POST /…/campaign/normal/submit"), "save: before submit done"),
)
"""The points at which it is unknown whether the campaign was submitted."""

LEFT: Final = "wire: POST /…/campaign/normal/submit has left"
"""The platform has the campaign, and has not answered."""


def from_intent(contacts: bool) -> tuple[str, ...]:
    """Return the points from which on it matters when a campaign is listed."""
    points = POINTS[contacts]
    return points[points.index(IN_DOUBT[0]) :]


def print_table(points: Iterable[str], cell: Callable[[str], str]) -> None:
    """Go through points; ``-rP`` shows what came of each, and how often that was."""
    told: Counter[str] = Counter()
    for point in points:
        began = time.monotonic()
        told[came := cell(point)] += 1
        print(f"{point}: {came}, {time.monotonic() - began:.1f} s", flush=True)  # noqa: T201
    print(dict(told))  # noqa: T201
