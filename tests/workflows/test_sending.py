"""A campaign is sent once, to the imported contacts, or not at all."""

from __future__ import annotations

import json
import math
import re
from datetime import timedelta
from typing import Any

import attrs
import pytest

from newsleopard_async import (
    DeadlineExceeded,
    FieldError,
    ImportFailed,
    ImportIncomplete,
    ImportResult,
    ImportSn,
    ImportStatus,
    InvalidRequest,
    ListSn,
    Mailing,
    OutcomeUnknown,
    Polling,
    RateLimited,
    RateLimits,
    RetryPolicy,
    SendAt,
    SenderNotVerified,
    SubjectTest,
    with_lists,
    workflows,
)
from newsleopard_async.emulator import Switches
from newsleopard_async.workflows.import_completeness import is_complete_enough
from newsleopard_async.workflows.outcomes import ImportReport
from tests.clients import Bench, connected, csv_of, refused, scripted
from tests.constants import CAMPAIGN, MAILINGS
from tests.workflows.rejections import rows_of

pytestmark = pytest.mark.anyio

LIST = ListSn("a")
SUBMITS = ("submitCampaign", "submitAbTest")


def submits(bench: Bench) -> int:
    """Count the submits that were sent."""
    return sum(bench.wire.count(operation) for operation in SUBMITS)


@pytest.mark.parametrize("mailing", MAILINGS, ids=lambda each: each.plain_kind)
async def test_contacts_are_imported_and_then_mailed(mailing: Mailing) -> None:
    """One call leads from a file to mails, for a campaign and for each kind of A/B test."""
    async with connected() as bench:
        outcome = await workflows.send_campaign(
            bench.nl, mailing, contacts=csv_of(120), list_name="會員"
        )
        await bench.clock.sleep(86_400)

    [campaign] = bench.emulator.campaigns
    assert outcome.campaign_sn == campaign.sn
    assert outcome.import_report is not None
    assert campaign.body.selected == (outcome.import_report.list_sn,)
    assert outcome.import_report.result.inserted == 120
    assert len({mail.to for mail in bench.emulator.outbox}) == len(bench.emulator.outbox) == 120
    assert submits(bench) == 1


def with_preheader(mailing: Mailing) -> Mailing:
    """Return a copy with a preheader for each variant that can have its own."""
    if isinstance(mailing, SubjectTest):
        return attrs.evolve(mailing, preheader_a="甲，${NAME}", preheader_b="乙，${NAME}")
    return attrs.evolve(mailing, preheader="預覽，${NAME}")


@pytest.mark.parametrize("mailing", MAILINGS, ids=lambda each: each.plain_kind)
async def test_preheader_arrives(mailing: Mailing) -> None:
    """Each mail has the preheader of its variant, with its reader's values (T82, T83)."""
    async with connected(profile="vendor-2026", limits=RateLimits.vendor_2026()) as bench:
        await workflows.send_campaign(
            bench.nl, with_preheader(mailing), contacts=csv_of(8), list_name="會員"
        )
        await bench.clock.sleep(86_400)

    of_subjects = {"A": "甲", "B": "乙"} if isinstance(mailing, SubjectTest) else {}
    assert len(bench.emulator.outbox) == 8
    for mail in bench.emulator.outbox:
        assert mail.preheader == f"{of_subjects.get(mail.variant, '預覽')}，{mail.name}"


@pytest.mark.parametrize("mailing", MAILINGS, ids=lambda each: each.plain_kind)
async def test_refused_preheader_has_its_way_out(mailing: Mailing) -> None:
    """The documented platform does not know the field, and names it (T86)."""
    async with connected() as bench:
        ready = with_lists(with_preheader(mailing), [await bench.make_list(8)])
        with pytest.raises(FieldError, match="leave the preheader out") as caught:
            await workflows.send_campaign(bench.unchecked(), ready)
        bench.emulator.switch(strict=False)
        await workflows.send_campaign(bench.unchecked(), ready)
        await bench.clock.sleep(86_400)

    named = {path: rules for path, rules in caught.value.invalid_fields.items() if "pre" in path}
    assert named
    assert set(named) <= {"content.preheader", "content.preheaderA", "content.preheaderB"}
    assert all(f"{path}: {', '.join(rules)}" in str(caught.value) for path, rules in named.items())
    assert {mail.preheader for mail in bench.emulator.outbox} == {""}


