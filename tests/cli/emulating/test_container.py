"""The documentation's files for containers use options that the command has."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from typing import Any

import pytest
import yaml

from newsleopard_async import NewsLeopard
from newsleopard_async.cli.commands.emulator_command import emulator as command
from newsleopard_async.emulator import Emulator, Switches
from newsleopard_async.emulator.server import running
from tests.constants import KEY, ROOT

pytestmark = pytest.mark.source_tree

DOCKERFILE = (ROOT / "docs" / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "compose.yaml").read_text("utf-8"))


def words_of(instruction: str) -> list[str]:
    """Return the words of an instruction of the Dockerfile that is a list."""
    found = re.search(rf"{instruction} (\[.*\])", DOCKERFILE)
    assert found
    return [str(word) for word in json.loads(found[1])]


def test_container_begins_with_existing_options() -> None:
    """It listens to the network, and its state is in the volume."""
    program, name, *arguments = words_of("ENTRYPOINT")
    arguments += COMPOSE["services"]["emulator"].get("command", [])

    params = command.make_context(name, arguments).params

    assert (program, name) == ("newsleopard", "emulator")
    assert (params["host"], params["control"]) == ("0.0.0.0", "network")  # noqa: S104
    volumes = [each.partition(":")[2] for each in COMPOSE["services"]["emulator"]["volumes"]]
    assert [str(params["state"].parent)] == volumes == re.findall(r"VOLUME (\S+)", DOCKERFILE)
    assert re.findall(r"EXPOSE (\d+)", DOCKERFILE) == [str(params["port"])]


def test_application_finds_the_emulator_by_its_name() -> None:
    """The variables are those that the client reads."""
    environment = COMPOSE["services"]["app"]["environment"]

    assert environment["NEWSLEOPARD_BASE_URL"] == "http://emulator:8025"
    assert environment["NEWSLEOPARD_ALLOW_HTTP"] == "1"


@pytest.mark.slow
def test_health_check_passes_and_fails() -> None:
    """Its exit status is 0 while the emulator answers, and another one when it does not."""
    python, *arguments = words_of("HEALTHCHECK .*? CMD")
    assert python == "python"

    with running(Emulator()) as url:
        port = url.rpartition(":")[2]
        check = [sys.executable, *(each.replace("8025", port) for each in arguments)]
        # A proxy in the environment is not used for the container itself.
        proxies = {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}
        healthy = subprocess.run(check, check=False, timeout=60, env=os.environ | proxies)
    stopped = subprocess.run(check, check=False, timeout=60, capture_output=True)

    assert healthy.returncode == 0
    assert stopped.returncode != 0


@pytest.mark.asyncio
async def test_client_uploads_to_an_emulator_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key and the file go over plain http to a host that is not loopback by name."""
    look_up = socket.getaddrinfo

    def of_this_network(host: Any, *args: Any, **kwargs: Any) -> Any:
        return look_up("127.0.0.1" if host in {"emulator", b"emulator"} else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", of_this_network)
    monkeypatch.setenv("NEWSLEOPARD_ALLOW_HTTP", "1")
    emulator = Emulator(api_keys=None, switches=Switches(import_base_s=0.0))
    with running(emulator) as url:
        here = f"http://emulator:{url.rpartition(':')[2]}"
        async with NewsLeopard(KEY, base_url=here, quota=None) as nl:
            ticket = await nl.contacts.start_file_import()
            await nl.contacts.upload(ticket, b"EMAIL,NAME\na@example.com,A\n")

    assert ticket.url.startswith(f"{here}/_storage/")
    assert len(emulator.contacts) == 1
    assert emulator.leaked_keys == ()
