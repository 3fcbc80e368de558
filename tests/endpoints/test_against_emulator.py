"""Each endpoint does its work at a stateful platform."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import attrs
import pytest

from newsleopard_async import (
    ABTest,
    ContactFilter,
    ImportStatus,
    ReportType,
    SendAt,
    with_lists,
)
from tests.clients import connected, csv_of
from tests.constants import AB_TESTS, CAMPAIGN
from tests.observers import RecordingObserver

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)


async def test_list_is_created_and_listed() -> None:
    """A new list has the given name, no contacts, and the returned code."""
    async with connected() as bench:
        sn = await bench.nl.contacts.create_list("VIP會員名單")

        [row] = await bench.nl.contacts.list_lists()

    assert (row.sn, row.name, row.subscribed_count) == (sn, "VIP會員名單", 0)
    assert (row.status, row.is_segment, row.created) == ("GENERAL", False, bench.clock.now())


@pytest.mark.parametrize("grouped", [True, False])
async def test_text_is_imported(grouped: bool) -> None:
    """Contacts given as text become known, and join the list if one is named."""
    async with connected() as bench:
        sn = await bench.nl.contacts.create_list("會員") if grouped else None
        import_sn = await bench.nl.contacts.import_text(csv_of(3), sn)
        await bench.clock.sleep(60)
        result = await bench.nl.contacts.get_import(import_sn)

    assert (result.import_sn, result.status) == (import_sn, ImportStatus.COMPLETE)
    assert (result.file_count, result.inserted, result.errors) == (3, 3, 0)
    assert result.error_url is None
    assert len(bench.emulator.contacts) == 3
    assert [len(each.members) for each in bench.emulator.lists] == ([3] if grouped else [])


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("as_path", [True, False])
async def test_file_is_uploaded_and_imported(tmp_path: Path, grouped: bool, as_path: bool) -> None:
    """The import begins with the upload to the ticket's URL, which gets no key."""
    file = tmp_path / "會員.csv"
    file.write_text(csv_of(150), encoding="utf-8", newline="")
    async with connected() as bench:
        sn = await bench.nl.contacts.create_list("會員") if grouped else None
        ticket = await bench.nl.contacts.start_file_import(sn)
        before = await bench.nl.contacts.get_import(ticket.import_sn)
        await bench.nl.contacts.upload(ticket, file if as_path else file.read_bytes())
        await bench.clock.sleep(60)
        result = await bench.nl.contacts.get_import(ticket.import_sn)

    assert (before.status, before.status.is_final) == ("PROCESSING", False)
    assert (result.status.is_success, result.inserted) == (True, 150)
    assert len(bench.emulator.contacts) == 150


async def test_rejected_rows_can_be_fetched(tmp_path: Path) -> None:
    """An import with bad rows says how many, and where they are."""
    async with connected() as bench:
        import_sn = await bench.nl.contacts.import_text(csv_of(2) + "no-address,誰\n")
        await bench.clock.sleep(60)
        result = await bench.nl.contacts.get_import(import_sn)

    assert (result.status.is_success, result.inserted, result.errors) == (True, 2, 1)
    assert result.error_url is not None
    assert "Signature" not in repr(result)


async def test_campaign_is_accepted_and_sent() -> None:
    """A submitted campaign has a code, goes out, and is then among the finished ones."""
    async with connected() as bench:
        ready = with_lists(CAMPAIGN, [await bench.make_list(5)])
        now = bench.clock.now()
        sn = await bench.nl.campaigns.submit(ready)
        await bench.clock.sleep(3_600)
        listed = await bench.nl.reports.list_campaigns(start=now - DAY, end=now + DAY)
        latest = await bench.nl.reports.list_campaigns()

    assert [(each.sn, each.name) for each in listed] == [(sn, "週年慶")]
    assert listed == latest
    assert listed[0].sent_begin is not None
    assert bench.emulator.submitted == 1
    assert bench.emulator.outbox[0].subject == "會員0，您的專屬優惠"


@pytest.mark.parametrize("ab_test", AB_TESTS, ids=lambda each: each.plain_kind)
async def test_ab_test_is_accepted_and_sent(ab_test: ABTest) -> None:
    """Each kind of A/B test goes out in two variants, and the rest later."""
    async with connected() as bench:
        ready = with_lists(ab_test, [await bench.make_list(8)])
        await bench.nl.campaigns.submit_ab_test(ready)
        await bench.clock.sleep(60)
        early = [mail.variant for mail in bench.emulator.outbox]
        await bench.clock.sleep(86_400)

    assert sorted(early) == ["A", "A", "B", "B"]
    assert len(bench.emulator.outbox) == 8


