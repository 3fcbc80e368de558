"""Search and views of the sent mails, in slices."""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

import attrs

from newsleopard_async.emulator.inspection import why_none_of
from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.platform.mailings import Campaign
from newsleopard_async.emulator.platform.outbox import Mail, placeholders, render_mail
from newsleopard_async.emulator.platform.submission import Variant
from newsleopard_async.emulator.platform.waves import READING_TYPES, Wave
from newsleopard_async.emulator.sandbox.bodies import OutboxQuery
from newsleopard_async.emulator.sandbox.eml import headers_of, text_of
from newsleopard_async.emulator.sandbox.slices import Slices
from newsleopard_async.emulator.sandbox.views import LookView, MailRow, MailsFound, MailView

__all__ = ["find_mails", "look_view", "mail_view"]

SLICE: Final = 32
"""Chosen: 32 mails are rendered and searched in about 2 ms."""

MOST_TESTED: Final = 50_000
"""Chosen: a search of 50,000 mails is about a second of work; `next` continues from there."""


_Place = tuple[datetime, int, int, int]
"""The sort key of a mail: its time, the numbers of its campaign and wave, its index in the wave."""


@attrs.frozen
class _Sent:
    """The sent mails of one wave."""

    campaign: Campaign
    number: int
    wave: Wave
    count: int

    @property
    def letter(self) -> str:
        """The variant: A or B of an A/B test, else empty."""
        return "AB"[self.wave.variant] if len(self.campaign.body.variants) > 1 else ""

    def place(self, index: int) -> _Place:
        return self.wave.sent_at(index), self.campaign.number, self.number, index

    def places(self, after: _Place | None, *, is_oldest_first: bool) -> Iterator[_Place]:
        """Yield the places of the mails after a place, in order of time."""
        every = range(self.count)
        if after is None:
            begin = 0 if is_oldest_first else self.count
        else:
            begin = bisect_left(every, after, key=self.place)
            if is_oldest_first and begin < self.count and self.place(begin) == after:
                begin += 1
        order = range(begin, self.count) if is_oldest_first else range(begin - 1, -1, -1)
        return map(self.place, order)


def find_mails(account: Account, search: OutboxQuery, now: datetime) -> Slices[MailsFound]:
    """Search the sent mails in slices. The caller holds the account's lock during each slice.

    Raises:
        LookupError: the mail of ``after`` does not exist.
    """
    waves = {
        (campaign.number, number): _Sent(campaign, number, wave, wave.sent(now))
        for campaign in account.campaigns.all.values()
        for number, wave in enumerate(campaign.waves)
    }
    after = None if search.after is None else _place_of(account, search.after)
    tests = {}
    for key, sent in waves.items():
        if _can_match(sent, search):
            tests[key] = yield from _test_of(sent, search, now)
    places = heapq.merge(
        *(waves[key].places(after, is_oldest_first=search.is_oldest_first) for key in tests),
        reverse=not search.is_oldest_first,
    )
    found: list[_Place] = []
    last, is_end = None, True
    for tested, place in enumerate(places):
        if len(found) == search.limit or tested == MOST_TESTED:
            is_end = False
            break
        last = place
        if tests[place[1:3]](place[3]):
            found.append(place)
        if tested % SLICE == SLICE - 1:
            yield
    rows = yield from _rows(waves, found, now)
    total = sum(each.count for each in waves.values())
    return MailsFound(
        mails=tuple(rows),
        total=total,
        why_none=None if total else why_none_of(account, now).reason,
        next=None if is_end or last is None else mail_id(waves[last[1:3]].campaign, *last[2:]),
    )


def _can_match(sent: _Sent, search: OutboxQuery) -> bool:
    if search.campaign_sn is not None and sent.campaign.sn != search.campaign_sn:
        return False
    return search.variant is None or sent.letter == search.variant


def _test_of(sent: _Sent, search: OutboxQuery, now: datetime) -> Slices[Callable[[int], bool]]:
    """Return the function that tests a mail of a wave; the cheap conditions come first."""
    recipients = sent.wave.recipients
    look = sent.campaign.body.variants[sent.wave.variant]
    to, text = search.to.strip().lower(), search.text.strip().lower()
    is_in_all = any(text in part.lower() for part in (look.subject, look.html, look.preheader))
    indexes = None
    if search.event is not None:
        indexes = yield from _indexes_of(sent.wave, search.event, now)

    def matches(index: int) -> bool:
        if indexes is not None and index not in indexes:
            return False
        address = recipients.address(index)
        if to not in address:
            return False
        return is_in_all or text in address or _contains(sent, index, text)

    return matches


