"""Status, pause and deletion of campaigns, as the vendor's notes have them (T124 to T129)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from newsleopard_async.emulator import Emulator
from tests.constants import START
from tests.emulator.api import AB_BODY, BODY, Api, HandClock, changed, make

pytestmark = pytest.mark.asyncio

QUIET = {"bounce_share": 0.0, "open_share": 0.0}
SLOW = {"send_base_s": 0.0, "mails_per_s": 10.0}
"""Switches with which a mail goes out every tenth of a second."""


def later(**switches: Any) -> tuple[Emulator, HandClock]:
    """Build an emulator that has the later endpoints."""
    return make(later_endpoints=True, **switches)


def scheduled(seconds: float, body: dict[str, Any] = BODY) -> dict[str, Any]:
    """Return a campaign for so long after the clock's start."""
    text = f"{START + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.000Z"
    return changed(body, {"config.schedule.type": 1, "config.schedule.scheduleDate": text})


async def accepted(api: Api, body: dict[str, Any], count: int = 10) -> str:
    """Submit a campaign to a new list of so many, and return its code."""
    return str((await api.submit(body, await api.filled_list(count))).json()["sn"])


def path(sn: str) -> str:
    """Return where the status of a campaign is, and its pause."""
    return f"/v1/campaign/normal/{sn}"


async def state(api: Api, sn: str) -> str:
    """Return the state that the status has."""
    return str((await api.get(path(sn))).json()["status"])


async def test_status_has_every_field_of_the_notes() -> None:
    """A campaign that was sent at once has its times, and no schedule (T124, T125)."""
    emulator, clock = later(**QUIET)
    async with Api(emulator) as api:
        sn = await accepted(api, BODY)
        clock.advance(1)
        sending = (await api.get(path(sn))).json()
        clock.advance(59)
        complete = (await api.get(path(sn))).json()

    begin = "2026-01-05T02:01:00"
    assert sending == {
        "sn": sn,
        "name": "活動名稱",
        "hasContent": [True],
        "status": "SENDING",
        "channel": 0,
        "sendTimeType": "NOW",
        "type": "REGULAR",
        "proportion": None,
        "scheduledDate": None,
        "sentBeginDate": f"{begin}.000Z",
        "sentEndDate": None,
        "updateDate": f"{begin}Z",
    }
    end = {"sentEndDate": "2026-01-05T02:01:02.00Z", "updateDate": "2026-01-05T02:01:02Z"}
    assert complete == {**sending, "status": "COMPLETE", **end}


async def test_status_of_a_test_goes_from_its_schedule_to_its_end() -> None:
    """The path serves A/B tests, too: two contents, a share, and the state TESTING (T126)."""
    emulator, clock = later(**QUIET, status_form="numbers", date_form="seconds")
    async with Api(emulator) as api:
        sn = await accepted(api, scheduled(120, AB_BODY), 40)
        answers = []
        for seconds in (0, 60, 3_600, 60):
            clock.advance(seconds)
            answers.append((await api.get(path(sn))).json())

    begin = int(START.timestamp()) + 120
    assert [answer["status"] for answer in answers] == [
        "PREPARE_TO_SENT",
        "TESTING",
        "SENDING",
        "COMPLETE",
    ]
    assert {(answer["sendTimeType"], answer["type"]) for answer in answers} == {(1, 1)}
    assert {answer["scheduledDate"] for answer in answers} == {begin}
    assert [answer["sentBeginDate"] for answer in answers] == [None, begin, begin, begin]
    assert [answer["updateDate"] - begin for answer in answers] == [-60, 0, 3_600, 3_602]
    assert (answers[0]["hasContent"], answers[0]["proportion"]) == ([True, True], 10)


@pytest.mark.parametrize(
    "name",
    ["DRAFT", "OVER_LIMIT", "EMPTY_RECIPIENT", "STOP", "UNAUTHENTICATED_SENDER", "SOMETHING_NEW"],
)
async def test_status_shows_the_state_that_a_campaign_came_to(name: str) -> None:
    """A scripted state is in the status, with the instant at which it arose (T66)."""
    emulator, clock = later()
    emulator.script_campaign(name)
    async with Api(emulator) as api:
        sn = await accepted(api, scheduled(120))
        before = (await api.get(path(sn))).json()
        clock.advance(3_600)
        after = (await api.get(path(sn))).json()

    assert (before["status"], before["updateDate"]) == ("PREPARE_TO_SENT", "2026-01-05T02:01:00Z")
    assert (after["status"], after["updateDate"]) == (name, "2026-01-05T02:02:00Z")
    assert (after["sentBeginDate"], after["sentEndDate"]) == (None, None)


@pytest.mark.parametrize("method", ["GET"])
@pytest.mark.parametrize(
    ("form", "status", "body"), [("40007", 400, b'{"code":"40007"}'), ("404", 404, b"")]
)
async def test_unknown_campaign_is_answered_as_the_switch_says(
    method: str, form: str, status: int, body: bytes
) -> None:
    """``unknown_campaign`` is the refusal of a code that no campaign has (T124)."""
    emulator, _ = later(unknown_campaign=form)
    async with Api(emulator) as api:
        answer = await api.request(method, path("none"))

    assert (answer.status_code, answer.content) == (status, body)
