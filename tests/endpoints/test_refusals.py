"""What the platform refuses arrives as the class that says what to do, with code and text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest

from newsleopard_async import (
    APIError,
    AuthenticationError,
    CampaignNotReportable,
    CampaignSn,
    FieldError,
    ImportSn,
    InsufficientBalance,
    ListSn,
    NewsLeopard,
    SendAt,
    Sender,
    SenderNotVerified,
    ServerError,
    with_lists,
)
from newsleopard_async.emulator import Switches
from newsleopard_async.models.error_codes import ERROR_TEXTS
from tests.clients import Bench, Reply, connected, csv_of, scripted
from tests.constants import AB_TESTS, CAMPAIGN

Refused = Callable[[Bench, ListSn], Awaitable[object]]


def submit(**changes: Any) -> Refused:
    """Build the submit of a campaign with something wrong."""

    async def call(bench: Bench, sn: ListSn) -> object:
        return await bench.nl.campaigns.submit(attrs.evolve(CAMPAIGN, **{"lists": [sn], **changes}))

    return call


async def submit_too_long(bench: Bench, sn: ListSn) -> object:
    """Send what is too long by the vendor's notes, which the documentation does not know."""
    return await bench.unchecked().campaigns.submit(
        attrs.evolve(CAMPAIGN, lists=[sn], subject="主" * 151)
    )


async def submit_to_empty_list(bench: Bench, sn: ListSn) -> object:
    """Send to a list that has nobody in it."""
    return await submit(lists=[await bench.make_list(0, "nobody")])(bench, sn)


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
    "nobody": (submit_to_empty_list, 40013, APIError),
    "bad content": (submit(html="<!-- 40014 -->"), 40014, APIError),
    "no balance for the test": (ab_test_without_balance, 40017, InsufficientBalance),
    "too late": (submit_too_late, 40019, APIError),
    "unknown campaign": (export_unknown, 40303, CampaignNotReportable),
    "no links": (look_for_unknown, 40303, CampaignNotReportable),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", REFUSALS)
async def test_refusal_arrives_with_code_and_text(name: str) -> None:
    """The class says what to do; the text is the platform's own, in English and 中文."""
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


CODES = [40001, 40003, 40004, 40007, 40008, 40009, 40010, 40011, 40012, 40013]
MORE_CODES = [40014, 40015, 40017, 40019, 40020]


@pytest.mark.anyio
@pytest.mark.parametrize("as_text", [True, False])
async def test_every_code_of_the_table_is_told(as_text: bool) -> None:
    """Each documented code is told in English and 中文; an unknown one as that (T88, T92)."""
    for code in [*CODES, *MORE_CODES, 49999]:
        async with scripted(Reply({"code": str(code) if as_text else code}, 400)) as script:
            with pytest.raises(APIError) as caught:
                await script.nl.campaigns.submit(with_lists(CAMPAIGN, [ListSn("a")]))

        assert caught.value.code == code
        text = ERROR_TEXTS.get(code)
        assert (text.chinese if text else "not documented") in caught.value.message


@pytest.mark.anyio
async def test_shortfall_is_told() -> None:
    """How many mails would go out, and how many may, come along as numbers (T90)."""
    async with connected() as bench:
        sn = await bench.make_list(5)
        with pytest.raises(InsufficientBalance) as caught:
            await submit_without_balance(bench, sn)

    assert (caught.value.recipients, caught.value.remaining) == (5, 2)


@pytest.mark.anyio
async def test_free_plan_is_refused_like_an_empty_balance() -> None:
    """A free account may send fifty mails a day (T27)."""
    async with connected(switches=Switches(free_plan=True)) as bench:
        lists = [await bench.make_list(51)]
        with pytest.raises(InsufficientBalance) as caught:
            await bench.nl.campaigns.submit(with_lists(CAMPAIGN, lists))

    assert (caught.value.recipients, caught.value.remaining) == (51, 50)


CALLS: dict[str, Callable[[NewsLeopard], Awaitable[object]]] = {
    "list_lists": lambda nl: nl.contacts.list_lists(),
    "create_list": lambda nl: nl.contacts.create_list("a"),
    "start_file_import": lambda nl: nl.contacts.start_file_import(),
    "import_text": lambda nl: nl.contacts.import_text(csv_of(1)),
    "get_import": lambda nl: nl.contacts.get_import(ImportSn("a")),
    "submit_campaign": lambda nl: nl.campaigns.submit(with_lists(CAMPAIGN, [ListSn("a")])),
    "submit_ab_test": lambda nl: nl.campaigns.submit_ab_test(with_lists(AB_TESTS[0], ["a"])),  # type: ignore[list-item]  # any text will do
    "list_campaigns": lambda nl: nl.reports.list_campaigns(),
    "export_report": lambda nl: nl.reports.export(CampaignSn("a")),
    "get_links": lambda nl: nl.reports.get_links(CampaignSn("a")),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", CALLS)
async def test_wrong_key_is_said_and_not_shown(name: str) -> None:
    """A 403 without code is about the key, at every endpoint; it is not retried (T01, T03)."""
    async with connected() as bench:
        nl = NewsLeopard("wrong-key", http_transport=bench.emulator.transport(), clock=bench.clock)
        with pytest.raises(AuthenticationError, match="API key") as caught:
            await CALLS[name](nl)

    assert caught.value.status == 403
    assert "wrong-key" not in str(caught.value)
    assert len(bench.emulator.requests) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["start_file_import", "import_text"])
async def test_unknown_list_is_hinted_at(name: str) -> None:
    """An empty 500 at an import into a list is retried once, then the list is the hint (T51)."""
    sn = ListSn("unknown")
    async with connected() as bench:
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "import_text": lambda: bench.nl.contacts.import_text(csv_of(1), sn),
            "start_file_import": lambda: bench.nl.contacts.start_file_import(sn),
        }
        with pytest.raises(ServerError, match="list_sn") as caught:
            await calls[name]()

    assert caught.value.status == 500
    assert bench.emulator.count(name) == 2


@pytest.mark.anyio
async def test_unknown_import_is_refused_without_code() -> None:
    """An import that the platform does not know, or no longer, is an empty 400 (T50)."""
    async with connected() as bench:
        import_sn = await bench.nl.contacts.import_text(csv_of(1))
        await bench.clock.sleep(31 * 86_400)
        for sn in (ImportSn("unknown"), import_sn):
            with pytest.raises(APIError, match="30 days") as caught:
                await bench.nl.contacts.get_import(sn)

            assert (caught.value.status, caught.value.code) == (400, None)
