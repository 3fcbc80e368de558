"""The result of a rehearsal: as data, and as text for a terminal.

The text has aligned lines; a Chinese character counts as two columns.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

import attrs

from newsleopard_async.models import Timezone
from newsleopard_async.models.findings import CheckReport, ContactsReport, Finding
from newsleopard_async.models.reports import RejectedRow
from newsleopard_async.plain import Plain, Tabular

__all__ = [
    "ASSUMED",
    "Rehearsal",
    "RehearsedMail",
    "RehearsedTest",
    "aligned",
    "show_both_times",
    "width_of",
]

ASSUMED: Final = " (assumed)"
LINE_COLUMNS: Final = 100
"""Chosen: a terminal of usual width shows 100 columns."""

MOST_LINES_NAMED: Final = 10
"""Chosen: 10 line numbers fit into one line of text."""

Lines = Iterator[tuple[str, str]]


@attrs.frozen(kw_only=True)
class RehearsedMail(Plain):
    """One mail as its recipient would get it. It is personal data, and no repr shows it.

    Attributes:
        to: The recipient's address.
        name: The recipient's name.
        sender: The sender, as ``Name <address>``.
        subject: The subject, with the recipient's values.
        html: The HTML, with the recipient's values.
        sent_at: When it would be sent, in UTC.
        variant: ``A`` or ``B`` of a test, else empty.
        preheader: The preheader, with the recipient's values; empty without one.
        path: The file that shows it, if a folder was passed.
    """

    to: str = attrs.field(repr=False)
    name: str = attrs.field(repr=False)
    sender: str
    subject: str = attrs.field(repr=False)
    html: str = attrs.field(repr=False)
    sent_at: datetime
    variant: str = ""
    preheader: str = attrs.field(default="", repr=False)
    path: Path | None = None


@attrs.frozen(kw_only=True)
class RehearsedTest(Plain):
    """The result of an A/B test.

    Attributes:
        a: Mails of variant A.
        b: Mails of variant B.
        rest: Mails that wait for the winner.
        rest_goes_out_at: When they are sent, in UTC.
        winner: ``A`` or ``B``; chosen by chance here, because no recipient has read the mails.
    """

    a: int
    b: int
    rest: int
    rest_goes_out_at: datetime
    winner: str


@attrs.frozen(kw_only=True)
class Rehearsal(Tabular):
    """The result of a rehearsal; ``print`` shows it.

    Attributes:
        ok: Whether ``send_campaign`` with the same arguments would send the campaign.
        contacts: The findings of the check of the contacts.
        campaign: The findings of the check of the campaign.
        problem: The error that ended the run, or the number of warnings that ``strict`` turns into
            errors, in a sentence; else None.
        name: The name of the campaign.
        began: When the rehearsal began, on its own clock, in UTC.
        requests: The requests of the whole job, report included, by their names in the
            emulator's log; ``upload`` and ``download`` are requests to the file storage.
        quota_used: The most requests of any day (UTC) that count against the daily quota.
        quota_limit: The daily quota.
        recipients: The number of mails.
        duplicates: The number of rows that a later row of the same address would replace.
        rejected: The number of rows that would be rejected.
        rejected_for: The number of rejected rows by reason.
        rejected_rows: The first twenty rejected rows.
        goes_out_at: When the first mail is sent, in UTC; None if no mail is sent.
        is_scheduled: Whether that is the campaign's own schedule, and not as soon as possible.
        timezone: The time zone of the request, by its IANA name.
        sent_by: When the last mail is sent, in UTC.
        accepted_after: How long it takes until the platform has accepted the campaign.
        duration: The whole job on the platform's clock, until the report is ready.
        test: The result of the A/B test; None for a campaign without one.
        mails: The first mails, with the values of real rows.
        unfilled: Names between ``${`` and ``}`` that are not replaced in any mail.
        assumed: The emulator's assumptions about the platform that matter here.
    """

    plain_derived: ClassVar[tuple[str, ...]] = (
        "requests_total",
        "balance_needed",
        "goes_out_local",
    )

    ok: bool
    contacts: ContactsReport
    campaign: CheckReport
    problem: str | None = None
    name: str
    began: datetime
    requests: Mapping[str, int] = attrs.field(factory=dict, hash=False)
    quota_used: int = 0
    quota_limit: int
    recipients: int = 0
    duplicates: int = 0
    rejected: int = 0
    rejected_for: Mapping[str, int] = attrs.field(factory=dict, hash=False)
    rejected_rows: tuple[RejectedRow, ...] = ()
    goes_out_at: datetime | None = None
    is_scheduled: bool
    timezone: str
    sent_by: datetime | None = None
    accepted_after: timedelta | None = None
    duration: timedelta | None = None
    test: RehearsedTest | None = None
    mails: tuple[RehearsedMail, ...] = ()
    unfilled: tuple[str, ...] = ()
    assumed: tuple[str, ...] = attrs.field(default=(), repr=False)

    @property
    def requests_total(self) -> int:
        """The number of all requests, to the API and to the file storage."""
        return sum(self.requests.values())

    @property
    def balance_needed(self) -> int:
        """The number of mails that the balance must cover; lists of the campaign add to it."""
        return self.recipients

    @property
    def goes_out_local(self) -> datetime | None:
        """When the first mail is sent, in the time zone ``timezone``."""
        return self.local(self.goes_out_at)

    def local(self, when: datetime | None) -> datetime | None:
        """Convert an instant to the time zone ``timezone``."""
        return None if when is None else when.astimezone(Timezone.of(self.timezone).zone)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-safe data; the mails in it are personal data."""
        local = self.goes_out_local
        # Only this time is not in UTC, because here the user notices a wrong time zone.
        return {
            **super().to_dict(),
            "goes_out_local": None if local is None else local.isoformat(),
        }

    def __str__(self) -> str:
        return _summarize(self)

    def __html_rows__(self) -> Iterator[tuple[str, object]]:
        """Yield the rows that ``print`` shows; the mails are personal data and are left out."""
        yield "Would go out", self.ok
        yield "Name", self.name
        yield from _facts(self)
        yield "Findings", (*self.contacts, *self.campaign)
        yield "Assumed", self.assumed


