"""The page for users of nlm and curl: its commands and its calls send the same requests."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from string import Template
from typing import Any, Final

import httpx
import pytest

import newsleopard_async
from newsleopard_async.emulator import Emulator, Switches
from newsleopard_async.testing import ManualClock
from tests.constants import ROOT

PAGE: Final = ROOT / "docs" / "migrating.md"
if not PAGE.exists():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)

TEXT: Final = PAGE.read_text(encoding="utf-8")
PART: Final = TEXT.partition("<!-- curl -->")[2].partition("<!-- end -->")[0]
KEY: Final = "test-key"


@pytest.fixture
def clock() -> ManualClock:
    """Return the clock of the emulator and of the client."""
    return ManualClock()


@pytest.fixture
def emulator(clock: ManualClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Emulator:
    """Return an emulator without a limit, in a folder with the files that the requests read."""
    monkeypatch.chdir(tmp_path)
    Path("anniversary.html").write_text("<html><body>${NAME} 您好</body></html>", "utf-8")
    Path("members.csv").write_text("EMAIL,NAME\nming@example.com,王小明\n", "utf-8")
    switches = Switches(requests_per_s=None, import_base_s=0.0)
    return Emulator(api_keys=[KEY], clock=clock, switches=switches)


def commands() -> Iterator[str]:
    """Yield the commands of the page: each call of curl, and each file that is written."""
    for block in re.findall(r"^```sh\n(.*?)^```", PART, re.MULTILINE | re.DOTALL):
        yield from re.findall(r"^cat > [^^]*?^END$|^curl (?:.*\\\n)*.*$", block, re.MULTILINE)


class Shell:
    """Understands as much of a shell and of curl as the page uses."""

    def __init__(self, emulator: Emulator) -> None:
        self.client = httpx.AsyncClient(transport=emulator.transport())
        self.clock = emulator.clock
        self.variables = {
            "API": emulator.base_url,
            "KEY": f"x-api-key: {KEY}",
            "JSON": "Content-Type: application/json",
            "NOW": f"{emulator.clock.now():%Y-%m-%dT%H:%M:%S.000Z}",
        }

    async def run(self, command: str) -> None:
        """Run a command, and remember the codes in its answer."""
        if written := re.fullmatch(r"cat > (\S+) <<END\n(.*)END", command, re.DOTALL):
            Path(written[1]).write_text(self._expanded(written[2]), "utf-8")
            return
        _, *words = (self._expanded(word) for word in shlex.split(command.replace("\\\n", " ")))
        method, url, headers, body = "GET", "", {}, b""
        while words:
            match words.pop(0):
                case "-X":
                    method = words.pop(0)
                case "-H":
                    name, _, value = words.pop(0).partition(": ")
                    headers[name] = value
                case "-d":
                    given = words.pop(0)
                    body = Path(given[1:]).read_bytes() if given[0] == "@" else given.encode()
                case "-T":
                    method, body = "PUT", Path(words.pop(0)).read_bytes()
                case url:
                    pass
        answer = await self.client.request(method, url, headers=headers, content=body)
        assert answer.is_success, (command, answer.text)
        await self.clock.sleep(1)  # until an import has ended
        with suppress(json.JSONDecodeError):
            self._remember(answer.json())

    def _expanded(self, text: str) -> str:
        return Template(text.replace("\\$", "$$")).safe_substitute(self.variables)

    def _remember(self, answer: Any) -> None:
        names = {"import_sn": "IMPORT", "url": "UPLOAD"}
        names["sn"] = "CAMPAIGN" if "LIST" in self.variables else "LIST"
        for field, variable in names.items():
            if isinstance(answer, dict) and field in answer:
                self.variables.setdefault(variable, answer[field])


def requests_of(emulator: Emulator) -> list[tuple[str, str, str, Any]]:
    """Return each request, polls once: method, path, query, body without the time of a schedule."""
    found = (
        (each.method, each.path, each.query, re.sub(r'"scheduleDate": ?"[^"]*"', "", text))
        for each in emulator.requests
        for text in [json.dumps(json.loads(each.body or "null"), sort_keys=True)]
    )
    return [request for request, _ in itertools.groupby(found)]


@pytest.mark.asyncio
async def test_each_request_by_curl_is_one_call(
    emulator: Emulator, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The calls send the same requests as the commands above them, with the same JSON."""
    shell = Shell(emulator)
    for command in commands():
        await shell.run(command)
    by_curl = requests_of(emulator)
    emulator.reset()
    [code] = re.findall(r"^```py\n(.*?)^```", PART, re.MULTILINE | re.DOTALL)

    class Emulated(newsleopard_async.NewsLeopard):
        def __init__(self) -> None:
            super().__init__(KEY, http_transport=emulator.transport(), clock=clock)

    monkeypatch.setattr(newsleopard_async, "NewsLeopard", Emulated)
    program: dict[str, Any] = {}
    exec(code.replace("asyncio.run(main())\n", ""), program)  # noqa: S102 - our own
    await program["main"]()

    assert requests_of(emulator) == by_curl
    assert len({each[:2] for each in by_curl}) == 13  # the documented requests, and the upload
