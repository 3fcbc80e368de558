"""The pipelines of the later endpoints, as a user would call them, and what must be so after them.

The platform is that of the vendor's notes. Some run once more on the platform of the published
documentation, which has no such endpoint.
"""

from __future__ import annotations

from typing import Any, Final

import anyio
import attrs

from newsleopard_async import NewsLeopard, workflows
from tests.constants import CAMPAIGN
from tests.faults.pipelines import Pipeline
from tests.faults.world import FEW, World

__all__ = ["LATER"]


def on_the_notes(pipeline: Pipeline) -> Pipeline:
    """Let a pipeline run on the platform of the vendor's notes."""
    prepare = pipeline.prepare

    def prepare_there(at: World) -> None:
        at.follow_the_notes()
        prepare(at)

    return attrs.evolve(pipeline, prepare=prepare_there)


# Watching


def submit_to_list(at: World, rows: int = FEW) -> None:
    """Let there be a campaign that was just submitted."""
    at.add_list(rows)
    ready = attrs.evolve(CAMPAIGN, lists=(at.sn,))

    async def send() -> str:
        async with at.client() as nl:
            return await nl.campaigns.submit(ready)

    at.sn = anyio.run(send)
    at.submitted_before = 1


def judge_complete(at: World, story: Any) -> None:
    """The campaign that was asked for is sent, as the platform says too."""
    assert story.result.sn == at.sn
    [campaign] = at.emulator.campaigns
    assert campaign.state(at.clock.now()) == str(story.result.state) == "COMPLETE"


def waiting(nl: NewsLeopard, at: World) -> Any:
    """Wait for a campaign."""
    return workflows.wait_for_campaign(nl, at.sn, checkpoint=at.checkpoint)


_WAIT: Final = Pipeline("wait", waiting, prepare=submit_to_list, judge=judge_complete)

LATER: Final = (
    on_the_notes(_WAIT),
    attrs.evolve(_WAIT, name="wait-unoffered"),
)
"""All of them."""
