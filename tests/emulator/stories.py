"""Stories that tests of an emulator's state play: requests, time, and what is then so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import attrs
import httpx
from hypothesis import strategies as st

from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.platform.blobs import BlobWriter
from newsleopard_async.emulator.platform.reactions import Action
from tests.emulator.api import AB_BODY, AB_ONCE_BODY, BODY, ONCE_BODY, Api, HandClock, changed, rows

__all__ = ["STORY", "Step", "play", "state_of"]

Step = tuple[str, int]
"""What is done, and a number that chooses among what there is."""

DEEDS = (
    "list",
    "import",
    "file",
    "bad file",
    "lost upload",
    "submit",
    "schedule",
    "test",
    "once",
    "test once",
    "remove",
    "pause",
    "delete",
    "export",
    "links",
    "metrics",
    "event",
    "fail",
    "throttle",
    "stick",
    "script",
    "exclude",
    "react",
    "template",
    "switch",
    "webhooks",
    "minute",
    "hours",
)

STORY = st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 5)), max_size=12)


@attrs.define
class _Player:
    """Plays steps against an emulator, and writes down each answer."""

    api: Api
    heard: list[object] = attrs.field(factory=list)

    @property
    def emulator(self) -> Emulator:
        return self.api.emulator

    @property
    def clock(self) -> HandClock:
        clock = self.emulator.clock
        assert isinstance(clock, HandClock)
        return clock

    def list_sn(self, number: int) -> str:
        lists = list(self.emulator._account.book.lists)
        return lists[number % len(lists)] if lists else "none"

    def campaign_sn(self, number: int) -> str:
        campaigns = list(self.emulator._account.campaigns.all)
        return campaigns[number % len(campaigns)] if campaigns else "none"

    def email(self, number: int) -> str:
        return f"u{number}@example.com"

    async def hear(self, answer: httpx.Response) -> httpx.Response:
        """Write an answer down, its request id with it."""
        headers = [answer.headers.get(f"x-amz{name}") for name in ("n-requestid", "-request-id")]
        self.heard.append((answer.status_code, headers, answer.content))
        return answer

    async def ask(self, method: str, path: str, json: Any = None) -> httpx.Response:
        options = {} if json is None else {"json": json}
        return await self.hear(await self.api.request(method, path, **options))

    async def do(self, deed: str, number: int) -> None:
        """Do one thing."""
        await getattr(self, "do_" + deed.replace(" ", "_"))(number)

    async def do_list(self, number: int) -> None:
        await self.ask("POST", "/v1/contacts/lists/insert", {"name": f"名單{number}"})

    async def do_import(self, number: int) -> None:
        csv = rows(40 + number) if number % 2 else f"EMAIL,NAME,分數\nu{number}@example.com,甲,7\n"
        path = f"/v1/contacts/imports/{self.list_sn(number)}/text"
        await self.ask("POST", path, {"contacts": csv})

    async def do_file(self, number: int, *, content: str | None = None) -> None:
        ask = {"webhookUrl": "http://192.0.2.1/hook"} if number % 2 else None
        path = f"/v1/contacts/imports/{self.list_sn(number)}/file"
        ticket = await self.ask("POST", path, ask)
        if ticket.status_code == 200:
            csv = rows(60, prefix=f"f{number}") if content is None else content
            await self.hear(await self.api.put(ticket.json()["url"], csv.encode()))

    async def do_bad_file(self, number: int) -> None:
        bad = "EMAIL,NAME\nnobody,甲\na@b.cc,乙\na@b.cc,丙\n"
        await self.do_file(number, content=bad if number else "not,a\nfile")

    async def do_lost_upload(self, number: int) -> None:
        """Upload for an import, and go away before it is judged."""
        account = self.emulator._account
        job = account.imports.create(self.list_sn(number), None, account.catch_up())
        account.imports.upload(job, BlobWriter.of(rows(30, prefix="l").encode()), self.clock.now())

    async def submit(self, body: Any, number: int) -> None:
        chosen = changed(body, {"form.selectedLists": [self.list_sn(number)]})
        kind = "testing" if "testingOn" in str(body) else "normal"
        await self.ask("POST", f"/v1/campaign/{kind}/submit", chosen)

    async def do_submit(self, number: int) -> None:
        await self.submit(BODY, number)

    async def do_schedule(self, number: int) -> None:
        schedule = {"type": 1, "timezone": 21, "scheduleDate": "2026-01-05T05:00:00.000Z"}
        await self.submit(changed(BODY, {"config.schedule": schedule}), number)

    async def do_test(self, number: int) -> None:
        await self.submit(AB_BODY, number)

    async def do_once(self, number: int, body: Any = ONCE_BODY) -> None:
        kind = "testing" if "testingOn" in str(body) else "normal"
        ticket = await self.ask("POST", f"/v1/campaign/{kind}/once", body)
        if ticket.status_code == 200:
            csv = rows(50, prefix=f"o{number}").encode()
            await self.hear(await self.api.put(ticket.json()["url"], csv))

    async def do_test_once(self, number: int) -> None:
        await self.do_once(number, AB_ONCE_BODY)

    async def do_remove(self, number: int) -> None:
        fields = ("MAIL_ADDRESS", self.email(number)), ("NAME", f"會員{number}")
        field, value = fields[number % 2]
        body = {"field": field, "operator": "EQ", "value": value}
        await self.ask("DELETE", f"/v1/contacts/{self.list_sn(number)}", body)

    async def do_pause(self, number: int) -> None:
        await self.ask("PATCH", f"/v1/campaign/normal/{self.campaign_sn(number)}")

    async def do_delete(self, number: int) -> None:
        body = {"campaignSnList": [self.campaign_sn(number)]}
        await self.ask("DELETE", "/v1/campaign/normal", body)

    async def do_export(self, number: int) -> None:
        body = {"webhookUrl": "http://192.0.2.1/hook"} if number % 2 else None
        await self.ask("POST", f"/v1/report/{self.campaign_sn(number)}/export", body)

    async def do_links(self, number: int) -> None:
        found = await self.ask("GET", f"/v1/report/{self.campaign_sn(number)}/link")
        links = found.json().get("Reports", ()) if found.status_code == 200 else ()
        for link in links:
            await self.hear(await self.api.fetch(link["link"]))

    async def do_metrics(self, number: int) -> None:
        body = {"campaignSns": [self.campaign_sn(number)]}
        await self.ask("POST", "/v1/report/campaigns/metrics", body)

    async def do_event(self, number: int) -> None:
        person = {"name": "甲", "address": self.email(number), "variables": {"n": "1"}}
        body = {"workflow": "w", "event": "TRIGGER", "recipients": [person]}
        await self.ask("POST", "/v1/automation/event", body)

    async def do_fail(self, number: int) -> None:
        operations = "list_lists", "submit_campaign", "export_report"
        self.emulator.fail(operations[number % 3], 503, processed=bool(number % 2))

    async def do_throttle(self, number: int) -> None:
        self.emulator.throttle(retry_after=number)

    async def do_stick(self, number: int) -> None:
        self.emulator.stick_import()

    async def do_script(self, number: int) -> None:
        self.emulator.script_import("ERROR")
        self.emulator.script_campaign("SENDING" if number % 2 else "OVER_LIMIT")

    async def do_exclude(self, number: int) -> None:
        self.emulator.exclude(self.email(number))

    async def do_react(self, number: int) -> None:
        actions = get_args(Action)
        try:
            self.emulator.react(self.email(number), actions[number % 5])
        except LookupError as error:
            self.heard.append(str(error))

    async def do_template(self, number: int) -> None:
        self.emulator.add_template(f"範本{number}", "<p>${NAME}</p>")
        await self.ask("GET", "/v1/templates")

    async def do_switch(self, number: int) -> None:
        changes: list[dict[str, Any]] = [
            {"strict": False},
            {"numeric_codes": True},
            {"removal_from": "account"},
            {"open_share": 0.9},
            {"upload_reuse": "any"},
            {"report_encoding": "utf-16"},
        ]
        self.emulator.switch(**changes[number])

    async def do_webhooks(self, number: int) -> None:
        self.heard.append(await self.emulator.deliver_webhooks())

    async def do_minute(self, number: int) -> None:
        self.clock.advance(60)
        await self.ask("GET", "/v1/contacts/lists")

    async def do_hours(self, number: int) -> None:
        self.clock.advance(3_600 * (1 + number))
        await self.ask("GET", "/v1/report/campaigns")


async def play(emulator: Emulator, story: Sequence[Step]) -> list[object]:
    """Play a story, and return every answer: status, request id, body."""
    async with Api(emulator) as api:
        player = _Player(api)
        for deed, number in story:
            await player.do(deed, number)
    return player.heard


def state_of(emulator: Emulator) -> dict[str, object]:
    """Return what is so, in texts and numbers that can be compared."""
    now = emulator.clock.now()
    # Their times on the machine's clock are never the same.
    requests = [attrs.evolve(each, duration_ms=0.0) for each in emulator.requests]
    return {
        "lists": [(each, list(each.members)) for each in map(_plain_list, emulator.lists)],
        "contacts": list(emulator.contacts.values()),
        "excluded": sorted(emulator.excluded),
        "imports": [
            attrs.asdict(each, filter=lambda field, _: field.name not in {"blob", "result"})
            | {"status": each.status, "digest": each.blob.digest if each.blob else None}
            for each in emulator.imports
        ],
        "campaigns": [
            (each.sn, each.name, each.state(now), each.mails, each.charged, each.winner)
            for each in emulator.campaigns
        ],
        "outbox": list(emulator.outbox),
        "balance": emulator.balance,
        "requests": requests,
        "count": emulator.count("list_lists"),
        "webhooks": emulator.webhooks,
        "events": emulator.automation_events,
        "switches": emulator.switches,
        "faults": emulator.pending_faults,
    }


def _plain_list(found: Any) -> Any:
    return attrs.evolve(found, left=None, members=list(found.members))
