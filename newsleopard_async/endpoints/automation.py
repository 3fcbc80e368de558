"""自動化: events that start or end a script for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

import attrs

from newsleopard_async.disclosure import hides_variables
from newsleopard_async.errors import Problem
from newsleopard_async.models import AutomationEvent, EventOutcome, Recipient
from newsleopard_async.models.automation import MOST_RECIPIENTS
from newsleopard_async.models.validation import (
    problems_of_line,
    problems_of_type,
    raise_problems,
    wrong_type,
)
from newsleopard_async.transport.api import Api
from newsleopard_async.transport.observer import Observer
from newsleopard_async.transport.repeating import Kind
from newsleopard_async.transport.request import Request
from newsleopard_async.transport.wire import later_answers

__all__ = ["Automation"]


@attrs.frozen
class Automation:
    """Automation (自動化)."""

    _api: Api

    @hides_variables
    async def send_event(
        self,
        workflow: str,
        event: AutomationEvent,
        recipients: Iterable[Recipient],
        *,
        observer: Observer | None = None,
    ) -> EventOutcome:
        """Start or end a script for up to 100 people, and return what became of each.

        Not repeatable: a second event may send a second mail. Once handed to the socket it runs
        to its answer, even if the caller is cancelled.

        Args:
            workflow: Code of the script, from the console.
            event: What happens to it.
            recipients: For whom; each address once.
            observer: Sees it leave and what becomes of it.

        Raises:
            OutcomeUnknown: it may or may not have taken effect; never repeat it.
            NotOffered: this account or platform has no such endpoint.
        Source: POST /v1/automation/event; notes 2026
        """
        given = _as_tuple(recipients)
        raise_problems(
            [
                *problems_of_line("workflow", workflow),
                *problems_of_type(
                    "event", event, AutomationEvent, "AutomationEvent.TRIGGER or .TERMINATE"
                ),
                *_problems_of_recipients(given),
            ]
        )
        request = Request(
            name="send_event",
            method="POST",
            path="/v1/automation/event",
            kind=Kind.SUBMIT,
            later=True,
            body={
                "workflow": workflow,
                "event": event.value,
                "recipients": [_encode(each) for each in given],
            },
            decode=later_answers.decode_event,
            look_for="at the script's figures in the console (自動化)",
        )
        # Bound to no other name: it is people, and reporters of errors print the frames.
        del recipients, given
        return await self._api.call(request, observer=observer)


def _as_tuple(recipients: Iterable[Recipient]) -> tuple[Recipient, ...]:
    """Return them as a tuple; a value of another type is handed on, for the check to name it."""
    if isinstance(recipients, (str, bytes)) or not isinstance(recipients, Iterable):
        return cast("tuple[Recipient, ...]", recipients)
    return tuple(recipients)


def _encode(recipient: Recipient) -> dict[str, object]:
    variables = {"variables": dict(recipient.variables)} if recipient.variables else {}
    return {"name": recipient.name, "address": recipient.address, **variables}


def _problems_of_recipients(recipients: object) -> Iterator[Problem]:
    """Yield what is wrong with the recipients of an event; no address is shown."""
    if not isinstance(recipients, tuple):
        yield wrong_type("recipients", recipients, "several of Recipient(name, address)")
        return
    if not recipients:
        yield Problem("recipients", "required", "is empty; name at least one")
    elif len(recipients) > MOST_RECIPIENTS:
        yield Problem(
            "recipients",
            "too-many",
            f"has {len(recipients)} recipients, and {MOST_RECIPIENTS} are allowed; divide them, "
            "or use workflows.trigger_automation",
        )
    seen: dict[str, int] = {}
    for place, each in enumerate(recipients):
        if not isinstance(each, Recipient):
            yield wrong_type(f"recipients[{place}]", each, "Recipient(name, address)")
            continue
        first = seen.setdefault(each.address.strip().lower(), place)
        if first != place:
            yield Problem(
                f"recipients[{place}].address",
                "unique",
                f"is that of recipients[{first}] too; what happens to it twice is not known",
            )
