"""Which requests can be repeated after which failure: a table, and the function that reads it.

The documentation prints `WHAT_MAY_BE_REPEATED`, and a test compares the two.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from newsleopard_async.transport.outcome import Answer, Failure, NotSent, Outcome

__all__ = ["WHAT_MAY_BE_REPEATED", "Action", "Kind", "decide", "may_have_worked"]


class Kind(enum.Enum):
    """The effect of a request, as far as repeating matters: one row of the table each."""

    READ = "every read (GET, metrics)"
    IMPORT = "start of a file import, text import"
    UPLOAD = "PUT to storage"
    STOP = "pause, delete, removal by EQ"
    CREATE = "create list, export"
    SUBMIT = "submit, submit A/B, once, the PUT of once, automation"

    @property
    def repeatable(self) -> bool:
        """Whether a repetition changes nothing, so that a lost reply does no harm."""
        return self not in (Kind.CREATE, Kind.SUBMIT)


class Action(enum.Enum):
    """What to do after a failure."""

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
    """Return whether the table allows another attempt after this one."""
    if outcome.failure is None or (isinstance(outcome, NotSent) and outcome.way_out):
        return False
    if empty_500_once and _is_empty_500(outcome):
        return attempt == 1
    return WHAT_MAY_BE_REPEATED[kind][outcome.failure] is Action.REPEAT


def may_have_worked(outcome: Outcome) -> bool:
    """Return whether a request has possibly taken effect although it failed."""
    return outcome.failure in (Failure.SERVER_ERROR, Failure.REPLY_LOST)


def _is_empty_500(outcome: Outcome) -> bool:
    return isinstance(outcome, Answer) and outcome.status == 500 and not outcome.body.strip()
