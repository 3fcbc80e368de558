"""What the documentation does not have: T63 and T122 to T135."""

from __future__ import annotations

import pytest

from newsleopard_async import InsufficientBalance
from tests.emulator.api import BODY
from tests.points.cells import not_offered
from tests.points.means import SN, codes_of, error_of, platform, submit

ROUTES = [
    ("DELETE", f"/v1/contacts/{SN}"),
    ("POST", "/v1/campaign/normal/once"),
    ("POST", "/v1/campaign/testing/once"),
    ("DELETE", "/v1/campaign/normal"),
    ("GET", f"/v1/campaign/normal/{SN}"),
    ("PATCH", f"/v1/campaign/normal/{SN}"),
    ("POST", "/v1/report/campaigns/metrics"),
    ("GET", "/v1/templates"),
    ("GET", "/v1/templates/1"),
    ("POST", "/v1/automation/event"),
    ("GET", "/v1/balance"),
]
"""Methods and paths of the notes."""

pytestmark = pytest.mark.asyncio
not_offered("T63", *(f"T{number}" for number in range(122, 136)))


@pytest.mark.parametrize("profile_is_lenient", [False, True])
@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_emulator_has_no_later_endpoint(
    method: str, path: str, profile_is_lenient: bool
) -> None:
    """An endpoint that only the notes have is 404 (T63, T122 to T135)."""
    async with platform(strict=not profile_is_lenient) as (api, _):
        assert (await api.request(method, path)).status_code == 404


async def test_balance_is_seen_by_its_refusal_only() -> None:
    """The balance falls when a campaign is accepted, and 40012 is its only sign (T135)."""
    error = await error_of(submit, {"code": 40012}, 400)
    async with platform() as (api, _):
        list_sn = await api.filled_list(60)
        api.emulator.balance = 100
        assert (await api.submit(BODY, list_sn)).status_code == 200
        assert api.emulator.balance == 40
        assert codes_of(await api.submit(BODY, list_sn)) == (400, 40012)

    assert type(error) is InsufficientBalance


async def test_states_of_a_campaign_have_names_of_the_notes() -> None:
    """``campaigns[…].state(now)`` is the emulator's own look at what no endpoint says (T124)."""
    async with platform() as (api, clock):
        await api.submit(BODY, await api.filled_list(1))
        before = api.emulator.campaigns[0].state(clock.now())
        clock.advance(60)

    assert (before, api.emulator.campaigns[0].state(clock.now())) == ("SENDING", "COMPLETE")
