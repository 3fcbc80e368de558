"""A test lets a reader do something, and everything that counts events follows."""

from __future__ import annotations

import csv
from datetime import timedelta
from typing import Any

import pytest

from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.platform.reactions import ACTIONS
from newsleopard_async.emulator.platform.waves import reading_of
from tests.constants import START
from tests.emulator.api import AB_BODY, BODY, Api, HandClock, make

pytestmark = pytest.mark.asyncio

DAY_S = 86_400
NO_EVENTS: dict[str, Any] = {"open_share": 0.0, "bounce_share": 0.0}
"""Readers who do nothing by themselves."""


def later(**switches: Any) -> tuple[Emulator, HandClock]:
    """Build an emulator with readers that do nothing, unless the switches change that."""
    return make(**NO_EVENTS | {"later_endpoints": True} | switches)


async def send(api: Api, count: int = 3, body: dict[str, Any] = BODY) -> str:
    """Send a campaign to a new list, and let some seconds pass."""
    sn = (await api.submit(body, await api.filled_list(count))).json()["sn"]
    assert isinstance(api.emulator.clock, HandClock)
    api.emulator.clock.advance(60)
    return str(sn)


async def figures(api: Api, sn: str) -> dict[str, Any]:
    """Return the metrics of a campaign."""
    rows = (await api.post("/v1/report/campaigns/metrics", {"campaignSns": [sn]})).json()
    return dict(rows[0])


async def reports(api: Api, sn: str) -> dict[str, list[str]]:
    """Return who stands in each report file that there is."""
    links = (await api.get(f"/v1/report/{sn}/link")).json()["Reports"]
    texts = {link["reportType"]: (await api.fetch(link["link"])).text for link in links}
    return {
        kind: [row["EMAIL"] for row in csv.DictReader(text.splitlines())]
        for kind, text in texts.items()
    }


async def export(api: Api, sn: str) -> dict[str, list[str]]:
    """Export a campaign, wait for the files, and read them."""
    assert isinstance(api.emulator.clock, HandClock)
    await api.post(f"/v1/report/{sn}/export", {})
    api.emulator.clock.advance(15)
    return await reports(api, sn)


async def test_of_two_mails_of_one_instant_the_later_campaign_has_the_latest() -> None:
    """As a reader has it at the top."""
    emulator, clock = later()
    async with Api(emulator) as api:
        list_sn = await api.filled_list(1)
        for _ in range(2):
            await api.submit(BODY, list_sn)
        clock.advance(60)

        emulator.react(emulator.outbox[0].to, "open")

    assert len({mail.sent_at for mail in emulator.outbox}) == 1
    assert [each.count("open", clock.now()) for each in emulator.campaigns] == [0, 1]


@pytest.mark.parametrize(
    ("action", "counted"),
    [
        ("open", {"delivered": 3, "opened": 1}),
        ("click", {"delivered": 3, "opened": 1, "clicked": 1}),
        ("bounce", {"delivered": 2, "bounced": 1}),
        ("unsubscribe", {"delivered": 3, "unsubscribed": 1}),
        ("complain", {"delivered": 3, "complained": 1}),
    ],
)
async def test_reaction_is_counted_everywhere(action: Any, counted: dict[str, int]) -> None:
    """Metrics, report files, rates of the list and the excluded agree on what a reader did."""
    emulator, _ = later(count_form="number")
    names = ("delivered", "opened", "clicked", "bounced", "unsubscribed", "complained")
    async with Api(emulator) as api:
        sn = await send(api)

        emulator.react(" U1@Example.com ", action)
        emulator.react("u1@example.com", action)

        row = await figures(api, sn)
        files = await export(api, sn)
        [target] = (await api.get("/v1/contacts/lists")).json()["Lists"]
    assert {name: row[name] for name in names if row[name]} == counted
    kinds = {"opened": "open", "clicked": "click", "bounced": "bounce"} | {
        "delivered": "delivery",
        "unsubscribed": "unsubscribe",
        "complained": "complain",
    }
    assert {kind: len(who) for kind, who in files.items()} == {
        kinds[name]: count for name, count in counted.items()
    }
    assert files[action] == ["u1@example.com"]
    is_gone = action in {"bounce", "unsubscribe", "complain"}
    assert emulator.excluded == ({"u1@example.com"} if is_gone else frozenset())
    assert (target["subscribedCnt"], target["excludeCnt"]) == ((2, 1) if is_gone else (3, 0))
    assert (target["openedRate"] > 0) is ("opened" in counted)
    assert (target["clickedRate"] > 0) is ("clicked" in counted)


