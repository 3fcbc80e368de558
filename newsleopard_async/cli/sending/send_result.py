"""Prints the outcome of a send, and the commands that stop it or look at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.text import Text

from newsleopard_async.cli.display.shown_values import count_text, local_and_utc
from newsleopard_async.cli.display.tables import FactsTable
from newsleopard_async.cli.display.terminal import safe_text, write_json
from newsleopard_async.cli.runs.kept_sends import ResumableSend
from newsleopard_async.cli.sending.send_preview import schedule_text
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.models import SendAt
from newsleopard_async.workflows import SendOutcome

__all__ = ["print_result"]


def print_result(
    session: Session,
    send: ResumableSend,
    outcome: SendOutcome,
    done: Mapping[str, Any],
    *,
    is_again: bool,
) -> None:
    """Print the outcome: a table, or its JSON with ``accepted_before``.

    Args:
        session: The session.
        send: What was sent.
        outcome: The outcome.
        done: The results of the steps of this run.
        is_again: Whether an earlier run has sent it, so that nothing was sent now.
    """
    if is_again and (session.errors.is_terminal or not session.as_json):
        text = _(
            "The platform accepted this campaign before, under the key {key}; nothing was sent now."
        )
        session.errors.print(safe_text(text.format(key=send.target), "yellow"), soft_wrap=True)
    if session.as_json:
        write_json({**outcome.to_dict(), "accepted_before": is_again})
        return
    table = FactsTable()
    for name, value in _facts(send, outcome, done, is_again=is_again):
        table.add_row(name, safe_text(value) if isinstance(value, str) else value)
    session.console.print(table)


def _facts(
    send: ResumableSend, outcome: SendOutcome, done: Mapping[str, Any], *, is_again: bool
) -> Iterator[tuple[str, str | Text]]:
    yield _("Campaign"), outcome.campaign_sn
    yield _("Name"), send.campaign.name
    if (report := outcome.import_report) is not None:
        yield _("List"), report.list_sn
        text = _("{inserted} of {rows} rows, {rejected} rejected")
        yield (
            _("Imported"),
            text.format(
                inserted=count_text(report.result.inserted),
                rows=count_text(report.result.file_count),
                rejected=count_text(report.result.errors),
            ),
        )
    if outcome.status is not None:
        yield _("State"), safe_text(outcome.status.state, "green")
        yield _("Sent"), local_and_utc(outcome.status.sent_end)
        return
    if not is_again:
        yield _("Goes out"), _time_text(send, done)
    yield _("Stop it"), send.commands("cancel")
    yield _("Look at it"), send.commands("status")


def _time_text(send: ResumableSend, done: Mapping[str, Any]) -> str:
    held = done.get("hold_until")
    if isinstance(held, str):
        return local_and_utc(datetime.fromisoformat(held))
    schedule = send.campaign.schedule
    return schedule_text(schedule) if isinstance(schedule, SendAt) else _("now")
