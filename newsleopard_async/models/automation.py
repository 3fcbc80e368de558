"""Automation (自動化): events that start or end a script for a person, and their outcome."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from newsleopard_async.errors import Problem
from newsleopard_async.models.reports import HidesContact
from newsleopard_async.models.validation import (
    problems_of_encoding,
    problems_of_line,
    raise_problems,
    wrong_type,
)
from newsleopard_async.plain import Plain

__all__ = ["MOST_RECIPIENTS", "AutomationEvent", "EventOutcome", "Recipient"]

MOST_RECIPIENTS: Final = 100
"""Recipients of one event. Source: notes 2026 (T133)."""

LONGEST_VALUE: Final = 99
"""Characters of a variable's value. Source: "under 100 characters" in the notes of 2026 (T134)."""


class AutomationEvent(enum.Enum):
    """The event that starts or ends a script. Source: notes 2026 (T133)."""

    TRIGGER = "TRIGGER"
    TERMINATE = "TERMINATE"


@attrs.frozen(repr=False)
class Recipient(HidesContact, Plain):
    """A person for whom a script starts or ends.

    Attributes:
        name: The person's name; can be empty.
        address: Mail address. The platform refuses a malformed address, but not the others.
        variables: Values for the script by name, of at most 99 characters each.
    Source: POST /v1/automation/event; notes 2026.
    """

    name: str
    address: str
    variables: Mapping[str, str] = attrs.field(factory=dict, hash=False)

    def __attrs_post_init__(self) -> None:
        raise_problems(
            [
                *self._problems_of_name(),
                *problems_of_line("address", self.address),
                *_problems_of_variables(self.variables),
            ]
        )

    def _problems_of_name(self) -> Iterator[Problem]:
        if self.name != "":
            yield from problems_of_line("name", self.name)

    def __rich_repr__(self) -> Iterator[tuple[str, object]]:
        yield "variables", len(self.variables)


def _problems_of_variables(variables: object) -> Iterator[Problem]:
    if not isinstance(variables, Mapping):
        yield wrong_type("variables", variables, "a mapping of names to texts")
        return
    for place, (name, value) in enumerate(variables.items()):
        if not isinstance(name, str) or not name.strip():
            yield Problem(
                f"variables[{place}]", "name", "has an empty name; use a text as its name"
            )
            continue
        field = f"variables[{name!r}]"
        if not isinstance(value, str):
            yield wrong_type(field, value, "text")
        elif len(value) > LONGEST_VALUE:
            yield Problem(
                field,
                "too-long",
                f"is {len(value)} characters long; use at most {LONGEST_VALUE}",
            )
        else:
            yield from problems_of_encoding(field, name)
            yield from problems_of_encoding(field, value)


@attrs.frozen(kw_only=True, repr=False)
class EventOutcome(HidesContact, Plain):
    """The outcome of an event for each person.

    Attributes:
        accepted: Addresses for which the platform accepted the event.
        refused: Reasons in the platform's words, by the refused address.
    Source: POST /v1/automation/event; notes 2026.
    """

    accepted: tuple[str, ...] = ()
    refused: Mapping[str, str] = attrs.field(factory=dict, hash=False)

    def __rich_repr__(self) -> Iterator[tuple[str, object]]:
        yield "accepted", len(self.accepted)
        yield "refused", len(self.refused)
