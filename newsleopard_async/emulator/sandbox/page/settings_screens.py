"""The screens of the controls and the switches."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Final

from starlette.requests import Request

from newsleopard_async.emulator.emulator import Emulator
from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.platform.gateway import OPERATIONS
from newsleopard_async.emulator.sandbox import behaviour, campaigns, queries
from newsleopard_async.emulator.sandbox.page.screens import Screen, ScreenContent
from newsleopard_async.emulator.sandbox.page.switch_translations import CHINESE
from newsleopard_async.emulator.sandbox.page.translations import language_of
from newsleopard_async.emulator.sandbox.views import SwitchView
from newsleopard_async.emulator.switches import Switches

__all__ = ["next_due", "settings_screens"]

SHOWN_EXCLUSIONS: Final = 50
"""Chosen: the latest 50, about one screen; the search for contacts shows the others."""


def settings_screens(emulator: Emulator, at_start: Switches) -> Mapping[str, Screen]:
    """Return the screens by their paths."""
    return {
        "/_emulator/ui/controls": partial(_controls, emulator),
        "/_emulator/ui/switches": partial(_switches, emulator, at_start),
    }


async def _controls(emulator: Emulator, account: Account, request: Request) -> ScreenContent:
    """Show the controls, with the waiting faults, scripts and events."""
    del request
    now = account.present()
    values = {
        "due": next_due(account, now),
        "faults": behaviour.faults(emulator),
        "scripts": behaviour.scripts(account),
        "operations": OPERATIONS,
        "exclusions": queries.exclusions(account, now)[:SHOWN_EXCLUSIONS],
        "snapshots": emulator.snapshots,
    }
    return ScreenContent("controls.html", "controls", values)


def next_due(account: Account, now: datetime) -> datetime | None:
    """Return the time of the next planned event of an import or a campaign; None without one."""
    instants = [each.due for each in queries.imports(account) if each.due is not None]
    for row in campaigns.campaigns(account, now):
        if row.ended is None and not row.is_deleted:
            view = campaigns.campaign_view(account, row.sn, now)
            instants += [each.at for each in view.timeline]
    return min((each for each in instants if each > now), default=None)


async def _switches(
    emulator: Emulator, at_start: Switches, account: Account, request: Request
) -> ScreenContent:
    """Show the switches, by a search."""
    del account
    is_chinese = language_of(request) == "zh"

    def described(switch: SwitchView) -> str:
        return CHINESE.get(switch.name, switch.says) if is_chinese else switch.says

    text = request.query_params.get("q", "").strip().lower()
    only_changed = bool(request.query_params.get("changed"))
    found = [
        each
        for each in behaviour.switches(emulator, at_start)
        if text in f"{each.name} {each.says} {described(each)}".lower()
        and not (only_changed and each.value == each.default)
    ]
    values = {"switches": found, "described": described, "written": written}
    return ScreenContent("switches.html", "switches", values)


def written(value: object) -> str:
    """Return the value of a switch as text for users."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "none" if value is None else str(value)
