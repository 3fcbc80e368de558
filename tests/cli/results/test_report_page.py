"""The page of ``newsleopard report --html``."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest

from newsleopard_async import CampaignSn
from newsleopard_async.cli.results.report_page.activity import (
    ReaderActivity,
    TimeBucket,
    read_activity,
)
from newsleopard_async.cli.results.report_page.charts import bar_rows, column_chart, hour_labels
from newsleopard_async.cli.results.report_page.report_html import report_html
from newsleopard_async.models import ReportType
from newsleopard_async.workflows import CampaignReport, ReportFile
from tests.cli.results.report_pages import AB_TEST, BEGAN, CAMPAIGN_DATA, NOTHING, SN, at_hour


class _Page(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._in_style = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record a tag."""
        self.tags.append((tag, dict(attrs)))
        self._in_style = tag == "style"

    def handle_data(self, data: str) -> None:
        """Record a text."""
        if not self._in_style:
            self.words += data.split()

    @property
    def text(self) -> str:
        """All text, with single blanks."""
        return " ".join(self.words)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of all tags of a kind."""
        return [found for name, found in self.tags if name == tag]


@pytest.fixture(scope="module")
def campaign() -> _Page:
    """The page of a campaign."""
    return _Page(report_html(CAMPAIGN_DATA))


# The page


def test_page_is_one_file_without_network_and_scripts(campaign: _Page) -> None:
    """Nothing is loaded, and a policy forbids it."""
    html = report_html(CAMPAIGN_DATA)
    names = {name for _tag, found in campaign.tags for name in found}

    assert not names & {"src", "href", "srcset", "onload", "action", "style"}
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _found in campaign.tags}
    assert "url(" not in html
    assert "@import" not in html
    assert "default-src 'none'" in html
    assert len(html) < 100_000


def test_page_has_numbers_with_their_rates(campaign: _Page) -> None:
    """Thousands have commas, rates their base, and the marker of the name is beside the code."""
    assert "Recipients 20,000 · 100.0 %" in campaign.text
    assert "Opened 6,900 35.2 % of delivered" in campaign.text
    assert "週年慶 Subject" in campaign.text
    assert f"{SN} [nl-a0a762b1846b]" in campaign.text
    assert "Hours after sending" in campaign.text
    assert "From the third day on" in campaign.text
    assert "A beside B" not in campaign.text


def test_charts_have_names_and_tables(campaign: _Page) -> None:
    """A screen reader gets a title and a description; ids occur once."""
    charts = [each for each in campaign.all("svg") if each.get("role") == "img"]
    ids = [found["id"] for _tag, found in campaign.tags if "id" in found]

    assert len(charts) == 3
    for chart in charts:
        assert {*(chart["aria-labelledby"] or "").split()} <= {*ids}
    assert len(ids) == len({*ids})
    assert len(campaign.all("table")) >= len(charts)


def test_unknown_is_not_zero() -> None:
    """A missing file is a dash; a number that the metrics know to be 0 is 0."""
    page = _Page(report_html(NOTHING))
    zero = attrs.evolve(
        AB_TEST.facts.parts[0], part="TOTAL", opened=0, clicked=0, bounced=None, unsubscribed=None
    )
    facts = attrs.evolve(NOTHING.facts, total=zero, has_metrics=True, recipients=3)
    known = _Page(report_html(attrs.evolve(NOTHING, facts=facts)))

    assert "Opened unknown" in page.text
    assert "Opened – –" in page.text
    assert "A dash is a number that is unknown." in page.text
    assert "This account has no metrics." in page.text
    assert "has created no file of opens" in page.text
    assert "Opened 0 0.0 % of delivered" in known.text
    assert "Bounced – –" in known.text


def test_versions_are_beside_each_other() -> None:
    """Each rate has a bar for A and for B; the subject tells who won."""
    page = _Page(report_html(AB_TEST))

    assert "A beside B A won 這週六，請您喝今年的春茶 B ${NAME}，留了兩個位子給您" in page.text
    assert "A 34.7 % (1,700 of 4,900) B 30.6 % (1,500 of 4,900)" in page.text
    assert "do not tell A from B" in page.text
    same = tuple(attrs.evolve(each, subject="同") for each in AB_TEST.facts.parts)
    facts = attrs.evolve(AB_TEST.facts, parts=same)
    assert "won" not in _Page(report_html(attrs.evolve(AB_TEST, facts=facts))).words


def test_names_have_no_effect_on_the_page() -> None:
    """A name or a link with markup is text."""
    bad = "</title><script>alert(1)</script>{{ 7 * 7 }}"
    activity = ReaderActivity(BEGAN, has_clicks=True)
    for email in ("a@example.com", "b@example.com"):
        activity.add_click(f"https://example.com/<script>{bad}", email)
    facts = attrs.evolve(CAMPAIGN_DATA.facts, name=bad, subject=bad)

    html = report_html(attrs.evolve(CAMPAIGN_DATA, facts=facts, activity=activity))

    assert "<script" not in html
    assert "{{ 7 * 7 }}" in html


@pytest.mark.parametrize(("locale", "tag"), [("C", "en"), ("zh_TW.UTF-8", "zh-Hant-TW")])
def test_page_names_its_language(monkeypatch: pytest.MonkeyPatch, locale: str, tag: str) -> None:
    """The language is the user's."""
    monkeypatch.delenv("LANGUAGE", raising=False)
    monkeypatch.setenv("LC_ALL", locale)

    assert f'<html lang="{tag}">' in report_html(NOTHING)


# Hours and links


