"""The day's count of requests, kept between runs, so that a restarted job does not begin at 0."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import anyio
import attrs

from newsleopard_async.log import Log
from newsleopard_async.transport.limits.queue import LimiterState

if TYPE_CHECKING:
    from newsleopard_async.store import Store

__all__ = ["DayLog"]

_EVERY_REQUESTS: Final = 10
"""How many requests a crash may leave uncounted; far below what is kept in hand."""

_log: Final = Log()


@attrs.define(eq=False)
class DayLog:
    """Seeds the limiter from a store, and keeps the store up to date.

    Attributes:
        store: Belongs to one key; None keeps nothing.
    """

    store: Store | None
    _is_loaded: bool = False
    _stored: int = 0
    _lock: anyio.Lock = attrs.field(factory=anyio.Lock, init=False, repr=False)

    async def sync(self, state: LimiterState, now: datetime, *, at_once: bool = False) -> None:
        """Read the store before the first request, and write it now and then.

        It is called before a request rather than after one, when nothing can be lost yet.

        Raises:
            Exception: whatever the store raises on reading; nothing was sent.
        """
        if self.store is None or (at_once and not self._is_loaded):
            return
        async with self._lock:
            if not self._is_loaded:
                state.seed_day(_used_on(now, await self.store.load()))
                self._stored, self._is_loaded = state.day_used, True
            used = state.day_used
            if used < self._stored or used - self._stored >= (1 if at_once else _EVERY_REQUESTS):
                await self._save(self.store, used, now)

    async def _save(self, store: Store, used: int, now: datetime) -> None:
        try:
            await store.save({"day": now.date().isoformat(), "used": used})
        except Exception:  # noqa: BLE001 - a count that is not kept is no reason not to work
            _log.exception("the day's count of requests could not be kept")
        else:
            self._stored = used


def _used_on(now: datetime, data: Any) -> int:
    """Read how much was used on this day; anything else in the store is of no use today."""
    if not isinstance(data, Mapping) or data.get("day") != now.date().isoformat():
        return 0
    used = data.get("used")
    return used if isinstance(used, int) and used > 0 else 0
