"""What the emulator's tests share: a clock held by hand, and a client without opinions."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

import anyio.lowlevel
import httpx

from newsleopard_async.emulator import Emulator, Switches
from tests.constants import START

__all__ = [
    "AB_BODY",
    "AB_ONCE_BODY",
    "BODY",
    "ONCE_BODY",
    "QUIET",
    "Api",
    "HandClock",
    "changed",
    "make",
    "rows",
    "scheduled",
]


class HandClock:
    """A clock that only moves when a task sleeps on it, or a test moves it."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0
        self.wall_behind_s = 0.0
        """How far the wall clock was set back."""

    def now(self) -> datetime:
        """Return the time."""
        return START + timedelta(seconds=self.elapsed_s - self.wall_behind_s)

    def monotonic(self) -> float:
        """Return the seconds that have passed."""
        return self.elapsed_s

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.elapsed_s += max(0.0, seconds)
        await anyio.lowlevel.checkpoint()

    def advance(self, seconds: float) -> None:
        """Move the time by hand."""
        self.elapsed_s += seconds


def make(**switches: Any) -> tuple[Emulator, HandClock]:
    """Build an emulator without rate limits, and the clock that it lives by."""
    clock = HandClock()
    unlimited: dict[str, Any] = {"requests_per_s": None, "requests_per_day": None}
    return Emulator(clock=clock, switches=Switches(**(unlimited | switches))), clock


def rows(count: int, *, prefix: str = "u") -> str:
    """Write a CSV of so many contacts."""
    return "EMAIL,NAME\n" + "".join(
        f"{prefix}{number}@example.com,會員{number}\n" for number in range(count)
    )


BODY: dict[str, Any] = {
    "form": {"name": "活動名稱", "selectedLists": [], "excludeLists": []},
    "config": {
        "schedule": {"type": 0, "timezone": 21, "scheduleDate": "2026-01-05T02:00:00.000Z"},
        "ga": {
            "enable": "true",
            "ecommerceEnable": "false",
            "utmCampaign": "spring_sale",
            "utmContent": "logolink",
        },
    },
    "content": {
        "subject": "${NAME},您好",
        "fromName": "電子豹",
        "fromAddress": "service@example.com",
        "htmlContent": '<p>Hello ${NAME}, <a href="https://example.com/a">看看</a></p>',
        "footerLang": 1,
    },
}

AB_BODY: dict[str, Any] = copy.deepcopy(BODY) | {
    "content": {
        "subjectA": "信件主旨A",
        "subjectB": "信件主旨B",
        "fromName": "寄件人名稱",
        "fromAddress": "service@example.com",
        "htmlContent": "<p>信件內容</p>",
        "footerLang": 1,
        "testingOn": 1,
        "testing": {"proportion": 10, "time": 1, "unit": 0},
    }
}


ONCE_BODY: dict[str, Any] = copy.deepcopy(BODY) | {"form": {"name": "活動名稱"}}
AB_ONCE_BODY: dict[str, Any] = copy.deepcopy(AB_BODY) | {"form": {"name": "活動名稱"}}
"""Campaigns without lists (T122)."""


QUIET: dict[str, Any] = {"bounce_share": 0.0, "open_share": 0.0}
"""Switches with which all mails arrive, and none is opened."""


def scheduled(seconds: float, body: Mapping[str, Any] = BODY) -> dict[str, Any]:
    """Return a campaign for so long after the clock's start."""
    text = f"{START + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.000Z"
    return changed(body, {"config.schedule.type": 1, "config.schedule.scheduleDate": text})


def changed(body: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a body with values at dotted paths replaced; ``...`` takes a member away."""
    result = copy.deepcopy(dict(body))
    for path, value in changes.items():
        *parents, name = path.split(".")
        place: Any = result
        for parent in parents:
            place = place[parent]
        if value is ...:
            del place[name]
        else:
            place[name] = value
    return result


class Api:
    """Calls an emulator as its API's documentation says, and hands answers back as they are."""

    def __init__(self, emulator: Emulator, *, key: str | None = "test-key") -> None:
        self.emulator = emulator
        headers = {"x-api-key": key} if key is not None else {}
        options: dict[str, Any] = {"transport": emulator.transport(), "trust_env": False}
        self._api = httpx.AsyncClient(base_url=emulator.base_url, headers=headers, **options)
        self._storage = httpx.AsyncClient(**options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._api.aclose()
        await self._storage.aclose()

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """GET from the API."""
        return await self._api.get(path, **options)

    async def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        """POST to the API, JSON or what the options say."""
        if json is not None:
            options["json"] = json
        return await self._api.post(path, **options)

    async def delete(self, path: str, json: Any) -> httpx.Response:
        """DELETE at the API, with a JSON body."""
        return await self._api.request("DELETE", path, json=json)

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call the API, without a body or with what the options say."""
        return await self._api.request(method, path, **options)

    async def put(self, url: str, content: Any, **options: Any) -> httpx.Response:
        """PUT to the storage, without the key."""
        return await self._storage.put(url, content=content, **options)

    async def fetch(self, url: str, **options: Any) -> httpx.Response:
        """GET from the storage, without the key."""
        return await self._storage.get(url, **options)

    async def create_list(self, name: str = "VIP會員名單") -> str:
        """Make a list and return its code."""
        answer = await self.post("/v1/contacts/lists/insert", {"name": name})
        return str(answer.json()["sn"])

    async def import_text(self, csv: str, list_sn: str | None = None) -> str:
        """Start a text import; nothing waits for its end."""
        place = f"/{list_sn}" if list_sn else ""
        answer = await self.post(f"/v1/contacts/imports{place}/text", {"contacts": csv})
        return str(answer.json()["import_sn"])

    async def result(self, import_sn: str) -> dict[str, Any]:
        """Return an import's result."""
        answer = await self.get(f"/v1/contacts/imports/result/{import_sn}")
        return dict(answer.json())

    async def reserve(self, body: Mapping[str, Any]) -> httpx.Response:
        """Ask for a campaign without lists, of the kind that the body is."""
        is_test = "testingOn" in str(body)
        return await self.post(f"/v1/campaign/{'testing' if is_test else 'normal'}/once", body)

    async def filled_list(self, count: int, *, prefix: str = "u") -> str:
        """Make a list of so many members, and let the time pass that this takes."""
        list_sn = await self.create_list()
        await self.import_text(rows(count, prefix=prefix), list_sn)
        clock = self.emulator.clock
        assert isinstance(clock, HandClock)
        clock.advance(60)
        return list_sn

    async def submit(self, body: Mapping[str, Any], *list_sns: str) -> httpx.Response:
        """Submit a campaign, of the kind that the body is, to lists."""
        filled = changed(body, {"form.selectedLists": list(list_sns)}) if list_sns else dict(body)
        is_test = "testingOn" in str(body)
        return await self.post(f"/v1/campaign/{'testing' if is_test else 'normal'}/submit", filled)
