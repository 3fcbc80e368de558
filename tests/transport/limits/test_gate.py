"""The rules of the gate and of the pace, as tables."""

from __future__ import annotations

import math

import pytest

from newsleopard_async.transport.limits.gate import Gate, GateState, Spacing, probe_delay_s


def steady_gate() -> Gate:
    """Return a gate without jitter."""
    return Gate(jitter=lambda: 0.0)


@pytest.mark.parametrize(
    ("refused_probes", "delay_s"), [(0, 1), (1, 2), (2, 4), (3, 8), (4, 16), (5, 30), (5_000, 30)]
)
def test_probes_become_rarer(refused_probes: int, delay_s: float) -> None:
    """Probes go after 1, 2, 4 s and so on, and at least every 30 s."""
    assert probe_delay_s(refused_probes) == delay_s


def judge(gate: Gate, verdicts: list[bool | None], *, every_s: float) -> list[bool]:
    """Refuse a request and then probes; return after which of them the day is gone."""
    gate.refused(0.0, daily=None, retry_after_s=None)
    ends = []
    for number, daily in enumerate(verdicts, 1):
        gate.pass_one()
        gate.probe_settled(number * every_s, answered=True)
        ends.append(gate.refused(number * every_s, daily=daily, retry_after_s=None))
    return ends


@pytest.mark.parametrize(
    ("verdicts", "gone"),
    [
        ([None] * 2, False),
        ([None] * 3, True),
        ([True] * 3, True),
        ([True, None, True], True),
        ([False] * 9, False),
        ([None, None, False, None, None], False),
        ([None, None, False, None, None, None], True),
    ],
)
def test_day_is_gone_after_three_refused_probes_in_a_row(
    verdicts: list[bool | None], gone: bool
) -> None:
    """Three probes in a row, none refused with the second's text, mean the day is used up."""
    assert any(judge(steady_gate(), verdicts, every_s=60)) is gone


@pytest.mark.parametrize(("every_s", "probes"), [(1, 120), (10, 12), (30, 4), (300, 3)])
def test_day_is_gone_after_two_minutes_of_refused_probes(every_s: float, probes: int) -> None:
    """However many are refused within less, others may have taken the second's requests."""
    ends = judge(steady_gate(), [None] * probes, every_s=every_s)

    assert ends == [False] * (probes - 1) + [True]


def test_two_minutes_begin_again_after_the_text_of_the_second() -> None:
    """Earlier refusals say nothing about the day."""
    ends = judge(steady_gate(), [*[None] * 20, False, *[None] * 12], every_s=5)
    later = judge(steady_gate(), [False, *[None] * 12], every_s=10)

    assert not any(ends)
    assert later == [False] * 12 + [True]


def test_gate_is_given_up_after_two_minutes_until_a_probe_is_accepted() -> None:
    """With any texts, no request waits without limit for a server that refuses everything."""
    gate = steady_gate()
    judge(gate, [False] * 11, every_s=10)
    before = gate.is_given_up
    gate.pass_one()
    gate.probe_settled(120, answered=True)
    gate.refused(120, daily=False, retry_after_s=None)
    after = gate.is_given_up

    gate.pass_one()
    gate.probe_settled(150, answered=True)
    opens = gate.accepted()

    assert (before, after, opens, gate.is_given_up) == (False, True, True, False)


def test_gate_waits_longer_with_each_refused_probe() -> None:
    """The hold is counted from each probe's refusal."""
    gate = steady_gate()
    holds = []

    gate.refused(0.0, daily=False, retry_after_s=None)
    for _ in range(4):
        holds.append(gate.hold_s(0.0))
        gate.pass_one()
        gate.probe_settled(0.0, answered=True)
        gate.refused(0.0, daily=False, retry_after_s=None)

    assert holds == [1, 2, 4, 8]


def test_outcomes_of_other_requests_do_not_count_as_the_probes() -> None:
    """Answers that were on their way when the gate shut neither open it nor count."""
    gate = steady_gate()
    gate.refused(0.0, daily=None, retry_after_s=None)

    for _ in range(5):
        gate.refused(0.1, daily=None, retry_after_s=None)
        gate.accepted()
    gate.pass_one()
    for _ in range(5):
        gate.refused(1.1, daily=None, retry_after_s=None)
        gate.accepted()

    assert gate.state is GateState.PROBING
    assert gate.go_at() == float("inf")
    assert gate.hold_s(1.1) == 0.0


def refuse_probes(gate: Gate, count: int, *, from_s: float = 0.0) -> list[bool]:
    """Refuse probes 60 s apart; return the number after which the day is exhausted."""
    ends = []
    for number in range(1, count + 1):
        now = from_s + number * 60
        gate.pass_one()
        gate.probe_settled(now, answered=True)
        ends.append(gate.refused(now, daily=None, retry_after_s=None))
    return ends