def test_hours_end_with_the_data() -> None:
    """A fresh report shows 12 hours, and at most 48 are shown one by one."""
    early = ReaderActivity(BEGAN, Counter({at_hour(-1): 1, at_hour(0.5): 2, at_hour(3): 4}))
    late = ReaderActivity(
        BEGAN, Counter({at_hour(47.9): 1, at_hour(48): 3}), Counter({at_hour(99): 1})
    )

    assert [each.opens for each in early.hours()] == [3, 0, 0, 4, *[0] * 8]
    assert early.days() == ()
    assert [each.opens for each in late.hours()] == [*[0] * 47, 1]
    assert late.days() == (TimeBucket(2, 3, 0), TimeBucket(3, 0, 0), TimeBucket(4, 0, 1))
    assert ReaderActivity(None).hours() == ()


def test_last_day_has_all_later_events() -> None:
    """The days of a month are shown, and no event is lost."""
    activity = ReaderActivity(BEGAN, Counter({at_hour(24 * day): 1 for day in range(100)}))

    days = activity.days()

    assert (days[0].number, len(days), days[-1].is_rest) == (2, 28, True)
    assert sum(each.opens for each in days) == 98


def test_row_without_an_address_is_not_another_reader() -> None:
    """A link of one person stays hidden if a row of it has lost its address."""
    activity = ReaderActivity(BEGAN)
    activity.add_click("https://shop.example.com/u/ming", "ming@example.com")
    activity.add_click("https://shop.example.com/u/ming", "")

    [link] = activity.top_links(9)

    assert (link.address, link.people, link.clicks) == ("shop.example.com/…", 1, 2)


def test_link_of_one_person_is_only_its_host() -> None:
    """A link can name a reader, in its query, its path, or as a whole."""
    activity = ReaderActivity(BEGAN)
    for person in ("a@example.com", "b@example.com", "A@example.com"):
        activity.add_click("https://shop.example.com/sale?uid=12&name=王小明#x", person)
        activity.add_click(f"https://shop.example.com/u/{person}/", person)
    activity.add_click("https://other.example.com/王小明", "a@example.com")
    activity.add_click("https://third.example.com/x", "")
    activity.add_click("mailto:a@example.com", "a@example.com")
    activity.add_click(None, "a@example.com")

    links = [(each.address, each.people, each.clicks) for each in activity.top_links(9)]

    assert links == [
        ("shop.example.com/sale", 2, 3),
        ("shop.example.com/u/…", 2, 3),
        ("other.example.com/…", 1, 1),
        ("third.example.com/…", None, 1),
    ]


def test_rows_are_counted_by_minute(tmp_path: Path) -> None:
    """Without the time of the sending, the first delivery is the begin."""
    report = _report(
        tmp_path,
        delivery="EMAIL,NAME,DELIVERED_AT\na@example.com,甲,2026-01-05T02:00:30Z\n",
        open="EMAIL,NAME,OPENED_AT\na@example.com,甲,2026-01-05T03:10:00Z\nb@example.com,乙,?\n",
    )

    activity = anyio.run(read_activity, report, None)

    assert activity.began is not None
    assert activity.began.minute == 0
    assert [each.opens for each in activity.hours()][:3] == [0, 1, 0]
    assert (activity.untimed, activity.has_opens, activity.has_clicks) == (1, True, False)


def _report(folder: Path, **contents: str) -> CampaignReport:
    files = []
    for kind, content in contents.items():
        path = folder / f"{kind}.csv"
        path.write_text(content, encoding="utf-8")
        files.append(ReportFile(type=ReportType(kind), path=path, size_bytes=len(content)))
    return CampaignReport(campaign_sn=CampaignSn("c"), unchanged=False, files=tuple(files))


# Charts


@pytest.mark.parametrize(
    ("most", "lines"),
    [
        (0, ["1"]),
        (1, ["1"]),
        (4, ["1", "2", "3", "4"]),
        (5, ["2", "4", "6"]),
        (999, ["500", "1,000"]),
        (1_200_000, ["500,000", "1,000,000", "1,500,000"]),
    ],
)
def test_grid_has_round_numbers(most: int, lines: list[str]) -> None:
    """At most four lines, the last of which is not below the highest column."""
    chart = column_chart([TimeBucket(0, most, 0)], texts=["x"], labels=())

    assert [each.text for each in chart.lines] == lines
    [column] = chart.columns
    assert column.open_y >= min(each.place for each in chart.lines)
    assert column.open_y + column.open_height == chart.base


def test_columns_stay_inside_the_chart() -> None:
    """Places and widths are percentages of the whole width."""
    buckets = [TimeBucket(each, each, 1) for each in range(48)]

    chart = column_chart(buckets, texts=["x"] * 48, labels=hour_labels(48))

    assert min(each.open_x for each in chart.columns) >= 0
    assert max(each.open_x + each.open_width for each in chart.columns) <= 100
    assert [each.text for each in chart.labels][:2] == ["0", "6"]
    assert (chart.labels[0].anchor, chart.labels[-1].anchor) == ("start", "end")


def test_bars_are_shares_of_the_scale() -> None:
    """An unknown number has no bar, and nothing is divided by zero."""
    given: Any = [("a", "", 5, ""), ("b", "", None, ""), ("c", "", 20, "")]

    assert [each.width for each in bar_rows(given, scale=10)] == [50, None, 100]
    assert [each.width for each in bar_rows(given)] == [25, None, 100]
    assert [each.width for each in bar_rows([("a", "", 0, "")])] == [0]


def test_no_address_is_in_the_page() -> None:
    """Not even of the links."""
    assert not re.search(r"reader\d|@example", report_html(CAMPAIGN_DATA))
