"""An accepted campaign, its state, and its mails as they go out."""

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
"""Chosen: so many mails are drawn in about 20 ms; other clients wait no longer than that."""


@attrs.frozen(kw_only=True, eq=False)
class PastWaves:
    """The mails of a campaign as they were before a test let a reader do something.

    Attributes:
        until: When he did it.
        changed: The types of events that are others since then.
        waves: The mails.
    """

    until: datetime
    changed: Collection[str]
    waves: Sequence[Wave] = attrs.field(repr=False)


@attrs.define(kw_only=True)
class Campaign:
    """An accepted campaign.

    Attributes:
        sn: Its code.
        body: What was submitted.
        accepted: When it was accepted.
        begins: When it is to be sent.
        charged: Mails taken off the balance: as many as the submit found, then as many as are sent.
        number: Its place among all campaigns.
        due: When the mails go out that have not yet: ``begins``, and then the end of the test.
        scripted: The state to come to at its instant, regardless of all else, or None.
        waves: The mails, once they go out.
        failed: The state of a campaign that sends nothing, or nothing more; STOP if it was paused.
        sent_end: When the last mail goes out, or the sending was stopped; None until that is known.
        winner: ``A`` or ``B``, once a test is decided.
        unknown_placeholders: Names between ``${`` and ``}`` that are not a column (T83).
        deleted: When it was deleted, or None; the platform knows it no longer.
        changed: When its state last changed; the end of its sending, which comes by itself, apart.
        is_once: It has no lists, and goes to the contacts of an uploaded file (T122).
        uploads: How many files were uploaded for it.
        guests: The contacts of the file that was read last; None before that.
        mailings: How often it was sent: a further upload may send it again (T123).
        past: What the mails were before each thing that a test let a reader do.
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
        """Whether it was paused or deleted: nothing of it is sent any more."""
        return self.failed == "STOP" or self.deleted is not None

    @property
    def sent_begin(self) -> datetime | None:
        """When the first mail went out, or None."""
        return self.waves[0].begin if self.waves else None

    @property
    def mails(self) -> int:
        """How many mails go out in the waves that began."""
        return sum(wave.events.mails for wave in self.waves)

    def state(self, now: datetime) -> str:
        """Name the state, as the vendor's notes of 2026 do."""
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
        """Return when the last mail went out, or None while it has not."""
        return self.sent_end if self.sent_end is not None and self.sent_end <= now else None

    def updated(self, now: datetime) -> datetime:
        """Return when the state last changed."""
        return max(self.changed, self.ended(now) or self.changed)

    def revision(self, now: datetime) -> int:
        """Count what a test has let readers do before an instant."""
        return sum(each.until < now for each in self.past)

    def waves_of(self, revision: int) -> Sequence[Wave]:
        """Return the mails as they were after so many things that a test let readers do."""
        return self.past[revision].waves if revision < len(self.past) else self.waves

    def count(self, kind: str, now: datetime, *, variant: int | None = None) -> int:
        """Count the events of a type so far, of one variant or all."""
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
        """Draw what becomes of the next waves in slices; a few mails are drawn when they go out.

        Each wave is the place of its variant, and how many mails it has.
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
        """Send the next wave of a campaign, at once."""
        wave = len(campaign.waves)
        events = self._events(campaign, len(recipients), variant=variant, wave=wave)
        drawn = self._drawn.pop(events.seed, None)
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
