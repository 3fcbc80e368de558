"""The results of campaigns as a table: one row per campaign, and one per part of an A/B test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import attrs
from rich.table import Table
from rich.text import Text

from newsleopard_async.cli.display.shown_values import count_text, rate_text
from newsleopard_async.cli.display.tables import headed_table
from newsleopard_async.cli.display.terminal import safe_text
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.models import CampaignMetrics
from newsleopard_async.workflows import CampaignSummary

__all__ = ["part_title", "summaries_table", "summary_of_part"]

_WIDE_COLUMNS: Final = 118
"""Chosen: all numbers fit beside a code of 32 characters."""
_MEDIUM_COLUMNS: Final = 78
"""Chosen: the three numbers of the funnel fit beside a code."""
_CODE_CHARS: Final = 32
"""Characters of the codes in the platform's documentation; one that is broken cannot be copied."""


@attrs.frozen
class _Line:
    """A row: its title, the text below it, and its numbers."""

    title: Text
    below: str
    summary: CampaignSummary

    def cells(self) -> list[tuple[str, str, str]]:
        """Return the title, the number and the rate of each column."""
        it = self.summary
        return [
            (_("Recipients"), count_text(it.recipients), ""),
            _cell(_("Delivered"), it.delivered, it.delivered_rate_percent),
            _cell(_("Opened"), it.opened, it.opened_rate_percent),
            _cell(_("Clicked"), it.clicked, it.clicked_rate_percent),
            _cell(_("Bounced"), it.bounced, it.bounced_rate_percent),
            _cell(_("Unsubscribed"), it.unsubscribed, it.unsubscribed_rate_percent),
            _cell(_("Complained"), it.complained, it.complained_rate_percent),
        ]


def _cell(title: str, count: int | None, percent: float | None) -> tuple[str, str, str]:
    return title, count_text(count), "" if percent is None else rate_text(percent)


def summaries_table(summaries: Sequence[CampaignSummary], *, width: int) -> Table:
    """Return the table; a narrow terminal gets fewer columns, or one fact per line."""
    lines = [line for each in summaries for line in _lines_of(each)]
    if width < _MEDIUM_COLUMNS:
        return _narrow_table(lines)
    shown = slice(None) if width >= _WIDE_COLUMNS else slice(1, 4)
    table = headed_table()
    table.add_column(_("Campaign"), min_width=_CODE_CHARS, overflow="fold")
    for title, *_rest in lines[0].cells()[shown]:
        table.add_column(title, justify="right", no_wrap=True)
    for line in lines:
        numbers = [
            Text.assemble(count, "\n", (rate, "dim")) for _title, count, rate in line.cells()[shown]
        ]
        table.add_row(Text("\n").join([line.title, safe_text(line.below, "dim")]), *numbers)
    return table


def _narrow_table(lines: Sequence[_Line]) -> Table:
    table = headed_table()
    table.add_column(_("Campaign"), overflow="fold")
    for line in lines:
        facts = [Text(f"  {_fact(*cell)}") for cell in line.cells()]
        table.add_row(Text("\n").join([line.title, safe_text(line.below, "dim"), *facts]))
    return table


def _fact(title: str, count: str, rate: str) -> str:
    if not rate:
        return _("{title}: {count}").format(title=title, count=count)
    return _("{title}: {count} ({rate})").format(title=title, count=count, rate=rate)


def _lines_of(summary: CampaignSummary) -> Iterator[_Line]:
    code = summary.campaign_sn
    yield _Line(safe_text(summary.name or code), code if summary.name else "", summary)
    for part in summary.parts:
        title = safe_text(f"  {part_title(part.part)}", "cyan")
        yield _Line(title, f"  {part.subject or '–'}", summary_of_part(part))


def part_title(part: str) -> str:
    """Return the name of a part of an A/B test."""
    titles = {
        "TEST_A": _("Test A"),
        "TEST_B": _("Test B"),
        "WINNING": _("Winner to the others"),
    }
    return titles.get(part, part)


def summary_of_part(part: CampaignMetrics) -> CampaignSummary:
    """Return the numbers of a part with their rates."""
    return CampaignSummary(
        campaign_sn=part.sn,
        recipients=part.recipients,
        delivered=part.delivered,
        opened=part.opened,
        clicked=part.clicked,
        bounced=part.bounced,
        unsubscribed=part.unsubscribed,
        complained=part.complained,
    )