@pytest.mark.parametrize("preheader", ["預覽", None])
async def test_refusal_without_a_field_names_the_preheader(preheader: str | None) -> None:
    """The platform can answer only "fields" (T89); then a preheader is the likely reason."""
    async with connected(switches=Switches(invalid_fields_as_text=True)) as bench:
        ready = attrs.evolve(CAMPAIGN, lists=[await bench.make_list(3)], preheader=preheader)
        if preheader is None:
            bench.emulator.fail("submit_campaign", 400, body=b'{"code": "40001"}')
        with pytest.raises(FieldError) as caught:
            await workflows.send_campaign(bench.unchecked(), ready)

    assert caught.value.invalid_fields == {}
    assert ("leave the preheader out" in str(caught.value)) == bool(preheader)


@pytest.mark.parametrize("mailing", MAILINGS, ids=lambda each: each.plain_kind)
async def test_campaign_without_contacts_is_only_submitted(mailing: Mailing) -> None:
    """Without contacts, the lists are used as they are."""
    async with connected() as bench:
        ready = with_lists(mailing, [await bench.make_list(9)])
        sent = len(bench.wire.sent)
        outcome = await workflows.send_campaign(bench.nl, ready, balance=None)

    assert (outcome.campaign_sn, outcome.import_report) == (bench.emulator.campaigns[0].sn, None)
    assert len(bench.wire.sent) == sent + 1


async def test_imported_list_joins_the_others() -> None:
    """The campaign is sent to its own lists and to the list of the import."""
    async with connected() as bench:
        first = await bench.make_list(2, "甲")
        second = await bench.make_list(0, "乙")
        await workflows.send_campaign(
            bench.nl, with_lists(CAMPAIGN, [first]), contacts=csv_of(5), list_sn=second
        )

    assert bench.emulator.campaigns[0].body.selected == (first, second)


async def test_list_that_is_selected_already_is_selected_once() -> None:
    """Importing into one of the campaign's own lists is allowed."""
    async with connected() as bench:
        sn = await bench.make_list(2)
        ready = with_lists(CAMPAIGN, [sn])
        await workflows.send_campaign(bench.nl, ready, contacts=csv_of(5), list_sn=sn)

    assert bench.emulator.campaigns[0].body.selected == (sn,)


@pytest.mark.parametrize("status", ["DUPLICATE_HEADER", "ERROR", "MISSING_REQUIRED_DATA", "NEW"])
async def test_nothing_is_sent_after_a_failed_import(status: str) -> None:
    """Only a complete import is followed by the submit (T52)."""
    async with connected() as bench:
        bench.emulator.script_import(status)
        with pytest.raises(ImportFailed):
            await workflows.send_campaign(bench.nl, CAMPAIGN, contacts=csv_of(3), list_name="a")

    assert submits(bench) == 0


async def test_nothing_is_sent_when_the_import_takes_too_long() -> None:
    """An import that is not known to be complete is not mailed."""
    async with connected() as bench:
        bench.emulator.stick_import()
        with pytest.raises(DeadlineExceeded):
            await workflows.send_campaign(
                bench.nl,
                CAMPAIGN,
                contacts=csv_of(3),
                list_name="a",
                polling=Polling(deadline_s=60),
            )

    assert submits(bench) == 0


REJECTED = csv_of(18) + "absent,誰\n@,誰\n"
"""Twenty rows, two of them with errors."""


