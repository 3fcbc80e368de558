"""The sample account: its content, and what it does not change."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from newsleopard_async.emulator import Emulator, EmulatorClock, Switches
from newsleopard_async.emulator.sample import SAMPLE_S, build_sample
from tests.constants import START
from tests.emulator.api import HandClock

pytestmark = pytest.mark.anyio


async def sample(**options: Any) -> Emulator:
    """Build the sample on a held clock, which only the sample advances."""
    emulator = Emulator(clock=EmulatorClock(START, is_held=True), **options)
    await build_sample(emulator)
    return emulator


@pytest.mark.parametrize("profile", ["documented", "vendor-2026"])
async def test_sample_has_something_of_everything(profile: Any) -> None:
    """Lists, contacts, rejected rows, campaigns in all kinds of states, and mails."""
    emulator = await sample(profile=profile)
    now = emulator.clock.now()

    assert now == START + timedelta(seconds=SAMPLE_S)
    assert [len(each.members) for each in emulator.lists] == [80, 220, 60, 3]
    states = {each.name: each.state(now) for each in emulator.campaigns}
    if profile == "vendor-2026":
        assert states.pop("臨時公告（內容有誤）") == "STOP"
    assert states == {
        "週年慶搶先購": "COMPLETE",
        "春茶品飲會（主旨測試）": "COMPLETE",
        "系統測試信": "EMPTY_RECIPIENT",
        "新品上市（內容測試）": "TESTING",
        "每週選物電子報": "PREPARE_TO_SENT",
    }
    assert {each.winner for each in emulator.campaigns} & {"A", "B"}
    results = [each.result for each in emulator.imports]
    assert [each.rejected for each in results if each] == [0, 4, 0, 0]
    assert all(
        each.status == 200 for each in emulator.requests if each.operation != "pause_campaign"
    )
    assert emulator.count("export_report") == emulator.count("download") - 1 == 1


async def test_campaigns_of_the_sample_have_readers() -> None:
    """Of the first one mails were opened, clicked, and came back; the last is for tomorrow."""
    emulator = await sample()
    now = emulator.clock.now()

    first, last = emulator.campaigns[0], emulator.campaigns[-1]
    kinds = ("delivery", "open", "click", "bounce", "unsubscribe")
    assert all(first.count(kind, now) for kind in kinds)
    assert timedelta(0) < last.begins - now < timedelta(days=2)
    assert (last.begins.hour, last.begins.minute) == (2, 0)  # ten o'clock in Taipei


async def test_mail_of_the_sample_is_filled_but_for_one_placeholder() -> None:
    """It contains its picture, a link, and the unknown placeholder."""
    emulator = await sample()

    mail = emulator.outbox[0]
    assert mail.name in mail.subject
    assert mail.html.count("${") == 1
    assert "${未填}" in mail.html
    assert 'src="data:image/png;base64,' in mail.html
    assert 'href="https://www.example.com/shop"' in mail.html


async def test_sample_leaves_switches_balance_and_limits_alone() -> None:
    """It is built with any options, even those that would refuse its requests."""
    switches = Switches(
        requests_per_s=1,
        first_page=1,
        numeric_codes=True,
        lists_wrapper="groups",
        submit_shape="data",
    )
    emulator = await sample(switches=switches, balance=5, api_keys=["test-key", "k2"])

    assert emulator.switches == switches
    assert emulator.balance == 5
    assert len(emulator.campaigns) == 5


async def test_mails_of_the_sample_are_charged() -> None:
    """What the page shows as left fits what it shows as sent and planned."""
    emulator = await sample(balance=20_000)

    charged = sum(each.charged for each in emulator.campaigns)
    assert charged > 500
    assert emulator.balance == 20_000 - charged


async def test_clock_that_ran_runs_on() -> None:
    """A clock that was held is held, and one that ran runs, at its speed."""
    clock = EmulatorClock(START, speed=60)
    await build_sample(Emulator(clock=clock))

    assert not clock.is_held
    assert clock.speed == 60


async def test_sample_on_a_clock_of_yours_lets_no_time_pass() -> None:
    """Its mails are on their way then, and the tests not decided."""
    clock = HandClock()
    emulator = Emulator(clock=clock)
    await build_sample(emulator)

    assert clock.now() == START
    assert len(emulator.campaigns) == 5
    clock.advance(SAMPLE_S)
    assert emulator.campaigns[0].state(clock.now()) == "COMPLETE"


async def test_two_samples_are_the_same() -> None:
    """One seed and one time give the same codes and the same readers."""
    one, other = await sample(seed=3), await sample(seed=3)

    assert [each.sn for each in one.campaigns] == [each.sn for each in other.campaigns]
    assert [each.subject for each in one.outbox] == [each.subject for each in other.outbox]
