"""Report exports, their links and their files."""

from __future__ import annotations

import csv
from typing import Any

import pytest

from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.platform import reports
from tests.emulator.api import AB_BODY, BODY, Api, HandClock, make

pytestmark = pytest.mark.asyncio

DAY_S = 86_400


class Sent:
    """A campaign that a thousand readers got, a day ago."""

    def __init__(self, emulator: Emulator, clock: HandClock, api: Api, sn: str) -> None:
        self.emulator, self.clock, self.api, self.sn = emulator, clock, api, sn

    @classmethod
    async def of(cls, body: dict[str, Any] = BODY, **switches: Any) -> Sent:
        """Send it and let the day pass."""
        emulator, clock = make(**switches)
        api = Api(emulator)
        answer = await api.submit(body, await api.filled_list(1_000))
        clock.advance(DAY_S)
        return cls(emulator, clock, api, answer.json()["sn"])

    async def export(self) -> Any:
        """Ask for an export."""
        return await self.api.post(f"/v1/report/{self.sn}/export", {})

    async def links(self) -> list[dict[str, str]]:
        """Ask for the links."""
        answer = (await self.api.get(f"/v1/report/{self.sn}/link")).json()
        reports: list[dict[str, str]] = answer if isinstance(answer, list) else answer["Reports"]
        return reports


async def test_export_is_an_empty_200_and_links_follow_later() -> None:
    """The answer is empty, but its type is JSON; the files are ready later (T110, T112)."""
    sent = await Sent.of()
    never = await sent.links()

    answer = await sent.export()

    at_once = await sent.links()
    sent.clock.advance(15)
    links = await sent.links()
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/json"
    assert never == at_once == []
    assert [set(link) for link in links] == [{"reportType", "link", "createdDate"}] * 6
    assert {link["createdDate"] for link in links} == {"2026-01-06T02:01:15.000Z"}


async def test_files_hold_what_happened() -> None:
    """Each type has its file, whose rows are the events up to its date (T119)."""
    sent = await Sent.of()
    await sent.export()
    sent.clock.advance(15)

    files = {
        link["reportType"]: list(
            csv.DictReader((await sent.api.fetch(link["link"])).text.splitlines())
        )
        for link in await sent.links()
    }

    (campaign,) = sent.emulator.campaigns
    for kind, rows in files.items():
        assert len(rows) == campaign.count(kind, sent.clock.now())
    assert list(files["delivery"][0]) == ["EMAIL", "NAME", "DELIVERED_AT"]
    assert files["click"][0]["URL"] == "https://example.com/a"
    assert len(files["delivery"]) + len(files["bounce"]) == 1_000
    assert {row["EMAIL"] for row in files["click"]} <= {row["EMAIL"] for row in files["open"]}


async def test_second_export_within_the_hour_is_void() -> None:
    """It answers 200 and does nothing (T111)."""
    sent = await Sent.of()
    await sent.export()
    sent.clock.advance(3_599)
    before = await sent.links()

    void = await sent.export()

    sent.clock.advance(60)
    after = await sent.links()
    assert void.status_code == 200
    assert [link["createdDate"] for link in before] == [link["createdDate"] for link in after]


async def test_types_can_be_ready_one_after_the_other() -> None:
    """A look in between sees some of the files."""
    sent = await Sent.of(report_delay_s=10, report_stagger_s=10)
    await sent.export()
    sent.clock.advance(25)

    assert [link["reportType"] for link in await sent.links()] == ["delivery", "open"]


async def test_vendor_profile_takes_one_export_in_ten_seconds() -> None:
    """Their limit holds across campaigns, and answers as a limit does (T111)."""
    emulator, clock = make(export_every_s=10.0, export_per_campaign_s=10.0)
    async with Api(emulator) as api:
        list_sn = await api.filled_list(1)
        one, two = [(await api.submit(BODY, list_sn)).json()["sn"] for _ in range(2)]
        first = await api.post(f"/v1/report/{one}/export", {})
        second = await api.post(f"/v1/report/{two}/export", {})
        clock.advance(10)
        third = await api.post(f"/v1/report/{two}/export", {})

    assert [answer.status_code for answer in (first, second, third)] == [200, 429, 200]


async def test_both_variants_of_a_test_are_in_the_report() -> None:
    """A report is one, of all waves."""
    sent = await Sent.of(AB_BODY, bounce_share=0)
    await sent.export()
    sent.clock.advance(15)

    (link,) = [item for item in await sent.links() if item["reportType"] == "delivery"]
    assert len((await sent.api.fetch(link["link"])).text.splitlines()) == 1_001


async def test_report_file_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later download only costs the transfer, and a later import changes no name in it."""
    written = list[str]()
    write = reports.write_report

    def noting(campaign: Any, file: Any, encoding: str) -> Any:
        written.append(encoding)
        return write(campaign, file, encoding)

    monkeypatch.setattr(reports, "write_report", noting)
    sent = await Sent.of()
    await sent.api.import_text("EMAIL,NAME\nu0@example.com,renamed\n")
    await sent.export()
    sent.clock.advance(15)
    links = [await sent.links() for _ in range(2)]

    texts = [(await sent.api.fetch(each[0]["link"])).text for each in links]
    sent.emulator.switch(report_encoding="utf-16")
    other = (await sent.api.fetch((await sent.links())[0]["link"])).content

    assert texts[0] == texts[1] == other.decode("utf-16")
    assert written == ["utf-8", "utf-16"]
    assert "renamed" not in texts[0]


async def test_rows_are_in_order_of_time_and_of_their_own_time() -> None:
    """Files are sorted, and each name is next to its address, even if a name needs quotes."""
    emulator, clock = make(bounce_share=0.1, open_share=1.0, open_delay_s=60.0)
    csv_text = "EMAIL,NAME\n" + "".join(f'u{n}@example.com,"{n}, ""x"""\n' for n in range(3_000))
    async with Api(emulator) as api:
        list_sn = await api.create_list()
        await api.import_text(csv_text, list_sn)
        clock.advance(60)
        sn = (await api.submit(AB_BODY, list_sn)).json()["sn"]
        clock.advance(DAY_S)
        sent = Sent(emulator, clock, api, sn)
        await sent.export()
        clock.advance(15)
        for link in await sent.links():
            text = (await api.fetch(link["link"])).text
            rows = list(csv.reader(text.splitlines()))[1:]
            assert [row[2] for row in rows] == sorted(row[2] for row in rows)
            assert all(row[1] == f'{row[0][1:].partition("@")[0]}, "x"' for row in rows)
            assert len({row[0] for row in rows}) == len(rows)
