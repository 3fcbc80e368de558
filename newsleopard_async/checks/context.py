"""The input of a rule, `CheckContext`, and its output, `FindingDetails`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

import attrs

from newsleopard_async.checks.markup import shorten, with_lines
from newsleopard_async.checks.page import Page, parse_page
from newsleopard_async.models.ab_test import Mailing
from newsleopard_async.models.campaign import Sender
from newsleopard_async.models.findings import MOST_PLACES

__all__ = [
    "CheckContext",
    "FindingDetails",
    "Hit",
    "Match",
    "context_of",
    "matches_of",
    "one_finding_each",
    "one_finding_for_all",
]

MOST_NAMES: Final = 20
"""Names with a separate finding, per rule and field; one more finding counts the rest.

Chosen: 20 findings still fit on one screen.
"""

_EXAMPLES: Final = 3
"""Examples in one message. Chosen: with 60 characters each, a message stays under 300."""

Hit = tuple[str, int | None]
"""The text that a rule reports, as the message shows it, and its line."""

Match = tuple[re.Match[str], int | None]
"""A match and its line; None in a subject or preheader."""

T = TypeVar("T")


@attrs.frozen
class FindingDetails:
    """A finding without its rule and its level."""

    field: str
    message: str
    lines: tuple[int, ...] = ()
    count: int = 1


@attrs.frozen(kw_only=True)
class CheckContext:
    """A campaign, prepared for the rules, with facts about its recipients.

    Attributes:
        subjects: Subject lines by field.
        preheaders: Preheaders by field, if there are any.
        senders: Senders by field.
        pages: The bodies, parsed.
        columns: Columns of the contacts; None if unknown.
        recipients: The number of recipients; None if unknown.
        now: The current time; None skips the rules that need it.
    """

    campaign: Mailing
    subjects: Mapping[str, str]
    preheaders: Mapping[str, str]
    senders: Mapping[str, Sender]
    pages: tuple[Page, ...]
    columns: tuple[str, ...] | None = None
    recipients: int | None = None
    now: datetime | None = None

    @property
    def lines(self) -> Mapping[str, str]:
        """The subjects and preheaders by field: visible lines that can contain placeholders."""
        return {**self.subjects, **self.preheaders}

    @property
    def sender_names(self) -> Mapping[str, str]:
        """The names of the senders by field."""
        return {f"{field}.name": sender.name for field, sender in self.senders.items()}

    @property
    def ga_values(self) -> Mapping[str, str]:
        """The values of Google Analytics by field; empty if it is off."""
        ga = self.campaign.ga
        return {} if ga is None else {"ga.campaign": ga.campaign, "ga.content": ga.content}


def context_of(
    campaign: Mailing,
    *,
    columns: tuple[str, ...] | None = None,
    recipients: int | None = None,
    now: datetime | None = None,
) -> CheckContext:
    """Prepare a campaign or A/B test for the rules; its class decides which fields it has."""
    return CheckContext(
        campaign=campaign,
        subjects=_fields_of(campaign, str, "subject", "subject_a", "subject_b"),
        preheaders=_fields_of(campaign, str, "preheader", "preheader_a", "preheader_b"),
        senders=_fields_of(campaign, Sender, "sender", "sender_a", "sender_b"),
        pages=tuple(
            parse_page(field, html)
            for field, html in _fields_of(campaign, str, "html", "html_a", "html_b").items()
        ),
        columns=columns,
        recipients=recipients,
        now=now,
    )


def _fields_of(campaign: Mailing, cls: type[T], *names: str) -> dict[str, T]:
    values: Any = ((name, getattr(campaign, name, None)) for name in names)
    return {name: value for name, value in values if isinstance(value, cls)}


def matches_of(
    context: CheckContext, pattern: re.Pattern[str]
) -> Iterator[tuple[str, Iterable[Match]]]:
    """Search subjects, preheaders and the HTML source for a pattern, field by field."""
    for field, line in context.lines.items():
        yield field, ((match, None) for match in pattern.finditer(line))
    for page in context.pages:
        yield page.field, with_lines(pattern.finditer(page.source))


def one_finding_each(
    field: str, hits: Iterable[Hit], say: Callable[[str], str], rest: str
) -> Iterator[FindingDetails]:
    """Yield a finding for each of the first names, and one for all the rest.

    Args:
        say: Returns the message for a name.
        rest: The message for the rest, with ``{}`` for their number.
    """
    named: dict[str, list[int | None]] = {}
    for name, line in hits:
        named.setdefault(name, []).append(line)
    # A single remaining name gets its own finding, which is not longer than a count.
    most = MOST_NAMES if len(named) > MOST_NAMES + 1 else len(named)
    for name in list(named)[:most]:
        yield _found(field, say(name), named[name])
    if others := list(named)[most:]:
        lines = [line for name in others for line in named[name]]
        yield _found(field, rest.replace("{}", f"{len(others):,}"), lines)


def one_finding_for_all(field: str, hits: Iterable[Hit], message: str) -> Iterator[FindingDetails]:
    """Yield one finding for all hits, if there is a hit.

    Args:
        message: The message, with ``{}`` for the first examples.
    """
    all_hits = list(hits)
    if all_hits:
        names = list(dict.fromkeys(name for name, _ in all_hits))
        shown = ", ".join(map(shorten, names[:_EXAMPLES])) + ", …" * (len(names) > _EXAMPLES)
        yield _found(field, message.replace("{}", shown), [line for _, line in all_hits])


def _found(field: str, message: str, lines: list[int | None]) -> FindingDetails:
    distinct = dict.fromkeys(line for line in lines if line is not None)
    return FindingDetails(field, message, tuple(sorted(distinct)[:MOST_PLACES]), len(lines))
