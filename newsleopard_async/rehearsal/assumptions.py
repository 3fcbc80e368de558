"""What the emulator only assumes about the platform, said where it shaped what is shown.

Each assumption is a sentence with the condition under which it matters. The rules are in
`newsleopard_async.emulator`, and all of them in the documentation's page on it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from newsleopard_async.emulator import Switches

__all__ = ["RehearsalFacts", "assumptions"]


@attrs.frozen(kw_only=True)
class RehearsalFacts:
    """What happened in a run, as far as assumptions go.

    Attributes:
        on: The emulator's options.
        is_vendor: Whether the limits of the vendor's notes were kept.
        rows: Whether rows were imported.
        duplicates: Whether two rows had the same address.
        rejected: Whether rows were refused.
        columns: Whether there are columns besides EMAIL and NAME.
        blanks: Whether a contact has a blank cell.
        markup: Whether a cell holds a character that HTML knows (``& < >``).
        placeholders: Whether the mail has any.
        preheader: Whether the mail has one.
        unfilled: Whether some of them stay.
        other_lists: Whether the campaign names lists of its own.
        is_scheduled: Whether it goes out at a set time.
        is_test: Whether it is an A/B test.
        tracks_links: Whether Google Analytics is on.
        is_sent: Whether mails went out.
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
    """One sentence, and the runs that it matters in."""

    matters: Callable[[RehearsalFacts], object]
    says: str


_ASSUMPTIONS: Final = (
    Assumption(
        lambda _: True,
        "The account is a new one: it has no other contacts, nobody has unsubscribed or bounced, "
        "every sender is verified, and the balance is enough. A free account may send 50 mails a "
        "day.",
    ),
    Assumption(
        lambda facts: facts.other_lists,
        "The lists that the campaign names itself, to send to or to leave out, are only at the "
        "platform: their members are not counted here.",
    ),
    Assumption(
        lambda facts: facts.rows,
        "An import takes {on.import_base_s:g} s and a second for each {on.import_rows_per_s:,.0f} "
        "rows; the number of requests follows from it, since its state is asked for until it ends.",
    ),
    Assumption(
        lambda facts: facts.rows,
        "The day that the limit of requests is for begins at 00:00 UTC.",
    ),
    Assumption(
        lambda facts: facts.is_vendor,
        "The limits are those of the vendor's notes of 2026, not the documented ones.",
    ),
    Assumption(
        lambda facts: facts.rows,
        "Addresses are compared without regard to case, and judged by the emulator's own pattern.",
    ),
    Assumption(
        lambda facts: facts.duplicates, "Of several rows with the same address, the last one wins."
    ),
    Assumption(
        lambda facts: facts.rejected,
        "A row is refused for its address, for the number of its cells, or for a cell that does "
        "not fit its column's type; the platform's own reasons may be others.",
    ),
    Assumption(
        lambda facts: facts.columns,
        "A new column may be used at once, and is of a type only if all its cells fit it; a "
        "platform that goes by the first cells, or knows the column, refuses those that do not.",
    ),
    Assumption(lambda facts: facts.blanks, "A blank cell becomes empty text in the mail."),
    Assumption(
        lambda facts: facts.placeholders,
        "The name in ${{…}} is found in any case and with spaces around it, in the subject too.",
    ),
    Assumption(
        lambda facts: facts.preheader and not facts.is_vendor,
        'A preheader is refused, since the documentation has none; profile="vendor-2026" takes it, '
        "as the vendor's notes do.",
    ),
    Assumption(lambda facts: facts.unfilled, "A name in ${{…}} that is no column stays as it is."),
    Assumption(
        lambda facts: facts.markup and facts.placeholders,
        "Values go into the HTML as they are: & and < are not escaped.",
    ),
    Assumption(
        lambda facts: facts.is_scheduled,
        "The instant is the one in UTC; the time zone that is sent along only says how to show it.",
    ),
    Assumption(
        lambda facts: facts.is_sent and not facts.is_scheduled,
        "An immediate campaign begins at the moment that it is accepted.",
    ),
    Assumption(
        lambda facts: facts.is_sent,
        "Sending takes {on.send_base_s:g} s and a second for each {on.mails_per_s:,.0f} mails.",
    ),
    Assumption(
        lambda facts: facts.is_test and facts.is_sent,
        "Who gets A and who gets B is drawn by chance, two halves rounded down, and the wait "
        "counts from the first mail of the test.",
    ),
    Assumption(
        lambda facts: facts.is_test and facts.is_sent,
        "The winner has more opens, then more clicks, and is A in a tie; the readers are drawn by "
        "chance, so who wins here says nothing.",
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
    """Return the sentences that matter in a run."""
    return tuple(each.says.format(on=facts.on) for each in _ASSUMPTIONS if each.matters(facts))
