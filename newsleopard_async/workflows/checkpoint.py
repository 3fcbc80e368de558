"""The progress of a pipeline, stored so that a later run can continue it.

The rules:

- A checkpoint is JSON with a version, a checksum and the steps of its pipeline. An older version
  is migrated. A newer version, a damaged file and an edited one are refused. A checkpoint contains
  no API key, no contact and no presigned URL.
- It has a hash of each part of the input. A run is refused if its input differs in a part that must
  not change any more.
- It is stored under a send key, or in a file of its own. Each save is compared with the version
  that this run has read (`record_access`).
- The intent of a step that must not happen twice is stored before the step. An intent without a
  result means that the step possibly happened. A pipeline then looks it up and never repeats it;
  only a decision of a person (`resolve`) can repeat it.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Self, cast

import attrs

from newsleopard_async.clock import Clock, SystemClock, moved
from newsleopard_async.errors import InUse, InvalidRequest, Problem
from newsleopard_async.files import PATH_TYPES, AnyPath, real_path
from newsleopard_async.log import Log
from newsleopard_async.models import CampaignSn
from newsleopard_async.stores.one_file import OneFile
from newsleopard_async.stores.protocol import LockingStore, Store, check_store
from newsleopard_async.workflows.decision import Decision, apply_decision, check_decision
from newsleopard_async.workflows.fingerprint import Fingerprint, still_valid
from newsleopard_async.workflows.record_access import RecordAccess
from newsleopard_async.workflows.run_record import (
    LEASE,
    RunEnd,
    RunRecord,
    StepRecord,
    in_doubt,
    read_run_record,
)
from newsleopard_async.workflows.send_key import (
    StoreLocation,
    marker_of,
    sought_marker_of,
    token_of,
)

__all__ = [
    "Checkpoint",
    "CheckpointLike",
    "RunLocation",
    "problems_of_same_file",
    "with_checkpoint",
]

_log: Final = Log()

_STORED: Final = tuple(attrs.fields_dict(RunRecord))


@attrs.define(kw_only=True, eq=False)
class Checkpoint:
    """The progress of one run.

    Attributes:
        pipeline: The name of the pipeline.
        input_hash: The hash of the whole input.
        input_parts: The hash of each part of the input; empty in a checkpoint of an old version.
        token: The token of this run, or of its send key; the marker in a campaign's name contains
            it.
        records: The state of each step.
        abandoned: Whether a person decided that the run must not continue.
        send_key: The key of the run; None if the checkpoint is at a path.
        account: A hash of origin and API key.
        writer: The random id of the run that wrote last.
        held_until: When the lease of a run ends unless it is renewed, in UTC; None if no run has
            a lease, or the store has locks.
        ended: How the last run ended; None while a run is active, or if its process was stopped.
    """

    pipeline: str
    input_hash: str
    input_parts: dict[str, str] = attrs.field(factory=dict)
    token: str = attrs.field(factory=lambda: secrets.token_hex(4))
    records: dict[str, StepRecord] = attrs.field(factory=dict)
    abandoned: bool = False
    send_key: str | None = None
    account: str | None = attrs.field(default=None, repr=False)
    writer: str | None = attrs.field(default=None, repr=False)
    held_until: datetime | None = None
    ended: RunEnd | None = None
    _store: Store | None = attrs.field(default=None, repr=False)
    _access: RecordAccess | None = attrs.field(default=None, init=False, repr=False)
    _is_in_use: bool = attrs.field(default=False, init=False, repr=False)

    @classmethod
    async def load(cls, source: AnyPath | Store, send_key: str | None = None) -> Self:
        """Read a checkpoint, to inspect it or to `resolve` it.

        Args:
            source: The path that was passed as ``checkpoint``, or the client's store.
            send_key: The key, with a store.

        Raises:
            InvalidRequest: it does not exist, has a newer version, is damaged, or was edited.
        """
        store = _file_at(source) if send_key is None else check_store(source)
        kept = await store.load(send_key or "")
        if kept is None:
            where = f"at {source}" if send_key is None else f"under {send_key!r} in this store"
            raise InvalidRequest.of(
                "checkpoint" if send_key is None else "send_key",
                "missing",
                f"no checkpoint exists {where}; check the path, or the key and the store",
            )
        return cls.read(kept.data, store)

    @classmethod
    async def at(cls, location: RunLocation) -> Self:
        """Read the checkpoint of a run from its place; raises as `load`."""
        if isinstance(location, cls):
            return location
        if isinstance(location, StoreLocation):
            return await cls.load(location.store, location.send_key)
        return await cls.load(cast("AnyPath", location))

    @classmethod
    def read(cls, data: Mapping[str, Any], store: Store | None = None) -> Self:
        """Build a checkpoint from the result of `to_dict`; raises as `load`."""
        return cls(**attrs.asdict(read_run_record(data), recurse=False), store=store)

    @classmethod
    def begun(cls, location: RunLocation | None, pipeline: str, fingerprint: Fingerprint) -> Self:
        """Return the checkpoint that was passed, or a new one for the place that was passed.

        Raises:
            InvalidRequest: the place is not a path, a checkpoint or a send key.
            ConfigurationError: the path is relative to a folder that was deleted.
        """
        if isinstance(location, cls):
            return location
        if location is None:
            return cls(pipeline=pipeline, input_hash=fingerprint.whole)
        if isinstance(location, StoreLocation):
            return cls(
                pipeline=pipeline,
                input_hash=fingerprint.whole,
                token=token_of(location.send_key),
                send_key=location.send_key,
                store=location.store,
            )
        return cls(pipeline=pipeline, input_hash=fingerprint.whole, store=_file_at(location))

    def to_dict(self) -> dict[str, Any]:
        """Return the checkpoint as JSON-safe data, in the form that is stored."""
        return self._stored().to_dict()

    def _stored(self) -> RunRecord:
        fields = {name: getattr(self, name) for name in _STORED}
        return RunRecord(**{**fields, "records": dict(self.records)})

    @property
    def marker(self) -> str:
        """The text that is added to the campaign's name."""
        return marker_of(self.token)

    @property
    def sought_marker(self) -> str:
        """The text to search for in the names of campaigns; it matches any submit of this run."""
        return sought_marker_of(self.token)

    @property
    def name(self) -> str:
        """The name of the run in errors and in the log."""
        if self.send_key is not None:
            return f"the send key {self.send_key!r}"
        store = self._store
        return f"the checkpoint {store.path}" if isinstance(store, OneFile) else "this checkpoint"

    @property
    def _field(self) -> str:
        return "checkpoint" if self.send_key is None else "send_key"

    @property
    def run_id(self) -> str | None:
        """The random id of the run that is using the checkpoint; None without a store."""
        return None if self._access is None else self._access.writer

    async def put(self, step: str, record: StepRecord | None) -> None:
        """Set the record of a step, and save; None removes the record."""
        before = self.records.get(step)
        self.know(step, record)
        try:
            await self._save()
        except Exception:
            # The store does not have the change, so it is undone here. (After a cancelled save it
            # is unknown whether the store has it; then the change stays.)
            if self.records.get(step) == record:
                self.know(step, before)
            raise

    async def report(self, step: str, record: StepRecord | None) -> bool:
        """Store the outcome of a request of this run, even if another run has taken over.

        Returns: Whether the store has it.
        """
        return self._access is not None and await self._access.report(step, record)

    def know(self, step: str, record: StepRecord | None) -> None:
        """Set the record of a step in this process only; None removes the record."""
        if record is None:
            self.records.pop(step, None)
        else:
            self.records[step] = record

    def _learn(self, step: str, known: StepRecord, now: StepRecord | None) -> None:
        """Accept the outcome of a step, as found out by the run that stored its intent."""
        if self.records.get(step) == known or (now is not None and now.is_done):
            found = "it was not sent" if now is None else now.result
            _log.info("an earlier run has found out the outcome of %s: %s", step, found)
            self.know(step, now)

    async def refresh(self) -> None:
        """Read from the store whether an earlier run has found out the outcome of its step."""
        if self._access is not None:
            await self._access.refresh()

    async def _save(self) -> None:
        if self._access is not None:
            self.writer = self._access.writer
            await self._access.save(self._stored)

    async def resolve(
        self,
        decision: Decision,
        campaign_sn: CampaignSn | None = None,
    ) -> None:
        """Decide about a submit, or a similar step, whose outcome is unknown.

        Check the console first (活動列表, or 自動化 for an event). Then run the pipeline again.
        The decision applies to the record in the store, where a later run can have put the outcome.

        Args:
            decision: ``sent``: the step took effect. ``resubmit``: it did not; repeat it.
                ``abandon``: never continue this run. With ``resubmit``, `send_once` first deletes
                the campaign that its upload was for, and begins again only if that succeeds.
            campaign_sn: The campaign's code, with ``sent``; leave it out for an event, or if the
                checkpoint has the code.

        Raises:
            InvalidRequest: there is nothing to decide, or the code is missing, or is not the code
                of the campaign; or the request was sent so recently that it can still take
                effect (the rule ``too-early``).
            InUse: a run is using the checkpoint.
        """
        check_decision(decision, campaign_sn)
        async with self.in_use():
            before = self._stored()
            try:
                self._become(apply_decision(before, decision, campaign_sn))
                await self._save()
            except Exception:
                # The store does not have the decision, so it does not count.
                self._become(before)
                raise

    async def peek(self) -> Self:
        """Return the checkpoint that is in the store now, even while a run is using it."""
        kept = None if self._store is None else await self._store.load(self.send_key or "")
        return self.read(self.to_dict() if kept is None else kept.data)

    async def abandon(self) -> None:
        """Mark the run as abandoned, unless the store raises; the caller holds the lock."""
        self.abandoned = True
        try:
            await self._save()
        except Exception:
            self.abandoned = False
            raise

    def _become(self, other: RunRecord) -> None:
        for name in _STORED:
            setattr(self, name, getattr(other, name))

    @property
    def has_lease(self) -> bool:
        """Whether a lease in the record protects the run, because its store has no locks."""
        return self._store is not None and not isinstance(self._store, LockingStore)

    @contextlib.asynccontextmanager
    async def in_use(self, clock: Clock | None = None) -> AsyncIterator[None]:
        """Lock the checkpoint, and read its record from the store.

        Args:
            clock: The clock that decides whether the lease of another run is over; by default
                the system's.

        Raises:
            InUse: another run has it.
            InvalidRequest: it has a newer version, is damaged, or was edited.
        """
        if self._is_in_use:
            raise self._in_use_error()
        self._is_in_use = True
        try:
            with self._locked():
                await self._take_over((clock or SystemClock()).now())
                yield
        finally:
            self._is_in_use = False

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            if isinstance(self._store, LockingStore):
                try:
                    stack.enter_context(self._store.locked(self.send_key or ""))
                except InUse:
                    raise self._in_use_error() from None
            yield

    async def _take_over(self, now: datetime) -> None:
        if self._store is None:
            return
        access = RecordAccess(
            store=self._store, key=self.send_key or "", name=self.name, learn=self._learn
        )
        stored = await access.load()
        if stored is not None:
            left = stored.held_for(now)
            if self.has_lease and left is not None:
                raise self._in_use_error(left)
            self._become(stored)
        self._access = access

    def _in_use_error(self, left: timedelta | None = None) -> InUse:
        return InUse(
            f"another run is using {self.name}; wait until it has ended",
            retry_after_s=None if left is None else left.total_seconds(),
        )

    async def acquire(self, account: str, now: datetime) -> None:
        """Begin a run; under a send key, its record is stored from the start.

        Raises:
            InUse: another run has taken over.
            Exception: any error of the store.
        """
        self.account, self.ended = account, None
        self.held_until = moved(now, LEASE) if self.has_lease else None
        if self.send_key is not None or self.has_lease:
            await self._save()

    async def renew(self, now: datetime) -> None:
        """Extend the lease, because the run is still active; raises as `acquire`."""
        self.held_until = moved(now, LEASE)
        await self._save()

    async def release(self, ended: RunEnd | None) -> None:
        """End the run, and store how it ended; None if it was cancelled; raises as `acquire`."""
        is_held, self.held_until, self.ended = self.held_until is not None, None, ended
        is_kept = self._access is not None and self._access.seen is not None
        if is_held or (is_kept and ended is not None):
            await self._save()

    @property
    def in_doubt(self) -> str | None:
        """The key of the step that sends mails and whose outcome is unknown, if there is one."""
        return in_doubt(self.records)

    def check(self, pipeline: str, fingerprint: Fingerprint, account: str | None = None) -> None:
        """Check that the checkpoint belongs to this run; accept the changes that are allowed.

        Raises:
            InvalidRequest: it belongs to another pipeline, other input or another account, or it
                was abandoned.
        """
        if self.abandoned:
            raise InvalidRequest.of(
                self._field,
                "abandoned",
                'this run was abandoned by resolve("abandon"), call_off or cancel; start a new run '
                "with another send key or checkpoint",
            )
        if self.pipeline != pipeline:
            raise InvalidRequest.of(
                self._field,
                "pipeline",
                f"belongs to {self.pipeline}, not to {pipeline}; use another send key or "
                "checkpoint for each pipeline",
            )
        self.check_account(account)
        if self.input_hash != fingerprint.whole:
            self.records = still_valid(
                self.records, self.input_parts, fingerprint, field=self._field
            )
        self.input_hash, self.input_parts = fingerprint.whole, dict(fingerprint.parts)

    def check_account(self, account: str | None) -> None:
        """Raise InvalidRequest if a send key was begun with another account."""
        if self.send_key is not None and len({self.account, account} - {None}) > 1:
            raise InvalidRequest.of(
                "send_key",
                "other-account",
                "was begun with another API key or base URL; use that one to continue the run, or "
                "use other send keys or another store for this account",
            )


