"""Sending a campaign with a checkpoint, one process after the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from types import EllipsisType
from typing import Any

import anyio
import pytest

from newsleopard_async import (
    InvalidRequest,
    NewsLeopard,
    OutcomeUnknown,
    workflows,
)
from newsleopard_async.workflows.checkpoint import CheckpointLike
from tests.constants import CAMPAIGN, LIST_NAME
from tests.faults.strikes import Strike, Wire
from tests.faults.world import FEW, SEND_KEY, RunStore, World, csv_of

__all__ = [
    "Given",
    "alone",
    "damage",
    "hold",
    "is_done",
    "is_intent",
    "rule_of",
    "send",
    "sending",
    "stored",
]

Given = CheckpointLike | RunStore | EllipsisType | None
"""Where a run is kept: in the world's checkpoint, elsewhere, or under a send key in a store."""


def send(at: World, checkpoint: Given = ..., **options: Any) -> Any:
    """Send a campaign in a process of its own."""
    store = checkpoint if isinstance(checkpoint, RunStore) else None
    return alone(at, partial(sending, at, checkpoint, **options), store=store)


async def sending(at: World, checkpoint: Given, nl: NewsLeopard, **options: Any) -> Any:
    """Send a campaign; contacts and a new list unless said otherwise."""
    ready = {"campaign": CAMPAIGN, "contacts": csv_of(FEW), "list_name": LIST_NAME, **options}
    where = at.checkpoint if isinstance(checkpoint, EllipsisType) else checkpoint
    campaign = ready.pop("campaign")
    if isinstance(where, RunStore):
        assert nl.store is where
        return await workflows.send_campaign(nl, campaign, **{"send_key": SEND_KEY, **ready})
    return await workflows.send_campaign(nl, campaign, checkpoint=where, **ready)


def alone(
    at: World,
    work: Callable[[NewsLeopard], Any],
    *strikes: Strike,
    store: RunStore | None = None,
) -> Any:
    """Do something with a client in an event loop of its own; errors come out."""
    wire = Wire(at, strikes)

    async def main() -> Any:
        async with at.client(wire, store) as nl:
            return await work(nl)

    try:
        return anyio.run(main)
    finally:
        at.emulator.clear_faults()


def hold(at: World, checkpoint: Given = ..., **options: Any) -> OutcomeUnknown:
    """Let a submit be processed and its reply be lost."""
    at.emulator.lose_reply_to("submit_campaign")
    with pytest.raises(OutcomeUnknown) as caught:
        send(at, checkpoint, **options)
    return caught.value


def stored(at: World) -> dict[str, Any]:
    """Read the checkpoint's file."""
    data: dict[str, Any] = json.loads(at.checkpoint.read_text())
    return data


def damage(at: World, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the checkpoint's file."""
    data = stored(at)
    change(data)
    at.checkpoint.write_text(json.dumps(data))


def is_intent(data: Mapping[str, Any]) -> bool:
    """Tell whether the submit is about to be made."""
    return bool(data["records"].get("submit", {}).get("state") == "intent")


def is_done(data: Mapping[str, Any]) -> bool:
    """Tell whether the submit was made."""
    return bool(data["records"].get("submit", {}).get("state") == "done")


def rule_of(error: pytest.ExceptionInfo[InvalidRequest]) -> tuple[str, str]:
    """Return what an error is about."""
    [problem] = error.value.problems
    return problem.field, problem.rule
