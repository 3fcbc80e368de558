"""What a pipeline has done, kept so that it can go on after whatever happened.

The rules:

- A checkpoint is JSON with a version and a checksum, and knows the steps of its pipeline. An
  older version is migrated; a newer one, a damaged one, and one that was edited are refused.
  It holds no key, no contact and no presigned URL.
- It has a hash of each part of the input. Before the first write all of the input may change;
  after it contacts and list may not; after the submit's intent nothing may.
- The intent of a step that must not happen twice is stored before the step. An intent
  without a result means that it may have happened. A pipeline looks it up, and never does
  it again; only a person's `resolve` can say so.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Literal, Self

import attrs

from newsleopard_async.errors import InUse, InvalidRequest, Problem
from newsleopard_async.files import PATH_TYPES, AnyPath
from newsleopard_async.models import CampaignSn
from newsleopard_async.models.codes import check_code
from newsleopard_async.store import FileStore, Store, as_store, held, real_path
from newsleopard_async.workflows.fingerprint import Input
from newsleopard_async.workflows.record import (
    CREATE,
    DECISIVE,
    DELETE,
    IMPORTS,
    SEND_EVENT,
    SUBMIT,
    SUBMIT_ONCE,
    UPLOAD_ONCE,
    Ended,
    Record,
    Stored,
    read_stored,
    step_of,
)

__all__ = [
    "Checkpoint",
    "CheckpointLike",
    "opened",
    "problems_of_same_file",
    "with_checkpoint",
]


_WRITES: Final = IMPORTS | DECISIVE | {CREATE, "export_report"}
"""The steps that change something at the platform."""

_TARGET: Final = frozenset({"list_sn", "list_name", "if_list_exists"})
"""The parts of the input that say which list contacts go into."""


_STORED: Final = tuple(attrs.fields_dict(Stored))

_PART_BYTES: Final = "part_bytes"
"""The part of the input that says how contacts are divided."""


@attrs.define(kw_only=True, eq=False)
class Checkpoint:
    """What a pipeline has done.

    Attributes:
        pipeline: Which pipeline.
        input_hash: Of what it was asked to do.
        input_parts: Of each part of that; empty if it was made before there were any.
        token: Made up for this run; the marker in a campaign's name is made of it.
        records: Step by step.
        abandoned: Whether a person decided that it is not to go on.
        send_key: Under which key it was begun; None for the checkpoint of a path.
        account: A hash of origin and API key.
        writer: The run that wrote last, by its random id.
        held_until: When the hold of a run ends unless it is renewed, in UTC; None if no run has it.
        ended: How the last run ended; None while one is under way, or if it was killed.
    """

    pipeline: str
    input_hash: str
    input_parts: dict[str, str] = attrs.field(factory=dict)
    token: str = attrs.field(factory=lambda: secrets.token_hex(4))
    records: dict[str, Record] = attrs.field(factory=dict)
    abandoned: bool = False
    send_key: str | None = None
    account: str | None = attrs.field(default=None, repr=False)
    writer: str | None = attrs.field(default=None, repr=False)
    held_until: datetime | None = None
    ended: Ended | None = None
    _store: Store | None = attrs.field(default=None, repr=False)
    _is_in_use: bool = attrs.field(default=False, init=False, repr=False)

    @classmethod
    async def load(cls, source: AnyPath | Store) -> Self:
        """Read a checkpoint, to look at it or to `resolve` it.

        Raises:
            InvalidRequest: there is none, or it is of a newer version, damaged, or was edited.
        """
        store = as_store(source, field="checkpoint")
        data = None if store is None else await store.load()
        if data is None:
            where = f"at {source}" if isinstance(source, PATH_TYPES) else "in this store"
            raise InvalidRequest.of("checkpoint", "missing", f"there is no checkpoint {where}")
        return cls.read(data, store)

    @classmethod
    def read(cls, data: Mapping[str, Any], store: Store | None = None) -> Self:
        """Build a checkpoint from what `to_dict` gave.

        Raises:
            InvalidRequest: it is of a newer version, damaged, or was edited.
        """
        stored = read_stored(data)
        return cls(**attrs.asdict(stored, recurse=False), store=store)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-safe data, as it is stored."""
        return Stored(**{name: getattr(self, name) for name in _STORED}).to_dict()

    async def put(self, step: str, record: Record | None) -> None:
        """Note what is known of a step, and keep it; None forgets the step."""
        before = dict(self.records)
        self.know(step, record)
        try:
            await self._save()
        except Exception:
            # What could not be stored does not count. (Of a cancelled save nobody knows
            # whether it took place; there, what is so stays known.)
            self.records = before
            raise

    def know(self, step: str, record: Record | None) -> None:
        """Note what is known of a step in this process only; None forgets the step."""
        if record is None:
            self.records.pop(step, None)
        else:
            self.records[step] = record

    async def resolve(
        self,
        decision: Literal["resubmit", "sent", "abandon"],
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
            InvalidRequest: there is nothing to decide, or the code is missing, or is another.
            InUse: a run is using it.
        """
        if decision not in ("resubmit", "sent", "abandon"):
            raise InvalidRequest.of("decision", "choice", "must be resubmit, sent or abandon")
        if campaign_sn is not None:
            check_code("campaign_sn", campaign_sn)
        async with self.in_use():
            await self.refresh()
            before = self.to_dict()
            try:
                await self._decide(decision, campaign_sn)
            except Exception:
                # What could not be stored was not decided.
                self._become(self.read(before))
                raise

    async def _decide(self, decision: str, campaign_sn: CampaignSn | None) -> None:
        key = self._held()
        if key is None:
            raise InvalidRequest.of(
                "checkpoint", "nothing-held", "there is no submit whose outcome is unknown"
            )
        match decision:
            case "sent":
                result = self._found(step_of(key), campaign_sn)
                self.know(key, attrs.evolve(self.records[key], state="done", result=result))
            case "resubmit":
                if key == UPLOAD_ONCE:
                    # The campaign that was made for it is deleted first, in any state.
                    self.know(DELETE, self.records[key])
                else:
                    # A new marker, so that the old campaign, should it appear, is told from it.
                    self.token = secrets.token_hex(4)
                self.know(key, None)
            case _:
                self.abandoned = True
        await self._save()

    def _held(self) -> str | None:
        """Name the record whose outcome is not known."""
        held = (key for key, record in self.records.items() if not record.is_done)
        return next((key for key in held if step_of(key) in DECISIVE), None)

    def _found(self, step: str, campaign_sn: CampaignSn | None) -> CampaignSn | None:
        """Return the result of a step that took effect, by what the caller says.

        Raises:
            InvalidRequest: the code is missing, or is not the known one.
        """
        if step in (SUBMIT, SUBMIT_ONCE):
            check_code("campaign_sn", campaign_sn)
        known = self.records.get(SUBMIT_ONCE)
        if step == UPLOAD_ONCE and known is not None and campaign_sn not in (None, known.result):
            raise InvalidRequest.of(
                "campaign_sn",
                "other-campaign",
                f"must be {known.result}, the campaign that the contacts were uploaded for; or "
                "leave it out",
            )
        return None if step == SEND_EVENT else campaign_sn

    async def peek(self) -> Self:
        """Return what the store holds now, whether or not a run is using it.

        Raises:
            InvalidRequest: it is of a newer version, damaged, or was edited.
        """
        store = self._store
        if isinstance(store, FileStore):
            # One of its own: what a run has seen of the file is not for others to change.
            store = FileStore(store.path)
        data = None if store is None else await store.load()
        return self.read(self.to_dict() if data is None else data)

    async def abandon(self) -> None:
        """Note that it is not to go on; the caller holds it.

        Raises: whatever the store raises; then it does not count.
        """
        self.abandoned = True
        try:
            await self._save()
        except Exception:
            self.abandoned = False
            raise

    async def refresh(self) -> None:
        """Take over what the store holds now, if it holds anything.

        Raises:
            InvalidRequest: it is of a newer version, damaged, or was edited.
        """
        data = None if self._store is None else await self._store.load()
        if data is not None:
            self._become(self.read(data))

    def _become(self, other: Self) -> None:
        for name in _STORED:
            setattr(self, name, getattr(other, name))

    @contextlib.asynccontextmanager
    async def in_use(self) -> AsyncIterator[None]:
        """Keep other runs away, in this process and in others.

        Raises:
            InUse: another run has it.
        """
        if self._is_in_use:
            raise InUse("another run is using this checkpoint; wait until it has ended")
        self._is_in_use = True
        try:
            async with held(self._store):
                yield
        finally:
            self._is_in_use = False

    async def _save(self) -> None:
        if self._store is not None:
            await self._store.save(self.to_dict())

    def check(self, pipeline: str, asked: Input) -> None:
        """Refuse to go on with anything but what was begun; take over what may change.

        Raises:
            InvalidRequest: it is of another pipeline or other input, or was abandoned.
        """
        if self.abandoned:
            raise InvalidRequest.of("checkpoint", "abandoned", "this run was abandoned")
        if self.pipeline != pipeline:
            raise InvalidRequest.of(
                "checkpoint", "pipeline", f"is of {self.pipeline!r}, not of {pipeline}"
            )
        if self.input_hash != asked.whole:
            changed = self._changed(asked)
            if fixed := [name for name in changed if not self._may_change(name)]:
                raise InvalidRequest.of("checkpoint", "other-input", self._explain(fixed))
            if not all(name == _PART_BYTES or _is_of_campaign(name) for name in changed):
                # What was read, or was tried, was for the other list or contacts.
                self.records.clear()
        self.input_hash, self.input_parts = asked.whole, dict(asked.parts)

    def _changed(self, asked: Input) -> list[str]:
        """Name what differs; of a checkpoint without parts nobody can tell."""
        if not self.input_parts:
            return ["the input"]
        names = sorted(self.input_parts.keys() | asked.parts.keys())
        return [each for each in names if self.input_parts.get(each) != asked.parts.get(each)]

    def _may_change(self, name: str) -> bool:
        """Say whether nothing was written yet that this part of the input was used for."""
        written = _WRITES & self.records.keys()
        if not written:
            return True
        if name == _PART_BYTES:
            # A list that was made for a file that was too large takes its parts as well.
            return not IMPORTS & written
        if name in _TARGET:
            # An import that may have failed holds back its contacts, and no list but its own.
            return all(step in IMPORTS and not self.records[step].is_done for step in written)
        # Of a campaign without its upload nothing was sent; it is deleted, and made anew.
        is_open = self.records[SUBMIT_ONCE].is_done if SUBMIT_ONCE in written else True
        decided = written & (DECISIVE - {SUBMIT_ONCE})
        return _is_of_campaign(name) and is_open and not decided

    def _explain(self, names: list[str]) -> str:
        begun = f"was made for other input ({', '.join(names)} differs)"
        given = "campaign, contacts (with the same fix=, encoding= and part_bytes=) and lists"
        if DECISIVE & self.records.keys():
            # Whoever began anew now might send a second time.
            return (
                f"{begun}, and that was sent or may have been; give "
                f"the same {given} to find out, and do not begin anew before"
            )
        return f"{begun}; give the same to go on, or another checkpoint to begin anew"


def _is_of_campaign(name: str) -> bool:
    return name in ("marker", "hold") or name.startswith("campaign.")


CheckpointLike = AnyPath | Store | Checkpoint


def problems_of_same_file(
    field: str, path: object, checkpoint: CheckpointLike | None
) -> Iterator[Problem]:
    """Yield a problem if a file that is written would replace the checkpoint."""
    kept = checkpoint
    if isinstance(kept, Checkpoint):
        kept = kept._store  # noqa: SLF001 - of a class of this module
    kept = kept.path if isinstance(kept, FileStore) else kept
    if not (isinstance(path, PATH_TYPES) and isinstance(kept, PATH_TYPES)):
        return
    # What is no path is refused elsewhere.
    with contextlib.suppress(OSError, ValueError):
        if real_path(path) == real_path(kept):
            yield Problem(field, "same-file", "is the checkpoint; name another file")


async def with_checkpoint(error: InvalidRequest, given: CheckpointLike | None) -> InvalidRequest:
    """Return an error of a run that could not even begin, with what earlier runs have done."""
    if isinstance(given, Checkpoint):
        error.checkpoint = given
    elif given is not None:
        # Whatever is wrong with it, the error itself is the news.
        with contextlib.suppress(Exception):
            error.checkpoint = await Checkpoint.load(given)
    return error


@contextlib.asynccontextmanager
async def opened(
    given: CheckpointLike | None, pipeline: str, asked: Input
) -> AsyncIterator[Checkpoint]:
    """Open the checkpoint of a run, an old one to go on or a new one.

    Raises:
        InvalidRequest: it is of something else.
        InUse: another run is using it.
    """
    if isinstance(given, Checkpoint):
        checkpoint = given
    else:
        store = as_store(given, field="checkpoint")
        checkpoint = Checkpoint(pipeline=pipeline, input_hash=asked.whole, store=store)
    async with checkpoint.in_use():
        await checkpoint.refresh()
        checkpoint.check(pipeline, asked)
        yield checkpoint
