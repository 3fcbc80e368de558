"""A report is exported, polled and downloaded, or an error says why not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from newsleopard_async import (
    APIError,
    AuthenticationError,
    CampaignNotReportable,
    CampaignSn,
    DailyQuotaExhausted,
    DeadlineExceeded,
    Polling,
    RateLimits,
    ReportType,
    ServerError,
    StorageError,
    UnexpectedResponse,
    workflows,
)
from newsleopard_async.emulator import Switches
from newsleopard_async.workflows.outcomes import ReportState
from newsleopard_async.workflows.reporting import ReportCompletion
from tests.clients import Bench, Reply, connected, files_in, refused, scripted

pytestmark = pytest.mark.anyio

EXPIRED = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
QUIET: dict[str, Any] = {"open_share": 0.0, "bounce_share": 0.0}
"""Readers who do nothing: there is no new event after the delivery."""


@asynccontextmanager
async def sent(**switches: Any) -> AsyncIterator[tuple[Bench, CampaignSn]]:
    """Connect, and have a campaign sent."""
    async with connected(switches=Switches(**switches)) as bench:
        yield bench, await bench.send()


async def test_first_export_is_waited_for_and_downloaded(tmp_path: Path) -> None:
    """Every file of the report is in the folder, which is created if necessary."""
    folder = tmp_path / "reports" / "2026"
    async with sent() as (bench, sn):
        report = await workflows.export_report(bench.nl, sn, download_to=folder)

    assert (report.campaign_sn, report.unchanged) == (sn, False)
    assert [file.type for file in report.files] == [state.type for state in report.available]
    assert ReportType.DELIVERY in [file.type for file in report.files]
    assert files_in(folder) == sorted(f"{sn}-{file.type}.csv" for file in report.files)
    for file in report.files:
        assert file.path.stat().st_size == file.size_bytes
        assert file.created is not None


async def test_folder_that_is_changed_during_an_export_moves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative folder refers to the working directory at the time of the call."""
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    async with sent() as (bench, sn):

        def leave(event: workflows.Event) -> None:
            if event.step == "export_report":
                monkeypatch.chdir(tmp_path / "other")

        report = await workflows.export_report(
            bench.nl, sn, download_to="reports", progress=leave, checkpoint="kept.json"
        )

    assert {file.path.parent for file in report.files} == {tmp_path / "reports"}
    assert (tmp_path / "kept.json").is_file()
    assert not any((tmp_path / "other").iterdir())


async def test_report_may_stay_where_it_is() -> None:
    """Without a folder nothing is downloaded."""
    async with sent() as (bench, sn):
        report = await workflows.export_report(bench.nl, sn)

    assert report.files == ()
    assert report.available
    assert bench.emulator.count("download") == 0


async def exported_again(bench: Bench, sn: CampaignSn) -> tuple[workflows.CampaignReport, float]:
    """Export within the hour; return the report, and the elapsed time."""
    began_s, exports = bench.clock.monotonic(), bench.emulator.count("export_report")
    report = await workflows.export_report(bench.nl, sn)
    assert bench.emulator.count("export_report") == exports
    return report, bench.clock.monotonic() - began_s


@pytest.mark.parametrize("later_s", [0, 60, 3_000])
async def test_report_within_the_hour_comes_at_once(later_s: float) -> None:
    """It is already complete: the links are read once, without waiting."""
    async with sent() as (bench, sn):
        first = await workflows.export_report(bench.nl, sn)
        await bench.clock.sleep(later_s)
        looks = bench.emulator.count("get_links")
        second, elapsed_s = await exported_again(bench, sn)

    assert (second.available, second.unchanged) == (first.available, True)
    assert bench.emulator.count("get_links") == looks + 1
    assert elapsed_s < 1


