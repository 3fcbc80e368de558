"""Any request to the control API gets an answer of its description, and never 5xx."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.types import Receive, Scope, Send

from newsleopard_async.emulator import Emulator, EmulatorClock, Switches
from newsleopard_async.emulator.sandbox.bodies import EmptyBody, EmptyQuery
from newsleopard_async.emulator.sandbox.control.endpoint import Endpoint
from newsleopard_async.emulator.sandbox.control.routes import ENDPOINTS
from newsleopard_async.emulator.sandbox.sandbox_app import build_sandbox
from tests.conftest import waited_for
from tests.constants import START
from tests.emulator.api import AB_BODY, Api
from tests.emulator.sandbox.control_api import ControlApi

pytestmark = pytest.mark.slow

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
FUZZED = [each for each in ENDPOINTS if each.path != "/events"]  # its answer never ends


class FromHere:
    """Sets the peer and the host of each request to this machine."""

    def __init__(self, emulator: Emulator) -> None:
        self._app = build_sandbox(emulator)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with this machine as its peer."""
        if scope["type"] == "http":
            headers = [each for each in scope["headers"] if each[0] != b"host"]
            headers.append((b"host", b"localhost"))
            scope = {**scope, "headers": headers, "client": ("127.0.0.1", 50_000)}
        await self._app(scope, receive, send)


async def _live_in(emulator: Emulator) -> dict[str, str]:
    """Fill an account, and return the existing codes by the parameters of the paths."""
    opened = ControlApi(emulator)
    list_sn = await opened.fill(40)
    async with Api(emulator) as api:
        import_sn = await api.import_text("EMAIL,NAME\nabsent,x\n", list_sn)
    campaign_sn = await opened.send(AB_BODY, list_sn)
    await opened.do("POST", "/snapshots", {"name": "kept"})
    [mail, *_] = (await opened.get("/outbox"))["mails"]
    return {
        "/outbox/{id}": mail["id"],
        "/campaigns/{sn}": campaign_sn,
        "/lists/{sn}": list_sn,
        "/imports/{sn}": import_sn,
        "/contacts/{email}": mail["to"],
        "/snapshots/{name}": "kept",
        "/requests/{id}": emulator.requests[0].request_id,
    }


def _cases() -> list[Any]:
    """Return the fuzzed endpoints with their mode and number of requests."""
    good, bad = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
    takes_any = [
        each
        for each in FUZZED
        if each.body not in {None, EmptyBody} or each.query is not EmptyQuery
    ]
    return [
        *(pytest.param(each, good, 15, id=each.name) for each in FUZZED),
        *(
            pytest.param(each, bad, 15, id=f"{each.name}-bad", marks=pytest.mark.matrix)
            for each in takes_any
        ),
    ]


@pytest.mark.parametrize(("endpoint", "mode", "examples"), _cases())
def test_fuzzed_request_gets_a_described_answer(
    endpoint: Endpoint, mode: GenerationMode, examples: int
) -> None:
    """Half of the requests use existing codes, so that the answers are not all 404."""
    emulator = Emulator(
        clock=EmulatorClock(START, is_held=True), switches=Switches(requests_per_s=None)
    )
    known = anyio.run(_live_in, emulator)
    load_all_checks()
    schema = schemathesis.openapi.from_dict(anyio.run(ControlApi(emulator).get, "/openapi.json"))
    schema.app = FromHere(emulator)
    operation = schema[f"/_emulator{endpoint.path}"][endpoint.method]
    found = next((code for path, code in known.items() if endpoint.path.startswith(path)), None)

    @seed(1)
    @settings(
        max_examples=waited_for(examples),
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), names_known=st.booleans())
    def check(case: Any, names_known: bool) -> None:
        if names_known and found is not None:
            for name in case.path_parameters:
                case.path_parameters[name] = found
        headers = {} if endpoint.method == "GET" else {"content-type": "application/json"}
        case.validate_response(case.call(headers=headers), checks=CHECKS)

    check()


@pytest.mark.matrix
@settings(max_examples=150, database=None, deadline=None, derandomize=True)
@given(
    endpoint=st.sampled_from([each for each in FUZZED if each.method != "GET"]),
    body=st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [
                b"[" * 200_000,
                b'{"seconds": 1e999}',
                b'{"seconds": -Infinity}',
                b'{"name": "\\ud800"}',
                b'{"name": "\xed\xa0\x80"}',
                b'{"name": "a", "name": 1}',
                b'\xef\xbb\xbf{"name": "x"}',
                '{"name": "x"}'.encode("utf-16"),
                b'{"balance": ' + b"9" * 5_000 + b"}",
                b'{"email": "' + b"@" * 100_000 + b'"}',
                b'{"until": "9999-12-31T23:59:59.999999-23:59"}',
                b'{"until": "0001-01-01T00:00:00+23:59"}',
                b'{"kind": "answer", "operation": "upload", "status": 1e2}',
            ]
        ),
    ),
)
def test_malformed_body_gets_a_described_answer(endpoint: Endpoint, body: bytes) -> None:
    """Malformed JSON, other encodings, depth and size never cause a server error."""

    async def send() -> int:
        opened = ControlApi(Emulator(clock=EmulatorClock(START, is_held=True)))
        path = endpoint.path.replace("{name}", "x")
        return (await opened.ask(endpoint.method, path, body)).status_code

    assert anyio.run(send) in {200, 201, 204, 400, 404}
