"""A rehearsal as text for a terminal: aligned lines, Chinese counted as wide as it is shown."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from newsleopard_async.models.findings import Finding

if TYPE_CHECKING:
    from newsleopard_async.rehearsal.model import Rehearsal, RehearsedTest

__all__ = ["ASSUMED", "aligned", "show_both_times", "summarize", "width_of"]

ASSUMED: Final = " (assumed)"
LINE_COLUMNS: Final = 100
MOST_LINES_NAMED: Final = 10

Lines = Iterator[tuple[str, str]]


def summarize(shown: Rehearsal) -> str:
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
