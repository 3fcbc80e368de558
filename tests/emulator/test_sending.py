"""What becomes of an accepted campaign: mails, readers, and the list of what was sent."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from newsleopard_async.emulator import Emulator, Mail, Switches
from newsleopard_async.emulator.platform import mailings, waves
from tests.constants import START
from tests.emulator.api import AB_BODY, BODY, QUIET, Api, HandClock, changed, make, rows, scheduled

pytestmark = pytest.mark.asyncio

DAY_S = 86_400


async def test_mail_is_rendered_with_the_recipients_values() -> None:
    """Names are filled into subject and HTML; empty where missing, kept where unknown (T83)."""
    emulator, clock = make(**QUIET)
    html = "${NAME}|${ city }|${email}|${SIZE}|${UNKNOWN}|{{NAME}}|${|${}"
    async with Api(emulator) as api:
        sn = await api.create_list()
        await api.import_text("EMAIL,NAME,SIZE\nb@b.cc,小明,\n")
        await api.import_text("EMAIL,NAME,CITY\na@b.cc,<小華>,台北\n", sn)
        clock.advance(60)
        code = (await api.submit(changed(BODY, {"content.htmlContent": html}), sn)).json()["sn"]
        clock.advance(60)

    assert list(emulator.outbox) == [
        Mail(
            to="a@b.cc",
            name="<小華>",
            subject="<小華>,您好",
            sender="電子豹 <service@example.com>",
            html="<小華>|台北|a@b.cc||${UNKNOWN}|{{NAME}}|${|${}",
            campaign_sn=code,
            sent_at=START + timedelta(seconds=62),
        )
    ]
    assert emulator.campaigns[0].unknown_placeholders == ("UNKNOWN",)


async def test_mail_that_went_out_stays_as_it_was() -> None:
    """A column that a later import brings fills no placeholder of a mail that is out (T83)."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        sn = await api.filled_list(1)
        await api.submit(changed(BODY, {"content.htmlContent": "${NAME}|${P}"}), sn)
        clock.advance(60)
        before = emulator.outbox[0]
        await api.import_text("EMAIL,NAME,P\nu0@example.com,renamed,1\nu1@example.com,x,\n", sn)
        clock.advance(60)
        after = emulator.outbox[0]
        await api.submit(changed(BODY, {"content.htmlContent": "${NAME}|${P}"}), sn)
        clock.advance(60)

    assert before == after
    assert [mail.html for mail in emulator.outbox] == ["會員0|${P}", "renamed|1", "x|"]


async def test_each_part_of_a_test_is_of_its_own_time() -> None:
    """Test mails do not change after sending; the others have the later values (T83)."""
    emulator, clock = make(**QUIET)
    body = changed(AB_BODY, {"content.htmlContent": "${NAME}|${P}"})
    async with Api(emulator) as api:
        sn = await api.filled_list(100)
        await api.submit(body, sn)
        await api.import_text(
            "EMAIL,NAME,P\n" + "".join(f"u{n}@example.com,new,1\n" for n in range(100))
        )
        clock.advance(7_200)

    tested, rest = emulator.campaigns[0].waves[:2], emulator.campaigns[0].waves[2]
    parts = Counter(mail.html == "new|1" for mail in emulator.outbox)
    assert parts == {
        False: sum(len(each.recipients) for each in tested),
        True: len(rest.recipients),
    }


async def test_mails_go_out_over_time_and_the_campaign_is_listed_when_complete() -> None:
    """Sending takes time, in which the campaign cannot be found (T65)."""
    emulator, clock = make(send_base_s=0, mails_per_s=10, **QUIET)
    async with Api(emulator) as api:
        code = (await api.submit(BODY, await api.filled_list(100))).json()["sn"]
        clock.advance(4.95)
        halfway = len(emulator.outbox), (await api.get("/v1/report/campaigns")).json()
        state = emulator.campaigns[0].state(clock.now())
        clock.advance(5.05)
        listed = (await api.get("/v1/report/campaigns")).json()

    assert halfway == (49, [])
    assert state == "SENDING"
    assert len(emulator.outbox) == 100
    assert listed == [
        {
            "sn": code,
            "name": "活動名稱",
            "sentBeginDate": "2026-01-05T02:01:00.000Z",
            "sentEndDate": "2026-01-05T02:01:10.00Z",
        }
    ]


