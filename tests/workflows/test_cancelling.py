"""A campaign that is accepted while its caller is cancelled is told in the log."""

from __future__ import annotations

import pytest

from newsleopard_async import with_lists, workflows
from newsleopard_async.workflows import Event
from tests.clients import connected
from tests.constants import CAMPAIGN


@pytest.mark.anyio
async def test_campaign_is_told_if_its_callback_is_cancelled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Between the submit's answer and the caller there is the callback, which may be slow."""
    async with connected() as bench:
        ready = with_lists(CAMPAIGN, [await bench.make_list()])

        async def progress(event: Event) -> None:
            if event.state == "finished":
                await bench.clock.sleep(60)

        with bench.clock.deadline(30) as scope:
            await workflows.send_campaign(bench.nl, ready, progress=progress)

    [campaign] = bench.emulator.campaigns
    assert scope.cancelled_caught
    assert campaign.sn in caplog.text
