"""Access to a run record: only one run changes it, and a run that has lost it changes nothing.

The rules:

- Each save names the revision that this run has read. So two runs never both store an
  intent, even if each believes that it holds the record.
- A save that raised an error can still have been stored. The record is read again: the same content
  by this writer means stored, the old revision means not stored, another writer means `InUse`. In
  a store with locks (of files), the error counts, because the content that can be read is possibly
  not on the disk yet, and a lock can be lost without a write.
- A run that has lost its record saves nothing more, with one exception: the outcome of its own
  request. The outcome is added to the record of the other run, if the own intent is still there
  without a result. The other run then accepts it.
- One save at a time: saves of steps and renewals of the lease do not overlap.
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
"""Chosen: 4, because an own save that arrives late and an outcome of another run cost one more
attempt each. Without a limit two runs could repeat their saves without end."""


@attrs.define(kw_only=True, eq=False)
class RecordAccess:
    """The record under a key of a store, for one run.

    Attributes:
        store: The store.
        key: The key.
        name: The name of the run in errors.
        learn: Called with a step, the record that this run knew, and the record in the store, if
            the run that stored the intent has found out the outcome.
        writer: The random id of this run.
        seen: The record at the last read or save of this run.
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
        """Read the record for the first time; None if it does not exist."""
        kept = await self.store.load(self.key)
        if kept is not None:
            self.seen, self._revision = read_run_record(kept.data), kept.revision
        return self.seen

    async def save(self, build: Callable[[], RunRecord]) -> None:
        """Save the record, unless another run has it.

        Args:
            build: Builds the record to save, at the moment of each attempt.

        Raises:
            InUse: another run has taken over; after this, this run saves nothing.
            Exception: any error of the store; then the record was not saved, as far as is known.
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
                except Exception as error:  # noqa: BLE001 - a caller's store can raise anything
                    failed = error
                else:
                    return
            assert failed is not None
            raise failed

    async def _try(self, wanted: RunRecord) -> None:
        # After a cancellation it is unknown whether the record was saved.
        self._is_save_known = False
        self._revision = await self.store.save(self.key, wanted.to_dict(), self._revision)
        self.seen, self._is_save_known = wanted, True

    async def _is_saved(self, build: Callable[[], RunRecord], failed: Exception | None) -> bool:
        """Read the record after a failed save; return whether the store has the wanted record.

        Raises:
            InUse: another run has taken over.
            Exception: the error of the save, if it was not saved and a repetition is useless.
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
        """Read the outcomes that another run has reported of its own step.

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
                    f"another run has taken over {self.name}, and this run stopped; run it again "
                    "to get the outcome"
                )
                raise InUse(self._lost)
            self._compare(stored)
            self.seen, self._revision = stored, kept.revision
        self._is_save_known = True

    def _compare(self, stored: RunRecord) -> None:
        """Find the steps whose outcome another run has reported: with a result, or removed."""
        for step, known in {} if self.seen is None else self.seen.records.items():
            now = stored.records.get(step)
            if not known.is_done and known.writer != self.writer and now != known:
                self.learn(step, known, now)

    async def report(self, step: str, record: StepRecord | None) -> bool:
        """Store the outcome of a request of this run, even if another run has taken over.

        Args:
            step: The step of the request.
            record: The outcome; None if the request was certainly not sent.
        Returns: Whether the store has it.

        Raises:
            Exception: any error of the store while reading.
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
                # The hold of the other run stays. Without a hold, the stored end is out of date.
                passed = attrs.evolve(stored, records=records, ended=None)
                try:
                    await self.store.save(self.key, passed.to_dict(), kept.revision)
                except Exception:  # noqa: BLE001, S112 - the next read shows the outcome
                    continue
                return True
            return False
