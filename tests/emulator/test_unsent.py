"""An empty outbox says why it is empty, and what can be done about it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from newsleopard_async.emulator import Emulator
from tests.emulator.api import AB_BODY, BODY, ONCE_BODY, Api, HandClock, changed, make

pytestmark = pytest.mark.asyncio

SCHEDULED = changed(
    BODY,
    {"config.schedule": {"type": 1, "timezone": 21, "scheduleDate": "2026-01-05T04:00:00.000Z"}},
)
Scene = Callable[[Api, HandClock], Awaitable[object]]


async def nothing(api: Api, clock: HandClock) -> None:
    """Ask for something else than a campaign."""
    await api.create_list()


async def into_empty_list(api: Api, clock: HandClock) -> None:
    """Submit before the import into the list has ended."""
    list_sn = await api.create_list("VIP會員名單")
    await api.import_text("EMAIL,NAME\na@example.com,A\n", list_sn)
    await api.submit(BODY, list_sn)


async def into_stuck_list(api: Api, clock: HandClock) -> None:
    """Submit to a list whose import never ends."""
    api.emulator.stick_import()
    await into_empty_list(api, clock)


async def without_upload(api: Api, clock: HandClock) -> None:
    """Submit to a list whose file was never uploaded."""
    list_sn = await api.create_list()
    await api.post(f"/v1/contacts/imports/{list_sn}/file", {})
    await api.submit(BODY, list_sn)


async def dropped(api: Api, clock: HandClock) -> None:
    """Submit over a connection that is reset."""
    list_sn = await api.filled_list(1)
    api.emulator.drop_request("submit_campaign")
    with pytest.raises(httpx.ReadError):
        await api.submit(BODY, list_sn)


async def scheduled(api: Api, clock: HandClock) -> None:
    """Submit for later."""
    await api.submit(SCHEDULED, await api.filled_list(1))


async def begun(api: Api, clock: HandClock) -> None:
    """Submit, and read the outbox immediately."""
    await api.submit(BODY, await api.filled_list(1))


async def emptied(api: Api, clock: HandClock) -> None:
    """Let the only recipient leave before the campaign is due, while others arrive."""
    list_sn = await api.filled_list(1)
    await api.submit(SCHEDULED, list_sn)
    api.emulator.exclude("u0@example.com")
    clock.advance(7_200 - 60 - 3)
    await api.import_text("EMAIL,NAME\na@example.com,A\n", list_sn)
    clock.advance(3)


async def too_few(api: Api, clock: HandClock) -> None:
    """Test with fewer recipients than two halves need."""
    await api.submit(AB_BODY, await api.filled_list(2))


async def over_balance(api: Api, clock: HandClock) -> None:
    """Let a recipient arrive whom the balance does not cover any more."""
    list_sn = await api.filled_list(1)
    await api.submit(SCHEDULED, list_sn)
    await api.import_text("EMAIL,NAME\na@example.com,A\n", list_sn)
    api.emulator.balance = 0
    clock.advance(7_200)


async def unverified(api: Api, clock: HandClock) -> None:
    """Take the sender's verification away before the campaign is due."""
    await scheduled(api, clock)
    api.emulator.switch(verified_senders=())
    clock.advance(7_200)


async def paused(api: Api, clock: HandClock) -> None:
    """Pause before it is due."""
    sn = (await api.submit(SCHEDULED, await api.filled_list(1))).json()["sn"]
    await api.request("PATCH", f"/v1/campaign/normal/{sn}")


async def deleted(api: Api, clock: HandClock) -> None:
    """Delete before it is due."""
    sn = (await api.submit(SCHEDULED, await api.filled_list(1))).json()["sn"]
    await api.delete("/v1/campaign/normal", {"campaignSnList": [sn]})


async def scripted(api: Api, clock: HandClock) -> None:
    """Script a state."""
    api.emulator.script_campaign("SENDING")
    await begun(api, clock)


async def once(api: Api, clock: HandClock) -> None:
    """Submit without lists, and upload nothing."""
    await api.reserve(ONCE_BODY)


