"""All undocumented behaviour is handled or raises an error (docs/platform.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from newsleopard_async import (
    CampaignSn,
    RateLimits,
    StorageError,
)
from newsleopard_async.emulator import Switches
from tests.clients import Bench, connected, csv_of

pytestmark = pytest.mark.anyio


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


@pytest.mark.parametrize("reuse", ["same", "any", "refused"])
async def test_upload_that_lost_its_reply_is_repeated(reuse: str) -> None:
    """If the URL accepts the bytes again, the import succeeds; otherwise it raises (T22)."""
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
