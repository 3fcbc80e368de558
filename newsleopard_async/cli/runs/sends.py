"""``newsleopard runs``, ``resolve`` and ``retry``: sends, and decisions about them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final, get_args

import attrs
from rich import box
from rich.table import Table
from rich.text import Text

from newsleopard_async import ConfigurationError, InvalidRequest, workflows
from newsleopard_async.cli.cli_messages import send_message_for_command_line
from newsleopard_async.cli.display.pipeline_display import step_name
from newsleopard_async.cli.display.terminal import safe_text, write_json
from newsleopard_async.cli.library_messages import in_users_language
from newsleopard_async.cli.run_commands import RunCommands
from newsleopard_async.cli.runs.campaign_target import CODE, checkpoint_at, state_at
from newsleopard_async.cli.runs.locations import SendsLocation, needs_a_person
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.translation import N_, joined, ngettext
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.durable import Durable, SendState, SendStatus
from newsleopard_async.models import CampaignSn
from newsleopard_async.plain import Plain
from newsleopard_async.workflows import RunState
from newsleopard_async.workflows.decision import Decision
from newsleopard_async.workflows.resuming import RunStateName

__all__ = ["STATES", "CommandOptions", "list_runs", "resolve", "retry", "show_run"]

STATES: Final = tuple(dict.fromkeys((*get_args(SendState), *get_args(RunStateName))))
"""All states of a send or a run."""

_STYLES: Final = {
    "held": "bold red",
    "failed": "bold red",
    "unreadable": "bold red",
    "checking": "yellow",
    "interrupted": "yellow",
    "running": "cyan",
    "done": "green",
}
_WIDE_COLUMNS: Final = 120
"""Chosen: in fewer columns, a message beside the five other columns would be very narrow."""
_NARROW_COLUMNS: Final = 60
"""Chosen: in fewer columns, the code of a campaign beside the state would be broken."""

_STATE_NAMES: Final = (
    *(N_("scheduled"), N_("queued"), N_("running"), N_("waiting"), N_("checking"), N_("held")),
    *(N_("failed"), N_("done"), N_("cancelled"), N_("abandoned"), N_("interrupted")),
    N_("unreadable"),
)
_FIELD_NAMES: Final = (
    *(N_("account"), N_("attempt"), N_("begins_at"), N_("campaign_sn"), N_("created_at")),
    *(N_("error"), N_("held_until"), N_("import_sn"), N_("list_sn"), N_("look_again_at")),
    *(N_("message"), N_("next_at"), N_("outcome"), N_("part"), N_("pipeline"), N_("send_key")),
    *(N_("state"), N_("step"), N_("updated_at")),
)
"""They are translated when they are shown."""


@attrs.frozen
class CommandOptions:
    """The options that all commands about sends have.

    Attributes:
        session: The session, with the profile.
        url: The URL of the sends; None for the store of the profile.
    """

    session: Session
    url: str | None

    def commands(self, known: SendStatus | RunState) -> RunCommands:
        """Return the commands about a send."""
        return self.session.commands(known.send_key, self.url)


async def list_runs(options: CommandOptions, states: Sequence[str]) -> None:
    """Print all sends, and those first that need a person.

    Raises:
        ConfigurationError: the URL is wrong, or nothing is stored there.
        ConnectionFailed: the server is unreachable.
    """
    async with options.session.sends(options.url) as location:
        found = []
        async for each in _all(location):
            if states and each.state not in states:
                continue
            if options.session.as_json:
                write_json(each.to_dict())
            else:
                found.append(each)
        if options.session.as_json:
            return
        has_worker = location.durable is None or await _has_worker(location.durable)
    _print_all(options, found, location.where, has_worker=has_worker)


async def _all(location: SendsLocation) -> AsyncIterator[SendStatus | RunState]:
    durable_keys = set()
    if location.durable is not None:
        async for status in location.durable.runs():
            durable_keys.add(status.send_key)
            yield status
    if location.store is not None:
        async for run in workflows.runs(location.store):
            if run.send_key not in durable_keys:
                yield run


async def _has_worker(durable: Durable) -> bool:
    return any(each.is_alive for each in await durable.workers())


async def show_run(options: CommandOptions, send_key: str) -> None:
    """Print all fields of a send.

    Raises: as `list_runs`.
        InvalidRequest: it does not exist.
    """
    async with options.session.sends(options.url) as location:
        found = await _found(location, send_key)
    _print_one(options, found)


async def resolve(
    options: CommandOptions, send_key: str, decision: Decision, campaign_sn: str | None
) -> bool:
    """Decide about a send, or about the run of a checkpoint file, and print it.

    Returns: Whether it is a checkpoint file.

    Raises: as `Durable.resolve`, and `list_runs`.
        InvalidRequest: as above, or both a send and a checkpoint have this name.
    """
    sn = None if campaign_sn is None else _code(campaign_sn)
    kept = await checkpoint_at(send_key)
    async with options.session.sends(options.url) as location:
        known = await location.find(send_key)
        if kept is not None:
            _refuse_both(send_key, known)
            await kept.resolve(decision, sn)
            decided: SendStatus | RunState = await state_at(send_key, kept)
        else:
            decided = await _resolve(location, send_key, decision, sn)
    _print_one(options, decided)
    if isinstance(decided, RunState) and decided.state == "interrupted":
        command = options.commands(decided)("resume")
        text = safe_text(_("Continue: {command}").format(command=command))
        options.session.errors.print(text, soft_wrap=True)
    return kept is not None


def _code(text: str) -> CampaignSn:
    """Return the code of a campaign; a wrong one would make a run done that was not sent."""
    if CODE.fullmatch(text):
        return CampaignSn(text)
    message = _(
        "{text!r} does not have the form of a code; copy the code (活動代碼) from the console"
    )
    raise InvalidRequest.of("--campaign-sn", "format", message.format(text=text))


def _refuse_both(name: str, known: SendStatus | RunState | None) -> None:
    if known is not None:
        message = _(
            "{text!r} is a checkpoint file and also a send key; write the file with its folder, or "
            "run the command in another one"
        )
        raise InvalidRequest.of("KEY", "choice", message.format(text=name))


async def _resolve(
    location: SendsLocation, send_key: str, decision: Decision, sn: CampaignSn | None
) -> SendStatus | RunState:
    if isinstance(await _found(location, send_key), SendStatus):
        assert location.durable is not None
        return await location.durable.resolve(send_key, decision, sn)
    assert location.store is not None
    await workflows.resolve(location.store, send_key, decision, sn)
    return await _found(location, send_key)


async def _found(location: SendsLocation, send_key: str) -> SendStatus | RunState:
    known = await location.find(send_key)
    if known is None:
        message = _(
            "no send with the key {send_key!r} exists in {where}; check the key and --url, or list "
            "all sends: newsleopard runs"
        ).format(send_key=send_key, where=location.where)
        raise InvalidRequest.of("KEY", "missing", message)
    return known


async def retry(options: CommandOptions, send_key: str) -> None:
    """Make the next attempt due now, and print the send.

    Raises: as `Durable.retry`, and `list_runs`.
    """
    async with options.session.sends(options.url) as location:
        found = await _durable_of(location).retry(send_key)
    _print_one(options, found)


def _durable_of(location: SendsLocation) -> Durable:
    if location.durable is None:
        message = _("{where} has no durable sends; name their database by --url")
        raise ConfigurationError(message.format(where=location.where))
    return location.durable


def _print_all(
    options: CommandOptions,
    found: list[SendStatus | RunState],
    where: str,
    *,
    has_worker: bool,
) -> None:
    console = options.session.console
    found.sort(key=lambda each: not needs_a_person(each))
    if found:
        console.print(_runs_table(options, found, where))
    counts = Counter(each.state for each in found)
    parts = [
        _("{count:,} {state}").format(count=counts[state], state=_(state))
        for state in STATES
        if counts[state]
    ]
    text = _("{states}.").format(states=joined(parts))
    console.print(safe_text(text if parts else _("No sends in {where}.").format(where=where)))
    if waiting := sum(map(needs_a_person, found)):
        text = ngettext(
            "{waiting:,} marked with ! needs a person.",
            "{waiting:,} marked with ! need a person.",
            waiting,
        )
        console.print(safe_text(text.format(waiting=waiting), "bold red"))
    if not has_worker:
        text = _("No worker is running; start one: newsleopard worker")
        console.print(safe_text(text, "yellow"))


def _runs_table(
    options: CommandOptions, found: Sequence[SendStatus | RunState], where: str
) -> Table:
    """Return a table with one row per send; on a narrow terminal, details are below the key."""
    table = Table(
        title=safe_text(where),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    width = options.session.console.width
    is_narrow, is_wide = width < _NARROW_COLUMNS, width >= _WIDE_COLUMNS
    table.add_column("", no_wrap=True)
    if not is_narrow:
        table.add_column(_("State"), no_wrap=True)
        table.add_column(_("Next ({zone})").format(zone=_zone()), no_wrap=True)
    names = (_("Send key"), _("Step"), _("Campaign"), _("Message"))
    for name in names if is_wide else names[:1]:
        # A code that is broken cannot be copied.
        table.add_column(name, overflow="fold", no_wrap=name == _("Campaign"))
    for each in found:
        needs = Text("!" if needs_a_person(each) else "", style="bold red")
        key, state = safe_text(each.send_key), Text(_(each.state), _STYLES.get(each.state, ""))
        about = [safe_text(text, "dim") for text in _about(options, each)]
        if is_wide:
            table.add_row(needs, state, _next(each), key, *about)
            continue
        below = list(filter(None, about))
        if is_narrow:
            when = filter(None, (state, Text(_next(each))))
            table.add_row(needs, Text("\n").join([key, Text(" ").join(when), *below]))
        else:
            table.add_row(needs, state, _next(each), Text("\n").join([key, *below]))
    return table


def _about(options: CommandOptions, known: SendStatus | RunState) -> tuple[str, str, str]:
    """Return the step, the code of the campaign, and the message."""
    return _step(known), known.campaign_sn or "", _message(options, known)


def _zone() -> tzinfo:
    """Return this machine's current offset from UTC, which is used for all times."""
    return timezone(datetime.now(UTC).astimezone().utcoffset() or timedelta())


