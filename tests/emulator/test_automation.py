"""Events for automation scripts (T133, T134)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.constants import START
from tests.emulator.api import Api, changed, make

pytestmark = pytest.mark.asyncio

PATH = "/v1/automation/event"
JOHN = {"name": "John", "address": "john@example.com", "variables": {"ORDER_ID": "A123"}}
EVENT = {"workflow": "script", "event": "TRIGGER", "recipients": [JOHN]}


async def test_event_is_logged_with_those_who_were_taken() -> None:
    """Each event is stored: the script, the event, its recipients, and the time (T133)."""
    emulator, clock = make(later_endpoints=True)
    async with Api(emulator) as api:
        answers = [await api.post(PATH, EVENT)]
        clock.advance(5)
        answers.append(await api.post(PATH, EVENT | {"event": "TERMINATE"}))

    assert [each.json() for each in answers] == [
        {"success": ["john@example.com"], "failure": {}}
    ] * 2
    [first, second] = emulator.automation_events
    [john] = first.recipients
    assert (john.name, john.address, john.variables) == tuple(JOHN.values())
    assert (first.workflow, first.event, first.at) == ("script", "TRIGGER", START)
    assert (second.event, (second.at - START).total_seconds()) == ("TERMINATE", 5)


async def test_recipients_are_judged_one_by_one() -> None:
    """Bad addresses and values of 100 characters fail alone, in the notes' words (T134)."""
    emulator, _ = make(later_endpoints=True)
    recipients = [
        {"name": "", "address": "short@b.cc", "variables": {"A": "值" * 99}},
        {"name": "x", "address": "long@b.cc", "variables": {"A": "", "B": "值" * 100}},
        {"name": "x", "address": "no-address"},
        {"name": "x", "address": "bare@b.cc"},
    ]
    async with Api(emulator) as api:
        answer = await api.post(PATH, EVENT | {"recipients": recipients})
        failed = await api.post(PATH, EVENT | {"recipients": recipients[1:2]})

    long = "Invalid: the value of recipient variables should under 100 characters"
    assert answer.json() == {
        "success": ["short@b.cc", "bare@b.cc"],
        "failure": {
            "long@b.cc": long,
            "no-address": "Invalid: address is not a valid email format",
        },
    }
    assert (failed.status_code, failed.json()) == (
        200,
        {"success": [], "failure": {"long@b.cc": long}},
    )
    assert [len(each.recipients) for each in emulator.automation_events] == [2, 0]


async def test_address_that_is_named_twice_is_taken_twice() -> None:
    """Nothing is said of doubles, so each of them starts the script (T134)."""
    emulator, _ = make(later_endpoints=True)
    async with Api(emulator) as api:
        answer = await api.post(PATH, EVENT | {"recipients": [JOHN] * 2})

    assert answer.json()["success"] == ["john@example.com"] * 2
    assert len(emulator.automation_events[0].recipients) == 2


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"workflow": ""}, "workflow"),
        ({"event": "START"}, "event"),
        ({"event": "trigger"}, "event"),
        ({"recipients": ...}, "recipients"),
        ({"recipients": []}, "recipients"),
        ({"recipients": JOHN}, "recipients"),
        ({"recipients": [JOHN] * 101}, "recipients"),
        ({"recipients": [JOHN, "john@example.com"]}, "recipients[1]"),
        ({"recipients": [JOHN | {"address": ""}]}, "recipients[0].address"),
        ({"recipients": [{"address": "john@example.com"}]}, "recipients[0].name"),
        ({"recipients": [JOHN | {"phone": "1"}]}, "recipients[0].phone"),
        ({"recipients": [JOHN | {"variables": None}]}, "recipients[0].variables"),
        ({"recipients": [JOHN | {"variables": {"A": 1}}]}, "recipients[0].variables.A"),
        ({"status": "ok"}, "status"),
    ],
)
async def test_unknown_event_is_refused(changes: Mapping[str, Any], field: str) -> None:
    """A body of another form is refused with 40001, and no recipient is accepted (T133)."""
    emulator, _ = make(later_endpoints=True)
    async with Api(emulator) as api:
        answer = await api.post(PATH, changed(EVENT, changes))

    assert (answer.status_code, answer.json()["code"]) == (400, "40001")
    assert list(answer.json()["invalidFields"]) == [field]
    assert emulator.automation_events == ()


async def test_hundred_recipients_are_taken_and_a_lenient_server_needs_no_name() -> None:
    """A hundred is the most in one event (T133)."""
    emulator, _ = make(later_endpoints=True, strict=False)
    async with Api(emulator) as api:
        answer = await api.post(PATH, EVENT | {"recipients": [{"address": "a@b.cc"}] * 100})

    assert len(answer.json()["success"]) == 100
