"""A test bench that runs durable sends by hand: a database, an emulator and their clock."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from newsleopard_async import NewsLeopard, RetryPolicy
from newsleopard_async.durable import Durable, SendSpec, SendStatus
from newsleopard_async.durable.accounts import Clients
from newsleopard_async.durable.attempt_runner import AttemptRunner
from newsleopard_async.durable.engine import SendAttempt
from newsleopard_async.durable.ledger import Ledger, SendRow
from newsleopard_async.emulator import Emulator
from newsleopard_async.testing import ManualClock
from tests.clients import Bench, connected, csv_of
from tests.constants import CAMPAIGN

__all__ = ["Desk", "at_desk", "lose_answers", "opened"]


@contextlib.asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[Durable]:
    """Open the sends of a database, as another process would; contacts may be anywhere."""
    async with Durable(url, shared_folder=Path("/"), **options) as durable:
        yield durable


@attrs.frozen
class Desk:
    """Sends in a database whose attempts a test runs by hand.

    Attributes:
        durable: Where they are started.
        bench: The client and the emulator.
        runner: Carries attempts, as a worker's does.
        file: The contacts.
    """

    durable: Durable
    bench: Bench
    runner: AttemptRunner
    file: Path

    @property
    def emulator(self) -> Emulator:
        """The platform."""
        return self.bench.emulator

    @property
    def ledger(self) -> Ledger:
        """The ledger, behind the face."""
        return self.durable._ledger

    def spec(self, **given: Any) -> SendSpec:
        """Make a spec with contacts."""
        return SendSpec(
            **{"campaign": CAMPAIGN, "contacts": str(self.file), "list_name": "會員", **given}
        )

    async def start(self, send_key: str = "k", **given: Any) -> SendStatus:
        """Start a send, to a list of its own."""
        given = {"list_name": f"會員 {send_key}"} | given
        return await self.durable.start_send(self.spec(**given), send_key=send_key)

    async def row(self, send_key: str = "k") -> SendRow:
        """Return what the ledger has of a send."""
        row = await self.ledger.read(send_key)
        assert row is not None
        return row

    async def run_attempt(self, send_key: str = "k") -> SendStatus:
        """Carry the last attempt at a send, whether or not it is due."""
        await self.runner.run((await self.row(send_key)).last)
        return await self.durable.status(send_key)

    async def expected(self, send_key: str = "k", up_to: int = 20) -> list[int]:
        """Number the attempts at a send that the engine has still to begin."""
        asked = [SendAttempt(send_key, number) for number in range(up_to)]
        return sorted(each.number for each in await self.durable._engine.expected(asked))


@contextlib.asynccontextmanager
async def at_desk(
    url: str,
    folder: Path,
    *,
    clients: Callable[[str], NewsLeopard] | None = None,
    contacts: Any = None,
    retry: RetryPolicy | None = None,
    **options: Any,
) -> AsyncIterator[Desk]:
    """Open a database and an emulator with a clock that begins now.

    Args:
        url: The database.
        folder: Gets the file of contacts.
        clients: The factory; by default there is one client.
        contacts: Opens contacts.
        retry: The client's.
        options: The emulator's.
    """
    file = folder / "members.csv"
    file.write_text(csv_of(3), encoding="utf-8")
    clock = ManualClock(datetime.now(UTC))
    async with (
        connected(clock=clock, retry=retry, **options) as bench,
        opened(url, contacts=contacts) as durable,
    ):
        made = Clients(clients or (lambda _: bench.nl))
        runner = AttemptRunner(
            durable._ledger, durable.store, durable._database, made, durable._contacts
        )
        yield Desk(durable, bench, runner, file)


def lose_answers(durable: Durable, monkeypatch: Any, times: int = 1) -> None:
    """Let the next calls take effect at the database, and their answers be lost."""
    database = durable._database
    once, left = database._once, [database] * times

    def lose(work: Callable[[Any], Any], answer_s: float) -> Any:
        from newsleopard_async.stores.database import _DatabaseFailure

        done = once(work, answer_s)
        if not left or isinstance(done, _DatabaseFailure):
            return done
        left.pop()
        return _DatabaseFailure("away", "the connection was lost")

    monkeypatch.setattr(database, "_once", lose)