def _next(known: SendStatus | RunState) -> str:
    at = known.next_at if isinstance(known, SendStatus) else known.look_again_at
    return "" if at is None else f"{at.astimezone(_zone()):%Y-%m-%d %H:%M}"


def _step(known: SendStatus | RunState) -> str:
    if known.step is None:
        return ""
    name = step_name(known.step)
    if known.part is None:
        return name
    return _("{step}, part {part}").format(step=name, part=known.part)


def _message(options: CommandOptions, known: SendStatus | RunState) -> str:
    return ": ".join(text for text in (known.error, _message_of(options, known)) if text)


def _message_of(options: CommandOptions, known: SendStatus | RunState) -> str:
    is_durable = isinstance(known, SendStatus)
    return in_users_language(
        send_message_for_command_line(known.message, options.commands(known), is_durable=is_durable)
    )


def _print_one(options: CommandOptions, known: SendStatus | RunState) -> None:
    if options.session.as_json:
        write_json(known.to_dict())
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name in attrs.fields_dict(type(known)):
        style = _STYLES.get(known.state, "") if name == "state" else ""
        table.add_row(_(name), safe_text(_shown(_value_of(options, known, name)), style))
    options.session.console.print(table)
    advice, commands = _advice(options, known)
    if advice:
        options.session.console.print(safe_text(advice, "bold red"))
    for command in commands:
        # Without line breaks, so that a user can copy it.
        options.session.console.print(safe_text(f"  {command}"), soft_wrap=True)


def _value_of(options: CommandOptions, known: SendStatus | RunState, name: str) -> object:
    match name:
        case "message":
            return _message_of(options, known)
        case "state":
            return _(known.state)
        case "step" if known.step is not None:
            return step_name(known.step)
        case _:
            return getattr(known, name)


def _shown(value: object) -> str:
    match value:
        case None | "":
            return "–"
        case datetime():
            zone = _zone()
            return f"{value.astimezone(zone):%Y-%m-%d %H:%M:%S} {zone}"
        case Plain():
            return json.dumps(value.to_dict(), ensure_ascii=False)
        case _:
            return str(value)


def _advice(options: CommandOptions, known: SendStatus | RunState) -> tuple[str, tuple[str, ...]]:
    """Return what a person must do, and the commands for it; empty if nothing."""
    commands = options.commands(known)
    if known.state == "held":
        return (
            _("Whether it was submitted is unknown. Check the console (活動列表), and decide:"),
            (
                commands("resolve", "sent", options=["--campaign-sn SN"]),
                commands("resolve", "resubmit"),
                commands("resolve", "abandon"),
            ),
        )
    if known.state == "failed" and isinstance(known, SendStatus):
        return _("Correct the problem in the message; then:"), (commands("retry"),)
    return "", ()
