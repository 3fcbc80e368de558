"""Show and set the faults, the scripts and the switches of an emulator."""

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
    """Show the results that were set in advance."""
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
"""For each kind: the emulator's method, and its arguments other than operation and times."""


def set_fault(emulator: Emulator, body: FaultBody) -> None:
    """Set a fault.

    Raises:
        BadInput: a field is missing for this kind or does not apply to it, or the operation is
            unknown.
    """
    needed = {"delay": ("operation", "seconds"), "throttle": ()}.get(body.kind, ("operation",))
    arguments = _arguments(body, needed, always={"kind", "operation", "times"})
    if body.body is not None:
        arguments["body"] = body.body.encode()
    method: Callable[..., None] = getattr(emulator, _METHODS[body.kind][0])
    try:
        method(body.operation, times=body.times, **arguments)
    except ValueError as error:
        raise BadInput((FieldProblem("operation", str(error)),)) from None


def set_script(emulator: Emulator, body: ScriptBody) -> None:
    """Set a result in advance.

    Raises:
        BadInput: a field is missing for this kind or does not apply to it.
    """
    needed = ("state",) if body.kind in {"script_import", "script_campaign"} else ()
    arguments = _arguments(body, needed, always={"kind"})
    method: Callable[..., None] = getattr(emulator, _METHODS[body.kind][0])
    if "state" in arguments:
        method(arguments["state"])
    else:
        method(**arguments)


def _arguments(
    body: FaultBody | ScriptBody, needed: tuple[str, ...], *, always: set[str]
) -> dict[str, Any]:
    """Return the fields of a body that only its kind has, as arguments of the method."""
    fields: dict[str, Any] = attrs.asdict(body)
    present = {name: value for name, value in fields.items() if value is not None}
    known = _METHODS[body.kind][1]
    problems = [
        *(
            FieldProblem(name, f"is missing; {body.kind} needs it")
            for name in needed
            if name not in present
        ),
        *(
            FieldProblem(name, f"does not apply to {body.kind}; leave it out")
            for name in present
            if name not in known and name not in always
        ),
    ]
    if problems:
        raise BadInput(tuple(problems))
    return {name: value for name, value in present.items() if name in known}


@cache
def _kinds() -> Mapping[str, tuple[str, bool]]:
    """Return the kind of value of each switch, and whether None is allowed."""
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
    current, descriptions = emulator.switches, attributes_of(Switches)
    return tuple(
        SwitchView(
            name=name,
            value=getattr(current, name),
            default=getattr(at_start, name),
            kind=kind,
            words=WORDS.get(name, ()),
            may_be_none=may_be_none,
            says=descriptions.get(name, ""),
        )
        for name, (kind, may_be_none) in _kinds().items()
    )


MOST: Final = 1_000_000_000
"""Chosen: a billion seconds are 31 years, and no account has a billion contacts."""

LEAST_RATE: Final = 0.001
"""Chosen: a million contacts then take 31 years. With a much smaller rate, the end would be after
the year 9999, which Python cannot represent."""

LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    "limit_status": (400, 599),
    "webhook_copies": (0, 100),
    "import_kept_days": (0, 36_500),
    **dict.fromkeys(ABOVE_ZERO, (LEAST_RATE, MOST)),
}
"""The limits of numbers, if they are not from 0 to a billion. `Switches` itself checks shares."""


def set_switches(emulator: Emulator, data: Any) -> None:
    """Set the switches that are in ``data``, and leave the others unchanged.

    Raises:
        BadInput: a switch is unknown, or its value is not allowed.
    """
    decoded = decode_object(Switches, data)
    changes = {name: getattr(decoded, name) for name in data}
    problems = [
        FieldProblem(name, message)
        for name, value in changes.items()
        if (message := _out_of_bounds(name, value))
    ]
    if problems:
        raise BadInput(tuple(problems))
    emulator.switch(**changes)


def _out_of_bounds(name: str, value: Any) -> str | None:
    """Return the problem of a value that would break the emulator later, else None."""
    if isinstance(value, str | tuple):
        if len(value) > 1_000 or any(len(each) > 1_000 for each in value):
            return "must have at most 1,000 characters, or at most 1,000 names of that length"
        return _no_encoding(value) if name == "report_encoding" else None
    if value is None or isinstance(value, bool):
        return None
    least, most = LIMITS.get(name, (0, MOST))
    return None if least <= value <= most else f"must be from {least:,} to {most:,}"


def _no_encoding(name: Any) -> str | None:
    """Return a problem if a codec of Python does not encode text, for example ``hex``."""
    try:
        "a,1".encode(name, errors="replace")
    except (LookupError, ValueError):
        return f"must be a text encoding of Python, such as utf-8 or big5, not {name!r}"
    return None
