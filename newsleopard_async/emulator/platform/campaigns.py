"""Campaigns: accepted, sent when they are due, complete when the last mail was sent."""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain, compress
from math import gcd
from typing import Final

import attrs

from newsleopard_async.emulator.platform.addressbook import (
    AddressBook,
    Guests,
    Recipients,
    folded,
)
from newsleopard_async.emulator.platform.fields import Refused
from newsleopard_async.emulator.platform.mailings import Campaign, Mailer
from newsleopard_async.emulator.platform.notation import Codes
from newsleopard_async.emulator.platform.outbox import placeholders
from newsleopard_async.emulator.platform.submission import (
    CampaignBody,
    Variant,
    check_schedule,
    check_senders,
    read_campaign,
)
from newsleopard_async.emulator.platform.timeline import ScheduledChange, Timeline
from newsleopard_async.emulator.switches import SwitchBoard

__all__ = ["Campaigns"]

FREE_MAILS_PER_DAY: Final = 50
"""Source: the documentation (T27)."""

DAY: Final = timedelta(days=1)
PAUSABLE_STATES: Final = frozenset({"PREPARE", "PREPARE_TO_SENT", "TESTING", "SENDING"})
HOLDING_STATES: Final = PAUSABLE_STATES | {"DRAFT"}
"""States that are not final. If a test sets one of them, nothing is refunded."""

logger: Final = logging.getLogger("newsleopard_async.emulator")


