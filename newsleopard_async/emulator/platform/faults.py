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


@attrs.frozen(kw_only=True)
class PendingFault:
    """What will go wrong with the next requests of an operation.

    Attributes:
        operation: Whose requests; None for those of any operation.
        fault: What goes wrong.
        times: How many requests in a row it happens to.
    """

    operation: str | None
    fault: Fault
    times: int

    @property
    def kind(self) -> FaultKind:
        """What goes wrong, in a word."""
        return self.fault.kind


class Faults:
    """A queue of faults for each operation, and one for requests of any operation."""

    OF_PROCESS: ClassVar[frozenset[str]] = frozenset({"_changes"})

    def __init__(self, changes: ChangeCounter) -> None:
        self._changes = changes
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
                if only is not None and queue[0].kind not in only:
                    return None
                self._changes.add()
                return queue.popleft()
        return None

    def pending(self) -> tuple[PendingFault, ...]:
        """Return what has not happened yet, of each operation in its order."""
        return tuple(
            PendingFault(operation=operation, fault=fault, times=len(list(same)))
            for operation, queue in self._queues.items()
            for fault, same in groupby(queue)
        )

    def clear(self) -> None:
        """Let everything go well again."""
        self._queues.clear()
