"""The pipelines, as a user would call them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

import attrs

from newsleopard_async import (
    CampaignSn,
    Mailing,
    NewsLeopard,
    SendAt,
    workflows,
)
from tests.constants import (
    CAMPAIGN,
    CONTENT_TEST,
    LIST_NAME,
    SENDER_TEST,
    START,
    SUBJECT_TEST,
)
from tests.faults.world import FEW, MANY, World, csv_of

__all__ = ["BY_NAME", "IN_PARTS", "PIPELINES", "QUIET_EXPORT", "SCHEDULED", "Pipeline"]

SCHEDULED: Final = attrs.evolve(CAMPAIGN, schedule=SendAt(START + timedelta(hours=3)))


def submitted(at: World) -> int:
    """Count the campaigns that were submitted."""
    return at.emulator.submitted - at.submitted_before


async def decide_by_name(at: World, checkpoint: workflows.Checkpoint) -> None:
    """Look for the marker among all campaigns, and decide."""
    there = [CampaignSn(each.sn) for each in at.emulator.campaigns if checkpoint.token in each.name]
    if there:
        await checkpoint.resolve("sent", there[0])
    else:
        await checkpoint.resolve("resubmit")


@attrs.frozen
class Pipeline:
    """A pipeline as a user would call it.

    Attributes:
        name: For ids.
        run: Runs it with a client.
        rows: Contacts that are imported; 0 imports none.
        recipients: Contacts that a campaign goes to.
        prepare: Creates the objects that the run needs.
        count: Counts at the emulator what must happen once at most; by default the campaigns
            that were submitted.
        judge: Compares the state of the emulator with the end of the run.
        decide: The decision of a person who checks the console if the outcome is unknown.
        is_alike: Whether the result is the same after any fault.
    """

    name: str
    run: Callable[[NewsLeopard, World], Any] = attrs.field(repr=False)
    rows: int = 0
    recipients: int = 0
    prepare: Callable[[World], None] = attrs.field(repr=False, default=lambda _: None)
    count: Callable[[World], int] = attrs.field(repr=False, default=submitted)
    judge: Callable[[World, Any], None] = attrs.field(repr=False, default=lambda *_: None)
    decide: Callable[[World, workflows.Checkpoint], Awaitable[None]] = attrs.field(
        repr=False, default=decide_by_name
    )
    is_alike: bool = True

    @property
    def sends(self) -> bool:
        """Whether it submits a campaign."""
        return self.recipients > 0

    @property
    def happens(self) -> bool:
        """Whether, at its end, what it counts has happened."""
        return self.sends or self.count is not submitted


def _importing(name: str, rows: int, *, part_bytes: int | None = None) -> Pipeline:
    def run(nl: NewsLeopard, at: World) -> Any:
        return workflows.import_contacts(
            nl,
            csv_of(rows),
            list_name=LIST_NAME,
            checkpoint=at.checkpoint,
            part_bytes=part_bytes,
        )

    return Pipeline(name, run, rows)


def _sending(name: str, mailing: Mailing, rows: int) -> Pipeline:
    def run(nl: NewsLeopard, at: World) -> Any:
        return workflows.send_campaign(
            nl, mailing, contacts=csv_of(rows), list_name=LIST_NAME, checkpoint=at.checkpoint
        )

    return Pipeline(name, run, rows, recipients=rows)


def _sending_to_list(name: str, mailing: Mailing) -> Pipeline:
    def run(nl: NewsLeopard, at: World) -> Any:
        ready = attrs.evolve(mailing, lists=(at.sn,))
        return workflows.send_campaign(nl, ready, checkpoint=at.checkpoint)

    return Pipeline(name, run, recipients=FEW, prepare=World.add_list)


def _exporting(nl: NewsLeopard, at: World) -> Any:
    return workflows.export_report(
        nl,
        at.sn,
        download_to=at.downloads,
        checkpoint=at.checkpoint,
    )


PIPELINES: Final = (
    _importing("import-text", FEW),
    _importing("import-file", MANY),
    _sending("send-text", CAMPAIGN, FEW),
    _sending("send-file", CAMPAIGN, MANY),
    _sending_to_list("send-to-list", CAMPAIGN),
    _sending_to_list("send-later", SCHEDULED),
    _sending("ab-subject", SUBJECT_TEST, FEW),
    _sending_to_list("ab-sender", SENDER_TEST),
    _sending_to_list("ab-content", CONTENT_TEST),
    Pipeline("export", _exporting, prepare=World.add_campaign),
)
QUIET_EXPORT: Final = Pipeline("quiet-export", _exporting, prepare=World.add_quiet_campaign)
"""An export of two files, for tests that run it hundreds of times."""

IN_PARTS: Final = _importing("import-parts", MANY, part_bytes=len(csv_of(MANY)) // 2)
"""An import in three parts, of which the last is a small rest."""

BY_NAME: Final = {each.name: each for each in (*PIPELINES, QUIET_EXPORT, IN_PARTS)}
