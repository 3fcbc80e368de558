"""Submits are judged with the documented codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from newsleopard_async.emulator import Switches
from newsleopard_async.emulator.platform.fields import Refused
from newsleopard_async.emulator.platform.submission import (
    check_schedule,
    check_senders,
    read_campaign,
)
from tests.constants import START
from tests.emulator.api import AB_BODY, BODY, Api, changed, make
from tests.requests_schema import RequestMismatch, RequestSchema

pytestmark = pytest.mark.asyncio

HTML_TEST = changed(
    AB_BODY,
    {
        "content.subjectA": ...,
        "content.subjectB": ...,
        "content.htmlContent": ...,
        "content.subject": "主旨",
        "content.htmlContentA": "<p>A</p>",
        "content.htmlContentB": "<p>B</p>",
        "content.testingOn": 3,
    },
)
SENDER_TEST = changed(
    AB_BODY,
    {
        "content.subjectA": ...,
        "content.subjectB": ...,
        "content.fromName": ...,
        "content.fromAddress": ...,
        "content.subject": "主旨",
        "content.fromNameA": "A",
        "content.fromNameB": "B",
        "content.fromAddressA": "a@example.com",
        "content.fromAddressB": "b@example.com",
        "content.testingOn": 2,
    },
)
NESTED = changed(HTML_TEST, {"config.content": HTML_TEST["content"], "content": ...})


async def judged(body: dict[str, Any], **switches: Any) -> tuple[int, Any]:
    """Submit a body to a list of one hundred; return status and JSON."""
    emulator, _ = make(**switches)
    async with Api(emulator) as api:
        answer = await api.submit(body, await api.filled_list(100))
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    "body", [BODY, AB_BODY, SENDER_TEST, HTML_TEST], ids=["plain", "subject", "sender", "html"]
)
async def test_documented_body_is_accepted(body: dict[str, Any]) -> None:
    """All four printed samples pass, the third test in its canonical place."""
    status, answer = await judged(body)

    assert status == 200
    assert list(answer) == ["sn"]


REQUIRED = {
    "form": ["NotNull"],
    "config": ["NotNull"],
    "content": ["NotNull"],
    "form.name": ["NotEmpty", "NotNull"],
    "form.excludeLists": ["NotNull"],
    "config.schedule": ["NotNull"],
    "config.ga": ["NotNull"],
    "config.schedule.type": ["NotNull"],
    "config.schedule.timezone": ["NotNull"],
    "config.schedule.scheduleDate": ["NotEmpty", "NotNull"],
    "config.ga.enable": ["NotNull"],
    "config.ga.ecommerceEnable": ["NotNull"],
    "config.ga.utmCampaign": ["NotEmpty", "NotNull"],
    "content.subject": ["NotEmpty", "NotNull"],
    "content.fromName": ["NotEmpty", "NotNull"],
    "content.fromAddress": ["NotEmpty", "NotNull"],
    "content.htmlContent": ["NotEmpty", "NotNull"],
    "content.footerLang": ["NotNull"],
}


@pytest.mark.parametrize("value", [..., None], ids=["absent", "null"])
@pytest.mark.parametrize("path", REQUIRED)
async def test_missing_field_is_named_with_its_rules(path: str, value: object) -> None:
    """The answer maps the dotted path to rule names (T89)."""
    emulator, _ = make()
    async with Api(emulator) as api:
        body = changed(BODY, {"form.selectedLists": [await api.filled_list(1)]})
        answer = await api.submit(changed(body, {path: value}))

    assert answer.status_code == 400
    assert answer.json() == {"code": "40001", "invalidFields": {path: REQUIRED[path]}}


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("form.name", "", "NotEmpty"),
        ("form.name", 7, "InvalidType"),
        ("form.excludeLists", "Hello, world!", "InvalidType"),
        ("form.excludeLists", [1], "InvalidType"),
        ("form.excludeLists", [""], "NotEmpty"),
        ("form.unknown", 1, "UnknownField"),
        ("config.schedule.type", 2, "Range"),
        ("config.schedule.type", "0", "InvalidType"),
        ("config.schedule.type", True, "InvalidType"),
        ("config.schedule.timezone", 88, "Range"),
        ("config.schedule.timezone", -1, "Range"),
        ("config.schedule.timezone", 21.5, "InvalidType"),
        ("config.schedule.timezone", 10**400, "Range"),
        ("config.schedule.scheduleDate", 1, "InvalidType"),
        ("config.ga.enable", "yes", "InvalidType"),
        ("config.ga.enable", [], "InvalidType"),
        ("config.ga.utmContent", "", "NotEmpty"),
        ("content.subject", "", "NotEmpty"),
        ("content.htmlContent", "", "NotEmpty"),
        ("content.footerLang", 2, "Range"),
        ("content.footerLang", "1", "InvalidType"),
        ("content.preheader", "x", "UnknownField"),
        ("config.content", {}, "UnknownField"),
        ("form", [], "InvalidType"),
    ],
)
async def test_wrong_value_is_named_with_its_rule(path: str, value: object, rule: str) -> None:
    """Codes are whole numbers from their tables, texts are texts, and nothing is unknown."""
    emulator, _ = make()
    async with Api(emulator) as api:
        body = changed(BODY, {"form.selectedLists": [await api.filled_list(1)]})
        answer = await api.submit(changed(body, {path: value}))

    assert answer.json() == {"code": "40001", "invalidFields": {path: [rule]}}


async def test_all_fields_are_reported_at_once() -> None:
    """One answer lists everything, and an empty selection is among it."""
    status, answer = await judged(changed(BODY, {"content.subject": "", "content.footerLang": 9}))

    assert status == 400
    assert list(answer["invalidFields"]) == ["content.footerLang", "content.subject"]


@pytest.mark.parametrize("enable", ["false", False])
async def test_utm_values_are_needed_with_ga_only(enable: object) -> None:
    """Without GA the utm values may be absent; flags are text or booleans (T76, T77)."""
    body = changed(BODY, {"config.ga": {"enable": enable, "ecommerceEnable": enable}})

    assert (await judged(body))[0] == 200
    refused = await judged(body, ga_strings_only=True)
    assert refused[0] == (400 if enable is False else 200)


async def test_unknown_selected_list_is_40007() -> None:
    """Unknown codes are refused wherever they stand."""
    emulator, _ = make()
    async with Api(emulator) as api:
        answer = await api.submit(BODY, await api.filled_list(1), "unknown")

    assert answer.json() == {"code": "40007"}


async def test_no_list_is_a_field_error() -> None:
    """At least one list is needed (T68)."""
    emulator, _ = make()
    async with Api(emulator) as api:
        answer = await api.submit(BODY)

    assert answer.json()["invalidFields"] == {"form.selectedLists": ["NotEmpty"]}


async def test_balance_that_does_not_even_cover_the_test_is_40017() -> None:
    """An A/B submit has a code of its own for its test mails."""
    emulator, _ = make()
    async with Api(emulator) as api:
        sn = await api.filled_list(100)
        emulator.balance = 9
        poor = await api.submit(AB_BODY, sn)
        emulator.balance = 10
        richer = await api.submit(AB_BODY, sn)

    assert poor.json() == {"code": "40017"}
    assert richer.json() == {"code": 40012, "recipients": 100, "remaining": 10}


@pytest.mark.parametrize(
    ("changes", "invalid"),
    [
        (
            {"content.subjectA": ...},
            {
                "content.subjectA": ["InvalidTestingOnFields"],
                "content": ["InvalidTestingOnFields"],
            },
        ),
        (
            {"content.subject": "x"},
            {
                "content.subject": ["InvalidTestingOnFields"],
                "content": ["InvalidTestingOnFields"],
            },
        ),
        ({"content.testing": ...}, {"content.testing": ["NotNull"]}),
        (
            {"content.testing": {}},
            {
                "content.testing.proportion": ["NotNull"],
                "content.testing.time": ["NotNull"],
                "content.testing.unit": ["NotNull"],
            },
        ),
        ({"content.testing.proportion": 101}, {"content.testing.proportion": ["Range"]}),
        ({"content.testing.proportion": "10"}, {"content.testing.proportion": ["InvalidType"]}),
        ({"content.testing.time": -1}, {"content.testing.time": ["Range"]}),
        ({"content.testing.time": 10**300}, {"content.testing.time": ["Range"]}),
        ({"content.testing.unit": 2}, {"content.testing.unit": ["Range"]}),
        ({"content.testing.x": 1}, {"content.testing.x": ["UnknownField"]}),
    ],
)
async def test_wrong_field_of_a_test_is_named(
    changes: dict[str, Any], invalid: dict[str, list[str]]
) -> None:
    """A variant's own fields name their parent as well, as the documentation shows (T94, T96)."""
    assert await judged(changed(AB_BODY, changes)) == (
        400,
        {"code": "40001", "invalidFields": invalid},
    )