@pytest.mark.parametrize(("later_s", "least_s"), [(0, 300), (100, 200), (300, 0), (3_000, 0)])
async def test_old_files_within_the_hour_are_waited_with_until_they_settle(
    later_s: float, least_s: float
) -> None:
    """An export without new files is recognised 300 s after it began (T113)."""
    async with sent(**QUIET) as (bench, sn):
        await workflows.export_report(bench.nl, sn)
        await bench.clock.sleep(3_700)
        await bench.nl.reports.export(sn)
        await bench.clock.sleep(later_s)
        report, elapsed_s = await exported_again(bench, sn)

    assert report.unchanged
    assert least_s <= elapsed_s <= least_s + 60


@pytest.mark.parametrize("stagger_s", [0.0, 4.0])
@pytest.mark.parametrize("later_s", [0, 16, 20])
async def test_export_within_the_hour_that_is_on_its_way_is_waited_for(
    later_s: float, stagger_s: float
) -> None:
    """The files of an export that another process began are the report."""
    switches = {"report_stagger_s": stagger_s, "bounce_share": 0.2, "open_share": 1.0}
    async with sent(**switches) as (bench, sn):
        await bench.nl.reports.export(sn)
        await bench.clock.sleep(later_s)
        report, elapsed_s = await exported_again(bench, sn)
        await bench.clock.sleep(600)
        all_links = await bench.nl.reports.get_links(sn)

    assert {each.type for each in report.available} == {each.type for each in all_links}
    assert elapsed_s < 90


@pytest.mark.parametrize("fault", ["lose_reply_to", "cut_body", "fail"])
async def test_lost_reply_to_the_export_is_decided_by_the_links(fault: str) -> None:
    """One export is sent, and the links show its outcome."""
    async with sent() as (bench, sn):
        if fault == "fail":
            bench.emulator.fail("export_report", status=500, processed=True)
        else:
            getattr(bench.emulator, fault)("export_report")
        report = await workflows.export_report(bench.nl, sn)

    assert not report.unchanged
    assert bench.emulator.count("export_report") == 1


async def test_export_in_doubt_is_made_by_the_next_run_whenever_this_one_ends(
    tmp_path: Path,
) -> None:
    """A checkpoint never contains a finished export that has not begun."""
    store = tmp_path / "run.json"

    async with sent() as (bench, sn):

        async def hang(event: workflows.Event) -> None:
            if (event.step, event.state) == ("export_report", "finished"):
                await bench.clock.sleep(3_600)

        bench.emulator.fail("export_report", status=500)
        with bench.clock.deadline(60):
            await workflows.export_report(bench.nl, sn, checkpoint=store, progress=hang)
        await bench.clock.sleep(2 * 3_600)

        report = await workflows.export_report(bench.nl, sn, checkpoint=store)
        again = await workflows.export_report(bench.nl, sn, checkpoint=store)

    assert not report.unchanged
    assert again.available == report.available
    assert bench.emulator.count("export_report") == 2


async def test_export_that_never_began_reaches_the_deadline() -> None:
    """If there never was a file, no file means "not ready", not a failure (T112, T117)."""
    async with sent() as (bench, sn):
        bench.emulator.drop_request("export_report")
        with pytest.raises(
            DeadlineExceeded, match=r"whether its export has begun: no answer came"
        ) as caught:
            await workflows.export_report(bench.nl, sn, polling=Polling(deadline_s=600))

    assert caught.value.last == ()
    assert bench.emulator.count("export_report") == 1


async def test_deadline_names_the_answer_to_the_export() -> None:
    """The answer of a proxy, which says nothing about the export, is the reason in the error."""
    async with sent() as (bench, sn):
        bench.emulator.fail("export_report", status=403, body=b"<html>Blocked by WAF</html>")
        with pytest.raises(DeadlineExceeded, match=r"unknown .* 403 \(<html>Blocked by WAF"):
            await workflows.export_report(bench.nl, sn, polling=Polling(deadline_s=600))


