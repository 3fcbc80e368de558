"""The made-up contacts are a file that the platform takes; the funnel is a report's summary."""

from __future__ import annotations

from pathlib import Path

from newsleopard_async import CampaignSn
from newsleopard_async.cli.audience import Funnel, people, read_people, write_people
from newsleopard_async.models.report_summary import ReportSummary


def test_people_are_the_same_at_each_run() -> None:
    """Chance is seeded."""
    assert list(people(50)) == list(people(50))


def test_addresses_are_unique() -> None:
    """Everybody has an address of their own."""
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


def test_funnel_takes_over_the_summary() -> None:
    """Each number stands in its line."""
    summary = ReportSummary(
        campaign_sn=CampaignSn("c"),
        delivered=6,
        opened=5,
        clicked=4,
        bounced=3,
        unsubscribed=2,
        complained=1,
    )

    funnel = Funnel.of(summary, recipients=9)

    assert [stage.count for stage in funnel.stages] == [9, 6, 5, 4, 3, 2, 1]


def test_missing_type_counts_as_nobody() -> None:
    """The emulator makes no file of a type that nothing happened of."""
    funnel = Funnel.of(ReportSummary(campaign_sn=CampaignSn("c"), delivered=1), recipients=2)

    assert [stage.count for stage in funnel.stages] == [2, 1, 0, 0, 0, 0, 0]


def test_rates_have_their_own_base() -> None:
    """Deliveries are a share of the recipients, openings of the deliveries."""
    funnel = Funnel(
        recipients=200,
        delivered=100,
        opened=50,
        clicked=10,
        bounced=100,
        unsubscribed=1,
        complained=0,
    )

    rates = {stage.title: stage.rate_percent for stage in funnel.stages}

    assert rates["Delivered"] == 50
    assert rates["Opened"] == 50
    assert rates["Complained"] == 0


def test_rate_of_nobody_is_unknown() -> None:
    """Nothing is divided by zero."""
    nobody = Funnel(
        recipients=0, delivered=0, opened=0, clicked=0, bounced=0, unsubscribed=0, complained=0
    )

    assert {stage.rate_percent for stage in nobody.stages} == {None}
