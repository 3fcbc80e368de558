"""The mails that went out, as they are looked for and looked at: newest first, and in slices."""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeVar

import attrs

from newsleopard_async.emulator.inspection import why_none_of
from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.platform.mailings import Campaign
from newsleopard_async.emulator.platform.outbox import Mail, placeholders, render_mail
from newsleopard_async.emulator.platform.submission import Variant
from newsleopard_async.emulator.platform.waves import READING_TYPES, Wave
from newsleopard_async.emulator.sandbox.eml import headers_of, text_of
from newsleopard_async.emulator.sandbox.views import LookView, MailRow, MailsFound, MailView

__all__ = ["MailFilter", "Slices", "find_mails", "look_view", "mail_view"]

T = TypeVar("T")
Slices = Generator[None, None, T]
"""Yields after every few milliseconds of work, and returns what was found."""

SLICE: Final = 32
"""Chosen: so many mails are rendered and searched in about 2 ms."""

MOST_LOOKED_AT: Final = 50_000
"""Chosen: about a second of work; `next` continues from there."""


@attrs.frozen(kw_only=True)
class MailFilter:
    """Which mails are looked for.

    Attributes:
        text: Part of the recipient's address or name, of the subject, or of the HTML; in any case.
        to: Part of the recipient's address, in any case.
        campaign_sn: The campaign, or None for any.
        variant: ``A`` or ``B``, or None for any.
        event: Mails of which this is known by now: ``open``, ``click``, ``bounce`` and so on; or
            None.
        limit: How many to return; from 1 to 500.
        after: Where to go on, as the page before said.
        is_oldest_first: The oldest come first, instead of the newest.
    """

    text: str = ""
    to: str = ""
    campaign_sn: str | None = None
    variant: str | None = None
    event: str | None = None
    limit: int = 50
    after: str | None = None
    is_oldest_first: bool = False


_Place = tuple[datetime, int, int, int]
"""When a mail went out, its campaign's number, its wave's, and its place in that."""


@attrs.frozen
class _Sent:
    """The mails of one wave that have gone out."""

    campaign: Campaign
    number: int
    wave: Wave
    count: int

    @property
    def letter(self) -> str:
        """The variant: A or B of a test, else empty."""
        return "AB"[self.wave.variant] if len(self.campaign.body.variants) > 1 else ""

    def place(self, index: int) -> _Place:
        return self.wave.sent_at(index), self.campaign.number, self.number, index

    def places(self, after: _Place | None, *, is_oldest_first: bool) -> Iterator[_Place]:
        """Yield the mails in order of time, from a place on."""
        every = range(self.count)
        if after is None:
            begin = 0 if is_oldest_first else self.count
        else:
            begin = bisect_left(every, after, key=self.place)
            if is_oldest_first and begin < self.count and self.place(begin) == after:
                begin += 1
        order = range(begin, self.count) if is_oldest_first else range(begin - 1, -1, -1)
        return map(self.place, order)


def find_mails(account: Account, wanted: MailFilter, now: datetime) -> Slices[MailsFound]:
    """Look for mails, in slices; the caller holds the account's lock during each of them.

    Raises:
        LookupError: there is no mail to go on from.
    """
    waves = {
        (campaign.number, number): _Sent(campaign, number, wave, wave.sent(now))
        for campaign in account.campaigns.all.values()
        for number, wave in enumerate(campaign.waves)
    }
    after = None if wanted.after is None else _place_of(account, wanted.after)
    tests = {}
    for key, sent in waves.items():
        if _may_hold(sent, wanted):
            tests[key] = yield from _test_of(sent, wanted, now)
    places = heapq.merge(
        *(waves[key].places(after, is_oldest_first=wanted.is_oldest_first) for key in tests),
        reverse=not wanted.is_oldest_first,
    )
    found: list[_Place] = []
    last, is_end = None, True
    for looked_at, place in enumerate(places):
        if len(found) == wanted.limit or looked_at == MOST_LOOKED_AT:
            is_end = False
            break
        last = place
        if tests[place[1:3]](place[3]):
            found.append(place)
        if looked_at % SLICE == SLICE - 1:
            yield
    rows = yield from _rows(waves, found, now)
    total = sum(each.count for each in waves.values())
    return MailsFound(
        mails=tuple(rows),
        total=total,
        why_none=None if total else why_none_of(account, now).reason,
        next=None if is_end or last is None else mail_id(waves[last[1:3]].campaign, *last[2:]),
    )


def _may_hold(sent: _Sent, wanted: MailFilter) -> bool:
    if wanted.campaign_sn is not None and sent.campaign.sn != wanted.campaign_sn:
        return False
    return wanted.variant is None or sent.letter == wanted.variant


def _test_of(sent: _Sent, wanted: MailFilter, now: datetime) -> Slices[Callable[[int], bool]]:
    """Return the test for a wanted mail; the cheap conditions come first."""
    recipients = sent.wave.recipients
    look = sent.campaign.body.variants[sent.wave.variant]
    to, text = wanted.to.strip().lower(), wanted.text.strip().lower()
    is_in_all = any(text in part.lower() for part in (look.subject, look.html, look.preheader))
    places = None
    if wanted.event is not None:
        places = yield from _places_of(sent.wave, wanted.event, now)

    def is_wanted(index: int) -> bool:
        if places is not None and index not in places:
            return False
        address = recipients.address(index)
        if to not in address:
            return False
        return is_in_all or text in address or _says(sent, index, text)

    return is_wanted


