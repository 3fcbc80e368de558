"""Contact lists: T53 to T62."""

from __future__ import annotations

import pytest

from newsleopard_async import OutcomeUnknown, workflows
from tests.clients import connected
from tests.emulator.api import BODY
from tests.points.cells import point
from tests.points.means import CSV, LIST_ROW, list_lists, platform, result_of


@point
async def test_t53_client() -> None:
    """The pipelines look for the exact name first, and after a lost reply; create_list does not."""
    async with connected() as bench:
        there = await bench.nl.contacts.create_list("會員")
        await bench.nl.contacts.create_list("會員2")
        assert bench.emulator.count("list_lists") == 0
        report = await workflows.import_contacts(
            bench.nl, CSV, list_name="會員", if_list_exists="reuse"
        )
        assert report.list_sn == there
        bench.emulator.lose_reply_to("create_list")
        await workflows.import_contacts(bench.nl, CSV, list_name="新")
        assert [each.name for each in bench.emulator.lists] == ["會員", "會員2", "新"]
        bench.emulator.lose_reply_to("create_list")
        with pytest.raises(OutcomeUnknown):
            await bench.nl.contacts.create_list("會員")


@point
async def test_t53_emulator() -> None:
    """Names are not unique."""
    async with platform() as (api, _):
        codes = {await api.create_list("會員") for _ in range(2)}

    assert len(codes) == len(api.emulator.lists) == 2


@point
async def test_t61_client() -> None:
    """Rates are percent, as they come."""
    [row] = await result_of(list_lists, [{**LIST_ROW, "openedRate": 66.6667, "clickedRate": 0.5}])

    assert (row.opened_rate_percent, row.clicked_rate_percent) == (66.6667, 0.5)


@point
async def test_t61_emulator() -> None:
    """Rates are percent of the delivered mails, with four decimals."""
    async with platform(open_share=0.5, click_share=1.0, bounce_share=0.0) as (api, clock):
        await api.submit(BODY, await api.filled_list(300))
        clock.advance(10 * 86_400)
        [row] = (await api.get("/v1/contacts/lists")).json()["Lists"]
        opened = api.emulator.campaigns[0].count("open", clock.now())

    assert row["openedRate"] == row["clickedRate"] == round(100 * opened / 300, 4)
    assert 40 < row["openedRate"] < 60