class Campaigns:
    """All campaigns of the account.

    Attributes:
        balance: How many mails the account can still send.
    """

    def __init__(
        self,
        *,
        book: AddressBook,
        timeline: Timeline,
        codes: Codes,
        board: SwitchBoard,
        seed: int,
        balance: int,
    ) -> None:
        self.all: dict[str, Campaign] = {}
        self.balance: int = balance
        self._book = book
        self._timeline = timeline
        self._codes = codes
        self._board = board
        self._seed = seed
        self._scripts: deque[str] = deque()
        self._mailer = Mailer(book=book, board=board, seed=seed)

    def script(self, state: str) -> None:
        """Set the state that the next accepted campaign gets instead of being sent (T66).

        COMPLETE means that it is sent as usual.
        """
        self._scripts.append(state)

    @property
    def scripts(self) -> tuple[str, ...]:
        """The states that were set for the next campaigns."""
        return tuple(self._scripts)

    def forget_scripts(self) -> None:
        """Discard the states that were set for the next campaigns."""
        self._scripts.clear()

    def submit(self, content: bytes, *, is_test: bool, now: datetime) -> Campaign:
        """Accept a campaign; equal submits create different campaigns (T64).

        Raises:
            Refused: with the documented code.
        """
        body = read_campaign(content, is_test=is_test, on=self._board.on)
        begins = self._check(body, now)
        recipients = self._book.recipients(body.selected, body.excluded, now)
        if not recipients:
            raise Refused(40013)
        self._check_balance(body, len(recipients), begins)
        campaign = self._accept(body, begins=begins, count=len(recipients), now=now)
        self._plan(campaign, begins, None)
        return campaign

    def reserve(self, content: bytes, *, is_test: bool, now: datetime) -> Campaign:
        """Accept a campaign without lists, which waits for its recipients (T122).

        Raises:
            Refused: with the code that a submit would get.
        """
        body = read_campaign(content, is_test=is_test, is_once=True, on=self._board.on)
        begins = self._check(body, now)
        return self._accept(body, begins=begins, count=0, now=now, is_once=True)

    def receive(self, campaign: Campaign, guests: Guests, at: datetime) -> None:
        """Store the recipients of an upload, and plan the sending to them (T123)."""
        if campaign.is_stopped:
            return
        campaign.guests, campaign.changed = guests, at
        count = len(self._recipients(campaign, guests, at))
        campaign.failed = _shortage(count, self.balance)
        if campaign.failed is None:
            self._charge(campaign, campaign.charged + count)
            self._plan(campaign, max(campaign.begins, at), guests)

    def _check(self, body: CampaignBody, now: datetime) -> datetime:
        """Check a body except for its recipients, and return when the sending begins."""
        on = self._board.on
        begins = check_schedule(body, now)
        check_senders(body.variants, on)
        if any(on.invalid_content_marker in variant.html for variant in body.variants):
            raise Refused(40014)
        if not self._book.lists.keys() >= {*body.selected, *body.excluded}:
            raise Refused(40007)
        return begins

    def _check_balance(self, body: CampaignBody, count: int, begins: datetime) -> None:
        remaining = self.balance
        if self._board.on.free_plan:
            day = self._sent_since(begins - DAY) + self._due_around(begins)
            remaining = min(remaining, FREE_MAILS_PER_DAY - day)
        if body.testing_on and remaining < count * body.proportion // 100:
            raise Refused(40017)
        if remaining < count:
            raise Refused(40012, recipients=count, remaining=max(0, remaining))

    def _sent_since(self, instant: datetime) -> int:
        """Return the number of mails of the waves that began after an instant."""
        return sum(
            wave.events.mails
            for item in self.all.values()
            for wave in item.waves
            if wave.begin > instant
        )

    def _due_around(self, instant: datetime) -> int:
        """Return the number of unsent mails that are due within a day of an instant."""
        return sum(
            item.charged - item.mails for item in self.all.values() if abs(item.due - instant) < DAY
        )

    def _accept(
        self,
        body: CampaignBody,
        *,
        begins: datetime,
        count: int,
        now: datetime,
        is_once: bool = False,
    ) -> Campaign:
        campaign = Campaign(
            sn=self._codes.sn(),
            body=body,
            accepted=now,
            begins=begins,
            charged=count,
            number=len(self.all),
            due=begins,
            scripted=self._scripts.popleft() if self._scripts else None,
            is_once=is_once,
        )
        self.all[campaign.sn] = campaign
        self.balance -= count
        return campaign

    def _plan(self, campaign: Campaign, begins: datetime, guests: Guests | None) -> None:
        """Schedule the beginning of a mailing."""
        campaign.due = begins
        self._timeline.add(begins, _CampaignBegin(self, campaign, guests))

    def _unknown_placeholders(
        self, body: CampaignBody, columns: Collection[str]
    ) -> tuple[str, ...]:
        used = set[str]()
        for variant in body.variants:
            for text in (variant.subject, variant.preheader, variant.html):
                used |= placeholders(text)
        known = {"email", "name", *columns}
        unknown = tuple(sorted(name for name in used if folded(name) not in known))
        if unknown:
            logger.info("a campaign uses unknown variables: %s", ", ".join(unknown))
        return unknown

    def begin(self, campaign: Campaign, guests: Guests | None, at: datetime) -> None:
        """Check a campaign again when it is due, and send it, unless it was stopped."""
        if campaign.is_stopped:
            return
        body = campaign.body
        campaign.changed = at
        recipients = self._recipients(campaign, guests, at)
        campaign.failed = self._failure(campaign, len(recipients), at)
        if campaign.failed is not None:
            if campaign.failed not in HOLDING_STATES:
                self._charge(campaign, campaign.mails)
            return
        self._charge(campaign, campaign.mails + len(recipients))
        campaign.mailings += 1
        campaign.unknown_placeholders = self._unknown_placeholders(body, recipients.columns)
        campaign.sent_end = campaign.winner = None
        if body.testing_on is None:
            self._mailer.send(campaign, recipients, variant=0, at=at)
            campaign.sent_end = max(wave.end for wave in campaign.waves)
        else:
            self._begin_test(campaign, recipients, at)

    def _recipients(self, campaign: Campaign, guests: Guests | None, at: datetime) -> Recipients:
        body = campaign.body
        return self._book.recipients(body.selected, body.excluded, at, guests=guests)

    def preparing(self, campaign: Campaign, guests: Guests | None, at: datetime) -> Iterator[None]:
        """Draw the events of the first mails."""
        if campaign.scripted in {None, "COMPLETE"} and not campaign.is_stopped:
            count = len(self._recipients(campaign, guests, at))
            half = _half(campaign.body, count)
            sizes = [count] if campaign.body.testing_on is None else [half, half]
            yield from self._mailer.prepare(campaign, enumerate(sizes))

    def preparing_rest(self, campaign: Campaign, rest: Recipients, at: datetime) -> Iterator[None]:
        """Draw the events of the mails with the winner of a test."""
        if not campaign.is_stopped:
            wave = self._winner(campaign, at), len(rest.subscribed(at))
            yield from self._mailer.prepare(campaign, [wave])

    def _failure(self, campaign: Campaign, count: int, at: datetime) -> str | None:
        """Return the state of a campaign that sends no mail when it is due; else None (T66)."""
        if campaign.scripted not in {None, "COMPLETE"}:
            return campaign.scripted
        if not count:
            return "EMPTY_RECIPIENT"
        if campaign.body.testing_on is not None and not _half(campaign.body, count):
            return "INSUFFICIENT_RECIPIENT_FOR_TESTING"
        return self._obstacle(campaign, campaign.body.variants, count, at)

    def _obstacle(
        self, campaign: Campaign, variants: Sequence[Variant], count: int, at: datetime
    ) -> str | None:
        """Return the state of a campaign with an unverified sender or too many mails; else None."""
        on = self._board.on
        try:
            check_senders(variants, on)
        except Refused:
            return "UNAUTHENTICATED_SENDER"
        is_above_plan = on.free_plan and count > FREE_MAILS_PER_DAY - self._sent_since(at - DAY)
        is_above_balance = count > self.balance + campaign.charged - campaign.mails
        return "OVER_LIMIT" if is_above_plan or is_above_balance else None

    def _charge(self, campaign: Campaign, mails: int) -> None:
        """Set the charge of a campaign, and deduct or refund the difference."""
        self.balance -= mails - campaign.charged
        campaign.charged = mails

    def _begin_test(self, campaign: Campaign, recipients: Recipients, at: datetime) -> None:
        """Send A and B to a share of the recipients, drawn by the seed (T97, T98)."""
        half = _half(campaign.body, len(recipients))
        places = _pick(len(recipients), 2 * half, seed=f"{self._seed}:{campaign.number}:test")
        waves = [
            self._mailer.send(
                campaign,
                recipients.at(places[half * place : half * (place + 1)]),
                variant=place,
                part=("TEST_A", "TEST_B")[place],
                at=at,
            )
            for place in (0, 1)
        ]
        left = bytearray(b"\1") * len(recipients)
        for place in places:
            left[place] = 0
        rest = recipients.at(compress(range(len(recipients)), left))
        decided = max(at + campaign.body.wait, *(wave.end for wave in waves))
        campaign.due = decided
        self._timeline.add(decided, _WinnerChoice(self, campaign, rest))

    def end_test(self, campaign: Campaign, rest: Recipients, at: datetime) -> None:
        """Send the winner to the other recipients, unless sender or balance forbid it (T99)."""
        if campaign.is_stopped:
            return
        winner = self._winner(campaign, at)
        campaign.winner = "AB"[winner]
        campaign.changed = at
        left = rest.subscribed(at)
        variant = campaign.body.variants[winner]
        campaign.failed = self._obstacle(campaign, [variant], len(left), at) if left else None
        if campaign.failed is None:
            campaign.sent_end = at
            if left:
                sent = self._mailer.send(campaign, left, variant=winner, part="WINNING", at=at)
                campaign.sent_end = sent.end
        self._charge(campaign, campaign.mails)

    def _winner(self, campaign: Campaign, at: datetime) -> int:
        """Choose by opens, then clicks, then A."""
        scores = [
            (campaign.count("open", at, variant=place), campaign.count("click", at, variant=place))
            for place in (0, 1)
        ]
        return 1 if scores[1] > scores[0] else 0

    def find(self, sn: str) -> Campaign | None:
        """Return a campaign that was not deleted."""
        found = self.all.get(sn)
        return found if found is not None and found.deleted is None else None

    def delete(self, campaign: Campaign, now: datetime) -> bool:
        """Delete a campaign and refund its unsent mails; return False while it is being sent."""
        if campaign.state(now) in {"TESTING", "SENDING"}:
            return False
        campaign.deleted = now
        self._charge(campaign, campaign.mails)
        return True

    def pause(self, campaign: Campaign, now: datetime) -> None:
        """Stop a campaign: its unsent mails are never sent (T129).

        Raises:
            Refused: with 40015, if its state is not one of `PAUSABLE_STATES`.
        """
        if campaign.state(now) not in PAUSABLE_STATES:
            raise Refused(40015)
        campaign.failed, campaign.changed = "STOP", now
        campaign.sent_end = now if campaign.waves else None
        self._timeline.add(now, _CampaignStop(self, campaign))

    def stop(self, campaign: Campaign, at: datetime) -> None:
        """Refund the unsent mails, and drop their events."""
        for wave in campaign.waves:
            wave.stop(at)
        self._charge(campaign, campaign.mails)
        waves = (wave for item in self.all.values() for wave in item.waves)
        expected = (each for wave in waves for each in wave.exclusions(after=at))
        self._book.exclusions.expect(expected, at)

    def complete(self, now: datetime) -> list[Campaign]:
        """Return the campaigns with the state COMPLETE, the newest first (T65)."""
        done = [
            item
            for item in self.all.values()
            if item.state(now) == "COMPLETE" and item.deleted is None
        ]
        return sorted(done, key=lambda item: (item.sent_begin, item.number), reverse=True)


