"""The assumptions of the emulator about the platform that matter in a rehearsal.

Each assumption is a sentence with the condition under which it matters. The rules are in
`newsleopard_async.emulator`, and the documentation's page about the emulator lists all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from newsleopard_async.emulator import Switches

__all__ = ["RehearsalFacts", "assumptions"]


@attrs.frozen(kw_only=True)
class RehearsalFacts:
    """The facts about a run that decide which assumptions matter.

    Attributes:
        on: The emulator's options.
        is_vendor: Whether the limits of the vendor's notes apply.
        rows: Whether rows were imported.
        duplicates: Whether two rows had the same address.
        rejected: Whether rows were rejected.
        columns: Whether there are columns in addition to EMAIL and NAME.
        blanks: Whether a contact has a blank cell.
        markup: Whether a cell contains a special character of HTML (``& < >``).
        placeholders: Whether the mail has placeholders.
        preheader: Whether the mail has a preheader.
        unfilled: Whether some placeholders are not filled.
        other_lists: Whether the campaign names lists of its own.
        is_scheduled: Whether it has a schedule.
        is_test: Whether it is an A/B test.
        tracks_links: Whether Google Analytics is on.
        is_sent: Whether mails were sent.
    """

    on: Switches
    is_vendor: bool
    rows: bool = False
    duplicates: bool = False
    rejected: bool = False
    columns: bool = False
    blanks: bool = False
    markup: bool = False
    placeholders: bool = False
    preheader: bool = False
    unfilled: bool = False
    other_lists: bool = False
    is_scheduled: bool = False
    is_test: bool = False
    tracks_links: bool = False
    is_sent: bool = False


@attrs.frozen
class Assumption:
    """A sentence, and the condition under which it matters."""

    matters: Callable[[RehearsalFacts], object]
    says: str


_ASSUMPTIONS: Final = (
    Assumption(
        lambda _: True,
        "The account is a new one: it has no other contacts, no contact has unsubscribed or "
        "bounced, every sender is verified, and the balance is sufficient. A free account can send "
        "50 mails per day.",
    ),
    Assumption(
        lambda facts: facts.other_lists,
        "The lists that the campaign itself names, to send to or to exclude, exist only at the "
        "platform: their members are not counted here.",
    ),
    Assumption(
        lambda facts: facts.rows,
        "An import takes {on.import_base_s:g} s and one second per {on.import_rows_per_s:,.0f} "
        "rows. The number of requests follows from it, because its state is polled until it ends.",
    ),
    Assumption(
        lambda facts: facts.rows,
        "The day of the daily quota begins at 00:00 UTC.",
    ),
    Assumption(
        lambda facts: facts.is_vendor,
        "The limits are those of the vendor's notes of 2026, not the documented ones.",
    ),
    Assumption(
        lambda facts: facts.rows,
        "Addresses are compared without regard to case, and checked by the emulator's own pattern.",
    ),
    Assumption(lambda facts: facts.duplicates, "If rows have the same address, the last one wins."),
    Assumption(
        lambda facts: facts.rejected,
        "A row is rejected for its address, for the number of its cells, or for a cell that does "
        "not fit its column's type; the platform can have other reasons.",
    ),
    Assumption(
        lambda facts: facts.columns,
        "A new column can be used immediately, and has a type only if all its cells fit the type. "
        "A platform that uses only the first cells, or knows the column, rejects other rows.",
    ),
    Assumption(lambda facts: facts.blanks, "A blank cell becomes empty text in the mail."),
    Assumption(
        lambda facts: facts.placeholders,
        "The name in ${{…}} is found in any case and with spaces around it, also in the subject.",
    ),
    Assumption(
        lambda facts: facts.preheader and not facts.is_vendor,
        "A preheader is refused, because the documentation has none; the vendor's notes and "
        'profile="vendor-2026" accept it.',
    ),
    Assumption(lambda facts: facts.unfilled, "A name in ${{…}} without a column stays as it is."),
    Assumption(
        lambda facts: facts.markup and facts.placeholders,
        "Values are inserted into the HTML unchanged: & and < are not escaped.",
    ),
    Assumption(
        lambda facts: facts.is_scheduled,
        "The schedule is an instant in UTC; the time zone only defines how it is displayed.",
    ),
    Assumption(
        lambda facts: facts.is_sent and not facts.is_scheduled,
        "A campaign without a schedule begins at the moment when it is accepted.",
    ),
    Assumption(
        lambda facts: facts.is_sent,
        "Sending takes {on.send_base_s:g} s and one second per {on.mails_per_s:,.0f} mails.",
    ),
    Assumption(
        lambda facts: facts.is_test and facts.is_sent,
        "Chance decides who gets A and who gets B, in two halves rounded down. The wait "
        "counts from the first mail of the test.",
    ),
    Assumption(
        lambda facts: facts.is_test and facts.is_sent,
        "The winner has more opens, then more clicks, and is A in a tie. Chance decides who reads, "
        "so the winner here means nothing.",
    ),
    Assumption(
        lambda facts: facts.is_sent,
        "The platform adds its footer to the mails; here they are without it.",
    ),
    Assumption(
        lambda facts: facts.is_sent and facts.tracks_links,
        "The platform adds the Google Analytics tags to the links; here they are without them.",
    ),
    Assumption(
        lambda facts: facts.is_sent,
        "The report is exported a day after the last mail, and is ready after "
        "{on.report_delay_s:g} s.",
    ),
)


def assumptions(facts: RehearsalFacts) -> tuple[str, ...]:
    """Return the assumptions that matter in a run."""
    return tuple(each.says.format(on=facts.on) for each in _ASSUMPTIONS if each.matters(facts))
