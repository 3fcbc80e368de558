"""Faults by name: what goes wrong with the next request of an operation, first in, first out."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Mapping
from typing import Final, Literal

import attrs

__all__ = ["GARBAGE", "OPERATIONS", "Fault", "FaultKind", "Faults"]

FaultKind = Literal[
    "not_sent", "drop_request", "lose_reply", "delay", "hang", "answer", "cut_body", "garbage"
]

OPERATIONS: Final = (
    "list_campaigns",
    "export_report",
    "get_links",
    "start_file_import",
    "import_text",
    "get_import",
    "create_list",
    "list_lists",
    "submit_campaign",
    "submit_ab_test",
    "upload",
    "download",
)
"""Names of everything that can be asked of the API and its storage."""

GARBAGE: Final = b'{"sn": "\xff\xfe\xfa'


@attrs.frozen(kw_only=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: What.
        seconds: How long, of a delay or a silence.
        status: What is answered instead.
        body: What is answered instead.
        headers: What is answered instead.
        processed: The request takes effect all the same.
    """

    kind: FaultKind
    seconds: float = 0.0
    status: int = 500
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    processed: bool = True


class Faults:
    """A queue for each operation, and one for whatever comes."""

    def __init__(self) -> None:
        self._queues: defaultdict[str | None, deque[Fault]] = defaultdict(deque)

    def add(self, operation: str | None, fault: Fault, times: int) -> None:
        """Let a fault happen to the next requests of an operation; None means of any.

        Raises:
            ValueError: there is no such operation.
        """
        if operation is not None and operation not in OPERATIONS:
            raise ValueError(f"{operation!r} is none of {', '.join(OPERATIONS)}")
        self._queues[operation].extend([fault] * times)

    def take(self, operation: str, *, only: Collection[FaultKind] | None = None) -> Fault | None:
        """Return what goes wrong with a request, if anything.

        Args:
            operation: Whose request it is.
            only: Kinds to look for; the next fault stays queued if it is another.
        """
        for name in (operation, None):
            queue = self._queues[name]
            if queue:
                return queue.popleft() if only is None or queue[0].kind in only else None
        return None

    def clear(self) -> None:
        """Let everything go well again."""
        self._queues.clear()
