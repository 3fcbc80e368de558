"""Fills the page of a report in the user's language: English, or 中文."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

import attrs
from jinja2 import Environment, PackageLoader, StrictUndefined

from newsleopard_async.cli.display.shown_values import count_text, local_and_utc, rate_text
from newsleopard_async.cli.results.campaign_facts import CampaignFacts, with_known_zeros
from newsleopard_async.cli.results.funnel import FunnelStage, stages_of
from newsleopard_async.cli.results.report_page.activity import ReaderActivity, TimeBucket
from newsleopard_async.cli.results.report_page.charts import (
    BarRow,
    ColumnChart,
    bar_rows,
    column_chart,
    day_labels,
    hour_labels,
)
from newsleopard_async.cli.results.summary_table import part_title, summary_of_part
from newsleopard_async.cli.translation import joined, language, ngettext
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.models.metrics import CampaignSummary, ReportSummary
from newsleopard_async.version import __version__

__all__ = ["ReportData", "report_html"]

_TAGS: Final = {"en": "en", "zh_TW": "zh-Hant-TW"}
_MARKER: Final = re.compile(r"\s*(\[nl-[0-9a-f]+(?:-[0-9]+)?\])$")
"""The marker that a pipeline adds to the name of a campaign."""
_TOP_LINKS: Final = 10
"""Chosen: more than ten are rarely read, and the table stays on one page of paper."""


@attrs.frozen(kw_only=True)
class ReportData:
    """The content of a page.

    Attributes:
        facts: What is known of the campaign.
        summary: The numbers of the report files.
        activity: Its opens and clicks by time and link.
        made_at: When the newest report file was created, or else when the page was made.
    """

    facts: CampaignFacts
    summary: ReportSummary
    activity: ReaderActivity
    made_at: datetime


def report_html(data: ReportData) -> str:
    """Return the whole page: one file that loads nothing, and has no contact data."""
    stages = stages_of(with_known_zeros(data.summary, data.facts), recipients=data.facts.recipients)
    title, marker = _without_marker(data.facts.title)
    versions = _versions(data.facts)
    values: dict[str, Any] = {
        "_": _,
        "ngettext": ngettext,
        "lang": _TAGS[language()],
        "local_and_utc": local_and_utc,
        "facts": data.facts,
        "title": title,
        "marker": marker,
        "made_at": data.made_at,
        "stages": stages,
        "funnel": _funnel_bars(stages, data.facts.recipients),
        "activity": data.activity,
        "links": data.activity.top_links(_TOP_LINKS),
        "versions": versions,
        "version_bars": _version_bars(versions),
        "winner": _winner(versions),
        "package_version": __version__,
    }
    if hours := data.activity.hours():
        days = data.activity.days()
        values |= {
            "hours": hours,
            "hour_chart": _hour_chart(hours),
            "days": days,
            "day_chart": _day_chart(days) if days else None,
        }
    return _environment().get_template("report.html").render(values)


@cache
def _environment() -> Environment:
    """Return the templates. They escape all values, and an undefined name is an error."""
    templates = Environment(
        loader=PackageLoader("newsleopard_async.cli.results.report_page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"count": count_text, "rate": _rate, "moment": _PageTime.of}
    return templates


def _rate(percent: float | None) -> str:
    """Return a rate that stays on one line."""
    return rate_text(percent).replace(" ", "\N{NO-BREAK SPACE}")


def _without_marker(name: str) -> tuple[str, str]:
    """Divide the name of a campaign into its own name, and the marker of this library."""
    found = _MARKER.search(name)
    return (name, "") if found is None else (name[: found.start()], found[1])


@attrs.frozen
class _PageTime:
    """A time for machines, in this machine's zone, and in UTC; the last is empty if it is UTC."""

    machine: str
    local: str
    in_utc: str

    @classmethod
    def of(cls, instant: datetime) -> _PageTime:
        """Return the texts of an instant."""
        local, _between, in_utc = local_and_utc(instant).partition(" (")
        return cls(instant.isoformat(), local, in_utc.rstrip(")"))


def _funnel_bars(stages: Sequence[FunnelStage], recipients: int | None) -> tuple[BarRow, ...]:
    kinds = {"bounced": "bad", "unsubscribed": "bad", "complained": "bad"}
    rows = [
        (
            each.title,
            _with_rate(each.count, each.rate_percent),
            each.count,
            kinds.get(each.name, ""),
        )
        for each in stages
        # Without a number it is only a row of the table.
        if each.name != "recipients" or each.count is not None
    ]
    return bar_rows(rows, scale=recipients)


def _with_rate(count: int | None, rate_percent: float | None) -> str:
    if count is None:
        return _("unknown")
    return f"{count:,}" if rate_percent is None else f"{count:,} · {_rate(rate_percent)}"


def _hour_chart(hours: Sequence[TimeBucket]) -> ColumnChart:
    texts = [_counts_in(_("Hour {number}").format(number=each.number + 1), each) for each in hours]
    return column_chart(hours, texts=texts, labels=hour_labels(len(hours)))


def _day_chart(days: Sequence[TimeBucket]) -> ColumnChart:
    texts = [_counts_in(_("Day {number}").format(number=each.number + 1), each) for each in days]
    return column_chart(days, texts=texts, labels=day_labels(days))


def _counts_in(title: str, bucket: TimeBucket) -> str:
    opens = ngettext("{count:,} open", "{count:,} opens", bucket.opens).format(count=bucket.opens)
    clicks = ngettext("{count:,} click", "{count:,} clicks", bucket.clicks)
    counts = joined((opens, clicks.format(count=bucket.clicks)))
    return joined((title, counts), ": ")


@attrs.frozen
class _Version:
    """A part of an A/B test: its letter, its title, its subject and its numbers."""

    letter: str
    title: str
    subject: str | None
    numbers: CampaignSummary


def _versions(facts: CampaignFacts) -> tuple[_Version, ...]:
    letters = {"TEST_A": "A", "TEST_B": "B", "WINNING": "winner"}
    return tuple(
        _Version(letters[part.part], part_title(part.part), part.subject, summary_of_part(part))
        for part in facts.parts
    )


def _winner(versions: Sequence[_Version]) -> str | None:
    """Return the letter of the winner, if its subject tells it."""
    subjects = {each.letter: each.subject for each in versions}
    winner = subjects.get("winner")
    if winner is None or subjects.get("A") == subjects.get("B"):
        return None
    return next((letter for letter in ("A", "B") if subjects.get(letter) == winner), None)


def _version_bars(versions: Sequence[_Version]) -> tuple[tuple[str, tuple[BarRow, ...]], ...]:
    """Return the bars of A beside those of B, for each rate; each rate has its own scale."""
    tested = [each for each in versions if each.letter in ("A", "B")]
    measures = (
        (_("Open rate"), "opened"),
        (_("Click rate"), "clicked"),
        (_("Unsubscribe rate"), "unsubscribed"),
    )
    return tuple(
        (title, bar_rows([_version_bar(each, name) for each in tested])) for title, name in measures
    )


def _version_bar(version: _Version, name: str) -> tuple[str, str, float | None, str]:
    """Return the bar of one rate: label, text, number and kind."""
    rate_percent: float | None = getattr(version.numbers, f"{name}_rate_percent")
    text = _("unknown")
    if rate_percent is not None:
        text = _("{rate} ({count:,} of {delivered:,})").format(
            rate=_rate(rate_percent),
            count=getattr(version.numbers, name),
            delivered=version.numbers.delivered,
        )
    return version.letter, text, rate_percent, f"version-{version.letter.lower()}"