async def test_scheduled_campaign_waits_for_its_time() -> None:
    """A scheduled campaign is accepted now and sent then."""
    async with connected() as bench:
        when = bench.clock.now() + timedelta(hours=2)
        ready = with_lists(CAMPAIGN, [await bench.make_list()])
        await bench.nl.campaigns.submit(attrs.evolve(ready, schedule=SendAt(when)))
        await bench.clock.sleep(3_600)
        early = len(bench.emulator.outbox)
        await bench.clock.sleep(7_200)

    assert (early, len(bench.emulator.outbox)) == (0, 3)
    assert bench.emulator.campaigns[0].begins == when


async def test_report_is_exported_and_downloaded(tmp_path: Path) -> None:
    """No links exist before the export; after it, each file is downloaded without the key."""
    async with connected() as bench:
        sn = await bench.send()
        before = await bench.nl.reports.get_links(sn)
        await bench.nl.reports.export(sn)
        await bench.clock.sleep(60)
        links = await bench.nl.reports.get_links(sn)
        size_bytes = await bench.nl.reports.download(links[0], tmp_path / "delivery.csv")

    assert before == ()
    assert links[0].type == ReportType.DELIVERY
    assert {link.type for link in links} <= ReportType.known
    [record] = [each for each in bench.emulator.requests if each.operation == "download"]
    assert record.headers.keys() == {"host"}
    content = (tmp_path / "delivery.csv").read_bytes()
    assert len(content) == size_bytes
    assert content.startswith(b"EMAIL,NAME,")


async def test_observer_is_told_the_code_first() -> None:
    """An observer that stores the code is awaited before the call returns."""
    observer = RecordingObserver()

    async with connected() as bench:
        lists = [await bench.make_list()]
        first = await bench.nl.campaigns.submit(with_lists(CAMPAIGN, lists), observer=observer)
        second = await bench.nl.campaigns.submit_ab_test(
            with_lists(AB_TESTS[0], lists), observer=observer
        )

    assert observer.told == [
        "on_sending",
        f"on_accepted {first}",
        "on_sending",
        f"on_accepted {second}",
    ]


@pytest.mark.parametrize("removal_from", ["list", "account"])
async def test_contacts_are_removed_by_a_filter(removal_from: str) -> None:
    """Removal from the account forgets an unsubscription, and an import adds the contact (T63)."""
    async with connected(profile="vendor-2026") as bench:
        bench.emulator.switch(removal_from=removal_from)
        sn = await bench.make_list()
        address, *others = bench.emulator.lists[0].members
        bench.emulator.exclude(address)
        await bench.nl.contacts.remove_contacts(sn, ContactFilter("MAIL_ADDRESS", "EQ", address))
        left = [*bench.emulator.lists[0].members]
        await bench.nl.contacts.import_text(f"EMAIL,NAME\n{address},小華\n", sn)
        await bench.clock.sleep(60)
        [row] = await bench.nl.contacts.list_lists()

    assert left == others
    assert row.excluded_count == (1 if removal_from == "list" else 0)


@pytest.mark.parametrize("is_test", [False, True])
async def test_campaign_is_sent_once_to_an_upload(is_test: bool) -> None:
    """Nothing is sent before the upload, and no contact is stored after it (T122, T123)."""
    async with connected(profile="vendor-2026") as bench:
        campaigns = bench.nl.campaigns
        if is_test:
            ticket = await campaigns.submit_ab_test_once(AB_TESTS[0])
        else:
            ticket = await campaigns.submit_once(CAMPAIGN)
        await bench.clock.sleep(600)
        before = (await campaigns.get_status(ticket.campaign_sn)).state
        await campaigns.upload_once(ticket, csv_of(40).encode())
        await bench.clock.sleep(30 * 86_400)
        after = (await campaigns.get_status(ticket.campaign_sn)).state

    assert (before, after) == ("PREPARE", "COMPLETE")
    assert (bench.emulator.mailings, len({mail.to for mail in bench.emulator.outbox})) == (1, 40)
    assert len(bench.emulator.contacts) == 0
