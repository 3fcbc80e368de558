"""The pipelines check before they send: all errors together, and nothing was sent."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from newsleopard_async import Campaign, ImportIncomplete, InvalidRequest, SendAt, workflows
from newsleopard_async.workflows import Event
from tests.clients import Bench, connected, csv_of, files_in, refused
from tests.constants import CAMPAIGN
from tests.contacts.examples import CSV, FORMS, ROWS, later, persons, written
from tests.workflows.rejections import rows_of

pytestmark = pytest.mark.anyio

CLEAN: Campaign = attrs.evolve(
    CAMPAIGN,
    html='<html><head><meta charset="utf-8"></head><body><p>${NAME} 您好</p></body></html>',
)
"""A campaign without findings."""

BAD = csv_of(18) + "absent,誰\nabsent@,誰\n"
"""Twenty rows, two of them with errors."""


async def send(bench: Bench, campaign: Campaign = CLEAN, **options: Any) -> Any:
    """Send to a new list."""
    options = {"contacts": csv_of(3), "list_name": "a", **options}
    return await workflows.send_campaign(bench.nl, campaign, **options)


def warnings_in(log: pytest.LogCaptureFixture) -> list[str]:
    """Return the rules of the logged warnings."""
    messages = [each.getMessage() for each in log.records if each.levelno == logging.WARNING]
    assert not any("user" in message or "會員0" in message for message in messages)
    return [message.rpartition("(")[2].rstrip(")") for message in messages]


@pytest.mark.parametrize("form", FORMS)
async def test_contacts_of_every_form_are_imported(form: str, tmp_path: Path) -> None:
    """Contacts in any form are imported into the list."""
    async with connected() as bench:
        report = await workflows.import_contacts(bench.nl, FORMS[form](tmp_path), list_name="會員")

    assert report.result.inserted == 2
    assert [each.name for each in bench.emulator.contacts.values()] == ["王小明", "李小美, 二"]


async def test_contacts_are_the_same_in_another_form(tmp_path: Path) -> None:
    """A checkpoint identifies contacts by the CSV that is sent, so any form resumes the run."""
    kept = tmp_path / "checkpoint.json"
    async with connected() as bench:
        first = await send(bench, contacts=written(tmp_path), checkpoint=kept)
        before = len(bench.emulator.requests)
        others = [
            await send(bench, contacts=contacts, checkpoint=kept)
            for contacts in (CSV, CSV.encode("utf-16"), list(ROWS), later(persons()))
        ]
        with pytest.raises(InvalidRequest, match="other input"):
            await send(bench, contacts=csv_of(2), checkpoint=kept)

    assert {each.campaign_sn for each in others} == {first.campaign_sn}
    assert len(bench.emulator.requests) == before


@pytest.mark.parametrize("max_rejected", [0, 1, 0.09])
async def test_bad_rows_are_refused_before_anything_is_sent(max_rejected: float) -> None:
    """The check finds the rows that the platform would reject."""
    async with connected() as bench, refused(bench.wire, ("contacts", "invalid-email")):
        await send(bench, contacts=BAD, max_rejected=max_rejected)

    assert bench.emulator.requests == ()


@pytest.mark.parametrize("max_rejected", [2, 0.1, None])
async def test_bad_rows_that_are_allowed_go_to_the_platform(
    max_rejected: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Then the count of the platform decides."""
    async with connected() as bench:
        outcome = await send(bench, contacts=BAD, max_rejected=max_rejected)
        rejected = await rows_of(bench.nl, outcome.import_report, BAD)

    assert outcome.import_report.rejected_count == 2
    assert [row.line for row in rejected] == [20, 21]
    assert bench.emulator.submitted == 1
    assert warnings_in(caplog) == ["invalid-email"]


async def test_rows_that_the_platform_alone_rejects_stop_the_send() -> None:
    """Rows that the check does not foresee are still counted."""
    # The platform knows the column as a number, from an earlier import.
    async with connected() as bench:
        await workflows.import_contacts(
            bench.nl, [{"email": "a@example.com", "name": "A", "age": 30}], list_name="b"
        )
        with pytest.raises(ImportIncomplete, match="1 of 1 rows"):
            await send(bench, contacts=[{"email": "b@example.com", "name": "B", "age": "old"}])

    assert bench.emulator.submitted == 0


