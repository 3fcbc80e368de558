"""``newsleopard demo``: runs a whole campaign over real HTTP with an emulator on this machine."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Final

import anyio
import attrs
from rich.console import Console

from newsleopard_async import Campaign, CampaignSn, NewsLeopard, Polling, Sender, workflows
from newsleopard_async.cli.display.pipeline_display import PipelineDisplay
from newsleopard_async.cli.display.step_display import StepDisplay
from newsleopard_async.cli.emulating.demo_audience import (
    Person,
    read_people,
    readers_table,
    write_people,
)
from newsleopard_async.cli.results.funnel import FunnelStage, funnel_table, stages_of
from newsleopard_async.cli.translation import ngettext
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.emulator import Emulator, Switches
from newsleopard_async.emulator.server import running

__all__ = ["CONTACTS", "LIMIT_S", "run_demo", "until_interrupted"]

CONTACTS: Final = 20_000
"""Chosen: enough for realistic rates, and imported within seconds at the demonstration's speed."""
LIMIT_S: Final = 60.0
"""The deadline of the demonstration, in seconds. Chosen: several times its usual duration."""

SHOWN_READERS: Final = 5
"""The number of people in the table of readers who clicked. Chosen: the table stays short."""

KEY: Final = "demo-key"
READING_S: Final = 3.0
"""Seconds for reading. Chosen: after them, nearly all readers who open a mail have opened it."""


def quick_platform(pace: float) -> Switches:
    """Return the switches for jobs that take seconds instead of minutes, and for fast readers.

    Args:
        pace: The factor for all durations; 1 is the demonstration's.
    """
    return Switches(
        import_base_s=0.8 * pace,
        import_rows_per_s=8_000.0 / pace,
        send_base_s=0.3 * pace,
        mails_per_s=10_000.0 / pace,
        open_delay_s=READING_S * pace / 6,
        report_delay_s=0.8 * pace,
        report_stagger_s=0.1 * pace,
    )


def quick_polling(pace: float) -> Polling:
    """Return the polling for such a fast platform."""
    return Polling(
        first_s=0.25 * pace,
        factor=1.1,
        max_s=0.4 * pace,
        deadline_s=LIMIT_S,
        grace_s=5.0,
        settle_s=10.0,
    )


CAMPAIGN: Final = Campaign(
    name="週年慶",
    subject="${NAME}，您的專屬優惠",
    sender=Sender("電子豹", "service@example.com"),
    html=(
        '<!DOCTYPE html><html><head><meta charset="utf-8"></head><body>'
        "<p>${NAME} 您好，</p><p>${STORE}門市週年慶，您的 ${POINTS} 點可折抵消費。</p>"
        '<p><a href="https://example.com/anniversary">立即前往</a></p></body></html>'
    ),
)


def run_demo(
    console: Console,
    contacts: int = CONTACTS,
    *,
    pace: float = 1.0,
    until: Callable[[], object] | None = None,
) -> None:
    """Run the demonstration and print its results.

    Args:
        console: The console for the output.
        contacts: The number of contacts to generate.
        pace: The factor for all durations; below 1, the demonstration is faster.
        until: Waits for as long as the emulator and its page shall stay; None ends them at once.

    Raises:
        TimeoutError: the demonstration took longer than `LIMIT_S`.
    """
    began_s = time.monotonic()
    console.print(
        _("A whole campaign over HTTP, with an emulator on this machine.") + "\n", style="bold"
    )
    emulator = Emulator(api_keys=(KEY,), switches=quick_platform(pace))
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="newsleopard-demo-"))
        with StepDisplay(console) as steps:
            demo = _Demo(steps, emulator, Path(folder), contacts, pace)
            url, results = demo.run(stack)
        _print_results(console, results)
        text = _("{requests} requests in {seconds:.0f} s. No mail left this machine.")
        requests, seconds = len(emulator.requests), time.monotonic() - began_s
        console.print(text.format(requests=requests, seconds=seconds), style="dim")
        if until is None:
            console.print(_("newsleopard demo --keep shows the mails on a page."), style="dim")
            return
        text = _("The mails are at {url} until Ctrl-C.").format(url=f"{url}/")
        console.print(text, soft_wrap=True)
        until()


