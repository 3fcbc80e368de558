"""Snapshot, restore and reset of an emulator's state."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
from hypothesis import HealthCheck, given, settings

from newsleopard_async.emulator import Emulator, Switches
from newsleopard_async.emulator.platform import mailings
from newsleopard_async.emulator.platform.account_state import (
    capture_state,
    decode_rows,
    encode_rows,
    restore_state,
)
from newsleopard_async.emulator.platform.blobs import BlobWriter
from tests.emulator.api import AB_BODY, BODY, ONCE_BODY, Api, HandClock, changed, make, rows
from tests.emulator.stories import STORY, Step, play, state_of

pytestmark = pytest.mark.anyio

RICH: list[Step] = [
    ("list", 1),
    ("import", 1),
    ("file", 1),
    ("bad file", 1),
    ("minute", 0),
    ("minute", 0),
    ("submit", 0),
    ("schedule", 0),
    ("test", 0),
    ("once", 1),
    ("test once", 2),
    ("minute", 0),
    ("remove", 1),
    ("export", 0),
    ("export", 1),
    ("lost upload", 0),
    ("event", 1),
    ("fail", 0),
    ("script", 1),
    ("exclude", 3),
    ("template", 1),
    ("switch", 3),
    ("file", 3),
]
"""Something of everything, some of it still to come."""

GOING_ON: list[Step] = [
    ("hours", 0),
    ("react", 1),
    ("links", 0),
    ("webhooks", 0),
    ("pause", 1),
    ("submit", 0),
    ("submit", 0),
    ("minute", 0),
    ("list", 4),
    ("hours", 5),
    ("metrics", 2),
    ("links", 0),
]

OTHERWISE: list[Step] = [
    ("delete", 1),
    ("switch", 1),
    ("import", 3),
    ("remove", 4),
    ("test", 0),
    ("hours", 3),
    ("export", 0),
    ("throttle", 1),
    ("links", 2),
]


def _make() -> tuple[Emulator, HandClock]:
    return make(later_endpoints=True, export_per_campaign_s=10.0, bounce_share=0.1)


async def _twice(before: list[Step], otherwise: list[Step], after: list[Step]) -> None:
    emulator, clock = _make()
    await play(emulator, before)
    there_s = clock.elapsed_s
    emulator.snapshot("before")
    answers = await play(emulator, after)
    truth = state_of(emulator)
    clock.elapsed_s = there_s
    emulator.restore("before")
    await play(emulator, otherwise)
    clock.elapsed_s = there_s

    emulator.restore("before")

    assert await play(emulator, after) == answers
    assert state_of(emulator) == truth


async def test_same_story_gives_the_same_answers_after_a_restore() -> None:
    """Codes, mails, reports and refusals are the same, byte for byte."""
    await _twice(RICH, OTHERWISE, GOING_ON)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STORY, STORY, STORY)
def test_any_story_gives_the_same_answers_after_a_restore(
    backend: str, before: list[Step], otherwise: list[Step], after: list[Step]
) -> None:
    """This is true for any steps before and after a snapshot."""
    anyio.run(_twice, RICH[:12] + before, otherwise, after, backend=backend)


async def _compared(before: list[Step], after: list[Step]) -> None:
    plain, _ = _make()
    await play(plain, before)
    expected = await play(plain, after)
    emulator, clock = _make()
    await play(emulator, before)
    emulator.snapshot("now")
    kept = capture_state(emulator._account)
    written: dict[str, list[bytes]] = {}
    for name, row in encode_rows(kept):
        written.setdefault(name, []).append(row)
    other, other_clock = make()
    other_clock.elapsed_s = clock.elapsed_s

    read = decode_rows(written, blobs=kept.blobs, now=kept.now, monotonic_s=kept.monotonic_s)
    restore_state(other._account, read, from_file=True)

    assert state_of(other) == state_of(emulator)
    assert await play(emulator, after) == expected
    assert await play(other, after) == expected
    assert state_of(other) == state_of(emulator) == state_of(plain)


async def test_state_goes_on_in_another_emulator_as_in_this_one() -> None:
    """A snapshot disturbs nothing, and a written state is the whole state."""
    await _compared(RICH, GOING_ON)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STORY, STORY)
def test_any_state_goes_on_in_another_emulator(before: list[Step], after: list[Step]) -> None:
    """This is true for a state after any steps."""
    anyio.run(_compared, RICH[:12] + before, after)


def _upload_without_judging(emulator: Emulator, count: int) -> None:
    account = emulator._account
    job = account.imports.create(None, None, emulator.clock.now())
    account.imports.upload(job, BlobWriter.of(rows(count).encode()), emulator.clock.now())


async def test_file_that_is_being_judged_is_judged_again() -> None:
    """Half-done work is neither lost nor kept half."""
    emulator, clock = make()
    _upload_without_judging(emulator, 5_000)
    slices = emulator._account.catching_up()
    for _ in range(3):
        next(slices)
    emulator.snapshot("half")
    for _ in slices:
        pass
    clock.advance(60)
    found = list(emulator.contacts)

    emulator.restore("half")

    assert list(emulator.contacts) == found
    assert len(found) == 5_000
    assert emulator.imports[0].status == "COMPLETE"


@pytest.mark.slow
async def test_state_is_whole_at_every_slice_of_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot amid a long import, mailing, pause or removal ends as the work itself does."""
    monkeypatch.setattr(mailings, "AT_ONE_GO", 100)
    emulator, clock = make(later_endpoints=True, mails_per_s=1.0)
    account = emulator._account
    async with Api(emulator) as api:
        list_sn = await api.filled_list(3_000)
        sent = (await api.submit(BODY, list_sn)).json()["sn"]
        once = (await api.reserve(ONCE_BODY)).json()["sn"]
        clock.advance(600)
        now = account.catch_up()
    _upload_without_judging(emulator, 2_000)
    blob = BlobWriter.of(rows(2_000, prefix="o").encode())
    account.once.upload(account.campaigns.all[once], blob, now)
    account.campaigns.pause(account.campaigns.all[sent], now)
    test = json.dumps(changed(AB_BODY, {"form.selectedLists": [list_sn]})).encode()
    account.campaigns.submit(test, is_test=True, now=now)
    leaving = b'{"field":"MAIL_ADDRESS","operator":"LIKE","value":"7@"}'
    account.removals.remove(leaving, list_sn, now)
    clock.advance(600)

    there_s = clock.elapsed_s
    for number, _ in enumerate(account.catching_up()):
        emulator.snapshot(str(number))
    clock.advance(40_000)
    truth = state_of(emulator)

    assert len(emulator.snapshots) > 20
    for name in emulator.snapshots[::3]:
        clock.elapsed_s = there_s
        emulator.restore(name)
        for _ in account.catching_up():
            pass
        assert account.present() == clock.now()
        clock.advance(40_000)
        assert state_of(emulator) == truth