def _says(sent: _Sent, index: int, text: str) -> bool:
    mail = render_mail(sent.wave, index, variants=sent.campaign.body.variants)
    return any(text in part.lower() for part in (mail.name, mail.subject, mail.html))


def _places_of(wave: Wave, kind: str, now: datetime) -> Slices[set[int]]:
    """Return the places of the mails of which an event is known."""
    places = set[int]()
    for _, part in wave.parts(kind, now):
        places.update(part)
        yield
    return places


def _readings(
    wave: Wave, places: Collection[int], now: datetime
) -> Slices[dict[int, dict[str, datetime]]]:
    """Return what became of some mails of a wave by now, each event with its time."""
    found: dict[int, dict[str, datetime]] = {place: {} for place in places}
    for kind in ("bounce", *READING_TYPES):
        for times, part in wave.parts(kind, now):
            for after_ms, place in zip(times, part, strict=True):
                if place in found:
                    found[place][kind] = wave.begin + timedelta(milliseconds=after_ms)
            yield
    for place, events in found.items():
        if "bounce" not in events and place < wave.sent(now):
            found[place] = {"delivery": wave.sent_at(place), **events}
    return found


def _rows(
    waves: Mapping[tuple[int, int], _Sent], found: list[_Place], now: datetime
) -> Slices[list[MailRow]]:
    readings: dict[tuple[int, int], dict[int, dict[str, datetime]]] = {}
    for key in {place[1:3] for place in found}:
        places = [place[3] for place in found if place[1:3] == key]
        readings[key] = yield from _readings(waves[key].wave, places, now)
    rows = []
    for place in found:
        sent, index = waves[place[1:3]], place[3]
        mail = render_mail(sent.wave, index, variants=sent.campaign.body.variants)
        rows.append(_row(sent, index, mail, readings[place[1:3]][index]))
        yield
    return rows


def _row(sent: _Sent, index: int, mail: Mail, events: Mapping[str, datetime]) -> MailRow:
    return MailRow(
        id=mail_id(sent.campaign, sent.number, index),
        to=mail.to,
        name=mail.name,
        subject=mail.subject,
        sender=mail.sender,
        preheader=mail.preheader,
        campaign_sn=sent.campaign.sn,
        campaign_name=sent.campaign.name,
        variant=mail.variant,
        sent_at=mail.sent_at,
        events=events,
    )


def mail_id(campaign: Campaign, wave: int, index: int) -> str:
    """Name a mail by its campaign's code, its wave, and its place in that."""
    return f"{campaign.sn}-{wave}-{index}"


def _located(account: Account, name: str) -> tuple[Campaign, int, int]:
    """Find a mail by its id, also one that has not gone out yet."""
    sn, _, place = name.partition("-")
    numbers = place.split("-")
    campaign = account.campaigns.all.get(sn)
    if campaign is not None and len(numbers) == 2 and all(map(_is_number, numbers)):
        wave, index = map(int, numbers)
        if wave < len(campaign.waves) and index < len(campaign.waves[wave].recipients):
            return campaign, wave, index
    raise LookupError(f"there is no mail {name!r}")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _place_of(account: Account, name: str) -> _Place:
    campaign, wave, index = _located(account, name)
    return campaign.waves[wave].sent_at(index), campaign.number, wave, index


def mail_view(account: Account, name: str, now: datetime) -> Slices[MailView]:
    """Show one mail, whole.

    Raises:
        LookupError: there is no such mail, or it has not gone out.
    """
    campaign, number, index = _located(account, name)
    wave = campaign.waves[number]
    sent = _Sent(campaign, number, wave, wave.sent(now))
    if index >= sent.count:
        raise LookupError(f"the mail {name!r} has not gone out yet")
    events = (yield from _readings(wave, [index], now))[index]
    mail = render_mail(wave, index, variants=campaign.body.variants)
    row = _row(sent, index, mail, events)
    recipient = wave.recipients[index]
    looks = tuple(_look(sent, index, variant) for variant in range(len(campaign.body.variants)))
    return MailView(
        **{field.name: getattr(row, field.name) for field in attrs.fields(MailRow)},
        html=mail.html,
        text=text_of(mail.html),
        headers=headers_of(row),
        values=dict(recipient.values),
        unfilled=looks[wave.variant].unfilled,
        looks=looks,
    )


def _look(sent: _Sent, index: int, variant: int) -> LookView:
    """Show a mail as a variant looks, also one that its recipient did not get."""
    variants = sent.campaign.body.variants
    wave = attrs.evolve(sent.wave, variant=variant)
    mail = render_mail(wave, index, variants=variants)
    return look_view(
        attrs.evolve(
            variants[variant], subject=mail.subject, preheader=mail.preheader, html=mail.html
        ),
        letter=mail.variant,
        is_sent=variant == sent.wave.variant,
        unfilled=sent.campaign.unknown_placeholders,
    )


def look_view(look: Variant, *, letter: str, is_sent: bool, unfilled: Collection[str]) -> LookView:
    """Show what a variant looks like; of the unfilled placeholders, those that it uses."""
    used = set[str]().union(*map(placeholders, (look.subject, look.preheader, look.html)))
    return LookView(
        variant=letter,
        is_sent=is_sent,
        subject=look.subject,
        sender=f"{look.from_name} <{look.from_address}>",
        preheader=look.preheader,
        html=look.html,
        unfilled=tuple(sorted(used.intersection(unfilled))),
    )
