"""自動化: events that start or end a script for its recipients."""

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
        """Start or end a script for up to 100 recipients, and return the outcome for each.

        Not repeatable: a second event can send a second mail. After it was handed to the socket, it
        runs to its answer, even if the caller is cancelled.

        Args:
            workflow: Code of the script, from the console.
            event: Whether the script starts or ends.
            recipients: The recipients; each address once.
            observer: Is notified when the request is sent, and of its outcome.

        Raises:
            OutcomeUnknown: it is unknown whether the event took effect; never repeat it.
            NotOffered: this account or platform has no such endpoint.
        Source: POST /v1/automation/event; notes 2026
        """
        people = _as_tuple(recipients)
        raise_problems(
            [
                *problems_of_line("workflow", workflow),
                *problems_of_type(
                    "event", event, AutomationEvent, "AutomationEvent.TRIGGER or .TERMINATE"
                ),
                *_problems_of_recipients(people),
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
                "recipients": [_encode(each) for each in people],
            },
            decode=later_answers.decode_event,
            look_for="at the script's figures in the console (自動化)",
        )
        # The frame must not keep recipients, because error reporters print the variables of frames.
        del recipients, people
        return await self._api.call(request, observer=observer)


def _as_tuple(recipients: Iterable[Recipient]) -> tuple[Recipient, ...]:
    """Return recipients as a tuple; another type is unchanged, so that the check reports it."""
    if isinstance(recipients, (str, bytes)) or not isinstance(recipients, Iterable):
        return cast("tuple[Recipient, ...]", recipients)
    return tuple(recipients)


def _encode(recipient: Recipient) -> dict[str, object]:
    variables = {"variables": dict(recipient.variables)} if recipient.variables else {}
    return {"name": recipient.name, "address": recipient.address, **variables}


def _problems_of_recipients(recipients: object) -> Iterator[Problem]:
    """Yield the problems of the recipients of an event, without addresses."""
    if not isinstance(recipients, tuple):
        yield wrong_type("recipients", recipients, "a list of Recipient(name, address)")
        return
    if not recipients:
        yield Problem("recipients", "required", "is empty; add at least one")
    elif len(recipients) > MOST_RECIPIENTS:
        yield Problem(
            "recipients",
            "too-many",
            f"has {len(recipients)} recipients, but {MOST_RECIPIENTS} are allowed; divide them, "
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
                f"is also the address of recipients[{first}]; remove one of the two, because the "
                "platform does not document duplicates",
            )
