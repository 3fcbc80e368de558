"""What a pipeline has done, kept so that it can go on after whatever happened.

The rules:

- A checkpoint is JSON with a version and a checksum, and knows the steps of its pipeline. An
  older version is migrated; a newer one, a damaged one, and one that was edited are refused.
  It holds no key, no contact and no presigned URL.
- It has a hash of each part of the input, and refuses to go on with what may no longer change.
- It is kept in a store under a send key, or in a file of its own. Each save is compared with what
  this run has seen (`record_access`).
- The intent of a step that must not happen twice is stored before the step. An intent
  without a result means that it may have happened. A pipeline looks it up, and never does
  it again; only a person's `resolve` can say so.
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
    """What a pipeline has done.

    Attributes:
        pipeline: Which pipeline.
        input_hash: Of what it was asked to do.
        input_parts: Of each part of that; empty if it was made before there were any.
        token: Of this run, or of its send key; the marker in a campaign's name is made of it.
        records: Step by step.
        abandoned: Whether a person decided that it is not to go on.
        send_key: Under which key it was begun; None for the checkpoint of a path.
        account: A hash of origin and API key.
        writer: The run that wrote last, by its random id.
        held_until: When the hold of a run ends unless it is renewed, in UTC; None if no run has it,
            or its lock is not in the record.
        ended: How the last run ended; None while one is under way, or if it was killed.
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
        """Read a checkpoint, to look at it or to `resolve` it.

        Args:
            source: The path that was given as ``checkpoint``, or the client's store.
            send_key: The key, with a store.

        Raises:
            InvalidRequest: there is none, or it is of a newer version, damaged, or was edited.
        """
        store = _file_at(source) if send_key is None else check_store(source)
        kept = await store.load(send_key or "")
        if kept is None:
            where = f"at {source}" if send_key is None else f"under {send_key!r} in this store"
            raise InvalidRequest.of(
                "checkpoint" if send_key is None else "send_key",
                "missing",
                f"there is no checkpoint {where}",
            )
        return cls.read(kept.data, store)

    @classmethod
    async def at(cls, given: RunLocation) -> Self:
        """Read the checkpoint of a run that is kept somewhere.

        Raises:
            InvalidRequest: as `load`.
        """
        if isinstance(given, cls):
            return given
        if isinstance(given, StoreLocation):
            return await cls.load(given.store, given.send_key)
        return await cls.load(cast("AnyPath", given))

    @classmethod
    def read(cls, data: Mapping[str, Any], store: Store | None = None) -> Self:
        """Build a checkpoint from what `to_dict` gave.

        Raises:
            InvalidRequest: it is of a newer version, damaged, or was edited.
        """
        return cls(**attrs.asdict(read_run_record(data), recurse=False), store=store)

    @classmethod
    def begun(cls, given: RunLocation | None, pipeline: str, fingerprint: Fingerprint) -> Self:
        """Return the checkpoint that a run was given, or a new one for where it is to be.

        Raises:
            InvalidRequest: it is not known where that is.
            ConfigurationError: it is relative to a folder that is gone.
        """
        if isinstance(given, cls):
            return given
        if given is None:
            return cls(pipeline=pipeline, input_hash=fingerprint.whole)
        if isinstance(given, StoreLocation):
            return cls(
                pipeline=pipeline,
                input_hash=fingerprint.whole,
                token=token_of(given.send_key),
                send_key=given.send_key,
                store=given.store,
            )
        return cls(pipeline=pipeline, input_hash=fingerprint.whole, store=_file_at(given))

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-safe data, as it is stored."""
        return self._stored().to_dict()

    def _stored(self) -> RunRecord:
        fields = {name: getattr(self, name) for name in _STORED}
        return RunRecord(**{**fields, "records": dict(self.records)})

    @property
    def marker(self) -> str:
        """What is added to the campaign's name."""
        return marker_of(self.token)

    @property
    def sought_marker(self) -> str:
        """What is looked for in the names of campaigns: the marker of any submit of this run."""
        return sought_marker_of(self.token)

    @property
    def name(self) -> str:
        """What the caller calls it, for an error or the log."""
        if self.send_key is not None:
            return f"the send key {self.send_key!r}"
        store = self._store
        return f"the checkpoint {store.path}" if isinstance(store, OneFile) else "this checkpoint"

    @property
    def _field(self) -> str:
        return "checkpoint" if self.send_key is None else "send_key"

    @property
    def run_id(self) -> str | None:
        """The random id of the run that is using it; None if no store keeps it."""
        return None if self._access is None else self._access.writer

    async def put(self, step: str, record: StepRecord | None) -> None:
        """Note what is known of a step, and keep it; None forgets the step."""
        before = self.records.get(step)
        self.know(step, record)
        try:
            await self._save()
        except Exception:
            # What could not be stored does not count. (Of a cancelled save nobody knows
            # whether it took place; there, what is so stays known.)
            if self.records.get(step) == record:
                self.know(step, before)
            raise

    async def report(self, step: str, record: StepRecord | None) -> bool:
        """Keep what became of a request of this run, though another run has taken over.

        Returns: Whether the store has it.
        """
        return self._access is not None and await self._access.report(step, record)

    def know(self, step: str, record: StepRecord | None) -> None:
        """Note what is known of a step in this process only; None forgets the step."""
        if record is None:
            self.records.pop(step, None)
        else:
            self.records[step] = record

    def _learn(self, step: str, known: StepRecord, now: StepRecord | None) -> None:
        """Take over what the run that stored an intent has found out."""
        if self.records.get(step) == known or (now is not None and now.is_done):
            found = "it was not sent" if now is None else now.result
            _log.info("an earlier run has found out what became of %s: %s", step, found)
            self.know(step, now)

    async def refresh(self) -> None:
        """Take over what an earlier run has found out since, of a step that it had begun."""
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
        """Decide about a submit, or another such step, if it is not known whether it took effect.

        Look in the console first (活動列表, or 自動化 for an event). Then run the pipeline again.
        The decision is about what the store holds now: a run since then may have found the answer.

        Args:
            decision: ``sent``: it took effect; ``resubmit``: it did not, do it; ``abandon``:
                leave it, and refuse to go on. With ``resubmit``, `send_once` first deletes the
                campaign that its upload was for, and begins anew if that is deleted.
            campaign_sn: The campaign's code, with ``sent``; where it is known already, it may be
                left out, and an event has none.

        Raises:
            InvalidRequest: there is nothing to decide, or the code is missing, or is another; or
                the request may still be on its way, which the rule ``too-early`` says.
            InUse: a run is using it.
        """
        check_decision(decision, campaign_sn)
        async with self.in_use():
            before = self._stored()
            try:
                self._become(apply_decision(before, decision, campaign_sn))
                await self._save()
            except Exception:
                # What could not be stored was not decided.
                self._become(before)
                raise

    async def peek(self) -> Self:
        """Return what the store holds now, whether or not a run is using it.

        Raises:
            InvalidRequest: it is of a newer version, damaged, or was edited.
        """
        kept = None if self._store is None else await self._store.load(self.send_key or "")
        return self.read(self.to_dict() if kept is None else kept.data)

    async def abandon(self) -> None:
        """Note that it is not to go on; the caller holds it.

        Raises: any error of the store; then it does not count.
        """
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
        """Whether it is held by what the record says, since its store has no locks."""
        return self._store is not None and not isinstance(self._store, LockingStore)

    @contextlib.asynccontextmanager
    async def in_use(self, clock: Clock | None = None) -> AsyncIterator[None]:
        """Keep other runs away that can be kept away, and take over what the store holds.

        Args:
            clock: Says whether the hold of another run is over; by default, the system's.

        Raises:
            InUse: another run has it.
            InvalidRequest: it is of a newer version, damaged, or was edited.
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
        """Begin a run; under a send key, a record of it is there from the start.

        Raises:
            InUse: another run was faster.
            Exception: any error of the store.
        """
        self.account, self.ended = account, None
        self.held_until = moved(now, LEASE) if self.has_lease else None
        if self.send_key is not None or self.has_lease:
            await self._save()

    async def renew(self, now: datetime) -> None:
        """Say that the run lives.

        Raises:
            InUse: another run has taken over.
            Exception: any error of the store.
        """
        self.held_until = moved(now, LEASE)
        await self._save()

    async def release(self, ended: RunEnd | None) -> None:
        """End a run, and say how; None if it was cancelled.

        Raises:
            InUse: another run has taken over.
            Exception: any error of the store.
        """
        is_held, self.held_until, self.ended = self.held_until is not None, None, ended
        is_kept = self._access is not None and self._access.seen is not None
        if is_held or (is_kept and ended is not None):
            await self._save()

    @property
    def in_doubt(self) -> str | None:
        """The record of a step that reaches a reader, and of which the outcome is not known."""
        return in_doubt(self.records)

    def check(self, pipeline: str, fingerprint: Fingerprint, account: str | None = None) -> None:
        """Refuse to go on with anything but what was begun; take over what may change.

        Raises:
            InvalidRequest: it is of another pipeline or other input, or was abandoned; or a send
                key was begun for another account.
        """
        if self.abandoned:
            raise InvalidRequest.of(self._field, "abandoned", "this run was abandoned")
        if self.pipeline != pipeline:
            raise InvalidRequest.of(
                self._field, "pipeline", f"is of {self.pipeline!r}, not of {pipeline}"
            )
        self.check_account(account)
        if self.input_hash != fingerprint.whole:
            self.records = still_valid(
                self.records, self.input_parts, fingerprint, field=self._field
            )
        self.input_hash, self.input_parts = fingerprint.whole, dict(fingerprint.parts)

    def check_account(self, account: str | None) -> None:
        """Refuse to go on with a send key of another account.

        Raises:
            InvalidRequest: it was begun for another one.
        """
        if self.send_key is not None and len({self.account, account} - {None}) > 1:
            raise InvalidRequest.of(
                "send_key",
                "other-account",
                "was begun with another API key or base URL; go on with that one, or give this "
                "account send keys or a store of its own",
            )


CheckpointLike = AnyPath | Checkpoint
"""What a caller gives as ``checkpoint``: a path, or what an error has as ``.checkpoint``."""

RunLocation = CheckpointLike | StoreLocation
"""Where a run is kept: also under a send key."""


def _file_at(path: object) -> OneFile:
    """Take the path of a checkpoint.

    Raises:
        InvalidRequest: it is something else, such as a store.
        ConfigurationError: it is relative to a folder that is gone.
    """
    if hasattr(path, "load") and hasattr(path, "save"):
        raise InvalidRequest.of(
            "checkpoint",
            "type",
            "must be a path. Give a store to the client, NewsLeopard(store=…), and to the call a "
            "send_key, under which the store keeps the run. A store of your own has to compare "
            "before it sets: see newsleopard_async.Store",
        )
    return OneFile.at(path)


def problems_of_same_file(field: str, path: object, given: RunLocation | None) -> Iterator[Problem]:
    """Yield a problem if a file that is written would replace the checkpoint."""
    kept: object = given
    if isinstance(kept, Checkpoint):
        kept = kept._store  # noqa: SLF001 - of a class of this module
    kept = kept.path if isinstance(kept, OneFile) else kept
    if not (isinstance(path, PATH_TYPES) and isinstance(kept, PATH_TYPES)):
        return
    # What is not a path is refused elsewhere.
    with contextlib.suppress(OSError, ValueError):
        if real_path(path) == real_path(kept):
            yield Problem(field, "same-file", "is the checkpoint; name another file")


async def with_checkpoint(error: InvalidRequest, given: RunLocation | None) -> InvalidRequest:
    """Return an error of a run that could not even begin, with what earlier runs have done."""
    if given is not None:
        # Whatever is wrong with it, the error itself is the news.
        with contextlib.suppress(Exception):
            error.checkpoint = await Checkpoint.at(given)
    return error
