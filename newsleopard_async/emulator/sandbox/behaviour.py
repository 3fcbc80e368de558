"""What is made to go wrong, and the switches: as they are shown, and as they are set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import NoneType
from typing import Any, Final, get_args, get_origin, get_type_hints

import attrs

from newsleopard_async.emulator.emulator import Emulator
from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.sandbox.bodies import FaultBody, ScriptBody
from newsleopard_async.emulator.sandbox.json_codec import (
    BadInput,
    FieldProblem,
    attributes_of,
    decode_object,
)
from newsleopard_async.emulator.sandbox.views import FaultRow, ScriptsView, SwitchView
from newsleopard_async.emulator.switches import ABOVE_ZERO, WORDS, Switches

__all__ = ["faults", "scripts", "set_fault", "set_script", "set_switches", "switches"]

_TIMED: Final = frozenset({"delay", "hang"})
_ANSWERED: Final = frozenset({"answer", "throttle"})


def faults(emulator: Emulator) -> tuple[FaultRow, ...]:
    """Show the faults that have not happened yet."""
    return tuple(
        FaultRow(
            operation=each.operation,
            kind=each.kind,
            times=each.times,
            seconds=each.fault.seconds if each.kind in _TIMED else 0.0,
            status=each.fault.status if each.kind in _ANSWERED else None,
        )
        for each in emulator.pending_faults
    )


def scripts(account: Account) -> ScriptsView:
    """Show the states that were decided beforehand."""
    with account.lock:
        return ScriptsView(
            stuck_imports=account.imports.to_stick,
            imports=account.imports.scripts,
            campaigns=account.campaigns.scripts,
            day_exhausted_s=account.limiter.exhausted_for(account.clock.monotonic()),
        )


_METHODS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "not_sent": ("not_sent", ()),
    "drop_request": ("drop_request", ()),
    "lose_reply": ("lose_reply_to", ()),
    "delay": ("delay", ("seconds",)),
    "hang": ("hang", ("seconds", "processed")),
    "answer": ("fail", ("status", "body", "processed")),
    "throttle": ("throttle", ("status", "message", "retry_after")),
    "cut_body": ("cut_body", ()),
    "garbage": ("garbage", ()),
    "stick_import": ("stick_import", ("times",)),
    "script_import": ("script_import", ("state",)),
    "script_campaign": ("script_campaign", ("state",)),
    "exhaust_day": ("exhaust_day", ("resets_in_s",)),
}
"""For each kind: the emulator's method, and what it can be told beside operation and times."""


def set_fault(emulator: Emulator, body: FaultBody) -> None:
    """Let something go wrong.

    Raises:
        BadInput: the kind needs more than was said, or has no such thing.
        ValueError: there is no such operation.
    """
    needed = {"delay": ("operation", "seconds"), "throttle": ()}.get(body.kind, ("operation",))
    given = _given(body, needed, always={"kind", "operation", "times"})
    if body.body is not None:
        given["body"] = body.body.encode()
    method: Callable[..., None] = getattr(emulator, _METHODS[body.kind][0])
    try:
        method(body.operation, times=body.times, **given)
    except ValueError as wrong:
        raise BadInput((FieldProblem("operation", str(wrong)),)) from None


def set_script(emulator: Emulator, body: ScriptBody) -> None:
    """Decide a state beforehand.

    Raises:
        BadInput: the kind needs more than was said, or has no such thing.
    """
    needed = ("state",) if body.kind in {"script_import", "script_campaign"} else ()
    given = _given(body, needed, always={"kind"})
    name = _METHODS[body.kind][0]
    method: Callable[..., None] = getattr(emulator, name)
    if "state" in given:
        method(given["state"])
    else:
        method(**given)


def _given(
    body: FaultBody | ScriptBody, needed: tuple[str, ...], *, always: set[str]
) -> dict[str, Any]:
    """Return what was said beyond what every kind has."""
    fields: dict[str, Any] = attrs.asdict(body)
    said = {name: value for name, value in fields.items() if value is not None}
    known = _METHODS[body.kind][1]
    problems = [
        *(FieldProblem(name, f"{body.kind} needs it") for name in needed if name not in said),
        *(
            FieldProblem(name, f"{body.kind} has none")
            for name in said
            if name not in known and name not in always
        ),
    ]
    if problems:
        raise BadInput(tuple(problems))
    return {name: value for name, value in said.items() if name in known}


@cache
def _kinds() -> Mapping[str, tuple[str, bool]]:
    """Return of each switch what kind of value it has, and whether None is one."""
    return {name: _kind(hint) for name, hint in get_type_hints(Switches).items()}


def _kind(hint: Any) -> tuple[str, bool]:
    parts = [each for each in get_args(hint) if each is not NoneType]
    may_be_none = NoneType in get_args(hint)
    if may_be_none:
        hint = parts[0]
    names = {bool: "flag", int: "whole", float: "number", str: "text"}
    if get_origin(hint) is tuple:
        return "names", may_be_none
    return names.get(hint, "word"), may_be_none


def switches(emulator: Emulator, at_start: Switches) -> tuple[SwitchView, ...]:
    """Show the switches, in the order of the documentation."""
    on, says = emulator.switches, attributes_of(Switches)
    return tuple(
        SwitchView(
            name=name,
            value=getattr(on, name),
            default=getattr(at_start, name),
            kind=kind,
            words=WORDS.get(name, ()),
            may_be_none=may_be_none,
            says=says.get(name, ""),
        )
        for name, (kind, may_be_none) in _kinds().items()
    )


MOST: Final = 1_000_000_000
"""Chosen: 30 years of seconds, or more contacts than there are people with an address."""

LEAST_RATE: Final = 0.001
"""Chosen: a million contacts then take 30 years, which the calendar still has."""

LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    "limit_status": (400, 599),
    "webhook_copies": (0, 100),
    "import_kept_days": (0, 36_500),
    **dict.fromkeys(ABOVE_ZERO, (LEAST_RATE, MOST)),
}
"""What a number may be, where it is not from 0 to a billion; shares are judged by `Switches`."""


def set_switches(emulator: Emulator, data: Any) -> None:
    """Set the switches that are named.

    Raises:
        BadInput: there is no such switch, or it cannot be so.
    """
    wanted = decode_object(Switches, data)
    given = {name: getattr(wanted, name) for name in data}
    problems = [
        FieldProblem(name, said)
        for name, value in given.items()
        if (said := _out_of_bounds(name, value))
    ]
    if problems:
        raise BadInput(tuple(problems))
    emulator.switch(**given)


def _out_of_bounds(name: str, value: Any) -> str | None:
    """Say why a value would break the emulator later, if it would."""
    if isinstance(value, str | tuple):
        if len(value) > 1_000 or any(len(each) > 1_000 for each in value):
            return "must have up to 1,000 characters, or entries"
        return _no_encoding(value) if name == "report_encoding" else None
    if value is None or isinstance(value, bool):
        return None
    least, most = LIMITS.get(name, (0, MOST))
    return None if least <= value <= most else f"must be from {least:,} to {most:,}"


def _no_encoding(name: Any) -> str | None:
    """Say that a codec of Python is none of text, such as ``hex``."""
    try:
        "a,1".encode(name, errors="replace")
    except (LookupError, ValueError):
        return f"Python cannot write text as {name!r}"
    return None