@pytest.mark.parametrize("value", [0, 4, None, ..., "1"])
async def test_unknown_kind_of_test_is_refused(value: object) -> None:
    """The kind of test is 1, 2 or 3."""
    status, answer = await judged(
        changed(AB_BODY, {"content.testingOn": value, "form.name": "testingOn"})
    )

    assert status == 400
    assert answer["invalidFields"]["content"] == ["InvalidTestingOnFields"]


async def test_content_inside_config_is_accepted_and_recorded() -> None:
    """The printed form of the content test is taken, and the emulator knows which it was (T95)."""
    emulator, _ = make()
    async with Api(emulator) as api:
        sn = await api.filled_list(100)
        nested, top = [await api.submit(body, sn) for body in (NESTED, HTML_TEST)]

    assert (nested.status_code, top.status_code) == (200, 200)
    assert [item.body.content_position for item in emulator.campaigns] == ["nested", "top"]


@pytest.mark.parametrize(
    ("body", "switches"),
    [
        (NESTED, {"refuse_nested_content": True}),
        (changed(HTML_TEST, {"config.content": HTML_TEST["content"]}), {}),
        (changed(HTML_TEST, {"config.content": HTML_TEST["content"]}), {"strict": False}),
        (changed(NESTED, {"config.content": AB_BODY["content"]}), {}),
        (changed(NESTED, {"config.content": []}), {}),
    ],
    ids=["switched off", "both", "both, lenient", "subject test", "no object"],
)
async def test_content_in_the_wrong_place_is_refused(
    body: dict[str, Any], switches: dict[str, Any]
) -> None:
    """The error names content; both places at once never pass (T95)."""
    status, answer = await judged(body, **switches)

    assert status == 400
    assert "content" in answer["invalidFields"]


