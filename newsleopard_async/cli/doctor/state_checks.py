"""Checks of what this machine stores: the shared rate limits, and the runs."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from typing import Final

from newsleopard_async import workflows
from newsleopard_async.cli.accounts.profile_actions import without_password
from newsleopard_async.cli.doctor.diagnosis import Diagnosis, Examination, passed, warned
from newsleopard_async.cli.library_messages import error_text
from newsleopard_async.cli.runs.locations import needs_a_person
from newsleopard_async.cli.translation import joined, ngettext
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.clock import SystemClock
from newsleopard_async.errors import ConfigurationError
from newsleopard_async.files import state_folder
from newsleopard_async.models import Usage
from newsleopard_async.stores import FileStore
from newsleopard_async.transport.limits.scope import Scope
from newsleopard_async.transport.urls import origin_of

__all__ = ["check_limits", "check_store"]

_PROCESS: Final = "process"
"""The value of ``NEWSLEOPARD_QUOTA`` that shares nothing."""

_PERIODS: Final[Mapping[float, Callable[[], str]]] = {
    1.0: lambda: _("{count:,} per second"),
    86_400.0: lambda: _("{count:,} per day"),
}
"""The periods that the limits of a profile can have, in seconds."""


async def check_limits(examination: Examination) -> Diagnosis:
    """Find who shares the rate limits, and the count of the day; no request is sent."""
    profile = examination.session.profile
    async with examination.session.client(FileStore()) as nl:
        used = _used(nl.usage)
        limits = joined(
            _PERIODS[seconds]().format(count=count) for count, seconds in profile.limits.windows
        )
    if profile.quota is not None:
        shared = _("shared by all hosts through {url}").format(url=without_password(profile.quota))
        return passed(joined((limits, shared, used), "; "))
    if os.environ.get("NEWSLEOPARD_QUOTA", "").strip() == _PROCESS:
        alone = _("each process counts alone (NEWSLEOPARD_QUOTA=process)")
        return passed(joined((limits, alone), "; "))
    scope = _scope_of(examination)
    try:
        _try_file(scope)
    except ConfigurationError as error:
        return warned(
            joined((limits, error_text(error)), "; "),
            _("Several programs are then too fast together. Make the folder writable."),
        )
    folder = state_folder() / "quota"
    shared = _("shared by this user's processes through {folder}").format(folder=folder)
    # A new emulator begins its day at zero, so the processes of this host do not share its count.
    return passed(joined((limits, shared, *([used] if scope.has_day else ())), "; "))


def _used(usage: Usage) -> str:
    if usage.limit is None:
        return _("no daily limit")
    return _("{used:,} of {limit:,} requests used today").format(used=usage.used, limit=usage.limit)


def _scope_of(examination: Examination) -> Scope:
    assert examination.key is not None  # the check of the key has found it
    return Scope.of("host", origin_of(examination.base_url), examination.key.reveal())


def _try_file(scope: Scope) -> None:
    """Open the file of the limits as a client does, which locks it and can fail.

    Raises:
        ConfigurationError: the processes of this host cannot share it.
    """
    store = scope.open_store(SystemClock())
    assert store is not None  # only a client that shares nothing has none
    store.close()


async def check_store(examination: Examination) -> Diagnosis:
    """Open the store of runs, try its lock if it is a folder, and count its runs."""
    async with examination.session.sends() as location:
        if location.store is None:
            return passed(_("{where} is empty").format(where=location.where))
        if isinstance(location.store, FileStore):
            # A lock is what keeps two runs of one send key apart.
            with location.store.locked(f"doctor {secrets.token_hex(8)}"):
                pass
        runs = [run async for run in workflows.runs(location.store)]
    text = ngettext("{where}: {count:,} run", "{where}: {count:,} runs", len(runs))
    found = text.format(where=location.where, count=len(runs))
    waiting = sum(map(needs_a_person, runs))
    if waiting:
        text = ngettext(
            "{found}, {count:,} needs a person", "{found}, {count:,} need a person", waiting
        )
        return warned(
            text.format(found=found, count=waiting),
            _("Show them: newsleopard runs"),
        )
    return passed(found)
