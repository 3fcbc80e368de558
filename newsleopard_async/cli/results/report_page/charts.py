"""The geometry of the charts, which the template draws as SVG.

Widths are in percent and heights in pixels. So a chart fits any screen, while its text keeps its
size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from newsleopard_async.cli.results.report_page.activity import TimeBucket

__all__ = [
    "AxisLabel",
    "BarRow",
    "ColumnChart",
    "bar_rows",
    "column_chart",
    "day_labels",
    "hour_labels",
]

_TOP: Final = 20
_BOTTOM: Final = 190
_HEIGHT: Final = 214
"""Chosen: pixels from the top of a column chart to its plot, its base line, and its end; the labels
are above and below the plot."""
_OPEN_SHARE: Final = 0.8
_CLICK_SHARE: Final = 0.4
"""Chosen: shares of a column's width; the narrow bar of the clicks is in front of the opens."""
_WIDEST_PERCENT: Final = 12.0
"""Chosen: a column of a few days looks like the others, and not like a wall."""
_MOST_LINES: Final = 4
"""Chosen: lines of the grid; more would hide small bars."""
_MOST_LABELS: Final = 9
"""Chosen: labels of the axis that fit beside each other on a phone."""


@attrs.frozen
class BarRow:
    """A horizontal bar with its text above it.

    Attributes:
        label: Its name.
        value: Its number in words.
        width: The length of the bar in percent; None if the number is unknown.
        kind: The class of its colour.
    """

    label: str
    value: str
    width: float | None
    kind: str


def bar_rows(
    rows: Sequence[tuple[str, str, float | None, str]], *, scale: float | None = None
) -> tuple[BarRow, ...]:
    """Return bars by their label, text, number and kind.

    Args:
        rows: The bars.
        scale: The number of a full bar; None: the largest.
    """
    full = scale or max((each[2] or 0 for each in rows), default=0)
    return tuple(
        BarRow(
            label,
            value,
            None if number is None else round(100 * min(1.0, number / full), 2) if full else 0.0,
            kind,
        )
        for label, value, number, kind in rows
    )


@attrs.frozen
class AxisLabel:
    """A text beside an axis: its place in percent or pixels, and its alignment."""

    place: float
    text: str
    anchor: str = "middle"


@attrs.frozen
class _ChartColumn:
    """The bars of an hour or a day: places and widths in percent, heights in pixels."""

    text: str
    open_x: float
    open_width: float
    open_y: float
    open_height: float
    click_x: float
    click_width: float
    click_y: float
    click_height: float


@attrs.frozen
class ColumnChart:
    """A chart of columns.

    Attributes:
        columns: The columns.
        lines: The lines of the grid.
        labels: The labels below.
        height: The height of the drawing.
        base: The place of the base line.
    """

    columns: tuple[_ChartColumn, ...]
    lines: tuple[AxisLabel, ...]
    labels: tuple[AxisLabel, ...]
    height: int = _HEIGHT
    base: int = _BOTTOM


def column_chart(
    buckets: Sequence[TimeBucket], *, texts: Sequence[str], labels: tuple[AxisLabel, ...]
) -> ColumnChart:
    """Return a chart of opens and clicks.

    Args:
        buckets: The hours or days; at least one.
        texts: The text of each column.
        labels: The labels of the axis.
    """
    most = max(max(each.opens, each.clicks) for each in buckets)
    step = _step(most)
    top = max(step, -(-most // step) * step)
    width = 100 / len(buckets)

    def y(count: int) -> float:
        return round(_BOTTOM - (_BOTTOM - _TOP) * count / top, 2)

    def bar(place: int, share: float) -> tuple[float, float]:
        wide = share * min(width, _WIDEST_PERCENT)
        return round((place + 0.5) * width - wide / 2, 3), round(wide, 3)

    columns = tuple(
        _ChartColumn(
            text,
            *bar(place, _OPEN_SHARE),
            y(each.opens),
            round(_BOTTOM - y(each.opens), 2),
            *bar(place, _CLICK_SHARE),
            y(each.clicks),
            round(_BOTTOM - y(each.clicks), 2),
        )
        for place, (each, text) in enumerate(zip(buckets, texts, strict=True))
    )
    lines = tuple(AxisLabel(y(each), f"{each:,}") for each in range(step, top + 1, step))
    return ColumnChart(columns, lines, labels)


def _step(top: int) -> int:
    """Return the distance of the lines: 1, 2 or 5 with zeros."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if top <= _MOST_LINES * factor * power:
                return factor * power
        power *= 10


def hour_labels(count: int) -> tuple[AxisLabel, ...]:
    """Return labels at the borders of the columns, every 6 hours."""
    return tuple(
        AxisLabel(
            round(100 * hour / count, 2),
            str(hour),
            "start" if hour == 0 else "end" if hour == count else "middle",
        )
        for hour in range(0, count + 1, 6)
    )


def day_labels(buckets: Sequence[TimeBucket]) -> tuple[AxisLabel, ...]:
    """Return labels below the columns, with the numbers of the days from 1."""
    every = -(-len(buckets) // _MOST_LABELS)
    return tuple(
        AxisLabel(round(100 * (place + 0.5) / len(buckets), 2), str(each.number + 1))
        for place, each in enumerate(buckets)
        if place % every == 0
    )
