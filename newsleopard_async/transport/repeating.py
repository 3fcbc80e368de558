"""What may be repeated, after which failure: a table, and the one function that reads it.

The documentation prints `WHAT_MAY_BE_REPEATED`, and the tests hold the two together.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from newsleopard_async.transport.outcome import Answer, Failure, NotSent, Outcome

__all__ = ["WHAT_MAY_BE_REPEATED", "Action", "Kind", "decide", "may_have_worked"]


class Kind(enum.Enum):
    """What a request does, as far as repeating it is concerned; a row of the table each."""

    READ = "every read (GET, metrics)"
    IMPORT = "file ticket, text import"
    UPLOAD = "PUT to storage"
    STOP = "pause, delete, removal by EQ"
    CREATE = "create list, export"
    SUBMIT = "submit, submit A/B, once, the PUT of once, automation"

    @property
    def repeatable(self) -> bool:
        """Whether a repetition changes nothing, so that a lost reply costs nothing."""
        return self not in (Kind.CREATE, Kind.SUBMIT)


class Action(enum.Enum):
    """What to do about a failure."""

    REPEAT = "repeat"
    UNKNOWN = "`OutcomeUnknown`"


_REPEATABLE: Final = dict.fromkeys(Failure, Action.REPEAT)

_AT_MOST_ONCE: Final = {
    Failure.REFUSED: Action.REPEAT,
    Failure.NOT_SENT: Action.REPEAT,
    Failure.SERVER_ERROR: Action.UNKNOWN,
    Failure.REPLY_LOST: Action.UNKNOWN,
}

WHAT_MAY_BE_REPEATED: Final[Mapping[Kind, Mapping[Failure, Action]]] = {
    kind: _REPEATABLE if kind.repeatable else _AT_MOST_ONCE for kind in Kind
}


def decide(kind: Kind, outcome: Outcome, attempt: int, *, empty_500_once: bool = False) -> bool:
    """Say whether the table allows another attempt after this one."""
    if outcome.failure is None or (isinstance(outcome, NotSent) and outcome.way_out):
        return False
    if empty_500_once and _is_empty_500(outcome):
        return attempt == 1
    return WHAT_MAY_BE_REPEATED[kind][outcome.failure] is Action.REPEAT


def may_have_worked(outcome: Outcome) -> bool:
    """Say whether a request may have taken effect though it failed."""
    return outcome.failure in (Failure.SERVER_ERROR, Failure.REPLY_LOST)


def _is_empty_500(outcome: Outcome) -> bool:
    return isinstance(outcome, Answer) and outcome.status == 500 and not outcome.body.strip()
