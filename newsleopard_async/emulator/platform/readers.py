"""What readers do with their mails: drawn from the seed, spread over the hours after sending."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import attrs

from newsleopard_async.emulator.platform.addressbook import Contact
from newsleopard_async.emulator.switches import Switches

__all__ = ["EVENT_TYPES", "Event", "Wave", "send_wave"]

EVENT_TYPES: Final = ("delivery", "open", "click", "bounce", "unsubscribe", "complain")
"""The six report types, in the documentation's order."""

EXCLUDING_TYPES: Final = ("bounce", "unsubscribe", "complain")
MAX_DELAY_FACTOR: Final = 12.0


class Event(NamedTuple):
    """Something that happened to one mail; a tuple, since there may be very many to sort.

    Attributes:
        after_s: Seconds after the wave began.
        place: The recipient's place in the wave.
    """

    after_s: float
    place: int


@attrs.frozen(kw_only=True)
class Wave:
    """Mails that go out together: a whole campaign, half of its test, or the rest.

    Attributes:
        campaign_sn: Whose mails.
        variant: Place of the variant in the campaign's body.
        recipients: As they were when the wave began.
        begin: When the first mail went out.
        duration_s: Until the last one did.
        events: By type, in order of time.
    """

    campaign_sn: str
    variant: int
    recipients: tuple[Contact, ...] = attrs.field(repr=False)
    begin: datetime
    duration_s: float
    events: dict[str, list[Event]] = attrs.field(repr=False)

    @property
    def end(self) -> datetime:
        """When the last mail went out."""
        return self.begin + timedelta(seconds=self.duration_s)

    def sent_at(self, index: int) -> datetime:
        """Return when a mail went out."""
        share = (index + 1) / len(self.recipients)
        return self.begin + timedelta(seconds=self.duration_s * share)

    def sent(self, now: datetime) -> int:
        """Count the mails that have gone out."""
        return bisect_right(range(len(self.recipients)), now, key=self.sent_at)

    def count(self, kind: str, now: datetime) -> int:
        """Count the events of a type so far."""
        passed_s = (now - self.begin).total_seconds()
        return bisect_right(self.events[kind], (passed_s, math.inf))

    def happened(self, kind: str, now: datetime) -> Iterator[tuple[datetime, Contact]]:
        """Yield the events of a type so far: when, and to whom."""
        for event in self.events[kind][: self.count(kind, now)]:
            yield self.begin + timedelta(seconds=event.after_s), self.recipients[event.place]


def send_wave(
    recipients: tuple[Contact, ...],
    *,
    campaign_sn: str,
    variant: int,
    begin: datetime,
    seed: str,
    on: Switches,
) -> Wave:
    """Send mails, and decide what becomes of each."""
    duration_s = on.send_base_s + len(recipients) / on.mails_per_s
    draw = random.Random(seed)  # noqa: S311  # a simulation, not a secret
    events: dict[str, list[Event]] = {kind: [] for kind in EVENT_TYPES}
    open_share = on.open_share if variant == 0 or on.open_share_b is None else on.open_share_b
    for index in range(len(recipients)):
        sent_s = duration_s * (index + 1) / len(recipients)
        _draw_mail(draw, events, index=index, sent_s=sent_s, open_share=open_share, on=on)
    for happened in events.values():
        happened.sort()
    return Wave(
        campaign_sn=campaign_sn,
        variant=variant,
        recipients=recipients,
        begin=begin,
        duration_s=duration_s,
        events=events,
    )


def _draw_mail(
    draw: random.Random,
    events: dict[str, list[Event]],
    *,
    index: int,
    sent_s: float,
    open_share: float,
    on: Switches,
) -> None:
    """Draw one mail's fate; times come from what was left of the same draws."""
    arrived_s = sent_s + 0.5 * draw.random()
    if draw.random() < on.bounce_share:
        events["bounce"].append(Event(arrived_s, index))
        return
    events["delivery"].append(Event(arrived_s, index))
    if draw.random() >= open_share:
        return
    opened_s = arrived_s + _delay(draw, on.open_delay_s)
    events["open"].append(Event(opened_s, index))
    if draw.random() < on.click_share:
        events["click"].append(Event(opened_s + _delay(draw, on.open_delay_s / 60), index))
    leaves = draw.random()
    left_s = opened_s + _delay(draw, on.open_delay_s / 30)
    if leaves < on.unsubscribe_share:
        events["unsubscribe"].append(Event(left_s, index))
    elif leaves < on.unsubscribe_share + on.complain_share:
        events["complain"].append(Event(left_s, index))


def _delay(draw: random.Random, mean_s: float) -> float:
    if mean_s <= 0:
        return 0.0
    return min(draw.expovariate(1 / mean_s), mean_s * MAX_DELAY_FACTOR)