async def test_what_has_happened_stays_so_if_the_wall_clock_is_set_back() -> None:
    """A complete campaign stays complete, and an imported contact stays imported."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        sn = await api.import_text("EMAIL,NAME\na@b.cc,x\n", await api.create_list())
        clock.advance(60)
        await api.submit(BODY, emulator.lists[0].sn)
        clock.advance(60)
        before = (await api.get("/v1/report/campaigns")).json(), list(emulator.outbox)
        clock.wall_behind_s = 100
        after = (await api.get("/v1/report/campaigns")).json(), list(emulator.outbox)
        early = await api.submit(scheduled(60), emulator.lists[0].sn)
        imported = await api.result(sn)

    assert before == after
    assert len(before[0]) == 1
    assert (early.status_code, imported["status"]) == (400, "COMPLETE")


async def test_scheduled_campaign_goes_to_who_is_there_at_its_instant() -> None:
    """Recipients are computed when it is sent, not when it is accepted."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        sn = await api.filled_list(2)
        await api.submit(scheduled(3_600), sn)
        await api.filled_list(0)
        await api.import_text("EMAIL,NAME\nlate@b.cc,x\n", sn)
        emulator.exclude("u0@example.com")
        clock.advance(3_000)
        before = len(emulator.outbox), emulator.campaigns[0].state(clock.now())
        clock.advance(3_600)

    assert before == (0, "PREPARE_TO_SENT")
    assert [mail.to for mail in emulator.outbox] == ["u1@example.com", "late@b.cc"]
    assert emulator.campaigns[0].sent_begin == START + timedelta(hours=1)


@pytest.mark.parametrize(
    ("balance", "state", "sent", "left"),
    [(139, "OVER_LIMIT", 0, 199), (140, "COMPLETE", 200, 0)],
)
async def test_list_that_outgrew_the_balance_is_over_the_limit(
    balance: int, state: str, sent: int, left: int
) -> None:
    """A scheduled campaign is judged again at its instant, and costs the mails that it sends."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        sn = await api.filled_list(60)
        await api.submit(scheduled(3_600), sn)
        charged = emulator.campaigns[0].charged
        await api.import_text(rows(200), sn)
        emulator.balance = balance
        clock.advance(7_200)
        listed = (await api.get("/v1/report/campaigns")).json()

    campaign = emulator.campaigns[0]
    assert (charged, campaign.state(clock.now()), len(listed)) == (60, state, bool(sent))
    assert (campaign.charged, len(emulator.outbox), emulator.balance) == (sent, sent, left)


async def test_mails_that_are_not_sent_are_paid_back() -> None:
    """A campaign costs the mails that it sends, even if contacts left after the submit."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        await api.submit(scheduled(3_600), await api.filled_list(60))
        emulator.exclude("u0@example.com")
        before = emulator.balance
        clock.advance(7_200)

    assert len(emulator.outbox) == emulator.campaigns[0].charged == 59
    assert (before, emulator.balance) == (1_000_000 - 60, 1_000_000 - 59)


@pytest.mark.parametrize(
    "switches", [{"verified_senders": ("other@example.com",)}, {"denied_domains": ("example.com",)}]
)
async def test_sender_is_judged_again_at_the_instant(switches: dict[str, Any]) -> None:
    """A sender that may no longer send ends the campaign, and the mails are paid back (T66)."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        await api.submit(scheduled(3_600), await api.filled_list(3))
        emulator.switch(**switches)
        clock.advance(7_200)

    assert emulator.campaigns[0].state(clock.now()) == "UNAUTHENTICATED_SENDER"
    assert (len(emulator.outbox), emulator.balance) == (0, 1_000_000)


@pytest.mark.parametrize(
    ("switches", "state"),
    [
        ({"denied_domains": ("example.com",)}, "UNAUTHENTICATED_SENDER"),
        ({"free_plan": True}, "OVER_LIMIT"),
    ],
)
async def test_rest_of_a_test_is_judged_again(switches: dict[str, Any], state: str) -> None:
    """The mails of the test were sent and charged; the others were not."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        await api.submit(AB_BODY, await api.filled_list(100))
        clock.advance(60)
        emulator.switch(**switches)
        clock.advance(7_200)
        listed = (await api.get("/v1/report/campaigns")).json()

    campaign = emulator.campaigns[0]
    assert (campaign.state(clock.now()), listed) == (state, [])
    assert campaign.charged == len(emulator.outbox) == 1_000_000 - emulator.balance == 10


async def test_free_plan_is_judged_again_at_the_instant() -> None:
    """A list that grew above 50 mails in any 24 hours is over the limit (T27)."""
    emulator, clock = make(free_plan=True, **QUIET)
    async with Api(emulator) as api:
        grown, other = await api.filled_list(20), await api.filled_list(10, prefix="v")
        await api.submit(scheduled(3_600), grown)
        await api.submit(BODY, other)
        too_many = await api.submit(BODY, grown, other)
        await api.import_text(rows(41), grown)
        clock.advance(7_200)

    assert too_many.json() == {"code": 40012, "recipients": 30, "remaining": 20}
    states = [item.state(clock.now()) for item in emulator.campaigns]
    assert states == ["OVER_LIMIT", "COMPLETE"]


