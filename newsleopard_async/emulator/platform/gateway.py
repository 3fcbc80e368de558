"""The gateway of the API: operations, rate limits, and the log of requests.

The limits hold for any sliding second and any sliding 24 hours, each key for itself (T05 to
T07). A refused request does not count; whether it does is not documented. Which operation a
request is: literal paths first, and ``//`` is never one slash (T12).
"""

from __future__ import annotations

import hashlib
import logging
import random
import threading
import uuid
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar, Final

import attrs

from newsleopard_async.emulator.platform.notation import parse_json
from newsleopard_async.emulator.platform.storage import STORAGE_PREFIX
from newsleopard_async.emulator.switches import SwitchBoard

__all__ = [
    "DAY_S",
    "LATER_PATHS",
    "OPERATIONS",
    "PATHS",
    "READS",
    "Listener",
    "Listeners",
    "RateLimiter",
    "RequestLog",
    "RequestRecord",
    "operation_of",
]

_log: Final = logging.getLogger(__name__)

PATHS: Final[tuple[tuple[str, str, str], ...]] = (
    ("GET", "/v1/report/campaigns", "list_campaigns"),
    ("POST", "/v1/report/{campaign_sn}/export", "export_report"),
    ("GET", "/v1/report/{campaign_sn}/link", "get_links"),
    ("POST", "/v1/contacts/imports/file", "start_file_import"),
    ("POST", "/v1/contacts/imports/text", "import_text"),
    ("GET", "/v1/contacts/imports/result/{import_sn}", "get_import"),
    ("POST", "/v1/contacts/imports/{list_sn}/file", "start_file_import"),
    ("POST", "/v1/contacts/imports/{list_sn}/text", "import_text"),
    ("POST", "/v1/contacts/lists/insert", "create_list"),
    ("GET", "/v1/contacts/lists", "list_lists"),
    ("POST", "/v1/campaign/normal/submit", "submit_campaign"),
    ("POST", "/v1/campaign/testing/submit", "submit_ab_test"),
)
"""Method, path and name of each documented endpoint, in the order in which they are tried."""

LATER_PATHS: Final[tuple[tuple[str, str, str], ...]] = (
    ("GET", "/v1/balance", "get_balance"),
    ("GET", "/v1/campaign/normal/{campaign_sn}", "get_status"),
    ("PATCH", "/v1/campaign/normal/{campaign_sn}", "pause_campaign"),
    ("DELETE", "/v1/campaign/normal", "delete_campaigns"),
    ("POST", "/v1/campaign/normal/once", "submit_once"),
    ("POST", "/v1/campaign/testing/once", "submit_ab_test_once"),
    ("POST", "/v1/report/campaigns/metrics", "get_metrics"),
    ("GET", "/v1/templates", "list_templates"),
    ("GET", "/v1/templates/{id}", "get_template"),
    ("POST", "/v1/automation/event", "send_event"),
    ("DELETE", "/v1/contacts/{list_sn}", "remove_contacts"),
)
"""The same of the endpoints that only the vendor's notes have, tried after them (T18)."""

OPERATIONS: Final[tuple[str, ...]] = (
    *dict.fromkeys(name for _, _, name in (*PATHS, *LATER_PATHS)),
    "upload",
    "upload_once",
    "download",
)
"""Names of everything that can be asked of the API and its storage."""


READS: Final[frozenset[str]] = frozenset(
    {
        "download",
        "get_balance",
        "get_import",
        "get_links",
        "get_metrics",
        "get_status",
        "get_template",
        "list_campaigns",
        "list_lists",
        "list_templates",
    }
)
"""The operations that change nothing of the account."""


def operation_of(method: str, path: str) -> str:
    """Name the operation, also one that a switch hides; ``unknown`` where there is none."""
    if path.startswith(STORAGE_PREFIX):
        upload = "upload_once" if path.startswith(STORAGE_PREFIX + "once/") else "upload"
        return {"PUT": upload, "GET": "download"}.get(method, "unknown")
    for known_method, template, name in (*PATHS, *LATER_PATHS):
        if method == known_method and _matches(template, path):
            return name
    return "unknown"


def _matches(template: str, path: str) -> bool:
    wanted, given = template.split("/"), path.split("/")
    return len(wanted) == len(given) and all(
        (part.startswith("{") and value) or part == value
        for part, value in zip(wanted, given, strict=True)
    )


DAY_S: Final = 86_400.0


class RateLimiter:
    """Counts what each key sends."""

    def __init__(self, board: SwitchBoard) -> None:
        self._board = board
        self._second: defaultdict[str, deque[float]] = defaultdict(deque)
        self._day: defaultdict[str, deque[float]] = defaultdict(deque)
        self._exhausted_until: float | None = None

    def move(self, seconds: float) -> None:
        """Let everything be so much later, on a clock that began at another time."""
        for instants in (*self._second.values(), *self._day.values()):
            for place, instant in enumerate(instants):
                instants[place] = instant + seconds
        if self._exhausted_until is not None:
            self._exhausted_until += seconds

    def exhaust_day(self, now_s: float, resets_in_s: float) -> None:
        """Use up the day of every key."""
        self._exhausted_until = now_s + resets_in_s

    def exhausted_for(self, now_s: float) -> float | None:
        """Return for how long the day is used up by `exhaust_day`, or None if it is not."""
        until = self._exhausted_until
        return None if until is None or until <= now_s else until - now_s

    def refuse(self, key: str, now_s: float) -> str | None:
        """Count a request, and return None; or return the text that refuses it."""
        on = self._board.on
        # What is kept in a file holds no key.
        hidden = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
        day, second = self._day[hidden], self._second[hidden]
        _forget(day, now_s - DAY_S)
        _forget(second, now_s - 1.0)
        if self._exhausted_until is not None and now_s < self._exhausted_until:
            return on.day_limit_message
        if on.requests_per_day is not None and len(day) >= on.requests_per_day:
            return on.day_limit_message
        if on.requests_per_s is not None and len(second) >= on.requests_per_s:
            return on.second_limit_message
        day.append(now_s)
        second.append(now_s)
        return None


