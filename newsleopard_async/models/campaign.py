"""A campaign, and the fields and checks that it shares with the A/B tests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Any, ClassVar, Final, TypeVar

import attrs

from newsleopard_async.errors import Problem
from newsleopard_async.models.codes import ListSn, problems_of_code, unique_codes
from newsleopard_async.models.schedule import Schedule, SendAt, SendNow
from newsleopard_async.models.validation import (
    problems_of_address,
    problems_of_line,
    problems_of_text,
    problems_of_type,
    raise_problems,
    wrong_type,
)
from newsleopard_async.plain import LATER, OfAKind, Plain, to_plain

__all__ = [
    "MAX_BODY_BYTES",
    "BaseMailing",
    "Campaign",
    "FooterLanguage",
    "GoogleAnalytics",
    "Sender",
    "preheader_field",
    "problems_of_html",
    "problems_of_preheader",
    "problems_of_sender",
    "show_length",
    "with_lists",
]

MAX_BODY_BYTES: Final = 10_000_000
"""Largest body of a request. Source: ``10 mb`` of the text import (T28), used for all (T85)."""

_WIRE_MARGIN_BYTES: Final = 1_000
"""The platform's field names are longer than ours, but add less than this to any body."""


class FooterLanguage(IntEnum):
    """Language of the footer with the unsubscribe link. Source: content.footerLang."""

    ENGLISH = 0
    CHINESE = 1


@attrs.frozen
class GoogleAnalytics(Plain):
    """Google Analytics tags on the links of a mail; without it, tracking is off.

    Attributes:
        campaign: The ``utm_campaign`` value.
        content: The ``utm_content`` value.
        ecommerce: Whether to track e-commerce as well.
    Source: config.ga; documented.
    """

    campaign: str
    content: str
    ecommerce: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        raise_problems(
            [
                *problems_of_line("campaign", self.campaign),
                *problems_of_line("content", self.content),
                *problems_of_type("ecommerce", self.ecommerce, bool, "True or False"),
            ]
        )


def show_length(html: object) -> str:
    """Return the length of an HTML text for a repr, because the text would hide the rest."""
    return f"<{len(html)} characters>" if isinstance(html, str) else repr(html)


def _as_lists(codes: Iterable[ListSn]) -> tuple[ListSn, ...]:
    # Type checkers take the constructor's types from here, and refuse other codes than a list's.
    return unique_codes(codes)


@attrs.frozen(kw_only=True)
class BaseMailing(OfAKind):
    """Fields and checks that a campaign shares with the A/B tests.

    Attributes:
        name: The campaign's own name, which recipients do not see.
        lists: Codes of the lists to send to; can be empty until it is sent.
        exclude_lists: Codes of the lists whose members are left out.
        schedule: When to send.
        ga: Google Analytics, or None for off.
        footer: Language of the footer.
    """

    name: str
    lists: tuple[ListSn, ...] = attrs.field(default=(), converter=_as_lists)
    exclude_lists: tuple[ListSn, ...] = attrs.field(default=(), converter=_as_lists)
    schedule: Schedule = attrs.field(factory=SendNow)
    ga: GoogleAnalytics | None = None
    footer: FooterLanguage = FooterLanguage.CHINESE

    def __attrs_post_init__(self) -> None:
        raise_problems(self._problems())
        raise_problems(self._problems_of_size())

    def _problems(self) -> Iterator[Problem]:
        """Yield the problems of the fields; a subclass adds those of its own fields."""
        yield from problems_of_line("name", self.name)
        yield from _problems_of_lists("lists", self.lists)
        yield from _problems_of_lists("exclude_lists", self.exclude_lists)
        yield from _problems_of_overlap(self.lists, self.exclude_lists)
        yield from problems_of_type(
            "schedule", self.schedule, (SendNow, SendAt), "SendNow() or SendAt(when)"
        )
        if self.ga is not None:
            yield from problems_of_type("ga", self.ga, GoogleAnalytics, "GoogleAnalytics(…)")
        yield from problems_of_type("footer", self.footer, FooterLanguage, "a FooterLanguage")

    def _problems_of_size(self) -> Iterator[Problem]:
        size_bytes = len(json.dumps(to_plain(self), ensure_ascii=False).encode())
        if size_bytes + _WIRE_MARGIN_BYTES > MAX_BODY_BYTES:
            yield Problem(
                "html",
                "too-large",
                f"makes a request of about {size_bytes:,} bytes, but {MAX_BODY_BYTES:,} are "
                "allowed; link to images instead of embedding them",
            )


