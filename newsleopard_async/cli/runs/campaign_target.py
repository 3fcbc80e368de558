"""Resolves the TARGET of a command: a campaign's code, a checkpoint file, or a send key."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import attrs
import click

from newsleopard_async import CampaignSn, ConfigurationError, ConnectionFailed, InvalidRequest
from newsleopard_async.aio import in_thread
from newsleopard_async.cli.completion_values import complete_target
from newsleopard_async.cli.runs.locations import SendsLocation
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.stores.swap import SwapFile
from newsleopard_async.workflows import Checkpoint, RunState
from newsleopard_async.workflows.resuming import state_of
from newsleopard_async.workflows.run_record import read_run_record

if TYPE_CHECKING:
    from newsleopard_async.durable import Durable, SendStatus

__all__ = [
    "CODE",
    "CampaignTarget",
    "TargetKind",
    "checkpoint_at",
    "code_of",
    "opened_target",
    "state_at",
    "target_argument",
]

TargetKind = Literal["code", "send_key", "checkpoint"]

CODE: Final = re.compile(r"[0-9a-f]{24,64}", re.IGNORECASE)
"""The form of a code. The documented ones have 32 hexadecimal digits, the range is chosen: a word
that a person uses as a send key has not so many."""

F = TypeVar("F", bound=Callable[..., Any])


def target_argument(command: F) -> F:
    """Add the argument TARGET to a command, and the flags that say what it is."""
    for kind, text in (
        ("checkpoint", "TARGET is a checkpoint file."),
        ("send_key", "TARGET is a send key."),
        ("code", "TARGET is the code of a campaign (活動代碼)."),
    ):
        name = f"--{kind.replace('_', '-')}"
        command = click.option(name, "kind", flag_value=kind, type=str, help=text)(command)
    return click.argument("target", shell_complete=complete_target)(command)


@attrs.frozen(kw_only=True)
class CampaignTarget:
    """A campaign as a user names it, and the run that sends it.

    Attributes:
        text: The text of the user.
        kind: What the text is.
        run: The run of a send key or a checkpoint; None for a code.
        location: The place of a send key; None for a code or a checkpoint.
    """

    text: str
    kind: TargetKind
    run: RunState | SendStatus | None = None
    location: SendsLocation | None = None

    @property
    def campaign_sn(self) -> CampaignSn | None:
        """The code of the campaign; None until a run has one."""
        if self.kind == "code":
            return CampaignSn(self.text)
        return None if self.run is None else self.run.campaign_sn

    @property
    def durable(self) -> Durable | None:
        """The durable sends that have it; None for a run without a worker."""
        if self.location is None or self.run is None or isinstance(self.run, RunState):
            return None
        return self.location.durable


@asynccontextmanager
async def opened_target(
    session: Session, text: str, kind: TargetKind | None, url: str | None
) -> AsyncIterator[CampaignTarget]:
    """Find out what a text is, and keep the store of its run open during the block.

    Args:
        session: The session, with the profile.
        text: The text of the user.
        kind: What it is; None to find out: an existing checkpoint, the key of a run in the store,
            or else a code by its form.
        url: The URL of the store; None for the profile's.

    Raises:
        InvalidRequest: it is neither; or both a checkpoint and a send key.
        ConfigurationError: the store cannot be used, and the text has not the form of a code.
        ConnectionFailed: as above, because the store is unreachable.
    """
    async with AsyncExitStack() as stack:
        by_file = await _of_checkpoint(text, kind) if kind in (None, "checkpoint") else None
        by_key = None
        if kind in (None, "send_key"):
            try:
                location = await stack.enter_async_context(session.sends(url))
                by_key = await _of_key(text, location)
            except (ConfigurationError, ConnectionFailed):
                # A campaign must be stoppable by its code even while the store is unreachable.
                if by_file is None and not (kind is None and CODE.fullmatch(text)):
                    raise
        yield _chosen(text, kind, by_file, by_key)


async def code_of(session: Session, text: str) -> CampaignSn:
    """Return the code of a campaign that a user names by its code, a checkpoint or a send key.

    A text that is neither a checkpoint nor the key of a run is a code, because a wrong code changes
    nothing in a command that only reads.

    Raises: as `opened_target`.
        InvalidRequest: the run has not submitted a campaign.
    """
    kind: TargetKind | None = "code" if CODE.fullmatch(text) else None
    try:
        async with opened_target(session, text, kind, None) as target:
            campaign_sn, run = target.campaign_sn, target.run
    except InvalidRequest as error:
        if [each.rule for each in error.problems] != ["missing"]:
            raise
        return CampaignSn(text)
    if campaign_sn is None:
        assert run is not None
        message = _("the run {text!r} is {state}, and has submitted no campaign")
        raise InvalidRequest.of("CODE", "state", message.format(text=text, state=_(run.state)))
    return campaign_sn


def _chosen(
    text: str,
    kind: TargetKind | None,
    by_file: CampaignTarget | None,
    by_key: CampaignTarget | None,
) -> CampaignTarget:
    if by_file is not None and by_key is not None:
        message = _(
            "{text!r} is a checkpoint file and also a send key; choose one by --checkpoint or "
            "--send-key"
        )
        raise InvalidRequest.of("TARGET", "choice", message.format(text=text))
    if (found := by_file or by_key) is not None:
        return found
    if kind == "code" or (kind is None and CODE.fullmatch(text)):
        return CampaignTarget(text=text, kind="code")
    if kind == "send_key":
        message = _(
            "no send with the key {text!r} exists in this store; newsleopard runs shows all"
        )
    else:
        message = _(
            "{text!r} is not a checkpoint file, not the key of a send in this store (newsleopard "
            "runs shows all), and does not have the form of a code; if it is a code, add --code"
        )
    raise InvalidRequest.of("TARGET", "missing", message.format(text=text))


async def _of_checkpoint(text: str, kind: TargetKind | None) -> CampaignTarget | None:
    """Return the target if the text names a checkpoint.

    Raises:
        InvalidRequest: it must be a checkpoint, and is not.
    """
    kept = await checkpoint_at(text) if kind is None else await Checkpoint.load(text)
    if kept is None:
        return None
    return CampaignTarget(text=text, kind="checkpoint", run=await state_at(text, kept))


async def checkpoint_at(path: str) -> Checkpoint | None:
    """Read the checkpoint in a file; None if it is missing, or of another kind.

    A file of another kind can have the name of a send key.
    """
    try:
        return await Checkpoint.load(path) if await in_thread(Path(path).is_file) else None
    except (InvalidRequest, ValueError):
        return None


async def state_at(path: str, kept: Checkpoint) -> RunState:
    """Return the state of the run of a checkpoint file, with the path instead of a key."""
    is_locked = await in_thread(SwapFile(Path(path)).is_locked)
    stored = read_run_record(kept.to_dict())
    return state_of(path, stored, datetime.now(UTC), is_locked=is_locked)


async def _of_key(text: str, location: SendsLocation) -> CampaignTarget | None:
    run = await location.find(text)
    if run is None or (run.state == "unreadable" and CODE.fullmatch(text)):
        return None
    return CampaignTarget(text=text, kind="send_key", run=run, location=location)
