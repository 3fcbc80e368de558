"""The emulator answers any request in a documented shape."""

from __future__ import annotations

import copy
import json
from typing import Any

import anyio
import attrs
import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from newsleopard_async.emulator import Emulator, Switches
from newsleopard_async.emulator.platform.gateway import LATER_PATHS, PATHS
from newsleopard_async.emulator.platform.notation import Codes
from newsleopard_async.emulator.switches import PROFILES, Profile, SwitchBoard
from tests.conftest import waited_for
from tests.emulator.api import AB_BODY, BODY, ONCE_BODY, Api, HandClock, changed, make
from tests.openapi import openapi

pytestmark = pytest.mark.slow

CHECKS: list[Any] = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
KEY = {"x-api-key": "test-key"}


def _documented(emulator: Emulator) -> Any:
    """Return the schema of all endpoints, answered by an emulator."""
    load_all_checks()
    schema = schemathesis.openapi.from_dict(copy.deepcopy(openapi()))
    schema.app = emulator.app
    return schema


async def _live_in(emulator: Emulator, clock: HandClock) -> dict[str, str]:
    """Use an account: a list, an import with errors, a campaign and its report; return codes."""
    async with Api(emulator) as api:
        list_sn = await api.filled_list(3)
        import_sn = await api.import_text("EMAIL,NAME\nnowhere,x\n", list_sn)
        sent = await api.submit(BODY, list_sn)
        clock.advance(60)
        campaign_sn = sent.json()["sn"]
        await api.post(f"/v1/report/{campaign_sn}/export", {})
        clock.advance(60)
    template = emulator.add_template("範本", "<p>您好</p>")
    return {
        "list_sn": list_sn,
        "import_sn": import_sn,
        "campaign_sn": campaign_sn,
        "id": template.id,
    }


def _cases() -> list[Any]:
    """Return which endpoints are fuzzed in which profile and mode, and by how many requests."""
    places = [(method, path) for method, path, _ in PATHS]
    later = [(method, path) for method, path, _ in LATER_PATHS]
    matrix = pytest.mark.matrix
    good, bad = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
    return [
        *(pytest.param(*place, "documented", good, 30) for place in places),
        *(pytest.param(*place, "documented", bad, 15, marks=matrix) for place in places),
        *(pytest.param(*place, "vendor-2026", good, 6, marks=matrix) for place in places),
        *(pytest.param(*place, "vendor-2026", good, 10) for place in later),
        *(pytest.param(*place, "vendor-2026", bad, 5, marks=matrix) for place in later),
    ]


@pytest.mark.parametrize(("method", "path", "profile", "mode", "examples"), _cases())
def test_fuzzed_request_gets_a_documented_answer(
    method: str, path: str, profile: Profile, mode: GenerationMode, examples: int
) -> None:
    """Only an import into an unknown list makes a server error, and that one has no content.

    Half of the requests name existing objects, so that the answers have content.
    """
    clock = HandClock()
    switches = attrs.evolve(PROFILES[profile], requests_per_s=None, requests_per_day=None)
    emulator = Emulator(clock=clock, switches=switches)
    known = anyio.run(_live_in, emulator, clock)
    operation = _documented(emulator)[path][method]

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
        if names_known:
            for name in case.path_parameters:
                case.path_parameters[name] = known[name]
            if isinstance(case.body, dict):
                codes = {"campaignSns", "campaignSnList"} & case.body.keys()
                case.body |= {name: [known["campaign_sn"], "unknown"] for name in codes}
        response = case.call(headers=KEY)

        case.validate_response(response, checks=CHECKS)
        if response.status_code >= 500:
            assert "{list_sn}" in path
            assert response.content == b""

    check()


HOSTILE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**4000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(["\0", "\ud800", "x" * 10_000, "${" * 500, "2026-13-45T99:99:99.00Z"]),
    st.lists(st.none(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
)
RAW = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"[" * 200_000,
            b'{"a":' * 5_000,
            b'{"name": 1e999}',
            b'{"name": -Infinity}',
            b'{"name": "\\ud800"}',
            b'{"name": "\\udc00\\ud800", "x": "\\ud83d\\ude00"}',
            b'{"name": "\xed\xa0\x80"}',
            b'\xef\xbb\xbf{"name": "x"}',
            '{"name": "x"}'.encode("utf-16"),
            b'{"name": ' + b"9" * 5_000 + b"}",
        ]
    ),
)


