"""What a rule is given, and what it gives back."""

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
"""How many names get a finding of their own, by rule and field; the rest are counted."""

_EXAMPLES: Final = 3

Hit = tuple[str, int | None]
"""What was met, as it is to be shown, and its line."""

Match = tuple[re.Match[str], int | None]
"""A match and its line, which a subject or preheader has none of."""

T = TypeVar("T")


@attrs.frozen
class FindingDetails:
    """A finding without what the table of the rules knows."""

    field: str
    message: str
    lines: tuple[int, ...] = ()
    count: int = 1


@attrs.frozen(kw_only=True)
class CheckContext:
    """A campaign, laid out for the rules, and what is known of its recipients.

    Attributes:
        subjects: Subject lines by field.
        preheaders: Preheaders by field, if there are any.
        senders: Senders by field.
        pages: The bodies, parsed.
        columns: Columns of the contacts; None where they are not known.
        recipients: Their number; None where it is not known.
        now: The time; None where no clock is to be asked.
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
        """The texts of one line that recipients see and that may have placeholders."""
        return {**self.subjects, **self.preheaders}

    @property
    def sender_names(self) -> Mapping[str, str]:
        """The names of the senders by field."""
        return {f"{field}.name": sender.name for field, sender in self.senders.items()}

    @property
    def ga_values(self) -> Mapping[str, str]:
        """The values of Google Analytics by field; empty where it is off."""
        ga = self.campaign.ga
        return {} if ga is None else {"ga.campaign": ga.campaign, "ga.content": ga.content}


def context_of(
    campaign: Mailing,
    *,
    columns: tuple[str, ...] | None = None,
    recipients: int | None = None,
    now: datetime | None = None,
) -> CheckContext:
    """Lay out a campaign or A/B test; which fields it has depends on its class."""
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
    """Look for a pattern in subjects, preheaders and the HTML as it stands, field by field."""
    for field, line in context.lines.items():
        yield field, ((match, None) for match in pattern.finditer(line))
    for page in context.pages:
        yield page.field, with_lines(pattern.finditer(page.source))


def one_finding_each(
    field: str, hits: Iterable[Hit], say: Callable[[str], str], rest: str
) -> Iterator[FindingDetails]:
    """Yield a finding for each name that was met, and one for all names beyond the first ones.

    Args:
        say: Makes the message of a name.
        rest: The message of the others, with ``{}`` for their number.
    """
    named: dict[str, list[int | None]] = {}
    for name, line in hits:
        named.setdefault(name, []).append(line)
    # One left over is told like the rest: nothing is shorter than its name.
    most = MOST_NAMES if len(named) > MOST_NAMES + 1 else len(named)
    for name in list(named)[:most]:
        yield _found(field, say(name), named[name])
    if others := list(named)[most:]:
        lines = [line for name in others for line in named[name]]
        yield _found(field, rest.replace("{}", f"{len(others):,}"), lines)


def one_finding_for_all(field: str, hits: Iterable[Hit], message: str) -> Iterator[FindingDetails]:
    """Yield one finding for everything that was met, if anything was.

    Args:
        message: With ``{}`` where the first few examples go.
    """
    all_hits = list(hits)
    if all_hits:
        names = list(dict.fromkeys(name for name, _ in all_hits))
        shown = ", ".join(map(shorten, names[:_EXAMPLES])) + ", …" * (len(names) > _EXAMPLES)
        yield _found(field, message.replace("{}", shown), [line for _, line in all_hits])


def _found(field: str, message: str, lines: list[int | None]) -> FindingDetails:
    distinct = dict.fromkeys(line for line in lines if line is not None)
    return FindingDetails(field, message, tuple(sorted(distinct)[:MOST_PLACES]), len(lines))
