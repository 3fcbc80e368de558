"""An accepted campaign, its state, and the waves of its mails."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Final

import attrs

from newsleopard_async.emulator.platform.addressbook import AddressBook, Guests, Recipients
from newsleopard_async.emulator.platform.submission import CampaignBody
from newsleopard_async.emulator.platform.waves import Wave, WaveEvents
from newsleopard_async.emulator.switches import SwitchBoard

__all__ = ["AT_ONE_GO", "Campaign", "Mailer", "PastWaves"]

AT_ONE_GO: Final = 20_000
"""Chosen: 20,000 mails are drawn in about 20 ms, which is the longest wait of other clients."""


@attrs.frozen(kw_only=True, eq=False)
class PastWaves:
    """The mails of a campaign before one reaction that a test set.

    Attributes:
        until: The instant of the reaction.
        changed: The types of events that the reaction changed.
        waves: The mails before the reaction.
    """

    until: datetime
    changed: Collection[str]
    waves: Sequence[Wave] = attrs.field(repr=False)


@attrs.define(kw_only=True)
class Campaign:
    """An accepted campaign.

    Attributes:
        sn: The code of the campaign.
        body: The submitted body.
        accepted: When the campaign was accepted.
        begins: When its sending begins.
        charged: Mails deducted from the balance: first the recipients at the submit, then the mails
            that are sent.
        number: Its index among all campaigns.
        due: When the next mails are sent: ``begins``, and then the end of the test.
        scripted: The state that a test set for the instant of sending, or None.
        waves: The mails; empty until sending begins.
        failed: The state of a campaign that sends no mail, or no more mails; STOP if it was paused.
        sent_end: When the last mail is sent, or the sending was stopped; None while unknown.
        winner: ``A`` or ``B`` after a test is decided.
        unknown_placeholders: Names between ``${`` and ``}`` that are not a column (T83).
        deleted: When the campaign was deleted, or None. The API then treats it as unknown.
        changed: When its state last changed, except for the end of its sending.
        is_once: Whether it has no lists, and is sent to the contacts of an uploaded file (T122).
        uploads: The number of files that were uploaded for it.
        guests: The contacts of the file that was read last; None before that.
        mailings: How often it was sent: a further upload can send it again (T123).
        past: The mails before each reaction that a test set.
    """

    sn: str
    body: CampaignBody
    accepted: datetime
    begins: datetime
    charged: int
    number: int
    due: datetime
    scripted: str | None = None
    waves: list[Wave] = attrs.field(factory=list, repr=False)
    failed: str | None = None
    sent_end: datetime | None = None
    winner: str | None = None
    unknown_placeholders: tuple[str, ...] = ()
    deleted: datetime | None = None
    changed: datetime = attrs.field(
        default=attrs.Factory(lambda self: self.accepted, takes_self=True)
    )
    is_once: bool = False
    uploads: int = 0
    guests: Guests | None = attrs.field(default=None, repr=False)
    mailings: int = 0
    past: list[PastWaves] = attrs.field(factory=list, repr=False)

    @property
    def name(self) -> str:
        """``form.name``."""
        return self.body.name

    @property
    def is_stopped(self) -> bool:
        """Whether the campaign was paused or deleted, so that no more mails are sent."""
        return self.failed == "STOP" or self.deleted is not None

    @property
    def sent_begin(self) -> datetime | None:
        """When the first mail was sent, or None."""
        return self.waves[0].begin if self.waves else None

    @property
    def mails(self) -> int:
        """The number of mails in the waves so far."""
        return sum(wave.events.mails for wave in self.waves)

    def state(self, now: datetime) -> str:
        """Return the state by its name in the vendor's notes of 2026."""
        if self.failed is not None:
            return self.failed
        if self.is_once and self.guests is None:
            return "PREPARE"
        if not self.waves:
            return "PREPARE_TO_SENT" if self.body.is_scheduled else "PREPARE"
        if self.ended(now) is not None:
            return "COMPLETE"
        return "TESTING" if self.body.testing_on and self.winner is None else "SENDING"

    def ended(self, now: datetime) -> datetime | None:
        """Return when the last mail was sent, or None if mails remain."""
        return self.sent_end if self.sent_end is not None and self.sent_end <= now else None

    def updated(self, now: datetime) -> datetime:
        """Return when the state last changed."""
        return max(self.changed, self.ended(now) or self.changed)

    def revision(self, now: datetime) -> int:
        """Return the number of reactions that a test set before an instant."""
        return sum(each.until < now for each in self.past)

    def waves_of(self, revision: int) -> Sequence[Wave]:
        """Return the mails after so many reactions."""
        return self.past[revision].waves if revision < len(self.past) else self.waves

    def count(self, kind: str, now: datetime, *, variant: int | None = None) -> int:
        """Return the number of events of a type so far, of one variant or all."""
        return sum(
            wave.count(kind, now)
            for wave in self.waves
            if variant is None or wave.variant == variant
        )


class Mailer:
    """Sends the mails of campaigns, one wave after the other."""

    AFRESH: ClassVar[Mapping[str, object]] = {"_drawn": {}}

    def __init__(self, *, book: AddressBook, board: SwitchBoard, seed: int) -> None:
        self._book = book
        self._board = board
        self._seed = seed
        self._drawn: dict[str, WaveEvents] = {}

    def prepare(self, campaign: Campaign, waves: Iterable[tuple[int, int]]) -> Iterator[None]:
        """Draw the events of the next large waves in slices; `send` draws those of small ones.

        Each wave is the index of its variant, and its number of mails.
        """
        self._drawn.clear()
        for wave, (variant, count) in enumerate(waves, start=len(campaign.waves)):
            if count > AT_ONE_GO:
                events = self._events(campaign, count, variant=variant, wave=wave)
                yield from events.drawing()
                self._drawn[events.seed] = events

    def send(
        self,
        campaign: Campaign,
        recipients: Recipients,
        *,
        variant: int,
        part: str = "TOTAL",
        at: datetime,
    ) -> Wave:
        """Send the next wave of a campaign."""
        wave = len(campaign.waves)
        events = self._events(campaign, len(recipients), variant=variant, wave=wave)
        drawn = self._drawn.pop(events.seed, None)
        # Prepared events are used only if count, variant and switches are still the same.
        if drawn is not None and drawn.origin == events.origin:
            events = drawn
        else:
            for _ in events.drawing():
                pass
        sent = Wave(
            campaign_sn=campaign.sn,
            variant=variant,
            recipients=recipients,
            begin=at,
            events=events,
            part=part,
        )
        campaign.waves.append(sent)
        self._book.exclusions.add(sent.exclusions())
        return sent

    def _events(self, campaign: Campaign, count: int, *, variant: int, wave: int) -> WaveEvents:
        seed = f"{self._seed}:{campaign.number}:{wave}"
        return WaveEvents(count, variant=variant, seed=seed, on=self._board.on)
