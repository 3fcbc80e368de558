"""The funnel of a campaign: how many recipients each stage has reached, and the table of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs
from rich.table import Table

from newsleopard_async.cli.display.shown_values import count_text, rate_text
from newsleopard_async.cli.display.tables import headed_table
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.models.metrics import ReportSummary

__all__ = ["FunnelStage", "funnel_table", "stages_of"]


@attrs.frozen
class FunnelStage:
    """One line of the funnel.

    Attributes:
        name: Its name for programs.
        title: Its name in the user's language.
        chinese: The platform's word for it.
        count: The number of recipients, each counted once; None if it is unknown.
        base: The number of recipients that is 100 %; None if it is unknown.
        of: The name of the base.
    """

    name: str
    title: str
    chinese: str
    count: int | None
    base: int | None
    of: str

    @property
    def rate_percent(self) -> float | None:
        """The share of the base; None if a number is unknown, or the base is empty."""
        return 100 * self.count / self.base if self.base and self.count is not None else None


def stages_of(
    summary: ReportSummary, *, recipients: int | None, missing: int | None = None
) -> tuple[FunnelStage, ...]:
    """Return the lines of the funnel in their order.

    Args:
        summary: The numbers of the report.
        recipients: The number of recipients; None if it is unknown. Then the base of deliveries and
            bounces is their sum.
        missing: The count of a type without a file. The platform does not document what it means
            (T116), so it is unknown there; the emulator writes a file of each type that occurred.
    """

    def counted(count: int | None) -> int | None:
        return missing if count is None else count

    delivered, bounced = counted(summary.delivered), counted(summary.bounced)
    sent, sent_of = recipients, _("recipients")
    if recipients is None and delivered is not None and bounced is not None:
        sent, sent_of = delivered + bounced, _("delivered and bounced")
    of_sent, of_delivered = (sent, sent_of), (delivered, _("delivered"))
    opened, clicked = counted(summary.opened), counted(summary.clicked)
    unsubscribed, complained = counted(summary.unsubscribed), counted(summary.complained)
    return (
        FunnelStage("recipients", _("Recipients"), "收件人", recipients, *of_sent),
        FunnelStage("delivered", _("Delivered"), "到達", delivered, *of_sent),
        FunnelStage("opened", _("Opened"), "開信", opened, *of_delivered),
        FunnelStage("clicked", _("Clicked"), "點擊", clicked, *of_delivered),
        FunnelStage("bounced", _("Bounced"), "退信", bounced, *of_sent),
        FunnelStage("unsubscribed", _("Unsubscribed"), "取消訂閱", unsubscribed, *of_delivered),
        FunnelStage("complained", _("Complained"), "抱怨", complained, *of_delivered),
    )


_WIDE_COLUMNS: Final = 64
"""Chosen: the table with all columns fits into so many columns of a terminal."""
_MEDIUM_COLUMNS: Final = 46
"""Chosen: the table without the last column fits."""


def funnel_table(funnel: Iterable[FunnelStage], campaign: str, *, width: int) -> Table:
    """Return the table of the funnel; a narrow terminal gets fewer columns."""
    stages = tuple(funnel)
    has_chinese = width >= _MEDIUM_COLUMNS and any(each.title != each.chinese for each in stages)
    table = headed_table(_("Results of {campaign}").format(campaign=campaign))
    table.add_column("", no_wrap=True)
    if has_chinese:
        table.add_column("中文", justify="right", no_wrap=True)
    table.add_column(_("Mails"), justify="right", no_wrap=True)
    table.add_column(_("Rate"), justify="right", no_wrap=True)
    if width >= _WIDE_COLUMNS:
        table.add_column("", style="dim", no_wrap=True)
    for stage in stages:
        chinese = [stage.chinese] if has_chinese else []
        base = [_("of {base}").format(base=stage.of)] if width >= _WIDE_COLUMNS else []
        rate = rate_text(stage.rate_percent)
        table.add_row(stage.title, *chinese, count_text(stage.count), rate, *base)
    return table