async def test_report_that_is_being_written_is_written_again() -> None:
    """A file of which half is written is whole after a restore."""
    emulator, clock = make()
    async with Api(emulator) as api:
        sn = (await api.submit(BODY, await api.filled_list(3_000))).json()["sn"]
        clock.advance(3_600)
        await api.post(f"/v1/report/{sn}/export")
        clock.advance(60)
        url = (await api.get(f"/v1/report/{sn}/link")).json()["Reports"][0]["link"]
        file = emulator._account.storage.open(urlsplit(url).path)
        file.write_on()
        file.write_on()
        emulator.snapshot("half")
        whole = (await api.fetch(url)).content

        emulator.restore("half")

        assert (await api.fetch(url)).content == whole
    assert whole.count(b"\n") > 2_000


async def test_webhook_on_its_way_is_delivered_again() -> None:
    """A restore loses no webhook."""

    class Snapping(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            emulator.snapshot("on its way")
            return httpx.Response(204)

    emulator, clock = make()
    async with Api(emulator) as api:
        ask = {"webhookUrl": "http://127.0.0.1:9/hook"}
        ticket = (await api.post("/v1/contacts/imports/file", ask)).json()
        await api.put(ticket["url"], rows(2).encode())
    clock.advance(60)
    emulator._account.webhooks._transport = Snapping()
    made = await emulator.deliver_webhooks()

    emulator.restore("on its way")

    assert emulator.webhooks == ()
    assert await emulator.deliver_webhooks() == made
    assert await emulator.deliver_webhooks() == ()


async def test_request_that_has_not_ended_is_kept_as_it_was() -> None:
    """What becomes of it after a snapshot is not in there."""
    emulator, _ = make()
    async with Api(emulator) as api:
        ticket = (await api.post("/v1/contacts/imports/file")).json()

        async def pieces() -> AsyncIterator[bytes]:
            yield content[:100_000]
            emulator.snapshot("amid")
            yield content[100_000:]

        content = rows(5_000).encode()
        headers = {"content-length": str(len(content))}
        await api.put(ticket["url"], pieces(), headers=headers)
        ended = emulator.requests[-1].status

        emulator.restore("amid")

    assert (ended, emulator.requests[-1].operation) == (200, "upload")
    assert emulator.requests[-1].status is None


async def test_request_that_judges_goes_over_to_the_restored_state() -> None:
    """A check of a file stops if a restore has removed the file."""
    emulator, clock = make()
    emulator.snapshot("empty")
    _upload_without_judging(emulator, 5_000)
    slices = emulator._account.catching_up()
    next(slices)

    emulator.restore("empty")
    _upload_without_judging(emulator, 10)
    left = sum(1 for _ in slices)

    clock.advance(60)
    assert left < 5
    assert len(emulator.contacts) == 10


async def test_restore_does_not_move_the_clock() -> None:
    """What was due meanwhile happens at once, each thing at its own instant."""
    emulator, clock = make()
    async with Api(emulator) as api:
        await api.submit(BODY, await api.filled_list(3))
        emulator.snapshot("accepted")
        accepted = clock.now()
        clock.advance(3_600)

        emulator.restore("accepted")

        campaign = emulator.campaigns[0]
    assert clock.now() == accepted + timedelta(hours=1)
    assert campaign.sent_begin == accepted
    assert campaign.state(clock.now()) == "COMPLETE"


async def test_what_happened_is_undone_by_a_restore_alone() -> None:
    """A wall clock that is set back changes nothing; a restore takes the present back."""
    emulator, clock = make()
    async with Api(emulator) as api:
        await api.import_text(rows(2))
    emulator.snapshot("uploaded")
    clock.advance(60)
    assert len(emulator.contacts) == 2

    clock.wall_behind_s = 60.0

    assert len(emulator.contacts) == 2
    emulator.restore("uploaded")
    assert len(emulator.contacts) == 0
    clock.wall_behind_s = 0.0
    assert len(emulator.contacts) == 2


async def test_limits_are_restored() -> None:
    """A day that was used up is used up again."""
    emulator = Emulator(clock=HandClock(), switches=Switches(requests_per_s=None))
    async with Api(emulator) as api:
        emulator.exhaust_day()
        emulator.snapshot("exhausted")
        emulator.reset()
        free = await api.get("/v1/contacts/lists")

        emulator.restore("exhausted")
        refused = await api.get("/v1/contacts/lists")

    assert (free.status_code, refused.status_code) == (200, 429)


async def test_what_was_handed_out_stays() -> None:
    """Mails that a test holds do not change under its hands."""
    emulator, clock = make()
    async with Api(emulator) as api:
        await api.submit(BODY, await api.filled_list(3))
        clock.advance(3_600)
        outbox, contacts = emulator.outbox, emulator.contacts

        emulator.reset()

    assert (len(outbox), outbox[0].to, len(contacts)) == (3, "u0@example.com", 3)
    assert len(emulator.outbox) == len(emulator.contacts) == 0


async def test_upload_that_a_restore_overtakes_goes_to_the_restored_state() -> None:
    """A file whose import the restored state has too is imported there."""
    emulator, clock = make()
    async with Api(emulator) as api:
        ticket = (await api.post("/v1/contacts/imports/file")).json()
        emulator.snapshot("asked")

        async def pieces() -> AsyncIterator[bytes]:
            yield content[:100_000]  # more than is read ahead
            emulator.restore("asked")
            yield content[100_000:]

        content = rows(5_000).encode()
        headers = {"content-length": str(len(content))}
        answer = await api.put(ticket["url"], pieces(), headers=headers)
        clock.advance(60)

        result = await api.result(ticket["import_sn"])

    assert answer.status_code == 200
    assert (result["status"], result["fileCnt"]) == ("COMPLETE", 5_000)


async def test_reset_makes_it_as_it_was_made() -> None:
    """After a reset, a story gives the answers that it gives to a new emulator."""
    new, _ = _make()
    expected = await play(new, RICH)
    emulator, clock = _make()
    emulator.balance = 7
    async with Api(emulator) as held:
        await play(emulator, [*RICH, *OTHERWISE])
        clock.elapsed_s = 0.0

        emulator.reset()

        assert state_of(emulator) == state_of(_make()[0])
        assert await play(emulator, RICH) == expected
        assert state_of(emulator) == state_of(new)
        assert (await held.get("/v1/contacts/lists")).status_code == 503


async def test_reset_keeps_clock_address_listeners_and_snapshots() -> None:
    """These belong to the emulator, not to its state."""
    emulator, clock = make()
    emulator.latency_s = 0.5
    emulator.move_to("http://127.0.0.1:1", storage_url="http://127.0.0.1:2")
    emulator.snapshot("first")
    clock.advance(5)

    for change in (emulator.reset, lambda: emulator.restore("first")):
        before = emulator.changes
        change()

        assert emulator.changes > before
        assert emulator.snapshots == ("first",)
        assert (emulator.base_url, emulator.storage_url, emulator.latency_s) == (
            "http://127.0.0.1:1",
            "http://127.0.0.1:2",
            0.5,
        )
        assert clock.elapsed_s == 5


async def test_snapshots_have_names() -> None:
    """Names identify them; they are listed in the order in which they were taken."""
    emulator, _ = make()

    with pytest.raises(LookupError, match="'a' does not exist; take one"):
        emulator.restore("a")
    with pytest.raises(ValueError, match="name: "):
        emulator.snapshot("")
    for name in ("a", "b", "a"):
        emulator.snapshot(name)
    assert ", ".join(emulator.snapshots) == "b, a"
    with pytest.raises(LookupError, match="'c' does not exist; choose one of 'b', 'a'"):
        emulator.forget_snapshot("c")
    emulator.forget_snapshot("b")
    assert ", ".join(emulator.snapshots) == "a"
