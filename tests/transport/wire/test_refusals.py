from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsleopard_async.transport.wire.refusals import ErrorBody, decode_error, parse_refusal

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"message": "Forbidden"}, ErrorBody(message="Forbidden", is_message_alone=True)),
        (
            {"message": "Limit Exceeded"},
            ErrorBody(message="Limit Exceeded", is_message_alone=True),
        ),
        (
            {"code": "40303", "message": "bad operation with invalid user state"},
            ErrorBody(code=40303, message="bad operation with invalid user state"),
        ),
        (
            {"code": "40001", "invalidFields": "欄位相關錯誤訊息"},
            ErrorBody(code=40001, message="欄位相關錯誤訊息"),
        ),
        (
            {
                "code": "40001",
                "invalidFields": {
                    "content.subjectA": ["InvalidTestingOnFields"],
                    "form.name": ["NotEmpty", "NotNull"],
                    "content": ["InvalidTestingOnFields"],
                },
            },
            ErrorBody(
                code=40001,
                invalid_fields={
                    "content.subjectA": ("InvalidTestingOnFields",),
                    "form.name": ("NotEmpty", "NotNull"),
                    "content": ("InvalidTestingOnFields",),
                },
            ),
        ),
        (
            {"code": 40012, "recipients": 1200, "remaining": "300"},
            ErrorBody(code=40012, recipients=1200, remaining=300),
        ),
    ],
)
def test_documented_refusal_is_read(body: object, expected: ErrorBody) -> None:
    """Codes come as text or number, fields as object or text (T88 to T90)."""
    assert decode_error(body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (None, ErrorBody()),
        ("Forbidden", ErrorBody()),
        ([], ErrorBody()),
        ({}, ErrorBody()),
        ({"code": True, "message": 5, "recipients": "many"}, ErrorBody()),
        ({"code": "E40001", "message": ""}, ErrorBody()),
        (
            {"invalidFields": {"form.name": "NotEmpty"}},
            ErrorBody(invalid_fields={"form.name": ("NotEmpty",)}),
        ),
        (
            {"invalidFields": {"form.name": [1, "NotNull"]}},
            ErrorBody(invalid_fields={"form.name": ("NotNull",)}),
        ),
        (
            {"invalidFields": ["form.name", 5, {"field": 5}, {"rule": "NotNull"}]},
            ErrorBody(invalid_fields={"form.name": ()}),
        ),
        (
            {"invalidFields": {"form": {"name": ["NotNull"], "lists": {}}, "ga": 5}},
            ErrorBody(invalid_fields={"form.name": ("NotNull",), "form.lists": (), "ga": ()}),
        ),
        (
            {"invalidFields": {"a": {"b": {"c": {"d": {"e": {"f": ["NotNull"]}}}}}}},
            ErrorBody(invalid_fields={"a.b.c.d.e": ()}),
        ),
        (
            {
                "invalidFields": [
                    {"field": "form.name", "rule": "NotNull", "rejectedValue": "secret"},
                    {"field": "form.name", "defaultMessage": "must not be empty"},
                    {"field": "content", "code": 5},
                ]
            },
            ErrorBody(
                invalid_fields={"form.name": ("NotNull", "must not be empty"), "content": ()}
            ),
        ),
        ({"message": "wrong", "invalidFields": "name"}, ErrorBody(message="wrong: name")),
    ],
)
def test_what_cannot_be_read_is_left_out(body: object, expected: ErrorBody) -> None:
    """A refusal arrives, however it is worded."""
    assert decode_error(body) == expected


@pytest.mark.slow
@settings(max_examples=200)
@given(anything | st.fixed_dictionaries({"code": anything, "invalidFields": anything}))
def test_reading_a_refusal_never_fails(body: object) -> None:
    """No body can hide the refusal behind an error of its own."""
    assert isinstance(decode_error(body), ErrorBody)


@pytest.mark.parametrize("code", ["40011", 40011])
@pytest.mark.parametrize("name", ["code", "errorCode"])
def test_code_has_two_names(name: str, code: object) -> None:
    """The vendor's own command line reads another name than the documentation prints (T88)."""
    assert decode_error({name: code}).code == 40011


def test_documented_name_of_a_code_goes_first() -> None:
    """Should both be there, the documentation's counts, if it can be read."""
    assert decode_error({"code": "40011", "errorCode": "40012"}).code == 40011
    assert decode_error({"code": "E1", "errorCode": "40012"}).code == 40012


@pytest.mark.parametrize("code", [100, "403", 503, "599"])
def test_http_status_is_no_code_of_the_platform(code: object) -> None:
    """Proxies and firewalls write bodies with the status in them."""
    assert decode_error({"code": code}).code is None


@pytest.mark.parametrize("code", [99, 600, 40001])
def test_other_number_is_a_code(code: int) -> None:
    """The list of codes is not closed."""
    assert decode_error({"code": code}).code == code


def test_many_fields_are_counted_and_not_kept() -> None:
    """Each that is kept is searched for secrets, which holds the event loop."""
    body = decode_error({"invalidFields": {f"f{number}": ["NotNull"] for number in range(300)}})

    assert len(body.invalid_fields) == 50
    assert body.omitted_fields == 250


def test_many_rules_of_a_field_are_not_kept() -> None:
    """The first ones say enough."""
    body = decode_error({"invalidFields": {"name": [f"R{number}" for number in range(300)]}})

    assert len(body.invalid_fields["name"]) == 10


def test_field_that_is_too_long_is_left_out_whole() -> None:
    """A piece of a secret would not be recognised as one."""
    body = decode_error({"invalidFields": {"f" * 16_000: ["NotNull"], "name": ["NotNull"]}})

    assert body.invalid_fields == {"name": ("NotNull",)}
    assert body.omitted_fields == 1


LARGE = 300_000


def test_large_refusal_is_read_up_to_a_bound() -> None:
    """Its code comes first, and as many fields as there is room for."""
    fields = {f"content.field{number}": ["NotNull"] for number in range(LARGE // 10)}
    body = json.dumps({"code": "40001", "invalidFields": fields, "message": "x"}).encode()

    read = decode_error(parse_refusal(body))

    assert read.code == 40001
    assert read.invalid_fields["content.field0"] == ("NotNull",)
    assert read.omitted_fields > 1_000
    assert read.message is None


@pytest.mark.parametrize(
    ("beginning", "expected"),
    [
        ('{"code":"40001","message":"', {"code": "40001"}),
        ('{"code":"40001","f":[', {"code": "40001"}),
        ('{"f":{"a":1,"b":"', {"f": {"a": 1}}),
        ('{"code":1}', {"code": 1}),
        ('{"code":1,', {"code": 1}),
        ('{ "code" : 1 , "f" : {', {"code": 1, "f": {}}),
        ("{", {}),
        ("{1:2,", {}),
        ('{[1]:2,"code":1,', {}),
        ("<html>", None),
        ("[", None),
        ('{"f":' + "[" * 200_000, None),
    ],
)
def test_beginning_of_a_large_refusal(beginning: str, expected: object) -> None:
    """What is not an object, or too deep, is not read at all."""
    assert parse_refusal((beginning + " " * LARGE).encode()) == expected


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 200_000, b"1" * 5_000])
def test_refusal_that_is_no_json_is_none(body: bytes) -> None:
    """A page of a proxy, a body that is too deep, a number that is too long."""
    assert parse_refusal(body) is None
