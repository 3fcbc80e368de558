"""A test mail to a few own addresses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest

from newsleopard_async import ListSn, OutcomeUnknown, Recipient, SendAt, workflows
from tests.clients import connected, refused, scripted
from tests.constants import CAMPAIGN, START, SUBJECT_TEST

pytestmark = pytest.mark.anyio

ME = "me@example.com"


async def test_test_goes_to_the_given_addresses_alone() -> None:
    """Lists and schedule of the campaign are left out; the names show that it is a test."""
    real = attrs.evolve(
        CAMPAIGN,
        html="<html><body><p>${NAME} ${CITY}</p></body></html>",
        lists=(ListSn("a"),),
        exclude_lists=(ListSn("b"),),
        schedule=SendAt(START + timedelta(days=9)),
    )
    boss = Recipient("老闆", "boss@example.com", {"CITY": "台北"})
    async with connected() as bench:
        for _ in range(2):
            await workflows.send_test(bench.nl, real, to=[ME, boss])
        await bench.clock.sleep(600)

        assert sorted(mail.to for mail in bench.emulator.outbox) == sorted(
            [ME, "boss@example.com"] * 2
        )
        [made] = bench.emulator.lists
        html = {mail.to: mail.html for mail in bench.emulator.outbox}
        names = {campaign.body.name for campaign in bench.emulator.campaigns}
    assert made.name.startswith("[test] 週年慶 ")
    assert all(name.startswith("[test] 週年慶 [nl-") for name in names)
    assert len(names) == 2
    assert "老闆 台北" in html["boss@example.com"]
    assert "me " in html[ME]


async def test_test_is_never_sent_twice() -> None:
    """A lost reply is looked up by the checkpoint, as for any send."""
    async with connected() as bench:
        bench.emulator.lose_reply_to("submit_campaign")
        with pytest.raises(OutcomeUnknown) as lost:
            await workflows.send_test(bench.nl, CAMPAIGN, to=[ME])
        await bench.clock.sleep(600)
        kept = lost.value.checkpoint
        await workflows.send_test(bench.nl, CAMPAIGN, to=[ME], checkpoint=kept)

        assert bench.emulator.submitted == 1


@pytest.mark.parametrize(
    ("campaign", "to", "problems"),
    [
        (SUBJECT_TEST, [ME], [("campaign", "type")]),
        (CAMPAIGN, ME, [("to", "type")]),
        (CAMPAIGN, 5, [("to", "type")]),
        (CAMPAIGN, [], [("to", "range")]),
        (CAMPAIGN, [f"a{n}@example.com" for n in range(11)], [("to", "range")]),
        (CAMPAIGN, ["absent"], [("to[0]", "address")]),
        (CAMPAIGN, [5], [("to[0]", "type")]),
        (CAMPAIGN, [ME, Recipient("", "ME@example.com")], [("to[1]", "duplicate")]),
    ],
)
async def test_bad_test_is_refused(campaign: Any, to: Any, problems: list[tuple[str, str]]) -> None:
    """Nothing is sent, and no list is created."""
    async with scripted() as script, refused(script.wire, *problems):
        await workflows.send_test(script.nl, campaign, to=to)
