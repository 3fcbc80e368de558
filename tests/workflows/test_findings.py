"""Errors that a review found; each must stay fixed."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsleopard_async import (
    Campaign,
    CampaignNotReportable,
    CampaignSn,
    ConfigurationError,
    GoogleAnalytics,
    ImportResult,
    ImportSn,
    ImportStatus,
    InvalidRequest,
    ListSn,
    NewsLeopard,
    OutcomeUnknown,
    Polling,
    RateLimited,
    RateLimits,
    RetryPolicy,
    Timeouts,
    workflows,
)
from newsleopard_async.workflows.import_completeness import is_complete_enough
from tests.clients import Reply, connected, csv_of, scripted
from tests.constants import CAMPAIGN

pytestmark = pytest.mark.anyio
SN = CampaignSn("402810c26cb86ad7016cb8b2414a0003")


async def test_accepted_submit_survives_a_senseless_retry_after() -> None:
    """No header of an accepted submit can hide its code."""
    senseless = {"Retry-After": "Mon, 01 Jan 99999999999999 00:00:00 GMT"}

    async with scripted(Reply({"sn": SN}, headers=senseless)) as script:
        ready = Campaign(
            name="a", subject="b", sender=CAMPAIGN.sender, html="c", lists=[ListSn("l1")]
        )
        sn = await script.nl.campaigns.submit(ready)

    assert sn == SN


async def test_refused_export_gives_its_hour_back() -> None:
    """A refused export exported nothing, and can be requested again."""
    refusal = Reply({"code": "40303", "message": "bad operation"}, status=403)

    async with scripted(refusal, Reply()) as script:
        with pytest.raises(CampaignNotReportable):
            await script.nl.reports.export(SN)
        await script.nl.reports.export(SN)


async def test_export_refused_at_the_gateway_is_not_waited_for() -> None:
    """Nothing was exported, so no link will appear."""
    throttled = Reply({"message": "too many requests"}, status=429)
    once = RetryPolicy(max_attempts=1)

    async with scripted(Reply({"Reports": []}), throttled, retry=once) as script:
        with pytest.raises(RateLimited):
            await workflows.export_report(script.nl, SN)


async def test_wordless_429s_do_not_lock_the_day() -> None:
    """Only a text that can mean the day uses up the daily quota."""
    wordless = [Reply(status=429)] * 5

    async with scripted(*wordless, Reply({"Lists": []})) as script:
        assert await script.nl.contacts.list_lists() == ()


async def test_encoding_error_keeps_the_contacts_to_itself(tmp_path: Path) -> None:
    """No exception in the chain of the error contains the file."""
    source = tmp_path / "members.csv"
    source.write_bytes("EMAIL,NAME\nming@example.com,王小明\n".encode("big5") + b"\xff")

    async with connected() as bench:
        with pytest.raises(InvalidRequest) as caught:
            await workflows.import_contacts(bench.nl, source, list_name="會員")

    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


async def test_blank_names_do_not_spoil_a_listing() -> None:
    """A name is any text, even a blank one."""
    async with scripted(Reply({"Lists": [{"sn": "l1", "name": " "}]})) as script:
        lists = await script.nl.contacts.list_lists()

    assert [each.name for each in lists] == [" "]


async def test_failed_search_is_not_reported_as_a_search() -> None:
    """If the finished campaigns could not be read, the error must not say "not among them"."""
    async with connected(retry=RetryPolicy(max_attempts=1)) as bench:
        list_sn = await bench.make_list()
        bench.emulator.lose_reply_to("submit_campaign")
        bench.emulator.fail("list_campaigns", status=503, times=5)
        ready = Campaign(name="a", subject="b", sender=CAMPAIGN.sender, html="c", lists=[list_sn])

        with pytest.raises(OutcomeUnknown, match="could not be read") as caught:
            await workflows.send_campaign(bench.nl, ready)

    assert "not among" not in str(caught.value)


async def test_held_submit_names_its_request_when_resumed() -> None:
    """The error of a later run contains the earlier outcome."""
    async with connected() as bench:
        list_sn = await bench.make_list()
        bench.emulator.drop_request("submit_campaign")
        ready = Campaign(name="a", subject="b", sender=CAMPAIGN.sender, html="c", lists=[list_sn])
        with pytest.raises(OutcomeUnknown) as first:
            await workflows.send_campaign(bench.nl, ready)

        with pytest.raises(OutcomeUnknown) as second:
            await workflows.send_campaign(bench.nl, ready, checkpoint=first.value.checkpoint)

    assert second.value.request.startswith("POST /v1/campaign/")


async def test_campaign_is_searched_for_until_it_is_listed() -> None:
    """With `polling`, a campaign that is still being sent is waited for."""
    async with connected() as bench:
        list_sn = await bench.make_list()
        began = bench.clock.now()
        ready = Campaign(
            name="a [m1]", subject="b", sender=CAMPAIGN.sender, html="c", lists=[list_sn]
        )
        sn = await bench.nl.campaigns.submit(ready)

        assert await workflows.find_campaign(bench.nl, "[m1]", since=began) is None
        found = await workflows.find_campaign(bench.nl, "[m1]", since=began, polling=Polling())

    assert found is not None
    assert found.sn == sn


async def test_waits_take_a_checkpoint(tmp_path: Path) -> None:
    """A wait stores its result, so a repeated call sends no request."""
    kept = tmp_path / "wait.json"

    async with connected() as bench:
        list_sn = await bench.nl.contacts.create_list("會員")
        import_sn = await bench.nl.contacts.import_text(csv_of(3), list_sn)
        first = await workflows.wait_for_import(bench.nl, import_sn, checkpoint=kept)
        before = bench.emulator.count("get_import")
        second = await workflows.wait_for_import(bench.nl, import_sn, checkpoint=kept)

        assert bench.emulator.count("get_import") == before

    assert second == first


@pytest.mark.parametrize("value", [None, "30", True, float("nan"), 0])
async def test_options_of_a_wrong_type_are_named(value: object) -> None:
    """An option is refused by name, never by a TypeError without one."""
    with pytest.raises(InvalidRequest) as caught:
        Timeouts(read_s=value)  # type: ignore[arg-type]  # on purpose

    assert [problem.field for problem in caught.value.problems] == ["read_s"]


@pytest.mark.parametrize("key", [b"key", 1])
async def test_key_of_a_wrong_type_is_a_configuration_error(key: object) -> None:
    """A key of another type than text is refused with that reason."""
    with pytest.raises(ConfigurationError, match="must be text"):
        NewsLeopard(key)  # type: ignore[arg-type]  # on purpose


async def test_what_everybody_knows_by_place_goes_by_place() -> None:
    """The two UTM values and the windows of a limit need no names."""
    assert GoogleAnalytics("spring_sale", "logolink").content == "logolink"
    assert RateLimits([(2, 1)]).windows == ((2, 1.0),)


@pytest.mark.parametrize(("max_rejected", "is_enough"), [(0, False), (0.5, False), (None, True)])
async def test_rejected_rows_of_unknown_number_stop_the_send(
    max_rejected: float | None, is_enough: bool
) -> None:
    """A file of rejected rows without a count is not a clean import."""
    result = ImportResult(
        import_sn=ImportSn("i1"), status=ImportStatus.COMPLETE, error_url="https://x.test/e.csv"
    )
    report = workflows.ImportReport(list_sn=ListSn("l1"), import_sn=ImportSn("i1"), result=result)

    assert is_complete_enough(report, max_rejected) is is_enough


async def test_polls_cannot_grow_ever_faster() -> None:
    """A factor below 1 would burn the day's quota."""
    with pytest.raises(InvalidRequest, match="factor"):
        Polling(factor=0.9)
