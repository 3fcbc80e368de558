"""Durable sends: campaigns that SQLite or Postgres stores until workers have sent them (DBOS)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from newsleopard_async.lazy import names_from

if TYPE_CHECKING:
    from newsleopard_async.durable.durable import Durable, Send, WorkerStatus
    from newsleopard_async.durable.spec import SendSpec
    from newsleopard_async.durable.status import SendState, SendStatus
    from newsleopard_async.durable.worker import Worker

__all__ = [
    "Durable",
    "Send",
    "SendSpec",
    "SendState",
    "SendStatus",
    "Worker",
    "WorkerStatus",
]

_MODULES = {
    "durable.durable": ("Durable", "Send", "WorkerStatus"),
    "durable.spec": ("SendSpec",),
    "durable.status": ("SendState", "SendStatus"),
    "durable.worker": ("Worker",),
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = names_from(__name__, _MODULES)
