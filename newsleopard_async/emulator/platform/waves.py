"""The events of mails, such as opens: drawn from the seed, spread over the hours after sending.

A million mails are drawn in slices, if possible before they are sent. An event is one integer,
its time multiplied by the number of mails plus the index of its mail, so these integers are in the
order of time.
"""

from __future__ import annotations

import math
import random
from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from copy import copy
from datetime import datetime, timedelta
from heapq import merge
from itertools import chain, islice
from typing import ClassVar, Final

import attrs

from newsleopard_async.emulator.platform.addressbook import Recipients
from newsleopard_async.emulator.switches import Switches

__all__ = [
    "EVENT_TYPES",
    "EXCLUDING_TYPES",
    "READING_TYPES",
    "Wave",
    "WaveEvents",
    "reading_of",
    "types_changed_by",
]

EVENT_TYPES: Final = ("delivery", "open", "click", "bounce", "unsubscribe", "complain")
"""The six report types, in the documentation's order."""

READING_TYPES: Final = ("open", "click", "unsubscribe", "complain")
EXCLUDING_TYPES: Final = ("bounce", "unsubscribe", "complain")
MAX_DELAY_FACTOR: Final = 12.0
"""Chosen: 12 times the mean delay; only 6 of a million exponential delays are longer."""


def types_changed_by(action: str) -> Collection[str]:
    """Return the types of events that a reaction changes.

    A click implies that the mail was opened, and a mail that bounced has no reader.
    """
    implied = {"click": ("open", "click"), "bounce": ("delivery", "bounce", *READING_TYPES)}
    return implied.get(action, (action,))


MOST_RUNS: Final = 8
"""Chosen: 8 sorted runs per type of event. Merging them further would delay other requests."""

_SLICE: Final = 2_048
"""Chosen: drawing so many mails takes a few milliseconds, in which other requests wait."""

PART: Final = 512
"""Chosen: 512 rows of a report are written in about 1 ms, in which other requests wait."""

_MILLISECOND: Final = timedelta(milliseconds=1)