def _summarize(shown: Rehearsal) -> str:
    """Return a rehearsal as text; it contains no contact."""
    conclusion = "it would go out" if shown.ok else "it would NOT go out"
    parts = [
        [f"Rehearsal of {_clean(shown.name)}: {conclusion}."],
        list(aligned(_facts(shown))),
        list(aligned(_found(shown))),
        _listed("Assumed, since it is not documented:", shown.assumed),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _facts(shown: Rehearsal) -> Lines:
    if shown.problem is not None:
        yield "Problem", shown.problem
    yield "Contacts", _show_contacts(shown)
    if shown.requests:
        yield from _facts_of_the_run(shown)
    if shown.goes_out_at is not None:
        yield from _facts_of_the_mails(shown, shown.goes_out_at)
    if shown.unfilled:
        yield "Unfilled", ", ".join("${" + name + "}" for name in shown.unfilled)


def _show_contacts(shown: Rehearsal) -> str:
    found = shown.contacts
    addresses = "address" if found.unique == 1 else "addresses"
    cells = "cell" if found.trimmed == 1 else "cells"
    known = f"{_rows(found.rows)}, {found.unique:,} different {addresses}"
    changes = {
        "skipped": found.skipped,
        "dropped": found.dropped,
        "left out": found.left_out,
        f"{cells} trimmed": found.trimmed,
    }
    extra = [f"{count:,} {what}" for what, count in changes.items() if count]
    return ", ".join([known, *([found.encoding] if found.encoding else []), *extra])


def _facts_of_the_run(shown: Rehearsal) -> Lines:
    yield "Requests", f"{shown.requests_total:,}{ASSUMED}: {_show_counts(shown.requests)}"
    yield "Quota", f"{shown.quota_used:,} of {shown.quota_limit:,} requests a day{ASSUMED}"
    if shown.rejected:
        yield "Rejected", f"{_rows(shown.rejected)}{ASSUMED}: {_show_rejected(shown)}"
    if shown.duplicates:
        yield "Repeated", f"{_rows(shown.duplicates)}, replaced by a later one{ASSUMED}"


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


def _show_rejected(shown: Rehearsal) -> str:
    counts = _show_counts(shown.rejected_for)
    lines = [str(row.line) for row in shown.rejected_rows if row.line is not None]
    named = lines[:MOST_LINES_NAMED]
    if not named:
        return counts
    places = [*named, "…"] if shown.rejected > len(named) else named
    return f"{counts}; in {'line' if len(places) == 1 else 'lines'} {', '.join(places)}"


def _facts_of_the_mails(shown: Rehearsal, goes_out_at: datetime) -> Lines:
    yield "Recipients", f"{shown.recipients:,}{ASSUMED}"
    yield "Balance", f"{_show_need(shown.balance_needed)}{ASSUMED}"
    yield "Goes out", show_both_times(goes_out_at, shown) + ASSUMED
    if shown.test is not None:
        yield from _facts_of_the_test(shown, shown.test)
    if shown.sent_by is not None:
        yield "All out by", show_both_times(shown.sent_by, shown) + ASSUMED
    if shown.accepted_after is not None:
        yield "Accepted", f"after {_show_duration(shown.accepted_after)}{ASSUMED}"
    if shown.duration is not None:
        yield "Whole job", f"{_show_duration(shown.duration)}, report included{ASSUMED}"
    if shown.mails:
        yield "Mails", _show_mails(shown)


def _show_need(mails: int) -> str:
    return "1 mail is needed" if mails == 1 else f"{mails:,} mails are needed"


def _facts_of_the_test(shown: Rehearsal, test: RehearsedTest) -> Lines:
    yield "A/B test", f"{_get(test.a)} A, {_get(test.b)} B{ASSUMED}"
    at = show_both_times(test.rest_goes_out_at, shown)
    yield "The rest", f"{test.rest:,} at {at}{ASSUMED}; here they got {test.winner}{ASSUMED}"


def _get(count: int) -> str:
    return f"{count:,} gets" if count == 1 else f"{count:,} get"


def _show_mails(shown: Rehearsal) -> str:
    paths = [str(mail.path) for mail in shown.mails if mail.path is not None]
    return ", ".join(paths) if paths else f"{len(shown.mails)} rendered, in .mails"


def _show_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}={count:,}" for name, count in counts.items())