async def test_unknown_variables_are_those_of_the_moment_of_sending() -> None:
    """A column that arrives between submit and sending is known (T83)."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        sn = await api.filled_list(1)
        await api.submit(changed(scheduled(3_600), {"content.subject": "${SIZE} ${CITY}"}), sn)
        before = emulator.campaigns[0].unknown_placeholders
        await api.import_text("EMAIL,NAME,SIZE\nx@example.com,x,L\n")
        clock.advance(7_200)

    assert (before, emulator.campaigns[0].unknown_placeholders) == ((), ("CITY",))
    assert emulator.outbox[0].subject == " ${CITY}"


async def test_what_was_due_before_a_change_is_not_judged_by_it() -> None:
    """A change of switches or balance does not apply to mails that were due before."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        await api.submit(scheduled(3_600), await api.filled_list(3))
        emulator.exclude("u0@example.com")
        clock.advance(7_200)
        balance = emulator.balance
        emulator.switch(denied_domains=("example.com",))

    assert balance == 1_000_000 - 2
    assert emulator.campaigns[0].state(clock.now()) == "COMPLETE"


async def test_end_of_a_campaign_can_be_scripted() -> None:
    """A 200 means accepted, not sent: any failure may follow (T66)."""
    emulator, clock = make()
    emulator.script_campaign("OVER_LIMIT")
    async with Api(emulator) as api:
        sn = await api.filled_list(1)
        answers = [await api.submit(BODY, sn) for _ in range(2)]
        clock.advance(60)

    assert [answer.status_code for answer in answers] == [200, 200]
    states = [item.state(clock.now()) for item in emulator.campaigns]
    assert states == ["OVER_LIMIT", "COMPLETE"]
    assert len(emulator.outbox) == 1


FINAL = ["STOP", "OVER_LIMIT", "EMPTY_RECIPIENT", "INSUFFICIENT_RECIPIENT_FOR_TESTING"]
FINAL += ["UNAUTHENTICATED_SENDER", "SOMETHING_NEW"]
HOLDING = ["DRAFT", "PREPARE", "PREPARE_TO_SENT", "TESTING", "SENDING"]


@pytest.mark.parametrize("body", [BODY, AB_BODY], ids=["plain", "test"])
@pytest.mark.parametrize("state", [*FINAL, *HOLDING])
async def test_scripted_campaign_does_not_contradict_itself(
    body: dict[str, Any], state: str
) -> None:
    """It is not sent or listed, and has no report; a final state refunds its charge."""
    emulator, clock = make(**QUIET)
    emulator.script_campaign(state)
    async with Api(emulator) as api:
        sn = (await api.submit(body, await api.filled_list(100))).json()["sn"]
        clock.advance(7_200)
        listed = (await api.get("/v1/report/campaigns")).json()
        await api.post(f"/v1/report/{sn}/export", {})
        clock.advance(60)
        links = (await api.get(f"/v1/report/{sn}/link")).json()

    campaign = emulator.campaigns[0]
    assert (campaign.state(clock.now()), campaign.sent_begin, campaign.sent_end) == (
        state,
        None,
        None,
    )
    assert (len(emulator.outbox), listed, links) == (0, [], {"Reports": []})
    assert campaign.charged == 1_000_000 - emulator.balance == (100 if state in HOLDING else 0)


async def test_same_seed_gives_the_same_story() -> None:
    """Codes, bounces and opens are drawn from the seed alone."""

    async def story(seed: int) -> list[Any]:
        clock = HandClock()
        switches = Switches(requests_per_s=None)
        emulator = Emulator(clock=clock, seed=seed, switches=switches)
        async with Api(emulator) as api:
            code = (await api.submit(BODY, await api.filled_list(500))).json()["sn"]
            clock.advance(DAY_S)
        campaign = emulator.campaigns[0]
        kinds = ("delivery", "open", "click", "bounce", "unsubscribe", "complain")
        return [code, [campaign.count(kind, clock.now()) for kind in kinds], emulator.excluded]

    assert await story(1) == await story(1)
    assert await story(1) != await story(2)


async def test_events_are_spread_over_the_hours_after_sending() -> None:
    """Opens grow with the clock, and never shrink."""
    emulator, clock = make()
    async with Api(emulator) as api:
        await api.submit(BODY, await api.filled_list(2_000))
        campaign = emulator.campaigns[0]
        counts = []
        for _ in range(6):
            clock.advance(3_600)
            counts.append(campaign.count("open", clock.now()))

    assert counts == sorted(set(counts))
    assert 500 < counts[-1] < 800