def _contains(sent: _Sent, index: int, text: str) -> bool:
    mail = render_mail(sent.wave, index, variants=sent.campaign.body.variants)
    return any(text in part.lower() for part in (mail.name, mail.subject, mail.html))


def _indexes_of(wave: Wave, kind: str, now: datetime) -> Slices[set[int]]:
    """Return the indexes of the mails with an event."""
    indexes = set[int]()
    for _, part in wave.parts(kind, now):
        indexes.update(part)
        yield
    return indexes


def _events_of(
    wave: Wave, indexes: Collection[int], now: datetime
) -> Slices[dict[int, dict[str, datetime]]]:
    """Return the events of some mails of a wave up to now, each with its time."""
    found: dict[int, dict[str, datetime]] = {index: {} for index in indexes}
    for kind in ("bounce", *READING_TYPES):
        for times, part in wave.parts(kind, now):
            for after_ms, index in zip(times, part, strict=True):
                if index in found:
                    found[index][kind] = wave.begin + timedelta(milliseconds=after_ms)
            yield
    for index, events in found.items():
        if "bounce" not in events and index < wave.sent(now):
            found[index] = {"delivery": wave.sent_at(index), **events}
    return found


def _rows(
    waves: Mapping[tuple[int, int], _Sent], found: list[_Place], now: datetime
) -> Slices[list[MailRow]]:
    events: dict[tuple[int, int], dict[int, dict[str, datetime]]] = {}
    for key in {place[1:3] for place in found}:
        indexes = [place[3] for place in found if place[1:3] == key]
        events[key] = yield from _events_of(waves[key].wave, indexes, now)
    rows = []
    for place in found:
        sent, index = waves[place[1:3]], place[3]
        mail = render_mail(sent.wave, index, variants=sent.campaign.body.variants)
        rows.append(_row(sent, index, mail, events[place[1:3]][index]))
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
    """Return the id of a mail: its campaign's code, its wave, and its index in the wave."""
    return f"{campaign.sn}-{wave}-{index}"


def _locate(account: Account, name: str) -> tuple[Campaign, int, int]:
    """Find a mail by its id, even if it is not sent yet."""
    sn, _, rest = name.partition("-")
    numbers = rest.split("-")
    campaign = account.campaigns.all.get(sn)
    if campaign is not None and len(numbers) == 2 and all(map(_is_number, numbers)):
        wave, index = map(int, numbers)
        if wave < len(campaign.waves) and index < len(campaign.waves[wave].recipients):
            return campaign, wave, index
    raise LookupError(f"mail {name!r} does not exist; check the id")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _place_of(account: Account, name: str) -> _Place:
    campaign, wave, index = _locate(account, name)
    return campaign.waves[wave].sent_at(index), campaign.number, wave, index


def mail_view(account: Account, name: str, now: datetime) -> Slices[MailView]:
    """Show one mail with its content.

    Raises:
        LookupError: the mail does not exist, or is not sent yet.
    """
    campaign, number, index = _locate(account, name)
    wave = campaign.waves[number]
    sent = _Sent(campaign, number, wave, wave.sent(now))
    if index >= sent.count:
        raise LookupError(f"mail {name!r} is not sent yet; advance the clock")
    events = (yield from _events_of(wave, [index], now))[index]
    mail = render_mail(wave, index, variants=campaign.body.variants)
    row = _row(sent, index, mail, events)
    recipient = wave.recipients[index]
    looks = tuple(_look(sent, index, variant) for variant in range(len(campaign.body.variants)))
    return MailView(
        **attrs.asdict(row, recurse=False),
        html=mail.html,
        text=text_of(mail.html),
        headers=headers_of(row),
        values=dict(recipient.values),
        unfilled=looks[wave.variant].unfilled,
        looks=looks,
    )


def _look(sent: _Sent, index: int, variant: int) -> LookView:
    """Show a mail as one variant, even if its recipient did not get this variant."""
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
    """Show the content of a variant, with the unfilled placeholders that it uses."""
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