@pytest.mark.parametrize(
    ("max_rejected", "is_sent"),
    [(0, False), (1, False), (0.09, False), (0.1, True), (2, True), (1e9, True), (None, True)],
)
async def test_rejected_rows_decide_about_sending(
    max_rejected: float | None, is_sent: bool
) -> None:
    """A number of rows, a share of them, or all rows can be rejected, with or without the check."""
    raised = None
    async with connected() as bench:
        try:
            outcome = await workflows.send_campaign(
                bench.nl,
                CAMPAIGN,
                contacts=REJECTED,
                list_name="a",
                max_rejected=max_rejected,
                check=False,
            )
            assert outcome.import_report is not None
            assert outcome.import_report.rejected_count == 2
        except ImportIncomplete as error:
            raised = error
            lines = [row.line for row in await rows_of(bench.nl, error.report, REJECTED)]

    assert (raised is None, submits(bench)) == (is_sent, is_sent)
    if raised is not None:
        assert (raised.result.errors, raised.result.status) == (2, "COMPLETE")
        assert "2 of 20 rows" in str(raised)
        assert lines == [20, 21]


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("max_rejected", [0, 0.99, 50, None])
async def test_nothing_is_sent_to_a_list_that_is_not_filled(
    max_rejected: float | None, check: bool
) -> None:
    """``max_rejected`` allows rejected rows; rows that are not counted are lost."""
    counts = {"fileCnt": 3, "insertCnt": 3, "duplicateCnt": 0, "errCnt": 0}
    body = json.dumps({"status": "COMPLETE", **counts}).encode()
    async with connected() as bench:
        bench.emulator.fail("get_import", status=200, body=body)
        with pytest.raises(ImportIncomplete, match="50 different addresses"):
            await workflows.send_campaign(
                bench.nl,
                CAMPAIGN,
                contacts=csv_of(50),
                list_name="a",
                max_rejected=max_rejected,
                check=check,
            )

    assert submits(bench) == 0


@pytest.mark.parametrize(
    ("errors", "rows", "max_rejected", "enough"),
    [
        (None, None, 0, True),
        (0, 10, 0, True),
        (1, None, 0.5, False),
        (0, None, 0.5, True),
        (5, 10, 0.5, True),
        (29, 100, 0.29, True),
        (57, 100, 0.57, True),
        (30, 100, 0.29, False),
        (6, 10, 0.5, False),
        (1, 10, 1, True),
        (2, 10, 1, False),
        (10, 10, None, True),
    ],
)
def test_rejected_rows_are_judged(
    errors: int | None, rows: int | None, max_rejected: float | None, enough: bool
) -> None:
    """A share refers to the rows in the file; if they are unknown, no row can be rejected."""
    result = ImportResult(
        import_sn=ImportSn("a"), status=ImportStatus.COMPLETE, errors=errors, file_count=rows
    )
    report = ImportReport(list_sn=LIST, import_sn=ImportSn("a"), result=result)

    assert is_complete_enough(report, max_rejected) is enough


IMPORTING: dict[str, Any] = {"contacts": csv_of(3), "list_name": "a"}
INVALID: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({}, [("lists", "required")]),
    ({"list_name": "a"}, [("contacts", "required")]),
    ({"list_sn": "a"}, [("contacts", "required")]),
    ({"contacts": csv_of(3)}, [("list_sn", "target")]),
    ({**IMPORTING, "list_sn": "a"}, [("list_sn", "target")]),
    ({**IMPORTING, "contacts": "a\nb"}, [("contacts", "header-order")]),
    ({**IMPORTING, "campaign": "週年慶"}, [("campaign", "type")]),
    ({**IMPORTING, "max_rejected": -1}, [("max_rejected", "range")]),
    ({**IMPORTING, "max_rejected": math.nan}, [("max_rejected", "range")]),
    ({**IMPORTING, "max_rejected": "1%"}, [("max_rejected", "type")]),
    ({**IMPORTING, "max_rejected": True}, [("max_rejected", "type")]),
    ({**IMPORTING, "check": None}, [("check", "type")]),
    ({**IMPORTING, "strict": 1}, [("strict", "type")]),
    ({"campaign": None, "max_rejected": -1}, [("campaign", "type"), ("max_rejected", "range")]),
]


@pytest.mark.parametrize(("arguments", "problems"), INVALID)
async def test_bad_argument_is_refused_before_anything(
    arguments: dict[str, Any], problems: list[tuple[str, str]]
) -> None:
    """Nothing is imported for a campaign that could not be sent."""
    arguments = {"campaign": CAMPAIGN, **arguments}
    async with scripted() as script, refused(script.wire, *problems):
        await workflows.send_campaign(script.nl, **arguments)


async def test_past_schedule_is_refused_before_the_import() -> None:
    """Everything that the submit would refuse is refused before the import."""
    async with scripted() as script:
        late = attrs.evolve(CAMPAIGN, schedule=SendAt(script.clock.now()))
        async with refused(script.wire, ("schedule.when", "future")):
            await workflows.send_campaign(script.nl, late, **IMPORTING)


