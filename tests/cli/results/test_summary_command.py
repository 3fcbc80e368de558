"""``newsleopard summary``: the numbers of campaigns, from metrics or from report files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from newsleopard_async import NewsLeopard
from newsleopard_async.cli.runs.locations import SendsLocation
from newsleopard_async.cli.session import Session
from newsleopard_async.workflows import send_campaign
from tests.cli.offices import Office, an_office
from tests.cli.results.test_status_command import UNKNOWN
from tests.clients import csv_of
from tests.constants import CAMPAIGN, SUBJECT_TEST


async def fill(nl: NewsLeopard) -> tuple[str, str]:
    """Send a campaign and an A/B test, and let a day pass."""
    how: Any = {"contacts": csv_of(200), "if_list_exists": "reuse"}
    one = await send_campaign(nl, CAMPAIGN, list_name="甲", send_key="k", **how)
    test = attrs.evolve(SUBJECT_TEST, wait=timedelta(hours=2))
    two = await send_campaign(nl, test, list_name="乙", **how)
    await nl.clock.sleep(86_400)
    return one.campaign_sn, two.campaign_sn


@attrs.frozen
class Shop:
    """An account with a campaign and an A/B test."""

    office: Office
    campaign: str
    ab_test: str

    @asynccontextmanager
    async def sends(self) -> AsyncIterator[SendsLocation]:
        """Open the store of its runs."""
        yield SendsLocation("the store of the tests", None, self.office.store)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """An account of the vendor's notes, shared by the tests, which only read."""
    with pytest.MonkeyPatch.context() as patch:
        office = an_office(tmp_path_factory.mktemp("office"), patch, profile="vendor-2026")
        yield Shop(office, *office.do(fill))


@pytest.mark.parametrize("width", [40, 80, 120])
def test_each_campaign_and_part_has_its_numbers(shop: Shop, width: int) -> None:
    """The codes can be copied, and no line is wider than the terminal."""
    result = shop.office.invoke("summary", shop.campaign, shop.ab_test, width=width)

    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= width
    for text in (shop.campaign, shop.ab_test, "Test A", "Test B", "Winner to the others", "Opened"):
        assert any(text in line for line in lines), text
    assert ("Complained" in result.stdout) == (width != 80)


def test_json_is_the_outcome_of_the_pipeline(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """An array in the order of the arguments; an unknown code has no numbers."""
    monkeypatch.setattr(Session, "sends", lambda *_: shop.sends())
    one, two, unknown = shop.office.json("summary", "k", shop.ab_test, UNKNOWN)

    assert (one["campaign_sn"], one["recipients"], one["source"]) == (shop.campaign, 200, "metrics")
    assert [each["part"] for each in two["parts"]] == ["TEST_A", "TEST_B", "WINNING"]
    assert (unknown["campaign_sn"], unknown["delivered"]) == (UNKNOWN, None)


def test_account_without_metrics_counts_its_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The steps of the exports are shown; a type without a file is unknown, and not 0."""
    office = an_office(tmp_path, monkeypatch)
    one, _ = office.do(fill)

    result = office.invoke("summary", one)

    assert result.exit_code == 0, result.output
    assert "Download the report" in result.stderr
    assert "Counted in the report files" in result.stdout
    assert "–" in result.stdout
