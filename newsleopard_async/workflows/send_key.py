"""The key under which a store keeps a run, and the marker that is derived from it.

The same key means the same campaign, in any process. So the marker is derived from the key, not
random: a process with an empty store can find by it the campaign that an earlier run has sent.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from typing import Final, TypeVar

import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.errors import Problem
from newsleopard_async.models.validation import raise_problems, wrong_type
from newsleopard_async.stores.protocol import Store

__all__ = [
    "StoreLocation",
    "location_of",
    "marker_of",
    "next_token",
    "problems_of_send_key",
    "sought_marker_of",
    "token_of",
]

T = TypeVar("T")

_LONGEST: Final = 200
"""Chosen: enough for any order number or date with a name, and too short for a list of contacts."""

_TOKEN: Final = re.compile(r"([0-9a-f]{12})(?:-([0-9]+))?")
"""The token of a send key; after each decision to submit again, a number is added to it."""


@attrs.frozen
class StoreLocation:
    """The place of a run that is stored under a send key.

    Attributes:
        store: The client's store.
        send_key: The key.
    """

    store: Store = attrs.field(repr=False)
    send_key: str


def location_of(nl: NewsLeopard, send_key: str | None, checkpoint: T) -> T | StoreLocation:
    """Return where a run is stored: under its send key, or at the checkpoint that was passed.

    Raises:
        InvalidRequest: the key is not valid, or a checkpoint was passed as well.
        ConfigurationError: the client has no store, and no folder for a store is usable.
    """
    raise_problems(problems_of_send_key(send_key, checkpoint))
    return checkpoint if send_key is None else StoreLocation(nl.store, send_key)


def problems_of_send_key(send_key: object, checkpoint: object) -> Iterator[Problem]:
    """Yield the problems of a key; two texts that look the same must not be two campaigns."""
    if send_key is None:
        return
    if checkpoint is not None:
        yield Problem(
            "send_key",
            "choice",
            "cannot be combined with checkpoint, which stores the run elsewhere; pass one of them",
        )
    if not isinstance(send_key, str):
        yield wrong_type("send_key", send_key, "a text, such as 'anniversary-2027'")
    elif not send_key:
        yield Problem("send_key", "required", "is empty; pass a name that is the same in all runs")
    elif send_key != send_key.strip() or not send_key.isprintable():
        yield Problem(
            "send_key",
            "characters",
            "has white space around it, or an invisible character; remove them",
        )
    elif not unicodedata.is_normalized("NFC", send_key):
        yield Problem(
            "send_key",
            "characters",
            "has a character with a second form in Unicode, as in file names of macOS; pass "
            'unicodedata.normalize("NFC", send_key)',
        )
    elif len(send_key) > _LONGEST:
        yield Problem(
            "send_key", "length", f"is {len(send_key)} characters long; use at most {_LONGEST}"
        )


def token_of(send_key: str) -> str:
    """Return the token of a key: 12 hex digits, so a million keys differ almost certainly."""
    # Not formatted, because a format can show the name of an enum member instead of its text.
    return hashlib.sha256(b"newsleopard send_key " + send_key.encode()).hexdigest()[:12]


def next_token(token: str) -> str:
    """Return the token of a further submit under the same key."""
    parts = _TOKEN.fullmatch(token)
    assert parts is not None
    return f"{parts[1]}-{int(parts[2] or 1) + 1}"


def marker_of(token: str) -> str:
    """Return the text that is added to the name of the campaign."""
    return f"[nl-{token}]"


def sought_marker_of(token: str) -> str:
    """Return the text to search for; for a send key, it matches every submit under the key."""
    parts = _TOKEN.fullmatch(token)
    return marker_of(token) if parts is None else f"[nl-{parts[1]}"