def show_both_times(when: datetime, shown: Rehearsal) -> str:
    """Return an instant in its zone and in UTC, so that the user notices a wrong time zone."""
    local = shown.local(when)
    return f"{local:%Y-%m-%d %H:%M} {shown.timezone} ({when:%Y-%m-%d %H:%M} UTC)"


def _show_duration(duration: timedelta) -> str:
    if duration >= timedelta(days=2):
        return f"{duration / timedelta(days=1):,.1f} days"
    if duration >= timedelta(minutes=2):
        hours, minutes = divmod(round(duration / timedelta(minutes=1)), 60)
        return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"
    return f"{duration.total_seconds():.0f} s"


def _found(shown: Rehearsal) -> Lines:
    findings = (*shown.contacts, *shown.campaign)
    for level in ("error", "warning", "note"):
        for each in findings:
            if each.level == level:
                yield level, _show_finding(each)


def _show_finding(found: Finding) -> str:
    return f"{found.field}: {found.rule}: {found.told}"


def _listed(title: str, sentences: Iterable[str]) -> list[str]:
    lines = list(aligned(("-", sentence) for sentence in sentences))
    return [title, *lines] if lines else []


def aligned(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Align pairs in two columns; a long second column continues below itself."""
    known = [(_clean(label), _clean(text)) for label, text in rows]
    indent = max((width_of(label) for label, _ in known), default=0) + 2
    for label, text in known:
        first = label + " " * (indent - width_of(label))
        for piece in _wrapped(text, LINE_COLUMNS - indent):
            yield first + piece
            first = " " * indent


def _wrapped(text: str, columns: int) -> Iterator[str]:
    line = ""
    for word in text.split(" "):
        if line and width_of(line) + 1 + width_of(word) > columns:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line


def width_of(text: str) -> int:
    """Return the number of columns that a text takes on a terminal."""
    return sum(_width_of_char(char) for char in text)


def _width_of_char(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _clean(text: str) -> str:
    """Replace characters that could move the cursor or change the text direction."""
    return "".join("�" if unicodedata.category(char) in {"Cc", "Cf"} else char for char in text)