async def test_export_of_which_nothing_came_is_begun_again(tmp_path: Path) -> None:
    """Any 2xx counts as a beginning; if it was wrong, another one can begin after an hour."""
    checkpoint = tmp_path / "checkpoint.json"
    async with sent() as (bench, sn):
        bench.emulator.fail("export_report", status=202)
        for deadline_s in (60, 3_600):
            with pytest.raises(DeadlineExceeded):
                await workflows.export_report(
                    bench.nl,
                    sn,
                    polling=Polling(deadline_s=deadline_s),
                    checkpoint=checkpoint,
                )
            assert bench.emulator.count("export_report") == 1
        report = await workflows.export_report(bench.nl, sn, checkpoint=checkpoint)

    assert report.available
    assert not report.unchanged
    assert bench.emulator.count("export_report") == 2


async def test_export_is_not_taken_for_the_one_before(tmp_path: Path) -> None:
    """The earlier files are known, so only newer ones are the new report."""
    async with connected() as bench:
        sn = await bench.send(rows=200, then_s=600)
        first = await workflows.export_report(bench.nl, sn)
        await bench.clock.sleep(3_700)
        bench.emulator.switch(report_delay_s=120.0)
        second = await workflows.export_report(bench.nl, sn, download_to=tmp_path)

    created = {state.type: state.created for state in first.available}
    newer = {file.type for file in second.files if file.created != created.get(file.type)}
    assert not second.unchanged
    assert ReportType.OPEN in newer


async def test_files_that_appear_one_by_one_are_all_waited_for() -> None:
    """A report is complete when two polls show the same files, not with its first file."""
    everything = {"bounce_share": 0.2, "open_share": 1.0, "click_share": 1.0}
    readers = {"unsubscribe_share": 0.5, "complain_share": 0.5, "open_delay_s": 60.0}
    polling = Polling(first_s=10, factor=1, jitter=0)
    async with sent(report_stagger_s=9.0, **everything, **readers) as (bench, sn):
        report = await workflows.export_report(bench.nl, sn, polling=polling)

    assert {state.type for state in report.available} == ReportType.known


async def test_links_that_expire_are_replaced(tmp_path: Path) -> None:
    """A downloaded file is not downloaded again (T118)."""
    async with sent() as (bench, sn):
        bench.emulator.delay("download", seconds=1)  # the first one arrives
        bench.emulator.fail("download", status=403, body=EXPIRED)
        report = await workflows.export_report(bench.nl, sn, download_to=tmp_path)

    assert len(files_in(tmp_path)) == len(report.files) > 1
    assert bench.emulator.count("download") == len(report.files) + 1


async def test_links_that_always_expire_are_given_up(tmp_path: Path) -> None:
    """Three sets of links, then the storage's refusal, and no half file."""
    async with sent(download_lifetime_s=0) as (bench, sn):
        with pytest.raises(StorageError) as caught:
            await workflows.export_report(bench.nl, sn, download_to=tmp_path)

    assert caught.value.expired
    assert bench.emulator.count("download") == 3
    assert files_in(tmp_path) == []


async def test_other_refusal_of_the_storage_ends_it(tmp_path: Path) -> None:
    """Only expired links are replaced by fresh ones; finished files stay."""
    async with sent() as (bench, sn):
        bench.emulator.fail("download", status=404)
        with pytest.raises(StorageError) as caught:
            await workflows.export_report(bench.nl, sn, download_to=tmp_path)

    assert (caught.value.status, caught.value.expired) == (404, False)
    assert files_in(tmp_path) == []


async def test_download_that_is_cut_off_is_repeated(tmp_path: Path) -> None:
    """A file is complete after any interruption."""
    async with sent() as (bench, sn):
        bench.emulator.cut_body("download", times=2)
        report = await workflows.export_report(bench.nl, sn, download_to=tmp_path)

    content = report.files[0].path.read_bytes()
    assert content.count(b"\n") == 1 + bench.emulator.campaigns[0].count(
        "delivery", bench.clock.now()
    )