async def test_everything_that_is_wrong_comes_at_once() -> None:
    """Faults of the file, of rows, of the campaign and of the time."""
    async with connected() as bench:
        wrong = attrs.evolve(
            CLEAN, subject="${會員等級}", schedule=SendAt(bench.clock.now() - timedelta(hours=1))
        )
        async with refused(
            bench.wire,
            ("contacts", "line-break"),
            ("contacts", "invalid-email"),
            ("subject", "unknown-placeholder"),
            ("schedule.when", "future"),
        ):
            await send(bench, wrong, contacts=BAD + 'a@example.com,"A\nB"\n')
        async with refused(bench.wire, ("contacts", "header-order"), ("schedule.when", "future")):
            await send(bench, wrong, contacts="EMAIL\na@example.com\n")

    assert bench.emulator.requests == ()


async def test_campaign_is_checked_without_contacts() -> None:
    """Nothing is known of the columns of a list then."""
    async with connected() as bench:
        ready = attrs.evolve(CLEAN, subject="${會員等級}", lists=[await bench.make_list()])
        poor = attrs.evolve(ready, html="<p>甲</p><script></script>")
        with pytest.raises(InvalidRequest) as caught:
            await workflows.send_campaign(bench.nl, poor, strict=True)
        await workflows.send_campaign(bench.nl, ready, strict=True)

    assert ("html", "script") in [(each.field, each.rule) for each in caught.value.problems]
    assert bench.emulator.submitted == 1


async def test_strict_makes_errors_of_warnings() -> None:
    """Errors of contacts and campaign are listed together; a note does not refuse."""
    contacts = csv_of(2).replace(",", ";") + "USER0@example.com;\n"
    async with connected() as bench:
        poor = attrs.evolve(CLEAN, html="<html><body>${NAME}<script></script></body></html>")
        async with refused(
            bench.wire,
            ("contacts", "duplicate-email"),
            ("contacts", "empty-name"),
            ("html", "script"),
        ):
            await send(bench, poor, contacts=contacts, strict=True)

    assert bench.emulator.requests == ()


async def test_warnings_are_logged_and_notes_too(caplog: pytest.LogCaptureFixture) -> None:
    """One line per finding, and no contact in it."""
    caplog.set_level(logging.INFO, "newsleopard_async")
    contacts = csv_of(2).replace(",", ";") + "USER0@example.com;\n"
    async with connected() as bench:
        await send(bench, contacts=contacts)

    assert warnings_in(caplog) == ["duplicate-email", "empty-name"]
    notes = [each.getMessage() for each in caplog.records if each.levelno == logging.INFO]
    assert any("semicolons" in note for note in notes)


async def test_check_can_be_turned_off(caplog: pytest.LogCaptureFixture) -> None:
    """Then rows and campaign are not checked, and unusable contacts are still refused."""
    wrong = attrs.evolve(CLEAN, subject="${會員等級}")
    async with connected() as bench:
        async with refused(bench.wire, ("contacts", "header-order")):
            await send(bench, wrong, contacts="EMAIL\na@example.com\n", check=False)
        with pytest.raises(ImportIncomplete):
            await send(bench, wrong, contacts=BAD, check=False)
        await send(bench, wrong, contacts=csv_of(3), list_name="b", check=False)

    assert bench.emulator.submitted == 1
    assert warnings_in(caplog) == []


