"""Many runs of one key at once, over a store that fails, with runs that freeze and are cancelled.

Each seed is a story of its own: how many runs, when each begins, what the store and the wire do to
it. In all cases, at most one campaign is sent, its list has each contact once, and the end of
each run says the truth.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Mapping
from typing import Any, Final

import anyio
import attrs
import httpx
import pytest

from newsleopard_async import (
    InUse,
    InvalidRequest,
    NewsLeopard,
    NewsLeopardError,
    OutcomeUnknown,
    with_lists,
    workflows,
)
from newsleopard_async.stores import Kept
from newsleopard_async.workflows import Checkpoint
from tests.constants import CAMPAIGN, LIST_NAME
from tests.faults.world import FEW, SEND_KEY, RunStore, World, addresses, csv_of, world

_STORIES: Final = 10
"""How many stories a quick test tells on each event loop; each takes a fifth of a second."""


class Away(Exception):
    """The store does not answer."""


@attrs.define
class Rough(RunStore):
    """A store on the other side of a bad network: slow, and failing before or after each call.

    Attributes:
        chance: Decides.
        clock: Lets time pass.
        trouble: How often something happens, as a share of the calls.
    """

    chance: random.Random = attrs.field(factory=random.Random)
    clock: Any = None
    trouble: float = 0.0

    async def _stumble(self) -> None:
        for _ in range(self.chance.randrange(3)):
            await anyio.lowlevel.checkpoint()
        if self.chance.random() < self.trouble:
            # A frozen run wakes up when another has taken over, or is just about to.
            await self.clock.sleep(self.chance.choice((0.1, 4, 19, 25, 45)))
        if self.chance.random() < self.trouble:
            raise Away

    async def load(self, key: str) -> Kept | None:
        """Return what is kept, or fail."""
        await self._stumble()
        kept = await super().load(key)
        await self._stumble()
        return kept

    async def save(self, key: str, data: Mapping[str, Any], revision: str | None) -> str:
        """Keep it, and fail before or after."""
        await self._stumble()
        new = await super().save(key, data, revision)
        await self._stumble()
        return new


@attrs.define
class Told:
    """How the runs of a story ended.

    Attributes:
        codes: Of the campaigns that runs have named.
        strange: Errors that no run may end with.
    """

    codes: set[str] = attrs.field(factory=set)
    strange: list[BaseException] = attrs.field(factory=list)

    @contextlib.contextmanager
    def ending(self) -> Iterator[None]:
        """Take note of how a run ends."""
        try:
            yield
        except (InUse, Away, NewsLeopardError) as error:
            if isinstance(error, InvalidRequest):
                self.strange.append(error)
        except Exception as error:  # noqa: BLE001 - an error of any other kind is the finding
            self.strange.append(error)


def prepare(at: World, seed: int) -> None:
    """Use an existing list in every second story, so that its faults concern the submit."""
    if seed % 2:
        at.add_list(FEW)


def spoil(at: World, chance: random.Random) -> None:
    """Let the platform lose replies, answer late, or refuse."""
    emulator = at.emulator
    match chance.randrange(6):
        case 0:
            emulator.lose_reply_to("submit_campaign")
        case 1:
            emulator.drop_request("submit_campaign")
        case 2:
            emulator.delay("submit_campaign", seconds=chance.choice((10, 30, 55)))
        case 3:
            emulator.fail("submit_campaign", status=400, body=b'{"code":"40013","message":"x"}')
        case 4:
            emulator.hang("submit_campaign", processed=chance.random() < 0.5)
        case _:
            pass


async def tell(at: World, seed: int, *, trouble: float = 0.08) -> Told:
    """Tell a story; then let a calm run go on as far as it can."""
    chance = random.Random(seed)
    store = Rough(chance=random.Random(seed + 1), clock=at.clock, trouble=trouble)
    told = Told()
    given: dict[str, Any] = {"campaign": CAMPAIGN, "contacts": csv_of(FEW), "list_name": LIST_NAME}
    if at.sn:
        given = {"campaign": with_lists(CAMPAIGN, [at.sn])}

    async def send(nl: NewsLeopard, *, wait_for_other: bool | float = False) -> Any:
        options: Any = {"send_key": SEND_KEY, "wait_for_other": wait_for_other}
        return await workflows.send_campaign(nl, **given, **options)

    async def run(nl: NewsLeopard, number: int) -> None:
        await at.clock.sleep(chance.choice((0, 0, 0.5, 6, 21)) if number else 0)
        lasts_s = chance.choice((1e6, 1e6, 0.05, 3, 12, 40))
        waits = chance.choice((False, True, 30))
        with told.ending(), at.clock.deadline(lasts_s):
            outcome = await send(nl, wait_for_other=waits)
            told.codes.add(outcome.campaign_sn)

    spoil(at, chance)
    async with contextlib.AsyncExitStack() as stack, anyio.create_task_group() as tasks:
        for number in range(chance.randrange(2, 9)):
            nl = await stack.enter_async_context(at.client(store=store))
            tasks.start_soon(run, nl, number)
    at.emulator.clear_faults()
    store.trouble = 0
    async with at.client(store=store) as nl:
        await at.clock.sleep(7_200)
        with contextlib.suppress(OutcomeUnknown):
            told.codes.add((await send(nl)).campaign_sn)
            return told
        # It is not at the platform, and a person says so.
        assert at.emulator.submitted == 0
        kept = await Checkpoint.load(store, SEND_KEY)
        assert kept.ended is not None
        assert kept.ended.state == "held"
        await kept.resolve("resubmit")
        told.codes.add((await send(nl)).campaign_sn)
    return told


def judge(at: World, told: Told) -> None:
    """One campaign, one list, each contact once, and one code for all."""
    assert not told.strange
    assert at.emulator.submitted == 1
    [campaign] = at.emulator.campaigns
    assert told.codes == {campaign.sn}
    lists = [each for each in at.emulator.lists if each.members]
    assert [sorted(each.members) for each in lists] == [sorted(addresses(FEW))]


def stories(backend: str, count: int, first: int = 0) -> None:
    """Tell stories, each in a world of its own."""
    for seed in range(first, first + count):
        with world() as at:
            prepare(at, seed)
            told = anyio.run(tell, at, seed, backend=backend)
            try:
                judge(at, told)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}: {error}") from error


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_many_runs_of_one_key_send_one_campaign(backend: str) -> None:
    """Whichever of them freezes, is cancelled, or loses its store or its reply."""
    stories(backend, _STORIES, first=0 if backend == "asyncio" else 10_000)


@pytest.mark.slow
@pytest.mark.parametrize("first", [1_000, pytest.param(2_000, marks=pytest.mark.soak)])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_more_runs_of_one_key_send_one_campaign(backend: str, first: int) -> None:
    """The same, at length."""
    stories(backend, 60, first=first)


def test_without_the_comparison_two_campaigns_would_be_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The stories are such that a store that does not compare shows."""

    async def save(self: Rough, key: str, data: Mapping[str, Any], revision: str | None) -> str:
        del revision
        kept = await RunStore.load(self, key)
        await self._stumble()
        return await RunStore.save(self, key, data, None if kept is None else kept.revision)

    monkeypatch.setattr(Rough, "save", save)
    sent = 0
    # One in ten shows it, and these two almost always.
    for seed in (7, 13, *range(100)):
        with world() as at:
            prepare(at, seed)
            with contextlib.suppress(Exception):
                anyio.run(tell, at, seed)
            sent = max(sent, at.emulator.submitted)
        if sent > 1:
            break

    assert sent > 1


