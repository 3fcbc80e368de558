"""Whether an import is complete: its final state, its rows, and how many were rejected."""

from __future__ import annotations

from typing import Final

from newsleopard_async.errors import ImportFailed, ImportIncomplete
from newsleopard_async.log import Log
from newsleopard_async.models import ImportResult
from newsleopard_async.workflows import steps
from newsleopard_async.workflows.advice import advice_for
from newsleopard_async.workflows.outcomes import ImportReport
from newsleopard_async.workflows.runner import AnyStep, Runner
from newsleopard_async.workflows.send_check import are_few_enough

__all__ = [
    "check_rejected",
    "check_row_count",
    "check_status",
    "is_complete_enough",
    "text_of_part",
]

_log: Final = Log()


def check_status(
    run: Runner, what: str, result: ImportResult, *, of: AnyStep, columns: tuple[str, ...] = ()
) -> None:
    """Check the final state of an import.

    Args:
        run: The runner of the pipeline; it has the request id of the poll.
        what: The import, for the error.
        result: The result of the poll.
        of: The step of the poll.
        columns: The header that was sent, if it is known; an error names suspicious columns.

    Raises:
        ImportFailed: it ended without success.
    """
    if not result.status.is_success:
        advice = advice_for(result.status, columns)
        raise ImportFailed(
            f"{what} ended as {result.status}: {advice}", result=result
        ).with_request_id(run.request_id(of))


def check_row_count(run: Runner, report: ImportReport, *, sent: int, of: AnyStep) -> None:
    """Compare the rows that the platform counts in the file with the rows that were sent.

    Only different addresses with a valid form count: a row that is known to be bad can
    be missing, and it is not documented whether repetitions count (T46, T47).

    Raises:
        ImportIncomplete: rows are missing.
    """
    rows, rejected = report.result.file_count, report.result.errors
    if rows is not None and rows < sent:
        raise ImportIncomplete(
            f"the platform counts {rows:,} rows in import {report.import_sn}{text_of_part(of)}, "
            f"but {sent:,} different addresses were sent, so the run stopped. Run it again with "
            "the same checkpoint to repeat the import, which updates existing contacts. "
            f"If the list {report.list_sn} is complete in the console, send to it without "
            "contacts=",
            result=report.result,
            report=report,
        ).with_request_id(run.request_id(of))
    if sent and (rows is None or rejected is None):
        _log.warning(
            "import %s: the platform does not report %s, so missing contacts cannot be noticed; "
            "%d different addresses were sent (%s)",
            report.import_sn,
            "how many rows the file has" if rows is None else "how many rows it rejected",
            sent,
            f"fileCnt {rows}, insertCnt {report.result.inserted}, "
            f"duplicateCnt {report.result.duplicates}, errCnt {rejected}",
        )


def check_rejected(run: Runner, report: ImportReport, max_rejected: float | None) -> None:
    """Stop the run before the campaign if too many rows were rejected.

    Raises:
        ImportIncomplete: more rows were rejected than the caller accepts.
    """
    if is_complete_enough(report, max_rejected):
        return
    known = report.result.errors is not None
    rejected = report.rejected_count if known else "an unknown number"
    raise ImportIncomplete(
        f"{rejected} of {report.result.file_count} rows were rejected by the platform, "
        f"more than max_rejected={max_rejected}; nothing was sent. Correct the rows that "
        "rejected_rows shows, or raise max_rejected",
        result=report.result,
        report=report,
    ).with_request_id(run.request_id(steps.get_import))


def is_complete_enough(report: ImportReport, max_rejected: float | None) -> bool:
    """Return whether the number or the share of rejected rows is accepted; None accepts all."""
    if max_rejected is None:
        return True
    if report.result.errors is None and report.result.error_url:
        # Rows were rejected, and their number is unknown.
        return False
    return are_few_enough(report.rejected_count, report.result.file_count, max_rejected)


def text_of_part(step: AnyStep) -> str:
    """Return the part of the contacts as a text for a message; empty if there is only one."""
    return f" (part {step.part} of {step.parts})" if step.parts > 1 else ""
