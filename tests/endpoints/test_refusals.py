"""A refusal is raised as its own class, with the platform's code and text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest

from newsleopard_async import (
    APIError,
    CampaignNotReportable,
    CampaignSn,
    FieldError,
    InsufficientBalance,
    ListSn,
    SendAt,
    Sender,
    SenderNotVerified,
    with_lists,
)
from newsleopard_async.emulator import Switches
from newsleopard_async.models.error_codes import ERROR_TEXTS
from tests.clients import Bench, connected, csv_of
from tests.constants import AB_TESTS, CAMPAIGN

Refused = Callable[[Bench, ListSn], Awaitable[object]]


def submit(**changes: Any) -> Refused:
    """Build the submit of a campaign with something wrong."""

    async def call(bench: Bench, sn: ListSn) -> object:
        return await bench.nl.campaigns.submit(attrs.evolve(CAMPAIGN, **{"lists": [sn], **changes}))

    return call


async def submit_too_long(bench: Bench, sn: ListSn) -> object:
    """Send a text that is too long by the vendor's notes, but not by the documentation."""
    return await bench.unchecked().campaigns.submit(
        attrs.evolve(CAMPAIGN, lists=[sn], subject="主" * 151)
    )


async def submit_to_empty_list(bench: Bench, sn: ListSn) -> object:
    """Send to a list without contacts."""
    return await submit(lists=[await bench.make_list(0, "empty")])(bench, sn)


async def submit_without_balance(bench: Bench, sn: ListSn) -> object:
    """Send to more than the account may."""
    bench.emulator.balance = 2
    return await submit()(bench, sn)


async def ab_test_without_balance(bench: Bench, sn: ListSn) -> object:
    """Test with more than the account may send."""
    bench.emulator.balance = 0
    return await bench.nl.campaigns.submit_ab_test(with_lists(AB_TESTS[0], [sn]))


async def submit_too_late(bench: Bench, sn: ListSn) -> object:
    """Schedule for a moment that is past by the platform's clock."""
    when = bench.clock.now() + timedelta(seconds=20)
    bench.emulator.latency_s = 50
    return await submit(schedule=SendAt(when))(bench, sn)


async def import_too_much(bench: Bench, sn: ListSn) -> object:
    """Import more text than the platform takes."""
    bench.emulator.switch(text_import_max_bytes=10)
    return await bench.nl.contacts.import_text(csv_of(2), sn)


async def export_unknown(bench: Bench, sn: ListSn) -> object:
    """Export what is not there."""
    await bench.nl.reports.export(CampaignSn("unknown"))
    return None


async def look_for_unknown(bench: Bench, sn: ListSn) -> object:
    """Ask for the links of what is not there."""
    return await bench.nl.reports.get_links(CampaignSn("unknown"))


REFUSALS: dict[str, tuple[Refused, int, type[APIError]]] = {
    "fields": (submit_too_long, 40001, FieldError),
    "bad address": (submit(sender=Sender("a", "a@localhost")), 40003, APIError),
    "denied domain": (submit(sender=Sender("a", "a@denied.example")), 40004, APIError),
    "unknown list": (submit(lists=["unknown"]), 40007, APIError),
    "text too large": (import_too_much, 40010, APIError),
    "unverified": (submit(sender=Sender("a", "unverified@a.tw")), 40011, SenderNotVerified),
    "no balance": (submit_without_balance, 40012, InsufficientBalance),
    "empty list": (submit_to_empty_list, 40013, APIError),
    "bad content": (submit(html="<!-- 40014 -->"), 40014, APIError),
    "no balance for the test": (ab_test_without_balance, 40017, InsufficientBalance),
    "too late": (submit_too_late, 40019, APIError),
    "unknown campaign": (export_unknown, 40303, CampaignNotReportable),
    "no links": (look_for_unknown, 40303, CampaignNotReportable),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", REFUSALS)
async def test_refusal_arrives_with_code_and_text(name: str) -> None:
    """The class decides what the caller can do; the text is the platform's, in English and 中文."""
    call, code, error = REFUSALS[name]
    async with connected(switches=Switches(vendor_limits=True)) as bench:
        sn = await bench.make_list(5)
        with pytest.raises(APIError) as caught:
            await call(bench, sn)

    assert (type(caught.value), caught.value.code) == (error, code)
    assert caught.value.status == (403 if code == 40303 else 400)
    assert str(code) in str(caught.value)
    assert ERROR_TEXTS[code].english in str(caught.value)
    assert ERROR_TEXTS[code].chinese in str(caught.value)
    assert caught.value.message
    refusals = [each for each in bench.emulator.requests if (each.status or 0) >= 400]
    assert len(refusals) == 1
    assert bench.emulator.submitted == 0