def test_refused_probe_is_counted_once() -> None:
    """Later refusals of other requests do not count as a second refusal of the probe."""
    gate = steady_gate()
    gate.refused(0.0, daily=None, retry_after_s=None)
    refuse_probes(gate, 1)

    ends = [gate.refused(0.0, daily=None, retry_after_s=None) for _ in range(5)]
    gate.accepted()

    assert not any(ends)
    assert gate.state is GateState.SHUT
    assert gate.hold_s(60.0) == 2


def test_next_hold_begins_from_the_start() -> None:
    """An accepted probe ends the row of refused ones, and the delays begin anew."""
    gate = steady_gate()
    gate.refused(0.0, daily=None, retry_after_s=None)
    refuse_probes(gate, 2)
    gate.pass_one()
    gate.probe_settled(180.0, answered=True)
    gate.accepted()

    gate.refused(180.0, daily=None, retry_after_s=None)
    hold_s = gate.hold_s(180.0)

    assert hold_s == 1
    assert refuse_probes(gate, 3, from_s=180) == [False, False, True]


def test_day_after_a_lost_one_takes_three_probes_again() -> None:
    """The count that has ended one day does not end the next."""
    gate = steady_gate()
    gate.refused(0.0, daily=None, retry_after_s=None)

    ends = refuse_probes(gate, 6)

    assert ends == [False, False, True, False, False, True]


def test_longer_retry_after_of_another_prolongs_the_hold() -> None:
    """A Retry-After is observed, whichever request receives it."""
    gate = steady_gate()
    gate.refused(0.0, daily=None, retry_after_s=None)

    gate.refused(0.1, daily=None, retry_after_s=20.0)

    assert gate.go_at() == pytest.approx(20.1)


@pytest.mark.parametrize(
    ("asked_s", "hold_s"),
    [(20.0, 20), (604_800.0, 300), (math.inf, 300), (-5.0, 1), (math.nan, 1)],
)
@pytest.mark.parametrize("by", ["first", "other", "probe"])
def test_retry_after_shuts_the_gate_for_five_minutes_at_most(
    by: str, asked_s: float, hold_s: float
) -> None:
    """No header stops every caller of a process for days, whichever answer it is in."""
    gate = steady_gate()
    if by != "first":
        gate.refused(0.0, daily=None, retry_after_s=None)
    if by == "probe":
        gate.pass_one()
        gate.probe_settled(0.0, answered=True)

    gate.refused(0.0, daily=None, retry_after_s=asked_s)

    assert gate.hold_s(0.0) == max(hold_s, 2 if by == "probe" else 1)


@pytest.mark.parametrize(
    ("refusals", "factors"),
    [(2, [0]), (3, [1.1]), (6, [1.1]), (10, [1.1])],
)
def test_pace_slows_after_three_refusals(refusals: int, factors: list[float]) -> None:
    """However many refusals one hold has brought, three or more slow down once."""
    spacing = Spacing()
    for _ in range(refusals):
        spacing.refused()

    spacing.accepted()

    assert [spacing.factor] == factors


def test_pace_halves_with_each_further_three_refusals() -> None:
    """If a server continues to throttle, the requests slow down, up to a bound."""
    spacing = Spacing()
    factors = []

    for _ in range(9):
        for _ in range(3):
            spacing.refused()
        spacing.accepted()
        factors.append(spacing.factor)

    assert factors == pytest.approx([1.1, 2.2, 4.4, 8.8, 17.6, 35.2, 64, 64, 64])


def test_pace_recovers_slowly_and_stays_even() -> None:
    """Every 50 accepted requests make it 10 % faster, but bursts do not come back."""
    spacing = Spacing(factor=2.2)
    factors = []

    for _ in range(10):
        for _ in range(50):
            spacing.accepted()
        factors.append(spacing.factor)

    assert factors[:3] == pytest.approx([1.98, 1.782, 1.6038])
    assert factors[-2:] == [1.05, 1.05]


def test_pace_without_trouble_stays_off() -> None:
    """As long as the server accepts, requests may come in bursts."""
    spacing = Spacing()

    for _ in range(500):
        spacing.accepted()

    assert spacing.interval_s([(10, 1.0)]) == 0.0


def test_few_refusals_are_forgotten_with_time() -> None:
    """Refusals far apart do not add up."""
    spacing = Spacing()

    for _ in range(10):
        spacing.refused()
        for _ in range(50):
            spacing.accepted()

    assert spacing.factor == 0.0


@pytest.mark.parametrize(
    ("windows", "interval_s"),
    [([(10, 1.0)], 0.11), ([(10, 1.0), (2, 1.0)], 0.55), ([(10, 1.0), (60, 60.0)], 1.1), ([], 0.0)],
)
def test_pace_goes_by_the_slowest_window(
    windows: list[tuple[int, float]], interval_s: float
) -> None:
    """The interval is a tenth above what the tightest limit allows on average."""
    assert Spacing(factor=1.1).interval_s(windows) == pytest.approx(interval_s)
