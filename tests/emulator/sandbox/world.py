"""An account with mails of three campaigns, for the tests of the sandbox."""

from __future__ import annotations

from datetime import datetime

from newsleopard_async.emulator.emulator import account_of
from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.sandbox.bodies import OutboxQuery
from newsleopard_async.emulator.sandbox.mails import find_mails
from newsleopard_async.emulator.sandbox.slices import catch_up, in_slices
from newsleopard_async.emulator.sandbox.views import MailsFound
from tests.emulator.api import AB_BODY, BODY, Api, HandClock, changed, make

__all__ = ["World", "filled"]


class World:
    """An account, with shortcuts for the searches of tests."""

    def __init__(self, api: Api, clock: HandClock, sns: tuple[str, ...]) -> None:
        self.api = api
        self.clock = clock
        self.account: Account = account_of(api.emulator)
        self.list_sn, *self.campaigns = sns

    async def now(self) -> datetime:
        """Process all that is due, and return the emulator's time."""
        return await catch_up(self.account)

    async def mails(self, **wanted: object) -> MailsFound:
        """Search mails."""
        found = find_mails(self.account, OutboxQuery(**wanted), await self.now())  # type: ignore[arg-type]  # as the test says
        return await in_slices(self.account, found)


async def filled() -> World:
    """Create an account: 40 contacts, two regular campaigns at the same time, and an A/B test."""
    emulator, clock = make(mails_per_s=4.0, open_share=0.5, bounce_share=0.1)
    api = Api(emulator)
    list_sn = await api.filled_list(40)
    first = await api.submit(changed(BODY, {"form.name": "first"}), list_sn)
    second = await api.submit(
        changed(BODY, {"form.name": "second", "content.htmlContent": "<p>Only here, ${P}</p>"}),
        list_sn,
    )
    clock.advance(3_600)
    test = await api.submit(changed(AB_BODY, {"content.testing.proportion": 50}), list_sn)
    clock.advance(86_400)
    sns = (list_sn, *(answer.json()["sn"] for answer in (first, second, test)))
    return World(api, clock, sns)
