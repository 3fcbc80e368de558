"""What became of a campaign's mails, of which all were seen to go out."""

from __future__ import annotations

from typing import Self

import attrs

from newsleopard_async.models.report_summary import ReportSummary

__all__ = ["Funnel", "Stage"]


@attrs.frozen
class Stage:
    """One line of the funnel.

    Attributes:
        title: What happened to the mails.
        chinese: The platform's word for it.
        count: To how many recipients, each counted once.
        base: Of how many the rate is a share.
        of: What those are called.
    """

    title: str
    chinese: str
    count: int
    base: int
    of: str

    @property
    def rate_percent(self) -> float | None:
        """The share of the base, or None where that is empty."""
        return 100 * self.count / self.base if self.base else None


@attrs.frozen(kw_only=True)
class Funnel:
    """How many recipients came how far."""

    recipients: int
    delivered: int
    opened: int
    clicked: int
    bounced: int
    unsubscribed: int
    complained: int

    @classmethod
    def of(cls, summary: ReportSummary, *, recipients: int) -> Self:
        """Take over a report's numbers; a type without a file counts as nobody.

        The emulator makes a file of whatever happened.
        """
        return cls(
            recipients=recipients,
            delivered=summary.delivered or 0,
            opened=summary.opened or 0,
            clicked=summary.clicked or 0,
            bounced=summary.bounced or 0,
            unsubscribed=summary.unsubscribed or 0,
            complained=summary.complained or 0,
        )

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The lines in their order, each with what its rate is a share of."""
        sent, got = (self.recipients, "recipients"), (self.delivered, "delivered")
        return (
            Stage("Recipients", "收件人", self.recipients, *sent),
            Stage("Delivered", "到達", self.delivered, *sent),
            Stage("Opened", "開信", self.opened, *got),
            Stage("Clicked", "點擊", self.clicked, *got),
            Stage("Bounced", "退信", self.bounced, *sent),
            Stage("Unsubscribed", "取消訂閱", self.unsubscribed, *got),
            Stage("Complained", "抱怨", self.complained, *got),
        )
