"""The recipients of an automation event, and its outcome."""

from __future__ import annotations

from typing import Any

import pytest

from newsleopard_async.models import ContactFilter, EventOutcome, Recipient
from tests.models.examples import problems_of


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"name": "", "address": "a@example.com"}, []),
        ({"name": "A", "address": "odd", "variables": {"ORDER": "9" * 99}}, []),
        ({"name": "A\n", "address": ""}, [("name", "one-line"), ("address", "required")]),
        ({"name": 7, "address": "a@example.com"}, [("name", "type")]),
        ({"name": "A", "address": "a", "variables": ["x"]}, [("variables", "type")]),
        (
            {"name": "A", "address": "a", "variables": {"ORDER": "9" * 100, " ": "1", "N": 1}},
            [
                ("variables['ORDER']", "too-long"),
                ("variables[1]", "name"),
                ("variables['N']", "type"),
            ],
        ),
        (
            {"name": "A", "address": "a", "variables": {"\ud800": "\ud800"}},
            [("variables['\\ud800']", "encoding")] * 2,
        ),
    ],
)
def test_recipient_that_would_be_refused_cannot_be_built(
    arguments: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """All problems come at once; a malformed address is for the platform to refuse, alone."""
    assert problems_of(Recipient, **arguments) == expected


def test_recipient_is_built_by_place() -> None:
    """Name, address and variables are known by their place."""
    assert Recipient("A", "a@example.com", {"N": "1"}).variables == {"N": "1"}


def test_no_contact_is_shown() -> None:
    """Neither a recipient nor an outcome shows an address, a name or a value."""
    recipient = Recipient("Ann", "ann@example.com", {"ORDER": "A123"})
    outcome = EventOutcome(accepted=("ann@example.com",), refused={"bob": "no"})

    assert repr(recipient) == "Recipient(variables=1)"
    assert repr(outcome) == "EventOutcome(accepted=1, refused=1)"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"field": "NAME", "operator": "EQ", "value": "A"}, []),
        (
            {"field": "", "operator": "eq", "value": " "},
            [("field", "required"), ("operator", "choice"), ("value", "required")],
        ),
    ],
)
def test_filter_is_whole(arguments: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """A filter that lacks something could remove everybody."""
    assert problems_of(ContactFilter, **arguments) == expected


@pytest.mark.parametrize(
    ("operator", "is_negative"),
    [("EQ", False), ("LIKE", False), ("NOT_EQ", True), ("NOT_LIKE", True)],
)
def test_filter_knows_whether_it_means_all_others(operator: Any, is_negative: bool) -> None:
    """A negative filter needs a second confirmation."""
    found = ContactFilter("MAIL_ADDRESS", operator, "ann@example.com")

    assert found.is_negative is is_negative
    assert "ann" not in repr(found)