async def test_schedule_that_passes_during_the_import_is_refused() -> None:
    """The time is checked again before the submit; it is never changed."""
    async with connected() as bench:
        soon = attrs.evolve(CAMPAIGN, schedule=SendAt(bench.clock.now() + timedelta(seconds=5)))
        with pytest.raises(InvalidRequest, match="not after now"):
            await workflows.send_campaign(bench.nl, soon, **IMPORTING)

    assert submits(bench) == 0


async def test_excluded_list_cannot_be_the_target() -> None:
    """Importing into a list that the campaign leaves out is refused before the import."""
    without = attrs.evolve(CAMPAIGN, exclude_lists=[LIST])
    async with scripted() as script, refused(script.wire, ("exclude_lists", "overlap")):
        await workflows.send_campaign(script.nl, without, contacts=csv_of(3), list_sn=LIST)


async def test_excluded_list_of_the_name_cannot_be_the_target() -> None:
    """A list that is reused by name can be an excluded list: nothing is imported then."""
    async with connected() as bench:
        without = attrs.evolve(CAMPAIGN, exclude_lists=[await bench.make_list(0, "a")])
        with pytest.raises(InvalidRequest, match="exclude_lists"):
            await workflows.send_campaign(bench.nl, without, **IMPORTING, if_list_exists="reuse")

    assert bench.emulator.imports == ()


@pytest.mark.parametrize("mailing", MAILINGS, ids=lambda each: each.plain_kind)
@pytest.mark.parametrize("fault", ["lose_reply_to", "drop_request", "cut_body", "garbage", "fail"])
async def test_lost_reply_to_submit_is_not_sent_again(mailing: Mailing, fault: str) -> None:
    """It is submitted once, searched for, and the error names the campaign (T64)."""
    operation = "submit_campaign" if mailing is CAMPAIGN else "submit_ab_test"
    async with connected() as bench:
        getattr(bench.emulator, fault)(operation)
        with pytest.raises(OutcomeUnknown, match="not sent again") as caught:
            await workflows.send_campaign(bench.nl, mailing, contacts=csv_of(9), list_name="a")

    [name] = re.findall(rf"'({mailing.name} \[nl-[0-9a-f]{{8}}\])'", str(caught.value))
    assert caught.value.request.startswith("POST /v1/campaign/")
    assert "活動列表" in str(caught.value)
    assert "resolve(" in str(caught.value)
    status = caught.value.status
    assert status is None or f"submitted: the answer was HTTP {status}" in str(caught.value)
    assert bench.wire.count("listSentCampaigns") == 1
    assert [each.body.name for each in bench.emulator.campaigns] in ([], [name])
    assert (submits(bench), bench.emulator.count(operation)) == (1, 1)
    assert bench.emulator.submitted == (fault not in {"drop_request", "fail"})


async def test_submit_that_was_not_sent_is_sent() -> None:
    """A request that certainly did not arrive is repeated, and accepted once."""
    async with connected() as bench:
        bench.emulator.not_sent("submit_campaign", times=2)
        bench.emulator.throttle("submit_campaign", times=1)
        await workflows.send_campaign(bench.nl, CAMPAIGN, **IMPORTING)

    assert bench.emulator.submitted == 1


async def test_submit_that_stays_refused_is_reported() -> None:
    """A refusal at the gateway means that nothing was sent."""
    async with connected(retry=RetryPolicy(max_attempts=2)) as bench:
        ready = with_lists(CAMPAIGN, [await bench.make_list()])
        bench.emulator.throttle("submit_campaign", times=9, message="too many requests")
        with pytest.raises(RateLimited):
            await workflows.send_campaign(bench.nl, ready)

    assert bench.emulator.submitted == 0


async def test_refusal_of_the_submit_arrives_as_it_is() -> None:
    """A campaign that the platform refuses is not sent, and the error gives the reason."""
    sender = attrs.evolve(CAMPAIGN.sender, address="unverified@example.com")
    async with connected() as bench:
        with pytest.raises(SenderNotVerified):
            await workflows.send_campaign(
                bench.nl, attrs.evolve(CAMPAIGN, sender=sender), **IMPORTING
            )

    assert bench.emulator.submitted == 0