CheckpointLike = AnyPath | Checkpoint
"""The values of ``checkpoint=``: a path, or the ``.checkpoint`` of an error."""

RunLocation = CheckpointLike | StoreLocation
"""The place of a run: a path, a checkpoint, or a send key in a store."""


def _file_at(path: object) -> OneFile:
    """Return the store of one file at a path; refuse a store instead of a path."""
    if hasattr(path, "load") and hasattr(path, "save"):
        raise InvalidRequest.of(
            "checkpoint",
            "type",
            "must be a path. Pass a store to the client, NewsLeopard(store=…), and a send_key to "
            "the call: the store keeps the run under that key. A store of your own must compare "
            "versions before it saves: see newsleopard_async.Store",
        )
    return OneFile.at(path)


def problems_of_same_file(
    field: str, path: object, location: RunLocation | None
) -> Iterator[Problem]:
    """Yield a problem if an output file would replace the checkpoint."""
    kept: object = location
    if isinstance(kept, Checkpoint):
        kept = kept._store  # noqa: SLF001 - of a class of this module
    kept = kept.path if isinstance(kept, OneFile) else kept
    if not (isinstance(path, PATH_TYPES) and isinstance(kept, PATH_TYPES)):
        return
    # A value that is not a path is refused elsewhere.
    with contextlib.suppress(OSError, ValueError):
        if real_path(path) == real_path(kept):
            yield Problem(field, "same-file", "is the checkpoint; name another file")


async def with_checkpoint(error: InvalidRequest, location: RunLocation | None) -> InvalidRequest:
    """Return an error of a run that could not begin, with the checkpoint of the earlier runs."""
    if location is not None:
        # The checkpoint can be damaged too, but the caller needs the first error.
        with contextlib.suppress(Exception):
            error.checkpoint = await Checkpoint.at(location)
    return error