async def three(api: Api, clock: HandClock) -> None:
    """Submit three, of which none is due."""
    list_sn = await api.filled_list(1)
    for _ in range(3):
        await api.submit(SCHEDULED, list_sn)


IN_LIST = "the import into the list 'VIP會員名單' is PROCESSING"
REASONS: list[tuple[Scene, str, str]] = [
    (nothing, "no campaign was submitted", "submit one"),
    (
        into_empty_list,
        (
            "no campaign was accepted: the last submit got status 400; "
            f"{IN_LIST} until 2026-01-05 02:00:08.000Z, and the clock is at "
            "2026-01-05 02:00:00.000Z"
        ),
        "needs a list with contacts",
    ),
    (into_stuck_list, f"{IN_LIST} for ever", "needs a list with contacts"),
    (without_upload, "waits for its upload", "needs a list with contacts"),
    (dropped, "the last submit got the fault drop_request", "read the client's error"),
    (
        scheduled,
        ("is scheduled for 2026-01-05 04:00:00.000Z, and the clock is at 2026-01-05 02:01:00.000Z"),
        "advance the emulator's clock by 7,140.000 s",
    ),
    (begun, "sends its first mail at 2026-01-05 02:01:02.000Z", "clock by 2.000 s"),
    (
        emptied,
        (
            "is in EMPTY_RECIPIENT: it had no subscribed recipient when it was due; the import "
            "into the list 'VIP會員名單' is PROCESSING until"
        ),
        "import contacts first",
    ),
    (too_few, "is in INSUFFICIENT_RECIPIENT_FOR_TESTING", "raise the proportion"),
    (over_balance, "is in OVER_LIMIT", "raise emulator.balance"),
    (unverified, "is in UNAUTHENTICATED_SENDER", "verified_senders"),
    (paused, "is in STOP: it was paused", "submit it again"),
    (deleted, "was deleted", "submit it again"),
    (scripted, "is in SENDING, as script_campaign set", "call clear_faults()"),
    (once, "waits for its contacts", "upload them"),
    (three, "02:01:00.000Z; 2 others have sent nothing either", "clock by 7,140.000 s"),
]


@pytest.mark.parametrize(
    ("scene", "reason", "way_out"), REASONS, ids=[scene.__name__ for scene, *_ in REASONS]
)
async def test_empty_outbox_says_why(scene: Scene, reason: str, way_out: str) -> None:
    """The error has the reason and the way out; the outbox shows the reason."""
    emulator, clock = make(later_endpoints=True)
    async with Api(emulator) as api:
        await scene(api, clock)

    outbox = emulator.outbox

    with pytest.raises(IndexError, match=re.escape(reason)) as caught:
        outbox[0]
    assert str(caught.value).startswith("outbox[0]: the outbox is empty: ")
    assert way_out in str(caught.value)
    assert reason in repr(outbox)
    assert repr(outbox).startswith("<Outbox of 0 mails: ")
    assert list(outbox) == []


async def test_index_beyond_the_end_says_how_many_there_are() -> None:
    """Whether more mails will follow is said, too."""
    emulator, clock = make(send_base_s=0, mails_per_s=1)
    async with Api(emulator) as api:
        await api.submit(BODY, await api.filled_list(3))
        clock.advance(1)

        errors = [_error(emulator, 1)]
        clock.advance(60)
        errors += [_error(emulator, 3), _error(emulator, -4)]

    assert errors == [
        (
            "outbox[1]: 1 mail was sent, and 2 more will be sent until 2026-01-05 02:01:03.000Z; "
            "the clock is at 2026-01-05 02:01:01.000Z"
        ),
        "outbox[3]: 3 mails were sent",
        "outbox[-4]: 3 mails were sent",
    ]
    assert repr(emulator.outbox) == "<Outbox of 3 mails>"


def _error(emulator: Emulator, index: int) -> Any:
    with pytest.raises(IndexError) as caught:
        emulator.outbox[index]
    return str(caught.value)
