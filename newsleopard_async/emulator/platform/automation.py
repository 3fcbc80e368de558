"""Events for automation scripts (自動化腳本), with a check of each recipient (T133, T134).

No script runs and no mail is sent: a test reads the log of the events.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import attrs

from newsleopard_async.emulator.platform.csvimport import is_email
from newsleopard_async.emulator.platform.fields import FieldCheck
from newsleopard_async.emulator.switches import SwitchBoard

__all__ = ["Automation", "EventRecipient", "EventRecord"]

EVENTS: Final = ("TRIGGER", "TERMINATE")
MOST_RECIPIENTS: Final = 100
"""Source: the vendor's notes (T133)."""

VALUE_LIMIT_CHARS: Final = 100
"""Source: the vendor's notes. A value must be shorter than 100 characters (T134)."""

BAD_ADDRESS: Final = "Invalid: address is not a valid email format"
LONG_VALUE: Final = "Invalid: the value of recipient variables should under 100 characters"


@attrs.frozen(kw_only=True)
class EventRecipient:
    """One recipient of an event.

    Attributes:
        address: The address, unchanged.
        name: The name, unchanged.
        variables: Values for the script's mails.
    """

    address: str
    name: str
    variables: Mapping[str, str]

    @property
    def fault(self) -> str | None:
        """Why the recipient is refused, in the words of the vendor's notes; None if accepted."""
        if not is_email(self.address):
            return BAD_ADDRESS
        is_long = any(len(value) >= VALUE_LIMIT_CHARS for value in self.variables.values())
        return LONG_VALUE if is_long else None


@attrs.frozen(kw_only=True)
class EventRecord:
    """One accepted event.

    Attributes:
        workflow: The script's id.
        event: ``TRIGGER`` or ``TERMINATE``.
        recipients: The accepted recipients; one that was named twice is in it twice.
        at: When the event arrived.
    """

    workflow: str
    event: str
    recipients: tuple[EventRecipient, ...]
    at: datetime


class Automation:
    """The events of the account's scripts."""

    def __init__(self, board: SwitchBoard) -> None:
        self.events: list[EventRecord] = []
        self._board = board

    def send(self, content: bytes, now: datetime) -> tuple[list[str], dict[str, str]]:
        """Accept an event; return the accepted addresses, and the reason for each refused one.

        Raises:
            Refused: 40001 with all wrong fields.
        """
        check = FieldCheck(self._board.on)
        body = check.body(content)
        check.refuse_unknown(body, "", {"workflow", "event", "recipients"})
        workflow = check.text(body, "", "workflow")
        event = check.word(body, "", "event", EVENTS)
        recipients = _read_recipients(check, body)
        check.finish()
        taken = tuple(each for each in recipients if each.fault is None)
        self.events.append(EventRecord(workflow=workflow, event=event, recipients=taken, at=now))
        refused = {each.address: each.fault for each in recipients if each.fault is not None}
        return [each.address for each in taken], refused


def _read_recipients(check: FieldCheck, body: Mapping[str, Any]) -> list[EventRecipient]:
    value = body.get("recipients")
    if not isinstance(value, list):
        check.refuse("recipients", "NotNull" if value is None else "InvalidType")
    elif not value:
        check.refuse("recipients", "NotEmpty")
    elif len(value) > MOST_RECIPIENTS:
        check.refuse("recipients", "Range")
    else:
        return [_read_recipient(check, each, f"recipients[{i}]") for i, each in enumerate(value)]
    return []


def _read_recipient(check: FieldCheck, value: object, path: str) -> EventRecipient:
    if not isinstance(value, dict):
        check.refuse(path, "InvalidType")
        return EventRecipient(address="", name="", variables={})
    check.refuse_unknown(value, path, {"name", "address", "variables"})
    if check.on.strict and "name" not in value:
        check.refuse(f"{path}.name", "NotNull")
    name = check.text(value, path, "name", optional=True)
    address = check.text(value, path, "address")
    variables = check.mapping(value, path, "variables") if "variables" in value else {}
    texts = {
        key: check.text(variables or {}, f"{path}.variables", key, optional=True)
        for key in variables or {}
    }
    return EventRecipient(address=address, name=name, variables=texts)
