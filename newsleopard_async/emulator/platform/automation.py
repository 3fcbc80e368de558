"""Events for automation scripts (自動化腳本), each recipient judged alone (T133, T134).

No script runs and no mail goes out: a test looks at the log of what the scripts were told.
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
VALUE_LIMIT_CHARS: Final = 100
"""A value of so many characters is refused: they are to be under 100 (T134)."""

BAD_ADDRESS: Final = "Invalid: address is not a valid email format"
LONG_VALUE: Final = "Invalid: the value of recipient variables should under 100 characters"


@attrs.frozen(kw_only=True)
class EventRecipient:
    """Whom an event is about.

    Attributes:
        address: As it came.
        name: As it came.
        variables: Values for the script's mails.
    """

    address: str
    name: str
    variables: Mapping[str, str]

    @property
    def fault(self) -> str | None:
        """Why he is refused, in the words of the vendor's notes; None if he is taken."""
        if not is_email(self.address):
            return BAD_ADDRESS
        is_long = any(len(value) >= VALUE_LIMIT_CHARS for value in self.variables.values())
        return LONG_VALUE if is_long else None


@attrs.frozen(kw_only=True)
class EventRecord:
    """One event that was taken.

    Attributes:
        workflow: The script's id.
        event: ``TRIGGER`` or ``TERMINATE``.
        recipients: Those who were taken, each as often as he was named.
        at: When.
    """

    workflow: str
    event: str
    recipients: tuple[EventRecipient, ...]
    at: datetime


class Automation:
    """What the scripts of the account were told."""

    def __init__(self, board: SwitchBoard) -> None:
        self.events: list[EventRecord] = []
        self._board = board

    def send(self, content: bytes, now: datetime) -> tuple[list[str], dict[str, str]]:
        """Take an event, and return who was taken and who was refused, with the reason.

        Raises:
            Refused: 40001 with every field that is wrong.
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
