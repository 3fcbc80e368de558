"""A run is withdrawn before it has submitted, in any process; or it is too late."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from newsleopard_async import InUse, InvalidRequest, workflows
from newsleopard_async.stores import Kept, Store
from newsleopard_async.workflows.withdrawal import withdraw
from tests.clients import connected, csv_of
from tests.constants import CAMPAIGN
from tests.faults.world import SEND_KEY
from tests.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

NEW: dict[str, Any] = {"contacts": csv_of(3), "list_name": "會員", "send_key": SEND_KEY}


@attrs.define
class WithdrawnAt:
    """A store in which a run is withdrawn just before or after one of its saves.

    Attributes:
        number: Before which save, from 0; half a number: after it.
        was_in_time: The result of the withdrawal.
    """

    number: float
    kept: MemoryStore = attrs.field(factory=MemoryStore)
    was_in_time: bool | None = None
    saves: int = 0

    async def load(self, key: str) -> Kept | None:
        """Return the stored record."""
        return await self.kept.load(key)

    async def save(self, key: str, data: Mapping[str, Any], revision: str | None) -> str:
        """Keep the data if nothing was saved since."""
        number, self.saves = self.saves, self.saves + 1
        if number == self.number:
            self.was_in_time = await withdraw(self.kept, key)
        new = await self.kept.save(key, data, revision)
        if number + 0.5 == self.number:
            self.was_in_time = await withdraw(self.kept, key)
        return new

    def keys(self) -> Any:
        """List the keys."""
        return self.kept.keys()


@pytest.mark.parametrize("number", [each / 2 for each in range(16)])
async def test_run_that_is_withdrawn_sends_nothing_or_it_is_too_late(number: float) -> None:
    """Before and after each of its saves, the result of the withdrawal is correct."""
    store = WithdrawnAt(number)
    async with connected(store=store) as at:
        try:
            await workflows.send_campaign(at.nl, CAMPAIGN, **NEW)
        except InUse:
            assert store.was_in_time
        assert at.emulator.submitted == (0 if store.was_in_time else 1)
        if store.was_in_time:
            with pytest.raises(InvalidRequest, match="abandoned"):
                await workflows.send_campaign(at.nl, CAMPAIGN, **NEW)
        assert at.emulator.submitted == (0 if store.was_in_time else 1)

    assert store.was_in_time is not None


async def test_key_that_was_never_used_is_withdrawn_as_well() -> None:
    """A run that begins later is refused; and to withdraw it again changes nothing."""
    store = MemoryStore()

    assert await withdraw(store, SEND_KEY)
    assert await withdraw(store, SEND_KEY)

    [state] = await workflows.runs(store)
    assert (state.state, state.pipeline) == ("abandoned", "send_campaign")
    async with connected(store=store) as at:
        with pytest.raises(InvalidRequest, match="abandoned"):
            await workflows.send_campaign(at.nl, CAMPAIGN, **NEW)
    assert at.emulator.submitted == 0


@attrs.define
class LosingStore:
    """A store that does or does not accept saves, and always raises."""

    is_kept: bool
    kept: MemoryStore = attrs.field(factory=MemoryStore)

    async def load(self, key: str) -> Kept | None:
        """Return the stored record."""
        return await self.kept.load(key)

    async def save(self, key: str, data: Mapping[str, Any], revision: str | None) -> str:
        """Keep the data if nothing was saved since."""
        if self.is_kept:
            await self.kept.save(key, data, revision)
        raise ConnectionError("the answer was lost")

    def keys(self) -> Any:
        """List the keys."""
        return self.kept.keys()


async def test_save_whose_answer_was_lost_is_looked_up() -> None:
    """It was stored, or the error of the store is raised."""
    store: Store = LosingStore(is_kept=True)
    assert await withdraw(store, SEND_KEY)

    store = LosingStore(is_kept=False)
    with pytest.raises(ConnectionError):
        await withdraw(store, SEND_KEY)


async def test_what_was_submitted_cannot_be_withdrawn() -> None:
    """Only the platform can stop it."""
    store = MemoryStore()
    async with connected(store=store) as at:
        await workflows.send_campaign(at.nl, CAMPAIGN, **NEW)

        assert not await withdraw(store, SEND_KEY)

    assert at.emulator.submitted == 1