async def test_later_event_of_the_same_kind_is_replaced() -> None:
    """A reader opens once: now, and not when he was drawn to."""
    emulator, clock = later(open_share=1.0, click_share=1.0, unsubscribe_share=0.0)
    async with Api(emulator) as api:
        sn = await send(api, 50)
        [campaign] = emulator.campaigns
        before = campaign.count("open", clock.now())
        drawn = [reading_of(campaign.waves[0], place, clock.now()) for place in range(50)]
        quiet = next(place for place, found in enumerate(drawn) if "open" not in found)

        emulator.react(f"u{quiet}@example.com", "open")

        assert campaign.count("open", clock.now()) == before + 1
        found = reading_of(campaign.waves[0], quiet, clock.now())
        assert found["open"] == clock.now().replace(microsecond=0)
        clock.advance(30 * DAY_S)
        files = await export(api, sn)
    assert sorted(files["open"]) == sorted(files["click"]) == sorted(set(files["open"]))
    assert len(files["open"]) == 50


async def test_bounce_takes_the_readings_away() -> None:
    """A bounce removes all earlier opens of the mail, and it gets no later ones."""
    emulator, clock = later(open_share=1.0, click_share=1.0, complain_share=1.0)
    async with Api(emulator) as api:
        sn = await send(api, 3)
        clock.advance(30 * DAY_S)

        emulator.react("u1@example.com", "bounce")

        files = await export(api, sn)
    others = ["u0@example.com", "u2@example.com"]
    assert files.pop("bounce") == ["u1@example.com"]
    assert {tuple(sorted(who)) for who in files.values()} == {tuple(others)}
    assert {"delivery", "open", "click"} <= set(files)


@pytest.mark.parametrize("is_fetched", [True, False])
@pytest.mark.parametrize("stagger_s", [0, 5])
async def test_exported_file_is_history(stagger_s: float, *, is_fetched: bool) -> None:
    """A file keeps its rows, even if it is fetched later; the next export has the new ones."""
    emulator, clock = later(report_stagger_s=stagger_s)
    async with Api(emulator) as api:
        sn = await send(api)
        emulator.react("u0@example.com", "open")
        await api.post(f"/v1/report/{sn}/export", {})
        clock.advance(60)
        first = await reports(api, sn) if is_fetched else {}

        emulator.react("u1@example.com", "bounce")
        emulator.react("u2@example.com", "open")

        after = await reports(api, sn)
        clock.advance(3_600)
        await api.post(f"/v1/report/{sn}/export", {})
        clock.advance(60)
        second = await reports(api, sn)
    everybody = ["u0@example.com", "u1@example.com", "u2@example.com"]
    assert after == {"delivery": everybody, "open": ["u0@example.com"]}
    assert first in (after, {})
    assert second["bounce"] == ["u1@example.com"]
    assert second["delivery"] == ["u0@example.com", "u2@example.com"]
    assert second["open"] == ["u0@example.com", "u2@example.com"]


async def test_file_of_the_same_instant_knows_what_came_before_it() -> None:
    """While the clock is held, the order of the calls decides."""
    emulator, _ = later(report_delay_s=0, export_per_campaign_s=0)
    async with Api(emulator) as api:
        sn = await send(api)
        emulator.react("u0@example.com", "open")
        await api.post(f"/v1/report/{sn}/export", {})
        emulator.react("u1@example.com", "open")

        assert (await reports(api, sn))["open"] == ["u0@example.com"]


async def test_mail_is_the_latest_that_has_gone_out() -> None:
    """Of two campaigns the second one counts, unless the test names the first."""
    emulator, clock = later()
    async with Api(emulator) as api:
        first, second = [await send(api), await send(api)]

        emulator.react("u1@example.com", "open")
        emulator.react("u2@example.com", "click", campaign_sn=first)

    counts = {item.sn: item.count("open", clock.now()) for item in emulator.campaigns}
    clicks = {item.sn: item.count("click", clock.now()) for item in emulator.campaigns}
    assert counts == {first: 1, second: 1}
    assert clicks == {first: 1, second: 0}


async def test_reaction_decides_an_ab_test() -> None:
    """Who opens B lets B win, and each part has its own figures."""
    emulator, clock = later()
    async with Api(emulator) as api:
        sn = await send(api, 40, AB_BODY)
        to_b = next(mail.to for mail in emulator.outbox if mail.variant == "B")

        emulator.react(to_b, "open")

        clock.advance(2 * 3_600)
        [campaign] = emulator.campaigns
        rows = (await api.post("/v1/report/campaigns/metrics", {"campaignSns": [sn]})).json()
    assert campaign.winner == "B"
    assert {row["reportType"]: row["opened"] for row in rows} == {
        "TOTAL": 1,
        "TEST_A": 0,
        "TEST_B": 1,
        "WINNING": 0,
    }