@attrs.frozen(eq=False)
class _CampaignBegin(ScheduledChange):
    """The beginning of a mailing; its recipients are the guests, if there are any."""

    campaigns: Campaigns
    campaign: Campaign
    guests: Guests | None

    def apply(self, at: datetime) -> None:
        self.campaigns.begin(self.campaign, self.guests, at)

    def preparing(self, at: datetime) -> Iterator[None]:
        return self.campaigns.preparing(self.campaign, self.guests, at)


@attrs.frozen(eq=False)
class _WinnerChoice(ScheduledChange):
    """The end of a test, at which the other recipients get the winner."""

    campaigns: Campaigns
    campaign: Campaign
    rest: Recipients

    def apply(self, at: datetime) -> None:
        self.campaigns.end_test(self.campaign, self.rest, at)

    def preparing(self, at: datetime) -> Iterator[None]:
        return self.campaigns.preparing_rest(self.campaign, self.rest, at)


@attrs.frozen(eq=False)
class _CampaignStop(ScheduledChange):
    """The end of a campaign that was paused: its unsent mails are refunded."""

    campaigns: Campaigns
    campaign: Campaign

    def apply(self, at: datetime) -> None:
        self.campaigns.stop(self.campaign, at)

    def preparing(self, at: datetime) -> Iterator[None]:
        return chain.from_iterable(wave.stopping(at) for wave in self.campaign.waves)


def _shortage(count: int, balance: int) -> str | None:
    """Return the state of an upload with no or too many recipients for the balance; else None."""
    if not count:
        return "EMPTY_RECIPIENT"
    return "OVER_LIMIT" if count > balance else None


def _half(body: CampaignBody, count: int) -> int:
    """Return how many mails each half of a test has, rounded down (T97)."""
    return int(count * body.proportion / 100 / 2)


def _pick(count: int, picked: int, *, seed: str) -> list[int]:
    """Draw indexes by steps of a random size that is coprime to the count, so none occurs twice.

    Measured: shuffling a million takes 0.6 s, in which no other request is answered.
    """
    draw = random.Random(seed)  # noqa: S311  # a simulation, not a secret
    place, stride = draw.randrange(count), draw.randrange(1, count + 1)
    while gcd(stride, count) > 1:
        stride = draw.randrange(1, count + 1)
    return [each % count for each in range(place, place + stride * picked, stride)]
