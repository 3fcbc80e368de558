"""Runs all checks of the doctor, and shows each result as soon as it is there."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Final

import anyio
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from newsleopard_async.cli.display.terminal import safe_text, write_json
from newsleopard_async.cli.doctor.diagnosis import (
    Diagnosis,
    DiagnosisState,
    DoctorCheck,
    Examination,
    as_dict,
    run_checks,
)
from newsleopard_async.cli.doctor.network_checks import (
    check_account,
    check_answer,
    check_clock,
    check_dns,
    check_proxy,
    check_storage,
    check_tcp,
    check_tls,
)
from newsleopard_async.cli.doctor.setup_checks import (
    check_key,
    check_keyring,
    check_profile,
    check_python,
    check_temporary_folder,
)
from newsleopard_async.cli.doctor.state_checks import check_limits, check_store
from newsleopard_async.cli.failures import ExitStatus
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.translation import N_, joined, ngettext
from newsleopard_async.cli.translation import translated as _

__all__ = ["examine"]

CHECKS: Final = (
    DoctorCheck(name="python", title=N_("Python"), run=check_python),
    DoctorCheck(name="profile", title=N_("Profile"), run=check_profile),
    DoctorCheck(name="key", title=N_("Key"), run=check_key, needs=("profile",)),
    DoctorCheck(name="keyring", title=N_("Keyring"), run=check_keyring),
    DoctorCheck(name="temporary", title=N_("Temporary files"), run=check_temporary_folder),
    # Longer, because a database has its own bound of 40 s.
    DoctorCheck(
        name="store", title=N_("Store of runs"), run=check_store, needs=("profile",), within_s=45
    ),
    DoctorCheck(name="limits", title=N_("Rate limits"), run=check_limits, needs=("key",)),
    DoctorCheck(name="proxy", title=N_("Proxy"), run=check_proxy, needs=("profile",)),
    DoctorCheck(name="dns", title=N_("DNS"), run=check_dns, needs=("proxy",)),
    DoctorCheck(name="tcp", title=N_("Connection"), run=check_tcp, needs=("dns",), within_s=30),
    DoctorCheck(name="tls", title=N_("TLS"), run=check_tls, needs=("tcp",), within_s=30),
    DoctorCheck(name="answer", title=N_("Answer"), run=check_answer, needs=("tls",), within_s=30),
    DoctorCheck(name="clock", title=N_("Clock"), run=check_clock, needs=("answer",)),
    DoctorCheck(
        name="account",
        title=N_("Key at the platform"),
        run=check_account,
        needs=("key", "answer"),
        within_s=60,
    ),
    DoctorCheck(name="storage", title=N_("File storage"), run=check_storage, needs=("answer",)),
)
"""All checks, in the order in which a request needs what they try."""

_MARKS: Final[Mapping[DiagnosisState, tuple[str, str, str]]] = {
    "ok": ("✓", "+", "green"),
    "warning": ("!", "!", "yellow"),
    "failed": ("✗", "x", "red"),
    "skipped": ("–", "-", "dim"),
}
"""The mark of each result, its form in ASCII, and its style."""

_TITLE_COLUMNS: Final = 20
"""Chosen: the longest title has 19 columns."""

_NARROW_COLUMNS: Final = 60
"""Chosen: in fewer columns, text beside the titles would be very narrow."""


def examine(session: Session) -> ExitStatus:
    """Run all checks, print their results, and return the exit status of the first failure."""
    examination = Examination(session=session)
    found: list[tuple[DoctorCheck, Diagnosis]] = []

    async def run() -> None:
        # The usual spinner has no form in ASCII.
        spinner = "line" if session.errors.options.ascii_only else "dots"
        status = session.errors.status("", spinner=spinner)
        is_live = session.errors.is_interactive and not session.as_json

        def before(check: DoctorCheck) -> None:
            status.update(safe_text(_(check.title), "dim"))
            if is_live:
                status.start()

        with contextlib.ExitStack() as stack:
            stack.callback(status.stop)
            async for check, diagnosis in run_checks(CHECKS, examination, before=before):
                status.stop()
                found.append((check, diagnosis))
                if not session.as_json:
                    _print(session, check, diagnosis)

    anyio.run(run)
    failures = [each.status for _check, each in found if each.state == "failed"]
    status = failures[0] if failures else ExitStatus.DONE
    if session.as_json:
        write_json(
            {
                "exit_status": int(status),
                "requests": examination.requests,
                "checks": [as_dict(check, diagnosis) for check, diagnosis in found],
            }
        )
    else:
        _print_end(session, [each for _check, each in found], examination.requests)
    return status


def _print(session: Session, check: DoctorCheck, found: Diagnosis) -> None:
    console = session.console
    mark, plain, style = _MARKS[found.state]
    shown = Text(plain if console.options.ascii_only else mark, style)
    title, text = safe_text(_(check.title)), safe_text(found.found)
    advice = safe_text(found.advice, "bold")
    if console.width < _NARROW_COLUMNS:
        console.print(Text.assemble(shown, " ", title))
        for each in filter(None, (text, advice)):
            console.print(Padding(each, (0, 0, 0, 2)))
        return
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1)
    table.add_column(width=_TITLE_COLUMNS)
    table.add_column(overflow="fold")
    table.add_row(shown, title, text)
    if found.advice:
        table.add_row("", "", advice)
    console.print(table)


def _print_end(session: Session, found: list[Diagnosis], requests: int) -> None:
    failures = sum(each.state == "failed" for each in found)
    warnings = sum(each.state == "warning" for each in found)
    parts = []
    if failures:
        text = ngettext("{count} check failed.", "{count} checks failed.", failures)
        parts.append(text.format(count=failures))
    if warnings:
        text = ngettext("{count} warning.", "{count} warnings.", warnings)
        parts.append(text.format(count=warnings))
    if not parts:
        parts.append(_("All is well."))
    if not requests:
        parts.append(_("No request was sent to the API."))
    text = ngettext(
        "{count} request was sent to the API; it only read.",
        "{count} requests were sent to the API; they only read.",
        requests,
    )
    if requests:
        parts.append(text.format(count=requests))
    session.console.print()
    session.console.print(safe_text(joined(parts, " ")))