def _paths(value: Any, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(value, dict):
        return [prefix]
    inner = [path for name, item in value.items() for path in _paths(item, (*prefix, name))]
    return [prefix, *inner] if prefix else inner


def _send_raw(method: str, path: str, body: bytes, sn: str) -> httpx.Response:
    """Send bytes to an endpoint of an emulator that has one list of ten."""

    async def send() -> httpx.Response:
        emulator, _ = make(later_endpoints=True)
        async with Api(emulator) as api:
            known = await api.filled_list(10)
            assert known == sn
            url = path.replace("{list_sn}", known)
            return await api._api.request(method, url, content=body)

    return anyio.run(send)


def _assert_documented(answer: httpx.Response) -> None:
    assert answer.status_code < 500
    if answer.status_code == 400 and answer.content:
        body = answer.json()
        assert set(body) <= {"code", "invalidFields", "recipients", "remaining"}
        assert str(body["code"]) in {"40001", "40003", "40007", "40011", "40013", "40019", "40020"}


FUZZ = settings(max_examples=120, database=None, deadline=None, derandomize=True)
FIRST_LIST = Codes(0, SwitchBoard(Switches()))
FIRST_LIST.access_key_id()
FIRST_LIST.secret()
FIRST_SN = FIRST_LIST.sn()


@FUZZ
@given(data=st.data())
def test_hostile_value_in_a_good_body_gets_a_documented_answer(data: st.DataObject) -> None:
    """For any value in one field, the answer is a 200 or a refusal with a code."""
    good = changed(data.draw(st.sampled_from([BODY, AB_BODY])), {"form.selectedLists": [FIRST_SN]})
    path = ".".join(data.draw(st.sampled_from(_paths(good))))
    body = changed(good, {path: data.draw(HOSTILE)})
    kind = "testing" if "testingOn" in good["content"] else "normal"

    answer = _send_raw("POST", f"/v1/campaign/{kind}/submit", json.dumps(body).encode(), FIRST_SN)

    _assert_documented(answer)


@FUZZ
@given(
    body=RAW,
    place=st.sampled_from([place for place in (*PATHS, *LATER_PATHS) if place[0] != "GET"]),
)
def test_bytes_that_are_no_request_get_a_documented_answer(
    body: bytes, place: tuple[str, str, str]
) -> None:
    """Malformed JSON, other encodings, depth and size never make a server error."""
    method, path, _ = place

    answer = _send_raw(method, path, body, FIRST_SN)

    if answer.status_code == 403:
        assert answer.json()["code"] == "40303"
    else:
        _assert_documented(answer)


@settings(FUZZ, max_examples=100)
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_upload_ends_in_a_known_state(content: bytes) -> None:
    """Every file, text or not, ends in a documented state, and once is sent to whom it imports."""

    async def upload() -> tuple[dict[str, Any], str, int]:
        emulator, clock = make(later_endpoints=True)
        async with Api(emulator) as api:
            once = (await api.reserve(ONCE_BODY)).json()
            ticket = (await api.post("/v1/contacts/imports/file", {})).json()
            for url in (once["url"], ticket["url"]):
                await api.put(url, b"EMAIL,NAME\n" + content)
            clock.advance(60)
            [campaign] = emulator.campaigns
            result = await api.result(ticket["import_sn"])
            return result, campaign.state(clock.now()), len(emulator.outbox)

    result, state, mails = anyio.run(upload)

    assert result["status"] in {"COMPLETE", "ERROR"}
    counts = [result[name] for name in ("insertCnt", "duplicateCnt", "errCnt")]
    assert sum(counts) == result["fileCnt"]
    assert (state, mails) == ("COMPLETE" if mails else "EMPTY_RECIPIENT", counts[0])
