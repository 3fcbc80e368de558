"""The durable application of the documentation: it starts sends, and a worker carries them out."""

from __future__ import annotations

import importlib
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import pytest_asyncio

from newsleopard_async.emulator import Emulator, Switches
from newsleopard_async.emulator.server import running
from tests.constants import CAMPAIGN, KEY, ROOT

pytestmark = [pytest.mark.slow, pytest.mark.asyncio]

EXAMPLES = ROOT / "docs" / "examples"
ADDRESS = "ming@example.com"


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load the application as a process does whose settings are in its environment."""
    folder = tmp_path / "contacts"
    folder.mkdir()
    (folder / "members.csv").write_text(f"EMAIL,NAME\n{ADDRESS},王小明\n", "utf-8")
    (tmp_path / "secret.csv").write_text(f"EMAIL,NAME\n{ADDRESS},王小明\n", "utf-8")
    monkeypatch.setenv("CONTACTS_FOLDER", str(folder))
    monkeypatch.setenv("NEWSLEOPARD_DURABLE_URL", f"sqlite:///{tmp_path}/sends.db")
    monkeypatch.syspath_prepend(EXAMPLES)
    # Nothing may be left of it: the next test has another environment.
    monkeypatch.setitem(sys.modules, "durable_app", ModuleType("durable_app"))
    del sys.modules["durable_app"]
    return importlib.import_module("durable_app")


@pytest_asyncio.fixture
async def http(application: ModuleType) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the application."""
    transport = httpx.ASGITransport(app=application.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        yield client
    await application.durable.aclose()


def order(**changes: Any) -> dict[str, Any]:
    """Return the body of a PUT."""
    body = {"campaign": CAMPAIGN.to_dict(), "contacts": "members.csv", "list_name": "會員"}
    return body | changes


async def test_web_process_without_a_key_starts_what_a_worker_sends(
    application: ModuleType, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A send that was started twice is one campaign, and each process can say so."""
    quick = Switches(import_base_s=0, import_rows_per_s=1e9, requests_per_s=None)
    emulator = Emulator(api_keys=(KEY,), switches=quick)
    monkeypatch.delenv("NEWSLEOPARD_API_KEY", raising=False)

    started = [await http.put("/campaigns/anniversary", json=order()) for _ in range(2)]
    with running(emulator) as url:
        monkeypatch.setenv("NEWSLEOPARD_API_KEY", KEY)
        monkeypatch.setenv("NEWSLEOPARD_BASE_URL", url)
        async with application.durable.worker():
            await application.durable.wait("anniversary", deadline_s=30)
    shown = await http.get("/campaigns/anniversary")
    late = await http.delete("/campaigns/anniversary")

    assert [each.status_code for each in started] == [202, 202]
    assert {each.json()["state"] for each in started} == {"queued"}
    assert shown.json()["state"] == "done"
    assert shown.json()["campaign_sn"] == emulator.campaigns[0].sn
    assert emulator.submitted == 1
    assert (late.status_code, late.json()) == (409, "too late")


async def test_scheduled_send_is_shown_and_cancelled_and_bad_orders_are_refused(
    http: httpx.AsyncClient,
) -> None:
    """No answer to a bad order repeats it, and no file outside of the folder is read."""
    friday = (datetime.now(UTC) + timedelta(days=30)).isoformat()

    scheduled = await http.put("/campaigns/friday", json=order(at=friday))
    listed = await http.get("/campaigns", params={"state": ["scheduled", "held"]})
    other = await http.put("/campaigns/friday", json=order(list_name="另一個", at=friday))
    outside = await http.put("/campaigns/outside", json=order(contacts="../secret.csv"))
    bad = await http.put("/campaigns/bad", json=order(campaign={"html": ADDRESS}))
    cancelled = await http.delete("/campaigns/friday")
    unknown = [await http.get("/campaigns/none"), await http.delete("/campaigns/none")]

    assert scheduled.json()["state"] == "scheduled"
    assert [each["send_key"] for each in listed.json()] == ["friday"]
    assert [each.status_code for each in (other, outside, bad)] == [422, 422, 422]
    assert "PermissionError" in outside.text
    assert ADDRESS not in bad.text
    assert (cancelled.status_code, cancelled.json()) == (200, "cancelled")
    assert [each.status_code for each in unknown] == [404, 404]
