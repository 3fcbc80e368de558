"""The fence around a record: one run changes it, and none that has lost it.

The rules:

- Each save is compared with the revision that this run has seen. So two runs never both store an
  intent, whatever each believes of the other.
- A save that failed may have been stored all the same. A look tells: the same content by this
  writer was stored; the old revision was not; another writer has taken over, which is `InUse`. A
  store with locks is of files: its errors count, since what can be seen may not be on the disk, and
  a lock may be gone although nobody has written.
- A run that has lost its record saves nothing more, with one exception: what became of its own
  request. That passes the fence, on top of what the other run has stored, if its own intent is
  still there without a result. The other run then takes it over.
- One save at a time: those of steps and those that renew the hold do not cross.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

import anyio
import attrs

from newsleopard_async.errors import InUse
from newsleopard_async.stores.protocol import LockingStore, Store
from newsleopard_async.workflows.run_record import RunRecord, StepRecord, read_run_record

__all__ = ["RecordAccess"]

_ATTEMPTS: Final = 4
"""Chosen: a save of one's own that arrives late and a result that passes the fence cost one more
each. Without a bound two runs could go on for ever."""


@attrs.define(kw_only=True, eq=False)
class RecordAccess:
    """A record under a key of a store, as one run changes it.

    Attributes:
        store: Where it is.
        key: Under which key.
        name: What the caller calls it, for an error.
        learn: Called with a step, what this run knew of it, and what the store has now, if the
            run that stored the intent has found out since what became of it.
        writer: The random id of this run.
        seen: What the store held when this run last looked, or saved.
    """

    store: Store
    key: str
    name: str
    learn: Callable[[str, StepRecord, StepRecord | None], None]
    writer: str = attrs.field(factory=lambda: secrets.token_hex(8))
    seen: RunRecord | None = attrs.field(default=None, init=False)
    _revision: str | None = attrs.field(default=None, init=False)
    _is_save_known: bool = attrs.field(default=True, init=False)
    _lost: str = attrs.field(default="", init=False)
    _saving: anyio.Lock = attrs.field(factory=anyio.Lock, init=False)

    async def load(self) -> RunRecord | None:
        """Read the record for the first time; None if there is none."""
        kept = await self.store.load(self.key)
        if kept is not None:
            self.seen, self._revision = read_run_record(kept.data), kept.revision
        return self.seen

    async def save(self, build: Callable[[], RunRecord]) -> None:
        """Save the record, unless another run has it.

        Args:
            build: Makes what is to be saved, of what is known by then.

        Raises:
            InUse: another run has taken it over; from now on this one saves nothing.
            Exception: any error of the store; then it was not saved, as far as can be seen.
        """
        async with self._saving:
            if self._lost:
                raise InUse(self._lost)
            failed: Exception | None = None
            for _ in range(_ATTEMPTS):
                if not self._is_save_known and await self._is_saved(build, failed):
                    return
                try:
                    await self._try(build())
                except InUse as error:
                    if isinstance(self.store, LockingStore):
                        self._lost = str(error)
                        raise
                    failed = error
                except Exception as error:  # noqa: BLE001 - whatever a caller's store raises
                    failed = error
                else:
                    return
            assert failed is not None
            raise failed

    async def _try(self, wanted: RunRecord) -> None:
        # A cancellation leaves it open whether it was saved.
        self._is_save_known = False
        self._revision = await self.store.save(self.key, wanted.to_dict(), self._revision)
        self.seen, self._is_save_known = wanted, True

    async def _is_saved(self, build: Callable[[], RunRecord], failed: Exception | None) -> bool:
        """Look what became of the last save; say whether it was the one that is wanted now.

        Raises:
            InUse: another run has taken over.
            Exception: why it failed, if it was not saved, and trying again would be of no use.
        """
        before = self._revision
        try:
            await self._catch_up()
        except InUse:
            raise
        except Exception:
            if failed is not None:
                raise failed from None
            raise
        is_changed = self._revision != before
        is_final = not is_changed or isinstance(self.store, LockingStore)
        if failed is not None and not isinstance(failed, InUse) and is_final:
            raise failed
        return is_changed and self.seen is not None and self.seen.to_dict() == build().to_dict()

    async def refresh(self) -> None:
        """Take over what another run may have reported of its own step.

        Raises:
            InUse: another run has taken over.
            Exception: any error of the store.
        """
        async with self._saving:
            await self._catch_up()

    async def _catch_up(self) -> None:
        kept = await self.store.load(self.key)
        if (None if kept is None else kept.revision) != self._revision:
            stored = None if kept is None else read_run_record(kept.data)
            if kept is None or stored is None or stored.writer != self.writer:
                self._lost = (
                    f"another run has taken {self.name} over, and this one stopped; run again with "
                    "it to see what became of the work"
                )
                raise InUse(self._lost)
            self._compare(stored)
            self.seen, self._revision = stored, kept.revision
        self._is_save_known = True

    def _compare(self, stored: RunRecord) -> None:
        """Find what another run has reported: its own intents, by now with a result or gone."""
        for step, known in {} if self.seen is None else self.seen.records.items():
            now = stored.records.get(step)
            if not known.is_done and known.writer != self.writer and now != known:
                self.learn(step, known, now)

    async def report(self, step: str, record: StepRecord | None) -> bool:
        """Store what became of a request of this run, though another run has taken over.

        Args:
            step: Its step.
            record: What became of it; None if it was certainly not sent.
        Returns: Whether the store has it.

        Raises:
            Exception: any error of the store at a look.
        """
        async with self._saving:
            for _ in range(_ATTEMPTS):
                kept = await self.store.load(self.key)
                stored = None if kept is None else read_run_record(kept.data)
                if kept is None or stored is None:
                    return False
                there = stored.records.get(step)
                if there == record:
                    return True
                if there is None or there.is_done or there.writer != self.writer:
                    return False
                records = {key: each for key, each in stored.records.items() if key != step}
                if record is not None:
                    records[step] = record
                # Whoever has it keeps it. If nobody has, how that run ended is out of date.
                passed = attrs.evolve(stored, records=records, ended=None)
                try:
                    await self.store.save(self.key, passed.to_dict(), kept.revision)
                except Exception:  # noqa: BLE001, S112 - the next look shows what became of it
                    continue
                return True
            return False
