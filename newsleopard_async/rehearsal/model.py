"""What a rehearsal shows: as data, and as text for a terminal.

The text has aligned lines; Chinese counts as wide as it is shown.
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
MOST_LINES_NAMED: Final = 10

Lines = Iterator[tuple[str, str]]


@attrs.frozen(kw_only=True)
class RehearsedMail(Plain):
    """One mail as its reader would get it. It is personal data, and no repr shows it.

    Attributes:
        to: The recipient's address.
        name: The recipient's name.
        sender: Whom it comes from, as ``Name <address>``.
        subject: With the recipient's values filled in.
        html: With the recipient's values filled in.
        sent_at: When it would go out, UTC.
        variant: ``A`` or ``B`` of a test, else empty.
        preheader: With the recipient's values filled in; empty where there is none.
        path: The file that shows it, where a folder was given.
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
    """How an A/B test would go.

    Attributes:
        a: Mails of variant A.
        b: Mails of variant B.
        rest: Mails that wait for the winner.
        rest_goes_out_at: When they go out, UTC.
        winner: ``A`` or ``B``; drawn by chance here, since no reader has seen it.
    """

    a: int
    b: int
    rest: int
    rest_goes_out_at: datetime
    winner: str


@attrs.frozen(kw_only=True)
class Rehearsal(Tabular):
    """What would happen; ``print`` shows it.

    Attributes:
        ok: Whether ``send_campaign`` with the same arguments would send it.
        contacts: What the check of the contacts found.
        campaign: What the check of the campaign found.
        problem: What the run stumbled over, or how many warnings ``strict`` makes errors, in a
            sentence; else None.
        name: The campaign's own name.
        began: When the rehearsal began, on its own clock, UTC.
        requests: The requests of the whole job, report included, by their names in the
            emulator's log; ``upload`` and ``download`` go to the file storage.
        quota_used: The most requests of any day (UTC) that count against the day's limit.
        quota_limit: The day's limit.
        recipients: Mails that would go out.
        duplicates: Rows that a later row of the same address would replace.
        rejected: Rows that would be refused.
        rejected_for: How many of them for which reason.
        rejected_rows: The first twenty of them.
        goes_out_at: When the first mail goes out, UTC; None where none does.
        is_scheduled: Whether that is the campaign's own time, and not as soon as may be.
        timezone: The zone that is sent along, by its IANA name.
        sent_by: When the last mail is out, UTC.
        accepted_after: How long it takes until the platform has accepted the campaign.
        duration: The whole job on the platform's clock, until the report is there.
        test: How the A/B test goes; None for a campaign without one.
        mails: The first mails, filled with real rows.
        unfilled: Names between ``${`` and ``}`` that stay as they are in every mail.
        assumed: What the emulator assumes about the platform, as far as it matters here.
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
        """All requests, to the API and to the file storage."""
        return sum(self.requests.values())

    @property
    def balance_needed(self) -> int:
        """Mails that the balance must cover; with lists of the campaign's own at least so many."""
        return self.recipients

    @property
    def goes_out_local(self) -> datetime | None:
        """When the first mail goes out, on the clocks of ``timezone``."""
        return self.local(self.goes_out_at)

    def local(self, when: datetime | None) -> datetime | None:
        """Put an instant on the clocks of ``timezone``."""
        return None if when is None else when.astimezone(Timezone.of(self.timezone).zone)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-safe data; the mails in it are personal data."""
        local = self.goes_out_local
        # The one time that is not written in UTC: a wrong zone catches the eye.
        return {
            **super().to_dict(),
            "goes_out_local": None if local is None else local.isoformat(),
        }

    def __str__(self) -> str:
        return _summarize(self)

    def __html_rows__(self) -> Iterator[tuple[str, object]]:
        """Yield what ``print`` shows. A mail has contacts; it is in `mails` and its own page."""
        yield "Would go out", self.ok
        yield "Name", self.name
        yield from _facts(self)
        yield "Findings", (*self.contacts, *self.campaign)
        yield "Assumed", self.assumed


def _summarize(shown: Rehearsal) -> str:
    """Write a rehearsal as text; it shows no contact."""
    verdict = "it would go out" if shown.ok else "it would NOT go out"
    parts = [
        [f"Rehearsal of {_clean(shown.name)}: {verdict}."],
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
    """Show an instant on the clocks of its zone and in UTC, where a wrong zone catches the eye."""
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
    """Write pairs in two columns; a long second one goes on below itself."""
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
    """Count the columns that a text takes on a terminal."""
    return sum(_width_of_char(char) for char in text)


def _width_of_char(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _clean(text: str) -> str:
    """Keep what could move the cursor, or turn the direction, out of the terminal."""
    return "".join("�" if unicodedata.category(char) in {"Cc", "Cf"} else char for char in text)