async def test_download_that_is_always_cut_off_leaves_nothing(tmp_path: Path) -> None:
    """Not even a part of a file remains."""
    async with sent() as (bench, sn):
        bench.emulator.cut_body("download", times=99)
        with pytest.raises(StorageError):
            await workflows.export_report(bench.nl, sn, download_to=tmp_path)

    assert files_in(tmp_path) == []


HOSTILE = [
    "../../etc/passwd",
    "..",
    "/absolute",
    "C:\\windows\\system",
    "a/b",
    "a_b",
    "a\x00b",
    "open\n",
    "open",
    "Open",
    "退信" * 200,
    "x" * 500,
    "con:stream",
]


async def test_hostile_types_stay_in_the_folder(tmp_path: Path) -> None:
    """A type can be any text of the server: each becomes one file, only in the folder."""
    folder = tmp_path / "reports"
    date = "2026-01-05T02:00:00Z"
    links = Reply(
        [
            {"reportType": kind, "link": "https://s.example/", "createdDate": date}
            for kind in HOSTILE
        ]
    )
    files = [Reply(f"{number}".encode()) for number in range(len(HOSTILE))]
    async with scripted(Reply([]), Reply(), links, links, links, *files) as script:
        report = await workflows.export_report(script.nl, CampaignSn("a..b:c"), download_to=folder)

    assert files_in(tmp_path) == ["reports"]
    assert files_in(folder) == sorted(file.path.name for file in report.files)
    assert len({name.lower() for name in files_in(folder)}) == len(HOSTILE)
    assert [file.path.read_text() for file in report.files] == [
        f"{number}" for number in range(len(HOSTILE))
    ]
    assert all(name.isascii() and len(name) < 150 for name in files_in(folder))


async def test_folder_that_cannot_be_made_is_refused_first(tmp_path: Path) -> None:
    """An export is possible once an hour, so it is not spent if no file could be written."""
    (tmp_path / "file").write_bytes(b"")
    async with scripted() as script:
        for folder in (tmp_path / "file", tmp_path / "file" / "below"):
            async with refused(script.wire, ("download_to", "folder")):
                await workflows.export_report(script.nl, CampaignSn("a"), download_to=folder)


async def test_bad_code_is_refused() -> None:
    """A code that is not valid in a path is refused before anything is sent."""
    async with scripted() as script:
        async with refused(script.wire, ("campaign_sn", "code")):
            await workflows.export_report(script.nl, CampaignSn("a/b"))
        async with refused(script.wire, ("campaign_sn", "required")):
            await workflows.wait_for_report(script.nl, CampaignSn(""))


async def test_unknown_campaign_is_reported() -> None:
    """The export reports that the campaign is unknown, and the links are not polled."""
    async with connected() as bench:
        with pytest.raises(CampaignNotReportable):
            await workflows.export_report(bench.nl, CampaignSn("unknown"))

    assert bench.emulator.count("export_report") == 1
    assert bench.emulator.count("get_links") == 1


ALONE = "in a state that allows this"
STATES = {
    "SENDING": "its state is SENDING; call again",
    "EMPTY_RECIPIENT": "it ended as EMPTY_RECIPIENT: no recipient",
    "COMPLETE": ALONE,
    "unread": ALONE,
}


@pytest.mark.parametrize(("state", "said"), STATES.items())
async def test_refused_export_says_where_the_campaign_stands(state: str, said: str) -> None:
    """One read of its state distinguishes a campaign in progress from an unsent one."""
    async with connected(profile="vendor-2026") as bench:
        bench.emulator.script_campaign("SENDING" if state == "unread" else state)
        sn = await bench.send()
        bench.emulator.fail("export_report", status=403, body=b'{"code": "40303"}')
        if state == "unread":
            bench.emulator.garbage("get_status", times=9)
        with pytest.raises(CampaignNotReportable) as caught:
            await workflows.export_report(bench.nl, sn)

        assert bench.emulator.count("get_status") >= 1
    assert said in str(caught.value)
    assert str(caught.value).endswith("allows this") is (said == ALONE)
    assert caught.value.code == 40303


