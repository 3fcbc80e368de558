"""With each store, a worker continues the run that another worker has left."""

from __future__ import annotations

import pytest

from newsleopard_async.workflows import resolve, resume_due, runs
from tests.clients import connected
from tests.stores.conftest import Opening
from tests.workflows.workers import given, hold, interrupt, send, worker

pytestmark = pytest.mark.anyio


async def test_what_one_worker_left_another_goes_on_with(opening: Opening) -> None:
    """Each has a connection of its own to the store, and each campaign is sent once."""
    async with connected() as bench:
        bench.emulator.switch(send_base_s=86_400)
        await interrupt(bench, opening(), "interrupted")
        await hold(bench, opening(), "held")
        await send(bench, opening(), "done")
        left = {run.send_key: run.state for run in await runs(opening(), now=bench.clock.now())}
        await resolve(opening(), "held", "resubmit")
        store = opening()
        async with worker(bench, store) as nl:
            resumed = await resume_due(nl, store, lambda run: given(run.send_key))
        after = {run.send_key: run.state for run in await runs(opening(), now=bench.clock.now())}

        assert bench.emulator.count("create_list") == 3
        assert bench.emulator.count("submit_campaign") == len(bench.emulator.campaigns) == 4
    assert left == {"interrupted": "interrupted", "held": "held", "done": "done"}
    assert [(each.run.send_key, each.error) for each in resumed] == [
        ("held", None),
        ("interrupted", None),
    ]
    assert after == dict.fromkeys(left, "done")