class WaveEvents:
    """The events of some mails, which are sent one after the other.

    Args:
        count: The number of mails.
        variant: Index of the variant in the campaign's body.
        seed: The seed; the same seed gives the same events.
        on: The shares and delays.

    Attributes:
        mails: The number of mails that are sent: all, unless they are stopped.
    """

    AFRESH: ClassVar[Mapping[str, object]] = {"_stopped": None}

    def __init__(self, count: int, *, variant: int, seed: str, on: Switches) -> None:
        self.seed = seed
        self.origin: tuple[int, int, str, Switches] = (count, variant, seed, on)
        self.duration_s: float = on.send_base_s + count / on.mails_per_s
        self.mails: int = count
        self._count = count
        self._mail_ms = 1000 * self.duration_s / max(1, count)
        self._bounced: array[int] = array("Q")
        self._runs: dict[str, list[array[int]]] = {}
        self._stopped: tuple[int, dict[str, list[array[int]]]] | None = None

    def drawing(self) -> Iterator[None]:
        """Draw all events, a few milliseconds at a time."""
        count, variant, seed, on = self.origin
        draw = random.Random(seed).random  # noqa: S311  # a simulation, not a secret
        share = on.open_share if variant == 0 or on.open_share_b is None else on.open_share_b
        runs: dict[str, list[array[int]]] = {kind: [] for kind in READING_TYPES}
        for begin in range(0, count, _SLICE):
            places = range(begin, min(count, begin + _SLICE))
            bounced = {place for place in places if draw() < on.bounce_share}
            self._bounced.extend(sorted(bounced))
            opened = [place for place in places if draw() < share and place not in bounced]
            for kind, events in self._draw_readers(opened, draw, on).items():
                runs[kind].append(array("Q", sorted(events)))
            yield
        for kind, parts in runs.items():
            self._runs[kind] = parts
            while len(self._runs[kind]) > MOST_RUNS:
                yield from self._merge_runs(kind)

    def _merge_runs(self, kind: str) -> Iterator[None]:
        runs, merged = self._runs[kind], []
        for place in range(0, len(runs), 2):
            # Python's sort detects both sorted runs, and merges them.
            merged.append(array("Q", sorted(chain.from_iterable(runs[place : place + 2]))))
            yield
        self._runs[kind] = merged

    def _draw_readers(
        self, opened: Sequence[int], draw: Callable[[], float], on: Switches
    ) -> dict[str, list[int]]:
        """Draw the events of the mails that are opened."""
        delay = _delays(draw, on.open_delay_s)
        reading = _delays(draw, on.open_delay_s / 60)
        leaving = _delays(draw, on.open_delay_s / 30)
        found: dict[str, list[int]] = {kind: [] for kind in ("click", "unsubscribe", "complain")}
        times = [self.arrival_ms(place) + delay() for place in opened]
        count = self._count
        for place, time_ms in zip(opened, times, strict=True):
            if draw() < on.click_share:
                found["click"].append((time_ms + reading()) * count + place)
            leaves = draw()
            if leaves < on.unsubscribe_share + on.complain_share:
                kind = "unsubscribe" if leaves < on.unsubscribe_share else "complain"
                found[kind].append((time_ms + leaving()) * count + place)
        opens = [time_ms * count + place for place, time_ms in zip(opened, times, strict=True)]
        return {"open": opens, **found}

    def arrival_ms(self, place: int) -> int:
        """Return the milliseconds until a mail is sent, which is when it arrives or bounces."""
        return int(self._mail_ms * (place + 1))

    def sent(self, passed_ms: int) -> int:
        """Return the number of mails that are sent in the first ``passed_ms`` milliseconds."""
        return bisect_right(range(self.mails), passed_ms, key=self.arrival_ms)

    def stopping(self, passed_ms: int) -> Iterator[None]:
        """Select, in slices, the events of the mails that are sent in the first ``passed_ms``."""
        mails, count = self.sent(passed_ms), self._count
        found: dict[str, list[array[int]]] = {kind: [] for kind in self._runs}
        for kind, runs in self._runs.items():
            for run in runs:
                found[kind].append(array("Q", [each for each in run if each % count < mails]))
                yield
        self._stopped = mails, found

    def stop(self, passed_ms: int) -> None:
        """Drop the mails that are not sent in the first ``passed_ms``, and their events."""
        if self._stopped is None or self._stopped[0] != self.sent(passed_ms):
            for _ in self.stopping(passed_ms):
                pass
        assert self._stopped is not None
        self.mails, self._runs = self._stopped

    def count(self, kind: str, passed_ms: int) -> int:
        """Return the number of events of a type in the first ``passed_ms``."""
        if kind not in {"delivery", "bounce"}:
            end = max(0, passed_ms + 1) * self._count
            return sum(bisect_left(run, end) for run in self._runs[kind])
        arrived = self.sent(passed_ms)
        bounced = bisect_left(self._bounced, arrived)
        return bounced if kind == "bounce" else arrived - bounced

    def parts(self, kind: str, passed_ms: int) -> Iterator[tuple[list[int], list[int]]]:
        """Yield the events of a type in the first ``passed_ms``, in order, a part at a time.

        Each part is two lists: milliseconds, and the indexes of the mails.
        """
        count = self.count(kind, passed_ms)
        if kind in {"delivery", "bounce"}:
            places = self._arrived() if kind == "delivery" else iter(self._bounced)
            mail_ms = self._mail_ms
            for part in _in_parts(islice(places, count)):
                yield [int(mail_ms * (place + 1)) for place in part], part
        else:
            for part in _in_parts(islice(merge(*self._runs[kind]), count)):
                yield (
                    [event // self._count for event in part],
                    [event % self._count for event in part],
                )

    def times_of(self, place: int) -> dict[str, int]:
        """Return the events of one mail: type and milliseconds.

        It reads the events of all mails, because it has no index: 0.1 s for a million mails.
        """
        arrival = "bounce" if self._is_bounced(place) else "delivery"
        times = {arrival: self.arrival_ms(place)}
        for kind, runs in self._runs.items():
            for run in runs:
                for event in self._events_of(place, run):
                    times[kind] = event // self._count
        return times

    def _events_of(self, place: int, run: array[int]) -> list[int]:
        count = self._count
        return [event for event in run if event % count == place]

    def _is_bounced(self, place: int) -> bool:
        at = bisect_left(self._bounced, place)
        return self._bounced[at : at + 1] == array("Q", [place])

    def react(self, place: int, action: str, passed_ms: int) -> None:
        """Add the events of a reaction now, and remove later events of the same types.

        Arrays are replaced, not changed, so a copy of these events does not change.
        """
        if action == "bounce":
            self._runs = {kind: self._without(place, runs) for kind, runs in self._runs.items()}
            self._bounced = array("Q", sorted({*self._bounced, place}))
        else:
            times = self.times_of(place)
            kinds = types_changed_by(action)
            for kind in kinds:
                if kind not in times or times[kind] > passed_ms:
                    self._put(kind, place, passed_ms)
        self._stopped = None

    def _put(self, kind: str, place: int, passed_ms: int) -> None:
        """Add an event now, instead of a later one."""
        first, *others = self._without(place, self._runs[kind])
        first = first[:]
        insort(first, passed_ms * self._count + place)
        self._runs = {**self._runs, kind: [first, *others]}

    def _without(self, place: int, runs: Sequence[array[int]]) -> list[array[int]]:
        """Return runs without the events of a mail; a run without such events stays the same."""
        left = []
        for run in runs:
            gone = self._events_of(place, run)
            left.append(array("Q", (each for each in run if each not in gone)) if gone else run)
        return left

    def _arrived(self) -> Iterator[int]:
        begins = chain([0], (place + 1 for place in self._bounced))
        return chain.from_iterable(map(range, begins, chain(self._bounced, [self._count])))


def _in_parts(numbers: Iterator[int]) -> Iterator[list[int]]:
    while part := list(islice(numbers, PART)):
        yield part


def _delays(draw: Callable[[], float], mean_s: float) -> Callable[[], int]:
    """Return a function that draws delays in milliseconds, exponential up to a limit."""
    if mean_s <= 0:
        return lambda: 0
    mean_ms, limit = mean_s * 1000, MAX_DELAY_FACTOR
    log = math.log
    return lambda: int(mean_ms * min(limit, -log(1.0 - draw())))


@attrs.frozen(kw_only=True, eq=False)
class Wave:
    """Mails that are sent together: a whole campaign, half of its test, or the rest after it.

    Attributes:
        campaign_sn: The code of the campaign.
        variant: Index of the variant in the campaign's body.
        recipients: The recipients when sending began; no later import changes them (T83).
        begin: When sending began.
        events: The events of the mails.
        part: The part of the campaign: TOTAL, or of a test TEST_A, TEST_B or WINNING (T130).
    """

    campaign_sn: str
    variant: int
    recipients: Recipients = attrs.field(repr=False)
    begin: datetime
    events: WaveEvents = attrs.field(repr=False)
    part: str = "TOTAL"

    @property
    def end(self) -> datetime:
        """When the last mail is sent."""
        return self.begin + timedelta(seconds=self.events.duration_s)

    def sent_at(self, index: int) -> datetime:
        """Return when a mail is sent, which is when it arrives or bounces."""
        return self.begin + self.events.arrival_ms(index) * _MILLISECOND

    def sent(self, now: datetime) -> int:
        """Return the number of mails that were sent."""
        return self.events.sent((now - self.begin) // _MILLISECOND)

    def stopping(self, now: datetime) -> Iterator[None]:
        """Prepare a stop, in slices."""
        return self.events.stopping((now - self.begin) // _MILLISECOND)

    def stop(self, now: datetime) -> None:
        """Drop the mails that were not sent."""
        self.events.stop((now - self.begin) // _MILLISECOND)

    def count(self, kind: str, now: datetime) -> int:
        """Return the number of events of a type so far."""
        return self.events.count(kind, (now - self.begin) // _MILLISECOND)

    def parts(self, kind: str, now: datetime) -> Iterator[tuple[list[int], list[int]]]:
        """Yield the events of a type so far, as ``WaveEvents.parts`` does."""
        return self.events.parts(kind, (now - self.begin) // _MILLISECOND)

    def reacted(self, index: int, action: str, now: datetime) -> Wave:
        """Return the wave with a reaction to one of its mails."""
        events = copy(self.events)
        events.react(index, action, (now - self.begin) // _MILLISECOND)
        return attrs.evolve(self, events=events)

    def exclusions(self, *, after: datetime | None = None) -> Iterator[tuple[int, float]]:
        """Yield the number of each contact that these mails exclude, and when, in seconds."""
        begin_s = self.begin.timestamp()
        for kind in EXCLUDING_TYPES:
            if after is not None and self.count(kind, after) == self.events.count(kind, LAST_MS):
                continue
            for times, places in self.events.parts(kind, LAST_MS):
                for after_ms, place in zip(times, places, strict=True):
                    yield self.recipients.numbers[place], begin_s + after_ms / 1000


LAST_MS: Final = 10**12
"""Chosen: 30 years, which is later than any event."""


def reading_of(wave: Wave, index: int, now: datetime) -> Mapping[str, datetime]:
    """Return the events of one mail so far: types, and when each happened.

    A mail that was sent has ``delivery`` or ``bounce``. Its reader adds ``open``, ``click``,
    ``unsubscribe`` and ``complain``. A mail that was not sent has no events.
    """
    if index >= wave.sent(now):
        return {}
    times = wave.events.times_of(index)
    found = {kind: wave.begin + times[kind] * _MILLISECOND for kind in EVENT_TYPES if kind in times}
    return {kind: at for kind, at in found.items() if at <= now}
