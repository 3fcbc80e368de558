"""Whatever the documentation leaves open is understood, or refused loudly (docs/platform.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from newsleopard_async import (
    APIError,
    CampaignNotReportable,
    CampaignSn,
    FieldError,
    GoogleAnalytics,
    ListSn,
    RateLimited,
    RateLimits,
    RetryPolicy,
    SendAt,
    StorageError,
    with_lists,
)
from newsleopard_async.emulator import Switches
from tests.clients import Bench, connected, csv_of, files_in
from tests.constants import AB_TESTS, CAMPAIGN

ONCE = RetryPolicy(max_attempts=1)
MONTH = timedelta(days=30)


@asynccontextmanager
async def switched(**switches: Any) -> AsyncIterator[Bench]:
    """Connect to an emulator with switches set."""
    async with connected(switches=Switches(**switches)) as bench:
        yield bench


@asynccontextmanager
async def exported(**switches: Any) -> AsyncIterator[tuple[Bench, CampaignSn]]:
    """Connect, and have a campaign sent and its report exported."""
    async with switched(**switches) as bench:
        sn = await bench.send()
        await bench.nl.reports.export(sn)
        await bench.clock.sleep(600)
        yield bench, sn


LIST_SWITCHES: list[dict[str, Any]] = [
    {},
    {"lists_as_array": True},
    {"counts_as_numbers": True},
    {"lists_as_array": True, "counts_as_numbers": True},
    {"default_page_size": 1},
]


@pytest.mark.anyio
@pytest.mark.parametrize("switches", LIST_SWITCHES)
async def test_lists_are_read_in_every_shape(switches: dict[str, Any]) -> None:
    """Wrapper or array, counts as text or numbers, with fields that nobody knows (T54 to T57)."""
    async with switched(**switches) as bench:
        bench.emulator.add_sample_lists()
        sn = await bench.make_list(3)
        bench.emulator.exclude("user1@example.com")
        rows = {row.sn: row for row in await bench.nl.contacts.list_lists()}

    assert (rows[sn].subscribed_count, rows[sn].excluded_count) == (2, 1)
    assert [row.name for row in rows.values() if row.sn != sn] == [
        "2019-04-01T08:38:32.569Z",
        "0412",
        "0305",
        "測試用",
    ]


@pytest.mark.anyio
@pytest.mark.parametrize("shape", ["array", "object", "wrapper"])
async def test_campaigns_are_read_in_every_shape(shape: str) -> None:
    """An array, one object, or an object around one array (T101)."""
    async with switched(campaigns_shape=shape) as bench:
        sn = await bench.send()
        now = bench.clock.now()
        found = await bench.nl.reports.list_campaigns(start=now - MONTH, end=now)
        none = await bench.nl.reports.list_campaigns(start=now, end=now + MONTH)

    assert [each.sn for each in found] == [sn]
    assert none == ()


@pytest.mark.anyio
@pytest.mark.parametrize("as_array", [True, False])
@pytest.mark.parametrize("odd", [True, False])
async def test_links_are_read_in_every_shape(as_array: bool, odd: bool, tmp_path: Path) -> None:
    """Wrapper or array; a link with a colon before it and half a suffix works (T114, T115)."""
    async with exported(reports_as_array=as_array, odd_links=odd) as (bench, sn):
        links = await bench.nl.reports.get_links(sn)
        for link in links:
            await bench.nl.reports.download(link, tmp_path / link.type)

    assert "delivery" in [link.type for link in links]
    assert files_in(tmp_path) == sorted(link.type for link in links)


@pytest.mark.anyio
async def test_answer_to_an_export_is_ignored() -> None:
    """Whatever an export answers beside its 200 means nothing (T110)."""
    async with exported(export_returns_sn=True) as (bench, sn):
        assert await bench.nl.reports.get_links(sn)


@pytest.mark.anyio
async def test_second_export_within_the_hour_is_not_sent() -> None:
    """It is refused here, with the time that is left of the hour (T111)."""
    async with exported() as (bench, sn):
        with pytest.raises(RateLimited) as caught:
            await bench.nl.reports.export(sn)

    assert 2_990 <= caught.value.retry_after_s <= 3_000
    assert bench.emulator.count("export_report") == 1


@pytest.mark.anyio
async def test_repeated_export_may_be_refused_by_the_platform() -> None:
    """Where another program exported within the hour, the refusal arrives as it is (T111)."""
    async with exported(export_repeat_is_40303=True, export_per_campaign_s=90_000) as (bench, sn):
        await bench.clock.sleep(3_600)
        with pytest.raises(CampaignNotReportable):
            await bench.nl.reports.export(sn)


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["export", "get_links"])
async def test_unfinished_campaign_is_not_reportable(name: str) -> None:
    """A campaign that is not sent yet has no report, where the platform says so (T04)."""
    async with switched(unfinished_is_40303=True) as bench:
        ready = with_lists(CAMPAIGN, [await bench.make_list()])
        later = SendAt(bench.clock.now() + MONTH)
        sn = await bench.nl.campaigns.submit(attrs.evolve(ready, schedule=later))
        with pytest.raises(CampaignNotReportable) as caught:
            await getattr(bench.nl.reports, name)(sn)

    assert (caught.value.status, caught.value.code) == (403, 40303)


@pytest.mark.anyio
async def test_running_import_with_full_counts_is_not_finished() -> None:
    """Only the state says whether an import has ended (T45)."""
    async with switched(processing_shows_counts=True) as bench:
        import_sn = await bench.nl.contacts.import_text(csv_of(5))
        result = await bench.nl.contacts.get_import(import_sn)

    assert (result.file_count, result.inserted) == (5, 5)
    assert result.completed is not None
    assert not result.status.is_final


@pytest.mark.anyio
async def test_import_without_upload_may_be_unknown() -> None:
    """The empty 400 is a refusal without a code, and says what it may mean (T23, T50)."""
    async with switched(unstarted_import_is_400=True) as bench:
        ticket = await bench.nl.contacts.start_file_import()
        with pytest.raises(APIError, match="unknown, or older than 30 days") as caught:
            await bench.nl.contacts.get_import(ticket.import_sn)

    assert (type(caught.value), caught.value.status, caught.value.code) == (APIError, 400, None)


@pytest.mark.anyio
async def test_accept_is_always_sent() -> None:
    """A platform that answers 500 without ``Accept`` never gets to do so (T10)."""
    async with switched(missing_accept_is_500=True) as bench:
        await bench.make_list(2)

    assert len(bench.emulator.contacts) == 2


@pytest.mark.anyio
async def test_flags_are_text() -> None:
    """A platform that takes text only for flags is satisfied (T76)."""
    ga = GoogleAnalytics(campaign="spring", content="logo")
    async with switched(ga_strings_only=True) as bench:
        ready = with_lists(attrs.evolve(CAMPAIGN, ga=ga), [await bench.make_list()])
        assert await bench.nl.campaigns.submit(ready)


@pytest.mark.anyio
async def test_content_stands_at_the_top_level() -> None:
    """A platform that refuses the printed, nested form is satisfied (T95)."""
    async with switched(refuse_nested_content=True) as bench:
        lists = [await bench.make_list(10)]
        for ab_test in AB_TESTS:
            assert await bench.nl.campaigns.submit_ab_test(with_lists(ab_test, lists))


@pytest.mark.anyio
@pytest.mark.parametrize("as_integers", [True, False])
@pytest.mark.parametrize("as_text", [True, False])
async def test_field_errors_are_read_in_every_shape(as_integers: bool, as_text: bool) -> None:
    """The code is text or a number; the fields are an object, or text that is the message."""
    long = attrs.evolve(CAMPAIGN, subject="主" * 151)
    async with switched(
        vendor_limits=True, codes_as_integers=as_integers, invalid_fields_as_text=as_text
    ) as bench:
        with pytest.raises(FieldError) as caught:
            await bench.unchecked().campaigns.submit(with_lists(long, [ListSn("a")]))

    assert caught.value.code == 40001
    assert caught.value.invalid_fields == ({} if as_text else {"content.subject": ("Length",)})
    assert ("欄位相關錯誤訊息" in caught.value.message) is as_text


@pytest.mark.anyio
@pytest.mark.parametrize(
    "switches",
    [
        {"second_limit_message": "too many requests"},
        {"limit_status": 403},
        {"limit_status": 500, "second_limit_message": "TOO MANY REQUESTS"},
    ],
)
async def test_limit_is_recognised_in_every_shape(switches: dict[str, Any]) -> None:
    """A refusal for the rate is told by its text, whatever its status, and is retried (T06)."""
    async with connected(
        switches=Switches(requests_per_s=2, **switches), retry=RetryPolicy(max_attempts=9)
    ) as bench:
        for number in range(6):
            await bench.nl.contacts.create_list(f"{number}")

    assert len(bench.emulator.lists) == 6
    assert bench.emulator.count("create_list") > 6


@pytest.mark.anyio
@pytest.mark.parametrize("reuse", ["same", "any", "refused"])
async def test_upload_that_lost_its_reply_is_repeated(reuse: str) -> None:
    """Where the URL takes the bytes again, the import succeeds; else the refusal is said (T22)."""
    async with switched(upload_reuse=reuse) as bench:
        ticket = await bench.nl.contacts.start_file_import()
        bench.emulator.lose_reply_to("upload")
        if reuse == "refused":
            with pytest.raises(StorageError) as caught:
                await bench.nl.contacts.upload(ticket, csv_of(2).encode())
            assert (caught.value.status, caught.value.expired) == (403, False)
        else:
            await bench.nl.contacts.upload(ticket, csv_of(2).encode())
        await bench.clock.sleep(60)

    assert len(bench.emulator.contacts) == 2
    assert bench.emulator.count("upload") == 2


@pytest.mark.anyio
async def test_expired_url_says_that_a_fresh_one_helps() -> None:
    """Both the upload's and the download's URL live for a while (T22, T118)."""
    async with exported(upload_lifetime_s=60, download_lifetime_s=60) as (bench, sn):
        ticket = await bench.nl.contacts.start_file_import()
        [link, *_] = await bench.nl.reports.get_links(sn)
        await bench.clock.sleep(61)
        with pytest.raises(StorageError) as upload:
            await bench.nl.contacts.upload(ticket, csv_of(2).encode())
        with pytest.raises(StorageError) as download:
            await bench.nl.reports.download(link, Path("never.csv"))

    for caught in (upload, download):
        assert (caught.value.status, caught.value.expired) == (403, True)
        assert "Signature" not in str(caught.value)


@pytest.mark.anyio
async def test_malformed_dates_are_never_sent() -> None:
    """A platform that refuses dates in another form has nothing to refuse (T104, T105)."""
    taipei = timedelta(hours=8)
    async with switched(bad_dates_are_40020=True) as bench:
        sn = await bench.send()
        start = (bench.clock.now() - MONTH).astimezone(UTC)
        found = await bench.nl.reports.list_campaigns(
            start=start, end=datetime.now(UTC) + 36_500 * taipei
        )

    assert [each.sn for each in found] == [sn]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("switches", "csv_text", "status"),
    [
        ({}, csv_of(1), "COMPLETE"),
        ({"strict": False}, csv_of(1), "COMPLETE"),
        ({"predefined_columns": ("CITY",)}, "EMAIL,NAME,AGE\na@b.tw,A,5", "ERROR"),
        ({"predefined_columns": ("AGE",)}, "EMAIL,NAME,AGE\na@b.tw,A,5", "COMPLETE"),
        ({"reserved_columns_are_errors": True}, "EMAIL,NAME,CITY\na@b.tw,A,5", "ERROR"),
        ({"bom_spoils_header": True}, csv_of(1), "COMPLETE"),
    ],
)
async def test_import_ends_as_the_platform_decides(
    switches: dict[str, Any], csv_text: str, status: str
) -> None:
    """What only the platform can judge ends as one of its states (T36, T40, T41)."""
    async with switched(**switches) as bench:
        import_sn = await bench.nl.contacts.import_text(csv_text)
        await bench.clock.sleep(60)
        result = await bench.nl.contacts.get_import(import_sn)

    assert (result.status, result.status.is_final) == (status, True)


@pytest.mark.anyio
async def test_vendor_profile_is_satisfied_by_its_preset() -> None:
    """With the limits of the vendor's notes nothing is ever refused (T05, T111)."""
    async with connected(profile="vendor-2026", limits=RateLimits.vendor_2026()) as bench:
        first = await bench.send(name="甲")
        second = await bench.send(name="乙")
        await bench.nl.reports.export(first)
        began_s = bench.clock.monotonic()
        await bench.nl.reports.export(second)

    assert bench.clock.monotonic() - began_s >= 10
    assert all(record.status == 200 for record in bench.emulator.requests)
