"""What a pipeline has done, kept so that it can go on after whatever happened.

The rules:

- A checkpoint is JSON of one version, with a hash of the input; other input or another
  version is refused. It holds no key, no contact and no presigned URL.
- The intent of a step that must not happen twice is stored before the step. An intent
  without a result means that it may have happened. A pipeline looks it up, and never does
  it again; only a person's `resolve` can say so.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Literal, Self

import attrs

from newsleopard_async.errors import InUse, InvalidRequest, Problem
from newsleopard_async.files import PATH_TYPES, AnyPath
from newsleopard_async.models import CampaignSn
from newsleopard_async.models.codes import check_code
from newsleopard_async.plain import Plain, from_plain, to_plain
from newsleopard_async.store import FileStore, Store, as_store, held, real_path

__all__ = [
    "Checkpoint",
    "CheckpointLike",
    "Record",
    "hash_of",
    "opened",
    "problems_of_same_file",
    "with_checkpoint",
]

VERSION: Final = 1
SUBMIT: Final = "submit"
"""The step that a person may have to decide about."""


@attrs.frozen(kw_only=True)
class Record(Plain):
    """What is known of a step.

    Attributes:
        state: ``intent`` before a step that must not happen twice, then ``done``.
        at: When that was written.
        result: What it gave, as plain data.
    """

    state: str
    at: datetime
    result: Any = None

    @property
    def is_done(self) -> bool:
        """Whether the step's result is known."""
        return self.state == "done"


@attrs.define(kw_only=True, eq=False)
class Checkpoint:
    """What a pipeline has done.

    Attributes:
        pipeline: Which pipeline.
        input_hash: Of what it was asked to do.
        token: Made up for this run; the marker in a campaign's name is made of it.
        records: Step by step.
        abandoned: Whether a person decided that it is not to go on.
    """

    pipeline: str
    input_hash: str
    token: str = attrs.field(factory=lambda: secrets.token_hex(4))
    records: dict[str, Record] = attrs.field(factory=dict)
    abandoned: bool = False
    _store: Store | None = attrs.field(default=None, repr=False)
    _is_in_use: bool = attrs.field(default=False, init=False, repr=False)

    @classmethod
    async def load(cls, source: AnyPath | Store) -> Self:
        """Read a checkpoint, to look at it or to `resolve` it.

        Raises:
            InvalidRequest: there is none, or it is of another version.
        """
        store = as_store(source, field="checkpoint")
        data = None if store is None else await store.load()
        if data is None:
            raise InvalidRequest.of("checkpoint", "missing", "there is no checkpoint there")
        return cls.read(data, store)

    @classmethod
    def read(cls, data: Mapping[str, Any], store: Store | None = None) -> Self:
        """Build a checkpoint from what `to_dict` gave.

        Raises:
            InvalidRequest: it is of another version, or damaged.
        """
        if not isinstance(data, Mapping):
            raise _damaged()
        if data.get("version") != VERSION:
            raise InvalidRequest.of(
                "checkpoint",
                "version",
                f"is of version {data.get('version')!r}, and this library reads {VERSION}; "
                "finish it with the library that wrote it",
            )
        fields = {name: value for name, value in data.items() if name != "version"}
        try:
            stored = from_plain(_Stored, fields)
        except InvalidRequest:
            raise _damaged() from None
        return cls(**attrs.asdict(stored, recurse=False), store=store)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-safe data, as it is stored."""
        return {
            "version": VERSION,
            "pipeline": self.pipeline,
            "input_hash": self.input_hash,
            "token": self.token,
            "abandoned": self.abandoned,
            "records": to_plain(self.records),
        }

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
        """Decide about a submit of which nobody knows whether it took effect.

        Look in the console (活動列表) first. Then run the pipeline again. The decision is
        about what the store holds now: a run since then may have found the answer.

        Args:
            decision: ``sent``: it is there; ``resubmit``: it is not, send it;
                ``abandon``: leave it, and refuse to go on.
            campaign_sn: The campaign's code, with ``sent``.

        Raises:
            InvalidRequest: there is nothing to decide, or the code is missing.
            InUse: a run is using it.
        """
        if decision not in ("resubmit", "sent", "abandon"):
            raise InvalidRequest.of("decision", "choice", "must be resubmit, sent or abandon")
        if decision == "sent":
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
        record = self.records.get(SUBMIT)
        if record is None or record.is_done:
            raise InvalidRequest.of(
                "checkpoint", "nothing-held", "there is no submit whose outcome is unknown"
            )
        match decision:
            case "sent":
                self.know(SUBMIT, attrs.evolve(record, state="done", result=campaign_sn))
            case "resubmit":
                # A new marker, so that the old campaign, should it appear, is told from it.
                self.token = secrets.token_hex(4)
                self.know(SUBMIT, None)
            case _:
                self.abandoned = True
        await self._save()

    async def refresh(self) -> None:
        """Take over what the store holds now, if it holds anything.

        Raises:
            InvalidRequest: it is of another version, or damaged.
        """
        data = None if self._store is None else await self._store.load()
        if data is not None:
            self._become(self.read(data))

    def _become(self, other: Self) -> None:
        for name in attrs.fields_dict(_Stored):
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

    def check(self, pipeline: str, input_hash: str) -> None:
        """Refuse to go on with anything but what was begun.

        Raises:
            InvalidRequest: it is of another pipeline or other input, or was abandoned.
        """
        if self.abandoned:
            raise InvalidRequest.of("checkpoint", "abandoned", "this run was abandoned")
        if self.pipeline != pipeline:
            raise InvalidRequest.of(
                "checkpoint", "pipeline", f"is of {self.pipeline}, not of {pipeline}"
            )
        if self.input_hash != input_hash:
            raise InvalidRequest.of("checkpoint", "other-input", self._explain_other_input())

    def _explain_other_input(self) -> str:
        given = "campaign, contacts (with the same fix= and encoding=) and lists"
        if SUBMIT in self.records:
            # Whoever began anew now might send a second time.
            return (
                f"was made for other input, and its campaign was submitted or may have been; give "
                f"the same {given} to find out, and do not begin anew before"
            )
        return (
            f"was made for other input; give the same {given} to go on, or another checkpoint to "
            "begin anew"
        )


@attrs.frozen(kw_only=True)
class _Stored:
    """The fields of a checkpoint as they are stored, of which each is checked on reading."""

    pipeline: str
    input_hash: str
    token: str
    records: dict[str, Record]
    abandoned: bool


def _damaged() -> InvalidRequest:
    return InvalidRequest.of("checkpoint", "format", "is damaged, or is no checkpoint")


CheckpointLike = AnyPath | Store | Checkpoint


def hash_of(*parts: Any) -> str:
    """Hash what a pipeline is asked to do, whatever order its fields are in."""
    text = json.dumps([to_plain(part) for part in parts], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


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
    given: CheckpointLike | None, pipeline: str, input_hash: str
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
        checkpoint = Checkpoint(pipeline=pipeline, input_hash=input_hash, store=store)
    async with checkpoint.in_use():
        await checkpoint.refresh()
        checkpoint.check(pipeline, input_hash)
        yield checkpoint
