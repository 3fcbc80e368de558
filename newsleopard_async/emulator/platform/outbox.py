"""The mails that went out, rendered when somebody looks at them (T83, T84)."""

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
        subject: With the recipient's values filled in.
        sender: ``Name <address>``.
        html: With the recipient's values filled in.
        campaign_sn: The campaign's code.
        sent_at: When it went out.
        variant: ``A`` or ``B`` of a test, else empty.
        preheader: With the recipient's values filled in.
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
    """Put a contact's values in.

    A column that the contact has no value for becomes empty text; a name that is no column
    stays as it is. Nothing is escaped.
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
    """Render one mail of a wave, as it was when the campaign began."""
    contact, columns = wave.recipients[index], wave.recipients.columns
    look = variants[wave.variant]
    return Mail(
        to=contact.email,
        name=contact.name,
        subject=fill_in(look.subject, contact, columns),
        sender=f"{look.from_name} <{look.from_address}>",
        html=fill_in(look.html, contact, columns),
        campaign_sn=wave.campaign_sn,
        sent_at=wave.sent_at(index),
        variant="AB"[wave.variant] if len(variants) > 1 else "",
        preheader=fill_in(look.preheader, contact, columns),
    )


class Outbox(Sequence[Mail]):
    """The mails sent up to one instant, wave by wave.

    Args:
        waves: Of all campaigns.
        now: The instant.
        render: Renders one mail.
        unsent: Why there is none, if there is none.
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
        """Say how many mails there are, or why there is none."""
        if len(self) == 0 and self._unsent is not None:
            return f"the outbox is empty: {self._unsent.reason}; {self._unsent.way_out}"
        coming = [wave for wave in self._waves if wave.sent(self._now) < wave.events.mails]
        more = sum(wave.events.mails - wave.sent(self._now) for wave in coming)
        said = "1 mail has gone out" if len(self) == 1 else f"{len(self):,} mails have gone out"
        if not more:
            return said
        end = max(wave.sent_at(wave.events.mails - 1) for wave in coming)
        return (
            f"{said}, and {more:,} more will until {as_text(end)}; "
            f"the clock stands at {as_text(self._now)}"
        )

    def __repr__(self) -> str:
        why = f": {self._unsent.reason}" if len(self) == 0 and self._unsent is not None else ""
        return f"<Outbox of {len(self)} mails{why}>"