def _problems_of_lists(field: str, codes: object) -> Iterator[Problem]:
    if not isinstance(codes, tuple):
        yield wrong_type(field, codes, f"several codes, for example {field}=[sn]")
        return
    for code in codes:
        yield from problems_of_code(field, code, reserved=True)


def _problems_of_overlap(lists: object, excluded: object) -> Iterator[Problem]:
    if not isinstance(lists, tuple) or not isinstance(excluded, tuple):
        return
    both = [code for code in lists if code in excluded]
    if both:
        yield Problem(
            "exclude_lists",
            "overlap",
            f"contains lists that are also in lists: {', '.join(map(str, both))}; "
            "remove each from one of the two",
        )


def problems_of_sender(field: str, value: object) -> Iterator[Problem]:
    """Yield a problem unless the value is a Sender; a Sender checks its own fields."""
    return problems_of_type(field, value, Sender, "Sender(name, address)")


def problems_of_html(field: str, value: object) -> Iterator[Problem]:
    """Yield the problems of the body of a mail."""
    return problems_of_text(field, value, wanted="HTML as text, for example the content of a file")


def preheader_field() -> str | None:
    """Declare an optional preheader; plain data leaves the field out if it is None."""
    field: str | None = attrs.field(default=None, metadata=LATER)
    return field


def problems_of_preheader(field: str, value: object) -> Iterator[Problem]:
    """Yield the problems of a preheader; None means none.

    An empty preheader is refused, because it is probably a mistake, and the platform does not
    document it.
    """
    if isinstance(value, str) and not value.strip():
        yield Problem(field, "required", "is empty; write a text, or leave it out")
    elif value is not None:
        yield from problems_of_line(field, value)


M = TypeVar("M", bound=BaseMailing)


def with_lists(mailing: M, lists: Iterable[ListSn]) -> M:
    """Return a copy of the campaign or A/B test with these lists.

    Raises:
        InvalidRequest: a code is invalid, or a list is also excluded.
    """
    changes: dict[str, Any] = {"lists": lists}
    return attrs.evolve(mailing, **changes)


@attrs.frozen
class Sender(Plain):
    """The sender (寄件人) as the recipient sees it.

    Attributes:
        name: The name that recipients see; the platform's notes recommend at most 50 characters.
        address: Mail address; it must be verified in the console (寄件人驗證).
    Source: content.fromName, content.fromAddress; documented.
    """

    name: str
    address: str

    def __attrs_post_init__(self) -> None:
        raise_problems(
            [
                *problems_of_line("name", self.name),
                *problems_of_address("address", self.address),
            ]
        )


@attrs.frozen(kw_only=True)
class Campaign(BaseMailing):
    """A campaign (活動).

    Attributes:
        name: The campaign's own name, which recipients do not see.
        subject: Subject line; ``${NAME}`` is replaced for each recipient. The platform's
            notes recommend at most 150 characters.
        sender: The sender.
        html: The body, a full HTML document; ``${NAME}`` as above.
        lists: Codes of the lists to send to; can be empty until it is sent.
        exclude_lists: Codes of the lists whose members are left out.
        schedule: When to send.
        ga: Google Analytics, or None for off.
        footer: Language of the footer.
        preheader: Preview text (預覽文字), which mail programs show after the subject, or None;
            ``${NAME}`` as above. The platform's notes recommend at most 60 characters. Only the
            notes of 2026 describe it (T82), so an older platform refuses or ignores it.

    Raises:
        InvalidRequest: lists all problems of the arguments.

    Source: POST /v1/campaign/normal/submit; documented, the preheader: notes 2026.
    """

    plain_kind: ClassVar[str] = "campaign"

    subject: str
    sender: Sender
    html: str = attrs.field(repr=show_length)
    preheader: str | None = preheader_field()

    def _problems(self) -> Iterator[Problem]:
        yield from super()._problems()
        yield from problems_of_line("subject", self.subject)
        yield from problems_of_sender("sender", self.sender)
        yield from problems_of_html("html", self.html)
        yield from problems_of_preheader("preheader", self.preheader)
