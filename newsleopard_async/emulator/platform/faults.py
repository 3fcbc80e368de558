"""The faults that a test sets for the next requests."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Mapping
from itertools import groupby
from typing import ClassVar, Final, Literal

import attrs

from newsleopard_async.emulator.platform.gateway import OPERATIONS
from newsleopard_async.emulator.platform.timeline import ChangeCounter

__all__ = ["GARBAGE", "Fault", "FaultKind", "Faults", "PendingFault"]

FaultKind = Literal[
    "not_sent",
    "drop_request",
    "lose_reply",
    "delay",
    "hang",
    "answer",
    "throttle",
    "cut_body",
    "garbage",
]

GARBAGE: Final = b'{"sn": "\xff\xfe\xfa'


@attrs.frozen(kw_only=True)
class Fault:
    """One fault of a request.

    Attributes:
        kind: The kind of the fault.
        seconds: The duration of a delay or a silence.
        status: The status of the answer that replaces the real one.
        body: The body of the answer that replaces the real one.
        headers: The headers of the answer that replaces the real one.
        processed: Whether the request takes effect.
    """

    kind: FaultKind
    seconds: float = 0.0
    status: int = 500
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    processed: bool = True


@attrs.frozen(kw_only=True)
class PendingFault:
    """A fault of the next requests of an operation.

    Attributes:
        operation: The operation; None for any.
        fault: The fault.
        times: The number of requests in a row that get the fault.
    """

    operation: str | None
    fault: Fault
    times: int

    @property
    def kind(self) -> FaultKind:
        """The kind of the fault."""
        return self.fault.kind


class Faults:
    """A queue of faults for each operation, and one for requests of any operation."""

    OF_PROCESS: ClassVar[frozenset[str]] = frozenset({"_changes"})

    def __init__(self, changes: ChangeCounter) -> None:
        self._changes = changes
        self._queues: defaultdict[str | None, deque[Fault]] = defaultdict(deque)

    def add(self, operation: str | None, fault: Fault, times: int) -> None:
        """Set a fault for the next requests of an operation; None means any operation.

        Raises:
            ValueError: the operation is unknown.
        """
        if operation is not None and operation not in OPERATIONS:
            known = ", ".join(OPERATIONS)
            raise ValueError(f"operation: must be one of {known}, not {operation!r}")
        self._queues[operation].extend([fault] * times)

    def take(self, operation: str, *, only: Collection[FaultKind] | None = None) -> Fault | None:
        """Take the next fault of a request, if there is one.

        Args:
            operation: The operation of the request.
            only: The kinds to take; a next fault of another kind stays in the queue.
        """
        for name in (operation, None):
            queue = self._queues[name]
            if queue:
                if only is not None and queue[0].kind not in only:
                    return None
                self._changes.add()
                return queue.popleft()
        return None

    def pending(self) -> tuple[PendingFault, ...]:
        """Return the faults that have not happened yet, for each operation in their order."""
        return tuple(
            PendingFault(operation=operation, fault=fault, times=len(list(same)))
            for operation, queue in self._queues.items()
            for fault, same in groupby(queue)
        )

    def clear(self) -> None:
        """Discard all faults."""
        self._queues.clear()