# One run that is frozen on the wire, and one that takes over


@attrs.define
class View:
    """A store as a process sees it that can be frozen.

    Attributes:
        inner: The store itself.
        thaws: Set when the process goes on.
    """

    inner: RunStore
    thaws: anyio.Event = attrs.field(init=False)

    async def load(self, key: str) -> Kept | None:
        """Return the stored record when the process continues."""
        await self.thaws.wait()
        return await self.inner.load(key)

    async def save(self, key: str, data: Mapping[str, Any], revision: str | None) -> str:
        """Keep it, when the process goes on."""
        await self.thaws.wait()
        return await self.inner.save(key, data, revision)

    def keys(self) -> Any:
        """List the keys."""
        return self.inner.keys()


@attrs.define
class Slow(httpx.AsyncBaseTransport):
    """A wire on which a submit is under way for long."""

    at: World
    submit_s: float

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on, a submit late."""
        if request.url.path.endswith("/submit"):
            await self.at.clock.sleep(self.submit_s)
        return await self.at.emulator.transport().handle_async_request(request)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("is_refused", [False, True], ids=["accepted", "refused"])
@pytest.mark.parametrize("is_early", [True, False], ids=["during the look", "after it"])
def test_answer_of_a_frozen_run_is_the_truth_for_the_one_that_took_over(
    at: World, backend: str, *, is_early: bool, is_refused: bool
) -> None:
    """It stores its result through the fence, and the other run takes it, or does the work."""
    at.add_list(FEW)
    store, ended = RunStore(), list[Any]()
    view = View(store)
    given: Any = {"send_key": SEND_KEY, "balance": None}
    ready = with_lists(CAMPAIGN, [at.sn])
    if is_refused:
        at.emulator.fail("submit_campaign", status=400, body=b'{"code":"40013","message":"x"}')

    async def send(nl: NewsLeopard, progress: Any = None) -> None:
        try:
            ended.append(await workflows.send_campaign(nl, ready, progress=progress, **given))
        except NewsLeopardError as error:
            ended.append(type(error))

    def thaw(event: workflows.Event) -> None:
        if event.step == "find_sent":
            view.thaws.set()

    async def main() -> None:
        view.thaws = anyio.Event()
        view.thaws.set()
        frozen = at.client(Slow(at, 50), store=view)
        async with frozen, at.client(store=store) as other, anyio.create_task_group() as tasks:
            tasks.start_soon(send, frozen)
            await at.clock.sleep(2)
            view.thaws = anyio.Event()
            await at.clock.sleep(40 if is_early else 25)
            at.emulator.delay("list_campaigns", seconds=20 if is_early else 1)
            await send(other, thaw)
            await at.clock.sleep(60)
            await send(other)

    anyio.run(main, backend=backend)

    [campaign] = at.emulator.campaigns
    kinds = [each if isinstance(each, type) else each.campaign_sn for each in ended]
    assert sorted(map(str, kinds)) == sorted(
        map(str, [InUse, campaign.sn if is_early else OutcomeUnknown, campaign.sn])
    )
    assert at.emulator.count("submit_campaign") == (2 if is_refused else 1)
