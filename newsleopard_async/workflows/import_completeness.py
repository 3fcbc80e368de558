"""Whether an import took what was sent: how it ended, its rows, and how many were rejected."""

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
    """Judge how an import ended.

    Args:
        run: Knows the id of the look.
        what: The import, for the error.
        result: What the look saw.
        of: The look.
        columns: The header that was sent, if it is known; an error names what may be at fault.

    Raises:
        ImportFailed: it ended without success.
    """
    if not result.status.is_success:
        advice = advice_for(result.status, columns)
        raise ImportFailed(
            f"{what} ended as {result.status}: {advice}", result=result
        ).with_request_id(run.request_id(of))


def check_row_count(run: Runner, report: ImportReport, *, sent: int, of: AnyStep) -> None:
    """Compare the rows that the platform counts in the file with what was sent.

    Only addresses that have the form of one count, each once: a row that is known to be bad may
    be missing, and repetitions may be counted or not (T46, T47).

    Raises:
        ImportIncomplete: rows are missing.
    """
    rows, rejected = report.result.file_count, report.result.errors
    if rows is not None and rows < sent:
        raise ImportIncomplete(
            f"the platform counts {rows:,} rows in import {report.import_sn}{text_of_part(of)}, "
            f"and {sent:,} different addresses were sent; nothing more was done. Run it again with "
            "the same checkpoint: it is imported anew, which updates the contacts that are there. "
            f"If the list {report.list_sn} is complete in the console, send to it without "
            "contacts=",
            result=report.result,
            report=report,
        ).with_request_id(run.request_id(of))
    if sent and (rows is None or rejected is None):
        _log.warning(
            "import %s: the platform does not say %s, so that missing contacts cannot be noticed; "
            "%d different addresses were sent (%s)",
            report.import_sn,
            "how many rows the file has" if rows is None else "how many rows it rejected",
            sent,
            f"fileCnt {rows}, insertCnt {report.result.inserted}, "
            f"duplicateCnt {report.result.duplicates}, errCnt {rejected}",
        )


def check_rejected(run: Runner, report: ImportReport, max_rejected: float | None) -> None:
    """Let no campaign go to a list that lacks too many.

    Raises:
        ImportIncomplete: more rows were rejected than allowed.
    """
    if is_complete_enough(report, max_rejected):
        return
    known = report.result.errors is not None
    rejected = report.rejected_count if known else "an unknown number"
    raise ImportIncomplete(
        f"{rejected} of {report.result.file_count} rows were rejected by the platform, "
        f"more than max_rejected={max_rejected}; nothing was sent",
        result=report.result,
        report=report,
    ).with_request_id(run.request_id(steps.get_import))


def is_complete_enough(report: ImportReport, max_rejected: float | None) -> bool:
    """Judge an import by its rejected rows: a number of them, a share, or any."""
    if max_rejected is None:
        return True
    if report.result.errors is None and report.result.error_url:
        # Rows were rejected, and the platform does not say how many.
        return False
    return are_few_enough(report.rejected_count, report.result.file_count, max_rejected)


def text_of_part(step: AnyStep) -> str:
    """Name the part of the contacts that a step is about, if there are several."""
    return f" (part {step.part} of {step.parts})" if step.parts > 1 else ""
