"""An assumption is listed only if it matters in the run."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from newsleopard_async.emulator import Switches
from newsleopard_async.rehearsal.assumptions import RehearsalFacts, assumptions

NOTHING = RehearsalFacts(on=Switches(), is_vendor=False)
SENT = attrs.evolve(NOTHING, rows=True, is_sent=True)


def said(facts: RehearsalFacts, words: str) -> bool:
    """Tell whether a sentence with these words is among them."""
    return any(words in each for each in assumptions(facts))


def test_account_is_always_assumed() -> None:
    """A rehearsal never knows the real account."""
    [sentence] = assumptions(NOTHING)

    assert "account is a new one" in sentence


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        ("other_lists", "lists that the campaign itself names"),
        ("rows", "An import takes 8 s and one second per 5,000 rows"),
        ("rows", "00:00 UTC"),
        ("is_vendor", "vendor's notes of 2026"),
        ("duplicates", "the last one wins"),
        ("rejected", "A row is rejected"),
        ("columns", "all its cells fit"),
        ("blanks", "A blank cell"),
        ("placeholders", "The name in ${…}"),
        ("unfilled", "stays as it is"),
        ("preheader", "A preheader is refused"),
        ("is_scheduled", "an instant in UTC"),
    ],
)
def test_sentence_comes_with_its_fact(fact: str, words: str) -> None:
    """A sentence is listed only if its fact is true."""
    changes: dict[str, Any] = {fact: True}

    assert not said(NOTHING, words)
    assert said(attrs.evolve(NOTHING, **changes), words)


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        ("is_test", "in two halves"),
        ("is_test", "the winner here means nothing"),
        ("tracks_links", "Google Analytics"),
    ],
)
def test_sentence_about_mails_needs_mails(fact: str, words: str) -> None:
    """Sentences about mails are listed only if mails were sent."""
    changes: dict[str, Any] = {fact: True}

    assert not said(attrs.evolve(NOTHING, **changes), words)
    assert said(attrs.evolve(SENT, **changes), words)
    assert not said(SENT, words)


def test_values_in_html_matter_with_placeholders() -> None:
    """Escaping matters only if a cell has markup and a mail shows cells."""
    assert not said(attrs.evolve(SENT, markup=True), "not escaped")
    assert said(attrs.evolve(SENT, markup=True, placeholders=True), "not escaped")


def test_immediate_campaign_begins_at_once() -> None:
    """The sentence about the beginning is listed only without a schedule."""
    assert said(SENT, "A campaign without a schedule")
    assert not said(attrs.evolve(SENT, is_scheduled=True), "A campaign without a schedule")


def test_figures_are_those_of_the_emulator() -> None:
    """A sentence's numbers are the options that the run had."""
    on = Switches(mails_per_s=50, send_base_s=3, report_delay_s=7.5)

    assert said(attrs.evolve(SENT, on=on), "Sending takes 3 s and one second per 50 mails")
    assert said(attrs.evolve(SENT, on=on), "ready after 7.5 s")
