"""The limits that processes share, as a function of the value, an update, and the time."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs
import pytest

from newsleopard_async.transport.limits.permits import FORM, apply
from newsleopard_async.transport.limits.quota import (
    ExportClaim,
    Fate,
    PermitRequest,
    QuotaReply,
    QuotaUpdate,
    RequestReport,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@attrs.define
class Shared:
    """What is kept, over JSON, at a time that a test sets."""

    now: float = 1_000.0
    kept: Any = None
    windows: tuple[tuple[int, float], ...] = ((2, 1.0),)

    def update(
        self,
        *reports: RequestReport,
        permit_request: PermitRequest | None = None,
        claim: ExportClaim | None = None,
        seen: int = 0,
    ) -> QuotaReply:
        """Apply a change."""
        wall = NOON + timedelta(seconds=self.now)
        change = QuotaUpdate(
            windows=self.windows,
            uplink_s=0.15,
            allowance=None,
            has_day=True,
            day=wall.toordinal(),
            seen=seen,
            chance=0.5,
            reports=reports,
            permit_request=permit_request,
            claim=claim,
        )
        kept, reply = apply(self.kept, change, self.now, wall, is_first=self.kept is None)
        self.kept = json.loads(json.dumps(kept))
        return reply

    def ask(self, key: str, rank: int = 1) -> QuotaReply:
        """Ask for a permit."""
        return self.update(permit_request=PermitRequest(key, rank, 0.0, 60.0))


def heard(key: str, *whats: Fate, daily: bool | None = None) -> tuple[RequestReport, ...]:
    """Report the outcome of a request that ended just now."""
    return tuple(RequestReport(key, what, 0.0, daily=daily) for what in whats)


def send_probe(shared: Shared) -> None:
    """Be refused, and send a probe as soon as one may go."""
    shared.ask("first")
    shared.update(*heard("first", "sent", "answered", "refused"))
    shared.now += 1.5
    assert shared.ask("probe").go_s == 0
    shared.update(*heard("probe", "sent"))


def test_refusal_that_is_reported_again_counts_once() -> None:
    """A report whose reply was lost is made again, and must not slow everybody down."""
    shared = Shared()
    refused = RequestReport("one", "refused", 0.0, daily=False)

    shared.update(refused, refused, refused)
    shared.update(refused)

    assert shared.kept["pace"] == [0.0, 1, 0]


def test_refusals_of_their_own_count_each() -> None:
    """Three of them mean that the server allows less than the limits say."""
    shared = Shared()

    shared.update(*(RequestReport(name, "refused", 0.0, daily=False) for name in "abc"))

    assert shared.kept["pace"] == [0.0, 3, 0]


def test_withdrawn_request_delays_no_other() -> None:
    """The next request gets the position of a withdrawn one immediately."""
    shared = Shared()
    for name in ("a", "b"):
        assert shared.ask(name).go_s == 0
    assert shared.ask("gone").later_s is not None
    behind = shared.ask("next").later_s
    assert behind is not None

    sent = (RequestReport(name, "sent", 0.0) for name in ("a", "b"))
    shared.update(*sent, RequestReport("gone", "unsent", 0.0))

    assert [turn[0] for turn in shared.kept["line"]] == ["next"]


def test_permit_requested_again_has_its_old_instant() -> None:
    """If the reply was lost for long, the process finds that the permit is too late."""
    shared = Shared()
    shared.ask("a")
    shared.now += 0.7

    again = shared.ask("a").go_s

    assert again is not None
    assert round(again, 3) == -0.7


ASKED: Final = PermitRequest("asked", 1, 0.0, 60.0)


def full_books() -> Any:
    """Return what is kept when everything is in it."""
    shared = Shared()
    send_probe(shared)
    shared.update(*heard("probe", "answered", "refused"))
    shared.now += 3
    shared.ask("next probe")
    shared.ask("waits")
    claim = ExportClaim("export", "c1", 3_600.0, None)
    shared.update(RequestReport("none", "accepted", 0.0), claim=claim)
    return shared.kept


ODD: Final[tuple[Any, ...]] = (
    *(None, True, -1, 1e308, 10**400, math.nan, math.inf),
    *("", "abc", [], {}, [[]], [{}]),
)


@pytest.mark.parametrize("kept", [*ODD, {"form": 0, "anything": []}, {"form": FORM}])
def test_unreadable_value_counts_as_lost(kept: Any) -> None:
    """The value counts as lost, so no request is sent before all permits and windows are over."""
    shared = Shared(kept=[] if kept is None else kept)

    assert shared.ask("a").later_s == 1.2
    shared.now += 1.2
    reply = shared.ask("a")

    assert reply.go_s is not None
    assert round(reply.go_s, 3) == 1.155


@pytest.mark.parametrize("field", sorted(full_books()))
def test_odd_value_anywhere_fails_no_request(field: str) -> None:
    """It is taken as it is, or all is as good as lost."""
    whole = full_books()
    assert whole[field] not in ([], None)

    for odd in odd_values(whole[field]):
        shared = Shared(now=1_010.0, kept={**whole, field: odd})
        shared.update(*heard("a", "sent", "answered", "refused", "accepted"), permit_request=ASKED)
        shared.update(*heard("a", "unsent", "exported"), permit_request=ASKED)

    shared = Shared(now=1_010.0, kept={key: whole[key] for key in whole if key != field})
    assert shared.ask("a").later_s is not None


def odd_values(value: Any) -> Iterator[Any]:
    """Yield odd values, in place of the whole value or nested in it."""
    yield from ODD
    if isinstance(value, list):
        yield [*value, *value]
        for place, part in enumerate(value):
            for odd in odd_values(part):
                yield [*value[:place], odd, *value[place + 1 :]]


def places(shared: Shared) -> dict[str, float]:
    """Return until when each request has arrived at the latest."""
    return {place[0]: round(place[2] - 1_000, 3) for place in shared.kept["places"]}


@pytest.mark.parametrize(
    ("reports", "arrived_s"),
    [
        pytest.param([], 10.0, id="nothing is heard"),
        pytest.param([(0.1, "sent")], 0.25, id="sent"),
        pytest.param([(0.1, "sent"), (0.5, "sent")], 0.65, id="the rest of it later"),
        pytest.param([(0.1, "sent"), (0.2, "answered")], 0.2, id="answered soon"),
        pytest.param([(0.1, "sent"), (0.9, "answered")], 0.25, id="answered late"),
        pytest.param([(0.1, "sent"), (0.9, "lost")], 0.25, id="lost"),
        pytest.param([(0.4, "lost")], 0.55, id="lost on its way"),
        pytest.param([(10.5, "sent")], 10.65, id="a long upload"),
        pytest.param([(10.5, "lost")], 10.65, id="a long upload that broke off"),
        pytest.param([(14.0, "sent")], 14.15, id="so long that its place was over"),
    ],
)
def test_request_counts_until_it_has_arrived_for_certain(
    reports: list[tuple[float, Fate]], arrived_s: float
) -> None:
    """That is its answer, or its last byte and the longest way, whichever was before."""
    shared = Shared()
    shared.ask("a")

    for at_s, what in reports:
        shared.now = 1_000 + at_s
        shared.update(RequestReport("a", what, 0.0))

    assert places(shared) == {"a": arrived_s}


def test_only_one_probe_goes_while_it_is_unanswered() -> None:
    """While a slow server has not answered a probe, no other request is sent."""
    shared = Shared()
    send_probe(shared)

    for _ in range(18):
        shared.now += 0.5
        assert shared.ask("other").later_s == 0.5
    shared.update(*heard("probe", "answered", "accepted"))

    assert shared.ask("other").go_s == 0


def test_probe_of_a_process_that_died_holds_for_ten_seconds() -> None:
    """Then another one goes."""
    shared = Shared()
    send_probe(shared)

    shared.now += 9.9
    before = shared.ask("other").later_s
    shared.now += 0.1
    after = shared.ask("other").go_s

    assert (before, after) == (0.5, 0)


@pytest.mark.parametrize("is_followed", [False, True])
def test_answer_to_an_old_probe_is_news_still(is_followed: bool) -> None:
    """A server may take longer to answer than another probe waits."""
    shared = Shared()
    send_probe(shared)
    shared.now += 11
    if is_followed:
        assert shared.ask("next probe").go_s == 0

    reply = shared.update(*heard("probe", "answered", "accepted"))

    assert reply.is_open


def test_probe_that_was_not_sent_is_followed_at_once() -> None:
    """It tells nothing."""
    shared = Shared()
    shared.ask("first")
    shared.update(*heard("first", "sent", "answered", "refused"))
    shared.now += 1.5
    shared.ask("probe")

    shared.update(*heard("probe", "unsent"))

    assert shared.ask("other").go_s == 0


def test_request_that_was_not_sent_beside_a_probe_changes_nothing() -> None:
    """The probe is still on its way."""
    shared = Shared()
    send_probe(shared)
    shared.ask("stop", rank=0)

    shared.update(*heard("stop", "unsent"))

    assert shared.ask("other").later_s == 0.5


@pytest.mark.parametrize("daily", [None, False], ids=["the day is gone", "given up"])
def test_probe_without_a_report_is_followed_by_another(daily: bool | None) -> None:
    """Its process may have died between the head of the answer and the rest of it."""
    shared = Shared()
    for number in range(4):
        shared.now += 45
        assert shared.ask(f"{number}").go_s == 0
        reply = shared.update(*heard(f"{number}", "sent", "answered", "refused", daily=daily))
    assert reply.is_gone == (daily is None)
    assert shared.ask("now").refused == ("gone" if daily is None else "given-up")
    shared.now += 301
    assert shared.ask("lost").go_s == 0
    shared.update(*heard("lost", "sent", "answered"))

    shared.now += 301

    assert shared.ask("other").go_s == 0


def test_count_of_the_day_outlives_what_is_kept() -> None:
    """A process with a higher count of the day reports it to a store that has lost it."""
    shared = Shared()
    shared.ask("a")
    shared.kept = None

    reply = shared.update(seen=7)

    assert reply.used == 7


def test_long_window_of_one_process_keeps_few_requests_of_others() -> None:
    """The value stays small, even if other requests have limits without that window."""
    hourly = Shared(windows=((2, 1.0), (100, 3_600.0)))
    hourly.ask("first")
    shared = Shared(kept=hourly.kept)

    for number in range(300):
        shared.now += 1
        shared.ask(f"{number}")
        shared.update(*heard(f"{number}", "sent"))

    assert len(shared.kept["places"]) == 100


def test_position_in_the_queue_is_kept_over_slow_calls() -> None:
    """A request that must wait for another one does not overtake it with its next call."""
    shared = Shared(windows=((1, 1.0),))
    shared.ask("before")
    first = shared.ask("first").later_s
    assert first is not None
    shared.now += 0.001
    shared.ask("second")

    shared.now += first
    sent = RequestReport("before", "answered", first)
    reply = shared.update(sent, permit_request=PermitRequest("first", 1, first - 0.002, 60.0))

    assert reply.go_s == 0