def _forget(instants: deque[float], until: float) -> None:
    while instants and instants[0] <= until:
        instants.popleft()


KEPT_REQUESTS: Final = 10_000
"""Chosen: the requests of a documented day. A server may run for weeks."""

KEPT_BODY_BYTES: Final = 65_536
"""Chosen: a campaign with an ordinary mail is kept whole, a text import of 10 MB is not."""


@attrs.define(kw_only=True)
class RequestRecord:
    """One request.

    Attributes:
        operation: Its name; ``unknown`` where no profile has an endpoint for method and path.
        method: The HTTP method.
        path: The path, decoded.
        query: The query as it came; of storage without its signature.
        at: When it arrived.
        at_s: The same on the clock that never goes back.
        headers: With lower-case names, and without the key's value.
        body: The first 64 KB of what came; empty for uploads.
        body_bytes: How much came; 0 for uploads.
        status: What was answered; None while nothing was, or where the connection was dropped.
        fault: What was made to go wrong, or None.
        request_id: The id that its answer bears, as those of the platform's gateway do.
        duration_ms: How long it took on the machine's clock, until the answer had left or the
            connection was dropped; None before that.
    """

    operation: str
    method: str
    path: str
    query: str
    at: datetime
    at_s: float
    headers: Mapping[str, str]
    body: bytes = attrs.field(default=b"", repr=False)
    body_bytes: int = 0
    status: int | None = None
    fault: str | None = None
    request_id: str = ""
    duration_ms: float | None = None

    def keep(self, body: bytes) -> None:
        """Keep the beginning of a body."""
        self.body, self.body_bytes = body[:KEPT_BODY_BYTES], len(body)

    @property
    def json(self) -> Any:
        """The body, read as JSON.

        Raises:
            ValueError: the body is longer than what is kept of it.
        """
        if self.body_bytes > len(self.body):
            raise ValueError(
                f"the log keeps the first {len(self.body):,} bytes of a body, and this one had "
                f"{self.body_bytes:,}; it cannot be read as JSON"
            )
        return parse_json(self.body)


class RequestLog:
    """The last requests, and the count of all.

    Args:
        seed: One seed gives the same ids of requests.
    """

    OF_PROCESS: ClassVar[frozenset[str]] = frozenset({"_lock"})
    AFRESH: ClassVar[Mapping[str, object]] = {"_records": None}

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(f"requests:{seed}")  # noqa: S311  # reproducible on purpose
        self._records: deque[RequestRecord] = deque(maxlen=KEPT_REQUESTS)
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, record: RequestRecord) -> None:
        """Add a request, give it an id, and forget the oldest one if there are too many."""
        with self._lock:
            record.request_id = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
            self._records.append(record)
            self._counts[record.operation] += 1

    def count(self, operation: str) -> int:
        """Count all requests of an operation, also those that were forgotten."""
        return self._counts[operation]

    @property
    def total(self) -> int:
        """How many requests have arrived in all."""
        return self._counts.total()

    def last(self) -> tuple[RequestRecord, ...]:
        """Return the requests that are kept, in order."""
        with self._lock:
            return tuple(self._records)

    @contextmanager
    def held(self) -> Iterator[tuple[RequestRecord, ...]]:
        """Let no request be added meanwhile; yields those that are kept, in order."""
        with self._lock:
            yield tuple(self._records)

    def hold(self, records: Iterable[RequestRecord]) -> None:
        """Let these be the requests that are kept."""
        self._records = deque(records, maxlen=KEPT_REQUESTS)


Listener = Callable[[RequestRecord], object]


class Listeners:
    """Who is told of each request once it has ended, in the thread that answered it."""

    def __init__(self) -> None:
        self._all: tuple[Listener, ...] = ()
        self._lock = threading.Lock()

    def add(self, listener: Listener) -> None:
        """Tell somebody from now on."""
        with self._lock:
            self._all = (*self._all, listener)

    def remove(self, listener: Listener) -> None:
        """Tell somebody no longer."""
        with self._lock:
            self._all = tuple(each for each in self._all if each != listener)

    @contextmanager
    def including(self, listener: Listener | None) -> Iterator[None]:
        """Tell somebody for as long as the context lasts; None is nobody."""
        if listener is None:
            yield
            return
        self.add(listener)
        try:
            yield
        finally:
            self.remove(listener)

    def tell(self, record: RequestRecord) -> None:
        """Tell everybody; whoever fails is logged, and breaks no request."""
        for listener in self._all:
            try:
                listener(record)
            except Exception:  # noqa: BLE001  # it is anybody's
                _log.exception("A listener of requests failed")
