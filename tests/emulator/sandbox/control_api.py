"""Helpers of the tests of the control API: an emulator in this process, and its control API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx

from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.sandbox.sandbox_app import build_sandbox
from tests.emulator.api import Api, rows

__all__ = ["ControlApi", "transport_to"]


def transport_to(emulator: Emulator) -> httpx.ASGITransport:
    """Return a client of the sandbox of an emulator, without a server."""
    return httpx.ASGITransport(app=build_sandbox(emulator))


class ControlApi:
    """An emulator with a client of its control API."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self._http = httpx.AsyncClient(
            transport=transport_to(emulator), base_url="http://localhost/_emulator"
        )

    async def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Send a request; the body of a change is JSON."""
        headers = {} if method in {"GET", "HEAD"} else {"content-type": "application/json"}
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body)
        return await self._http.request(method, path, headers=headers, content=content)

    async def get(self, path: str) -> Any:
        """Return the JSON of a successful answer."""
        answer = await self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def do(self, method: str, path: str, body: Any = None) -> Any:
        """Make a change, and return the JSON of the successful answer, if it has any."""
        answer = await self.ask(method, path, body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def fill(self, count: int) -> str:
        """Create a list with so many contacts, and wait for the end of the import."""
        async with Api(self.emulator) as api:
            list_sn = await api.create_list()
            await api.import_text(rows(count), list_sn)
        await self.do("POST", "/clock/advance", {"seconds": 60})
        return list_sn

    async def send(self, body: Mapping[str, Any], list_sn: str) -> str:
        """Submit a campaign, and wait until its mails are sent."""
        async with Api(self.emulator) as api:
            sn = (await api.submit(body, list_sn)).json()["sn"]
        await self.do("POST", "/clock/advance", {"seconds": 86_400})
        return str(sn)

    async def refused(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, str]]:
        """Return the status of an error, and its problems by field."""
        answer = await self.ask(method, path, body)
        error = answer.json()["error"]
        assert error["message"].endswith((".", "?"))
        return answer.status_code, {each["field"]: each["message"] for each in error["problems"]}
