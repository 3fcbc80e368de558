"""Reads what is known of a campaign and of its run, and shows it as a table of facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from newsleopard_async import APIError, CampaignSn, NewsLeopard
from newsleopard_async.cli.cli_messages import send_message_for_command_line
from newsleopard_async.cli.display.pipeline_display import step_name
from newsleopard_async.cli.display.shown_values import count_text, local_and_utc
from newsleopard_async.cli.display.tables import FactsTable
from newsleopard_async.cli.display.terminal import safe_text
from newsleopard_async.cli.library_messages import in_users_language
from newsleopard_async.cli.results.campaign_facts import find_sent, total_of
from newsleopard_async.cli.run_commands import RunCommands
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.models import CampaignMetrics, CampaignState, CampaignStatus
from newsleopard_async.workflows import RunState
from newsleopard_async.workflows.completion import has_no_status, status_of

if TYPE_CHECKING:
    from newsleopard_async.durable import SendStatus

__all__ = ["KnownCampaign", "campaign_table", "read_campaign", "read_total", "run_table"]


@attrs.frozen(kw_only=True)
class KnownCampaign:
    """What the platform says about a campaign.

    Attributes:
        campaign_sn: Its code.
        status: Its status; None if it cannot be read, and no finished campaign has this code.
        total: Its numbers; None if the account has no metrics, or nothing was sent.
        is_offered: Whether the account can read states of campaigns.
    """

    campaign_sn: CampaignSn
    status: CampaignStatus | None = None
    total: CampaignMetrics | None = None
    is_offered: bool = True


async def read_campaign(nl: NewsLeopard, campaign_sn: CampaignSn) -> KnownCampaign:
    """Read the state and the numbers of a campaign.

    An account without the endpoint for the state shows only the campaigns that were sent.

    Raises:
        APIError: the platform does not know the campaign.
    """
    is_offered = True
    try:
        status: CampaignStatus | None = await nl.campaigns.get_status(campaign_sn)
    except APIError as error:
        if not has_no_status(error):
            raise
        is_offered = False
        found = await find_sent(nl, campaign_sn)
        status = None if found is None else status_of(found)
    has_begun = status is not None and not _is_waiting(status.state)
    return KnownCampaign(
        campaign_sn=campaign_sn,
        status=status,
        total=await read_total(nl, campaign_sn) if has_begun else None,
        is_offered=is_offered,
    )


def _is_waiting(state: CampaignState) -> bool:
    return state in (CampaignState.DRAFT, CampaignState.PREPARE, CampaignState.PREPARE_TO_SENT)


async def read_total(nl: NewsLeopard, campaign_sn: CampaignSn) -> CampaignMetrics | None:
    """Read the numbers of a whole campaign; None if the account has none of it."""
    try:
        rows = await nl.reports.get_metrics([campaign_sn])
    except APIError:
        return None
    return total_of([row for row in rows if row.sn == campaign_sn])


def run_table(run: RunState | SendStatus, commands: RunCommands) -> FactsTable:
    """Return the facts about a run; its message has the commands about it."""
    table = FactsTable()
    is_durable = not isinstance(run, RunState)
    table.add_row(_("Run"), safe_text(run.send_key))
    table.add_row(_("State of the run"), _run_state_text(run.state))
    if run.step is not None and run.state != "done":
        table.add_row(_("Step"), safe_text(step_name(run.step)))
    if run.message:
        message = send_message_for_command_line(run.message, commands, is_durable=is_durable)
        table.add_row(_("Message"), safe_text(in_users_language(message)))
    again = run.look_again_at if isinstance(run, RunState) else run.next_at
    if again is not None:
        table.add_row(_("Next attempt"), local_and_utc(again))
    return table


def _run_state_text(state: str) -> Any:
    texts = {
        "abandoned": _("abandoned: it never continues"),
        "cancelled": _("cancelled: nothing was sent"),
        "checking": _("checking: a later run finds out what was done"),
        "done": _("done"),
        "failed": _("failed: it needs a change"),
        "held": _("held: whether it was submitted is unknown"),
        "interrupted": _("interrupted: newsleopard resume continues it"),
        "queued": _("queued: a worker takes it"),
        "running": _("running"),
        "scheduled": _("scheduled"),
        "unreadable": _("unreadable: its record is damaged"),
        "waiting": _("waiting: the same command can succeed later"),
    }
    return safe_text(texts.get(state, state))


def campaign_table(view: KnownCampaign) -> FactsTable:
    """Return the facts about a campaign; times are local and in UTC."""
    table = FactsTable()
    table.add_row(_("Campaign"), safe_text(view.campaign_sn))
    status = view.status
    if status is None:
        table.add_row(_("State"), safe_text(_unknown_text()))
        return table
    if status.name:
        table.add_row(_("Name"), safe_text(status.name))
    if view.total is not None and view.total.subject:
        table.add_row(_("Subject"), safe_text(view.total.subject))
    table.add_row(_("State"), safe_text(_state_text(status.state), _style(status.state)))
    if status.kind == "A_B_TEST":
        table.add_row(_("Kind"), _("A/B test"))
    for title, instant in (
        (_("Scheduled"), status.scheduled),
        (_("Sending began"), status.sent_begin),
        (_("Sending ended"), status.sent_end),
    ):
        if instant is not None:
            table.add_row(title, local_and_utc(instant))
    if view.total is not None:
        _add_counts(table, view.total)
    return table


def _add_counts(table: FactsTable, total: CampaignMetrics) -> None:
    for title, count in (
        (_("Recipients"), total.recipients),
        (_("Delivered"), total.delivered),
        (_("Opened"), total.opened),
        (_("Clicked"), total.clicked),
        (_("Bounced"), total.bounced),
        (_("Unsubscribed"), total.unsubscribed),
        (_("Complained"), total.complained),
    ):
        table.add_row(title, count_text(count))


def _unknown_text() -> str:
    return _(
        "unknown: this account cannot read states of campaigns, and it is not among the campaigns "
        "that were sent in the last 28 days; it is scheduled, being sent, or was not sent. Look in "
        "the console (活動列表)"
    )


def _state_text(state: CampaignState) -> str:
    """Return a state of the platform with its meaning, which is inferred (T124)."""
    meaning = {
        "DRAFT": _("a draft"),
        "PREPARE": _("is prepared"),
        "PREPARE_TO_SENT": _("waits for its time"),
        "TESTING": _("the A/B test is running"),
        "SENDING": _("is being sent"),
        "COMPLETE": _("sent"),
        "STOP": _("stopped; the remaining mails are not sent"),
        "OVER_LIMIT": _("not sent: the balance is too low"),
        "EMPTY_RECIPIENT": _("not sent: no recipient was left"),
        "INSUFFICIENT_RECIPIENT_FOR_TESTING": _("not sent: too few recipients for an A/B test"),
        "UNAUTHENTICATED_SENDER": _("not sent: the sender is not verified"),
    }.get(state)
    if meaning is None:
        return str(state)
    return _("{title}: {message}").format(title=state, message=meaning)


def _style(state: CampaignState) -> str:
    if state.is_failure:
        return "bold red"
    return "green" if state.is_success else "yellow" if state == "STOP" else "cyan"