def until_interrupted() -> None:
    """Wait for Ctrl-C."""
    with contextlib.suppress(KeyboardInterrupt):
        anyio.run(anyio.sleep_forever)


@attrs.frozen
class _Results:
    """The results of the campaign: the funnel, and the first readers who clicked."""

    funnel: Sequence[FunnelStage]
    readers: Sequence[Person]


@attrs.frozen
class _Demo:
    """One run of the demonstration."""

    steps: StepDisplay
    emulator: Emulator
    folder: Path
    contacts: int
    pace: float

    @property
    def members(self) -> Path:
        """The file of contacts."""
        return self.folder / "members.csv"

    def run(self, stack: ExitStack) -> tuple[str, _Results]:
        """Run all steps; return the URL of the emulator, which ends with the stack, and results."""
        self._write_contacts()
        with self.steps.step(_("Start the emulator")) as step:
            url = step.detail = stack.enter_context(running(self.emulator))
        return url, anyio.run(self._run_campaign, url)

    async def _run_campaign(self, base_url: str) -> _Results:
        with anyio.fail_after(LIMIT_S):
            async with NewsLeopard(KEY, base_url=base_url) as nl:
                campaign_sn = await self._send(nl)
                await self._wait_for_mails()
                await self._wait_for_readers()
                return await self._read(await self._fetch_report(nl, campaign_sn))

    def _write_contacts(self) -> None:
        with self.steps.step(_("Generate contacts")) as step:
            size_bytes = write_people(self.members, self.contacts)
            text = _("{rows:,} rows, {bytes:,} bytes")
            step.detail = text.format(rows=self.contacts, bytes=size_bytes)

    async def _send(self, nl: NewsLeopard) -> CampaignSn:
        with PipelineDisplay(self.steps) as display:
            outcome = await workflows.send_campaign(
                nl,
                CAMPAIGN,
                contacts=self.members,
                list_name="週年慶會員",
                polling=quick_polling(self.pace),
                progress=display,
            )
        return outcome.campaign_sn

    async def _wait_for_mails(self) -> None:
        """Wait until all mails are in the emulator's outbox."""
        with self.steps.step(_("Mails are sent")) as step:
            while (sent := len(self.emulator.outbox)) < self.contacts:
                step.detail, step.share = _mails(sent), sent / self.contacts
                await anyio.sleep(0.1 * self.pace)
            step.detail = _mails(sent)

    async def _wait_for_readers(self) -> None:
        with self.steps.step(_("Readers open and click")) as step:
            began_s, duration_s = time.monotonic(), READING_S * self.pace
            while (passed_s := time.monotonic() - began_s) < duration_s:
                step.share = passed_s / duration_s
                await anyio.sleep(0.1 * self.pace)

    async def _fetch_report(
        self, nl: NewsLeopard, campaign_sn: CampaignSn
    ) -> workflows.CampaignReport:
        with PipelineDisplay(self.steps) as display:
            return await workflows.export_report(
                nl,
                campaign_sn,
                download_to=self.folder / "report",
                polling=quick_polling(self.pace),
                progress=display,
            )

    async def _read(self, report: workflows.CampaignReport) -> _Results:
        """Read the report's files, before their folder is deleted."""
        funnel = stages_of(await report.summary(), recipients=self.contacts, missing=0)
        known, readers = read_people(self.members), list[Person]()
        async with aclosing(report.rows("click")) as clicks:
            async for click in clicks:
                if len(readers) == SHOWN_READERS:
                    break
                readers.append(known[click.email])
        return _Results(funnel, readers)


def _mails(count: int) -> str:
    return ngettext("{mails:,} mail", "{mails:,} mails", count).format(mails=count)


def _print_results(console: Console, results: _Results) -> None:
    console.print()
    console.print(funnel_table(results.funnel, CAMPAIGN.name, width=console.width))
    if results.readers:
        console.print(readers_table(results.readers, width=console.width))
