"""The applications that the documentation shows: on real servers, stopped, killed and restarted."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from newsleopard_async.emulator import Emulator, Switches
from newsleopard_async.emulator.server import running
from tests.constants import KEY
from tests.faults.world import MANY, addresses
from tests.frameworks.driving import COMMANDS, Server, hearing, order, wait_until

pytestmark = pytest.mark.slow

GRACE_S = 10
"""What docker gives a container to stop."""


@pytest.fixture
def emulator() -> Emulator:
    """Build a platform whose imports end, and whose campaigns are sent and listed, at once."""
    quick = Switches(import_base_s=0, import_rows_per_s=1e9, send_base_s=0, requests_per_s=None)
    return Emulator(api_keys=(KEY,), switches=quick)


@pytest.fixture(params=COMMANDS)
def server(request: pytest.FixtureRequest, emulator: Emulator, tmp_path: Path) -> Iterator[Server]:
    """Start an application whose platform is the emulator, on a real server too."""
    with running(emulator) as url, Server(request.param, url, tmp_path / "jobs") as server:
        yield server


def check_sent_once(emulator: Emulator, *names: str) -> None:
    """Check that each name has one list, with all contacts, and one campaign, submitted once."""
    assert sorted(each.name for each in emulator.lists) == sorted(names)
    for each in emulator.lists:
        assert sorted(each.members) == sorted(addresses(MANY))
    sent = [each.name.partition(" ")[0] for each in emulator.campaigns]
    assert sorted(sent) == sorted(names)


def settled(events: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Leave out what is only waited for, since a later event may have replaced it."""
    return [(name, data) for name, data in events if data["state"] != "waiting"]


def test_campaigns_are_sent_while_browsers_watch_and_after_a_restart(
    server: Server, emulator: Emulator
) -> None:
    """Answers come at once, then events; an import costs one poll, and a stop in it nothing."""
    early: list[tuple[str, Any]] = []
    stopped: list[tuple[str, Any]] = []

    refused = server.http.post("/campaigns", json=order("甲", subject=""))
    half = json.dumps({**order("甲"), "contacts": "\ud800"}).encode()
    bodies = (b"{", b"[" * 5_000, b'{"campaign": NaN}', half)
    json_type = {"Content-Type": "application/json"}
    odd = [server.http.post("/campaigns", content=each, headers=json_type) for each in bodies]
    unknown = server.http.get("/campaigns/..%2F..%2Fetc/events")
    first = server.post("甲")
    with hearing(server, first, early):
        with closing(server.events(first)) as leaving:
            next(leaving)
            for _ in range(20):
                server.leave(first)
        end = server.end_of(first)
    polls = emulator.count("get_import")
    late = list(server.events(first))
    again = server.post("甲")
    emulator.switch(import_base_s=1.0)
    second = server.post("乙")
    with hearing(server, second, stopped):
        wait_until(lambda: any(data.get("step") == "get_import" for _, data in stopped))
        stopped_in_s = server.stop()
    server.start()
    end_of_second = server.end_of(second)

    assert (refused.status_code, unknown.status_code) == (422, 404)
    assert "subject" in refused.text
    assert addresses(MANY)[0] not in refused.text
    assert all(each.status_code in (400, 422) for each in odd)
    assert again == first
    assert end["state"] == "done"
    assert end["campaign_sn"] == emulator.campaigns[0].sn
    assert polls == 1
    assert settled(late) == settled(early)
    finished = [data["step"] for _, data in early if data["state"] == "finished"]
    assert (finished[0], finished[-1]) == ("check_contacts", "submit")
    name, status = stopped[-1]
    assert (name, status["send_key"], status["state"]) == ("end", second, "interrupted")
    assert stopped_in_s < GRACE_S
    assert end_of_second["state"] == "done"
    assert server.http.get(f"/campaigns/{first}").json() == end
    check_sent_once(emulator, "甲", "乙")
    assert emulator.count("submit_campaign") == 2
    assert "Traceback" not in server.said


@pytest.mark.parametrize(
    ("server", "cut_by"),
    [("fastapi", "the end of the grace"), ("aiohttp", "SIGKILL")],
    indirect=["server"],
)
def test_submit_in_flight_is_never_repeated_after_any_end_of_the_process(
    server: Server, emulator: Emulator, cut_by: str
) -> None:
    """SIGTERM lets it run to its answer; one that is cut is looked up by the next process."""
    emulator.delay("submit_campaign", seconds=1)
    emulator.delay("submit_campaign", seconds=3)

    first = server.post("甲")
    wait_until(lambda: len(emulator.campaigns) == 1)
    stopped_in_s = server.stop()
    server.start(GRACE_S="0.1")
    end = server.end_of(first)
    looks = emulator.count("list_campaigns")
    second = server.post("乙")
    wait_until(lambda: len(emulator.campaigns) == 2)
    server.stop(signal.SIGKILL if cut_by == "SIGKILL" else signal.SIGTERM)
    server.start()
    end_of_second = server.end_of(second)

    found = [each["campaign_sn"] for each in (end, end_of_second)]
    assert found == [each.sn for each in emulator.campaigns]
    check_sent_once(emulator, "甲", "乙")
    assert emulator.count("submit_campaign") == 2
    # Each run looks whether it was sent before, and the one that was cut looks again.
    assert emulator.count("list_campaigns") > 2 * looks
    assert stopped_in_s < GRACE_S
    assert ("the client was closed meanwhile" in server.said) is (cut_by != "SIGKILL")
    assert "Traceback" not in server.said


def test_two_workers_share_the_jobs_and_send_each_once(emulator: Emulator, tmp_path: Path) -> None:
    """Whichever worker a request reaches, and though all are stopped in the middle."""
    settings = {"WEB_CONCURRENCY": "2", "PUBLIC_URL": "", "LOOK_EVERY_S": "1"}
    names = "甲乙丙丁"
    with running(emulator) as url, closing(Server("fastapi", url, tmp_path / "jobs")) as server:
        server.start(**settings)
        ids = {server.post(name, alone=True) for name in names + names}
        wait_until(lambda: emulator.campaigns)
        stopped_in_s = server.stop()
        server.start(**settings)
        ends = [server.end_of(job_id) for job_id in ids]

    assert len(ids) == len(names)
    assert {each["state"] for each in ends} == {"done"}
    assert {each["campaign_sn"] for each in ends} == {each.sn for each in emulator.campaigns}
    check_sent_once(emulator, *names)
    assert emulator.count("submit_campaign") == len(names)
    assert stopped_in_s < GRACE_S
    assert "Traceback" not in server.said
