"""The mails that were sent, rendered on access (T83, T84)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Final, overload

import attrs

from newsleopard_async.emulator.platform.addressbook import Contact, folded
from newsleopard_async.emulator.platform.submission import Variant
from newsleopard_async.emulator.platform.unsent import Unsent, as_text
from newsleopard_async.emulator.platform.waves import Wave

__all__ = ["Mail", "Outbox", "fill_in", "placeholders", "render_mail"]

_PLACEHOLDER: Final = re.compile(r"\$\{([^{}$]{1,200})\}")


@attrs.frozen(kw_only=True)
class Mail:
    """One mail as its reader gets it.

    Attributes:
        to: The recipient's address.
        name: The recipient's name.
        subject: The subject, with the recipient's values.
        sender: ``Name <address>``.
        html: The content, with the recipient's values.
        campaign_sn: The campaign's code.
        sent_at: When it was sent.
        variant: ``A`` or ``B`` of a test, else empty.
        preheader: The preheader, with the recipient's values.
    """

    to: str
    name: str
    subject: str
    sender: str
    html: str
    campaign_sn: str
    sent_at: datetime
    variant: str = ""
    preheader: str = ""


def placeholders(text: str) -> set[str]:
    """Return the names between ``${`` and ``}``."""
    return {match.strip() for match in _PLACEHOLDER.findall(text)}


def fill_in(text: str, contact: Contact, columns: Collection[str]) -> str:
    """Replace the placeholders of a text by a contact's values.

    If the contact has no value for a column, its placeholder becomes empty text. A name that is
    not a column stays unchanged. Values are not escaped.
    """

    def value_of(match: re.Match[str]) -> str:
        name = folded(match[1])
        if name == "email":
            return contact.email
        if name == "name":
            return contact.name
        return contact.values.get(name, "" if name in columns else match[0])

    return _PLACEHOLDER.sub(value_of, text)


Render = Callable[[Wave, int], Mail]


def render_mail(wave: Wave, index: int, *, variants: tuple[Variant, ...]) -> Mail:
    """Render one mail of a wave, with the values of the beginning of its sending."""
    contact, columns = wave.recipients[index], wave.recipients.columns
    variant = variants[wave.variant]
    return Mail(
        to=contact.email,
        name=contact.name,
        subject=fill_in(variant.subject, contact, columns),
        sender=f"{variant.from_name} <{variant.from_address}>",
        html=fill_in(variant.html, contact, columns),
        campaign_sn=wave.campaign_sn,
        sent_at=wave.sent_at(index),
        variant="AB"[wave.variant] if len(variants) > 1 else "",
        preheader=fill_in(variant.preheader, contact, columns),
    )


class Outbox(Sequence[Mail]):
    """The mails sent up to one instant, wave by wave.

    Args:
        waves: The waves of all campaigns.
        now: The instant.
        render: A function that renders one mail.
        unsent: Why the outbox is empty; None if it is not.
    """

    def __init__(
        self,
        waves: Sequence[Wave],
        *,
        now: datetime,
        render: Render,
        unsent: Unsent | None = None,
    ) -> None:
        self._waves = waves
        self._now = now
        self._unsent = unsent
        self._ends = list(accumulate(wave.sent(now) for wave in waves))
        self._render = render

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> Mail: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Mail]: ...

    def __getitem__(self, index: int | slice) -> Mail | Sequence[Mail]:
        if isinstance(index, slice):
            return tuple(self[place] for place in range(*index.indices(len(self))))
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"outbox[{index}]: {self._shortage()}")
        number = bisect_right(self._ends, place)
        before = self._ends[number - 1] if number else 0
        return self._render(self._waves[number], place - before)

    def _shortage(self) -> str:
        """Return a text with the number of mails, or the reason why the outbox is empty."""
        if len(self) == 0 and self._unsent is not None:
            return f"the outbox is empty: {self._unsent.reason}; {self._unsent.way_out}"
        coming = [wave for wave in self._waves if wave.sent(self._now) < wave.events.mails]
        more = sum(wave.events.mails - wave.sent(self._now) for wave in coming)
        sent = "1 mail was sent" if len(self) == 1 else f"{len(self):,} mails were sent"
        if not more:
            return sent
        end = max(wave.sent_at(wave.events.mails - 1) for wave in coming)
        return (
            f"{sent}, and {more:,} more will be sent until {as_text(end)}; "
            f"the clock is at {as_text(self._now)}"
        )

    def __repr__(self) -> str:
        why = f": {self._unsent.reason}" if len(self) == 0 and self._unsent is not None else ""
        return f"<Outbox of {len(self)} mails{why}>"
