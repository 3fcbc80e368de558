"""Shows what a send would do, before a person confirms it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

import attrs
from rich.console import Console
from rich.text import Text

from newsleopard_async import AuthenticationError, ContactsReport, NewsLeopard
from newsleopard_async.cli.contacts.contacts_check import findings_table
from newsleopard_async.cli.display.pipeline_display import step_name
from newsleopard_async.cli.display.shown_values import count_text, duration_text
from newsleopard_async.cli.display.tables import FactsTable
from newsleopard_async.cli.display.terminal import safe_text
from newsleopard_async.cli.runs.kept_sends import ResumableSend
from newsleopard_async.cli.translation import ngettext
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.errors import APIError, UnexpectedResponse
from newsleopard_async.models import (
    Balance,
    ContactList,
    ListSn,
    Mailing,
    SendAt,
    with_lists,
)
from newsleopard_async.models.ab_test import BaseABTest
from newsleopard_async.workflows import RunState
from newsleopard_async.workflows.balance import need_of
from newsleopard_async.workflows.send_check import SendCheckResult, Tolerance, recipients_of
from newsleopard_async.workflows.sending import check_mailing, target_of
from newsleopard_async.workflows.steps import lists_of
from newsleopard_async.workflows.target import Target

__all__ = ["SendPreview", "preview_of", "print_preview", "schedule_text"]


@attrs.frozen(kw_only=True)
class SendPreview:
    """What is known before a send.

    Attributes:
        send: What the command was given.
        contacts: The check of the contacts; None without contacts.
        checked: The findings of both checks.
        lists: The lists of the campaign that were found.
        balance: The balance; None if the account does not offer it.
        run: An earlier run of the same key; None if there is none.
        resolved: The same send, with the code of the list that it reuses by its name.
    """

    send: ResumableSend
    contacts: ContactsReport | None
    checked: SendCheckResult
    lists: tuple[ContactList, ...]
    balance: Balance | None
    run: RunState | None
    resolved: ResumableSend = attrs.field(default=attrs.Factory(lambda self: self.send, True))

    @property
    def recipients(self) -> int | None:
        """The number of recipients, if it is known exactly."""
        least, most = self.bounds()
        return least if least == most else None

    def bounds(self) -> tuple[int, int | None]:
        """Return the least and the most recipients; None if a list cannot be counted."""
        send, report = self.resolved, self.contacts
        target = _target_of(send)
        exact = recipients_of(send.campaign, report, target)
        if exact is not None and not send.campaign.exclude_lists:
            return exact, exact
        new = 0 if report is None else report.unique
        campaign = _with_target(send)
        need = need_of(campaign, self.lists)
        is_reused = send.reuse_list and send.list_name is not None
        most = None if need.most is None or is_reused else need.most + new
        if report is None and len(campaign.lists) == 1 and not campaign.exclude_lists:
            return need.least, most
        return (need.least if campaign.exclude_lists else max(need.least, new)), most


def _target_of(send: ResumableSend) -> Target | None:
    arguments = send.arguments()
    return target_of(
        *(arguments[name] for name in ("contacts", "list_sn", "list_name", "if_list_exists"))
    )


def _with_target(send: ResumableSend) -> Mailing:
    """Return the campaign with the list that the contacts are imported into."""
    codes = send.campaign.lists
    if send.list_sn is None or send.list_sn in codes:
        return send.campaign
    return with_lists(send.campaign, (*codes, ListSn(send.list_sn)))


async def preview_of(
    nl: NewsLeopard, send: ResumableSend, contacts: ContactsReport | None, run: RunState | None
) -> SendPreview:
    """Check a campaign with its contacts, and read lists and balance of the account.

    Raises:
        AuthenticationError: the key is refused.
        ConnectionFailed: the platform is unreachable.
    """
    checked = await check_mailing(
        send.campaign,
        contacts,
        _target_of(send),
        now=nl.clock.now(),
        tolerance=Tolerance(strict=send.strict, max_rejected=send.max_rejected),
        hold=send.hold,
    )
    reused = await _reused(nl, send)
    resolved = _resolved(send, reused)
    campaign = _with_target(resolved)
    known = [each.sn for each in reused]
    codes = [sn for sn in (*campaign.lists, *campaign.exclude_lists) if sn not in known]
    balance = await _balance(nl)
    if balance is None and not codes and not reused:
        # A wrong key is reported before the question, also if the account has no balance.
        await nl.contacts.list_lists(size=1)
    return SendPreview(
        send=send,
        contacts=contacts,
        checked=checked,
        lists=(*(await lists_of(nl, codes) if codes else ()), *reused),
        balance=balance,
        run=run,
        resolved=resolved,
    )


async def _reused(nl: NewsLeopard, send: ResumableSend) -> tuple[ContactList, ...]:
    """Return the existing lists that the send would import into by their name."""
    if not send.reuse_list or send.list_name is None:
        return ()
    return tuple([each async for each in nl.contacts.iter_lists(name=send.list_name)])


def _resolved(send: ResumableSend, reused: tuple[ContactList, ...]) -> ResumableSend:
    """Return the send with the list that it reuses: all members of the list get the mail, too."""
    if len(reused) > 1:
        return send  # The pipeline refuses it.
    if not reused:
        return attrs.evolve(send, reuse_list=False)
    return attrs.evolve(send, reuse_list=False, list_name=None, list_sn=reused[0].sn)


async def _balance(nl: NewsLeopard) -> Balance | None:
    try:
        return await nl.account.get_balance()
    except AuthenticationError:
        raise
    except (APIError, UnexpectedResponse):
        # Many accounts do not have it, and the platform itself decides at the submit.
        return None


def print_preview(console: Console, preview: SendPreview) -> None:
    """Print what the send would do, and the findings of the checks."""
    table = FactsTable()
    for name, value in _facts(preview):
        table.add_row(name, value if isinstance(value, Text) else safe_text(value))
    console.print(table)
    if preview.checked.remarks:
        console.print(findings_table(preview.checked.remarks, width=console.width))
    else:
        console.print()


def _facts(preview: SendPreview) -> Iterator[tuple[str, Text | str]]:
    send = preview.send
    yield _("Campaign"), send.campaign.name
    yield from _facts_of_mail(send.campaign)
    yield _("Recipients"), _recipients_text(preview)
    yield from _facts_of_lists(preview)
    yield _("Goes out"), _time_text(send)
    yield _("Balance"), _balance_text(preview)
    if send.send_key is not None:
        yield _("Send key"), send.send_key
    else:
        yield _("Checkpoint"), str(send.checkpoint)
    if preview.run is not None:
        yield _("Earlier run"), _run_text(preview.run)


def _facts_of_mail(campaign: Mailing) -> Iterator[tuple[str, str]]:
    """Yield the fields that recipients see; of an A/B test, both versions."""
    names = {"sender": _("Sender"), "subject": _("Subject"), "preheader": _("Preheader")}
    for field, name in names.items():
        for suffix, version in (("", ""), ("_a", " A"), ("_b", " B")):
            value = getattr(campaign, f"{field}{suffix}", None)
            if value is not None:
                text = f"{value.name} <{value.address}>" if field == "sender" else str(value)
                yield name + version, text
    if isinstance(campaign, BaseABTest):
        text = _("{share} % of the recipients; the winner follows after {wait}")
        yield (
            _("A/B test"),
            text.format(share=campaign.proportion, wait=duration_text(campaign.wait)),
        )


def _recipients_text(preview: SendPreview) -> str:
    least, most = preview.bounds()
    if least == most:
        return f"{least:,}"
    if most is not None:
        return _("at most {most:,}; a contact of several lists counts once").format(most=most)
    return _("at least {least:,}; a list cannot be counted").format(least=least)


def _facts_of_lists(preview: SendPreview) -> Iterator[tuple[str, Text]]:
    send, found = preview.resolved, {each.sn: each for each in preview.lists}
    report = preview.contacts
    if report is not None:
        into = preview.send.list_sn or preview.send.list_name or ""
        source = _("a pipe") if send.is_piped else str(send.contacts)
        text = ngettext(
            "{rows:,} address of {source}, into the list {list}",
            "{rows:,} addresses of {source}, into the list {list}",
            report.unique,
        )
        yield (
            _("Contacts"),
            safe_text(text.format(rows=report.unique, source=source, list=into)),
        )
    for code in _with_target(send).lists:
        yield _("List"), _list_text(code, found.get(code))
    for code in send.campaign.exclude_lists:
        yield _("Left out"), _list_text(code, found.get(code))


def _list_text(code: str, found: ContactList | None) -> Text:
    if found is None:
        return safe_text(_("{code}: not found among your lists").format(code=code), "yellow")
    count = count_text(found.subscribed_count)
    text = _("{name} ({code}), subscribers: {count}")
    return safe_text(text.format(name=found.name or "–", code=code, count=count))


def _time_text(send: ResumableSend) -> str:
    """Return when it goes out."""
    schedule = send.campaign.schedule
    if send.hold is not None:
        return _("{hold} after the platform has accepted it; until then: {command}").format(
            hold=duration_text(send.hold), command=send.commands("cancel")
        )
    if not isinstance(schedule, SendAt):
        return _("at once, when the platform has accepted it")
    return schedule_text(schedule)


def schedule_text(schedule: SendAt) -> str:
    """Return a time in its zone and in UTC, and on the user's clock if that differs."""
    local, here = schedule.local, schedule.when.astimezone()
    text = (
        f"{local:%Y-%m-%d %H:%M} {schedule.timezone.zone_name} "
        f"({schedule.when.astimezone(UTC):%Y-%m-%d %H:%M} UTC)"
    )
    if here.utcoffset() not in (local.utcoffset(), schedule.when.utcoffset()):
        text += _("; on your clock {time}").format(time=f"{here:%Y-%m-%d %H:%M}")
    return text


def _balance_text(preview: SendPreview) -> Text:
    mails = None if preview.balance is None else preview.balance.mails
    least, most = preview.bounds()
    if mails is None:
        return safe_text(_("unknown: this account does not offer it"), "dim")
    text = ngettext("{mails:,} mail", "{mails:,} mails", mails).format(mails=mails)
    if least > mails:
        short = _("{text}, and at least {least:,} are needed").format(text=text, least=least)
        return safe_text(short, "bold red")
    if least == most:
        return safe_text(
            _("{text}, of which {least:,} are needed; {rest:,} remain").format(
                text=text, least=least, rest=mails - least
            )
        )
    if most is not None:
        return safe_text(
            _("{text}, of which at most {most:,} are needed").format(text=text, most=most)
        )
    return safe_text(text)


def _run_text(run: RunState) -> str:
    updated = "" if run.updated_at is None else f"{run.updated_at.astimezone():%Y-%m-%d %H:%M}"
    return _("{state} at {step}, {time}; this continues it").format(
        state=_(run.state), step=step_name(run.step) if run.step else "–", time=updated
    )