async def test_campaign_that_was_submitted_is_not_judged_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A finished run returns its outcome, even if time and arguments differ now."""
    kept = tmp_path / "checkpoint.json"
    async with connected() as bench:
        soon = attrs.evolve(CAMPAIGN, schedule=SendAt(bench.clock.now() + timedelta(hours=1)))
        first = await send(bench, soon, contacts=BAD, max_rejected=None, checkpoint=kept)
        await bench.clock.sleep(7_200)
        caplog.clear()
        second = await send(
            bench, soon, contacts=BAD, max_rejected=None, checkpoint=kept, strict=True
        )

    assert second.campaign_sn == first.campaign_sn
    assert bench.emulator.submitted == 1
    assert warnings_in(caplog) == []


async def test_contacts_that_became_unusable_are_reported(tmp_path: Path) -> None:
    """A run that resumes with unusable contacts names their problems."""
    kept = tmp_path / "checkpoint.json"
    async with connected() as bench:
        await send(bench, contacts=written(tmp_path), checkpoint=kept)
        async with refused(bench.wire, ("contacts", "empty-file")):
            await send(bench, contacts=written(tmp_path, b""), checkpoint=kept)


async def test_rows_are_put_right_on_the_way(tmp_path: Path) -> None:
    """Dropped and left-out rows are not sent, and are counted."""
    path = written(tmp_path, (BAD + "USER0@example.com,again\n").encode("utf-16"))
    async with connected() as bench:
        outcome = await send(bench, contacts=path, fix=["leave-out-bad-rows", "drop-duplicates"])

    assert outcome.import_report.result.inserted == 18
    assert outcome.import_report.rejected_count == 0
    assert files_in(tmp_path) == ["members.csv", "members.left-out.csv"]


async def test_rows_are_put_right_though_they_are_not_checked(tmp_path: Path) -> None:
    """To drop a row, it must be known."""
    async with connected() as bench:
        outcome = await send(
            bench,
            contacts=BAD,
            check=False,
            fix="leave-out-bad-rows",
            left_out_to=tmp_path / "bad.csv",
        )

    assert outcome.import_report.result.inserted == 18


async def test_encoding_can_be_passed(caplog: pytest.LogCaptureFixture) -> None:
    """A detected encoding is a warning; an encoding by the caller is not."""
    big5 = "EMAIL,NAME\nming@example.com,王小明\n".encode("big5")
    async with connected() as bench:
        await send(bench, contacts=big5)
        assert warnings_in(caplog) == ["encoding"]
        caplog.clear()
        await send(bench, contacts=big5, list_name="b", encoding="big5", strict=True)
        await workflows.import_contacts(bench.nl, big5, list_name="c", encoding="big5")

    assert warnings_in(caplog) == []
    assert [each.name for each in bench.emulator.contacts.values()] == ["王小明"]


async def test_import_leaves_bad_rows_to_the_platform(caplog: pytest.LogCaptureFixture) -> None:
    """An import sends nothing, so findings are only logged."""
    async with connected() as bench:
        report = await workflows.import_contacts(bench.nl, BAD, list_name="a")
        rejected = await rows_of(bench.nl, report, BAD)

    assert report.rejected_count == 2
    assert [row.line for row in rejected] == [20, 21]
    assert warnings_in(caplog) == ["invalid-email"]


async def test_import_puts_rows_right(tmp_path: Path) -> None:
    """As a send does."""
    left_out_to = tmp_path / "bad.csv"
    async with connected() as bench:
        report = await workflows.import_contacts(
            bench.nl, BAD, list_name="a", fix="leave-out-bad-rows", left_out_to=left_out_to
        )

    assert (report.rejected_count, report.result.inserted) == (0, 18)
    assert left_out_to.read_text(encoding="utf-8").count("\n") == 3


async def test_time_of_events_includes_the_check() -> None:
    """The check is the first step, and its time counts."""
    told: list[Event] = []
    async with connected() as bench:

        async def slow(event: Event) -> None:
            told.append(event)
            await bench.clock.sleep(10)

        await send(bench, progress=slow)

    assert [(each.step, each.state) for each in told[:2]] == [
        ("check_contacts", "started"),
        ("check_contacts", "finished"),
    ]
    assert told[1].result == {"bytes": len(csv_of(3).encode()), "rows": 3}
    times = [each.elapsed_s for each in told]
    assert times == sorted(times)
    assert times[:3] == [0, 10, 20]


async def test_check_that_fails_is_emitted() -> None:
    """Nothing follows it."""
    told: list[Event] = []
    async with connected() as bench:
        with pytest.raises(InvalidRequest):
            await send(bench, contacts=Path("there is no such file.csv"), progress=told.append)

    assert [(each.pipeline, each.step, each.state) for each in told] == [
        ("send_campaign", "check_contacts", "started"),
        ("send_campaign", "check_contacts", "failed"),
    ]


async def test_values_that_html_can_change_are_remarks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With their lines, only in columns that the mail has, and not twice (T84)."""
    caplog.set_level("INFO")
    contacts = (
        "EMAIL,NAME,COMPANY,DEPARTMENT,SITE\n"
        "a@example.com,王,AT&T,R&D,https://example.com/?a=1&b=2\n"
        "b@example.com,李,1 < 2,R&D,\n"
        "c@example.com,張,<b>A</b>,,\n"
        "d@example.com,陳,A&amp;B,,\n"
    )
    html = CAMPAIGN.html + "<p>${COMPANY} ${SITE}</p>"
    async with connected() as bench:
        report = await workflows.check_contacts(contacts)
        await workflows.send_campaign(
            bench.nl,
            attrs.evolve(CAMPAIGN, html=html),
            contacts=contacts,
            list_name="公司",
        )

    [said] = [each for each in caplog.messages if "unescaped-value" in each]
    assert "has 2 cells in COMPANY (lines 2, 3)" in said
    assert "unescaped-value" not in {each.rule for each in report}
    assert [each.column for each in report.unescaped] == ["COMPANY", "DEPARTMENT"]
