"""The pipelines against a platform that answers in another form: they pass, or say why not.

Parsing does not depend on the event loop, so these tests run only on asyncio.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pytest

from newsleopard_async import (
    CampaignNotReportable,
    ImportFailed,
    InsufficientBalance,
    InvalidRequest,
    ListSn,
    NewsLeopardError,
    OutcomeUnknown,
    RateLimits,
    SenderNotVerified,
    workflows,
)
from newsleopard_async.emulator import Switches
from tests.clients import Bench, checkpoint_of, connected, csv_of
from tests.constants import CAMPAIGN, LIST_NAME

pytestmark = pytest.mark.asyncio

ROWS: Final = 3
OLD_LISTS: Final = 2
"""Lists that are created before and after, so that there are several pages."""


async def _mail_and_report(bench: Bench, folder: Path) -> None:
    """Import into a new list, send to more contacts in the same list, and export the report."""
    for number in range(OLD_LISTS):
        await bench.nl.contacts.create_list(f"舊{number}")
    report = await workflows.import_contacts(bench.nl, csv_of(1), list_name=LIST_NAME)
    for number in range(OLD_LISTS):
        await bench.nl.contacts.create_list(f"新{number}")
    await bench.clock.sleep(600)
    outcome = await workflows.send_campaign(
        bench.nl, CAMPAIGN, contacts=csv_of(ROWS), list_name=LIST_NAME, if_list_exists="reuse"
    )
    await bench.clock.sleep(600)
    exported = await workflows.export_report(bench.nl, outcome.campaign_sn, download_to=folder)

    (target,) = [each for each in bench.emulator.lists if each.name == LIST_NAME]
    (campaign,) = bench.emulator.campaigns
    assert (report.list_sn, outcome.campaign_sn) == (target.sn, campaign.sn)
    assert len(bench.emulator.outbox) == len(target.members) == ROWS
    assert not exported.unchanged
    assert exported.files[0].path.read_text("utf-8").startswith("EMAIL,NAME,DELIVERED_AT")


PASSES: Final[list[dict[str, Any]]] = [
    {"most_lists_on_page": 2},
    *(
        {"first_page": 1, "page_before_first": before, "most_lists_on_page": 2}
        for before in ("first", "empty", "refused")
    ),
    {"list_delay_s": 30},
    *({"links_before_report": form} for form in ("empty", "null", "refused", "400", "404")),
    *(
        {"import_unknown_s": 5, "unknown_import": form, "import_base_s": 20}
        for form in ("400", "404", "40007")
    ),
    {"code_field": "errorCode"},
    *(
        {"date_form": form}
        for form in (
            "offset",
            "compact_offset",
            "no_zone",
            "blank",
            "seconds",
            "millis",
            "empty",
            "null",
        )
    ),
    {"numeric_codes": True},
    *({"count_form": form} for form in ("text", "grouped", "blank")),
    {"lists_wrapper": "groups"},
    {"lists_wrapper": "lists"},
    {"links_shape": "object"},
    {"links_shape": "text"},
    {"submit_shape": "campaignSn"},
    {"submit_shape": "data"},
]
"""Each switch that has another form; the profile of the notes has the rest."""


@pytest.mark.matrix
@pytest.mark.parametrize("switches", PASSES, ids=str)
async def test_mailing_passes_against_another_form(
    switches: dict[str, Any], tmp_path: Path
) -> None:
    """Values that decide nothing can have any form, and no list or campaign is created twice."""
    async with connected(switches=Switches(**switches)) as bench:
        await _mail_and_report(bench, tmp_path)


async def test_mailing_passes_against_the_notes_of_the_vendor(tmp_path: Path) -> None:
    """The profile of the notes, with its preset of limits, stops no pipeline."""
    limits = RateLimits.vendor_2026()
    async with connected(profile="vendor-2026", limits=limits) as bench:
        await _mail_and_report(bench, tmp_path)
        (sent,) = await bench.nl.reports.list_campaigns()

    assert sent.sent_begin is not None


async def _send_going_on(bench: Bench, operation: str) -> workflows.SendOutcome:
    """Lose the reply to an operation, wait a day, and resume from the checkpoint."""
    bench.emulator.lose_reply_to(operation)
    options: dict[str, Any] = {"contacts": csv_of(ROWS), "list_name": LIST_NAME}
    with pytest.raises(OutcomeUnknown) as caught:
        await workflows.send_campaign(bench.nl, CAMPAIGN, **options)
    await bench.clock.sleep(86_400)
    return await workflows.send_campaign(
        bench.nl, CAMPAIGN, **options, checkpoint=checkpoint_of(caught.value)
    )


@pytest.mark.parametrize(
    "switches",
    [
        {"campaigns_shape": "object"},
        {"campaigns_shape": "wrapper"},
        {"date_form": "millis"},
        {"date_form": "null"},
        {"numeric_codes": True},
        {"sent_begin_field": "sentStartAt"},
    ],
    ids=str,
)
async def test_lost_submit_is_found_in_another_form(switches: dict[str, Any]) -> None:
    """A campaign whose reply was lost is found in any form, and never submitted again."""
    async with connected(switches=Switches(**switches)) as bench:
        outcome = await _send_going_on(bench, "submit_campaign")

    (campaign,) = bench.emulator.campaigns
    assert outcome.campaign_sn == campaign.sn


async def test_list_that_appears_late_is_not_made_again() -> None:
    """A list whose reply was lost, and that is not listed yet, is not created twice (T53)."""
    async with connected(switches=Switches(list_delay_s=30)) as bench:
        await _send_going_on(bench, "create_list")

    assert [each.name for each in bench.emulator.lists] == [LIST_NAME]
    assert bench.emulator.submitted == 1


async def _send_to_absent_known(bench: Bench) -> None:
    bench.emulator.switch(verified_senders=())
    await workflows.send_campaign(bench.nl, CAMPAIGN, contacts=csv_of(ROWS), list_name=LIST_NAME)


async def _send_without_balance(bench: Bench) -> None:
    bench.emulator.balance = 0
    await workflows.send_campaign(bench.nl, CAMPAIGN, contacts=csv_of(ROWS), list_name=LIST_NAME)


async def _export_before_the_end(bench: Bench) -> None:
    bench.emulator.switch(unfinished_is_40303=True, send_base_s=1e6)
    await workflows.export_report(bench.nl, await bench.send())


async def _import_city(bench: Bench) -> None:
    """Import a column with a name of the platform, and one with another name."""
    await workflows.import_contacts(
        bench.nl, "EMAIL,NAME,City,AREA\na@example.com,A,Taipei,1\n", list_name=LIST_NAME
    )


async def _import_into_a_segment(bench: Bench) -> None:
    segment = bench.emulator.add_segment(LIST_NAME)
    try:
        await workflows.import_contacts(bench.nl, csv_of(1), list_sn=ListSn(segment.sn))
    finally:
        assert bench.emulator.imports == ()


async def _import_large(bench: Bench) -> None:
    await workflows.import_contacts(bench.nl, csv_of(200), list_name=LIST_NAME)


@pytest.mark.parametrize(
    ("switches", "run", "kind", "text"),
    [
        ({"code_field": "errorCode"}, _send_to_absent_known, SenderNotVerified, "40011"),
        ({"code_field": "errorCode"}, _send_without_balance, InsufficientBalance, "3"),
        ({"count_form": "text"}, _send_without_balance, InsufficientBalance, "3"),
        ({"count_form": "blank"}, _send_without_balance, InsufficientBalance, "40012"),
        ({"code_field": "errorCode"}, _export_before_the_end, CampaignNotReportable, "40303"),
        ({"reserved_columns_are_errors": True}, _import_city, ImportFailed, "rename them: City"),
        ({"predefined_columns": ("CITY",)}, _import_city, ImportFailed, "set up: AREA"),
        ({"lists_wrapper": "groups"}, _import_into_a_segment, InvalidRequest, "fills itself"),
        ({"file_max_bytes": 100}, _import_large, ImportFailed, "ERROR"),
    ],
)
async def test_pipeline_is_refused_with_the_reason(
    switches: dict[str, Any],
    run: Callable[[Bench], Awaitable[None]],
    kind: type[NewsLeopardError],
    text: str,
) -> None:
    """A refusal that needs a person keeps its class and names the reason."""
    async with connected(switches=Switches(**switches)) as bench:
        with pytest.raises(kind, match=text):
            await run(bench)