@pytest.mark.parametrize(
    ("body", "path", "switches"),
    [
        (changed(BODY, {"config.ga.enable": "false"}), "config.ga.utmCampaign", {}),
        (changed(BODY, {"config.ga.enable": "false"}), "config.ga.utmContent", {}),
        (BODY, "content.preheader", {"vendor_limits": True}),
        (AB_BODY, "content.preheaderB", {"vendor_limits": True}),
        (NESTED, "content", {}),
    ],
)
async def test_null_is_not_the_same_as_absent_to_a_strict_server(
    body: dict[str, Any], path: str, switches: dict[str, Any]
) -> None:
    """An optional field must be text if it is present; a lenient server accepts null."""
    status, answer = await judged(changed(body, {path: None}), **switches)

    assert status == 400
    assert path in answer["invalidFields"]
    assert (await judged(changed(body, {path: None}), strict=False, **switches))[0] == 200


def _judged_by(schema: RequestSchema, kind: str, body: dict[str, Any]) -> bool:
    """Tell whether openapi.yaml allows a body."""
    headers = {"content-type": "application/json", "accept": "application/json", "x-api-key": "k"}
    url = f"https://api.newsleopard.com/v1/campaign/{kind}/submit"
    try:
        schema.check("POST", url, headers, json.dumps(body).encode())
    except RequestMismatch:
        return False
    return True


def _taken(body: dict[str, Any], *, is_test: bool) -> bool:
    """Tell whether a strict emulator with every field of the vendor's notes takes a body."""
    on = Switches(vendor_limits=True)
    try:
        read = read_campaign(json.dumps(body).encode(), is_test=is_test, on=on)
        check_schedule(read, START - timedelta(days=1))
        check_senders(read.variants, on)
    except Refused:
        return False
    return True


def _leaves(value: object, path: str = "") -> Iterator[str]:
    if path:
        yield path
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{name}" if path else name)


@pytest.mark.slow
@pytest.mark.parametrize("body", [BODY, AB_BODY], ids=["plain", "test"])
async def test_strict_server_takes_exactly_what_the_schema_allows(body: dict[str, Any]) -> None:
    """For any value at any path, the emulator and openapi.yaml agree."""
    is_test = "testingOn" in body["content"]
    names = ("preheaderA", "preheaderB") if "subjectA" in body["content"] else ("preheader",)
    changes: dict[str, Any] = {f"content.{name}": "text" for name in names}
    changes |= {
        "form.selectedLists": ["x"],
        "form.excludeLists": ["y"],
        "config.ga.enable": "false",  # so that its texts may be absent
    }
    schema = RequestSchema("vendor-2026")
    whole = changed(body, changes)
    values: tuple[Any, ...] = (..., None, "", 7, {})

    for path in _leaves(whole):
        for value in values:
            tried = changed(whole, {path: value})
            allowed = _judged_by(schema, "testing" if is_test else "normal", tried)
            assert _taken(tried, is_test=is_test) == allowed, f"{path}: {value!r}"


async def test_refused_campaign_leaves_no_trace() -> None:
    """Neither counted, nor paid for, nor sent."""
    emulator, _ = make()
    async with Api(emulator) as api:
        await api.submit(changed(BODY, {"content.subject": ""}), await api.filled_list(5))

    assert (emulator.submitted, emulator.balance, len(emulator.outbox)) == (0, 1_000_000, 0)
