"""How many requests an import and a send are likely to take."""

from __future__ import annotations

from typing import Final

from newsleopard_async.models.options import Polling

__all__ = ["estimated_requests"]

_FIXED: Final = 4
"""The list is looked up and made, the import is begun, the campaign is submitted.

The upload of a file goes to the storage, which is not the API's.
"""

# Nobody documents how long an import takes; these are guesses on the slow side.
_IMPORT_S: Final = 8.0
_ROWS_PER_S: Final = 5_000


def estimated_requests(rows: int) -> int:
    """Estimate the requests of importing so many rows into a new list and sending to it."""
    return _FIXED + _polls(_IMPORT_S + rows / _ROWS_PER_S) if rows else 0


def _polls(job_s: float) -> int:
    """Count the looks at a job of so many seconds, by the default polling."""
    polling = Polling()
    polls, elapsed_s, wait_s = 1, 0.0, polling.first_s
    while elapsed_s < min(job_s, polling.deadline_s):
        elapsed_s += wait_s
        wait_s = min(polling.max_s, wait_s * polling.factor)
        polls += 1
    return polls