REFUSALS = {
    "state": Reply({"code": "40303", "message": "bad operation with invalid user state"}, 403),
    "number": Reply({"code": 40303}, 403),
    "other-name": Reply({"errorCode": "40303", "message": "no report"}, 403),
    "empty": Reply(b"", 400),
    "missing": Reply(b"", 404),
    "page": Reply(b"<html>404 Not Found</html>", 404),
    "code": Reply({"code": "40007", "message": "invalid sn"}, 400),
}
"""The ways in which the links can be refused while there is no report."""


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
async def test_refused_links_before_and_after_the_export_are_no_files_yet(
    refusal: Reply, tmp_path: Path
) -> None:
    """The export decides; then the links are polled until they appear (T04, T117)."""
    async with sent() as (bench, sn):
        body = refusal.response().content
        bench.emulator.fail("get_links", status=refusal.status, body=body, times=3)
        report = await workflows.export_report(bench.nl, sn, download_to=tmp_path)

    assert (report.unchanged, bench.emulator.count("export_report")) == (False, 1)
    assert report.files


async def test_links_that_stay_refused_after_the_export_are_the_refusal() -> None:
    """A refusal means "not ready" for `settle_s`; later it is raised."""
    async with sent() as (bench, sn):
        bench.emulator.fail("get_links", status=400, body=b'{"code": "40007"}', times=99)
        with pytest.raises(APIError, match="40007") as caught:
            await workflows.export_report(bench.nl, sn)
        elapsed_s = bench.clock.monotonic() - 86_400

    assert caught.value.code == 40007
    assert 300 <= elapsed_s < 500


async def test_deadline_names_the_refusal_of_the_last_poll() -> None:
    """If the deadline is shorter than `settle_s`, the error contains the refusal."""
    async with sent() as (bench, sn):
        bench.emulator.fail("get_links", status=404, times=99)
        with pytest.raises(DeadlineExceeded, match=r"refused: .*404") as caught:
            await workflows.wait_for_report(bench.nl, sn, polling=Polling(deadline_s=100))

    assert caught.value.last is None


NO_LOOK = {
    "key": (403, b'{"message":"Forbidden"}', AuthenticationError),
    "key-by-code": (401, b'{"code": "40100"}', APIError),
    "in-between": (403, b"<html>Access denied</html>", UnexpectedResponse),
    "server": (500, b"", ServerError),
}


@pytest.mark.parametrize(("status", "body", "error"), NO_LOOK.values(), ids=NO_LOOK)
async def test_failed_read_that_is_not_a_refusal_exports_nothing(
    status: int, body: bytes, error: type[Exception]
) -> None:
    """An error of the key, a proxy or a broken answer says nothing about links."""
    async with sent() as (bench, sn):
        bench.emulator.fail("get_links", status=status, body=body, times=5)
        with pytest.raises(error):
            await workflows.export_report(bench.nl, sn)

    assert bench.emulator.count("export_report") == 0


async def test_files_before_a_refused_export_are_not_stored(tmp_path: Path) -> None:
    """Files from before the delayed export do not count as new."""
    store = tmp_path / "run.json"
    async with sent(**QUIET) as (bench, sn):
        bench.emulator.fail("export_report", status=403, body=b'{"code": "40303"}')
        with pytest.raises(CampaignNotReportable):
            await workflows.export_report(bench.nl, sn, checkpoint=store)
        await workflows.export_report(bench.nl, sn)
        await bench.clock.sleep(3_700)
        report = await workflows.export_report(bench.nl, sn, checkpoint=store)

    assert report.unchanged
    assert bench.emulator.count("export_report") == 3