async def test_readers_who_bounce_or_leave_are_excluded_from_then_on() -> None:
    """Bounces, unsubscribes and complaints make 無效會員."""
    emulator, clock = make(bounce_share=0.1)
    async with Api(emulator) as api:
        sn = await api.filled_list(200)
        await api.submit(BODY, sn)
        clock.advance(10 * DAY_S)
        campaign = emulator.campaigns[0]
        lost = sum(
            campaign.count(kind, clock.now()) for kind in ("bounce", "unsubscribe", "complain")
        )
        await api.submit(BODY, sn)

    assert lost > 10
    assert len(emulator.excluded) == lost
    assert emulator.campaigns[1].charged == 200 - lost


async def test_ab_test_sends_both_halves_and_the_rest_to_the_winner() -> None:
    """Half the share each, and after the wait everybody else gets the better one (T97 to T99)."""
    emulator, clock = make(bounce_share=0.0, open_share=0.0, open_share_b=1.0, open_delay_s=60.0)
    async with Api(emulator) as api:
        await api.submit(AB_BODY, await api.filled_list(105))
        clock.advance(60)
        test = [mail.variant for mail in emulator.outbox]
        testing = emulator.campaigns[0].state(clock.now())
        clock.advance(3_600 - 60 - 1)
        waiting = len(emulator.outbox)
        clock.advance(10)
        listed = (await api.get("/v1/report/campaigns")).json()

    campaign = emulator.campaigns[0]
    assert test == ["A"] * 5 + ["B"] * 5
    assert (testing, waiting) == ("TESTING", 10)
    assert campaign.winner == "B"
    assert [mail.subject for mail in emulator.outbox[10:]] == ["信件主旨B"] * 95
    assert len({mail.to for mail in emulator.outbox}) == 105
    assert [row["sn"] for row in listed] == [campaign.sn]


@pytest.mark.parametrize("body", [BODY, AB_BODY])
async def test_due_mails_do_not_delay_other_requests(
    monkeypatch: pytest.MonkeyPatch, body: dict[str, Any]
) -> None:
    """The first request draws the events in slices; other requests are answered between them."""
    monkeypatch.setattr(mailings, "AT_ONE_GO", 0)
    monkeypatch.setattr(waves, "_SLICE", 1)
    sent = []
    for is_watched in (False, True):
        emulator, clock = make()
        async with Api(emulator) as api:
            sn = await api.filled_list(100)
            await api.submit({**body, "config": scheduled(3_600)["config"]}, sn)
            await api.import_text(rows(101), sn)  # so that nothing could be drawn ahead
            clock.advance(10_000)
            if is_watched:
                first = asyncio.create_task(api.get("/v1/report/campaigns"))
                await asyncio.sleep(0)
                assert (await api.get("/v1/report/campaigns")).json() == []
                assert not first.done()
                assert len((await first).json()) == 1
        sent.append([(mail.to, mail.subject, mail.sent_at) for mail in emulator.outbox])

    assert sent[0] == sent[1]
    assert len(sent[0]) == 101


async def test_look_in_the_middle_of_a_sending_sees_all_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A read of the state does not depend on the request that prepares it in slices."""
    monkeypatch.setattr(mailings, "AT_ONE_GO", 0)
    monkeypatch.setattr(waves, "_SLICE", 1)
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        sn = await api.filled_list(100)
        for _ in range(2):
            await api.submit(scheduled(3_600), sn)
        clock.advance(3_700)
        first = asyncio.create_task(api.get("/v1/report/campaigns"))
        await asyncio.sleep(0)
        await api.get("/v1/contacts/lists")
        first.cancel()
        await asyncio.sleep(0)
        second = asyncio.create_task(api.get("/v1/report/campaigns"))
        await asyncio.sleep(0)
        await api.get("/v1/contacts/lists")
        assert len(emulator.outbox) == 200

        assert len((await second).json()) == 2


@pytest.mark.slow
async def test_twenty_thousand_recipients_are_quick() -> None:
    """Nothing is rendered before it is looked at."""
    emulator, clock = make()
    async with Api(emulator) as api:
        sn = await api.filled_list(20_000)
        begin = time.process_time()
        await api.submit(BODY, sn)
        clock.advance(60)
        last = emulator.outbox[-1]
        took_s = time.process_time() - begin

    assert len(emulator.outbox) == 20_000
    assert last.to == "u19999@example.com"
    assert took_s < 2


async def test_outbox_is_a_sequence() -> None:
    """It has slices, negative places, and an end."""
    emulator, clock = make(**QUIET)
    async with Api(emulator) as api:
        sn = await api.filled_list(3)
        await api.submit(BODY, sn)
        await api.submit(BODY, sn)
        clock.advance(60)

    outbox = emulator.outbox
    assert [mail.to[1] for mail in outbox] == ["0", "1", "2", "0", "1", "2"]
    assert [mail.to[1] for mail in outbox[2:5]] == ["2", "0", "1"]
    assert outbox[-1] == outbox[5]
    with pytest.raises(IndexError):
        outbox[6]
