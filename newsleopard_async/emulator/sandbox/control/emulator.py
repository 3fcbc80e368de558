"""Endpoints for the emulator itself: health, time, faults, switches, balance and requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs
from starlette.responses import Response

from newsleopard_async.emulator.platform.clock import EmulatorClock
from newsleopard_async.emulator.sandbox import behaviour, queries
from newsleopard_async.emulator.sandbox.bodies import (
    AdvanceBody,
    BalanceBody,
    EmptyBody,
    FaultBody,
    RequestsQuery,
    RunBody,
    ScriptBody,
    SnapshotBody,
)
from newsleopard_async.emulator.sandbox.control.endpoint import (
    Conflict,
    ControlContext,
    ControlRequest,
    Endpoint,
)
from newsleopard_async.emulator.sandbox.events import event_stream
from newsleopard_async.emulator.sandbox.json_codec import BadInput, FieldProblem
from newsleopard_async.emulator.sandbox.views import (
    AccountView,
    BalanceView,
    ClockView,
    FaultRow,
    HealthView,
    RequestsFound,
    RequestView,
    ScriptsView,
    SwitchView,
)
from newsleopard_async.emulator.switches import Switches

__all__ = ["ENDPOINTS"]


async def _health(context: ControlContext, request: ControlRequest) -> HealthView:
    """Answer without processing the work that is due, which can take long."""
    del request
    emulator = context.emulator
    return HealthView(
        status="ok",
        version=context.version,
        profile=emulator.profile,
        now=emulator.clock.now(),
    )


async def _account(context: ControlContext, request: ControlRequest) -> AccountView:
    del request
    now = await context.catch_up()
    return queries.account_view(context.account, now, version=context.version)


async def _reset(context: ControlContext, request: ControlRequest) -> AccountView:
    context.emulator.reset()
    return await _account(context, request)


async def _snapshots(context: ControlContext, request: ControlRequest) -> tuple[str, ...]:
    del request
    return context.emulator.snapshots


MOST_SNAPSHOTS: Final = 100
"""Chosen: 100, more than a team needs. Without a limit, a loop that deletes no snapshot would fill
the memory."""


async def _snapshot(context: ControlContext, request: ControlRequest) -> tuple[str, ...]:
    existing = context.emulator.snapshots
    if request.body.name not in existing and len(existing) >= MOST_SNAPSHOTS:
        raise Conflict(f"{MOST_SNAPSHOTS} snapshots exist already; delete one, or replace one.")
    await context.catch_up()
    context.emulator.snapshot(request.body.name)
    return context.emulator.snapshots


async def _restore(context: ControlContext, request: ControlRequest) -> AccountView:
    context.emulator.restore(request.path["name"])
    return await _account(context, request)


async def _forget_snapshot(context: ControlContext, request: ControlRequest) -> None:
    context.emulator.forget_snapshot(request.path["name"])


async def _clock(context: ControlContext, request: ControlRequest) -> ClockView:
    del request
    return queries.clock_view(context.account)


async def _move(context: ControlContext, move: Callable[[EmulatorClock], None]) -> ClockView:
    """Change the clock, and process all that is due after that."""
    clock = context.emulator.clock
    if not isinstance(clock, EmulatorClock):
        raise Conflict(
            "This emulator has another clock than EmulatorClock, which the control API cannot "
            "change; use the program that created the clock."
        )
    with context.account.changing():
        move(clock)
    await context.catch_up()
    return queries.clock_view(context.account)


async def _hold(context: ControlContext, request: ControlRequest) -> ClockView:
    del request
    return await _move(context, lambda clock: clock.hold())


async def _run(context: ControlContext, request: ControlRequest) -> ClockView:
    return await _move(context, lambda clock: clock.run(speed=request.body.speed))


async def _advance(context: ControlContext, request: ControlRequest) -> ClockView:
    body: AdvanceBody = request.body
    if (body.seconds is None) is (body.until is None):
        raise BadInput((FieldProblem("seconds", "send either seconds or until, not both"),))

    def advance(clock: EmulatorClock) -> None:
        if body.until is None:
            clock.advance(body.seconds or 0.0)
            return
        seconds = (body.until - clock.now()).total_seconds()
        if seconds < 0:
            raise BadInput((FieldProblem("until", "is in the past; send a later time"),))
        try:
            clock.advance(seconds)
        except ValueError as error:
            raise BadInput((FieldProblem("until", str(error).partition(": ")[2]),)) from None

    return await _move(context, advance)


async def _faults(context: ControlContext, request: ControlRequest) -> tuple[FaultRow, ...]:
    del request
    return behaviour.faults(context.emulator)


async def _add_fault(context: ControlContext, request: ControlRequest) -> tuple[FaultRow, ...]:
    behaviour.set_fault(context.emulator, request.body)
    return behaviour.faults(context.emulator)


async def _clear_faults(context: ControlContext, request: ControlRequest) -> None:
    del request
    context.emulator.clear_faults()


async def _scripts(context: ControlContext, request: ControlRequest) -> ScriptsView:
    del request
    return behaviour.scripts(context.account)


async def _add_script(context: ControlContext, request: ControlRequest) -> ScriptsView:
    behaviour.set_script(context.emulator, request.body)
    return behaviour.scripts(context.account)


async def _switches(context: ControlContext, request: ControlRequest) -> tuple[SwitchView, ...]:
    del request
    return behaviour.switches(context.emulator, context.at_start)


async def _set_switches(context: ControlContext, request: ControlRequest) -> tuple[SwitchView, ...]:
    await context.catch_up()
    behaviour.set_switches(context.emulator, request.data)
    return behaviour.switches(context.emulator, context.at_start)


async def _balance(context: ControlContext, request: ControlRequest) -> BalanceView:
    del request
    await context.catch_up()
    return BalanceView(balance=context.emulator.balance)


async def _set_balance(context: ControlContext, request: ControlRequest) -> BalanceView:
    await context.catch_up()
    context.emulator.balance = request.body.balance
    return BalanceView(balance=context.emulator.balance)


async def _requests(context: ControlContext, request: ControlRequest) -> RequestsFound:
    query: dict[str, Any] = attrs.asdict(request.query)
    return queries.find_requests(context.account, **query)


async def _request(context: ControlContext, request: ControlRequest) -> RequestView:
    return queries.request_view(context.account, request.path["id"])


async def _events(context: ControlContext, request: ControlRequest) -> Response:
    if request.http.method == "HEAD":  # its answer would not end
        return Response(media_type="text/event-stream")
    return event_stream(context.notifier)


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/",
        name="account",
        summary="Show a summary of the account.",
        run=_account,
        answers=AccountView,
    ),
    Endpoint(
        method="GET",
        path="/health",
        name="health",
        summary="Show that the emulator answers, with its version, profile and time.",
        run=_health,
        answers=HealthView,
    ),
    Endpoint(
        method="GET",
        path="/events",
        name="events",
        summary="Follow the changes as server-sent events, named `change`.",
        run=_events,
        answers="text/event-stream",
    ),
    Endpoint(
        method="POST",
        path="/reset",
        name="reset",
        summary="Reset the emulator to its initial state; the clock does not change.",
        run=_reset,
        body=EmptyBody,
        answers=AccountView,
    ),
    Endpoint(
        method="GET",
        path="/snapshots",
        name="snapshots",
        summary="Show the names of the snapshots.",
        run=_snapshots,
        answers=tuple[str, ...],
    ),
    Endpoint(
        method="POST",
        path="/snapshots",
        name="snapshot",
        summary="Save the state as a snapshot.",
        run=_snapshot,
        body=SnapshotBody,
        answers=tuple[str, ...],
        status=201,
        may_conflict=True,
    ),
    Endpoint(
        method="POST",
        path="/snapshots/{name}/restore",
        name="restore",
        summary="Restore the state of a snapshot; the clock does not change.",
        run=_restore,
        body=EmptyBody,
        answers=AccountView,
    ),
    Endpoint(
        method="DELETE",
        path="/snapshots/{name}",
        name="forget_snapshot",
        summary="Delete a snapshot.",
        run=_forget_snapshot,
        status=204,
    ),
    Endpoint(
        method="GET",
        path="/clock",
        name="clock",
        summary="Show the time, and the state of the clock.",
        run=_clock,
        answers=ClockView,
    ),
    Endpoint(
        method="POST",
        path="/clock/hold",
        name="hold",
        summary="Stop the clock.",
        run=_hold,
        body=EmptyBody,
        answers=ClockView,
        may_conflict=True,
    ),
    Endpoint(
        method="POST",
        path="/clock/advance",
        name="advance",
        summary="Move time forward, and process all that is due.",
        run=_advance,
        body=AdvanceBody,
        answers=ClockView,
        may_conflict=True,
    ),
    Endpoint(
        method="POST",
        path="/clock/run",
        name="run",
        summary="Start the clock.",
        run=_run,
        body=RunBody,
        answers=ClockView,
        may_conflict=True,
    ),
    Endpoint(
        method="GET",
        path="/faults",
        name="pending_faults",
        summary="Show the faults that have not occurred yet.",
        run=_faults,
        answers=tuple[FaultRow, ...],
    ),
    Endpoint(
        method="POST",
        path="/faults",
        name="add_fault",
        summary="Set a fault of the next requests of an operation.",
        run=_add_fault,
        body=FaultBody,
        answers=tuple[FaultRow, ...],
        status=201,
    ),
    Endpoint(
        method="DELETE",
        path="/faults",
        name="clear_faults",
        summary="Delete the faults that have not occurred yet, and the scripts.",
        run=_clear_faults,
        status=204,
    ),
    Endpoint(
        method="GET",
        path="/scripts",
        name="scripts",
        summary="Show the results that were set in advance.",
        run=_scripts,
        answers=ScriptsView,
    ),
    Endpoint(
        method="POST",
        path="/scripts",
        name="add_script",
        summary="Set the result of the next import or campaign, or use up the daily quota.",
        run=_add_script,
        body=ScriptBody,
        answers=ScriptsView,
        status=201,
    ),
    Endpoint(
        method="GET",
        path="/switches",
        name="switches",
        summary="Show the switches with their values and their allowed values.",
        run=_switches,
        answers=tuple[SwitchView, ...],
    ),
    Endpoint(
        method="PATCH",
        path="/switches",
        name="switch",
        summary="Set the named switches; the change applies to later requests.",
        run=_set_switches,
        body=Switches,
        answers=tuple[SwitchView, ...],
    ),
    Endpoint(
        method="GET",
        path="/balance",
        name="balance",
        summary="Show the balance.",
        run=_balance,
        answers=BalanceView,
    ),
    Endpoint(
        method="PUT",
        path="/balance",
        name="set_balance",
        summary="Set the balance.",
        run=_set_balance,
        body=BalanceBody,
        answers=BalanceView,
    ),
    Endpoint(
        method="GET",
        path="/requests",
        name="requests",
        summary="Search the requests to the platform's API and storage, the newest first.",
        run=_requests,
        query=RequestsQuery,
        answers=RequestsFound,
        may_be_missing=True,
    ),
    Endpoint(
        method="GET",
        path="/requests/{id}",
        name="request",
        summary="Show one request.",
        run=_request,
        answers=RequestView,
    ),
)
