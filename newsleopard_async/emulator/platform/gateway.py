"""The gateway of the API: operations, rate limits, and the log of requests.

The limits apply to any sliding second and any sliding 24 hours, separately for each key (T05 to
T07). A refused request does not count here; the platform does not document it. A request is
matched with literal paths first, and ``//`` never matches one slash (T12).
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
"""Method, path and operation of each documented endpoint, in the order of matching."""

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
"""The same for the endpoints that only the vendor's notes have, matched after them (T18)."""

OPERATIONS: Final[tuple[str, ...]] = (
    *dict.fromkeys(name for _, _, name in (*PATHS, *LATER_PATHS)),
    "upload",
    "upload_once",
    "download",
)
"""The names of all operations of the API and its storage."""

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
"""The operations that do not change the account."""


def operation_of(method: str, path: str) -> str:
    """Return the operation of a request, even if a switch disables it; else ``unknown``."""
    if path.startswith(STORAGE_PREFIX):
        upload = "upload_once" if path.startswith(STORAGE_PREFIX + "once/") else "upload"
        return {"PUT": upload, "GET": "download"}.get(method, "unknown")
    for known_method, template, name in (*PATHS, *LATER_PATHS):
        if method == known_method and _matches(template, path):
            return name
    return "unknown"


def _matches(template: str, path: str) -> bool:
    parts, values = template.split("/"), path.split("/")
    return len(parts) == len(values) and all(
        (part.startswith("{") and value) or part == value
        for part, value in zip(parts, values, strict=True)
    )


DAY_S: Final = 86_400.0


class RateLimiter:
    """Counts the requests of each key, and refuses those above the limits."""

    def __init__(self, board: SwitchBoard) -> None:
        self._board = board
        self._second: defaultdict[str, deque[float]] = defaultdict(deque)
        self._day: defaultdict[str, deque[float]] = defaultdict(deque)
        self._exhausted_until: float | None = None

    def move(self, seconds: float) -> None:
        """Move all times, for a clock that began at another time."""
        for instants in (*self._second.values(), *self._day.values()):
            for place, instant in enumerate(instants):
                instants[place] = instant + seconds
        if self._exhausted_until is not None:
            self._exhausted_until += seconds

    def exhaust_day(self, now_s: float, resets_in_s: float) -> None:
        """Use up the daily quota of every key."""
        self._exhausted_until = now_s + resets_in_s

    def exhausted_for(self, now_s: float) -> float | None:
        """Return the seconds until the reset after `exhaust_day`, or None without it."""
        until = self._exhausted_until
        return None if until is None or until <= now_s else until - now_s

    def refuse(self, key: str, now_s: float) -> str | None:
        """Count a request and return None, or return the text of its refusal."""
        on = self._board.on
        # A file with the state must not contain keys.
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
"""Chosen: the documented daily quota; the log is limited because a server can run for weeks."""

KEPT_BODY_BYTES: Final = 65_536
"""Chosen: enough for a campaign with an ordinary mail, but not for a text import of 10 MB."""


@attrs.define(kw_only=True)
class RequestRecord:
    """One request.

    Attributes:
        operation: The operation; ``unknown`` if no profile has an endpoint for method and path.
        method: The HTTP method.
        path: The path, decoded.
        query: The query, unchanged; empty for storage, because it contains a signature.
        at: When the request arrived.
        at_s: The same in monotonic time.
        headers: The headers, with lower-case names and without the key's value.
        body: The first 64 KB of the body; empty for uploads.
        body_bytes: The size of the whole body; 0 for uploads.
        status: The status of the answer; None before it, or if the connection was dropped.
        fault: The kind of the fault that happened to it, or None.
        request_id: The id in the headers of the answer, as on the platform's gateway.
        duration_ms: How long the request took on the machine's clock, until the answer was sent or
            the connection was dropped; None before that.
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
        """Store the beginning of a body."""
        self.body, self.body_bytes = body[:KEPT_BODY_BYTES], len(body)

    @property
    def json(self) -> Any:
        """The body, parsed as JSON.

        Raises:
            ValueError: the body is longer than the log stores.
        """
        if self.body_bytes > len(self.body):
            raise ValueError(
                f"the log stores the first {len(self.body):,} bytes of a body, and this one had "
                f"{self.body_bytes:,}, so it is not whole JSON; read .body instead"
            )
        return parse_json(self.body)


class RequestLog:
    """The last requests, and the number of all.

    Args:
        seed: The seed of the request ids.
    """

    OF_PROCESS: ClassVar[frozenset[str]] = frozenset({"_lock"})
    AFRESH: ClassVar[Mapping[str, object]] = {"_records": None}

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(f"requests:{seed}")  # noqa: S311  # reproducible on purpose
        self._records: deque[RequestRecord] = deque(maxlen=KEPT_REQUESTS)
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, record: RequestRecord) -> None:
        """Add a request, give it an id, and drop the oldest one if there are too many."""
        with self._lock:
            record.request_id = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
            self._records.append(record)
            self._counts[record.operation] += 1

    def count(self, operation: str) -> int:
        """Return the number of all requests of an operation, including dropped ones."""
        return self._counts[operation]

    @property
    def total(self) -> int:
        """The number of requests that have arrived."""
        return self._counts.total()

    def last(self) -> tuple[RequestRecord, ...]:
        """Return the stored requests, in order."""
        with self._lock:
            return tuple(self._records)

    @contextmanager
    def held(self) -> Iterator[tuple[RequestRecord, ...]]:
        """Lock the log; yields the stored requests, in order."""
        with self._lock:
            yield tuple(self._records)

    def hold(self, records: Iterable[RequestRecord]) -> None:
        """Replace the stored requests."""
        self._records = deque(records, maxlen=KEPT_REQUESTS)


Listener = Callable[[RequestRecord], object]


class Listeners:
    """Functions that are called after each request has ended, in the thread that answered it."""

    def __init__(self) -> None:
        self._all: tuple[Listener, ...] = ()
        self._lock = threading.Lock()

    def add(self, listener: Listener) -> None:
        """Add a listener."""
        with self._lock:
            self._all = (*self._all, listener)

    def remove(self, listener: Listener) -> None:
        """Remove a listener."""
        with self._lock:
            self._all = tuple(each for each in self._all if each != listener)

    @contextmanager
    def including(self, listener: Listener | None) -> Iterator[None]:
        """Add a listener for as long as the context lasts; None adds none."""
        if listener is None:
            yield
            return
        self.add(listener)
        try:
            yield
        finally:
            self.remove(listener)

    def tell(self, record: RequestRecord) -> None:
        """Call all listeners; an exception of one is logged, and does not fail the request."""
        for listener in self._all:
            try:
                listener(record)
            except Exception:  # noqa: BLE001  # a listener is the user's code
                _log.exception("A listener of requests failed")