async def test_refused_links_are_stored_as_no_files(tmp_path: Path) -> None:
    """A run that resumes after the export compares with the files before it."""
    store = tmp_path / "run.json"
    async with sent(**QUIET) as (bench, sn):
        bench.emulator.fail("get_links", status=404)
        with pytest.raises(DeadlineExceeded):
            await workflows.export_report(
                bench.nl, sn, checkpoint=store, polling=Polling(deadline_s=1)
            )
        report = await workflows.export_report(bench.nl, sn, checkpoint=store)

    assert not report.unchanged
    assert bench.emulator.count("export_report") == 1


async def test_links_that_are_refused_at_the_download_are_an_error(tmp_path: Path) -> None:
    """The report was already complete, so it is not polled again."""
    async with sent() as (bench, sn):

        def refuse_links(event: workflows.Event) -> None:
            if (event.step, event.state) == ("download_files", "started"):
                bench.emulator.fail("get_links", status=404)

        with pytest.raises(APIError, match="HTTP 404"):
            await workflows.export_report(bench.nl, sn, download_to=tmp_path, progress=refuse_links)


async def test_exhausted_daily_quota_ends_the_wait() -> None:
    """Unlike the hourly limit, the end of the daily quota ends the pipeline."""
    limits = RateLimits(windows=[(10, 1), (3, 86_400)])
    events: list[workflows.Event] = []
    async with sent() as (bench, sn):
        nl = bench.unchecked(limits)
        await nl.reports.get_links(sn)
        await nl.reports.get_links(sn)
        with pytest.raises(DailyQuotaExhausted):
            await workflows.export_report(nl, sn, progress=events.append)

    assert (events[-1].step, events[-1].state) == ("export_report", "failed")
    assert bench.emulator.count("export_report") == 0


async def test_wait_for_report_accepts_one_begun_elsewhere() -> None:
    """With the earlier links, a report is new if one of them is new."""
    async with sent(**QUIET) as (bench, sn):
        await bench.nl.reports.export(sn)
        first = await workflows.wait_for_report(bench.nl, sn)
        before = await bench.nl.reports.get_links(sn)
        second = await workflows.wait_for_report(bench.nl, sn, before=before)

    assert (first.unchanged, second.unchanged) == (False, True)
    assert first.available == second.available


NOON = datetime.fromisoformat("2026-01-05T12:00:00+00:00")


def state(kind: str, hour: int) -> ReportState:
    """Build the state of a file by its type and hour."""
    return ReportState(type=ReportType(kind), created=NOON + timedelta(hours=hour))


OLD = (state("delivery", 0), state("open", 0))
HALF = (state("delivery", 1), state("open", 0))
NEW = (state("delivery", 1), state("open", 1))


@pytest.mark.parametrize(
    ("before", "looks", "done_at", "changed"),
    [
        ((), [(), NEW, NEW], 2, True),
        ((), [NEW[:1], NEW, NEW], 2, True),
        (OLD, [OLD, HALF, NEW, NEW], 3, True),
        (OLD, [NEW, NEW], 1, True),
        (OLD, [HALF, HALF], 1, True),
        (OLD, [NEW, tuple(reversed(NEW))], 1, True),
        (OLD, [OLD] * 6, 5, False),
        (OLD, [OLD, OLD, OLD, OLD, HALF, NEW, NEW], 6, True),
        (OLD, [(*OLD, state("click", 1))] * 2, 1, True),
        ((), [()] * 9, None, False),
        (OLD, [()] * 9, None, False),
        (OLD, [OLD[:1]] * 9, 5, False),
    ],
)
def test_report_is_complete_by_its_polls(
    before: Any, looks: list[Any], done_at: int | None, changed: bool
) -> None:
    """New files and two equal polls are complete; so are five minutes without new files."""
    completion = ReportCompletion(frozenset(before), 300)

    done = [completion.is_done(each, number * 60.0) for number, each in enumerate(looks)]

    assert (done.index(True) if True in done else None) == done_at
    assert completion.changed is changed