async def test_excluded_reader_gets_no_further_mail() -> None:
    """An address that bounced is left out of the next campaign."""
    emulator, clock = later()
    async with Api(emulator) as api:
        list_sn = await api.filled_list(2)
        await api.submit(BODY, list_sn)
        clock.advance(60)

        emulator.react("u0@example.com", "bounce")

        await api.submit(BODY, list_sn)
        clock.advance(60)
    assert [mail.to for mail in emulator.outbox][2:] == ["u1@example.com"]


async def test_reaction_outlives_a_pause() -> None:
    """A stopped campaign keeps the reactions to the mails that were sent."""
    emulator, clock = later(mails_per_s=1.0, send_base_s=0.0, schedule_may_be_short=True)
    async with Api(emulator) as api:
        sn = (await api.submit(BODY, await api.filled_list(10))).json()["sn"]
        clock.advance(3.5)
        emulator.react("u0@example.com", "click")
        emulator.react("u1@example.com", "bounce")

        await api.request("PATCH", f"/v1/campaign/normal/{sn}")

        row = await figures(api, sn)
        with pytest.raises(LookupError, match=f"campaign {sn} was paused before"):
            emulator.react("u9@example.com", "open")
    assert [row[name] for name in ("delivered", "bounced", "opened", "clicked")] == [2, 1, 1, 1]
    assert emulator.excluded == {"u1@example.com"}


async def test_reactions_are_put_aside_and_put_back() -> None:
    """A snapshot has what readers were let do, and the files from before that."""
    emulator, _ = later()
    async with Api(emulator) as api:
        sn = await send(api)
        before = await export(api, sn)
        emulator.react("u0@example.com", "bounce")
        emulator.snapshot("one")
        emulator.react("u1@example.com", "bounce")

        emulator.restore("one")

        assert await reports(api, sn) == before
        assert (await figures(api, sn))["bounced"] == 1
    assert emulator.excluded == {"u0@example.com"}


async def test_no_mail_is_an_error_with_the_reason() -> None:
    """Who got nothing cannot react; the text says whether there will be a mail."""
    emulator, clock = later(mails_per_s=0.1, send_base_s=0.0)
    async with Api(emulator) as api:
        sn = (await api.submit(BODY, await api.filled_list(2))).json()["sn"]
        clock.advance(12)

        with pytest.raises(LookupError, match=r"no mail was sent to other@example.com"):
            emulator.react("other@example.com", "open")
        with pytest.raises(LookupError, match=r"u1@example.com: it is due at .*advance the clock"):
            emulator.react("u1@example.com", "open")
        with pytest.raises(LookupError, match="no campaign 'unknown' was accepted"):
            emulator.react("u0@example.com", "open", campaign_sn="unknown")
        with pytest.raises(LookupError, match=f"no mail of campaign {sn} was sent to other"):
            emulator.react("other@example.com", "open", campaign_sn=sn)


async def test_mail_that_bounced_has_no_reader() -> None:
    """The error has the reason why there can be no open."""
    emulator, _ = later(bounce_share=1.0)
    async with Api(emulator) as api:
        await send(api, 1)

        with pytest.raises(LookupError, match=r"u0@example.com .* bounced at .*bounce_share=0"):
            emulator.react("u0@example.com", "open")
        emulator.react("u0@example.com", "bounce")

    [campaign] = emulator.campaigns
    assert campaign.count("bounce", START + timedelta(days=1)) == 1


async def test_unknown_action_is_refused_with_the_known_ones() -> None:
    """A spelling mistake does not pass."""
    emulator, _ = later()

    with pytest.raises(ValueError, match=f"action: must be one of {', '.join(ACTIONS)}"):
        emulator.react("u0@example.com", "opens")  # type: ignore[arg-type]


async def test_reading_of_a_mail_is_what_happened_by_then() -> None:
    """Of one mail: nothing before it goes out, then what was drawn, in order of time."""
    emulator, clock = later(open_share=1.0, click_share=1.0, complain_share=1.0)
    async with Api(emulator) as api:
        await send(api, 2)
    [wave] = emulator.campaigns[0].waves

    before = reading_of(wave, 1, wave.begin)
    at_last = reading_of(wave, 1, clock.now() + timedelta(days=30))

    assert before == {}
    assert set(at_last) == {"delivery", "open", "click", "complain"} or "unsubscribe" in at_last
    assert at_last["delivery"] == wave.sent_at(1) <= at_last["open"] <= at_last["click"]
    halfway = reading_of(wave, 1, at_last["open"])
    assert set(halfway) == {"delivery", "open"}
