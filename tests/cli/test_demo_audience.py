"""The made-up contacts are a file that the platform takes; the funnel is a report's summary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from newsleopard_async import CampaignSn
from newsleopard_async.cli.demo_audience import (
    FunnelStage,
    people,
    read_people,
    stages_of,
    write_people,
)
from newsleopard_async.models.metrics import ReportSummary


def test_people_are_the_same_at_each_run() -> None:
    """Chance is seeded."""
    assert list(people(50)) == list(people(50))


def test_addresses_are_unique() -> None:
    """All people have different addresses."""
    assert len({person.email for person in people(2_000)}) == 2_000


def test_names_have_different_widths() -> None:
    """Names of two, three and four characters occur."""
    assert {len(person.name) for person in people(500)} == {2, 3, 4}


def test_file_begins_as_documented(tmp_path: Path) -> None:
    """EMAIL and NAME come first, lines end in a line feed, and nothing marks the byte order."""
    path = tmp_path / "members.csv"

    size_bytes = write_people(path, 3)

    content = path.read_bytes()
    assert content.startswith(b"EMAIL,NAME,")
    assert b"\r" not in content
    assert size_bytes == len(content)


def test_file_is_read_back(tmp_path: Path) -> None:
    """What was written is what is read, by address."""
    path = tmp_path / "members.csv"
    write_people(path, 20)

    assert list(read_people(path).values()) == list(people(20))


def _funnel(recipients: int, *counts: int) -> tuple[FunnelStage, ...]:
    """Return the funnel of a report with counts in the order of the funnel's lines."""
    kinds = ("delivered", "opened", "clicked", "bounced", "unsubscribed", "complained")
    given = dict[str, Any](zip(kinds, counts, strict=False))
    summary = ReportSummary(campaign_sn=CampaignSn("c"), **given)
    return stages_of(summary, recipients=recipients)


def test_funnel_takes_over_the_summary() -> None:
    """Each number is in its line."""
    assert [stage.count for stage in _funnel(9, 6, 5, 4, 3, 2, 1)] == [9, 6, 5, 4, 3, 2, 1]


def test_missing_type_counts_as_zero() -> None:
    """The emulator makes no file of a type that nothing happened of."""
    assert [stage.count for stage in _funnel(2, 1)] == [2, 1, 0, 0, 0, 0, 0]


def test_rates_have_their_own_base() -> None:
    """Deliveries are a share of the recipients, openings of the deliveries."""
    rates = {stage.title: stage.rate_percent for stage in _funnel(200, 100, 50, 10, 100, 1, 0)}

    assert rates["Delivered"] == 50
    assert rates["Opened"] == 50
    assert rates["Complained"] == 0


def test_rate_of_zero_recipients_is_unknown() -> None:
    """Nothing is divided by zero."""
    assert {stage.rate_percent for stage in _funnel(0)} == {None}
