"""The rules of the gate and of the pace, as tables."""

from __future__ import annotations

import pytest

from newsleopard_async.transport.limits.gate import Gate, Pace, Step, probe_delay_s


def steady_gate() -> Gate:
    """Return a gate without jitter."""
    return Gate(jitter=lambda: 0.0)


@pytest.mark.parametrize(
    ("refused_probes", "delay_s"), [(0, 1), (1, 2), (2, 4), (3, 8), (4, 16), (5, 30), (5_000, 30)]
)
def test_probes_become_rarer(refused_probes: int, delay_s: float) -> None:
    """Probes go after 1, 2, 4 s and so on, and at least every 30 s."""
    assert probe_delay_s(refused_probes) == delay_s


@pytest.mark.parametrize(
    ("verdicts", "gone"),
    [
        ([], False),
        ([None], False),
        ([None, None], False),
        ([None, None, None], True),
        ([True, True, True], True),
        ([True, None, True], True),
        ([False, False, False, False], False),
        ([None, None, False, None, None], False),
        ([None, None, False, None, None, None], True),
    ],
)
def test_day_is_gone_after_three_refused_probes_in_a_row(
    verdicts: list[bool | None], gone: bool
) -> None:
    """Three probes in a row, none refused with the second's text, mean the day is used up."""
    gate = steady_gate()
    gate.refused(0.0, daily=None, retry_after_s=None)

    ends = []
    for daily in verdicts:
        gate.pass_one()
        gate.probe_settled(gate.probe_at, answered=True)
        ends.append(gate.refused(gate.probe_at, daily=daily, retry_after_s=None))

    assert any(ends) is gone


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


def test_verdicts_of_others_do_not_count_as_the_probes() -> None:
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

    assert gate.step is Step.PROBING
    assert gate.go_at() == float("inf")
    assert gate.hold_s(1.1) == 0.0


def refuse_probes(gate: Gate, count: int) -> list[bool]:
    """Send probes that are refused; return after which of them the day is gone."""
    ends = []
    for _ in range(count):
        gate.pass_one()
        gate.probe_settled(0.0, answered=True)
        ends.append(gate.refused(0.0, daily=None, retry_after_s=None))
    return ends


def test_refused_probe_is_counted_once() -> None:
    """What others bring after a probe's refusal is no second verdict on it."""
    gate = steady_gate()
    gate.refused(0.0, daily=None, retry_after_s=None)
    refuse_probes(gate, 1)

    ends = [gate.refused(0.0, daily=None, retry_after_s=None) for _ in range(5)]
    gate.accepted()

    assert not any(ends)
    assert gate.step is Step.SHUT
    assert gate.hold_s(0.0) == 2


def test_next_hold_begins_from_the_start() -> None:
    """An accepted probe ends the row of refused ones, and the delays begin anew."""
    gate = steady_gate()
    gate.refused(0.0, daily=None, retry_after_s=None)
    refuse_probes(gate, 2)
    gate.pass_one()
    gate.probe_settled(0.0, answered=True)
    gate.accepted()

    gate.refused(0.0, daily=None, retry_after_s=None)
    hold_s = gate.hold_s(0.0)

    assert hold_s == 1
    assert refuse_probes(gate, 3) == [False, False, True]


def test_day_after_a_lost_one_takes_three_probes_again() -> None:
    """The count that has ended one day does not end the next."""
    gate = steady_gate()
    gate.refused(0.0, daily=None, retry_after_s=None)

    ends = refuse_probes(gate, 6)

    assert ends == [False, False, True, False, False, True]


def test_longer_retry_after_of_another_prolongs_the_hold() -> None:
    """Whoever brings it, a Retry-After is kept."""
    gate = steady_gate()
    gate.refused(0.0, daily=None, retry_after_s=None)

    gate.refused(0.1, daily=None, retry_after_s=20.0)

    assert gate.go_at() == pytest.approx(20.1)


@pytest.mark.parametrize(
    ("refusals", "factors"),
    [(2, [0]), (3, [1.1]), (6, [1.1]), (10, [1.1])],
)
def test_pace_slows_after_three_refusals(refusals: int, factors: list[float]) -> None:
    """However many refusals one hold has brought, three or more slow down once."""
    pace = Pace()
    for _ in range(refusals):
        pace.refused()

    pace.accepted()

    assert [pace.factor] == factors


def test_pace_halves_with_each_further_three_refusals() -> None:
    """A server that goes on throttling is asked ever more slowly, down to a bound."""
    pace = Pace()
    factors = []

    for _ in range(9):
        for _ in range(3):
            pace.refused()
        pace.accepted()
        factors.append(pace.factor)

    assert factors == pytest.approx([1.1, 2.2, 4.4, 8.8, 17.6, 35.2, 64, 64, 64])


def test_pace_recovers_slowly_and_stays_even() -> None:
    """Every 50 accepted requests make it 10 % faster, but bursts do not come back."""
    pace = Pace(factor=2.2)
    factors = []

    for _ in range(10):
        for _ in range(50):
            pace.accepted()
        factors.append(pace.factor)

    assert factors[:3] == pytest.approx([1.98, 1.782, 1.6038])
    assert factors[-2:] == [1.05, 1.05]


def test_pace_without_trouble_stays_off() -> None:
    """As long as the server accepts, requests may come in bursts."""
    pace = Pace()

    for _ in range(500):
        pace.accepted()

    assert pace.interval_s([(10, 1.0)]) == 0.0


def test_few_refusals_are_forgotten_with_time() -> None:
    """Refusals far apart do not add up."""
    pace = Pace()

    for _ in range(10):
        pace.refused()
        for _ in range(50):
            pace.accepted()

    assert pace.factor == 0.0


@pytest.mark.parametrize(
    ("windows", "interval_s"),
    [([(10, 1.0)], 0.11), ([(10, 1.0), (2, 1.0)], 0.55), ([(10, 1.0), (60, 60.0)], 1.1), ([], 0.0)],
)
def test_pace_goes_by_the_slowest_window(
    windows: list[tuple[int, float]], interval_s: float
) -> None:
    """The interval is a tenth above what the tightest limit allows on average."""
    assert Pace(factor=1.1).interval_s(windows) == pytest.approx(interval_s)
